"""Taking dead channels out of a network: smaller arrays that compute the same function.

A channel is dead where every weight of its output row is masked: its value is then a constant (the
bias). The constant is followed through the operators that treat channels apart, folded into the bias of
the weighted operator that reads it, and the channel is cut from every array on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuromorph.compress.selection import Changes, rebuild
from neuromorph.errors import FitError, Place, Problem
from neuromorph.graph.model import Graph, Node, NumberFormat, Operator, Shape


@dataclass(frozen=True)
class Cut:
    """What is missing from a value: along `axis` (from the end) entries stay where `keep`; those that
    do not had the value `constant` (length of keep, 0 where kept). sources: the layers they come from."""

    axis: int
    keep: np.ndarray
    constant: np.ndarray
    sources: frozenset[str]


class _BlockedError(Exception):
    def __init__(self, sources: Iterable[str], reason: str) -> None:
        super().__init__(reason)
        self.sources, self.reason = frozenset(sources), reason


def remove_channels(graph: Graph, names: Iterable[str] | None = None) -> Graph:
    """The graph without the dead output channels of these nodes (None: of every node where that is possible).

    The function computed stays the same (to rounding). With `names`, a channel that cannot go raises
    FitError with the reason for each layer: a residual Add or a product with a value that keeps the channel,
    an output of the network, padding around a constant that is not 0, an operator that mixes channels.
    Without, such channels stay, masked.
    """
    wanted = None if names is None else set(names)
    shared = _shared_names(graph)
    refused: dict[str, str] = dict.fromkeys(shared, "its weights are used at several places of the network")
    while True:
        sources = {n.name for n in graph.nodes if wanted is None or n.name in wanted} - set(refused)
        result, blocked = _cut(graph, sources)
        if not blocked:
            break
        for error in blocked:
            refused.update(dict.fromkeys(error.sources, error.reason))
    dead = {n.name for n in graph.nodes if (rows := _dead_rows(n.operator)) is not None and rows.any()}
    if wanted is not None and (failed := sorted(wanted & dead & set(refused))):
        raise FitError(
            [
                Problem(
                    f"dead channels cannot be removed: {refused[name]}",
                    Place(key=name),
                    "exclude this layer, or keep its channels masked (remove=False)",
                )
                for name in failed
            ]
        )
    return result


def follow_batch_norms(graph: Graph, source: str, alive: np.ndarray) -> Iterator[tuple[Operator, dict[str, Any]]]:
    """New fields of the batch normalizations that read `source` channel by channel: 0 where not alive."""
    axis = _channel_axis(graph[source].operator)
    reached = {source}
    for node in graph.nodes:
        if len(node.inputs) != 1 or node.inputs[0] not in reached:
            continue
        operator, kind = node.operator, type(node.operator).__name__
        if kind == "BatchNorm" and operator.scale.shape == alive.shape and operator.axis == axis:  # type: ignore[attr-defined]
            yield (
                operator,
                {name: np.where(alive, getattr(operator, name), 0.0) for name in ("scale", "shift")},
            )
            reached.add(node.name)
        elif _passes_channels(operator):
            reached.add(node.name)


def _passes_channels(operator: Operator) -> bool:
    from neuromorph.graph.operators.activation import Elementwise

    kind = type(operator).__name__
    return (isinstance(operator, Elementwise) and kind != "Softmax") or kind in _POOLS


def _channel_axis(operator: Operator) -> int:
    return _CHANNEL_AXES.get(type(operator).__name__, -1)


def _shared_names(graph: Graph) -> set[str]:
    users: dict[int, list[str]] = {}
    for node in graph.nodes:
        if node.operator.weight_slots:
            users.setdefault(id(node.operator), []).append(node.name)
    return {name for names in users.values() if len(names) > 1 for name in names}


def _dead_rows(operator: Operator) -> np.ndarray | None:
    """(outputs,) bool of an operator with one weight array whose outputs stand alone, else None."""
    if len(operator.weight_slots) != 1 or getattr(operator, "groups", 1) != 1:
        return None
    mask = getattr(operator, operator.weight_slots[0].mask)
    weight = getattr(operator, operator.weight_slots[0].weight)
    if mask is None:
        return np.zeros(weight.shape[0], dtype=bool)
    return ~mask.reshape(mask.shape[0], -1).any(axis=1)


def _cut(graph: Graph, sources: set[str]) -> tuple[Graph, list[_BlockedError]]:
    """One forward pass: the smaller graph, or what stood in the way (then the graph returned is meaningless)."""
    shapes = graph.shapes
    cuts: dict[str, Cut] = {}
    changes: Changes = {}
    blocked: list[_BlockedError] = []
    for node in graph.nodes:
        given = [cuts.get(i) for i in node.inputs]
        try:
            fields, cut = _step(node, given, [shapes[i] for i in node.inputs], node.name in sources)
            if cut is not None and node.name in graph.outputs:
                raise _BlockedError(cut.sources, f"{node.label!r} is an output of the network")
        except _BlockedError as error:
            blocked.append(error)
            continue
        if fields:
            if sum(n.operator is node.operator for n in graph.nodes) > 1:
                names = frozenset().union(*(g.sources for g in given if g is not None))
                blocked.append(_BlockedError(names, f"{node.label!r} is used at several places of the network"))
                continue
            changes[id(node.operator)] = fields
        if cut is not None:
            cuts[node.name] = cut
    for node in graph.nodes:
        for name in node.feedback:  # what is fed back must keep the shape of what it is added to
            sources_of = [c.sources for v in (name, node.inputs[0]) if (c := cuts.get(v)) is not None]
            blocked += [_BlockedError(s, f"{node.label!r} is fed back into from {name!r}") for s in sources_of]
    return (graph if blocked else rebuild(graph, changes)), blocked


def _step(node: Node, given: list[Cut | None], shapes: list[Shape], source: bool) -> tuple[dict[str, Any], Cut | None]:
    """Changed fields of a node's operator and the cut of its output."""
    operator = node.operator
    kind = type(operator).__name__
    if operator.weight_slots:
        return _weighted(node, given[0] if given else None, source)
    present = [g for g in given if g is not None]
    if not present:
        return {}, None
    names = frozenset().union(*(g.sources for g in present))
    if len(given) > 1:
        return {}, _joined(node, given, shapes, names)
    cut, shape = present[0], shapes[0]
    if kind == "BatchNorm":
        return _batch_norm(node, cut)
    if _passes_channels(operator):
        if kind in _CHANNEL_AXES and cut.axis != _CHANNEL_AXES[kind]:
            raise _BlockedError(names, f"{node.label!r} pools over the channels")
        _check_padding(node, cut)
        return {}, replace(cut, constant=_apply(node, cut))
    if kind in _WIRING:
        return _WIRING[kind](node, cut, shape)
    raise _BlockedError(names, f"{kind} at {node.label!r} does not keep channels apart")


