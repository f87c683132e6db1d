"""Sample-and-hold circuits and integrators between the columns and the converters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neuromorph.hardware.component import Component, ComponentKind, Cost, Footprint, Quantity, quantity
from neuromorph.hardware.pricing import footprint, per_operation, priced, value


@dataclass(frozen=True)
class SampleHoldQuantities:
    """Facts of the circuit of one column."""

    active_power: Quantity | None = quantity(
        "W", doc="power while it samples without pause", affects=("energy",), vector=True
    )
    sample_rate: Quantity | None = quantity("Hz", doc="samples per second", affects=("energy", "time"), vector=True)
    energy_per_sample: Quantity | None = quantity(
        "J", doc="energy of one sample or integration step", affects=("energy",)
    )
    area: Quantity | None = quantity("m^2", doc="area of one circuit", affects=("area",), vector=True)
    leakage: Quantity | None = quantity("W", doc="static power of one circuit", affects=("energy",), vector=True)


def costs(component: Component) -> dict[str, Cost]:
    """sample: J per column and step; busy: W where only the power is known."""
    return priced("sample", per_operation(component.part, "energy_per_sample", "sample_rate"), component.part)


def area(component: Component) -> Footprint:
    return footprint(component.part)


def times(component: Component) -> Mapping[str, float]:
    rate = value(component.part, "sample_rate")
    return {} if rate is None else {"sample": 1.0 / rate}


SAMPLE_HOLD = ComponentKind(
    name="sample_hold",
    doc="A sample-and-hold circuit or integrator of one column.",
    quantities=SampleHoldQuantities,
    costs=costs,
    footprint=area,
    times=times,
)
