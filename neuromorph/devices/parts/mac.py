"""Integer multiply-accumulate units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.devices.parts import logic
from neuromorph.hardware.component import Component, ComponentKind, Cost, Footprint, Quantity, quantity, setting
from neuromorph.hardware.pricing import known, priced


@dataclass(frozen=True)
class MacSettings:
    """One multiply-accumulate unit: a multiplier of weight_bits x input_bits and an accumulating adder."""

    weight_bits: int = setting(
        doc="width of the weight operand", affects=("energy", "area"), default=8, low=1, high=32, vector=True
    )
    input_bits: int = setting(
        doc="width of the input operand", affects=("energy", "area"), default=8, low=1, high=32, vector=True
    )
    accumulator_bits: int = setting(
        doc="width of the adder", affects=("energy", "area"), default=32, low=4, high=64, vector=True
    )
    node: float | None = setting(
        "m", doc="technology node to scale the part to", affects=("energy", "area"), default=None
    )
    supply: float | None = setting("V", doc="supply to scale the part to", affects=("energy",), default=None)


@dataclass(frozen=True)
class MacQuantities:
    """Facts of one unit, given for an 8 x 8 bit multiplier and a 32 bit adder."""

    energy_per_multiply: Quantity = quantity(
        "J", doc="one 8 x 8 bit multiplication", affects=("energy",), required=True, vector=True
    )
    energy_per_add: Quantity = quantity("J", doc="one 32 bit addition", affects=("energy",), required=True, vector=True)
    node: Quantity | None = quantity("m", doc="technology node of the figures", affects=("energy", "area"))
    supply: Quantity | None = quantity("V", doc="supply of the figures", affects=("energy",), high=5.0)
    area: Quantity | None = quantity("m^2", doc="area of one unit", affects=("area",), vector=True)
    leakage: Quantity | None = quantity("W", doc="static power of one unit", affects=("energy",), vector=True)


def multiplier_ratio(weight_bits: Any, input_bits: Any) -> Any:
    """Energy or area of an array multiplier relative to 8 x 8 bits: its number of partial-product cells."""
    return np.asarray(weight_bits) * np.asarray(input_bits) / 64.0


def adder_ratio(bits: Any) -> Any:
    """Energy or area of a ripple adder relative to 32 bits: its number of full adders."""
    return np.asarray(bits) / 32.0


def costs(component: Component) -> dict[str, Cost]:
    """mac: J for one multiplication and one accumulation; add: J for one accumulator addition alone."""
    s, part = component.settings, component.part
    multiply, add = known(part, "energy_per_multiply"), known(part, "energy_per_add")
    if multiply is None or add is None:
        return {}
    factor, _, note = logic.scaling(component)
    multiply = multiply.scaled(
        _plain(multiplier_ratio(s.weight_bits, s.input_bits)), "proportional to the product of widths"
    )
    add = add.scaled(_plain(adder_ratio(s.accumulator_bits)), "proportional to the width")
    return {
        **priced("mac", (multiply + add).scaled(factor, note), part),
        **priced("add", add.scaled(factor, note), part),
    }


def _plain(x: Any) -> Any:
    return x if np.ndim(x) else float(x)


def area(component: Component) -> Footprint:
    """The part's area, shared between multiplier and adder cells in proportion to their number (64 + 32)."""
    s = component.settings
    cells = s.weight_bits * s.input_bits + s.accumulator_bits
    return logic.area_of(component, cells / 96.0, "proportional to the number of adder cells")


MAC = ComponentKind(
    name="mac",
    doc="An integer multiply-accumulate unit.",
    settings=MacSettings,
    quantities=MacQuantities,
    costs=costs,
    footprint=area,
    check=logic.check,
)
