"""Reports side by side: a table with differences to the first, and which of them nothing else beats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuromorph.card import Card
from neuromorph.report import figures
from neuromorph.report.coverage import Coverage, coverage

if TYPE_CHECKING:
    from neuromorph.devices.metrics import Metric
    from neuromorph.report.model import Report

SCHEMA = 1
COSTS = ("energy", "latency")
"""Metrics accuracy is plotted against."""

COLUMNS = ("accuracy", "energy", "latency", "throughput", "power", "area", "efficiency")
"""Metrics compared, in this order; others that every report has are in the files only."""


_POINTS = {"accuracy", "float_accuracy"}

_BY_BOUNDARY = {"energy", "power", "efficiency"}
"""Metrics that depend on which parts are priced."""


def _relative(d: float) -> str:
    if d >= 1.0 or d <= -0.9:
        return f"× {1 + d:.3g}"
    return "equal" if d == 0 else f"{100 * d:+.3g} %"


@dataclass(frozen=True, repr=False)
class Comparison(Card):
    """Two reports or more. names: one per report, all different. files: what was written, by file name."""

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    notes: tuple[str, ...]
    files: Mapping[str, Path]

    def card(self) -> tuple[str, list[tuple[str, str]]]:
        facts = [(n, ", ".join(f"{c} {self.text(i, c)}" for c in self.columns)) for i, n in enumerate(self.names)]
        return f"{len(self.names)} reports", facts

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """metrics: a row per report, a column per metric with its ends."""
        columns = list(dict.fromkeys(m.column for r in self.reports for m in r.metrics))
        rows: list[dict[str, Any]] = []
        for name, report in zip(self.names, self.reports, strict=True):
            known = {m.column: self.metric(len(rows), m.name) or m for m in report.metrics}
            row: dict[str, Any] = {"name": name}
            for column in columns:
                m = known.get(column)
                ends = (None, None, None) if m is None else (m.value, m.low, m.high)
                row |= dict(zip((column, f"{column}_low", f"{column}_high"), ends, strict=True))
            rows.append(row)
        return {"metrics": rows}

    @property
    def columns(self) -> tuple[str, ...]:
        """The metrics that at least one report has a value for."""
        return tuple(c for c in COLUMNS if any(figures.value_of(r, c) is not None for r in self.reports))

    def metric(self, index: int, name: str) -> Metric | None:
        return figures.find(self.reports[index], name)

    def value(self, index: int, name: str) -> float | None:
        return figures.value_of(self.reports[index], name)

    def text(self, index: int, name: str) -> str:
        metric = self.metric(index, name)
        value, unit = (None, "") if metric is None else (metric.value, metric.unit)
        return figures.shown(name, value, unit)

    def difference(self, index: int, name: str) -> float | None:
        """Accuracy: difference to the first report; other metrics: relative difference. None where unknown."""
        value, first = self.value(index, name), self.value(0, name)
        if value is None or first is None:
            return None
        if name in _POINTS:
            return value - first
        return (value - first) / first if first else None

    def difference_text(self, index: int, name: str) -> str:
        """ "+0.42 points", "-12.3 %", or "× 5.2" from a factor of 2 up or 10 down.

        Empty for the first report and where a value is not known. Of energies over different parts the difference for
        the common boundary comes first, that of the whole beside it; of power and efficiency it is that of the whole.
        """
        d = self.difference(index, name)
        if index == 0 or d is None:
            return ""
        if name in _POINTS:
            return f"{100 * d:+.2f} points"
        if name not in _BY_BOUNDARY or self.coverage.alike(index):
            return _relative(d)
        shared, first = self.coverage.shared[index], self.coverage.shared[0]
        whole = f"whole {_relative(d)}"
        if name != "energy":
            return whole
        return f"common {_relative(shared / first - 1.0)}, {whole}" if first else f"nothing in common, {whole}"

    def front(self, cost: str) -> tuple[int, ...]:
        """Reports that no other one beats in accuracy and `cost`, cheapest first.

        One beats another that is no worse in either and in one of the two better beyond the intervals of both, where
        these are known. Reports whose constants hold for another design are left out.
        """
        points: list[tuple[Span, Span] | None] = []
        for i, report in enumerate(self.reports):
            known, merit = self.metric(i, cost), self.metric(i, "accuracy")
            outside = any(m.name == "extrapolated" for m in report.metrics)
            there = known is not None and known.value is not None and merit is not None and merit.value is not None
            points.append((_span(known), _span(merit)) if there and not outside else None)
        return pareto(points)

    @cached_property
    def coverage(self) -> Coverage:
        """Which parts of the hardware each report's energy includes."""
        return coverage(self.reports)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: names, provenance, metrics and differences of every report, and the fronts."""
        rows: list[dict[str, Any]] = [
            {
                "name": name,
                "title": report.title,
                "provenance": dict(report.provenance),
                "metrics": {m["name"]: m for m in report.to_dict()["metrics"]},
                "difference": {c: self.difference(i, c) for c in self.columns},
            }
            for i, (name, report) in enumerate(zip(self.names, self.reports, strict=True))
        ]
        for row, report in zip(rows, self.reports, strict=True):
            static = row["metrics"].get("static_energy")
            if static is not None and not figures.has_static(report):
                static["value"] = None
        fronts = {cost: [self.names[i] for i in self.front(cost)] for cost in COSTS}
        return {
            "schema": SCHEMA, "reports": rows, "pareto": fronts, "notes": list(self.notes),
            "coverage": self.coverage.to_dict(self.names),
        }  # fmt: skip

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """A row per report, a column per metric with its ends; what is not known is an empty field."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        rows = self.tables()["metrics"]
        writer.writerow(rows[0])
        writer.writerows(["" if v is None else v for v in row.values()] for row in rows)
        return out.getvalue()


Span = tuple[float, float, float]
"""Low end, value and high end; where no interval is known all three are the value."""


def _span(metric: Metric | None) -> Span:
    assert metric is not None
    value = metric.value or 0.0
    return value if metric.low is None else metric.low, value, value if metric.high is None else metric.high


def pareto(points: Sequence[tuple[Span, Span] | None]) -> tuple[int, ...]:
    """Indices of the (cost, merit) pairs that no other pair beats, by rising cost; unknown ones are left out.

    A pair is beaten by one whose values are no worse in both, and beyond both intervals better in one of the two.
    """
    known = {i: p for i, p in enumerate(points) if p is not None}

    def beats(one: tuple[Span, Span], other: tuple[Span, Span]) -> bool:
        (c, m), (d, n) = one, other
        return c[1] <= d[1] and m[1] >= n[1] and (c[2] < d[0] or m[0] > n[2])

    left = [j for j, p in known.items() if not any(beats(q, p) for q in known.values())]
    return tuple(sorted(left, key=lambda i: (known[i][0][1], -known[i][1][1], i)))
