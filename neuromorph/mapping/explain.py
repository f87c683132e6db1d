"""A placement in numbers: per layer, per limit, and traffic beside random, snake order and the lower bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.mapping.flows import OUTSIDE

if TYPE_CHECKING:
    from neuromorph.mapping.placement import Placement


def explain(placement: Placement) -> dict[str, Any]:
    """JSON data: summary, layers (rows), limits (rows), traffic, orders (rows)."""
    return {
        "graph": placement.graph.name,
        "architecture": placement.architecture.name,
        "seed": placement.seed,
        "effort": placement.effort,
        "summary": _summary(placement),
        "layers": _layers(placement),
        "limits": [_limit(placement, k) for k in range(len(placement.limits))],
        "traffic": _traffic(placement),
        "orders": _orders(placement),
    }


def _summary(p: Placement) -> dict[str, Any]:
    r, memory = p.chip.resources, p.chip.resources.sharing == "memory"
    work = {name: _products(p, name) * (_tiles(p, name) if memory else 1) for name in p.layouts}
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
        "utilisation_of": "weight memory" if memory else "cells of the arrays",
        "slowest_layer": slowest,
        "steps_of_slowest_before": max(work.values()),
        "steps_of_slowest": now[slowest],
        "binding_limit": p.binding.name,
    }


def _products(p: Placement, name: str) -> int:
    layout = p.layouts[name]
    return max((m.products for m in layout.node.operator.matrices(layout.shapes)), default=1)


def _tiles(p: Placement, name: str) -> int:
    return max(sum(len(t) for t in p.layouts[name].tilings), 1)


def _turns(p: Placement, name: str) -> int:
    """Tiles that take turns in the fullest core of a copy; 1 where all arrays work at once."""
    memory = p.chip.resources.sharing == "memory"
    return -(-_tiles(p, name) // max(p.layouts[name].cores, 1)) if memory else 1


def _layers(p: Placement) -> list[dict[str, Any]]:
    index = {n.name: k for k, n in enumerate(p.graph.nodes)}
    r = p.chip.resources
    rows = []
    for name, layout in p.layouts.items():
        own = p.shards.node == index[name]
        cells = float((p.shards.height * p.shards.width)[own].sum())
        array = np.unique(p.shards.core[own] * r.arrays + p.shards.array[own])
        if r.sharing == "memory":
            room = np.unique(p.shards.core[own]).size * float(r.capacity_bits or 0)
            cells = float(p.shards.bits[own].sum())
        else:
            room = float(array.size * r.rows * r.cols)
        matrices = layout.node.operator.matrices(layout.shapes)
        mine = p.flows.node == index[name]
        rows.append(
            {
                "layer": layout.node.label,
                "node": name,
                "operator": type(layout.node.operator).__name__,
                "matrices": [[m.groups, m.rows, m.cols] for m in matrices],
                "products": _products(p, name),
                "tiles": sum(len(t) for t in layout.tilings),
                "skipped_tiles": p.skipped[name],
                "copies": p.copies[name],
                "arrays": int(array.size),
                "arrays_per_copy": layout.arrays,
                "cores_per_copy": layout.cores,
                "utilisation": cells / room if room else 0.0,
                "bits_in": float(p.flows.bits[mine & ~p.flows.partial].sum()),
                "bits_partial": float(p.flows.bits[mine & p.flows.partial].sum()),
                "bit_hops": float((p.flows.bits * p.hops)[mine].sum()),
            }
        )
    return rows


def _limit(p: Placement, k: int) -> dict[str, Any]:
    limit = p.limits[k]
    return {
        "limit": limit.name,
        "component": limit.path,
        "used": limit.used,
        "available": limit.available,
        "unit": limit.unit,
        "degree": limit.degree,
        "hard": limit.hard,
        "layer": limit.node,
        "binds": limit is p.binding,
    }


def _traffic(p: Placement) -> dict[str, Any]:
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


def _orders(p: Placement) -> list[dict[str, Any]]:
    """The orders tried, worst first, the refined one and the bound last."""
    best = p.search.costs["refined"]
    tried = sorted(((c, n) for n, c in p.search.costs.items() if n != "refined"), reverse=True)
    named = [(n, c) for c, n in tried] + [
        (f"refined from {p.search.start}", best),
        ("lower bound", p.search.lower_bound),
    ]
    return [{"order": n, "bit_hops": c, "relative": c / best if best else 1.0} for n, c in named]
