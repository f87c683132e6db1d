"""The result of a run as plain data: provenance, metrics, and the tables behind them. Versioned as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.card import Card
from neuromorph.devices.metrics import Metric
from neuromorph.devices.result import wilson
from neuromorph.errors import InputError, suggest
from neuromorph.report.headline import headline, ranged

if TYPE_CHECKING:
    from neuromorph.counts import Activity
    from neuromorph.devices.protocol import Kind, Times, Trace
    from neuromorph.devices.result import EffectCost, Execution
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.report.headline import Cost

SCHEMA = 1
CARD = ("accuracy", "float_accuracy", "energy", "latency", "throughput", "power", "area", "efficiency")
FIRST = ("Accuracy", "Energy per inference", "Latency", "Power")
"""Metrics of a card, and those that stand first in it."""


class UnknownMetric(InputError, KeyError):
    """A report has no metric of this name."""


@dataclass(frozen=True, repr=False)
class Report(Card):
    """Everything a reader gets, in JSON types only (see `to_dict`).

    provenance: what was run with what. metrics by name. layers, ledger, area, gantt, floor, traffic,
    sources, effects: tables (lists of flat rows). unmodelled: what no number includes. sections: further tables, each
    with key, title, note, columns (key, label, unit, None for text) and rows of values (see `section`).
    physics: which physics numbers follow and which they leave out (see `devices.physics.Physics`).
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
    physics: tuple[Mapping[str, Any], ...] = ()
    schema: int = field(default=SCHEMA)

    def __getitem__(self, metric: str) -> Metric:
        for m in self.metrics:
            if m.name == metric:
                return m
        raise UnknownMetric(f"no metric {metric!r}", hint=suggest(metric, [m.name for m in self.metrics], "metrics"))

    def card(self) -> tuple[str, list[tuple[str, str]]]:
        from neuromorph.report import figures

        found = [figures.figure(self, m.name) for m in self.metrics if m.name in CARD]
        facts = [(f.label, f"{f.text} ({f.span})" if f.span else f.text) for f in found]
        missing = [(figures.MISSING, f"{len(self.unmodelled)} parts or effects, see `unmodelled`")]
        return self.title, sorted(facts, key=lambda f: f[0] not in FIRST) + missing * bool(self.unmodelled)

    def tables(self) -> dict[str, Sequence[Mapping[str, Any]]]:
        """metrics, layers, ledger, area, effects, sources, physics, and sections by their key."""
        named = {n: getattr(self, n) for n in ("layers", "ledger", "area", "effects", "sources", "physics")}
        rows = {s["key"]: [dict(zip([c["key"] for c in s["columns"]], r, strict=True)) for r in s["rows"]]
                for s in self.sections}  # fmt: skip
        return {**named, "metrics": [asdict(m) | {"column": m.column} for m in self.metrics], **rows}

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; infinities and NaN become null."""
        return _plain(asdict(self))

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Report:
        """The inverse of `to_dict`; KeyError or TypeError where the data are something else."""
        values = dict(data)
        values["metrics"] = tuple(Metric(**m) for m in values["metrics"])
        for name in ("layers", "ledger", "area", "gantt", "sources", "effects", "unmodelled", "notes", "sections",
                     "physics"):  # fmt: skip
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
    kind: Kind,
    placement: Any,
    trace: Trace,
    execution: Execution | None,
    tallied: tuple[Activity, Times],
    cost: Cost,
    provenance: Mapping[str, Any],
    effects: Sequence[EffectCost] = (),
    sections: Sequence[Mapping[str, Any]] = (),
) -> Report:
    """Collects the results of the verbs: costs, accuracy and what the kind describes itself. sections: further ones."""
    activity, times = tallied
    energy, area, architecture = cost.energy, cost.area, placement.architecture
    found = kind.describe(placement, trace, execution, activity, times, energy)
    notes = list(execution.notes) if execution is not None else []
    notes += ["nothing was run: activity is assumed"] if trace.origin == "assumed" else []
    notes += [] if placement.graph is None else [*_chance(placement.graph, execution), *notes_of(placement.graph)]
    unmodelled = [
        *kind.absent(architecture),
        *energy.single.unmodelled,
        *times.unmodelled,
        *(f"{c}: area" for c in area.unmodelled),
    ]
    own = ranged(kind.metrics(placement, activity, times, energy), cost.ranges)
    metrics = (*headline(execution, times, cost), *own)
    return Report(
        title=f"{placement.name} on {architecture.name}",
        provenance=provenance,
        metrics=metrics,
        chips=_chips(execution, kind),
        layers=tuple(found.layers),
        ledger=tuple(asdict(r) for r in energy.single),
        area=tuple(asdict(r) for r in area.rows),
        gantt=tuple(found.gantt),
        floor=found.floor or {},
        traffic=found.traffic or {},
        sources=tuple(sources_of(architecture)),
        effects=tuple(asdict(e) for e in effects),
        unmodelled=tuple(dict.fromkeys(unmodelled)),
        notes=(*notes, *times.notes, *found.notes),
        sections=(*found.sections, *sections),
        physics=tuple(asdict(p) for p in kind.physics(architecture)),
    )


def _chance(graph: Graph, execution: Execution | None) -> list[str]:
    """What is to say of data without labels, and of a float network that does no better than guessing."""
    if execution is None:
        return []
    if execution.accuracy is None and not execution.scores:
        return ["the data have no labels: accuracy is not known"]
    shape, found = graph.shapes[graph.outputs[0]], execution.float_accuracy
    if found is None or execution.scores or not shape or shape[-1] < 2:
        return []
    low, high = wilson(found, execution.samples)
    if execution.samples < LEAST_TO_TELL or not low <= 1 / shape[-1]:
        return []
    return [
        f"the float network itself is at chance on these data ({found:.1%}, 95 % up to {high:.1%}, {shape[-1]} classes)"
        ": are they scaled, ordered and labelled as in training?"
    ]


LEAST_TO_TELL = 20
"""With fewer samples hardly any accuracy can be told from guessing."""


def notes_of(graph: Graph) -> list[str]:
    """What the importer of a network found worth saying, a line each."""
    return [line for line in graph.metadata.get("notes", "").splitlines() if line.strip()]


def _chips(execution: Execution | None, kind: Kind) -> dict[str, Any]:
    """Results by chip; where all chips are alike there is nothing to tell apart."""
    if execution is None:
        return {}
    differ, within = "trials" in kind.draws, execution.interval
    parts = {} if within is None else {"samples": list(within.samples)}
    if differ and within is not None and within.chips is not None:
        parts["chips"] = list(within.chips)
    return {
        "trials": list(execution.trials),
        "accuracy": execution.accuracy.tolist() if differ and execution.accuracy is not None else None,
        "output_error": execution.error.tolist() if differ else None,
        "float_accuracy": execution.float_accuracy,
        "samples": execution.samples,
        "interval": parts,
    }


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
