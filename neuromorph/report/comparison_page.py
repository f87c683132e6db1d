"""compare.html: the table of a comparison and its Pareto plots."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from neuromorph.report import charts, html, tables
from neuromorph.report.comparison import COSTS, Comparison
from neuromorph.report.figures import accuracy, label, percent, quantity
from neuromorph.report.svg import Canvas, log_ticks, spiral, ticks, width_of
from neuromorph.report.tables import Cell, Column, Table

LOG_FROM = 5.0
"""Ratio of the largest to the smallest cost from which on their axis is logarithmic."""

FONT = 12

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def page(comparison: Comparison) -> str:
    """compare.html as text."""
    pictures = [p for p in (_picture(comparison, cost) for cost in COSTS) if p is not None]
    return html.render(
        "compare.html.j2",
        title=f"{len(comparison.reports)} reports compared",
        comparison=comparison,
        table=table(comparison),
        pictures=pictures,
        coverage=tables.coverage(comparison.coverage),
        facts=_facts(comparison),
    )


def table(comparison: Comparison) -> Table:
    """A row per report, a column per metric; below each number its difference to the first."""
    rows = []
    for i, name in enumerate(comparison.names):
        cells = [Cell(str(i + 1), float(i + 1)), Cell(name, name)]
        for column in comparison.columns:
            value = comparison.value(i, column)
            metric = comparison.metric(i, column)
            basis = "" if metric is None or value is None else metric.basis
            cells.append(
                Cell(
                    comparison.text(i, column), value, basis, value is None, note=comparison.difference_text(i, column)
                )
            )
        rows.append(tuple(cells))
    columns = (
        Column("number", "no."), Column("name", "report", False), *(Column(c, label(c)) for c in comparison.columns),
    )  # fmt: skip
    return Table("compare", "Reports with differences to the first; click a heading to sort", columns, tuple(rows))


def _facts(comparison: Comparison) -> list[tuple[int, str, list[tuple[str, str]]]]:
    return [
        (i + 1, name, html.provenance(report))
        for i, (name, report) in enumerate(zip(comparison.names, comparison.reports, strict=True))
    ]


def _picture(comparison: Comparison, cost: str) -> html.Picture | None:
    values = [(comparison.value(i, cost), comparison.value(i, "accuracy")) for i in range(len(comparison.reports))]
    points = [(i, c, a) for i, (c, a) in enumerate(values) if c is not None and c > 0 and a is not None]
    if len(points) < 2:
        return None
    unit = next(m.unit for m in comparison.reports[points[0][0]].metrics if m.name == cost)
    front = comparison.front(cost)
    chart = charts.both(lambda w: scatter(points, front, comparison.names, cost, unit, w))
    return html.Picture(
        cost, f"Accuracy against {label(cost).lower()}",
        "Numbers are those of the table. Filled: no other report is better beyond both intervals "
        "and no worse in the other; better is up and left.",
        chart,
    )  # fmt: skip


def scatter(
    points: Sequence[tuple[int, float, float]], front: Sequence[int], names: Sequence[str], cost: str, unit: str,
    width: int,
) -> Markup:  # fmt: skip
    """(index, cost, accuracy) as numbered marks, the front as a line."""
    height, left, right, top, bottom = (380.0 if width > charts.NARROW else 330.0), 62.0, 18.0, 14.0, 52.0
    costs, merits = [c for _, c, _ in points], [a for _, _, a in points]
    low, high = min(costs), max(costs)
    logarithmic = high / low >= LOG_FROM
    low, high = (low / 1.25, high * 1.25) if logarithmic else _padded(low, high)
    worst, best = _padded(min(merits), max(merits), 0.001)
    canvas = Canvas(width, height, f"Accuracy against {label(cost)} of {len(points)} reports")

    def at(c: float, a: float) -> tuple[float, float]:
        part = (
            (math.log10(c) - math.log10(low)) / (math.log10(high) - math.log10(low))
            if logarithmic
            else (c - low) / (high - low)
        )
        y = top + (height - top - bottom) * (best - a) / (best - worst)
        return left + (width - left - right) * part, y

    _axes(canvas, (low, high, logarithmic, unit), (worst, best), at, (left, right, top, bottom), label(cost))
    chosen = {i: at(c, a) for i, c, a in points}
    best_so_far, line = -math.inf, []
    for i, _, a in sorted((p for p in points if p[0] in front), key=lambda p: p[1]):  # the staircase of their values
        if a > best_so_far:
            best_so_far = a
            line.append(chosen[i])
    if len(line) > 1:
        steps = [f"M{line[0][0]:.1f} {line[0][1]:.1f}", *(f"H{x:.1f}V{y:.1f}" for x, y in line[1:])]
        canvas.path("".join(steps), "front", "Pareto front")
    _marks(canvas, points, chosen, front, names, unit)
    return canvas.render()


def _padded(low: float, high: float, least: float = 0.0) -> tuple[float, float]:
    pad = max((high - low) * 0.08, least, abs(high) * 0.02 if high == low else 0.0)
    return low - pad, high + pad


def _axes(
    canvas: Canvas, costs: tuple[float, float, bool, str], merits: tuple[float, float],
    at: Callable[[float, float], tuple[float, float]], frame: tuple[float, float, float, float], name: str,
) -> None:  # fmt: skip
    low, high, logarithmic, unit = costs
    left, right, top, bottom = frame
    floor, end = canvas.height - bottom, canvas.width - right
    most = 6 if canvas.width > charts.NARROW else 3
    marks = log_ticks(low, high) if logarithmic else ticks(low, high, most)
    last = -1e9
    for value in marks:
        x, _ = at(value, merits[0])
        canvas.line(x, top, x, floor, "grid")
        text = quantity(value, unit, 3)
        if x - width_of(text, FONT) / 2 > last + 6:
            canvas.text(min(x, canvas.width - width_of(text, FONT) / 2), floor + 18, text, "mute", "middle")
            last = x + width_of(text, FONT) / 2
    for value in ticks(merits[0], merits[1], 6):
        _, y = at(high, value)
        canvas.line(left, y, end, y, "grid")
        canvas.text(left - 8, y + 4, percent(value, 4), "mute", "end")
    canvas.line(left, floor, end, floor, "axis")
    canvas.line(left, top, left, floor, "axis")
    canvas.text(
        (left + end) / 2, canvas.height - 10, name + (" (logarithmic)" if logarithmic else ""), "strong", "middle"
    )


def _marks(
    canvas: Canvas, points: Sequence[tuple[int, float, float]], chosen: Mapping[int, tuple[float, float]],
    front: Sequence[int], names: Sequence[str], unit: str,
) -> None:  # fmt: skip
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in chosen.values()]
    labels = []
    for i, _, _ in points:
        x, y = chosen[i]
        text = str(i + 1)
        w = width_of(text, FONT) + 2
        box = _free(x, y, w, taken, canvas)
        taken.append(box)
        labels.append((x, y, text, box))
    for x, y, _, box in labels:
        cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        if (cx - x) ** 2 + (cy - y) ** 2 > 17**2:
            canvas.line(x, y, cx, cy, "leader")
    for i, cost, merit in points:
        x, y = chosen[i]
        said = f"{i + 1} {names[i]}: {accuracy(merit)}, {quantity(cost, unit)}"
        canvas.circle(x, y, 5.5, "on-front" if i in front else "off-front", said)
    for _, _, text, box in labels:
        canvas.text((box[0] + box[2]) / 2, box[3] - 2, text, "strong halo", "middle")


def _free(x: float, y: float, w: float, taken: Sequence[Box], canvas: Canvas) -> Box:
    """The nearest place beside a mark where its number covers no other mark or number."""
    best, least = (x + 8, y - 16, x + 8 + w, y - 2), float("inf")
    for dx, dy in spiral(13.0, 9):
        box = (x + dx - w / 2, y + dy - 7, x + dx + w / 2, y + dy + 7)
        if box[0] < 46 or box[2] > canvas.width or box[1] < 0 or box[3] > canvas.height - 36:
            continue
        overlap = sum(
            max(0.0, min(box[2], t[2]) - max(box[0], t[0])) * max(0.0, min(box[3], t[3]) - max(box[1], t[1]))
            for t in taken
        )
        if overlap == 0:
            return box
        if overlap < least:
            best, least = box, overlap
    return best
