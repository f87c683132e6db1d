"""Charts of a report as inline SVG: energy, accuracy over chips, timeline, traffic."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from neuromorph.report.figures import accuracy, percent, quantity, share, short_paths, sums
from neuromorph.report.svg import Canvas, fit, ticks, width_of

WIDE, HALF, NARROW = 1120, 540, 340
"""Widths in CSS pixels the charts are drawn for: the whole page, half of it, a telephone."""

SERIES = 8
"""Colours that stay apart for colour-blind readers; the last one is for all others together."""

MOST_BARS = 40
FONT = 12


def both(draw: Callable[[int], Markup], wide: int = HALF) -> Markup:
    """A chart drawn twice, for wide and for narrow pages; the style sheet shows one of them.

    The narrow one has no titles: telephones show none.
    """
    untitled = Markup(re.sub(r"<title>[^<]*</title>", "", draw(NARROW)))
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(draw(wide), untitled)


class EnergySeries:
    """The components and actions energy goes to, largest first, with their colours; small ones share the last."""

    def __init__(self, ledger: Sequence[Mapping[str, Any]]) -> None:
        found = sums(ledger, "component", "action")
        self.totals = {(c, a): v for (c, a), v in found.items() if v}
        short = short_paths(str(r["component"]) for r in ledger)
        self.names = {(c, a): f"{short.get(c, c)} {a.replace('_', ' ')}" for c, a in self.totals}
        self.paths = {(c, a): f"{c} {a}" for c, a in self.totals}
        fits = len(self.totals) <= SERIES
        self.colour = {k: i if fits or i < SERIES - 1 else SERIES - 1 for i, k in enumerate(self.totals)}
        self.total = math.fsum(self.totals.values())


def energy_by_component(series: EnergySeries, width: int) -> Markup:
    """One bar per component and action; it is the legend of the bars by layer, too."""
    shown = list(series.totals)[:MOST_BARS]
    rows = [(series.names[k], series.paths[k], [(series.colour[k], series.totals[k], "")]) for k in shown]
    rest = math.fsum(v for k, v in series.totals.items() if k not in shown)
    if rest:
        rows.append((f"{len(series.totals) - len(shown)} others", "all others", [(SERIES - 1, rest, "")]))
    return _bars(rows, series.total, width, "Energy per inference by component and action")


def energy_by_layer(
    ledger: Sequence[Mapping[str, Any]], layers: Sequence[str], series: EnergySeries, width: int
) -> Markup:
    """One stacked bar per layer in the network's order, parts in the order of the component chart."""
    cells = sums(ledger, "layer", "component", "action")
    order = list(dict.fromkeys([*layers, *(str(r["layer"]) for r in ledger)]))
    totals = dict.fromkeys(order, 0.0) | {key[0]: v for key, v in sums(ledger, "layer").items()}
    order = [name for name in order if totals[name]]
    shown = sorted(order, key=lambda name: -totals[name])[:MOST_BARS]
    rows = []
    for layer in (name for name in order if name in shown):
        parts = [(series.colour[k], cells[(layer, *k)], series.names[k]) for k in series.totals if (layer, *k) in cells]
        rows.append((layer, layer, parts))
    rest = math.fsum(v for name, v in totals.items() if name not in shown)
    if rest:
        rows.append((f"{len(order) - len(shown)} others", "all other layers", [(SERIES - 1, rest, "")]))
    return _bars(rows, series.total, width, "Energy per inference by layer")


Bar = tuple[str, str, list[tuple[int, float, str]]]


def _bars(rows: Sequence[Bar], total: float, width: int, label: str) -> Markup:
    stacked = width <= NARROW
    gutter = 0 if stacked else min(170.0, 14 + max((width_of(name, FONT) for name, _, _ in rows), default=0))
    room = 122.0
    step, thick = (40, 15) if stacked else (26, 18)
    canvas = Canvas(width, len(rows) * step + 6, f"{label}: {len(rows)} bars, {quantity(total, 'J')} in all")
    largest = max((math.fsum(v for _, v, _ in parts) for _, _, parts in rows), default=0.0) or 1.0
    span = width - gutter - room
    for i, (name, full, parts) in enumerate(rows):
        value = math.fsum(v for _, v, _ in parts)
        top = i * step + (19 if stacked else 3)
        text_y = i * step + 14 if stacked else top + 13
        canvas.text(0, text_y, fit(name, width - room if stacked else gutter - 8, FONT), "", "start", full)
        x = gutter
        for colour, energy, part in parts:
            w = span * energy / largest
            said = f"{full}{', ' + part if part else ''}: {quantity(energy, 'J')}, {share(energy, total)}"
            canvas.rect(x, top, max(w, 0.75), thick, f"s{colour}", said)
            if colour % 2:
                canvas.rect(x, top, max(w, 0.75), thick, "hatch")
            x += w
        canvas.text(x + 7, top + 13, f"{quantity(value, 'J', 3)} · {share(value, total)}", "num")
    return canvas.render()


