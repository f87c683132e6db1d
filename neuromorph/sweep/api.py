"""The one call that sweeps a network on an architecture over any of its parameters."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuromorph.errors import InputError, Place, Problem
from neuromorph.sweep.engine import run_points
from neuromorph.sweep.fingerprint import fingerprint
from neuromorph.sweep.hardware import HardwareEvaluator, check_axis
from neuromorph.sweep.progress import Progress
from neuromorph.sweep.result import SweepResult
from neuromorph.sweep.space import SPECIAL, Axis, Point, make_points, parse_axes
from neuromorph.sweep.store import Begun, Store
from neuromorph.sweep.table import tidy

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture


def sweep(
    model: Graph | str | Path,
    architecture: Architecture | str | Path,
    *,
    vary: Mapping[str, Any] | Iterable[str | Axis],
    data: Any = None,
    calibration_data: Any = None,
    samples: int | None = None,
    trials: int = 10,
    seed: int = 0,
    time_s: float = 0.0,
    off: Iterable[str] = (),
    batch: int = 128,
    torch_device: str = "cpu",
    method: str = "grid",
    points: int | None = None,
    store: str | Path | None = None,
    executor: Executor | Callable[[], Executor] | None = None,
    workers: int | None = None,
    retries: int = 1,
    progress: Callable[[Progress], None] | None = None,
    begun: Callable[[Begun, int], None] | None = None,
) -> SweepResult:
    """Accuracy, energy, latency, power and area over a space of parameters.

    model, architecture: objects, files or names. vary: `{"core.adc.bits": range(4, 9), "cell.programming_noise":
    "0x,1x"}` or texts as on the command line; paths of the architecture, or the axes "seed", "trials", "time" ("1 h"),
    "model" (files) and "architecture" (names or files). data: a .npz file with x and y, or arrays (x, y); without it
    activity is assumed and nothing is executed. calibration_data: what converter ranges are found on; samples: how
    many of the data are used. method, points: see `make_points`. store: an SQLite file that keeps each finished
    point; the same call resumes. executor, workers, retries, progress: see `run_points`. begun: told how the run
    began and its number of points. Points that differ only in price are executed once.

    Raises InputError for anything wrong before the first point is run; what goes wrong in a point is in its row
    (status "misfit" or "error"). Raises SweepInterrupted on Ctrl-C.
    """
    axes = parse_axes(vary)
    evaluator = _evaluator(
        model, architecture, axes, data=data, calibration_data=calibration_data, samples=samples,
        options={
            "trials": trials, "seed": seed, "time_s": time_s, "off": tuple(off), "batch": batch,
            "torch_device": torch_device,
        },
    )  # fmt: skip
    _check(evaluator, axes)
    chosen = make_points(axes, method=method, points=points, seed=seed)
    with Store(store) as opened:
        how = opened.begin(_identity(evaluator, axes))
        if begun is not None:
            begun(how, len(chosen))
        outcomes = run_points(
            chosen, evaluator, opened, executor=executor, workers=workers, progress=progress, retries=retries
        )
    return SweepResult(tidy(chosen, outcomes), tuple(a.path for a in axes))


def _evaluator(
    model: Any, architecture: Any, axes: Sequence[Axis], *, data: Any, calibration_data: Any, samples: int | None,
    options: dict[str, Any],
) -> HardwareEvaluator:  # fmt: skip
    from neuromorph.devices.manycore import is_manycore
    from neuromorph.graph.data import check_data
    from neuromorph.graph.decode import over_time
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.importers import read_graph

    varied = {a.path: a.values for a in axes}
    graphs = _by_name("model", model, varied, read_graph)
    architectures = _by_name("architecture", architecture, varied, load_architecture)
    events = {name: is_manycore(a) for name, a in architectures.items()}
    if len(set(events.values())) > 1:
        which = ", ".join(sorted(n for n, many in events.items() if many))
        raise InputError(f"{which} run events, the others layers", Place(key="architecture"), "sweep them apart")
    if any(events.values()):
        from neuromorph.sweep.events import EventEvaluator

        return EventEvaluator(graphs, architectures, *_events(graphs, data, samples), **options)
    if any(over_time(graph) for graph in graphs.values()):
        (inputs, labels), (calibration_inputs, _) = (
            _events(graphs, *d) for d in ((data, samples), (calibration_data, None))
        )
        inputs, calibration_inputs = (x.dense() if hasattr(x, "dense") else x for x in (inputs, calibration_inputs))
    else:
        inputs, labels = _data(data, samples)
        calibration_inputs, _ = _data(calibration_data, None)
    for graph in graphs.values():
        if inputs is not None:
            check_data(graph, inputs, labels)
        if calibration_inputs is not None:
            check_data(graph, calibration_inputs, None)
    return HardwareEvaluator(graphs, architectures, inputs, labels, calibration_inputs, **options)


def _events(graphs: dict[str, Any], data: Any, samples: int | None) -> tuple[Any, Any]:
    """Inputs and labels for networks over time, which take the number of steps of the data."""
    from neuromorph.events.inputs import read_inputs
    from neuromorph.spiking.steps import with_steps

    if data is None:
        return None, None
    first = next(iter(graphs.values()))
    if isinstance(data, str | Path):
        inputs, labels = read_inputs(data, first, limit=samples)
    else:
        inputs, labels = data if isinstance(data, tuple) else (data, None)
        count = len(inputs) if samples is None else samples
        inputs = inputs.part(0, count) if hasattr(inputs, "part") else inputs[:count]
        labels = None if labels is None else labels[:count]
    steps = inputs.steps if hasattr(inputs, "steps") else int(inputs.shape[1])
    for name, graph in graphs.items():
        graphs[name] = with_steps(graph, steps)
    return inputs, labels


def _by_name(axis: str, given: Any, varied: Mapping[str, Any], read: Callable[[Any], Any]) -> dict[str, Any]:
    """The objects that the values of this axis stand for; of the one given where it is not varied."""
    if axis in varied:
        return {str(v): read(str(v)) for v in varied[axis]}
    return {"": read(given) if isinstance(given, str | Path) else given}


def _data(data: Any, samples: int | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    from neuromorph.graph.data import read_data

    if data is None:
        return None, None
    if isinstance(data, str | Path):
        return read_data(data, limit=samples)
    x, y = data if isinstance(data, tuple) else (data, None)
    return x[:samples], None if y is None else y[:samples]


def _check(evaluator: HardwareEvaluator, axes: Sequence[Axis]) -> None:
    """Raise InputError with every axis that names nothing, holds an illegal value or names a parameter twice."""
    problems: list[Problem] = []
    for axis in axes:
        try:
            if axis.path in SPECIAL and axis.continuous and axis.path != "time":
                raise InputError(f"{axis.path} has no continuous range", Place(key=axis.path), "list its values")
            ends = (axis.at(0.0), axis.at(1.0)) if axis.continuous else axis.values
            check_axis(evaluator, axis.path, ends)
        except InputError as e:
            problems.extend(e.problems)
    if not problems:
        for name in evaluator.architectures:
            seen: dict[str, str] = {}
            for path in (a.path for a in axes if a.path not in SPECIAL):
                full = evaluator.parameter(name, path).path
                if full in seen:
                    raise InputError(f"{seen[full]} and {path} are the same parameter", Place(key=path), "vary it once")
                seen[full] = path
    if problems:
        raise InputError(problems)


def _identity(evaluator: HardwareEvaluator, axes: Sequence[Axis]) -> dict[str, Any]:
    """What a stored sweep is about; a change of any part starts a new run. What is varied does not belong to it."""
    varied = {a.path for a in axes}
    options = {n: getattr(evaluator, n) for n in ("trials", "seed", "time_s")}
    options = {n: v for n, v in options.items() if n.removesuffix("_s") not in varied}
    return {
        "model": {name: fingerprint(g) for name, g in evaluator.graphs.items()},
        "architecture": {name: fingerprint(a) for name, a in evaluator.architectures.items()},
        "data": fingerprint((evaluator.inputs, evaluator.labels)),
        "calibration data": fingerprint(evaluator.calibration_inputs),
        "options": {**options, "off": sorted(evaluator.off), "torch device": evaluator.torch_device},
        "versions": {name: importlib.metadata.version(name) for name in ("neuromorph", "torch", "numpy")},
    }


__all__ = ["Point", "SweepResult", "sweep"]
