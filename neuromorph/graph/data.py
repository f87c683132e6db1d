"""Data sets a graph is evaluated on: .npz files with inputs x and labels y."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.decode import over_time
from neuromorph.graph.model import Graph

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
    if y.dtype.kind not in "iu":
        return [
            Problem(f"has dtype {y.dtype}, expected integer labels", place, "store class numbers, not one-hot rows")
        ]
    if y.ndim != 1 or (x.ndim and len(y) != len(x)):
        return [Problem(f"has shape {y.shape}, expected one label per sample: ({len(x) if x.ndim else 0},)", place)]
    if y.size and int(y.min()) < 0:
        return [Problem(f"has label {int(y.min())}, expected 0 or more", place)]
    return []


def check_data(graph: Graph, x: np.ndarray, y: np.ndarray | None) -> None:
    """Raises InputError where samples do not have the shape the graph takes, or labels not a class it gives."""
    problems = []
    shapes = list(graph.input_shapes.values())
    if len(shapes) != 1:
        raise InputError(f"{graph.name} takes {len(shapes)} inputs, a data file gives one")
    if tuple(x.shape[1:]) != tuple(shapes[0]):
        same = int(np.prod(x.shape[1:])) == int(np.prod(shapes[0]))
        hint = f"reshape x to {('samples', *shapes[0])}" if same else "use the data the network was trained for"
        problems.append(
            Problem(
                f"samples have shape {tuple(x.shape[1:])}, {graph.name} takes {tuple(shapes[0])}", Place(key="x"), hint
            )
        )
    if y is not None:
        output = graph.shapes[graph.outputs[0]]
        if over_time(graph):
            output = output[1:]
        if len(output) != 1:
            problems.append(Problem(f"labels given, but {graph.name} returns values of shape {output}", Place(key="y")))
        elif y.size and int(y.max()) >= output[0]:
            message = f"label {int(y.max())} given, {graph.name} tells {output[0]} classes (0 to {output[0] - 1})"
            problems.append(Problem(message, Place(key="y")))
        if len(y) != len(x):
            problems.append(Problem(f"{len(y)} labels for {len(x)} samples", Place(key="y")))
    if problems:
        raise InputError(problems)
