"""Convolutions that readers of several formats make of others: those that enlarge maps, and those of three axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.graph.model import NumberFormat, Operator, Window
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.wiring import Concat
from neuromorph.importers.maps import Builder, Refused, V, padded, shuffled, taken


@dataclass(frozen=True)
class Kernel:
    """Weights of a convolution; mask: of their shape, False where pruned; format: scales per output, if so, along axis
    0."""

    values: np.ndarray
    mask: np.ndarray | None = None
    format: NumberFormat | None = None


def transposed_convolution(
    b: Builder[V],
    x: V,
    make: Callable[[Any, Callable[[], Conv2d]], Operator],
    weight: Kernel,
    bias: np.ndarray | None,
    steps: tuple[int, int],
    starts: tuple[int, int],
    ends: tuple[int, int],
    spread: tuple[int, int],
    groups: int,
) -> V:
    """A convolution that makes a block of s outputs at each place, one for each remainder modulo the stride s.

    y[q s + r - p] = sum over j of w[r + j s] x[q - j]: the kernel's elements of one remainder are a kernel of their
    own over the small map, so that no product meets the zeros that a map spread out by the stride would hold.
    x: (batch, in, [height,] width); weight: (in, out / groups, [kh,] kw), places that no element of the kernel falls on
    are pruned; starts, ends: padding p that is cut off before and (less what is added to the output) after;
    make(settings, maker) gives one operator for equal settings.
    """
    axes = weight.values.ndim - 2
    shape = (*weight.values.shape[:2], *((1,) if axes == 1 else ()), *weight.values.shape[2:])
    kernel = tuple(d * (k - 1) + 1 for d, k in zip(spread, shape[2:], strict=True))
    taps = (-(-kernel[0] // steps[0]), -(-kernel[1] // steps[1]))
    maps = x if axes == 2 else b.reshaped(x, (*x.full[:2], 1, *x.full[2:]))
    sizes = [(n - 1) * s - p - q + k for n, s, p, q, k in zip(maps.full[2:], steps, starts, ends, kernel, strict=True)]
    if min(sizes) < 1:
        raise Refused(f"leaves maps of {tuple(sizes)}", "use less padding")
    after = [
        max(0, -(-(p + size) // s) - (n + t - 1))
        for p, size, s, n, t in zip(starts, sizes, steps, maps.full[2:], taps, strict=True)
    ]
    window = Window(taps, (1, 1), (taps[0] - 1, taps[0] - 1 + after[0], taps[1] - 1, taps[1] - 1 + after[1]))

    def build() -> Conv2d:
        def arranged(part: np.ndarray) -> np.ndarray:
            return _by_remainder(part.reshape(shape), steps, taps, spread, kernel, groups)

        blocks = steps[0] * steps[1]
        kept = arranged(np.ones(shape, bool) if weight.mask is None else weight.mask)
        order = np.tile(np.arange(shape[1]).repeat(blocks), groups)
        return Conv2d(
            arranged(weight.values), None if bias is None else bias.repeat(blocks), None if kept.all() else kept,
            None if weight.format is None else weight.format.kept(0, order), window=window, groups=groups,
        )  # fmt: skip

    y = shuffled(b, b.emit(make((window, steps, groups, "transposed"), build), [maps]), steps)
    for k in (0, 1):
        y = padded(b, y, 2 + k, min(0, -starts[k]), 0)
        y = padded(b, y, 2 + k, max(0, -starts[k]), sizes[k] - y.full[2 + k] - max(0, -starts[k]))
    return y if axes == 2 else b.reshaped(y, (*y.full[:2], y.full[3]))


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
    whole = np.zeros((inputs, outs, *(t * s for t, s in zip(taps, steps, strict=True))), values.dtype)
    whole[:, :, : kernel[0] : spread[0], : kernel[1] : spread[1]] = values
    # (group, in/groups, out/groups, tap, remainder, tap, remainder), taps flipped
    split = whole.reshape(groups, inputs // groups, outs, taps[0], steps[0], taps[1], steps[1])
    split = split[:, :, :, ::-1, :, ::-1].transpose(0, 2, 4, 6, 1, 3, 5)
    return np.ascontiguousarray(split).reshape(groups * outs * steps[0] * steps[1], inputs // groups, *taps)


def convolution_3d(
    b: Builder[V],
    x: V,
    make: Callable[[Any, Callable[[], Conv2d]], Operator],
    weight: Kernel,
    bias: np.ndarray | None,
    steps: Sequence[int],
    pads: Sequence[tuple[int, int]],
    spread: Sequence[int],
) -> V:
    """A convolution over (height, width) whose channels are those of all slices that its kernel reaches in depth.

    x: (batch, in, depth, height, width); weight: (out, in, kd, kh, kw); pads: before and after each axis.
    """
    depth, high, wide = weight.values.shape[2:]
    frames = b.permuted(padded(b, x, 2, *pads[0]), [0, 2, 1, 3, 4])
    count = (frames.full[1] - spread[0] * (depth - 1) - 1) // steps[0] + 1
    if count < 1:
        raise Refused(f"has a kernel of depth {depth} on {x.full}", "use a smaller kernel or more padding")
    starts = [range(k * spread[0], k * spread[0] + (count - 1) * steps[0] + 1, steps[0]) for k in range(depth)]
    parts = [taken(b, frames, 1, places) for places in starts]
    joined = b.emit(Concat(parts[0].axis(2)), parts) if depth > 1 else parts[0]
    window = Window((high, wide), (steps[1], steps[2]), (*pads[1], *pads[2]), (spread[1], spread[2]))

    def arranged(part: np.ndarray) -> np.ndarray:
        return part.swapaxes(1, 2).reshape(part.shape[0], -1, high, wide)

    def build() -> Conv2d:
        mask = None if weight.mask is None else arranged(weight.mask)
        return Conv2d(arranged(weight.values), bias, mask, weight.format, window=window)

    return b.permuted(b.emit(make((window, "3d"), build), [joined]), [0, 2, 1, 3, 4])
