"""What the hardware computes: calibration, trials over chips, accuracy, and where accuracy is lost."""

from neuromorph.execution.calibration import Calibration, calibrate
from neuromorph.execution.effects import EffectCost, attribute
from neuromorph.execution.engine import execute
from neuromorph.execution.result import Execution, Interval, LayerQuality

__all__ = ["Calibration", "EffectCost", "Execution", "Interval", "LayerQuality", "attribute", "calibrate", "execute"]
