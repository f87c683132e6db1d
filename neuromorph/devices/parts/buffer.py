"""Memories and registers: SRAM, eDRAM, DRAM, register files, instruction memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.devices.parts import sram
from neuromorph.hardware.component import (
    Component,
    ComponentKind,
    Cost,
    Footprint,
    Quantity,
    quantity,
    setting,
    weakest,
)
from neuromorph.hardware.pricing import Known, at_rate, footprint, known, priced, value, with_range


@dataclass(frozen=True)
class BufferSettings:
    """One memory."""

    capacity: float = setting("bit", doc="stored data", affects=("energy", "time", "area"), low=1.0, vector=True)
    word_bits: int = setting(
        doc="width of one access", affects=("energy", "time", "area"), default=64, low=1, high=4096, vector=True
    )
    model: str = setting(
        doc="price from the part's own figures, or from the SRAM power law at the part's node",
        affects=("energy", "time", "area"),
        default="datasheet",
        choices=("datasheet", "sram"),
    )


@dataclass(frozen=True)
class BufferQuantities:
    """Facts of one memory macro."""

    active_power: Quantity | None = quantity(
        "W", doc="power while it is accessed without pause", affects=("energy",), vector=True
    )
    read_energy: Quantity | None = quantity(
        "J/bit", doc="energy to read one bit at the reference capacity", affects=("energy",), vector=True
    )
    write_energy: Quantity | None = quantity(
        "J/bit",
        doc="energy to write one bit at the reference capacity; left out: like a read",
        affects=("energy",),
        vector=True,
    )
    bandwidth: Quantity | None = quantity("bit/s", doc="rate of one port", affects=("energy", "time"))
    demand: Quantity | None = quantity(
        "bit/s",
        doc="rate at which it draws its active power at full load, where that is no limit: prices, never times",
        affects=("energy",),
    )
    reference_capacity: Quantity | None = quantity(
        "bit", doc="capacity the figures are given at", affects=("energy", "area")
    )
    node: Quantity | None = quantity(
        "m", doc="technology node, for the SRAM power law", affects=("energy", "time", "area")
    )
    area: Quantity | None = quantity("m^2", doc="area at the reference capacity", affects=("area",), vector=True)
    leakage: Quantity | None = quantity(
        "W", doc="static power at the reference capacity", affects=("energy",), vector=True
    )


def _capacity_factors(component: Component) -> tuple[Any, Any, str]:
    """(energy factor, area factor, note) from the part's capacity to the chosen one, by the SRAM law's exponents."""
    capacity = component.settings.capacity
    reference = value(component.part, "reference_capacity")
    if reference is None or (np.ndim(capacity) == 0 and abs(capacity / reference - 1.0) < 1e-9):
        return 1.0, 1.0, ""
    ratio = np.asarray(capacity) / reference
    energy, area_factor = ratio ** sram.ENERGY_FIT[1], ratio ** sram.AREA_FIT[1]
    return _plain(energy), _plain(area_factor), f"scaled to the capacity by the {sram.SOURCE}"


def _plain(x: Any) -> Any:
    return x if np.ndim(x) else float(x)


def _law(component: Component, quantity_of: Any, error: float) -> Known | None:
    """A figure of the SRAM power law with its error band; outside the fitted domain its basis is assumed."""
    node = known(component.part, "node")
    if node is None:
        return None
    s = component.settings
    inside = sram.inside_domain(s.capacity, s.word_bits, node.value)
    source = sram.SOURCE if inside else f"{sram.SOURCE}, extrapolated"
    number = Known(
        quantity_of(s.capacity, s.word_bits, node.value),
        weakest("derived" if inside else "assumed", node.basis),
        source,
    )
    return with_range(number, 1.0 - error, 1.0 + error)


def costs(component: Component) -> dict[str, Cost]:
    """read_bit, write_bit: J per bit moved (a word's energy over its width); busy: W where only the power is known."""
    part = component.part
    if component.settings.model == "sram":
        word = _law(component, sram.read_energy_j, sram.ENERGY_ERROR)
        if word is None:
            return {}
        bit = word.scaled(1.0 / component.settings.word_bits).cost()
        return {"read_bit": bit, "write_bit": bit}
    read = known(part, "read_energy")
    if read is None:
        read = at_rate(part, "active_power", "demand", "bandwidth")
        if read is None:
            return priced("busy", None, part)
    factor, _, note = _capacity_factors(component)
    write = known(part, "write_energy") or read
    return {"read_bit": read.scaled(factor, note).cost(), "write_bit": write.scaled(factor, note).cost()}


def area(component: Component) -> Footprint:
    if component.settings.model == "sram":
        size = _law(component, sram.area_m2, sram.AREA_ERROR)
        leakage = value(component.part, "leakage")
        return Footprint(None, leakage) if size is None else Footprint(size.value, leakage, size.basis, size.source)
    _, factor, note = _capacity_factors(component)
    at_reference = footprint(component.part, factor, note)
    leakage = at_reference.leakage_w
    return Footprint(
        at_reference.area_m2, None if leakage is None else leakage * factor, at_reference.basis, at_reference.source
    )


def times(component: Component) -> Mapping[str, float]:
    """Seconds per bit through one port; the SRAM law gives one word per access time."""
    rate = value(component.part, "bandwidth")
    if rate is not None:
        return {"read_bit": 1.0 / rate, "write_bit": 1.0 / rate}
    if component.settings.model == "sram":
        access = _law(component, sram.access_time_s, sram.TIME_ERROR)
        if access is not None:
            bit = access.value / component.settings.word_bits
            return {"read_bit": bit, "write_bit": bit}
    return {}


def check(component: Component) -> list[str]:
    problems = []
    if component.settings.model == "sram" and value(component.part, "node") is None:
        problems.append("model: sram needs the quantity node")
    return problems


BUFFER = ComponentKind(
    name="buffer",
    doc="A memory or register.",
    settings=BufferSettings,
    quantities=BufferQuantities,
    costs=costs,
    footprint=area,
    times=times,
    check=check,
    occupying=("read_bit", "write_bit"),
)
