"""Counts and prices of a small network on every many-core chip, against counts by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manycore_examples import MANYCORE, altered, counts, example, placed, shipped, small, spikes

from neuromorph.costing.ledger import price
from neuromorph.counts import Activity
from neuromorph.devices.manycore.tally.counts import gather_network
from neuromorph.devices.manycore.tally.spikes import assume_traffic, count_traffic
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster

CORE, STEPS = "chip.tile.core", 5
# per sample, over two samples: 6 input spikes, 4.5 hidden ones (2 synapses each), 1.5 of the output
EVENTS = {"hidden": 6 * 6.0, "out": 4.5 * 2}


def energies(activity: Activity, architecture: object, seconds: float | None = None) -> dict[str, float]:
    ledger = price(activity, architecture, seconds)  # type: ignore[arg-type]
    return {f"{r.component}.{r.action}": 0.0 for r in ledger} | {
        key: math.fsum(r.energy_j or 0.0 for r in ledger if f"{r.component}.{r.action}" == key)
        for key in {f"{r.component}.{r.action}" for r in ledger}
    }


@pytest.mark.parametrize("name", MANYCORE)
def test_neurons_and_synapses_are_counted_alike_on_every_chip(name: str) -> None:
    found = counts(*example(shipped(name)))
    for population, size in (("hidden", 6), ("out", 3)):
        updates = found[population, CORE, "update"] + found.get((population, CORE, "idle_update"), 0.0)
        assert updates == pytest.approx(size * STEPS)
        assert found[population, CORE, "synapse"] == EVENTS[population]
    assert found["hidden", CORE, "spike"] == 4.5
    assert found["out", CORE, "spike"] == 1.5
    inside = shipped(name).chip["tile"]["core"].settings.input_source == "core"
    assert (("in", CORE, "spike") in found) == inside


def test_spinnaker_counts_by_hand() -> None:
    """Inputs on tile 0, hidden neurons on tile 1 and on the tile below it (9), outputs on that tile."""
    found = counts(*example(shipped("spinnaker1")))
    # a packet of an input passes 3 routers and 2 links; hidden spikes of tile 1 pass one link, those of tile 9 none
    assert found["in", "chip.tile.router", "transfer_bit"] == 6 * 3 * 40
    assert found["in", "chip.link", "transfer_bit"] == 6 * 2 * 40
    assert found["hidden", "chip.tile.router", "transfer_bit"] == (3 * 2 + 1.5) * 40
    assert found["hidden", "chip.link", "transfer_bit"] == 3 * 40
    # every delivery finds a row: a header of 96 bits and 32 bits a synapse
    assert found["in", "chip.tile.memory", "read_bit"] == 6 * 2 * 96 + 36 * 32
    assert found["hidden", "chip.tile.memory", "read_bit"] == 4.5 * 96 + 9 * 32
    # 30 updates of 0.32 us, 36 synaptic events of 0.2 us
    assert found["hidden", CORE, "busy"] == pytest.approx(30 * 0.32e-6 + 36 * 0.2e-6)
    assert found["out", CORE, "busy"] == pytest.approx(15 * 0.32e-6 + 9 * 0.2e-6)
    assert found["out", "chip.io", "transfer_bit"] == 1.5 * 40


def test_spinnaker_energy_is_idle_power_active_cores_and_packets() -> None:
    architecture = shipped("spinnaker1")
    placement, traffic = example(architecture)
    seconds = STEPS * 1e-3
    ledger = price(gather_network(placement, traffic), architecture, seconds)
    busy = 45 * 0.32e-6 + 45 * 0.2e-6
    routed = 6 * 3 + 3 * 2 + 1.5
    assert ledger.total_j == pytest.approx(26.84 * seconds + 34e-3 * busy + routed * 1e-9)
    assert ledger.total("static") == pytest.approx(26.84 * seconds)
    # nothing is priced at zero in silence: what is not known is named
    assert "chip.tile.memory: read_bit" in ledger.unmodelled
    assert "chip.tile.core.time: receive" in ledger.unmodelled
    assert "chip.io: transfer_bit" in ledger.unmodelled
    assert not any("leakage" in item and "memory" not in item for item in ledger.unmodelled)


def test_one_chip_for_a_tenth_of_a_second_and_a_thousand_packets() -> None:
    """The figures of the front end's accounting: 35 mJ and 1 uJ."""
    architecture = altered("spinnaker1-4chip", {"board.leakage": "1 pW"})
    placement, traffic = example(architecture)
    ledger = price(gather_network(placement, traffic), architecture, 0.1)
    assert ledger.total("static") == pytest.approx(4 * 35e-3, rel=1e-6)
    routed = 6 * 3 + 3 * 2 + 1.5
    joules = ledger.by("component")["chip.tile.router"]
    assert joules * 1000 / routed == pytest.approx(1e-6)


