"""One self-contained page of a report: no network, no outside file, every name escaped."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from neuromorph.report import charts, floor, tables
from neuromorph.report.figures import (
    MISSING,
    NOT_RUN,
    Figure,
    figure,
    find,
    grouped_unmodelled,
    has_static,
    ledger_total,
    quantity,
    share,
    shown,
    span,
    sums,
    unmodelled_words,
    value_of,
)
from neuromorph.report.figures import accuracy as accuracy_text

if TYPE_CHECKING:
    from neuromorph.report.model import Report


MAP = 760
"""Width of the floor map in CSS pixels."""

PARTS = {"chips": "other chips", "samples": "other test samples"}
"""What an interval of the accuracy is made of."""

FEW_TILES = 300
"""Maps of more tiles bear no text and are drawn once for all widths."""


@dataclass(frozen=True)
class Card:
    """A headline number: what it is, the number, and lines that qualify it."""

    figure: Figure
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A chart with its heading and what to know to read it."""

    key: str
    title: str
    note: str
    chart: Markup


def page(report: Report) -> str:
    """report.html as text."""
    series = charts.EnergySeries(report.ledger)
    ledger, references = tables.ledger(report)
    return render(
        "report.html.j2",
        title=report.title,
        report=report,
        cards=cards(report),
        provenance=provenance(report),
        unmodelled=[(unmodelled_words(what), where) for what, where in grouped_unmodelled(report.unmodelled)],
        warnings=warnings(report),
        bases=bases(report),
        energy=_energy(report, series),
        chips=_chips(report),
        timeline=_timeline(report),
        floor=_floor(report),
        traffic=_traffic(report),
        layers=tables.layers(report),
        sections=[(s, tables.section(s)) for s in report.sections],
        effects=tables.effects(report) if report.effects else None,
        ledger=ledger,
        references=references,
        area=tables.area(report),
        physics=tables.physics(report.physics) if report.physics else None,
        sources=tables.sources(report),
    )


def render(template: str, **context: Any) -> str:
    """A template of this package with its style sheet and script set in; markup in values is escaped."""
    style, script = _asset("style.css"), _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _environment().get_template(template).render(
        style=Markup(style), script=Markup(script), script_hash=digest, MISSING=MISSING, **context
    )  # fmt: skip


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("neuromorph.report", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=StrictUndefined,
    )  # fmt: skip
    environment.filters["together"] = together
    return environment


