"""Event-driven execution of spiking networks: compiled kernels over compressed synaptic rows."""

from neuromorph.devices.manycore.execute.engine import EventEngine
from neuromorph.devices.manycore.execute.fixed import Quantisation, RowLoss, quantize
from neuromorph.devices.manycore.execute.run import EventRun, Rates, StopRule, rates, silenced

__all__ = ["EventEngine", "EventRun", "Quantisation", "Rates", "RowLoss", "StopRule", "quantize", "rates", "silenced"]
