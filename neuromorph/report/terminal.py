"""A report and a comparison as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neuromorph.report import figures, tables

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
        parts.append(_effects(report))
    for found in report.sections:
        parts += [Text(found["title"], style="bold"), _section(tables.section(found))]
    left_out = figures.grouped_unmodelled(report.unmodelled)
    if left_out:
        parts.append(Text(f"{figures.MISSING}, and in no number above:", style="bold"))
        parts += [Text(f"  {figures.unmodelled_words(what)} {', '.join(where)}") for what, where in left_out]
    parts += [Text(f"note: {note}") for note in report.notes]
    return Group(*parts)


def comparison_table(comparison: Comparison) -> RenderableType:
    """A row per report, a column per metric, the difference to the first below each number."""
    from rich.console import Group
    from rich.text import Text

    table = _table([("", "right"), ("report", "left"), *((figures.label(c), "right") for c in comparison.columns)])
    for i, name in enumerate(comparison.names):
        cells = [
            "\n".join(filter(None, (comparison.text(i, c), comparison.difference_text(i, c))))
            for c in comparison.columns
        ]
        table.add_row(str(i + 1), Text(name), *map(Text, cells))
    parts: list[RenderableType] = [table]
    for cost in ("energy", "latency"):
        front = comparison.front(cost)
        if front:
            named = "; ".join(f"{i + 1} {comparison.names[i]}" for i in front)
            parts.append(Text(f"not beaten in accuracy and {cost}: {named}"))
    parts += [Text(f"note: {note}") for note in comparison.notes]
    parts.append(Text("1 MAC = 2 operations"))
    return Group(*parts)


def _table(columns: Sequence[tuple[str, str]]) -> RichTable:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, side in columns:
        if side == "right":
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold")
    return table


def _metrics(report: Report) -> RichTable:
    from rich.text import Text

    table = _table([("metric", "left"), ("value", "right"), ("range", "left"), ("basis", "left"), ("remark", "left")])
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
    from rich.text import Text

    found = tables.layers(report)
    wanted = ("layer", "operator", "macs", "arrays", "copies", "utilisation", "energy", "share", "snr", "busy")
    keep = [i for i, c in enumerate(found.columns) if c.key in wanted]
    table = _table([(found.columns[i].label, "right" if found.columns[i].numeric else "left") for i in keep])
    for row in found.rows[:MOST_LAYERS]:
        table.add_row(*(Text(row[i].text) for i in keep))
    if len(found.rows) > MOST_LAYERS:
        table.add_row(Text(f"... {len(found.rows) - MOST_LAYERS} more layers"))
    return table


def _section(found: tables.Table) -> RichTable:
    from rich.text import Text

    table = _table([(c.label, "right" if c.numeric else "left") for c in found.columns])
    for row in found.rows[:MOST_LAYERS]:
        table.add_row(*(Text(cell.text) for cell in row))
    if len(found.rows) > MOST_LAYERS:
        table.add_row(Text(f"... {len(found.rows) - MOST_LAYERS} more rows"))
    return table


def _effects(report: Report) -> RichTable:
    """Accuracy of the same chips without one effect, and what that wins."""
    table = _table([("without", "left"), ("accuracy", "right"), ("gain (points)", "right")])
    for row in sorted(report.effects, key=lambda r: -r["gain"]):
        name = "all effects" if row["effect"] == "all" else row["effect"].replace("_", " ")
        gain = f"{100 * row['gain']:+.2f} ± {100 * row['error']:.2f}"
        table.add_row(name, f"{row['accuracy']:.2%}", gain)
    return table


def _contributors(report: Report) -> RichTable:
    from rich.text import Text

    table = _table([("energy goes to", "left"), ("energy", "right"), ("share", "right")])
    total = figures.ledger_total(report)
    totals = figures.sums(report.ledger, "component", "action")
    for component, action in list(totals)[:CONTRIBUTORS]:
        value = totals[(component, action)]
        table.add_row(Text(f"{component} {action}"), figures.quantity(value, "J"), figures.share(value, total))
    if len(totals) > CONTRIBUTORS:
        rest = sum(list(totals.values())[CONTRIBUTORS:])
        table.add_row(f"{len(totals) - CONTRIBUTORS} others", figures.quantity(rest, "J"), figures.share(rest, total))
    return table
