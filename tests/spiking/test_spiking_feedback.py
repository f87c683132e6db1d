"""Cycles: what the evaluator computes, what graphs refuse, and that everything that rewrites graphs keeps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neuromorph.compress.removal import remove_channels
from neuromorph.errors import InputError
from neuromorph.graph.cycles import cycles, stages
from neuromorph.graph.evaluate import Evaluator, FloatHost, evaluate
from neuromorph.graph.model import Graph, Node, Operator
from neuromorph.graph.operators.arithmetic import Add, BatchNorm
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import LIF, CubaLIF
from neuromorph.graph.operators.recurrent import LSTM
from neuromorph.graph.operators.synapses import Delay, DelayedLinear, SparseLinear
from neuromorph.graph.semantics import Semantics
from neuromorph.graph.simplify import rounded, simplify, without_unused
from neuromorph.importers.portable import read, save

RNG = np.random.default_rng(0)
STEPS = 12
X = torch.from_numpy((RNG.random((3, STEPS, 4)) < 0.5).astype(float))
W_IN, W_BACK, BIAS = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 5)), RNG.normal(size=5)


def lif(size: int, **settings: object) -> LIF:
    semantics = Semantics(1e-3, **{"bias_at_start": False, **settings})  # type: ignore[arg-type]
    return LIF(np.full(size, 4e-3), 4, 0, 1, 0, semantics)


def ring(at_start: bool = False, back: Operator | None = None) -> Graph:
    """x, dense, neurons, a layer back to them."""
    nodes = (
        Node("in", Linear(W_IN), ("x",)),
        Node("n", lif(5, bias_at_start=at_start), ("in",), feedback=("back",)),
        Node("back", Linear(W_BACK, BIAS) if back is None else back, ("n",)),
    )
    return Graph("ring", {"x": (STEPS, 4)}, nodes, ("n",))


def out(graph: Graph, x: torch.Tensor = X) -> np.ndarray:
    y = evaluate(graph, x)
    assert isinstance(y, torch.Tensor)
    return y.numpy()


@pytest.mark.parametrize("at_start", [True, False])
def test_a_bias_on_the_way_back_acts_at_the_first_step_or_not(at_start: bool) -> None:
    v, z, found = np.zeros((3, 5)), np.zeros((3, 5)), []
    for t in range(STEPS):
        i = X[:, t].numpy() @ W_IN.T
        if t or at_start:
            i = i + z @ W_BACK.T + BIAS
        v = v * 0.75 + i
        z = (v > 1).astype(float)
        v = np.where(z > 0, 0, v)
        found.append(z)
    np.testing.assert_array_equal(out(ring(at_start)), np.stack(found, 1))


def test_an_input_added_to_the_synaptic_current_of_a_recurrent_network() -> None:
    """CubaLIF in the loop and a second layer that sees its spikes of the same step."""
    semantics = Semantics(1e-3, bias_at_start=False)
    cuba = CubaLIF(np.full(5, 2e-3), 5e-3, 5, 0, 0.5, 0, 2, semantics)
    nodes = (
        Node("in", Linear(W_IN), ("x",)),
        Node("n", cuba, ("in",), feedback=("back",)),
        Node("back", Linear(W_BACK), ("n",)),
        Node("out", Linear(W_BACK[:2]), ("n",)),
    )
    i, v, z, found = np.zeros((3, 5)), np.zeros((3, 5)), np.zeros((3, 5)), []
    for t in range(STEPS):
        i = 0.5 * i + 0.5 * 2 * (X[:, t].numpy() @ W_IN.T + z @ W_BACK.T)
        v = 0.8 * v + 0.2 * 5 * i
        z = (v > 0.5).astype(float)
        v = np.where(z > 0, 0, v)
        found.append(z @ W_BACK[:2].T)
    np.testing.assert_allclose(out(Graph("r", {"x": (STEPS, 4)}, nodes, ("out",))), np.stack(found, 1), atol=1e-12)


def test_a_delayed_layer_in_a_cycle_is_that_layer_behind_a_delay() -> None:
    size = 5
    two = DelayedLinear(W_BACK, np.full((size, size), 2), BIAS)
    nodes = (
        *ring().nodes[:1],
        Node("n", lif(size), ("in",), feedback=("back",)),
        Node("late", Delay(np.full(size, 2e-3), 1e-3), ("n",)),
        Node("back", Linear(W_BACK, BIAS), ("late",)),
    )
    np.testing.assert_array_equal(out(ring(back=two)), out(Graph("d", {"x": (STEPS, 4)}, nodes, ("n",))))
    source, target = np.nonzero(np.ones((size, size)))
    sparse = SparseLinear(np.arange(0, 26, 5), target, W_BACK.T.ravel(), size, np.full(25, 2), BIAS)
    assert source.size == 25
    close = DelayedLinear(W_BACK.astype(np.float32), np.full((size, size), 2), BIAS)
    np.testing.assert_array_equal(out(ring(back=sparse)), out(ring(back=close)))


def test_feedback_into_the_same_neuron_and_leading_axes() -> None:
    nodes = (Node("n", lif(4), ("x",), feedback=("n",)),)
    graph = Graph("self", {"x": (STEPS, 4)}, nodes, ("n",))
    whole = out(graph)
    np.testing.assert_array_equal(out(graph, X[None, :, None])[0, :, 0], whole)
    np.testing.assert_array_equal(out(graph, X[1]), whole[1])
    assert (whole != out(Graph("none", {"x": (STEPS, 4)}, (Node("n", lif(4), ("x",)),), ("n",)))).any()


def test_cycles_run_beside_layers_that_do_not_belong_to_them() -> None:
    """The nodes of a cycle are no neighbours in the graph; one in between reads from it."""
    nodes = (
        Node("a", lif(4), ("x",), feedback=("d",)),
        Node("b", Linear(np.eye(4)), ("a",)),
        Node("aside", lif(4), ("b",)),
        Node("before", lif(4), ("x",)),
        Node("c", Add(), ("b", "before")),
        Node("d", lif(4), ("c",)),
        Node("end", Add(), ("d", "aside")),
    )
    graph = Graph("g", {"x": (STEPS, 4)}, nodes, ("end",))
    assert [[n.name for n in group] for group in cycles(graph)] == [["a", "b", "c", "d"]]
    order = [n.name for group in stages(graph) for n in group]
    assert order.index("before") < order.index("a") < order.index("aside") < order.index("end")
    seen: list[str] = []
    Evaluator(graph)(X, record=lambda name, _: seen.append(name))
    assert seen == order


def test_gradients_flow_through_cycles_and_sparse_synapses() -> None:
    sparse = SparseLinear(np.arange(6), np.arange(5), np.full(5, 0.7), 5, np.zeros(5))
    for graph in (ring(), ring(back=sparse)):
        x = X.clone().requires_grad_()
        y = evaluate(graph, x)
        assert isinstance(y, torch.Tensor)
        y[:, -1].sum().backward()
        assert x.grad is not None
        assert x.grad[:, 0].abs().sum() > 0  # through all steps


def test_a_host_that_adds_an_axis_of_chips_inside_a_cycle() -> None:
    class Chips(FloatHost):
        def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            y = super().linear(matrix, x)
            return y.repeat(2, *[1] * (y.dim() - 1)) if x.shape[0] == 1 else y

    y = evaluate(ring(), X[None], hosts=lambda n: Chips(n.operator) if n.name == "back" else None)
    assert isinstance(y, torch.Tensor)
    assert y.shape == (2, 3, STEPS, 5)
    np.testing.assert_array_equal(y[1].numpy(), out(ring()))


def test_wrong_cycles_are_refused() -> None:
    def refused(message: str, *nodes: Node) -> None:
        with pytest.raises(InputError, match=message):
            Evaluator(Graph("bad", {"x": (STEPS, 4)}, nodes, (nodes[-1].name,)))

    refused("'none', which is no node", Node("n", lif(4), ("x",), feedback=("none",)))
    refused("'x', which is no node", Node("n", lif(4), ("x",), feedback=("x",)))
    wide = Node("w", Linear(W_IN), ("n",))
    refused("has shape \\(12, 5\\), the first input \\(12, 4\\)", Node("n", lif(4), ("x",), feedback=("w",)), wide)
    lstm = LSTM(np.zeros((16, 4)), np.zeros((16, 4)))
    refused("LSTM .* step by step", Node("n", lif(4), ("x",), feedback=("r",)), Node("r", lstm, ("n",)))


def test_rewriting_keeps_feedback(tmp_path: Path) -> None:
    nodes = (
        Node("in", Linear(W_IN), ("x",)),
        Node("n", lif(5), ("in",), feedback=("norm",)),
        Node("back", Linear(W_BACK), ("n",)),
        Node("norm", BatchNorm(RNG.normal(size=5), RNG.normal(size=5), -1), ("back",)),
        Node("unused", Linear(W_BACK), ("n",)),
    )
    graph = Graph("g", {"x": (STEPS, 4)}, nodes, ("n",))
    simple = simplify(graph)
    assert [(n.name, n.feedback) for n in simple.nodes] == [("in", ()), ("n", ("back",)), ("back", ())]
    np.testing.assert_array_equal(out(simple), out(graph))
    assert [n.name for n in without_unused(graph).nodes] == ["in", "n", "back", "norm"]
    assert rounded(graph, np.float32)["n"].feedback == ("norm",)
    assert read(save(without_unused(graph), tmp_path / "g")) == without_unused(graph)
    mask = np.ones((5, 5), bool)
    mask[2] = False
    pruned = Graph(
        "p", {"x": (STEPS, 4)}, (*nodes[:2], Node("back", Linear(W_BACK, mask=mask), ("n",)), nodes[3]), ("n",)
    )
    np.testing.assert_array_equal(out(remove_channels(pruned)), out(pruned))