def test_cores_that_are_always_active_draw_for_the_whole_time() -> None:
    architecture = altered("spinnaker1", {"core.active": "always"})
    placement, traffic = example(architecture)
    found = counts(placement, traffic)
    assert [found[n, CORE, "busy"] for n in ("in", "hidden", "out")] == [5e-3, 10e-3, 5e-3]
    assert counts(placement, traffic, seconds=2.0)["hidden", CORE, "busy"] == 4.0
    ledger = price(gather_network(placement, traffic), architecture, 5e-3)
    assert not any("time" in item for item in ledger.unmodelled)


def test_time_must_be_known_where_cores_are_always_active() -> None:
    architecture = altered("loihi-like", {"core.active": "always", "core.active_power": "1 mW"})
    placement, traffic = example(architecture)
    with pytest.raises(InputError, match="how long a sample takes"):
        gather_network(placement, traffic)
    # hidden neurons on two cores; outputs on a third; inputs come from outside
    assert counts(placement, traffic, seconds=1.0)["hidden", CORE, "busy"] == 2.0


def test_populations_that_share_a_core_share_its_power() -> None:
    architecture = altered("odin-like", {"core.active": "always", "core.active_power": "1 mW"})
    found = counts(*example(architecture), seconds=3.0)
    assert {n: found[n, CORE, "busy"] for n in ("in", "hidden", "out") if (n, CORE, "busy") in found} == {
        "hidden": 1.5, "out": 1.5,
    }  # fmt: skip


def test_loihi_counts_by_hand() -> None:
    architecture = shipped("loihi-like")
    placement, traffic = example(architecture)
    found = counts(placement, traffic)
    # one packet per spike and target core: inputs go to two cores, one link along the row, and one more down the column
    assert found["in", "chip.link", "packet"] == 6 * 2
    assert found["in", "chip.link", "packet_vertical"] == 6
    assert found["hidden", "chip.link", "packet_vertical"] == 3
    assert ("hidden", "chip.link", "packet") not in found
    assert found["in", CORE, "receive"] == 12
    assert found["in", "chip.io", "transfer_bit"] == 12 * 32
    assert found["(chip)", "chip.barrier", "barrier"] == STEPS
    # of 30 updates with 48 and 24 events, 30 (1 - exp(-48 / 30)) and 30 (1 - exp(-24 / 30)) have any
    active = 30 * (1 - (math.exp(-48 / 30) + math.exp(-24 / 30)) / 2)
    assert found["hidden", CORE, "update"] == pytest.approx(active)
    joules = energies(gather_network(placement, traffic), architecture)
    assert joules["chip.link.packet_vertical"] == pytest.approx(9 * 4e-12)
    assert joules["chip.link.packet"] == pytest.approx(12 * 3e-12)
    assert joules[f"{CORE}.synapse"] == pytest.approx(45 * 23.6e-12)
    assert joules[f"{CORE}.receive"] == pytest.approx(16.5 * 1.7e-12)


