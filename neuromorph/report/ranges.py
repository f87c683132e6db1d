"""How far the numbers of a report move within the published ranges of the constants they are made of.

A constant of a datasheet is one variable wherever it is used: all components of the part, energies and times alike.
A number's interval runs over the box of all ranges, from the corner where it is least to the one where it is largest.
That is exact for numbers that rise or fall with each constant whatever the others are, as sums and products of
prices, durations and rates do. Constants of time move together, durations at one end with rates at the other, so that
times are found twice more and not twice for each (quotients such as power then reach the ends of that one way only);
so do the errors that laws state for the prices they give. Where no range is published the interval is unknown, not
zero, and the share of a number that carries one is told: what 1 per mille of all such constants moves it by, in per
mille.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuromorph.costing.area import Area, chip_area
from neuromorph.costing.ledger import Ledger, LedgerRow, price
from neuromorph.counts import Activity, ActivityRow
from neuromorph.devices.protocol import Energy
from neuromorph.hardware.fields import declared

if TYPE_CHECKING:
    from neuromorph.devices.metrics import Metric
    from neuromorph.devices.protocol import Kind, Placement, Times, Trace
    from neuromorph.hardware.component import Architecture, Component, Quantity

Tallied = tuple[Activity, "Times"]
Again = Callable[["Architecture"], Tallied]
"""Counts and times of the same run on an architecture with other constants of time."""

Own = Callable[[Activity, "Times", Energy], Sequence["Metric"]]
"""The figures that a kind has itself."""

Key = tuple[str, str, float]
"""A constant: its part (of a part without a name its component), its name and its value."""

LOW, HIGH, STEP = "low", "high", 1e-3

LAWS: Key = ("", "laws", 0.0)
"""The errors that laws of components state for their prices, beside the ranges of constants."""


@dataclass(frozen=True)
class Ranges:
    """By name of a metric: its ends, and the share of it that carries a published range."""

    ends: Mapping[str, tuple[float, float]]
    shares: Mapping[str, float]


@dataclass(frozen=True)
class _Numbers:
    """All numbers at one corner, with the rows that energy and area are sums of."""

    values: Mapping[str, float | None]
    ledger: Ledger
    area: Area


def energy_of(activity: Activity, times: Times, architecture: Architecture) -> Energy:
    """Static power is on for the latency of a sample, or for the interval of a stream."""
    single = price(activity, architecture, times.latency_s)
    static_w = single.total("static") / times.latency_s if times.latency_s else 0.0
    return Energy(single, single.total("dynamic") + static_w * (times.interval_s or 0.0))


def ranges_of(architecture: Architecture, tallied: Tallied, again: Again, own: Own | None = None) -> Ranges:
    """Intervals and shares of energy, time, power and area, and of a kind's own figures (`own`)."""
    found = _ranged(architecture)
    timed = {k for k, q in found.items() if q[1]}
    variables: list[frozenset[Key]] = [frozenset({k}) for k in found if k not in timed]
    variables += [frozenset(timed)] if timed else []
    known: dict[tuple[tuple[Key, str], ...], _Numbers] = {}
    tallies: dict[str, Tallied] = {"": _summed(tallied)}

    def at(ends: Mapping[Key, str]) -> _Numbers:
        key = tuple(sorted(ends.items()))
        if key not in known:
            there = _moved(architecture, {k: _value(q, ends.get(k, "")) for k, (q, _) in found.items()})
            time = next((ends[k] for k in timed if k in ends), "")
            if time not in tallies:
                tallies[time] = _summed(again(there))
            known[key] = _numbers(there, tallies[time], own, ends.get(LAWS, ""))
        return known[key]

    base = at({})
    if any(_law_ends(row) for row in base.ledger.rows):  # laws with an error of their own, as one more variable
        variables.append(frozenset({LAWS}))
    if not variables:
        return Ranges({}, dict.fromkeys(base.values, 0.0))
    alone = [(at(dict.fromkeys(v, LOW)), at(dict.fromkeys(v, HIGH))) for v in variables]
    ends = {}
    for name, value in base.values.items():
        corners: tuple[dict[Key, str], dict[Key, str]] = {}, {}
        for variable, (low, high) in zip(variables, alone, strict=True):
            a, b = low.values.get(name), high.values.get(name)
            rises = a is None or b is None or a <= b
            for corner, end in zip(corners, (LOW, HIGH) if rises else (HIGH, LOW), strict=True):
                corner.update(dict.fromkeys(variable, end))
        least, most = (at(corner).values.get(name) for corner in corners)
        if value is not None and least is not None and most is not None and not math.isclose(least, most):
            ends[name] = (min(least, value), max(most, value))
    return Ranges(ends, _shares(base, at(dict.fromkeys((*found, LAWS), "step"))))


def again_on(kind: Kind, placement: Placement, trace: Trace) -> tuple[Again, Own]:
    """What `ranges_of` asks of a kind."""
    return (
        lambda architecture: kind.tally(placement.on(architecture), trace),
        lambda activity, times, energy: kind.metrics(placement, activity, times, energy),
    )


