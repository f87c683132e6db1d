"""Figures and tables of a report about layers on cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from neuromorph.devices.layered.place import views
from neuromorph.devices.metrics import Metric
from neuromorph.devices.protocol import Described, Energy, Times

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.devices.layered.tally.times import Schedule
    from neuromorph.devices.result import Execution

GANTT_SAMPLES = 4
GANTT_ROWS = 3000


def metrics(placement: Placement, energy: Energy) -> list[Metric]:
    """Operations per joule, and what the placement uses."""
    operations = 2.0 * placement.graph.macs
    steady = energy.steady_j
    return [
        Metric("efficiency", operations / steady if steady > 0 else None, "1/J", basis=energy.basis,
               note="operations per joule of a full pipeline; 1 MAC = 2 operations"),
        Metric("macs", operations / 2, "1", basis="derived", note="dense multiply-accumulates of one sample"),
        *(Metric(n, v, u, basis="derived", note=t) for n, v, u, t in placement.usage),
    ]  # fmt: skip


def describe(placement: Placement, execution: Execution | None, times: Times, energy: Energy) -> Described:
    """The tables of a report."""
    schedule: Schedule = times.record
    return Described(
        layers=_layers(placement, energy, schedule, execution),
        gantt=_gantt(schedule),
        floor=views.floor(placement),
        traffic=views.traffic(placement),
    )


def _layers(
    placement: Placement, energy: Energy, schedule: Schedule, execution: Execution | None
) -> list[dict[str, Any]]:
    """One row per node; the hosted ones with what they use, and with their share of the energy and of the time."""
    joules = energy.single.by("layer")
    quality = {} if execution is None else {q.node: q for q in execution.layers}
    shares = {s.stage: s for s in schedule.timeline.shares()}
    shapes = placement.graph.shapes
    rows = []
    for node in placement.graph.nodes:
        row: dict[str, Any] = {
            "layer": node.name,
            "operator": type(node.operator).__name__,
            "output": "x".join(map(str, shapes[node.name])),
            "energy_j": joules.get(node.name),
            "busy": shares[node.name].busy if node.name in shares else None,
        }
        if node.name in placement.layouts:
            matrices = placement.layouts[node.name].group.matrices.values()
            row |= {"macs": sum(m.macs for m in matrices), "weights": int(sum(m.weight.size for m in matrices))}
            row |= views.layer_row(placement, node.name)
            found = quality.get(node.name)
            row |= {
                "snr_db": None if found is None else found.snr_db,
                "clipped": None if found is None else found.clipped,
            }
        rows.append(row)
    return rows


def _gantt(schedule: Schedule) -> Sequence[dict[str, Any]]:
    """Bars of the first samples. Where they are too many, short gaps are closed, then samples left out; layers stay."""
    timeline = schedule.timeline
    samples, shortest_s = min(GANTT_SAMPLES, timeline.samples), 0.0
    rows = timeline.gantt(samples=range(samples))
    end_s = max((r.end_s for r in rows), default=0.0)
    while len(rows) > GANTT_ROWS and (samples > 1 or shortest_s < end_s):
        if shortest_s < end_s:
            shortest_s = max(shortest_s * 4, end_s / 4096)
        else:
            samples -= 1
        rows = timeline.gantt(samples=range(samples), shortest_s=shortest_s)
    return [asdict(r) for r in rows[:GANTT_ROWS]]
