"""Matrix layers and pools."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuromorph.graph.model import NumberFormat, Window
from neuromorph.graph.operators import pooling
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.importers.kernels import Kernel, convolution_3d, transposed_convolution
from neuromorph.importers.maps import averaged, einsum, rounded_up, stacked
from neuromorph.importers.onnx_files.elementwise import product
from neuromorph.importers.onnx_files.values import Builder, Call, Const, Refused, Result, Value, finite, reads


def weight_format(held: Const, outputs: int) -> NumberFormat | None:
    """The format of a weight whose axis `outputs` becomes axis 0; None where its scales run along another axis."""
    found = held.format
    axis = getattr(found, "axis", None)
    if found is None or axis is None or not found.per_channel:
        return found if axis is None or found is None else dataclasses.replace(found, axis=None)  # type: ignore[call-arg]
    return dataclasses.replace(found, axis=0) if axis % held.array.ndim == outputs else None  # type: ignore[call-arg]


def vector_bias(bias: np.ndarray | None, outputs: int) -> np.ndarray | None:
    """A bias of one number per output, or None where it is none or of another shape."""
    if bias is None or bias.size not in (1, outputs) or (bias.ndim and bias.shape[-1] != bias.size):
        return None
    return np.broadcast_to(finite(bias).reshape(-1), (outputs,))


def linear(b: Builder, x: Value, held: Const, bias: np.ndarray | None = None) -> Value:
    """x W + bias along the last axis; held: (in, out)."""
    if x.batch is not None and x.batch == len(x.full) - 1:
        raise Refused("works along the batch axis", "samples must not mix")
    key = None if bias is None else bias.tobytes()
    make = lambda: Linear(finite(held.array).T, bias, weight_format=weight_format(held, 1))  # noqa: E731
    return b.emit(b.once(key, make, held), [x])


@reads("MatMul")
def _matmul(call: Call) -> Result:
    b = call.builder
    x, y = call.inputs[:2]
    if isinstance(x, Value) and isinstance(y, Value):
        return product(call, call.value(0), call.value(1))
    return matmul(
        b, call.value(0) if isinstance(x, Value) else call.held(0), y if isinstance(y, Const) else call.value(1)
    )


def matmul(b: Builder, x: Value | Const, y: Value | Const) -> Value:
    """A product of which one side is constant."""
    if isinstance(x, Value) and isinstance(y, Const):
        held = dataclasses.replace(y, array=y.array.reshape(-1, 1)) if y.array.ndim == 1 else y
        if held.array.ndim > 2:
            return _heads(b, x, held.array)
        z = linear(b, x, held)
        return b.reshaped(z, z.full[:-1]) if y.array.ndim == 1 else z
    assert isinstance(x, Const)
    assert isinstance(y, Value)
    if x.array.ndim == 1 and len(y.full) >= 2:
        z = matmul(b, Const(x.array.reshape(1, -1)), y)
        return b.reshaped(z, (*z.full[:-2], z.full[-1]))
    if x.array.ndim != 2 or len(y.full) < 2:
        raise Refused(f"has a constant of shape {x.array.shape} before a value of {y.full}", "matrices have two axes")
    rank = len(y.full)
    order = [*range(rank - 2), rank - 1, rank - 2]
    return b.permuted(linear(b, b.permuted(y, order), transposed(x, (1, 0))), order)


def _heads(b: Builder, x: Value, array: np.ndarray) -> Value:
    """Stacked constant matrices: one for each index of the axes before the last two."""
    rank, each = len(x.full), [Const(m) for m in array.reshape(-1, *array.shape[-2:])]
    dims = [rank + k for k in range(-array.ndim, -2) if array.shape[k] != 1]
    if any(d < 0 or x.full[d] != array.shape[d - rank] for d in dims):
        raise Refused(f"multiplies {x.full} by a constant of shape {array.shape}", "a matrix per index of an axis")
    return stacked(b, x, dims, lambda v, i: linear(b, v, each[i]))


def transposed(held: Const, order: Sequence[int]) -> Const:
    """A constant with its axes in another order, the axis of its format with it."""
    axis = getattr(held.format, "axis", None)
    found = held.format
    if found is not None and axis is not None:
        found = dataclasses.replace(found, axis=list(order).index(axis % held.array.ndim))  # type: ignore[call-arg]
    return Const(held.array.transpose(order), found)


@reads("Gemm")
def _gemm(call: Call) -> Result:
    b = call.builder
    alpha, beta = float(call.attr("alpha", 1.0)), float(call.attr("beta", 1.0))
    x, y = call.inputs[:2]
    if isinstance(y, Value):
        left: Value | Const = call.value(0) if isinstance(x, Value) else call.held(0)
        right: Value = call.value(1)
        if call.attr("transA", 0):
            left = b.permuted(left, (1, 0)) if isinstance(left, Value) else transposed(left, (1, 0))
        right = b.permuted(right, (1, 0)) if call.attr("transB", 0) else right
        z = product(call, left, right) if isinstance(left, Value) else matmul(b, left, right)
    else:
        held = call.held(1, "matrix")
        if held.array.ndim != 2:
            raise Refused(f"has a matrix of shape {held.array.shape}", "two axes")
        held = transposed(held, (1, 0)) if call.attr("transB", 0) else held
        if alpha != 1 and held.format is None:
            held, alpha = Const(held.array.astype(np.float64) * alpha), 1.0
        left_value = call.value(0)
        if call.attr("transA", 0):
            left_value = b.permuted(left_value, (1, 0))
        given = call.inputs[2] if call.has(2) else None
        bias = vector_bias(given.array * beta, held.array.shape[1]) if isinstance(given, Const) and alpha == 1 else None
        z = linear(b, left_value, held, bias)
        if bias is not None:
            return z
    if alpha != 1:
        z = b.arithmetic("multiply", z, np.asarray(alpha))
    if not call.has(2):
        return z
    if isinstance(call.inputs[2], Const):
        return b.arithmetic("add", z, call.const(2) * beta)
    other = call.value(2)
    return b.pairwise("add", z, other if beta == 1 else b.arithmetic("multiply", other, np.asarray(beta)))


def batch_first(x: Value, *ranks: int) -> int:
    """Number of map axes; a tensor without batch axis keeps its first as a leading one."""
    axes = len(x.full) - 2
    if axes not in ranks:
        raise Refused(f"works on a tensor of shape {x.full}", "(batch, channels, length) or (..., height, width)")
    if x.batch not in (0, None):
        raise Refused("has its batch axis in another place than first", "move it to the front before")
    return axes


Axis = tuple[int, int, int, int, int, int]
"""Kernel, stride, padding before, padding after, dilation, and padding after as ceil_mode makes it."""


def axes_of(call: Call, sizes: Sequence[int], kernel: Sequence[int], up: bool = False) -> list[Axis]:
    """The window of a node along each axis; without ceil_mode (`up`) the last number is the padding."""
    n = len(sizes)
    strides = call.ints("strides", -1, [1] * n) or [1] * n
    dilations = call.ints("dilations", -1, [1] * n) or [1] * n
    pads = call.ints("pads", -1, [0] * 2 * n) or [0] * 2 * n
    auto = call.attr("auto_pad", "NOTSET")
    if auto not in ("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", ""):
        raise Refused(f"has auto_pad {auto!r}", "legal: NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    if min(*kernel, *strides, *dilations) < 1 or min(pads) < 0 or max(*kernel, *strides, *dilations, *pads) > 2**20:
        raise Refused(f"has kernel {list(kernel)}, strides {strides}, dilations {dilations}, pads {pads}")
    if not len(kernel) == len(strides) == len(dilations) == len(pads) // 2 == n:
        raise Refused(f"has sizes for another number of axes than {n}")
    found: list[Axis] = []
    for i, (size, k, s, d) in enumerate(zip(sizes, kernel, strides, dilations, strict=True)):
        before, after = (pads[i], pads[i + n]) if auto in ("NOTSET", "") else (0, 0)
        if auto.startswith("SAME"):
            total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
            before = total // 2 if auto == "SAME_UPPER" else total - total // 2
            after = total - before
        elif up:
            found.append((k, s, before, after, d, rounded_up(size, k, s, before, after, d)))
            continue
        found.append((k, s, before, after, d, after))
    return found


def window(axes: Sequence[Axis]) -> Window:
    """As (height, width), height 1 for one axis."""
    high, wide = axes if len(axes) == 2 else ((1, 1, 0, 0, 1, 0), axes[0])
    pads = (high[2], high[5], wide[2], wide[5])
    return Window((high[0], wide[0]), (high[1], wide[1]), pads, (high[4], wide[4]))


def convolve(call: Call, x: Value, held: Const, bias: np.ndarray | None) -> Value:
    """A convolution of one to three axes with constant weights."""
    b, axes = call.builder, batch_first(x, 1, 2, 3)
    if held.array.ndim != axes + 2:
        raise Refused(f"has a weight of shape {held.array.shape} on {x.full}")
    kernel = call.ints("kernel_shape", -1) or list(held.array.shape[2:])
    if list(kernel) != list(held.array.shape[2:]):
        raise Refused(f"has kernel_shape {kernel} and a weight of shape {held.array.shape}")
    sides, groups = axes_of(call, x.full[2:], kernel), int(call.attr("group", 1))
    key = (tuple(sides), groups, None if bias is None else bias.tobytes())
    if axes == 3:
        if groups != 1:
            raise Refused(f"has {groups} groups on three axes", "legal: 1")
        _, steps, before, after, spread, _ = zip(*sides, strict=True)
        once = lambda settings, make: b.once((key, settings), make, held)  # noqa: E731
        kernel3 = Kernel(finite(held.array), format=weight_format(held, 0))
        return convolution_3d(b, x, once, kernel3, bias, steps, list(zip(before, after, strict=True)), spread)
    cls: Any = Conv2d if axes == 2 else Conv1d
    made = {"weight_format": weight_format(held, 0), "window": window(sides), "groups": groups}
    return b.emit(b.once(key, lambda: cls(finite(held.array), bias, **made), held), [x])


@reads("Conv")
def _conv(call: Call) -> Result:
    bias = None if not call.has(2) else finite(call.const(2, "bias"))
    return convolve(call, call.value(), call.held(1, "weight"), bias)


@reads("ConvTranspose")
def _conv_transpose(call: Call) -> Result:
    """The convolution that makes blocks of outputs."""
    b, x, held = call.builder, call.value(), call.held(1, "weight")
    n = batch_first(x, 1, 2)
    kernel, groups = held.array.shape[2:], int(call.attr("group", 1))
    strides = call.ints("strides", -1) or [1] * n
    spread = call.ints("dilations", -1) or [1] * n
    extra = call.ints("output_padding", -1) or [0] * n
    pads = call.ints("pads", -1) or [0] * 2 * n
    wanted, auto = call.ints("output_shape", -1), call.attr("auto_pad", "NOTSET")
    shape = held.array.shape
    if held.array.ndim != n + 2 or groups < 1 or shape[0] % groups or max(*strides, *spread, *pads) > 2**16:
        raise Refused(f"has a weight of shape {shape} in {groups} groups on {x.full}")
    if auto.startswith("SAME") and wanted is None:
        wanted = [size * s for size, s in zip(x.full[2:], strides, strict=True)]
    for i in range(n):
        full = strides[i] * (x.full[2 + i] - 1) + extra[i] + (kernel[i] - 1) * spread[i] + 1
        if wanted is not None:
            total = full - wanted[-n:][i]
            small, large = total // 2, total - total // 2
            pads[i], pads[i + n] = (small, large) if auto == "SAME_UPPER" else (large, small)
        elif auto == "VALID":
            pads[i] = pads[i + n] = 0
    bias = None if not call.has(2) else finite(call.const(2, "bias"))
    ends = [p - e for p, e in zip(pads[n:], extra, strict=True)]
    (s, t), (p, q), (u, v), (d, e) = (
        (y[0], y[1]) if n == 2 else (one, y[0]) for y, one in ((strides, 1), (pads, 0), (ends, 0), (spread, 1))
    )
    key = None if bias is None else bias.tobytes()
    once = lambda settings, make: b.once((key, settings), make, held)  # noqa: E731
    weight = Kernel(finite(held.array), format=weight_format(held, 1))
    return transposed_convolution(b, x, once, weight, bias, (s, t), (p, q), (u, v), (d, e), groups)


@reads("MaxPool", moves=True)
def _max_pool(call: Call) -> Result:
    b, x = call.builder, call.raw()
    n = batch_first(x, 1, 2, 3)
    sides = axes_of(call, x.full[2:], call.ints("kernel_shape", -1) or [], bool(call.attr("ceil_mode", 0)))
    if n < 3:
        return b.emit((pooling.MaxPool2d if n == 2 else pooling.MaxPool1d)(window(sides)), [x])
    return averaged(b, x, sides, None)


@reads("AveragePool")
def _avg_pool(call: Call) -> Result:
    return average_pool(call, call.value())


def average_pool(call: Call, x: Value) -> Value:
    """What ceil_mode adds at the end counts in no mean."""
    n, counted = batch_first(x, 1, 2, 3), bool(call.attr("count_include_pad", 0))
    sides = axes_of(call, x.full[2:], call.ints("kernel_shape", -1) or [], bool(call.attr("ceil_mode", 0)))
    if n == 3 or any(d != 1 or after != reach for _, _, _, after, d, reach in sides):
        return averaged(call.builder, x, sides, counted)
    cls: Any = pooling.AvgPool2d if n == 2 else pooling.AvgPool1d
    return call.builder.emit(cls(window(sides), counted), [x])


@reads("GlobalAveragePool")
def _global_avg(call: Call) -> Result:
    x = call.value()
    return call.builder.emit(pooling.GlobalAvgPool(tuple(range(2 - len(x.full), 0))), [x])


@reads("GlobalMaxPool", moves=True)
def _global_max(call: Call) -> Result:
    x = call.raw()
    return call.builder.emit(pooling.GlobalMaxPool(tuple(range(2 - len(x.full), 0))), [x])


@reads("Einsum")
def _einsum(call: Call) -> Result:
    b = call.builder
    given = [call.value(i) if isinstance(v, Value) else v for i, v in enumerate(call.inputs)]
    arrays = [v.array if isinstance(v, Const) else v for v in given]

    def weighted(x: Value, held: np.ndarray, order: Sequence[int]) -> Value:
        return linear(b, x, Const(held.transpose(order).reshape(-1, x.full[-1]).T))

    constant = lambda v: isinstance(v, np.ndarray)  # noqa: E731
    return einsum(b, call.attr("equation", ""), arrays, lambda x, y: product(call, x, y), weighted, constant)
