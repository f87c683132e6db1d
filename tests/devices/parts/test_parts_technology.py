"""Stillmaker & Baas scaling: the published ratios, the refusal, and how it interpolates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.devices.parts import technology
from neuromorph.errors import InputError

# node nm, nominal supply, ratio to 45 nm at 1.0 V there, and at 0.8 V; recomputed independently
RATIOS = [
    (130, 1.2, 5.09, 2.09),
    (90, 1.1, 2.55, 1.29),
    (65, 1.1, 1.65, 0.845),
    (45, 1.0, 1.0, 0.681),
    (32, 0.9, 0.532, 0.449),
    (20, 0.8, 0.151, 0.151),
    (16, 0.8, 0.118, 0.118),
    (14, 0.8, 0.095, 0.095),
    (10, 0.75, 0.069, 0.080),
    (7, 0.7, 0.047, 0.064),
]


@pytest.mark.parametrize(("node", "supply", "nominal", "low"), RATIOS)
def test_ratios(node: float, supply: float, nominal: float, low: float) -> None:
    assert technology.energy_ratio(45.0, node, 1.0, supply) == pytest.approx(nominal, rel=0.006)
    assert technology.energy_ratio(45.0, node, 1.0, 0.8) == pytest.approx(low, rel=0.006)
    assert technology.NOMINAL_SUPPLY_V[node] == supply


def test_supply_matters_as_much_as_node() -> None:
    assert technology.energy_ratio(7.0, 130.0, 0.7, 1.2) == pytest.approx(108, rel=0.01)
    assert technology.energy_ratio(7.0, 130.0, 0.8, 0.8) == pytest.approx(33, rel=0.02)


@pytest.mark.parametrize(("node", "minimum"), [(130.0, 0.47), (65.0, 0.59), (32.0, 0.41), (7.0, 0.26)])
def test_refuses_supplies_near_the_minimum(node: float, minimum: float) -> None:
    assert technology.minimum_supply_v(node) == pytest.approx(minimum, abs=0.006)
    for supply in (minimum * 0.5, technology.minimum_supply_v(node) * 1.05):
        with pytest.raises(InputError, match="too low to scale"):
            technology.logic_energy(node, supply)
    assert technology.logic_energy(node, technology.minimum_supply_v(node) * 1.11) > 0


def test_refuses_nan_supply_and_nodes_outside() -> None:
    with pytest.raises(InputError, match="too low"):
        technology.logic_energy(45.0, math.nan)
    for node in (5.0, 180.0, math.nan):
        with pytest.raises(InputError, match="outside the scaling table"):
            technology.logic_energy(node, 1.0)
    with pytest.raises(InputError, match="logic area at 65 nm"):
        technology.area_ratio(65.0, 45.0)


def test_an_interpolated_node_needs_both_neighbours_supplies() -> None:
    # 28 nm lies between 20 nm (from 0.23 V) and 32 nm (from 0.45 V)
    with pytest.raises(InputError, match="at 32 nm"):
        technology.logic_energy(28.0, 0.44)
    assert technology.logic_energy(28.0, 0.5) > 0
    assert not technology.is_tabulated(28.0)


@given(st.floats(7, 130), st.floats(0.7, 1.2))
def test_energy_between_neighbours(node: float, supply: float) -> None:
    nodes = sorted(technology.ENERGY_COEFFICIENTS)
    lower, upper = max(n for n in nodes if n <= node), min(n for n in nodes if n >= node)
    ends = [technology.logic_energy(n, supply) for n in (lower, upper)]
    assert min(ends) * (1 - 1e-9) <= technology.logic_energy(node, supply) <= max(ends) * (1 + 1e-9)


def test_arrays_equal_scalars() -> None:
    nodes, supplies = np.array([[45.0], [28.0], [7.0]]), np.array([0.8, 1.0])
    many = technology.logic_energy(nodes, supplies)
    assert many.shape == (3, 2)
    for i, n in enumerate(nodes[:, 0]):
        for j, v in enumerate(supplies):
            assert many[i, j] == pytest.approx(technology.logic_energy(float(n), float(v)), rel=1e-12)


@pytest.mark.parametrize(("node", "factor"), [(32, 0.46), (20, 0.21), (16, 0.19), (14, 0.17), (10, 0.10), (7, 0.059)])
def test_area(node: float, factor: float) -> None:
    assert technology.area_ratio(45.0, node) == pytest.approx(factor, rel=1e-12)
    assert technology.area_ratio(node, 45.0) == pytest.approx(1 / factor, rel=1e-12)
