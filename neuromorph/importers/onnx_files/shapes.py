"""Operators that move, cut, join, repeat and resample values."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod

import numpy as np

from neuromorph.graph.formats.base import NumberFormat
from neuromorph.graph.operators.arithmetic import Add
from neuromorph.graph.operators.wiring import Concat, Select, Slice, Take
from neuromorph.importers.onnx_files.layers import padded, transposed
from neuromorph.importers.onnx_files.values import Builder, Call, Const, Refused, Result, Value, finite, folds, reads


@reads("Reshape", moves=True)
def _reshape(call: Call) -> Result:
    x = call.raw()
    given = call.ints("shape", 1) or []
    target = [x.full[i] if n == 0 and not call.attr("allowzero", 0) else n for i, n in enumerate(given)]
    if target.count(-1) == 1:
        rest = prod(n for n in target if n != -1)
        if not rest or prod(x.full) % rest:
            raise Refused(f"reads {x.full} as {given}: the element counts differ")
        target[target.index(-1)] = prod(x.full) // rest
    if x.batch is not None and prod(target) != prod(x.full) and prod(target) == prod(x.shape):
        raise Refused(f"fixes the batch to one sample: {given}", "export it with -1 as the batch size")
    return call.builder.reshaped(x, target)


@reads("Flatten", moves=True)
def _flatten(call: Call) -> Result:
    x = call.raw()
    axis = int(call.attr("axis", 1))
    axis = axis + len(x.full) if axis < 0 else axis
    return call.builder.reshaped(x, (prod(x.full[:axis]), prod(x.full[axis:])))


@reads("Squeeze", "Unsqueeze", moves=True)
def _squeeze(call: Call) -> Result:
    """Axes of size 1 go or come; the batch axis stays the one it is."""
    x = call.raw()
    axes, full = call.ints("axes", 1), list(x.full)
    if call.op == "Squeeze":
        if axes is None:
            axes = [i for i, n in enumerate(full) if n == 1 and i != x.batch]
        axes = [a % len(full) for a in axes]
        if x.batch in axes or any(full[a] != 1 for a in axes):
            raise Refused(f"drops axes {axes} of {x.full}", "axes of size 1, not the batch axis")
        batch = None if x.batch is None else x.batch - sum(a < x.batch for a in axes)
        target = [n for i, n in enumerate(full) if i not in axes]
    else:
        rank = len(full) + len(axes or [])
        axes = sorted(a % rank for a in axes or [])
        old = iter(range(len(full)))
        order = [None if i in axes else next(old) for i in range(rank)]
        target = [1 if k is None else full[k] for k in order]
        batch = None if x.batch is None else order.index(x.batch)
    return _as(call.builder, x, target, batch)


def _as(b: Builder, x: Value, full: Sequence[int], batch: int | None) -> Value:
    """The value in a shape that differs by axes of size 1, the batch axis where it is said to be."""
    from dataclasses import replace

    from neuromorph.graph.operators.wiring import Reshape

    shape = tuple(n for i, n in enumerate(full) if i != batch)
    return replace(x, batch=batch) if shape == x.shape else b.emit(Reshape(x.shape, shape), [x], batch)


@reads("Transpose", moves=True)
def _transpose(call: Call) -> Result:
    x = call.raw()
    return call.builder.permuted(x, call.ints("perm", -1) or list(range(len(x.full)))[::-1])


@folds("Transpose")
def _transpose_constant(call: Call) -> Result:
    held = call.held(0)
    return transposed(held, call.ints("perm", -1) or list(range(held.array.ndim))[::-1])


@folds("Reshape")
def _reshape_constant(call: Call) -> Result:
    held = call.held(0)
    shape = [
        held.array.shape[i] if n == 0 and not call.attr("allowzero", 0) else n
        for i, n in enumerate(call.ints("shape", 1) or [])
    ]
    plain: NumberFormat | None = None if held.format is None or held.format.per_channel else held.format
    return Const(held.array.reshape(shape), plain)


@reads("Concat", moves=False)
def _concat(call: Call) -> Result:
    """Constants among the values: zeros in their places, to which they are added."""
    b = call.builder
    values = [call.value(i) for i, v in enumerate(call.inputs) if isinstance(v, Value)]
    first = values[0]
    if any(v.batch != first.batch or len(v.full) != len(first.full) for v in values):
        raise Refused("joins values with the batch axis in different places", "align them")
    axis = first.axis(int(call.attr("axis", 1)))
    held = [b.constant_of(first, finite(v.array)) if isinstance(v, Const) else None for v in call.inputs]
    parts: list[Value] = []
    before, rest = 0, iter(values)
    for array in held:
        if array is not None and array.ndim != len(first.shape):
            raise Refused(f"joins a constant of shape {array.shape} to {first.full}")
        if array is None:
            parts.append(padded(b, next(rest), axis, before, 0))
            before = 0
        else:
            before += array.shape[axis]
    parts[-1] = padded(b, parts[-1], axis, 0, before)
    y = parts[0] if len(parts) == 1 else b.emit(Concat(axis), parts)
    if all(array is None for array in held):
        return y
    sizes = [v.shape[axis] for v in values]
    filled = [
        np.zeros((*first.shape[:axis], sizes.pop(0), *first.shape[len(first.shape) + axis + 1 :])) if a is None else a
        for a in held
    ]
    return b.arithmetic("add", y, b.as_tensor(y, np.concatenate(filled, axis)))


def taken(b: Builder, x: Value, axis: int, places: Sequence[int]) -> Value:
    """The elements of a sample axis at these places, by a slice where they are one."""
    size = x.shape[axis]
    places = [int(p) for p in places]
    if any(not 0 <= p < size for p in places) or not places:
        raise Refused(f"takes places {places[:8]} of {size} elements", "some, within the axis")
    if places == list(range(size)):
        return x
    step = places[1] - places[0] if len(places) > 1 else 1
    if step > 0 and places == list(range(places[0], places[-1] + 1, step)):
        return b.emit(Slice(axis, places[0], places[-1] + 1, step), [x])
    return b.emit(Take(axis, tuple(places)), [x])


@reads("Slice", moves=True)
def _slice(call: Call) -> Result:
    x = call.raw()
    starts, ends = call.ints("starts", 1) or [], call.ints("ends", 2) or []
    axes = call.ints("axes", 3) or list(range(len(starts)))
    steps = call.ints("steps", 4) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if not -len(x.full) <= axis < len(x.full) or not step:
            raise Refused(f"cuts axis {axis} of {x.full} in steps of {step}")
        places = range(*slice(start, end, step).indices(x.full[axis]))
        if len(places) != x.full[axis] or step < 0:
            x = taken(call.builder, x, x.axis(axis), places)
    return x


@reads("Gather", moves=True)
def _gather(call: Call) -> Result:
    b, x = call.builder, call.raw()
    dim = int(call.attr("axis", 0)) % len(x.full)
    axis = x.axis(dim)
    places = call.const(1, "index").astype(np.int64)
    size = x.shape[axis]
    places = np.where(places < 0, places + size, places)
    if places.ndim == 0:
        if not 0 <= int(places) < size:
            raise Refused(f"takes place {int(places)} of {size} elements")
        index = -1 if int(places) == size - 1 else int(places)
        return b.emit(Select(axis, index), [x], None if x.batch is None else x.batch - (dim < x.batch))
    y = taken(b, x, axis, places.reshape(-1).tolist())
    return b.reshaped(y, (*x.full[:dim], *places.shape, *x.full[dim + 1 :]))


@reads("Split", moves=True)
def _split(call: Call) -> Result:
    x = call.raw()
    dim = int(call.attr("axis", 0))
    axis = x.axis(dim)
    size, sizes = x.shape[axis], call.ints("split", 1)
    if not sizes:
        parts = int(call.attr("num_outputs", len(call.outputs)))
        each = -(-size // parts)
        sizes = [min(each, size - i * each) for i in range(parts)]
    if sum(sizes) != size or min(sizes) < 1:
        raise Refused(f"splits {size} elements into {sizes}", "parts of 1 or more that add up")
    ends = list(itertools.accumulate(sizes))
    return tuple(taken(call.builder, x, axis, range(end - n, end)) for end, n in zip(ends, sizes, strict=True))


@reads("Expand", "Tile", moves=True)
def _expand(call: Call) -> Result:
    b, x = call.builder, call.raw()
    given = call.ints("shape" if call.op == "Expand" else "repeats", 1) or []
    rank = max(len(given), len(x.full))
    if len(x.full) < rank:
        batch = None if x.batch is None else x.batch + rank - len(x.full)
        x = _as(b, x, (1,) * (rank - len(x.full)) + x.full, batch)
    given = [1] * (rank - len(given)) + given
    for dim, n in enumerate(given):
        size = x.full[dim]
        if call.op == "Expand":
            if n not in (1, size) and size != 1:
                raise Refused(f"expands {x.full} to {given}")
            n = n if size == 1 else 1
        if n != 1:
            if not 1 <= n <= 2**20:
                raise Refused(f"repeats an axis {n} times", "1 or more")
            x = taken(b, x, x.axis(dim), list(range(size)) * n)
    return x


@reads("Pad")
def _pad(call: Call) -> Result:
    b, x = call.builder, call.value()
    pads = call.ints("pads", 1) or []
    mode = call.attr("mode", "constant")
    given = call.attr("value", 0.0) if call.opset < 11 else call.optional(2, "value")
    value = 0.0 if given is None else float(np.asarray(given).reshape(-1)[0])
    axes = call.ints("axes", 3) or list(range(len(x.full)))
    n = len(axes)
    if len(pads) != 2 * n or max(map(abs, pads), default=0) > 2**20:
        raise Refused(f"has pads {pads} for {n} axes")
    for dim, before, after in zip(axes, pads[:n], pads[n:], strict=True):
        if not before and not after:
            continue
        axis = x.axis(dim)
        size = x.shape[axis]
        if mode == "constant":
            x = padded(b, x, axis, before, after, value)
            continue
        at = np.arange(-before, size + after)
        if mode == "reflect":
            period = max(2 * size - 2, 1)
            places = np.abs((at + size - 1) % period - (size - 1))
        elif mode == "edge":
            places = np.clip(at, 0, size - 1)
        elif mode == "wrap":
            places = at % size
        else:
            raise Refused(f"has mode {mode!r}", "legal: constant, reflect, edge, wrap")
        x = taken(b, x, axis, places.tolist())
    return x


@reads("DepthToSpace", moves=True)
def _depth_to_space(call: Call) -> Result:
    b, x, s = call.builder, call.raw(), int(call.attr("blocksize", 1))
    n, c, h, w = x.full
    if s < 1 or c % (s * s):
        raise Refused(f"has blocksize {s} on {c} channels")
    if call.attr("mode", "DCR") == "DCR":
        y = b.permuted(b.reshaped(x, (n, s, s, c // s**2, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        y = b.permuted(b.reshaped(x, (n, c // s**2, s, s, h, w)), (0, 1, 4, 2, 5, 3))
    return b.reshaped(y, (n, c // s**2, h * s, w * s))


@reads("SpaceToDepth", moves=True)
def _space_to_depth(call: Call) -> Result:
    b, x, s = call.builder, call.raw(), int(call.attr("blocksize", 1))
    n, c, h, w = x.full
    if s < 1 or h % s or w % s:
        raise Refused(f"has blocksize {s} on maps of {(h, w)}")
    order = (0, 3, 5, 1, 2, 4) if call.attr("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    y = b.permuted(b.reshaped(x, (n, c, h // s, s, w // s, s)), order)
    return b.reshaped(y, (n, c * s * s, h // s, w // s))


@reads("Resize", "Upsample")
def _resize(call: Call) -> Result:
    """Per axis: y[i] = sum of a few x[places] times constant weights, nearest and linear."""
    b, x = call.builder, call.value()
    mode = call.attr("mode", "nearest")
    if mode not in ("nearest", "linear") or call.attr("antialias", 0):
        raise Refused(
            f"has mode {mode!r}{', antialias' if call.attr('antialias', 0) else ''}", "legal: nearest, linear"
        )
    plain = call.op == "Upsample" or call.opset < 11
    scales = _scales(call, plain)
    sizes = None if plain else call.ints("sizes", 3)
    axes = call.ints("axes", -1) or list(range(len(x.full)))
    if call.attr("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Refused("keeps the aspect ratio", "give the sizes as they are")
    for k, dim in enumerate(axes):
        size = x.full[dim]
        scale = float(scales[k]) if scales is not None else sizes[k] / size if sizes else 1.0
        length = int(sizes[k]) if scales is None and sizes else int(np.floor(size * scale))
        if length == size and scale == 1:
            continue
        if not 1 <= length <= 2**16:
            raise Refused(f"makes {length} elements of {size}", "1 to 65536")
        at = _coordinates(call, plain, size, length, scale)
        axis = x.axis(dim)
        if mode == "nearest":
            x = taken(b, x, axis, np.clip(_nearest(call, plain, at), 0, size - 1).astype(int).tolist())
            continue
        low = np.floor(at).astype(int)
        share = at - low
        ends = [np.clip(low + i, 0, size - 1) for i in (0, 1)]
        trailing = (1,) * (-axis - 1)
        parts = [
            b.arithmetic("multiply", taken(b, x, axis, p.tolist()), w.reshape(-1, *trailing))
            for p, w in zip(ends, (1 - share, share), strict=True)
            if np.any(w)
        ]
        x = parts[0] if len(parts) == 1 else b.emit(Add(), parts)
    return x


def _scales(call: Call, plain: bool) -> np.ndarray | None:
    if "scales" in call.attributes:
        return np.asarray(call.attributes["scales"], np.float64)
    found = call.optional(1 if plain else 2, "scales")
    return None if found is None or not found.size else found.astype(np.float64)


def _coordinates(call: Call, plain: bool, size: int, length: int, scale: float) -> np.ndarray:
    """Where each output lies on the input axis."""
    i = np.arange(length, dtype=np.float64)
    mode = "asymmetric" if plain else call.attr("coordinate_transformation_mode", "half_pixel")
    if mode == "half_pixel":
        return (i + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        adjustment = length / (scale * size)
        return size / 2 * (1 - adjustment) + (i + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return (i + 0.5) / scale - 0.5 if length > 1 else np.zeros(1)
    if mode == "align_corners":
        return i * (size - 1) / (size * scale - 1) if length > 1 else np.zeros(1)
    if mode == "asymmetric":
        return i / scale
    legal = "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric"
    raise Refused(f"has coordinate_transformation_mode {mode!r}", f"legal: {legal}")


def _nearest(call: Call, plain: bool, at: np.ndarray) -> np.ndarray:
    mode = "floor" if plain else call.attr("nearest_mode", "round_prefer_floor")
    if mode == "floor":
        return np.floor(at)
    if mode == "ceil":
        return np.ceil(at)
    if mode == "round_prefer_floor":
        return np.ceil(at - 0.5)
    if mode == "round_prefer_ceil":
        return np.floor(at + 0.5)
    raise Refused(f"has nearest_mode {mode!r}", "legal: floor, ceil, round_prefer_floor, round_prefer_ceil")
