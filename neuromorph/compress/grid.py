"""Number grids on plain arrays: fitting scale and zero point, rounding to codes and back.

The formats are those of `neuromorph.graph.formats.uniform`: value = scale * (code - zero_point), codes

- int, signed (symmetric): -(2^(b-1) - 1) .. 2^(b-1) - 1, see `Int` for why the most negative code is left out.
- int, unsigned with a zero point (affine): 0 .. 2^b - 1, the range stretched to hold 0 and the zero
  point an integer code, so that 0 is exact.
- int, unsigned without one: 0 .. 2^b - 1, for values that are never negative.
- binary {-1, +1} and ternary {-1, 0, +1} times scale.

Codes are round(value / scale) + zero_point, half to even, clipped to the grid (as ONNX QuantizeLinear
and QONNX Quant do). A channel of zeros gets scale 1.
"""

from __future__ import annotations

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.graph.formats.uniform import Binary, Int, Ternary, Uniform
from neuromorph.graph.model import NumberFormat

SCHEMES = ("symmetric", "affine")
METHODS = ("minmax", "percentile", "mse")
GRANULARITIES = ("tensor", "channel")

TERNARY_THRESHOLD = 0.7
"""Threshold over mean |w|: between the optima 2/3 (uniform) and 3/4 (normal weights) of Li, Zhang and Liu,
"Ternary weight networks", arXiv:1605.04711 (basis: reported; a rule of thumb for trained weights)."""

_STEPS_PER_OCTAVE, _OCTAVES = 16, 4
"""Resolution of the MSE search: neighbouring scales differ by 4.4 %, down to 1/16 of the coarsest."""


def code_range(number_format: NumberFormat) -> tuple[int, int]:
    """Smallest and largest code that fitting uses; InputError for formats that are no uniform grid."""
    return _uniform(number_format).fitted_limits


def to_codes(values: np.ndarray, number_format: NumberFormat) -> np.ndarray:
    """Integer codes (int64, same shape) of the nearest grid points."""
    return _uniform(number_format).nearest(values, code_range(number_format))


def from_codes(codes: np.ndarray, number_format: NumberFormat) -> np.ndarray:
    """Grid values (float64, same shape) of integer codes."""
    return _uniform(number_format).decoded(codes)


def _uniform(number_format: NumberFormat) -> Uniform:
    if not isinstance(number_format, Uniform):
        raise InputError(f"a {number_format.name} format has no codes on a uniform grid")
    return number_format


def on_grid(values: np.ndarray, number_format: NumberFormat, mask: np.ndarray | None = None) -> bool:
    """Whether every value (every unpruned one) is bit for bit a grid point."""
    snapped = from_codes(to_codes(values, number_format), number_format)
    return bool(np.all((snapped == values) | (False if mask is None else ~mask)))


def snap(values: np.ndarray, number_format: NumberFormat, mask: np.ndarray | None = None) -> np.ndarray:
    """The nearest grid points; pruned entries become exactly 0."""
    snapped = from_codes(to_codes(values, number_format), number_format)
    return snapped if mask is None else np.where(mask, snapped, 0.0)


def fit(
    values: np.ndarray,
    bits: int,
    *,
    scheme: str = "symmetric",
    method: str = "minmax",
    percentile: float = 99.9,
    axis: int | None = None,
    mask: np.ndarray | None = None,
    signed: bool = True,
) -> Int:
    """A uniform integer grid for these values, 1 to 16 bits.

    values: any shape, finite. axis: one scale per index of this axis, else one for all. mask: False
    where values do not count. signed=False (symmetric only): codes 0 .. 2^b - 1, values must not be negative.

    method: "minmax" spans all values; "percentile" the central `percentile` % of them (of |x| when
    symmetric); "mse" searches the scale with the least squared error (never above that of minmax, never
    growing with bits). Signed symmetric grids need 2 bits or more.
    """
    check_choice("scheme", scheme, SCHEMES)
    check_choice("method", method, METHODS)
    check_bits(bits, lowest=2 if scheme == "symmetric" and signed else 1)
    check_percentile(percentile)
    if not np.isfinite(values).all():
        raise InputError("values to quantize must be finite, found NaN or infinity")
    rows, alive = _rows(values, axis), None if mask is None else _rows(mask, axis)
    symmetric = scheme == "symmetric"
    kept = rows if alive is None else np.where(alive, rows, 0.0)  # zero is on every grid and adds no error
    low, high = kept.min(axis=1, initial=0.0), kept.max(axis=1, initial=0.0)
    if symmetric and not signed and (low < 0).any():
        raise InputError("an unsigned symmetric grid cannot hold negative values", hint="scheme affine, or signed")
    signed = signed and symmetric
    if method == "percentile":
        low, high = _percentiles(rows, alive, percentile, symmetric)
    scale, zero = _spanning(code_range(Int(bits, signed)), low, high, symmetric)
    if method == "mse":
        scale, zero = _search(Int(bits, signed), kept, low, high, symmetric)
    if axis is None:
        scale, zero = scale.reshape(()), zero.reshape(())
    return Int(bits, signed, scale=scale, zero_point=None if symmetric else zero, axis=axis)


