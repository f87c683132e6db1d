"""File formats of events. A module of this package with SUFFIXES and read(path, wanted) is a format.

`read` gives `Events` or a ready `Raster`, and labels (samples,) int64 or None. It checks lengths and headers before it
believes them and raises InputError with the place.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from neuromorph.errors import InputError, Place

MAX_BYTES = 4 * 2**30
"""Largest file, and largest unpacked array, that is read; a larger one is refused before it is unpacked."""


@dataclass(frozen=True)
class Wanted:
    """What a reader is asked for. shape: of the elements, None to take the file's word. limit: samples at most.

    downsample, merge: as in `binning.camera`; units of a cochlea are joined by downsample as pixels are. node: which
    recording of a file that holds several. absolute: times as in the file, not counted from its first event.
    """

    shape: tuple[int, ...] | None = None
    limit: int | None = None
    downsample: int = 1
    merge: bool = False
    node: str | None = None
    absolute: bool = False

    def counted(self, t_us: np.ndarray) -> np.ndarray:
        """Times of a camera's clock from the first event on, or as they are."""
        return t_us - t_us.min() if t_us.size and not self.absolute else t_us

    def resolution(self, default: tuple[int, int] | None, place: Place) -> tuple[int, int]:
        """(height, width) of the camera: as asked for, else the file's own."""
        if self.shape is not None:
            if len(self.shape) not in (2, 3):
                raise InputError(f"shape is {self.shape}", place, "a camera has (polarities, height, width)")
            return self.shape[-2], self.shape[-1]
        if default is None:
            raise InputError("the file does not tell the camera's size", place, "give shape (2, height, width)")
        return default

    def plain(self, what: str, place: Place) -> None:
        """InputError where options of a camera are asked of something else."""
        if self.downsample != 1 or self.merge:
            raise InputError(f"downsample and merge are for cameras, the file holds {what}", place)


def formats() -> dict[str, ModuleType]:
    """The format of each file suffix, found by looking into this package."""
    found: dict[str, ModuleType] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for suffix in getattr(module, "SUFFIXES", ()):
            found[suffix] = module
    return found


def read_bytes(path: Path, place: Place) -> bytes:
    """The file's content; InputError where it is empty or too large."""
    size = path.stat().st_size
    if size == 0:
        raise InputError("the file is empty", place)
    if size > MAX_BYTES:
        raise InputError(f"the file has {size} bytes, at most {MAX_BYTES} are read", place, "cut it into parts")
    return path.read_bytes()
