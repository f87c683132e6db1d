"""Prices, areas and times of every part kind against closed forms written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from part_builder import component, part

from neuromorph.devices.parts import adc, adc_regression, sram, technology
from neuromorph.devices.parts.adder import ADDER
from neuromorph.devices.parts.buffer import BUFFER
from neuromorph.devices.parts.dac import DAC
from neuromorph.devices.parts.mac import MAC
from neuromorph.devices.parts.network import BUS, IO, LINK, ROUTER
from neuromorph.devices.parts.sample_hold import SAMPLE_HOLD
from neuromorph.devices.parts.vector_unit import VECTOR_UNIT
from neuromorph.hardware.component import Component, Cost
from neuromorph.hardware.pricing import Known, peak_power


def costs(c: Component) -> dict[str, Cost]:
    assert c.kind.costs is not None
    return dict(c.kind.costs(c))


def area(c: Component) -> float | None:
    assert c.kind.footprint is not None
    return c.kind.footprint(c).area_m2


def time(c: Component, action: str) -> float:
    assert c.kind.times is not None
    return c.kind.times(c)[action]


# --- analog-to-digital converters ---------------------------------------------------------------

ISAAC = {"active_power": 2e-3, "sample_rate": 1.28e9, "reference_bits": 8.0, "node": 32e-9, "area": 1.2e-9}


def test_adc_power_over_rate() -> None:
    c = component(adc.ADC, part(adc.ADC, **ISAAC), bits=8)
    cost = costs(c)["conversion"]
    assert cost.energy_j == pytest.approx(1.5625e-12, rel=1e-12)
    assert cost.basis == "derived"
    assert cost.source == "paper, active_power; paper, sample_rate"
    assert area(c) == 1.2e-9
    assert time(c, "conversion") == pytest.approx(1 / 1.28e9)
    assert set(costs(c)) == {"conversion"}


@pytest.mark.parametrize("bits", [4, 6, 10, 16])
def test_adc_other_resolutions_follow_the_regressions_slope(bits: int) -> None:
    c = component(adc.ADC, part(adc.ADC, **ISAAC), bits=bits)
    law = adc_regression.energy_per_conversion_j
    ratio = law(bits, 1.28e9, 32e-9) / law(8, 1.28e9, 32e-9)
    assert costs(c)["conversion"].energy_j == pytest.approx(1.5625e-12 * ratio, rel=1e-12)
    assert "Andrulis" in costs(c)["conversion"].source
    size = adc_regression.area_m2(bits, 1.28e9, 32e-9) / adc_regression.area_m2(8, 1.28e9, 32e-9)
    assert area(c) == pytest.approx(1.2e-9 * size, rel=1e-4)


def test_adc_below_four_bits_is_proportional_and_assumed() -> None:
    four, two = (component(adc.ADC, part(adc.ADC, **ISAAC), bits=b) for b in (4, 2))
    assert costs(two)["conversion"].energy_j == pytest.approx(costs(four)["conversion"].energy_j / 2, rel=1e-12)
    assert costs(two)["conversion"].basis == "assumed"
    assert costs(four)["conversion"].basis == "derived"


@pytest.mark.parametrize("architecture", ["ramp", "cco"])
def test_adc_counters_double_per_bit(architecture: str) -> None:
    sheet = part(adc.ADC, energy_per_conversion=3e-12, reference_bits=6.0, count_period=1e-9, area=96e-12)
    made = {b: component(adc.ADC, sheet, bits=b, architecture=architecture) for b in (5, 6, 8)}
    assert [costs(made[b])["conversion"].energy_j for b in (5, 6, 8)] == pytest.approx([1.5e-12, 3e-12, 12e-12])
    assert [time(made[b], "conversion") for b in (5, 6, 8)] == pytest.approx([32e-9, 64e-9, 256e-9])
    assert area(made[8]) == pytest.approx(128e-12)


def test_adc_priced_by_counts() -> None:
    sheet = part(adc.ADC, energy_per_count=2e-15)
    c = component(adc.ADC, sheet, bits=8, architecture="cco")
    assert costs(c)["count"].energy_j == 2e-15
    assert costs(c)["conversion"].energy_j == 0.0
    both = part(adc.ADC, energy_per_count=2e-15, energy_per_conversion=1e-12)
    assert costs(component(adc.ADC, both, bits=8, architecture="ramp"))["conversion"].energy_j == 1e-12
    assert adc.check(component(adc.ADC, sheet, bits=8)) == [
        "architecture: a part priced by counts needs ramp or cco, got sar"
    ]


def test_adc_regression_model() -> None:
    c = component(adc.ADC, part(adc.ADC, node=32e-9, sample_rate=1e8), bits=8, model="regression")
    cost = costs(c)["conversion"]
    assert cost.energy_j == pytest.approx(1.714e-12, rel=1e-3)
    assert cost.low_j is not None
    assert cost.high_j is not None
    assert cost.low_j < cost.energy_j < cost.high_j
    assert area(c) == pytest.approx(3939e-12, rel=1e-3)
    assert adc.check(c) == []
    few = component(adc.ADC, part(adc.ADC, node=32e-9), bits=3, model="regression")
    assert [m.split(":")[0] for m in adc.check(few)] == ["model", "bits"]


def test_adc_power_only_is_busy_and_nothing_is_nothing() -> None:
    assert costs(component(adc.ADC, part(adc.ADC, active_power=1e-3), bits=8)) == {
        "busy": Cost(1e-3, "reported", "paper, active_power")
    }
    empty = component(adc.ADC, None, bits=8)
    assert costs(empty) == {}
    assert area(empty) is None
    assert adc.conversion_time(empty) is None
    assert peak_power(empty) is None


def test_adc_pure_functions_take_arrays() -> None:
    bits = np.arange(1, 13)
    ratio = adc.sar_energy_ratio(bits, 8, 1e8, 32e-9)
    assert ratio.shape == (12,)
    assert np.all(np.diff(ratio) > 0)
    assert ratio[7] == pytest.approx(1.0)
    assert list(adc.counter_ratio(bits[:3], 2)) == [0.5, 1.0, 2.0]


# --- drivers, sample-and-hold, adders -----------------------------------------------------------


def test_dac() -> None:
    sheet = part(DAC, active_power=3.90625e-6, sample_rate=1e7, reference_bits=1.0, area=1e-13)
    assert costs(component(DAC, sheet, bits=1))["conversion"].energy_j == pytest.approx(0.390625e-12)
    assert costs(component(DAC, sheet, bits=4))["conversion"].energy_j == pytest.approx(4 * 0.390625e-12)
    assert area(component(DAC, sheet, bits=4)) == pytest.approx(4e-13)
    law = part(DAC, capacitance_per_bit=50e-15, supply=0.9)
    assert costs(component(DAC, law, bits=8))["conversion"].energy_j == pytest.approx(50e-15 * 8 * 0.81)
    assert time(component(DAC, sheet, bits=1), "conversion") == pytest.approx(1e-7)


def test_sample_hold() -> None:
    c = component(SAMPLE_HOLD, part(SAMPLE_HOLD, active_power=9.765625e-9, sample_rate=1e7, area=1e-14))
    assert costs(c)["sample"].energy_j == pytest.approx(0.9765625e-15)
    assert peak_power(c) == Known(9.765625e-9, "reported", "paper, active_power")


def test_adder() -> None:
    sheet = part(ADDER, energy_per_operation=(1e-13, 1e-13, 2.1e-13), reference_bits=32.0, area=278e-12)
    wide = component(ADDER, sheet, bits=64)
    assert costs(wide)["add"].energy_j == pytest.approx(2e-13)
    assert costs(wide)["add"].high_j == pytest.approx(4.2e-13)
    assert area(wide) == pytest.approx(556e-12)
    assert costs(component(ADDER, sheet))["add"].basis == "reported"
    assert ADDER.check is not None
    assert ADDER.check(component(ADDER, part(ADDER, active_power=1.0), bits=8))[0].startswith("bits: ")


# --- digital logic ------------------------------------------------------------------------------

MAC_45 = {"energy_per_multiply": 2e-13, "energy_per_add": 1e-13, "node": 45e-9, "supply": 0.9, "area": 675e-12}


def test_mac() -> None:
    c = component(MAC, part(MAC, **MAC_45))
    assert costs(c)["mac"].energy_j == pytest.approx(3e-13)
    assert costs(c)["add"].energy_j == pytest.approx(1e-13)
    assert area(c) == pytest.approx(675e-12)
    small = component(MAC, part(MAC, **MAC_45), weight_bits=4, input_bits=8, accumulator_bits=16)
    assert costs(small)["mac"].energy_j == pytest.approx(1e-13 + 0.5e-13)
    assert area(small) == pytest.approx(675e-12 * 48 / 96)


def test_mac_on_another_node() -> None:
    c = component(MAC, part(MAC, **MAC_45), node=7e-9, supply=0.7)
    ratio = technology.energy_ratio(45.0, 7.0, 0.9, 0.7)
    assert costs(c)["mac"].energy_j == pytest.approx(3e-13 * ratio, rel=1e-9)
    assert area(c) == pytest.approx(675e-12 * 0.059)
    assert "Stillmaker" in costs(c)["mac"].source
    assert "interpolated" in costs(component(MAC, part(MAC, **MAC_45), node=28e-9))["mac"].source


def test_scaling_refusals_become_messages() -> None:
    assert MAC.check is not None
    assert "0.3 V is too low" in MAC.check(component(MAC, part(MAC, **MAC_45), node=32e-9, supply=0.3))[0]
    unplaced = part(MAC, energy_per_multiply=2e-13, energy_per_add=1e-13)
    assert "no node and supply" in MAC.check(component(MAC, unplaced, node=32e-9))[0]
    assert MAC.check(component(MAC, unplaced)) == []


def test_area_above_45_nm_is_not_modelled() -> None:
    c = component(MAC, part(MAC, **MAC_45), node=130e-9, supply=1.2)
    assert area(c) is None
    assert costs(c)["mac"].energy_j > 3e-13


def test_vector_unit() -> None:
    sheet = part(VECTOR_UNIT, active_power=0.26e-3, operation_rate=0.48e9, area=3e-10)
    c = component(VECTOR_UNIT, sheet, lanes=4)
    assert costs(c)["operation"].energy_j == pytest.approx(0.26e-3 / 0.48e9)
    assert time(c, "operation") == pytest.approx(1 / (4 * 0.48e9))
    assert area(c) == pytest.approx(12e-10)
    assert peak_power(c) is not None
    assert peak_power(c).value == pytest.approx(1.04e-3)  # type: ignore[union-attr]
    powered = component(VECTOR_UNIT, part(VECTOR_UNIT, active_power=0.26e-3), lanes=4)
    assert costs(powered)["busy"].energy_j == pytest.approx(1.04e-3)


# --- memories and networks ----------------------------------------------------------------------


def test_buffer_by_power_and_rate() -> None:
    sheet = part(BUFFER, active_power=1.24e-3, bandwidth=10.24e9, reference_capacity=16384.0, area=2.1e-9, leakage=1e-6)
    c = component(BUFFER, sheet, capacity=16384.0, word_bits=16)
    assert costs(c)["read_bit"].energy_j == pytest.approx(0.12109375e-12)
    assert costs(c)["write_bit"] == costs(c)["read_bit"]
    assert time(c, "read_bit") == pytest.approx(1 / 10.24e9)
    double = component(BUFFER, sheet, capacity=32768.0, word_bits=16)
    assert costs(double)["read_bit"].energy_j == pytest.approx(0.12109375e-12 * 2**0.5983)
    assert area(double) == pytest.approx(2.1e-9 * 2**0.9831)
    assert double.kind.footprint is not None
    assert double.kind.footprint(double).leakage_w == pytest.approx(1e-6 * 2**0.9831)


def test_buffer_by_the_sram_law() -> None:
    c = component(BUFFER, part(BUFFER, node=45e-9), capacity=65536.0, word_bits=64, model="sram")
    read = costs(c)["read_bit"]
    assert read.energy_j * 64 == pytest.approx(sram.read_energy_j(65536.0, 64, 45e-9))
    assert read.energy_j * 64 == pytest.approx(6.14e-12, rel=sram.ENERGY_ERROR)
    assert read.low_j == pytest.approx(read.energy_j * (1 - sram.ENERGY_ERROR))
    assert read.basis == "derived"
    outside = component(BUFFER, part(BUFFER, node=14e-9), capacity=65536.0, word_bits=64, model="sram")
    assert costs(outside)["read_bit"].basis == "assumed"
    assert "extrapolated" in costs(outside)["read_bit"].source
    assert BUFFER.check is not None
    assert BUFFER.check(component(BUFFER, part(BUFFER), capacity=1.0, model="sram")) == [
        "model: sram needs the quantity node"
    ]


def test_router_is_shared() -> None:
    sheet = part(ROUTER, active_power=42e-3, area=1.51e-7, latency=3.65e-9)
    c = component(ROUTER, sheet, shared_by=4)
    assert costs(c)["busy"].energy_j == pytest.approx(10.5e-3)
    assert area(c) == pytest.approx(0.3775e-7)
    assert peak_power(c) is not None
    assert peak_power(c).value == pytest.approx(10.5e-3)  # type: ignore[union-attr]
    assert time(c, "latency") == 3.65e-9


@pytest.mark.parametrize("kind", [BUS, LINK])
def test_wires_by_length(kind: object) -> None:
    from neuromorph.hardware.component import ComponentKind

    assert isinstance(kind, ComponentKind)
    sheet = part(kind, energy_per_bit_length=40.4e-12)
    assert costs(component(kind, sheet, length=1.5e-3))["transfer_bit"].energy_j == pytest.approx(60.6e-15)
    assert costs(component(kind, sheet)) == {}
    assert kind.check is not None
    assert kind.check(component(kind, sheet)) == ["a part priced per bit and length needs the setting length"]


def test_interface() -> None:
    c = component(IO, part(IO, active_power=10.4, bandwidth=204.8e9))
    assert costs(c)["transfer_bit"].energy_j == pytest.approx(50.78125e-12)
    assert time(c, "transfer_bit") == pytest.approx(1 / 204.8e9)


# --- arithmetic on known numbers ------------------------------------------------------------------

POSITIVE = st.floats(1e-15, 1e3)


@given(POSITIVE, POSITIVE, st.floats(1.0, 10.0), st.floats(1.0, 10.0))
def test_ranges_contain_every_corner(a: float, b: float, up: float, down: float) -> None:
    x, y = Known(a, "measured", "x", a / down, a * up), Known(b, "assumed", "y", b / up, b * down)
    for made, op in ((x * y, np.multiply), (x / y, np.divide), (x + y, np.add)):
        corners = [op(p, q) for p in (x.low, x.high) for q in (y.low, y.high)]
        assert made.low == pytest.approx(min(corners), rel=1e-9)
        assert made.high == pytest.approx(max(corners), rel=1e-9)
        assert made.basis == "assumed"
        assert made.source == "x; y"


def test_a_factor_of_one_changes_nothing() -> None:
    k = Known(2.0, "measured", "x")
    assert k.scaled(1.0, "a law") is k
    assert k.scaled(2.0, "a law") == Known(4.0, "derived", "x; a law")
