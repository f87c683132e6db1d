"""How many bits of a core a layer needs: fewer than the core offers where the network's own formats have fewer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neuromorph.graph.model import Matrix, NumberFormat
from neuromorph.hardware.component import Component

UNLIMITED = 64
"""Bits of a layer that has no number format of its own: more than any core offers."""


def format_bits(number_format: NumberFormat | None) -> int:
    """Bits of a format whose codes are whole multiples of its scale; UNLIMITED for floats and shifted grids."""
    if number_format is None or number_format.kind == "float":
        return UNLIMITED
    if number_format.zero_point is not None and np.any(number_format.zero_point != 0):
        return UNLIMITED
    return {"binary": 1, "ternary": 2}.get(number_format.kind, number_format.bits)


def layer_bits(core_bits: Any, own_bits: Any, least: Any, precision: str) -> Any:
    """Bits a layer uses on a core, at least `least`; numbers or arrays of designs."""
    if precision == "fixed":
        return core_bits
    return np.minimum(core_bits, np.maximum(own_bits, least))


def for_matrix(unit: Component, matrix: Matrix, least: int = 1) -> Component:
    """The core with the bits this matrix uses on it. least: weight bits below which nothing is saved."""
    s = unit.settings
    weight = int(layer_bits(s.weight_bits, format_bits(matrix.weight_format), least, s.precision))
    inputs = int(layer_bits(s.input_bits, format_bits(matrix.input_format), 1, s.precision))
    if (weight, inputs) == (s.weight_bits, s.input_bits):
        return unit
    return replace(unit, settings=replace(s, weight_bits=weight, input_bits=inputs))
