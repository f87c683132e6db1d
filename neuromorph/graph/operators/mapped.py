"""Elementwise functions by name, with what a step of them costs, and the affine maps with whole arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

from neuromorph.errors import InputError, suggest
from neuromorph.graph.model import Host, Operator, Shape, frozen_array
from neuromorph.graph.operators.activation import Elementwise, check_axes
from neuromorph.graph.operators.dense import positive_size, single

if TYPE_CHECKING:
    import torch


class Function(NamedTuple):
    """Steps per element (see the package), and the names of its parameters in order."""

    steps: int
    parameters: tuple[str, ...] = ()


TRIGONOMETRIC = ("tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")
"""Functions by their names in torch, a look-up each, beside sin, cos and tanh."""

MAPS: Mapping[str, Function] = {
    **dict.fromkeys(TRIGONOMETRIC, Function(1)),
    "abs": Function(1),
    "ceil": Function(1),
    "celu": Function(5, ("alpha",)),
    "cos": Function(1),
    "erf": Function(1),
    "exp": Function(1),
    "floor": Function(1),
    "hardshrink": Function(3, ("lambd",)),
    "log": Function(1),
    "logsigmoid": Function(1),
    "mish": Function(2),
    "pow": Function(1, ("exponent",)),
    "reciprocal": Function(1),
    "round": Function(1),
    "rsqrt": Function(1),
    "selu": Function(5),
    "sign": Function(2),
    "sin": Function(1),
    "softplus": Function(1, ("beta", "threshold")),
    "softshrink": Function(4, ("lambd",)),
    "softsign": Function(4),
    "sqrt": Function(1),
    "square": Function(1),
    "step": Function(3, ("threshold", "value")),
    "tanhshrink": Function(2),
}
"""The functions of `Map`; their equations are those of torch's functions of the same name, in `graph.functions`."""


@final
@dataclass(frozen=True, eq=False)
class Map(Elementwise):
    """y = f(x) for each element, f a function of `MAPS` with its parameters in order.

    celu: max(0, x) + min(0, alpha (exp(x / alpha) - 1)); selu: 1.0507 times elu of 1.6733; mish: x tanh(log(1 +
    exp x)); softplus: log(1 + exp(beta x)) / beta, x where beta x > threshold; softsign: x / (1 + |x|); softshrink
    and hardshrink: 0 where |x| <= lambd; step: x where x > threshold, else value; round: half to even; sign(0) = 0.
    """

    function: str
    parameters: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.function not in MAPS:
            raise InputError(f"function {self.function!r} is not known", hint=suggest(self.function, MAPS))
        names = MAPS[self.function].parameters
        if len(self.parameters) != len(names):
            raise InputError(f"{self.function} takes parameters {names}, got {self.parameters}")

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        names = MAPS[self.function].parameters
        return host.function(self.function, inputs[0], **dict(zip(names, self.parameters, strict=True)))

    def operations(self, shapes: Sequence[Shape]) -> int:
        """The function's steps per element."""
        return MAPS[self.function].steps * positive_size(single(shapes))


@final
@dataclass(frozen=True, eq=False)
class PReLU(Elementwise):
    """y = x where x > 0, else slope x, with a slope per channel, or one (1,). A compare and a multiply per element."""

    steps = 2
    slope: np.ndarray
    axis: int = -1

    def __post_init__(self) -> None:
        check_axes(self.axis)
        object.__setattr__(self, "slope", frozen_array(self.slope))
        if self.slope.ndim != 1 or not self.slope.size:
            raise InputError(f"slope has shape {self.slope.shape}, expected a vector")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        if self.slope.size != 1:
            check_axes(self.axis, rank=len(shape))
            if shape[self.axis] != self.slope.size:
                raise InputError(f"input has shape {shape}, expected {self.slope.size} channels on axis {self.axis}")
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        from neuromorph.graph.tensors import parameter

        x = inputs[0]
        slope = parameter(self, "slope", host, x)
        if self.slope.size != 1:
            slope = slope.reshape(-1, *(1,) * (-self.axis - 1))
        return torch.where(x > 0, x, slope * x)


@final
@dataclass(frozen=True, eq=False)
class Affine(Operator):
    """y = scale x + shift with arrays of constants that broadcast with the last axes of a sample.

    scale, shift: any shapes that broadcast; None is left out. Learned positions, causal masks (a shift of -1e30 stands
    for minus infinity), rotary factors. A step per element and array; constants that vary along one axis only are a
    `BatchNorm`.
    """

    scale: np.ndarray | None = None
    shift: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("scale", "shift"):
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen_array(values))
        if self.scale is None and self.shift is None:
            raise InputError("neither scale nor shift is given")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        arrays = [values.shape for values in (self.scale, self.shift) if values is not None]
        try:
            made = np.broadcast_shapes(shape, *arrays)
        except ValueError:
            made = ()
        if len(made) != len(shape):
            raise InputError(f"input has shape {shape}, the constants {', '.join(map(str, arrays))}: they do not fit")
        return tuple(made)

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import parameter

        y = inputs[0]
        if self.scale is not None:
            y = y * parameter(self, "scale", host, y)
        return y if self.shift is None else y + parameter(self, "shift", host, y)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """One per output element and array."""
        arrays = (self.scale is not None) + (self.shift is not None)
        return arrays * positive_size(self.output_shape(shapes))