def fit_binary(values: np.ndarray, axis: int | None = 0, mask: np.ndarray | None = None) -> Binary:
    """{-1, +1} * scale with scale = mean |w| over the unpruned weights (of a channel).

    The least-squares scale for sign(w): Rastegari et al., "XNOR-Net", arXiv:1603.05279, eq. 6 (basis: derived).
    """
    scale = _masked_mean(np.abs(_rows(values, axis)), None if mask is None else _rows(mask, axis))
    return Binary(scale=_shaped(_positive(scale), axis), axis=axis)


def fit_ternary(
    values: np.ndarray, axis: int | None = 0, mask: np.ndarray | None = None, threshold: float = TERNARY_THRESHOLD
) -> tuple[Ternary, np.ndarray]:
    """{-1, 0, +1} * scale: the format and the codes (int64, values' shape).

    |w| > threshold * mean |w| becomes sign(w), the rest 0; scale = mean |w| of those above, the
    least-squares value for these codes (arXiv:1605.04711, eq. 5). Means run over unpruned weights.
    """
    if not (isinstance(threshold, int | float) and 0 <= threshold < np.inf):
        raise InputError(f"threshold {threshold!r} is not a non-negative number", Place(key="threshold"))
    rows, alive = np.abs(_rows(values, axis)), None if mask is None else _rows(mask, axis)
    mean = _masked_mean(rows, alive)
    above = (rows > threshold * mean[:, None]) & (True if alive is None else alive)
    scale = _shaped(_positive(_masked_mean(rows, above)), axis)
    codes = np.sign(values).astype(np.int64) * _unrows(above, values.shape, axis)
    return Ternary(scale=scale, axis=axis), codes


def squared_error(values: np.ndarray, number_format: NumberFormat, mask: np.ndarray | None = None) -> float:
    """Sum of (grid point - value)^2 over unpruned values."""
    difference = snap(values, number_format) - values
    return float(np.sum(np.where(True if mask is None else mask, difference, 0.0) ** 2))


def check_choice(key: str, value: object, legal: tuple[str | None, ...]) -> None:
    if value not in legal:
        raise InputError(f"{key} {value!r} is not known", Place(key=key), "one of " + ", ".join(map(str, legal)))


def check_bits(bits: object, key: str = "bits", lowest: int = 1) -> None:
    """InputError unless bits is an integer from `lowest` to 16."""
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not lowest <= bits <= 16:
        hint = "1 bit means binarization" if lowest > 1 and bits == 1 else ""
        raise InputError(f"{bits!r} bits is not an integer from {lowest} to 16", Place(key=key), hint)


def check_percentile(percentile: object) -> None:
    if not isinstance(percentile, int | float) or not 50 <= percentile <= 100:
        raise InputError(f"percentile {percentile!r} is not between 50 and 100", Place(key="percentile"))


