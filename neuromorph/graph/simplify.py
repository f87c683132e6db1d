"""Rewriting a graph into an equal one with less to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from neuromorph.graph.arrays import ShapeOnly
from neuromorph.graph.model import Graph, Node, Operator
from neuromorph.graph.operators.arithmetic import BatchNorm
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear, Weighted
from neuromorph.graph.operators.recurrent import GRU, LSTM, RNN
from neuromorph.graph.operators.wiring import Select

_CHANNEL_AXIS: Mapping[type[Operator], int] = {Linear: -1, Conv1d: -2, Conv2d: -3}


def simplify(graph: Graph) -> Graph:
    """Folds batch normalizations, keeps only the last step of recurrent layers where only that is used, drops the rest.

    The result computes the same function up to rounding.
    """
    return without_unused(last_steps(fold_batch_norm(graph)))


def without_unused(graph: Graph) -> Graph:
    """Drops the nodes that no output depends on, feedback included."""
    needed, waiting = set(graph.outputs), list(graph.outputs)
    by_name = {node.name: node for node in graph.nodes}
    while waiting:
        node = by_name.get(waiting.pop())
        if node is not None:
            found = {*node.inputs, *node.feedback} - needed
            needed |= found
            waiting += found
    return dataclasses.replace(graph, nodes=tuple(n for n in graph.nodes if n.name in needed))


def fold_batch_norm(graph: Graph) -> Graph:
    """W' = scale W and b' = scale b + shift where a normalization alone reads a linear layer or convolution.

    The pair goes by the layer's name, outputs included. Masks stay; weights with a number format take a shift alone,
    since a scale would move them off their grid.
    """
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    readers = _readers(graph)
    for node in graph.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        before = nodes.get(inputs[0]) if inputs else None
        alone = before is not None and len(readers[node.inputs[0]]) == 1 and node.inputs[0] not in graph.outputs
        if before is not None and alone and not node.feedback:
            folded = _folded(before.operator, node.operator)
            if folded is not None:
                nodes[before.name] = dataclasses.replace(before, operator=folded)
                renamed[node.name] = before.name
                continue
        nodes[node.name] = dataclasses.replace(node, inputs=inputs)
    return _with(graph, nodes, renamed)


def _folded(layer: Operator, norm: Operator) -> Operator | None:
    if (
        not isinstance(norm, BatchNorm)
        or not isinstance(layer, Weighted)
        or (layer.weight_format and np.any(norm.scale != 1))
    ):
        return None
    channels = layer.weight.shape[0]
    if norm.scale.size != 1 and (norm.axis != _CHANNEL_AXIS.get(type(layer)) or norm.scale.size != channels):
        return None
    scale, shift = np.broadcast_to(norm.scale, (channels,)), np.broadcast_to(norm.shift, (channels,))
    bias = shift if layer.bias is None else layer.bias * scale + shift
    weight = layer.weight * scale.reshape(-1, *(1,) * (layer.weight.ndim - 1))
    return dataclasses.replace(layer, weight=weight, bias=bias)


def last_steps(graph: Graph) -> Graph:
    """A recurrent layer of whose outputs only the last state is read returns just that, under its own name."""
    readers = _readers(graph)
    ends: set[str] = set()
    for node in graph.nodes:
        if not isinstance(node.operator, LSTM | GRU | RNN) or not _whole_sequence(node.operator):
            continue
        (time, _), end = graph.shapes[node.name], 0 if node.operator.reverse else -1
        wanted = (Select(-2, end), Select(-2, end % time))
        used = readers[node.name]
        if used and node.name not in graph.outputs and all(reader.operator in wanted for reader in used):
            ends.add(node.name)
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in graph.nodes:
        if node.inputs and node.inputs[0] in ends:
            renamed[node.name] = node.inputs[0]
            continue
        operator = node.operator
        if node.name in ends and isinstance(operator, LSTM | GRU | RNN):
            operator = dataclasses.replace(operator, return_sequences=False)
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        nodes[node.name] = dataclasses.replace(node, operator=operator, inputs=inputs)
    return _with(graph, nodes, renamed)


def _whole_sequence(operator: LSTM | GRU | RNN) -> bool:
    """Whether it returns the outputs of all steps, and nothing else."""
    return operator.return_sequences and not (isinstance(operator, LSTM) and operator.return_cell)


def rounded(graph: Graph, dtype: type[np.floating]) -> Graph:
    """Every weight, bias, scale and shift as the nearest value of this dtype; nodes keep sharing operators."""
    made: dict[int, Operator] = {}
    for node in graph.nodes:
        arrays = {k: v for k, v in node.operator.arrays().items() if v.dtype == np.float64}
        near = {k: v.astype(dtype) for k, v in arrays.items()}
        off = any(not isinstance(v, ShapeOnly) and not np.array_equal(near[k], v) for k, v in arrays.items())
        made[id(node.operator)] = dataclasses.replace(node.operator, **near) if off else node.operator
    nodes = tuple(dataclasses.replace(n, operator=made[id(n.operator)]) for n in graph.nodes)
    return dataclasses.replace(graph, nodes=nodes)


def _with(graph: Graph, nodes: Mapping[str, Node], renamed: Mapping[str, str]) -> Graph:
    outputs = tuple(renamed.get(name, name) for name in graph.outputs)
    kept = tuple(
        dataclasses.replace(n, feedback=tuple(renamed.get(f, f) for f in n.feedback)) if n.feedback else n
        for n in nodes.values()
    )
    return dataclasses.replace(graph, nodes=kept, outputs=outputs)


def _readers(graph: Graph) -> dict[str, list[Node]]:
    readers: dict[str, list[Node]] = {name: [] for name in (*graph.input_shapes, *(n.name for n in graph.nodes))}
    for node in graph.nodes:
        for name in (*node.inputs, *node.feedback):
            readers[name].append(node)
    return readers
