"""`neuromorph validate`: the published totals, what is fitted, what is predicted, and the command."""

from __future__ import annotations

import json

import pytest

from neuromorph.devices.layered.crossbar.validate import full_product
from neuromorph.devices.measures import MEASURES
from neuromorph.errors import InputError
from neuromorph.hardware import catalog, paths
from neuromorph.validate import fixture_names, validate
from neuromorph.validate.fixtures import ROLES
from neuromorph.validate.measures import subtree_area_m2, subtree_power_w


@pytest.fixture(scope="module")
def everything() -> dict[str, list]:
    found = validate()
    return {name: [c for c in found if c.fixture == name] for name in fixture_names()}


def test_isaac_from_its_component_tree() -> None:
    chip = catalog.load_architecture("isaac-like").chip
    tile, unit = chip["tile"], chip["tile"]["core"]
    # published sums: 24.08 mW, 289.0 + 40.85 = 329.8 mW, 65.81 W; 0.01312 mm2, 85.42 mm2
    assert subtree_power_w(unit) == pytest.approx(24.08e-3, rel=1e-9)
    assert subtree_power_w(tile) == pytest.approx(12 * 24.08e-3 + 40.85e-3, rel=1e-9)
    assert subtree_power_w(chip) == pytest.approx(168 * (12 * 24.08e-3 + 40.85e-3) + 10.4, rel=1e-9)
    assert subtree_area_m2(unit) * 1e6 == pytest.approx(0.01312, rel=1e-9)
    tile_mm2 = 12 * 0.01312 + 0.083 + 0.09 + 0.151 / 4 + 0.0006 + 0.00006 + 0.00024 + 0.0032
    assert subtree_area_m2(tile) * 1e6 == pytest.approx(tile_mm2, rel=1e-9)
    assert subtree_area_m2(chip) * 1e6 == pytest.approx(168 * tile_mm2 + 22.88, rel=1e-9)


def test_isaac_energy_per_multiply_accumulate() -> None:
    """The energy column of the table: power over 10.24 G multiply-accumulates per second and unit."""
    product = full_product(catalog.load_architecture("isaac-like").chip["tile"]["core"], 1.0, 1.0)
    macs = 10.24e9 * product.time_s
    per_mac = {k: v / macs * 1e12 for k, v in product.energies_j.items()}
    assert product.time_s == pytest.approx(1.6e-6)
    assert per_mac["adc.conversion"] == pytest.approx(1.5625, rel=1e-9)
    assert per_mac["dac.conversion"] == pytest.approx(0.3906, rel=2e-4)
    assert per_mac["array.busy"] == pytest.approx(0.2344, rel=2e-4)
    assert per_mac["adder.add"] == pytest.approx(0.0195, rel=3e-3)


def test_hermes_is_solved_for_one_energy_and_one_area(everything: dict[str, list]) -> None:
    calibrated = [c for c in everything["hermes"] if c.role == "calibrated"]
    assert [c.published for c in calibrated] == [10.5, 1.59, 63.1]
    for c in calibrated:
        assert abs(c.deviation) < 1e-5, c
    core = catalog.load_architecture("hermes-like").chip["tile"]["core"]
    energies = full_product(core, 0.5, 0.25).energies_j
    # array: V^2 t G of 256 x 256 weights at mean 0.5 x 0.25
    assert energies["array.read"] == pytest.approx(0.4005**2 * 132.9415e-9 * 20.7e-6 * 0.125 * 65536, rel=1e-9)
    residual = 131072 / 10.5e12 - energies["array.read"] - energies["dac.conversion"]
    assert energies["adc.conversion"] == pytest.approx(residual, rel=1e-5)


def test_neurram(everything: dict[str, list]) -> None:
    rows = everything["neurram"]
    checks = [c for c in rows if c.role == "check"]
    assert [round(c.ours, 3) for c in checks] == [0.993, 0.993, 1.0, 0.995]
    for c in (c for c in rows if c.role == "calibrated"):
        assert abs(c.deviation) < 1e-3, c
    total = sum(c.ours for c in rows if c.role == "calibrated" and c.unit == "fJ/op")
    assert total * 15.95e-3 == pytest.approx(0.995, abs=1e-3)


def test_every_published_total_is_its_parts(everything: dict[str, list]) -> None:
    checks = [c for rows in everything.values() for c in rows if c.role == "check"]
    assert len(checks) == 20
    # one published throughput carries two digits only and is flagged by the command
    assert [c.published for c in checks if abs(c.deviation) > 0.02] == [0.11]


def test_puma_unit_is_predicted_from_constants(everything: dict[str, list]) -> None:
    """896 drivers more than PUMA has, which drives the rows of its eight arrays together."""
    (unit,) = [c for c in everything["puma"] if c.role == "predicted"]
    assert unit.ours == pytest.approx(8 * 0.3e-3 + 8 * 2e-3 + 1024 * 3.9e-6 + 1024 * 9.7e-9 + 4 * 0.05e-3, rel=1e-9)
    assert unit.ours - 896 * 3.9e-6 == pytest.approx(unit.published, rel=0.005)


def test_technology_and_calibrated_rows(everything: dict[str, list]) -> None:
    for c in everything["technology"] + [c for c in everything["isaac"] if c.role == "calibrated"]:
        assert abs(c.deviation) < 0.006, c


def test_the_figures_answer_to_the_design() -> None:
    """A comparison that would hold whatever the parts say proves nothing."""
    architecture = catalog.load_architecture("isaac-like")
    hotter = paths.replace(architecture, {"core.adc.active_power": "4 mW"})
    assert subtree_power_w(hotter.chip) == pytest.approx(subtree_power_w(architecture.chip) + 168 * 12 * 8 * 2e-3)
    finer = paths.replace(architecture, {"core.adc.bits": 9})
    assert subtree_area_m2(finer.chip) > subtree_area_m2(architecture.chip)


def test_every_row_names_role_and_source(everything: dict[str, list]) -> None:
    assert set(everything) == set(fixture_names())
    for c in (c for rows in everything.values() for c in rows):
        assert c.role in ROLES
        assert c.source.count("; ") >= 1
        assert c.published > 0
        assert c.ours > 0
    used = {c.unit for rows in everything.values() for c in rows}
    assert used <= {m.unit for m in MEASURES.values()}


def test_unknown_fixture() -> None:
    with pytest.raises(InputError, match="no fixture 'isac'"):
        validate(["isac"])


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    from neuromorph.cli import main

    assert main(["validate", "hermes", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == 1
    assert {"published", "ours", "deviation", "role", "source"} <= set(data["comparisons"][0])
    assert main(["validate", "hermes", "cacti_sram", "adc_survey"]) == 0
    text = capsys.readouterr().out
    assert "10.5 TOPS/W" in text
    assert "calibrated" in text
    assert "largest of 21 deviations" in text
    assert "two operations" in text
    assert main(["validate", "macros"]) == 0
    assert "disagree with each other by +4.3%" in capsys.readouterr().out
    assert main(["validate", "nothing"]) == 2
