"""The search: what a move adds to the cost by its own account equals the difference of exact costs."""

import dataclasses

import numpy as np
import pytest
from manycore_cases import MACHINES, architecture, random_network

from neuromorph.devices.manycore.place import search
from neuromorph.devices.manycore.place.place import _demand, grid_of, pack_network
from neuromorph.devices.manycore.place.routes import find_routes
from neuromorph.devices.manycore.place.swaps import _move, _shift


@pytest.mark.parametrize("name", ["spinnaker1", "spinnaker2", "loihi"])
@pytest.mark.parametrize("outside", ["core", "host"])
def test_moves_are_priced_exactly(name, outside):
    machine = dataclasses.replace(
        MACHINES[name], neurons=5, source_neurons=7, cores_per_tile=2, columns=5, rows=4, tiles=20,
        input_source=outside, shares_cores=True,
    )  # fmt: skip
    network = random_network(6, edges=((0, 1), (1, 1), (1, 2), (2, 1)), fan=3)
    rng = np.random.default_rng(0)
    rates = rng.random(network.neurons)
    demand = _demand(machine, pack_network(network, architecture(), machine, rates), rates, network)
    grid = grid_of(machine)
    routes = find_routes(grid)
    slot = rng.permutation(40)[: demand.groups]
    tile = slot // 2
    to, flows = demand.targets, demand.packets
    behind = np.zeros((demand.sender.size, grid.tiles), np.int32)
    root = search.roots(demand.sender, tile)
    row = np.repeat(np.arange(demand.sender.size, dtype=np.int32), np.diff(to.indptr))
    if machine.multicast:
        for s, u in zip(row, to.items, strict=True):
            _shift(behind, routes.before, s, root[s], tile[u], 1)
    order = np.argsort(to.items, kind="stable")
    senders = np.flatnonzero(demand.sender >= 0)
    by_sender = senders[np.argsort(demand.sender[senders], kind="stable")].astype(np.int32)
    net = (
        tile, machine.multicast, behind, routes.before, routes.hops, demand.sender.astype(np.int64), demand.weight,
        to.indptr, to.items, flows, search._starts(to.items, demand.groups), row[order], flows[order],
        search._starts(demand.sender[senders], demand.groups), by_sender,
    )  # fmt: skip
    cost = search.cost(demand, grid, routes, tile * 2)
    assert cost > 0
    for _ in range(60):
        v, where = int(rng.integers(demand.groups)), int(rng.integers(grid.tiles))
        change, steps = _move(v, where, *net)
        after = search.cost(demand, grid, routes, tile * 2)
        assert after - cost == pytest.approx(change, abs=1e-9)
        assert steps >= 0
        cost = after
    assert behind.min() >= 0


def test_few_cores_are_placed_as_well_as_trying_all_places():
    from itertools import permutations

    machine = dataclasses.replace(
        MACHINES["spinnaker2"], neurons=10, source_neurons=10, cores_per_tile=1, columns=3, rows=2, tiles=6
    )
    network = random_network(3, sizes=(10, 20, 20), edges=((0, 1), (1, 2), (2, 1)), fan=2, local=2)
    rates = np.random.default_rng(1).random(network.neurons)
    demand = _demand(machine, pack_network(network, architecture(), machine, rates), rates, network)
    grid = grid_of(machine)
    routes = find_routes(grid)
    best = min(search.cost(demand, grid, routes, np.array(slot)) for slot in permutations(range(6), demand.groups))
    found = search.search(demand, grid, routes, 0, "normal")
    assert found.costs["optimised"] == pytest.approx(best)
    assert found.costs["lower_bound"] <= best
