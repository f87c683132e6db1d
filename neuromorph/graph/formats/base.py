"""What a number format answers. Everything that rounds, stores, counts or moves numbers asks the format, by no name.

A format is one frozen dataclass with a `name` of its own. Defining the class is all that is needed: compression casts
to it, portable files hold its fields, cores ask for its grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.arrays import content_hash, same_content

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Grid:
    """Whole multiples of a step that hold every number of a format: number = scale * (code - zero point).

    scale: 0-d, or 1-d along `axis` of the array. bits: of such a code, two's complement or unsigned (1: only -1 and
    +1). centred: the zero point is 0, so that a number times a number is a code times a code.
    """

    scale: np.ndarray
    bits: int
    centred: bool = True
    axis: int | None = None


@dataclass(frozen=True, eq=False)
class NumberFormat:
    """Base of all number formats: which numbers exist, and what storing one takes.

    A format says at least its `name`, `stored_bits` and `quantize`. Arrays among its fields are read-only. Illegal
    fields raise InputError where the format is made, with the field as the key of the place.
    """

    name: ClassVar[str] = ""
    """What portable files and messages call it. Bases of several formats have none."""
    registry: ClassVar[dict[str, type[NumberFormat]]] = {}
    any_value: ClassVar[bool] = False
    """Whether it takes any number but for a float's rounding, so that arrays may be multiplied and stay in it."""
    has_zero: ClassVar[bool] = True
    """Whether 0 is among its numbers. Where it is not, only a mask tells what is pruned."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # set on every class, so that the dataclass decorator generates no comparison of whole arrays
        type.__setattr__(cls, "__eq__", same_content)
        type.__setattr__(cls, "__hash__", content_hash)
        if not cls.__dict__.get("name"):
            return
        known = NumberFormat.registry.setdefault(cls.name, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"two number formats are named {cls.name!r}: {known.__module__} and {cls.__module__}")
        NumberFormat.registry[cls.name] = cls

    __eq__ = same_content
    __hash__ = content_hash

    @property
    def stored_bits(self) -> int:
        """Bits that one stored number takes; scales, code books and masks not counted."""
        raise TypeError(f"{type(self).__name__} defines no stored_bits")

    @property
    def title(self) -> str:
        """The format in words."""
        return self.name

    @property
    def grid(self) -> Grid | None:
        """The uniform grid that holds all its numbers, for arithmetic on integer codes; None where there is none."""
        return None

    @property
    def missing(self) -> tuple[str, ...]:
        """Fields that have to be fitted before the format holds any number."""
        return ()

    @property
    def per_channel(self) -> bool:
        """Whether numbers differ along an axis of the array."""
        return False

    def check(self, what: str, shape: Sequence[int], leading: bool = False) -> None:
        """InputError where it cannot be the format of an array of this shape; what: the field that holds it.

        leading: other axes (trial, batch) come before these, so that an axis of the format counts from the end.
        """

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """The nearest numbers of the format, float64 of the same shape."""
        raise TypeError(f"{type(self).__name__} defines no quantize")

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """`quantize` of a tensor, in its dtype; gradients pass straight through unless a format says more."""
        from neuromorph.graph.tensors import straight_through

        return straight_through(x, self.quantize)

    def fitted(self, values: np.ndarray, mask: np.ndarray | None = None, axis: int | None = None) -> Self:
        """The format with scales (or what else it has) for these values, one set per index of `axis` or one for all.

        mask: False where values do not count. A format without such fields is fitted as it is.
        """
        return self

    def scaled(self, factor: float) -> Self | None:
        """The format of the same numbers times a factor that is not 0; None where it has none."""
        return self if self.any_value else None

    def kept(self, axis: int, keep: np.ndarray) -> Self:
        """The format of an array of which only the indices `keep` (bool, or whole numbers in an order) of an axis are
        left."""
        return self

    @property
    def code_limits(self) -> tuple[int, int] | None:
        """Smallest and largest integer code that stands for a number in a file; None: numbers are stored as floats."""
        return None

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Codes (int64) of the nearest numbers that a file can hold."""
        raise TypeError(f"{type(self).__name__} defines no codes")

    def decoded(self, codes: np.ndarray) -> np.ndarray:
        """Numbers (float64) of codes."""
        raise TypeError(f"{type(self).__name__} defines no decoded")

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Where an array's values are what their codes say (bool, same shape)."""
        return self.decoded(self.codes(values)) == values

    def digits(self, codes: np.ndarray) -> tuple[int, np.ndarray]:
        """Bits of a code in a file (at least), and the codes as whole numbers from 0 that fit these bits."""
        low, _ = self._limits()
        return self.stored_bits, codes - low

    def from_digits(self, digits: np.ndarray, bits: int) -> np.ndarray:
        """Codes of what `digits` gave, read with so many bits each."""
        low, _ = self._limits()
        return digits + low

    def _limits(self) -> tuple[int, int]:
        if self.code_limits is None:
            raise InputError(f"a {self.name} format has no codes")
        return self.code_limits
