"""Event-driven execution of spiking networks: compiled kernels over compressed synaptic rows."""

from neuromorph.execution.events.engine import EventEngine
from neuromorph.execution.events.fixed import Quantisation, RowLoss, quantize
from neuromorph.execution.events.run import EventRun, Rates, StopRule, rates, silenced

__all__ = ["EventEngine", "EventRun", "Quantisation", "Rates", "RowLoss", "StopRule", "quantize", "rates", "silenced"]
