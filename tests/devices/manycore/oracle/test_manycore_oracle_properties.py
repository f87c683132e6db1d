"""What holds for any network, any placement and any spikes."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manycore_hand import by_hand, linear, projection

from neuromorph.costing.ledger import Ledger, price
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.tally.counts import gather_network
from neuromorph.devices.manycore.tally.spikes import Traffic, count_traffic
from neuromorph.events.raster import Raster
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.paths import replace
from neuromorph.spiking.network import Population, SpikingNetwork

CHIPS = {
    (name, routing): replace(load_architecture(name), {"chip.routing": routing})
    for name in ("loihi-sanafe", "loihi-like", "spinnaker1")
    for routing in ("multicast", "unicast")
}
OF_THE_CORES = ("update", "idle_update", "synapse", "spike", "learn", "busy", "leakage")
"""Actions that have nothing to do with where neurons are."""

SEEDS = st.integers(0, 2**32 - 1)
ANY_CHIP = st.sampled_from(sorted(CHIPS))
property_test = settings(max_examples=25, deadline=None)


class Drawn(NamedTuple):
    network: SpikingNetwork
    spikes: np.ndarray
    rng: np.random.Generator


def drawn(seed: int) -> Drawn:
    """2 to 4 populations; projections between any two; (samples, steps, neurons) spikes."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, rng.integers(2, 5)).tolist()
    populations = (Population("p0", (sizes[0],), "input"), *(linear(f"p{i + 1}", n) for i, n in enumerate(sizes[1:])))
    pairs = [(a, b) for a in range(len(sizes)) for b in range(1, len(sizes)) if rng.random() < 0.6] or [(0, 1)]
    made = tuple(
        projection(f"{a}-{b}", a, b, (rng.random((sizes[a], sizes[b])) < 0.5) * rng.normal(size=(sizes[a], sizes[b])))
        for a, b in pairs
    )
    network = SpikingNetwork("drawn", populations, made, (0,), (len(sizes) - 1,), 1e-3)
    return Drawn(network, (rng.random((3, 4, network.neurons)) < 0.4).astype(np.int64), rng)


def somewhere(network: SpikingNetwork, chip: Architecture, rng: np.random.Generator) -> CorePlacement:
    """Every population cut in one or two, each part on any core (several may meet in one)."""
    machine = read_machine(chip)
    cores = machine.tiles * machine.cores_per_tile
    slices = []
    for k, p in enumerate(network.populations):
        cut = int(rng.integers(0, p.size))
        for start, stop in ((0, cut), (cut, p.size)):
            if stop > start:
                slices.append((k, start, stop, int(rng.integers(0, cores))))
    return by_hand(network, chip, slices)


def traffic_of(placement: CorePlacement, spikes: np.ndarray) -> Traffic:
    return count_traffic(placement, Raster.from_dense(spikes))


def ledger_of(placement: CorePlacement, spikes: np.ndarray) -> Ledger:
    return price(gather_network(placement, traffic_of(placement, spikes)), placement.architecture, 4e-3)


def energies(ledger: Ledger) -> dict[tuple[str, str, str], float]:
    return {(r.layer, r.component, r.action): r.energy_j or 0.0 for r in ledger}


def close(a: dict[tuple[str, str, str], float], b: dict[tuple[str, str, str], float]) -> bool:
    keys = sorted(a.keys() | b.keys())
    return [a.get(k, 0.0) for k in keys] == pytest.approx([b.get(k, 0.0) for k in keys], rel=1e-9, abs=1e-24)


@property_test
@given(seed=SEEDS, which=ANY_CHIP)
def test_energy_adds_up_over_samples(seed: int, which: tuple[str, str]) -> None:
    """A ledger is the mean over samples: that of each alone, and of any order of them."""
    network, spikes, rng = drawn(seed)
    placement = somewhere(network, CHIPS[which], rng)
    alone = [energies(ledger_of(placement, spikes[i : i + 1])) for i in range(3)]
    mean = {k: sum(e.get(k, 0.0) for e in alone) / 3 for k in set().union(*alone)}
    assert close(energies(ledger_of(placement, spikes)), mean)
    assert close(energies(ledger_of(placement, spikes[::-1])), mean)


@property_test
@given(seed=SEEDS, which=ANY_CHIP)
def test_another_placement_changes_actions_of_the_network_only(seed: int, which: tuple[str, str]) -> None:
    network, spikes, rng = drawn(seed)
    found = [energies(ledger_of(somewhere(network, CHIPS[which], rng), spikes)) for _ in range(2)]
    one, other = ({k: v for k, v in e.items() if k[2] in OF_THE_CORES} for e in found)
    assert close(one, other)
    assert any(one.values())


@property_test
@given(seed=SEEDS, which=ANY_CHIP)
def test_layers_components_and_actions_all_add_up_to_the_total(seed: int, which: tuple[str, str]) -> None:
    network, spikes, rng = drawn(seed)
    ledger = ledger_of(somewhere(network, CHIPS[which], rng), spikes)
    for field in ("layer", "component", "action", "kind", "basis"):
        assert sum(ledger.by(field).values()) == pytest.approx(ledger.total_j)
    assert ledger.total("dynamic") + ledger.total("static") == pytest.approx(ledger.total_j)
    low, high = ledger.range_j
    assert low <= ledger.total_j * (1 + 1e-12)
    assert high >= ledger.total_j * (1 - 1e-12)


