"""What other parts ask of a placement: where a node lies, who talks over how many hops, and tables for reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.explained import explained, in_bits
from neuromorph.devices.layered.place.flows import OUTSIDE

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.placement import Placement


@dataclass(frozen=True)
class Route:
    """Traffic into one node per sample: bits between tiles, values and partial sums, and their mean hops, of which
    `crossings` lead from chip to chip; those of values alone; bits from the outside."""

    node: str
    bits: float
    hops: float
    outside_bits: float
    value_bits: float
    crossings: float = 0.0


def routes(placement: Placement) -> Iterator[Route]:
    """One route per node that anything is sent to between tiles or over the chip's boundary."""
    f = placement.flows
    outside = (f.source == OUTSIDE) | (f.target == OUTSIDE)
    between = ~outside & (f.source != f.target)
    for index, node in enumerate(placement.graph.nodes):
        mine = f.node == index
        bits = float(f.bits[mine & between].sum())
        crossing = float(f.bits[mine & outside].sum())
        if bits or crossing:
            travelled = float((f.bits * placement.hops)[mine & between].sum())
            values = float(f.bits[mine & between & ~f.partial].sum())
            chips = float((f.bits * placement.crossings)[mine & between].sum())
            yield Route(
                node.name, bits, travelled / bits if bits else 0.0, crossing, values, chips / bits if bits else 0.0
            )


def nodes_index(placement: Placement) -> dict[str, int]:
    return {node.name: i for i, node in enumerate(placement.graph.nodes)}


def _shards_of(placement: Placement, index: int) -> slice:
    """The shards of one node; shards are in the order of nodes."""
    return slice(*np.searchsorted(placement.shards.node, (index, index + 1)).tolist())


def cores_of(placement: Placement, node: str) -> np.ndarray:
    """Numbers of the cores that hold a group, all copies; node: its first."""
    return np.unique(placement.shards.core[_shards_of(placement, nodes_index(placement)[node])])


