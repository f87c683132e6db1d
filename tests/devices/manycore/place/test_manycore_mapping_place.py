"""Placements of spiking networks against brute force: counts of rows, axons and memory, trees, costs, limits."""

import dataclasses
import json
import tracemalloc
from collections import deque

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from manycore_cases import KIB, LOIHI, MACHINES, SPINNAKER1, architecture, pairs, random_network

from neuromorph.devices.manycore.place import HOST, place_network
from neuromorph.errors import FitError, InputError
from neuromorph.spiking.network import Projection

SMALL = {
    "spinnaker1": {"neurons": 7, "source_neurons": 9, "tiles": 12, "columns": 4, "rows": 3, "cores_per_tile": 3},
    "spinnaker2": {"neurons": 8, "source_neurons": 6, "tiles": 10, "columns": 4, "rows": 3, "cores_per_tile": 2},
    "loihi": {
        "neurons": 16,
        "axons_in": 40,
        "axons_out": 60,
        "core_memory": 5 * KIB,
        "tiles": 11,
        "columns": 4,
        "rows": 3,
    },
    "truenorth": {"neurons": 6, "axons_in": 24, "axons_out": 30, "tiles": 35, "columns": 6, "rows": 6},
}
CHIPS = {name: dataclasses.replace(MACHINES[name], **changes) for name, changes in SMALL.items()}


def small(name, seed=0, effort="quick", **options):
    network = random_network(seed, **options)
    rates = np.random.default_rng(seed).random(network.neurons) * 5
    return network, rates, place_network(network, architecture(), CHIPS[name], rates=rates, effort=effort)


def check_counts(network, machine, p):
    """Every count of a placement by Python sets and dictionaries."""
    core = p.core_of_neuron
    synapses, rows, leaving = np.zeros(p.cores), [set() for _ in range(p.cores)], {}
    for a, b in pairs(network):
        synapses[core[b]] += 1
        rows[core[b]].add(a)
        leaving.setdefault(a, set()).add(int(core[b]))
    bits = synapses * machine.synapse_bits + np.array([len(r) for r in rows]) * machine.row_bits
    np.testing.assert_allclose(p.synapse_bits, bits)
    slots = [0] * len(network.populations)
    for e in network.projections:
        slots[e.target] = max(slots[e.target], min(int(e.delay.max()), machine.max_delay))
    state = np.zeros(p.cores)
    neurons = np.zeros(p.cores, int)
    for i, population in enumerate(network.populations):
        for n in range(network.first[i], network.first[i + 1]):
            if core[n] != HOST:
                neurons[core[n]] += 1
                if population.model != "input":
                    state[core[n]] += machine.state_bits + machine.buffer_bits * slots[i]
    np.testing.assert_allclose(p.neuron_bits, state)
    out = np.zeros(p.cores)
    for a, cores in leaving.items():
        if core[a] != HOST:
            out[core[a]] += len(cores)
    for s in range(len(p.slices)):
        own = range(*np.flatnonzero(p.slice_of_neuron == s)[[0, -1]] + [0, 1])
        assert p.routing.targets.row(s).tolist() == sorted(set().union(*(leaving.get(n, set()) for n in own)))
    if p.routing.neuron_targets is not None:
        for n in range(network.neurons):
            assert p.routing.neuron_targets.row(n).tolist() == sorted(leaving.get(n, ()))
    else:
        assert machine.multicast
    within = neurons.max() <= max(machine.neurons, machine.source_neurons)
    held = p.neuron_bits + (0 if machine.rows_in_tile else p.synapse_bits)
    assert within
    assert held.max() <= machine.core_memory - machine.core_reserved
    assert machine.axons_in is None or max(len(r) for r in rows) <= machine.axons_in
    assert machine.axons_out is None or out.max() <= machine.axons_out
    by_name = {limit.name: limit for limit in p.limits}
    for name, used in (("axons into a core", max(map(len, rows))), ("axons out of a core", out.max())):
        assert name not in by_name or by_name[name].used == used
    assert by_name["core memory"].used == pytest.approx(held.max() + machine.core_reserved)
    assert by_name["cores"].used == len({int(c) for c in p.slices.core if c != HOST})
    assert all(limit.degree <= 1 for limit in p.limits)
    return leaving


