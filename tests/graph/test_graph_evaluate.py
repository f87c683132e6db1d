"""Evaluation of whole graphs: hosts, records, memory, gradients, inputs."""

from __future__ import annotations

import dataclasses
import weakref

import numpy as np
import pytest
import torch
from graph_examples import as_graph, small_graph, w

from neuromorph.errors import InputError
from neuromorph.graph.evaluate import Evaluator, FloatHost, evaluate
from neuromorph.graph.model import Graph, Node, Operator
from neuromorph.graph.operators import activation, arithmetic, dense, recurrent


def random(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def test_graph_equals_its_equations_written_out() -> None:
    graph = small_graph()
    x = random(2, 5, 3, 4, 4)
    flat = x.reshape(10, 3, 4, 4)
    conv, fc = graph["conv"].operator, graph["fc"].operator
    y = torch.nn.functional.conv2d(flat, torch.tensor(conv.weight), torch.tensor(conv.bias), padding=1).relu()
    z = torch.nn.functional.max_pool2d(y + flat, 2).flatten(1) @ torch.tensor(fc.weight).T + torch.tensor(fc.bias)
    logits, relu = evaluate(graph, x)
    torch.testing.assert_close(logits, z.reshape(2, 5, 5), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(relu, y.reshape(2, 5, 3, 4, 4), rtol=1e-10, atol=1e-10)


def test_hosts_stand_in_for_the_nodes_they_are_given_for() -> None:
    graph = small_graph()
    asked: list[str] = []

    class Doubling(FloatHost):
        def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().linear(matrix, x)

    def hosts(node: Node) -> FloatHost | None:
        asked.append(node.name)
        return Doubling(node.operator) if node.name == "fc" else None

    x = random(3, 4, 4)
    bias = torch.tensor(graph["fc"].operator.bias)
    torch.testing.assert_close(evaluate(graph, x, hosts=hosts)[0] - bias, 2 * (evaluate(graph, x)[0] - bias))
    assert asked == [node.name for node in graph.nodes]


CELL = recurrent.LSTM(w(8, 4), w(8, 2), w(8))


@pytest.mark.parametrize(("operator", "shape"), [(dense.Linear(w(3, 4), w(3)), (4,)), (CELL, (5, 4))])
def test_a_host_may_add_a_leading_trial_axis(operator: Operator, shape: tuple[int, ...]) -> None:
    class Chips(FloatHost):
        """Two chips, the second with weights twice as large; adds the trial axis where it is not there yet."""

        def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            trials = x if x.dim() == 3 else x.expand(2, *x.shape)
            return super().linear(matrix, trials) * torch.tensor([1.0, 2.0], dtype=x.dtype)[:, None, None]

    graph = as_graph(operator, [shape])
    x = random(7, *shape)
    found = evaluate(graph, x, hosts=lambda node: Chips(node.operator))
    for trial, factor in enumerate((1, 2)):
        weights = {s.weight: getattr(operator, s.weight) * factor for s in operator.weight_slots}
        expected = evaluate(as_graph(dataclasses.replace(operator, **weights), [shape]), x)
        torch.testing.assert_close(found[trial], expected)


def test_records_come_in_order_and_intermediates_are_freed() -> None:
    nodes = tuple(Node(f"n{i}", activation.Tanh(), (f"n{i - 1}" if i else "x",)) for i in range(5))
    graph = Graph("chain", {"x": (3,)}, nodes, ("n4",))
    alive: list[weakref.ref[torch.Tensor]] = []
    names: list[str] = []
    counts: list[int] = []

    def record(name: str, value: torch.Tensor) -> None:
        names.append(name)
        alive.append(weakref.ref(value))
        counts.append(sum(ref() is not None for ref in alive))

    with torch.no_grad():
        evaluate(graph, random(2, 3), record=record)
    assert names == [f"n{i}" for i in range(5)]
    assert max(counts) <= 2


def test_gradients_reach_the_input() -> None:
    x = random(3, 4, 4).requires_grad_()
    graph = small_graph_without_kinks()
    assert torch.autograd.gradcheck(lambda v: evaluate(graph, v), (x,))


def small_graph_without_kinks() -> Graph:
    graph = small_graph()
    smooth = {"relu": activation.Tanh(), "pool": activation.Sigmoid()}
    nodes = [dataclasses.replace(n, operator=smooth.get(n.name, n.operator)) for n in graph.nodes]
    fc = dense.Linear(w(2, 48), w(2))
    return dataclasses.replace(graph, nodes=(*nodes[:-1], dataclasses.replace(nodes[-1], operator=fc)), outputs=("fc",))


def test_evaluator_serves_both_precisions_and_converts_weights_once() -> None:
    evaluator = Evaluator(as_graph(dense.Linear(w(3, 4), w(3)), [(4,)]))
    x = random(2, 4)
    double, single = evaluator(x), evaluator(x.float())
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-5)
    host = evaluator.hosts["y"]
    assert isinstance(host, FloatHost)
    assert host._matrix("weight", x) is host._matrix("weight", x + 1)


def test_several_inputs_by_order_and_by_name() -> None:
    graph = as_graph(arithmetic.Add(), [(3,), (3,)])
    a, b = random(2, 3), random(2, 3) + 1
    torch.testing.assert_close(evaluate(graph, [a, b]), a + b)
    torch.testing.assert_close(evaluate(graph, {"x1": b, "x0": a.numpy()}), a + b)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.zeros(2, 4), "expected \\(..., 3\\)"),
        (torch.zeros(()), "expected"),
        (torch.zeros(2, 3, dtype=torch.int64), "floating"),
        ([torch.zeros(3), torch.zeros(3)], "takes 1 inputs"),
        ({"other": torch.zeros(3)}, "expected \\['x0'\\]"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(as_graph(activation.ReLU(), [(3,)]), inputs)


def test_shape_errors_name_the_layer() -> None:
    graph = Graph("g", {"x": (3,)}, (Node("fc", dense.Linear(np.eye(4)), ("x",), "head.fc"),), ("fc",))
    with pytest.raises(InputError, match=r"head.fc: Linear: input has shape \(3,\)"):
        _ = graph.shapes