def _weighted(node: Node, given: Cut | None, source: bool) -> tuple[dict[str, Any], Cut | None]:
    operator = node.operator
    fields: dict[str, Any] = {}
    cut: Cut | None = None
    if hasattr(operator, "delay"):  # a delay belongs to each weight
        if given is not None:
            raise _BlockedError(given.sources, f"the synapses of {node.label!r} have delays of their own")
        return {}, None
    if given is not None:
        if given.axis != _channel_axis(operator):
            raise _BlockedError(given.sources, f"{node.label!r} does not read its channels along their axis")
        _check_padding(node, given)
        if getattr(operator, "groups", 1) > 1:
            return _depthwise(node, given)
        fields = _narrowed(operator, given)
    rows = _dead_rows(replace(operator, **fields))
    if source and rows is not None and rows.any():
        if rows.all():
            raise _BlockedError({node.name}, "all of its channels are dead, nothing would be left")
        bias = fields.get("bias", getattr(operator, "bias", None))
        constant = np.where(rows, 0.0 if bias is None else bias, 0.0)
        fields = _rows_kept(operator, fields, ~rows)
        cut = Cut(_channel_axis(operator), ~rows, constant, frozenset({node.name}))
    return fields, cut


def _narrowed(operator: Operator, cut: Cut) -> dict[str, Any]:
    """Fields of a weighted operator without the cut inputs, their constants folded into its bias."""
    slot = operator.weight_slots[0]
    weight, mask = getattr(operator, slot.weight), getattr(operator, slot.mask)
    fields: dict[str, Any] = {slot.weight: weight[:, cut.keep]}
    if mask is not None:
        fields[slot.mask] = mask[:, cut.keep]
    fields |= _format_kept(operator, cut.keep, axis=1)
    seen = _rounded(cut.constant, getattr(operator, "input_format", None))
    per_input = weight.reshape(*weight.shape[:2], -1).sum(axis=2)
    shift = per_input @ np.where(cut.keep, 0.0, seen)
    if shift.any():
        name = "bias_ih" if hasattr(operator, "bias_ih") else "bias"
        bias = getattr(operator, name)
        fields[name] = shift if bias is None else bias + shift
    return fields


