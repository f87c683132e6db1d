"""The converter regression and the SRAM law against their tables (in tests/shared/published)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published import compared

from neuromorph.devices.parts import adc_regression, sram
from neuromorph.errors import InputError


def test_regression_test_point() -> None:
    assert adc_regression.energy_per_conversion_j(8, 1.28e9, 32e-9) == pytest.approx(1.92900e-12, rel=1e-5)
    assert adc_regression.area_m2(8, 1.28e9, 32e-9) == pytest.approx(6469e-12, rel=2e-4)


def test_regression_tables() -> None:
    rows = [c for c in compared(["adc_survey"]) if c.role == "fitted"]
    assert len(rows) == 68
    # the tables print two to four digits
    for c in rows:
        assert abs(c.deviation) < (0.01 if c.label.startswith("corner") else 0.006), c


@pytest.mark.parametrize("bits", [1, 3, 3.999, np.nan])
def test_regression_refuses_below_four_bits(bits: float) -> None:
    with pytest.raises(InputError, match="4 effective bits and more"):
        adc_regression.energy_per_conversion_j(bits, 1e8, 32e-9)


@pytest.mark.parametrize(("rate", "node"), [(0.0, 32e-9), (-1.0, 32e-9), (1e8, 0.0), (np.nan, 32e-9)])
def test_regression_refuses_impossible_rate_and_node(rate: float, node: float) -> None:
    with pytest.raises(InputError, match="positive sample rate"):
        adc_regression.energy_per_conversion_j(8, rate, node)


@given(st.integers(4, 15), st.floats(1e5, 1e11), st.floats(7e-9, 130e-9))
def test_regression_rises_with_bits_rate_and_node(bits: int, rate: float, node: float) -> None:
    energy = adc_regression.energy_per_conversion_j
    here = energy(bits, rate, node)
    assert energy(bits + 1, rate, node) > here
    assert energy(bits, rate * 2, node) >= here
    assert energy(bits, rate, node * 2) == pytest.approx(here * 2**1.88004, rel=1e-9)


def test_regression_is_flat_below_the_corner_and_steep_above() -> None:
    corner = adc_regression.corner_frequency_hz(10)
    energy = adc_regression.energy_per_conversion_j
    assert energy(10, corner * 0.1, 32e-9) == pytest.approx(energy(10, corner * 0.999, 32e-9), rel=1e-12)
    # FOM falls by 2.8719 ln f dB, energy rises as f^(2.8719/10 ln 10)
    slope = np.log(energy(10, corner * 4, 32e-9) / energy(10, corner * 2, 32e-9)) / np.log(2)
    assert slope == pytest.approx(0.28719 * np.log(10), rel=1e-9)


def test_regression_on_many_designs_at_once() -> None:
    bits, rate = np.arange(4, 13)[:, None], np.geomspace(1e6, 1e10, 50)
    many = adc_regression.energy_per_conversion_j(bits, rate, 32e-9)
    assert many.shape == (9, 50)
    assert many[4, 10] == adc_regression.energy_per_conversion_j(8, rate[10], 32e-9)


def test_sram_error_bounds_hold_and_are_tight() -> None:
    worst = {"read": 0.0, "area": 0.0, "access": 0.0}
    rows = [c for c in compared(["cacti_sram"]) if c.role == "fitted"]
    assert len(rows) == 63
    for c in rows:
        key = c.label.split(":")[0]
        worst[key] = max(worst[key], abs(c.deviation))
    bounds = {"read": sram.ENERGY_ERROR, "area": sram.AREA_ERROR, "access": sram.TIME_ERROR}
    for key, bound in bounds.items():
        assert 0.9 * bound < worst[key] + 0.01 < bound + 0.01, key


def test_sram_fit_is_the_least_squares_solution() -> None:
    rows = [c for c in compared(["cacti_sram"]) if c.label.startswith("read:")]
    x, y = [], []
    for c in rows:
        size, word, node = (part.strip() for part in c.label.split(": ")[1].split(","))
        number, unit = size.split()
        bits = float(number) * {"KiB": 2**13, "MiB": 2**23}[unit]
        x.append([1, np.log(bits / 2**16), np.log(float(word) / 64), np.log(float(node.split()[0]) / 32)])
        y.append(np.log(c.published / 1e-12))
    best = np.linalg.lstsq(np.array(x), np.array(y), rcond=None)[0]
    assert best == pytest.approx(sram.ENERGY_FIT, abs=6e-5)


@given(st.floats(2**8, 2**26), st.integers(8, 512), st.floats(14e-9, 130e-9))
def test_sram_rises_with_capacity_and_node(capacity: float, word: int, node: float) -> None:
    for law in (sram.read_energy_j, sram.area_m2, sram.access_time_s):
        assert law(2 * capacity, word, node) >= law(capacity, word, node) > 0
        assert law(capacity, word, 2 * node) > law(capacity, word, node)


def test_sram_domain() -> None:
    assert sram.inside_domain(2**13, 32, 45e-9)
    assert sram.inside_domain(np.array([2**13, 2**23]), 64, 22e-9)
    assert not sram.inside_domain(2**12, 32, 45e-9)
    assert not sram.inside_domain(2**16, 32, 14e-9)
