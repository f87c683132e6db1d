"""What the hardware computes: calibration, trials over chips, accuracy, and where accuracy is lost."""

from neuromorph.devices.layered.execute.calibration import Calibration, calibrate
from neuromorph.devices.layered.execute.engine import execute
from neuromorph.devices.result import Execution, Interval, LayerQuality

__all__ = ["Calibration", "Execution", "Interval", "LayerQuality", "calibrate", "execute"]
