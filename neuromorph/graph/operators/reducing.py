"""Values made of whole axes: sums and their kin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from neuromorph.errors import InputError, suggest
from neuromorph.graph.model import Host, Shape
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
