"""Events in numpy's .npz: a raster as it is, or events with times of their own. Nothing pickled is read.

Raster: `indptr` (samples * steps + 1,), `index` (events,), `shape`, `steps`, optionally `dt` (seconds), `value` and
`label`; whole numbers of any size.
Events: `t` (events,) in microseconds (integers) or seconds (floats), `x` and optionally `y`, `p` (polarity 0 or 1),
`offset` (samples + 1,) unless it is one sample, `value` and `label`. Without y, x numbers the elements.
Values: `x` (samples, steps, *features) and `y`, as other data are; what is not zero is an event with that value.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.events.binning import Events, camera
from neuromorph.events.formats import MAX_BYTES, Wanted
from neuromorph.events.raster import Raster

SUFFIXES = (".npz",)
_RASTER = ("indptr", "index", "shape", "steps", "dt", "value", "label")
_EVENTS = ("t", "x", "y", "p", "offset", "value", "label")


def names(path: Path) -> set[str]:
    """Names of the arrays of an .npz file; empty where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return set()


def is_events(path: Path) -> bool:
    """Whether an .npz file holds events (and not dense inputs x)."""
    found = names(path)
    return {"indptr", "index"} <= found or {"t", "x"} <= found


def read(path: Path, wanted: Wanted) -> tuple[Events | Raster, np.ndarray | None]:
    """The raster or the events of one file, and labels where it has them."""
    place = Place(str(path))
    found = names(path)
    if not found:
        raise InputError("is not an .npz file, or was truncated", place)
    if {"indptr", "index"} <= found:
        wanted.plain("a raster", place)
        return _raster(_arrays(path, _RASTER, place), wanted, place)
    if {"t", "x"} <= found:
        return _events(_arrays(path, _EVENTS, place), wanted, place)
    if "x" in found:
        wanted.plain("values in steps", place)
        return _dense(path, wanted, place)
    hint = "x (samples, steps, *features) with y; indptr, index, shape, steps; or t, x[, y, p, offset]"
    raise InputError(f"holds no events, found arrays {', '.join(sorted(found))}", place, hint)


def _dense(path: Path, wanted: Wanted, place: Place) -> tuple[Raster, np.ndarray | None]:
    """Values in every step: what is not zero is an event with that value."""
    from neuromorph.graph.data import read_data

    x, labels = read_data(path, limit=wanted.limit)
    if x.ndim < 3:
        raise InputError(f"x has shape {x.shape}", place, "(samples, steps, *features), or encode it into events")
    size = int(np.prod(x.shape[2:], dtype=np.int64))
    if wanted.shape is not None and int(np.prod(wanted.shape, dtype=np.int64)) != size:
        raise InputError(f"holds elements of shape {x.shape[2:]}, not {wanted.shape}", place)
    return Raster.from_dense(x if wanted.shape is None else x.reshape(*x.shape[:2], *wanted.shape)), labels


