"""Cutting a weight matrix into tiles of at most so many rows and columns; shared by all matrix kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from neuromorph.devices.layered.core import Tiling
from neuromorph.graph.arrays import ShapeOnly
from neuromorph.graph.model import Matrix


def bounds(extent: int, limit: int) -> np.ndarray:
    """Boundaries of ceil(extent/limit) nearly equal parts: (parts + 1,) integers from 0 to extent."""
    parts = -(-extent // limit)
    return np.arange(parts + 1) * extent // parts


def cut_matrix(
    item: str,
    matrix: Matrix,
    max_rows: int,
    max_cols: int,
    *,
    height: Callable[[np.ndarray], np.ndarray],
    width: Callable[[np.ndarray], np.ndarray],
    bits_per_weight: float,
) -> Tiling:
    """Cuts every group of a matrix into a grid of tiles; height and width turn weights into cells."""
    r, c = bounds(matrix.rows, max_rows), bounds(matrix.cols, max_cols)
    nr, nc = len(r) - 1, len(c) - 1
    group, i, j = (
        a.ravel() for a in np.meshgrid(np.arange(matrix.groups), np.arange(nr), np.arange(nc), indexing="ij")
    )
    row0, row1, col0, col1 = r[i], r[i + 1], c[j], c[j + 1]
    if matrix.mask is None and isinstance(matrix.weight, ShapeOnly):
        empty = np.zeros(len(group), bool)
    else:
        kept = matrix.weight != 0 if matrix.mask is None else matrix.mask
        empty = np.add.reduceat(np.add.reduceat(kept, r[:-1], axis=1), c[:-1], axis=2)[group, i, j] == 0
    return Tiling(
        item=item,
        group=group,
        row0=row0,
        row1=row1,
        col0=col0,
        col1=col1,
        height=height(row1 - row0),
        width=width(col1 - col0),
        bits=(row1 - row0) * (col1 - col0) * bits_per_weight,
        empty=empty,
    )


def over_rows(values: np.ndarray, tiling: Tiling) -> np.ndarray:
    """What the rows of each tile have, added up: (tiles,) of values (groups, rows)."""
    total = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
    found: np.ndarray = total[tiling.group, tiling.row1] - total[tiling.group, tiling.row0]
    return found


def whole_parts(extent: Any, size: Any) -> Any:
    """ceil(extent / size), at least 1; whole numbers or arrays of them."""
    return -(-extent // size) + (extent == 0)


@dataclass(frozen=True)
class Extent:
    """The tiles of one matrix added up; numbers, or arrays of designs.

    tiles: their number; rows, columns: logical rows and columns, summed over tiles; weights: rows x columns summed over
    tiles; widest: columns of the widest tile.
    """

    tiles: Any
    rows: Any
    columns: Any
    weights: Any
    widest: Any


def extent_of(tiling: Tiling) -> Extent:
    """The tiles that are kept, added up."""
    rows, columns = tiling.row1 - tiling.row0, tiling.col1 - tiling.col0
    return Extent(
        len(tiling), int(rows.sum()), int(columns.sum()), int((rows * columns).sum()), int(columns.max(initial=0))
    )


def dense_extent(groups: Any, rows: Any, columns: Any, max_rows: Any, max_columns: Any) -> Extent:
    """What `cut_matrix` makes of `groups` blocks of rows x columns, added up, where no tile is empty."""
    row_tiles, column_tiles = whole_parts(rows, max_rows), whole_parts(columns, max_columns)
    return Extent(
        tiles=groups * row_tiles * column_tiles,
        rows=groups * column_tiles * rows,
        columns=groups * row_tiles * columns,
        weights=groups * rows * columns,
        widest=whole_parts(columns, column_tiles),
    )


def shared_rows(tiling: Tiling, arrays: int) -> int:
    """Rows that the cores of one matrix take in, summed over cores: arrays of a core share the rows that they have in
    common. Tiles fill the arrays of a core in their order, and a matrix begins with a core of its own."""
    core = np.arange(len(tiling)) // arrays
    key = np.stack([core, tiling.group, tiling.row0])  # tiles of the same rows follow each other
    first = np.ones(len(tiling), bool)
    first[1:] = (key[:, 1:] != key[:, :-1]).any(axis=0)
    return int((tiling.row1 - tiling.row0)[first].sum())


def dense_shared_rows(groups: Any, rows: Any, extent: Extent, arrays: Any) -> Any:
    """`shared_rows` of what `dense_extent` adds up, (designs, matrices) where tiles or arrays differ by design."""
    column_tiles = extent.rows // (groups * np.maximum(rows, 1))
    row_tiles = extent.tiles // (groups * np.maximum(column_tiles, 1))
    p, c, a = (np.atleast_2d(x) for x in np.broadcast_arrays(row_tiles, column_tiles, arrays))
    # blocks of tiles with the same rows that begin and end with cores
    found = groups * rows * np.where(c % a == 0, c // a, 1)
    for m in range(len(p[0])):
        cut = np.flatnonzero((c[:, m] % a[:, m] != 0) & (a[:, m] % c[:, m] != 0))
        code = (p[cut, m] * int(c.max() + 1) + c[cut, m]) * int(a.max() + 1) + a[cut, m]
        _, first, index = np.unique(code, return_index=True, return_inverse=True)
        one = cut[first]
        each = [
            _taken(int(groups[m]), int(rows[m]), *map(int, key))
            for key in zip(p[one, m], c[one, m], a[one, m], strict=True)
        ]
        found[cut, m] = np.array(each, np.int64)[index]
    return found if np.ndim(extent.tiles + arrays) > 1 else found[0]


@lru_cache(maxsize=1 << 16)  # designs share most of their numbers
def _taken(groups: int, rows: int, row_tiles: int, column_tiles: int, arrays: int) -> int:
    """Rows of all blocks of tiles of the same rows, times the cores that each reaches over."""
    first = np.arange(groups * row_tiles) * column_tiles
    cores = (first + column_tiles - 1) // arrays - first // arrays + 1
    return int(cores @ np.tile(np.diff(np.arange(row_tiles + 1) * rows // row_tiles), groups))
