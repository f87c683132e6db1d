"""Every row of the ledger of a tiny network on every shipped many-core chip, computed on paper.

2 inputs, 3 hidden neurons and 1 output. Input 0 reaches hidden 0 and 2, input 1 hidden 1 and 2; hidden 0 and 1 reach
the output, hidden 2 reaches nothing. 4 steps: inputs fire 3 times, hidden neurons 2, 1 and 1 times, the output once.

    tile (0, 0)  inputs, where cores make them       tile (1, 0)  hidden 0, 1
                                                     tile (1, 1)  hidden 2; output on the tile's last core

So 3 input spikes make 6 synaptic events, 3 of hidden 0 and 1 make 3. A packet of an input goes to both tiles: copied,
it takes 2 links and 3 routers; singly, 1 link and 2, of which 1 runs down. A hidden one takes a link down.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from manycore_hand import by_hand, fired, linear, projection

from neuromorph.costing.ledger import price
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.place.shapes import HOST
from neuromorph.devices.manycore.tally.counts import gather_network
from neuromorph.devices.manycore.tally.noc import schedule_network
from neuromorph.devices.manycore.tally.spikes import count_traffic
from neuromorph.events.raster import Raster
from neuromorph.hardware.catalog import architecture_names, load_architecture
from neuromorph.spiking.network import Population, SpikingNetwork

TINY = SpikingNetwork(
    "tiny", (Population("in", (2,), "input"), linear("hid", 3), linear("out", 1)),
    (projection("fc0", 0, 1, np.array([[1, 0, 1], [0, 1, 1]])), projection("fc1", 1, 2, np.array([[1], [1], [0]]))),
    (0,), (2,), 1e-3,
)  # fmt: skip
SPIKES = fired((1, 4, 6), {(0, 0): [0, 1], (0, 1): [0, 2], (0, 2): [2, 3, 4], (0, 3): [5]})
STEPS, SECONDS = 4, 4e-3

CORE, ROUTER, LINK, BASE, MEMORY = (
    "chip.tile.core",
    "chip.tile.router",
    "chip.link",
    "chip.tile.base",
    "chip.tile.memory",
)
Rows = Mapping[tuple[str, str, str], float]


def on(name: str) -> CorePlacement:
    architecture = load_architecture(name)
    m = read_machine(architecture)
    k, down = m.cores_per_tile, m.columns + 1
    source = 0 if m.input_source == "core" else HOST
    if m.tiles == 1:
        return by_hand(TINY, architecture, [(0, 0, 2, source), (1, 0, 3, 0), (2, 0, 1, 0)])
    slices = [(0, 0, 2, source), (1, 0, 2, k), (1, 2, 3, down * k), (2, 0, 1, down * k + k - 1)]
    return by_hand(TINY, architecture, slices)


def spinnaker1(chips: int, board_w: float) -> Rows:
    """Working cores draw 34 mW: 0.32 us an update, 0.2 us a synaptic event. A router takes 25 pJ per bit of 40."""
    return {
        ("hid", CORE, "busy"): (3 * 4 * 0.32e-6 + 6 * 0.2e-6) * 34e-3,
        ("out", CORE, "busy"): (1 * 4 * 0.32e-6 + 3 * 0.2e-6) * 34e-3,
        ("in", ROUTER, "transfer_bit"): 3 * 3 * 40 * 25e-12,
        ("hid", ROUTER, "transfer_bit"): 3 * 2 * 40 * 25e-12,
        ("(chip)", BASE, "leakage"): chips * 0.35 * SECONDS,
        ("(chip)", "chip.tile.board", "leakage"): board_w * SECONDS,
    }


def updates(events: float, neurons: int, active_j: float, idle_j: float) -> tuple[float, float]:
    """Energies of updates with and without input, where events fall on neurons and steps at random."""
    idle = neurons * STEPS * np.exp(-events / (neurons * STEPS))
    return (neurons * STEPS - idle) * active_j, idle * idle_j


def loihi_like() -> Rows:
    hid, out = updates(6, 3, 81e-12, 52e-12), updates(3, 1, 81e-12, 52e-12)
    return {
        ("hid", CORE, "update"): hid[0], ("hid", CORE, "idle_update"): hid[1],
        ("out", CORE, "update"): out[0], ("out", CORE, "idle_update"): out[1],
        ("hid", CORE, "synapse"): 6 * 23.6e-12, ("out", CORE, "synapse"): 3 * 23.6e-12,
        ("in", CORE, "receive"): 6 * 1.7e-12, ("hid", CORE, "receive"): 3 * 1.7e-12,
        ("in", LINK, "packet"): 6 * 3e-12, ("in", LINK, "packet_vertical"): 3 * 4e-12,
        ("hid", LINK, "packet_vertical"): 3 * 4e-12, ("(chip)", BASE, "leakage"): 104e-3 * SECONDS,
    }  # fmt: skip


def loihi_sanafe() -> Rows:
    """An update is an access, 51.2 pJ, and 21.6 pJ more; a spike 69.3 pJ and 111 pJ for each message of a core."""
    hid, out = updates(6, 3, 72.8e-12, 51.2e-12), updates(3, 1, 72.8e-12, 51.2e-12)
    return {
        ("hid", CORE, "update"): hid[0], ("hid", CORE, "idle_update"): hid[1],
        ("out", CORE, "update"): out[0], ("out", CORE, "idle_update"): out[1],
        ("hid", CORE, "synapse"): 6 * 33.6e-12, ("out", CORE, "synapse"): 3 * 33.6e-12,
        ("hid", CORE, "spike"): 4 * 69.3e-12, ("out", CORE, "spike"): 69.3e-12,
        ("hid", CORE, "send"): 3 * 111e-12,
        ("in", LINK, "packet"): 6 * 3e-12, ("in", LINK, "packet_vertical"): 3 * 4.2e-12,
        ("hid", LINK, "packet_vertical"): 3 * 4.2e-12, ("(chip)", BASE, "leakage"): 104e-3 * SECONDS,
    }  # fmt: skip


EXPECTED: Mapping[str, Rows] = {
    "spinnaker1": spinnaker1(48, 26.84 - 48 * 0.35),
    "spinnaker1-4chip": spinnaker1(4, 3.56 - 4 * 0.35),
    "spinnaker2": {
        ("hid", CORE, "update"): 12 * 2.19e-9, ("out", CORE, "update"): 4 * 2.19e-9,
        ("hid", CORE, "synapse"): 6 * 0.45e-9, ("out", CORE, "synapse"): 3 * 0.45e-9,
    },
    "loihi-like": loihi_like(),
    "loihi-sanafe": loihi_sanafe(),
    "truenorth-like": {
        ("hid", CORE, "synapse"): 6 * 1.532e-12, ("out", CORE, "synapse"): 3 * 1.532e-12,
        ("in", LINK, "packet"): 9 * 2.3e-12, ("hid", LINK, "packet"): 3 * 2.3e-12,
        ("(chip)", BASE, "leakage"): 64.4e-3 * SECONDS,
    },
    "odin-like": {
        ("hid", CORE, "synapse"): 6 * 8.43e-12, ("out", CORE, "synapse"): 3 * 8.43e-12,
        ("(chip)", CORE, "leakage"): (27.3e-6 + 1.78e-12 * 75e6) * SECONDS,
    },
}  # fmt: skip

TIMES = {f"{CORE}.time: {action}" for action in ("spike", "receive", "step")}
UNKNOWN: Mapping[str, set[str]] = {
    "spinnaker1": {f"{MEMORY}: read_bit", "chip.io: transfer_bit"} | TIMES,
    "spinnaker1-4chip": {f"{MEMORY}: read_bit", "chip.io: transfer_bit"} | TIMES,
    "spinnaker2": {f"{CORE}: spike", f"{CORE}: receive", f"{ROUTER}: packet", f"{LINK}: packet"}
    | {f"{where}: leakage" for where in (CORE, ROUTER, MEMORY, BASE, LINK)} | {"chip.io: transfer_bit"},
    "loihi-like": {f"{CORE}: spike", "chip.io: transfer_bit", "chip.barrier: barrier"},
    "loihi-sanafe": {"chip.io: transfer_bit", "chip.barrier: barrier"},
    "truenorth-like": {"chip.io: transfer_bit"},
    "odin-like": {"chip.io: transfer_bit"},
}  # fmt: skip
"""What has no published price: it is named and counts as nothing."""


def test_every_chip_is_here() -> None:
    manycore = {n for n in architecture_names() if load_architecture(n).chip.kind.name == "manycore"}
    assert manycore == EXPECTED.keys() == UNKNOWN.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_every_row_of_the_ledger_by_hand(name: str) -> None:
    placement = on(name)
    ledger = price(gather_network(placement, count_traffic(placement, SPIKES)), placement.architecture, SECONDS)
    rows = {(r.layer, r.component, r.action): r.energy_j for r in ledger}
    assert {k: v for k, v in rows.items() if v} == pytest.approx(EXPECTED[name])
    assert ledger.total_j == pytest.approx(sum(EXPECTED[name].values()))
    assert set(ledger.unmodelled) == UNKNOWN[name]
    free = [r for r in ledger if not r.energy_j]
    assert all(r.each_j == 0.0 and r.source for r in free)  # a price of nothing is somebody's figure, never a gap


def test_static_power_is_that_of_the_whole_chip_for_the_whole_time() -> None:
    for name, watts in (("spinnaker1", 26.84), ("spinnaker1-4chip", 3.56), ("loihi-like", 0.104),
                        ("truenorth-like", 0.0644), ("odin-like", 160.8e-6)):  # fmt: skip
        placement = on(name)
        activity = gather_network(placement, count_traffic(placement, SPIKES))
        for seconds in (1e-3, 2.0):
            assert price(activity, placement.architecture, seconds).total("static") == pytest.approx(watts * seconds)


def test_steps_of_spinnaker_by_hand() -> None:
    """Nothing waits: a packet's way is 0.1 us per hop, a core works off what it is sent, and every step takes 1 ms."""
    placement = on("spinnaker1")
    found = schedule_network(placement, SPIKES, read_machine(placement.architecture))
    assert found.latency_s == pytest.approx(STEPS * 1e-3)
    assert found.times is not None
    update, event, hop = 0.32e-6, 0.2e-6, 0.1e-6
    expected = [
        # both inputs fire: two rows of one synapse each at hidden 2, two hops away, while it is updated
        max(2 * update + 2 * event, 2 * hop + 2 * event, update + 2 * event),
        2 * update + event,  # input 0, and hidden 0 after the first update
        # hidden 0 and 1 fire after one and two updates; the output is a hop away
        2 * update + hop + event,
        2 * update,
    ]  # fmt: skip
    assert found.times.makespan_s[0] == pytest.approx(expected)
    assert found.times.missed.sum() == found.times.late.sum() == found.times.lost.sum() == 0


def test_a_core_that_gets_more_than_it_can_do_in_a_step_misses_its_deadline() -> None:
    """100 packets of 60 synapses are 1.2 ms of work; those served after 1 ms are late: with 12 us each, all but 83."""
    network = SpikingNetwork(
        "busy", (Population("in", (100,), "input"), linear("out", 60)),
        (projection("fc", 0, 1, np.ones((100, 60))),), (0,), (1,), 1e-3,
    )  # fmt: skip
    placement = by_hand(network, load_architecture("spinnaker1"), [(0, 0, 100, 0), (1, 0, 60, 1)])
    spikes: Raster = fired((1, 2, 160), {(0, 0): range(100), (0, 1): range(80)})
    times = schedule_network(placement, spikes, read_machine(placement.architecture)).times
    assert times is not None
    assert times.makespan_s[0] == pytest.approx([100 * 12e-6 + 60 * 0.32e-6, 80 * 12e-6 + 60 * 0.32e-6], rel=1e-3)
    assert times.late[0].tolist() == [17, 0]
    assert times.missed[0].tolist() == [1, 0]
    assert times.late_of.nonzero()[0].tolist() == [1]
