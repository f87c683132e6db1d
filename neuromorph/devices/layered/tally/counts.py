"""Counts of actions per sample of a network whose layers are placed on cores.

`gather` turns what really flowed (statistics of an execution) into counts, `assume` turns an assumed
density and mean square into the same counts, so that a cost can be had before any data exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from neuromorph.counts import Activity, ActivityRow
from neuromorph.devices.layered.core import Assumption, Count, Group, Layout, Statistics
from neuromorph.devices.layered.place.placement import Placement
from neuromorph.devices.layered.place.views import routes, tiles_of
from neuromorph.graph.model import Graph, Node, Shape
from neuromorph.hardware.component import Component


def assume(placement: Placement, assumption: Assumption | None = None) -> Activity:
    """Activity of a placement on which nothing was run."""
    chosen = assumption or Assumption()
    found = {name: layout.kind.assume(layout, chosen) for name, layout in placement.layouts.items()}
    return gather(placement, found)


def gather(placement: Placement, statistics: Mapping[str, Statistics]) -> Activity:
    """Activity of a placement for the statistics of each group of nodes."""
    rows: list[ActivityRow] = []
    for name, layout in placement.layouts.items():
        stats = statistics[name]
        rows += [_row(name, c) for c in layout.kind.count(layout, stats)]
        occupancy = layout.kind.occupancy(layout, stats)
        tiles = max(1.0, tiles_of(placement, name) / max(layout.copies, 1))
        rows += [_row(name, c) for c in _tile_busy(placement, occupancy.service_s * occupancy.products * tiles)]
    groups = [layout.group for layout in placement.layouts.values()]
    tile, shapes = placement.architecture.chip["tile"], placement.graph.shapes
    for node in beside(placement.graph, groups):
        rows += [_row(node.name, c) for c in vector_counts(tile, node, [shapes[i] for i in node.inputs])]
    rows += _movement(placement, groups, statistics)
    origins = {s.origin for s in statistics.values()}
    return Activity(tuple(rows), "assumed" if "assumed" in origins else "executed", dict(statistics))


def beside(graph: Graph, groups: Iterable[Group]) -> list[Node]:
    """Nodes whose element-wise operations are done beside the cores: all but those that a core computes whole."""
    inside = {node.name for group in groups if group.whole for node in group.nodes}
    return [node for node in graph.nodes if node.name not in inside]


def _row(node: str, count: Count) -> ActivityRow:
    return ActivityRow(node, count.path, count.action, count.mean, count.spread)


def _tile_busy(placement: Placement, seconds: float) -> list[Count]:
    """Parts of a tile that are known by their power alone are on while one of its cores works."""
    tile = placement.architecture.chip["tile"]
    return [Count(c.path, "busy", seconds * c.count) for name, c in tile.parts.items() if name != "core"]


def vector_counts(tile: Component, node: Node, shapes: list[Shape]) -> list[Count]:
    """Operations of a node on the tile's vector or pooling unit, for its input shapes."""
    operations = node.operator.operations(shapes)
    if not operations:
        return []
    unit = (tile.get("pooling_unit") if node.operator.pools else None) or tile.get("vector_unit")
    if unit is None:
        return [Count(f"{tile.path}.vector_unit", "operation", float(operations))]
    return [Count(unit.path, "operation", float(operations))]


def tile_values(graph: Graph, groups: Iterable[Group]) -> list[tuple[str, dict[tuple[str, str], float]]]:
    """Values per sample that each node or group moves by (part of a tile, action), but for those between the tile and
    its cores; times the bits of a signal they are what is moved. Independent of where anything is placed. Rows of
    tables come from the part "memory", which is the chip's.

    Results are written to the buffer, and what is computed beside the cores reads them there; a unit that works on
    single values and is a result's only reader takes them as they come.
    """
    shapes = graph.shapes
    groups = list(groups)
    owner = {node.name: group for group in groups for node in group.nodes}
    taken = _taken_as_they_come(graph, owner)
    found = []
    for node in graph.nodes:
        group, moved = owner.get(node.name), dict[tuple[str, str], float]()
        last = node.name if group is None else group.nodes[-1].name
        size = float(np.prod(shapes[last]))
        if group is None and node.operator.role != "wiring":
            reads = [i for i in dict.fromkeys((*node.inputs, *node.feedback)) if i not in taken]
            moved["buffer", "read_bit"] = sum(float(np.prod(shapes[i])) for i in reads)
        if node.operator.role != "wiring" and (group is None or node.name == group.name) and last not in taken:
            moved["buffer", "write_bit"] = size
        if fetched := node.operator.fetched([shapes[i] for i in node.inputs]):
            moved["memory", "read_bit"] = float(fetched)
        if group is not None and node.name == group.name:
            moved["output_register", "write_bit"] = moved["output_register", "read_bit"] = size
        found.append((node.name, moved))
    return found


