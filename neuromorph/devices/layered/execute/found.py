"""What a run of chips found: right answers, losses, deviation from exact outputs, noise of layers; sums that merge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.devices.layered.core import Statistics
from neuromorph.devices.result import LayerQuality, Score
from neuromorph.graph.decode import decoded

if TYPE_CHECKING:
    import torch

    from neuromorph.devices.layered.place.placement import Placement

KEPT_OUTPUTS = 4_000_000
"""Outputs up to this many values are kept in the result."""


@dataclass
class Part:
    """What one group of chips found; sums over samples."""

    trials: tuple[int, ...]
    samples: int
    correct: np.ndarray | None
    float_correct: float | None
    deviation: np.ndarray
    power: float
    noise: dict[str, float] = field(default_factory=dict)
    signal: dict[str, float] = field(default_factory=dict)
    stats: dict[str, Statistics] = field(default_factory=dict)
    kept: list[np.ndarray] = field(default_factory=list)
    right: list[np.ndarray] = field(default_factory=list)
    size: int = 0
    loss: np.ndarray | None = None
    float_loss: float = 0.0

    @staticmethod
    def of(trials: tuple[int, ...], samples: int, labels: np.ndarray | None) -> Part:
        """Nothing found yet."""
        chips = len(trials)
        correct, exact = (np.zeros(chips), 0.0) if labels is not None and labels.dtype.kind != "f" else (None, None)
        loss = None if labels is None or (labels.ndim == 1 and labels.dtype.kind != "f") else np.zeros(chips)
        return Part(trials, samples, correct, exact, np.zeros(chips), 0.0, loss=loss)

    def keep(self, y: torch.Tensor) -> None:
        """Keeps the outputs of a batch as long as there are not too many."""
        self.size += y.numel()
        if self.size <= KEPT_OUTPUTS:
            self.kept.append(y.cpu().numpy().copy())

    @property
    def outputs(self) -> np.ndarray | None:
        """(trials, samples, ...), or None where there were too many."""
        return np.concatenate(self.kept, axis=1) if self.size <= KEPT_OUTPUTS else None


def part_recorder(
    part: Part, reference: dict[str, torch.Tensor], groups: Mapping[str, str], samples: int
) -> Callable[..., None]:  # fmt: skip
    """Adds each group's signal and noise power against its reference to the part, for the first samples.

    groups: by the name of the last node of each.
    """

    def record(node: str, value: torch.Tensor) -> None:
        if (name := groups.get(node)) is not None:
            exact, value = reference[node][:, :samples], value[:, :samples]
            part.signal[name] = part.signal.get(name, 0.0) + _power(exact)
            # mean over chips, sum over samples
            part.noise[name] = part.noise.get(name, 0.0) + _power(value - exact) / value.shape[0]

    return record


def _power(value: torch.Tensor) -> float:
    """Sum of squares; a dot product reads the values once."""
    import torch

    flat = value.reshape(-1)
    return float(torch.dot(flat, flat))


def score(
    part: Part, y: torch.Tensor, exact: torch.Tensor, labels: np.ndarray | None, decode: str | None
) -> None:  # fmt: skip
    """Deviation from the exact outputs and right answers of one batch. decode: outputs have an axis of steps."""
    import torch

    axes = tuple(range(1, y.dim()))
    part.deviation += (y - exact).double().square().sum(axes).cpu().numpy()
    part.power += float(exact.double().square().sum())
    if labels is None:
        return
    truth = torch.as_tensor(labels, device=y.device)
    if decode is not None:
        y, exact = decoded(y, decode), decoded(exact, decode)
    if part.loss is not None:
        part.loss += _losses(y, truth).cpu().numpy()
        part.float_loss += float(_losses(exact, truth)[0])
    if part.correct is not None and part.float_correct is not None:
        places = max(truth[0].numel(), 1)  # of a sample: tokens, or the sample itself
        right = y.argmax(-1) == truth
        part.correct += right.flatten(1).sum(1).cpu().numpy() / places
        part.right.append((right if right.dim() == 2 else right.flatten(2).double().mean(2)).cpu().numpy())
        part.float_correct += float((exact[0].argmax(-1) == truth).sum()) / places


def _losses(y: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """(trials,): squared differences from real numbers, or cross entropies with class numbers, summed."""
    import torch

    if truth.is_floating_point():
        return (y - truth).double().square().flatten(1).sum(1)
    chosen = y.double().log_softmax(-1).gather(-1, truth.expand(len(y), *truth.shape)[..., None])
    return -torch.as_tensor(chosen).flatten(1).sum(1)


@dataclass
class Merged:
    parts: list[Part]

    @property
    def accuracy(self) -> np.ndarray | None:
        found = [p.correct / p.samples for p in self.parts if p.correct is not None]
        return np.concatenate(found) if found else None

    @property
    def correct(self) -> np.ndarray | None:
        found = [np.concatenate(p.right, axis=1) for p in self.parts if p.right]
        return np.concatenate(found) if found else None

    @property
    def float_accuracy(self) -> float | None:
        first = self.parts[0]
        return None if first.float_correct is None else first.float_correct / first.samples

    def scores(self, labels: np.ndarray | None) -> dict[str, Score]:
        """Perplexity of tokens, or mean squared error and coefficient of determination of real numbers."""
        first = self.parts[0]
        if labels is None or first.loss is None:
            return {}
        total = np.concatenate([p.loss for p in self.parts if p.loss is not None]) / labels.size
        exact = first.float_loss / labels.size
        if labels.dtype.kind != "f":
            said = "exp of the mean cross entropy of a token"
            return {"perplexity": Score(np.exp(total), float(np.exp(exact)), said)}
        found = {"mean_squared_error": Score(total, exact, "mean over outputs and samples")}
        if (spread := float(labels.astype(np.float64).var(axis=0).mean())) > 0:
            said = "1 - mean squared error / variance of the labels"
            found["r2"] = Score(1 - total / spread, 1 - exact / spread, said)
        return found

    @property
    def error(self) -> np.ndarray:
        return np.concatenate([np.sqrt(p.deviation / max(p.power, 1e-300)) for p in self.parts])

    @property
    def outputs(self) -> np.ndarray | None:
        kept = [p.outputs for p in self.parts if p.outputs is not None]
        total = sum(k.size for k in kept)
        return np.concatenate(kept) if len(kept) == len(self.parts) and total <= KEPT_OUTPUTS else None

    def layers(self, placement: Placement) -> tuple[LayerQuality, ...]:
        chips = sum(len(p.trials) for p in self.parts)
        statistics, found = self.statistics(), []
        for name in placement.layouts:
            signal = self.parts[0].signal.get(name, 0.0)
            noise = sum(p.noise.get(name, 0.0) * len(p.trials) for p in self.parts) / chips
            snr = float(10 * np.log10(signal / noise)) if noise > 0 and signal > 0 else float("inf")
            clips = [float(v) for k, v in statistics[name].values.items() if k.endswith(".clipped")]
            found.append(LayerQuality(name, snr, max(clips, default=0.0)))
        return tuple(found)

    def statistics(self) -> dict[str, Statistics]:
        """Mean over groups of chips, weighted by their number."""
        weights = np.array([len(p.trials) for p in self.parts], float)
        weights /= weights.sum()
        merged = {}
        for name, first in self.parts[0].stats.items():
            values = {
                k: np.sum(
                    [w * np.asarray(p.stats[name].values[k]) for w, p in zip(weights, self.parts, strict=True)], axis=0
                )
                for k in first.values
            }
            spread = float(sum(w * p.stats[name].spread for w, p in zip(weights, self.parts, strict=True)))
            merged[name] = Statistics(values, first.origin, spread)
        return merged
