"""Packing of weight blocks into arrays, with a lower bound on the number of arrays beside every answer.

A block of r x c cells goes into an array of R x C cells. Blocks of one array may fire together, so each needs rows and
columns of its own: the sums of rows and of columns in an array are bounded by R and C (two-dimensional vector bin
packing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.errors import FitError, InputError


@dataclass(frozen=True)
class Packed:
    """Where each block lies. array, row0, col0: (blocks,); arrays: how many are used, at least lower_bound."""

    array: np.ndarray
    row0: np.ndarray
    col0: np.ndarray
    arrays: int
    lower_bound: int


def one_each(rows: np.ndarray) -> Packed:
    """An array of its own for every block; rows: (blocks,)."""
    zero = np.zeros(rows.size, rows.dtype)
    return Packed(np.arange(rows.size), zero, zero.copy(), rows.size, rows.size)


def pack(rows: np.ndarray, cols: np.ndarray, array_rows: float, array_cols: float) -> Packed:
    """Pack blocks of rows[k] x cols[k] cells into arrays of array_rows x array_cols cells, first-fit decreasing.

    rows, cols: (blocks,) cell counts, whole or fractional, > 0. Arrays are numbered in the order in which
    the blocks they hold come. Time grows as blocks x log(blocks). Raises FitError for a block larger than
    an array, InputError for sizes that are not positive.
    """
    rows, cols = np.atleast_1d(np.asarray(rows)), np.atleast_1d(np.asarray(cols))
    _check(rows, cols, array_rows, array_cols)
    if rows.size == 0:
        return one_each(rows)
    dtype = np.result_type(rows, cols)
    r, c = rows.astype(np.float64), cols.astype(np.float64)
    # Sums of fractional extents round; whole numbers below 2^53 add exactly and get no slack.
    slack = 0.0 if dtype.kind in "iu" else 1e-9 * max(array_rows, array_cols)
    array, row0, col0, used = _diagonal(r, c, array_rows, array_cols, slack)
    bound = lower_bound(r, c, array_rows, array_cols)
    return Packed(_by_first_use(array, used), row0.astype(dtype), col0.astype(dtype), used, bound)


def lower_bound(rows: np.ndarray, cols: np.ndarray, array_rows: float, array_cols: float) -> int:
    """A number of arrays that no packing can go below. rows, cols: (blocks,)."""
    r, c = np.asarray(rows, np.float64), np.asarray(cols, np.float64)
    if r.size == 0:
        return 0
    return max(_bins_1d(r, array_rows), _bins_1d(c, array_cols), _matching_bound(r, c, array_rows, array_cols))


def _check(rows: np.ndarray, cols: np.ndarray, array_rows: float, array_cols: float) -> None:
    if rows.ndim != 1 or rows.shape != cols.shape:
        raise InputError(f"block rows have shape {rows.shape}, columns {cols.shape}; both must be (blocks,)")
    if not (array_rows > 0 and array_cols > 0):
        raise InputError(f"an array of {array_rows} x {array_cols} cells holds nothing; both sizes must be positive")
    if rows.size and not (np.all(rows > 0) and np.all(cols > 0)):
        k = int(np.flatnonzero(~((rows > 0) & (cols > 0)))[0])
        raise InputError(f"block {k} has {rows[k]} x {cols[k]} cells; both sizes must be positive")
    big = np.flatnonzero((rows > array_rows) | (cols > array_cols))
    if big.size:
        k = int(big[0])
        raise FitError(
            f"block {k} of {rows[k]} x {cols[k]} cells is larger than an array of {array_rows} x {array_cols}",
            hint="cut it into blocks that fit first",
        )


Placed = tuple[np.ndarray, np.ndarray, np.ndarray, int]


def _diagonal(r: np.ndarray, c: np.ndarray, array_rows: float, array_cols: float, slack: float) -> Placed:
    """The best of three decreasing orders: by larger relative side, by sum of relative sides, by area."""
    from neuromorph.devices.layered.place.firstfit import diagonal_first_fit

    a, b = r / array_rows, c / array_cols
    best: Placed | None = None
    for key in (np.maximum(a, b), a + b, a * b):
        order = np.lexsort((c, r, -key))
        placed = diagonal_first_fit(r[order], c[order], float(array_rows), float(array_cols), slack)
        if best is None or placed[3] < best[3]:
            best = _unsort(placed, order)
    assert best is not None
    return best


def _unsort(placed: Placed, order: np.ndarray) -> Placed:
    def back(x: np.ndarray) -> np.ndarray:
        out = np.empty_like(x)
        out[order] = x
        return out

    return back(placed[0]), back(placed[1]), back(placed[2]), int(placed[3])


def _by_first_use(array: np.ndarray, used: int) -> np.ndarray:
    """Renumber bins in the order of the first block each holds, so that neighbours in the network stay near."""
    first = np.full(used, array.size, np.int64)
    np.minimum.at(first, array, np.arange(array.size))
    number = np.empty(used, np.int64)
    number[np.argsort(first, kind="stable")] = np.arange(used)
    return number[array]


def _bins_1d(sizes: np.ndarray, capacity: float) -> int:
    """Bound L2 for one-dimensional bin packing (Martello and Toth, Discrete Appl. Math. 28, 1990), and by count."""
    if sizes.size == 0:
        return 0
    s = np.sort(sizes)
    total = np.concatenate(([0.0], np.cumsum(s)))
    half = int(np.searchsorted(s, capacity / 2, "right"))  # s[half:] > capacity/2: one to a bin
    limits = np.concatenate(([0.0], np.unique(s[:half])))
    low = np.searchsorted(s, limits, "left")
    alone = np.maximum(
        np.searchsorted(s, capacity - limits, "right"), half
    )  # s[alone:] share with none above the limit
    room = (alone - half) * capacity - (total[alone] - total[half])
    extra = np.ceil((total[half] - total[low] - room) / capacity - 1e-9)
    # Of blocks at least as large as s[k], a bin holds capacity // s[k].
    each = np.floor(capacity / s + 1e-9)
    by_count = np.ceil((s.size - np.arange(s.size)) / each - 1e-9)
    return int(max(s.size - half + max(0.0, float(extra.max())), float(by_count.max())))


def _matching_bound(r: np.ndarray, c: np.ndarray, array_rows: float, array_cols: float) -> int:
    """Blocks above half the rows exclude each other, and so do blocks above half the columns.

    An array holds at most one of each set, so at least |both sets| - (largest matching between them) are needed.
    """
    from neuromorph.devices.layered.place.firstfit import dominance_matching

    high = r > array_rows / 2
    wide = ~high & (c > array_cols / 2)
    if not (high.any() and wide.any()):
        return int(high.sum() + wide.sum())
    a = np.argsort(array_rows - r[high], kind="stable")
    b = np.argsort(array_cols - c[wide], kind="stable")
    eps = 1e-9 * max(array_rows, array_cols)  # in favour of a match: the bound may only be too low
    a_need, a_sum = c[high][a] - eps, (array_rows - r[high])[a] + eps
    b_sum, b_slack = r[wide][b], (array_cols - c[wide])[b]
    return int(high.sum() + wide.sum()) - int(
        dominance_matching(a_need, a_sum, b_sum, b_slack, np.argsort(b_sum, kind="stable"))
    )
