"""Quotients, powers and comparisons of two values or of a value and a constant, and activations of few levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from neuromorph.errors import InputError, suggest
from neuromorph.graph.model import Host, Operator, Shape, frozen_array
from neuromorph.graph.operators.dense import positive_size, single

if TYPE_CHECKING:
    import torch

PAIRWISE = ("divide", "power", "maximum", "minimum")


@final
@dataclass(frozen=True, eq=False)
class Pairwise(Operator):
    """y = x_1 / x_2, x_1^x_2, max(x_1, x_2) or min(x_1, x_2) elementwise.

    Values are of one rank, axes of size 1 are repeated.
    constant: takes the place of x_2, or of x_1 where `first` is set; None: the operator takes two inputs.
    """

    fixed: ClassVar[tuple[str, ...]] = ("constant",)

    function: str = "divide"
    constant: np.ndarray | None = None
    first: bool = False

    def __post_init__(self) -> None:
        if self.function not in PAIRWISE:
            raise InputError(f"function is {self.function!r}", hint=suggest(self.function, PAIRWISE))
        if self.constant is not None:
            object.__setattr__(self, "constant", frozen_array(self.constant))

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        takes = 2 if self.constant is None else 1
        if len(shapes) != takes:
            raise InputError(f"takes {takes} inputs, got {len(shapes)}")
        if len({len(shape) for shape in shapes}) > 1:
            raise InputError(f"inputs have shapes {', '.join(map(str, shapes))}: their numbers of axes differ")
        if self.constant is not None and self.constant.ndim > len(shapes[0]):
            raise InputError(f"constant of shape {self.constant.shape} has more axes than the input {shapes[0]}")
        sizes = [*shapes, *(() if self.constant is None else (self.constant.shape,))]
        try:
            return tuple(np.broadcast_shapes(*sizes))
        except ValueError:
            text = ", ".join(map(str, sizes))
            raise InputError(f"values have shapes {text}", hint="axes must agree or have size 1") from None

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        from neuromorph.graph.tensors import parameter

        values = list(inputs)
        if self.constant is not None:
            constant = parameter(self, "constant", host, inputs[0])
            values.insert(0 if self.first else 1, constant)
        compute = torch.pow if self.function == "power" else getattr(torch, self.function)
        y: torch.Tensor = compute(*values)
        return y

    def operations(self, shapes: Sequence[Shape]) -> int:
        """One per output element; a division is a look-up and a multiply, a power two look-ups and a multiply."""
        return {"divide": 2, "power": 3}.get(self.function, 1) * positive_size(self.output_shape(shapes))


@final
@dataclass(frozen=True, eq=False)
class Staircase(Operator):
    """y = scale n + shift, n the number of thresholds that are <= x: any non-decreasing activation of few levels.

    thresholds: (channels, levels) or (1, levels), channels along `axis`. One compare per threshold and element, and a
    multiply and an add.
    """

    fixed: ClassVar[tuple[str, ...]] = ("thresholds",)

    thresholds: np.ndarray
    scale: float = 1.0
    shift: float = 0.0
    axis: int = -1

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", frozen_array(self.thresholds))
        if self.thresholds.ndim != 2 or not self.thresholds.size:
            raise InputError(f"thresholds have shape {self.thresholds.shape}, expected (channels, levels)")
        if self.axis >= 0:
            raise InputError(f"axis {self.axis} counts from the front", hint="-1 is the last axis of a sample")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        if -self.axis > len(shape) or self.thresholds.shape[0] not in (1, shape[self.axis]):
            raise InputError(f"input has shape {shape}, thresholds are for {self.thresholds.shape[0]} channels")
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import parameter

        x = inputs[0]
        levels = parameter(self, "thresholds", host, x)
        trailing = (1,) * (-self.axis - 1)
        count = x.new_zeros(x.shape)
        for column in levels.unbind(1):
            count += x >= column.reshape(-1, *trailing)
        return count * self.scale + self.shift

    def operations(self, shapes: Sequence[Shape]) -> int:
        """A compare per threshold, a multiply and an add, per element."""
        return (self.thresholds.shape[1] + 2) * positive_size(self.output_shape(shapes))
