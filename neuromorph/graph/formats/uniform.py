"""Whole multiples of a scale: integers, and the one and two bit weights of binary and ternary networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.graph.arrays import frozen_array
from neuromorph.graph.formats.base import Grid, NumberFormat

if TYPE_CHECKING:
    import torch

MOST_BITS = 32

GRID_TOLERANCE = 1e-5
"""How far, in steps of the grid, a value may lie off it (by rounding) and still be stored as a code."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Uniform(NumberFormat):
    """Base of formats with value = scale * (code - zero point), codes from `limits[0]` to `limits[1]`.

    scale: positive, 0-d or 1-d along `axis` of the array (per channel); None where it has not been fitted yet.
    """

    zero_point: ClassVar[Any] = None
    zero_first: ClassVar[bool] = False
    """Overridden by fields where a format has them."""
    scale: np.ndarray | None = None
    axis: int | None = None

    def __post_init__(self) -> None:
        for part in ("scale", "zero_point"):
            value = getattr(self, part)
            if value is None:
                continue
            array = frozen_array(value)
            if array.ndim > 1 or not np.isfinite(array).all():
                raise InputError("must be a finite number or a list of these", Place(key=part))
            if part == "scale" and (array <= 0).any():
                raise InputError("must be positive", Place(key=part))
            object.__setattr__(self, part, array)

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest code."""
        return -1, 1

    @property
    def fitted_limits(self) -> tuple[int, int]:
        """Smallest and largest code that fitting uses: -c belongs to them where c does, if the format is signed."""
        return self.limits

    @property
    def title(self) -> str:
        return self.name if self.axis is None else f"{self.name} per channel"

    @property
    def missing(self) -> tuple[str, ...]:
        return ("scale",) if self.scale is None else ()

    @property
    def per_channel(self) -> bool:
        return any(v is not None and v.size > 1 for v in (self.scale, self.zero_point))

    @property
    def grid(self) -> Grid | None:
        if self.scale is None:
            return None
        return Grid(self.scale, self.stored_bits, self.zero_point is None or not self.zero_point.any(), self.axis)

    def check(self, what: str, shape: Sequence[int], leading: bool = False) -> None:
        if self.scale is None:
            raise InputError(f"{what} of kind {self.name!r} has no scale", hint="`neuromorph.compress` fits formats")
        if leading and self.axis is None:
            shape = ()
        elif leading and self.axis is not None and not -len(shape) <= self.axis < 0:
            raise InputError(f"axis {self.axis} of {what} is not between {-len(shape)} and -1: axes count from the end")
        for part in ("scale", "zero_point"):
            values, axis = getattr(self, part), self.axis or 0
            if values is None or values.size == 1:
                continue
            if not -len(shape) <= axis < len(shape) or shape[axis] != values.size:
                expected = f"one value or one per row of {tuple(shape)}"
                raise InputError(f"{part} of {what} has shape {values.shape}, expected {expected}")

    def nearest(self, values: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
        """Codes (int64) within these limits that fitting rounds to."""
        return self._whole(values, limits)

    def _whole(self, values: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
        """round(value / scale) + zero point within limits, half to even."""
        scale, zero = self.broadcast(values.ndim)
        found = np.rint(values / scale + zero) if self.zero_first else np.rint(values / scale) + zero
        return np.clip(np.rint(found), *limits).astype(np.int64)

    def broadcast(self, dim: int) -> tuple[np.ndarray, np.ndarray]:
        """Scale and zero point shaped to multiply an array of so many axes."""

        def shaped(values: np.ndarray | None, default: float) -> np.ndarray:
            if values is None or values.size == 1:
                return np.asarray(default if values is None else values.reshape(()))
            axes = [1] * dim
            axes[self.axis or 0] = -1
            return values.reshape(axes)

        return shaped(self.scale, 1.0), shaped(self.zero_point, 0.0)

    def quantize(self, values: np.ndarray) -> np.ndarray:
        return self.decoded(self.codes(np.asarray(values, np.float64)))

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Gradients pass straight through the rounding and vanish where the value saturates."""
        from neuromorph.graph.tensors import clamped_round, straight_round, vector_of

        if self.scale is None:
            raise ValueError(f"a format of kind {self.name!r} needs a scale")
        scale = vector_of(self.scale, self.axis, x)
        if self.zero_point is None:
            return clamped_round(x / scale, self.limits) * scale
        zero = vector_of(self.zero_point, self.axis, x)
        if self.zero_first:
            return (clamped_round(x / scale + zero, self.limits) - zero) * scale
        return ((straight_round(x / scale) + zero).clamp(*self.limits) - zero) * scale

    def fitted(self, values: np.ndarray, mask: np.ndarray | None = None, axis: int | None = None) -> Self:
        hint = "`neuromorph.compress` has quantize, binarize and ternarize for that"
        raise InputError(f"a {self.name} format is fitted by a method of choice", Place(key="format"), hint)

    def scaled(self, factor: float) -> Self | None:
        if factor < 0 and (self.zero_point is not None or self.limits[0] == 0):
            return None
        return self if self.scale is None else replace(self, scale=self.scale * abs(factor))

    def kept(self, axis: int, keep: np.ndarray) -> Self:
        if self.axis is None or self.axis != axis:
            return self
        parts = {n: getattr(self, n) for n in ("scale", "zero_point")}
        return replace(self, **{n: v[keep] for n, v in parts.items() if v is not None and v.size > 1})

    @property
    def code_limits(self) -> tuple[int, int] | None:
        return None if self.scale is None else self.limits

    def codes(self, values: np.ndarray) -> np.ndarray:
        return self._whole(values, self.limits)

    def decoded(self, codes: np.ndarray) -> np.ndarray:
        scale, zero = self.broadcast(codes.ndim)
        return np.asarray((codes - zero) * scale, dtype=np.float64)

    def holds(self, values: np.ndarray) -> np.ndarray:
        scale, zero = self.broadcast(values.ndim)
        return np.asarray(np.abs(values / scale + zero - self.codes(values)) <= GRID_TOLERANCE)


