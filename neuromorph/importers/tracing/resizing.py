"""Conversions that repeat, mirror, enlarge and shrink maps, and convolutions that enlarge them or have three axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from neuromorph.graph.model import Window
from neuromorph.graph.operators.attention import Resample
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.wiring import Take
from neuromorph.importers.tracing.functions import affine
from neuromorph.importers.tracing.layers import Sizes, batch_first
from neuromorph.importers.tracing.values import FUNCTIONS, Builder, Refused, Value, array, converts, optional_array
from neuromorph.importers.tracing.wiring import padded


def taken(b: Builder, x: Value, dim: int, indices: Sequence[int]) -> Value:
    """The elements of a tensor axis at these places, counted from the front."""
    if list(indices) == list(range(x.full[dim])):
        return x
    return b.emit(Take(x.axis(dim), tuple(int(i) for i in indices)), [x])


@converts("expand", "broadcast_to", "expand_copy")
def _expand(b: Builder, x: Value, *sizes: Any, implicit: bool = False) -> Value:
    wanted = list(sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes)
    x = b.reshaped(x, (*(1,) * (len(wanted) - len(x.full)), *x.full))
    for dim, size in enumerate(wanted):
        if size not in (-1, x.full[dim]):
            x = taken(b, x, dim, [0] * int(size))
    return x


@converts("expand_as")
def _expand_as(b: Builder, x: Value, other: Any) -> Value:
    return _expand(b, x, *(other.full if isinstance(other, Value) else other.shape))


@converts("repeat", "tile")
def _repeat(b: Builder, x: Value, *sizes: Any) -> Value:
    times = list(sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes)
    times = [1] * (len(x.full) - len(times)) + times
    x = b.reshaped(x, (*(1,) * (len(times) - len(x.full)), *x.full))
    for dim, n in enumerate(times):
        if n != 1:
            x = taken(b, x, dim, [*range(x.full[dim])] * int(n))
    return x


@converts("repeat_interleave")
def _repeat_interleave(b: Builder, x: Value, repeats: Any, dim: int | None = None, **_: Any) -> Value:
    if dim is None or not isinstance(repeats, int):
        raise Refused("repeats by a tensor or over all axes", "give a number and an axis")
    return taken(b, x, dim, [i for i in range(x.full[dim]) for _ in range(repeats)])


@converts("flip")
def _flip(b: Builder, x: Value, *dims: Any) -> Value:
    for dim in dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims:
        x = taken(b, x, dim, range(x.full[dim] - 1, -1, -1))
    return x


@converts("roll")
def _roll(b: Builder, x: Value, shifts: Any, dims: Any = None) -> Value:
    if dims is None or dims == ():
        raise Refused("rolls over all axes", "name the axes")
    pairs = zip(*((v,) if isinstance(v, int) else v for v in (shifts, dims)), strict=True)
    for shift, dim in pairs:
        size = x.full[dim]
        x = taken(b, x, dim, [(i - shift) % size for i in range(size)])
    return x


@converts("index_select")
def _index_select(b: Builder, x: Value, dim: int, index: torch.Tensor) -> Value:
    return taken(b, x, dim, [int(i) % x.full[dim] for i in index.reshape(-1)])


@converts("pad")
def _pad(b: Builder, x: Value, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Value:
    if mode == "constant":
        if not value:
            return _cut(b, x, pad)
        return affine(b, _cut(b, affine(b, x, 1.0, -float(value)), pad), 1.0, float(value))
    for i, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        x = taken(b, x, -1 - i, _border(mode, x.full[-1 - i], int(before), int(after)))
    return x


def _cut(b: Builder, x: Value, pad: Sequence[int]) -> Value:
    """Zeros where the padding is positive, cut where it is negative."""
    for i, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        if before < 0 or after < 0:
            x = b.sliced(x, len(x.full) - 1 - i, max(-before, 0), x.full[-1 - i] - max(-after, 0))
    return padded(b, x, [max(int(n), 0) for n in pad])


@converts("constant_pad_nd")
def _constant_pad(b: Builder, x: Value, pad: Sequence[int], value: float = 0.0) -> Value:
    return _pad(b, x, pad, "constant", value)


def _border(mode: str, size: int, before: int, after: int) -> list[int]:
    """Which elements stand at -before ... size + after - 1."""
    places = np.arange(-before, size + after)
    if mode == "replicate":
        return [int(i) for i in places.clip(0, size - 1)]
    if mode == "circular":
        return [int(i) for i in places % size]
    if mode == "reflect":
        period = max(2 * (size - 1), 1)
        folded = places % period
        return [int(i) for i in np.where(folded < size, folded, period - folded)]
    raise Refused(f"pads with mode {mode!r}", "legal: constant, reflect, replicate, circular")


for _name, _mode in (("reflection", "reflect"), ("replication", "replicate"), ("circular", "circular")):
    for _axes in (1, 2):
        converts(f"{_name}_pad{_axes}d")(lambda b, x, padding, mode=_mode: _pad(b, x, padding, mode))


def mode_padded(b: Builder, x: Value, module: Any) -> tuple[Value, Any]:
    """What a convolution with a padding mode gets, and the padding that is left: that of zeros."""
    if module.padding_mode == "zeros":
        return x, module.padding
    return _pad(b, x, list(module._reversed_padding_repeated_twice), module.padding_mode), 0


# enlarging and shrinking


@converts("interpolate", "upsample")
def _interpolate(
    b: Builder,
    x: Value,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Value:
    axes = len(x.full) - 2
    if antialias:
        raise Refused("filters against aliasing (antialias)", "leave it out")
    for k in range(axes):
        dim, n = 2 + k, x.full[2 + k]
        factor = None if scale_factor is None else float(_each(scale_factor, axes)[k])
        out = int(_each(size, axes)[k]) if size is not None else math.floor(n * (factor or 1.0))
        step = n / out if factor is None or recompute_scale_factor else 1 / factor
        x = _along(b, x, dim, n, out, step, mode, bool(align_corners))
    return x


def _each(value: Any, axes: int) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | torch.Size) else [value] * axes


def _along(b: Builder, x: Value, dim: int, n: int, out: int, step: float, mode: str, corners: bool) -> Value:
    """torch's interpolation along one axis, which is that of all axes one after the other."""
    places = np.arange(out)
    if mode in ("nearest", "nearest-exact"):
        source = np.floor((places + (0.5 if mode == "nearest-exact" else 0.0)) * np.float32(step))
        return taken(b, x, dim, [int(i) for i in source.clip(0, n - 1)])
    if mode not in ("linear", "bilinear", "bicubic"):
        raise Refused(f"interpolates with mode {mode!r}", "legal: nearest, nearest-exact, linear, bilinear, bicubic")
    exact = places * ((n - 1) / (out - 1) if out > 1 else 0.0) if corners else (places + 0.5) * step - 0.5
    if mode != "bicubic":
        exact = exact.clip(0, None) if not corners else exact
        low = np.floor(exact).astype(int).clip(0, n - 1)
        high = (low + 1).clip(0, n - 1)
        part = exact - low
        return resampled(b, x, dim, np.stack([low, high], 1), np.stack([1 - part, part], 1))
    low = np.floor(exact).astype(int)
    offsets = np.arange(-1, 3)
    return resampled(b, x, dim, (low[:, None] + offsets).clip(0, n - 1), _cubic((exact - low)[:, None] - offsets))


