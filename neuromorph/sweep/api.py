"""The one call that sweeps a network on an architecture over any of its parameters."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph import units
from neuromorph.devices.options import DRAWN, settled
from neuromorph.devices.protocol import kind_of
from neuromorph.errors import InputError, Place, Problem
from neuromorph.fingerprint import fingerprint
from neuromorph.graph.data import as_array
from neuromorph.sweep.engine import run_points
from neuromorph.sweep.hardware import HardwareEvaluator, check_axis
from neuromorph.sweep.progress import Progress
from neuromorph.sweep.result import SweepResult
from neuromorph.sweep.space import SPECIAL, Axis, Point, make_points, parse_axes
from neuromorph.sweep.store import Begun, Store
from neuromorph.sweep.table import tidy

if TYPE_CHECKING:
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture


MOST_WORKERS = 4096


def sweep(
    model: Graph | str | Path,
    architecture: Architecture | str | Path,
    *,
    vary: Mapping[str, Any] | Iterable[str | Axis],
    data: Any = None,
    samples: int | None = None,
    method: str = "grid",
    points: int | None = None,
    store: str | Path | None = None,
    executor: Executor | Callable[[], Executor] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    begun: Callable[[Begun, int], None] | None = None,
    **options: Any,
) -> SweepResult:
    """Accuracy, energy, latency, power and area over a space of parameters.

    model, architecture: objects, files or names. vary: `{"core.adc.bits": range(4, 9), "cell.programming_noise":
    "0x,1x"}` or texts as on the command line; paths of the architecture, or the axes "seed", "trials", "time" ("1 h"),
    "model" (files) and "architecture" (names or files, also of different kinds of hardware). data: a .npz file with x
    and y, or arrays (x, y); without it activity is assumed and nothing is executed. samples: how many of the data are
    used. method, points: see `make_points`. store: an SQLite file that keeps each finished point; the same call
    resumes. executor, workers, progress: see `run_points`. begun: told how the run began and its number of points.
    options: seed, trials, time_s, off, batch, torch_device as for `execute`, where they mean something on at least one
    of the architectures; calibration_data, what converter ranges are found on; intervals (False), those of published
    ranges of constants for every point. Points that differ only in price are executed once.

    Raises InputError for anything wrong before the first point is run; what goes wrong in a point is in its row
    (status "misfit" or "error"). Raises SweepInterrupted on Ctrl-C.
    """
    if workers is not None and not 0 <= workers <= MOST_WORKERS:
        raise InputError(f"workers is {workers}", Place(key="workers"), f"processes, 0 to {MOST_WORKERS}")
    axes = parse_axes(vary)
    evaluator = _evaluator(model, architecture, axes, data, samples, options)
    _check(evaluator, axes)
    chosen = make_points(axes, method=method, points=points, seed=evaluator.seed)
    with Store(store) as opened:
        how = opened.begin(_identity(evaluator, axes))
        if begun is not None:
            begun(how, len(chosen))
        outcomes = run_points(chosen, evaluator, opened, executor=executor, workers=workers, progress=progress)
    return SweepResult(tidy(chosen, outcomes), tuple(a.path for a in axes))


def _evaluator(
    model: Any, architecture: Any, axes: Sequence[Axis], data: Any, samples: int | None, options: Mapping[str, Any]
) -> HardwareEvaluator:
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.importers import read_graph

    varied = {a.path: a.values for a in axes}
    graphs = _by_name("model", model, varied, read_graph)
    architectures = _by_name("architecture", architecture, varied, load_architecture)
    _check_calibration(options.get("calibration_data"), architectures)
    own = {"calibration_data", "intervals"}
    drawn = _options({k: v for k, v in options.items() if k not in own}, architectures, set(varied))
    intervals = options.get("intervals", False)
    if not isinstance(intervals, bool):
        raise InputError(f"intervals is {intervals!r}", Place(key="intervals"), "legal: True, False")
    inputs, labels = _read(graphs, data, samples)
    calibration_inputs, _ = _read(graphs, options.get("calibration_data"), None)
    return HardwareEvaluator(
        graphs, architectures, inputs, labels, calibration_inputs, intervals=intervals, **drawn
    )  # fmt: skip


def _check_calibration(data: Any, architectures: Mapping[str, Architecture]) -> None:
    able = [a for a in architectures.values() if hasattr(kind_of(a).options(), "calibration_inputs")]
    if data is not None and not able:
        names = ", ".join(sorted(a.name for a in architectures.values()))
        raise InputError(f"{names}: no ranges to calibrate", Place(key="calibration_data"), "leave it out")


def _options(
    given: Mapping[str, Any], architectures: Mapping[str, Architecture], varied: Collection[str]
) -> dict[str, Any]:
    """Options checked on every architecture: each must mean something on at least one of them."""
    refusals: dict[str, list[InputError]] = {}
    for chip in architectures.values():
        kind = kind_of(chip)
        for name, value in given.items():
            try:
                if name not in DRAWN or name == "workers":
                    legal = ", ".join([n for n in DRAWN if n != "workers"] + ["calibration_data", "intervals"])
                    raise InputError(f"sweep has no option {name!r}", Place(key=name), f"legal: {legal}")
                parts = [(n,) for n in _names(value)] if name == "off" else [value]
                for part in parts:
                    settled(kind, chip, "execute", {name: part})
            except InputError as refusal:
                refusals.setdefault(name, []).append(refusal)
    for name, found in refusals.items():
        if len(found) == len(architectures) and name not in varied:
            raise found[0]
    if "off" in given:  # an effect that one of them has is legal
        known = {e for chip in architectures.values() for e in kind_of(chip).effects(chip)}
        if unknown := sorted(set(_names(given["off"])) - known):
            raise InputError(f"no effect {', '.join(unknown)}", Place(key="off"), f"legal: {', '.join(sorted(known))}")
    chosen = dict(given)
    if not isinstance(chosen.get("trials", 1), int):
        raise InputError(f"trials is {chosen['trials']!r}", Place(key="trials"), "a number of chips")
    if "time_s" in chosen and isinstance(chosen["time_s"], str):
        chosen["time_s"] = units.parse(chosen["time_s"], "s")
    return chosen | ({"off": tuple(_names(given["off"]))} if "off" in given else {})


def _names(off: Any) -> list[str]:
    if not isinstance(off, str | Iterable) or not all(isinstance(name, str) for name in off):
        raise InputError(f"off is {off!r:.80}", Place(key="off"), "names of effects")
    return [off] if isinstance(off, str) else list(off)


def _arrays(data: Any) -> tuple[Any, Any]:
    """Inputs and labels from (x, y) or x alone."""
    if isinstance(data, tuple) and len(data) != 2:
        raise InputError(f"data are {len(data)} things", Place(key="data"), "a file, x, or (x, y)")
    x, y = data if isinstance(data, tuple) else (data, None)
    x = x if hasattr(x, "indptr") else as_array(x, "data")
    y = None if y is None else as_array(y, "data")
    if 0 in (np.ndim(y) if y is not None else 1, 1 if hasattr(x, "indptr") else x.ndim):
        raise InputError("data hold no samples", Place(key="data"), "arrays whose first axis counts samples")
    return x, y


def _read(graphs: dict[str, Any], data: Any, samples: int | None) -> tuple[Any, Any]:
    """Inputs and labels, checked against every graph; graphs over time take the number of steps of the data."""
    from neuromorph.graph.data import check_data
    from neuromorph.graph.decode import over_time

    if data is None:
        return None, None
    if any(over_time(graph) for graph in graphs.values()):
        inputs, labels = _events(graphs, data, samples)
    else:
        inputs, labels = _data(data, samples)
    if not hasattr(inputs, "dense"):
        for graph in graphs.values():
            check_data(graph, inputs, labels)
    return inputs, labels


def _events(graphs: dict[str, Any], data: Any, samples: int | None) -> tuple[Any, Any]:
    from neuromorph.events.inputs import read_inputs
    from neuromorph.spiking.steps import with_steps

    first = next(iter(graphs.values()))
    if isinstance(data, str | Path):
        inputs, labels = read_inputs(data, first, limit=samples)
    else:
        inputs, labels = _arrays(data)
        if not hasattr(inputs, "indptr") and inputs.ndim < 3:
            raise InputError(f"data have shape {inputs.shape}", Place(key="data"), "(samples, steps, *features)")
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


def _data(data: Any, samples: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    from neuromorph.graph.data import read_data

    if isinstance(data, str | Path):
        return read_data(data, limit=samples)
    x, y = _arrays(data)
    if not isinstance(x, np.ndarray):
        raise InputError("data are events", Place(key="data"), "this network has no time: give arrays (x, y)")
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
    options = {n: getattr(evaluator, n) for n in ("trials", "seed", "time_s", "intervals")}
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
