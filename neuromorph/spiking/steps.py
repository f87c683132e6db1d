"""The number of steps of a graph over time."""

from __future__ import annotations

import dataclasses

from neuromorph.errors import InputError
from neuromorph.graph.model import Graph, Operator
from neuromorph.graph.operators.wiring import Reshape


def with_steps(graph: Graph, steps: int) -> Graph:
    """The graph for samples of so many steps: the first axis of every input changes, and nothing else.

    Raises InputError where an input has no time axis, or an operator is bound to the number of steps.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError(f"steps is {steps!r}", hint="a whole number of steps, 1 or more")
    if flat := [name for name, shape in graph.input_shapes.items() if not shape]:
        raise InputError(f"input {flat[0]} has no axis of steps")
    inputs = {name: (steps, *shape[1:]) for name, shape in graph.input_shapes.items()}
    before = {shape[0] for shape in graph.input_shapes.values()}
    made: dict[int, Operator] = {}
    nodes = []
    for node in graph.nodes:
        operator = made.setdefault(id(node.operator), _with_steps(node.operator, before, steps))
        nodes.append(node if operator is node.operator else dataclasses.replace(node, operator=operator))
    changed = dataclasses.replace(graph, input_shapes=inputs, nodes=tuple(nodes))
    _ = changed.shapes  # refuses what does not fit any more
    return changed


def _with_steps(operator: Operator, before: set[int], steps: int) -> Operator:
    """Only reshaping names the time axis in its fields."""
    if (
        not isinstance(operator, Reshape)
        or operator.source[0] not in before
        or operator.target[0] != operator.source[0]
    ):
        return operator
    return Reshape((steps, *operator.source[1:]), (steps, *operator.target[1:]))