def distances(grid, source):
    """Hops from a tile by breadth-first search over the links."""
    found, queue = {source: 0}, deque([source])
    while queue:
        t = queue.popleft()
        for d in range(grid.directions):
            u = int(grid.link_target[t * grid.directions + d])
            if u >= 0 and u not in found:
                found[u] = found[t] + 1
                queue.append(u)
    return found


def check_trees(p):
    """Trees enter every tile once, parents first, by shortest ways, reach all targets and have no idle ends."""
    grid = p.grid
    for s in range(len(p.slices)):
        root = 0 if p.slices.core[s] == HOST else int(p.slices.core[s]) // grid.cores_per_tile
        hops, shortest = {root: 0}, distances(grid, root)
        inner = set()
        for link in p.routing.links.row(s).tolist():
            a, b = link // grid.directions, int(grid.link_target[link])
            assert a in hops
            assert b not in hops
            hops[b] = hops[a] + 1
            inner.add(a)
        targets = {int(c) // grid.cores_per_tile for c in p.routing.targets.row(s)}
        assert targets <= set(hops)
        assert all(hops[t] == shortest[t] for t in hops)
        assert set(hops) - inner <= targets | {root}


def hops_by_hand(network, rates, p):
    """Packets times links, spike by spike."""
    grid, core = p.grid, p.core_of_neuron
    if p.routing.multicast:
        weight = [rates[p.slice_of_neuron == s].sum() for s in range(len(p.slices))]
        return sum(w * len(p.routing.links.row(s)) for s, w in enumerate(weight))
    total = 0.0
    for n in range(network.neurons):
        away = distances(grid, 0 if core[n] == HOST else int(core[n]) // grid.cores_per_tile)
        total += sum(rates[n] * away[int(c) // grid.cores_per_tile] for c in p.routing.neuron_targets.row(n))
    return total


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("seed", [0, 1])
def test_counts_trees_and_costs_equal_brute_force(name, seed):
    edges = ((0, 1), (1, 1), (1, 2), (2, 1), (0, 2), (1, 1))  # two projections between the same populations
    network, rates, p = small(name, seed, edges=edges)
    check_counts(network, CHIPS[name], p)
    check_trees(p)
    assert p.costs["optimised"] == pytest.approx(hops_by_hand(network, rates, p))
    assert p.costs["lower_bound" if "lower_bound" in p.costs else "optimised"] <= p.costs["optimised"] + 1e-9
    assert p.costs["optimised"] <= p.costs["greedy"] + 1e-9


@given(
    seed=st.integers(0, 2**20),
    name=st.sampled_from(sorted(CHIPS)),
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=4),
    fan=st.integers(1, 6),
    data=st.data(),
)
@settings(max_examples=60)
def test_slices_cover_populations_within_every_limit_or_are_refused(seed, name, sizes, fan, data):
    last = len(sizes) - 1
    edge = st.tuples(st.integers(0, last), st.integers(1, last))
    edges = tuple(data.draw(st.lists(edge, min_size=1, max_size=5)))
    network = random_network(seed, sizes=tuple(sizes), edges=edges, fan=fan)
    try:
        p = place_network(network, architecture(), CHIPS[name], seed=seed, effort="quick")
    except FitError:
        event("refused")
        return
    s = p.slices
    for i, population in enumerate(network.populations):
        own = s.population == i
        assert s.start[own].tolist() == [0, *s.stop[own][:-1].tolist()]
        assert s.stop[own][-1] == population.size
    on_chip = s.core[s.core != HOST]
    assert CHIPS[name].shares_cores or np.unique(on_chip).size == on_chip.size
    check_counts(network, CHIPS[name], p)
    check_trees(p)


def test_small_slices_share_cores_only_where_the_machine_lets_them():
    network = random_network(0)
    shared = place_network(network, architecture(), LOIHI)
    apart = place_network(network, architecture(), dataclasses.replace(LOIHI, shares_cores=False))
    assert {limit.name: limit.used for limit in shared.limits}["cores"] == 1
    assert {limit.name: limit.used for limit in apart.limits}["cores"] == 2


@pytest.mark.parametrize("name", CHIPS)
def test_same_seed_same_placement(name):
    one, two = (small(name, 3)[2] for _ in range(2))
    np.testing.assert_array_equal(one.slices.core, two.slices.core)
    assert one.costs == two.costs


@pytest.mark.parametrize(("name", "gain"), [("spinnaker1", 0.5), ("spinnaker2", 0.6), ("truenorth", 0.6)])
def test_optimised_beats_random_by_far_on_local_networks(name, gain):
    machine = dataclasses.replace(MACHINES[name], neurons=16, source_neurons=16, axons_in=None, axons_out=None)
    network = random_network(0, sizes=(100, 600, 600), fan=6, local=12)
    p = place_network(network, architecture(), machine)
    assert p.costs["optimised"] < gain * p.costs["random"]
    assert p.costs["optimised"] < p.costs["greedy"]
    assert p.costs["lower_bound"] <= p.costs["optimised"]


def test_order_of_neurons_inside_a_whole_core_changes_no_cost():
    """A permutation inside slices renames neurons, nothing else."""
    network, rates, p = small("spinnaker1", 5)
    order = np.arange(network.neurons)
    rng = np.random.default_rng(1)
    for s in range(len(p.slices)):
        own = np.flatnonzero(p.slice_of_neuron == s)
        order[own] = rng.permutation(own)
    projections = []
    for e in network.projections:
        a, b = int(network.first[e.source]), int(network.first[e.target])
        rows = [e.index[e.indptr[i] : e.indptr[i + 1]] for i in range(network.populations[e.source].size)]
        moved = [None] * len(rows)
        for i, row in enumerate(rows):
            moved[order[a + i] - a] = np.sort(order[b + row] - b).astype(np.int32)
        indptr = np.concatenate(([0], np.cumsum([len(r) for r in moved]))).astype(np.int64)
        projections.append(dataclasses.replace(e, indptr=indptr, index=np.concatenate(moved)))
    twin = dataclasses.replace(network, projections=tuple(projections))
    new_rates = np.empty_like(rates)
    new_rates[order] = rates
    q = place_network(twin, architecture(), CHIPS["spinnaker1"], rates=new_rates, effort="quick")
    assert q.costs["greedy"] == pytest.approx(p.costs["greedy"])
    np.testing.assert_allclose(np.sort(q.synapse_bits), np.sort(p.synapse_bits))


def test_slices_with_long_delays_take_a_core_of_their_own_nearby():
    network = random_network(0, sizes=(20, 30, 25))
    e = network.projections[1]
    delay = np.ones(e.synapses, np.uint8)
    delay[e.indptr[0] : e.indptr[1]] = 40  # synapses of neuron 0 of population 1, beyond 16 steps
    network = dataclasses.replace(
        network, projections=(network.projections[0], dataclasses.replace(e, delay=delay), *network.projections[2:])
    )
    p = place_network(network, architecture(), CHIPS["spinnaker1"])
    assert p.delay_cores.size == 1
    assert p.delay_cores[0] not in p.slices.core
    assert p.explain()["summary"]["delay_cores"] == 1
    assert {limit.name: limit.used for limit in p.limits}["cores"] == len(p.slices) + 1


def test_short_delays_are_raised_to_what_the_hardware_makes():
    machine = dataclasses.replace(CHIPS["spinnaker1"], min_delay=2)
    p = place_network(random_network(0), architecture(), machine)
    assert min(int(e.delay.min()) for e in p.network.projections) >= 2


def test_rows_move_to_tiles_with_room_for_them():
    machine = dataclasses.replace(SPINNAKER1, tiles=6, columns=3, rows=2, neurons=10, source_neurons=10)
    network = random_network(0, sizes=(10, 100), edges=((1, 1),), fan=10)
    free = place_network(network, architecture(), machine)
    assert free.sdram_bits.max() == free.sdram_bits.sum()  # all in one tile
    tight = dataclasses.replace(machine, tile_memory=float(free.sdram_bits.sum()) / 4)
    p = place_network(network, architecture(), tight)
    assert p.sdram_bits.max() <= tight.tile_memory
    assert p.sdram_bits.sum() == pytest.approx(free.sdram_bits.sum())
    np.testing.assert_allclose(p.sdram_bits, p.synapse_bits.reshape(6, -1).sum(axis=1))


def test_explain_is_json_and_tells_what_was_placed():
    network, _, p = small("spinnaker1", 2)
    found = json.loads(json.dumps(p.explain()))
    assert [r["neurons"] for r in found["layers"]] == [q.size for q in network.populations]
    assert sum(r["synapses"] for r in found["layers"]) == network.synapses
    assert [r["order"] for r in found["orders"]] == ["random", "greedy", "optimised", "lower bound"]
    assert sum(r["binds"] for r in found["limits"]) == 1
    assert found["summary"]["cores"] == len(p.slices)
    assert found["traffic"]["weights"] == "given"
    assert len(found["tables"]["entries_by_tile"]) == p.grid.tiles


def test_progress_rises_to_one():
    seen = []
    place_network(
        random_network(0), architecture(), CHIPS["spinnaker1"], progress=lambda done, what: seen.append((done, what))
    )
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert seen[-1] == (1.0, "done")


@pytest.mark.parametrize(
    ("rates", "words"),
    [(np.ones(3), "shape"), (np.full(75, -1.0), "-1"), (np.full(75, np.nan), "nan")],
)
def test_rates_that_are_none_are_refused(rates, words):
    with pytest.raises(InputError, match=words):
        place_network(random_network(0), architecture(), CHIPS["spinnaker1"], rates=rates)


def test_unknown_effort_is_refused():
    with pytest.raises(InputError, match="none, quick, normal, thorough"):
        place_network(random_network(0), architecture(), CHIPS["spinnaker1"], effort="some")


@pytest.mark.parametrize("effort", ["none", "quick", "normal", "thorough"])
def test_every_effort_places(effort):
    _, _, p = small("truenorth", 0, effort=effort)
    assert p.effort == effort
    assert p.costs["optimised"] <= p.costs["greedy"] + 1e-9


@pytest.mark.parametrize("most", [60, 150, 400])
@pytest.mark.parametrize("local", [None, 30])
def test_cuts_are_hardly_finer_than_the_coarsest_even_cut(most, local):
    """Axons do not add up over neurons, so the coarsest cut is found by trying all even ones."""
    size = 400
    network = random_network(2, sizes=(10, size), edges=((1, 1),), fan=6, local=local)
    machine = dataclasses.replace(LOIHI, axons_in=most, neurons=1000, tiles=400, columns=20, rows=20)
    found = len(place_network(network, architecture(), machine, effort="none").slices) - 1
    links = np.array(pairs(network)) - 10

    def fits(parts):
        borders = -(-size * np.arange(parts + 1) // parts)
        group = np.searchsorted(borders, links[:, 1], "right") - 1
        return max(len(set(links[group == g, 0].tolist())) for g in range(parts)) <= most

    coarsest = next(k for k in range(1, size + 1) if fits(k))
    assert found <= 1.2 * coarsest + 1


def test_mapping_needs_little_memory_beside_the_network():
    sizes, fan = (100, 20_000), 100
    rng = np.random.default_rng(0)
    index = np.sort(rng.integers(0, 400, (sizes[1], fan)) + np.arange(sizes[1])[:, None], axis=1) % sizes[1]
    index = np.sort(index, axis=1).astype(np.int32).ravel()
    edge = Projection(
        "near", 1, 1, np.arange(sizes[1] + 1) * fan, index, np.ones(index.size, np.float32), np.ones(1, np.uint8)
    )
    network = dataclasses.replace(random_network(0, sizes=sizes, edges=()), projections=(edge,))
    tracemalloc.start()
    p = place_network(network, architecture(), SPINNAKER1, effort="none")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert p.network.synapses == 2_000_000
    assert peak < 10 * p.network.synapses  # bytes; the network has more than 8 per synapse itself


def test_a_cut_by_memory_that_adds_up_is_the_coarsest_there_is():
    machine = dataclasses.replace(SPINNAKER1, neurons=None, core_reserved=0.0)
    network = random_network(2, sizes=(10, 3000), edges=((1, 1),), fan=2)
    p = place_network(network, architecture(), machine, effort="none")
    each = machine.state_bits + machine.buffer_bits
    own = p.slices.population == 1
    assert own.sum() == -(-3000 * each // machine.core_memory)
