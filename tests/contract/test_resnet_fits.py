"""ResNet-18 on every architecture that hosts layers: where one chip is too small, the refusal says how many do."""

from __future__ import annotations

import math
import re
from functools import cache

import numpy as np
import pytest
from emulated import NETWORKS, SHIPPED

from benchmarks.bench_mapping import resnet18
from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.devices.layered.place.flows import OUTSIDE
from neuromorph.devices.layered.place.placement import Placement, place
from neuromorph.devices.layered.tally.counts import assume
from neuromorph.devices.layered.tally.times import pipeline_of, schedule
from neuromorph.errors import FitError
from neuromorph.graph.model import Graph
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.paths import replace
from neuromorph.timeline import simulate

network = cache(resnet18)


FEW = {"chip.tile.count": 3, "core.count": 1, "array.count": 2, "array.rows": 16, "array.columns": 32}
"""Small chips, of which LeNet-5 needs several."""


def put(graph: Graph, architecture: Architecture) -> Placement:
    digital = architecture.name == "digital-int8"  # small buffers: copies share out what waits in them
    return place(graph, architecture, effort="none", duplicate=digital)


def enough(name: str) -> tuple[Architecture, int]:
    """The architecture with as many chips as the refusal of one asks for."""
    base = load_architecture(name)
    try:
        put(network(), base)
    except FitError as error:
        chips = int(re.search(r"chip\.chips: (\d+)", str(error))[1])
        with pytest.raises(FitError, match=rf"chip\.chips: {chips}\b"):
            put(network(), replace(base, {"chip.chips": chips - 1}))
        return replace(base, {"chip.chips": chips}), chips
    return base, 1


@pytest.mark.parametrize("name", SHIPPED)
def test_resnet_fits_enough_chips_and_is_priced(name: str) -> None:
    architecture, chips = enough(name)
    placement = put(network(), architecture)
    activity = assume(placement)
    found = schedule(placement, activity)
    ledger = price(activity, architecture, found.interval_s)
    each = placement.chip.tiles // chips
    assert placement.chip.tiles == chips * load_architecture(name).chip["tile"].count
    assert np.unique(placement.tile_of_shard // each).size == chips
    assert 0 < found.interval_s <= found.latency_s
    assert math.isclose(ledger.total_j, math.fsum(r.energy_j for r in ledger if r.energy_j is not None))
    macs = sum(r.count for r in ledger if r.action == "mac")
    assert not macs or math.isclose(macs, network().macs)
    if chips > 1 and architecture.chip.get("io") is None:
        assert "chip.io: none in the architecture" in found.unmodelled


@pytest.mark.parametrize("topology", ["mesh", "torus", "bus"])
def test_what_passes_from_chip_to_chip_passes_two_interfaces_instead_of_a_link(topology: str) -> None:
    base = replace(load_architecture("isaac-like"), {
        **FEW, "chip.topology": topology, "chip.chips": 12, "chip.io.energy_per_bit": "1 pJ/bit",
    })  # fmt: skip
    placement = put(NETWORKS["lenet"](), base)
    activity, flows = assume(placement), placement.flows
    rows = {part: sum(r.mean for r in activity if r.path == f"chip.{part}") for part in ("io", "link")}
    outside = (flows.source == OUTSIDE) | (flows.target == OUTSIDE)
    crossed = 0.0  # walked flow by flow, where the product goes by numbers of chips
    for s, t, bits, hops in zip(flows.source, flows.target, flows.bits, placement.hops, strict=True):
        if OUTSIDE not in (s, t):
            a, b = s // 3, t // 3
            steps = min((b - a) % 12, (a - b) % 12) if topology == "torus" else abs(a - b)
            crossed += bits * min(steps, hops)
    assert crossed > 0
    assert rows["io"] == pytest.approx(flows.bits[outside].sum() + 2 * crossed)
    assert rows["link"] == pytest.approx(placement.bit_hops - crossed)


def test_several_chips_have_several_times_the_area_and_static_power() -> None:
    one = load_architecture("isaac-like")
    three = replace(one, {"chip.chips": 3})
    assert chip_area(three).total_m2 == pytest.approx(3 * chip_area(one).total_m2)
    assert chip_area(three).leakage_w == pytest.approx(3 * chip_area(one).leakage_w)
    placement = put(NETWORKS["lenet"](), three)
    static = [r for r in price(assume(placement), three, 1e-3) if r.component == "chip.io" and r.action == "leakage"]
    assert [r.energy_j for r in static] == pytest.approx([3 * 10.4 * 1e-3])


def test_a_slow_interface_between_chips_sets_the_pace_in_both_engines() -> None:
    base = replace(load_architecture("isaac-like"), {**FEW, "chip.chips": 12})
    slow = replace(base, {"chip.io.bandwidth": "100 kB/s", "chip.io.latency": "1 us"})
    placement = put(NETWORKS["lenet"](), slow)
    activity = assume(placement)
    fast, found = (schedule(put(NETWORKS["lenet"](), a), activity).interval_s for a in (base, slow))
    flows, each = placement.flows, 3
    apart = np.abs(flows.source // each - flows.target // each)
    crossing = (flows.source != OUTSIDE) & (flows.target != OUTSIDE) & (apart > 0)
    outside = (flows.source == OUTSIDE) | (flows.target == OUTSIDE)
    most = max(
        float((flows.bits * apart)[crossing & (flows.node == k)].sum() + flows.bits[outside & (flows.node == k)].sum())
        for k in range(len(placement.graph.nodes))
    )
    assert crossing.any()
    assert fast < found
    assert found == pytest.approx(most / 800e3, rel=1e-6)
    pipeline, _ = pipeline_of(placement, activity)
    times = [simulate(pipeline, 2, engine=engine).latency_s for engine in ("recursion", "simpy")]
    np.testing.assert_allclose(times[0], times[1], rtol=1e-9)
