"""Rewrites keep the function and do what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from graph_examples import INT4, on_grid, rng, w

from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph, Node, Operator, Shape, Window
from neuromorph.graph.operators import activation, arithmetic, convolution, dense, recurrent, wiring
from neuromorph.graph.simplify import fold_batch_norm, last_steps, simplify, without_unused


def chain(shape: Shape, *operators: Operator, outputs: tuple[str, ...] = ()) -> Graph:
    nodes = [Node(f"n{i}", o, (f"n{i - 1}" if i else "x",), f"m{i}") for i, o in enumerate(operators)]
    return Graph("chain", {"x": shape}, tuple(nodes), outputs or (nodes[-1].name,))


LAYERS: list[tuple[Operator, Shape, int]] = [
    (dense.Linear(w(4, 3), mask=rng.random((4, 3)) < 0.5), (3,), -1),
    (convolution.Conv1d(w(4, 3, 2), w(4), window=Window((1, 2))), (3, 5), -2),
    (convolution.Conv2d(w(4, 1, 2, 2), window=Window((2, 2)), groups=2), (2, 5, 5), -3),
]


@pytest.mark.parametrize(("layer", "shape", "axis"), LAYERS)
@pytest.mark.parametrize("channels", [1, 4])
def test_normalizations_fold_into_the_layer_before(layer: Operator, shape: Shape, axis: int, channels: int) -> None:
    graph = chain(shape, layer, arithmetic.BatchNorm(w(channels), w(channels), axis), activation.ReLU())
    folded = fold_batch_norm(graph)
    assert [n.name for n in folded.nodes] == ["n0", "n2"]
    assert folded["n0"].module == "m0"
    x = torch.randn(3, *shape, dtype=torch.float64)
    torch.testing.assert_close(evaluate(folded, x), evaluate(graph, x), rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(getattr(folded["n0"].operator, "mask", 0), getattr(layer, "mask", 0))


def test_two_normalizations_in_a_row_fold_and_outputs_follow() -> None:
    norms = (arithmetic.BatchNorm(w(4), w(4), -1), arithmetic.BatchNorm(w(4), w(4), -1))
    graph = chain((3,), dense.Linear(w(4, 3)), *norms)
    folded = simplify(graph)
    assert (len(folded.nodes), folded.outputs) == (1, ("n0",))
    x = torch.randn(3, dtype=torch.float64)
    torch.testing.assert_close(evaluate(folded, x), evaluate(graph, x))


def test_normalizations_stay_where_folding_would_be_wrong() -> None:
    norm = arithmetic.BatchNorm(w(4), w(4), -1)
    shared = chain((3,), dense.Linear(w(4, 3)), norm)
    shared = dataclasses.replace(
        shared, nodes=(*shared.nodes, Node("add", arithmetic.Add(), ("n0", "n1"))), outputs=("add",)
    )
    quantized = chain((3,), dense.Linear(on_grid((4, 3), INT4), weight_format=INT4), norm)
    read_out = chain((3,), dense.Linear(w(4, 3)), norm, outputs=("n1", "n0"))
    wrong_axis = chain((4, 3), dense.Linear(w(4, 3)), arithmetic.BatchNorm(w(4), w(4), -2))
    first = chain((4,), norm, dense.Linear(w(2, 4)))
    for graph in (shared, quantized, read_out, wrong_axis, first):
        assert fold_batch_norm(graph) == graph


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("gru", [False, True])
def test_layers_of_which_only_the_last_step_is_read_return_it(reverse: bool, gru: bool) -> None:
    cell = (
        recurrent.GRU(w(6, 3), w(6, 2), reverse=reverse) if gru else recurrent.LSTM(w(8, 3), w(8, 2), reverse=reverse)
    )
    graph = chain((4, 3), cell, wiring.Select(-2, 0 if reverse else 3), dense.Linear(w(2, 2)))
    short = last_steps(graph)
    assert [n.name for n in short.nodes] == ["n0", "n2"]
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    torch.testing.assert_close(evaluate(short, x), evaluate(graph, x))
    other_end = chain((4, 3), cell, wiring.Select(-2, 3 if reverse else 0))
    assert last_steps(other_end) == other_end
    whole = dataclasses.replace(graph, outputs=("n2", "n0"))
    assert last_steps(whole) == whole


def test_nodes_nobody_reads_are_dropped() -> None:
    graph = chain((3,), activation.ReLU(), activation.Tanh(), activation.Sigmoid(), outputs=("n1",))
    assert [n.name for n in without_unused(graph).nodes] == ["n0", "n1"]
