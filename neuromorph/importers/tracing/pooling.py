"""Conversions of pooling over maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neuromorph.graph.model import Window
from neuromorph.graph.operators import pooling
from neuromorph.importers.maps import adaptive, averaged, rounded_up
from neuromorph.importers.tracing.functions import affine
from neuromorph.importers.tracing.layers import Sizes, pair
from neuromorph.importers.tracing.values import Builder, Conversion, Refused, Value, converts


def _pool_window(axes: int, kernel: Sizes, stride: Any, padding: Sizes, dilation: Sizes = 1) -> Window:
    steps = kernel if stride is None or stride in ([], ()) else stride
    high, wide = pair(padding, axes) if axes == 2 else (0, pair(padding, 1)[1])
    spread = pair(dilation, axes) if axes == 2 else (1, pair(dilation, 1)[1])
    return Window(pair(kernel, axes), pair(steps, axes), (high, high, wide, wide), spread)


def _rounded_up(window: Window, shape: Sequence[int]) -> Window:
    sizes = shape if len(shape) == 2 else (1, *shape)
    p, ends = window.padding, []
    for k, n in enumerate(sizes):
        ends.append(rounded_up(n, window.kernel[k], window.stride[k], p[2 * k], p[2 * k + 1], window.dilation[k]))
    return Window(window.kernel, window.stride, (p[0], ends[0], p[2], ends[1]), window.dilation)


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
        window = _rounded_up(window, x.full[2:]) if ceil_mode else window
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
        _maps(x, axes)
        window = _pool_window(axes, kernel_size, stride, padding)
        if ceil_mode and (wider := _rounded_up(window, x.full[2:])) != window:
            axis = [
                (window.kernel[k], window.stride[k], *window.padding[2 * k : 2 * k + 2], 1, wider.padding[2 * k + 1])
                for k in range(2 - axes, 2)
            ]
            y = averaged(b, x, axis, bool(count_include_pad) or divisor_override is not None)
        else:
            cls = pooling.AvgPool2d if axes == 2 else pooling.AvgPool1d
            y = b.emit(cls(window, bool(count_include_pad) or divisor_override is not None), [x])
        size = window.kernel[0] * window.kernel[1]
        return y if divisor_override is None else affine(b, y, size / divisor_override)

    return convert


for _axes in (1, 2):
    converts(f"max_pool{_axes}d", f"max_pool{_axes}d_with_indices")(_max_pool(_axes))
    converts(f"avg_pool{_axes}d")(_avg_pool(_axes))


def _maps(x: Value, axes: int) -> None:
    if x.batch != 0 or len(x.full) != axes + 2:
        raise Refused(f"works on {axes + 2} axes with the batch first, found {len(x.full)}", "keep the batch axis")


def _adaptive(axes: int, largest: bool) -> Conversion:
    def convert(b: Builder, x: Value, output_size: Any, return_indices: bool = False) -> Value:
        _maps(x, axes)
        if return_indices:
            raise Refused("returns indices", "use return_indices=False")
        sizes = x.full[2:]
        given = [output_size] * axes if isinstance(output_size, int) or output_size is None else list(output_size)
        wanted = [n if w is None else int(w) for w, n in zip(given, sizes, strict=True)]
        if all(w == 1 for w in wanted):
            cls = pooling.GlobalMaxPool if largest else pooling.GlobalAvgPool
            return b.emit(cls(tuple(range(-axes, 0)), True), [x])
        if any(n % w for w, n in zip(wanted, sizes, strict=True)):
            return adaptive(b, x, wanted, largest)
        kernel = pair([n // w for w, n in zip(wanted, sizes, strict=True)], axes)
        window = Window(kernel, kernel)
        two, one = (pooling.MaxPool2d, pooling.MaxPool1d) if largest else (pooling.AvgPool2d, pooling.AvgPool1d)
        return b.emit((two if axes == 2 else one)(window), [x])

    return convert


for _axes in (1, 2):
    converts(f"adaptive_avg_pool{_axes}d", f"_adaptive_avg_pool{_axes}d")(_adaptive(_axes, False))
    converts(f"adaptive_max_pool{_axes}d")(_adaptive(_axes, True))
