"""What compression has reached: weights, non-zero ones, bits and bytes by layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from neuromorph.compress.selection import all_layers
from neuromorph.graph.model import Graph, NumberFormat

FLOAT_BITS = 32
"""Bits of a weight without a format: trained networks come in single precision."""


@dataclass(frozen=True)
class LayerSize:
    """One weight array. dense_bytes stores every weight at `bits`; packed_bytes is the smaller of that and
    a bitmap of one bit per weight followed by the non-zero ones (pruned arrays of a format without 0 have no other
    form). Scales and biases are not counted."""

    layer: str
    operator: str
    weights: int
    nonzero: int
    format: str
    bits: int
    dense_bytes: int
    packed_bytes: int

    @property
    def sparsity(self) -> float:
        """Share of weights that are zero."""
        return 1.0 - self.nonzero / self.weights


@dataclass(frozen=True)
class Compression:
    """Sizes of all weight arrays of a network, and their totals."""

    rows: tuple[LayerSize, ...]

    @property
    def weights(self) -> int:
        return sum(r.weights for r in self.rows)

    @property
    def nonzero(self) -> int:
        return sum(r.nonzero for r in self.rows)

    @property
    def sparsity(self) -> float:
        return 1.0 - self.nonzero / self.weights if self.weights else 0.0

    @property
    def dense_bytes(self) -> int:
        return sum(r.dense_bytes for r in self.rows)

    @property
    def packed_bytes(self) -> int:
        return sum(r.packed_bytes for r in self.rows)


def summary(graph: Graph) -> Compression:
    """Sizes of every weight array in graph order; arrays that several nodes share count once."""
    rows = []
    for layer in all_layers(graph):
        weights, nonzero = layer.weight.size, int(np.count_nonzero(layer.weight))
        bits = FLOAT_BITS if layer.format is None else layer.format.stored_bits
        bitmap = ceil((weights + nonzero * bits) / 8)
        # where a format has no 0, only the bitmap tells which weights are pruned
        needs_bitmap = layer.format is not None and not layer.format.has_zero and nonzero < weights
        dense = bitmap if needs_bitmap else ceil(weights * bits / 8)
        row = LayerSize(
            layer=layer.name,
            operator=type(layer.operator).__name__,
            weights=weights,
            nonzero=nonzero,
            format=describe(layer.format),
            bits=bits,
            dense_bytes=dense,
            packed_bytes=min(dense, bitmap),
        )
        rows.append(row)
    return Compression(tuple(rows))


def describe(number_format: NumberFormat | None) -> str:
    """A format in words: "int8 per channel", "uint8 affine", "float32", "ternary"."""
    return f"float{FLOAT_BITS}" if number_format is None else number_format.title