@final
@dataclass(frozen=True, eq=False)
class Int(Uniform):
    """Integers: -2^(bits-1) .. 2^(bits-1) - 1, or 0 .. 2^bits - 1 where not signed. zero_point: like scale.

    The zero point is added after rounding, as ONNX and torch do, or before it (zero_first), as QONNX does: values half
    way between two codes differ where it is odd.

    Fitted signed codes leave the most negative one out ("narrow range"), so that w and -w are both on the grid, that
    both arms of a differential cell pair need the same number of levels, and that a product of two codes never needs
    one bit more.
    """

    name: ClassVar[str] = "int"
    bits: int = 32
    signed: bool = True
    zero_point: np.ndarray | None = field(default=None, kw_only=True)  # type: ignore[misc]
    zero_first: bool = field(default=False, kw_only=True)  # type: ignore[misc]

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MOST_BITS:
            raise InputError(f"is {self.bits}", Place(key="bits"), f"legal: 1 to {MOST_BITS}")
        super().__post_init__()

    @property
    def stored_bits(self) -> int:
        return self.bits

    @property
    def limits(self) -> tuple[int, int]:
        return (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.signed else (0, 2**self.bits - 1)

    @property
    def fitted_limits(self) -> tuple[int, int]:
        low, high = self.limits
        return -high if self.signed else low, high

    @property
    def title(self) -> str:
        name = f"{'' if self.signed else 'u'}int{self.bits}" + (" affine" if self.zero_point is not None else "")
        return name if self.axis is None else f"{name} per channel"


@final
@dataclass(frozen=True, eq=False)
class Binary(Uniform):
    """-1 and +1 times scale. 0 is +1; a file may hold zeros left by pruning without a mask, in two bits."""

    name: ClassVar[str] = "binary"
    has_zero: ClassVar[bool] = False

    @property
    def stored_bits(self) -> int:
        return 1

    def nearest(self, values: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
        return np.where(values >= 0, 1, -1).astype(np.int64)

    def quantize(self, values: np.ndarray) -> np.ndarray:
        return self.decoded(self.nearest(np.asarray(values, np.float64), self.limits))

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Gradients pass where |x| is within scale."""
        from neuromorph.graph.tensors import straight_sign, vector_of

        if self.scale is None:
            raise ValueError(f"a format of kind {self.name!r} needs a scale")
        scale = vector_of(self.scale, self.axis, x)
        return straight_sign(x / scale) * scale

    def digits(self, codes: np.ndarray) -> tuple[int, np.ndarray]:
        return (1, (codes + 1) // 2) if np.all(np.abs(codes) == 1) else (2, codes + 1)

    def from_digits(self, digits: np.ndarray, bits: int) -> np.ndarray:
        return 2 * digits - 1 if bits == 1 else digits - 1


@final
@dataclass(frozen=True, eq=False)
class Ternary(Uniform):
    """-1, 0 and +1 times scale."""

    name: ClassVar[str] = "ternary"

    @property
    def stored_bits(self) -> int:
        return 2
