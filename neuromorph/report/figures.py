"""Numbers as a reader sees them: labels, units, percentages, and words for what is not known."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuromorph.devices.physics import ABSENT, UNHOUSED
from neuromorph.units import format_si

if TYPE_CHECKING:
    from neuromorph.devices.metrics import Metric
    from neuromorph.report.model import Report

MISSING = "not modelled"
NOT_RUN = "not run"

LABELS = {
    "accuracy": "Accuracy",
    "float_accuracy": "Float accuracy",
    "perplexity": "Perplexity per token",
    "mean_squared_error": "Mean squared error",
    "r2": "Coefficient of determination",
    "output_error": "Output error",
    "energy": "Energy per inference",
    "dynamic_energy": "Dynamic energy",
    "static_energy": "Static energy",
    "steady_energy": "Energy, full pipeline",
    "latency": "Latency",
    "interval": "Initiation interval",
    "throughput": "Throughput",
    "power": "Power",
    "static_energy_ungated": "Static energy, nothing gated",
    "power_ungated": "Power, nothing gated",
    "area": "Area",
    "efficiency": "Efficiency",
    "macs": "MACs per inference",
    "tiles_used": "Tiles used",
    "cores_used": "Cores used",
    "arrays_used": "Arrays used",
    "utilisation": "Utilisation",
    "binding_limit": "Tightest limit",
    "spikes": "Spikes per inference",
    "synaptic_events": "Synaptic events",
    "energy_per_event": "Energy per synaptic event",
}
_FRACTIONS = {"accuracy", "float_accuracy", "output_error", "utilisation", "binding_limit"}
_ACCURACIES = {"accuracy", "float_accuracy"}
_EXECUTED = {"accuracy", "float_accuracy", "output_error"}


@dataclass(frozen=True)
class Figure:
    """One metric in words. value: in the metric's unit, None where it is not known (`text` says so)."""

    name: str
    label: str
    value: float | None
    text: str
    span: str
    basis: str
    note: str


def quantity(value: float | None, unit: str, digits: int = 4) -> str:
    """`value` with an SI prefix, typeset: "1.2 µJ", "50.8 mm²", "416.5 k", "3.2 TOPS/W" for operations per joule."""
    if value is None or not math.isfinite(value):
        return MISSING
    if unit in ("", "1"):
        return count(value, digits)
    if unit in ("1/s", "1/J"):
        return _scaled(value, digits) + ("/s" if unit == "1/s" else "OPS/W")
    text = format_si(value, unit, digits)
    text = re.sub(r" u(?=[A-Za-zΩ])", " µ", text)
    return re.sub(r"(?<=[a-zµ])2\b", "²", text.replace("^2", "²"))


def _scaled(value: float, digits: int) -> str:
    text = format_si(value, "Hz", digits).removesuffix("Hz")
    return text if text.endswith(" ") else text.rstrip()


def count(value: float | None, digits: int = 4) -> str:
    """A plain number, with a prefix from 10 000 on: "64", "416.5 k", "0.1346"."""
    if value is None or not math.isfinite(value):
        return MISSING
    if abs(value) >= 1e4:
        return _scaled(value, digits).rstrip()
    return f"{value:.{digits}g}"


def percent(value: float | None, digits: int = 4) -> str:
    """A fraction in percent: 0.9958 is "99.58 %"; shares that would round to 0 or 100 are bounded instead."""
    if value is None or not math.isfinite(value):
        return MISSING
    hundred = 100.0 * value
    if 0 < abs(hundred) < 0.01:
        return f"{'-' if hundred < 0 else ''}<0.01 %".replace("-<", "> -")
    return f"{hundred:.{digits}g} %"


def accuracy(value: float) -> str:
    """A fraction of right answers: always two decimals, "99.00 %"."""
    return f"{100.0 * value:.2f} %"


def share(part: float | None, whole: float | None) -> str:
    """`part` of `whole` in percent with three digits."""
    if part is None or not whole:
        return MISSING
    return percent(part / whole, 3)


