"""Traffic of a sample: bits counted by hand, and every consumer receives all it multiplies by."""

import math

import numpy as np
import pytest
from mapping_networks import cnn, conv, crossbar, digital, linear, mlp, recurrent

from neuromorph.devices.layered.place.flows import OUTSIDE, Pieces, meet, value_bits
from neuromorph.devices.layered.place.placement import place
from neuromorph.graph.formats.uniform import Int
from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators.activation import ReLU
from neuromorph.graph.operators.arithmetic import Add
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.pooling import GlobalAvgPool
from neuromorph.graph.operators.wiring import Flatten

BITS = 4  # of an input, in the chips of mapping_networks


def total(placement, node, partial=False):
    names = [n.name for n in placement.graph.nodes]
    index = len(names) if node is None else names.index(node)
    f = placement.flows
    return float(f.bits[(f.node == index) & (f.partial == partial)].sum())


def test_two_dense_layers_by_hand():
    # 32 -> 32 -> 32 on arrays of 16 x 16 weights, one to a tile: a grid of 2 x 2 tiles for each layer.
    placement = place(mlp(32, 32, 32), crossbar(8), duplicate=False)
    f = placement.flows
    assert total(placement, "fc0") == 4 * 16 * BITS  # each tile needs its 16 inputs
    assert np.all(f.source[(f.node == 0) & ~f.partial] == OUTSIDE)
    sum_bits = BITS + 4 + math.log2(32)
    assert total(placement, "fc0", partial=True) == 2 * 16 * sum_bits  # the lower row block of both column blocks
    assert total(placement, "fc1") == 4 * 16 * BITS
    assert total(placement, None) == 32 * BITS
    assert np.all(f.target[f.node == len(placement.graph.nodes)] == OUTSIDE)
    # A sum lies where its first row block is, so two of fc1's tiles take from each of two roots.
    roots = {int(t) for t in f.target[f.partial & (f.node == 0)]}
    assert {int(s) for s in f.source[(f.node == 2) & ~f.partial]} == roots
    assert len(roots) == 2


def test_layers_in_one_tile_do_not_use_the_network():
    placement = place(mlp(32, 32, 32), crossbar(1, 2, 4), duplicate=False)
    f = placement.flows
    assert placement.bit_hops == 0
    assert np.all((f.source == f.target) | (f.source == OUTSIDE) | (f.target == OUTSIDE))
    assert total(placement, "fc1") == 32 * BITS  # broadcast in the tile: once
    assert total(placement, "fc1", partial=True) == 0  # summed in the tile


@pytest.mark.parametrize(
    ("graph", "architecture"),
    [
        (mlp(50, 40, 30), crossbar(64)),
        (cnn(), crossbar(64)),
        (cnn(), crossbar(6, 2, 4)),
        (recurrent(), crossbar(64)),
        (recurrent(), crossbar(5, 2, 4)),
        (cnn(), digital(16)),
    ],
)
@pytest.mark.parametrize("duplicate", [True, False])
def test_every_tile_receives_all_it_multiplies_by(graph, architecture, duplicate):
    placement = place(graph, architecture, duplicate=duplicate, effort="none")
    s, shapes, signal = placement.shards, graph.shapes, placement.chip.resources.signal_bits
    for index, node in enumerate(graph.nodes):
        layout = placement.layouts.get(node.name)
        if layout is None:
            continue
        expected = np.zeros(placement.chip.tiles)
        own_outputs = 0.0
        for k, matrix in enumerate(layout.group.matrices.values()):
            own = np.flatnonzero((s.node == index) & (s.matrix == k))
            rows = {
                (int(placement.tile_of_shard[i]), int(s.copy[i]), int(s.group[i]), r)
                for i in own
                for r in range(s.row0[i], s.row1[i])
            }
            features = matrix.groups * matrix.rows
            values = math.prod(layout.group.shapes[0][0])
            recurrent_rows = 0
            if matrix.window is None and matrix.input_shape != layout.group.shapes[0][0]:
                own_values = matrix.products * shapes[node.name][-1]
                recurrent_rows = shapes[node.name][-1]
                values = (0 if features == recurrent_rows else values) + own_values
            for tile, _copy, _group, _row in rows:
                expected[tile] += values / features / layout.copies * signal
            own_outputs += 0 if k == 0 else matrix.products * matrix.groups * matrix.cols * signal
        f = placement.flows
        mine = (f.node == index) & ~f.partial
        found = np.bincount(f.target[mine], weights=f.bits[mine], minlength=placement.chip.tiles)
        # The products of a node's first matrix are handed to its last one, too.
        assert found.sum() == pytest.approx(expected.sum() + own_outputs)
        if own_outputs == 0:
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_copies_share_the_inputs_instead_of_repeating_them():
    graph = Graph("c", {"x": (1, 8, 8)}, (conv("c", "x", 1, 4),), ("c",))
    for copies in (1, 4, 16):
        placement = place(graph, crossbar(16), copies={"c": copies})
        assert total(placement, "c") == pytest.approx(64 * BITS)
        assert total(placement, None) == pytest.approx(256 * BITS)


