"""Cutting a weight matrix into tiles of at most so many rows and columns; shared by all matrix kinds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuromorph.devices.kind import Tiling
from neuromorph.graph.model import Matrix


def bounds(extent: int, limit: int) -> np.ndarray:
    """Boundaries of ceil(extent/limit) nearly equal parts: (parts + 1,) integers from 0 to extent."""
    parts = -(-extent // limit)
    return np.arange(parts + 1) * extent // parts


def cut_matrix(
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
        item=matrix.name,
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
