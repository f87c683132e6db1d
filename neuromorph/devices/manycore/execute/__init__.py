"""Event-driven execution of spiking networks: compiled kernels over compressed synaptic rows."""

from neuromorph.devices.manycore.execute.engine import EventEngine
from neuromorph.devices.manycore.execute.fixed import Quantisation, RowLoss
from neuromorph.devices.manycore.execute.run import EventRun, Rates, StopRule, rates, silenced
from neuromorph.devices.manycore.execute.whole import quantize

__all__ = ["EventEngine", "EventRun", "Quantisation", "Rates", "RowLoss", "StopRule", "quantize", "rates", "silenced"]
