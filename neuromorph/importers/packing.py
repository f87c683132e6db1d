"""Arrays of a graph as compact tensors of a file: integer codes packed bit by bit, pruned elements left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuromorph.graph.model import NumberFormat

FLOATS: dict[str, type[np.floating]] = {"float16": np.float16, "float32": np.float32, "float64": np.float64}
CODES = ("packed1", "packed2", "packed4", "int8", "uint8", "int16", "uint16", "int32", "uint32")
WHOLE = {f"whole_{n}": np.dtype(n) for n in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")}
"""Arrays of whole numbers that are no codes: indices, delays."""
ENCODINGS = (*FLOATS, *CODES, *WHOLE, "bits")
"""How an array's tensor is stored: float values, integer codes of the array's number format, whole numbers as they are,
or a mask's bits."""


class PackingError(ValueError):
    """A stored tensor contradicts its description."""


def pack(
    array: np.ndarray, number_format: NumberFormat | None, mask: np.ndarray | None, dtype: str | None
) -> tuple[str, np.ndarray]:
    """The encoding and the 1-d tensor that `unpack` turns into the array again. Elements off the mask are left out.

    Numbers of the format become its codes. Others become `dtype`, or without one, and where a value is beyond its
    range, float32 where that is exact and else float64.
    """
    if array.dtype == np.bool_:
        return "bits", np.packbits(array.reshape(-1))
    if f"whole_{array.dtype}" in WHOLE and mask is None:
        return f"whole_{array.dtype}", array.reshape(-1)
    codes = to_codes(array, number_format, mask)
    if codes is not None and number_format is not None:
        return _pack_codes((codes if mask is None else codes[mask]).reshape(-1), number_format)
    values = (array if mask is None else array[mask]).reshape(-1)
    if dtype is None or np.abs(values).max(initial=0.0) > float(np.finfo(FLOATS[dtype]).max):
        dtype = "float32" if np.array_equal(values.astype(np.float32).astype(np.float64), values) else "float64"
    return dtype, values.astype(FLOATS[dtype])


def unpack(
    stored: np.ndarray,
    encoding: str,
    shape: tuple[int, ...],
    number_format: NumberFormat | None,
    mask: np.ndarray | None,
) -> np.ndarray:
    """The array of this shape; raises PackingError when the tensor cannot be it."""
    count = int(np.prod(shape, dtype=np.int64)) if mask is None else int(np.count_nonzero(mask))
    if stored.ndim != 1:
        raise PackingError(f"stored tensor has shape {stored.shape}, expected one axis")
    if encoding == "bits":
        return _unpack_bits(stored, count).astype(np.bool_).reshape(shape)
    if encoding in WHOLE:
        return _typed(stored, WHOLE[encoding], count).reshape(shape)
    if encoding in FLOATS:
        values = _typed(stored, FLOATS[encoding], count).astype(np.float64)
        return values.reshape(shape) if mask is None else _scattered(values, mask)
    if number_format is None or number_format.code_limits is None:
        raise PackingError(f"encoding {encoding} needs a number format with codes")
    codes = _unpack_codes(stored, encoding, count, number_format)
    if mask is None:
        return number_format.decoded(codes.reshape(shape))
    return np.where(mask, number_format.decoded(_scattered(codes, mask)), 0.0)


def to_codes(
    array: np.ndarray, number_format: NumberFormat | None, mask: np.ndarray | None = None
) -> np.ndarray | None:
    """Integer codes of an array of its format's numbers, else None. What is off the mask has some code."""
    if number_format is None or number_format.code_limits is None:
        return None
    off = ~number_format.holds(array)
    kept = off if mask is None else off & mask
    return None if kept.any() else number_format.codes(array)


INFINITE = ("v_threshold", "threshold")
"""Fields that may be infinite: the thresholds of neurons that never fire."""


def unusable(array: np.ndarray, name: str) -> np.ndarray:
    """Where a field's array holds what a file does not store: NaN, and Inf but in thresholds."""
    return np.isnan(array) if name in INFINITE else ~np.isfinite(array)


def _pack_codes(codes: np.ndarray, number_format: NumberFormat) -> tuple[str, np.ndarray]:
    bits, digits = number_format.digits(codes)
    width = next((w for w in (1, 2, 4, 8, 16) if w >= bits), 32)
    if width <= 4:
        unpacked = (digits[:, None] >> np.arange(width - 1, -1, -1)) & 1
        return f"packed{width}", np.packbits(unpacked.astype(np.uint8).reshape(-1))
    low, _ = number_format.code_limits or (0, 0)
    name = f"{'int' if low < 0 else 'uint'}{width}"
    return name, codes.astype(name)


def _unpack_codes(stored: np.ndarray, encoding: str, count: int, number_format: NumberFormat) -> np.ndarray:
    if encoding.startswith("packed"):
        width = int(encoding[6:])
        bits = _unpack_bits(stored, count * width).reshape(count, width).astype(np.int64)
        codes = number_format.from_digits(bits @ (1 << np.arange(width - 1, -1, -1)), width)
    else:
        codes = _typed(stored, np.dtype(encoding), count).astype(np.int64)
    low, high = number_format.code_limits or (0, 0)
    if count and (codes.min() < low or codes.max() > high):
        raise PackingError(f"codes run over [{codes.min()}, {codes.max()}], the format allows [{low}, {high}]")
    return codes


def _unpack_bits(stored: np.ndarray, count: int) -> np.ndarray:
    packed = _typed(stored, np.uint8, (count + 7) // 8)
    return np.unpackbits(packed, count=count)


def _typed(stored: np.ndarray, dtype: Any, count: int) -> np.ndarray:
    if stored.dtype != np.dtype(dtype) or stored.size != count:
        raise PackingError(
            f"stored tensor holds {stored.size} x {stored.dtype}, expected {count} x {np.dtype(dtype).name}"
        )
    return stored


def _scattered(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    full = np.zeros(mask.shape, dtype=values.dtype)
    full[mask] = values
    return full


def describe(encoding: str, array: np.ndarray, sparse: bool) -> Mapping[str, Any]:
    """What the JSON says of a stored array, next to the name of its tensor."""
    return {"encoding": encoding, "shape": list(array.shape), "sparse": sparse}
