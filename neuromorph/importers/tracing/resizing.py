"""Conversions that repeat, mirror, enlarge and shrink maps, and convolutions that enlarge them or have three axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from neuromorph.importers.kernels import Kernel, convolution_3d, transposed_convolution
from neuromorph.importers.maps import (
    bordered,
    cumulated,
    interpolated,
    local_response,
    padded,
    shuffled,
    taken,
    unshuffled,
)
from neuromorph.importers.tracing.layers import Sizes, batch_first, mask_of
from neuromorph.importers.tracing.values import Builder, Refused, Value, array, converts, optional_array


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
    for i, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        if mode == "constant":
            x = padded(b, x, len(x.full) - 1 - i, int(before), int(after), float(value or 0.0))
            continue
        x = bordered(b, x, len(x.full) - 1 - i, mode, int(before), int(after))
    return x


@converts("constant_pad_nd")
def _constant_pad(b: Builder, x: Value, pad: Sequence[int], value: float = 0.0) -> Value:
    return _pad(b, x, pad, "constant", value)


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
    return interpolated(b, x, dim, exact, -0.75 if mode == "bicubic" else None)


for _ndim, _kind in ((1, "nearest"), (2, "nearest"), (1, "linear"), (2, "bilinear"), (2, "bicubic")):

    def _aten(b: Builder, x: Value, size: Any, *rest: Any, _kind: str = _kind, _ndim: int = _ndim) -> Value:
        corners = bool(rest[0]) if _kind != "nearest" and rest else False
        return _interpolate(
            b, x, size or [int(n * s) for n, s in zip(x.full[2:], rest[-1], strict=True)], None, _kind, corners
        )

    converts(f"upsample_{_kind}{_ndim}d")(_aten)


@converts("pixel_shuffle")
def _pixel_shuffle(b: Builder, x: Value, upscale_factor: int) -> Value:
    return shuffled(b, x, (upscale_factor, upscale_factor))


@converts("pixel_unshuffle")
def _pixel_unshuffle(b: Builder, x: Value, downscale_factor: int) -> Value:
    return unshuffled(b, x, downscale_factor)


@converts("channel_shuffle")
def _channel_shuffle(b: Builder, x: Value, groups: int) -> Value:
    n = x.full[1]
    return taken(b, x, 1, [int(i) for i in np.arange(n).reshape(groups, n // groups).T.reshape(-1)])


# convolutions


@converts("conv_transpose1d", "conv_transpose2d")
def convolve_transposed(
    b: Builder,
    x: Value,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
    mask: Any = None,
) -> Value:
    batch_first(x)
    axes = len(weight.shape) - 2
    steps, pads, extra, spread = (
        _pair(v, axes, one) for v, one in ((stride, 1), (padding, 0), (output_padding, 0), (dilation, 1))
    )
    ends = (pads[0] - extra[0], pads[1] - extra[1])
    kernel, shift = Kernel(array(weight, "weight"), mask_of(mask)), optional_array(bias, "bias")
    make = partial(b.shared, (weight, bias))
    return transposed_convolution(b, x, make, kernel, shift, steps, pads, ends, spread, groups)


def _pair(value: Any, axes: int, one: int) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    values = values * axes if len(values) == 1 else values
    return (int(values[0]), int(values[1])) if axes == 2 else (one, int(values[0]))


@converts("conv3d")
def convolve_3d(
    b: Builder,
    x: Value,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Any = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    mask: Any = None,
) -> Value:
    """A convolution over (height, width) whose channels are those of all slices that its kernel reaches in depth."""
    batch_first(x)
    if isinstance(padding, str) or groups != 1:
        raise Refused("has groups or padding by name", "give groups=1 and numbers")
    steps, pads, spread = (
        _each(v, 3) if isinstance(v, int) or len(v) == 3 else list(v) * 3 for v in (stride, padding, dilation)
    )
    kernel, shift = Kernel(array(weight, "weight"), mask_of(mask)), optional_array(bias, "bias")
    both = [(int(p), int(p)) for p in pads]
    return convolution_3d(b, x, partial(b.shared, (weight, bias)), kernel, shift, steps, both, spread)


@converts("local_response_norm")
def _local_response(b: Builder, x: Value, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Value:
    return local_response(b, x, size, size // 2, alpha, beta, k)


@converts("cumsum")
def _cumsum(b: Builder, x: Value, dim: int, *_: Any, **__: Any) -> Value:
    return cumulated(b, x, dim % len(x.full))
