"""How signed weights become device levels: scaling, slicing into cells, pairs and reference columns.

A level u in [0, 1] stands for the conductance g_min + u (g_max - g_min). Levels carry the axes
(slice, device, group, row, col); device 0 and 1 are the positive and negative device of a
differential pair, an offset column has device 0 only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.devices.layered.codes import aligned_weights
from neuromorph.devices.layered.crossbar import counting
from neuromorph.graph.model import Matrix
from neuromorph.hardware.component import Component


@dataclass(frozen=True)
class Coding:
    """The levels of one matrix and how column results add up to the product.

    levels: (slices, devices, groups, rows, cols) in [0, 1]. weights: (slices,), the digital weight of
    each slice. scale: (groups, cols), weight value of one unit of the weighted sum of slices.
    middle: what is taken off each result of an offset code per unit of input, in units of the weighted sum; reference:
    (slices,), level of its one reference column in the slice that this column is converted as, 0 in all others; None
    where weights are differential.
    """

    levels: np.ndarray
    weights: np.ndarray
    scale: np.ndarray
    reference: np.ndarray | None
    middle: float = 0.0

    @property
    def slices(self) -> int:
        return len(self.weights)


def slices_needed(weight_bits: int, cell_bits: int, signed_weights: str) -> int:
    """Cells per weight and polarity: ceil(magnitude bits / cell bits); 1 for continuous cells."""
    return int(counting.slices(weight_bits, cell_bits, signed_weights == "offset"))


def least_bits(unit: Component) -> int:
    """Weight bits below which a weight still takes one full cell."""
    cell_bits = unit["array"]["cell"].settings.bits
    return int(counting.least_bits(cell_bits, unit.settings.signed_weights == "offset"))


def devices_per_slice(signed_weights: str) -> int:
    return 2 if signed_weights == "differential" else 1


def full_scale(weight: np.ndarray, scaling: str) -> np.ndarray:
    """Largest |weight| per layer or per column, (groups, cols); 1 where a column is all zero."""
    top = np.abs(weight).max(axis=1)
    if scaling == "layer":
        top = np.broadcast_to(top.max(), top.shape)
    return np.where(top > 0, top, 1.0)


def encode(matrix: Matrix, unit: Component, quantized: bool = True) -> Coding:
    """Levels of a matrix on this core. Bit-sliced weights are rounded to weight_bits codes here, unless not quantized:
    then the lowest slice also holds the fraction of a code."""
    s = unit.settings
    cell_bits = unit["array"]["cell"].settings.bits
    top = full_scale(matrix.weight, s.weight_scaling)
    if cell_bits == 0 or (s.weight_bits == 1 and s.signed_weights == "offset" and not quantized):
        u = matrix.weight / top[:, None, :]
        if s.signed_weights == "differential":
            levels = np.stack([np.maximum(u, 0), np.maximum(-u, 0)])[None]
            return Coding(levels, np.ones(1), top, None)
        return Coding(((u + 1) / 2)[None, None], np.ones(1), 2 * top, np.full(1, 0.5), 0.5)
    top = aligned_weights(matrix, top, highest_code(s.weight_bits), s.weight_scaling)
    return _encode_bits(matrix.weight, top, s.weight_bits, cell_bits, s.signed_weights, quantized)


ASSUMED = 4096
"""Weights that stand for those of which only the shape is known."""


def mean_levels(matrix: Matrix, unit: Component) -> tuple[float, float]:
    """(levels of one weight over all slices and devices, those of a reference cell in all slices) of weights of which
    only the shape is known: taken to be uniform from minus to plus full scale."""
    even = Matrix(matrix.name, (2 * np.arange(ASSUMED) + 1 - ASSUMED)[None, :, None] / (ASSUMED - 1), 1)
    coding = encode(even, unit)
    return float(coding.levels.sum()) / ASSUMED, 0.0 if coding.reference is None else float(coding.reference.sum())


def highest_code(bits: int) -> int:
    """Largest code of a signed weight: the most negative one is left out."""
    return max(1, 2 ** (bits - 1) - 1)


def _encode_bits(
    weight: np.ndarray, top: np.ndarray, bits: int, cell_bits: int, signed: str, quantized: bool
) -> Coding:
    if bits == 1 and signed == "offset":  # the two codes are -1 and +1, the reference lies between them
        return Coding((weight >= 0)[None, None].astype(float), np.ones(1), 2 * top, np.full(1, 0.5), 0.5)
    code = weight / top[:, None, :] * highest_code(bits)
    levels, reference = _levels(np.rint(code) if quantized else code, bits, cell_bits, signed)
    middle = 0.0 if reference is None else 2.0 ** (bits - 1)
    weights = float(2**cell_bits - 1) * float(2**cell_bits) ** np.arange(len(levels))
    return Coding(levels, weights, top / highest_code(bits), reference, middle)


def _levels(code: np.ndarray, bits: int, cell_bits: int, signed: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Levels (slices, devices, *code.shape) of codes and those (slices,) of the unit column of an offset code, which a
    digital factor turns into the middle of the codes."""
    count = slices_needed(bits, cell_bits, signed)
    base, digit_top = 2**cell_bits, 2**cell_bits - 1

    def digits(magnitude: np.ndarray) -> np.ndarray:
        whole = np.floor(magnitude)
        found = np.stack([np.floor(whole / base**k) % base for k in range(count)])
        found[0] += magnitude - whole
        return found / digit_top

    if signed == "differential":
        return np.stack([digits(np.maximum(code, 0)), digits(np.maximum(-code, 0))], axis=1), None
    unit = np.zeros(count)
    unit[-1] = 1.0 / digit_top
    return digits(code + 2.0 ** (bits - 1))[:, None], unit
