"""Event-driven execution of spiking networks: compiled kernels over compressed synaptic rows."""

from neuromorph.execution.events.engine import EventEngine
from neuromorph.execution.events.run import EventRun, Rates, StopRule, rates

__all__ = ["EventEngine", "EventRun", "Rates", "StopRule", "rates"]
