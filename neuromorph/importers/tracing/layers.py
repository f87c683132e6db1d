"""Conversions of layers with weights: linear, convolutions, batch normalization, recurrent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch

from neuromorph.graph.model import Node, Operator, Window
from neuromorph.graph.operators.arithmetic import BatchNorm
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.recurrent import GRU, LSTM, RNN
from neuromorph.graph.operators.wiring import Concat, Constant, Slice
from neuromorph.importers.tracing.values import FUNCTIONS, Builder, Refused, Value, array, optional_array

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
    if x.batch == len(x.full) - 1:
        raise Refused("works along the batch axis")
    operator = b.shared(
        (weight, bias),
        "linear",
        lambda: Linear(array(weight, "weight"), optional_array(bias, "bias"), mask=mask_of(mask)),
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
    batch_first(x)
    values = array(weight, "weight")
    window = conv_window(values.shape[2:], stride, padding, dilation)
    cls = Conv2d if axes == 2 else Conv1d
    operator = b.shared(
        (weight, bias),
        (window, groups),
        lambda: cls(values, optional_array(bias, "bias"), mask_of(mask), window=window, groups=groups),
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


def mask_of(mask: Any) -> np.ndarray | None:
    """Where torch.nn.utils.prune left weights, bool; None where nothing is pruned."""
    return None if mask is None else mask.detach().cpu().numpy() != 0


def batch_first(x: Value) -> None:
    if x.batch != 0:
        raise Refused("has its batch axis in another place than first", "move the batch axis to the front before")


class States:
    """Final states (layers * directions, batch, hidden): one value each, made where it is asked for."""

    def __init__(self, makers: Sequence[Callable[[], Value]]) -> None:
        self._makers = tuple(cache(maker) for maker in makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, index: int) -> Value:
        return self._makers[index]()

    def stacked(self, b: Builder) -> Value:
        """All of them as the tensor that torch returns."""
        parts = [b.reshaped(self[i], (1, *self[i].full)) for i in range(len(self))]
        return parts[0] if len(parts) == 1 else b.emit(Concat(parts[0].axis(0)), parts)


class Unavailable:
    """Something a layer returns that has no operator; refused when it is used."""

    def __init__(self, what: str) -> None:
        self.what = what


def recurrent_module(b: Builder, module: torch.nn.Module, x: Value, state: Any = None) -> Any:
    """nn.LSTM, nn.GRU and nn.RNN: a node for every layer and direction."""
    if getattr(module, "proj_size", 0):
        raise Refused("has a projection (proj_size)", "use a Linear layer after it")
    parts = [
        [getattr(module, name) for name in names]
        for names in module._all_weights  # type: ignore[union-attr]
    ]
    kind = str(module.mode)
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
    """Layers one after the other, directions side by side; parts: weight_ih, weight_hh[, bias_ih, bias_hh] of each.

    kind: torch's "LSTM", "GRU", "RNN_TANH" or "RNN_RELU".
    """
    for tensor in state if isinstance(state, tuple | list) else [state]:
        if isinstance(tensor, Value | States) or (tensor is not None and bool(torch.any(tensor != 0))):
            raise Refused("has an initial state", "only a state that starts at zero is unrolled")
    if x.batch != (0 if batch_first else 1) or len(x.full) != 3:
        raise Refused(f"takes a batch axis at {0 if batch_first else 1}, found it at {x.batch}", "check batch_first")
    time, directions = (1 if batch_first else 0), (2 if bidirectional else 1)
    outs: list[Value] = []
    for layer in range(len(parts) // directions):
        made = []
        for direction in range(directions):
            operator = _cell(b, kind, parts[layer * directions + direction], has_bias, bool(direction))
            made.append(b.emit(operator, [x]))
        outs += made
        x = made[0] if len(made) == 1 else b.emit(Concat(-1), made)
    ends = [0 if k % directions else -1 for k in range(len(outs))]
    final = States([partial(b.selected, out, time, end) for out, end in zip(outs, ends, strict=True)])
    if kind != "LSTM":
        return x, final
    return x, (final, States([partial(_cell_state, b, out, time) for out in outs]))


def _cell_state(b: Builder, out: Value, time: int) -> Value:
    """The last cell state of an LSTM, whose node gets it as a row after its outputs."""
    at = next(i for i, node in enumerate(b.nodes) if node.name == out.name)
    node, steps = b.nodes[at], out.full[time]
    assert isinstance(node.operator, LSTM)
    whole = f"{node.name}_with_cell"
    b.nodes[at] = replace(node, name=whole, operator=replace(node.operator, return_cell=True))
    b.nodes.insert(at + 1, Node(node.name, Slice(out.axis(time), 0, steps), (whole,), node.module))
    longer = (*out.shape[:-2], steps + 1, out.shape[-1])
    b.shapes[whole] = longer
    return b.selected(replace(out, name=whole, shape=longer), time, -1)


def _cell(b: Builder, kind: str, tensors: Sequence[Any], has_bias: bool, reverse: bool) -> Operator:
    def make() -> Operator:
        ih, hh = array(tensors[0], "weight_ih"), array(tensors[1], "weight_hh")
        first = array(tensors[2], "bias_ih") if has_bias else None
        second = array(tensors[3], "bias_hh") if has_bias else None
        if kind == "GRU":
            return GRU(ih, hh, first, second, reverse=reverse)
        bias = None if first is None or second is None else first + second
        if kind == "LSTM":
            return LSTM(ih, hh, bias, reverse=reverse)
        return RNN(ih, hh, bias, reverse=reverse, function="relu" if kind == "RNN_RELU" else "tanh")

    return b.shared(tensors, (kind, reverse), make)


def cell_step(b: Builder, module: Any, x: Value, state: Any = None) -> Any:
    """nn.LSTMCell, nn.GRUCell and nn.RNNCell: one step, of operators; every step uses the same weights."""
    f = FUNCTIONS
    pair_of = state if isinstance(state, tuple | list) else (state, None)
    h, c = (_start(b, x, module.hidden_size, v) for v in pair_of)
    if isinstance(module, torch.nn.GRUCell):
        a = linear(b, x, module.weight_ih, module.bias_ih)
        k = linear(b, h, module.weight_hh, module.bias_hh)
        (a_r, a_z, a_n), (k_r, k_z, k_n) = f["chunk"](b, a, 3, -1), f["chunk"](b, k, 3, -1)
        r, z = f["sigmoid"](b, f["add"](b, a_r, k_r)), f["sigmoid"](b, f["add"](b, a_z, k_z))
        n = f["tanh"](b, f["add"](b, a_n, f["mul"](b, r, k_n)))
        return f["add"](b, n, f["mul"](b, z, f["sub"](b, h, n)))
    weight = b.derived(module.weight_ih, "joined", lambda: torch.cat([module.weight_ih, module.weight_hh], 1))
    bias = None
    if module.bias_ih is not None:
        bias = b.derived(module.bias_ih, "joined", lambda: module.bias_ih + module.bias_hh)
    gates = linear(b, b.emit(Concat(-1), [x, h]), weight, bias)
    if isinstance(module, torch.nn.RNNCell):
        return f[module.nonlinearity](b, gates)
    i, forget, g, o = f["chunk"](b, gates, 4, -1)
    new = f["mul"](b, f["sigmoid"](b, i), f["tanh"](b, g))
    c = f["add"](b, f["mul"](b, f["sigmoid"](b, forget), c), new)
    return f["mul"](b, f["sigmoid"](b, o), f["tanh"](b, c)), c


def _start(b: Builder, x: Value, hidden: int, state: Any) -> Value:
    """A state as it is, or the constant that a first step begins with."""
    if isinstance(state, Value):
        return state
    values = np.zeros(hidden) if state is None else array(state, "state")
    if values.ndim > 1:
        if np.any(values != values[:1]):
            raise Refused("starts from another state for each sample", "start from zero")
        values = values[0]
    return b.emit(Constant(values, len(x.shape)), [x])