def _search(
    grid: Int, rows: np.ndarray, low: np.ndarray, high: np.ndarray, symmetric: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point (per row) with the least squared error among nested candidates.

    The candidates of b bits are those of b - 1 bits halved, and halving a scale refines the grid, so
    the error cannot grow with bits; those of the spanning grid itself are among them.
    """
    peak = np.maximum(high, -low) if symmetric else high - low
    signed = grid.signed
    coarsest = 2.0 ** -(grid.bits - (2 if signed else 1))
    fractions = [2.0 ** (-j / _STEPS_PER_OCTAVE) for j in range(_STEPS_PER_OCTAVE)]
    factors = {f * coarsest * 2.0**-o for f in fractions for o in range(_OCTAVES)}
    for b in range(2 if signed else 1, grid.bits + 1):
        top = code_range(Int(b, signed))[1]
        factors.add(2.0 ** (b - grid.bits) / top)
    limits = code_range(grid)
    best_scale, best_zero = _spanning(limits, low, high, symmetric)
    best_error = _row_errors(limits, rows, best_scale, best_zero)
    for factor in sorted(factors):
        scale = _positive(peak * factor)
        for zero in _zero_points(limits, low, high, scale, symmetric):
            error = _row_errors(limits, rows, scale, zero)
            better = error < best_error
            best_scale, best_zero = np.where(better, scale, best_scale), np.where(better, zero, best_zero)
            best_error = np.where(better, error, best_error)
    return best_scale, best_zero


def _zero_points(
    limits: tuple[int, int], low: np.ndarray, high: np.ndarray, scale: np.ndarray, symmetric: bool
) -> list[np.ndarray]:
    """Zero points worth trying at this scale: none but 0 when symmetric, else the lower or the upper end kept."""
    if symmetric:
        return [np.zeros_like(scale)]
    top = limits[1]
    span = _positive(high - low)
    share = -low / span
    ends = (np.rint(-low / scale), top - np.rint(high / scale), np.rint(share * top))
    return [np.clip(end, 0, top) for end in ends]


def _row_errors(limits: tuple[int, int], rows: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """Squared error of each row (rows,) on its own grid."""
    bottom, top = limits
    work = rows / scale[:, None]
    np.rint(work, out=work)
    np.clip(work, (bottom - zero)[:, None], (top - zero)[:, None], out=work)
    work *= scale[:, None]
    work -= rows
    return np.einsum("rc,rc->r", work, work)


def _spanning(
    limits: tuple[int, int], low: np.ndarray, high: np.ndarray, symmetric: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point per row of the grid whose ends are these values (0 included)."""
    top = limits[1]
    if symmetric:
        scale = _positive(np.maximum(high, -low) / top)
        return scale, np.zeros_like(scale)
    scale = _positive((high - low) / top)
    return scale, np.clip(np.rint(-low / scale), 0, top)


def _percentiles(
    rows: np.ndarray, alive: np.ndarray | None, percentile: float, symmetric: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper clipping value of each row, 0 between them."""
    low, high = np.zeros(len(rows)), np.zeros(len(rows))
    for r, row in enumerate(rows):
        kept = row if alive is None else row[alive[r]]
        if kept.size == 0:
            continue
        if symmetric:
            high[r] = np.percentile(np.abs(kept), percentile)
        else:
            tail = (100 - percentile) / 2
            low[r], high[r] = np.percentile(kept, [tail, 100 - tail])
    return np.minimum(low, 0.0), np.maximum(high, 0.0)


def _masked_mean(rows: np.ndarray, alive: np.ndarray | None) -> np.ndarray:
    if alive is None:
        return rows.mean(axis=1) if rows.shape[1] else np.zeros(len(rows))
    return np.where(alive, rows, 0.0).sum(axis=1) / np.maximum(alive.sum(axis=1), 1)


def _positive(scale: np.ndarray) -> np.ndarray:
    """Scales with 1 where nothing (or nothing that a float could divide by) is to be represented."""
    return np.where(scale > np.finfo(float).tiny * 2.0**20, scale, 1.0)


def _rows(values: np.ndarray, axis: int | None) -> np.ndarray:
    """Values as (scales, values per scale)."""
    return values.reshape(1, -1) if axis is None else np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)


def _unrows(rows: np.ndarray, shape: tuple[int, ...], axis: int | None) -> np.ndarray:
    if axis is None:
        return rows.reshape(shape)
    moved = (shape[axis], *(n for i, n in enumerate(shape) if i != axis))
    return np.moveaxis(rows.reshape(moved), 0, axis)


def _shaped(scale: np.ndarray, axis: int | None) -> np.ndarray:
    return scale.reshape(()) if axis is None else scale
