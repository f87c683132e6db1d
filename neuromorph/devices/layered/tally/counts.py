"""Counts of actions per sample of a network whose layers are placed on cores.

`gather` turns what really flowed (statistics of an execution) into counts, `assume` turns an assumed
density and mean square into the same counts, so that a cost can be had before any data exist.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neuromorph.counts import Activity, ActivityRow
from neuromorph.devices.layered.core import Assumption, Count, Layout, Statistics, device_kind
from neuromorph.devices.layered.place.placement import Placement
from neuromorph.devices.layered.place.views import routes, tiles_of
from neuromorph.graph.model import Graph, Node, Shape
from neuromorph.hardware.component import Component


def assume(placement: Placement, assumption: Assumption | None = None) -> Activity:
    """Activity of a placement on which nothing was run."""
    unit = core_of(placement)
    kind, chosen = device_kind(unit.kind.name), assumption or Assumption()
    found = {n.name: kind.assume(placement.layouts[n.name], unit, chosen) for n in hosted(placement)}
    return gather(placement, found)


def gather(placement: Placement, statistics: Mapping[str, Statistics]) -> Activity:
    """Activity of a placement for the statistics of each hosted node."""
    unit = core_of(placement)
    kind = device_kind(unit.kind.name)
    rows: list[ActivityRow] = []
    for node in hosted(placement):
        layout, stats = placement.layouts[node.name], statistics[node.name]
        rows += [_row(node, c) for c in kind.count(layout, unit, stats)]
        occupancy = kind.occupancy(layout, unit, stats)
        tiles = max(1.0, tiles_of(placement, node.name) / max(layout.copies, 1))
        rows += [_row(node, c) for c in _tile_busy(placement, occupancy.service_s * occupancy.products * tiles)]
    shapes = placement.graph.shapes
    for node in placement.graph.nodes:
        rows += [
            _row(node, c)
            for c in vector_counts(placement.architecture.chip["tile"], node, [shapes[i] for i in node.inputs])
        ]
    rows += _movement(placement, unit)
    origins = {s.origin for s in statistics.values()}
    return Activity(tuple(rows), "assumed" if "assumed" in origins else "executed", dict(statistics))


def core_of(placement: Placement) -> Component:
    """The compute core of the placement's architecture."""
    return placement.architecture.chip["tile"]["core"]


def hosted(placement: Placement) -> list[Node]:
    """Nodes that a core computes."""
    return [n for n in placement.graph.nodes if n.operator.role in ("matrix", "state")]


def _row(node: Node, count: Count) -> ActivityRow:
    return ActivityRow(node.name, count.path, count.action, count.mean, count.spread)


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


def tile_values(graph: Graph, node: Node) -> dict[tuple[str, str], float]:
    """Values per sample that a node moves by (part of a tile, action); times the bits of a signal it is what they move.

    Independent of where the node is placed.
    """
    size = float(np.prod(graph.shapes[node.name]))
    moved: dict[tuple[str, str], float] = {}
    if node.operator.role != "wiring":
        moved["buffer", "write_bit"] = size
    if node.operator.role in ("matrix", "state"):
        arriving = sum(float(np.prod(graph.shapes[i])) for i in node.inputs)
        moved["output_register", "write_bit"] = moved["output_register", "read_bit"] = size
        moved["buffer", "read_bit"] = arriving
        moved["bus", "transfer_bit"] = arriving + size
    return moved


def _movement(placement: Placement, unit: Component) -> list[ActivityRow]:
    """Bits through tile buffers, buses, routers, links and the chip's boundary."""
    chip = placement.architecture.chip
    tile = chip["tile"]
    bits = device_kind(unit.kind.name).resources(unit).signal_bits
    rows: list[ActivityRow] = []

    def add(node: str, component: Component | None, action: str, mean: float) -> None:
        if component is not None and mean > 0:
            rows.append(ActivityRow(node, component.path, action, mean))

    for node in placement.graph.nodes:
        for (part, action), values in tile_values(placement.graph, node).items():
            add(node.name, tile.get(part), action, values * bits)
        if node.operator.role in ("matrix", "state"):
            add(node.name, tile.get("adder"), "add", _partial_sums(placement.layouts[node.name]))
    for route in routes(placement):
        add(route.node, tile.get("router"), "transfer_bit", route.bits * (route.hops + 1))
        add(route.node, chip.get("link"), "transfer_bit", route.bits * route.hops)
        add(route.node, chip.get("io"), "transfer_bit", route.outside_bits)
    # what waits beyond the tiles' buffers is written and read at least once a sample: a lower bound of that traffic
    for limit in placement.limits:
        if limit.name == "chip memory":
            for action in ("write_bit", "read_bit"):
                add(hosted(placement)[0].name, chip.get("memory"), action, limit.used)
    leaving = placement.flows.node == len(placement.graph.nodes)
    add(placement.graph.outputs[0], chip.get("io"), "transfer_bit", float(placement.flows.bits[leaving].sum()))
    return rows


def _partial_sums(layout: Layout) -> float:
    """Additions per sample that join the results of the row tiles of each output."""
    total = 0.0
    products = {m.name: m.products for m in layout.node.operator.matrices(layout.shapes)}
    for tiling in layout.tilings:
        columns = float((tiling.col1 - tiling.col0).sum())
        outputs = len(set(zip(tiling.group.tolist(), tiling.col0.tolist(), tiling.col1.tolist(), strict=True)))
        mean = columns / max(len(tiling), 1)
        total += (columns - outputs * mean) * products[tiling.item]
    return total
