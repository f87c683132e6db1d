"""Compilation of the hot loops: one decorator, so that caching is decided in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function of scalars and arrays. The machine code is kept on disk where a place for it is writable."""
    try:
        return cast(F, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no writable cache folder: compile in every process
        return cast(F, numba.njit(nogil=True)(function))
