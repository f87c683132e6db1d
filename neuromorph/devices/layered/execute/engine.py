"""Runs a placement over chips and samples. Results are a function of the seed, not of batches or workers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.layered.core import CoreKind, Draw, Programmed
from neuromorph.devices.layered.execute.calibration import Calibration, by_node, calibrate
from neuromorph.devices.layered.execute.found import Merged, Part, part_recorder, score
from neuromorph.devices.result import Execution
from neuromorph.errors import InputError
from neuromorph.events.inputs import as_inputs
from neuromorph.graph.data import as_targets, scored_output
from neuromorph.graph.decode import decode_of, over_time
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
    merged = Merged(parts)
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
                    score(part, y, exact, None if labels is None else labels[start : start + self.batch], decode)
                    part.keep(y)
        for part, chip in zip(parts, programmed, strict=True):
            part.stats = {name: p.statistics() for name, p in chip.items()}
        return parts


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
