"""Operators that move, cut, join, repeat and resample values."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod

import numpy as np

from neuromorph.graph.formats.base import NumberFormat
from neuromorph.graph.operators.attention import Embedding
from neuromorph.graph.operators.wiring import Concat, Constant, Select
from neuromorph.importers.maps import bordered, cumulated, interpolated, padded, shuffled, taken, unshuffled
from neuromorph.importers.onnx_files.layers import transposed
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
    """Constants among the values are the same for every sample."""
    b = call.builder
    values = [call.value(i) for i, v in enumerate(call.inputs) if isinstance(v, Value)]
    first, rest = values[0], iter(values)
    if any(v.batch != first.batch or len(v.full) != len(first.full) for v in values):
        raise Refused("joins values with the batch axis in different places", "align them")
    axis, parts = first.axis(int(call.attr("axis", 1))), []
    for v in call.inputs:
        if isinstance(v, Value):
            parts.append(next(rest))
        elif isinstance(v, Const) and v.array.size:
            array = b.constant_of(first, finite(v.array))
            if array.ndim != len(first.shape):
                raise Refused(f"joins a constant of shape {array.shape} to {first.full}")
            parts.append(b.emit(Constant(array, len(first.shape)), [first]))
    return parts[0] if len(parts) == 1 else b.emit(Concat(axis), parts)


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
            x = taken(call.builder, x, axis % len(x.full), places)
    return x


@reads("Gather", moves=True)
def _gather(call: Call) -> Result:
    b = call.builder
    if isinstance(call.inputs[0], Const):
        return _looked_up(call)
    x = call.raw()
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
    y = taken(b, x, dim, places.reshape(-1).tolist())
    return b.reshaped(y, (*x.full[:dim], *places.shape, *x.full[dim + 1 :]))


def _looked_up(call: Call) -> Value:
    """Rows of a constant table that the input names."""
    b, held, index = call.builder, call.held(0, "table"), call.value(1)
    if int(call.attr("axis", 0)) % max(held.array.ndim, 1) or held.array.ndim < 1:
        raise Refused(f"takes from axis {call.attr('axis', 0)} of a table", "legal: 0")
    rest = held.array.shape[1:]
    table = b.once("table", lambda: Embedding(finite(held.array).reshape(len(held.array), -1)), held)
    return b.reshaped(b.emit(table, [index]), (*index.full, *rest))


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
    return tuple(
        taken(call.builder, x, dim % len(x.full), range(end - n, end)) for end, n in zip(ends, sizes, strict=True)
    )


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
            x = taken(b, x, dim, list(range(size)) * n)
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
        dim %= len(x.full)
        if mode == "constant":
            x = padded(b, x, dim, before, after, value)
        else:
            x = bordered(b, x, dim, {"edge": "replicate", "wrap": "circular"}.get(mode, mode), before, after)
    return x


@reads("DepthToSpace", moves=True)
def _depth_to_space(call: Call) -> Result:
    b, x, s = call.builder, call.raw(), int(call.attr("blocksize", 1))
    if s < 1 or len(x.full) != 4 or x.full[1] % (s * s):
        raise Refused(f"has blocksize {s} on {x.full}")
    return shuffled(b, x, (s, s), call.attr("mode", "DCR") == "DCR")


@reads("SpaceToDepth", moves=True)
def _space_to_depth(call: Call) -> Result:
    b, x, s = call.builder, call.raw(), int(call.attr("blocksize", 1))
    if s < 1 or len(x.full) != 4 or x.full[2] % s or x.full[3] % s:
        raise Refused(f"has blocksize {s} on {x.full}")
    return unshuffled(b, x, s, call.attr("mode", "DCR") == "DCR")


@reads("Resize", "Upsample")
def _resize(call: Call) -> Result:
    """Per axis: y[i] = sum of a few x[places] times constant weights."""
    b, x = call.builder, call.value()
    mode = call.attr("mode", "nearest")
    if mode not in ("nearest", "linear", "cubic") or call.attr("antialias", 0):
        raise Refused(
            f"has mode {mode!r}{', antialias' if call.attr('antialias', 0) else ''}", "legal: nearest, linear, cubic"
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
        dim %= len(x.full)
        if mode == "nearest":
            x = taken(b, x, dim, np.clip(_nearest(call, plain, at), 0, size - 1).astype(int).tolist())
        else:
            cubic = float(call.attr("cubic_coeff_a", -0.75)) if mode == "cubic" else None
            x = interpolated(b, x, dim, at, cubic, bool(call.attr("exclude_outside", 0)))
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


@reads("CumSum")
def _cumsum(call: Call) -> Result:
    x, dim = call.value(), int(np.asarray(call.const(1, "axis")).reshape(-1)[0])
    x.axis(dim)
    back = bool(call.attr("reverse", 0))
    return cumulated(call.builder, x, dim % len(x.full), bool(call.attr("exclusive", 0)), back)
