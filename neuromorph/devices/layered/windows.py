"""How often the inputs of a layer are fetched: windows overlap, and several tiles of a matrix take the same rows.

Cores either fetch all rows of every product anew (`reread`), or hold values in their input buffers until no later
product needs them (`held`), which takes the lines of a map that a window covers, or one whole vector. Layers whose
lines do not fit are fetched anew. Arithmetic on numbers and on arrays of designs alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromorph.graph.model import Matrix
from neuromorph.hardware.component import Component

CHOICES = ("reread", "held")
DOC = (
    "inputs are fetched from the tile anew for every product and array (reread), or held in the input buffer while "
    "windows need them, where the lines fit (held)"
)


def distinct_values(matrix: Matrix) -> float:
    """Distinct input values of one sample of a matrix (window overlap counted once)."""
    if matrix.window is not None:
        return float(np.prod(matrix.input_shape))
    return float(matrix.groups * matrix.rows * matrix.products)


def held_values(matrix: Matrix) -> float:
    """Values that are held at once: the lines of all channels that a window covers, or one vector."""
    if matrix.window is None:
        return float(matrix.groups * matrix.rows)
    channels, height, width = matrix.input_shape[-3:]  # time steps before them are taken one after the other
    covered = (matrix.window.kernel[0] - 1) * matrix.window.dilation[0] + 1
    return float(channels * min(covered, height) * width)


def fetched_bits(unit: Component, rows: Any, products: Any, distinct: Any, held: Any, input_bits: Any) -> Any:
    """Bits per sample that the cores of one matrix take in. rows: summed over tiles; distinct, held: values."""
    anew = rows * products * input_bits
    buffer = unit.get("input_buffer")
    if unit.settings.windows == "reread" or buffer is None:
        return anew
    room = buffer.settings.capacity * buffer.count
    room = room[:, None] if np.ndim(room) else room
    return np.where(held * input_bits <= room, np.minimum(distinct * input_bits, anew), anew)


def needs_a_buffer(component: Component) -> list[str]:
    """What is wrong with a core that holds windows."""
    if component.settings.windows == "held" and component.get("input_buffer") is None:
        return ["windows: held needs an input_buffer; add one, or set windows to reread"]
    return []