def test_a_copy_sends_to_the_copies_that_continue_its_run():
    nodes = (conv("a", "x", 1, 4), conv("b", "a", 4, 4, kernel=1))
    placement = place(Graph("ab", {"x": (1, 8, 8)}, nodes, ("b",)), crossbar(16), copies={"a": 4, "b": 2})
    f, s = placement.flows, placement.shards
    tile = {(int(n), int(c)): int(t) for n, c, t in zip(s.node, s.copy, placement.tile_of_shard, strict=True)}
    found = {(int(a), int(b)): v for a, b, v in zip(f.source, f.target, f.bits, strict=True) if a >= 0 and b >= 0}
    quarter = 4 * 64 * BITS / 4
    expected = {(tile[0, k], tile[1, k // 2]): quarter for k in range(4)}
    assert found == pytest.approx(expected)


def test_a_residual_sum_moves_the_earlier_value_to_the_later():
    nodes = (
        conv("a", "x", 2, 4, kernel=1),
        conv("b", "a", 4, 4, kernel=1),
        Node("sum", Add(), ("a", "b")),
        Node("twice", Add(), ("sum", "sum")),
    )
    placement = place(Graph("r", {"x": (2, 4, 4)}, nodes, ("twice",)), crossbar(4), duplicate=False)
    assert total(placement, "sum") == 4 * 16 * BITS
    assert total(placement, "twice") == 0
    f, s = placement.flows, placement.shards
    at = dict(zip(s.node.tolist(), placement.tile_of_shard.tolist(), strict=True))
    moved = (f.node == 2) & ~f.partial
    assert (f.source[moved].tolist(), f.target[moved].tolist()) == ([at[0]], [at[1]])


def test_pooling_shrinks_what_is_sent_on():
    nodes = (
        conv("a", "x", 2, 6),
        Node("r", ReLU(), ("a",)),
        Node("pool", GlobalAvgPool(), ("r",)),
        Node("flat", Flatten(), ("pool",)),
        linear("fc", "flat", 6, 3),
    )
    placement = place(Graph("p", {"x": (2, 8, 8)}, nodes, ("fc",)), crossbar(4), duplicate=False)
    assert total(placement, "fc") == 6 * BITS


def test_a_recurrent_state_travels_every_step():
    placement = place(recurrent(), crossbar(64), effort="none")
    f = placement.flows
    own = set(placement.tile_of_shard[placement.shards.node == 0].tolist())
    inner = (f.node == 0) & ~f.partial & np.isin(f.source, list(own))
    row_blocks = {
        (int(t), int(r)): (int(r), int(e))
        for t, r, e, n in zip(
            placement.tile_of_shard, placement.shards.row0, placement.shards.row1, placement.shards.node, strict=True
        )
        if n == 0
    }
    state_rows = sum(max(0, e - max(r, 10)) for r, e in row_blocks.values())  # rows above the 10 features
    assert f.bits[inner].sum() == pytest.approx(5 * state_rows * BITS)


def test_narrow_formats_of_the_network_travel_narrow():
    graph = mlp(16, 16)
    operator = graph.nodes[0].operator
    narrow = Linear(weight=operator.weight, input_format=Int(2, scale=np.array(0.5), zero_point=np.array(0.0)))
    found = place(Graph("n", {"x": (16,)}, (Node("fc0", narrow, ("x",)),), ("fc0",)), crossbar(1))
    assert total(found, "fc0") == 16 * 2
    matrix = graph.nodes[0].operator.matrices([(16,)])[0]
    assert value_bits(matrix, 8) == 8


def test_an_input_that_reaches_the_output_costs_nothing_on_the_chip():
    graph = mlp(8, 8)
    through = Graph("t", {"x": (8,)}, (*graph.nodes, Node("r", ReLU(), ("x",))), ("fc0", "r"))
    placement = place(through, crossbar(1))
    assert total(placement, None) == 8 * BITS


def test_meeting_rectangles_cover_their_common_area():
    rng = np.random.default_rng(0)

    def grid(features, positions):
        edges = np.sort(np.concatenate(([0, 1], rng.random(features - 1))))
        low, high = np.repeat(edges[:-1], positions), np.repeat(edges[1:], positions)
        first = np.tile(np.arange(positions) / positions, features)
        return Pieces(np.arange(low.size), low, high, first, first + 1 / positions)

    for shape in ((1, 1), (5, 3), (2, 7)):
        source, target = grid(*shape), grid(4, 4)
        shuffled = rng.permutation(source.tile.size)
        mixed = Pieces(*(getattr(source, n)[shuffled] for n in ("tile", "low", "high", "first", "last")))
        piece, to, area = meet(mixed, target)
        assert area.sum() == pytest.approx(1.0)
        found = {(int(mixed.sorted().tile[p]), int(t)): a for p, t, a in zip(piece, to, area, strict=True)}
        for i in range(source.tile.size):
            for j in range(target.tile.size):
                width = min(source.high[i], target.high[j]) - max(source.low[i], target.low[j])
                length = min(source.last[i], target.last[j]) - max(source.first[i], target.first[j])
                expected = max(width, 0) * max(length, 0)
                assert found.get((i, j), 0.0) == pytest.approx(expected, abs=1e-9)
