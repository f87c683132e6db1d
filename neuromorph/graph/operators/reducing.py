"""Values made of whole axes: sums and their kin, and normalization by an own mean and variance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, final

from neuromorph.errors import InputError, suggest
from neuromorph.graph.model import Host, Operator, Shape
from neuromorph.graph.operators.activation import check_axes
from neuromorph.graph.operators.dense import positive_size, single
from neuromorph.graph.operators.pooling import Global

if TYPE_CHECKING:
    import torch

REDUCTIONS: Mapping[str, int] = {"sum": 1, "product": 1, "minimum": 1, "sum_abs": 2, "sum_squares": 2, "sum_exp": 2}
"""Operations per input element: one to join it, one to make it."""


@final
@dataclass(frozen=True, eq=False)
class Reduce(Global):
    """y = the sum, product, minimum, sum of absolutes, squares or exponentials of x over whole axes.

    The axes stay with size 1 if keep is set. Mean and maximum are GlobalAvgPool and GlobalMaxPool.
    """

    pools: ClassVar[bool] = False
    function: str = "sum"
    axes: tuple[int, ...] = (-1,)
    keep: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.function not in REDUCTIONS:
            raise InputError(f"function is {self.function!r}", hint=suggest(self.function, REDUCTIONS))

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        x = inputs[0]
        if self.function == "minimum":
            return x.amin(self.axes, keepdim=self.keep)
        if self.function == "product":
            for axis in sorted(self.axes):  # from the front, so that later axes, counted from the end, stay
                x = x.prod(axis, keepdim=True)
            return x if self.keep else x.squeeze(self.axes)
        made = {"sum_abs": x.abs, "sum_squares": x.square, "sum_exp": x.exp}.get(self.function)
        return (x if made is None else made()).sum(self.axes, keepdim=self.keep)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """Those of the function in `REDUCTIONS` per input element."""
        return REDUCTIONS[self.function] * positive_size(single(shapes))


@final
@dataclass(frozen=True, eq=False)
class Normalize(Operator):
    """y = (x - m) / sqrt(v + eps), m and v = mean (x - m)^2 over the axes; m = 0 unless centred.

    With a BatchNorm or Pairwise after it this is layer, group, instance and root-mean-square normalization.
    Per element: an add for the mean, a subtraction, a square and its add, a multiply (without centring two less);
    per set of axes an inverse square root, an add and two multiplies.
    """

    axes: tuple[int, ...] = (-1,)
    eps: float = 1e-5
    centred: bool = True

    def __post_init__(self) -> None:
        check_axes(*self.axes)
        if not self.axes or len(set(self.axes)) != len(self.axes) or not self.eps >= 0:
            raise InputError(f"axes {self.axes} must differ, and eps {self.eps} be 0 or more")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(*self.axes, rank=len(shape))
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        x = inputs[0]
        if self.centred:
            x = x - x.mean(self.axes, keepdim=True)
        return x * (x.square().mean(self.axes, keepdim=True) + self.eps).rsqrt()

    def operations(self, shapes: Sequence[Shape]) -> int:
        """5 per element (3 without centring) and 4 per set that is normalized."""
        shape = single(shapes)
        sets = positive_size(shape) // prod(shape[a] for a in self.axes)
        return (5 if self.centred else 3) * positive_size(shape) + 4 * sets
