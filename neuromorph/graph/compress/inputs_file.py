"""Calibration inputs from a file: .npz with array x (or one array per input of the network), or .npy."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.graph.model import Graph

SUFFIXES = (".npz", ".npy")


def read_inputs(path: str | Path, graph: Graph, samples: int | None = None) -> dict[str, np.ndarray]:
    """The first `samples` samples (None: all) for every input of the network, by name, (samples, *shape) float32.

    A network with one input takes the array named as the input, else `x`, else the file's only one. Bytes
    (uint8) are divided by 255. Nothing in the file is executed. Raises InputError where the file is
    missing, damaged, holds Python objects or lacks an array.
    """
    path = Path(path)
    if samples is not None and samples < 1:
        raise InputError(f"{samples} samples cannot calibrate anything", Place(key="samples"), "1 or more")
    place = Place(file=str(path))
    if not path.is_file():
        raise InputError("data file is a folder" if path.is_dir() else "data file does not exist", place)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"data files end in {' or '.join(SUFFIXES)}, not {path.suffix!r}", place)
    try:
        arrays = _load(path, graph, place)
    except (ValueError, OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        hint = "write it with numpy.savez_compressed(file, x=inputs)"
        if "pickle" in str(error).lower() or "object array" in str(error).lower():
            raise InputError("data file holds Python objects, which are not loaded", place, hint) from None
        text = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"data file cannot be read: {text}", place, hint) from None
    return {name: _as_float(array, name, place)[:samples] for name, array in arrays.items()}


def _load(path: Path, graph: Graph, place: Place) -> dict[str, np.ndarray]:
    names = list(graph.input_shapes)
    with path.open("rb") as file:
        start = file.read(len(np.lib.format.MAGIC_PREFIX))
    is_array = start == np.lib.format.MAGIC_PREFIX
    if not (is_array if path.suffix.lower() == ".npy" else zipfile.is_zipfile(path)):
        raise ValueError(f"it is no {path.suffix.lower()} file")
    # without a memory map a header with a wrong shape would allocate before the file turns out to be short
    opened = np.load(path, allow_pickle=False, mmap_mode="r" if path.suffix.lower() == ".npy" else None)
    if isinstance(opened, np.ndarray):
        if len(names) != 1:
            raise InputError(f"the network has {len(names)} inputs, a .npy file holds one array", place, "use .npz")
        return {names[0]: opened}
    with opened as archive:
        stored = list(archive.files)
        if len(names) > 1 and not set(names) <= set(stored):
            missing = ", ".join(n for n in names if n not in stored)
            raise InputError(f"data file lacks arrays {missing}", place, f"it holds {', '.join(stored) or 'none'}")
        if len(names) > 1:
            return {n: archive[n] for n in names}
        found = next((n for n in (names[0], "x") if n in stored), stored[0] if len(stored) == 1 else None)
        if found is None:
            raise InputError("data file has no array x", place, f"it holds {', '.join(stored) or 'none'}")
        return {names[0]: archive[found]}


def _as_float(array: np.ndarray, name: str, place: Place) -> np.ndarray:
    if array.dtype.kind not in "buif":
        raise InputError(f"data for {name!r} is of type {array.dtype}, not numbers", place)
    if array.ndim == 0:
        raise InputError(f"data for {name!r} is a single number, not a batch", place)
    scaled = np.asarray(array, dtype=np.float32)
    return scaled / np.float32(255) if array.dtype == np.uint8 else scaled
