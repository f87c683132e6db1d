"""A placement on a many-core chip in numbers: per population, per limit, routing tables, and packets times hops beside
those of other placements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.explained import explained
from neuromorph.devices.manycore.place.shapes import HOST

if TYPE_CHECKING:
    from neuromorph.devices.manycore.place.placement import CorePlacement

ORDERS = ("random", "greedy", "optimised", "lower_bound")

COLUMNS = (
    ("layer", "population", "text"), ("model", "model", "text"), ("neurons", "neurons", "number"),
    ("slices", "slices", "number"), ("cores", "cores", "number"), ("synapses", "synapses in", "number"),
)  # fmt: skip
"""What a terminal shows of every population."""


def explain(placement: CorePlacement) -> dict[str, Any]:
    """See `devices.explained.explained`; layers are populations. memory, tables, traffic: bits, routing tables,
    packets."""
    p = placement
    orders = [(n.replace("_", " "), p.costs[n]) for n in ORDERS if n in p.costs]
    return explained(
        p, summary=_summary(p), layers=_populations(p), columns=COLUMNS, orders=orders,
        measure=("packets times hops per sample", "number"), memory=_memory(p), tables=_tables(p), traffic=_traffic(p),
    )  # fmt: skip


def _summary(p: CorePlacement) -> dict[str, Any]:
    used = np.unique(p.slices.core[p.slices.core != HOST])
    return {
        "neurons": p.network.neurons,
        "synapses": p.network.synapses,
        "slices": len(p.slices),
        "cores": int(used.size + p.delay_cores.size),
        "cores_available": p.cores,
        "delay_cores": int(p.delay_cores.size),
        "tiles": int(np.unique(np.concatenate((used, p.delay_cores)) // p.grid.cores_per_tile).size),
        "tiles_available": p.grid.tiles,
        "binding_limit": p.binding.name,
        "order": "optimised",
        "multicast": p.routing.multicast,
    }


def _populations(p: CorePlacement) -> list[dict[str, Any]]:
    synapses = np.zeros(len(p.network.populations), np.int64)
    for projection in p.network.projections:
        synapses[projection.target] += projection.synapses
    rows = []
    for i, population in enumerate(p.network.populations):
        own = p.slices.population == i
        core = p.slices.core[own]
        size = (p.slices.stop - p.slices.start)[own]
        rows.append(
            {
                "layer": population.name,
                "model": population.model,
                "neurons": population.size,
                "synapses": int(synapses[i]),
                "slices": int(own.sum()),
                "largest_slice": int(size.max(initial=0)),
                "cores": int(np.unique(core[core != HOST]).size),
                "outside": bool((core == HOST).any()),
            }
        )
    return rows


def _memory(p: CorePlacement) -> dict[str, float]:
    return {
        "synapse_bits": float(p.synapse_bits.sum()),
        "neuron_bits": float(p.neuron_bits.sum()),
        "synapse_bits_fullest_core": float(p.synapse_bits.max(initial=0.0)),
        "neuron_bits_fullest_core": float(p.neuron_bits.max(initial=0.0)),
        "tile_bits_fullest": float(p.sdram_bits.max(initial=0.0)),
    }


def _tables(p: CorePlacement) -> dict[str, Any] | None:
    """Routing tables; None where spikes go from core to core without them."""
    if not p.routing.multicast:
        return None
    merged, raw = p.routing.entries, p.routing.entries_raw
    return {
        "entries": int(merged.sum()),
        "entries_before_merging": int(raw.sum()),
        "longest": int(merged.max(initial=0)),
        "longest_before_merging": int(raw.max(initial=0)),
        "entries_by_tile": merged.tolist(),
    }


def _traffic(p: CorePlacement) -> dict[str, Any]:
    hops = p.costs["optimised"]
    fan = np.diff(p.routing.targets.indptr)
    return {
        "weights": "given" if p.measured else "one spike of every neuron",
        "packets": p.packets,
        "packet_hops": hops,
        "mean_hops": hops / p.packets if p.packets > 0 else 0.0,
        "mean_target_cores_of_slice": float(fan.mean()) if fan.size else 0.0,
        "topology": p.grid.topology,
        "grid": [p.grid.columns, p.grid.rows],
    }
