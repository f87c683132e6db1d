"""Which edges of a cycle carry the step of time (the rule is stated in `structure`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from neuromorph.importers.nir_files.faults import Faults
from neuromorph.importers.nir_files.fields import NEURONS
from neuromorph.importers.nir_files.records import Edge, RawNode, Structure, in_order


def components(names: Iterable[str], edges: list[Edge]) -> list[set[str]]:
    """Strongly connected parts with a cycle in them, in order of their first name."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    order = sorted(names)
    at = {name: i for i, name in enumerate(order)}
    inside = [(at[a], at[b]) for a, b in edges if a in at and b in at]
    if not inside:
        return []
    rows, cols = np.asarray(inside).T
    matrix = coo_array((np.ones(len(inside)), (rows, cols)), shape=(len(order), len(order))).tocsr()
    _, label = connected_components(matrix, directed=True, connection="strong")
    parts: dict[int, set[str]] = {}
    for name, group in zip(order, label, strict=True):
        parts.setdefault(int(group), set()).add(name)
    loops = {a for a, b in edges if a == b}
    return [part for part in parts.values() if len(part) > 1 or part & loops]


def distances(inputs: Iterable[str], edges: list[Edge]) -> dict[str, int]:
    """Edges between each node and the nearest input."""
    after: dict[str, list[str]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
    far = dict.fromkeys(inputs, 0)
    wave = list(far)
    while wave:
        following = []
        for name in wave:
            for follower in after.get(name, ()):
                if follower not in far:
                    far[follower] = far[name] + 1
                    following.append(follower)
        wave = following
    return far


def cut_cycles(
    nodes: Mapping[str, RawNode],
    edges: list[Edge],
    inputs: dict[str, RawNode | None],
    outputs: dict[str, RawNode | None],
    faults: Faults,
    cuts: Iterable[Edge] | None = None,
) -> Structure:
    """The structure with feedback edges apart. Stops where a cycle has neither neuron nor delay."""
    touched = {name for edge in edges for name in edge}
    inner = [n for n in nodes if n in touched and n not in inputs and n not in outputs]
    rank = distances(inputs, edges)
    feedback: list[Edge] = []
    if cuts is not None:
        chosen = set(cuts)
        for a, b in sorted(chosen - set(edges)):
            faults.add("node/edges", f"has no edge from {a!r} to {b!r}, which is named as feedback", "check its names")
        feedback = [e for e in edges if e in chosen]
        edges = [e for e in edges if e not in chosen]
        faults.stop()
    shorter: set[str] = set()
    while parts := components(inner, edges):
        for part in parts:
            target = _entry(part, nodes, edges, rank, faults)
            if target is None:
                faults.stop()
            if not any(nodes[n].kind in NEURONS for n in part):
                _shorten(part, nodes, edges, shorter, faults)
            feedback += [e for e in edges if e[1] == target and e[0] in part]
            edges = [e for e in edges if not (e[1] == target and e[0] in part)]
        faults.stop()
    sources: dict[str, list[str]] = {n: [] for n in inner}
    late: dict[str, list[str]] = {n: [] for n in inner}
    ends: dict[str, list[str]] = {n: [] for n in outputs}
    for kept, into in ((edges, {**sources, **ends}), (feedback, late)):
        for a, b in sorted(kept, key=lambda e: (rank.get(e[0], 0), e[0])):
            into[b].append(a)
    for name in inner:
        if late[name] and not sources[name]:
            faults.add(nodes[name].path, "gets nothing but feedback", "a node with feedback has a forward input too")
    order = [nodes[n] for n in in_order(inner, edges, rank)]
    return Structure(order, inputs, ends, outputs, sources, late, shorter)


def _entry(
    part: set[str], nodes: Mapping[str, RawNode], edges: list[Edge], rank: Mapping[str, int], faults: Faults
) -> str | None:
    """The node of a cycle at which it is cut."""
    entered = {b for a, b in edges if b in part and a not in part}
    if not entered:
        faults.add(nodes[min(part)].path, f"the cycle of {_listed(part)} gets no input", "connect it or remove it")
        return None
    neurons = {n for n in entered if nodes[n].kind in NEURONS}
    return min(neurons or entered, key=lambda n: (rank.get(n, 0), n))


def _shorten(
    part: set[str], nodes: Mapping[str, RawNode], edges: list[Edge], shorter: set[str], faults: Faults
) -> None:
    """Takes the step that the cut adds from a Delay of a cycle without neurons."""
    where = nodes[min(part)].path
    delays = sorted(n for n in part if nodes[n].kind == "Delay")
    if not delays:
        hint = "put a neuron or a Delay into it"
        faults.add(where, f"the cycle of {_listed(part)} has neither a neuron nor a Delay in it", hint)
        return
    inside = [e for e in edges if e[0] in part and e[1] in part]
    closed = [d for d in delays if all(b in part for a, b in edges if a == d)]
    entered = {b for a, b in edges if b in part and a not in part}
    if len(inside) != len(part) or not closed or closed[0] in entered:
        hint = "legal: one loop, entered and left outside its Delay"
        faults.add(where, f"the cycle of {_listed(part)} has Delays but no neuron, and is no simple loop", hint)
        return
    shorter.add(closed[0])


def _listed(part: set[str]) -> str:
    names = sorted(part)
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
