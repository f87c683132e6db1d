"""Conversions of layers with weights: linear, convolutions, batch normalization, recurrent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neuromorph.graph.model import Operator, Window
from neuromorph.graph.operators.arithmetic import BatchNorm
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.recurrent import GRU, LSTM
from neuromorph.graph.operators.wiring import Concat
from neuromorph.importers.tracing.values import Builder, Refused, Value, array, optional_array

Sizes = int | Sequence[int]


def pair(value: Sizes, axes: int) -> tuple[int, int]:
    """One number or one per axis as (height, width); on a sequence the height's part is that of a single row."""
    values = [value] * axes if isinstance(value, int) else [int(v) for v in value]
    if len(values) == 1:
        values = values * axes
    if len(values) != axes:
        raise Refused(f"has {len(values)} sizes for {axes} axes")
    return (values[0], values[1]) if axes == 2 else (1, values[0])


def conv_window(kernel: Sequence[int], stride: Sizes, padding: Sizes | str, dilation: Sizes) -> Window:
    """The window of a convolution; "same" pads the odd zero at the end, as torch does."""
    axes = len(kernel)
    size = pair(kernel, axes)
    steps = pair(stride, axes)
    spread = (1, pair(dilation, axes)[1]) if axes == 1 else pair(dilation, axes)
    if padding == "valid":
        padding = 0
    if isinstance(padding, str):
        if padding != "same":
            raise Refused(f"has padding {padding!r}", 'legal: "same", "valid" or numbers')
        total = [d * (k - 1) for d, k in zip(spread, size, strict=True)]
        return Window(size, steps, (total[0] // 2, -(-total[0] // 2), total[1] // 2, -(-total[1] // 2)), spread)
    high, wide = (0, pair(padding, 1)[1]) if axes == 1 else pair(padding, 2)
    return Window(size, steps, (high, high, wide, wide), spread)


def linear(b: Builder, x: Value, weight: Any, bias: Any = None, mask: Any = None) -> Value:
    if x.batch == len(x.shape):
        raise Refused("works along the batch axis")
    operator = b.shared(
        (weight, bias),
        "linear",
        lambda: Linear(array(weight, "weight"), optional_array(bias, "bias"), mask=_mask(mask)),
    )
    return b.emit(operator, [x])


def convolution(
    b: Builder,
    axes: int,
    x: Value,
    weight: Any,
    bias: Any = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    mask: Any = None,
) -> Value:
    _batch_first(x)
    values = array(weight, "weight")
    window = conv_window(values.shape[2:], stride, padding, dilation)
    cls = Conv2d if axes == 2 else Conv1d
    operator = b.shared(
        (weight, bias),
        (window, groups),
        lambda: cls(values, optional_array(bias, "bias"), _mask(mask), window=window, groups=groups),
    )
    return b.emit(operator, [x])


def batch_norm(b: Builder, x: Value, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Value:
    if mean is None or var is None:
        raise Refused("normalizes with the statistics of the batch", "use track_running_stats=True and eval()")
    means, variances = array(mean, "running mean"), array(var, "running variance")
    gamma, beta = optional_array(weight, "weight"), optional_array(bias, "bias")
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variances + eps)
    shift = (0.0 if beta is None else beta) - means * scale
    return b.emit(BatchNorm(scale, shift, x.axis(1)), [x])


def _mask(mask: Any) -> np.ndarray | None:
    return None if mask is None else mask.detach().cpu().numpy() != 0


def _batch_first(x: Value) -> None:
    if x.batch != 0:
        raise Refused("has its batch axis in another place than first", "move the batch axis to the front before")


@dataclass(frozen=True)
class States:
    """Final states (layers * directions, batch, hidden), one value each."""

    values: tuple[Value, ...]


class Unavailable:
    """Something a layer returns that has no operator; refused when it is used."""

    def __init__(self, what: str) -> None:
        self.what = what


def recurrent_module(b: Builder, module: torch.nn.Module, x: Value, state: Any = None) -> Any:
    """nn.LSTM and nn.GRU: a node for every layer and direction."""
    kind = type(module).__name__ if type(module).__name__ in ("LSTM", "GRU") else module._get_name()
    if getattr(module, "proj_size", 0):
        raise Refused("has a projection (proj_size)", "use a Linear layer after it")
    parts = [
        [getattr(module, name) for name in names]
        for names in module._all_weights  # type: ignore[union-attr]
    ]
    return recurrent(b, kind, x, parts, bool(module.bias), bool(module.bidirectional), bool(module.batch_first), state)


def recurrent(
    b: Builder,
    kind: str,
    x: Value,
    parts: Sequence[Sequence[Any]],
    has_bias: bool,
    bidirectional: bool,
    batch_first: bool,
    state: Any = None,
) -> Any:
    """Layers one after the other, directions side by side; parts: weight_ih, weight_hh[, bias_ih, bias_hh] of each."""
    for tensor in state if isinstance(state, tuple | list) else [state]:
        if isinstance(tensor, Value | States) or (tensor is not None and bool(torch.any(tensor != 0))):
            raise Refused("has an initial state", "only a state that starts at zero is unrolled")
    if x.batch != (0 if batch_first else 1) or len(x.shape) != 2:
        raise Refused(f"takes a batch axis at {0 if batch_first else 1}, found it at {x.batch}", "check batch_first")
    directions = 2 if bidirectional else 1
    states: list[Value] = []
    for layer in range(len(parts) // directions):
        outs = []
        for direction in range(directions):
            operator = _cell(b, kind, parts[layer * directions + direction], has_bias, bool(direction))
            out = b.emit(operator, [x])
            states.append(b.selected(out, 1 if batch_first else 0, 0 if direction else -1))
            outs.append(out)
        x = outs[0] if len(outs) == 1 else b.emit(Concat(-1), outs)
    final = States(tuple(states))
    return (x, final) if kind == "GRU" else (x, (final, Unavailable("the final cell state")))


def _cell(b: Builder, kind: str, tensors: Sequence[Any], has_bias: bool, reverse: bool) -> Operator:
    def make() -> Operator:
        ih, hh = array(tensors[0], "weight_ih"), array(tensors[1], "weight_hh")
        first = array(tensors[2], "bias_ih") if has_bias else None
        second = array(tensors[3], "bias_hh") if has_bias else None
        if kind == "GRU":
            return GRU(ih, hh, first, second, reverse=reverse)
        return LSTM(ih, hh, None if first is None or second is None else first + second, reverse=reverse)

    return b.shared(tensors, (kind, reverse), make)
