"""Arithmetic on priced facts: every derived price keeps the weakest basis and all sources it came from.

The functions work on numpy arrays as well as on scalars, so that one call prices many designs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuromorph.hardware.component import Component, Cost, Datasheet, Footprint, Quantity, weakest


@dataclass(frozen=True)
class Known:
    """A number with its basis and source; low and high where a range is known. Values may be arrays of designs."""

    value: Any
    basis: str
    source: str
    low: Any = None
    high: Any = None

    def scaled(self, factor: Any, note: str = "", basis: str = "derived") -> Known:
        """This number times a dimensionless factor; `note` says which law gave the factor and joins the source.
        A factor of exactly 1 leaves basis and source as they are."""
        if np.ndim(factor) == 0 and factor == 1:
            return self
        return Known(
            self.value * factor,
            weakest(self.basis, basis),
            join(self.source, note),
            None if self.low is None else self.low * factor,
            None if self.high is None else self.high * factor,
        )

    def __mul__(self, other: Known) -> Known:
        return self._with(other, self.value * other.value, lambda x, y: x * y, flip=False)

    def __truediv__(self, other: Known) -> Known:
        return self._with(other, self.value / other.value, lambda x, y: x / y, flip=True)

    def __add__(self, other: Known) -> Known:
        return self._with(other, self.value + other.value, lambda x, y: x + y, flip=False)

    def _with(self, other: Known, value: Any, op: Any, *, flip: bool) -> Known:
        low = high = None
        if any(x is not None for x in (self.low, self.high, other.low, other.high)):
            ends = (other.high, other.low) if flip else (other.low, other.high)
            low = op(self._or(self.low), other._or(ends[0]))
            high = op(self._or(self.high), other._or(ends[1]))
        return Known(value, weakest(self.basis, other.basis, "derived"), join(self.source, other.source), low, high)

    def _or(self, end: Any) -> Any:
        return self.value if end is None else end

    def cost(self) -> Cost:
        return Cost(self.value, self.basis, self.source, self.low, self.high)


def join(*sources: str) -> str:
    """Sources joined by "; ", each once, in order."""
    parts = [p for s in sources for p in s.split("; ") if p]
    return "; ".join(dict.fromkeys(parts))


def cite(found: Quantity) -> str:
    """How a ledger row names the source of a quantity: its key in the datasheet and the place inside it."""
    return f"{found.source}, {found.where}" if found.where else found.source


def known(part: Datasheet | None, name: str) -> Known | None:
    """The scalar quantity of a part, or None where the part does not give it."""
    found = part.get(name) if part is not None else None
    return None if found is None else Known(found.value, found.basis, cite(found), found.low, found.high)


def value(part: Datasheet | None, name: str, default: Any = None) -> Any:
    return default if part is None else part.value(name, default)


def at_rate(part: Datasheet | None, power: str, *rates: str) -> Known | None:
    """Power over the first of these rates that the part gives, joules each; None where either is not known."""
    watts = known(part, power)
    found = next((rate for name in rates if (rate := known(part, name)) is not None), None)
    return None if watts is None or found is None else watts / found


def per_operation(part: Datasheet | None, energy: str, *rates: str) -> Known | None:
    """Energy of one operation: given, or active power over the first rate given, or None where neither is known."""
    direct = known(part, energy)
    return at_rate(part, "active_power", *rates) if direct is None else direct


def priced(action: str, energy: Known | None, part: Datasheet | None) -> dict[str, Cost]:
    """{action: cost}; where a part gives its active power alone, {"busy": watts}; {} where nothing is known."""
    if energy is not None:
        return {action: energy.cost()}
    watts = known(part, "active_power")
    return {} if watts is None else {"busy": watts.cost()}


def footprint(part: Datasheet | None, factor: Any = 1.0, note: str = "") -> Footprint:
    """Area (times a factor from the settings) and static power of one part; None where the part does not give them."""
    area, leakage = known(part, "area"), known(part, "leakage")
    if area is not None:
        area = area.scaled(factor, note)
    stated = [k for k in (area, leakage) if k is not None]
    return Footprint(
        None if area is None else area.value,
        None if leakage is None else leakage.value,
        weakest(*(k.basis for k in stated)) if stated else "assumed",
        join(*(k.source for k in stated)),
    )


def peak_power(component: Component) -> Known | None:
    """Power of one component (without children) while it works without pause, in watts.

    Its active power where the part gives one (times its lanes, divided by the parents that share
    it), else the largest energy / duration over its actions, else None: not modelled. Static power comes on top.
    """
    active, static = active_power(component), known(component.part, "leakage")
    return static if active is None else active if static is None else active + static


def active_power(component: Component) -> Known | None:
    """The part of `peak_power` that work takes: without what is on in any case."""
    watts = known(component.part, "active_power")
    if watts is not None:
        share = getattr(component.settings, "shared_by", 1)
        return watts.scaled(getattr(component.settings, "lanes", 1) / share, f"shared by {share}" if share != 1 else "")
    costs: Mapping[str, Cost] = component.kind.costs(component) if component.kind.costs else {}
    times: Mapping[str, float] = component.kind.times(component) if component.kind.times else {}
    rates = [
        Known(cost.energy_j / times[action], weakest(cost.basis, "derived"), cost.source)
        for action, cost in costs.items()
        if action in times and np.all(np.asarray(times[action]) > 0)
    ]
    return max(rates, key=lambda k: float(np.max(k.value))) if rates else None


def with_range(number: Known, low_factor: float, high_factor: float) -> Known:
    """The number with a relative range, for models whose error is known."""
    return replace(number, low=number.value * low_factor, high=number.value * high_factor)
