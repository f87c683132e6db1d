"""Statistics of sliding windows; shared by all matrix kinds."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from neuromorph.graph.model import Matrix


def window_rows(matrix: Matrix, maps: np.ndarray) -> np.ndarray:
    """Sums a per-pixel statistic (channels, height, width) over window positions: (groups, rows)."""
    window = matrix.window
    assert window is not None
    t, b, left, r = window.padding
    padded = functional.pad(torch.from_numpy(maps)[None], (left, r, t, b))
    rows = functional.unfold(padded, window.kernel, dilation=window.dilation, stride=window.stride)[0].sum(1)
    return rows.numpy().reshape(matrix.groups, matrix.rows)