def tiles_of(placement: Placement, node: str) -> int:
    """How many tiles hold a group, all copies; node: its first."""
    return int(np.unique(cores_of(placement, node) // placement.chip.cores_per_tile).size)


def layer_row(placement: Placement, node: str) -> dict[str, Any]:
    """Tiles, arrays, cores, copies and utilisation of one node."""
    layout = placement.layouts[node]
    mine = _shards_of(placement, nodes_index(placement)[node])
    cells = float((placement.shards.height * placement.shards.width)[mine].sum())
    packing = placement.chip.resources.packing
    arrays = layout.arrays * layout.copies
    available = arrays * packing.room(placement.chip) if packing.in_arrays else 0
    return {
        "shards": mine.stop - mine.start,
        "arrays": arrays if packing.in_arrays else None,
        "cores": int(cores_of(placement, node).size),
        "copies": layout.copies,
        "skipped": placement.skipped.get(node, 0),
        "utilisation": cells / available if available else None,
    }


def metrics(placement: Placement) -> list[tuple[str, float, str, str]]:
    """(name, value, unit, note) of the placement as a whole."""
    chip, limit = placement.chip, placement.binding
    arrays = len(placement.array_cells)
    rows = [
        ("tiles_used", float(np.unique(placement.tile_of_shard).size), "1", f"of {chip.tiles}"),
        ("cores_used", float(np.unique(placement.shards.core).size), "1", f"of {chip.tiles * chip.cores_per_tile}"),
    ]
    if chip.resources.packing.in_arrays:
        total = chip.tiles * chip.cores_per_tile * chip.resources.arrays
        rows.append(("arrays_used", float(arrays), "1", f"of {total}"))
    rows.append(("utilisation", placement.utilisation, "1", "cells in use of the arrays in use"))
    rows.append(("binding_limit", limit.degree, "1", f"{limit.name} of {limit.path} is used the most"))
    rows.append(("bit_hops", placement.bit_hops, "1", "bits times hops between tiles, per sample"))
    return rows


def traffic(placement: Placement) -> dict[str, Any]:
    """Bits and hops per sample, beside random, snake order and the lower bound."""
    f = placement.flows
    between = (f.source != OUTSIDE) & (f.target != OUTSIDE) & (f.source != f.target)
    bits = float(f.bits[between].sum())
    loads = placement.link_loads
    return {
        "bits": bits,
        "bit_hops": placement.bit_hops,
        "mean_hops": placement.bit_hops / bits if bits else 0.0,
        "lower_bound": placement.search.lower_bound,
        "start": placement.search.start,
        "busiest_link_bits": float(loads.max(initial=0.0)),
        **{k: float(v) for k, v in placement.search.costs.items()},
    }


def floor(placement: Placement) -> dict[str, Any]:
    """Tiles on their grid with utilisation and layers, and the bits each link carries per sample."""
    chip = placement.chip
    tile_of = placement.tile_of_shard
    names = [n.name for n in placement.graph.nodes]
    taken = np.where(placement.shards.again, 0.0, chip.resources.packing.taken(placement.shards))
    capacity = chip.cores_per_tile * chip.resources.arrays * chip.resources.packing.room(chip)
    used_bits = np.bincount(tile_of, weights=taken, minlength=chip.tiles) / capacity
    held = np.unique(tile_of * len(names) + placement.shards.node)
    begins = np.searchsorted(held, np.arange(chip.tiles + 1) * len(names))
    tiles = []
    for t in range(chip.tiles):
        layers = [names[i % len(names)] for i in held[begins[t] : begins[t + 1]]]
        used = float(used_bits[t])
        tiles.append(
            {"x": t % chip.columns, "y": t // chip.columns, "tile": t, "used": bool(layers), "utilisation": used,
             "layers": layers}
        )  # fmt: skip
    return {
        "columns": chip.columns,
        "rows": chip.rows,
        "topology": chip.topology,
        "tiles": tiles,
        "links": _links(placement),
    }


def _links(placement: Placement) -> list[dict[str, Any]]:
    """Bits between neighbouring tiles along the flows' dimension-ordered routes (x first)."""
    chip, f = placement.chip, placement.flows
    if chip.topology != "mesh":
        return []
    inside = (f.source != OUTSIDE) & (f.target != OUTSIDE) & (f.source != f.target)
    loads: dict[tuple[int, int, int, int], float] = {}
    pairs, index = np.unique(np.stack([f.source[inside], f.target[inside]]), axis=1, return_inverse=True)
    totals = np.bincount(index.ravel(), weights=f.bits[inside], minlength=pairs.shape[1])
    for (s, t), bits in zip(pairs.T.tolist(), totals.tolist(), strict=True):
        x, y, x1, y1 = s % chip.columns, s // chip.columns, t % chip.columns, t // chip.columns
        while (x, y) != (x1, y1):
            nx, ny = (x + (x1 > x) - (x1 < x), y) if x != x1 else (x, y + (y1 > y) - (y1 < y))
            key = (x, y, nx, ny) if (x, y) < (nx, ny) else (nx, ny, x, y)
            loads[key] = loads.get(key, 0.0) + bits
            x, y = nx, ny
    return [{"x0": a, "y0": b, "x1": c, "y1": d, "bits": bits} for (a, b, c, d), bits in loads.items()]


COLUMNS = (
    ("layer", "layer", "text"), ("operator", "operator", "text"), ("matrix", "matrix", "text"),
    ("products", "products", "number"), ("tiles", "tiles", "number"), ("skipped_tiles", "empty", "number"),
    ("copies", "copies", "number"), ("arrays", "arrays", "number"), ("utilisation", "used", "%"),
    ("bits_in", "bits in", "bit"), ("bits_partial", "partial sums", "bit"),
)  # fmt: skip
"""What a terminal shows of every layer."""


def explain(placement: Placement) -> dict[str, Any]:
    """See `devices.explained.explained`; traffic: bits between tiles, hops and the busiest link."""
    p, summary, moved = placement, _summary(placement), _traffic_rows(placement)
    return explained(
        p, summary=summary, layers=_layer_rows(p), columns=COLUMNS, orders=_orders(p, summary["order"]),
        measure=("traffic between tiles per sample, bits x hops", "bit"), lines=_lines(summary, moved), traffic=moved,
    )  # fmt: skip


def _lines(s: dict[str, Any], t: dict[str, Any]) -> list[str]:
    shared = ", layers share arrays" if s["layers_share_arrays"] else ""
    store = "weight memories" if s["utilisation_of"] == "weight memory" else "arrays"
    before, now = s["steps_of_slowest_before"], s["steps_of_slowest"]
    return [
        f"{s['shards']} tiles in {s['arrays']} {store} (at least {s['array_lower_bound']} for one copy){shared}",
        f"{s['utilisation']:.1%} of the {s['utilisation_of']} used, {s['skipped_tiles']} empty tiles left out",
        f"slowest layer {s['slowest_layer']}: {now:.4g} steps per sample, {before:g} with one copy and core",
        f"{in_bits(t['bits_between_tiles'])} between tiles, {t['mean_hops']:.2f} hops on average, "
        f"{in_bits(t['max_link_bits'])} over the busiest link, {in_bits(t['bits_in'])} in, "
        f"{in_bits(t['bits_out'])} out",
    ]


def _summary(p: Placement) -> dict[str, Any]:
    r, packing = p.chip.resources, p.chip.resources.packing
    work = {name: _products(p, name) * (_tiles_of_copy(p, name) if packing.takes_turns else 1) for name in p.layouts}
    now = {name: _products(p, name) * _turns(p, name) / p.copies[name] for name in p.layouts}
    slowest = max(now, key=lambda name: now[name])
    return {
        "arrays": int(np.unique(p.shards.core * r.arrays + p.shards.array).size),
        "arrays_available": p.chip.arrays,
        "array_lower_bound": p.array_bound,
        "cores": int(np.unique(p.shards.core).size),
        "cores_available": p.chip.cores,
        "tiles": int(p.tiles.size),
        "tiles_available": p.chip.tiles,
        "shards": len(p.shards),
        "skipped_tiles": sum(p.skipped.values()),
        "layers_share_arrays": p.shared,
        "utilisation": p.utilisation,
        "utilisation_of": packing.filled,
        "slowest_layer": slowest,
        "steps_of_slowest_before": max(work.values()),
        "steps_of_slowest": now[slowest],
        "binding_limit": p.binding.name,
        "order": f"refined from {p.search.start}",
    }


def _products(p: Placement, name: str) -> int:
    return max((m.products for m in p.layouts[name].group.matrices.values()), default=1)


def _tiles_of_copy(p: Placement, name: str) -> int:
    return max(sum(len(t) for t in p.layouts[name].tilings), 1)


def _turns(p: Placement, name: str) -> int:
    """Tiles that take turns in the fullest core of a copy; 1 where all arrays work at once."""
    turns = p.chip.resources.packing.takes_turns
    return -(-_tiles_of_copy(p, name) // max(p.layouts[name].cores, 1)) if turns else 1


def _layer_rows(p: Placement) -> list[dict[str, Any]]:
    index = {n.name: k for k, n in enumerate(p.graph.nodes)}
    packing, rows = p.chip.resources.packing, []
    taken = packing.taken(p.shards)
    for name, layout in p.layouts.items():
        own = _shards_of(p, index[name])
        array = np.unique(p.shards.core[own] * p.chip.resources.arrays + p.shards.array[own])
        room = array.size * packing.room(p.chip)
        matrices = layout.group.matrices.values()
        mine = p.flows.node == index[name]
        rows.append(
            {
                "layer": layout.group.label,
                "node": name,
                "operator": layout.group.operators,
                "matrices": [[m.groups, m.rows, m.cols] for m in matrices],
                "matrix": " + ".join(
                    (f"{m.groups} of " if m.groups > 1 else "") + f"{m.rows} x {m.cols}" for m in matrices
                ),
                "products": _products(p, name),
                "tiles": sum(len(t) for t in layout.tilings),
                "skipped_tiles": p.skipped[name],
                "copies": p.copies[name],
                "arrays": int(array.size),
                "arrays_per_copy": layout.arrays,
                "cores_per_copy": layout.cores,
                "utilisation": float(taken[own].sum()) / room if room else 0.0,
                "bits_in": float(p.flows.bits[mine & ~p.flows.partial].sum()),
                "bits_partial": float(p.flows.bits[mine & p.flows.partial].sum()),
                "bit_hops": float((p.flows.bits * p.hops)[mine].sum()),
            }
        )
    return rows


def _traffic_rows(p: Placement) -> dict[str, Any]:
    f = p.flows
    moved = (f.source != OUTSIDE) & (f.target != OUTSIDE) & (f.source != f.target)
    bits = float(f.bits[moved].sum())
    loads = p.link_loads
    return {
        "bits_between_tiles": bits,
        "bits_inside_tiles": float(f.bits[f.source == f.target].sum()),
        "bits_in": float(f.bits[f.source == OUTSIDE].sum()),
        "bits_out": float(f.bits[f.target == OUTSIDE].sum()),
        "bit_hops": p.bit_hops,
        "bit_hops_lower_bound": p.search.lower_bound,
        "mean_hops": p.bit_hops / bits if bits else 0.0,
        "max_link_bits": float(loads.max()) if loads.size else 0.0,
        "topology": p.chip.topology,
        "grid": [p.chip.columns, p.chip.rows],
    }


def _orders(p: Placement, refined: str) -> list[tuple[str, float]]:
    """The orders tried, worst first, the refined one and the bound last."""
    tried = sorted(((c, n) for n, c in p.search.costs.items() if n != "refined"), reverse=True)
    return [*((n, c) for c, n in tried), (refined, p.search.costs["refined"]), ("lower bound", p.search.lower_bound)]
