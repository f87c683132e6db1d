"""Answers over time: accuracy at every step, and early exit as soon as an answer is certain (dynamic confidence)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.events.raster import Raster
from neuromorph.graph.data import as_labels
from neuromorph.graph.decode import decode_of
from neuromorph.graph.model import Graph

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
TEMPERATURES = tuple(float(t) for t in np.geomspace(0.1, 100.0, 13))
"""In units of the spread of the network's summed outputs, so that one list serves all networks."""


@dataclass(frozen=True)
class ExitPoint:
    """One setting of the stop rule on one data set: mean and 95th percentile of the steps used, and accuracy."""

    temperature: float
    threshold: float
    mean_steps: float
    p95_steps: float
    accuracy: float


@dataclass(frozen=True)
class Confidence:
    """A calibrated stop rule: stop after the first step with max softmax(outputs so far / temperature) > threshold.

    point: what it gives on the data it was calibrated on; full: accuracy there with all steps. pareto: every setting
    that no other beats in both mean steps and accuracy, by rising steps.
    """

    temperature: float
    threshold: float
    point: ExitPoint
    full: float
    pareto: tuple[ExitPoint, ...]


@dataclass(frozen=True, eq=False)
class EarlyExit:
    """What a stop rule gives: steps (samples,) int64 used, answers (samples,), accuracy; latency as a distribution."""

    steps: np.ndarray
    answers: np.ndarray
    accuracy: float

    @property
    def mean_steps(self) -> float:
        return float(self.steps.mean())

    @property
    def p95_steps(self) -> float:
        """Steps within which 95 % of the samples are answered."""
        return float(np.percentile(self.steps, 95, method="inverted_cdf"))


def answers_over_time(graph: Graph, inputs: np.ndarray | Raster, batch: int = 100) -> np.ndarray:
    """What the network has to say after every step: (samples, steps, classes) float32.

    inputs: a raster, or dense values (samples, steps, *features); values without a time axis (samples, *features) act
    as a constant current. The outputs so far are added up, or taken as they are where the graph asks for its last one
    (metadata "decode": an integrating read-out has added them up itself).
    """
    import torch

    from neuromorph.graph.evaluate import Evaluator

    ((steps, *features),) = graph.input_shapes.values()
    how = decode_of(graph)
    evaluator = Evaluator(graph)
    parts = []
    for start in range(0, len(inputs), batch):
        x = inputs.dense(start, start + batch) if isinstance(inputs, Raster) else inputs[start : start + batch]
        values = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
        if tuple(values.shape[1:]) == tuple(features):
            values = values[:, None].expand(-1, steps, *features)
        with torch.no_grad():
            out = evaluator(values)
        assert isinstance(out, torch.Tensor)
        parts.append(out.numpy())
    outputs = np.concatenate(parts)
    if outputs.ndim != 3:
        raise InputError(f"{graph.name} gives outputs of shape {outputs.shape[1:]}, expected (steps, classes)")
    if how == "sum":
        return np.cumsum(outputs, axis=1, dtype=np.float32)
    return np.maximum.accumulate(outputs, axis=1) if how == "max" else outputs


def exit_early(
    outputs: np.ndarray, labels: np.ndarray, temperature: float, threshold: float, least: int = 1
) -> EarlyExit:
    """Applies the stop rule to outputs so far (samples, steps, classes), as `answers_over_time` gives them.

    A sample that never gets certain uses all steps. least: steps that run in any case.
    """
    labels = _checked(outputs, labels)
    if not (np.isfinite(temperature) and temperature > 0) or not 0 < threshold <= 1:
        raise InputError(f"temperature is {temperature}, threshold {threshold}", hint="above 0; threshold at most 1")
    return _applied(_certainty(outputs, temperature), outputs.argmax(-1), labels, threshold, least)


def calibrate_confidence(
    outputs: np.ndarray,
    labels: np.ndarray,
    *,
    tolerance: float = 0.002,
    thresholds: tuple[float, ...] = THRESHOLDS,
    temperatures: tuple[float, ...] | None = None,
    least: int = 1,
) -> Confidence:
    """The stop rule that needs the fewest steps while accuracy stays within `tolerance` of that with all steps.

    outputs: of TRAINING data, see `answers_over_time`; choosing on test data would flatter the result (dynamic
    confidence, Li et al. 2023, whose demonstration does so). temperatures: None for a list in units of the outputs'
    spread. Where nothing stays within the tolerance, the most accurate setting is taken.
    """
    labels = _checked(outputs, labels)
    if not 0 <= tolerance < 1:
        raise InputError(f"tolerance is {tolerance}", hint="accuracy that may be lost: 0 or more, below 1")
    spread = float(outputs[:, -1].std()) or 1.0
    scales = tuple(t * spread for t in TEMPERATURES) if temperatures is None else temperatures
    answers = outputs.argmax(-1)
    full = float((answers[:, -1] == labels).mean())
    points = []
    for temperature in scales:
        certainty = _certainty(outputs, temperature)
        for threshold in thresholds:
            found = _applied(certainty, answers, labels, threshold, least)
            points.append(ExitPoint(temperature, threshold, found.mean_steps, found.p95_steps, found.accuracy))
    good = [p for p in points if p.accuracy >= full - tolerance - 1e-12]
    if good:
        best = min(good, key=lambda p: (p.mean_steps, -p.accuracy))
    else:
        best = max(points, key=lambda p: (p.accuracy, -p.mean_steps))
    return Confidence(best.temperature, best.threshold, best, full, _pareto(points))


def _pareto(points: list[ExitPoint]) -> tuple[ExitPoint, ...]:
    kept: list[ExitPoint] = []
    for point in sorted(points, key=lambda p: (p.mean_steps, -p.accuracy)):
        if not kept or point.accuracy > kept[-1].accuracy:
            kept.append(point)
    return tuple(kept)


def _certainty(outputs: np.ndarray, temperature: float) -> np.ndarray:
    """Largest softmax after every step, (samples, steps)."""
    scaled = outputs.astype(np.float64) / temperature
    return 1 / np.exp(scaled - scaled.max(-1, keepdims=True)).sum(-1)


def _applied(certainty: np.ndarray, answers: np.ndarray, labels: np.ndarray, threshold: float, least: int) -> EarlyExit:
    sure = certainty > threshold
    sure[:, : least - 1] = False
    sure[:, -1] = True
    last = sure.argmax(1)
    chosen = answers[np.arange(len(answers)), last]
    return EarlyExit((last + 1).astype(np.int64), chosen, float((chosen == labels).mean()))


def _checked(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The labels as classes (samples,)."""
    if outputs.ndim != 3 or 0 in outputs.shape:
        raise InputError(f"outputs have shape {outputs.shape}, expected (samples, steps, classes)")
    found = as_labels(labels, len(outputs), outputs.shape[2])
    if found is None:
        raise InputError("a stop rule is judged by labels", Place(key="labels"), "give the class of every sample")
    return found
