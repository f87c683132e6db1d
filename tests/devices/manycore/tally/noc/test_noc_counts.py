"""Counts of traffic against plain loops over the same trees, and against each other."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noc_designs import firing, grid_of, placed, population, projection, random_design, route

from neuromorph.devices.manycore.place.shapes import HOST, Lists, Slices
from neuromorph.devices.manycore.tally.routes import routes_of
from neuromorph.devices.manycore.tally.spikes import assume_traffic, count_traffic
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.spiking.network import SpikingNetwork


def two_layers(grid, multicast, seed=0, plastic=False, start=0):
    """Inputs from outside, two populations with two projections between them, over slices in mixed order."""
    pops = (population("in", 10, "input"), population("a", 12), population("b", 9, start=start))
    projections = (
        projection("in-a", (0, 10), (1, 12), 4, seed),
        projection("in-b", (0, 10), (2, 9), 3, seed + 1),
        projection("a-b", (1, 12), (2, 9), 5, seed + 2),
        projection("b-a", (2, 9), (1, 12), 2, seed + 3),
    )
    if plastic:
        rule = Plasticity(0.1, 0.1, 20e-3, 20e-3)
        projections = (projections[0], dataclasses.replace(projections[1], plasticity=rule), *projections[2:])
    network = SpikingNetwork("two", pops, projections, (0,), (2,), 1e-3)
    core = np.array([HOST, 0, 3, 1, 2, 3])  # b shares core 3 with a
    slices = Slices(
        np.array([0, 1, 1, 1, 2, 2]), np.array([0, 0, 5, 9, 0, 4]), np.array([10, 5, 9, 12, 4, 9]), core
    )  # fmt: skip
    return placed(network, slices, grid, multicast)


def brute(placement, raster):
    """The same counts spike by spike."""
    n, grid = placement.network, placement.grid
    slice_of, core_of = placement.slice_of_neuron, placement.core_of_neuron
    found = dict.fromkeys(("packets", "deliveries", "hops", "rows", "events", "plastic", "host"), 0.0)
    links = np.zeros(grid.links)
    events, packets = np.zeros((raster.samples, raster.steps, placement.cores)), np.zeros(placement.cores)
    for row in range(raster.samples * raster.steps):
        for i in raster.index[raster.indptr[row] : raster.indptr[row + 1]]:
            s = int(slice_of[i])
            hit: dict[int, int] = {}
            for p in n.projections:
                k = int(i - n.first[p.source])
                if 0 <= k < n.populations[p.source].size:
                    targets = p.index[p.indptr[k] : p.indptr[k + 1]]
                    found["plastic"] += targets.size * (p.plasticity is not None)
                    for t in targets:
                        c = int(core_of[n.first[p.target] + t])
                        hit[c] = hit.get(c, 0) + 1
            wide = placement.routing.targets.row(s).tolist()
            reached = wide if placement.routing.multicast else list(hit)
            found["packets"] += min(1, len(wide)) if placement.routing.multicast else len(hit)
            found["host"] += (core_of[i] == HOST) * (min(1, len(wide)) if placement.routing.multicast else len(hit))
            found["deliveries"] += len(reached)
            found["rows"] += len(hit)
            found["events"] += sum(hit.values())
            for c in reached:
                packets[c] += 1
            for c, number in hit.items():
                events[row // raster.steps, row % raster.steps, c] += number
            if placement.routing.multicast:
                used = placement.routing.links.row(s).tolist()
            else:
                tree = placement.routing.links.row(s).tolist()
                ends = {int(grid.link_target[link]): link for link in tree}
                used = []
                for c in hit:
                    tile = c // grid.cores_per_tile
                    while tile in ends:
                        used.append(ends[tile])
                        tile = ends[tile] // grid.directions
            found["hops"] += len(used)
            for link in used:
                links[link] += 1
    return found, links, packets, events


@pytest.mark.parametrize("multicast", [True, False])
@pytest.mark.parametrize("plastic", [True, False])
@pytest.mark.parametrize("topology", ["mesh", "triangular"])
def test_counts_equal_a_loop_over_spikes(multicast, plastic, topology):
    placement = two_layers(grid_of(2, 2, 1, topology), multicast, plastic=plastic)
    raster = firing(31, 6, 0.3, seed=4, samples=3)
    t = count_traffic(placement, raster)
    found, links, packets, events = brute(placement, raster)
    for name in ("packets", "deliveries", "rows", "events"):
        assert getattr(t, name).sum() == found[name]
    assert t.plastic_events.sum() == found["plastic"]
    assert (t.hops + t.bridge_hops).sum() == found["hops"]
    assert t.host_packets * 3 == pytest.approx(found["host"])
    np.testing.assert_allclose(t.link_packets * 3, links)
    np.testing.assert_allclose(t.core_packets * 3, packets)
    np.testing.assert_allclose(t.core_events * 3, events.sum(axis=(0, 1)))
    np.testing.assert_allclose(t.peak_core_events, events.max(axis=(0, 2)))
    np.testing.assert_allclose(t.step_events * 3, events.sum(axis=(0, 2)))
    assert t.spikes.sum() == raster.events
    assert t.projection_events.sum() == found["events"]
    assert t.misses.sum() == found["deliveries"] - found["rows"]


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(["mesh", "torus", "triangular"]), st.floats(0, 0.6))
def test_packets_on_links_are_those_of_the_trees(seed, multicast, topology, rate):
    placement = random_design(grid_of(3, 3, 2, topology), multicast, per_core=4, fan_out=5, seed=seed)
    raster = firing(placement.network.neurons, 3, rate, seed, samples=2)
    t = count_traffic(placement, raster)
    r = routes_of(placement)
    hops = np.diff(r.path_ptr)
    if multicast:
        spikes = np.bincount(placement.slice_of_neuron[raster.index], minlength=r.slices) / 2
        assert t.link_packets.sum() == pytest.approx(spikes @ (np.diff(r.node_ptr) - 1))
    else:
        assert t.link_packets.sum() == pytest.approx(t.target_packets @ hops)
        assert t.misses.sum() == 0
    assert t.link_packets.sum() * 2 == pytest.approx((t.hops + t.bridge_hops).sum())
    assert t.target_packets.sum() * 2 == pytest.approx(t.deliveries.sum())
    assert t.target_events.sum() * 2 == pytest.approx(t.events.sum())
    source, target, packets = t.pairs()
    assert packets.sum() == pytest.approx(t.target_packets.sum())
    assert np.unique(source * 1000 + target).size == source.size


def test_expected_counts_are_those_of_a_raster_in_which_every_neuron_fires():
    placement = two_layers(grid_of(2, 2), True)
    raster = Raster.from_dense(np.ones((1, 4, 31), np.float32))
    counted, assumed = count_traffic(placement, raster), assume_traffic(placement, np.ones(31), 4)
    for name in ("spikes", "packets", "deliveries", "hops", "rows", "events", "link_packets", "core_events", "updates"):
        np.testing.assert_allclose(getattr(assumed, name), getattr(counted, name))
    np.testing.assert_allclose(assumed.peak_core_events[0], counted.peak_core_events[0])
    half = assume_traffic(placement, {"in": 0.5, "a": 0.25}, 4)
    np.testing.assert_allclose(half.spikes, [[20, 12, 0]])


def test_late_populations_are_updated_and_fire_later():
    placement = two_layers(grid_of(2, 2), True, start=2)
    t = assume_traffic(placement, np.ones(31), 5)
    np.testing.assert_allclose(t.updates, [[0, 60, 27]])
    np.testing.assert_allclose(t.spikes, [[50, 60, 27]])
    np.testing.assert_allclose(t.core_updates, [25, 15, 12, 35])


def test_events_with_values_are_several_spikes():
    placement = two_layers(grid_of(2, 2), False)
    x = np.zeros((1, 2, 31), np.float32)
    x[0, 0, 3], x[0, 1, 12] = 3, -2
    many, one = count_traffic(placement, Raster.from_dense(x)), count_traffic(placement, Raster.from_dense(x != 0))
    assert many.spikes.tolist() == [[3, 2, 0]]
    assert one.spikes.tolist() == [[1, 1, 0]]
    np.testing.assert_allclose(many.events, one.events * [3, 2, 1])


def test_hops_between_dies_are_counted_apart():
    flat, cut = (random_design(grid_of(4, 2, 1, die=die), False) for die in ((4, 2), (2, 2)))
    raster = firing(64, 4, 0.3, 1)
    one, two = count_traffic(flat, raster), count_traffic(cut, raster)
    assert one.bridge_hops.sum() == 0
    assert two.bridge_hops.sum() == two.link_packets[cut.grid.link_is_bridge].sum() > 0
    assert (two.hops + two.bridge_hops).sum() == one.hops.sum()


def test_rows_are_small_and_sorted():
    r = routes_of(random_design(grid_of(3, 3, 2), False))
    assert r.row_events.dtype == np.uint16
    for i in range(r.slice_of_neuron.size):
        assert (np.diff(r.row_target[r.row_ptr[i] : r.row_ptr[i + 1]]) > 0).all()
    grid = grid_of(3, 3, 2)
    for t in range(r.target_core.size):
        source = int(r.slice_core[r.target_slice[t]]) // 2
        assert len(route(grid, source, int(r.target_core[t]) // 2)) == r.path_ptr[t + 1] - r.path_ptr[t]


def test_what_does_not_fit_together_is_refused():
    placement = two_layers(grid_of(2, 2), True)
    with pytest.raises(InputError, match="30 neurons"):
        count_traffic(placement, firing(30, 2, 0.5, 1))
    with pytest.raises(InputError, match="no populations"):
        assume_traffic(placement, {"c": 0.1}, 3)
    with pytest.raises(InputError, match="0 or more"):
        assume_traffic(placement, np.full(31, -0.1), 3)
    routing = placement.routing
    empty = Lists(np.zeros(7, np.int64), np.zeros(0, np.int32))
    with pytest.raises(InputError, match="routing tree of in"):
        routes_of(dataclasses.replace(placement, routing=dataclasses.replace(routing, links=empty)))
    with pytest.raises(InputError, match="do not reach all its targets"):
        routes_of(dataclasses.replace(placement, routing=dataclasses.replace(routing, targets=empty)))
