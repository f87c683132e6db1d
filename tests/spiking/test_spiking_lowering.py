"""The flat form computes what the graph computes, spike for spike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spiking_networks import exact, random_graph, semantics_cases
from spiking_reference import simulate

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.errors import InputError
from neuromorph.events import Raster
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.formats.uniform import Int
from neuromorph.graph.model import Graph, Node, Operator, Window
from neuromorph.graph.operators import activation, arithmetic, convolution, dense, neurons, pooling, synapses, wiring
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking.lower import lower, with_min_delay
from neuromorph.spiking.steps import with_steps

STEP = Semantics(1e-3)
STDP = Plasticity(0.1, 0.1, 2e-2, 2e-2)
RNG = np.random.default_rng(9)


def both(graph: Graph, x: np.ndarray, latency: int = 0, within: float = 1e-5) -> None:
    """Asserts that the graph's outputs are those of its flat form (weights in float32), `latency` steps later."""
    expected = evaluate(graph, torch.from_numpy(x))
    expected = expected if isinstance(expected, tuple) else (expected,)
    network = with_min_delay(lower(graph), latency) if latency else lower(graph)
    assert not network.stretched
    steps = len(x)
    found = simulate(network, [x.reshape(steps, -1)], steps + network.latency)
    for name, y, k in zip(graph.outputs, expected, network.outputs, strict=True):
        own = network.latency
        np.testing.assert_allclose(
            found[k][own:], y.numpy().reshape(steps, -1), rtol=within, atol=within, err_msg=name
        )  # fmt: skip


@settings(max_examples=120)
@given(st.integers(0, 2**31), semantics_cases())
def test_random_networks_of_every_dialect(seed: int, semantics: Semantics) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, semantics)
    steps, *features = graph.input_shapes["x"]
    both(graph, (rng.random((steps, *features)) < 0.5).astype(float))


@settings(max_examples=40)
@given(st.integers(0, 2**31), semantics_cases(), st.integers(1, 3))
def test_hops_of_hardware_only_make_feed_forward_networks_late(seed: int, semantics: Semantics, hop: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, semantics, cycles=False)
    steps, *features = graph.input_shapes["x"]
    both(graph, (rng.random((steps, *features)) < 0.5).astype(float), hop)


def lif(*shape: int) -> neurons.LIF:
    return neurons.LIF(np.full(shape, 4e-3), 4, 0, 1, 0, STEP)


UNEVEN = Window((3, 2), (2, 1), (1, 2, 0, 1), (1, 2))
SKEW = Window((1, 3), (1, 2), (0, 0, 2, 0))
OPERATORS = [
    (convolution.Conv2d(exact(RNG, 6, 2, 3, 2), exact(RNG, 6), window=UNEVEN, groups=2), (4, 6, 5)),
    (convolution.Conv2d(exact(RNG, 4, 3, 2, 2), window=Window((2, 2), (3, 2))), (3, 7, 6)),
    (convolution.Conv1d(exact(RNG, 4, 1, 3), exact(RNG, 4), window=SKEW, groups=2), (2, 9)),
    (dense.Linear(exact(RNG, 3, 4), exact(RNG, 3)), (2, 4)),
    (pooling.AvgPool2d(Window((3, 2), (2, 2), (1, 1, 0, 1))), (2, 5, 4)),
    (pooling.AvgPool2d(Window((3, 3), (2, 2), (1, 1, 1, 1)), count_padding=False), (2, 5, 4)),
    (pooling.AvgPool1d(Window((1, 2), (1, 2))), (2, 5)),
    (pooling.GlobalAvgPool((-2, -1), keep=False), (2, 3, 4)),
    (pooling.GlobalAvgPool((-3,), keep=True), (2, 3, 4)),
    (synapses.SumPool2d(Window((2, 3), (1, 2), (1, 0, 0, 1))), (2, 4, 5)),
    (synapses.Scale(exact(RNG, 2, 1)), (2, 3)),
    (arithmetic.BatchNorm(exact(RNG, 2), exact(RNG, 2), -3), (2, 3, 2)),
    (wiring.Transpose((1, 0)), (2, 3)),
    (wiring.Transpose((0, 2, 1)), (2, 3)),
    (wiring.Select(-1, 2), (2, 3)),
    (wiring.Slice(-2, 0, 3, 2), (4, 2)),
    (wiring.Pad(-1, 1, 2), (2, 3)),
    (wiring.Flatten(2), (2, 3)),
    (wiring.Reshape((8, 2, 3), (8, 3, 2)), (2, 3)),
    (synapses.Delay(np.arange(6).reshape(2, 3) * 1e-3, 1e-3), (2, 3)),
]  # fmt: skip


