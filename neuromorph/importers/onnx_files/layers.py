"""Matrix layers and pools."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuromorph.graph.model import NumberFormat, Window
from neuromorph.graph.operators import pooling
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.wiring import Pad, Spread
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
    key = (id(held), None if bias is None else bias.tobytes())
    if key not in b.shared:
        b.shared[key] = Linear(finite(held.array).T, bias, weight_format=weight_format(held, 1))
        b.shared[id(held), "kept"] = b.shared[key]
    return b.emit(b.shared[key], [x])


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
        while held.array.ndim > 2 and held.array.shape[0] == 1:
            held = Const(held.array[0])
        if held.array.ndim != 2:
            raise Refused(f"has a constant of shape {y.array.shape}", "matrices of two axes are stored")
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
    from neuromorph.graph.operators.pairwise import Pairwise

    other = call.value(2)
    return b.pair(Pairwise("add"), z, other if beta == 1 else b.arithmetic("multiply", other, np.asarray(beta)))


def batch_first(x: Value, *ranks: int) -> int:
    """Number of map axes (1 or 2); a tensor without batch axis keeps its first as a leading one."""
    axes = len(x.full) - 2
    if axes not in ranks:
        raise Refused(f"works on a tensor of shape {x.full}", "(batch, channels, length) or (..., height, width)")
    if x.batch not in (0, None):
        raise Refused("has its batch axis in another place than first", "move it to the front before")
    return axes


def window_of(call: Call, sizes: Sequence[int], kernel: Sequence[int], up: bool = False) -> tuple[Window, bool]:
    """The window of a node in (height, width), and whether ceil_mode added to its padding."""
    n = len(sizes)
    strides = call.ints("strides", -1, [1] * n) or [1] * n
    dilations = call.ints("dilations", -1, [1] * n) or [1] * n
    pads = call.ints("pads", -1, [0] * 2 * n) or [0] * 2 * n
    auto = call.attr("auto_pad", "NOTSET")
    if min(*kernel, *strides, *dilations) < 1 or min(pads) < 0 or max(*kernel, *strides, *dilations, *pads) > 2**20:
        raise Refused(f"has kernel {list(kernel)}, strides {strides}, dilations {dilations}, pads {pads}")
    if not len(kernel) == len(strides) == len(dilations) == len(pads) // 2 == n:
        raise Refused(f"has sizes for another number of axes than {n}")
    before, after = list(pads[:n]), list(pads[n:])
    grown = False
    for i, (size, k, s, d) in enumerate(zip(sizes, kernel, strides, dilations, strict=True)):
        span = d * (k - 1) + 1
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            total = max(0, (-(-size // s) - 1) * s + span - size)
            before[i] = total // 2 if auto == "SAME_UPPER" else total - total // 2
            after[i] = total - before[i]
        elif auto == "VALID":
            before[i] = after[i] = 0
        elif auto not in ("NOTSET", ""):
            raise Refused(f"has auto_pad {auto!r}", "legal: NOTSET, VALID, SAME_UPPER, SAME_LOWER")
        if up and auto in ("NOTSET", "", "VALID"):
            count = math.ceil((size + before[i] + after[i] - span) / s) + 1
            count -= (count - 1) * s >= size + before[i]
            more = (count - 1) * s + span - size - before[i]
            if more > after[i]:
                after[i], grown = more, True
    two = [(1, *v) if n == 1 else tuple(v) for v in (kernel, strides, dilations)]
    sides = (0, 0, before[0], after[0]) if n == 1 else (before[0], after[0], before[1], after[1])
    k2, s2, d2 = ((int(v[0]), int(v[1])) for v in two)
    return Window(k2, s2, sides, d2), grown


def convolve(call: Call, x: Value, held: Const, bias: np.ndarray | None) -> Value:
    """A convolution of one or two axes with constant weights."""
    axes = batch_first(x, 1, 2)
    if held.array.ndim != axes + 2:
        raise Refused(f"has a weight of shape {held.array.shape} on {x.full}")
    kernel = call.ints("kernel_shape", -1) or list(held.array.shape[2:])
    if list(kernel) != list(held.array.shape[2:]):
        raise Refused(f"has kernel_shape {kernel} and a weight of shape {held.array.shape}")
    window, _ = window_of(call, x.full[2:], kernel)
    cls: Any = Conv2d if axes == 2 else Conv1d
    groups = int(call.attr("group", 1))
    key = (id(held), window, groups, None if bias is None else bias.tobytes())
    if key not in call.builder.shared:
        weight = finite(held.array)
        made = cls(weight, bias, weight_format=weight_format(held, 0), window=window, groups=groups)
        call.builder.shared[key] = made
    return call.builder.emit(call.builder.shared[key], [x])


@reads("Conv")
def _conv(call: Call) -> Result:
    bias = None if not call.has(2) else finite(call.const(2, "bias"))
    return convolve(call, call.value(), call.held(1, "weight"), bias)


@reads("ConvTranspose")
def _conv_transpose(call: Call) -> Result:
    """Zeros between the values, then a convolution with the kernel mirrored."""
    b, x, held = call.builder, call.value(), call.held(1, "weight")
    n = batch_first(x, 1, 2)
    kernel, groups = held.array.shape[2:], int(call.attr("group", 1))
    strides = call.ints("strides", -1) or [1] * n
    spread = call.ints("dilations", -1) or [1] * n
    extra = call.ints("output_padding", -1) or [0] * n
    pads = call.ints("pads", -1) or [0] * 2 * n
    wanted, auto = call.ints("output_shape", -1), call.attr("auto_pad", "NOTSET")
    if held.array.ndim != n + 2 or groups < 1 or held.array.shape[0] % groups or max(*strides, *spread, *pads) > 2**16:
        raise Refused(f"has a weight of shape {held.array.shape} in {groups} groups on {x.full}")
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
    for i in range(n):
        axis = i - n
        if strides[i] > 1:
            x = b.emit(Spread(axis, strides[i]), [x])
        reach = spread[i] * (kernel[i] - 1)
        x = padded(b, x, axis, reach - pads[i], reach - pads[i + n] + extra[i])
    weight = held.array.reshape(groups, held.array.shape[0] // groups, *held.array.shape[1:]).swapaxes(1, 2)
    weight = np.flip(weight.reshape(-1, *weight.shape[2:]), tuple(range(2, 2 + n)))
    plain = None if held.format is None or held.format.per_channel else held.format
    sides = (spread[0], spread[1]) if n == 2 else (1, spread[0])
    size = (kernel[0], kernel[1]) if n == 2 else (1, kernel[0])
    bias = None if not call.has(2) else finite(call.const(2, "bias"))
    cls: Any = Conv2d if n == 2 else Conv1d
    window = Window(size, (1, 1), (0, 0, 0, 0), sides)
    return b.emit(cls(finite(weight), bias, weight_format=plain, window=window, groups=groups), [x])


def padded(b: Builder, x: Value, axis: int, before: int, after: int, value: float = 0.0) -> Value:
    """Zeros before and after an axis; negative numbers cut."""
    from neuromorph.graph.operators.wiring import Slice

    size = x.shape[axis]
    if before < 0 or after < 0:
        x = b.emit(Slice(axis, max(0, -before), size - max(0, -after)), [x])
    if before > 0 or after > 0:
        x = b.emit(Pad(axis, max(0, before), max(0, after), value), [x])
    return x


@reads("MaxPool", moves=True)
def _max_pool(call: Call) -> Result:
    x = call.raw()
    axes = batch_first(x, 1, 2)
    kernel = call.ints("kernel_shape", -1) or []
    window, _ = window_of(call, x.full[2:], kernel, bool(call.attr("ceil_mode", 0)))
    return call.builder.emit(pooling.MaxPool2d(window) if axes == 2 else pooling.MaxPool1d(window), [x])


@reads("AveragePool")
def _avg_pool(call: Call) -> Result:
    return average_pool(call, call.value())


def average_pool(call: Call, x: Value) -> Value:
    """What ceil_mode adds at the end counts in no mean: each place is scaled by what its window holds."""
    b = call.builder
    axes = batch_first(x, 1, 2)
    window, grown = window_of(call, x.full[2:], call.ints("kernel_shape", -1) or [], bool(call.attr("ceil_mode", 0)))
    if window.dilation != (1, 1):
        raise Refused(f"has dilations {window.dilation}", "legal: 1")
    counted = bool(call.attr("count_include_pad", 0))
    cls: Any = pooling.AvgPool2d if axes == 2 else pooling.AvgPool1d
    y = b.emit(cls(window, counted), [x])
    if not (grown and counted):
        return y
    own, _ = window_of(call, x.full[2:], call.ints("kernel_shape", -1) or [])
    sizes = x.full[2:] if axes == 2 else (1, *x.full[2:])
    ratios = []
    for i, size in enumerate(sizes):
        low, high = own.padding[2 * i], own.padding[2 * i + 1]
        starts = np.arange(y.full[2:][i - 2 + axes] if i - 2 + axes >= 0 else 1) * window.stride[i] - low
        inside = np.minimum(starts + window.kernel[i], size + high) - starts
        ratios.append(window.kernel[i] / inside)
    scale = ratios[0][:, None] * ratios[1][None, :]
    return b.arithmetic("multiply", y, scale if axes == 2 else scale[0])


@reads("GlobalAveragePool")
def _global_avg(call: Call) -> Result:
    x = call.value()
    return call.builder.emit(pooling.GlobalAvgPool(tuple(range(2 - len(x.full), 0))), [x])


@reads("GlobalMaxPool", moves=True)
def _global_max(call: Call) -> Result:
    x = call.raw()
    return call.builder.emit(pooling.GlobalMaxPool(tuple(range(2 - len(x.full), 0))), [x])
