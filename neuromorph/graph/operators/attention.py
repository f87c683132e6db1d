"""What transformers are made of besides layers with weights: normalization, products of activations, look-up tables.

Attention (Vaswani et al., NeurIPS 2017) is softmax(Q K^T / sqrt(d) + mask) V: a `Product`, an `Affine`, a `Softmax`
and a `Product`; layer, group, instance and root-mean-square normalization are `Normalize` and a scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Host, Operator, Shape, frozen_array
from neuromorph.graph.operators.activation import check_axes
from neuromorph.graph.operators.dense import positive_size, single

if TYPE_CHECKING:
    import torch


@final
@dataclass(frozen=True, eq=False)
class Normalize(Operator):
    """y = (x - m) / sqrt(v + eps) along an axis, m the mean and v the mean square of x - m.

    center off leaves the mean alone (m = 0): root-mean-square normalization (Zhang and Sennrich, NeurIPS 2019).
    """

    axis: int = -1
    eps: float = 1e-5
    center: bool = True

    def __post_init__(self) -> None:
        check_axes(self.axis)
        if not self.eps >= 0:
            raise InputError(f"eps is {self.eps}, expected 0 or more")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(self.axis, rank=len(shape))
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        x = inputs[0]
        if self.center:
            x = x - x.mean(self.axis, keepdim=True)
        square = x.square().mean(self.axis, keepdim=True) + self.eps
        return x * host.function("rsqrt", square)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """Per element a square, an add and a multiply, two adds more with center; per row a multiply or two, eps and
        a reciprocal root."""
        shape = single(shapes)
        rows = positive_size(shape) // shape[self.axis]
        return positive_size(shape) * (5 if self.center else 3) + rows * (4 if self.center else 3)


@final
@dataclass(frozen=True, eq=False)
class Product(Operator):
    """y = a b, the matrix product of two activations over their last two axes; axes before them broadcast.

    a: (..., n, k), b: (..., k, m), or (..., m, k) with transposed; y: (..., n, m).
    """

    transposed: bool = False

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len(shapes) != 2 or min(map(len, shapes)) < 2 or len(shapes[0]) != len(shapes[1]):
            raise InputError(f"takes two inputs of one rank, 2 or more, got {', '.join(map(str, shapes))}")
        a, b = shapes
        inner, outer = (b[-1], b[-2]) if self.transposed else (b[-2], b[-1])
        try:
            if a[-1] != inner:
                raise ValueError
            lead = np.broadcast_shapes(a[:-2], b[:-2])
        except ValueError:
            raise InputError(f"{a} and {b} do not multiply", hint="check the order of the axes") from None
        return (*lead, a[-2], outer)

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        a, b = inputs
        return a @ (b.transpose(-1, -2) if self.transposed else b)

    def macs(self, shapes: Sequence[Shape]) -> int:
        """Multiply-accumulates per sample."""
        return positive_size(self.output_shape(shapes)) * shapes[0][-1]

    def operations(self, shapes: Sequence[Shape]) -> int:
        """A multiply and an add per multiply-accumulate."""
        return 2 * self.macs(shapes)


@final
@dataclass(frozen=True, eq=False)
class Embedding(Operator):
    """y = the row of the table that an index names: (...) of whole numbers to (..., features).

    weight: (entries, features), float64, a table in the chip's memory. A sample's last axis is that of the tokens; a
    fetch per token, no arithmetic.
    """

    role: ClassVar[str] = "memory"
    weight: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", frozen_array(self.weight))
        if self.weight.ndim != 2 or not self.weight.size:
            raise InputError(f"weight has shape {self.weight.shape}, expected (entries, features)")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return (*single(shapes), self.weight.shape[1])

    def fetched(self, shapes: Sequence[Shape]) -> int:
        return math.prod(self.output_shape(shapes))

    @property
    def table_size(self) -> int:
        return int(self.weight.size)

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import parameter

        index = inputs[0].long()
        if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < self.weight.shape[0]:
            raise InputError(f"index {int(index.min())}..{int(index.max())} lies outside 0..{self.weight.shape[0] - 1}")
        return parameter(self, "weight", host, inputs[0])[index]


@final
@dataclass(frozen=True, eq=False)
class Resample(Operator):
    """y[o] = sum over t of weights[o, t] x[indices[o, t]] along an axis: interpolation, averages of unequal windows.

    indices (whole numbers) and weights: (outputs, taps). A multiply and an add per tap, the first add left out.
    """

    indices: np.ndarray
    weights: np.ndarray
    axis: int = -1

    def __post_init__(self) -> None:
        check_axes(self.axis)
        for name in ("indices", "weights"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
        if self.indices.ndim != 2 or self.indices.shape != self.weights.shape or not self.indices.size:
            raise InputError(f"indices {self.indices.shape} and weights {self.weights.shape}: expected (outputs, taps)")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = list(single(shapes))
        check_axes(self.axis, rank=len(shape))
        if self.indices.min() < 0 or self.indices.max() >= shape[self.axis]:
            raise InputError(f"indices up to {self.indices.max():.0f} lie outside axis {self.axis} of {tuple(shape)}")
        shape[self.axis] = self.indices.shape[0]
        return tuple(shape)

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        from neuromorph.graph.tensors import parameter

        x = inputs[0].movedim(self.axis, -1)
        weights = parameter(self, "weights", host, x)
        index = torch.as_tensor(self.indices.astype(np.int64), device=x.device)
        return (x[..., index] * weights).sum(-1).movedim(-1, self.axis)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """A multiply per tap, an add per tap after the first; taps of weight 0 count nothing."""
        used = np.count_nonzero(self.weights, axis=1)
        others = positive_size(single(shapes)) // single(shapes)[self.axis]
        return others * int(np.sum(2 * used - np.minimum(used, 1)))