def shown(name: str, value: float | None, unit: str, digits: int = 4) -> str:
    """The value of the metric `name` as text."""
    if value is None:
        return NOT_RUN if name in _EXECUTED else MISSING
    if name in _ACCURACIES:
        return accuracy(value)
    return percent(value, digits) if name in _FRACTIONS else quantity(value, unit, digits)


def label(name: str) -> str:
    return LABELS.get(name, name.replace("_", " "))


def find(report: Report, name: str) -> Metric | None:
    """The metric, or None; a static energy that no component has a figure for has no value."""
    for metric in report.metrics:
        if metric.name == name:
            if name == "static_energy" and not has_static(report):
                from dataclasses import replace

                return replace(metric, value=None, note="no component has a figure for its static power")
            return metric
    return None


def value_of(report: Report, name: str) -> float | None:
    metric = find(report, name)
    return None if metric is None else metric.value


def figure(report: Report, name: str) -> Figure:
    """A metric in words; one that the report does not have reads "not run" or "not modelled"."""
    metric = find(report, name)
    if metric is None:
        return Figure(name, label(name), None, shown(name, None, ""), "", "", "")
    return Figure(
        name, label(name), metric.value, shown(name, metric.value, metric.unit),
        span(name, metric.low, metric.high, metric.unit), metric.basis, metric.note,
    )  # fmt: skip


def span(name: str, low: float | None, high: float | None, unit: str) -> str:
    """A range as text, empty where neither end is known or both are one number, which is no range."""
    if low == high:
        return ""
    ends = shown(name, low, unit), shown(name, high, unit)
    return " to ".join(ends) if ends[0] != ends[1] else ""  # narrower than what is printed


def has_static(report: Report) -> bool:
    """Whether the ledger has any static row: without one static energy is unknown, not zero."""
    return any(row.get("kind") == "static" and row.get("energy_j") is not None for row in report.ledger)


def ledger_total(report: Report) -> float:
    """Sum of all rows of the ledger, joules."""
    return math.fsum(row["energy_j"] for row in report.ledger if row.get("energy_j") is not None)


def sums(rows: Iterable[Mapping[str, Any]], *fields: str, of: str = "energy_j") -> dict[tuple[str, ...], float]:
    """`of` added up by the values of `fields`, largest first; rows without a value are left out."""
    found: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        if row.get(of) is not None:
            found.setdefault(tuple(str(row.get(f, "")) for f in fields), []).append(row[of])
    totals = {key: math.fsum(values) for key, values in found.items()}
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def short_paths(paths: Iterable[str]) -> dict[str, str]:
    """Each component path -> its shortest ending that no other path shares: chip.tile.core.adc is "adc"."""
    wanted = list(dict.fromkeys(paths))
    endings: dict[str, int] = {}
    for path in wanted:
        parts = path.split(".")
        for i in range(len(parts)):
            ending = ".".join(parts[i:])
            endings[ending] = endings.get(ending, 0) + 1
    short = {}
    for path in wanted:
        parts = path.split(".")
        candidates = (".".join(parts[i:]) for i in reversed(range(len(parts))))
        short[path] = next((c for c in candidates if endings[c] == 1), path)
    return short


def grouped_unmodelled(entries: Iterable[str]) -> list[tuple[str, list[str]]]:
    """What no number includes, by kind: "chip.adc: leakage" and "chip.dac: leakage" are one entry "leakage"."""
    groups: dict[str, list[str]] = {}
    for entry in entries:
        where, colon, what = entry.rpartition(": ")
        groups.setdefault(what if colon else "", []).append(where if colon else entry)
    return list(groups.items())


_WORDS = {
    "leakage": "Static power (leakage) of",
    "area": "Area of",
    ABSENT: "Not on this architecture, though its data would pass",
    UNHOUSED: "Not modelled by any component",
    "": "Also not included",
}


def unmodelled_words(what: str) -> str:
    return _WORDS.get(what, f"{what[:1].upper()}{what[1:].replace('_', ' ')} of")
