"""Packets that do not reach their core in time: what timing finds out and execution takes into account."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LATE = ("drop", "next")
"""What becomes of a packet that its core reaches after the end of the step: lost, or served in the next step."""


@dataclass(frozen=True, eq=False)
class Losses:
    """For each row of a raster (sample x steps + step) the pairs of a neuron that fired and a core that misses spikes
    of it: indptr (rows + 1,) int64; by pair, rising in neuron and core: neuron, core int32, lost and late int32, how
    many of its spikes never come and how many come a step later."""

    indptr: np.ndarray
    neuron: np.ndarray
    core: np.ndarray
    lost: np.ndarray
    late: np.ndarray

    @staticmethod
    def none(rows: int) -> Losses:
        """Every packet arrives."""
        empty = np.zeros(0, np.int32)
        return Losses(np.zeros(rows + 1, np.int64), empty, empty, empty, empty)

    @staticmethod
    def of(rows: int, row: np.ndarray, neuron: np.ndarray, core: np.ndarray, late: np.ndarray, cores: int) -> Losses:
        """From single packets in any order. late: (packets,) whether it comes a step later, else it is lost."""
        width = int(neuron.max(initial=0)) + 1
        key, where = np.unique((row * width + neuron) * cores + core, return_inverse=True)
        comes = np.bincount(where, late.astype(np.float64), key.size).astype(np.int32)
        pair, row_of = key % (width * cores), key // (width * cores)
        return Losses(
            np.searchsorted(row_of, np.arange(rows + 1)), (pair // cores).astype(np.int32),
            (pair % cores).astype(np.int32), np.bincount(where, minlength=key.size).astype(np.int32) - comes, comes,
        )  # fmt: skip

    @property
    def packets(self) -> int:
        return int(self.lost.sum() + self.late.sum())

    def apart(self, other: Losses) -> int:
        """Packets whose fate differs."""
        cores = int(max(self.core.max(initial=0), other.core.max(initial=0))) + 1
        width = int(max(self.neuron.max(initial=0), other.neuron.max(initial=0))) + 1
        keys, counts = [], []
        for sign, x in ((1, self), (-1, other)):
            row = np.repeat(np.arange(x.indptr.size - 1), np.diff(x.indptr))
            keys.append((row * width + x.neuron) * cores + x.core)
            counts.append(sign * np.stack([x.lost, x.late], axis=1).astype(np.int64))
        unique, where = np.unique(np.concatenate(keys), return_inverse=True)
        differ = np.zeros((unique.size, 2), np.int64)
        np.add.at(differ, where, np.concatenate(counts))
        return int(np.abs(differ).max(axis=1, initial=0).sum())
