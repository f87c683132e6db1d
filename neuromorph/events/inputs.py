"""Inputs of a network over time from whatever file holds them: events, signals, or values without time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem
from neuromorph.events.encoders import direct
from neuromorph.events.files import read_events
from neuromorph.events.formats import npz
from neuromorph.events.raster import Raster
from neuromorph.graph.data import as_array, read_data, shape_problems
from neuromorph.graph.model import Graph, Shape


def read_inputs(
    path: str | Path,
    graph: Graph,
    *,
    dt: float | str | None = None,
    steps: int | None = None,
    limit: int | None = None,
    count: bool = False,
    downsample: int = 1,
    node: str | None = None,
) -> tuple[np.ndarray | Raster, np.ndarray | None]:
    """Inputs for a graph over time, samples of (steps, *features), and labels (samples,) int64 or None.

    Events become a `Raster` in steps of dt, by default those of the graph's neurons; the shape is the graph's. An .npz
    with x is dense: x of shape (samples, steps, *features) float32 as it is, x of shape (samples, *features) as a
    constant current in all of `steps` (by default the graph's), as a raster. steps: cuts what is longer and adds
    silence to what is shorter; None takes what the file holds. Other arguments as for `read_events`.
    Raises InputError for a graph without time, shapes that do not fit, and a dt that is not the graph's.
    """
    path = Path(path)
    place = Place(str(path))
    own_steps, features = _features(graph)
    dt_s = _dt(graph, dt, place)
    if path.suffix.lower() == ".npz" and path.is_file() and not npz.is_events(path):
        return _dense(path, graph, features, own_steps if steps is None else steps, steps, dt_s, limit)
    shape = features if len(features) == 3 else None
    options = {"steps": steps, "shape": shape, "limit": limit, "count": count, "downsample": downsample, "node": node}
    try:
        raster, labels = read_events(path, dt=dt_s, **options)  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(list(_explained(error, graph, dt is None))) from None
    if raster.size != int(np.prod(features, dtype=np.int64)):
        message = f"holds elements of shape {raster.shape}, {graph.name} takes {features}"
        raise InputError(message, place, "use the data the network was trained for")
    fitted = Raster(
        raster.samples, raster.steps, features, raster.indptr, raster.index, raster.value, raster.dt_s or dt_s
    )
    return fitted, labels


def as_inputs(inputs: Any, graph: Graph, *, dense: bool) -> np.ndarray | Raster:
    """Inputs for a graph from an array, a torch tensor, nested lists or a `Raster`.

    dense: as an array (samples, *shape); else as a raster, for a graph over time. A graph with several inputs takes one
    of these for each, by name or in order; they come back flat and side by side, as `graph.evaluate` reads them.
    Raises InputError for missing inputs, no sample, another shape or step, and values that are not finite.
    """
    shapes = list(graph.input_shapes.values())
    if len(shapes) != 1:
        return _several(inputs, graph, dense)
    if isinstance(inputs, Mapping):
        (name,) = graph.input_shapes
        if set(inputs) != {name}:
            raise InputError(f"inputs are {', '.join(map(str, inputs))}", Place(key="inputs"), f"legal: {name}")
        inputs = inputs[name]
    shape = tuple(shapes[0])
    if not dense:
        _, features = _features(graph)
        return as_raster(inputs, features, _dt(graph, None, Place()), graph.name)
    if isinstance(inputs, Raster):
        dt_s = _dt(graph, None, Place())
        inputs = as_raster(inputs, shape[1:], dt_s, graph.name).dense().reshape(len(inputs), inputs.steps, *shape[1:])
    x = _values(inputs)
    problems = list(shape_problems(graph.name, x.shape, shape))
    if problems:
        raise InputError(problems)
    return x


def _several(inputs: Any, graph: Graph, dense: bool) -> np.ndarray:
    """(samples, values of all inputs)."""
    names, place = list(graph.input_shapes), Place(key="inputs")
    listed = ", ".join(f"{name} {shape}" for name, shape in graph.input_shapes.items())
    if not dense:
        raise InputError(f"{graph.name} takes {len(names)} inputs, spiking networks one", place, "join them")
    if isinstance(inputs, list | tuple) and len(inputs) == len(names):
        inputs = dict(zip(names, inputs, strict=True))
    if isinstance(inputs, Mapping):
        if set(inputs) != set(names):
            raise InputError(f"inputs are {', '.join(map(str, inputs))}", place, f"give {listed}")
        parts = [_values(inputs[name]) for name in names]
        for x, (name, shape) in zip(parts, graph.input_shapes.items(), strict=True):
            if problems := list(shape_problems(f"input {name} of {graph.name}", x.shape, tuple(shape))):
                raise InputError(problems)
        if len({len(x) for x in parts}) > 1:
            raise InputError(
                f"inputs have {', '.join(str(len(x)) for x in parts)} samples", place, "give as many of each"
            )
        return np.concatenate([x.reshape(len(x), -1) for x in parts], axis=1)
    x = np.asarray(inputs) if hasattr(inputs, "shape") else np.empty(0)
    if x.ndim != 2 or x.shape[1] != sum(int(np.prod(s)) for s in graph.input_shapes.values()):
        raise InputError(f"{graph.name} takes {len(names)} inputs, one is given", place, f"give {listed}, by name")
    return _values(x)


def as_raster(inputs: Any, features: Shape, dt_s: float | None, name: str) -> Raster:
    """Inputs of a network over time as events: a raster, or values (samples, steps, *features).

    features may be flat in either. dt_s: the network's step, None where unknown; name: of the network. Raises
    InputError where they do not fit.
    """
    place, size = Place(key="inputs"), int(np.prod(features, dtype=np.int64))
    if isinstance(inputs, Raster):
        if len(inputs) == 0:
            raise InputError("the data hold no sample", place, "give at least one sample")
        if inputs.size != size:
            raise InputError(f"events are over {inputs.shape}, {name} takes {features} at every step", place)
        if None not in (inputs.dt_s, dt_s) and not np.isclose(inputs.dt_s, dt_s, rtol=1e-6):  # type: ignore[arg-type]
            raise InputError(
                f"events are binned in steps of {inputs.dt_s:g} s, {name} takes steps of {dt_s:g} s", place,
                "bin them with the network's step",
            )  # fmt: skip
        return inputs
    x = _values(inputs)
    flat = (x.ndim == 3 and x.shape[2] == size) or (len(features) == 1 and int(np.prod(x.shape[2:])) == size)
    if x.ndim < 3 or (not flat and x.shape[2:] != features):
        wanted = ", ".join(map(str, features))
        hints = [p.hint for p in shape_problems(name, x.shape, (*x.shape[1:2], *features))] if x.ndim > 2 else [""]
        raise InputError(f"inputs have shape {x.shape}, {name} takes (samples, steps, {wanted})", place, hints[0])
    return Raster.from_dense(x, dt_s)


def _values(inputs: Any) -> np.ndarray:
    """Inputs as an array of finite numbers with at least one sample."""
    x, place = as_array(inputs), Place(key="inputs")
    if x.ndim == 0 or len(x) == 0:
        raise InputError("the data hold no sample", place, "give at least one sample")
    if not np.isfinite(x).all():
        bad = int(np.count_nonzero(~np.isfinite(x)))
        raise InputError(f"{bad} of {x.size} values are not finite", place, "clean the data")
    return x


def _explained(error: InputError, graph: Graph, from_graph: bool) -> Iterator[Problem]:
    for p in error.problems:
        hint = p.hint
        if from_graph and "is binned in steps" in p.message:
            hint = f"{graph.name} computes in steps of its own dt: encode the data again with that"
        yield Problem(p.message, p.place, hint)


def _features(graph: Graph) -> tuple[int, Shape]:
    shapes = list(graph.input_shapes.values())
    if len(shapes) != 1:
        raise InputError(f"{graph.name} takes {len(shapes)} inputs, a data file gives one")
    if len(shapes[0]) < 2:
        raise InputError(f"{graph.name} takes samples of shape {shapes[0]}: no time axis", hint="use read_data")
    return int(shapes[0][0]), tuple(shapes[0][1:])


def _dt(graph: Graph, dt: float | str | None, place: Place) -> float | None:
    """The step asked for, else the neurons'; InputError where they differ."""
    from neuromorph.units import parse

    holders = [getattr(n.operator, "semantics", None) or n.operator for n in graph.nodes]
    found = {float(h.dt_s) for h in holders if hasattr(h, "dt_s")}
    asked = parse(dt, "s") if isinstance(dt, str) else dt
    if asked is None:
        return min(found) if found else None
    if any(not np.isclose(asked, own, rtol=1e-9) for own in found):
        message = f"dt is {asked:g} s, the neurons of {graph.name} compute in steps of {min(found):g} s"
        raise InputError(message, place, "leave dt out")
    return asked


def _dense(
    path: Path, graph: Graph, features: Shape, steps: int, cut: int | None, dt_s: float | None, limit: int | None
) -> tuple[np.ndarray | Raster, np.ndarray | None]:
    x, labels = read_data(path, limit=limit)
    if tuple(x.shape[1:]) == features:
        return direct(x, steps, dt_s), labels
    if tuple(x.shape[2:]) != features:
        message = (
            f"samples have shape {tuple(x.shape[1:])}, {graph.name} takes (steps, {', '.join(map(str, features))})"
        )
        raise InputError(message, Place(str(path), key="x"), "or values without the axis of steps")
    if cut is not None and cut != x.shape[1]:
        longer = np.zeros((len(x), cut, *features), np.float32)
        longer[:, : min(cut, x.shape[1])] = x[:, :cut]
        x = longer
    return x, labels
