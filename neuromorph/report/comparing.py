"""Compares reports: reads them, names them apart, and writes the page, the table and the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neuromorph.errors import InputError, Place
from neuromorph.report import figures
from neuromorph.report.comparison import Comparison
from neuromorph.report.comparison_page import page
from neuromorph.report.model import Report
from neuromorph.report.write import JSON_NAME, read_report, write_texts

_ALIKE = {
    "boundary": "what costs include", "network_hash": "the trained network", "samples": "the number of samples",
    "data_file": "the data", "time_s": "the time after programming",
}  # fmt: skip
"""What reports should have in common to be compared, and how to say so."""


def compare(
    reports: Sequence[Report | str | Path], folder: str | Path | None = None, *, names: Sequence[str] | None = None
) -> Comparison:
    """Two or more reports, or their files or folders, side by side; the first is what the others differ from.
    A folder without a report of its own stands for the runs inside it.

    folder: compare.html, compare.json and compare.csv are written there. names: what to call the reports,
    else titles are used and what tells equal ones apart is added. Raises InputError for fewer than two
    reports, reports of differing schemas, and a folder that cannot be written.
    """
    from neuromorph.report.model import Report

    reports = [inside for r in reports for inside in _inside(r)]
    if len(reports) < 2:
        raise InputError(
            f"a comparison needs two reports or more, got {len(reports)}", Place(key="reports"),
            "name another report.json or run folder",
        )  # fmt: skip
    if strange := [type(r).__name__ for r in reports if not isinstance(r, Report | str | Path)]:
        raise InputError(f"a {strange[0]} is no report", Place(key="reports"), "reports, or folders of runs")
    found = tuple(r if isinstance(r, Report) else read_report(r) for r in reports)
    schemas = sorted({str(r.schema) for r in found})
    if len(schemas) > 1:
        raise InputError(
            f"reports of differing schema versions: {', '.join(schemas)}", Place(key="reports"),
            "run the networks again with one version",
        )  # fmt: skip
    if names is not None and not all(isinstance(name, str) for name in names):
        raise InputError("names must be texts", Place(key="names"))
    if names is not None and (len(names) != len(found) or len(set(names)) != len(names)):
        raise InputError("names must be as many as the reports, and all different", Place(key="names"))
    called = tuple(names) if names is not None else _names(found, reports)
    comparison = Comparison(called, found, tuple(_unlike(found, called)), {})
    if folder is None:
        return comparison
    texts = {
        "compare.html": page(comparison), "compare.json": comparison.to_json(), "compare.csv": comparison.to_csv(),
    }  # fmt: skip
    return Comparison(called, found, comparison.notes, write_texts(folder, texts))


def _inside(given: Report | str | Path) -> list[Report | str | Path]:
    """The runs inside a folder that holds no report itself; anything else as it is."""
    if not isinstance(given, str | Path) or not Path(given).is_dir() or (Path(given) / JSON_NAME).is_file():
        return [given]
    found: list[Report | str | Path] = [*sorted(p.parent for p in Path(given).rglob(JSON_NAME))]
    return found or [given]


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
