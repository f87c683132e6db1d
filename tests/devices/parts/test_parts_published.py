"""Tables of published figures: totals are their parts, what is fitted is given back, and other figures beside it."""

from __future__ import annotations

import pytest
from published import compared, table_names
from published.full_product import full_product
from published.measures import MEASURES
from published.parts import subtree_area_m2, subtree_power_w
from published.tables import ROLES

from neuromorph.errors import InputError
from neuromorph.hardware import catalog, paths


@pytest.fixture(scope="module")
def everything() -> dict[str, list]:
    found = compared()
    return {name: [c for c in found if c.table == name] for name in table_names()}


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


def test_neurram(everything: dict[str, list]) -> None:
    rows = everything["neurram"]
    checks = [c for c in rows if c.role == "check"]
    assert [round(c.ours, 3) for c in checks] == [0.993, 0.993, 1.0, 0.995]


@pytest.mark.parametrize(
    ("changes", "pulses", "microseconds"), [((1, 3), 1, 1.4824), ((2, 4), 1, 1.7544), ((3, 5), 2, 2.7002)]
)
def test_neurram_operations_are_those_of_its_geometry(
    changes: tuple[int, int], pulses: int, microseconds: float
) -> None:
    """65,536 operations a product: 256 x 256 cells, two for a signed weight, two operations per weight. A pulse for
    each bit of the magnitude; neurons are on for as long as it takes."""
    bits, out = changes
    names = {"core.input_bits": bits, "core.dac.bits": bits, "core.adc.bits": out}
    core = paths.replace(catalog.load_architecture("neurram-like"), names).chip["tile"]["core"]
    product = full_product(core, 1.0, 1.0)
    assert product.operations == 65536
    assert product.time_s == pytest.approx(microseconds * 1e-6, rel=1e-4)
    neurons = 12.39 * microseconds / 1.7544
    for name, each in {"array.row": pulses * 8.27, "dac.conversion": pulses * 3.96, "adc.busy": neurons}.items():
        assert product.energies_j[name] / 65536 * 1e15 == pytest.approx(each, rel=2e-4)


def test_inputs_of_neurram_beyond_four_bits_take_two_products() -> None:
    """Five bits: four pulses as before would be, but two conversions and two settlings."""
    base = catalog.load_architecture("neurram-like")
    wide = paths.replace(base, {"core.input_bits": 5, "core.dac.bits": 5}).chip["tile"]["core"]
    assert full_product(wide, 1.0, 1.0).time_s == pytest.approx(4 * 401.76e-9 + 2 * (808.67e-9 + 64 * 34e-9))
    whole = paths.replace(base, {"core.input_bits": 5, "core.dac.bits": 5, "core.train_bits": 0}).chip["tile"]["core"]
    assert full_product(whole, 1.0, 1.0).time_s == pytest.approx(4 * 401.76e-9 + 808.67e-9 + 64 * 34e-9)


def test_no_figure_brings_its_own_count_of_operations() -> None:
    """Operations follow from the geometry: a count beside it would hide that the two differ."""
    for measure in MEASURES.values():
        if "architecture" in measure.arguments:
            assert not {"operations", "ops", "macs"} & set(measure.arguments), measure.name


def test_every_published_total_is_its_parts(everything: dict[str, list]) -> None:
    checks = [c for rows in everything.values() for c in rows if c.role == "check"]
    assert len(checks) == 20
    # one published throughput carries two digits only and is flagged by the command
    assert [c.published for c in checks if abs(c.deviation) > 0.02] == [0.11]


def test_puma_unit_is_predicted_from_constants(everything: dict[str, list]) -> None:
    """128 drivers for the rows of all eight arrays, which hold the slices of the same weights."""
    (unit,) = [c for c in everything["puma"] if c.role == "other"]
    assert unit.ours == pytest.approx(8 * 0.3e-3 + 8 * 2e-3 + 128 * 3.9e-6 + 1025 * 9.7e-9 + 4 * 0.05e-3, rel=1e-9)
    assert unit.ours == pytest.approx(unit.published, rel=0.002)


def test_technology_and_fitted_rows(everything: dict[str, list]) -> None:
    for c in everything["technology"] + [c for c in everything["isaac"] if c.role == "fitted"]:
        assert abs(c.deviation) < 0.006, c


def test_the_figures_answer_to_the_design() -> None:
    """A comparison that would hold whatever the parts say proves nothing."""
    architecture = catalog.load_architecture("isaac-like")
    hotter = paths.replace(architecture, {"core.adc.active_power": "4 mW"})
    assert subtree_power_w(hotter.chip) == pytest.approx(subtree_power_w(architecture.chip) + 168 * 12 * 8 * 2e-3)
    finer = paths.replace(architecture, {"core.adc.bits": 9})
    assert subtree_area_m2(finer.chip) > subtree_area_m2(architecture.chip)


def test_every_row_names_role_and_source(everything: dict[str, list]) -> None:
    assert set(everything) == set(table_names())
    for c in (c for rows in everything.values() for c in rows):
        assert c.role in ROLES
        assert c.source.count("; ") >= 1
        assert c.published > 0
        assert c.ours > 0
    used = {c.unit for rows in everything.values() for c in rows}
    assert used <= {m.unit for m in MEASURES.values()}


def test_unknown_table() -> None:
    with pytest.raises(InputError, match="no table 'isac'"):
        compared(["isac"])
