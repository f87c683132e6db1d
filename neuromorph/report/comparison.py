"""Reports side by side: a table with differences to the first, and which of them nothing else beats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuromorph.errors import InputError, Place
from neuromorph.report import figures

if TYPE_CHECKING:
    from neuromorph.report.model import Metric, Report

SCHEMA = 1
COLUMNS = ("accuracy", "energy", "latency", "throughput", "power", "area", "efficiency")
"""Metrics compared, in this order; others that every report has are in the files only."""

COSTS = ("energy", "latency")
"""Metrics accuracy is plotted against."""

_POINTS = {"accuracy", "float_accuracy"}
_ALIKE = {
    "boundary": "what costs include", "network_hash": "the trained network", "samples": "the number of samples",
    "data_file": "the data", "time_s": "the time after programming",
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Two reports or more. names: one per report, all different. files: what was written, by file name."""

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    notes: tuple[str, ...]
    files: Mapping[str, Path]

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

        Empty for the first report and where a value is not known.
        """
        d = self.difference(index, name)
        if index == 0 or d is None:
            return ""
        if name in _POINTS:
            return f"{100 * d:+.2f} points"
        if d >= 1.0 or d <= -0.9:
            return f"× {1 + d:.3g}"
        return "equal" if d == 0 else f"{100 * d:+.3g} %"

    def front(self, cost: str) -> tuple[int, ...]:
        """Reports that no other one beats in accuracy and `cost`, cheapest first."""
        return pareto([(self.value(i, cost), self.value(i, "accuracy")) for i in range(len(self.reports))])

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
        return {"schema": SCHEMA, "reports": rows, "pareto": fronts, "notes": list(self.notes)}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def to_csv(self) -> str:
        """A row per report, a column per metric with its ends; what is not known is an empty field."""
        names = list(dict.fromkeys(m.name for r in self.reports for m in r.metrics))
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["name", *(column for n in names for column in (n, f"{n}_low", f"{n}_high"))])
        for i, name in enumerate(self.names):
            metrics = [self.metric(i, n) for n in names]
            cells = [v for m in metrics for v in ((None,) * 3 if m is None else (m.value, m.low, m.high))]
            writer.writerow([name, *("" if v is None else v for v in cells)])
        return out.getvalue()


def compare(
    reports: Sequence[Report | str | Path], folder: str | Path | None = None, *, names: Sequence[str] | None = None
) -> Comparison:
    """Two or more reports, or their files or folders, side by side; the first is what the others differ from.

    folder: compare.html, compare.json and compare.csv are written there. names: what to call the reports,
    else titles are used and what tells equal ones apart is added. Raises InputError for fewer than two
    reports, reports of differing schemas, and a folder that cannot be written.
    """
    from neuromorph.report.model import Report
    from neuromorph.report.write import read_report, write_files

    if len(reports) < 2:
        raise InputError(
            f"a comparison needs two reports or more, got {len(reports)}", Place(key="reports"),
            "name another report.json or run folder",
        )  # fmt: skip
    found = tuple(r if isinstance(r, Report) else read_report(r) for r in reports)
    schemas = sorted({str(r.schema) for r in found})
    if len(schemas) > 1:
        raise InputError(
            f"reports of differing schema versions: {', '.join(schemas)}", Place(key="reports"),
            "run the networks again with one version",
        )  # fmt: skip
    if names is not None and (len(names) != len(found) or len(set(names)) != len(names)):
        raise InputError("names must be as many as the reports, and all different", Place(key="names"))
    called = tuple(names) if names is not None else _names(found, reports)
    comparison = Comparison(called, found, tuple(_unlike(found, called)), {})
    if folder is None:
        return comparison
    from neuromorph.report.comparison_page import page

    texts = {
        "compare.html": page(comparison), "compare.json": comparison.to_json(), "compare.csv": comparison.to_csv(),
    }  # fmt: skip
    return Comparison(called, found, comparison.notes, write_files(folder, texts))


def pareto(points: Sequence[tuple[float | None, float | None]]) -> tuple[int, ...]:
    """Indices of the (cost, merit) pairs that no other pair beats, by rising cost; unknown ones are left out.

    A pair is beaten by one that costs no more, is worth no less, and is better in one of the two.
    """
    known = [(c, -m, i) for i, (c, m) in enumerate(points) if c is not None and m is not None]
    front: list[tuple[float, float, int]] = []
    for c, m, i in sorted(known):
        if not front or m < front[-1][1] or (c, m) == front[-1][:2]:
            front.append((c, m, i))
    return tuple(i for _, _, i in front)


def _names(reports: Sequence[Report], given: Sequence[Report | str | Path]) -> tuple[str, ...]:
    names = [r.title for r in reports]
    for key in ("model_file", "changes", "time_s", "effects_off", "seed", "chips", "samples"):
        names = _told_apart(names, [_short(key, r.provenance.get(key)) for r in reports])
    paths = [Path(g) if isinstance(g, str | Path) else None for g in given]
    names = _told_apart(names, ["" if p is None else (p if p.is_dir() else p.parent).name for p in paths])
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if names.count(name) == 1 else f"{name} ({seen[name]})")
    return tuple(unique)


def _told_apart(names: list[str], facts: list[str]) -> list[str]:
    """Adds a fact to names that occur twice, where the fact differs between their bearers."""
    told = []
    for name, fact in zip(names, facts, strict=True):
        others = {f for n, f in zip(names, facts, strict=True) if n == name}
        told.append(f"{name}, {fact}" if len(others) > 1 and fact else name)
    return told


def _short(key: str, value: Any) -> str:
    if value in (None, "", []):
        return ""
    if key == "time_s" and isinstance(value, int | float):
        return f"after {figures.quantity(float(value), 's')}"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return {"effects_off": f"without {text}", "seed": f"seed {text}", "chips": f"{text} chips"}.get(key, text)


def _unlike(reports: Sequence[Report], names: Sequence[str]) -> list[str]:
    """In what the reports differ beside the hardware, so that nobody compares unlike things unaware."""
    notes = []
    for key, what in _ALIKE.items():
        values = {str(r.provenance.get(key, "unknown")) for r in reports}
        if len(values) > 1:
            shown = f": {', '.join(sorted(values))}" if key not in ("network_hash",) else ""
            notes.append(f"The reports differ in {what}{shown}.")
    missing: dict[tuple[str, ...], list[str]] = {}
    for name, report in zip(names, reports, strict=True):
        kinds = tuple(dict.fromkeys(u.rpartition(": ")[2] for u in report.unmodelled))
        missing.setdefault(kinds, []).append(name)
    if len(missing) > 1:
        notes.append("The reports differ in what they leave out; see each one's own list.")
    unplaced = [n for n, r in zip(names, reports, strict=True) if figures.value_of(r, "accuracy") is None]
    if unplaced:
        notes.append(f"Without an accuracy, and so not in the plots: {'; '.join(unplaced)}.")
    return notes
