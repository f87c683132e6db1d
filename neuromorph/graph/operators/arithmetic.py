"""Sums, products, per-channel affine maps and rounding of values between layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from typing import TYPE_CHECKING, final

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.formats.floating import Float
from neuromorph.graph.model import Host, NumberFormat, Operator, Shape, frozen_array
from neuromorph.graph.operators.activation import Elementwise, check_axes
from neuromorph.graph.operators.dense import positive_size, single

if TYPE_CHECKING:
    import torch

_FLOAT = Float()


class _Joined(Operator):
    """Elementwise over two or more inputs of one rank; an axis of size 1 is repeated."""

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len(shapes) < 2:
            raise InputError(f"takes two or more inputs, got {len(shapes)}")
        try:
            if len({len(shape) for shape in shapes}) != 1:
                raise ValueError
            return tuple(np.broadcast_shapes(*shapes))
        except ValueError:
            raise InputError(
                f"inputs have shapes {', '.join(map(str, shapes))}", hint="axes must agree or have size 1"
            ) from None

    def operations(self, shapes: Sequence[Shape]) -> int:
        """One per output element and input after the first."""
        return (len(shapes) - 1) * positive_size(self.output_shape(shapes))


@final
@dataclass(frozen=True, eq=False)
class Add(_Joined):
    """y = x_1 + x_2 + ... + x_n elementwise (a residual connection)."""

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return reduce(add, inputs)


@final
@dataclass(frozen=True, eq=False)
class Multiply(_Joined):
    """y = x_1 x_2 ... x_n elementwise (a gate, such as squeeze-and-excitation)."""

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return reduce(mul, inputs)


@final
@dataclass(frozen=True, eq=False)
class BatchNorm(Operator):
    """y = scale * x + shift per channel: a batch normalization with its statistics fixed that no weight could absorb.

    scale = gamma / sqrt(var + eps), shift = beta - mean * scale, each (channels,), or (1,) for all channels alike.
    axis: the channels' axis, -3 on maps, -2 on (channels, length), -1 on vectors.
    """

    scale: np.ndarray
    shift: np.ndarray
    axis: int = -3

    def __post_init__(self) -> None:
        check_axes(self.axis)
        for name in ("scale", "shift"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
        if self.scale.ndim != 1 or self.scale.shape != self.shift.shape or not self.scale.size:
            raise InputError(f"scale {self.scale.shape} and shift {self.shift.shape} must be vectors of one length")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(self.axis, rank=len(shape))
        if self.scale.size not in (1, shape[self.axis]):
            raise InputError(f"input has shape {shape}, expected {self.scale.size} channels on axis {self.axis}")
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        from neuromorph.graph.tensors import parameter

        trailing = (-1, *(1,) * (-self.axis - 1))
        scale = parameter(self, "scale", host, inputs[0]).reshape(trailing)
        return torch.addcmul(parameter(self, "shift", host, inputs[0]).reshape(trailing), inputs[0], scale)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """A multiply and an add per element."""
        return 2 * positive_size(single(shapes))


@final
@dataclass(frozen=True, eq=False)
class Quantize(Elementwise):
    """y = the value of the format's grid nearest to x (see `neuromorph.graph.tensors.fake_quantize`).

    A multiply, a rounding look-up and two compares per element.
    """

    steps = 4
    format: NumberFormat = _FLOAT

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        self.format.check("format", shape, leading=True)
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import fake_quantize

        return fake_quantize(inputs[0], self.format)


@final
@dataclass(frozen=True, eq=False)
class DynamicQuantize(Elementwise):
    """y = scale clip(round(x / scale) + zero, 0, levels) - scale zero, on the range of each sample, 0 included.

    scale = (max(x, 0) - min(x, 0)) / levels, zero = round(-min(x, 0) / scale): ONNX's DynamicQuantizeLinear and torch's
    dynamic quantization, which take the range of a whole batch; here samples do not see each other. Two compares for
    the range and four operations of `Quantize` per element. axes: those of a sample.
    """

    steps = 6
    axes: int = 1
    levels: int = 255

    def __post_init__(self) -> None:
        if self.axes < 1 or self.levels < 1:
            raise InputError(f"axes {self.axes} and levels {self.levels} must be at least 1")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        if len(shape) != self.axes:
            raise InputError(f"input has shape {shape}, expected {self.axes} axes")
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        x = inputs[0]
        axes = tuple(range(-self.axes, 0))
        low, high = x.amin(axes, keepdim=True).clamp(max=0), x.amax(axes, keepdim=True).clamp(min=0)
        scale = ((high - low) / self.levels).clamp(min=1e-30)
        zero = (-low / scale).round()
        return ((x / scale).round() + zero).clamp(0, self.levels).sub(zero) * scale
