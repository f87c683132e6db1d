"""No declared setting or quantity of a part is dead: each is read by a price, an area, a time or a check."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from part_builder import component, part

from neuromorph.devices.parts import adc, adder, buffer, dac, mac, network, sample_hold, vector_unit
from neuromorph.hardware.component import Component, ComponentKind, Datasheet
from neuromorph.hardware.fields import declared
from neuromorph.hardware.pricing import peak_power

KINDS = [
    adc.ADC, adder.ADDER, buffer.BUFFER, dac.DAC, mac.MAC, network.BUS, network.IO, network.LINK, network.ROUTER,
    sample_hold.SAMPLE_HOLD, vector_unit.VECTOR_UNIT,
]  # fmt: skip

# what a parameter needs around it to matter
SETTINGS: dict[str, dict[str, Any]] = {
    "adc": {"bits": 6},
    "dac": {"bits": 4},
    "buffer": {"capacity": 4096.0, "word_bits": 32},
    "adder": {"bits": 8, "node": 32e-9, "supply": 0.9},
    "mac": {"node": 32e-9, "supply": 0.9},
    "vector_unit": {"node": 32e-9, "supply": 0.9},
    "bus": {"length": 1e-3},
    "link": {"length": 1e-3},
}
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "adc": [{}, {"model": "regression"}, {"architecture": "cco"}],
    "buffer": [{}, {"model": "sram"}],
}

ELSEWHERE = {("router", "entries")}
"""What a chip reads and not the part itself: routing tables limit where many-core chips place neurons."""

LEFT_OUT: list[set[str]] = [
    {"energy_per_bit"},
    {"energy_per_bit", "energy_per_bit_length", "bandwidth"},
    {"capacitance_per_bit"},
]


class Spy(dict):  # type: ignore[type-arg]
    """Quantities that note which of them were asked for."""

    def __init__(self, values: dict[str, Any], seen: set[str]) -> None:
        super().__init__(values)
        self.seen = seen

    def get(self, key: str, default: Any = None) -> Any:
        self.seen.add(key)
        return super().get(key, default)


def _value(name: str) -> float:
    return {"node": 45e-9, "supply": 1.0, "reference_bits": 8.0}.get(name, 1e-3)


def _outcome(c: Component) -> tuple[Any, ...]:
    kind = c.kind
    assert kind.costs is not None
    assert kind.footprint is not None
    return (
        {a: (x.energy_j, x.low_j) for a, x in kind.costs(c).items()},
        kind.footprint(c).area_m2,
        kind.footprint(c).leakage_w,
        dict(kind.times(c)) if kind.times else {},
        peak_power(c),
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_every_quantity_is_asked_for(kind: ComponentKind) -> None:
    names = list(declared(kind.quantities))
    seen: set[str] = set()
    # a part with everything, and parts with one figure fewer, where the next best is used
    for left_out in [set(), *({n} for n in names), *LEFT_OUT]:
        for variant in VARIANTS.get(kind.name, [{}]):
            full = part(kind, **{n: _value(n) for n in names if n not in left_out})
            spied = Datasheet("spied", kind.name, "", full.sources, Spy(dict(full.quantities), seen))
            c = component(kind, spied, **{**SETTINGS.get(kind.name, {}), **variant})
            if kind.check is None or not kind.check(c):
                _outcome(c)
    assert set(names) <= seen, set(names) - seen


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, n) for k in KINDS for n in declared(k.settings) if (k.name, n) not in ELSEWHERE],
    ids=lambda x: getattr(x, "name", x),
)
def test_every_setting_changes_something(kind: ComponentKind, name: str) -> None:
    names = list(declared(kind.quantities))
    changed = False
    for variant in VARIANTS.get(kind.name, [{}]):
        for left_out in LEFT_OUT:
            sheet = part(kind, **{n: _value(n) for n in names if n not in left_out})
            given = {**SETTINGS.get(kind.name, {}), **variant}
            made = component(kind, sheet, **given)
            old = getattr(made.settings, name)
            spec = declared(kind.settings)[name]
            others: list[Any] = list(spec.choices) if spec.choices else [(old or _value(name)) * 2]
            if name == "node":
                others = [20e-9]
            for other in others:
                assert made.settings is not None
                moved = dataclasses.replace(made, settings=dataclasses.replace(made.settings, **{name: other}))
                changed |= _outcome(moved) != _outcome(made)
    assert changed


def test_many_designs_at_once_equal_one_by_one() -> None:
    """Array-valued settings give array-valued prices: thousands of designs in one call."""
    sheet = part(adc.ADC, active_power=2e-3, sample_rate=1.28e9, reference_bits=8.0, node=32e-9, area=1.2e-9)
    bits = np.arange(4, 13)
    many = component(adc.ADC, sheet, bits=bits)
    energies = adc.costs(many)["conversion"].energy_j
    areas = adc.area(many).area_m2
    assert np.shape(energies) == (9,)
    for i, b in enumerate(bits):
        one = component(adc.ADC, sheet, bits=int(b))
        assert np.asarray(energies)[i] == pytest.approx(adc.costs(one)["conversion"].energy_j, rel=1e-12)
        assert np.asarray(areas)[i] == pytest.approx(adc.area(one).area_m2, rel=1e-12)
    memory = part(buffer.BUFFER, node=32e-9)
    sizes = np.geomspace(2**13, 2**23, 5)
    reads = buffer.costs(component(buffer.BUFFER, memory, capacity=sizes, word_bits=64, model="sram"))["read_bit"]
    for i, size in enumerate(sizes):
        one = component(buffer.BUFFER, memory, capacity=float(size), word_bits=64, model="sram")
        assert np.asarray(reads.energy_j)[i] == pytest.approx(buffer.costs(one)["read_bit"].energy_j, rel=1e-12)
