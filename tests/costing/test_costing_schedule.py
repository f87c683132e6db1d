"""Timelines of real placements: both engines alike, single layers and copies by hand, what sets the pace."""

from __future__ import annotations

import math

import numpy as np
import pytest
from emulated import NETWORKS, SHIPPED, Graph, Node, altered, core_of, dense, placed, rng, shipped

from neuromorph.devices.layered.core import core_kind
from neuromorph.devices.layered.place.placement import Placement
from neuromorph.devices.layered.tally.counts import assume
from neuromorph.devices.layered.tally.times import Schedule, schedule
from neuromorph.graph.model import Window
from neuromorph.graph.operators.convolution import Conv2d


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("network", ["mlp", "lenet", "residual", "gru"])
def test_event_simulation_equals_the_recursion(name: str, network: str) -> None:
    placement = placed(NETWORKS[network](), shipped(name))
    activity = assume(placement)
    fast, slow = (schedule(placement, activity, samples=4, engine=e) for e in ("recursion", "simpy"))
    assert fast.latency_s == pytest.approx(slow.latency_s, rel=1e-9, abs=1e-18)
    assert fast.interval_s == pytest.approx(slow.interval_s, rel=1e-9, abs=1e-18)
    assert np.allclose(fast.timeline.latency_s, slow.timeline.latency_s, rtol=1e-9, atol=0)
    assert fast.bottleneck == slow.bottleneck


def one(graph: Graph, name: str = "isaac-like", copies: int = 1, **changes: object) -> tuple[Schedule, Placement]:
    architecture = altered(name, {f"chip.tile.{k.replace('__', '.')}": v for k, v in changes.items()})
    placement = placed(graph, architecture, copies={graph.nodes[0].name: copies})
    return schedule(placement, assume(placement)), placement


def linear() -> Graph:
    layer = dense.Linear(rng(0).normal(size=(10, 100)))
    return Graph("one", {"x": (100,)}, (Node("fc", layer, ("x",)),), ("fc",))


def conv() -> Graph:
    layer = Conv2d(rng(1).normal(size=(4, 3, 3, 3)), window=Window((3, 3)))
    return Graph("one", {"x": (3, 10, 10)}, (Node("conv", layer, ("x",)),), ("conv",))


def test_latency_of_a_single_dense_layer() -> None:
    """ISAAC: 16 bits of 100 ns, 22 cycles until the result is there, one router on the way in."""
    found, _ = one(linear())
    assert found.latency_s == pytest.approx(22 * 100e-9 + 3.65e-9)
    assert found.interval_s == pytest.approx(1.6e-6)
    assert found.throughput_hz == pytest.approx(1 / 1.6e-6)
    assert found.bottleneck == "fc"
    assert found.unmodelled == ()


def test_latency_of_a_single_convolution() -> None:
    """64 window positions one after the other on one copy; two copies share them."""
    first, _ = one(conv())
    assert first.interval_s == pytest.approx(64 * 1.6e-6)
    assert first.latency_s == pytest.approx(64 * 1.6e-6 + 600e-9 + 3.65e-9)
    for copies in (2, 4, 3):
        found, placement = one(conv(), copies=copies)
        assert placement.copies["conv"] == copies
        assert found.interval_s == pytest.approx(math.ceil(64 / copies) * 1.6e-6)


def test_a_slower_part_of_a_step_sets_its_pace() -> None:
    """Read, drivers, held samples and converters overlap: the slowest of them counts, or a sum where told so."""
    base, _ = one(linear())
    assert base.interval_s == pytest.approx(1.6e-6)
    slow_dac, _ = one(linear(), core__dac__sample_rate="5 MHz")
    assert slow_dac.interval_s == pytest.approx(16 * 200e-9)
    slow_hold, _ = one(linear(), core__sample_hold__sample_rate="4 MHz")
    assert slow_hold.interval_s == pytest.approx(16 * 250e-9)
    read, _ = one(linear(), core__array__cell__read_time="300 ns")
    assert read.interval_s == pytest.approx(16 * 300e-9)
    # 10 outputs x 8 slices + 1 reference on one converter
    adc, _ = one(linear(), core__adc__count=1, core__adc__sample_rate="0.5 GHz")
    assert adc.interval_s == pytest.approx(16 * 81 * 2e-9)
    both, _ = one(linear(), core__adc__count=1, core__adc__sample_rate="0.5 GHz", core__conversion="sequential")
    assert both.interval_s == pytest.approx(16 * (81 * 2e-9 + 100e-9))
    adder, _ = one(linear(), core__adder__count=1, core__adder__operation_rate="0.2 GHz")
    assert adder.interval_s == pytest.approx(16 * 81 * 5e-9)


