"""Many-core chips against published figures, and a network placed by the mapper priced on every chip."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from manycore_examples import MANYCORE, linear, projection, shipped
from published import Comparison, compared, manycore

from neuromorph.costing.ledger import price
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.place import place_network
from neuromorph.devices.manycore.tally.counts import gather_network
from neuromorph.devices.manycore.tally.spikes import count_traffic
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.spiking.network import Population, SpikingNetwork

TABLES = ("spinnaker", "loihi", "truenorth", "odin")


@pytest.fixture(scope="module")
def rows() -> list[Comparison]:
    return compared(TABLES)


def test_what_figures_were_made_from_is_given_back(rows: list[Comparison]) -> None:
    fitted = [c for c in rows if c.role == "fitted"]
    assert len(fitted) >= 25
    assert {c.table for c in fitted} == set(TABLES)
    for c in fitted:
        assert abs(c.deviation) < 0.003, c


def found(rows: list[Comparison], label: str) -> Comparison:
    (row,) = [c for c in rows if label in c.label]
    return row


def test_predictions(rows: list[Comparison]) -> None:
    """Nothing was fitted to these; by how much they miss is part of what is known."""
    assert found(rows, "37.5 M operations").deviation == pytest.approx(0.0013, abs=0.001)
    assert found(rows, "slowest level: synaptic event").deviation == pytest.approx(-0.02)
    assert found(rows, "idle: 0.70 V").deviation == pytest.approx(0.174, abs=0.001)
    assert found(rows, "all-in constants").deviation == pytest.approx(23.6 / 27.1 - 1)
    # an upper bound of what a chip draws: two thirds of it are used
    assert -0.5 < found(rows, "largest network").deviation < 0
    assert {c.role for c in rows} == {"fitted", "other"}


def test_the_largest_published_network_keeps_its_deadline() -> None:
    """250,000 neurons and 1.8 G synaptic events per second run in real time on a board of 48 chips."""
    m = read_machine(shipped("spinnaker1"))
    busy = 250e6 * m.times.neuron_s + 1.8e9 * m.times.synapse_s
    assert busy < m.tiles * m.cores_per_tile


def test_the_figures_answer_to_the_parts() -> None:
    """A comparison that would hold whatever the parts say proves nothing."""
    rates = {"chip.tile.core.busy": 806}
    usual = manycore.running_power("spinnaker1", rates)
    hotter = manycore.running_power("spinnaker1", rates, {"core.active_power": "68 mW"})
    assert hotter - usual == pytest.approx(806 * 34e-3)
    assert manycore.idle_power("spinnaker1", {"base.leakage": "1 W"}) == pytest.approx(48 + 10.04)
    slower = {"core.update_time": "0.64 us"}
    more = manycore.tile_power("spinnaker1", 1e8, 0.0, slower) - manycore.tile_power("spinnaker1", 1e8, 0.0)
    assert more == pytest.approx(1e8 * 0.32e-6 * 34e-3 / 48)
    assert manycore.idle_power_at("truenorth-like", 0.4, 0.8) == pytest.approx(64.4e-3 / 4)


def test_what_has_no_price_is_refused() -> None:
    with pytest.raises(InputError, match="no price of learn"):
        manycore.running_power("truenorth-like", {"chip.tile.core.learn": 1.0})
    with pytest.raises(InputError, match="has no price of 'synapse'"):
        manycore.action_energy("spinnaker1", "chip.tile.core", "synapse")


@pytest.mark.parametrize("name", MANYCORE)
def test_a_network_placed_by_the_mapper_is_priced_on_every_chip(name: str) -> None:
    r = np.random.default_rng(4)
    sizes = (20, 40, 10) if name == "odin-like" else (60, 300, 10)
    weights = [(r.random((a, b)) < 0.2) * r.normal(size=(a, b)) for a, b in itertools.pairwise(sizes)]
    network = SpikingNetwork(
        "net", (Population("x", sizes[:1], "input"), linear("hidden", sizes[1]), linear("out", sizes[2])),
        (projection("fc0", 0, 1, weights[0]), projection("fc1", 1, 2, weights[1])), (0,), (2,), 1e-3,
    )  # fmt: skip
    architecture = shipped(name)
    placement = place_network(network, architecture, read_machine(architecture), effort="quick")
    fired = r.random((2, 8, network.neurons)) < 0.2
    traffic = count_traffic(placement, Raster.from_dense(fired.astype(int)))
    ledger = price(gather_network(placement, traffic), architecture, 8e-3)
    into = [np.count_nonzero(w, axis=1) for w in weights]
    events = (fired[:, :, : sizes[0]] @ into[0] + fired[:, :, sizes[0] : sizes[0] + sizes[1]] @ into[1]).sum() / 2
    dynamic = {(r.layer, r.action): r.count for r in ledger if r.kind == "dynamic"}
    if name.startswith("spinnaker1"):
        busy = dynamic["hidden", "busy"] + dynamic["out", "busy"]
        assert busy == pytest.approx(8 * sum(sizes[1:]) * 0.32e-6 + events * 0.2e-6)
    else:
        assert dynamic["hidden", "synapse"] + dynamic["out", "synapse"] == pytest.approx(events)
    assert ledger.total("dynamic") > 0
    assert ledger.total("static") > 0 or "chip.tile.base: leakage" in ledger.unmodelled
