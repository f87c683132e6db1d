"""Digital units for elementwise work: activation functions, pooling, additions of feature maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neuromorph.devices.parts import logic
from neuromorph.hardware.component import Component, ComponentKind, Cost, Footprint, Quantity, quantity, setting
from neuromorph.hardware.pricing import known, per_operation, value


@dataclass(frozen=True)
class VectorSettings:
    """One vector unit."""

    lanes: int = setting(
        doc="parallel lanes; throughput, power and area are the part's times the lanes",
        affects=("energy", "time", "area"),
        default=1,
        low=1,
        high=4096,
    )
    node: float | None = setting(
        "m", doc="technology node to scale the part to", affects=("energy", "area"), default=None
    )
    supply: float | None = setting("V", doc="supply to scale the part to", affects=("energy",), default=None)


@dataclass(frozen=True)
class VectorQuantities:
    """Facts of one lane."""

    active_power: Quantity | None = quantity(
        "W", doc="power while it works without pause", affects=("energy",), vector=True
    )
    operation_rate: Quantity | None = quantity(
        "Hz", doc="elementary operations per second", affects=("energy", "time"), vector=True
    )
    demand: Quantity | None = quantity(
        "Hz",
        doc="rate at which it draws its active power at full load, where that is no limit: prices, never times",
        affects=("energy",),
        vector=True,
    )
    energy_per_operation: Quantity | None = quantity(
        "J", doc="energy of one elementary operation", affects=("energy",), vector=True
    )
    node: Quantity | None = quantity("m", doc="technology node of the figures", affects=("energy", "area"))
    supply: Quantity | None = quantity("V", doc="supply of the figures", affects=("energy",), high=5.0)
    area: Quantity | None = quantity("m^2", doc="area of one lane", affects=("area",), vector=True)
    leakage: Quantity | None = quantity("W", doc="static power of one lane", affects=("energy",), vector=True)


def costs(component: Component) -> dict[str, Cost]:
    """operation: J each; busy: W of all lanes where only the power is known."""
    energy = per_operation(component.part, "energy_per_operation", "demand", "operation_rate")
    factor, _, note = logic.scaling(component)
    if energy is not None:
        return {"operation": energy.scaled(factor, note).cost()}
    watts = known(component.part, "active_power")
    return {} if watts is None else {"busy": watts.scaled(component.settings.lanes * factor, note).cost()}


def area(component: Component) -> Footprint:
    lanes = component.settings.lanes
    one = logic.area_of(component, lanes, f"{lanes} lanes")
    leakage = None if one.leakage_w is None else one.leakage_w * lanes
    return Footprint(one.area_m2, leakage, one.basis, one.source)


def times(component: Component) -> Mapping[str, float]:
    rate = value(component.part, "operation_rate")
    return {} if rate is None else {"operation": 1.0 / (rate * component.settings.lanes)}


VECTOR_UNIT = ComponentKind(
    name="vector_unit",
    doc="A digital unit for activation functions, pooling and elementwise operations.",
    settings=VectorSettings,
    quantities=VectorQuantities,
    costs=costs,
    footprint=area,
    times=times,
    check=logic.check,
    occupying=("operation",),
)
