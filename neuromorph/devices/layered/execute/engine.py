"""Runs a placement over chips and samples. Results are a function of the seed, not of batches or workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.layered.core import CoreKind, Draw, Programmed, Statistics
from neuromorph.devices.layered.execute.calibration import Calibration, by_node, calibrate
from neuromorph.devices.result import Execution, LayerQuality, Score
from neuromorph.errors import InputError
from neuromorph.events.inputs import as_inputs
from neuromorph.graph.data import as_targets, scored_output
from neuromorph.graph.decode import decode_of, decoded, over_time
from neuromorph.progress import Progress

if TYPE_CHECKING:
    import torch

    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.devices.protocol import Inputs
    from neuromorph.graph.model import Graph

BUDGET = 48_000_000
"""Values of one layer held at once over chips and batch, and cells over chips; more chips run in groups, one by one."""

CACHED = 1_000_000
"""Values of one layer that are computed at once on a CPU: chips of a group take turns with a batch beyond that."""

SNR_SAMPLES = 256
"""Samples the signal-to-noise ratio of layers is taken on."""

CALIBRATION_SAMPLES = 512

KEPT_OUTPUTS = 4_000_000
"""Outputs up to this many values are kept in the result."""


def execute(
    placement: Placement,
    inputs: Inputs,
    labels: np.ndarray | None = None,
    *,
    trials: int | Sequence[int] = 10,
    seed: int = 0,
    time_s: float = 0.0,
    off: Iterable[str] = (),
    calibration: Calibration | None = None,
    batch: int = 128,
    workers: int = 1,
    torch_device: str = "cpu",
    output: str | None = None,
    progress: Progress | None = None,
) -> Execution:
    """Runs inputs (samples, *shape) on `trials` chips and compares with the float network.

    labels: class indices (samples,). time_s: seconds between programming and reading. off: effects of
    the core's kind to leave out. output: the one that labels are of, where there are several. Without a calibration,
    ranges are found on the first 512 inputs and a note says so. workers > 1
    runs groups of chips in processes. Raises InputError for bad arguments.
    """
    chips = tuple(range(trials)) if isinstance(trials, int) else tuple(trials)
    kind = placement.chip.kind
    dropped = frozenset(off)
    _check(kind, chips, dropped, batch, workers, time_s, torch_device)
    inputs, labels = checked(placement.graph, inputs, labels, output)
    scored = scored_output(placement.graph, output, labels is not None)
    notes: tuple[str, ...] = ()
    if calibration is None:
        calibration = calibrate(placement, inputs[:CALIBRATION_SAMPLES], torch_device=torch_device)
        notes = (
            f"ranges were calibrated on the first {min(len(inputs), CALIBRATION_SAMPLES)} inputs of the run itself",
        )
    if (wanted := set(placement.layouts)) != set(calibration.ranges):
        raise InputError(
            f"the calibration is of layers {', '.join(sorted(calibration.ranges))}, the network has "
            f"{', '.join(sorted(wanted))}",
            hint="calibrate on this placement",
        )
    started = time.perf_counter()
    job = Job(placement, calibration, seed, time_s, dropped, batch, torch_device, scored)
    if workers > 1 and len(chips) > 1:
        parts = _in_processes(job, inputs, labels, chips, workers)
    else:
        parts = [part for group in job.groups(chips) for part in job.run(inputs, labels, group, progress)]
    merged = _Merged(parts)
    return Execution(
        chips, len(inputs), seed, time_s, dropped, merged.accuracy, merged.float_accuracy, merged.error,
        merged.layers(placement), merged.statistics(), merged.outputs, time.perf_counter() - started, notes,
        correct=merged.correct,
        scores=merged.scores(labels),
    )  # fmt: skip


def _check(
    kind: CoreKind, chips: tuple[int, ...], off: frozenset[str], batch: int, workers: int, time_s: float,
    torch_device: str,
) -> None:  # fmt: skip
    if not chips:
        raise InputError("trials must be at least 1")
    if any(isinstance(c, bool) or not isinstance(c, int | np.integer) or c < 0 for c in chips):
        raise InputError(f"trials are {chips}; chips are numbered by whole numbers from 0")
    if len(set(chips)) < len(chips):
        raise InputError(f"trials {chips} name a chip twice")
    if unknown := off - set(kind.effects):
        raise InputError(
            f"no effect {', '.join(sorted(unknown))} in a {kind.spec.name} core",
            hint=f"legal: {', '.join(kind.effects)}",
        )
    if batch < 1 or workers < 1:
        raise InputError(f"batch and workers must be at least 1, got {batch} and {workers}")
    if not (np.isfinite(time_s) and time_s >= 0):
        raise InputError(f"time after programming must be a finite number of seconds >= 0, got {time_s}")
    import torch

    try:
        device = torch.device(torch_device)
    except RuntimeError as error:
        raise InputError(f"torch device {torch_device!r}: {str(error).splitlines()[0]}", hint="cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("torch device cuda: this torch finds no CUDA device", hint="use cpu")


def checked(
    graph: Graph, inputs: Any, labels: Any, output: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:  # fmt: skip
    """Inputs (samples, *shape) and class labels (samples,) as arrays. Raises InputError where they do not fit."""
    x = np.asarray(as_inputs(inputs, graph, dense=True))
    return x, None if labels is None else as_targets(labels, len(x), graph, output)


def _chosen(y: torch.Tensor | tuple[torch.Tensor, ...], scored: int | None) -> torch.Tensor:
    """The output that counts, (trial, batch, ...), or all of them flat and side by side."""
    import torch

    if isinstance(y, torch.Tensor):
        return y
    return torch.cat([v.flatten(2) for v in y], -1) if scored is None else y[scored]


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


def _dealt(chips: tuple[int, ...], most: int) -> list[tuple[int, ...]]:
    """Chips in runs of at most `most`, at least one."""
    size = max(1, min(len(chips), most))
    return [chips[i : i + size] for i in range(0, len(chips), size)]


@dataclass(frozen=True)
class Job:
    """Everything a group of chips needs to run; sent to worker processes."""

    placement: Placement
    calibration: Calibration
    seed: int
    time_s: float
    off: frozenset[str]
    batch: int
    torch_device: str
    scored: int | None = 0

    def groups(self, chips: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Chips that run at once, so that the largest layer and all cells stay within the memory budget."""
        cells = sum(
            k.copies * int((t.height * t.width).sum()) for k in self.placement.layouts.values() for t in k.tilings
        )
        return _dealt(chips, BUDGET // max(self._values, cells, 1))

    @property
    def _values(self) -> int:
        """Values of the largest layer in a batch of one chip."""
        return max(int(np.prod(s)) for s in self.placement.graph.shapes.values()) * self.batch

    def program(self, chips: Sequence[int]) -> dict[str, Programmed]:
        """Every group of nodes on these chips."""
        draw = Draw(self.seed, tuple(chips), self.time_s, self.off, self.torch_device)
        return {
            name: layout.kind.program(layout, self.calibration.ranges[name], draw)
            for name, layout in self.placement.layouts.items()
        }

    def run(
        self, inputs: np.ndarray, labels: np.ndarray | None, chips: tuple[int, ...], progress: Progress | None
    ) -> list[Part]:
        """Programs these chips and runs all inputs on them; a batch of the float network serves all of them."""
        import torch

        from neuromorph.graph.evaluate import Evaluator

        together = CACHED // max(self._values, 1) if self.torch_device == "cpu" else len(chips)
        parts = [Part.of(turn, len(inputs), labels) for turn in _dealt(chips, together)]
        programmed = [self.program(part.trials) for part in parts]
        evaluator, layouts = Evaluator(self.placement.graph), self.placement.layouts
        last = {layout.group.nodes[-1].name: name for name, layout in layouts.items()}
        decode = decode_of(self.placement.graph) if over_time(self.placement.graph) else None
        with torch.inference_mode():
            for start in range(0, len(inputs), self.batch):
                if progress is not None:
                    progress(start / len(inputs), f"{len(chips)} chips, sample {start} of {len(inputs)}")
                x = torch.as_tensor(
                    np.asarray(inputs[start : start + self.batch]), dtype=torch.float32, device=self.torch_device
                )[None]
                reference: dict[str, torch.Tensor] = {}
                watched = SNR_SAMPLES - start
                exact = evaluator(x, record=reference.__setitem__ if watched > 0 else None)
                exact = _chosen(exact, self.scored)
                for part, chip in zip(parts, programmed, strict=True):
                    own = by_node(layouts, {name: p.host(start) for name, p in chip.items()})
                    record = part_recorder(part, reference, last, watched) if watched > 0 else None
                    y = evaluator(x, hosts={**evaluator.hosts, **own}, record=record)
                    y = _chosen(y, self.scored)
                    y = y.expand(len(part.trials), *y.shape[1:])
                    _score(part, y, exact, None if labels is None else labels[start : start + self.batch], decode)
                    part.keep(y)
        for part, chip in zip(parts, programmed, strict=True):
            part.stats = {name: p.statistics() for name, p in chip.items()}
        return parts


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


def _score(
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
class _Merged:
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


def _work(job: Job, inputs: np.ndarray, labels: np.ndarray | None, group: tuple[int, ...]) -> list[Part]:
    import torch

    torch.set_num_threads(1)
    return job.run(inputs, labels, group, None)


def _in_processes(
    job: Job, inputs: np.ndarray, labels: np.ndarray | None, chips: tuple[int, ...], workers: int
) -> list[Part]:
    """Groups of chips in worker processes; spawn, since forking is unsafe with torch threads."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    size = -(-len(chips) // workers)
    groups = [g for i in range(0, len(chips), size) for g in job.groups(chips[i : i + size])]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(groups)), mp_context=context) as pool:
        futures = [pool.submit(_work, job, inputs, labels, group) for group in groups]
        return [part for f in futures for part in f.result()]
