"""The timeline of a placement: a stage per operator, a token per output row, buffers and link delays between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.devices.layered.place.views import cores_of, routes, tiles_of
from neuromorph.devices.layered.tally.counts import vector_counts
from neuromorph.graph.cycles import cycles
from neuromorph.graph.decode import over_time
from neuromorph.graph.model import Graph, Node, Shape
from neuromorph.timeline import Edge, Pipeline, Stage, Timeline, all_at_once, one_to_one, simulate, window_need

if TYPE_CHECKING:
    from neuromorph.counts import Activity
    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.hardware.component import Component

SAMPLES = 8
"""Samples simulated by default: enough for the steady interval of the pipelines here and for a readable chart."""


@dataclass(frozen=True)
class Schedule:
    """Times of consecutive inferences on one chip.

    latency_s: first sample alone, from its first service to its last output. interval_s: steady time
    between outputs of a full pipeline. unmodelled: stages without a known duration.
    """

    timeline: Timeline
    latency_s: float
    interval_s: float
    bottleneck: str
    unmodelled: tuple[str, ...]

    @property
    def throughput_hz(self) -> float:
        return 1.0 / self.interval_s if self.interval_s > 0 else math.inf


def schedule(
    placement: Placement, activity: Activity, *, samples: int = SAMPLES, engine: str = "recursion"
) -> Schedule:
    """Simulates `samples` inferences that are all waiting at time 0.

    engine: "recursion" (compiled) or "simpy" (discrete events); both give the same times.
    """
    pipeline, unmodelled = pipeline_of(placement, activity)
    timeline = simulate(pipeline, max(samples, 2), engine=engine)
    return Schedule(
        timeline,
        float(timeline.latency_s[0]),
        float(timeline.interval_s),
        timeline.bottleneck().stage,
        tuple(unmodelled),
    )


def tokens_of(shape: Shape) -> int:
    """Rows of a feature map (channels, height, width); other values travel whole."""
    return shape[1] if len(shape) == 3 else 1


def _tokens(graph: Graph) -> dict[str, int]:
    """How many pieces each value travels in: time steps where samples are over time, else rows of maps.

    The nodes of a cycle take turns at every step, which takes as long as all steps of one after those of another: their
    values count as one piece.
    """
    if not over_time(graph):
        return {name: tokens_of(shape) for name, shape in graph.shapes.items()}
    stepwise = {node.name for group in cycles(graph) for node in group}
    return {name: 1 if name in stepwise else max(shape[0], 1) for name, shape in graph.shapes.items()}


def pipeline_of(placement: Placement, activity: Activity) -> tuple[Pipeline, list[str]]:
    """Stages and edges of a placement, and the stages whose duration is not known."""
    graph, shapes = placement.graph, placement.graph.shapes
    services, unmodelled = _services(placement, activity)
    servers = _servers(placement)
    count, timed = _tokens(graph), over_time(graph)
    stages = [Stage(name, 0.0, count[name]) for name in graph.input_shapes]
    edges: list[Edge] = []
    orders: dict[str, list[str]] = {}
    delays = _delays(placement)
    stage_of = {n.name: name for name, layout in placement.layouts.items() for n in layout.group.nodes}
    for node in graph.nodes:
        if stage_of.get(node.name, node.name) != node.name:
            continue  # done within the stage of its group's first node
        nodes = placement.layouts[node.name].group.nodes if node.name in placement.layouts else (node,)
        last = nodes[-1].name
        tokens = count[last]
        work = services.get(node.name, Work())
        server = servers.get(node.name, "")
        stages.append(Stage(node.name, work.service_s / tokens, tokens, depth_s=work.fill_s(tokens), server=server))
        if server:
            orders.setdefault(server, []).append(node.name)
        for source in node.inputs:
            if timed:
                need, keep = one_to_one(tokens) if count[source] == tokens else all_at_once(tokens, count[source])
            else:
                need, keep = _need(nodes, shapes[source], [shapes[n.name] for n in nodes])
            edges.append(Edge(stage_of.get(source, source), node.name, need, keep, delay_s=delays.get(node.name, 0.0)))
    return Pipeline(stages, edges, orders), unmodelled


def _need(nodes: Sequence[Node], source: Shape, made: Sequence[Shape]) -> tuple[np.ndarray, np.ndarray]:
    """What a stage of these nodes, which give values of these shapes, needs of its source for each of its tokens."""
    target = made[-1]
    have, make = tokens_of(source), tokens_of(target)
    if any(getattr(n.operator, "window", None) is not None for n in nodes[1:]) or tokens_of(made[0]) != make:
        return all_at_once(make, have)
    window = getattr(nodes[0].operator, "window", None)
    if window is not None and len(source) == 3:
        return window_need(
            make, window.kernel[0], window.stride[0], window.padding[0], window.dilation[0], in_rows=have
        )
    if have == make and len(source) == len(target):
        return one_to_one(make)
    return all_at_once(make, have)


@dataclass(frozen=True)
class Work:
    """What an operator asks of its stage: seconds it is busy per sample on all its copies together, seconds that one
    product or operation takes, however many are done side by side, and the depth of its pipeline."""

    service_s: float = 0.0
    one_s: float = 0.0
    depth_s: float = 0.0

    def fill_s(self, tokens: int) -> float:
        """Depth of a stage of so many tokens. Copies shorten the time between tokens, not the way of one product: a
        token leaves at least one product's time and the pipeline's depth after it began."""
        return self.depth_s + max(self.one_s - self.service_s / tokens, 0.0)


def _services(placement: Placement, activity: Activity) -> tuple[dict[str, Work], list[str]]:
    """The work of each operator by node: the cores', or that of the part beside them that is busiest with the node:
    they work at the same time."""
    found: dict[str, Work] = {}
    unmodelled = []
    for name, layout in placement.layouts.items():
        o = layout.kind.occupancy(layout, activity.statistics[name])
        found[name] = Work(o.service_s * math.ceil(o.products / layout.copies), o.service_s, o.depth_s)
        if o.service_s == 0.0 and any(len(t) for t in layout.tilings):
            unmodelled.append(f"{name}: duration of a product on {layout.unit.path}")
        unmodelled += o.unmodelled
    hosted = set(found)
    own = _operations(placement)
    components: Mapping[str, Component] = {c.path: c for c, _ in placement.architecture.chip.walk()}
    # bits that leave one chip and enter the next are counted at both interfaces, which work at the same time
    twice = {r.node: r.bits * r.crossings for r in routes(placement) if r.crossings}
    for row in activity:
        component = components.get(row.path)
        seconds = component.kind.times(component).get(row.action) if component and component.kind.times else None
        if seconds is None and row.node not in hosted and (row.node, row.path, row.action) in own:
            unmodelled.append(f"{row.node}: duration of its operations")
        if component is None or seconds is None or row.action not in component.kind.occupying:
            continue
        mean = row.mean - (twice.get(row.node, 0.0) if component.kind.name == "io" else 0.0)
        busy = mean * seconds / component.count / _parents(placement, row.node, component)
        work = found.get(row.node, Work())
        one = max(work.one_s, min(seconds, row.mean * seconds))
        found[row.node] = Work(max(work.service_s, busy), one, work.depth_s)
    return found, [*dict.fromkeys(unmodelled), *_absent(placement)]


def _operations(placement: Placement) -> set[tuple[str, str, str]]:
    """(node, path, action) of all that a vector unit computes."""
    tile, shapes = placement.architecture.chip["tile"], placement.graph.shapes
    return {
        (node.name, c.path, c.action)
        for node in placement.graph.nodes
        for c in vector_counts(tile, node, [shapes[i] for i in node.inputs])
    }


def _parents(placement: Placement, node: str, component: Component) -> int:
    """How many cores, tiles or chips with a part of this kind share a node's work."""
    layout = placement.layouts.get(node)
    if layout is not None and component.path.startswith(layout.unit.path + "."):
        return max(1, len(cores_of(placement, node)))
    tile = placement.architecture.chip["tile"]
    return _tiles_near(placement, node) if component.path.startswith(tile.path + ".") else 1