def together(text: str) -> str:
    """Keeps a number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=[^\W\d]{1,3}\b|%|[A-Z]{3,4}/)", "\u00a0", text)


def _asset(name: str) -> str:
    return (resources.files("neuromorph.report") / "templates" / name).read_text("utf-8")


def cards(report: Report) -> list[Card]:
    """The headline numbers, each with its interval or range, its basis and what it includes."""
    accuracy, energy, static = figure(report, "accuracy"), figure(report, "energy"), value_of(report, "static_energy")
    reference = value_of(report, "float_accuracy")
    lines = [f"95 % interval {accuracy.span}"] if accuracy.span else []
    parts = report.chips.get("interval") or {} if accuracy.span else {}
    lines += [
        f"of {words}: {span('accuracy', parts[k][0], parts[k][1], '1')}" for k, words in PARTS.items() if k in parts
    ]
    if reference is not None and accuracy.value is not None:
        lines.append(f"float network {accuracy_text(reference)} ({100 * (accuracy.value - reference):+.2f} points)")
    elif report.chips.get("output_error"):
        lines.append(f"no labels; output error {shown('output_error', value_of(report, 'output_error'), '1')}")
    partly = " of what is modelled" if any(": leakage" in u for u in report.unmodelled) else ""
    part = f"{share(static, energy.value)}{partly}" if has_static(report) else MISSING
    found = [
        Card(accuracy, tuple(lines)),
        Card(energy, (*ranged(report, "energy"), f"static share: {part}")),
        Card(figure(report, "latency"), (_latency(report), *ranged(report, "latency"))),
        Card(figure(report, "throughput"), (_interval(report), "full pipeline", *ranged(report, "throughput"))),
        Card(figure(report, "power"), ("full pipeline", *ranged(report, "power"))),
        Card(figure(report, "area"), (_chip_use(report), *ranged(report, "area"))),
    ]
    if value_of(report, "synaptic_events") is not None:
        spikes = figure(report, "spikes")
        found += [
            Card(
                figure(report, "energy_per_event"),
                ("all energy, static included", *ranged(report, "energy_per_event")),
            ),
            Card(figure(report, "synaptic_events"), (f"{spikes.text} spikes", "per inference")),
        ]
    else:
        found += [
            Card(
                figure(report, "efficiency"),
                ("1 MAC = 2 operations", "full pipeline", *ranged(report, "efficiency")),
            ),
            Card(figure(report, "macs"), (f"{shown('', 2 * (value_of(report, 'macs') or 0), '1')} operations",)),
        ]
    return found


def ranged(report: Report, name: str) -> tuple[str, ...]:
    """The range of a headline number and how much of it that holds for; reports of earlier versions do not tell."""
    metric, words = find(report, name), figure(report, name)
    if metric is None or metric.value is None:
        return ()
    if metric.ranged is None:
        return (f"range {words.span}",) if words.span else ("range not known",)
    told = "<1 %" if 0 < metric.ranged < 0.01 else f"{metric.ranged:.0%}".replace("%", " %")
    if not metric.ranged:
        return ("range not known: no price has one",)
    return (f"range {words.span or 'narrower than its digits'}", f"published for {told} of it")


def _latency(report: Report) -> str:
    metric = figure(report, "latency")
    return "one inference, idle chip" + (", fastest sample to 95th percentile" if "95th" in metric.note else "")


def _interval(report: Report) -> str:
    metric = figure(report, "interval")
    return f"one every {metric.text}" if metric.value is not None else "interval " + metric.text


def _chip_use(report: Report) -> str:
    tiles, metric = figure(report, "tiles_used"), figure(report, "utilisation")
    used = f"{tiles.text} {tiles.note} tiles used" if tiles.value is not None else ""
    fill = f"utilisation {metric.text}" if metric.value is not None else ""
    return "; ".join(t for t in (used, fill) if t) or "the whole chip"


def provenance(report: Report) -> list[tuple[str, str]]:
    """What was run with what, in a fixed order; entries this version does not know follow under their own names."""
    facts = dict(report.provenance)
    words = {
        "network": "Network", "network_hash": "Network hash", "model_file": "Model file",
        "architecture_title": "Architecture", "architecture": "Architecture name", "changes": "Changes",
        "boundary": "Cost boundary", "chips": "Chips drawn", "samples": "Samples", "data_file": "Data",
        "time_s": "Time after programming", "effects_off": "Effects left out", "seed": "Seed",
        "neuromorph": "neuromorph", "python": "Python",
    }  # fmt: skip
    order = [*(k for k in words if k in facts), *(k for k in facts if k not in words)]
    return [(words.get(k, k.replace("_", " ")), _fact(k, facts[k])) for k in order if facts[k] not in ("", [], None)]


def _fact(key: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if key == "time_s" and isinstance(value, int | float):
        return quantity(float(value), "s") if value else "0 s, right after programming"
    if key in ("chips", "samples") and value == 0:
        return f"0, {NOT_RUN}"
    return str(value)


def bases(report: Report) -> list[tuple[str, str]]:
    """Which part of the energy rests on which basis, largest first."""
    total = ledger_total(report)
    return [(key[0], share(value, total)) for key, value in sums(report.ledger, "basis").items() if value]


def warnings(report: Report) -> list[str]:
    """Where the report disagrees with itself."""
    energy, total = value_of(report, "energy"), ledger_total(report)
    if energy is not None and not math.isclose(energy, total, rel_tol=1e-9, abs_tol=1e-30):
        return [f"The ledger adds up to {quantity(total, 'J', 6)}, the headline says {quantity(energy, 'J', 6)}."]
    return []


def _energy(report: Report, series: charts.EnergySeries) -> list[Picture]:
    if not series.total:
        return []
    by_part = charts.both(lambda w: charts.energy_by_component(series, w))
    names = [str(r.get("layer", "")) for r in report.layers]
    by_layer = charts.both(lambda w: charts.energy_by_layer(report.ledger, names, series, w))
    many = len({r["layer"] for r in report.ledger}) > charts.MOST_BARS
    note = f"The {charts.MOST_BARS} largest layers in the network's order. " if many else ""
    return [
        Picture("component", "By component and action", "Colours and order hold for the layers, too.", by_part),
        Picture("layer", "By layer", note + "Point at a part for its value.", by_layer),
    ]


def _chips(report: Report) -> Picture | None:
    chips = report.chips
    wide = charts.HALF if report.effects else charts.WIDE
    for name, title in (("accuracy", "Accuracy over chips"), ("output_error", "Output error over chips")):
        values = chips.get(name)
        if values:
            metric = next((m for m in report.metrics if m.name == name), None)
            mean = metric.value if metric is not None and metric.value is not None else math.fsum(values) / len(values)
            ends = (None, None) if metric is None else (metric.low, metric.high)
            reference = chips.get("float_accuracy") if name == "accuracy" else None
            chart = charts.both(lambda w: charts.chips_strip(values, reference, mean, *ends, w, title), wide)  # noqa: B023
            note = "A dot is one chip with its own random errors; the diamond is their mean"
            note += ", the bar its 95 % interval over chips and samples." if ends[0] is not None else "."
            return Picture("chips", title, note, chart)
    return None


def _timeline(report: Report) -> Picture | None:
    if not report.gantt:
        return None
    latency = value_of(report, "latency")
    samples = 1 + max(int(r["sample"]) for r in report.gantt)
    chart = charts.both(lambda w: charts.timeline(report.gantt, latency, w), charts.WIDE)
    note = (
        f"The first {samples} samples, numbered, through the layers. Full bars: the layer works; "
        "thin bars: it waits for input; hatched: it is blocked by what follows."
    )
    return Picture("timeline", "Timeline", note, chart)


def _floor(report: Report) -> tuple[Picture, list[tuple[int, str]]] | None:
    plan = report.floor
    if not plan.get("tiles"):
        return None
    numbers = floor.layer_numbers(plan, [str(r.get("layer", "")) for r in report.layers])
    seen = floor.window(plan)
    small = seen.columns * seen.rows <= FEW_TILES
    chart = charts.both(lambda w: floor.floor_map(plan, numbers, w), MAP) if small else (
        floor.floor_map(plan, numbers, MAP)
    )  # fmt: skip
    links = [float(k["bits"]) for k in plan.get("links", [])]
    note = "The bar at the foot of a tile is how full it is."
    if links:
        note += f" Lines are links, as thick as their traffic, the busiest {quantity(max(links), 'bit')} per inference."
    else:
        note += " Traffic on the links of this network between tiles is not drawn."
    note = " ".join(filter(None, (note, floor.window_note(plan, seen))))
    return Picture("floor", "Floor map", note, chart), [(n, name) for name, n in numbers.items()]


def _traffic(report: Report) -> Picture | None:
    traffic = report.traffic
    if not any(isinstance(traffic.get(k), int | float) for k in ("random", "snake", "refined")):
        return None
    chart = charts.both(lambda w: charts.traffic_bars(traffic, w), charts.NARROW)
    hops = traffic.get("mean_hops")
    bits = traffic.get("bits")
    note = "Bits times hops per inference of every order of tiles that was tried; “refined” is the one in use."
    if isinstance(hops, int | float) and isinstance(bits, int | float):
        note += f" {quantity(float(bits), 'bit')} go between tiles, over {hops:.2f} hops on average."
    return Picture("traffic", "Traffic", note, chart)
