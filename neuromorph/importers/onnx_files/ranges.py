"""Quantizers in front of matrices as the number format of their inputs, so that hardware sees the bits."""

from __future__ import annotations

import dataclasses

from neuromorph.graph.model import Graph, Node, NumberFormat
from neuromorph.graph.operators.arithmetic import Quantize
from neuromorph.graph.operators.dense import Weighted
from neuromorph.graph.operators.pooling import MaxPool1d, MaxPool2d
from neuromorph.graph.operators.wiring import Flatten, Pad, Reshape, Select, Slice, Take, Transpose

_KEEP = (Flatten, Reshape, Transpose, Select, Slice, Take, Pad, MaxPool1d, MaxPool2d)
"""Operators whose values are among those of their input (a padded zero is on every grid with zero)."""


def with_input_formats(graph: Graph) -> Graph:
    """Matrices behind a quantizer of one scale round their inputs to it; one that only they read is left out."""
    made = {node.name: node for node in graph.nodes}
    behind: dict[str, NumberFormat] = {}
    for node in graph.nodes:
        operator = node.operator
        if isinstance(operator, Quantize) and not operator.format.per_channel:
            behind[node.name] = operator.format
        elif isinstance(operator, _KEEP) and node.inputs[0] in behind:
            plain = not isinstance(operator, Pad) or behind[node.inputs[0]].has_zero
            if plain and not (isinstance(operator, Pad) and operator.value):
                behind[node.name] = behind[node.inputs[0]]
        elif isinstance(operator, Weighted) and operator.input_format is None and node.inputs[0] in behind:
            rounding = dataclasses.replace(operator, input_format=behind[node.inputs[0]])
            made[node.name] = dataclasses.replace(node, operator=rounding)
    return _without(graph, made)


def _without(graph: Graph, made: dict[str, Node]) -> Graph:
    """Drops quantizers that matrices alone read: these round."""
    readers: dict[str, list[Node]] = {}
    for node in made.values():
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    gone: dict[str, str] = {}
    for node in made.values():
        read = readers.get(node.name, [])
        only = read and all(isinstance(r.operator, Weighted) for r in read) and node.name not in graph.outputs
        if isinstance(node.operator, Quantize) and only and not node.operator.format.per_channel:
            gone[node.name] = gone.get(node.inputs[0], node.inputs[0])
    kept = [
        dataclasses.replace(n, inputs=tuple(gone.get(i, i) for i in n.inputs)) if set(n.inputs) & set(gone) else n
        for n in made.values()
        if n.name not in gone
    ]
    return dataclasses.replace(graph, nodes=tuple(kept))