def test_a_slow_memory_or_bus_holds_its_layer_up() -> None:
    """Values into and out of a layer pass its tile's buffer and bus: 100 of 16 bits and 10 sums of 15."""
    buffer, _ = one(linear(), buffer__bandwidth="0.1 Gbit/s")
    assert buffer.interval_s == pytest.approx(100 * 16 / 0.1e9)
    bus, _ = one(linear(), bus__bandwidth="0.1 Gbit/s")
    assert bus.interval_s == pytest.approx((100 * 16 + 10 * 15) / 0.1e9)
    register, _ = one(linear(), core__input_buffer__bandwidth="0.1 Gbit/s")
    assert register.interval_s == pytest.approx(100 * 16 / 0.1e9)


def test_elementwise_layers_take_their_vector_units() -> None:
    """A rectifier of 9 values on one lane of 10 kHz is slower than its dense layers."""
    graph = NETWORKS["mlp"]()
    placement = placed(graph, altered("hermes-like", {"chip.tile.vector_unit.operation_rate": "10 kHz",
                                                      "chip.tile.vector_unit.lanes": 2}))  # fmt: skip
    found = schedule(placement, assume(placement))
    assert found.interval_s == pytest.approx(9 / 2 / 10e3)


def test_digital_layers_on_one_core_take_turns() -> None:
    """The chip's memory holds all layers, few cores compute them: their services add up on a shared core."""
    graph = NETWORKS["mlp"]()
    architecture = altered("digital-int8", {"chip.tile.count": 1, "chip.columns": 1})
    placement = placed(graph, architecture)
    activity = assume(placement)
    found = schedule(placement, activity)
    kind = core_kind("digital")
    total = 0.0
    for layout in placement.layouts.values():
        o = kind.occupancy(layout, activity.statistics[layout.group.name])
        total += o.service_s * o.products
    assert found.interval_s >= total * (1 - 1e-9)


def test_distance_costs_time() -> None:
    """The router's latency is paid for each hop between tiles."""
    graph = NETWORKS["mlp"](sizes=(40, 40, 40))
    small = {"chip.tile.core.array.rows": 16, "chip.tile.core.array.columns": 16}
    times = []
    for latency in ("0 s", "1 us"):
        placement = placed(graph, altered("hermes-like", small | {"chip.tile.router.latency": latency}))
        times.append(schedule(placement, assume(placement)).latency_s)
    assert times[1] - times[0] > 1e-6


@pytest.mark.parametrize("name", SHIPPED)
def test_a_wholly_pruned_layer_costs_no_core_time(name: str) -> None:
    """All its tiles are left out: no product, no energy in the cores, and nothing unknown about it."""
    weight = rng(2).normal(size=(5, 9))
    nodes = (
        Node("gone", dense.Linear(weight, np.ones(5), mask=np.zeros(weight.shape, bool)), ("x",)),
        Node("fc", dense.Linear(rng(3).normal(size=(4, 5))), ("gone",)),
    )
    architecture = shipped(name)
    placement = placed(Graph("pruned", {"x": (9,)}, nodes, ("fc",)), architecture)
    activity = assume(placement)
    occupancy = core_kind(core_of(architecture).kind.name).occupancy(
        placement.layouts["gone"], activity.statistics["gone"]
    )
    assert occupancy.service_s == 0
    assert [u for u in schedule(placement, activity).unmodelled if "none in the architecture" not in u] == []
    assert all(r.mean == 0 for r in activity if r.node == "gone" and r.path.startswith("chip.tile.core."))
