"""How signed weights become device levels: scaling, slicing into cells, pairs and reference columns.

A level u in [0, 1] stands for the conductance g_min + u (g_max - g_min). Levels carry the axes
(slice, device, group, row, col); device 0 and 1 are the positive and negative device of a
differential pair, an offset column has device 0 only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.devices.crossbar import counting
from neuromorph.graph.model import Matrix
from neuromorph.hardware.component import Component


@dataclass(frozen=True)
class Coding:
    """The levels of one matrix and how column results add up to the product.

    levels: (slices, devices, groups, rows, cols) in [0, 1]. weights: (slices,), the digital weight of
    each slice. scale: (groups, cols), weight value of one unit of the weighted sum of slices.
    reference: (slices,), level of the reference column of an offset code, else None.
    """

    levels: np.ndarray
    weights: np.ndarray
    scale: np.ndarray
    reference: np.ndarray | None

    @property
    def slices(self) -> int:
        return len(self.weights)


def slices_needed(weight_bits: int, cell_bits: int, signed_weights: str) -> int:
    """Cells per weight and polarity: ceil(magnitude bits / cell bits); 1 for continuous cells."""
    return int(counting.slices(weight_bits, cell_bits, signed_weights == "offset"))


def devices_per_slice(signed_weights: str) -> int:
    return 2 if signed_weights == "differential" else 1


def full_scale(weight: np.ndarray, scaling: str) -> np.ndarray:
    """Largest |weight| per layer or per column, (groups, cols); 1 where a column is all zero."""
    top = np.abs(weight).max(axis=1)
    if scaling == "layer":
        top = np.broadcast_to(top.max(), top.shape)
    return np.where(top > 0, top, 1.0)


def encode(matrix: Matrix, unit: Component) -> Coding:
    """Levels of a matrix on this core. Bit-sliced weights are rounded to weight_bits codes here."""
    s = unit.settings
    cell_bits = unit["array"]["cell"].settings.bits
    top = full_scale(matrix.weight, s.weight_scaling)
    if cell_bits == 0:
        u = matrix.weight / top[:, None, :]
        if s.signed_weights == "differential":
            levels = np.stack([np.maximum(u, 0), np.maximum(-u, 0)])[None]
            return Coding(levels, np.ones(1), top, None)
        return Coding(((u + 1) / 2)[None, None], np.ones(1), 2 * top, np.full(1, 0.5))
    return _encode_bits(matrix.weight, top, s.weight_bits, cell_bits, s.signed_weights)


def _encode_bits(weight: np.ndarray, top: np.ndarray, bits: int, cell_bits: int, signed: str) -> Coding:
    if bits == 1 and signed == "offset":  # the two codes are -1 and +1, the reference lies between them
        return Coding((weight >= 0)[None, None].astype(float), np.ones(1), 2 * top, np.full(1, 0.5))
    code, limit = _codes(weight, top, bits)
    levels, reference = _levels(code, bits, cell_bits, signed)
    weights = float(2**cell_bits - 1) * float(2**cell_bits) ** np.arange(len(levels))
    return Coding(levels, weights, top / limit, reference)


def _codes(weight: np.ndarray, top: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """Integer codes of weights and the largest one."""
    limit = max(1, 2 ** (bits - 1) - 1)
    return np.rint(weight / top[:, None, :] * limit).astype(np.int64), limit


def _levels(code: np.ndarray, bits: int, cell_bits: int, signed: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Levels (slices, devices, *code.shape) of codes and those (slices,) of the reference column of an offset code."""
    count = slices_needed(bits, cell_bits, signed)
    base, digit_top = 2**cell_bits, 2**cell_bits - 1

    def digits(magnitude: np.ndarray) -> np.ndarray:
        return np.stack([(magnitude // base**k) % base for k in range(count)]) / digit_top

    if signed == "differential":
        return np.stack([digits(np.maximum(code, 0)), digits(np.maximum(-code, 0))], axis=1), None
    middle = 2 ** (bits - 1)
    return digits(code + middle)[:, None], digits(np.array(middle))


class LevelSums:
    """Sums of the levels of a matrix for any number of weight and cell bits, as `encode` would give them.

    Weights are rounded once per number of bits; how often each code occurs then gives the sum for all cells.
    """

    def __init__(self, weight: np.ndarray, signed: str, scaling: str) -> None:
        self.weight, self.signed = weight, signed
        self.top = full_scale(weight, scaling)
        self._counts: dict[int, np.ndarray] = {}
        self._found: dict[tuple[int, int], tuple[float, float]] = {}

    def __call__(self, weight_bits: int, cell_bits: int) -> tuple[float, float]:
        """(levels of all weights, levels of a reference cell in every slice) added up."""
        key = (weight_bits if cell_bits else 0, cell_bits)
        if key not in self._found:
            self._found[key] = self._sum(weight_bits, cell_bits)
        return self._found[key]

    def _sum(self, bits: int, cell_bits: int) -> tuple[float, float]:
        if cell_bits == 0:
            u = self.weight / self.top[:, None, :]
            return (float(np.abs(u).sum()), 0.0) if self.signed == "differential" else (float((u + 1).sum() / 2), 0.5)
        if bits == 1 and self.signed == "offset":
            return float((self.weight >= 0).sum()), 0.5
        if bits not in self._counts:
            code, limit = _codes(self.weight, self.top, bits)
            self._counts[bits] = np.bincount((code + limit).ravel(), minlength=2 * limit + 1)
        counts = self._counts[bits]
        limit = len(counts) // 2
        levels, reference = _levels(np.arange(-limit, limit + 1), bits, cell_bits, self.signed)
        return float(levels.sum(axis=(0, 1)) @ counts), 0.0 if reference is None else float(reference.sum())
