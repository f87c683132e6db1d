"""What other parts ask of a placement: where a node lies, who talks over how many hops, and tables for reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.mapping.flows import OUTSIDE
from neuromorph.mapping.placement import Placement


@dataclass(frozen=True)
class Route:
    """Traffic into one node per sample: bits between tiles and their mean hops; bits from and to the outside."""

    node: str
    bits: float
    hops: float
    outside_bits: float


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
            yield Route(node.name, bits, travelled / bits if bits else 0.0, crossing)


def nodes_index(placement: Placement) -> dict[str, int]:
    return {node.name: i for i, node in enumerate(placement.graph.nodes)}


def cores_of(placement: Placement, node: str) -> np.ndarray:
    """Numbers of the cores that hold a node, all copies."""
    return np.unique(placement.shards.core[placement.shards.node == nodes_index(placement)[node]])


def tiles_of(placement: Placement, node: str) -> int:
    """How many tiles hold a node, all copies."""
    return int(np.unique(cores_of(placement, node) // placement.chip.cores_per_tile).size)


def layer_row(placement: Placement, node: str) -> dict[str, Any]:
    """Tiles, arrays, cores, copies and utilisation of one node."""
    layout = placement.layouts[node]
    mine = placement.shards.node == nodes_index(placement)[node]
    cells = float((placement.shards.height * placement.shards.width)[mine].sum())
    r = placement.chip.resources
    arrays = layout.arrays * layout.copies
    available = arrays * r.rows * r.cols if r.sharing != "memory" else 0
    return {
        "shards": int(mine.sum()),
        "arrays": arrays if r.sharing != "memory" else None,
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
    if chip.resources.sharing != "memory":
        total = chip.tiles * chip.cores_per_tile * chip.resources.arrays
        rows.append(("arrays_used", float(arrays), "1", f"of {total}"))
    rows.append(("utilisation", placement.utilisation, "1", "cells in use of the arrays in use"))
    rows.append(("binding_limit", limit.degree, "1", f"{limit.name} of {limit.path} is used the most"))
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
    cells = (placement.shards.height * placement.shards.width).astype(float)
    r = chip.resources
    capacity = float(chip.cores_per_tile * r.arrays * r.rows * r.cols)
    if r.sharing == "memory":
        cells, capacity = placement.shards.bits, chip.cores_per_tile * (r.capacity_bits or 1)
    tiles = []
    for t in range(chip.tiles):
        mine = tile_of == t
        layers = [names[i] for i in np.unique(placement.shards.node[mine])]
        used = float(cells[mine].sum()) / capacity
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
