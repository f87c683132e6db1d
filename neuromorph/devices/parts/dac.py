"""Row drivers: digital-to-analog converters, pulse generators and one-bit drivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.hardware.component import Component, ComponentKind, Cost, Footprint, Quantity, quantity, setting
from neuromorph.hardware.pricing import Known, footprint, known, per_operation, priced, value


@dataclass(frozen=True)
class DacSettings:
    """One row driver."""

    bits: int = setting(
        doc="resolution of one drive step; 1 for bit-serial inputs",
        affects=("function", "energy", "time", "area"),
        low=1,
        high=16,
        vector=True,
    )
    sign: str = setting(
        doc="what the sign of an input takes: one of the bits, or the polarity of all others, at no pulse of its own",
        affects=("energy", "area"),
        default="bit",
        choices=("bit", "polarity"),
    )


@dataclass(frozen=True)
class DacQuantities:
    """Facts of one driver channel."""

    active_power: Quantity | None = quantity(
        "W", doc="power while it drives without pause", affects=("energy",), vector=True
    )
    sample_rate: Quantity | None = quantity("Hz", doc="drive steps per second", affects=("energy", "time"), vector=True)
    energy_per_conversion: Quantity | None = quantity(
        "J", doc="energy of one drive step at reference_bits", affects=("energy",), vector=True
    )
    reference_bits: Quantity | None = quantity(
        "1", doc="resolution the figures are given at", affects=("energy", "area"), low=1.0, high=16.0
    )
    capacitance_per_bit: Quantity | None = quantity(
        "F", doc="switched capacitance per bit of a capacitive converter: E = C bits V^2", affects=("energy",)
    )
    supply: Quantity | None = quantity("V", doc="supply of the capacitive converter", affects=("energy",), high=5.0)
    area: Quantity | None = quantity("m^2", doc="area of one channel", affects=("area",), vector=True)
    leakage: Quantity | None = quantity("W", doc="static power of one channel", affects=("energy",), vector=True)


def _energy(component: Component) -> Known | None:
    part, bits = component.part, component.settings.bits
    capacitance, supply = known(part, "capacitance_per_bit"), known(part, "supply")
    if capacitance is not None and supply is not None:
        driven = np.maximum(bits - 1, 1) if component.settings.sign == "polarity" else bits
        return (capacitance * supply * supply).scaled(driven, "C bits V^2")
    energy = per_operation(part, "energy_per_conversion", "sample_rate")
    if energy is None:
        return None
    return energy.scaled(_ratio(component), "proportional to bits")


def _ratio(component: Component) -> Any:
    """Bits that are driven over those at the part's reference_bits."""
    s = component.settings
    sign = 1 if s.sign == "polarity" else 0
    reference = value(component.part, "reference_bits", s.bits)
    return np.maximum(s.bits - sign, 1) / np.maximum(reference - sign, 1)


def costs(component: Component) -> dict[str, Cost]:
    """conversion: J per drive step of one row, proportional to the bits beside reference_bits; busy: W."""
    return priced("conversion", _energy(component), component.part)


def area(component: Component) -> Footprint:
    return footprint(component.part, _ratio(component), "proportional to bits")


def times(component: Component) -> Mapping[str, float]:
    rate = value(component.part, "sample_rate")
    return {} if rate is None else {"conversion": 1.0 / rate}


DAC = ComponentKind(
    name="dac",
    doc="A row driver: digital-to-analog converter or pulse generator, one channel.",
    settings=DacSettings,
    quantities=DacQuantities,
    costs=costs,
    footprint=area,
    times=times,
)