def _cubic(t: np.ndarray, a: float = -0.75) -> np.ndarray:
    """Keys' convolution kernel, with torch's a."""
    t = np.abs(t)
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def resampled(b: Builder, x: Value, dim: int, indices: np.ndarray, weights: np.ndarray) -> Value:
    """Weighted sums of the elements of a tensor axis; wiring where each is one element as it is."""
    if np.all((weights == 0) | (weights == 1)) and np.all(weights.sum(1) == 1):
        return taken(b, x, dim, [int(i) for i in indices[np.arange(len(indices)), weights.argmax(1)]])
    return b.emit(Resample(indices.astype(np.float64), weights, x.axis(dim)), [x])


for _ndim, _kind in ((1, "nearest"), (2, "nearest"), (1, "linear"), (2, "bilinear"), (2, "bicubic")):

    def _aten(b: Builder, x: Value, size: Any, *rest: Any, _kind: str = _kind, _ndim: int = _ndim) -> Value:
        corners = bool(rest[0]) if _kind != "nearest" and rest else False
        return _interpolate(
            b, x, size or [int(n * s) for n, s in zip(x.full[2:], rest[-1], strict=True)], None, _kind, corners
        )

    converts(f"upsample_{_kind}{_ndim}d")(_aten)


@converts("pixel_shuffle")
def _pixel_shuffle(b: Builder, x: Value, upscale_factor: int) -> Value:
    return _shuffled(b, x, (upscale_factor, upscale_factor))