def _taken_as_they_come(graph: Graph, owner: Mapping[str, Group]) -> set[str]:
    """Values that pass from what makes them to their only reader without being stored."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in dict.fromkeys((*node.inputs, *node.feedback)):
            readers.setdefault(name, []).append(node)
    shapes, found = graph.shapes, set()
    for node in graph.nodes:
        own = readers.get(node.name, [])
        if len(own) == 1 and node.name not in graph.outputs and node.operator.role != "wiring":
            (reader,) = own
            beside = reader.name not in owner and reader.operator.role != "wiring" and not reader.feedback
            alone = reader.inputs == (node.name,) and not reader.operator.pools
            if beside and alone and np.prod(shapes[reader.name]) == np.prod(shapes[node.name]):
                found.add(node.name)
    return found


def _movement(placement: Placement, groups: Sequence[Group], statistics: Mapping[str, Statistics]) -> list[ActivityRow]:
    """Bits through tile buffers, buses, routers, links and the chip's boundary.

    What cores fetch is read from the tile's buffer and carried by its bus; what they give back takes the bus too. What
    travels between tiles is read from the buffer of one and written to that of the other.
    """
    chip = placement.architecture.chip
    tile = chip["tile"]
    bits = placement.chip.resources.signal_bits
    rows: list[ActivityRow] = []

    def add(node: str, component: Component | None, action: str, mean: float) -> None:
        if component is not None and mean > 0:
            rows.append(ActivityRow(node, component.path, action, mean))

    def remember(node: str, action: str, mean: float) -> None:
        """A memory that is not there has no price, and is listed."""
        if mean > 0:
            memory = chip.get("memory")
            rows.append(ActivityRow(node, f"{chip.path}.memory" if memory is None else memory.path, action, mean))

    for name, moved in tile_values(placement.graph, groups):
        for (part, action), values in moved.items():
            if part == "memory":
                remember(name, action, values * bits)
            else:
                add(name, tile.get(part), action, values * bits)
        if name in placement.layouts:
            layout = placement.layouts[name]
            passed = layout.kind.handover(layout, statistics[name])
            add(name, tile.get("buffer"), "read_bit", passed.fetched)
            add(name, tile.get("bus"), "transfer_bit", passed.fetched + passed.given)
            add(name, tile.get("adder"), "add", _partial_sums(layout))
    for route in routes(placement):
        add(route.node, tile.get("router"), "transfer_bit", route.bits * (route.hops + 1))
        add(route.node, chip.get("link"), "transfer_bit", route.bits * (route.hops - route.crossings))
        between = 2 * route.bits * route.crossings  # out of one chip and into the next
        add(route.node, chip.get("io"), "transfer_bit", route.outside_bits + between)
        add(route.node, tile.get("buffer"), "read_bit", route.value_bits)
        add(route.node, tile.get("buffer"), "write_bit", route.value_bits + route.outside_bits)
    # what waits beyond the tiles' buffers is written and read at least once a sample: a lower bound of that traffic
    for limit in placement.limits:
        if limit.name == "chip memory":
            for action in ("write_bit", "read_bit"):
                remember(groups[0].name, action, limit.used)
    leaving = placement.flows.node == len(placement.graph.nodes)
    out = float(placement.flows.bits[leaving].sum())
    add(placement.graph.outputs[0], tile.get("buffer"), "read_bit", out)
    add(placement.graph.outputs[0], chip.get("io"), "transfer_bit", out)
    return rows


def _partial_sums(layout: Layout) -> float:
    """Additions per sample that join the results of the row tiles of each output."""
    total = 0.0
    products = {item: m.products for item, m in layout.group.matrices.items()}
    for tiling in layout.tilings:
        columns = float((tiling.col1 - tiling.col0).sum())
        outputs = np.unique(tiling.group * (int(tiling.col1.max(initial=0)) + 1) + tiling.col0).size
        mean = columns / max(len(tiling), 1)
        total += (columns - outputs * mean) * products[tiling.item]
    return total
