"""Convolutions over maps and sequences, grouped, strided, dilated and zero-padded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    def _check_channels(self, shape: Shape, axes: int) -> None:
        channels = self.weight.shape[1] * self.groups
        if len(shape) != axes or shape[0] != channels:
            layout = "(channels, length)" if axes == 2 else "(channels, height, width)"
            raise InputError(f"input has shape {shape}, expected {layout} with {channels} channels")

    def weight_matrices(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        return {"weight": grouped_matrix(weights["weight"], self.groups)}


@final
@dataclass(frozen=True, eq=False)
class Conv2d(_Convolution):
    """y[o, i, j] = b[o] + sum over c, u, v of W[o, c, u, v] x[c, i s_h + u d_h - p_top, j s_w + v d_w - p_left].

    weight: (out, in/groups, kh, kw); x outside the map is 0. Input (in, height, width), output (out, rows, cols).
    """

    window: Window = POINT
    groups: int = 1
    weight_axes = 4

    def __post_init__(self) -> None:
        self._check_window()

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        self._check_channels(shape, 3)
        return (self.weight.shape[0], *windowed(self.window, *shape[1:]))

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import add_bias, fake_quantize, parameter

        x = fake_quantize(inputs[0], self.input_format)
        y = host.conv("weight", x)
        return y if self.bias is None else add_bias(y, parameter(self, "bias", host, y)[:, None, None])

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
        _, rows, cols = self.output_shape(shapes)
        return (self.matrix(products=rows * cols, window=self.window, input_shape=single(shapes)),)


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
        shape = single(shapes)
        self._check_channels(shape, 2)
        return (self.weight.shape[0], windowed(self.window, 1, shape[1])[1])

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import add_bias, fake_quantize, parameter

        x = fake_quantize(inputs[0], self.input_format)
        y = host.conv("weight", x.unsqueeze(-2)).squeeze(-2)
        return y if self.bias is None else add_bias(y, parameter(self, "bias", host, y)[:, None])

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
        channels, length = single(shapes)
        _, positions = self.output_shape(shapes)
        return (self.matrix(products=positions, window=self.window, input_shape=(channels, 1, length)),)
