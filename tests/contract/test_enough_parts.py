"""Every architecture that hosts layers has the parts that its ledger's actions need at once."""

from __future__ import annotations

import pytest
from emulated import NETWORKS, placed
from neuromorph.devices.layered.crossbar.validate import full_product

from neuromorph.devices.layered.core import core_kind, core_of
from neuromorph.devices.parts.pricing import peak_power
from neuromorph.hardware import catalog
from neuromorph.hardware.paths import replace
from neuromorph.run import run

LAYERED = [n for n in catalog.architecture_names() if catalog.load_architecture(n).chip.kind.name == "chip"]
CROSSBARS = [n for n in LAYERED if core_of(catalog.load_architecture(n)).kind.name == "crossbar"]


@pytest.mark.parametrize("name", LAYERED)
def test_shipped_architectures_lack_nothing(name: str) -> None:
    unit = core_of(catalog.load_architecture(name))
    assert core_kind(unit.kind.name).shortages(unit) == ()


@pytest.mark.parametrize("name", CROSSBARS)
def test_no_part_of_a_full_core_draws_more_than_all_of_them_can(name: str) -> None:
    """Energy of a product that fills the core over its time, against the peak power of the parts that there are."""
    unit = core_of(catalog.load_architecture(name))
    product = full_product(unit, 1.0, 1.0)
    for child in unit.parts.values():
        peak, own = peak_power(child), child.path.rsplit(".", 1)[-1]
        spent = [energy for action, energy in product.energies_j.items() if action.split(".")[0] == own]
        if peak is not None and len(spent) == 1:  # parts with several actions have several powers
            assert spent[0] / product.time_s <= child.count * peak.value * (1 + 1e-5), child.path


@pytest.mark.parametrize("name", CROSSBARS)
@pytest.mark.parametrize("part", ["dac", "sample_hold"])
def test_too_few_parts_are_told(name: str, part: str) -> None:
    architecture = catalog.load_architecture(name)
    if core_of(architecture).get(part) is None:
        return
    few = replace(architecture, {f"core.{part}.count": core_of(architecture)[part].count - 1})
    graph = NETWORKS["mlp"]()
    report = run(graph, few, placement=placed(graph, few))
    assert any(f"core.{part}: " in note and "set the count to" in note for note in report.notes)
    assert not any("set the count to" in n for n in run(graph, architecture).notes)