def _rows_kept(operator: Operator, fields: dict[str, Any], keep: np.ndarray) -> dict[str, Any]:
    """Fields of a weighted operator with these output rows only."""
    slot = operator.weight_slots[0]
    narrowed = dict(fields)
    for name in (slot.weight, slot.mask, "bias"):
        value = fields.get(name, getattr(operator, name, None))
        if value is not None:
            narrowed[name] = value[keep]
    return narrowed | _format_kept(replace(operator, **fields), keep, axis=0)


def _format_kept(operator: Operator, keep: np.ndarray, axis: int) -> dict[str, NumberFormat]:
    slot = operator.weight_slots[0]
    number_format: NumberFormat | None = getattr(operator, slot.format)
    return {} if number_format is None else {slot.format: number_format.kept(axis, keep)}


def _depthwise(node: Node, cut: Cut) -> tuple[dict[str, Any], Cut]:
    """A convolution of one channel per group loses the groups of the cut channels."""
    operator: Any = node.operator
    if operator.weight.shape[1] != 1:
        reason = f"grouped convolution {node.label!r} needs every group to keep its number of channels"
        raise _BlockedError(cut.sources, reason)
    keep = np.repeat(cut.keep, operator.weight.shape[0] // operator.groups)
    seen = np.repeat(_rounded(cut.constant, operator.input_format), operator.weight.shape[0] // operator.groups)
    constant = operator.weight.reshape(operator.weight.shape[0], -1).sum(axis=1) * seen
    constant = constant + (0.0 if operator.bias is None else operator.bias)
    fields = _rows_kept(operator, {}, keep) | {"groups": int(cut.keep.sum())}
    return fields, replace(cut, keep=keep, constant=np.where(keep, 0.0, constant))


def _batch_norm(node: Node, cut: Cut) -> tuple[dict[str, Any], Cut]:
    operator: Any = node.operator
    constant = np.where(cut.keep, 0.0, operator.scale * cut.constant + operator.shift)
    if operator.scale.size == 1:
        return {}, replace(cut, constant=constant)
    if operator.axis != cut.axis:
        raise _BlockedError(cut.sources, f"{node.label!r} normalizes along another axis")
    fields = {name: getattr(operator, name)[cut.keep] for name in ("scale", "shift")}
    return fields, replace(cut, constant=constant)


def _joined(node: Node, given: list[Cut | None], shapes: list[Shape], names: frozenset[str]) -> Cut:
    """Add, Multiply and Concat: along the cut axis all inputs must lack the same, unless they are concatenated."""
    kind = type(node.operator).__name__
    cut = next(g for g in given if g is not None)
    if kind not in ("Add", "Multiply", "Concat"):
        raise _BlockedError(names, f"{kind} at {node.label!r} does not keep channels apart")
    if kind == "Concat" and node.operator.axis == cut.axis:  # type: ignore[attr-defined]
        if any(g is not None and g.axis != cut.axis for g in given):
            raise _BlockedError(names, f"{node.label!r} joins values whose channels lie on different axes")
        whole = [np.ones(s[cut.axis], dtype=bool) for s in shapes]
        keep = np.concatenate([w if g is None else g.keep for g, w in zip(given, whole, strict=True)])
        constant = np.concatenate([0.0 * w if g is None else g.constant for g, w in zip(given, whole, strict=True)])
        return Cut(cut.axis, keep, constant, names)
    for name, other, shape in zip(node.inputs, given, shapes, strict=True):
        same = other is not None and other.axis == cut.axis and np.array_equal(other.keep, cut.keep)
        if not same or shape[cut.axis] != cut.keep.size:
            what = "residual connection" if kind == "Add" else kind
            raise _BlockedError(names, f"{what} {node.label!r} joins it with {name!r}, which keeps these channels")
    if kind == "Concat":
        if any(not np.array_equal(g.constant, cut.constant) for g in given if g is not None):
            raise _BlockedError(names, f"{node.label!r} joins different constants")
        return replace(cut, sources=names)
    constants = np.stack([g.constant for g in given if g is not None])
    return replace(cut, constant=constants.sum(0) if kind == "Add" else constants.prod(0), sources=names)


def _apply(node: Node, cut: Cut) -> np.ndarray:
    """The constants after an elementwise operator; pooling leaves a constant as it is."""
    if type(node.operator).__name__ in _POOLS:
        return cut.constant
    number_format = getattr(node.operator, "format", None)
    if number_format is not None and number_format.per_channel:
        raise _BlockedError(cut.sources, f"{node.label!r} quantizes each channel with its own scale")
    import torch

    from neuromorph.graph.evaluate import FloatHost

    after = node.operator.evaluate([torch.tensor(cut.constant)], FloatHost(node.operator))
    return np.where(cut.keep, 0.0, after.numpy())


def _rounded(constant: np.ndarray, number_format: NumberFormat | None) -> np.ndarray:
    """The constants as a product sees them, rounded to its input format."""
    import torch

    from neuromorph.graph.tensors import fake_quantize

    return fake_quantize(torch.tensor(constant), number_format).numpy()


def _check_padding(node: Node, cut: Cut) -> None:
    """Zero padding next to a constant that is not zero gives other values at the border."""
    window = getattr(node.operator, "window", None)
    padded = window is not None and any(window.padding) and not type(node.operator).__name__.startswith("MaxPool")
    if padded and getattr(node.operator, "count_padding", True) and cut.constant.any():
        reason = f"their value is not 0 where {node.label!r} pads with zeros"
        raise _BlockedError(cut.sources, reason)


def _flatten(node: Node, cut: Cut, shape: Shape) -> tuple[dict[str, Any], Cut]:
    return {}, _flattened(cut, shape, node.operator.axes)  # type: ignore[attr-defined]


def _flattened(cut: Cut, shape: Shape, axes: int) -> Cut:
    """The cut after the last `axes` axes of `shape` have become one."""
    if -cut.axis > axes:
        return replace(cut, axis=cut.axis + axes - 1)
    trailing = [1] * (-cut.axis - 1)
    joined = shape[len(shape) - axes :]
    keep = np.broadcast_to(cut.keep.reshape(-1, *trailing), joined).ravel()
    constant = np.broadcast_to(cut.constant.reshape(-1, *trailing), joined).ravel()
    return replace(cut, axis=-1, keep=keep, constant=constant)


def _reshape(node: Node, cut: Cut, shape: Shape) -> tuple[dict[str, Any], Cut]:
    operator: Any = node.operator
    if len(operator.target) != 1:
        raise _BlockedError(cut.sources, f"Reshape at {node.label!r} rearranges channels")
    after = _flattened(cut, shape, len(shape))
    source = list(operator.source)
    source[cut.axis] = int(cut.keep.sum())
    return {"source": tuple(source), "target": (int(after.keep.sum()),)}, after


def _transpose(node: Node, cut: Cut, shape: Shape) -> tuple[dict[str, Any], Cut]:
    order: tuple[int, ...] = node.operator.order  # type: ignore[attr-defined]
    if -cut.axis > len(order):
        return {}, cut
    return {}, replace(cut, axis=order.index(len(order) + cut.axis) - len(order))


def _select(node: Node, cut: Cut, shape: Shape) -> tuple[dict[str, Any], Cut]:
    axis: int = node.operator.axis  # type: ignore[attr-defined]
    if axis == cut.axis:
        raise _BlockedError(cut.sources, f"{node.label!r} picks one of the channels")
    return {}, replace(cut, axis=cut.axis + (1 if axis > cut.axis else 0))


def _slice(node: Node, cut: Cut, shape: Shape) -> tuple[dict[str, Any], Cut]:
    if node.operator.axis == cut.axis:  # type: ignore[attr-defined]
        raise _BlockedError(cut.sources, f"{node.label!r} picks some of the channels")
    return {}, cut


def _global_pool(node: Node, cut: Cut, shape: Shape) -> tuple[dict[str, Any], Cut]:
    operator: Any = node.operator
    if cut.axis in operator.axes:
        raise _BlockedError(cut.sources, f"{node.label!r} pools over the channels")
    behind = 0 if operator.keep else sum(axis > cut.axis for axis in operator.axes)
    return {}, replace(cut, axis=cut.axis + behind)


_POOLS = ("MaxPool2d", "MaxPool1d", "AvgPool2d", "AvgPool1d")

_CHANNEL_AXES = {"Conv2d": -3, "MaxPool2d": -3, "AvgPool2d": -3, "Conv1d": -2, "MaxPool1d": -2, "AvgPool1d": -2}

_WIRING: dict[str, Callable[[Node, Cut, Shape], tuple[dict[str, Any], Cut]]] = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Select": _select,
    "Slice": _slice,
    "GlobalAvgPool": _global_pool,
    "GlobalMaxPool": _global_pool,
}
