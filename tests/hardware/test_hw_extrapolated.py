"""Constants that hold at some settings alone: kept elsewhere, marked, and off every Pareto front."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from emulated import mlp

import neuromorph as nm
from neuromorph.costing.area import chip_area
from neuromorph.devices.layered.designs import estimate
from neuromorph.errors import InputError
from neuromorph.hardware import catalog, paths
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.datasheet import read_datasheet
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


CROSSBARS = ("hermes-like", "isaac-like", "puma-like", "neurram-like", "sonos-like")
ARRAY = "chip.tile.core.array"


@pytest.mark.parametrize("name", CROSSBARS)
@pytest.mark.parametrize("setting", ["rows", "columns"])
def test_no_size_is_better_for_a_constant_that_was_another_size_s(name: str, setting: str) -> None:
    """From 64 to 4096 lines: what is not marked has an array, a read and an area that grow with them."""
    base = catalog.load_architecture(name)
    size = getattr(base.chip["tile"]["core"]["array"].settings, setting)
    sizes = np.unique([64, 96, 128, 129, 192, 256, 257, 512, 1024, 4096, size])
    found = estimate(mlp(), base, {f"core.array.{setting}": sizes})
    assert not found.extrapolated[sizes == size].any()
    assert found.extrapolated[-1]
    known = []
    for lines, outside in zip(sizes.tolist(), found.extrapolated.tolist(), strict=True):
        other = marked(paths.replace(base, {f"core.array.{setting}": lines}))
        array = other.chip["tile"]["core"]["array"]
        assert bool(extrapolated(paths.replace(base, {f"core.array.{setting}": lines}).chip)) == outside
        if not outside:
            area = {r.component: r for r in chip_area(other).rows}[ARRAY].area_m2
            known.append((area, array.kind.costs(array).get("busy")))
    for (area, busy), (larger, more) in itertools.pairwise(known):
        assert larger > area
        assert busy is None or more.energy_j > busy.energy_j


def test_a_law_moves_power_area_and_time_with_the_rows() -> None:
    """The PUMA simulator's own table: 0.075 mW and 64 ns at 64 x 64, 1.2 mW at 256 x 256, of 100 ns at 128 rows."""
    base = catalog.load_architecture("isaac-like")
    half = marked(paths.replace(base, {"core.array.rows": 64, "core.array.columns": 64})).chip["tile"]["core"]["array"]
    cost = half.kind.costs(half)["busy"]
    assert cost.energy_j == pytest.approx(0.3e-3 * 64 * 64 / (128 * 129))
    assert cost.basis == "derived"
    graph = mlp(1, (256, 10))
    for rows, seconds in ((64, 100e-9), (256, 200e-9)):  # at 64 rows the converters set the pace
        changed = paths.replace(base, {"core.array.rows": rows})
        assert nm.run(graph, changed)["interval"].value == pytest.approx(16 * seconds, rel=1e-6), rows
        assert estimate(graph, changed).interval_s[0] == pytest.approx(16 * seconds, rel=1e-6), rows


def test_what_was_moved_is_not_moved_again() -> None:
    once = marked(paths.replace(catalog.load_architecture("isaac-like"), {"core.array.rows": 64}))
    assert marked(once) is once


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("follows: {rows: [1, 32, 256]}", "'law' is missing"),
        ("law: text", "'follows' is missing"),
        ("follows: {cells: [1, 32, 256]}, law: text", "not among the settings"),
        ("follows: {rows: [1, 256, 512]}, law: text", "lies outside"),
        ("follows: {rows: [1]}, law: text", "3 plain numbers"),
    ],
)
def test_a_law_without_its_source_or_range_is_refused(tmp_path: Path, entry: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    value = "value: 1 mW, basis: assumed, at: {rows: 128}, " + entry
    file.write_text(
        f"schema: 1\nkind: crossbar_array\nname: mine\ntitle: mine\nquantities: {{active_power: {{{value}}}}}\n"
    )
    with pytest.raises(InputError, match=message):
        read_datasheet(file)
