"""Three number formats that the package does not know: a minifloat, powers of two, and a code book."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from neuromorph.graph.arrays import frozen_array
from neuromorph.graph.formats.base import Grid, NumberFormat


def nearest(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Index of the nearest of these rising points; the lower one where two are as near."""
    return np.searchsorted((points[1:] + points[:-1]) / 2, values)


@final
@dataclass(frozen=True, eq=False)
class ToyE4M3(NumberFormat):
    """Sign, 4 bits of exponent, 3 of mantissa: up to 448, subnormal numbers in steps of 2^-9. A code is its rank."""

    name: ClassVar[str] = "toy_e4m3"

    @property
    def stored_bits(self) -> int:
        return 8

    @property
    def grid(self) -> Grid:
        return Grid(np.array(2.0**-9), 19)  # 448 is 229376 steps, which takes 18 bits and the sign

    @property
    def points(self) -> np.ndarray:
        mantissas = np.arange(8) / 8
        normal = [(1 + mantissas) * 2.0**e for e in range(-6, 9)]
        positive = np.concatenate([mantissas * 2.0**-6, *normal])[:-1]  # the last one would be NaN
        return np.concatenate([-positive[:0:-1], positive])

    @property
    def code_limits(self) -> tuple[int, int]:
        return 0, 252

    def codes(self, values: np.ndarray) -> np.ndarray:
        return nearest(values, self.points).astype(np.int64)

    def decoded(self, codes: np.ndarray) -> np.ndarray:
        return self.points[codes]

    def quantize(self, values: np.ndarray) -> np.ndarray:
        return self.decoded(self.codes(values))


@final
@dataclass(frozen=True, eq=False)
class ToyPowerOfTwo(NumberFormat):
    """0 and +-scale 2^-k: code 0, and a sign with k + 1. bits: of a code; k runs up to 2^(bits - 1) - 2."""

    name: ClassVar[str] = "toy_power_of_two"
    bits: int = 3
    scale: np.ndarray | None = None
    axis: int | None = None

    def __post_init__(self) -> None:
        if self.scale is not None:
            object.__setattr__(self, "scale", frozen_array(self.scale))

    @property
    def missing(self) -> tuple[str, ...]:
        return ("scale",) if self.scale is None else ()

    @property
    def stored_bits(self) -> int:
        return self.bits

    @property
    def last(self) -> int:
        return 2 ** (self.bits - 1) - 2

    @property
    def grid(self) -> Grid | None:
        return None if self.scale is None else Grid(self.scale * 2.0**-self.last, self.last + 2, axis=self.axis)

    def along(self, dim: int) -> np.ndarray:
        assert self.scale is not None
        return self.scale if self.axis is None else self.scale.reshape([-1, *[1] * (dim - 1)])

    def fitted(self, values: np.ndarray, mask: np.ndarray | None = None, axis: int | None = None) -> ToyPowerOfTwo:
        assert axis in (None, 0)
        largest = np.abs(values if mask is None else np.where(mask, values, 0.0))
        top = largest.max() if axis is None else largest.reshape(len(values), -1).max(1)
        return replace(self, scale=np.where(top > 0, top, 1.0), axis=axis)

    def kept(self, axis: int, keep: np.ndarray) -> ToyPowerOfTwo:
        return replace(self, scale=self.scale[keep]) if axis == self.axis and self.scale is not None else self

    @property
    def code_limits(self) -> tuple[int, int]:
        return -self.last - 1, self.last + 1

    def codes(self, values: np.ndarray) -> np.ndarray:
        points = np.array([0.0, *(2.0**-k for k in range(self.last, -1, -1))])
        index = nearest(np.abs(values) / self.along(values.ndim), points)
        k = np.where(index > 0, self.last + 1 - index, 0)
        return np.where(index > 0, np.sign(values) * (k + 1), 0).astype(np.int64)

    def decoded(self, codes: np.ndarray) -> np.ndarray:
        return np.sign(codes) * 2.0 ** (1.0 - np.abs(codes)) * self.along(codes.ndim)

    def quantize(self, values: np.ndarray) -> np.ndarray:
        return self.decoded(self.codes(values))


@final
@dataclass(frozen=True, eq=False)
class ToyCodebook(NumberFormat):
    """Any `size` numbers, of which each weight is one: 0, and quantiles of the weights."""

    name: ClassVar[str] = "toy_codebook"
    size: int = 16
    book: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.book is not None:
            object.__setattr__(self, "book", frozen_array(self.book))

    @property
    def missing(self) -> tuple[str, ...]:
        return ("book",) if self.book is None else ()

    @property
    def stored_bits(self) -> int:
        return math.ceil(math.log2(self.size))

    def fitted(self, values: np.ndarray, mask: np.ndarray | None = None, axis: int | None = None) -> ToyCodebook:
        alive = values if mask is None else values[mask]
        quantiles = np.quantile(alive, (np.arange(self.size - 1) + 0.5) / (self.size - 1))
        return replace(self, book=np.sort(np.append(quantiles, 0.0)))

    @property
    def code_limits(self) -> tuple[int, int]:
        return 0, self.size - 1

    def codes(self, values: np.ndarray) -> np.ndarray:
        assert self.book is not None
        return nearest(values, self.book).astype(np.int64)

    def decoded(self, codes: np.ndarray) -> np.ndarray:
        assert self.book is not None
        return self.book[codes]

    def quantize(self, values: np.ndarray) -> np.ndarray:
        return self.decoded(self.codes(values))
