"""What a published measurement can be of, and how a report of this package answers for it.

Operations are two per multiply-accumulate. Powers and efficiencies are those of an uninterrupted stream of samples.
None wherever the report has no figure: not modelled is not zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from neuromorph import units

if TYPE_CHECKING:
    from neuromorph.hardware.component import Architecture
    from neuromorph.report.model import Report


@dataclass(frozen=True)
class Outcome:
    """A report seen within the boundary of a measurement.

    within: paths of components; they and all below them are inside. baseline: the report that a ratio is to. end: ""
    for prices as they are, "low_j" or "high_j" for those with a published range at that end.
    """

    report: Report
    architecture: Architecture
    within: tuple[str, ...]
    baseline: Report | None = None
    end: str = ""

    @cached_property
    def _counts(self) -> dict[str, int]:
        return {component.path: count for component, count in self.architecture.chip.walk()}

    def inside(self, path: str) -> bool:
        return any(path == top or path.startswith(top + ".") for top in self.within)

    def _joules(self, report: Report, kind: str) -> float | None:
        """Of the priced rows of one kind per sample; static rows last for the time between samples of a stream."""
        rows = [r for r in report.ledger if r["kind"] == kind and r["energy_j"] is not None]
        rows = [r for r in rows if self.inside(r["component"])]
        if not rows:
            return None
        if kind == "dynamic":
            return math.fsum(self._row_j(r) for r in rows)
        latency, interval = report["latency"].value, report["interval"].value
        return math.fsum(self._row_j(r) for r in rows) * (interval / latency) if latency and interval else None

    def _row_j(self, row: Mapping[str, Any]) -> float:
        price = row.get(self.end) if self.end else None
        return float(row["energy_j"] if price is None else row["count"] * price)

    def energy_j(self, report: Report | None = None, kinds: tuple[str, ...] = ("dynamic", "static")) -> float | None:
        """Joules of one sample inside; None where nothing inside has a price."""
        found = [self._joules(report or self.report, kind) for kind in kinds]
        known = [joules for joules in found if joules is not None]
        return math.fsum(known) if known else None

    @property
    def interval_s(self) -> float | None:
        return self.report["interval"].value

    @property
    def operations(self) -> float:
        """Of one sample: two per multiply-accumulate of the network that was placed, 0 where there are none."""
        return 2.0 * (self.metric("macs") or 0.0)

    def static_w(self) -> float | None:
        known = [r["leakage_w"] for r in self.report.area if r["leakage_w"] is not None and self.inside(r["component"])]
        return math.fsum(known) if known else None

    def area_m2(self) -> float | None:
        """Area of one instance of what is inside."""
        known = [r["area_m2"] for r in self.report.area if r["area_m2"] is not None and self.inside(r["component"])]
        return math.fsum(known) / self._counts[self.within[0]] if known else None

    def used(self) -> float:
        """How many instances of the first component inside are in use: cores and tiles are told by the placement."""
        name = {"core": "cores_used", "tile": "tiles_used"}.get(self.within[0].rsplit(".", 1)[-1])
        return 1.0 if name is None else self.metric(name) or 0.0

    def metric(self, name: str) -> float | None:
        """A metric of the report; None where this kind of hardware has no such figure."""
        return next((m.value for m in self.report.metrics if m.name == name), None)


def _over(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _throughput(o: Outcome) -> float | None:
    return _over(o.operations or None, o.interval_s)


def _density(o: Outcome) -> float | None:
    area = o.area_m2()
    return _over(_throughput(o), area and area * o.used())


def _dynamic(o: Outcome) -> float | None:
    return o.energy_j(kinds=("dynamic",))


def _per_operation(o: Outcome) -> float | None:
    return _over(o.energy_j(), o.operations)


def _efficiency(o: Outcome) -> float | None:
    return _over(o.operations or None, o.energy_j())


def _per_event(o: Outcome) -> float | None:
    return _over(o.energy_j(), o.metric("synaptic_events"))


def _ratio(o: Outcome) -> float | None:
    return _over(_dynamic(o), o.energy_j(o.baseline, ("dynamic",)))


def _power(o: Outcome) -> float | None:
    return _over(o.energy_j(), o.interval_s)


def _dynamic_power(o: Outcome) -> float | None:
    return _over(_dynamic(o), o.interval_s)


@dataclass(frozen=True)
class Quantity:
    """unit: SI, or one that the field writes with a plain number; scale: of such a unit in SI. additive: whether parts
    add up to their total."""

    name: str
    unit: str
    doc: str
    value: Callable[[Outcome], float | None]
    scale: float = 1.0
    additive: bool = False

    @property
    def plain(self) -> bool:
        return self.scale != 1.0 or self.unit == "1"

    def parse(self, raw: Any) -> float:
        """A published value in the unit of this quantity. Raises InputError for another unit or no number."""
        return units.parse(raw, "1" if self.plain else self.unit)

    def of(self, outcome: Outcome) -> float | None:
        """Our figure, in the unit of this quantity."""
        found = self.value(outcome)
        return None if found is None else found / self.scale

    def shown(self, value: float | None) -> str:
        if value is None:
            return "not modelled"
        if self.plain:
            return f"{value:.4g}" + ("" if self.unit == "1" else f" {self.unit}")
        if self.unit == "m^2":
            return f"{value * 1e6:.4g} mm2"
        return units.format_si(value, self.unit)


_ALL = (
    Quantity("energy per sample", "J", "energy of one sample", Outcome.energy_j, additive=True),
    Quantity("energy per operation", "J", "energy over operations of the network", _per_operation, additive=True),
    Quantity("energy per event", "J", "energy over synaptic events", _per_event),
    Quantity("energy ratio", "1", "dynamic energy relative to that of the baseline", _ratio),
    Quantity("efficiency", "TOPS/W", "operations over energy", _efficiency, 1e12),
    Quantity("latency", "s", "first input to last output of one sample", lambda o: o.metric("latency")),
    Quantity("throughput", "TOPS", "operations over the time between samples of a stream", _throughput, 1e12),
    Quantity("power", "W", "energy over the time between samples of a stream", _power, additive=True),
    Quantity("dynamic power", "W", "power less static power", _dynamic_power, additive=True),
    Quantity("static power", "W", "power of what is on whatever happens", Outcome.static_w, additive=True),
    Quantity("area", "m^2", "area of one instance", Outcome.area_m2, additive=True),
    Quantity("density", "TOPS/mm2", "throughput over the area of what is in use", _density, 1e18),
)

QUANTITIES = {q.name: q for q in _ALL}
"""All quantities by name."""