def test_the_two_sets_of_loihi_constants_price_the_same_counts() -> None:
    ours = {n: example(shipped(n)) for n in ("loihi-like", "loihi-sanafe")}
    joules = {n: energies(gather_network(*e), shipped(n)) for n, e in ours.items()}
    assert joules["loihi-sanafe"][f"{CORE}.synapse"] == pytest.approx(45 * 33.6e-12)
    # spikes of hidden neurons are one message each, those of outputs go nowhere
    assert joules["loihi-sanafe"][f"{CORE}.send"] == pytest.approx(4.5 * 111e-12)
    assert joules["loihi-sanafe"][f"{CORE}.spike"] == pytest.approx(6 * 69.3e-12)
    assert f"{CORE}.send" not in joules["loihi-like"]
    assert "chip.tile.core: spike" in price(gather_network(*ours["loihi-like"]), shipped("loihi-like")).unmodelled


def test_skipped_updates_cost_what_an_update_without_input_costs() -> None:
    placement, traffic = example(shipped("loihi-sanafe"))
    before = counts(placement, traffic)
    after = counts(placement, traffic, skipped=np.array([0.0, 25.0, 0.0]))
    assert after["hidden", CORE, "update"] == pytest.approx(5.0)
    assert after["hidden", CORE, "idle_update"] == pytest.approx(25.0)
    assert after["out", CORE, "update"] == before["out", CORE, "update"]


def test_samples_that_end_early_update_fewer_neurons() -> None:
    """Two samples of 2 and 4 steps: 3 on average, where all have 5."""
    used = np.array([2, 4])
    placement, traffic = example(shipped("loihi-like"))
    found = counts(placement, traffic, steps_used=used)
    assert found["hidden", CORE, "update"] + found["hidden", CORE, "idle_update"] == pytest.approx(6 * 3)
    assert found["(chip)", "chip.barrier", "barrier"] == 3
    spinnaker = altered("spinnaker1", {"core.active": "always"})
    assert counts(*example(spinnaker), steps_used=used)["hidden", CORE, "busy"] == pytest.approx(2 * 3e-3)
    busy = counts(*example(shipped("spinnaker1")), steps_used=used)["hidden", CORE, "busy"]
    assert busy == pytest.approx(18 * 0.32e-6 + 36 * 0.2e-6)


def test_plastic_rows_are_updated_and_written_back() -> None:
    found = counts(*example(shipped("spinnaker1"), plastic=True))
    assert found["hidden", CORE, "learn"] == 9
    assert found["hidden", "chip.tile.memory", "write_bit"] == 9 * 32
    joules = energies(gather_network(*example(shipped("loihi-like"), plastic=True)), shipped("loihi-like"))
    assert joules[f"{CORE}.learn"] == pytest.approx(9 * 120e-12)


def test_hops_between_dies_are_named_where_nobody_priced_them() -> None:
    architecture = altered("spinnaker1", {"chip.die_columns": 1, "chip.die_rows": 1})
    placement, traffic = example(architecture)
    found = counts(placement, traffic)
    assert found["in", "chip.bridge", "transfer_bit"] == 6 * 2 * 40
    assert ("in", "chip.link", "transfer_bit") not in found
    ledger = price(gather_network(placement, traffic), architecture, 5e-3)
    assert "chip.bridge: transfer_bit" in ledger.unmodelled
    assert "chip.bridge: transfer_bit" not in price(gather_network(*example(shipped("spinnaker1"))),
                                                    shipped("spinnaker1"), 5e-3).unmodelled  # fmt: skip


def test_spinnaker2_names_what_nobody_published() -> None:
    ledger = price(gather_network(*example(shipped("spinnaker2"))), shipped("spinnaker2"), 5e-3)
    assert ledger.total_j == pytest.approx(45 * 2.19e-9 + 45 * 0.45e-9)
    assert {"chip.tile.base: leakage", "chip.tile.router: packet", "chip.tile.core: spike"} <= set(ledger.unmodelled)
    in_dram = altered("spinnaker2", {"core.rows_in": "tile"})
    joules = energies(gather_network(*example(in_dram)), in_dram)
    assert joules["chip.tile.memory.read_bit"] == pytest.approx((16.5 * 64 + 45 * 32) * 8e-12)


