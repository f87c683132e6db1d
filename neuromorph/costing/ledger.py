"""Counts times prices: the ledger. Its rows add up to the total; what has no price is listed, never zero."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from neuromorph.costing.gating import idle_of
from neuromorph.hardware.component import BUSY, Architecture, Component, Cost, Overhead, weakest
from neuromorph.hardware.extrapolated import marked

if TYPE_CHECKING:
    from neuromorph.counts import Activity

DYNAMIC, STATIC = "dynamic", "static"

LEAKAGE = "leakage"
"""Action of static power."""

OVERHEAD = "overhead"
"""Action of the rows of a component that multiplies the energy of what it encloses."""

COUNTED_IN: Mapping[str, str] = {BUSY: "s", LEAKAGE: "s", OVERHEAD: "J"}
"""Unit of the count of actions that are no events; each then costs joules per that unit."""


@dataclass(frozen=True)
class LedgerRow:
    """One action of one component for one layer, per inference.

    count: actions (seconds for "busy" and "leakage", joules inside for "overhead"); each_j: energy of one (watts for
    seconds, joules added per joule inside);
    energy_j = count * each_j, None where not modelled. spread_j: standard deviation over samples.
    """

    layer: str
    component: str
    action: str
    kind: str
    count: float
    each_j: float | None
    energy_j: float | None
    spread_j: float
    low_j: float | None
    high_j: float | None
    boundary: str
    basis: str
    source: str


@dataclass(frozen=True)
class Ledger:
    """All energies of one inference. boundary: what they include (core, chip, board, wall).

    ungated_j: what idle parts draw besides, if the chip gates none of them (see `costing.gating`); None where it is not
    known how long it is on. ungated_unknown: components left out of it, whose power at work is not known.
    """

    rows: tuple[LedgerRow, ...]
    boundary: str
    origin: str
    unmodelled: tuple[str, ...]
    ungated_j: float | None = None
    ungated_unknown: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[LedgerRow]:
        return iter(self.rows)

    @property
    def total_j(self) -> float:
        """Energy of one inference: the sum of all modelled rows."""
        return math.fsum(r.energy_j for r in self.rows if r.energy_j is not None)

    def total(self, kind: str) -> float:
        """Sum of the dynamic or the static rows, joules."""
        return math.fsum(r.energy_j for r in self.rows if r.energy_j is not None and r.kind == kind)

    @property
    def range_j(self) -> tuple[float, float]:
        """Total with every price at its low and at its high end, where a range is known."""
        priced = [r for r in self.rows if r.energy_j is not None and r.each_j is not None]
        low = math.fsum(r.count * (r.each_j if r.low_j is None else r.low_j) for r in priced if r.each_j is not None)
        high = math.fsum(r.count * (r.each_j if r.high_j is None else r.high_j) for r in priced if r.each_j is not None)
        return low, high

    @property
    def static_range_j(self) -> tuple[float, float] | None:
        """Static energy with every idle part gated and static powers at their low ends, and with no part gated and
        static powers at their high ends; None where no time is known."""
        if self.ungated_j is None:
            return None
        known = [(r, r.each_j) for r in self.rows if r.kind == STATIC and r.each_j is not None]
        low = math.fsum(r.count * (each if r.low_j is None else r.low_j) for r, each in known)
        high = math.fsum(r.count * (each if r.high_j is None else r.high_j) for r, each in known)
        return low, high + self.ungated_j

    @property
    def spread_j(self) -> float:
        """Standard deviation over samples of the value-dependent rows, taken as fully correlated."""
        return math.fsum(r.spread_j for r in self.rows)

    @property
    def basis(self) -> str:
        return weakest(*(r.basis for r in self.rows if r.energy_j))

    def by(self, field: str) -> dict[str, float]:
        """Energy summed by "layer", "component", "action", "kind" or "basis", largest first."""
        sums: dict[str, float] = {}
        for row in self.rows:
            if row.energy_j is not None:
                sums[getattr(row, field)] = sums.get(getattr(row, field), 0.0) + row.energy_j
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def to_csv(self) -> str:
        """All rows as CSV with a header."""
        out = io.StringIO()
        names = list(LedgerRow.__dataclass_fields__)
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(names)
        for row in self.rows:
            writer.writerow(["" if getattr(row, n) is None else getattr(row, n) for n in names])
        return out.getvalue()


def price(activity: Activity, architecture: Architecture, seconds: float | None = None) -> Ledger:
    """The ledger of one inference.

    seconds: how long the chip is on for one inference (its latency, or the initiation interval of a
    full pipeline); static power times it is included. None leaves the static rows out.
    """
    architecture = marked(architecture)
    components = {c.path: (c, n) for c, n in architecture.chip.walk()}
    prices = {path: _costs(c) for path, (c, _) in components.items()}
    within = {path: (BUSY, *c.kind.within) for path, (c, _) in components.items()}
    rows: list[LedgerRow] = []
    missing: dict[str, None] = {}
    for item in activity:
        known = prices.get(item.path, {})
        cost = known.get(item.action)
        if cost is None:
            if BUSY not in known and item.action not in within.get(item.path, ()):
                missing[f"{item.path}: {item.action}"] = None
            continue
        energy = item.mean * cost.energy_j
        rows.append(
            LedgerRow(
                item.node, item.path, item.action, DYNAMIC, item.mean, cost.energy_j, energy,
                item.spread * cost.energy_j, cost.low_j, cost.high_j, architecture.boundary, cost.basis, cost.source,
            )
        )  # fmt: skip
    if seconds is not None:
        static, unknown = _static(architecture, seconds)
        rows += static
        missing |= dict.fromkeys(unknown)
    rows = _merged(rows)
    for component, _ in reversed(list(architecture.chip.walk())):  # inner ones first: outer ones multiply them too
        if component.kind.overhead is not None:
            law = component.kind.overhead(component)
            missing |= {} if law is not None else {f"{component.path}: {OVERHEAD}": None}
            rows += [] if law is None else _overhead(component.path, law, rows)
    idle = idle_of(architecture)
    ungated = None if seconds is None else idle.ungated_j(dynamic_by(rows), seconds)
    return Ledger(tuple(rows), architecture.boundary, activity.origin, tuple(missing), ungated, idle.unknown)


def dynamic_by(rows: Iterable[LedgerRow]) -> dict[str, float]:
    """Joules of the actions of each component."""
    sums: dict[str, float] = {}
    for row in rows:
        if row.kind == DYNAMIC and row.energy_j is not None:
            sums[row.component] = sums.get(row.component, 0.0) + row.energy_j
    return sums


def _overhead(path: str, law: Overhead, rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """What an enclosing component adds to the energy of all rows inside it, a row per layer and kind.

    count: joules inside; each_j: the factor less 1. Ends of a range hold those of the rows inside as well.
    """
    groups: dict[tuple[str, str], list[LedgerRow]] = {}
    for row in rows:
        if row.component.startswith(path + ".") and row.energy_j is not None:
            groups.setdefault((row.layer, row.kind), []).append(row)
    found = []
    for (layer, kind), inside in groups.items():
        joules, each = math.fsum(r.energy_j or 0.0 for r in inside), law.factor - 1.0
        found.append(
            LedgerRow(
                layer, path, OVERHEAD, kind, joules, each, joules * each, math.fsum(r.spread_j for r in inside) * each,
                _end(inside, joules, "low_j", law.factor, law.low),
                _end(inside, joules, "high_j", law.factor, law.high), law.boundary, law.basis, law.source,
            )
        )  # fmt: skip
    return found


def _end(inside: Iterable[LedgerRow], joules: float, name: str, factor: float, end: float | None) -> float | None:
    """Joules added per joule inside at one end of a range, None where no range is known.

    name: "low_j" or "high_j" of the rows inside, of which `joules` is the energy; end: that of the factor.
    """
    pairs = [(r.count, r.each_j, getattr(r, name)) for r in inside if r.each_j is not None]
    if joules == 0.0 or (end is None and all(e is None for _, _, e in pairs)):
        return None
    there = math.fsum(count * (each if e is None else e) for count, each, e in pairs)
    return there / joules * ((factor if end is None else end) - 1.0)


def _costs(component: Component) -> dict[str, Cost]:
    return dict(component.kind.costs(component)) if component.kind.costs else {}


def _static(architecture: Architecture, seconds: float) -> tuple[list[LedgerRow], list[str]]:
    rows, unknown = [], []
    for component, count in architecture.chip.walk():
        if component.kind.footprint is None:
            continue
        found = component.kind.footprint(component)
        if found.leakage_w is None:
            unknown.append(f"{component.path}: {LEAKAGE}")
            continue
        watts = found.leakage_w
        rows.append(
            LedgerRow(
                "(chip)", component.path, LEAKAGE, STATIC, count * seconds, watts, count * seconds * watts, 0.0,
                *_ends_of_leakage(component, watts), architecture.boundary, found.basis, found.source,
            )
        )  # fmt: skip
    return rows, unknown


def _ends_of_leakage(component: Component, watts: float) -> tuple[float | None, float | None]:
    """Published range of a static power, in proportion where settings scale it."""
    stated = None if component.part is None else component.part.get("leakage")
    if stated is None or not stated.value:
        return None, None
    low, high = (None if end is None else watts * end / stated.value for end in (stated.low, stated.high))
    return low, high


def _merged(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Adds up rows of one layer, component and action (several matrices of a node)."""
    merged: dict[tuple[str, str, str, str], LedgerRow] = {}
    for row in rows:
        key = (row.layer, row.component, row.action, row.kind)
        if key in merged:
            old = merged[key]
            energy = None if old.energy_j is None or row.energy_j is None else old.energy_j + row.energy_j
            row = replace(
                old, count=old.count + row.count, energy_j=energy, spread_j=old.spread_j + row.spread_j
            )  # fmt: skip
        merged[key] = row
    return list(merged.values())
