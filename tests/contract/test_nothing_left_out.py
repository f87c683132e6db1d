"""Tests loop over all kinds, parts, architectures and examples; what none reaches stands here with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuromorph.devices.layered.core import core_kinds
from neuromorph.devices.protocol import kinds
from neuromorph.hardware.catalog import architecture_names, datasheet_names, find, load_architecture
from neuromorph.hardware.registry import admitted, component_kinds

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "examples"

WITHOUT_DATASHEET = {
    "chip": "structure", "tile": "structure", "crossbar": "structure", "digital": "structure",
    "manycore": "structure", "manycore_tile": "structure",
    "cryostat": "waits for hardware in the cold; its ledger rows are tested in tests/costing",
}  # fmt: skip
"""Kinds of components that no datasheet is for."""

ON_NO_CHIP = {
    "arithmetic": "prices of operations of networks, for accountings",
    "cryostat": "waits for hardware in the cold; its ledger rows are tested in tests/costing",
}
"""Kinds of components that no architecture holds."""

RERUN = {
    "accounting": "examples/spiking/test_spiking_examples.py",
    "hippocampus": "systems/test_systems_recorded.py",
    "learning": "examples/spiking/test_spiking_examples.py",
    "legendre": "examples/spiking/test_spiking_examples.py",
    "maxcut": "systems/test_systems_gset_table.py",
    "mnist": "examples/mnist/mnist_example.py",
    "mnist_snn": "spiking/convert/test_convert_shipped.py",
    "network_on_chip": "examples/spiking/test_spiking_examples.py",
    "neurons": "examples/spiking/test_spiking_examples.py",
    "nir": "examples/spiking/test_nir_example.py",
    "nmnist": "spiking/convert/test_convert_shipped.py",
    "scale": "systems/test_systems_recorded.py",
    "spoken_digits": "spiking/convert/test_convert_shipped.py",
    "transformers": "examples/transformers/test_transformers_shipped.py",
}
"""Where each example is run again."""


def held() -> dict[str, set[str]]:
    """Kinds of components by the shipped architecture that holds them."""
    return {n: {c.kind.name for c, _ in load_architecture(n).chip.walk()} for n in architecture_names()}


def test_every_kind_of_component_is_on_a_shipped_architecture() -> None:
    assert set().union(*held().values()) == set(component_kinds()) - set(ON_NO_CHIP)


def test_every_kind_of_component_has_a_datasheet() -> None:
    sheets = {find(n, "devices").parent.name for n in datasheet_names()}
    assert sheets == set(component_kinds()) - set(WITHOUT_DATASHEET)


def test_every_kind_of_hardware_and_of_core_has_a_shipped_architecture() -> None:
    roots = {load_architecture(n).chip.kind.name for n in architecture_names()}
    assert roots == set(kinds())
    assert set(core_kinds()) <= set().union(*held().values())


def test_every_kind_of_component_is_held_by_a_root_whose_parameters_are_walked() -> None:
    """tests/contract/test_parameters.py walks below "chip", tests/devices/manycore/hardware below "manycore"."""
    below = ["chip", "manycore"]
    assert set(below) == set(kinds())
    for name in below:
        below += [k for slot in component_kinds()[name].slots.values() for k in admitted(slot) if k not in below]
    assert set(below) == set(component_kinds()) - set(ON_NO_CHIP)


def test_every_example_is_run_again_by_a_test() -> None:
    assert {p.name for p in EXAMPLES.iterdir() if p.is_dir() and p.name != "__pycache__"} == set(RERUN)


@pytest.mark.parametrize("folder", RERUN)
def test_the_test_of_an_example_names_it(folder: str) -> None:
    text = (TESTS / RERUN[folder]).read_text(encoding="utf-8")
    assert f'"{folder}"' in text or f"examples/{folder}/" in text
