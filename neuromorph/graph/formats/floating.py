"""Floating point as hosts compute in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.graph.formats.base import NumberFormat

if TYPE_CHECKING:
    import torch

WIDTHS = (16, 32, 64)


@final
@dataclass(frozen=True, eq=False)
class Float(NumberFormat):
    """IEEE 754 binary16, binary32 or binary64. Values of 32 bits and more are taken as they come: networks are trained
    in single precision."""

    name: ClassVar[str] = "float"
    any_value: ClassVar[bool] = True
    bits: int = 32

    def __post_init__(self) -> None:
        if self.bits not in WIDTHS:
            raise InputError(f"is {self.bits}", Place(key="bits"), f"legal: {', '.join(map(str, WIDTHS))}")

    @property
    def stored_bits(self) -> int:
        return self.bits

    @property
    def title(self) -> str:
        return f"float{self.bits}"

    def quantize(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, np.float64)
        return values if self.bits >= 32 else values.astype(np.float16).astype(np.float64)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.bits >= 32 else super().apply(x)
