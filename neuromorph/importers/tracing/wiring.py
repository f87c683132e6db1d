"""Conversions of functions that move, cut and join data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from neuromorph.graph.operators.wiring import Concat, Constant, Take
from neuromorph.importers.tracing.layers import States, Unavailable
from neuromorph.importers.tracing.values import BATCH, Builder, Refused, Value, array, converts


@converts("cat", "concat", "concatenate")
def _cat(b: Builder, tensors: Sequence[Any], dim: int = 0) -> Value:
    first: Value = next(v for v in tensors if isinstance(v, Value))
    parts = [v if isinstance(v, Value) else _constant(b, first, v) for v in tensors if not _empty(v)]
    if len(parts) == 1:
        return parts[0]
    if any(v.batch != first.batch or len(v.full) != len(first.full) for v in parts):
        raise Refused("joins values with the batch axis in different places", "align them")
    return b.emit(Concat(first.axis(dim)), parts)


def _empty(v: Any) -> bool:
    return 0 in (v.full if isinstance(v, Value) else v.shape)


def _constant(b: Builder, like: Value, tensor: torch.Tensor) -> Value:
    """A constant beside a value of the same rank; it must be the same for every sample."""
    values = array(tensor, "constant")
    if values.ndim != len(like.full) or values.shape[like.batch] not in (1, BATCH) or like.folded:
        raise Refused(f"joins a constant of shape {values.shape} to {like.full}", "give it the same rank")
    if np.any(values != values.take([0], like.batch)):
        raise Refused("joins another constant for each sample", "give the same to all")
    return b.emit(Constant(values.take(0, like.batch), len(like.shape)), [like], like.batch)


@converts("stack")
def _stack(b: Builder, tensors: Sequence[Any], dim: int = 0) -> Value:
    first: Value = next(v for v in tensors if isinstance(v, Value))
    dim = dim % (len(first.full) + 1)
    parts = [
        b.reshaped(v, (*v.full[:dim], 1, *v.full[dim:])) if isinstance(v, Value) else v.unsqueeze(dim) for v in tensors
    ]
    return _cat(b, parts, dim)


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
        first, *rest = index if isinstance(index, tuple) else (index,)
        return _getitem(b, x[first], tuple(rest)) if isinstance(first, int) else _getitem(b, x.stacked(b), index)
    if isinstance(x, Unavailable):
        raise Refused(f"reads {x.what}")
    index = index if isinstance(index, tuple) else (index,)
    index = tuple([int(k) for k in i] if isinstance(i, torch.Tensor) and i.dim() == 1 else i for i in index)
    if any(not isinstance(i, int | slice | type(Ellipsis) | list | None) for i in index):
        raise Refused("is indexed by values or by tensors of several axes", "use numbers, slices and lists of numbers")
    if sum(isinstance(i, list) for i in index) > 1:
        raise Refused("is indexed by two lists at once", "index one axis after the other")
    given = sum(isinstance(i, int | slice | list) for i in index)
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
        elif isinstance(i, list):
            x = b.emit(Take(x.axis(dim), tuple(k % x.full[dim] for k in i)), [x])
            dim += 1
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
