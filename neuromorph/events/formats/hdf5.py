"""HDF5 files of events: data sets of the SHD and SSC kind, and NIR data. Links to other files are refused.

SHD, SSC: groups `spikes` with `times` (seconds) and `units`, both of variable length, and `labels`.
NIR data: the root has the attribute __type__ = NIRGraphData; `nodes/<name>` are NIRNodeData with `observables/<name>`:
TimeGriddedData (data, attribute dt), EventData (idx, time; attributes n_neurons, t_max) or ValuedEventData (value too),
or graphs again. Unused places have index -1. This package writes NIR data and adds `labels` at the root, and to each
recording the attributes `shape` (of the elements), `dt` and `steps`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem
from neuromorph.events.binning import Events, to_raster
from neuromorph.events.formats import MAX_BYTES, Wanted
from neuromorph.events.raster import Raster
from neuromorph.files import damaged_heap

SUFFIXES = (".h5", ".hdf5", ".hdf")
COCHLEA = 700
"""Units of the SHD and SSC cochlea (Cramer et al. 2020)."""

_Labels = np.ndarray | None


def read(path: Path, wanted: Wanted) -> tuple[Events | Raster, _Labels]:
    """The recordings of one file and their labels where it has them."""
    import h5py

    if (at := damaged_heap(path)) is not None:
        raise InputError(f"the values stored at byte {at} are damaged", Place(str(path)), "get the file again")
    try:
        with h5py.File(path, "r") as file:
            _check_links(file, str(path))
            if _text(file.attrs.get("__type__")) == "NIRGraphData":
                wanted.plain("NIR data", Place(str(path)))
                return _nir(file, str(path), wanted)
            if isinstance(file.get("spikes"), h5py.Group):
                return _shd(file, str(path), wanted)
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"is not a whole HDF5 file: {reason}", Place(str(path))) from None
    hint = "spikes/times, spikes/units and labels, or NIR data with attribute __type__"
    raise InputError("holds neither SHD-like spikes nor NIR data", Place(str(path)), hint)


def _check_links(group: Any, file: str, path: str = "", depth: int = 0) -> None:
    """InputError where any link leaves the file or groups nest without end."""
    import h5py

    if depth > 32:
        raise InputError("groups nest deeper than 32", Place(file, key=path))
    for name in group:
        link = group.get(name, getlink=True)
        where = f"{path}/{name}".lstrip("/")
        if isinstance(link, h5py.ExternalLink):
            raise InputError(f"is a link to another file, {link.filename!r}", Place(file, key=where), "copy the data")
        if isinstance(link, h5py.SoftLink):
            raise InputError(f"is a soft link to {link.path!r}", Place(file, key=where), "copy the data")
        item = group[name]
        if isinstance(item, h5py.Group):
            _check_links(item, file, where, depth + 1)
        elif isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise InputError("keeps its data in another file", Place(file, key=where), "copy the data")
            if item.size is not None and item.size * item.dtype.itemsize > MAX_BYTES:
                size = item.size * item.dtype.itemsize
                raise InputError(f"takes {size} bytes, at most {MAX_BYTES} are read", Place(file, key=where))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _dataset(group: Any, name: str, file: str) -> Any:
    import h5py

    item = group.get(name)
    if not isinstance(item, h5py.Dataset):
        raise InputError(f"has no dataset {name}", Place(file, key=group.name), f"found: {', '.join(group) or 'none'}")
    return item


def _labels(item: Any, samples: int, file: str) -> np.ndarray:
    labels = np.asarray(item[:samples])
    place = Place(file, key=item.name)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise InputError(f"has dtype {labels.dtype} and shape {labels.shape}, expected integers in a row", place)
    if len(item) < samples:
        raise InputError(f"{len(item)} labels for {samples} samples", place)
    if labels.size and int(labels.min()) < 0:
        raise InputError(f"has label {int(labels.min())}, expected 0 or more", place)
    return labels.astype(np.int64)


def _shd(file: Any, name: str, wanted: Wanted) -> tuple[Events, _Labels]:
    times, units = (_dataset(file["spikes"], part, name) for part in ("times", "units"))
    if times.ndim != 1 or times.shape != units.shape:
        raise InputError(f"times {times.shape} and units {units.shape} differ", Place(name, key="spikes"))
    samples = len(times) if wanted.limit is None else min(wanted.limit, len(times))
    if samples == 0:
        raise InputError("holds no samples", Place(name, key="spikes"))
    rows_t = [np.atleast_1d(np.asarray(v, np.float64)) for v in times[:samples]]
    rows_u = [np.atleast_1d(np.asarray(v, np.int64)) for v in units[:samples]]
    problems = [
        Problem(f"sample {i} has {len(t)} times and {len(u)} units", Place(name, key="spikes"))
        for i, (t, u) in enumerate(zip(rows_t, rows_u, strict=True))
        if len(t) != len(u)
    ]
    if problems:
        raise InputError(problems[:10])
    element = np.concatenate(rows_u)
    units = max(COCHLEA, int(element.max(initial=-1)) + 1)
    if wanted.downsample > 1:
        element, units = element // wanted.downsample, -(-units // wanted.downsample)
    shape = wanted.shape if wanted.shape is not None else (units,)
    _check_elements(element, shape, Place(name, key="spikes/units"))
    offset = np.concatenate(([0], np.cumsum([len(t) for t in rows_t]))).astype(np.int64)
    labels = _labels(_dataset(file, "labels", name), samples, name) if "labels" in file else None
    return Events(np.concatenate(rows_t), element, offset, shape), labels


def _check_elements(element: np.ndarray, shape: tuple[int, ...], place: Place) -> None:
    size = int(np.prod(shape, dtype=np.int64))
    if element.size and (int(element.min()) < 0 or int(element.max()) >= size):
        raise InputError(f"element {int(element.max())} lies outside {size} of shape {shape}", place)


def _nir(file: Any, name: str, wanted: Wanted) -> tuple[Events | Raster, _Labels]:
    found = dict(_observables(file, name, ""))
    chosen = wanted.node
    if chosen is None and len(found) == 1:
        chosen = next(iter(found))
    matching = [key for key in found if key == chosen or key.split("/")[0] == chosen]
    if len(matching) != 1:
        what = "has no recordings" if not found else f"holds {len(found)} recordings"
        raise InputError(what, Place(name, key="nodes"), f"choose one with node: {', '.join(found) or 'none'}")
    events = _observable(found[matching[0]], name, wanted)
    labels = _labels(file["labels"], events.samples, name) if "labels" in file else None
    return events, labels


def _observables(group: Any, name: str, path: str) -> Iterator[tuple[str, Any]]:
    """Every recording of a NIR data graph with its node/observable path."""
    if "nodes" not in group:
        raise InputError("has no group nodes", Place(name, key=group.name))
    for node, inner in group["nodes"].items():
        kind = _text(inner.attrs.get("__type__"))
        if kind == "NIRGraphData":
            yield from _observables(inner, name, f"{path}{node}.")
        elif kind == "NIRNodeData":
            for observable, data in inner.get("observables", {}).items():
                yield f"{path}{node}/{observable}", data
        else:
            raise InputError(f"has __type__ {kind!r}", Place(name, key=inner.name), "NIRNodeData or NIRGraphData")


def _attribute(group: Any, key: str, file: str) -> float:
    value = group.attrs.get(key)
    if value is None or np.size(value) != 1 or not np.isfinite(float(np.asarray(value).item())):
        raise InputError(f"attribute {key} is {value!r}, expected a number", Place(file, key=group.name))
    return float(np.asarray(value).item())


def _observable(group: Any, file: str, wanted: Wanted) -> Events | Raster:
    place = Place(file, key=group.name)
    kind = _text(group.attrs.get("__type__"))
    if kind == "TimeGriddedData":
        data = _dataset(group, "data", file)
        if data.ndim != 3 or 0 in data.shape:
            raise InputError(f"data has shape {data.shape}, expected (samples, steps, neurons)", place)
        x = np.asarray(data[: wanted.limit])
        if x.dtype.kind not in "biuf" or not np.isfinite(x).all():
            raise InputError(f"data of dtype {x.dtype} has values that are no finite numbers", place)
        shape = _shape(group, x.shape[2], wanted, place)
        return Raster.from_dense(x.reshape(*x.shape[:2], *shape), _attribute(group, "dt", file))
    if kind not in ("EventData", "ValuedEventData"):
        raise InputError(f"has __type__ {kind!r}", place, "TimeGriddedData, EventData or ValuedEventData")
    index, time = (np.asarray(_dataset(group, part, file)[: wanted.limit]) for part in ("idx", "time"))
    value = np.asarray(_dataset(group, "value", file)[: wanted.limit]) if kind == "ValuedEventData" else None
    if index.ndim != 2 or index.shape != time.shape or (value is not None and value.shape != index.shape):
        raise InputError(f"idx {index.shape}, time {time.shape}: expected (samples, events) alike", place)
    if index.dtype.kind not in "iu" or time.dtype.kind not in "fiu" or not len(index):
        raise InputError(f"idx of dtype {index.dtype}, time of dtype {time.dtype} and {len(index)} samples", place)
    shape = _shape(group, int(_attribute(group, "n_neurons", file)), wanted, place)
    used = index != -1
    element = index[used].astype(np.int64)
    _check_elements(element, shape, place)
    offset = np.concatenate(([0], np.cumsum(used.sum(1)))).astype(np.int64)
    events = Events(
        time[used].astype(np.float64), element, offset, shape, None if value is None else value[used].astype(np.float32)
    )
    if "dt" in group.attrs and "steps" in group.attrs:
        return to_raster(events, _attribute(group, "dt", file), int(_attribute(group, "steps", file)))
    return events


def _shape(group: Any, neurons: int, wanted: Wanted, place: Place) -> tuple[int, ...]:
    stored = group.attrs.get("shape")
    shape = tuple(int(n) for n in np.atleast_1d(stored)) if stored is not None else (neurons,)
    shape = wanted.shape if wanted.shape is not None else shape
    if int(np.prod(shape, dtype=np.int64)) != neurons:
        raise InputError(f"{neurons} neurons cannot have shape {shape}", place)
    return shape


def write(path: Path, raster: Raster, labels: _Labels, node: str) -> None:
    """Writes a raster with a dt as the spikes of one node of NIR data; an event lies in the middle of its step."""
    import h5py

    assert raster.dt_s is not None
    sizes = np.diff(raster.indptr[:: raster.steps])
    most = int(sizes.max(initial=0))
    column = np.arange(raster.events) - np.repeat(raster.indptr[:: raster.steps][:-1], sizes)
    sample = np.repeat(np.arange(raster.samples), sizes)
    step = np.repeat(np.tile(np.arange(raster.steps), raster.samples), np.diff(raster.indptr))
    arrays = {"idx": np.full((raster.samples, most), -1, np.int32), "time": np.full((raster.samples, most), np.inf)}
    arrays["idx"][sample, column] = raster.index
    arrays["time"][sample, column] = (step + 0.5) * raster.dt_s
    if raster.value is not None:
        arrays["value"] = np.zeros((raster.samples, most), np.float32)
        arrays["value"][sample, column] = raster.value
    with h5py.File(path, "w") as file:
        file.attrs["__type__"] = "NIRGraphData"
        inner = file.create_group(f"nodes/{node}")
        inner.attrs["__type__"] = "NIRNodeData"
        group = inner.create_group("observables/spikes")
        group.attrs["__type__"] = "EventData" if raster.value is None else "ValuedEventData"
        group.attrs.update({"n_neurons": raster.size, "t_max": raster.steps * raster.dt_s})
        group.attrs.update({"shape": raster.shape, "dt": raster.dt_s, "steps": raster.steps})
        for name, array in arrays.items():
            group.create_dataset(name, data=array, compression="gzip" if array.size else None)
        if labels is not None:
            file.create_dataset("labels", data=labels.astype(np.int64))
