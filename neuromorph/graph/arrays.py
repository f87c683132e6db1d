"""Read-only arrays as fields of frozen dataclasses, which are equal where their arrays are."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np


def frozen_array(value: Any, dtype: Any = np.float64) -> np.ndarray:
    """A read-only array of this dtype; copies only what a caller could still write to."""
    array = np.asarray(value, dtype=dtype)
    if array.flags.writeable or (array.base is not None and getattr(array.base, "flags", array.flags).writeable):
        array = array.copy()
        array.flags.writeable = False
    return array


def same_content(a: Any, b: Any) -> bool:
    """Equality of dataclasses of one type field by field, arrays by shape, dtype and value."""
    if type(a) is not type(b):
        return False
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
            if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):
                return False
            if x.dtype != y.dtype or not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
                return False
        elif x != y:
            return False
    return True


def content_hash(a: Any) -> int:
    """A hash that agrees with `same_content`; arrays count by shape alone."""
    values = (getattr(a, f.name) for f in fields(a))
    return hash((type(a).__name__, *(v.shape if isinstance(v, np.ndarray) else v for v in values)))