NAMES = [f"{i}-{type(operator).__name__}" for i, (operator, _) in enumerate(OPERATORS)]


@pytest.mark.parametrize(("operator", "shape"), OPERATORS, ids=NAMES)
def test_each_linear_operator_becomes_its_rows(operator: Operator, shape: tuple[int, ...]) -> None:
    """Behind a neuron, and behind another linear operator."""
    rng = np.random.default_rng(1)
    nodes = (
        Node("n", lif(*shape), ("x",)),
        Node("scaled", synapses.Scale(exact(rng, *shape)), ("n",)),
        Node("direct", operator, ("n",)),
        Node("chained", operator, ("scaled",)),
        Node("sum", arithmetic.Add(), ("direct", "chained")),
    )
    graph = Graph("one", {"x": (8, *shape)}, nodes, ("direct", "sum"))
    both(graph, rng.random((8, *shape)))
    rows = lower(graph).projections[-1]
    assert (np.diff(rows.index) > 0).sum() + (np.diff(rows.indptr) > 0).sum() >= rows.index.size  # targets rise in rows
    assert rows.weight.all()


def test_several_inputs_joined_and_values_on_events() -> None:
    rng = np.random.default_rng(2)
    nodes = (
        Node("joined", wiring.Concat(-1), ("a", "b")),
        Node("n", neurons.LIF(np.full(5, 4e-3), 4, 0, 1, 0, STEP), ("joined",)),
    )
    graph = Graph("two", {"a": (6, 2), "b": (6, 3)}, nodes, ("n",))
    a, b = rng.random((6, 2)), rng.random((6, 3))
    y = evaluate(graph, {"a": torch.from_numpy(a), "b": torch.from_numpy(b)})
    network = lower(graph)
    assert isinstance(y, torch.Tensor)
    np.testing.assert_array_equal(simulate(network, [a, b], 6)[network.outputs[0]], y.numpy())


def test_populations_and_names() -> None:
    graph = Graph(
        "net", {"x": (8, 2, 4, 4)},
        (
            Node("conv", convolution.Conv2d(np.ones((3, 2, 3, 3)), np.arange(3.0), window=Window((3, 3))), ("x",)),
            Node("n", lif(3, 2, 2), ("conv",), feedback=("n",)),
            Node("flat", wiring.Flatten(3), ("n",)),
            Node("out", dense.Linear(np.ones((2, 12))), ("flat",)),
        ),
        ("flat", "out"),
    )  # fmt: skip
    network = lower(graph)
    assert [(p.name, p.model, p.shape) for p in network.populations] == [
        ("x", "input", (2, 4, 4)), ("n", "linear", (3, 2, 2)), ("out", "readout", (2,)),
    ]  # fmt: skip
    assert network.outputs == (1, 2)  # flattened spikes are the spikes
    np.testing.assert_array_equal(network.populations[1].bias, np.repeat(np.arange(3.0), 4))
    assert [p.name for p in network.projections] == ["x to n", "n to n", "n to out"]
    assert network.dt_s == 1e-3
    assert network.projections[1].delay.tolist() == [1]


def test_sparse_synapses_are_taken_as_they_are() -> None:
    rng = np.random.default_rng(3)
    layer = synapses.SparseLinear(
        np.array([0, 2, 3]), np.array([0, 2, 1]), rng.normal(size=3), 3, np.array([1, 4, 2]), plasticity=STDP
    )
    nodes = (Node("s", layer, ("x",)), Node("n", lif(3), ("s",)))
    (projection,) = lower(Graph("sparse", {"x": (5, 2)}, nodes, ("n",))).projections
    assert np.shares_memory(projection.index, layer.index)
    assert np.shares_memory(projection.weight, layer.weight)
    assert projection.delay.tolist() == [1, 4, 2]
    assert projection.plasticity == STDP


def test_everything_that_is_not_linear_is_named_at_once() -> None:
    nodes = (
        Node("relu", activation.ReLU(), ("x",), "model.act"),
        Node("n", lif(2, 4, 4), ("relu",)),
        Node("pool", pooling.MaxPool2d(), ("n",)),
        Node("m", lif(2, 2, 2), ("pool",)),
        Node("mean", pooling.GlobalAvgPool((-4,), keep=False), ("m",)),
    )
    with pytest.raises(InputError) as caught:
        lower(Graph("bad", {"x": (8, 2, 4, 4)}, nodes, ("mean",)))
    assert [p.place.key for p in caught.value.problems] == ["model.act", "pool", "mean"]
    assert "not linear" in str(caught.value)


