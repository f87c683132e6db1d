"""The result of a run as plain data: provenance, metrics, and the tables behind them. Versioned as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.layered.place import views
from neuromorph.devices.layered.tally.counts import hosted
from neuromorph.devices.metrics import Metric
from neuromorph.hardware.component import weakest

if TYPE_CHECKING:
    from neuromorph.costing.area import Area
    from neuromorph.costing.ledger import Ledger
    from neuromorph.counts import Activity
    from neuromorph.devices.layered.execute.effects import EffectCost
    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.devices.layered.tally.times import Schedule
    from neuromorph.devices.result import Execution
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture

SCHEMA = 1
GANTT_SAMPLES = 4
GANTT_ROWS = 3000


@dataclass(frozen=True)
class Report:
    """Everything a reader gets, in JSON types only (see `to_dict`).

    provenance: what was run with what. metrics by name. layers, ledger, area, gantt, floor, traffic,
    sources, effects: tables (lists of flat rows). unmodelled: what no number includes. sections: further tables, each
    with key, title, note, columns (key, label, unit, None for text) and rows of values (see `section`).
    """

    title: str
    provenance: Mapping[str, Any]
    metrics: tuple[Metric, ...]
    chips: Mapping[str, Any]
    layers: tuple[Mapping[str, Any], ...]
    ledger: tuple[Mapping[str, Any], ...]
    area: tuple[Mapping[str, Any], ...]
    gantt: tuple[Mapping[str, Any], ...]
    floor: Mapping[str, Any]
    traffic: Mapping[str, Any]
    sources: tuple[Mapping[str, Any], ...]
    effects: tuple[Mapping[str, Any], ...] = ()
    unmodelled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sections: tuple[Mapping[str, Any], ...] = ()
    schema: int = field(default=SCHEMA)

    def __getitem__(self, metric: str) -> Metric:
        for m in self.metrics:
            if m.name == metric:
                return m
        raise KeyError(metric)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; infinities and NaN become null."""
        return _plain(asdict(self))

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Report:
        """The inverse of `to_dict`; KeyError or TypeError where the data are something else."""
        values = dict(data)
        values["metrics"] = tuple(Metric(**m) for m in values["metrics"])
        for name in ("layers", "ledger", "area", "gantt", "sources", "effects", "unmodelled", "notes", "sections"):
            values[name] = tuple(values.get(name, ()))
        return Report(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def build_report(
    placement: Placement,
    activity: Activity,
    ledger: Ledger,
    steady: Ledger,
    area: Area,
    schedule: Schedule,
    execution: Execution | None,
    provenance: Mapping[str, Any],
    effects: tuple[EffectCost, ...] = (),
    sections: tuple[Mapping[str, Any], ...] = (),
) -> Report:
    """Collects the results of the verbs. ledger: one inference on an otherwise idle chip (static power times
    latency); steady: one inference of a full pipeline (static power times interval)."""
    graph, architecture = placement.graph, placement.architecture
    notes = list(execution.notes) if execution is not None else ["nothing was run: activity is assumed"]
    notes += notes_of(graph)
    return Report(
        title=f"{graph.name} on {architecture.name}",
        provenance=provenance,
        metrics=tuple(_metrics(placement, ledger, steady, area, schedule, execution)),
        chips=_chips(execution),
        layers=tuple(_layers(placement, ledger, schedule, execution)),
        ledger=tuple(asdict(r) for r in ledger),
        area=tuple(asdict(r) for r in area.rows),
        gantt=tuple(_gantt(schedule)),
        floor=views.floor(placement),
        traffic=views.traffic(placement),
        sources=tuple(sources_of(architecture)),
        effects=tuple(asdict(e) for e in effects),
        unmodelled=tuple(
            dict.fromkeys([*ledger.unmodelled, *schedule.unmodelled, *(f"{c}: area" for c in area.unmodelled)])
        ),
        notes=tuple(notes),
        sections=sections,
    )


def notes_of(graph: Graph) -> list[str]:
    """What the importer of a network found worth saying, a line each."""
    return [line for line in graph.metadata.get("notes", "").splitlines() if line.strip()]


def _metrics(
    placement: Placement, ledger: Ledger, steady: Ledger, area: Area, schedule: Schedule, execution: Execution | None
) -> list[Metric]:
    found: list[Metric] = []
    if execution is not None:
        within = execution.interval
        if within is not None:
            note = f"{len(execution.trials)} chips, {execution.samples} samples, 95 % interval of the mean over chips"
            found.append(Metric("accuracy", within.mean, "1", within.low, within.high, "simulated", note))
            found.append(
                Metric("float_accuracy", execution.float_accuracy, "1", note="the float network, same samples")
            )
        mean = float(execution.error.mean())
        found.append(Metric("output_error", mean, "1", note="rms deviation from the float outputs, relative"))
    operations = 2.0 * placement.graph.macs
    low, high = ledger.range_j
    basis = weakest(ledger.basis, "simulated" if ledger.origin == "executed" else "assumed")
    energy, interval, latency = steady.total_j, schedule.interval_s, schedule.latency_s
    # without a figure for any component static energy is unknown, not zero
    known = any(row.kind == "static" for row in ledger)
    static = "static power times latency included" if known else "no static power is known"
    found += [
        Metric("energy", ledger.total_j, "J", low, high, basis, f"one inference, {ledger.boundary}; {static}"),
        Metric("dynamic_energy", ledger.total("dynamic"), "J", basis=basis),
        Metric("static_energy", ledger.total("static") if known else None, "J", basis=basis, note=static),
        Metric("steady_energy", energy, "J", basis=basis, note="one inference of a full pipeline"),
        Metric("latency", latency, "s", note="one inference on an idle chip"),
        Metric("interval", interval, "s", note=f"of a full pipeline; {schedule.bottleneck} is the bottleneck"),
        Metric("throughput", schedule.throughput_hz, "1/s", note="of a full pipeline"),
        Metric("power", energy / interval if interval > 0 else None, "W", basis=basis, note="of a full pipeline"),
        Metric("area", area.total_m2, "m^2", basis=weakest(*(r.basis for r in area.rows if r.area_m2))),
        Metric("efficiency", operations / energy if energy > 0 else None, "1/J", basis=basis,
               note="operations per joule of a full pipeline; 1 MAC = 2 operations"),
        Metric("macs", operations / 2, "1", basis="derived", note="dense multiply-accumulates of one inference"),
        *(Metric(n, v, u, basis="derived", note=t) for n, v, u, t in views.metrics(placement)),
    ]  # fmt: skip
    return found


def _chips(execution: Execution | None) -> dict[str, Any]:
    if execution is None:
        return {}
    return {
        "trials": list(execution.trials),
        "accuracy": None if execution.accuracy is None else execution.accuracy.tolist(),
        "output_error": execution.error.tolist(),
        "float_accuracy": execution.float_accuracy,
        "samples": execution.samples,
    }


def _layers(
    placement: Placement, ledger: Ledger, schedule: Schedule, execution: Execution | None
) -> list[dict[str, Any]]:
    """One row per hosted node, with its share of the energy and of the time."""
    energy = ledger.by("layer")
    quality = {} if execution is None else {q.node: q for q in execution.layers}
    shares = {s.stage: s for s in schedule.timeline.shares()}
    shapes = placement.graph.shapes
    rows = []
    for node in placement.graph.nodes:
        busy = shares[node.name].busy if node.name in shares else None
        row: dict[str, Any] = {
            "layer": node.name,
            "operator": type(node.operator).__name__,
            "output": "x".join(map(str, shapes[node.name])),
            "energy_j": energy.get(node.name),
            "busy": busy,
        }
        if node in hosted(placement):
            matrices = node.operator.matrices([shapes[i] for i in node.inputs])
            row |= {"macs": sum(m.macs for m in matrices), "weights": int(sum(m.weight.size for m in matrices))}
            row |= views.layer_row(placement, node.name)
            found = quality.get(node.name)
            row |= {
                "snr_db": None if found is None else found.snr_db,
                "clipped": None if found is None else found.clipped,
            }
        rows.append(row)
    return rows


def _gantt(schedule: Schedule) -> list[dict[str, Any]]:
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


def sources_of(architecture: Architecture) -> list[dict[str, Any]]:
    """Every constant of the architecture's parts with its unit, basis and source."""
    rows, seen = [], set()
    for component, _ in architecture.chip.walk():
        part = component.part
        if part is None:
            continue
        for name, q in part.quantities.items():
            key = (part.name, name)
            if key in seen and q.source != "swept":
                continue
            seen.add(key)
            citation = part.sources.get(q.source) or architecture.sources.get(q.source)
            rows.append(
                {
                    "part": part.name, "quantity": name, "component": component.path,
                    "value": q.value if isinstance(q.value, float | int) else None, "unit": q.unit, "low": q.low,
                    "high": q.high, "basis": q.basis, "source": q.source, "where": q.where,
                    "citation": citation.citation if citation else "", "url": citation.url if citation else "",
                }
            )  # fmt: skip
    return rows
