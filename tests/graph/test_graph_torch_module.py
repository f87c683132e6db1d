"""Graphs as torch modules: same function, masks and formats hold through training, back to a graph."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from graph_examples import EXAMPLES, IDS, INT4, as_graph, on_grid, rng, small_graph, values_for, w

from neuromorph.graph.evaluate import FloatHost, evaluate
from neuromorph.graph.formats.uniform import Binary, Ternary
from neuromorph.graph.functions import ExactFunctions
from neuromorph.graph.model import Graph, Node, NumberFormat, Operator
from neuromorph.graph.operators import activation, dense, recurrent
from neuromorph.graph.torch_module import GraphModule


@pytest.mark.parametrize(("operator", "shapes"), EXAMPLES, ids=IDS)
def test_module_computes_the_graph_and_turns_back_into_it(operator: Operator, shapes: list[tuple[int, ...]]) -> None:
    graph = as_graph(operator, shapes)
    module = GraphModule(graph, torch.float64)
    inputs = [values_for(operator, torch.randn(2, *s, dtype=torch.float64)) for s in shapes]
    torch.testing.assert_close(module(inputs), evaluate(graph, inputs), rtol=1e-10, atol=1e-10)
    assert module.to_graph() == graph
    for matrix in operator.matrices(shapes):
        np.testing.assert_allclose(module.matrices("y")[matrix.name].detach().numpy(), matrix.weight)


def test_every_parameter_learns_and_pruned_weights_stay_zero() -> None:
    graph = dataclasses.replace(small_graph(), outputs=("fc",))
    module = GraphModule(graph)
    assert set(dict(module.named_parameters())) == {"conv.weight", "conv.bias", "fc.weight", "fc.bias"}
    optimizer = torch.optim.SGD(module.parameters(), 0.5)
    x, y = torch.randn(8, 3, 4, 4), torch.arange(8) % 5
    before = torch.nn.functional.cross_entropy(module(x), y)
    for _ in range(10):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(x), y).backward()
        optimizer.step()
    assert torch.nn.functional.cross_entropy(module(x), y) < before
    trained = module.to_graph()
    for old, new in zip(graph.nodes, trained.nodes, strict=True):
        if old.operator.role == "matrix":
            assert not np.array_equal(old.operator.weight, new.operator.weight)
    fc = trained["fc"].operator
    assert not fc.weight[~fc.mask].any()
    codes = fc.weight / 0.25
    assert np.array_equal(codes, codes.round())
    assert np.abs(codes).max() <= 8
    torch.testing.assert_close(evaluate(trained, x), module(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("number_format", [Binary(scale=0.5), Ternary(scale=0.5)])
def test_one_and_two_bit_weights_stay_on_their_grid(number_format: NumberFormat) -> None:
    mask = rng.random((3, 8)) < 0.6
    weight = np.where(mask, on_grid((3, 8), number_format), 0)
    module = GraphModule(as_graph(dense.Linear(weight, mask=mask, weight_format=number_format), [(8,)]))
    optimizer = torch.optim.SGD(module.parameters(), 0.3)
    for _ in range(5):
        optimizer.zero_grad()
        module(torch.randn(4, 8)).square().sum().backward()
        optimizer.step()
    found = module.to_graph()["y"].operator.weight
    legal = {-0.5, 0.5} if isinstance(number_format, Binary) else {-0.5, 0.0, 0.5}
    assert set(np.unique(found[mask])) <= legal
    assert not found[~mask].any()


def test_hosts_of_ones_own_see_live_matrices_and_biases() -> None:
    graph = as_graph(dense.Linear(w(3, 4), w(3)), [(4,)])
    module = GraphModule(graph)

    class Scaled(ExactFunctions):
        def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            return 3 * x @ module.matrices("y")[matrix][0]

        def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            raise AssertionError

    with torch.no_grad():
        module.get_parameter("y.bias").fill_(7)
    x = torch.randn(2, 4)
    seen: dict[str, torch.Tensor] = {}
    found = module(x, hosts=lambda node: Scaled(), record=seen.__setitem__)
    torch.testing.assert_close(found, 3 * x @ module.get_parameter("y.weight").T + 7)
    assert seen["y"] is found
    found.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_nodes_that_share_an_operator_share_parameters() -> None:
    layer = dense.Linear(w(4, 4))
    nodes = (Node("a.1", layer, ("x",)), Node("relu", activation.ReLU(), ("a.1",)), Node("b", layer, ("relu",)))
    module = GraphModule(Graph("twice", {"x": (4,)}, nodes, ("b",)))
    assert [name for name, _ in module.named_parameters()] == ["a_1.weight"]
    with torch.no_grad():
        module.get_parameter("a_1.weight").mul_(2)
    back = module.to_graph()
    assert back["a.1"].operator is back["b"].operator
    np.testing.assert_allclose(back["b"].operator.weight, 2 * layer.weight.astype(np.float32), rtol=1e-6)


def test_state_dict_moves_between_modules() -> None:
    graph = small_graph()
    a, b = GraphModule(graph), GraphModule(graph)
    with torch.no_grad():
        for p in a.parameters():
            p.add_(0.1)
    b.load_state_dict(a.state_dict())
    assert a.to_graph() == b.to_graph() != graph


def test_a_float_host_with_weights_converts_them_once_for_all_steps() -> None:
    cell = recurrent.LSTM(w(8, 3), w(8, 2), weight_format=INT4)
    values = GraphModule(as_graph(cell, [(6, 3)])).values("y")
    host = FloatHost(cell, values)
    cell.evaluate([torch.randn(2, 6, 3)], host)
    assert len(host._matrices) == 1
