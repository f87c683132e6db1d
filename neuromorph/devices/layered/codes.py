"""Codes that values and weights get on a core: how many bits a layer needs, grids that codes hit, input ranges.

Bits: fewer than the core offers where the network's own formats have fewer.

Grids: a core with codes up to `top` normally puts its full scale on the largest value. Where the network's values are
already multiples of a scale s, the full scale is chosen so that s is a whole number of codes: a quantized network is
not rounded twice, and the codes still fill the range to within a factor of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.formats.base import Grid
from neuromorph.graph.model import Matrix, NumberFormat
from neuromorph.hardware.component import Component

if TYPE_CHECKING:
    import torch

UNLIMITED = 64
"""Bits of a layer that has no number format of its own: more than any core offers."""


def format_bits(number_format: NumberFormat | None) -> int:
    """Bits of a whole multiple of a format's scale; UNLIMITED for what lies on no uniform grid, and on a shifted one.

    Cores compute with such codes and keep them: a code book or an exponent is worked out where weights are written.
    """
    grid = _grid(number_format)
    return grid.bits if grid is not None and grid.centred else UNLIMITED


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


def _grid(number_format: NumberFormat | None) -> Grid | None:
    return None if number_format is None else number_format.grid


def aligned(largest: np.ndarray, scale: np.ndarray, top: int) -> np.ndarray:
    """Full scales, as `largest` in shape and meaning, on which multiples of `scale` are whole codes of `top`.

    Left as they are where the grid is finer than the codes.
    """
    steps = np.ceil(largest / scale - 1e-6)
    fits = (steps >= 1) & (steps <= top)
    return np.where(fits, scale * top / np.floor(top / np.where(fits, steps, 1)), largest)


def aligned_input(full_scale: float, number_format: NumberFormat | None, top: int) -> float:
    """The input range of a layer whose inputs lie on this grid."""
    grid = _grid(number_format)
    if grid is None or grid.scale.size != 1:
        return full_scale
    return float(aligned(np.asarray(full_scale), grid.scale.reshape(()), top))


def aligned_weights(matrix: Matrix, largest: np.ndarray, top: int, scaling: str) -> np.ndarray:
    """Largest weights (groups, cols) moved to the matrix's own grid, one scale per output or for all."""
    grid = _grid(matrix.weight_format)
    if grid is None:
        return largest
    if grid.scale.size == 1:
        return aligned(largest, grid.scale.reshape(()), top)
    if scaling == "layer" or grid.axis not in (None, 0) or grid.scale.size != largest.size:
        return largest
    return aligned(largest, grid.scale.reshape(largest.shape), top)


SAMPLED = 1 << 20
"""Values per batch that a percentile is taken from."""


def sampled_rows(count: int, wanted: int) -> torch.Tensor:
    """Indices of `wanted` of `count` rows, drawn evenly at random from a fixed seed: a stride would alias with the
    columns of an image."""
    import torch

    return torch.randint(count, (wanted,), generator=torch.Generator().manual_seed(0))


class InputRange:
    """The largest (or percentile of the) magnitude seen so far, and whether negative values were seen."""

    def __init__(self, percentile: float = 100.0) -> None:
        self.percentile, self.top, self.signed = percentile, 0.0, False

    def see(self, x: torch.Tensor) -> None:
        magnitude = x.detach().abs().reshape(-1)
        if self.percentile < 100.0:
            if magnitude.numel() > SAMPLED:
                magnitude = magnitude[sampled_rows(magnitude.numel(), SAMPLED).to(magnitude.device)]
            rank = max(1, int(np.ceil(self.percentile / 100 * magnitude.numel())))
            seen = float(magnitude.kthvalue(rank).values)
        else:
            seen = float(magnitude.amax()) if magnitude.numel() else 0.0
        self.top = max(self.top, seen)
        self.signed = self.signed or bool((x < 0).any())

    @property
    def full_scale(self) -> float:
        return self.top if self.top > 0 else 1.0

    def named(self, matrix: str) -> dict[str, np.ndarray]:
        """The range under the names `from_ranges` reads."""
        return {f"{matrix}.input": np.asarray(self.full_scale), f"{matrix}.signed": np.asarray(float(self.signed))}

    @staticmethod
    def from_ranges(ranges: Mapping[str, np.ndarray], matrix: str) -> tuple[float, bool]:
        """(full scale, signed) of a matrix; raises InputError where they are not known."""
        if missing := [k for k in (f"{matrix}.input", f"{matrix}.signed") if k not in ranges]:
            raise InputError(f"the calibration has no {' and no '.join(missing)}", hint="calibrate on this placement")
        return float(ranges[f"{matrix}.input"]), bool(float(ranges[f"{matrix}.signed"]))
