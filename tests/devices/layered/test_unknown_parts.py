"""What a price or a time depends on and does not know is not modelled, by name: never free, never immediate."""

from __future__ import annotations

from pathlib import Path

import pytest
from emulated import mlp

import neuromorph as nm
from neuromorph.hardware import catalog
from neuromorph.hardware.paths import replace

ARCHITECTURES = Path(__file__).parents[3] / "architectures"
LINES = {
    "buffer": ("    buffer: {part: sram-14nm", "chip.tile.buffer"),
    "router": ("    router: {part: isaac-router}", "chip.tile.router"),
    "link": ("  link: {part: link-low-swing", "chip.link"),
}


def written(tmp_path: Path, text: str):
    file = tmp_path / "own.yaml"
    file.write_text(text)
    return catalog.load_architecture(str(file))


@pytest.mark.parametrize("name", LINES)
def test_an_absent_component_is_listed(name: str, tmp_path: Path) -> None:
    text = (ARCHITECTURES / "hermes-like.yaml").read_text()
    start, path = LINES[name]
    assert start in text
    lean = "\n".join(line for line in text.split("\n") if not line.startswith(start))
    assert f"{path}: none in the architecture" in nm.run(mlp(), written(tmp_path, lean)).unmodelled
    assert not any("none in the architecture" in m for m in nm.run(mlp(), written(tmp_path, text)).unmodelled)


OWN = """schema: 1
kind: adc
name: own-adc
title: An own converter
quantities:
  energy_per_conversion: {value: 2 pJ, basis: assumed}
"""


def own_converter(tmp_path: Path):
    (tmp_path / "own-adc.yaml").write_text(OWN)
    text = (ARCHITECTURES / "isaac-like.yaml").read_text()
    return written(tmp_path, text.replace("{part: isaac-adc, count: 8", "{part: ./own-adc.yaml, count: 8"))


def test_a_converter_without_a_rate_has_no_time_of_its_own(tmp_path: Path) -> None:
    own = nm.run(mlp(), own_converter(tmp_path))
    assert "chip.tile.core.adc: duration of a conversion" in own.unmodelled
    shipped = nm.run(mlp(), catalog.load_architecture("isaac-like"))
    assert not any("duration of a conversion" in m for m in shipped.unmodelled)


def test_the_bits_beside_an_energy_are_its_reference(tmp_path: Path) -> None:
    def energy(architecture) -> float:
        adc = architecture.chip["tile"]["core"]["adc"]
        return float(adc.kind.costs(adc)["conversion"].energy_j)

    architecture = own_converter(tmp_path)
    assert energy(architecture) == 2e-12
    few, many = (energy(replace(architecture, {"core.adc.bits": bits})) for bits in (3, 12))
    assert few < 2e-12 < many