def _shuffled(b: Builder, x: Value, factors: tuple[int, int]) -> Value:
    """Channels (out, row in block, column in block) become blocks of the map."""
    samples, channels, height, width = x.full
    high, wide = factors
    split = b.reshaped(x, (samples, channels // (high * wide), high, wide, height, width))
    moved = b.permuted(split, [0, 1, 4, 2, 5, 3])
    return b.reshaped(moved, (samples, channels // (high * wide), height * high, width * wide))


@converts("pixel_unshuffle")
def _pixel_unshuffle(b: Builder, x: Value, downscale_factor: int) -> Value:
    samples, channels, height, width = x.full
    r = downscale_factor
    split = b.reshaped(x, (samples, channels, height // r, r, width // r, r))
    return b.reshaped(b.permuted(split, [0, 1, 3, 5, 2, 4]), (samples, channels * r * r, height // r, width // r))


@converts("channel_shuffle")
def _channel_shuffle(b: Builder, x: Value, groups: int) -> Value:
    n = x.full[1]
    return taken(b, x, 1, [int(i) for i in np.arange(n).reshape(groups, n // groups).T.reshape(-1)])


# convolutions


@converts("conv_transpose1d", "conv_transpose2d")
def transposed_convolution(
    b: Builder,
    x: Value,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Value:
    """A convolution that makes a block of s outputs at each place, one for each remainder modulo the stride s.

    y[q s + r - p] = sum over j of w[r + j s] x[q - j]: the kernel's elements of one remainder are a kernel of their
    own over the small map, so that no product meets the zeros that a map spread out by the stride would hold.
    """
    batch_first(x)
    axes = len(weight.shape) - 2
    steps, pads, extra, spread = (
        _pair(v, axes, one) for v, one in ((stride, 1), (padding, 0), (output_padding, 0), (dilation, 1))
    )
    values = array(weight, "weight")
    values = values.reshape(*values.shape[:2], *((1,) if axes == 1 else ()), *values.shape[2:])
    kernel = tuple(d * (k - 1) + 1 for d, k in zip(spread, values.shape[2:], strict=True))
    taps = tuple(-(-k // s) for k, s in zip(kernel, steps, strict=True))
    maps = x if axes == 2 else b.reshaped(x, (*x.full[:2], 1, *x.full[2:]))
    sizes = tuple(
        (n - 1) * s - 2 * p + k + e for n, s, p, k, e in zip(maps.full[2:], steps, pads, kernel, extra, strict=True)
    )
    if min(sizes) < 1:
        raise Refused(f"leaves maps of {sizes}", "use less padding")
    after = [
        max(0, -(-(p + size) // s) - (n + t - 1))
        for p, size, s, n, t in zip(pads, sizes, steps, maps.full[2:], taps, strict=True)
    ]
    window = Window(taps, (1, 1), (taps[0] - 1, taps[0] - 1 + after[0], taps[1] - 1, taps[1] - 1 + after[1]))

    def make() -> Conv2d:
        small = _by_remainder(values, steps, taps, spread, kernel, groups)
        shift = optional_array(bias, "bias")
        return Conv2d(small, None if shift is None else shift.repeat(steps[0] * steps[1]), window=window, groups=groups)

    blocks = b.emit(b.shared((weight, bias), (window, steps, groups, "transposed"), make), [maps])
    y = _shuffled(b, blocks, steps)
    for k in (0, 1):
        y = b.sliced(y, 2 + k, pads[k], pads[k] + sizes[k])
    return y if axes == 2 else b.reshaped(y, (*y.full[:2], y.full[3]))


def _pair(value: Any, axes: int, one: int) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    values = values * axes if len(values) == 1 else values
    return (int(values[0]), int(values[1])) if axes == 2 else (one, int(values[0]))


def _by_remainder(
    values: np.ndarray,
    steps: Sequence[int],
    taps: Sequence[int],
    spread: Sequence[int],
    kernel: Sequence[int],
    groups: int,
) -> np.ndarray:
    """(in, out/groups, kh, kw) as the weight (out s_h s_w, in/groups, taps_h, taps_w) over blocks."""
    inputs, outs = values.shape[:2]
    whole = np.zeros((inputs, outs, *(t * s for t, s in zip(taps, steps, strict=True))))
    whole[:, :, : kernel[0] : spread[0], : kernel[1] : spread[1]] = values
    # (group, in/groups, out/groups, tap, remainder, tap, remainder), taps flipped
    split = whole.reshape(groups, inputs // groups, outs, taps[0], steps[0], taps[1], steps[1])
    split = split[:, :, :, ::-1, :, ::-1].transpose(0, 2, 4, 6, 1, 3, 5)
    return np.ascontiguousarray(split).reshape(groups * outs * steps[0] * steps[1], inputs // groups, *taps)


@converts("conv3d")
def convolution_3d(
    b: Builder,
    x: Value,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Any = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Value:
    """A convolution over (height, width) whose channels are those of all slices that its kernel reaches in depth."""
    batch_first(x)
    if isinstance(padding, str) or groups != 1:
        raise Refused("has groups or padding by name", "give groups=1 and numbers")
    steps, pads, spread = (
        _each(v, 3) if isinstance(v, int) or len(v) == 3 else list(v) * 3 for v in (stride, padding, dilation)
    )
    depth = weight.shape[2]
    x = padded(b, x, [0, 0, 0, 0, pads[0], pads[0]])
    frames = b.permuted(x, [0, 2, 1, 3, 4])
    count = (frames.full[1] - spread[0] * (depth - 1) - 1) // steps[0] + 1
    starts = [range(k * spread[0], k * spread[0] + (count - 1) * steps[0] + 1, steps[0]) for k in range(depth)]
    parts = [taken(b, frames, 1, list(places)) for places in starts]
    joined = FUNCTIONS["cat"](b, parts, 2) if depth > 1 else parts[0]
    window = Window(tuple(weight.shape[3:]), tuple(steps[1:]), (pads[1], pads[1], pads[2], pads[2]), tuple(spread[1:]))

    def make() -> Conv2d:
        values = array(weight, "weight").swapaxes(1, 2)
        return Conv2d(
            values.reshape(values.shape[0], -1, *values.shape[3:]), optional_array(bias, "bias"), window=window
        )

    y = b.emit(b.shared((weight, bias), (window, "3d"), make), [joined])
    return b.permuted(y, [0, 2, 1, 3, 4])
