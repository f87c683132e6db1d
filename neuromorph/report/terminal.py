"""A report and a comparison as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from neuromorph.report import figures, tables
from neuromorph.terminal import grid

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table as RichTable

    from neuromorph.report.comparison import Comparison
    from neuromorph.report.model import Report

HEADLINE = ("accuracy", "float_accuracy", "output_error", "energy", "static_energy", "latency", "throughput", "power",
            "area", "efficiency", "macs", "spikes", "synaptic_events", "energy_per_event", "cores_used", "utilisation",
            "binding_limit")  # fmt: skip
CONTRIBUTORS = 6
MOST_LAYERS = 40


def summary(report: Report) -> RenderableType:
    """Headline metrics with range and basis, layers, what most energy goes to, effects, and what is not modelled."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(report.title, style="bold"), _metrics(report)]
    if report.layers:
        parts.append(_layers(report))
    if figures.ledger_total(report):
        parts.append(_contributors(report))
    if report.effects:
        parts += [_effects(report), *map(Text, tables.effect_notes(report))]
    for found in report.sections:
        parts += [Text(found["title"], style="bold"), _section(tables.section(found))]
    parts += physics_lines(report.physics)
    left_out = figures.grouped_unmodelled(report.unmodelled)
    if left_out:
        parts.append(Text(f"{figures.MISSING}, and in no number above:", style="bold"))
        parts += [Text(f"  {figures.unmodelled_words(what)} {', '.join(where)}") for what, where in left_out]
    parts += [Text(f"note: {note}") for note in report.notes]
    return Group(*parts)


def physics_lines(rows: Iterable[Mapping[str, Any]]) -> list[RenderableType]:
    """Two lines: which physics numbers follow, and which they leave out; nothing where a report does not tell."""
    from rich.text import Text

    rows = list(rows)
    yes, no = ([r["name"] for r in rows if r["included"] is wanted] for wanted in (True, False))
    found = [("physics included: ", yes), ("physics left out: ", no)]
    return [Text(head + ", ".join(names)) for head, names in found if names]


def comparison_table(comparison: Comparison) -> RenderableType:
    """A row per report, a column per metric, the difference to the first below each number."""
    from rich.console import Group
    from rich.text import Text

    table = grid("", ["", "report", *map(figures.label, comparison.columns)], left=("report",), whole=True)
    for i, name in enumerate(comparison.names):
        cells = [
            "\n".join(filter(None, (comparison.text(i, c), comparison.difference_text(i, c))))
            for c in comparison.columns
        ]
        table.add_row(str(i + 1), Text(name), *map(Text, cells))
    parts: list[RenderableType] = [table, *_coverage(comparison)]
    for cost in ("energy", "latency"):
        front = comparison.front(cost)
        if front:
            named = "; ".join(f"{i + 1} {comparison.names[i]}" for i in front)
            parts.append(Text(f"not beaten in accuracy and {cost}, beyond intervals: {named}"))
    parts += [Text(f"note: {note}") for note in comparison.notes]
    parts.append(Text("1 MAC = 2 operations"))
    return Group(*parts)


def _coverage(comparison: Comparison) -> list[RenderableType]:
    """What the energies include, and their ratio for what all of them do beside that of the whole."""
    from rich.text import Text

    found = tables.coverage(comparison.coverage)
    rows = [[c.text + (f" {c.note}" if c.note else "") for c in row] for row in found.rows]
    heads = [c.label for c in found.columns]
    table = grid("", heads, rows, left=heads[:2], whole=True)
    return [Text(found.caption, style="bold"), table, *map(Text, found.notes)]


def _metrics(report: Report) -> RichTable:
    from rich.text import Text

    columns = ("metric", "value", "range", "basis", "remark")
    table = grid("", columns, left=("metric", "range", "basis", "remark"), whole=True)
    for name in HEADLINE:
        f = figures.figure(report, name)
        if f.value is None and name not in ("accuracy", "energy", "static_energy", "latency", "area"):
            continue
        note = f.note
        if name == "static_energy" and f.value is not None:
            note = f"{figures.share(f.value, figures.value_of(report, 'energy'))} of the energy"
        table.add_row(*(Text(t) for t in (f.label, f.text, f.span, f.basis if f.value is not None else "", note)))
    return table


def _layers(report: Report) -> RichTable:
    found = tables.layers(report)
    wanted = ("layer", "operator", "macs", "arrays", "copies", "utilisation", "energy", "share", "snr", "busy")
    keep = [i for i, c in enumerate(found.columns) if c.key in wanted]
    return _cut(found, keep, "layers")


def _section(found: tables.Table) -> RichTable:
    return _cut(found, range(len(found.columns)), "rows")


def _cut(found: tables.Table, keep: Iterable[int], what: str) -> RichTable:
    """These columns of a table and its first rows. what: the rows are called."""
    keep = list(keep)
    rows = [[row[i].text for i in keep] for row in found.rows[:MOST_LAYERS]]
    if len(found.rows) > MOST_LAYERS:
        rows.append([f"... {len(found.rows) - MOST_LAYERS} more {what}"])
    texts = [found.columns[i].label for i in keep if not found.columns[i].numeric]
    return grid("", [found.columns[i].label for i in keep], rows, texts, whole=True)


def _effects(report: Report) -> RichTable:
    """Accuracy of the same chips without one effect, and what that wins."""
    rows = []
    for row in sorted(report.effects, key=lambda r: -r["gain"]):
        name = "all effects" if row["effect"] == "all" else row["effect"].replace("_", " ")
        gain = f"{100 * row['gain']:+.2f} ± {100 * row['error']:.2f}"
        low, high = (f"{100 * end:+.2f}" for end in tables.effect_ends(row))
        rows.append((name, f"{row['accuracy']:.2%}", gain, f"{low} to {high}", tables.effect_parts(row)))
    return grid("", ("without", "accuracy", "gain (points)", "95 %", "errors of"), rows, whole=True)


def _contributors(report: Report) -> RichTable:
    total = figures.ledger_total(report)
    totals = figures.sums(report.ledger, "component", "action")
    rows = [
        (f"{component} {action}", figures.quantity(value, "J"), figures.share(value, total))
        for (component, action), value in list(totals.items())[:CONTRIBUTORS]
    ]
    if len(totals) > CONTRIBUTORS:
        rest = sum(list(totals.values())[CONTRIBUTORS:])
        rows.append((f"{len(totals) - CONTRIBUTORS} others", figures.quantity(rest, "J"), figures.share(rest, total)))
    return grid("", ("energy goes to", "energy", "share"), rows, whole=True)