def _ranged(architecture: Architecture) -> dict[Key, tuple[Quantity, bool]]:
    """Constants with a range, each with whether it affects counts or times."""
    found: dict[Key, tuple[Quantity, bool]] = {}
    for component, _ in architecture.chip.walk():
        if component.part is None:
            continue
        fields = declared(component.kind.quantities)
        for name, quantity in component.part.quantities.items():
            if (quantity.low is None and quantity.high is None) or not isinstance(quantity.value, float | int):
                continue
            timed = bool({"time", "function"} & {*fields[name].affects}) if name in fields else False
            key = _key(component, name, quantity)
            found[key] = (quantity, timed or (key in found and found[key][1]))
    return found


def _key(component: Component, name: str, quantity: Quantity) -> Key:
    assert component.part is not None
    return component.part.name or component.path, name, float(quantity.value)


def _value(quantity: Quantity, end: str) -> float:
    """A constant at an end of its range, "" for none; of rates the low end is the fast one, as it is of durations."""
    if not end:
        return float(quantity.value)
    rate = quantity.unit.endswith("Hz") or quantity.unit.endswith("/s")
    if end == "step":
        return quantity.value / (1 + STEP) if rate else quantity.value * (1 + STEP)
    found = quantity.low if (end == LOW) is not rate else quantity.high
    return float(quantity.value if found is None else found)


def _moved(architecture: Architecture, values: Mapping[Key, float]) -> Architecture:
    def visit(component: Component) -> Component:
        part = component.part
        if part is not None:
            changed = {
                name: dataclasses.replace(q, value=values[key], low=None, high=None)
                for name, q in part.quantities.items()
                if isinstance(q.value, float | int) and (key := _key(component, name, q)) in values
            }
            part = dataclasses.replace(part, quantities={**part.quantities, **changed}) if changed else part
        children = {name: visit(child) for name, child in component.children.items()}
        return dataclasses.replace(component, part=part, children=children)

    return dataclasses.replace(architecture, chip=visit(architecture.chip)) if values else architecture


def _summed(tallied: Tallied) -> Tallied:
    """Counts added up over layers: prices are the same for all."""
    activity, times = tallied
    sums: dict[tuple[str, str], float] = {}
    for row in activity:
        sums[row.path, row.action] = sums.get((row.path, row.action), 0.0) + row.mean
    rows = tuple(ActivityRow("", path, action, mean) for (path, action), mean in sums.items())
    return dataclasses.replace(activity, rows=rows), times


def _law_ends(row: LedgerRow) -> bool:
    return row.low_j is not None or row.high_j is not None


def _at_law(row: LedgerRow, end: str) -> LedgerRow:
    """A row at an end of what the law of its price leaves open."""
    if not _law_ends(row) or row.each_j is None or row.energy_j is None:
        return row
    each = {LOW: row.low_j, HIGH: row.high_j}.get(end, row.each_j * (1 + STEP))
    each = row.each_j if each is None else each
    return dataclasses.replace(row, each_j=each, energy_j=row.count * each)


def _numbers(architecture: Architecture, tallied: Tallied, own: Own | None, law: str) -> _Numbers:
    activity, times = tallied
    energy, area = energy_of(activity, times, architecture), chip_area(architecture)
    if law:
        single = energy.single
        moved = dataclasses.replace(single, rows=tuple(_at_law(row, law) for row in single.rows))
        energy = Energy(moved, energy.steady_j + moved.total("dynamic") - single.total("dynamic"))
    single, steady, interval = energy.single, energy.steady_j, times.interval_s
    static = any(row.kind == "static" for row in single)
    values: dict[str, Any] = {
        "energy": single.total_j, "dynamic_energy": single.total("dynamic"),
        "static_energy": single.total("static") if static else None, "steady_energy": steady,
        "latency": times.latency_s, "latency_low": times.latency_low_s, "latency_high": times.latency_high_s,
        "interval": interval, "throughput": times.throughput_hz, "power": steady / interval if interval else None,
        "area": area.known_m2,
    }  # fmt: skip
    values |= {m.name: m.value for m in (own(activity, times, energy) if own else ()) if m.unit not in ("1", "")}
    return _Numbers(values, single, area)


def _shares(base: _Numbers, stepped: _Numbers) -> dict[str, float]:
    """Shares of the rows of sums, each at most whole; of other numbers how much they move themselves."""
    found = {n: _carried(v, stepped.values.get(n)) for n, v in base.values.items() if v is not None}
    rows = list(zip(base.ledger.rows, stepped.ledger.rows, strict=True))
    for name, kinds in (
        ("energy", ("dynamic", "static")), ("dynamic_energy", ("dynamic",)), ("static_energy", ("static",))
    ):  # fmt: skip
        if name in found:
            found[name] = _weighted([(r.energy_j, s.energy_j) for r, s in rows if r.kind in kinds])
    if "area" in found:
        pairs = zip(base.area.rows, stepped.area.rows, strict=True)
        found["area"] = _weighted([(r.area_m2, s.area_m2) for r, s in pairs])
    found |= {n: found["steady_energy"] for n in ("power",) if n in found}
    return found


def _weighted(pairs: Sequence[tuple[float | None, float | None]]) -> float:
    total = math.fsum(v for v, _ in pairs if v is not None)
    return math.fsum(v * _carried(v, w) for v, w in pairs if v is not None) / total if total else 0.0


def _carried(value: float, stepped: float | None) -> float:
    share = 0.0 if not value or stepped is None else abs(stepped / value - 1.0) / STEP
    return min(1.0, share) if share > 1e-9 else 0.0
