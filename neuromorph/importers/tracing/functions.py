"""Conversions of functions that compute without weights: activations, pooling, arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from neuromorph.graph.model import Operator, Window
from neuromorph.graph.operators import activation, pooling
from neuromorph.graph.operators.arithmetic import Add, BatchNorm, Multiply
from neuromorph.importers.tracing.layers import Sizes, pair
from neuromorph.importers.tracing.values import Builder, Conversion, Refused, Value, array, converts


@converts("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout")
def _dropout(b: Builder, x: Value, p: float = 0.5, training: bool = True, inplace: bool = False) -> Value:
    if training and p > 0:
        raise Refused("drops values in eval mode too", "pass training=self.training, or use a Dropout layer")
    return x


@converts(
    "identity",
    "contiguous",
    "clone",
    "detach",
    "to",
    "type",
    "type_as",
    "float",
    "double",
    "alias",
    "_to_copy",
    "lift_fresh_copy",
)
def _same(b: Builder, x: Value, *_: Any, **__: Any) -> Value:
    return x


def _activation(operator: Operator) -> Conversion:
    def convert(b: Builder, x: Value, inplace: bool = False) -> Value:
        return b.emit(operator, [x])

    return convert


for _name, _operator in {
    "relu": activation.ReLU(),
    "relu6": activation.ReLU6(),
    "sigmoid": activation.Sigmoid(),
    "tanh": activation.Tanh(),
    "hardsigmoid": activation.HardSigmoid(),
    "hardswish": activation.HardSwish(),
    "silu": activation.SiLU(),
}.items():
    converts(_name)(_activation(_operator))


@converts("leaky_relu")
def _leaky(b: Builder, x: Value, negative_slope: float = 0.01, inplace: bool = False) -> Value:
    return b.emit(activation.LeakyReLU(float(negative_slope)), [x])


@converts("elu")
def _elu(
    b: Builder, x: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0, inplace: bool = False
) -> Value:
    if scale not in (1, True, False) or input_scale != 1:
        raise Refused("has a scale", "only alpha may be given")
    return b.emit(activation.ELU(float(alpha)), [x])


@converts("gelu")
def _gelu(b: Builder, x: Value, approximate: str = "none") -> Value:
    return b.emit(activation.GELU(approximate == "tanh"), [x])


@converts("hardtanh")
def _hardtanh(b: Builder, x: Value, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Value:
    return _clip(b, x, min_val, max_val)


@converts("clamp", "clip", "clamp_min")
def _clip(b: Builder, x: Value, min: Any = None, max: Any = None) -> Value:
    if any(isinstance(limit, Value | torch.Tensor) for limit in (min, max)):
        raise Refused("has limits that are tensors", "give numbers")
    if (min, max) == (0, None):
        return b.emit(activation.ReLU(), [x])
    if (min, max) == (0, 6):
        return b.emit(activation.ReLU6(), [x])
    return b.emit(activation.Clip(*(None if v is None else float(v) for v in (min, max))), [x])


@converts("clamp_max")
def _clamp_max(b: Builder, x: Value, max: float) -> Value:
    return _clip(b, x, None, max)


@converts("softmax")
def _softmax(b: Builder, x: Value, dim: int | None = None, *_: Any, **__: Any) -> Value:
    return b.emit(activation.Softmax(x.axis(_softmax_dim(dim, x))), [x])


@converts("log_softmax")
def _log_softmax(b: Builder, x: Value, dim: int | None = None, *_: Any, **__: Any) -> Value:
    return b.emit(activation.Softmax(x.axis(_softmax_dim(dim, x)), log=True), [x])


def _softmax_dim(dim: int | None, x: Value) -> int:
    """torch's rule for a dim left out: 0 on 1 or 3 axes, else 1."""
    return dim if dim is not None else (0 if len(x.full) in (1, 3) else 1)


def _pool_window(axes: int, kernel: Sizes, stride: Any, padding: Sizes, dilation: Sizes = 1) -> Window:
    steps = kernel if stride is None or stride in ([], ()) else stride
    high, wide = pair(padding, axes) if axes == 2 else (0, pair(padding, 1)[1])
    spread = pair(dilation, axes) if axes == 2 else (1, pair(dilation, 1)[1])
    return Window(pair(kernel, axes), pair(steps, axes), (high, high, wide, wide), spread)