def test_what_cannot_be_lowered_says_why() -> None:
    def refused(message: str, *nodes: Node) -> None:
        with pytest.raises(InputError, match=message):
            lower(Graph("bad", {"x": (8, 3)}, nodes, (nodes[-1].name,)))

    eye = dense.Linear(np.eye(3))
    refused("no neurons", Node("l", eye, ("x",)))
    other = neurons.LI(np.full(3, 4e-3), 1, 0, Semantics(2e-3))
    refused("different time steps", Node("n", lif(3), ("x",)), Node("m", other, ("n",)))
    refused("how long a step is", Node("t", neurons.Threshold(np.ones(3)), ("x",)))
    grid = Int(4, scale=np.array(0.3))
    refused("1 \\(a spike\\)", Node("l", dense.Linear(np.eye(3), input_format=grid), ("x",)), Node("n", lif(3), ("l",)))
    loop = (Node("l", eye, ("x",), feedback=("k",)), Node("k", eye, ("l",)), Node("n", lif(3), ("k",)))
    refused("no neuron", *loop)
    plastic = synapses.SparseLinear(np.arange(4), np.arange(3), np.ones(3), 3, np.ones(1), plasticity=STDP)
    refused("do not end at a neuron", Node("s", plastic, ("x",)), Node("l", eye, ("s",)), Node("n", lif(3), ("l",)))
    refused("do not start", Node("l", eye, ("x",)), Node("s", plastic, ("l",)), Node("n", lif(3), ("s",)))


def test_a_cycle_that_hops_make_longer_is_named() -> None:
    nodes = (
        Node("a", lif(3), ("x",), feedback=("back",)),
        Node("l", dense.Linear(np.eye(3)), ("a",)),
        Node("b", lif(3), ("l",)),
        Node("back", dense.Linear(np.eye(3)), ("b",)),
    )
    network = lower(Graph("ring", {"x": (8, 3)}, nodes, ("b",)))
    late = with_min_delay(network, 1)
    assert late.stretched == ("b to a",)  # two hops of one step each in a loop that takes one step
    assert late.latency == 2
    own = with_min_delay(lower(Graph("self", {"x": (8, 3)}, (Node("n", lif(3), ("x",), feedback=("n",)),), ("n",))), 1)
    assert not own.stretched
    assert with_min_delay(network, 0) is network
    with pytest.raises(InputError, match="minimum delay"):
        with_min_delay(network, -1)


def test_shorter_ways_wait_for_longer_ones() -> None:
    """A skip over two layers meets them again: its delay grows by theirs."""
    nodes = (
        Node("a", lif(3), ("x",)),
        Node("b", lif(3), ("a",)),
        Node("sum", arithmetic.Add(), ("x", "b")),
        Node("c", lif(3), ("sum",)),
    )
    network = with_min_delay(lower(Graph("skip", {"x": (8, 3)}, nodes, ("c",))), 2)
    delays = {p.name: p.delay.tolist() for p in network.projections}
    assert delays == {"x to a": [2], "a to b": [2], "x to c": [6], "b to c": [2]}
    assert [p.start for p in network.populations] == [0, 2, 4, 6]
    assert network.latency == 6


def test_steps_are_the_inputs_alone() -> None:
    graph = random_graph(np.random.default_rng(5), STEP)
    longer = with_steps(graph, 30)
    assert {s[0] for s in longer.shapes.values()} == {30}
    assert with_steps(longer, 8) == graph
    shaped = Graph("r", {"x": (8, 6)}, (Node("r", wiring.Reshape((8, 6), (8, 2, 3)), ("x",)),), ("r",))
    assert with_steps(shaped, 5).shapes["r"] == (5, 2, 3)
    for wrong in (0, True, 2.5):
        with pytest.raises(InputError, match="steps is"):
            with_steps(graph, wrong)  # type: ignore[arg-type]


@settings(max_examples=60)
@given(st.integers(0, 2**31), semantics_cases())
def test_the_event_engine_gives_the_outputs_of_the_graph(seed: int, semantics: Semantics) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, semantics)
    steps, *features = graph.input_shapes["x"]
    x = (rng.random((2, steps, *features)) < 0.5).astype(float)
    y = evaluate(graph, torch.from_numpy(x))
    assert isinstance(y, torch.Tensor)
    run = EventEngine(lower(graph)).run(Raster.from_dense(x.reshape(2, steps, -1), 1e-3))
    np.testing.assert_allclose(run.outputs[0], y.numpy().reshape(2, steps, -1), rtol=1e-5, atol=1e-5)
