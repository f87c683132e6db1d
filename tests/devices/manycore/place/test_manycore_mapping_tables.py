"""Routing tables: every key a slice uses takes the same route before and after merging, hop by hop to its targets."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from manycore_cases import MACHINES, SPINNAKER1, architecture, random_network

from neuromorph.devices.manycore.place import HOST, Grid, Lists, Slices, place_network, routing_table
from neuromorph.devices.manycore.place.routes import find_routes, path, trees
from neuromorph.devices.manycore.place.tables import _merge, assign_keys
from neuromorph.errors import FitError

FULL = (1 << 32) - 1


def matches(table, key):
    return [int(r) for k, m, r in zip(table.key, table.mask, table.route, strict=True) if key & int(m) == int(k)]


def blocks_of(draws):
    """Disjoint aligned blocks from (size bits, gap) pairs: keys and masks."""
    keys, masks, at = [], [], 0
    for bits, gap in draws:
        size = 1 << bits
        at = -(-(at + gap) // size) * size
        keys.append(at)
        masks.append(FULL & ~(size - 1))
        at += size
    return np.array(keys, np.int64), np.array(masks, np.int64)


@given(
    draws=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40),
    ways=st.integers(1, 5),
    data=st.data(),
)
def test_merging_keeps_the_route_of_every_used_key(draws, ways, data):
    key, mask = blocks_of(draws)
    n = key.size
    route = np.array(data.draw(st.lists(st.integers(1, ways), min_size=n, max_size=n)), np.int64)
    default = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool) & (route == 1)
    order = np.array(data.draw(st.permutations(range(n))))
    table = _merge(key[order], mask[order], route[order], default[order])
    assert len(table) <= (~default).sum()
    for k, m, r, d in zip(key.tolist(), mask.tolist(), route.tolist(), default.tolist(), strict=True):
        for used in range(k, k + (FULL & ~m) + 1):
            found = set(matches(table, used))
            assert found == {r} or (d and not found)


def test_merging_finds_what_is_there_to_merge():
    key = np.arange(64, dtype=np.int64) << 8
    mask = np.full(64, FULL & ~255, np.int64)
    one = _merge(key, mask, np.full(64, 5, np.int64), np.zeros(64, bool))
    assert len(one) == 1
    by_low_bit = _merge(key, mask, 1 + np.arange(64, dtype=np.int64) % 2, np.zeros(64, bool))
    assert len(by_low_bit) == 2  # a bit in the middle of the key tells them apart: no prefix does
    assert len(_merge(key, mask, np.full(64, 1, np.int64), np.ones(64, bool))) == 0


@pytest.mark.parametrize(("name", "source"), [("spinnaker1", "core"), ("spinnaker2", "core"), ("spinnaker1", "host")])
@pytest.mark.parametrize("merged", [True, False])
def test_packets_followed_through_the_tables_reach_the_targets_once(name, source, merged):
    machine = dataclasses.replace(
        MACHINES[name], neurons=6, source_neurons=5, columns=5, rows=4, tiles=20, cores_per_tile=3, input_source=source
    )
    network = random_network(4, edges=((0, 1), (1, 1), (1, 2), (0, 2)), fan=3, local=4)
    p = place_network(network, architecture(), machine, effort="none")
    grid, tables = p.grid, [routing_table(p, t, merged=merged) for t in range(p.grid.tiles)]
    np.testing.assert_array_equal([len(t) for t in tables], p.routing.entries if merged else p.routing.entries_raw)
    for s in range(len(p.slices)):
        if not p.routing.targets.row(s).size:
            continue
        root = 0 if p.slices.core[s] == HOST else int(p.slices.core[s]) // grid.cores_per_tile
        for neuron in range(int(p.slices.stop[s] - p.slices.start[s])):
            reached, packets, hops = [], [(root, None)], 0
            while packets:
                tile, came = packets.pop()
                found = set(matches(tables[tile], int(p.routing.key[s]) + neuron))
                assert len(found) <= 1
                assert found or came is not None
                word = found.pop() if found else 1 << came
                reached += [
                    tile * grid.cores_per_tile + c
                    for c in range(grid.cores_per_tile)
                    if word >> (grid.directions + c) & 1
                ]
                for d in range(grid.directions):
                    if word >> d & 1:
                        packets.append((int(grid.link_target[tile * grid.directions + d]), d))
                        hops += 1
                assert hops <= grid.tiles
            assert sorted(reached) == p.routing.targets.row(s).tolist()
            assert hops == len(p.routing.links.row(s))


def test_keys_are_aligned_blocks_that_never_meet():
    rng = np.random.default_rng(0)
    grid = Grid(5, 3, 14, 4, "mesh", 5, 3)
    core = np.sort(np.concatenate((rng.integers(0, 56, 60), [HOST] * 3))).astype(np.int32)
    rng.shuffle(core)
    size = rng.integers(1, 70, core.size)
    slices = Slices(np.zeros(core.size, np.int32), np.zeros(core.size, np.int64), size, core)
    key, mask = assign_keys(grid, slices)
    room = (~mask & FULL) + 1
    assert np.all(room >= size)
    assert np.all(room < 2 * size)
    assert np.all(key % room == 0)
    order = np.argsort(key)
    assert np.all(key[order][1:] >= (key + room)[order][:-1])
    assert key.max() + room.max() <= 1 << 32


def test_all_to_all_traffic_needs_few_entries():
    machine = dataclasses.replace(SPINNAKER1, neurons=8, source_neurons=8)
    network = random_network(0, sizes=(8, 1600), edges=((1, 1),), fan=400)
    p = place_network(network, architecture(), machine, effort="none")
    assert p.routing.entries_raw.max() == 200
    assert p.routing.entries.max() < 40


def test_tables_beyond_the_router_are_refused_with_numbers():
    machine = dataclasses.replace(SPINNAKER1, neurons=4, source_neurons=4, router_entries=5)
    with pytest.raises(FitError, match=r"the router of tile \d+ .* needs \d+ entries \(\d+ before merging\), it has 5"):
        place_network(random_network(0), architecture(), machine)


@pytest.mark.parametrize("topology", ["mesh", "torus", "triangular"])
@pytest.mark.parametrize(("columns", "rows", "tiles"), [(8, 6, 48), (7, 6, 38), (1, 5, 5), (2, 2, 4), (1, 1, 1)])
def test_routes_are_shortest_and_prefixes_are_routes(topology, columns, rows, tiles):
    if topology != "mesh" and tiles != columns * rows:
        pytest.skip("a torus is full")
    grid = Grid(columns, rows, tiles, 1, topology, columns, rows)
    routes = find_routes(grid)
    for s in range(tiles):
        for t in range(tiles):
            x, y = (t % columns - s % columns, t // columns - s // columns)
            if topology == "mesh":
                near = abs(x) + abs(y)
            else:
                steps = [(x + a * columns, y + b * rows) for a in (-1, 0, 1) for b in (-1, 0, 1)]
                diagonal = topology == "triangular"
                near = min(max(abs(u), abs(v)) if diagonal and u * v > 0 else abs(u) + abs(v) for u, v in steps)
            assert routes.hops[s, t] == near
            links = path(grid, routes, s, t)
            assert len(links) == near
            if links:
                assert int(grid.link_target[links[-1]]) == t
                assert links[:-1] == path(grid, routes, s, links[-1] // grid.directions)


def test_mesh_routes_go_along_x_first():
    grid = Grid(4, 4, 16, 1, "mesh", 4, 4)
    routes = find_routes(grid)
    assert [link % 4 for link in path(grid, routes, 0, 14)] == [0, 0, 2, 2, 2]


def test_a_tree_takes_shared_links_once():
    grid = Grid(4, 4, 16, 1, "mesh", 4, 4)
    found = trees(grid, find_routes(grid), np.array([0]), Lists(np.array([0, 3]), np.array([3, 7, 2], np.int32)))
    assert found.row(0).tolist() == [0, 4, 8, 14]
