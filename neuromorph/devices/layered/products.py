"""Products that are summed in the same order for any batch, so that no result depends on how a run is cut.

Linear algebra libraries pick a kernel by the shape of a product, and treat remainders of rows in another order than
whole blocks. Rows, columns and maps are padded to where that no longer happens (measured for products of 1 to 65
columns and convolutions of 1 to 33 channels, with one and two threads).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from neuromorph.graph.model import Matrix

WHOLE = 16
"""Rows come in multiples of this, and there are at least as many columns; so many maps at least for 1 x 1 windows."""


def product(rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """rows (n, k) @ matrix (k, m) -> contiguous (n, m)."""
    count, width = rows.shape[0], matrix.shape[1]
    if count % WHOLE == 0 and width >= WHOLE:
        return rows @ matrix
    wide = functional.pad(matrix, (0, max(0, WHOLE - width)))
    return (functional.pad(rows, (0, 0, 0, -count % WHOLE)) @ wide)[:count, :width].contiguous()


def convolution(
    maps: torch.Tensor,
    kernel: torch.Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> torch.Tensor:
    """maps (n, channels, h, w), kernel (outputs, channels / groups, kh, kw) -> (n, outputs, rows, columns)."""
    count, least = maps.shape[0], WHOLE if tuple(kernel.shape[2:]) == (1, 1) else 2
    if count < least:
        maps = functional.pad(maps, (0, 0, 0, 0, 0, 0, 0, least - count))
    found = functional.conv2d(maps, kernel, None, tuple(stride), tuple(padding), tuple(dilation), groups)
    return found if count >= least else found[:count]


def window_rows(matrix: Matrix, maps: np.ndarray) -> np.ndarray:
    """Sums a per-pixel statistic (channels, height, width) over window positions: (groups, rows)."""
    window = matrix.window
    assert window is not None
    t, b, left, r = window.padding
    padded = functional.pad(torch.from_numpy(maps)[None], (left, r, t, b))
    rows = functional.unfold(padded, window.kernel, dilation=window.dilation, stride=window.stride)[0].sum(1)
    return rows.numpy().reshape(matrix.groups, matrix.rows)
