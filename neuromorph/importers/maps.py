"""Arithmetic on tensors with a batch axis that readers of several formats share: windows, interpolation, products.

A builder (`Builder`) adds operators, a value (`Value`) names tensor axes from the front: those of torch and of ONNX do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from neuromorph.graph.model import Operator, Shape
from neuromorph.graph.operators.arithmetic import BatchNorm, Multiply
from neuromorph.graph.operators.attention import Resample
from neuromorph.graph.operators.mapped import Affine, Map
from neuromorph.graph.operators.pooling import GlobalMaxPool
from neuromorph.graph.operators.wiring import Concat, Pad, Slice, Take


class Refused(Exception):
    """An operator that cannot be hosted: what it is, and what would do instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class Value(Protocol):
    """A tensor of the walk: its per-sample shape, that of the tensor, and tensor axes as sample axes."""

    @property
    def shape(self) -> Shape: ...
    @property
    def full(self) -> Shape: ...
    def axis(self, dim: int) -> int: ...


V = TypeVar("V", bound=Value)


class Builder(Protocol[V]):
    """What adds operators and reads tensors in other shapes."""

    def emit(self, operator: Operator, inputs: Sequence[V], /) -> V: ...
    def reshaped(self, value: V, full: Shape, /) -> V: ...
    def permuted(self, value: V, order: Sequence[int], /) -> V: ...


LOWEST = -1e30
"""What stands for minus infinity where a mask is added to scores."""


def collapsed(values: np.ndarray) -> np.ndarray:
    """The array with size 1 along every axis along which it does not change."""
    for axis in range(values.ndim):
        first = values.take([0], axis) if values.shape[axis] else values
        if np.all(values == first):
            values = first
    return values


def affine(shape: Shape, scale: np.ndarray, shift: np.ndarray) -> Operator | None:
    """The operator scale x + shift on samples of a shape, arrays collapsed; None where it changes nothing."""
    axes = {axis for part in (scale, shift) for axis, n in enumerate(part.shape, -part.ndim) if n != 1}
    plain = np.all(scale == 1) and np.all(shift == 0)
    if plain and np.broadcast_shapes(shape, scale.shape, shift.shape) == shape:
        return None
    if len(axes) > 1 or not shape or any(shape[axis] == 1 for axis in axes):
        arrays = [None if np.all(p == neutral) and not plain else p for p, neutral in ((scale, 1.0), (shift, 0.0))]
        return Affine(*arrays)
    size = max(scale.size, shift.size)
    first, second = (np.broadcast_to(part.reshape(-1), (size,)) for part in (scale, shift))
    return BatchNorm(first, second, axes.pop() if axes else -1)


def power(exponent: float) -> Map | None:
    """x to a constant; None for x itself."""
    named = {2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}.get(exponent)
    return None if exponent == 1 else Map(named) if named else Map("pow", (float(exponent),))


# elements of an axis


def taken(b: Builder[V], x: V, dim: int, places: Sequence[int]) -> V:
    """The elements of a tensor axis at these places, counted from the front; a slice where they are one."""
    size, places = x.shape[x.axis(dim)], [int(p) for p in places]
    if not places or any(not 0 <= p < size for p in places):
        raise Refused(f"takes places {places[:8]} of {size} elements", "some, within the axis")
    if places == list(range(size)):
        return x
    step = places[1] - places[0] if len(places) > 1 else 1
    if step > 0 and places == list(range(places[0], places[-1] + 1, step)):
        return b.emit(Slice(x.axis(dim), places[0], places[-1] + 1, step), [x])
    return b.emit(Take(x.axis(dim), tuple(places)), [x])


def padded(b: Builder[V], x: V, dim: int, before: int, after: int, value: float = 0.0) -> V:
    """A value before and after the elements of an axis; negative numbers cut."""
    size = x.shape[x.axis(dim)]
    if before < 0 or after < 0:
        x = taken(b, x, dim, range(max(0, -before), size - max(0, -after)))
    if before > 0 or after > 0:
        x = b.emit(Pad(x.axis(dim), max(0, before), max(0, after), value), [x])
    return x


def bordered(b: Builder[V], x: V, dim: int, mode: str, before: int, after: int) -> V:
    """An axis continued by its last element (replicate), its mirror image (reflect) or itself (circular)."""
    size = x.shape[x.axis(dim)]
    at = np.arange(-before, size + after)
    if mode == "reflect":
        period = max(2 * (size - 1), 1)
        at = np.minimum(at % period, -at % period)
    elif mode in ("replicate", "circular"):
        at = at.clip(0, size - 1) if mode == "replicate" else at % size
    else:
        raise Refused(f"pads with mode {mode!r}", "legal: constant, reflect, replicate or edge, circular or wrap")
    return taken(b, x, dim, at.tolist())


