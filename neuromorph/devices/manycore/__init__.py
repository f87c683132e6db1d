"""Many-core chips that run spiking networks: processor cores and fixed-function cores, routers, external memory."""

from neuromorph.devices.manycore.machine import CoreTimes, Machine, NetworkTimes
from neuromorph.devices.manycore.reading import read_machine

__all__ = ["CoreTimes", "Machine", "NetworkTimes", "read_machine"]