def chips_strip(
    values: Sequence[float], reference: float | None, mean: float, low: float | None, high: float | None, width: int,
    what: str,
) -> Markup:  # fmt: skip
    """A dot per chip on a common axis, equal ones stacked; below them the mean with its interval."""
    marks = [*values, mean, *(v for v in (reference, low, high) if v is not None)]
    bottom, top = min(marks), max(marks)
    pad = max((top - bottom) * 0.08, 0.002)
    bottom, top = bottom - pad, top + pad
    left, right = 16.0, width - 16.0
    radius = 5.5 if len(values) <= 60 else 3.5

    def at(value: float) -> float:
        return left + (right - left) * (value - bottom) / (top - bottom)

    columns: dict[int, int] = {}
    places = []
    for chip, value in enumerate(values):
        column = round(at(value) / (2 * radius + 1))
        columns[column] = columns.get(column, 0) + 1
        places.append((chip, value, columns[column]))
    rise = max(columns.values(), default=1) * (2 * radius + 1) + 30
    base = max(rise, 70.0)
    canvas = Canvas(width, base + 72, f"{what} of {len(values)} chips, mean {accuracy(mean)}")
    # a fraction has no room above 1
    marks_shown = [v for v in ticks(bottom, top, 7 if width > NARROW else 4) if v <= max(1.0, max(marks))]
    for value in marks_shown:
        canvas.line(at(value), 24, at(value), base + 42, "grid")
        canvas.text(at(value), base + 58, percent(value, 5), "mute", "middle")
    canvas.line(left, base, right, base, "axis")
    if reference is not None:
        x = at(reference)
        canvas.line(x, 20, x, base + 24, "reference", f"float network: {accuracy(reference)}")
        said = f"float {accuracy(reference)}"
        canvas.text(
            min(max(x, width_of(said, FONT) / 2), width - width_of(said, FONT) / 2), 14, said, "strong halo", "middle"
        )
    for chip, value, nth in places:
        canvas.circle(at(value), base - radius - 2 - (nth - 1) * (2 * radius + 1), radius, "dot", _chip(chip, value))
    y = base + 14
    if low is not None and high is not None:
        canvas.line(at(low), y, at(high), y, "interval", f"interval: {accuracy(low)} to {accuracy(high)}")
        for end in (low, high):
            canvas.line(at(end), y - 5, at(end), y + 5, "interval")
    x = at(mean)
    canvas.path(f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z", "mean", f"mean: {accuracy(mean)}")
    said = f"mean {accuracy(mean)}"
    half = width_of(said, FONT) / 2
    canvas.text(min(max(x, half), width - half), base + 37, said, "strong halo", "middle")
    return canvas.render()


def _chip(chip: int, value: float) -> str:
    return f"chip {chip}: {accuracy(value)}"


def timeline(rows: Sequence[Mapping[str, Any]], latency_s: float | None, width: int) -> Markup:
    """Lanes per layer over time; a bar is one sample, thin where the layer waits or is blocked."""
    stages = list(dict.fromkeys(str(r["stage"]) for r in rows))
    end = max((float(r["end_s"]) for r in rows), default=0.0) or 1.0
    stacked = width <= NARROW
    gutter = 0.0 if stacked else min(170.0, 14 + max((width_of(s, FONT) for s in stages), default=0.0))
    step, offset, head = (40, 18, 22) if stacked else (26, 4, 22)
    foot = head + len(stages) * step
    canvas = Canvas(width, foot + 26, f"Timeline of {len(stages)} layers over {quantity(end, 's')}")
    span = width - gutter - 18

    def at(time: float) -> float:
        return gutter + span * time / end

    for value in ticks(0.0, end, 6 if stacked else 9):
        text = quantity(value, "s", 3) if value else "0"
        canvas.line(at(value), head, at(value), foot + 4, "grid")
        x = min(at(value), width - width_of(text, FONT) / 2)
        canvas.text(x, foot + 20, text, "mute", "middle" if value else "start")
    tops = {stage: head + i * step + offset for i, stage in enumerate(stages)}
    for stage, top in tops.items():
        room = width if stacked else gutter - 8
        canvas.text(0, top - 5 if stacked else top + 13, fit(stage, room, FONT), "", "start", stage)
        canvas.line(gutter, top + 8, gutter + span, top + 8, "lane")
    for row in coarsened(rows, end / span * 0.5):
        _timeline_bar(canvas, row, at(float(row["begin_s"])), at(float(row["end_s"])), tops[str(row["stage"])])
    if latency_s is not None and 0 < latency_s <= end:
        x, said = at(latency_s), f"latency {quantity(latency_s, 's')}"
        canvas.line(x, head - 4, x, foot, "reference", f"one inference on an idle chip: {said}")
        half = width_of(said, FONT) / 2
        canvas.text(min(max(x, half), width - half), head - 9, said, "strong halo", "middle")
    return canvas.render()


def _timeline_bar(canvas: Canvas, row: Mapping[str, Any], x0: float, x1: float, y: float) -> None:
    sample, state = int(row["sample"]), str(row["state"])
    begin, end = float(row["begin_s"]), float(row["end_s"])
    said = (
        f"{row['stage']}, sample {sample + 1}, {state}: {quantity(begin, 's')} to {quantity(end, 's')} "
        f"({quantity(end - begin, 's')})"
    )
    w = max(x1 - x0, 1.0)
    if state == "busy":
        canvas.rect(x0, y, w, 17, f"s{sample % 4}", said)
        if w >= 12:
            canvas.text(x0 + w / 2, y + 13, str(sample + 1), f"t{sample % 4}", "middle")
    else:
        canvas.rect(x0, y + 6, w, 5, "blocked" if state == "blocked" else "waiting", said)


def coarsened(rows: Sequence[Mapping[str, Any]], shortest_s: float) -> list[dict[str, Any]]:
    """Bars with those joined that lie closer than `shortest_s`, so that a picture holds no more than it can show."""
    found: list[dict[str, Any]] = []
    for row in rows:
        last = found[-1] if found else None
        small = float(row["end_s"]) - float(row["begin_s"]) < shortest_s
        if last and last["stage"] == row["stage"] and last["sample"] == row["sample"]:
            gap = float(row["begin_s"]) - float(last["end_s"])
            if gap < shortest_s and (row["state"] == last["state"] or (small and row["state"] != "busy")):
                last["end_s"] = row["end_s"]
                continue
            short_before = float(last["end_s"]) - float(last["begin_s"]) < shortest_s
            if gap < shortest_s and small and short_before:
                last["end_s"] = row["end_s"]
                last["state"] = "busy" if "busy" in (row["state"], last["state"]) else row["state"]
                continue
        found.append(dict(row))
    return found


_NOT_ORDERS = {"bits", "bit_hops", "mean_hops", "lower_bound", "start", "busiest_link_bits"}


def traffic_bars(traffic: Mapping[str, Any], width: int) -> Markup:
    """Traffic in bit hops of each order that was tried, with the lower bound as a line."""
    costs = {k: float(v) for k, v in traffic.items() if k not in _NOT_ORDERS and isinstance(v, int | float)}
    rows = sorted(costs.items(), key=lambda item: -item[1])
    bound = traffic.get("lower_bound")
    gutter = 14 + max((width_of(name, FONT) for name in costs), default=0.0)
    canvas = Canvas(width, len(rows) * 26 + 30, f"Traffic of {len(rows)} placements against the lower bound")
    largest = max(costs.values(), default=0.0) or 1.0
    span = width - gutter - 72
    for i, (name, value) in enumerate(rows):
        y = i * 26 + 3
        best = name == "refined"
        said = f"{name}: {quantity(value, '1')} bit hops per inference"
        canvas.text(0, y + 13, name, "strong" if best else "", "start", said)
        canvas.rect(gutter, y, span * value / largest, 18, "s2" if best else "s7", said)
        canvas.text(gutter + span * value / largest + 7, y + 13, quantity(value, "1", 3), "num")
    if isinstance(bound, int | float) and not isinstance(bound, bool):
        x = gutter + span * bound / largest
        said = f"lower bound {quantity(float(bound), '1', 3)}"
        canvas.line(x, 0, x, len(rows) * 26 + 6, "reference", said)
        half = width_of(said, FONT) / 2
        canvas.text(min(max(x, half), width - half), len(rows) * 26 + 21, said, "strong halo", "middle")
    return canvas.render()