def _tiles_near(placement: Placement, name: str) -> int:
    """Tiles whose vector units share the work: those of the nearest hosted operator upstream, at least one."""
    graph = placement.graph
    owner = {n.name: first for first, layout in placement.layouts.items() for n in layout.group.nodes}
    while name in {n.name for n in graph.nodes}:
        node = graph[name]
        if name in owner:
            return max(1, tiles_of(placement, owner[name]))
        if not node.inputs:
            break
        name = node.inputs[0]
    return 1


def _servers(placement: Placement) -> dict[str, str]:
    """Nodes that share a core take turns: the name of their common server by node."""
    owner: dict[int, str] = {}
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    turns = placement.chip.resources.packing.takes_turns
    for name, layout in placement.layouts.items():
        parent[name] = name
        if layout.tied:
            parent[name] = root(layout.tied)
        if not turns:
            continue
        for core in cores_of(placement, name).tolist():
            if core in owner:
                parent[root(name)] = root(owner[core])
            owner[core] = name
    groups: dict[str, list[str]] = {}
    for name in parent:
        groups.setdefault(root(name), []).append(name)
    return {name: f"core of {first}" for first, names in groups.items() if len(names) > 1 for name in names}


def _absent(placement: Placement) -> list[str]:
    """Components that data pass but the architecture does not have: their energy, time and area are not modelled."""
    chip, tile = placement.architecture.chip, placement.architecture.chip["tile"]
    wanted = [(tile, "buffer")]
    wanted += [(tile, "router")] if placement.chip.tiles > 1 else []
    wanted += [(chip, "link")] if tile.count > 1 else []
    if placement.crossings.any():
        wanted.append((chip, "io"))
    return [f"{owner.path}.{name}: none in the architecture" for owner, name in wanted if owner.get(name) is None]


def _delays(placement: Placement) -> dict[str, float]:
    """Seconds a token travels to each node: latency per router passed, its bits once through the slowest link,
    and the latencies of the tile's bus and, from outside, of the chip's interface."""
    chip = placement.architecture.chip
    tile = chip["tile"]
    parts: Sequence[Component | None] = (tile.get("router"), chip.get("link"))
    times = [c.kind.times(c) for c in parts if c is not None and c.kind.times]
    latency = sum(t.get("latency", 0.0) for t in times)
    bus, interface = (_latency(c) for c in (tile.get("bus"), chip.get("io")))
    per_bit = max((t.get("transfer_bit", 0.0) for t in times), default=0.0)
    count, found = _tokens(placement.graph), {}
    for route in routes(placement):
        node = placement.graph[route.node]
        tokens = max(count[i] for i in node.inputs)
        once = bus + interface * (2 * route.crossings + (1 if route.outside_bits else 0))
        found[route.node] = latency * (route.hops + 1) + once + per_bit * route.bits / tokens
    return found


def _latency(component: Component | None) -> float:
    return component.kind.times(component).get("latency", 0.0) if component and component.kind.times else 0.0
