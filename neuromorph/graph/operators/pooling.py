"""Pooling over windows and over whole axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from neuromorph.errors import InputError
from neuromorph.graph.model import Host, Operator, Shape, Window
from neuromorph.graph.operators.activation import check_axes
from neuromorph.graph.operators.convolution import split_time, windowed
from neuromorph.graph.operators.dense import positive_size, single

if TYPE_CHECKING:
    import torch

_PAIRS_2D = Window((2, 2), (2, 2))
_PAIRS_1D = Window((1, 2), (1, 2))


class _Pooling(Operator):
    """A window per channel of (channels, height, width), or of (channels, length) with height 1; steps may lead."""

    pools: ClassVar[bool] = True
    axes: ClassVar[int]
    window: Window

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        lead, (channels, *size) = split_time(single(shapes), self.axes)
        if self.axes == 2:
            if self.window.kernel[0] != 1:
                raise InputError(f"window {self.window.kernel} must have height 1 on a sequence")
            return (*lead, channels, windowed(self.window, 1, size[0])[1])
        return (*lead, channels, *windowed(self.window, size[0], size[1]))

    def pool(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) -> (batch, channels, rows, cols)."""
        raise TypeError(f"{type(self).__name__} defines no pool")

    def _over_maps(self, x: torch.Tensor) -> torch.Tensor:
        from neuromorph.graph.tensors import with_leading

        if self.axes == 2:
            return with_leading(self.pool, x.unsqueeze(-2), 3).squeeze(-2)
        return with_leading(self.pool, x, 3)

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return self._over_maps(inputs[0])


_HALVES = Window((2, 2), (2, 2))


def _largest_of_pairs(x: torch.Tensor) -> torch.Tensor:
    """2 x 2 windows side by side: two elementwise maxima take a tenth of the time of general pooling on a CPU."""
    import torch

    rows = torch.maximum(x[..., ::2, :], x[..., 1::2, :])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


class _MaxPool(_Pooling):
    def pool(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        window = self.window
        if window == _HALVES and x.shape[-2] % 2 == 0 and x.shape[-1] % 2 == 0:
            return _largest_of_pairs(x)
        top, bottom, left, right = window.padding
        kernel = window.kernel
        even = top == bottom and left == right and 2 * top <= kernel[0] and 2 * left <= kernel[1]
        if not even:
            x = functional.pad(x, (left, right, top, bottom), value=float("-inf"))
        padding = (top, left) if even else (0, 0)
        return functional.max_pool2d(x, kernel, window.stride, padding, window.dilation)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """A compare per window element but the first."""
        return positive_size(self.output_shape(shapes)) * (self.window.kernel[0] * self.window.kernel[1] - 1)


@final
@dataclass(frozen=True, eq=False)
class MaxPool2d(_MaxPool):
    """y[c, i, j] = max over the window of x[c]; padding never wins."""

    axes = 3
    window: Window = _PAIRS_2D


@final
@dataclass(frozen=True, eq=False)
class MaxPool1d(_MaxPool):
    """y[c, t] = max over the window of x[c]; the window has height 1, padding never wins."""

    axes = 2
    window: Window = _PAIRS_1D


class _AvgPool(_Pooling):
    count_padding: bool

    def __post_init__(self) -> None:
        if self.window.dilation != (1, 1):
            raise InputError(f"dilation {self.window.dilation} is not defined for average pooling")

    def pool(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        window = self.window
        top, bottom, left, right = window.padding
        kernel = window.kernel
        if top == bottom and left == right and 2 * top <= kernel[0] and 2 * left <= kernel[1]:
            return functional.avg_pool2d(x, kernel, window.stride, (top, left), count_include_pad=self.count_padding)
        around = (left, right, top, bottom)
        y = functional.avg_pool2d(functional.pad(x, around), kernel, window.stride)
        if self.count_padding:
            return y
        inside = functional.pad(x.new_ones((1, 1, *x.shape[-2:])), around)
        return y / functional.avg_pool2d(inside, kernel, window.stride)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """An add per window element but the first, and one multiply, per output."""
        return positive_size(self.output_shape(shapes)) * self.window.kernel[0] * self.window.kernel[1]


@final
@dataclass(frozen=True, eq=False)
class AvgPool2d(_AvgPool):
    """y[c, i, j] = mean over the window of x[c]; zeros of the padding count unless count_padding is off."""

    axes = 3
    window: Window = _PAIRS_2D
    count_padding: bool = True


@final
@dataclass(frozen=True, eq=False)
class AvgPool1d(_AvgPool):
    """y[c, t] = mean over the window of x[c]; the window has height 1, padding as for AvgPool2d."""

    axes = 2
    window: Window = _PAIRS_1D
    count_padding: bool = True


class Global(Operator):
    """Base of operators that make one value of whole axes, which stay with size 1 if keep is set."""

    pools: ClassVar[bool] = True
    axes: tuple[int, ...]
    keep: bool

    def __post_init__(self) -> None:
        check_axes(*self.axes)
        if not self.axes or len(set(self.axes)) != len(self.axes):
            raise InputError(f"axes {self.axes} must name at least one axis, each once")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(*self.axes, rank=len(shape))
        reduced = {len(shape) + axis for axis in self.axes}
        return tuple(1 if i in reduced else n for i, n in enumerate(shape) if self.keep or i not in reduced)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """One per input element: the adds or compares, and for the mean one multiply per output."""
        return positive_size(single(shapes))


@final
@dataclass(frozen=True, eq=False)
class GlobalAvgPool(Global):
    """y = mean of x over whole axes, by default (height, width), which stay with size 1 if keep is set."""

    axes: tuple[int, ...] = (-2, -1)
    keep: bool = True

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return inputs[0].mean(self.axes, keepdim=self.keep)


@final
@dataclass(frozen=True, eq=False)
class GlobalMaxPool(Global):
    """y = maximum of x over whole axes, by default (height, width), which stay with size 1 if keep is set."""

    axes: tuple[int, ...] = (-2, -1)
    keep: bool = True

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return inputs[0].amax(self.axes, keepdim=self.keep)
