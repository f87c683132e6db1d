"""Parts move with their supply by the law of their datasheet, within its range, on every way a user takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuromorph.costing.area import chip_area
from neuromorph.errors import InputError
from neuromorph.hardware.architecture import read_architecture
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.datasheet import read_datasheet
from neuromorph.hardware.paths import replace, resolve
from neuromorph.yamlfile import parse_yaml

PART = """
schema: 1
kind: adc
name: moving-adc
sources: {paper: {citation: "A paper"}}
supply: {reference: 0.8 V, low: 0.6 V, high: 1 V, energy: {power: [1, 2]}, static: {power: [2, 3]},
  rate: {polynomial: [-0.4, 1]}, basis: derived, source: paper, where: "Fig. 1"}
quantities:
  energy_per_conversion: {value: 2 pJ, low: 1 pJ, basis: measured, source: paper, where: T1}
  sample_rate: {value: 1 GHz, basis: measured, source: paper, where: T1}
  count_period: {value: 1 ns, basis: measured, source: paper, where: T1}
  leakage: {value: 1 mW, basis: measured, source: paper, where: T1}
  area: {value: 100 um2, basis: measured, source: paper, where: T1}
"""
CHIP = """
schema: 1
name: small
boundary: chip
chip:
  tile:
    core:
      kind: crossbar
      array: {rows: 8, columns: 8, cell: {part: reram-exact}}
      dac: {bits: 8}
      adc: {part: moving-adc, bits: 8%s}
"""
V = 0.7


def small(folder: Path, more: str = "", part: str = PART) -> Architecture:
    (folder / "devices" / "adc").mkdir(parents=True, exist_ok=True)
    (folder / "devices" / "adc" / "moving-adc.yaml").write_text(part)
    (folder / "small.yaml").write_text(
        (CHIP % more).replace("part: moving-adc", f"part: {folder}/devices/adc/moving-adc.yaml")
    )
    return read_architecture(folder / "small.yaml")


@pytest.mark.parametrize("how", ["file", "path", "factor"])
def test_figures_move_by_their_laws(tmp_path: Path, how: str) -> None:
    chip = small(tmp_path, f", supply: {V} V" if how == "file" else "")
    if how != "file":
        chip = replace(chip, {"core.adc.supply": f"{V} V" if how == "path" else f"{V / 0.8}x"})
    adc = chip.chip["tile"]["core"]["adc"]
    assert resolve(chip, "adc.supply").value == pytest.approx(V)
    square, cube, speed = (V / 0.8) ** 2, (V / 0.8) ** 3, (V - 0.4) / 0.4
    energy = adc.part["energy_per_conversion"]
    assert (energy.value, energy.low) == (pytest.approx(2e-12 * square), pytest.approx(1e-12 * square))
    assert energy.basis == "derived"
    assert "Fig. 1" in energy.where
    assert adc.part["leakage"].value == pytest.approx(1e-3 * cube)
    assert adc.part["sample_rate"].value == pytest.approx(1e9 * speed)
    assert adc.part["count_period"].value == pytest.approx(1e-9 / speed)
    assert adc.part["area"].value == pytest.approx(1e-10)
    assert adc.kind.costs(adc)["conversion"].energy_j == pytest.approx(2e-12 * square)
    assert chip_area(chip).leakage_w == pytest.approx(1e-3 * cube)


def test_there_and_back_is_where_it_was(tmp_path: Path) -> None:
    chip = small(tmp_path)
    there = replace(chip, {"adc.supply": "1 V"})
    back = replace(there, {"adc.supply": "0.8 V"}).chip["tile"]["core"]["adc"].part
    assert back["energy_per_conversion"].value == pytest.approx(2e-12)
    unmoved = replace(chip, {"adc.supply": "0.8 V"}).chip["tile"]["core"]["adc"].part
    assert unmoved["energy_per_conversion"].basis == "measured"


def test_quantities_replaced_beside_a_supply_hold_at_it(tmp_path: Path) -> None:
    chip = replace(small(tmp_path), {"adc.supply": "0.6 V", "adc.energy_per_conversion": "3 pJ"})
    assert chip.chip["tile"]["core"]["adc"].part.value("energy_per_conversion") == 3e-12


def test_a_law_left_out_is_said(tmp_path: Path) -> None:
    part = (
        small(tmp_path, ", supply: 0.6 V", PART.replace(", static: {power: [2, 3]}", ""))
        .chip["tile"]["core"]["adc"]
        .part
    )
    assert part.value("leakage") == 1e-3
    assert part["leakage"].basis == "assumed"
    assert "not modelled" in part["leakage"].where


@pytest.mark.parametrize("volts", ["0.59 V", "1.01 V"])
def test_supplies_outside_the_range_are_refused_with_it(tmp_path: Path, volts: str) -> None:
    for attempt in (
        lambda: small(tmp_path, f", supply: {volts}"),
        lambda: replace(small(tmp_path), {"adc.supply": volts}),
    ):
        with pytest.raises(InputError, match=r"outside the range of its figures, 600 mV to 1 V"):
            attempt()


def test_parts_without_a_range_take_no_supply(tmp_path: Path) -> None:
    bare = PART[: PART.index("supply:")] + PART[PART.index("quantities:") :]
    with pytest.raises(InputError, match="states no supply range"):
        small(tmp_path, ", supply: 0.8 V", bare)
    with pytest.raises(InputError, match="no parameter"):
        replace(small(tmp_path, "", bare), {"adc.supply": "0.8 V"})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("low: 0.6 V", "low: 0.9 V", "do not rise"),
        ("energy: {power: [1, 2]}", "energy: {polynomial: [-0.7, 1]}", "not positive"),
        ("energy: {power: [1, 2]}", "energy: {cubic: 2}", "cubic"),
        ('source: paper, where: "Fig. 1"', "source: other, where: x", "other"),
        ("basis: derived, source", "basis: guessed, source", "guessed"),
        ("reference: 0.8 V, ", "", "reference"),
    ],
)
def test_blocks_that_contradict_themselves(old: str, new: str, words: str) -> None:
    assert old in PART
    with pytest.raises(InputError, match=words):
        read_datasheet(parse_yaml(PART.replace(old, new, 1), "moving-adc.yaml"))
