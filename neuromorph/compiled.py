"""Compilation of the hot loops: decided in one place, caching included.

`compiled` is for functions of their own; `part` and `whole` for engines of many small functions over many arrays that
must cost nothing to call.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function of scalars and arrays. The machine code is kept on disk where a place for it is writable."""
    try:
        return cast(F, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no writable cache folder: compile in every process
        return cast(F, numba.njit(nogil=True)(function))


def part(function: F) -> F:
    """A function that is always inlined. It makes no arrays: references to its arguments are not counted."""
    options: dict[str, Any] = {"forceinline": True, "_nrt": False, "error_model": "numpy"}
    return cast(F, numba.njit(**options)(function))


def whole(function: F) -> F:
    """What is called from Python, with everything it calls inlined; kept on disk where a place for it is writable."""
    options: dict[str, Any] = {"nogil": True, "_nrt": False, "error_model": "numpy"}
    try:
        return cast(F, numba.njit(cache=True, **options)(function))
    except RuntimeError:  # numba finds no writable cache folder: compile in every process
        return cast(F, numba.njit(**options)(function))


def version(folder: str | Path) -> int:
    """A number that changes with the source of any module of a folder.

    What is kept on disk is dropped when the file of the outer function changes; a function that holds this number as a
    constant is also dropped when one of those it inlines does.
    """
    found = 0
    for path in sorted(Path(folder).glob("*.py")):
        found = zlib.crc32(path.read_bytes(), found)
    return found
