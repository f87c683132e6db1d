"""What an execution found: accuracy over chips, signal-to-noise per layer, statistics for the activity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import stdtrit

from neuromorph.card import Card

NORMAL_95 = 1.959964

Ends = tuple[float, float]


@dataclass(frozen=True)
class Interval:
    """Mean accuracy with its 95 % confidence interval, and the extremes of single chips.

    chips: the part of the interval that other chips would move it in, Student's t over chips, None with one chip;
    samples: the part that other test samples would, Wilson's over samples. low and high hold both, distances from the
    mean added in quadrature. deviation: over chips.
    """

    mean: float
    low: float
    high: float
    deviation: float
    worst: float
    best: float
    chips: Ends | None
    samples: Ends

    def told(self, chips: int, samples: int) -> str:
        """The parts in words."""
        part = f"test samples {self.samples[0]:.2%} to {self.samples[1]:.2%} ({samples} samples)"
        if self.chips is None:
            return f"{part}, one chip: nothing is known of others"
        return f"chips {self.chips[0]:.2%} to {self.chips[1]:.2%} ({chips} chips), {part}"


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


@dataclass(frozen=True, repr=False)
class Execution(Card):
    """Result of running a placement on its chips.

    accuracy: per chip, (trials,), None without labels. float_accuracy: the float network on the same samples.
    scores: further measures by name, where labels are of every token or are real numbers. correct: (trials, samples),
    which answers are right (of tokens their share), where known. outputs: (trials, samples, ...) where kept.
    error: relative rms deviation of the outputs from the float network.
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

    correct: np.ndarray | None = field(default=None, kw_only=True)

    def card(self) -> tuple[str, list[tuple[str, str]]]:
        facts = [("chips", str(len(self.trials))), ("samples", str(self.samples))]
        if (found := self.interval) is not None:
            facts.append(("accuracy", f"{found.mean:.2%} ({found.low:.2%} to {found.high:.2%})"))
        if self.float_accuracy is not None:
            facts.append(("float accuracy", f"{self.float_accuracy:.2%}"))
        facts.append(("output error", f"{float(np.mean(self.error)):.3g}"))
        off = [("without", ", ".join(sorted(self.off)))] if self.off else []
        return f"execution, seed {self.seed}", [*facts, *off]

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """layers: signal-to-noise per layer; chips: accuracy of each."""
        accuracy = [None] * len(self.trials) if self.accuracy is None else self.accuracy.tolist()
        chips = [{"chip": n, "accuracy": a} for n, a in zip(self.trials, accuracy, strict=True)]
        return {"layers": [vars(row) for row in self.layers], "chips": chips}

    @property
    def interval(self) -> Interval | None:
        """Accuracy over chips and samples; None without labels."""
        if self.accuracy is None:
            return None
        return interval(self.accuracy, self.samples, self.correct)


def mean_interval(values: np.ndarray) -> tuple[float, float] | None:
    """Student's 95 % interval of the mean over chips; None of one chip, or where all are alike."""
    n, spread = len(values), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if not spread > 0:
        return None
    half = float(stdtrit(n - 1, 0.975)) * spread / math.sqrt(n)
    return float(values.mean()) - half, float(values.mean()) + half


def interval(accuracy: np.ndarray, samples: int, correct: np.ndarray | None = None) -> Interval:
    """The interval of per-chip accuracies (trials,).

    correct: (trials, samples), which answers were right. Where it is not known, samples are taken to be right or wrong
    on all chips alike, the widest that the mean allows.
    """
    mean, n = float(accuracy.mean()), len(accuracy)
    effective = float(samples)
    if correct is not None and samples > 1 and 0.0 < mean < 1.0:
        variance = float(correct.mean(axis=0, dtype=np.float64).var(ddof=1))
        effective *= max(1.0, mean * (1.0 - mean) / variance) if variance > 0.0 else 1.0
    low, high = wilson(mean, effective)
    if n == 1:
        return Interval(mean, low, high, 0.0, mean, mean, None, (low, high))
    deviation = float(accuracy.std(ddof=1))
    half = float(stdtrit(n - 1, 0.975)) * deviation / math.sqrt(n)
    chips = (max(0.0, mean - half), min(1.0, mean + half))
    both = (max(0.0, mean - math.hypot(half, mean - low)), min(1.0, mean + math.hypot(half, high - mean)))
    return Interval(mean, *both, deviation, float(accuracy.min()), float(accuracy.max()), chips, (low, high))


def wilson(mean: float, samples: float) -> Ends:
    """Wilson's 95 % score interval of a fraction of so many samples."""
    z2 = NORMAL_95**2
    centre = (mean + z2 / (2 * samples)) / (1 + z2 / samples)
    half = math.sqrt(z2 * (mean * (1 - mean) / samples + z2 / (4 * samples**2))) / (1 + z2 / samples)
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))


@dataclass(frozen=True)
class EffectCost:
    """Accuracy without one effect ("all": without any) less accuracy with all, mean over the same chips and samples.

    error: its standard error, low and high: its 95 % interval, both of chips and of test samples; chips_error: the part
    of chips, None with a single one; samples_error: that of samples. Gains do not add up: effects mask and worsen
    each other, so that of "all" is not the sum of the others.
    """

    effect: str
    accuracy: float
    gain: float
    error: float
    low: float
    high: float
    chips_error: float | None
    samples_error: float


def effect_cost(effect: str, base: Execution, without: Execution) -> EffectCost:
    """What leaving one effect out gains, paired by chip and sample.

    Where single answers are not known, as many as the mistakes of both allow are taken to have changed.
    """
    assert base.accuracy is not None
    assert without.accuracy is not None
    difference = without.accuracy - base.accuracy
    gain, n, samples = float(difference.mean()), len(difference), max(base.samples, 1)
    if base.correct is not None and without.correct is not None:
        change = without.correct.astype(np.float32) - base.correct
        per_sample = change.mean(axis=0, dtype=np.float64)
        variance = float(per_sample.var(ddof=1)) if samples > 1 else 0.0
    else:
        changed = min(1.0, 2.0 - float(without.accuracy.mean()) - float(base.accuracy.mean()))
        variance = max(changed - gain**2, 0.0)
    over_samples = math.sqrt(variance / samples)
    over_chips = float(difference.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    half = math.hypot(NORMAL_95 * over_samples, float(stdtrit(n - 1, 0.975)) * (over_chips or 0.0) if n > 1 else 0.0)
    error = math.hypot(over_samples, over_chips or 0.0)
    accuracy = float(without.accuracy.mean())
    return EffectCost(effect, accuracy, gain, error, gain - half, gain + half, over_chips, over_samples)
