"""Cutting a weight matrix into tiles of at most so many rows and columns; shared by all matrix kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.devices.layered.core import Tiling
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
    kept = matrix.weight != 0 if matrix.mask is None else matrix.mask
    filled = np.add.reduceat(np.add.reduceat(kept, r[:-1], axis=1), c[:-1], axis=2)
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
        empty=filled[group, i, j] == 0,
    )


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