def _arrays(path: Path, wanted: tuple[str, ...], place: Place) -> dict[str, np.ndarray]:
    from neuromorph.graph.data import DAMAGED

    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.file_size > MAX_BYTES:
                    raise InputError(f"{info.filename} takes {info.file_size} bytes, at most {MAX_BYTES}", place)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in wanted if name in archive.files}
    except InputError:
        raise
    except (*DAMAGED, KeyError, OSError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "allow_pickle" in reason or "Object arrays" in reason:
            reason = "it holds pickled objects, which are never read"
        raise InputError(f"cannot be unpacked: {reason}", place) from None
    for name, array in arrays.items():
        floats = name in ("value", "dt", "t")
        if array.dtype.kind not in ("fiub" if floats else "iub"):
            expected = "numbers" if floats else "whole numbers"
            raise InputError(f"has dtype {array.dtype}, expected {expected}", Place(str(path), key=name))
        if name not in ("steps", "dt") and array.ndim != 1:
            raise InputError(f"has {array.ndim} axes, expected 1", Place(str(path), key=name))
        if name in ("steps", "dt") and array.size != 1:
            raise InputError(f"has {array.size} values, expected 1", Place(str(path), key=name))
        if not np.isfinite(array).all():
            raise InputError("holds NaN or Inf", Place(str(path), key=name))
    return arrays


def _raster(a: dict[str, np.ndarray], wanted: Wanted, place: Place) -> tuple[Raster, np.ndarray | None]:
    lacking = [name for name in ("shape", "steps") if name not in a]
    if lacking:
        raise InputError(f"has no {' and no '.join(lacking)}", place)
    indptr, index, steps = a["indptr"].astype(np.int64), a["index"], int(a["steps"].item())
    shape = tuple(int(n) for n in a["shape"])
    if wanted.shape is not None and np.prod(wanted.shape, dtype=np.int64) == np.prod(shape, dtype=np.int64):
        shape = wanted.shape
    elif wanted.shape is not None:
        raise InputError(f"holds elements of shape {shape}, not {wanted.shape}", place)
    if steps < 1 or not indptr.size or (indptr.size - 1) % steps or min(shape, default=0) < 1:
        raise InputError(f"{indptr.size - 1} rows, {steps} steps and shape {shape} do not go together", place)
    if indptr[0] != 0 or (np.diff(indptr) < 0).any() or indptr[-1] != index.size:
        raise InputError("does not rise from 0 to the number of events", Place(place.file, key="indptr"))
    size = int(np.prod(shape, dtype=np.int64))
    if index.size and (int(index.min()) < 0 or int(index.max()) >= size):
        message = f"has element {int(index.max())} outside 0 to {size - 1}"
        raise InputError(message, Place(place.file, key="index"))
    value = a["value"].astype(np.float32) if "value" in a else None
    dt = float(a["dt"].item()) if "dt" in a else None
    samples = (indptr.size - 1) // steps
    raster = Raster(samples, steps, shape, indptr, index.astype(np.int32), value, dt)
    labels = _checked_labels(a, samples, place)
    if wanted.limit is not None and wanted.limit < samples:
        return raster.part(0, wanted.limit), None if labels is None else labels[: wanted.limit]
    return raster, labels


def _checked_labels(a: dict[str, np.ndarray], samples: int, place: Place) -> np.ndarray | None:
    if "label" not in a:
        return None
    labels = a["label"]
    if labels.size != samples or (labels.size and int(labels.min()) < 0):
        message = f"{labels.size} labels for {samples} samples, or below 0"
        raise InputError(message, Place(place.file, key="label"))
    return labels.astype(np.int64)


def _events(a: dict[str, np.ndarray], wanted: Wanted, place: Place) -> tuple[Events, np.ndarray | None]:
    n = a["t"].size
    lengths = {name: a[name].size for name in ("t", "x", "y", "p", "value") if name in a}
    if len(set(lengths.values())) > 1:
        raise InputError(f"arrays have lengths {lengths}", place, "one entry per event in each")
    offset = a["offset"].astype(np.int64) if "offset" in a else np.array([0, n], np.int64)
    if offset.size < 2 or offset[0] != 0 or offset[-1] != n or (np.diff(offset) < 0).any():
        raise InputError(f"does not rise from 0 to {n} events", Place(place.file, key="offset"))
    labels = _checked_labels(a, offset.size - 1, place)
    if wanted.limit is not None and wanted.limit < offset.size - 1:
        offset, n = offset[: wanted.limit + 1], int(offset[wanted.limit])
        labels = None if labels is None else labels[: wanted.limit]
        a = {name: values[:n] if name in lengths else values for name, values in a.items()}
    t_us = a["t"].astype(np.float64) * (1e6 if a["t"].dtype.kind == "f" else 1.0)
    value = a["value"].astype(np.float32) if "value" in a else None
    if "y" in a:
        polarity = a["p"].astype(np.int64) if "p" in a else np.zeros(n, np.int64)
        if polarity.size and (int(polarity.min()) < 0 or int(polarity.max()) > 1):
            raise InputError("has values other than 0 and 1", Place(place.file, key="p"))
        default = (int(a["y"].max(initial=0)) + 1, int(a["x"].max(initial=0)) + 1)
        events = camera(
            t_us, a["x"].astype(np.int64), a["y"].astype(np.int64), polarity, wanted.resolution(default, place),
            downsample=wanted.downsample, merge=wanted.merge or "p" not in a, offset=offset,
        )  # fmt: skip
        return Events(events.time_s, events.element, offset, events.shape, value), labels
    wanted.plain("numbered elements", place)
    element = a["x"].astype(np.int64)
    shape = wanted.shape if wanted.shape is not None else (int(element.max(initial=0)) + 1,)
    size = int(np.prod(shape, dtype=np.int64))
    if element.size and (int(element.min()) < 0 or int(element.max()) >= size):
        message = f"has element {int(element.max())} outside 0 to {size - 1}"
        raise InputError(message, Place(place.file, key="x"))
    return Events(t_us * 1e-6, element, offset, shape, value), labels


def write(path: Path, raster: Raster, labels: np.ndarray | None) -> None:
    """Writes a raster; index in the smallest unsigned type that holds it."""
    arrays: dict[str, np.ndarray] = {
        "indptr": raster.indptr.astype(np.uint32 if raster.events < 2**32 else np.int64),
        "index": raster.index.astype(np.uint16 if raster.size <= 2**16 else np.int32),
        "shape": np.array(raster.shape, np.int64),
        "steps": np.array(raster.steps, np.int64),
    }
    if raster.dt_s is not None:
        arrays["dt"] = np.array(raster.dt_s)
    if raster.value is not None:
        arrays["value"] = raster.value
    if labels is not None:
        arrays["label"] = labels.astype(np.uint8 if labels.size and labels.max() < 256 else np.int64)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
