"""Sums of the levels of a weight matrix for many numbers of weight and cell bits, without encoding it for each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from neuromorph.devices.layered.codes import aligned_weights
from neuromorph.devices.layered.crossbar.coding import encode, full_scale, mean_levels
from neuromorph.graph.arrays import ShapeOnly
from neuromorph.graph.model import Matrix


class LevelSums:
    """What the levels of `coding.encode` add up to. Weights are rounded once per number of bits; how often each code
    occurs then gives the sum for all cells: only the codes themselves are encoded."""

    def __init__(self, matrix: Matrix, signed: str, scaling: str) -> None:
        self.matrix, self.signed, self.scaling = matrix, signed, scaling
        self._counts: dict[int, np.ndarray] = {}
        self._found: dict[tuple[int, int], tuple[float, float]] = {}

    def __call__(self, weight_bits: int, cell_bits: int) -> tuple[float, float]:
        """(levels of all weights, levels of a reference cell in every slice) added up."""
        key = (weight_bits if cell_bits else 0, cell_bits)
        if key not in self._found:
            self._found[key] = self._sum(weight_bits, cell_bits)
        return self._found[key]

    def _sum(self, bits: int, cell_bits: int) -> tuple[float, float]:
        if isinstance(self.matrix.weight, ShapeOnly):
            level, reference = mean_levels(self.matrix, self._core(bits, cell_bits))
            return level * self.matrix.weight.size, reference
        if cell_bits == 0 or bits == 1:
            coding = encode(self.matrix, self._core(bits, cell_bits))
            return float(coding.levels.sum()), _reference(coding.reference)
        counts = self._occurrences(bits)
        limit = len(counts) // 2
        codes = np.arange(-limit, limit + 1, dtype=float)
        coding = encode(Matrix("codes", codes[None, :, None], 1), self._core(bits, cell_bits))
        return float(coding.levels.sum(axis=(0, 1, 2, 4)) @ counts), _reference(coding.reference)

    def _occurrences(self, bits: int) -> np.ndarray:
        """How often each code from -limit to limit occurs."""
        if bits not in self._counts:
            limit = max(1, 2 ** (bits - 1) - 1)
            weight = self.matrix.weight
            top = aligned_weights(self.matrix, full_scale(weight, self.scaling), limit, self.scaling)
            code = np.rint(weight / top[:, None, :] * limit).astype(np.int64) + limit
            self._counts[bits] = np.bincount(code.ravel(), minlength=2 * limit + 1)
        return self._counts[bits]

    def _core(self, bits: int, cell_bits: int) -> Any:
        """As much of a core as `encode` reads."""
        cell = SimpleNamespace(settings=SimpleNamespace(bits=cell_bits))
        settings = SimpleNamespace(weight_bits=bits, signed_weights=self.signed, weight_scaling=self.scaling)
        return _Core(settings, cell)


class _Core:
    def __init__(self, settings: Any, cell: Any) -> None:
        self.settings, self._cell = settings, cell

    def __getitem__(self, name: str) -> Any:
        return {"cell": self._cell} if name == "array" else self._cell


def _reference(levels: np.ndarray | None) -> float:
    return 0.0 if levels is None else float(levels.sum())
