"""Data a graph is evaluated on: .npz files with inputs x and labels y, and the checks of inputs and labels."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.decode import over_time
from neuromorph.graph.model import Graph, Shape

MAX_BYTES = 16 * 2**30
"""Largest uncompressed array that is read; a larger one is refused before it is unpacked."""


DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What the zip reader raises for damaged archives: unknown versions, methods and encryption among them."""


def read_data(path: str | Path, *, limit: int | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Inputs x (samples, ...) as float32 and labels y (samples,) as int64, or None where the file has no y.

    x of dtype uint8 is scaled by 1/255. limit: only the first so many samples. Nothing pickled is read.
    Raises InputError for a file that is no .npz, lacks x, is truncated, or holds NaN, Inf or labels that do not match.
    """
    path = Path(path)
    place = Place(file=str(path))
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}", place, "use at least 1 sample")
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"data file {what}", place, "expected an .npz file with arrays x and y")
    arrays = _arrays(path, place)
    x, y = arrays["x"], arrays.get("y")
    problems = [*_input_problems(x, str(path)), *_label_problems(x, y, str(path))]
    if problems:
        raise InputError(problems)
    x = x[:limit]
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes Inf and is refused below
        values = x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x.astype(np.float32)
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise InputError(f"{bad} of {values.size} values are NaN or Inf", Place(str(path), key="x"), "clean the data")
    return np.ascontiguousarray(values), None if y is None else y[:limit].astype(np.int64)


def _arrays(path: Path, place: Place) -> dict[str, np.ndarray]:
    hint = "write it with numpy.savez_compressed(path, x=..., y=...)"
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
    except DAMAGED:
        raise InputError("is not an .npz file, or was truncated", place, hint) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", place) from None
    if "x" not in sizes:
        raise InputError(f"has no array x, found {', '.join(sorted(sizes)) or 'none'}", place, hint)
    wanted = [name for name in ("x", "y") if name in sizes]
    for name in wanted:
        if sizes[name] > MAX_BYTES:
            raise InputError(f"array {name} takes {sizes[name]} bytes, at most {MAX_BYTES} are read", place)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in wanted}
    except (*DAMAGED, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "allow_pickle" in reason or "Object arrays" in reason:
            reason = "it holds pickled objects, which are never read"
        raise InputError(f"cannot be unpacked: {reason}", place, hint) from None
    except (OSError, MemoryError) as error:
        raise InputError(f"cannot be read: {error or 'out of memory'}", place) from None


def _input_problems(x: np.ndarray, file: str) -> list[Problem]:
    place = Place(file, key="x")
    if x.dtype.kind not in "fiub":
        return [Problem(f"has dtype {x.dtype}, expected real numbers", place)]
    if x.ndim < 2 or 0 in x.shape:
        return [Problem(f"has shape {x.shape}, expected (samples, ...) and nothing empty", place)]
    return []


def _label_problems(x: np.ndarray, y: np.ndarray | None, file: str) -> list[Problem]:
    place = Place(file, key="y")
    if y is None:
        return []
    if y.dtype.kind not in "iuf":
        return [Problem(f"has dtype {y.dtype}, expected class numbers, or real numbers to compare outputs with", place)]
    if y.ndim < 1 or (x.ndim and len(y) != len(x)):
        return [Problem(f"has shape {y.shape}, expected one label per sample: ({len(x) if x.ndim else 0},)", place)]
    at_each_place = y.dtype.kind in "iu" and y.shape == x.shape[:2]  # 0 or 1 per token, say, which only a graph tells
    if one_hot(y) and not at_each_place:
        return [Problem("holds one-hot rows, expected one label per sample", place, "store class numbers")]
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        return [Problem("has values that are NaN or Inf", place, "clean the data")]
    if y.size and y.dtype.kind != "f" and int(y.min()) < 0:
        return [Problem(f"has label {int(y.min())}, expected 0 or more", place)]
    return []


def check_data(graph: Graph, x: np.ndarray, y: np.ndarray | None) -> None:
    """Raises InputError where samples of a file do not have the shape the graph takes, or labels no class it gives."""
    shapes = list(graph.input_shapes.values())
    if len(shapes) != 1:
        raise InputError(f"{graph.name} takes {len(shapes)} inputs, a data file gives one")
    problems = list(shape_problems(graph.name, x.shape, tuple(shapes[0]), "x"))
    if y is not None:
        try:
            as_targets(y, len(x), graph, None, "y")
        except InputError as error:
            problems += [Problem(p.message, Place(key="y"), p.hint) for p in error.problems]
    if problems:
        raise InputError(problems)


def shape_problems(name: str, given: tuple[int, ...], wanted: Shape, key: str = "inputs") -> Iterator[Problem]:
    """What is wrong with inputs of shape `given` (samples, ...) for a network that takes samples of shape `wanted`."""
    sample = tuple(given[1:])
    if sample == wanted:
        return
    # axes that only stand in another order, first of all channels that are last, as image libraries give them
    back = (*range(len(sample) - 3), len(sample) - 1, len(sample) - 3, len(sample) - 2) if len(sample) > 2 else ()
    orders = (o for o in (back, *permutations(range(len(sample)))) if tuple(sample[i] for i in o) == wanted)
    order = next(orders, None) if len(sample) == len(wanted) > 1 else None
    if order is not None:
        axes = ", ".join(str(i + 1) for i in order)
        hint = f"its axes are in another order: transpose with {key}.transpose(0, {axes}); a reshape would mix values"
    elif tuple(given) == wanted:
        hint = f"this is one sample: give {key}[None]"
    elif int(np.prod(sample)) == int(np.prod(wanted)):
        hint = f"reshape {key} to {('samples', *wanted)}"
    elif sample[1:] == wanted[1:] and len(sample) == len(wanted) > 1:
        hint = f"{sample[0]} along its first axis, not {wanted[0]}: use data of that length"
    else:
        hint = "use the data the network was trained for"
    yield Problem(f"samples have shape {sample}, {name} takes {wanted}", Place(key=key), hint)


def as_array(values: Any, key: str = "inputs") -> np.ndarray:
    """An array of real numbers from an array, a torch tensor or nested lists. Raises InputError for anything else."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.float() if values.is_floating_point() and values.itemsize < 4 else values).numpy()
    try:
        found = np.asarray(values)
    except ValueError:
        raise InputError("rows have different lengths", Place(key=key), "samples of one shape") from None
    if found.dtype.kind not in "biuf":
        raise InputError(f"values have dtype {found.dtype}, expected real numbers", Place(key=key))
    return found


def as_labels(labels: Any, samples: int, classes: int, key: str = "labels") -> np.ndarray | None:
    """Class indices (samples,) as int64 from an array, a torch tensor or a list; None where there are none.

    Raises InputError where they are no whole numbers, not one per sample, or outside 0 to classes - 1.
    """
    if labels is None:
        return None
    found, place = as_array(labels, key), Place(key=key)
    if found.ndim != 1:
        hint = "give class numbers, not one-hot rows" if found.shape == (samples, classes) else ""
        raise InputError(f"labels have shape {found.shape}, expected one per sample: ({samples},)", place, hint)
    if len(found) != samples:
        raise InputError(f"{len(found)} labels for {samples} samples", place)
    if found.dtype.kind not in "iu":
        raise InputError(f"labels have dtype {found.dtype}, expected whole numbers: a label is a class", place)
    if samples and (int(found.min()) < 0 or int(found.max()) >= classes):
        raise InputError(
            f"labels run from {found.min()} to {found.max()}, the network tells classes 0 to {classes - 1}",
            place,
        )
    return found.astype(np.int64)


def one_hot(y: np.ndarray) -> bool:
    """Whether rows hold a single 1 and zeros, as classes are sometimes stored."""
    return y.ndim == 2 and y.shape[1] > 1 and bool(((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all())


def as_targets(labels: Any, samples: int, graph: Graph, output: str | None = None, key: str = "labels") -> np.ndarray:
    """What outputs are compared with: class numbers (samples,), or (samples, ...) where an output has classes at each
    of several places (the next token at each position), or real numbers (samples, *output) to regress on, float32.

    Raises InputError for anything else.
    """
    shape = graph.shapes[graph.outputs[scored_output(graph, output) or 0]]
    found = as_array(labels, key)
    if not found.ndim:
        raise InputError(f"labels are {labels!r}", Place(key=key), f"one per sample: ({samples},)")
    if over_time(graph) or (found.dtype.kind != "f" and len(shape) == 1):
        classes = as_labels(found, samples, classes_of(graph, output), key)
        assert classes is not None
        return classes
    place = Place(key=key)
    if len(found) != samples:
        raise InputError(f"{len(found)} labels for {samples} samples", place)
    if one_hot(found) and (found.dtype.kind == "f" or found.shape[1:] != shape[:-1]):
        raise InputError("labels are one-hot rows", place, "give class numbers: labels.argmax(1)")
    if found.dtype.kind == "f":
        if found.shape[1:] == () and shape == (1,):
            found = found[:, None]
        if found.shape[1:] != shape:
            hint = "class numbers are whole numbers: labels.astype(int)" if found.ndim == 1 else ""
            raise InputError(f"real labels have shape {found.shape}, outputs {(samples, *shape)}", place, hint)
        if not np.isfinite(found).all():
            raise InputError("labels have values that are NaN or Inf", place, "clean the data")
        return found.astype(np.float32)
    if not shape or found.shape[1:] != shape[:-1]:
        raise InputError(f"labels have shape {found.shape}, expected {(samples, *shape[:-1])}", place)
    flat = as_labels(found.reshape(-1), found.size, shape[-1], key)
    assert flat is not None
    return flat.reshape(found.shape)


def scored_output(graph: Graph, output: str | None, labelled: bool = True) -> int | None:
    """The index of the output that labels are of; None: all outputs together, without labels. Raises InputError."""
    names = ", ".join(graph.outputs)
    if output is not None:
        if output not in graph.outputs:
            raise InputError(f"{graph.name} has no output {output!r}", Place(key="output"), f"legal: {names}")
        return graph.outputs.index(output)
    if len(graph.outputs) == 1:
        return 0
    if labelled:
        what = f"{graph.name} has {len(graph.outputs)} outputs, labels are of one"
        raise InputError(what, Place(key="output"), f"choose with output=: {names}")
    return None


def classes_of(graph: Graph, output: str | None = None) -> int:
    """How many classes the graph's output tells. Raises InputError where it gives something else."""
    shape = graph.shapes[graph.outputs[scored_output(graph, output) or 0]]
    if over_time(graph):
        shape = shape[1:]
    if len(shape) != 1:
        raise InputError(f"labels given, but {graph.name} returns values of shape {shape}", Place(key="labels"))
    return int(shape[0])