def _rounded_up(window: Window, shape: Sequence[int]) -> Window:
    """ceil_mode as padding at the end: a last window counts if it starts inside the map or its leading padding."""
    sizes = shape if len(shape) == 2 else (1, *shape)
    pads = []
    for size, k, s, d, before, after in zip(
        sizes, window.kernel, window.stride, window.dilation, window.padding[::2], window.padding[1::2], strict=True
    ):
        span = d * (k - 1) + 1
        count = math.ceil((size + before + after - span) / s) + 1
        if (count - 1) * s >= size + before:
            count -= 1
        pads += [before, max(after, (count - 1) * s + span - size - before)]
    return Window(window.kernel, window.stride, (pads[0], pads[1], pads[2], pads[3]), window.dilation)


def _max_pool(axes: int) -> Conversion:
    def convert(
        b: Builder,
        x: Value,
        kernel_size: Sizes,
        stride: Any = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Value:
        if return_indices:
            raise Refused("returns indices", "use return_indices=False")
        _maps(x, axes)
        window = _pool_window(axes, kernel_size, stride, padding, dilation)
        window = _rounded_up(window, x.shape[1:]) if ceil_mode else window
        return b.emit(pooling.MaxPool2d(window) if axes == 2 else pooling.MaxPool1d(window), [x])

    return convert


def _avg_pool(axes: int) -> Conversion:
    def convert(
        b: Builder,
        x: Value,
        kernel_size: Sizes,
        stride: Any = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Value:
        if divisor_override is not None:
            raise Refused("has divisor_override", "leave it out")
        _maps(x, axes)
        window = _pool_window(axes, kernel_size, stride, padding)
        if ceil_mode and _rounded_up(window, x.shape[1:]) != window:
            raise Refused(f"has ceil_mode on {x.shape[1:]}, where windows reach past the end", "use ceil_mode=False")
        cls = pooling.AvgPool2d if axes == 2 else pooling.AvgPool1d
        return b.emit(cls(window, bool(count_include_pad)), [x])

    return convert


for _axes in (1, 2):
    converts(f"max_pool{_axes}d")(_max_pool(_axes))
    converts(f"avg_pool{_axes}d")(_avg_pool(_axes))


def _maps(x: Value, axes: int) -> None:
    if x.batch != 0 or len(x.shape) != axes + 1:
        raise Refused(f"works on {axes + 2} axes with the batch first, found {len(x.full)}", "keep the batch axis")


def _adaptive(axes: int, largest: bool) -> Conversion:
    def convert(b: Builder, x: Value, output_size: Any, return_indices: bool = False) -> Value:
        _maps(x, axes)
        if return_indices:
            raise Refused("returns indices", "use return_indices=False")
        sizes = x.shape[1:]
        given = [output_size] * axes if isinstance(output_size, int) or output_size is None else list(output_size)
        wanted = [n if w is None else int(w) for w, n in zip(given, sizes, strict=True)]
        if all(w == 1 for w in wanted):
            cls = pooling.GlobalMaxPool if largest else pooling.GlobalAvgPool
            return b.emit(cls(tuple(range(-axes, 0)), True), [x])
        if any(n % w for w, n in zip(wanted, sizes, strict=True)):
            raise Refused(f"pools {tuple(sizes)} to {tuple(wanted)}, which does not divide", "choose a divisor")
        kernel = pair([n // w for w, n in zip(wanted, sizes, strict=True)], axes)
        window = Window(kernel, kernel)
        two, one = (pooling.MaxPool2d, pooling.MaxPool1d) if largest else (pooling.AvgPool2d, pooling.AvgPool1d)
        return b.emit((two if axes == 2 else one)(window), [x])

    return convert


for _axes in (1, 2):
    converts(f"adaptive_avg_pool{_axes}d")(_adaptive(_axes, False))
    converts(f"adaptive_max_pool{_axes}d")(_adaptive(_axes, True))


@converts("mean")
def _mean(b: Builder, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    return _reduced(b, x, dim, keepdim, pooling.GlobalAvgPool)


@converts("amax")
def _amax(b: Builder, x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    return _reduced(b, x, dim, keepdim, pooling.GlobalMaxPool)


def _reduced(b: Builder, x: Value, dim: Any, keepdim: bool, cls: Any) -> Value:
    if dim is None or dim in ([], ()):
        raise Refused("reduces all axes, the batch axis too", "name the axes")
    dims = [int(d) % len(x.full) for d in ([dim] if isinstance(dim, int) else dim)]
    axes = tuple(sorted(x.axis(d) for d in dims))
    if len(axes) == len(x.shape) and not keepdim:
        raise Refused("leaves one number per sample without an axis", "use keepdim=True")
    batch = x.batch if keepdim else x.batch - sum(d < x.batch for d in dims)
    return b.emit(cls(axes, bool(keepdim)), [x], batch)


@converts("add", "iadd", "radd")
def _add(b: Builder, x: Any, other: Any, alpha: float = 1) -> Value:
    if isinstance(x, Value) and isinstance(other, Value):
        if alpha != 1:
            raise Refused(f"has alpha={alpha}", "scale before")
        return _joined(b, Add(), x, other)
    return _affine(b, x, shift=other, factor=alpha) if isinstance(x, Value) else _affine(b, other, shift=x)


@converts("sub", "isub", "subtract")
def _sub(b: Builder, x: Any, other: Any, alpha: float = 1) -> Value:
    if isinstance(x, Value) and isinstance(other, Value):
        return _joined(b, Add(), x, _affine(b, other, scale=-alpha))
    if isinstance(x, Value):
        return _affine(b, x, shift=other, factor=-alpha)
    return _affine(b, other, scale=-alpha, shift=x)


@converts("rsub")
def _rsub(b: Builder, x: Any, other: Any, alpha: float = 1) -> Value:
    return _sub(b, other, x, alpha)


@converts("mul", "imul", "multiply")
def _mul(b: Builder, x: Any, other: Any) -> Value:
    if isinstance(x, Value) and isinstance(other, Value):
        return _joined(b, Multiply(), x, other)
    return _affine(b, x, scale=other) if isinstance(x, Value) else _affine(b, other, scale=x)


@converts("div", "truediv", "itruediv", "true_divide", "divide")
def _div(b: Builder, x: Any, other: Any, rounding_mode: str | None = None) -> Value:
    if isinstance(other, Value) or rounding_mode is not None:
        raise Refused("divides by a value or rounds", "only constants divide")
    return _affine(b, x, scale=1.0 / other)


@converts("neg")
def _neg(b: Builder, x: Value) -> Value:
    return _affine(b, x, scale=-1.0)


def _joined(b: Builder, operator: Operator, x: Value, other: Value) -> Value:
    if x.batch - len(x.full) != other.batch - len(other.full) or len(x.full) != len(other.full):
        raise Refused(f"joins shapes {x.full} and {other.full} with the batch axis in different places", "align them")
    return b.emit(operator, [x, other])


def _affine(b: Builder, x: Value, scale: Any = 1.0, shift: Any = 0.0, factor: float = 1) -> Value:
    """scale * x + factor * shift with constants, numbers or one value per channel."""
    parts = []
    axes = set()
    for constant in (scale, shift):
        values = _collapsed(array(torch.as_tensor(constant, dtype=torch.float64), "constant"))
        wide = [k - values.ndim for k, n in enumerate(values.shape) if n != 1]
        if len(wide) > 1 or any(-k > len(x.full) for k in wide):
            raise Refused(f"has a constant of shape {values.shape}", "use one number, or one per channel")
        axes.update(wide)
        parts.append(values.reshape(-1))
    if len(axes) > 1:
        raise Refused("has constants along two axes", "use one number, or one per channel")
    axis = x.axis(axes.pop()) if axes else -1
    size = max(part.size for part in parts)
    if size == 1 and parts[0][0] == 1 and parts[1][0] == 0:
        return x
    scales, shifts = (np.broadcast_to(part, (size,)) for part in parts)
    return b.emit(BatchNorm(scales, shifts * factor, axis), [x])


def _collapsed(values: np.ndarray) -> np.ndarray:
    """The array with size 1 along every axis along which it does not change."""
    for axis in range(values.ndim):
        first = values.take([0], axis)
        if np.all(values == first):
            values = first
    return values
