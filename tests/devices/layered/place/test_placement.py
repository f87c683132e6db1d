"""Placements: every weight once per copy, nothing overlaps, capacities hold, copies balance, files come back."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_networks import cnn, conv, crossbar, digital, linear, mlp, recurrent

from neuromorph.devices.layered.core import Misfit, core_kind
from neuromorph.devices.layered.place.arrays import DIAGONAL, EXCLUSIVE
from neuromorph.devices.layered.place.memory import MEMORY
from neuromorph.devices.layered.place.placement import place
from neuromorph.errors import FitError, InputError
from neuromorph.graph.model import Graph
from neuromorph.hardware.paths import replace


def check_coverage(placement):
    """Every weight of every kept tile lies in exactly one shard of each copy; left-out weights are all zero."""
    s = placement.shards
    for index, node in enumerate(placement.graph.nodes):
        layout = placement.layouts.get(node.name)
        if layout is None:
            assert not np.any(s.node == index)
            continue
        for k, matrix in enumerate(layout.group.matrices.values()):
            for copy in range(layout.copies):
                count = np.zeros(matrix.weight.shape, int)
                own = np.flatnonzero((s.node == index) & (s.matrix == k) & (s.copy == copy))
                for i in own:
                    count[s.group[i], s.row0[i] : s.row1[i], s.col0[i] : s.col1[i]] += 1
                kept = matrix.weight != 0 if matrix.mask is None else matrix.mask
                assert count.max() <= 1
                assert np.all(count[kept] == 1)


def check_room(placement):
    """Shards lie inside arrays and keep rows and columns of their own; cores and tiles exist."""
    s, r = placement.shards, placement.chip.resources
    assert s.core.max() < placement.chip.cores
    assert s.array.max() < r.arrays
    assert len(set(placement.tiles.tolist())) == placement.tiles.size
    assert placement.tiles.max() < placement.chip.tiles
    if r.packing is MEMORY:
        stored = np.bincount(s.core, weights=s.bits)
        assert stored.max() <= r["bits"]
        return
    assert np.all(s.array_row0 + s.height <= r["rows"])
    assert np.all(s.array_col0 + s.width <= r["cols"])
    array = s.core * r.arrays + s.array
    for a in np.unique(array):
        own = np.flatnonzero(array == a)
        rows, cols = np.zeros(r["rows"], int), np.zeros(r["cols"], int)
        cells = np.zeros((r["rows"], r["cols"]), int)
        for i in own:
            rows[s.array_row0[i] : s.array_row0[i] + s.height[i]] += 1
            cols[s.array_col0[i] : s.array_col0[i] + s.width[i]] += 1
            cells[s.array_row0[i] : s.array_row0[i] + s.height[i], s.array_col0[i] : s.array_col0[i] + s.width[i]] += 1
        assert cells.max() == 1
        if r.packing is DIAGONAL:
            assert rows.max() == cols.max() == 1
        if r.packing is EXCLUSIVE:
            assert own.size == 1


def check_search(placement):
    costs = placement.search.costs
    assert {"random", "snake", "refined"} <= set(costs)
    assert placement.search.lower_bound <= costs["refined"] * (1 + 1e-12)
    assert all(costs["refined"] <= c * (1 + 1e-12) for c in costs.values())
    assert placement.bit_hops == pytest.approx(costs["refined"])
    assert placement.link_loads.sum() == pytest.approx(placement.bit_hops)


@pytest.mark.parametrize(
    ("graph", "architecture"),
    [
        (mlp(40, 30, 20, 5), crossbar(16)),
        (mlp(40, 30, 20, 5), crossbar(4, 2, 2, topology="torus")),
        (cnn(), crossbar(64)),
        (cnn(), crossbar(8, 2, 4, topology="bus")),
        (cnn(), crossbar(13, 2, 4, cell_bits=2, columns=64)),
        (recurrent(), crossbar(40)),
        (mlp(40, 30, 20, 5), digital(4, capacity=16 * 16 * 8 * 4)),
        (cnn(), digital(64)),
        (cnn(), digital(1, capacity=2**20)),
        (recurrent(), digital(9)),
    ],
)
def test_everything_is_placed_once_and_apart(graph, architecture):
    placement = place(graph, architecture, effort="quick")
    check_coverage(placement)
    check_room(placement)
    check_search(placement)
    assert 0 < placement.utilisation <= 1
    assert all(limit.degree <= 1 or not limit.hard for limit in placement.limits)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5), st.integers(0, 3), st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_mlp_is_placed_once_and_apart(sizes, seed, shared):
    graph = mlp(*sizes)
    need = sum(-(-a // 16) * -(-b // 16) for a, b in itertools.pairwise(sizes))
    tiles = max(1, need // 2) if shared else need
    try:
        placement = place(graph, crossbar(tiles), seed=seed, effort="quick")
    except FitError:
        assert shared
        return
    check_coverage(placement)
    check_room(placement)


def test_arrays_of_one_tile_each(monkeypatch):
    kind = core_kind("crossbar")
    real = type(kind).resources
    monkeypatch.setattr(
        type(kind), "resources", lambda self, unit: dataclasses.replace(real(self, unit), packing=EXCLUSIVE)
    )
    placement = place(cnn(), crossbar(64), duplicate=False, effort="none")
    check_coverage(placement)
    check_room(placement)
    assert len(placement.array_cells) == len(placement.shards)
    most = sum(len(t) for layout in placement.layouts.values() for t in layout.tilings)
    with pytest.raises(FitError, match=f"the network needs {most} arrays, the chip has {most - 1}"):
        place(cnn(), crossbar(most - 1), duplicate=False, effort="none")


def test_all_zero_tiles_are_left_out_and_counted():
    mask = np.ones((32, 48), bool)  # (out, in): a grid of 3 x 2 tiles
    mask[:16, 16:32] = False
    mask[16:, 32:] = False
    mask[20, 40] = True
    nodes = (linear("fc", "x", 48, 32, mask=mask),)
    placement = place(Graph("pruned", {"x": (48,)}, nodes, ("fc",)), crossbar(16), duplicate=False)
    check_coverage(placement)
    assert placement.skipped == {"fc": 1}
    assert len(placement.shards) == 5
    assert len(placement.layouts["fc"].tilings[0]) == 5


def test_early_layers_are_copied_until_the_chip_is_full():
    graph = cnn()
    alone = place(graph, crossbar(64), duplicate=False)
    assert set(alone.copies.values()) == {1}
    copied = place(graph, crossbar(64))
    before, after = (p.explain()["summary"] for p in (alone, copied))
    assert before["steps_of_slowest"] == 64
    assert after["steps_of_slowest"] < 16
    assert before["arrays"] < after["arrays"] <= 64
    assert copied.copies["fc"] == 1  # one product a sample: a copy would idle
    assert copied.copies["conv1"] > 1
    check_coverage(copied)
    # An exhaustive look at one step more: no layer set with a lower bottleneck fits 64 arrays.
    work = {n: alone.layouts[n] for n in alone.layouts}
    faster = after["steps_of_slowest"] * (1 - 1e-9)
    need = 0
    for layout in work.values():
        products = max(m.products for m in layout.group.matrices.values())
        need += layout.arrays * min(int(np.ceil(products / faster)), products)
    assert need > 64


def test_recurrent_layers_are_not_copied():
    assert set(place(recurrent(), crossbar(400), effort="none").copies.values()) == {1}


def test_copies_can_be_chosen():
    placement = place(cnn(), crossbar(64), copies={"conv1": 3, "conv2": 2})
    assert placement.copies == {"conv1": 3, "conv2": 2, "side": 1, "depthwise": 1, "fc": 1}
    assert placement.layouts["conv1"].copies == 3
    check_coverage(placement)
    on_memory = place(cnn(), digital(64), copies={"conv1": 3})
    assert on_memory.copies["conv1"] == 3
    check_coverage(on_memory)


@pytest.mark.parametrize(
    ("copies", "message"),
    [
        ({"conv9": 2}, "no node 'conv9' takes a core.*legal: conv1, conv2"),
        ({"relu1": 2}, "no node 'relu1'"),
        ({"conv1": 0}, "0 copies of conv1.*from 1 to 64"),
        ({"conv1": 65}, "65 copies of conv1"),
        ({"conv1": 1.5}, "1.5 copies"),
        ({"fc": 2}, "from 1 to 1"),
    ],
)
def test_wrong_copies_are_named(copies, message):
    with pytest.raises(InputError, match=message):
        place(cnn(), crossbar(64), copies=copies)


def test_too_many_copies_do_not_fit():
    with pytest.raises(FitError, match="take 76 arrays, the chip has 64"):
        place(cnn(), crossbar(64), copies={"conv1": 60})
    with pytest.raises(FitError, match="cores, the chip has 12"):
        place(cnn(), digital(12, capacity=16 * 16 * 8), copies={"conv1": 60})


def test_layers_share_arrays_only_where_they_must():
    graph = mlp(8, 8, 8, 8)
    roomy = place(graph, crossbar(3), duplicate=False)
    assert not roomy.shared
    assert roomy.layouts["fc0"].arrays == 1
    tight = place(graph, crossbar(2))
    assert tight.shared
    check_coverage(tight)
    check_room(tight)
    assert len(tight.array_cells) == 2  # 8 x 16 cells: two on the diagonal of 16 x 32


def tiles_in(hint):
    return int(hint.split(" tile")[0].split()[-1])


def test_too_few_arrays_name_layer_and_smallest_change():
    graph = mlp(64, 64, 64)
    with pytest.raises(FitError) as caught:
        place(graph, crossbar(5, 2, 2))
    problem = caught.value.problems[0]
    assert "needs 32 arrays, the chip has 20; fc1 (16 arrays) is the first layer without room" in problem.message
    assert problem.place.key == "chip.tile.count"
    assert problem.hint == "3 tiles more, or chip.chips: 2"
    place(graph, replace(crossbar(5, 2, 2), {"chip.chips": 2}))
    place(graph, crossbar(5 + 3, 2, 2))
    with pytest.raises(FitError):
        place(graph, crossbar(5 + 2, 2, 2))


def test_fewer_weight_bits_are_offered_where_they_help():
    graph = mlp(64, 64, 64)

    def architecture(bits, tiles):
        return crossbar(tiles, 2, 2, weight_bits=bits, cell_bits=2, columns=64)

    with pytest.raises(FitError) as caught:
        place(graph, architecture(8, 7))
    hint = caught.value.problems[0].hint
    assert "tiles more, or chip.chips: 3, or weight bits 8 -> " in hint
    fewer = int(hint.rsplit(" ", 1)[1])
    place(graph, architecture(fewer, 7))
    with pytest.raises(FitError):
        place(graph, architecture(fewer + 1, 7))
    place(graph, architecture(8, 7 + tiles_in(hint)))
    with pytest.raises(FitError):
        place(graph, architecture(8, 7 + tiles_in(hint) - 1))


def test_too_little_weight_memory_names_layer_and_smallest_change():
    graph = mlp(64, 64, 64)  # 2 x 16 tiles of 2048 bit
    with pytest.raises(FitError) as caught:
        place(graph, digital(7))
    problem = caught.value.problems[0]
    assert "the weights take 8.0 KiB, the weight memories of 7 cores hold 7.0 KiB" in problem.message
    assert "fc1 is the first layer without room" in problem.message
    more = "1 tile more, or chip.chips: 2, or weight memories of 1.1 KiB each, or weight bits 8 -> 7"
    assert problem.hint.startswith(more)
    place(graph, digital(8))
    with pytest.raises(FitError, match=r"one tile of 2048 bit does not fit .* memory of 2000 bit"):
        place(graph, digital(50, capacity=2000))


def test_a_memory_core_runs_layers_in_turn_and_more_cores_spread_them():
    graph = mlp(64, 64, 64)
    one = place(graph, digital(1, capacity=2**20))
    assert one.shared
    assert one.layouts["fc0"].cores == 1
    spread = place(graph, digital(32, capacity=2**20))
    assert not spread.shared
    assert [spread.layouts[n].cores for n in ("fc0", "fc1")] == [16, 16]
    assert one.explain()["summary"]["steps_of_slowest"] == 16
    assert spread.explain()["summary"]["steps_of_slowest"] == 1


def test_nodes_that_cannot_be_hosted_are_all_named(monkeypatch):
    kind = type(core_kind("crossbar"))
    monkeypatch.setattr(
        kind,
        "admits",
        lambda self, group, unit: Misfit("too wide", "narrow ones") if group.name != "fc1" else None,
    )
    with pytest.raises(FitError) as caught:
        place(mlp(8, 8, 8, 8), crossbar(4))
    assert [str(p.place) for p in caught.value.problems] == ["fc0", "fc2"]
    assert "Linear does not fit a crossbar core: too wide" in str(caught.value)
    assert "legal: narrow ones" in str(caught.value)


def test_a_network_without_weights_has_nothing_to_map():
    graph = mlp(8, 8, 8)
    only = Graph("empty", {"x": (8,)}, (dataclasses.replace(graph.nodes[1], inputs=("x",)),), ("relu0",))
    with pytest.raises(FitError, match="no operator that needs a core"):
        place(only, crossbar(4))


def test_tile_buffers_spread_layers_before_copies_are_given_up():
    graph = Graph("two", {"x": (4, 8, 8)}, (conv("a", "x", 4, 8), conv("b", "a", 8, 8)), ("b",))
    # One copy of a waits for 3 rows x 8 columns x 4 channels x 4 bit = 384 bit, of b for twice that.
    found = [place(graph, crossbar(6, 1, 8, buffer=b)) for b in (4000, 1100, 900)]
    for placement in found:
        check_coverage(placement)
        check_room(placement)
        buffer = next(limit for limit in placement.limits if limit.name == "tile buffer")
        assert buffer.hard
        assert buffer.degree <= 1
    assert [set(p.copies.values()) for p in found] == [{6}, {3}, {3}]  # copies fill the chip, then give way
    assert [p.tiles.size for p in found] == [6, 4, 5]  # 24 arrays fill 3 tiles; smaller buffers spread them
    alone = place(graph, crossbar(16, 1, 8, buffer=800), duplicate=False)
    assert alone.tiles.size == 2  # 3 + 5 arrays would fit one tile
    with pytest.raises(FitError, match=r"tile buffer needs 0.\d+ KiB for b, has 0.\d+ KiB"):
        place(graph, crossbar(16, 1, 8, buffer=100))


def test_a_memory_of_the_chip_takes_what_tile_buffers_cannot():
    graph = Graph("two", {"x": (4, 8, 8)}, (conv("a", "x", 4, 8), conv("b", "a", 8, 8)), ("b",))
    placement = place(graph, crossbar(1, 1, 8, buffer=800, memory=10_000))
    by_name = {limit.name: limit for limit in placement.limits}
    assert by_name["tile buffer"].degree > 1
    assert not by_name["tile buffer"].hard
    assert by_name["chip memory"].used == by_name["tile buffer"].used - 800
    with pytest.raises(FitError, match="chip memory needs"):
        place(graph, crossbar(1, 1, 8, buffer=800, memory=100))


def test_the_binding_limit_is_the_fullest():
    placement = place(mlp(64, 64, 64), crossbar(8, 2, 2))
    assert placement.binding.name in ("arrays", "cores", "tiles")
    assert placement.binding.degree == 1.0
    assert [row["binds"] for row in placement.explain()["limits"]].count(True) == 1


def test_same_seed_same_placement_and_seeds_differ_only_in_positions():
    graph, architecture = cnn(), crossbar(64)
    a, b, c = (place(graph, architecture, seed=s, effort="quick") for s in (1, 1, 2))
    assert a.explain() == b.explain()
    for name, column in a.shards.columns().items():
        np.testing.assert_array_equal(column, getattr(b.shards, name))
        if name != "core":
            np.testing.assert_array_equal(column, getattr(c.shards, name))
    assert a.search.costs["random"] != c.search.costs["random"]
    assert a.search.lower_bound == c.search.lower_bound


def test_wrong_options_are_named():
    with pytest.raises(InputError, match="effort is 'heroic'"):
        place(mlp(8, 8), crossbar(4), effort="heroic")
    for seed in (-1, 1.5, True, 2**63):
        with pytest.raises(InputError, match="seed is"):
            place(mlp(8, 8), crossbar(4), seed=seed)


def test_progress_is_told_from_start_to_end():
    told = []
    place(mlp(8, 8), crossbar(4), progress=lambda done, what: told.append(done))
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_explanation_is_json_and_adds_up():
    placement = place(cnn(), crossbar(64))
    found = json.loads(json.dumps(placement.explain()))
    layers = found["layers"]
    assert [row["node"] for row in layers] == ["conv1", "conv2", "side", "depthwise", "fc"]
    assert sum(row["arrays"] for row in layers) == found["summary"]["arrays"]
    assert sum(row["tiles"] * row["copies"] for row in layers) == found["summary"]["shards"]
    orders = {row["order"] for row in found["orders"]}
    assert {"random", "snake", "greedy", "lower bound"} <= orders
    assert any(order.startswith("refined from ") for order in orders)
    used = sum(row["utilisation"] * row["arrays"] for row in layers) / found["summary"]["arrays"]
    assert found["summary"]["utilisation"] == pytest.approx(used)
