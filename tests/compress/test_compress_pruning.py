"""Pruning of graphs: counts, masks, structures, channels and their removal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compress_networks import batch, cnn, mlp, outputs, recurrent, residual, same_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.compress import prune, quantize, remove_channels, summary
from neuromorph.errors import FitError, InputError
from neuromorph.graph import operators as op
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.formats.uniform import Int, Ternary
from neuromorph.graph.model import Graph, Node


def pruned_counts(graph: Graph) -> list[int]:
    return [r.weights - r.nonzero for r in summary(graph).rows]


@given(st.integers(0, 50), st.floats(0, 1, exclude_max=True), st.sampled_from(["global", "layer"]))
@settings(deadline=None, max_examples=30)
def test_sparsity_is_exact_and_pruning_idempotent(seed: int, sparsity: float, scope: str) -> None:
    graph = mlp(seed)
    before = [n.operator.arrays() for n in graph.nodes]
    once = prune(graph, sparsity, scope=scope)
    sizes = [r.weights for r in summary(graph).rows]
    if scope == "global":
        assert sum(pruned_counts(once)) == round(sparsity * sum(sizes))
    else:
        assert pruned_counts(once) == [round(sparsity * n) for n in sizes]
    assert same_weights(prune(once, sparsity, scope=scope), once)
    assert all(
        np.array_equal(a[k], n.operator.arrays()[k]) for a, n in zip(before, graph.nodes, strict=True) for k in a
    )
    for node in once.nodes:
        mask = getattr(node.operator, "mask", None)
        assert mask is None or not node.operator.weight[~mask].any()


def test_biases_shapes_and_formats_are_left_alone() -> None:
    graph = mlp()
    pruned = prune(quantize(graph, 4), 0.7)
    for node, old in zip(pruned.nodes, graph.nodes, strict=True):
        if node.operator.weight_slots:
            assert np.array_equal(node.operator.bias, old.operator.bias)
            assert node.operator.weight_format.bits == 4
    assert pruned.shapes == graph.shapes


def test_layers_are_chosen_by_name_module_and_pattern() -> None:
    graph = mlp()
    assert pruned_counts(prune(graph, 0.5, layers="fc2")) == [0, 60, 0]
    assert pruned_counts(prune(graph, 0.5, layers=["net.fc2"])) == [0, 60, 0]
    assert pruned_counts(prune(graph, 0.5, scope="layer", layers="fc*", exclude=["fc1"])) == [0, 60, 20]
    both = prune(recurrent(), 0.5, scope="layer", layers=["cell.weight_ih", "head"])
    assert [r.layer for r in summary(both).rows] == ["cell.weight_ih", "cell.weight_hh", "head"]
    assert pruned_counts(both) == [40, 0, 5]


def test_a_shared_operator_is_pruned_once_and_stays_shared() -> None:
    shared = op.Linear(np.random.default_rng(0).normal(size=(4, 4)))
    graph = Graph("tied", {"x": (4,)}, (Node("a", shared, ("x",)), Node("b", shared, ("a",))), ("b",))
    pruned = prune(graph, 0.5)
    assert pruned["a"].operator is pruned["b"].operator
    assert len(summary(pruned).rows) == 1
    assert pruned_counts(pruned) == [8]
    assert pruned_counts(prune(graph, 0.5, layers="b")) == [8]


def test_n_of_m_sets_its_sparsity_on_inputs_of_dense_and_convolution_layers() -> None:
    graph = mlp(sizes=(8, 12, 4))
    pruned = prune(graph, structure="2:4")
    assert pruned_counts(pruned) == [48, 24]
    assert np.array_equal(pruned["fc1"].operator.mask.reshape(12, 2, 4).sum(axis=2), np.full((12, 2), 2))
    assert same_weights(prune(graph, 0.5, structure="2:4"), pruned)
    halves = prune(cnn(), structure="1:2", exclude=["dw", "fc2"])["conv2"].operator.mask
    assert np.array_equal(halves.reshape(8, 3, 2, 3, 3).sum(axis=2), np.ones((8, 3, 3, 3)))


def test_n_of_m_names_every_layer_that_does_not_divide() -> None:
    with pytest.raises(InputError) as caught:
        prune(cnn(), structure="2:4")
    assert [p.place.key for p in caught.value.problems] == ["conv1", "dw", "conv2"]


def test_channel_pruning_masks_rows_bias_and_normalization() -> None:
    graph = cnn()
    pruned = prune(graph, 0.5, structure="channel", scope="layer", norm="l2")
    conv, bn = pruned["conv1"].operator, pruned["bn"].operator
    norms = np.linalg.norm(graph["conv1"].operator.weight.reshape(6, -1), axis=1)
    dead = np.isin(np.arange(6), np.argsort(norms)[:3])
    assert np.array_equal(~conv.mask.any(axis=(1, 2, 3)), dead)
    for values in (conv.bias, bn.scale, bn.shift):
        assert not values[dead].any()
        assert values[~dead].all()
    assert pruned["dw"].operator.mask is None  # grouped layers follow the layer that feeds them
    assert pruned["fc2"].operator.mask is None  # classes are not pruned
    seen: dict[str, np.ndarray] = {}
    evaluate(pruned, batch(graph, 3), record=lambda name, value: seen.update({name: value.numpy()}))
    assert not seen["act1"][:, dead].any()


@pytest.mark.parametrize("graph", [mlp(), cnn(), cnn(padding=0), cnn(activation="Sigmoid", padding=0)])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_removed_channels_leave_the_function_as_it_was(graph: Graph, scope: str) -> None:
    x = batch(graph, 4)
    masked = prune(graph, 0.5, structure="channel", scope=scope)
    small = prune(graph, 0.5, structure="channel", scope=scope, remove=True)
    assert np.abs(outputs(small, x) - outputs(masked, x)).max() < 1e-9
    kept = {
        n.name: int(n.operator.mask.reshape(n.operator.mask.shape[0], -1).any(axis=1).sum())
        for n in masked.nodes
        if getattr(n.operator, "mask", None) is not None
    }
    assert kept
    for name, count in kept.items():
        assert small[name].operator.weight.shape[0] == count
    assert summary(small).weights < 0.7 * summary(graph).weights
    assert same_weights(remove_channels(small), small)


def test_removal_keeps_scales_with_their_channels_and_rounds_constants_as_the_product_does() -> None:
    graph = cnn(activation="Sigmoid", padding=0)
    x = batch(graph, 4)
    formats = quantize(graph, 6, activations=4, granularity="channel", data=x)
    masked = prune(formats, 0.4, structure="channel")
    small = remove_channels(masked)
    assert small["conv1"].operator.weight_format.scale.shape[0] == small["conv1"].operator.weight.shape[0] < 6
    assert np.abs(outputs(small, x) - outputs(masked, x)).max() < 1e-9


def test_removal_follows_concat_transpose_and_recurrent_cells() -> None:
    rng = np.random.default_rng(4)
    nodes = (
        Node("a", op.Conv1d(rng.normal(size=(6, 2, 1)), rng.normal(size=6)), ("x",)),
        Node("b", op.Conv1d(rng.normal(size=(4, 2, 1)), rng.normal(size=4)), ("x",)),
        Node("both", op.Concat(-2), ("a", "b")),
        Node("tanh", op.Sigmoid(), ("both",)),
        Node("turn", op.Transpose((1, 0)), ("tanh",)),
        Node("cell", op.GRU(rng.normal(size=(9, 10)), rng.normal(size=(9, 3))), ("turn",)),
        Node("last", op.Select(), ("cell",)),
        Node("head", op.Linear(rng.normal(size=(2, 3))), ("last",)),
    )
    graph = Graph("speech", {"x": (2, 7)}, nodes, ("head",))
    masked = prune(graph, 0.5, structure="channel", layers=["a", "b"])
    small = remove_channels(masked, ["a", "b"])
    assert small["cell"].operator.weight_ih.shape == (9, 5)
    x = batch(graph)
    assert np.abs(outputs(small, x) - outputs(masked, x)).max() < 1e-9


def test_removal_refuses_a_residual_connection_and_says_why() -> None:
    graph = residual()
    with pytest.raises(FitError) as caught:
        prune(graph, 0.5, structure="channel", layers=["conv1", "conv3"], remove=True)
    (problem,) = caught.value.problems
    assert problem.place.key == "conv1"
    assert "residual connection 'sum'" in problem.message
    assert "'conv2'" in problem.message
    masked = prune(graph, 0.5, structure="channel", layers=["conv1", "conv3"])
    possible = remove_channels(masked)  # without names: what can go goes
    assert possible["conv1"].operator.weight.shape[0] == 6
    assert possible["conv3"].operator.weight.shape[0] == 2
    x = batch(graph)
    assert np.abs(outputs(possible, x) - outputs(masked, x)).max() < 1e-9


def test_a_residual_connection_whose_branches_lack_the_same_channels_is_followed() -> None:
    graph = residual()
    mask = np.ones((6, 6, 3, 3), dtype=bool)
    mask[[1, 4]] = False
    nodes = [
        replace(n, operator=replace(n.operator, mask=mask[:, : n.operator.weight.shape[1]]))
        if n.name in ("conv1", "conv2")
        else n
        for n in graph.nodes
    ]
    masked = replace(graph, nodes=tuple(nodes))
    small = remove_channels(masked, ["conv1", "conv2"])
    assert [small[n].operator.weight.shape[:2] for n in ("conv1", "conv2", "conv3")] == [(4, 2), (4, 4), (4, 4)]
    x = batch(graph)
    assert np.abs(outputs(small, x) - outputs(masked, x)).max() < 1e-9


def test_removal_refuses_constants_at_padded_borders_outputs_and_shared_weights() -> None:
    with pytest.raises(FitError, match="pads with zeros"):
        prune(cnn(activation="Sigmoid"), 0.5, structure="channel", layers="conv1", remove=True)
    with pytest.raises(FitError, match="output of the network"):
        prune(mlp(), 0.5, structure="channel", layers="fc3", remove=True)
    shared = op.Linear(np.random.default_rng(0).normal(size=(4, 4)))
    tied = Graph("tied", {"x": (4,)}, (Node("a", shared, ("x",)), Node("b", shared, ("a",))), ("b",))
    with pytest.raises(FitError, match="several places"):
        prune(tied, 0.5, structure="channel", layers="a", remove=True)


def test_channel_pruning_never_empties_a_layer() -> None:
    pruned = prune(cnn(), 0.99, structure="channel")
    for name in ("conv1", "conv2", "fc1"):
        assert pruned[name].operator.mask.reshape(pruned[name].operator.mask.shape[0], -1).any(axis=1).sum() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sparsity": 1.0}, r"\[0, 1\)"),
        ({"sparsity": -0.5}, r"\[0, 1\)"),
        ({"sparsity": float("nan")}, r"\[0, 1\)"),
        ({}, "sparsity is missing"),
        ({"sparsity": 0.5, "scope": "local"}, "global, layer"),
        ({"sparsity": 0.5, "structure": "block"}, "n:m"),
        ({"sparsity": 0.5, "norm": "l3"}, "l1, l2"),
        ({"sparsity": 0.5, "structure": "4:2"}, "4:2"),
        ({"sparsity": 0.6, "structure": "2:4"}, "contradicts"),
        ({"structure": "0:0"}, "pattern 0:0"),
        ({"sparsity": 0.5, "remove": True}, "whole channels"),
        ({"sparsity": 0.5, "layers": "fc9"}, r"did you mean 'fc\d'"),
        ({"sparsity": 0.5, "layers": ["zzz"], "exclude": "yyy"}, "layers: fc1, fc2, fc3"),
        ({"sparsity": 0.5, "exclude": "*"}, "every layer is excluded"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prune(mlp(), **arguments)


def test_recurrent_cells_are_refused_for_channels_only_when_named() -> None:
    with pytest.raises(InputError, match="hidden units"):
        prune(recurrent(), 0.5, structure="channel", layers="cell")
    with pytest.raises(InputError, match="no layer is left"):
        prune(recurrent(), 0.5, structure="channel")


def test_weights_that_are_not_finite_are_refused_by_layer() -> None:
    graph = mlp()
    bad = np.array(graph["fc2"].operator.weight)
    bad[0, :2] = np.nan, np.inf
    nodes = tuple(replace(n, operator=op.Linear(bad)) if n.name == "fc2" else n for n in graph.nodes)
    with pytest.raises(InputError, match="fc2: 2 of 120 weights are NaN or infinite"):
        prune(replace(graph, nodes=nodes), 0.5)


def test_a_network_without_weights_is_refused() -> None:
    with pytest.raises(InputError, match="no weights"):
        prune(Graph("empty", {"x": (3,)}, (Node("r", op.ReLU(), ("x",)),), ("r",)), 0.5)


def test_summary_counts_bits_and_bytes() -> None:
    graph = mlp(sizes=(8, 10, 4))
    sizes = summary(prune(quantize(graph, 4, layers="fc1"), 0.75, layers="fc1"))
    first, second = sizes.rows
    assert (first.weights, first.nonzero, first.bits, first.format) == (80, 20, 4, "int4")
    assert (first.dense_bytes, first.packed_bytes) == (40, 20)  # bitmap 80 + 20 * 4 bits
    assert first.sparsity == 0.75
    assert (second.bits, second.format, second.dense_bytes, second.packed_bytes) == (32, "float32", 160, 160)
    assert (sizes.weights, sizes.nonzero, sizes.dense_bytes, sizes.packed_bytes) == (120, 60, 200, 180)
    assert sizes.sparsity == 0.5
    pruned = summary(quantize(prune(graph, 0.75, layers="fc1"), 1)).rows[0]
    assert (pruned.dense_bytes, pruned.packed_bytes) == (13, 13)  # 80 + 20 bits
    formats = [Ternary(axis=0), Int(8, False, zero_point=np.array(3.0))]
    from neuromorph.compress.sizes import describe

    assert [describe(f) for f in formats] == ["ternary per channel", "uint8 affine"]
