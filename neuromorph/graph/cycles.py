"""Cycles of a graph over time: which nodes must run step by step together."""

from __future__ import annotations

from collections.abc import Sequence

from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.model import Graph, Node


def stages(graph: Graph) -> list[tuple[Node, ...]]:
    """The nodes in an order of evaluation, those of one cycle together (strongly connected through feedback)."""
    if not any(node.feedback for node in graph.nodes):
        return [(node,) for node in graph.nodes]
    group = _components(graph)
    members: dict[int, list[Node]] = {}
    for node in graph.nodes:
        members.setdefault(group[node.name], []).append(node)
    waits = {
        k: {group[name] for n in nodes for name in (*n.inputs, *n.feedback) if name in group} - {k}
        for k, nodes in members.items()
    }
    order: list[tuple[Node, ...]] = []
    done: set[int] = set()
    while waits:
        ready = next(k for k in waits if waits[k] <= done)  # dictionaries keep the nodes' own order
        del waits[ready]
        done.add(ready)
        order.append(tuple(members[ready]))
    return order


def cycles(graph: Graph) -> list[tuple[Node, ...]]:
    """The groups of nodes that feed back into themselves."""
    return [group for group in stages(graph) if is_cycle(group)]


def is_cycle(group: Sequence[Node]) -> bool:
    """Whether a group of `stages` is a cycle."""
    return len(group) > 1 or group[0].name in group[0].feedback


def acting_at_start(group: Sequence[Node]) -> set[str]:
    """Nodes of a cycle whose biases act, along their feedback, at the first step already.

    The semantics of the node that is fed back into decide, or those of the cycle's first neuron.
    """
    members = {node.name for node in group}
    found: set[str] = set()
    for node in group:
        settings = [s for n in (node, *group) if (s := getattr(n.operator, "semantics", None)) is not None]
        if settings and settings[0].bias_at_start:
            found |= members & set(node.feedback)
    return found


def _components(graph: Graph) -> dict[str, int]:
    """The strongly connected component of each node: Tarjan's algorithm without recursion (SIAM J. Comput. 1, 1972)."""
    names = {node.name for node in graph.nodes}
    edges = {n.name: [s for s in (*n.inputs, *n.feedback) if s in names] for n in graph.nodes}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    component: dict[str, int] = {}
    stack: list[str] = []
    for root in edges:
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            name, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    work.append((other, iter(edges[other])))
                    break
                if other not in component:
                    low[name] = min(low[name], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    while True:
                        member = stack.pop()
                        component[member] = index[name]
                        if member == name:
                            break
    return component


def check_steps(graph: Graph, group: Sequence[Node]) -> None:
    """Raises InputError with every node of a cycle that cannot run one step at a time."""
    from neuromorph.graph.operators.recurrent import GRU, LSTM

    shapes, problems = graph.shapes, []
    for node in group:
        given = [shapes[i] for i in node.inputs]
        made = shapes[node.name]
        try:
            single = node.operator.output_shape([(1, *s[1:]) for s in given])
        except InputError:
            single = ()
        if single != (1, *made[1:]) or isinstance(node.operator, LSTM | GRU):
            what = f"{type(node.operator).__name__} is part of a cycle and does not work step by step"
            problems.append(Problem(what, Place(key=node.label), "operators on (steps, *features) within a step"))
    if problems:
        raise InputError(problems)
