"""Figures and tables of a report about a spiking network on the cores of a chip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.manycore.reading import read_machine
from neuromorph.devices.metrics import Metric, section
from neuromorph.devices.protocol import Described, Energy
from neuromorph.units import format_si

if TYPE_CHECKING:
    from neuromorph.costing.ledger import Ledger
    from neuromorph.devices.manycore.execute.spiking import SpikingExecution
    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.devices.manycore.tally.noc import NetworkSchedule
    from neuromorph.devices.manycore.tally.spikes import Traffic
    from neuromorph.spiking.network import SpikingNetwork

GANTT_ROWS = 3000


def metrics(placement: CorePlacement, traffic: Traffic, energy: Energy) -> list[Metric]:
    """Spikes and synaptic events, and what the placement uses."""
    events = float(traffic.events.sum(axis=1).mean())
    return [
        Metric("spikes", float(traffic.spikes.sum(axis=1).mean()), "1", note="of all neurons and inputs in one sample"),
        Metric("synaptic_events", events, "1", note="of one sample"),
        Metric("energy_per_event", energy.single.total_j / events if events else None, "J", basis=energy.basis,
               note="all of the energy over synaptic events: falls with activity"),
        Metric("cores_used", float(_cores(placement).size), "1", basis="derived", note=f"of {placement.cores}"),
        Metric("tiles_used", float(_tiles(placement).size), "1", basis="derived", note=f"of {placement.grid.tiles}"),
        Metric("binding_limit", placement.binding.degree, "1", basis="derived",
               note=f"{placement.binding.name} of {placement.binding.path} is used the most"),
    ]  # fmt: skip


def describe(
    placement: CorePlacement,
    traffic: Traffic,
    schedule: NetworkSchedule,
    execution: SpikingExecution | None,
    energy: Energy,
) -> Described:
    """The tables of a report."""
    return Described(
        layers=_layers(placement, traffic, energy.single, execution),
        gantt=tuple(asdict(r) for r in schedule.gantt[:GANTT_ROWS]),
        floor=_floor(placement, traffic),
        traffic=_traffic(placement, traffic),
        sections=_sections(placement, traffic, schedule, execution),
        notes=[*_notes(placement.network), *_real_time(placement), *_entry(placement, traffic, schedule)],
    )


def _notes(network: SpikingNetwork) -> list[str]:
    notes = []
    if network.latency:
        notes.append(
            f"every hop takes a step on this chip: outputs come {network.latency} steps after the float network's"
        )
    if network.stretched:
        notes.append(
            f"cycles get longer by those hops ({', '.join(network.stretched)}): the chip computes another network than "
            "the float one of the file; the comparison with float here has the same delays"
        )
    if any(p.name == "constant" for p in network.populations):
        notes.append("the population constant is one neuron that fires every step: it carries biases that come late")
    return notes


def _real_time(placement: CorePlacement) -> list[str]:
    """How a chip whose steps have a real time runs a network whose steps have another."""
    step, dt = placement.architecture.chip.settings.step, placement.network.dt_s
    if step is None or math.isclose(step, dt, rel_tol=1e-3):
        return []
    times, way = (step / dt, "slower") if step > dt else (dt / step, "faster")
    here, there = format_si(dt, "s"), format_si(step, "s")
    return [
        f"a step of the network is {here} and one of the chip {there}: it runs {times:.3g}x {way} than real time; set "
        f"chip.step to {here} where the chip can, or make the network with dt {there}"
    ]


def _entry(placement: CorePlacement, traffic: Traffic, schedule: NetworkSchedule) -> list[str]:
    """A note where spikes from outside, which one port takes in one by one, set the time of a sample."""
    port = read_machine(placement.architecture).network.inject_s
    outside = np.unique(placement.slices.population[placement.slices.core < 0])
    spent = float(traffic.packets.mean(axis=0)[outside].sum()) * port
    if placement.architecture.chip.settings.step is not None or not spent > 0.5 * schedule.latency_s:
        return []
    whole = format_si(schedule.latency_s, "s")
    return [
        f"spikes from outside enter one by one through the port of tile 0, which is an assumption: "
        f"{format_si(spent, 's')} of the {whole} of a sample; chips with more entries are faster"
    ]


def _cores(placement: CorePlacement) -> np.ndarray:
    core = placement.slices.core
    return np.unique(core[core >= 0])


def _tiles(placement: CorePlacement) -> np.ndarray:
    found: np.ndarray = np.unique(_cores(placement) // placement.grid.cores_per_tile)
    return found


def _layers(
    placement: CorePlacement, traffic: Traffic, ledger: Ledger, execution: SpikingExecution | None
) -> list[dict[str, Any]]:
    """One row per population, with its share of the energy."""
    energy = ledger.by("layer")
    quality = {} if execution is None else {q.node: q.snr_db for q in execution.layers}
    network, slices = placement.network, placement.slices
    synapses = np.zeros(len(network.populations), np.int64)
    for projection in network.projections:
        synapses[projection.target] += projection.synapses
    rows = []
    for i, p in enumerate(network.populations):
        mine = slices.core[slices.population == i]
        rows.append(
            {
                "layer": p.name,
                "operator": p.model,
                "output": "x".join(map(str, p.shape)),
                "energy_j": energy.get(p.name),
                "weights": int(synapses[i]),
                "cores": int(np.unique(mine[mine >= 0]).size),
                "snr_db": quality.get(p.name),
            }
        )
    return rows


def _floor(placement: CorePlacement, traffic: Traffic) -> dict[str, Any]:
    """Tiles with how many of their cores are in use, and packets on links; those around the edge are left out."""
    grid, slices, network = placement.grid, placement.slices, placement.network
    here = slices.core >= 0
    tile = slices.core[here] // grid.cores_per_tile
    used = np.bincount(np.unique(slices.core[here]) // grid.cores_per_tile, minlength=grid.tiles)
    names: list[list[str]] = [[] for _ in range(grid.tiles)]
    for t, i in {(int(t), int(i)) for t, i in zip(tile, slices.population[here], strict=True)}:
        names[t].append(network.populations[i].name)
    order = {p.name: i for i, p in enumerate(network.populations)}
    tiles = [
        {"x": t % grid.columns, "y": t // grid.columns, "tile": t, "used": bool(used[t]),
         "utilisation": float(used[t]) / grid.cores_per_tile, "layers": sorted(names[t], key=order.__getitem__)}
        for t in range(grid.tiles)
    ]  # fmt: skip
    links: dict[tuple[int, int], float] = {}
    target = grid.link_target
    for link in np.flatnonzero(traffic.link_packets > 0).tolist():
        a, b = link // grid.directions, int(target[link])
        ax, ay, bx, by = a % grid.columns, a // grid.columns, b % grid.columns, b // grid.columns
        if max(abs(ax - bx), abs(ay - by)) <= 1:
            key = (min(a, b), max(a, b))
            links[key] = links.get(key, 0.0) + float(traffic.link_packets[link])
    bits = placement.architecture.chip.settings.packet_bits
    return {
        "columns": grid.columns,
        "rows": grid.rows,
        "topology": grid.topology,
        "tiles": tiles,
        "links": [
            {"x0": a % grid.columns, "y0": a // grid.columns, "x1": b % grid.columns, "y1": b // grid.columns,
             "bits": n * bits}
            for (a, b), n in links.items()
        ],
    }  # fmt: skip


def _traffic(placement: CorePlacement, traffic: Traffic) -> dict[str, Any]:
    """Packets times hops of every order of placement that was tried, in bits."""
    bits = placement.architecture.chip.settings.packet_bits
    packets = float(traffic.packets.sum(axis=1).mean())
    hops = float(traffic.link_packets.sum())
    names = {"optimised": "refined"}
    return {
        "bits": packets * bits,
        "bit_hops": hops * bits,
        "mean_hops": hops / packets if packets else 0.0,
        "busiest_link_bits": float(traffic.link_packets.max(initial=0.0)) * bits,
        "start": "greedy",
        **{names.get(k, k): float(v) * bits for k, v in placement.costs.items()},
    }


def _sections(
    placement: CorePlacement, traffic: Traffic, schedule: NetworkSchedule, execution: SpikingExecution | None
) -> list[Mapping[str, Any]]:
    found = [_populations(placement, traffic, execution), _limits(placement)]
    found += [s for s in (_step_times(schedule), _differences(execution)) if s is not None]
    return found


def _populations(placement: CorePlacement, traffic: Traffic, execution: SpikingExecution | None) -> Mapping[str, Any]:
    network = placement.network
    steps = max(traffic.steps, 1)
    means = {
        name: getattr(traffic, name).mean(axis=0) for name in ("spikes", "events", "packets", "deliveries", "rows")
    }
    hops = (traffic.hops + traffic.bridge_hops).mean(axis=0)
    rows = []
    for i, p in enumerate(network.populations):
        rows.append([
            p.name, float(p.size), float(means["spikes"][i]), float(means["spikes"][i]) / p.size / steps,
            float(means["events"][i]), float(means["packets"][i]), float(hops[i]),
            float(means["deliveries"][i] - means["rows"][i]),
        ])  # fmt: skip
    columns = [
        ("population", "population", None), ("neurons", "neurons", "1"), ("spikes", "spikes", "1"),
        ("rate", "per neuron and step", "1"), ("events", "synaptic events", "1"), ("packets", "packets", "1"),
        ("hops", "hops", "1"), ("misses", "misses", "1"),
    ]  # fmt: skip
    note = f"Means per sample of {traffic.steps} steps" + ("; assumed rates." if traffic.assumed else ".")
    note += " Hops: packets times links; misses: packets that reach a core which has no synapse for them."
    return section("activity", "Spikes and packets", columns, rows, note)


def _limits(placement: CorePlacement) -> Mapping[str, Any]:
    rows = [
        [limit.name, limit.path, limit.used, limit.available, limit.unit or "", limit.degree, limit.node or ""]
        for limit in sorted(placement.limits, key=lambda x: -x.degree)
    ]
    columns = [
        ("limit", "limit", None), ("component", "component", None), ("used", "used", "1"),
        ("available", "available", "1"), ("unit", "unit", None), ("degree", "degree", "%"), ("layer", "most by", None),
    ]  # fmt: skip
    return section("limits", "Limits", columns, rows, "Every capacity of the chip and how much of it is used at most.")


def _step_times(schedule: NetworkSchedule) -> Mapping[str, Any] | None:
    rows = schedule.table()
    if not rows:
        return None
    columns = [("what", "", None), ("value", "value", None), ("remark", "remark", None)]
    return section("step-times", "Time of a step", columns, rows, "Cores, links and the barrier at the end of a step.")


def _differences(execution: SpikingExecution | None) -> Mapping[str, Any] | None:
    if execution is None or not execution.differences:
        return None
    rows = [
        [d.population, d.float_fired, d.fired, *(None if v is None else float(v) for v in (d.sample, d.step, d.neuron))]
        for d in execution.differences
    ]
    columns = [
        ("population", "population", None), ("float", "spikes in float", "1"), ("here", "spikes here", "1"),
        ("sample", "first at sample", "1"), ("step", "step", "1"), ("neuron", "neuron", "1"),
    ]  # fmt: skip
    note = "Spikes per sample in float64 and in this chip's arithmetic, and the first spike where they part."
    return section("differences", "Float against hardware", columns, rows, note)
