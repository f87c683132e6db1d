"""The nodes and edges of a NIR graph with its nested graphs laid open, and where its cycles are cut.

Cycles. A recurrent connection acts one step later, as in every framework: spikes of step t - 1 enter at step t. Which
edges carry that step is chosen so that the rest is acyclic: of each strongly connected part, the neuron nearest to the
inputs that also has an input from outside (ties by name; a node of another kind where no such neuron exists) gets its
edges from inside the part as feedback; what is left of the part is treated likewise. A cycle of linear nodes alone is
refused. One with a Delay and no neuron is cut where it is entered, and the Delay is a step shorter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from neuromorph.errors import suggest
from neuromorph.importers.nir_files.faults import Faults
from neuromorph.importers.nir_files.fields import NEURONS, TYPES, Fields
from neuromorph.importers.nir_files.hdf5 import Item
from neuromorph.importers.nir_files.records import Edge, RawNode, Structure

MAX_EDGES = 1_000_000


@dataclass
class _Level:
    """One NIRGraph: its nodes and nested graphs by local name, its edges as texts."""

    name: str
    path: str
    nodes: dict[str, RawNode] = field(default_factory=dict)
    graphs: dict[str, _Level] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)


def read_structure(root: Item, faults: Faults, cuts: Iterable[Edge] | None = None) -> Structure:
    """Lays the graph open. cuts: the edges to be taken as feedback, in place of the choice made here.

    Stops with every unknown type, missing field, and edge that leads nowhere.
    """
    from neuromorph.importers.nir_files.cycles import cut_cycles

    flat = _Flat(faults)
    top = flat.level(root, "", 0)
    edges = flat.resolved(top)
    if faults.problems:  # what is wrong with the nodes is said along with it
        for raw in flat.nodes.values():
            if raw.kind in TYPES:
                Fields(raw, faults).check()
    faults.stop()
    edges = _without_junctions(edges, flat.junctions, faults)
    inputs, outputs, edges = _ends(top, flat.nodes, edges, faults)
    faults.stop()
    edges = _reachable(flat.nodes, edges, inputs, outputs, faults)
    faults.stop()
    return cut_cycles(flat.nodes, edges, inputs, outputs, faults, cuts)


class _Flat:
    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.nodes: dict[str, RawNode] = {}
        self.junctions: set[str] = set()

    def level(self, item: Item, prefix: str, depth: int) -> _Level:
        """Reads one NIRGraph with all that is in it."""
        level = _Level(prefix, item.path)
        kind = item.values.get("type")
        if kind != "NIRGraph":
            self.faults.add(f"{item.path}/type", f"is {kind!r}", "expected 'NIRGraph'")
        if "nodes" not in item.items:
            self.faults.add(item.path, "has no group 'nodes'", "a graph has nodes and edges")
        else:
            for name, inner in item.items["nodes"].items.items():
                self.node(level, name, inner, prefix, depth)
            for name in item.items["nodes"].values:
                self.faults.add(f"{item.path}/nodes/{name}", "is a value", "a node is a group with a type")
        level.edges = self.edge_texts(item)
        return level

    def node(self, level: _Level, name: str, inner: Item, prefix: str, depth: int) -> None:
        full = f"{prefix}.{name}" if prefix else name
        kind = inner.values.get("type")
        if kind == "NIRGraph":
            level.graphs[name] = self.level(inner, full, depth + 1)
            return
        if not isinstance(kind, str):
            self.faults.add(inner.path, "has no type", f"legal: {', '.join(TYPES)}")
            kind = ""
        elif kind not in TYPES:
            self.faults.add(f"{inner.path}/type", f"unknown node type {kind!r}", suggest(kind, TYPES))
        while full in self.nodes:
            full += "_2"
        raw = RawNode(full, kind, inner)
        self.nodes[full] = level.nodes[name] = raw
        if depth and kind in ("Input", "Output"):
            self.junctions.add(full)

    def edge_texts(self, item: Item) -> list[Edge]:
        edges = item.values.get("edges")
        where = f"{item.path}/edges"
        if edges is None:
            self.faults.add(item.path, "has no dataset 'edges'", "pairs of node names, (edges, 2)")
            return []
        if isinstance(edges, np.ndarray) and edges.size == 0:
            return []
        if isinstance(edges, str) or edges.dtype != object or edges.ndim != 2 or edges.shape[1] != 2:
            shape = "one text" if isinstance(edges, str) else f"shape {edges.shape} of {edges.dtype}"
            self.faults.add(where, f"has {shape}", "expected pairs of node names, (edges, 2) texts")
            return []
        if len(edges) > MAX_EDGES:
            self.faults.add(where, f"holds {len(edges)} edges", f"at most {MAX_EDGES}")
            return []
        return [(str(a), str(b)) for a, b in edges]

    def resolved(self, level: _Level) -> list[Edge]:
        """All edges between flat names, each once per graph that states it."""
        found: dict[Edge, None] = {}
        for row, (a, b) in enumerate(level.edges):
            where = f"{level.path}/edges[{row}]"
            source, target = self.end(level, a, "source", where), self.end(level, b, "target", where)
            if source is not None and target is not None:
                found[source, target] = None
        inner = [edge for graph in level.graphs.values() for edge in self.resolved(graph)]
        return [*found, *(edge for edge in inner if edge not in found)]

    def end(self, level: _Level, text: str, side: str, where: str) -> str | None:
        """The flat name that an edge of this graph means, or None with a problem noted."""
        matches = list(dict.fromkeys(self.matches(level, text, side, where)))
        if len(matches) == 1:
            return matches[0]
        if matches:
            self.faults.add(where, f"{text!r} may be {' or '.join(matches)}", "write the full name")
        elif not any(p.place.key == where.strip("/") for p in self.faults.problems):
            self.faults.add(where, f"names {text!r}, which is no node", suggest(text, [*level.nodes, *level.graphs]))
        return None

    def matches(self, level: _Level, text: str, side: str, where: str) -> list[str]:
        if text in level.nodes:
            return [level.nodes[text].name]
        if text in level.graphs:
            port = self.port(level.graphs[text], side, where)
            return [] if port is None else [port]
        for separator in "./":
            local = level.name.rpartition(".")[2]
            for known in {local, level.name} - {""}:
                if text.startswith(known + separator):
                    rest = text[len(known) + 1 :]
                    if rest in level.nodes or rest in level.graphs:
                        return self.matches(level, rest, side, where)
            for name, graph in level.graphs.items():
                if text.startswith(name + separator):
                    found = self.matches(graph, text[len(name) + 1 :], side, where)
                    if found:
                        return found
        return [m for graph in level.graphs.values() for m in self.matches(graph, text, side, where)]

    def port(self, level: _Level, side: str, where: str) -> str | None:
        """The node of a nested graph that an edge to (side "target") or from the graph as a whole means."""
        kind = "Input" if side == "target" else "Output"
        ports = [n.name for n in level.nodes.values() if n.kind == kind]
        if not ports:
            ports = self.open_ends(level, side, where)
        if len(ports) == 1:
            return ports[0]
        what = f"has {len(ports)} nodes that could be meant ({', '.join(ports)})" if ports else "has none"
        hint = f"name one of them in the edge, or add one {kind} node"
        self.faults.add(where, f"graph {level.name!r} as {side} of an edge: {what}", hint)
        return None

    def open_ends(self, level: _Level, side: str, where: str) -> list[str]:
        """Nodes without an edge on this side; else the only neuron."""
        at = 1 if side == "target" else 0
        taken = {edge[at] for edge in self.resolved(level)}
        free = [n.name for n in level.nodes.values() if n.name not in taken and n.kind not in ("Input", "Output")]
        for graph in level.graphs.values():
            port = self.port(graph, side, where)
            if port is not None and port not in taken:
                free.append(port)
        return free or [n.name for n in level.nodes.values() if n.kind in NEURONS]


def _without_junctions(edges: list[Edge], junctions: set[str], faults: Faults) -> list[Edge]:
    """Takes inner Input and Output nodes out: what led to them leads on to what they led to."""
    for name in sorted(junctions):
        before = [a for a, b in edges if b == name and a != name]
        after = [b for a, b in edges if a == name and b != name]
        if len(before) * len(after) + len(edges) > MAX_EDGES:
            faults.add("node", f"more than {MAX_EDGES} edges after {name!r} is laid open")
            faults.stop()
        edges = [e for e in edges if name not in e] + [(a, b) for a in before for b in after]
    return edges


Ends = tuple[dict[str, RawNode | None], dict[str, RawNode | None], list[Edge]]


def _ends(top: _Level, nodes: Mapping[str, RawNode], edges: list[Edge], faults: Faults) -> Ends:
    """Inputs and outputs of the network; made where the file has none."""
    inner = [n for n in nodes.values() if n.kind not in ("Input", "Output")]
    inputs: dict[str, RawNode | None] = {n.name: n for n in top.nodes.values() if n.kind == "Input"}
    outputs: dict[str, RawNode | None] = {n.name: n for n in top.nodes.values() if n.kind == "Output"}
    if not inner and not inputs:
        faults.add(top.path, "holds no nodes", "a network has at least one")
        return inputs, outputs, edges
    for name in inputs:
        into = [a for a, b in edges if b == name]
        if into:
            faults.add(f"{top.path}/nodes/{name}", f"is an Input, but {into[0]!r} leads to it", "remove that edge")
    for name in outputs:
        before = [a for a, b in edges if b == name]
        beyond = [b for a, b in edges if a == name]
        edges = [e for e in edges if e[0] != name] + [(a, b) for a in before for b in beyond]
    if not inputs:
        targets = {b for _, b in edges}
        roots = [n.name for n in inner if n.name not in targets]
        if not roots:
            faults.add(top.path, "has no Input node, and an edge leads to every node", "add an Input node")
        for root in roots:
            made = _free("input" if len(roots) == 1 else f"input_{root}", nodes)
            inputs[made] = None
            edges = [*edges, (made, root)]
    if not outputs:
        leaves = _leaves([n.name for n in inner], nodes, edges)
        if not leaves:
            faults.add(top.path, "has no Output node, and an edge leaves every node", "add an Output node")
        for leaf in leaves:
            made = _free("output" if len(leaves) == 1 else f"output_{leaf}", nodes)
            outputs[made] = None
            edges = [*edges, (leaf, made)]
    return inputs, outputs, edges


def _leaves(names: list[str], nodes: Mapping[str, RawNode], edges: list[Edge]) -> list[str]:
    """Nodes that lead nowhere; else the only neuron of the last cycle."""
    from neuromorph.importers.nir_files.cycles import components

    sources = {a for a, b in edges if a != b}
    leaves = [n for n in names if n not in sources]
    if leaves:
        return leaves
    last: list[str] = []
    for part in components(names, edges):
        if not any(a in part and b not in part for a, b in edges):
            last += [n for n in sorted(part) if nodes[n].kind in NEURONS]
    return last if len(last) == 1 else []


def _free(name: str, nodes: Mapping[str, RawNode]) -> str:
    while name in nodes:
        name += "_2"
    return name


def _reachable(
    nodes: Mapping[str, RawNode], edges: list[Edge], inputs: Mapping[str, object], outputs: Mapping[str, object],
    faults: Faults,
) -> list[Edge]:  # fmt: skip
    """Leaves out what leads to no output, and refuses what no input leads to."""
    useful = _closure(set(outputs), [(b, a) for a, b in edges])
    ends = {*inputs, *outputs}
    idle = sorted(n for n in nodes if n not in useful and nodes[n].kind not in ("Input", "Output"))
    if idle:
        faults.note(f"left out, since nothing leads from there to an output: {', '.join(idle)}")
    edges = [e for e in edges if e[0] in useful and e[1] in useful]
    fed = _closure(set(inputs), edges)
    for name in sorted(useful - fed):
        where = nodes[name].path if name in nodes else "node"
        what = "is an Output that nothing leads to" if name in outputs else "gets nothing from any Input"
        faults.add(where, what, "connect it or remove it")
    if not edges and not ends:
        faults.add("node", "has no edges")
    return edges


def _closure(start: set[str], edges: list[Edge]) -> set[str]:
    after: dict[str, list[str]] = {}
    for a, b in edges:
        after.setdefault(a, []).append(b)
    seen, waiting = set(start), list(start)
    while waiting:
        for name in after.get(waiting.pop(), ()):
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen
