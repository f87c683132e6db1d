"""What a memory or a bus hands on is what the next one receives, on every architecture that hosts layers."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from emulated import NETWORKS, placed

from neuromorph.devices.layered.core import CORE_FAMILY
from neuromorph.devices.layered.place.flows import OUTSIDE
from neuromorph.devices.layered.place.placement import Placement, place
from neuromorph.devices.layered.tally.counts import assume
from neuromorph.errors import InputError
from neuromorph.hardware import catalog
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.paths import replace

LAYERED = [
    name
    for name in catalog.architecture_names()
    if (chip := catalog.load_architecture(name).chip).kind.name == "chip"
    and chip["tile"]["core"].kind.family == CORE_FAMILY
]


def bits_by_node(placement: Placement) -> dict[str, dict[tuple[str, str], float]]:
    """By node: bits by (part of the tile or the core, action)."""
    found: dict[str, dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
    for row in assume(placement):
        part = row.path.rsplit(".", 1)[-1]
        if row.action.endswith("_bit"):
            found[row.node][part if ".core." not in row.path else f"core.{part}", row.action] += row.mean
    return found


def conserved(placement: Placement) -> None:
    chip, graph, flows = placement.architecture.chip, placement.graph, placement.flows
    tile = chip["tile"]
    core, found = tile["core"], bits_by_node(placement)
    statistics = assume(placement).statistics
    outside = (flows.source == OUTSIDE) | (flows.target == OUTSIDE)
    between = ~outside & (flows.source != flows.target)
    for index, node in enumerate(graph.nodes):
        own, mine = found[node.name], flows.node == index
        sent = float(flows.bits[mine & between & ~flows.partial].sum())
        arrived = float(flows.bits[mine & outside].sum())
        leaving = float(flows.bits[flows.node == len(graph.nodes)].sum()) if node.name == graph.outputs[0] else 0.0
        if chip.get("io") is not None:
            assert own["io", "transfer_bit"] == pytest.approx(arrived + leaving)
        if node.name not in placement.layouts:
            continue
        layout = placement.layouts[node.name]
        passed = layout.kind.handover(layout, statistics[node.name])
        assert own["buffer", "read_bit"] == pytest.approx(passed.fetched + sent + leaving)
        if tile.get("bus") is not None:
            assert own["bus", "transfer_bit"] == pytest.approx(passed.fetched + passed.given)
        if core.get("input_buffer") is not None:
            assert own["core.input_buffer", "write_bit"] == pytest.approx(passed.fetched)
            assert own["core.input_buffer", "read_bit"] >= passed.fetched * (1 - 1e-12)
        if core.get("output_buffer") is not None:
            assert own["core.output_buffer", "read_bit"] == own["core.output_buffer", "write_bit"]
            assert own["core.output_buffer", "read_bit"] >= passed.given * (1 - 1e-12)
        if tile.get("output_register") is not None:
            assert own["output_register", "read_bit"] == own["output_register", "write_bit"]
    stored = sum(own["buffer", "write_bit"] for own in found.values())
    assert stored >= float(flows.bits[(flows.source == OUTSIDE) | between & ~flows.partial].sum()) * (1 - 1e-12)


def windows(architecture: Architecture) -> list[Architecture]:
    """The architecture with either choice, where it has a buffer to hold windows in."""
    core = architecture.chip["tile"]["core"]
    if core.get("input_buffer") is None:
        with pytest.raises(InputError, match="input_buffer"):
            replace(architecture, {"core.windows": "held"})
        return [architecture]
    return [replace(architecture, {"core.windows": choice}) for choice in ("reread", "held")]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", LAYERED)
def test_bits_are_conserved(name: str, network: str) -> None:
    for architecture in windows(catalog.load_architecture(name)):
        conserved(placed(NETWORKS[network](), architecture))


@pytest.mark.parametrize("name", LAYERED)
def test_copies_conserve_bits(name: str) -> None:
    conserved(place(NETWORKS["lenet"](), catalog.load_architecture(name), effort="none"))


def test_windows_that_do_not_fit_the_buffer_are_fetched_anew() -> None:
    graph, base = NETWORKS["lenet"](), catalog.load_architecture("isaac-like")
    fetched = []
    for changes in (
        {"core.windows": "reread"},
        {"core.windows": "held"},
        {"core.windows": "held", "core.input_buffer.capacity": "1 bit"},
    ):
        found = bits_by_node(placed(graph, replace(base, changes)))
        fetched.append([own["core.input_buffer", "write_bit"] for own in found.values()])
    assert fetched[0] == fetched[2]
    first = next(x for x in fetched[1] if x)
    assert first == np.prod(next(iter(graph.input_shapes.values()))) * 16
