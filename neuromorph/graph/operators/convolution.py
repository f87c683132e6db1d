"""Convolutions over maps and sequences, grouped, strided, dilated and zero-padded; a time axis may lead the sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, final

from neuromorph.errors import InputError
from neuromorph.graph.model import Host, Matrix, Shape, Window
from neuromorph.graph.operators.dense import Weighted, single

if TYPE_CHECKING:
    import torch

POINT = Window((1, 1))


def windowed(window: Window, height: int, width: int) -> tuple[int, int]:
    """Window positions over a map; raises InputError where the window does not fit once."""
    rows, cols = window.output(height, width)
    if rows < 1 or cols < 1:
        raise InputError(f"a {window.kernel} window (dilation {window.dilation}) does not fit on {(height, width)}")
    return rows, cols


def layout(axes: int) -> str:
    """Names of the axes of a map (3) or a sequence (2)."""
    return "(channels, length)" if axes == 2 else "(channels, height, width)"


def split_time(shape: Shape, axes: int) -> tuple[Shape, Shape]:
    """(steps,) or () and the last `axes` axes; raises InputError for any other rank."""
    if len(shape) not in (axes, axes + 1):
        raise InputError(f"input has shape {shape}, expected {layout(axes)}, or steps before these")
    return shape[:-axes], shape[-axes:]


def grouped_matrix(weight: Any, groups: int) -> Any:
    """(out, in/groups, *kernel) -> (groups, in/groups * kernel, out/groups); numpy or torch."""
    return weight.reshape(groups, weight.shape[0] // groups, -1).swapaxes(1, 2)


class _Convolution(Weighted):
    """What both convolutions share; subclasses are the dataclasses."""

    window: Window
    groups: int

    def _check_window(self) -> None:
        super().__post_init__()
        kernel = self.weight.shape[2:] if self.weight.ndim == 4 else (1, *self.weight.shape[2:])
        if self.window.kernel != tuple(kernel):
            raise InputError(f"window has kernel {self.window.kernel}, weight has {tuple(kernel)}")
        if self.groups < 1 or self.weight.shape[0] % self.groups:
            raise InputError(f"{self.weight.shape[0]} output channels do not divide into {self.groups} groups")

    def _split(self, shape: Shape, axes: int) -> tuple[Shape, Shape]:
        """The time axis, where there is one, and the axes of the map; refuses other channels and ranks."""
        channels = self.weight.shape[1] * self.groups
        lead, features = split_time(shape, axes)
        if features[0] != channels:
            raise InputError(f"input has shape {shape}, expected {layout(axes)} with {channels} channels")
        return lead, features

    def weight_matrices(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        return {"weight": grouped_matrix(weights["weight"], self.groups)}


@final
@dataclass(frozen=True, eq=False)
class Conv2d(_Convolution):
    """y[o, i, j] = b[o] + sum over c, u, v of W[o, c, u, v] x[c, i s_h + u d_h - p_top, j s_w + v d_w - p_left].

    weight: (out, in/groups, kh, kw); x outside the map is 0. Input (in, height, width), output (out, rows, cols);
    with a time axis (steps, in, height, width) and (steps, out, rows, cols).
    """

    window: Window = POINT
    groups: int = 1
    weight_axes = 4

    def __post_init__(self) -> None:
        self._check_window()

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        lead, (_, height, width) = self._split(single(shapes), 3)
        return (*lead, self.weight.shape[0], *windowed(self.window, height, width))

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import add_bias, fake_quantize, parameter

        x = fake_quantize(inputs[0], self.input_format)
        y = host.conv("weight", x)
        return y if self.bias is None else add_bias(y, parameter(self, "bias", host, y)[:, None, None])

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
        *lead, _, rows, cols = self.output_shape(shapes)
        products = prod(lead) * rows * cols
        return (self.matrix(products=products, window=self.window, input_shape=single(shapes)),)


@final
@dataclass(frozen=True, eq=False)
class Conv1d(_Convolution):
    """y[o, t] = b[o] + sum over c, u of W[o, c, u] x[c, t s + u d - p_left].

    weight: (out, in/groups, k); the window has height 1. Input (in, length), output (out, positions). The host
    is handed (..., in, 1, length).
    """

    window: Window = POINT
    groups: int = 1
    weight_axes = 3

    def __post_init__(self) -> None:
        self._check_window()

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        lead, (_, length) = self._split(single(shapes), 2)
        return (*lead, self.weight.shape[0], windowed(self.window, 1, length)[1])

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import add_bias, fake_quantize, parameter

        x = fake_quantize(inputs[0], self.input_format)
        y = host.conv("weight", x.unsqueeze(-2)).squeeze(-2)
        return y if self.bias is None else add_bias(y, parameter(self, "bias", host, y)[:, None])

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
        *lead, channels, length = single(shapes)
        products = prod(lead) * self.output_shape(shapes)[-1]
        return (self.matrix(products=products, window=self.window, input_shape=(*lead, channels, 1, length)),)
