"""What an execution found: accuracy over chips, signal-to-noise per layer, statistics for the activity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import stdtrit


@dataclass(frozen=True)
class Interval:
    """Mean over chips with the 95 % confidence interval of the mean, and the extremes.

    The interval is Student's t over chips; with one chip it is the Wilson score interval over its samples.
    """

    mean: float
    low: float
    high: float
    deviation: float
    worst: float
    best: float


@dataclass(frozen=True)
class LayerQuality:
    """Signal-to-noise ratio of one node's output against the float network, dB, and clipped conversions (fraction)."""

    node: str
    snr_db: float
    clipped: float


@dataclass(frozen=True)
class Score:
    """Another measure of how good outputs are, beside accuracy: per chip (trials,), and of the float network."""

    values: np.ndarray
    float_value: float
    meaning: str


@dataclass(frozen=True)
class Execution:
    """Result of running a placement on its chips.

    accuracy: per chip, (trials,), None without labels. float_accuracy: the float network on the same samples.
    scores: further measures by name, where labels are of every token or are real numbers.
    outputs: (trials, samples, ...) where kept. error: relative rms deviation of the outputs from the float network.
    """

    trials: tuple[int, ...]
    samples: int
    seed: int
    time_s: float
    off: frozenset[str]
    accuracy: np.ndarray | None
    float_accuracy: float | None
    error: np.ndarray
    layers: tuple[LayerQuality, ...]
    statistics: Mapping[str, Any]
    outputs: np.ndarray | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default=())
    scores: Mapping[str, Score] = field(default_factory=dict, kw_only=True)

    @property
    def interval(self) -> Interval | None:
        """Accuracy over chips; None without labels."""
        if self.accuracy is None:
            return None
        return interval(self.accuracy, self.samples)


def mean_interval(values: np.ndarray) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean over chips; None of one chip, or where all are alike."""
    n, spread = len(values), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if not spread > 0:
        return None
    half = float(stdtrit(n - 1, 0.975)) * spread / math.sqrt(n)
    return float(values.mean()) - half, float(values.mean()) + half


def interval(accuracy: np.ndarray, samples: int) -> Interval:
    """The interval of per-chip accuracies (trials,)."""
    mean, n = float(accuracy.mean()), len(accuracy)
    if n == 1:
        z2 = 1.959964**2
        centre = (mean + z2 / (2 * samples)) / (1 + z2 / samples)
        half = math.sqrt(z2 * (mean * (1 - mean) / samples + z2 / (4 * samples**2))) / (1 + z2 / samples)
        return Interval(mean, max(0.0, centre - half), min(1.0, centre + half), 0.0, mean, mean)
    deviation = float(accuracy.std(ddof=1))
    half = float(stdtrit(n - 1, 0.975)) * deviation / math.sqrt(n)
    return Interval(
        mean, max(0.0, mean - half), min(1.0, mean + half), deviation, float(accuracy.min()), float(accuracy.max())
    )


@dataclass(frozen=True)
class EffectCost:
    """Accuracy without one effect ("all": without any) less accuracy with all, mean over the same chips and samples,
    and its standard error: over chips, with a single chip over samples (the least that the difference allows)."""

    effect: str
    accuracy: float
    gain: float
    error: float
