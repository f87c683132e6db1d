"""Reading and writing events: one file of many samples, one recording, or a folder with a sub-folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem
from neuromorph.events.binning import Events, check_step, joined, to_raster
from neuromorph.events.formats import Wanted, formats
from neuromorph.events.raster import Raster
from neuromorph.files import write_file

Labels = np.ndarray | None
MAX_FILES = 1_000_000


def read_events(
    path: str | Path,
    *,
    dt: float | str | None = None,
    steps: int | None = None,
    shape: tuple[int, ...] | None = None,
    limit: int | None = None,
    count: bool = False,
    downsample: int = 1,
    merge: bool = False,
    node: str | None = None,
    absolute: bool = False,
) -> tuple[Raster, Labels]:
    """Events of a file or folder as a raster, and labels (samples,) int64 or None.

    Formats go by suffix: .bin and .bs2 (N-MNIST), .aedat (2.0, 3.1), .raw (EVT 2.0, 3.0) and .dat, .h5 and .hdf5
    (SHD-like, NIR data), .npz. A folder holds one file per sample in a sub-folder per class; classes are numbered by
    their names where all are numbers, else in alphabetical order. A folder without sub-folders gives no labels.
    dt: length of a step in seconds or as text ("1 ms"); may be left out where the file is binned already, and must
    agree then. steps: as many as the latest event needs where None. shape: of the elements, (polarities, height, width)
    for cameras; None takes the file's word. limit: samples at most (of a folder in turn from every class). count:
    events of one element in a step are counted, else they are one. downsample, merge: pixels (units of a cochlea)
    joined, polarities joined. node: which recording, where NIR data has several. absolute: times on the camera's clock,
    for recordings that were taken together; else they are counted from the first event.
    Raises InputError with every fault and its place.
    """
    path = Path(path)
    dt_s = _seconds(dt)
    if dt_s is not None or steps is not None:
        check_step(1.0 if dt_s is None else dt_s, steps)
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}", Place(str(path)), "use at least 1 sample")
    if shape is not None and not all(isinstance(n, int | np.integer) and n > 0 for n in shape):
        raise InputError(f"shape is {shape}", Place(key="shape"), "sizes of the elements' axes, such as (2, 34, 34)")
    wanted = Wanted(shape, limit, downsample, merge, node, absolute)
    found, labels = _folder(path, wanted) if path.is_dir() else _file(path, wanted)
    if isinstance(found, Raster):
        return _fitted(found, dt_s, steps, Place(str(path))), labels
    if dt_s is None:
        raise InputError("holds times, dt is needed", Place(str(path)), "the length of a step, e.g. 1 ms")
    try:
        return to_raster(found, dt_s, steps, count=count), labels
    except InputError as error:
        raise InputError([Problem(p.message, Place(str(path)), p.hint) for p in error.problems]) from None


def write_events(path: str | Path, raster: Raster, labels: Labels = None, *, node: str = "input") -> Path:
    """Writes a raster and its labels as .npz, or as NIR data where the name ends in .h5 or .hdf5; returns the path.

    `read_events` gives the same raster back. node: the name of the node in NIR data. Raises InputError for another
    suffix, labels that do not match, a folder that does not exist, and NIR data without dt.
    """
    from neuromorph.events.formats import hdf5, npz

    path = Path(path)
    place = Place(str(path))
    if labels is not None and np.shape(labels) != (raster.samples,):
        raise InputError(f"{np.size(labels)} labels for {raster.samples} samples", place)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return write_file(path, lambda part: npz.write(part, raster, labels))
    if suffix in hdf5.SUFFIXES:
        if raster.dt_s is None:
            raise InputError("the raster has no dt", place, "NIR data holds times: give the step's length")
        return write_file(path, lambda part: hdf5.write(part, raster, labels, node))
    raise InputError(f"suffix is {suffix!r}", place, f"legal: .npz, {', '.join(hdf5.SUFFIXES)}")


def _seconds(dt: float | str | None) -> float | None:
    if not isinstance(dt, str):
        return dt
    from neuromorph.units import parse

    return parse(dt, "s")


def _file(path: Path, wanted: Wanted) -> tuple[Events | Raster, Labels]:
    place = Place(str(path))
    known = formats()
    if not path.is_file():
        raise InputError("does not exist", place, "check the path")
    reader: Any = known.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"no format of events has suffix {path.suffix!r}", place, f"legal: {', '.join(sorted(known))}")
    try:
        found, labels = reader.read(path, wanted)
    except InputError as error:
        raise InputError([_placed(p, str(path)) for p in error.problems]) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", place) from None
    except MemoryError:
        raise InputError("is too large for the memory", place, "read fewer samples (limit)") from None
    return found, labels


def _placed(problem: Problem, file: str) -> Problem:
    if problem.place.file is not None:
        return problem
    return Problem(problem.message, Place(file, key=problem.place.key), problem.hint)


def _folder(path: Path, wanted: Wanted) -> tuple[Events | Raster, Labels]:
    known = formats()
    classes = sorted(p for p in path.iterdir() if p.is_dir())
    groups = [sorted(f for f in c.iterdir() if f.suffix.lower() in known and f.is_file()) for c in classes or [path]]
    if not any(groups):
        raise InputError("holds no files of events", Place(str(path)), f"suffixes: {', '.join(sorted(known))}")
    if sum(map(len, groups)) > MAX_FILES:
        raise InputError(f"holds more than {MAX_FILES} files", Place(str(path)))
    named = all(c.name.isdecimal() for c in classes)
    numbers = [int(c.name) if named else i for i, c in enumerate(classes)] or [0]
    chosen = [(f, n) for group, n in zip(groups, numbers, strict=True) for f in group]
    if wanted.limit is not None and wanted.limit < len(chosen):
        turns = sorted((k, i) for i, group in enumerate(groups) for k in range(len(group)))[: wanted.limit]
        chosen = [(groups[i][k], numbers[i]) for i, k in sorted((i, k) for k, i in turns)]
    parts: list[Events] = []
    problems: list[Problem] = []
    for file, _ in chosen:
        try:
            found, _ = _file(file, wanted)
            if isinstance(found, Raster) or found.samples != 1:
                raise InputError("is no single recording", Place(str(file)), "one file per sample")
            parts.append(found)
        except InputError as error:
            problems.extend(error.problems)
            if len(problems) >= 20:
                break
    if problems:
        raise InputError(problems)
    return joined(parts), np.array([n for _, n in chosen], np.int64) if classes else None


def _fitted(raster: Raster, dt_s: float | None, steps: int | None, place: Place) -> Raster:
    """A stored raster with the steps asked for: cut, or with silent steps at the end."""
    if dt_s is not None and raster.dt_s is not None and not np.isclose(dt_s, raster.dt_s, rtol=1e-9):
        hint = "leave dt out to take the file's"
        raise InputError(f"is binned in steps of {raster.dt_s:g} s, not {dt_s:g} s", place, hint)
    known = raster.dt_s if raster.dt_s is not None else dt_s
    if steps is None or steps == raster.steps:
        return Raster(raster.samples, raster.steps, raster.shape, raster.indptr, raster.index, raster.value, known)
    return raster.with_steps(steps, known)
