"""Codes of a core that hit the network's own number grid, so that a quantized network is not rounded twice.

A core with codes up to `top` normally puts its full scale on the largest value. Where the network's values are already
multiples of a scale s, the full scale is chosen so that s is a whole number of codes: rounding then changes nothing,
and the codes still fill the range to within a factor of two.
"""

from __future__ import annotations

import numpy as np

from neuromorph.graph.model import Matrix, NumberFormat


def _grid(number_format: NumberFormat | None) -> np.ndarray | None:
    """Scales of a grid of whole multiples (also with a zero point), or None."""
    if number_format is None or number_format.kind == "float":
        return None
    return number_format.scale


def aligned(largest: np.ndarray, scale: np.ndarray, top: int) -> np.ndarray:
    """Full scales, as `largest` in shape and meaning, on which multiples of `scale` are whole codes of `top`.

    Left as they are where the grid is finer than the codes.
    """
    steps = np.ceil(largest / scale - 1e-6)
    fits = (steps >= 1) & (steps <= top)
    return np.where(fits, scale * top / np.floor(top / np.where(fits, steps, 1)), largest)


def aligned_input(full_scale: float, number_format: NumberFormat | None, top: int) -> float:
    """The input range of a layer whose inputs lie on this grid."""
    scale = _grid(number_format)
    if scale is None or scale.size != 1:
        return full_scale
    return float(aligned(np.asarray(full_scale), scale.reshape(()), top))


def aligned_weights(matrix: Matrix, largest: np.ndarray, top: int, scaling: str) -> np.ndarray:
    """Largest weights (groups, cols) moved to the matrix's own grid, one scale per output or for all."""
    scale = _grid(matrix.weight_format)
    if scale is None or matrix.weight_format is None:
        return largest
    if scale.size == 1:
        return aligned(largest, scale.reshape(()), top)
    if scaling == "layer" or matrix.weight_format.axis not in (None, 0) or scale.size != largest.size:
        return largest
    return aligned(largest, scale.reshape(largest.shape), top)