def test_truenorth_pays_for_synaptic_events_and_hops() -> None:
    joules = energies(gather_network(*example(shipped("truenorth-like"))), shipped("truenorth-like"), 5e-3)
    assert joules[f"{CORE}.synapse"] == pytest.approx(45 * 1.532e-12)
    assert joules["chip.link.packet"] == pytest.approx(21 * 2.3e-12)
    assert joules["chip.tile.base.leakage"] == pytest.approx(64.4e-3 * 5e-3)
    assert sum(joules.values()) == pytest.approx(sum(joules[k] for k in (
        f"{CORE}.synapse", "chip.link.packet", "chip.tile.base.leakage")))  # fmt: skip


def test_spreads_are_standard_deviations_over_samples() -> None:
    rows = gather_network(*example(shipped("spinnaker1"))).rows
    (row,) = [r for r in rows if (r.node, r.action) == ("hidden", "synapse")]
    # 48 events in the first sample, 24 in the second
    assert (row.mean, row.spread) == (36.0, 12.0)


def test_assumed_traffic_gives_the_same_actions() -> None:
    for name in ("spinnaker1", "loihi-like"):
        placement, traffic = example(shipped(name))
        rates = spikes().mean(axis=(0, 1))
        assumed = gather_network(placement, assume_traffic(placement, rates, STEPS))
        executed = gather_network(placement, traffic)
        assert (assumed.origin, executed.origin) == ("assumed", "executed")
        ours = {(r.node, r.path, r.action): r.mean for r in assumed}
        assert ours.keys() == {(r.node, r.path, r.action) for r in executed}
        linear = {k: v for k, v in counts(placement, traffic).items() if k[2] not in ("update", "idle_update")}
        assert {k: ours[k] for k in linear} == pytest.approx(linear)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), multicast=st.booleans(), columns=st.sampled_from((1, 2, 3, 6)))
def test_every_packet_is_priced_once(seed: int, multicast: bool, columns: int) -> None:
    """Whatever is placed where: links and directions add up to the packets on links, shares to the cores in use."""
    r = np.random.default_rng(seed)
    architecture = altered("loihi-like", {
        "chip.tile.count": 6, "chip.columns": columns, "chip.routing": "multicast" if multicast else "unicast",
        "core.active": "always", "core.active_power": "1 mW",
        "chip.die_columns": int(r.integers(1, 4)), "chip.die_rows": int(r.integers(1, 4)),
    })  # fmt: skip
    core = r.integers(0, 24, 5)
    slices = ((0, 0, 4, core[0]), (1, 0, 2, core[1]), (1, 2, 6, core[2]), (2, 0, 1, core[3]), (2, 1, 3, core[4]))
    placement = placed(small(), architecture, slices)
    traffic = count_traffic(placement, Raster.from_dense((r.random((3, 4, 13)) < 0.4).astype(int)))
    activity = gather_network(placement, traffic, seconds=1.0)
    total = {}
    for row in activity:
        total[row.path, row.action] = total.get((row.path, row.action), 0.0) + row.mean
    bridge = placement.grid.link_is_bridge
    steep = np.tile([dx == 0 for dx, _ in placement.grid.step], placement.grid.tiles)
    packets = traffic.link_packets
    assert total.get(("chip.link", "packet"), 0.0) == pytest.approx(packets[~bridge & ~steep].sum())
    assert total.get(("chip.link", "packet_vertical"), 0.0) == pytest.approx(packets[~bridge & steep].sum())
    assert total.get(("chip.bridge", "transfer_bit"), 0.0) == pytest.approx(packets[bridge].sum() * 32)
    assert total.get((CORE, "receive"), 0.0) == pytest.approx(traffic.core_packets.sum())
    assert total.get((CORE, "synapse"), 0.0) == pytest.approx(traffic.core_events.sum())
    assert total[CORE, "busy"] == pytest.approx(len(set(core.tolist())))
