"""Constants that hold at some settings alone: kept elsewhere, marked, and off every Pareto front."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from emulated import mlp

import neuromorph as nm
from neuromorph.costing.area import chip_area
from neuromorph.devices.layered.designs import estimate
from neuromorph.hardware import catalog, paths
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.extrapolated import extrapolated, marked
from neuromorph.sweep.table import pareto

SHIPPED = sorted(p.stem for p in (Path(__file__).parents[2] / "architectures").glob("*.yaml"))
HERMES = catalog.load_architecture("hermes-like")


def _price(architecture: Architecture) -> float:
    adc = architecture.chip["tile"]["core"]["adc"]
    return float(adc.kind.costs(adc)["conversion"].energy_j)


@pytest.mark.parametrize("bits", [4, 6, 10])
def test_a_fitted_residual_does_not_follow_what_it_is_not_known_to_follow(bits: int) -> None:
    changed = paths.replace(HERMES, {"core.adc.bits": bits})
    assert _price(changed) == _price(HERMES)
    assert {e.quantity for e in extrapolated(changed.chip)} == {"energy_per_conversion", "active_power"}
    adc = marked(changed).chip["tile"]["core"]["adc"]
    cost = adc.kind.costs(adc)["conversion"]
    assert cost.basis == "assumed"
    assert "holds at bits 8, array.rows 256" in cost.source


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_architectures_use_their_constants_where_they_hold(name: str) -> None:
    architecture = catalog.load_architecture(name)
    assert extrapolated(architecture.chip) == []
    assert marked(architecture) is architecture


def test_other_sizes_are_marked_in_reports_and_leave_the_fronts() -> None:
    graph = mlp(1, (32, 16, 10))
    few = nm.run(graph, paths.replace(HERMES, {"core.array.columns": 64}))
    assert "core.array.area holds at rows 256, columns 256" in few["extrapolated"].note
    area = {r.component: r for r in chip_area(paths.replace(HERMES, {"core.array.columns": 64})).rows}
    assert area["chip.tile.core.array"].basis == "assumed"
    found = estimate(graph, HERMES, {"core.array.rows": np.array([128, 256, 512])})
    assert found.extrapolated.tolist() == [True, False, True]
    assert found.pareto().tolist() == [False, True, False]


def test_sweeps_keep_marked_rows_off_the_front() -> None:
    rows = [{"energy": 2.0, "extrapolated": None}, {"energy": 1.0, "extrapolated": 1.0}]
    assert pareto(rows, minimise=["energy"]) == rows[:1]


@pytest.mark.parametrize("name", ["hermes-like", "isaac-like", "puma-like", "neurram-like"])
@pytest.mark.parametrize("setting", ["rows", "columns"])
def test_figures_of_an_array_are_those_of_its_size(name: str, setting: str) -> None:
    """Power and area of these arrays follow no law here, so that no other size is on a front."""
    architecture = catalog.load_architecture(name)
    size = getattr(architecture.chip["tile"]["core"]["array"].settings, setting)
    found = estimate(mlp(), architecture, {f"core.array.{setting}": np.array([size // 2, size, 2 * size])})
    assert found.extrapolated.tolist() == [True, False, True]
    assert found.pareto().tolist() == [False, True, False]
    other = marked(paths.replace(architecture, {f"core.array.{setting}": 2 * size}))
    row = {r.component: r for r in chip_area(other).rows}["chip.tile.core.array"]
    assert row.basis == "assumed"
    assert row.area_m2 == {r.component: r for r in chip_area(architecture).rows}["chip.tile.core.array"].area_m2
