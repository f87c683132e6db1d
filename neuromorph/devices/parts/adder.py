"""Shift-and-add units that combine partial sums of bit slices, input bits and arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neuromorph.devices.parts import logic
from neuromorph.hardware.component import Component, ComponentKind, Cost, Footprint, Quantity, quantity, setting
from neuromorph.hardware.pricing import Known, per_operation, priced, value


@dataclass(frozen=True)
class AdderSettings:
    """One shift-and-add unit."""

    bits: int | None = setting(
        doc="width of the sum; left out: the part's reference_bits",
        affects=("energy", "area"),
        default=None,
        low=1,
        high=64,
    )
    node: float | None = setting(
        "m", doc="technology node to scale the part to", affects=("energy", "area"), default=None
    )
    supply: float | None = setting("V", doc="supply to scale the part to", affects=("energy",), default=None)


@dataclass(frozen=True)
class AdderQuantities:
    """Facts of one unit."""

    active_power: Quantity | None = quantity(
        "W", doc="power while it adds without pause", affects=("energy",), vector=True
    )
    operation_rate: Quantity | None = quantity(
        "Hz", doc="additions per second", affects=("energy", "time"), vector=True
    )
    demand: Quantity | None = quantity(
        "Hz",
        doc="rate at which it draws its active power at full load, where that is no limit: prices, never times",
        affects=("energy",),
        vector=True,
    )
    energy_per_operation: Quantity | None = quantity(
        "J", doc="energy of one addition at reference_bits", affects=("energy",), vector=True
    )
    reference_bits: Quantity | None = quantity(
        "1", doc="width the figures are given at", affects=("energy", "area"), low=1.0, high=64.0
    )
    node: Quantity | None = quantity("m", doc="technology node of the figures", affects=("energy", "area"))
    supply: Quantity | None = quantity("V", doc="supply of the figures", affects=("energy",), high=5.0)
    area: Quantity | None = quantity("m^2", doc="area of one unit", affects=("area",), vector=True)
    leakage: Quantity | None = quantity("W", doc="static power of one unit", affects=("energy",), vector=True)


def _width_ratio(component: Component) -> float:
    reference, bits = value(component.part, "reference_bits"), component.settings.bits
    return 1.0 if reference is None or bits is None else bits / reference


def _energy(component: Component) -> Known | None:
    energy = per_operation(component.part, "energy_per_operation", "demand", "operation_rate")
    if energy is None:
        return None
    factor, _, note = logic.scaling(component)
    return energy.scaled(_width_ratio(component), "proportional to the width").scaled(factor, note)


def costs(component: Component) -> dict[str, Cost]:
    """add: J per addition; busy: W where only the power is known."""
    return priced("add", _energy(component), component.part)


def area(component: Component) -> Footprint:
    return logic.area_of(component, _width_ratio(component), "proportional to the width")


def times(component: Component) -> Mapping[str, float]:
    rate = value(component.part, "operation_rate")
    return {} if rate is None else {"add": 1.0 / rate}


def check(component: Component) -> list[str]:
    problems = logic.check(component)
    if component.settings.bits is not None and value(component.part, "reference_bits") is None:
        problems.append("bits: the part states no reference_bits to scale its width from; leave bits out")
    return problems


ADDER = ComponentKind(
    name="adder",
    doc="A shift-and-add unit.",
    settings=AdderSettings,
    quantities=AdderQuantities,
    costs=costs,
    footprint=area,
    times=times,
    check=check,
)
