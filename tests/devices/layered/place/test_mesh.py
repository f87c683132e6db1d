"""Placement on a network: distances and link loads against a graph search, placements against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.csgraph import shortest_path

from neuromorph.errors import FitError, InputError
from neuromorph.placing import orders
from neuromorph.placing.mesh import lower_bound, neighbours, place_nodes
from neuromorph.placing.topology import Topology

TOPOLOGIES = {
    "mesh": Topology("mesh", 4, 3),
    "torus": Topology("torus", 5, 4),
    "shared routers": Topology("mesh", 3, 2, concentration=4),
    "bus": Topology("bus", 7),
    "line": Topology("mesh", 6, 1),
    "ragged": Topology("mesh", 4, 4, places=13),
    "ragged torus": Topology("torus", 3, 3, concentration=2, places=17),
}


def searched_distances(t: Topology) -> np.ndarray:
    """Router graph built link by link, all shortest paths."""
    w, h = t.width, t.height
    links = lil_matrix((w * h, w * h))
    for y, x in itertools.product(range(h), range(w)):
        for dy, dx in ((0, 1), (1, 0)):
            ny, nx = y + dy, x + dx
            if t.kind == "torus":
                ny, nx = ny % h, nx % w
            if ny < h and nx < w and (ny, nx) != (y, x):
                links[y * w + x, ny * w + nx] = links[ny * w + nx, y * w + x] = 1
    d = shortest_path(links.tocsr(), unweighted=True)
    router = np.arange(t.slots) // t.concentration
    return d[np.ix_(router, router)]


@pytest.mark.parametrize("name", ["mesh", "torus", "shared routers", "line", "ragged", "ragged torus"])
def test_hops_are_shortest_paths(name):
    t = TOPOLOGIES[name]
    a = np.arange(t.slots)
    np.testing.assert_array_equal(t.hops(a[:, None], a[None, :]), searched_distances(t))


def random_flows(seed, nodes, flows):
    rng = np.random.default_rng(seed)
    return rng.integers(0, nodes, flows), rng.integers(0, nodes, flows), rng.integers(1, 9, flows).astype(float)


@pytest.mark.parametrize("name", ["mesh", "torus", "shared routers", "line", "bus"])
def test_link_loads_add_up_to_traffic_times_hops(name):
    t = TOPOLOGIES[name]
    s, d, w = random_flows(3, t.slots, 60)
    loads = t.link_loads(s, d, w)
    assert loads.min() >= 0
    assert loads.sum() == pytest.approx((w * t.hops(s, d)).sum())


def test_mesh_links_carry_the_routes_walked_by_hand():
    for t in (TOPOLOGIES["mesh"], TOPOLOGIES["torus"]):
        s, d, w = random_flows(5, t.slots, 40)
        expect = np.zeros((4, t.height, t.width))
        for a, b, amount in zip(s, d, w, strict=True):
            (y, x), (ty, tx) = divmod(int(a), t.width), divmod(int(b), t.width)
            for axis, size in ((0, t.width), (1, t.height)):
                here, there = ((x, tx), (y, ty))[axis]
                forward = (there - here) % size if t.kind == "torus" else there - here
                if t.kind == "torus" and 2 * forward > size:
                    forward -= size
                step = 1 if forward > 0 else -1
                for _ in range(abs(forward)):
                    expect[2 * axis + (0 if step > 0 else 1), y, x] += amount
                    if axis == 0:
                        x = (x + step) % t.width
                    else:
                        y = (y + step) % t.height
        np.testing.assert_allclose(t.link_loads(s, d, w), expect)


@pytest.mark.parametrize("name", list(TOPOLOGIES))
def test_nearest_is_below_every_slot_at_every_rank(name):
    t = TOPOLOGIES[name]
    a = np.arange(t.slots)
    ranks = np.sort(t.hops(a[:, None], a[None, :]), axis=1)
    nearest = t.nearest()[: t.slots]
    assert np.all(nearest <= ranks.min(axis=0))
    if t.places is None:
        np.testing.assert_array_equal(nearest, ranks.min(axis=0))


def brute_force(t, nodes, s, d, w):
    table = t.hops(np.arange(t.slots)[:, None], np.arange(t.slots)[None, :])
    return min((w * table[np.array(p)[s], np.array(p)[d]]).sum() for p in itertools.permutations(range(t.slots), nodes))


@pytest.mark.parametrize("name", ["mesh 3x2", "torus 3x2", "bus", "pairs"])
@pytest.mark.parametrize("seed", range(3))
def test_small_problems_reach_the_optimum(name, seed):
    t = {
        "mesh 3x2": Topology("mesh", 3, 2),
        "torus 3x2": Topology("torus", 3, 2),
        "bus": Topology("bus", 5),
        "pairs": Topology("mesh", 3, 1, concentration=2),
    }[name]
    nodes = min(5, t.slots)
    s, d, w = random_flows(seed, nodes, 9)
    best = brute_force(t, nodes, s, d, w)
    found = place_nodes(t, nodes, s, d, w, seed=seed)
    assert found.lower_bound <= best + 1e-9
    assert found.costs["refined"] == pytest.approx(best)


@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from(sorted(TOPOLOGIES)))
@settings(max_examples=40, deadline=None)
def test_every_answer_is_a_placement_between_bound_and_best_order(seed, flows, name):
    t = TOPOLOGIES[name]
    nodes = 1 + seed % t.slots
    s, d, w = random_flows(seed, nodes, flows)
    found = place_nodes(t, nodes, s, d, w, seed=seed, effort="quick")
    assert len(set(found.slot.tolist())) == nodes
    assert found.slot.min() >= 0
    assert found.slot.max() < t.slots
    assert set(found.costs) == {"random", "snake", "greedy", "refined"}
    assert found.lower_bound <= found.costs["refined"] + 1e-9
    assert found.costs["refined"] <= min(found.costs.values()) + 1e-9
    assert found.costs["refined"] == pytest.approx((w * t.hops(found.slot[s], found.slot[d])).sum())


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 3), (1, 7), (6, 8)])
@pytest.mark.parametrize("concentration", [1, 3])
def test_orders_visit_every_slot_once(size, concentration):
    t = Topology("mesh", *size, concentration=concentration)
    check_orders(t)
    check_orders(Topology("mesh", *size, concentration=concentration, places=t.slots - t.slots // 5))


def check_orders(t):
    n = t.slots
    start, other, weight = neighbours(n, *random_flows(n, n, 3 * n))
    for slot in (orders.snake(t, n), orders.random(t, n, 4), orders.greedy(t, n, start, other, weight)):
        assert sorted(slot.tolist()) == list(range(n))


def test_snake_steps_one_hop_at_a_time_over_the_compact_rectangle():
    t = Topology("mesh", 20, 9)
    slot = orders.snake(t, 64)
    assert t.hops(slot[:-1], slot[1:]).max() == 1
    assert ((slot % 20).max(), (slot // 20).max()) == (7, 7)


def test_greedy_order_follows_a_shuffled_chain_along_the_snake():
    t = Topology("mesh", 8, 8)
    name = np.concatenate(([0], 1 + np.random.default_rng(0).permutation(63)))
    chain = neighbours(64, name[:-1], name[1:], np.ones(63))
    slot = orders.greedy(t, 64, *chain)
    np.testing.assert_array_equal(slot[name], orders.snake(t, 64))


def test_annealing_untangles_a_shuffled_grid():
    side = 12
    rng = np.random.default_rng(2)
    name = rng.permutation(side * side).reshape(side, side)
    s = np.concatenate([name[:, :-1].ravel(), name[:-1].ravel()])
    d = np.concatenate([name[:, 1:].ravel(), name[1:].ravel()])
    found = place_nodes(Topology("mesh", side, side), side * side, s, d, np.ones(s.size), effort="thorough")
    assert found.costs["greedy"] < 0.5 * found.costs["random"]
    assert found.costs["refined"] < 0.3 * found.costs["random"]
    assert found.lower_bound == s.size  # every edge one hop: the bound is tight here


def test_same_seed_same_placement():
    t = Topology("mesh", 6, 6)
    flows = random_flows(8, 30, 90)
    a, b = (place_nodes(t, 30, *flows, seed=5) for _ in range(2))
    np.testing.assert_array_equal(a.slot, b.slot)
    assert dict(a.costs) == dict(b.costs)
    assert place_nodes(t, 30, *flows, seed=6).costs["random"] != a.costs["random"]


def test_a_ring_costs_one_hop_an_edge_and_the_bound_says_so():
    n = 16
    ring = np.arange(n)
    found = place_nodes(Topology("torus", 4, 4), n, ring, (ring + 1) % n, np.ones(n))
    assert found.lower_bound == n
    assert found.costs["refined"] == n


def test_no_traffic_costs_nothing():
    found = place_nodes(Topology("mesh", 2, 2), 3, np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    assert found.costs["refined"] == found.lower_bound == 0.0
    start, other, weight = neighbours(3, np.array([1]), np.array([1]), np.array([2.0]))
    assert weight.size == 0
    assert lower_bound(Topology("mesh", 2, 2), 3, start, other, weight) == 0.0


def test_bad_input_is_named():
    t, none = Topology("mesh", 2, 2), np.zeros(0, int)
    with pytest.raises(FitError, match="5 nodes do not fit the 4 slots"):
        place_nodes(t, 5, none, none, none)
    with pytest.raises(InputError, match="legal: none, quick"):
        place_nodes(t, 2, none, none, none, effort="heroic")
    with pytest.raises(InputError, match=r"outside 0\.\.1"):
        place_nodes(t, 2, np.array([0]), np.array([2]), np.array([1.0]))
    with pytest.raises(InputError, match="finite"):
        place_nodes(t, 2, np.array([0]), np.array([1]), np.array([np.nan]))
    with pytest.raises(InputError, match="shapes"):
        place_nodes(t, 2, np.array([0]), np.array([1]), np.ones(2))
    with pytest.raises(InputError, match="at least 1"):
        place_nodes(t, 0, none, none, none)
    for kwargs in (
        {"kind": "ring", "width": 3},
        {"kind": "bus", "width": 3, "height": 2},
        {"kind": "mesh", "width": 0},
    ):
        with pytest.raises(InputError):
            Topology(**kwargs)
