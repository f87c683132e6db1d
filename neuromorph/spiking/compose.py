"""Linear operators within a step as compressed rows by source: the matrix an operator is, and products of these.

Every function gives a scipy CSR array (inputs, outputs) over flat features (row-major, without the time axis).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from neuromorph.graph.model import Operator, Shape, Window
from neuromorph.graph.operators.arithmetic import Add, BatchNorm
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.pooling import AvgPool1d, AvgPool2d, GlobalAvgPool
from neuromorph.graph.operators.synapses import Scale, SumPool2d
from neuromorph.graph.operators.wiring import Concat, Flatten, Pad, Reshape, Select, Slice, Transpose

Rows = Any
"""A scipy CSR array (inputs, outputs)."""


def size_of(features: Shape) -> int:
    return int(np.prod(features, dtype=np.int64))


def chosen(source: np.ndarray, inputs: int) -> Rows:
    """Output k is input source[k], or nothing where source[k] is -1."""
    to = np.flatnonzero(source >= 0)
    return sp.csr_array((np.ones(to.size), (source[to], to)), shape=(inputs, source.size))


def diagonal(values: np.ndarray) -> Rows:
    return sp.csr_array(sp.diags_array(values))


def dense_rows(weight: np.ndarray, repeats: int) -> Rows:
    """weight (outputs, inputs), the same for `repeats` vectors one after the other; zeros are no synapses."""
    rows = sp.csr_array(weight.T)
    return rows if repeats == 1 else sp.csr_array(sp.kron(sp.eye_array(repeats), rows, format="csr"))


def window_rows(weight: np.ndarray, window: Window, groups: int, height: int, width: int) -> Rows:
    """A convolution, weight (outputs, inputs/groups, kh, kw), over maps (channels, height, width).

    Which window positions a pixel takes part in is the same for all channels: it is found once, in the order of the
    targets, and repeated.
    """
    outputs, per_group = weight.shape[:2]
    rows, cols = window.output(height, width)
    pixel, target, tap = _pattern(window, height, width, rows, cols)
    begins = np.concatenate(([0], np.cumsum(np.bincount(pixel, minlength=height * width))))
    many = outputs // groups
    counts = np.diff(begins) * many
    within = np.arange(pixel.size * many) - np.repeat(begins[:-1] * many, counts)
    length = np.repeat(np.diff(begins), counts)
    output = within // np.maximum(length, 1)
    entry = np.repeat(begins[:-1], counts) + within % np.maximum(length, 1)
    index = output * (rows * cols) + target[entry]
    grouped = weight.reshape(groups, many, per_group, -1)
    values = grouped[:, output, :, tap[entry]]  # (entries, groups, channels per group): indexed axes come first
    values = np.moveaxis(values, 0, -1).reshape(-1)
    shifted = index + (np.arange(groups) * (many * rows * cols))[:, None]
    indices = np.repeat(shifted[:, None], per_group, axis=1).reshape(-1)
    indptr = np.concatenate(([0], np.cumsum(np.tile(counts, groups * per_group))))
    shape = (groups * per_group * height * width, outputs * rows * cols)
    made = sp.csr_array((values, indices.astype(np.int32), indptr), shape=shape)
    if not values.all():
        made.eliminate_zeros()
    return made


def _pattern(
    window: Window, height: int, width: int, rows: int, cols: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """(pixel, window position, tap) of every pair that meets, by pixel and then by position."""
    along = []
    for axis, (size, positions, before) in enumerate(
        ((height, rows, window.padding[0]), (width, cols, window.padding[2]))
    ):
        kernel, stride, step = window.kernel[axis], window.stride[axis], window.dilation[axis]
        tap = np.arange(kernel)[::-1]  # positions rise as taps fall
        start = np.arange(size)[:, None] + before - tap[None, :] * step
        meets = (start >= 0) & (start % stride == 0) & (start // stride < positions)
        along.append((meets, start // stride, np.broadcast_to(tap, start.shape)))
    (meets_y, at_y, tap_y), (meets_x, at_x, tap_x) = along
    y, x, u, v = np.nonzero(meets_y[:, None, :, None] & meets_x[None, :, None, :])
    return y * width + x, at_y[y, u] * cols + at_x[x, v], tap_y[y, u] * window.kernel[1] + tap_x[x, v]


def _maps(features: Shape, axes: int) -> tuple[int, int, int]:
    return (features[0], 1, features[1]) if axes == 2 else (features[0], features[1], features[2])


def _conv(operator: Conv1d | Conv2d, features: Shape) -> Rows:
    _, height, width = _maps(features, operator.weight_axes - 1)
    weight = operator.weight.reshape(*operator.weight.shape[:2], *operator.window.kernel)
    return window_rows(weight, operator.window, operator.groups, height, width)


def _pool(operator: SumPool2d | AvgPool2d | AvgPool1d, features: Shape) -> Rows:
    channels, height, width = _maps(features, operator.axes)
    window = operator.window
    ones = np.ones((channels, 1, *window.kernel))
    rows = window_rows(ones, window, channels, height, width)
    if isinstance(operator, SumPool2d):
        return rows
    area = np.float64(window.kernel[0] * window.kernel[1])
    if operator.count_padding:
        return rows * (1 / area)
    return sp.csr_array(rows @ diagonal(1 / np.maximum(rows.sum(axis=0), 1)))


def _moved(operator: Operator, features: Shape) -> Rows | None:
    """Operators that only move features; None where the time axis itself is moved."""
    where = np.arange(size_of(features)).reshape(features)
    rank = len(features)
    if isinstance(operator, Flatten):
        return _as_is(features) if operator.axes <= rank else None
    if isinstance(operator, Reshape):
        return _as_is(features) if operator.source[0] == operator.target[0] else None
    if isinstance(operator, Transpose):
        order = operator.order
        if len(order) == rank + 1:
            if order[0] != 0:
                return None
            order = tuple(k - 1 for k in order[1:])
        if len(order) > rank:
            return None
        kept = rank - len(order)
        return chosen(where.transpose(*range(kept), *(kept + k for k in order)).ravel(), where.size)
    if not isinstance(operator, Select | Slice | Pad) or -operator.axis > rank:
        return None
    if isinstance(operator, Select):
        return chosen(where.take(operator.index, axis=operator.axis).ravel(), where.size)
    if isinstance(operator, Slice):
        picked = range(operator.start, operator.stop, operator.step)
        return chosen(where.take(picked, axis=operator.axis).ravel(), where.size)
    pads = [(0, 0)] * rank
    pads[operator.axis] = (operator.before, operator.after)
    return chosen(np.pad(where, pads, constant_values=-1).ravel(), where.size)


def _as_is(features: Shape) -> Rows:
    return IDENTITY


IDENTITY: Any = "identity"
"""In place of rows: every feature goes to the feature of the same number."""


def _mean(operator: GlobalAvgPool, features: Shape) -> Rows | None:
    axes = [a for a in operator.axes if -a <= len(features)]
    if len(axes) != len(operator.axes):
        return None
    shape = [1 if i - len(features) in axes else n for i, n in enumerate(features)]
    kept = np.arange(size_of(tuple(shape)))
    target = np.broadcast_to(kept.reshape(shape), features).ravel()
    share = np.full(target.size, kept.size / target.size)
    return sp.csr_array((share, target, np.arange(target.size + 1)), shape=(target.size, kept.size))


def _along(values: np.ndarray, axis: int, features: Shape) -> np.ndarray:
    """A value per channel on `axis`, for every feature."""
    shaped = values.reshape(-1, *(1,) * (-axis - 1))
    return np.broadcast_to(shaped, features).ravel()


_SINGLE: Mapping[type[Operator], Callable[[Any, Shape], Rows | None]] = {
    Linear: lambda op, f: dense_rows(op.weight, size_of(f[:-1])),
    Conv1d: _conv,
    Conv2d: _conv,
    SumPool2d: _pool,
    AvgPool1d: _pool,
    AvgPool2d: _pool,
    GlobalAvgPool: _mean,
    Scale: lambda op, f: diagonal(np.broadcast_to(op.scale, f).ravel()),
    BatchNorm: lambda op, f: diagonal(_along(op.scale, op.axis, f)) if -op.axis <= len(f) else None,
    Flatten: _moved,
    Reshape: _moved,
    Transpose: _moved,
    Select: _moved,
    Slice: _moved,
    Pad: _moved,
}


def rows_of(operator: Operator, inputs: Sequence[Shape], output: Shape) -> list[Rows] | None:
    """The rows from each input of an operator to its output (feature shapes), or None where it is not linear within a
    step. `IDENTITY` stands for rows that change nothing."""
    if isinstance(operator, Add):
        return [_repeated(f, output) for f in inputs]
    if isinstance(operator, Concat):
        if -operator.axis > len(output):
            return None
        where = np.arange(size_of(output)).reshape(output)
        ends = np.cumsum([f[operator.axis] for f in inputs])
        parts = np.split(where, ends[:-1], axis=operator.axis)
        return [
            sp.csr_array((np.ones(p.size), p.ravel(), np.arange(p.size + 1)), shape=(p.size, where.size)) for p in parts
        ]
    make = _SINGLE.get(type(operator))
    found = None if make is None else make(operator, inputs[0])
    return None if found is None else [found]


def _repeated(features: Shape, output: Shape) -> Rows:
    if tuple(features) == tuple(output):
        return IDENTITY
    where = np.arange(size_of(features)).reshape(features)
    return chosen(np.broadcast_to(where, output).ravel(), where.size)


def bias_of(operator: Operator, output: Shape) -> np.ndarray | None:
    """What the operator adds to each feature of its output, or None."""
    if isinstance(operator, BatchNorm):
        found = _along(operator.shift, operator.axis, output)
        return found if found.any() else None
    bias: np.ndarray | None = getattr(operator, "bias", None)
    if bias is None or not bias.any():
        return None
    axis = -2 if isinstance(operator, Conv1d) else -3 if isinstance(operator, Conv2d) else -1
    return _along(bias, axis, output)
