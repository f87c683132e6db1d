"""Elementwise non-linearities and softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from neuromorph.errors import InputError
from neuromorph.graph.model import Host, Operator, Shape
from neuromorph.graph.operators.dense import positive_size, single

if TYPE_CHECKING:
    import torch


class Elementwise(Operator):
    """Base of operators that map every element on its own; `steps` is the count of operations per element."""

    steps: ClassVar[int] = 1

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        return single(shapes)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """`steps` per element."""
        return self.steps * positive_size(single(shapes))


@final
@dataclass(frozen=True, eq=False)
class ReLU(Elementwise):
    """y = max(x, 0). One compare per element."""

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("relu", inputs[0])


@final
@dataclass(frozen=True, eq=False)
class ReLU6(Elementwise):
    """y = min(max(x, 0), 6). Two compares per element."""

    steps = 2

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("clip", inputs[0], min=0.0, max=6.0)


@final
@dataclass(frozen=True, eq=False)
class Clip(Elementwise):
    """y = min(max(x, low), high), a limit that is None left out. Two compares per element."""

    steps = 2
    low: float | None = -1.0
    high: float | None = 1.0

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            raise InputError("neither low nor high is given")
        if self.low is not None and self.high is not None and not self.low <= self.high:
            raise InputError(f"low {self.low} is above high {self.high}")

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("clip", inputs[0], min=self.low, max=self.high)


@final
@dataclass(frozen=True, eq=False)
class LeakyReLU(Elementwise):
    """y = x where x > 0, else slope * x. A compare and a multiply per element."""

    steps = 2
    slope: float = 0.01

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("leaky_relu", inputs[0], negative_slope=self.slope)


@final
@dataclass(frozen=True, eq=False)
class ELU(Elementwise):
    """y = x where x > 0, else alpha (exp(x) - 1). A compare, a look-up, a subtract and a multiply per element."""

    steps = 4
    alpha: float = 1.0

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("elu", inputs[0], alpha=self.alpha)


@final
@dataclass(frozen=True, eq=False)
class Sigmoid(Elementwise):
    """y = 1 / (1 + exp(-x)). One look-up per element."""

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("sigmoid", inputs[0])


@final
@dataclass(frozen=True, eq=False)
class Tanh(Elementwise):
    """y = tanh(x). One look-up per element."""

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("tanh", inputs[0])


@final
@dataclass(frozen=True, eq=False)
class HardSigmoid(Elementwise):
    """y = min(max(x + 3, 0), 6) / 6. An add, two compares and a multiply per element."""

    steps = 4

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("hardsigmoid", inputs[0])


@final
@dataclass(frozen=True, eq=False)
class HardSwish(Elementwise):
    """y = x * min(max(x + 3, 0), 6) / 6. As HardSigmoid and one multiply more."""

    steps = 5

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("hardswish", inputs[0])


@final
@dataclass(frozen=True, eq=False)
class SiLU(Elementwise):
    """y = x / (1 + exp(-x)). A look-up and a multiply per element."""

    steps = 2

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("silu", inputs[0])


@final
@dataclass(frozen=True, eq=False)
class GELU(Elementwise):
    """y = x Phi(x), Phi the standard normal distribution function. A look-up and a multiply per element.

    tanh_form uses Phi(x) = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, as torch's approximate="tanh".
    """

    steps = 2
    tanh_form: bool = False

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("gelu", inputs[0], tanh_form=self.tanh_form)


@final
@dataclass(frozen=True, eq=False)
class Softmax(Elementwise):
    """y = exp(x - max x) / sum exp(x - max x) along an axis; log takes the logarithm of that.

    5 operations per element (compare, subtract, exp, add, multiply), a look-up more with log.
    """

    axis: int = -1
    log: bool = False

    def __post_init__(self) -> None:
        check_axes(self.axis)

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(self.axis, rank=len(shape))
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return host.function("softmax", inputs[0], axis=self.axis, log=self.log)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """5 per element, 6 with log."""
        return (6 if self.log else 5) * positive_size(single(shapes))


def check_axes(*axes: int, rank: int | None = None) -> None:
    """Axes are counted from the end, and lie within a sample of `rank` axes where that is known."""
    for axis in axes:
        if axis >= 0:
            raise InputError(
                f"axis {axis} counts from the front", hint="count from the end: -1 is the last axis of a sample"
            )
        if rank is not None and axis < -rank:
            raise InputError(f"axis {axis} lies outside a sample with {rank} axes")