@property_test
@given(seed=SEEDS)
def test_copies_in_the_network_save_packets_and_hops(seed: int) -> None:
    """The same places, once with packets that are copied on their way and once with one per target core. A neuron
    without synapses sends a packet where its neighbours on the core have some (and nobody wants it), or none."""
    network, spikes, rng = drawn(seed)
    once = somewhere(network, CHIPS["loihi-sanafe", "unicast"], rng)
    slices = list(
        zip(*(getattr(once.slices, n).tolist() for n in ("population", "start", "stop", "core")), strict=True)
    )
    copied = by_hand(network, CHIPS["loihi-sanafe", "multicast"], slices)
    a, b = traffic_of(copied, spikes), traffic_of(once, spikes)
    reach = np.concatenate([
        np.sum([p.fan_out for p in network.projections if p.source == k], axis=0) * np.ones(population.size)
        for k, population in enumerate(network.populations)
    ])  # fmt: skip
    mute = spikes[:, :, reach == 0].sum()
    assert a.packets.sum() <= b.packets.sum() + mute
    assert (a.deliveries.sum(axis=1) >= b.deliveries.sum(axis=1)).all()
    assert np.array_equal(a.rows, b.rows)
    assert b.misses.sum() == 0
    for name in ("events", "spikes", "updates", "plastic_events"):
        assert np.array_equal(getattr(a, name), getattr(b, name))


@property_test
@given(seed=SEEDS, name=st.sampled_from(("loihi-sanafe", "spinnaker1")))
def test_a_packet_that_is_copied_passes_every_link_of_its_tree_once(seed: int, name: str) -> None:
    network, spikes, rng = drawn(seed)
    placement = somewhere(network, CHIPS[name, "multicast"], rng)
    traffic = traffic_of(placement, spikes)
    fired = spikes.sum(axis=(0, 1)) / len(spikes)
    links = np.zeros(placement.grid.links)
    for s in range(len(placement.slices)):
        links[placement.routing.links.row(s)] += fired[placement.slice_of_neuron == s].sum()
    assert traffic.link_packets == pytest.approx(links)
    bridges = placement.grid.link_is_bridge
    assert traffic.hops.sum(axis=1).mean() == pytest.approx(links[~bridges].sum())
    assert traffic.bridge_hops.sum(axis=1).mean() == pytest.approx(links[bridges].sum())


@property_test
@given(seed=SEEDS)
def test_packets_of_their_own_take_the_shortest_way(seed: int) -> None:
    """On a mesh as many hops as rows and columns lie between, for every pair of a neuron and a target core."""
    network, spikes, rng = drawn(seed)
    placement = somewhere(network, CHIPS["loihi-sanafe", "unicast"], rng)
    core, columns = placement.core_of_neuron.astype(int), placement.grid.columns
    pairs = set()
    for p in network.projections:
        a, b = int(network.first[p.source]), int(network.first[p.target])
        source = a + np.repeat(np.arange(p.indptr.size - 1), np.diff(p.indptr))
        pairs |= set(zip(source.tolist(), core[b + p.index].tolist(), strict=True))
    fired, hops = spikes.sum(axis=(0, 1)), 0
    for i, target in pairs:
        here, there = core[i] // 4, target // 4
        hops += fired[i] * (abs(here % columns - there % columns) + abs(here // columns - there // columns))
    traffic = traffic_of(placement, spikes)
    assert traffic.hops.sum() == hops
    assert traffic.packets.sum() == sum(fired[i] for i, _ in pairs)


@property_test
@given(seed=SEEDS, which=ANY_CHIP)
def test_twice_the_synapses_are_twice_the_events_and_no_more_packets(seed: int, which: tuple[str, str]) -> None:
    network, spikes, rng = drawn(seed)
    placement = somewhere(network, CHIPS[which], rng)
    again = tuple(dataclasses.replace(p, name=f"{p.name} again") for p in network.projections)
    doubled = dataclasses.replace(network, projections=(*network.projections, *again))
    one, two = (traffic_of(p, spikes) for p in (placement, dataclasses.replace(placement, network=doubled)))
    assert np.array_equal(2 * one.events, two.events)
    for name in ("packets", "deliveries", "hops", "bridge_hops", "rows", "misses"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


@property_test
@given(seed=SEEDS, which=ANY_CHIP)
def test_cores_of_a_tile_are_alike(seed: int, which: tuple[str, str]) -> None:
    """Another numbering of the cores of every tile changes no count."""
    network, spikes, rng = drawn(seed)
    placement = somewhere(network, CHIPS[which], rng)
    k, s = placement.grid.cores_per_tile, placement.slices
    turn = int(rng.integers(1, k))
    moved = s.core // k * k + (s.core % k + turn) % k
    slices = list(zip(s.population.tolist(), s.start.tolist(), s.stop.tolist(), moved.tolist(), strict=True))
    other = by_hand(network, CHIPS[which], slices)
    assert close(energies(ledger_of(placement, spikes)), energies(ledger_of(other, spikes)))


@property_test
@given(seed=SEEDS, which=ANY_CHIP)
def test_silence_costs_updates_and_static_power_alone(seed: int, which: tuple[str, str]) -> None:
    network, spikes, rng = drawn(seed)
    found = energies(ledger_of(somewhere(network, CHIPS[which], rng), 0 * spikes))
    assert {k[2] for k, v in found.items() if v} <= {"idle_update", "busy", "leakage"}
