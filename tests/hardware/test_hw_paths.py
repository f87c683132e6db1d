"""Parameters by path: found, told apart, replaced with validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_hardware import ADC, write

from neuromorph.errors import InputError
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.paths import factor_of, parameters, replace, resolve

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def toy(tmp_path: Path, toys: None) -> Architecture:
    return load_architecture(write(tmp_path))


def cell(architecture: Architecture):
    part = architecture.chip["tile"]["core"]["cell"].part
    assert part is not None
    return part


def test_parameters_cover_settings_and_given_quantities(toy: Architecture) -> None:
    found = {p.path: p for p in parameters(toy)}
    assert len(found) == len(parameters(toy)) == 1 + 12 + 5 + 2 + 1
    assert found["chip.tile.core.adc.bits"].value == 8
    assert found["chip.tile.core.cell.read_voltage"].unit == "V"
    assert found["chip.tile.core.cell.read_voltage"].affects == ("function", "energy")
    counts = parameters(toy, ("count", "part"))
    assert {p.path: p.value for p in counts} == {
        "chip.tile.count": 4,
        "chip.tile.core.count": 2,
        "chip.tile.core.cell.count": 16384,
        "chip.tile.core.cell.part": "cell-a",
        "chip.tile.core.adc.count": 1,
        "chip.tile.core.adc.part": "adc-a",
    }


@pytest.mark.parametrize("role", ["setting", "quantity", "count", "part"])
def test_every_full_path_resolves_to_itself(toy: Architecture, role: str) -> None:
    for parameter in parameters(toy, (role,)):
        assert resolve(toy, parameter.path) == parameter


def test_ending_of_a_path_is_enough(toy: Architecture) -> None:
    full = "chip.tile.core.adc.bits"
    assert {resolve(toy, q).path for q in ("core.adc.bits", "adc.bits", "bits", full)} == {full}


def test_setting_and_quantity_of_one_name(toy: Architecture) -> None:
    assert resolve(toy, "adc.supply").role == "setting"
    assert resolve(toy, "adc.part.supply").role == "quantity"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("count", "write one of chip.tile.count, chip.tile.core.count"),
        ("adc.bit", "did you mean 'adc.bits'?"),
        ("cell.bits", "did you mean chip.tile.core.adc.bits?"),
        ("core.bits", "did you mean chip.tile.core.adc.bits?"),
        ("dc.bits", "did you mean"),
        ("", "no parameter ''"),
        ("chip.count", "no parameter 'chip.count'"),
    ],
)
def test_wrong_paths_get_candidates(toy: Architecture, query: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(toy, query)
    assert words in str(caught.value)


def test_replace_changes_that_and_only_that(toy: Architecture) -> None:
    new = replace(toy, {"core.adc.bits": 6})
    before, after = ({p.path: p.value for p in parameters(a)} for a in (toy, new))
    assert {k for k in before if before[k] != after[k]} == {"chip.tile.core.adc.bits"}
    assert new.chip["tile"]["core"]["adc"].settings.bits == 6
    assert new.chip["tile"]["core"]["cell"] is toy.chip["tile"]["core"]["cell"]


@pytest.mark.parametrize(
    ("query", "raw", "value"),
    [
        ("adc.bits", "6", 6),
        ("adc.bits", np.int64(5), 5),
        ("adc.bits", "0.5x", 4),
        ("core.clock", "50 MHz", 50e6),
        ("core.clock", "2x", 200e6),
        ("core.signed", "false", False),
        ("core.signed", False, False),
        ("core.coding", "serial", "serial"),
        ("core.gain", np.float64(0.25), 0.25),
        ("core.gain", "1e-3", 1e-3),
        ("core.share", "10 %", 0.1),
        ("core.share", 0.1, 0.1),
        ("core.span", "[3, 4]", (3, 4)),
        ("core.span", [3, 4], (3, 4)),
        ("core.supplies", "[1 V, 2 V]", (1.0, 2.0)),
        ("core.supplies", "2x", (2.0,)),
        ("core.width", "null", None),
        ("core.width", "7", 7),
        ("core.label", "12", "12"),
        ("core.word", "16 bit", 16),
        ("tile.count", "9", 9),
        ("core.count", "3x", 6),
        ("cell.read_voltage", "0.3 V", 0.3),
        ("cell.read_voltage", "0x", 0.0),
        ("cell.levels", "[1 uS]", (1e-6,)),
        ("cell.levels", "2x", (2e-6, 4e-6)),
        ("adc.part.supply", "0.9 V", 0.9),
    ],
)
def test_replaced_values(toy: Architecture, query: str, raw: object, value: object) -> None:
    assert resolve(replace(toy, {query: raw}), query).value == pytest.approx(value)


def test_changed_quantities_lose_their_provenance(toy: Architecture) -> None:
    new = cell(replace(toy, {"cell.g_max": "2x", "cell.read_voltage": "0.3 V"}))
    assert (new["g_max"].value, new["g_max"].low, new["g_max"].high) == (50e-6, 40e-6, 60e-6)
    assert (new["g_max"].basis, new["g_max"].source) == ("assumed", "swept")
    assert "measured" in new["g_max"].where
    assert new["read_voltage"].basis == "assumed"
    assert "swept" in new.sources
    assert new["levels"] is cell(toy)["levels"]


def test_factor_one_changes_nothing(toy: Architecture) -> None:
    assert cell(replace(toy, {"cell.g_max": "1x"})) is cell(toy)


def test_curves_scale_and_are_replaced_by_constants(toy: Architecture) -> None:
    u = np.linspace(0, 1, 5)
    old, half = (cell(a).value("noise") for a in (toy, replace(toy, {"cell.noise": "0.5x"})))
    np.testing.assert_allclose(half(u), 0.5 * old(u), rtol=1e-15)
    assert not cell(replace(toy, {"cell.noise": "0x"})).value("noise")(u).any()
    np.testing.assert_array_equal(cell(replace(toy, {"cell.noise": "3 uS"})).value("noise")(u), [3e-6] * 5)


def test_part_is_exchanged_before_its_quantities_change(toy: Architecture, tmp_path: Path) -> None:
    (tmp_path / "adc-b.yaml").write_text(ADC.replace("adc-a", "adc-b").replace("1.56 pJ", "3 pJ"))
    new = replace(toy, {"adc.energy": "2x", "adc.part": "adc-b"})
    part = new.chip["tile"]["core"]["adc"].part
    assert part is not None
    assert (part.name, part.value("energy")) == ("adc-b", 6e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"adc.bits": 99}, ["adc.bits", "99 is above the highest legal value 16"]),
        ({"adc.bits": "6.5"}, ["whole number, got 6.5"]),
        ({"adc.bits": "0.3x"}, ["is not whole"]),
        ({"adc.bits": True}, ["whole number, got true"]),
        ({"core.clock": 1e8}, ["has no unit"]),
        ({"core.clock": "1 V"}, ["expected a frequency (Hz), got a voltage"]),
        ({"core.coding": "morse"}, ["'morse' is not a choice"]),
        ({"core.coding": "2x"}, ["'2x' is not a choice"]),
        ({"core.signed": "2x"}, ["cannot be scaled"]),
        ({"core.width": "2x"}, ["has no value and cannot be scaled"]),
        ({"core.span": "[1"}, ["not valid YAML"]),
        ({"cell.g_max": "1000x"}, ["25 mS is above the highest legal value 10 mS"]),
        ({"cell.g_max": "-1x"}, ["-25 uS is below"]),
        ({"cell.g_max": 3}, ["3 has no unit"]),
        ({"cell.levels": "1 uS"}, ["expected a list"]),
        ({"adc.part.supply": "2x"}, ["has no value and cannot be scaled"]),
        ({"cell.part": "adc-a"}, ["is a toyadc, not a toycell"]),
        ({"cell.part": "cell-q"}, ["no datasheet 'cell-q'"]),
        ({"cell.part": 3}, ["name of a datasheet, got 3"]),
        ({"tile.count": 0}, ["0 is below the lowest legal value 1"]),
        ({"adc.bits": 9}, ["needs a longer word than 8", "after changing adc.bits"]),
        ({"adc.bits": 6, "core.adc.bits": 7}, ["are the same parameter"]),
        ({"adc.bits": 99, "core.clock": "1 V", "nowhere.at": 1}, ["no parameter 'nowhere.at'"]),
        ({"adc.bits": 99, "core.clock": "1 V"}, ["99 is above", "got a voltage"]),
    ],
)
def test_replace_refuses(toy: Architecture, changes: dict[str, object], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        replace(toy, changes)
    assert all(word in str(caught.value) for word in words)
    assert all(p.hint for p in caught.value.problems)


def test_nothing_to_change_gives_the_same_tree(toy: Architecture) -> None:
    assert replace(toy, {}).chip is toy.chip


@pytest.mark.parametrize(
    ("raw", "factor"),
    [("0.5x", 0.5), (" 2 x ", 2.0), ("1e-3x", 1e-3), ("2×", 2.0), ("2", None), ("xx", None), (2, None)],
)
def test_factors(raw: object, factor: float | None) -> None:
    assert factor_of(raw) == factor
