"""Every architecture that hosts layers has the parts that its ledger's actions need at once."""

from __future__ import annotations

import pytest
from emulated import NETWORKS, Graph, Node, dense, placed, rng

from neuromorph.costing.ledger import price
from neuromorph.devices.layered.core import Assumption, core_kind, core_of
from neuromorph.devices.layered.crossbar.geometry import geometry_of
from neuromorph.devices.layered.place.placement import place
from neuromorph.devices.layered.tally.counts import assume
from neuromorph.hardware import catalog
from neuromorph.hardware.paths import replace
from neuromorph.hardware.pricing import peak_power
from neuromorph.run import run

SINGLE = ("conversion", "count", "sample", "add")

LAYERED = [n for n in catalog.architecture_names() if catalog.load_architecture(n).chip.kind.name == "chip"]
CROSSBARS = [n for n in LAYERED if core_of(catalog.load_architecture(n)).kind.name == "crossbar"]


@pytest.mark.parametrize("name", LAYERED)
def test_shipped_architectures_lack_nothing(name: str) -> None:
    unit = core_of(catalog.load_architecture(name))
    assert core_kind(unit.kind.name).shortages(unit) == ()


@pytest.mark.parametrize("name", CROSSBARS)
def test_no_part_of_a_full_core_draws_more_than_all_of_them_can(name: str) -> None:
    """Energy of a layer that fills a core over the time it works, against the peak power of the parts there are."""
    architecture = catalog.load_architecture(name)
    unit = core_of(architecture)
    g = geometry_of(unit)
    shape = (int(g.weight_columns) * unit["array"].count, int(g.weight_rows))
    graph = Graph("full", {"x": shape[1:]}, (Node("fc", dense.Linear(rng(0).normal(size=shape)), ("x",)),), ("fc",))
    placement = place(graph, architecture, effort="none", duplicate=False)
    activity, layout = assume(placement, Assumption(1.0)), placement.layouts["fc"]
    assert (layout.cores, layout.arrays) == (1, unit["array"].count)
    time_s = layout.kind.occupancy(layout, activity.statistics["fc"]).service_s
    rows = list(price(activity, architecture))
    for child in unit.parts.values():
        peak = peak_power(child)
        spent = [
            r.energy_j for r in rows if r.component == child.path and r.action in SINGLE and r.energy_j is not None
        ]
        if peak is not None and len(spent) == 1:  # parts with several actions have several powers
            assert spent[0] / time_s <= child.count * peak.value * (1 + 1e-5), child.path


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
