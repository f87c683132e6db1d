"""Conversions of functions that move, cut and join data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuromorph.graph.operators.wiring import Concat, Pad
from neuromorph.importers.tracing.layers import States, Unavailable
from neuromorph.importers.tracing.values import Builder, Refused, Value, converts


@converts("cat", "concat", "concatenate")
def _cat(b: Builder, tensors: Sequence[Any], dim: int = 0) -> Value:
    if not all(isinstance(v, Value) for v in tensors):
        raise Refused("joins constants to the input's values", "leave them out")
    first: Value = tensors[0]
    if len(tensors) == 1:
        return first
    if any(v.batch != first.batch or len(v.full) != len(first.full) for v in tensors):
        raise Refused("joins values with the batch axis in different places", "align them")
    return b.emit(Concat(first.axis(dim)), list(tensors))


@converts("pad")
def _pad(b: Builder, x: Value, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Value:
    if mode != "constant" or value not in (None, 0, 0.0):
        raise Refused(f"pads with mode {mode!r} and value {value!r}", "only zeros are padded")
    return padded(b, x, pad)


@converts("constant_pad_nd")
def _constant_pad(b: Builder, x: Value, pad: Sequence[int], value: float = 0.0) -> Value:
    return _pad(b, x, pad, "constant", value)


def padded(b: Builder, x: Value, pad: Sequence[int]) -> Value:
    """Zeros before and after the last axes, last axis first, as torch orders them."""
    for i, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        if before < 0 or after < 0:
            raise Refused(f"pads by {list(pad)}", "use slices to cut")
        if before or after:
            x = b.emit(Pad(x.axis(-1 - i), int(before), int(after)), [x])
    return x


@converts("permute")
def _permute(b: Builder, x: Value, *dims: Any) -> Value:
    order = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    return b.permuted(x, list(order))


@converts("transpose", "swapaxes", "swapdims")
def _transpose(b: Builder, x: Value, dim0: int, dim1: int) -> Value:
    order = list(range(len(x.full)))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return b.permuted(x, order)


@converts("mT", "t", "adjoint")
def _matrix_transpose(b: Builder, x: Value) -> Value:
    return b.permuted(x, [*range(len(x.full) - 2), -1, -2])


@converts("select")
def _select(b: Builder, x: Value, dim: int, index: int) -> Value:
    return b.selected(x, dim, index)


@converts("slice")
def _slice(b: Builder, x: Value, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Value:
    return b.sliced(x, dim, start, end, step)


@converts("narrow")
def _narrow(b: Builder, x: Value, dim: int, start: int, length: int) -> Value:
    return b.sliced(x, dim, start, start + length)


@converts("chunk")
def _chunk(b: Builder, x: Value, chunks: int, dim: int = 0) -> tuple[Value, ...]:
    return _split(b, x, -(-x.full[dim] // chunks), dim)


@converts("split", "split_with_sizes")
def _split(b: Builder, x: Value, sizes: Any, dim: int = 0) -> tuple[Value, ...]:
    total = x.full[dim]
    if isinstance(sizes, int):
        sizes = [min(sizes, total - start) for start in range(0, total, sizes)]
    ends = list(np.cumsum(sizes))
    return tuple(b.sliced(x, dim, int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True))


@converts("unbind")
def _unbind(b: Builder, x: Value, dim: int = 0) -> tuple[Value, ...]:
    return tuple(b.selected(x, dim, i) for i in range(x.full[dim]))


@converts("getitem")
def _getitem(b: Builder, x: Any, index: Any) -> Any:
    if isinstance(x, tuple | list):
        return x[index]
    if isinstance(x, States):
        if not isinstance(index, int):
            raise Refused("takes more than one final state at once", "index them one by one")
        return x.values[index]
    if isinstance(x, Unavailable):
        raise Refused(f"reads {x.what}")
    index = index if isinstance(index, tuple) else (index,)
    if any(not isinstance(i, int | slice | type(Ellipsis) | None) for i in index):
        raise Refused("is indexed by a tensor or list", "use numbers and slices")
    given = sum(isinstance(i, int | slice) for i in index)
    if Ellipsis in index:
        at = index.index(Ellipsis)
        index = (*index[:at], *[slice(None)] * (len(x.full) - given), *index[at + 1 :])
    dim = 0
    for i in index:
        if i is None:
            shape = (*x.full[:dim], 1, *x.full[dim:])
            x = b.reshaped(x, shape)
            dim += 1
        elif isinstance(i, int):
            x = b.selected(x, dim, i)
        else:
            x = b.sliced(x, dim, i.start, i.stop, i.step)
            dim += 1
    return x


RESHAPING = frozenset(
    {
        "view",
        "reshape",
        "flatten",
        "unflatten",
        "squeeze",
        "unsqueeze",
        "_unsafe_view",
        "view_as",
        "reshape_as",
        "ravel",
    }
)
"""Functions whose result is the input read in the traced result's shape."""