def shuffled(b: Builder[V], x: V, factors: tuple[int, int], first: bool = False) -> V:
    """Channels (out, row in block, column in block) become blocks of the map; first: the channels' order puts out
    last."""
    samples, channels, height, width = x.full
    high, wide = factors
    out = channels // (high * wide)
    if first:
        moved = b.permuted(b.reshaped(x, (samples, high, wide, out, height, width)), [0, 3, 4, 1, 5, 2])
    else:
        moved = b.permuted(b.reshaped(x, (samples, out, high, wide, height, width)), [0, 1, 4, 2, 5, 3])
    return b.reshaped(moved, (samples, out, height * high, width * wide))


def unshuffled(b: Builder[V], x: V, r: int, first: bool = False) -> V:
    """Blocks of r x r become channels, the inverse of `shuffled`."""
    samples, channels, height, width = x.full
    split = b.reshaped(x, (samples, channels, height // r, r, width // r, r))
    moved = b.permuted(split, [0, 3, 5, 1, 2, 4] if first else [0, 1, 3, 5, 2, 4])
    return b.reshaped(moved, (samples, channels * r * r, height // r, width // r))


# weighted sums along an axis


def resampled(b: Builder[V], x: V, dim: int, indices: np.ndarray, weights: np.ndarray) -> V:
    """Weighted sums of the elements of a tensor axis; wiring where each is one element as it is."""
    if np.all((weights == 0) | (weights == 1)) and np.all(weights.sum(1) == 1):
        return taken(b, x, dim, indices[np.arange(len(indices)), weights.argmax(1)].tolist())
    return b.emit(Resample(indices.astype(np.float64), weights, x.axis(dim)), [x])


def interpolated(b: Builder[V], x: V, dim: int, at: np.ndarray, cubic: float | None = None, inside: bool = False) -> V:
    """Values between the elements of an axis, at places `at`; beyond an end stands its last element.

    Linear, or Keys' convolution kernel (IEEE Trans. ASSP 29, 1981) with parameter `cubic`; inside leaves taps beyond
    the ends out and divides by the weights that are left.
    """
    n, low = x.shape[x.axis(dim)], np.floor(at).astype(int)
    offsets = np.arange(2) if cubic is None else np.arange(-1, 3)
    places = low[:, None] + offsets
    t = np.abs(at[:, None] - places)
    if cubic is None:
        weights = 1 - t
    else:
        near = (cubic + 2) * t**3 - (cubic + 3) * t**2 + 1
        weights = np.where(t <= 1, near, cubic * (t**3 - 5 * t**2 + 8 * t - 4))
    if inside:
        weights = np.where((places < 0) | (places >= n), 0.0, weights)
        weights = weights / weights.sum(1, keepdims=True)
    return resampled(b, x, dim, places.clip(0, n - 1), weights)


def windows(size: int, kernel: int, stride: int, before: int, count: int, spread: int = 1) -> np.ndarray:
    """(count, kernel): the places of each window on an axis, some of which may lie beyond its ends."""
    return np.arange(count)[:, None] * stride - before + np.arange(kernel) * spread


def pooled(b: Builder[V], x: V, dim: int, places: np.ndarray, inside: np.ndarray, counted: np.ndarray | None) -> V:
    """Along one axis the mean over each window, or its maximum where `counted` is None.

    places, inside, counted: (outputs, taps): which elements, which of them exist, by how many a sum is divided.
    """
    n = x.shape[x.axis(dim)]
    if counted is not None:
        return resampled(b, x, dim, places.clip(0, n - 1), inside / counted.sum(1, keepdims=True))
    first = places[np.arange(len(places)), inside.argmax(1)][:, None]
    before, after = x.full[:dim], x.full[dim + 1 :]
    spread = taken(b, x, dim, np.where(inside, places, first).reshape(-1).tolist())
    split = b.reshaped(spread, (*before, *places.shape, *after))
    kept = b.emit(GlobalMaxPool((split.axis(dim + 1),)), [split])
    return b.reshaped(kept, (*before, len(places), *after))


def adaptive(b: Builder[V], x: V, sizes: Sequence[int], largest: bool) -> V:
    """Pooling to any size: window i of n elements runs from floor(i n / out) to ceil((i + 1) n / out)."""
    for dim, out in enumerate(sizes, 2):
        n = x.full[dim]
        starts, stops = (
            np.array(v) for v in zip(*((i * n // out, -(-(i + 1) * n // out)) for i in range(out)), strict=True)
        )
        places = starts[:, None] + np.arange((stops - starts).max())
        inside = places < stops[:, None]
        x = pooled(b, x, dim, places, inside, None if largest else inside)
    return x


def rounded_up(n: int, kernel: int, stride: int, before: int, after: int, spread: int = 1) -> int:
    """Padding at the end under ceil_mode: a last window counts if it starts inside the map or its leading padding."""
    span = spread * (kernel - 1) + 1
    count = math.ceil((n + before + after - span) / stride) + 1
    count -= (count - 1) * stride >= n + before
    return max(after, (count - 1) * stride + span - n - before)


def averaged(b: Builder[V], x: V, window: Sequence[Sequence[int]], count_padding: bool | None) -> V:
    """Averages whose last window may reach past the padding, where its elements do not count, or that are dilated.

    window: for each axis kernel, stride, padding before, padding after, dilation, reach: the padding that ceil_mode
    makes of that after. count_padding None: maxima.
    """
    for dim, (kernel, stride, before, after, spread, reach) in enumerate(window, 2):
        n = x.full[dim]
        count = (n + before + reach - spread * (kernel - 1) - 1) // stride + 1
        places = windows(n, kernel, stride, before, count, spread)
        inside = (places >= 0) & (places < n)
        counted = None if count_padding is None else (places < n + after) if count_padding else inside
        x = pooled(b, x, dim, places, inside, counted)
    return x


def local_response(b: Builder[V], x: V, size: int, before: int, alpha: float, beta: float, bias: float) -> V:
    """y = x (bias + alpha / size sum of x^2 over `size` channels)^-beta (Krizhevsky et al., NeurIPS 2012)."""
    n = x.full[1]
    places = windows(n, size, 1, before, n)
    inside = (places >= 0) & (places < n)
    square = resampled(b, b.emit(Map("square"), [x]), 1, places.clip(0, n - 1), inside.astype(np.float64))
    base = b.emit(BatchNorm(np.array([alpha / size]), np.array([bias]), -1), [square])
    return b.emit(Multiply(), [x, b.emit(Map("pow", (-beta,)), [base])])


def cumulated(b: Builder[V], x: V, dim: int, exclusive: bool = False, reverse: bool = False) -> V:
    """Sums of the elements up to each: a product with a triangle of ones; exclusive leaves the own element out."""
    n = x.shape[x.axis(dim)]
    weights = np.tril(np.ones((n, n)), -int(exclusive))
    weights = weights[::-1, ::-1] if reverse else weights
    return resampled(b, x, dim, np.broadcast_to(np.arange(n), (n, n)), np.ascontiguousarray(weights))


# products


def stacked(b: Builder[V], x: V, dims: Sequence[int], multiply: Callable[[V, int], V]) -> V:
    """A matrix of its own for each index of the axes `dims` (the heads of attention): products side by side."""
    if not dims:
        return multiply(x, 0)
    sizes = [x.shape[x.axis(dim)] for dim in dims]

    def along(y: V, depth: int, index: int) -> V:
        if depth == len(dims):
            return multiply(y, index)
        parts = [along(taken(b, y, dims[depth], [i]), depth + 1, index * sizes[depth] + i) for i in range(sizes[depth])]
        return parts[0] if len(parts) == 1 else b.emit(Concat(parts[0].axis(dims[depth])), parts)

    return along(x, 0, 0)


def einsum(
    b: Builder[V],
    equation: str,
    operands: Sequence[Any],
    product: Callable[[V, V], V],
    weighted: Callable[[V, Any, Sequence[int]], V],
    constant: Callable[[Any], bool],
) -> V:
    """Two operands: batch, contracted and free letters become one matrix product.

    weighted(value, constant, order): the value, its contracted axes last as one, times the constant with its axes in
    `order` (free, then contracted); constant: whether an operand is one.
    """
    given = list(operands)
    if len(given) != 2 or "." in equation:
        raise Refused(f"has {len(given)} operands or an ellipsis", "write products of two with every letter named")
    left, _, out = equation.replace(" ", "").partition("->")
    first, second = left.split(",")
    if not out and "->" not in equation:
        out = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    if constant(given[0]):
        (first, second), given = (second, first), given[::-1]
    full = tuple(given[1].shape) if constant(given[1]) else given[1].full
    summed = [c for c in first if c in second and c not in out]
    alone = len(set(first)) == len(first) and len(set(second)) == len(second)
    if (
        not summed
        or not alone
        or any(c not in second + out for c in first)
        or any(c not in first + out for c in second)
    ):
        raise Refused(f"computes {equation!r}", "only products that sum over shared letters are known")
    both = [c for c in first if c in second and c in out]
    mine, theirs = ([c for c in letters if c in out and c not in both] for letters in (first, second))
    sizes = dict(zip(first, given[0].full, strict=True)) | dict(zip(second, full, strict=True))
    a = _arranged(b, given[0], first, (both, mine, summed), sizes)
    if not constant(given[1]):
        y = product(a, _arranged(b, given[1], second, (both, summed, theirs), sizes))
    elif both:
        raise Refused(f"computes {equation!r} with a constant per {both}", "give a matrix")
    else:
        y = weighted(a, given[1], [second.index(c) for c in (*theirs, *summed)])
    y = b.reshaped(y, tuple(sizes[c] for c in (*both, *mine, *theirs)))
    return b.permuted(y, [(*both, *mine, *theirs).index(c) for c in out])


def _arranged(b: Builder[V], x: V, letters: str, parts: Sequence[Sequence[str]], sizes: Mapping[str, int]) -> V:
    """Axes in the order (shared, rows, columns), the last two joined into one each."""
    shared, rows, cols = parts
    moved = b.permuted(x, [letters.index(c) for c in (*shared, *rows, *cols)])
    joined = math.prod(sizes[c] for c in cols)
    if not shared:  # a layer takes any axes before the last
        return b.reshaped(moved, (*(sizes[c] for c in rows), joined))
    return b.reshaped(moved, (*(sizes[c] for c in shared), math.prod(sizes[c] for c in rows), joined))
