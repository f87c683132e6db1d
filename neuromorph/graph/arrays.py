"""Read-only arrays as fields of frozen dataclasses, which are equal where their arrays are."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place


class ShapeOnly(np.ndarray):
    """A weight array of which only shape and dtype are known: one NaN in memory, repeated by strides of 0.

    Views (reshape, transpose, slices) stay what they are, elementwise functions give another; whatever else computes on
    it raises InputError. Comparisons give True everywhere: no weight is taken to be 0 or pruned.
    """

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or ufunc.nout != 1 or ufunc.signature is not None or kwargs.get("out") is not None:
            raise no_values(ufunc.__name__)
        shape = np.broadcast_shapes(*(np.shape(x) for x in inputs))
        kinds = [x.dtype if isinstance(x, np.ndarray | np.generic) else type(x) for x in inputs]
        dtype = ufunc.resolve_dtypes((*kinds, None))[-1]
        return np.broadcast_to(np.ones((), bool), shape) if dtype.kind == "b" else shape_only(shape, dtype)

    def tobytes(self, *args: Any, **kwargs: Any) -> bytes:
        raise no_values("storing")

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Its shape with another dtype."""
        return shape_only(self.shape, dtype)


def no_values(what: str, where: str = "") -> InputError:
    """The refusal of whatever needs the values of weights of which only the shape is known."""
    hint = "load the weights; place, estimate, and run without data need none"
    return InputError(f"{what} needs the values of weights, and here they are shapes only", Place(key=where), hint)


def shape_only(shape: tuple[int, ...], dtype: Any = np.float64) -> ShapeOnly:
    """An array without values, read-only."""
    return np.broadcast_to(np.full((), np.nan, dtype), shape).view(ShapeOnly)


def frozen_array(value: Any, dtype: Any = np.float64) -> np.ndarray:
    """A read-only array of this dtype; copies only what a caller could still write to."""
    if isinstance(value, ShapeOnly):
        return value if value.dtype == dtype else value.astype(dtype)
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
            if isinstance(x, ShapeOnly) or isinstance(y, ShapeOnly):
                if (type(x), x.dtype, x.shape) != (type(y), y.dtype, y.shape):
                    return False
            elif x.dtype != y.dtype or not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
                return False
        elif x != y:
            return False
    return True


def content_hash(a: Any) -> int:
    """A hash that agrees with `same_content`; arrays count by shape alone."""
    values = (getattr(a, f.name) for f in fields(a))
    return hash((type(a).__name__, *(v.shape if isinstance(v, np.ndarray) else v for v in values)))
