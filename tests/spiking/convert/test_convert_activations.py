"""Conversion: rates against activations, exactness where the theory says so, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from convert_networks import conv_net, dense_net, inputs, integrate_and_fire, normalized, over_steps, values
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.graph.evaluate import FloatHost, evaluate
from neuromorph.graph.formats.uniform import Int
from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.activation import Clip, ReLU6, Sigmoid
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import IF, Integrator
from neuromorph.graph.operators.pooling import MaxPool2d
from neuromorph.graph.operators.stepped import ClipFloor, HoyerStep
from neuromorph.graph.torch_module import GraphModule
from neuromorph.spiking.convert import convert, hoyer_extrema, limits, with_clip_floor, with_hoyer_steps


def neuron(graph: Graph, name: str) -> IF:
    operator = graph[name].operator
    assert isinstance(operator, IF)
    return operator


@given(st.floats(-3, 3), st.floats(0.1, 2), st.integers(1, 12), st.integers(1, 12))
def test_one_neuron_counts_as_its_closed_form_says(x: float, threshold: float, steps: int, levels: int) -> None:
    """Constant current: clip(floor(x T / threshold + 1/2), 0, T) spikes; at T = levels that is the clip-floor value."""
    exact = x * steps / threshold + 0.5
    if abs(exact - round(exact)) < 1e-6:
        return  # a tie, decided by rounding
    nodes = (Node("q", ClipFloor(np.array([threshold]), levels, -1), ("x",)), Node("y", Linear(np.eye(1)), ("q",)))
    graph = Graph("one", {"x": (1,)}, nodes, ("y",))
    found = over_steps(convert(graph, method="qcfs", steps=steps), np.array([[x]]))
    count = found["q"].sum(1).item()
    assert count == np.clip(np.floor(exact), 0, steps)
    if steps == levels:
        assert found["readout"][0, -1, 0] / steps == pytest.approx(values(graph, np.array([[x]]))["y"].item(), abs=1e-9)


def test_first_layer_is_exact_and_later_ones_where_no_unevenness_error_occurs() -> None:
    """At T = L a neuron's count is the clip-floor of its summed input exactly where its residue lies in [0, threshold),
    or it never (always) fired; a sample in which all neurons do so gives the network's own output."""
    graph = with_clip_floor(dense_net(sizes=(6, 10, 8, 4)), inputs(dense_net(), 256), levels=6)
    x = inputs(graph, 400).astype(np.float64)
    spiking = convert(graph, method="qcfs", steps=6)
    wanted, found = values(graph, x), over_steps(spiking, x)
    even = np.ones(len(x), bool)
    for k in range(2):
        threshold = graph[f"relu{k}"].operator.threshold.item()  # type: ignore[attr-defined]
        count = found[f"relu{k}"].sum(1)
        current = found[f"fc{k}"].sum(1)
        residue = threshold / 2 + current - threshold * count
        safe = 1e-9 * threshold
        fits = (
            (residue >= -safe) & (residue < threshold + safe)
            | (count == 0) & (residue < 0)
            | (count == 6) & (residue >= 0)
        )
        closed = np.clip(np.floor(current / threshold + 0.5), 0, 6)
        ties = np.abs(current / threshold + 0.5 - np.rint(current / threshold + 0.5)) < 1e-9
        assert np.array_equal((closed == count)[~ties], fits[~ties])
        even &= fits.all(1)
        if k == 0:
            assert fits.all()
            assert np.allclose(count * threshold / 6, wanted["relu0"])
    same = np.abs(found["readout"][:, -1] / 6 - wanted["fc2"]).max(1) < 1e-9
    assert same[even].all()
    # both kinds occur, or the test would say nothing
    assert 20 < even.sum() < 380
    assert not same[~even].all()


def test_the_converted_network_is_a_plain_loop_of_neurons() -> None:
    graph = with_clip_floor(dense_net(), inputs(dense_net(), 128), levels=5)
    layers = [n.operator for n in graph.nodes if isinstance(n.operator, Linear)]
    thresholds = [n.operator.threshold.item() for n in graph.nodes if isinstance(n.operator, ClipFloor)]
    x = inputs(graph, 50).astype(np.float64)
    biases = [layer.bias for layer in layers if layer.bias is not None]
    counts, _, total = integrate_and_fire([layer.weight for layer in layers], biases, thresholds, x, 9)
    found = over_steps(convert(graph, method="qcfs", steps=9), x)
    assert np.array_equal(found["relu0"].sum(1), counts[0])
    assert np.array_equal(found["relu1"].sum(1), counts[1])
    assert np.allclose(found["readout"][:, -1], total)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(
    "graph", [dense_net(softmax=True), conv_net(), normalized(dense_net())], ids=["dense", "conv", "norm"]
)
def test_rates_approach_the_activations_as_steps_grow(graph: Graph, per_channel: bool) -> None:
    x = inputs(graph, 24)
    bare = graph if graph.outputs != ("softmax",) else dataclasses.replace(graph, outputs=("fc2",))
    wanted = values(bare, x)[bare.outputs[0]]
    errors = []
    for steps in (16, 256):
        spiking = convert(graph, x, "max", steps=steps, per_channel=per_channel)
        assert spiking.metadata["decode"] == "last"
        assert isinstance(spiking.nodes[-1].operator, Integrator)
        found = over_steps(spiking, x)["readout"][:, -1] / steps
        errors.append(np.abs(found - wanted).mean() / np.abs(wanted).mean())
    # the error of a rate falls with the number of steps: sixteen times as many, at least a fifth of it
    assert errors[1] < errors[0] / 5
    assert errors[1] < 0.02


def test_thresholds_are_the_activations_that_were_asked_for() -> None:
    graph = conv_net()
    x = inputs(graph, 40)
    seen = values(graph, x)
    largest = limits(graph, x, {"relu1": None, "relu2": -3}, "max")
    assert largest["relu1"].item() == pytest.approx(seen["relu1"].max(), rel=1e-6)
    assert np.allclose(largest["relu2"], seen["relu2"].max((0, 2, 3)), rtol=1e-6)
    cut = limits(graph, x, {"relu1": None}, "percentile", 90.0)["relu1"].item()
    alive = seen["relu1"][seen["relu1"] > 0]
    assert (alive <= cut).mean() == pytest.approx(0.9, abs=0.01)
    spiking = convert(graph, x, "percentile", percentile=90.0, initial=0.25, dt_s=2e-3)
    found = neuron(spiking, "relu1")
    assert found.v_threshold.item() == pytest.approx(cut)
    assert found.v_init is not None
    assert found.v_init.item() == pytest.approx(0.25 * cut)
    assert (found.semantics.reset, found.semantics.compare, found.semantics.dt_s) == ("subtract", ">=", 2e-3)


def test_worth_of_spikes_goes_into_the_next_weights() -> None:
    graph = conv_net()
    spiking = convert(graph, inputs(graph), "max", per_channel=True)
    worth = neuron(spiking, "relu1").v_threshold.ravel()
    before, after = graph["conv2"].operator, spiking["conv2"].operator
    rows = np.repeat(worth.reshape(2, 2), 2, axis=0)[:, :, None, None]  # two groups of two input channels
    assert np.allclose(after.weight, before.weight * rows)  # type: ignore[attr-defined]
    # the residual sum adds values, so the branch without weights is multiplied
    assert [type(n.operator).__name__ for n in spiking.nodes].count("Scale") == 1


def test_weights_on_a_grid_stay_on_it() -> None:
    graph = dense_net()
    grid = Int(4, scale=np.array(0.25))
    nodes = []
    for node in graph.nodes:
        operator = node.operator
        if isinstance(operator, Linear):
            weight = 0.25 * np.clip(np.rint(operator.weight / 0.25), -8, 7)
            operator = dataclasses.replace(operator, weight=weight, weight_format=grid)
        nodes.append(dataclasses.replace(node, operator=operator))
    graph = dataclasses.replace(graph, nodes=tuple(nodes))
    spiking = convert(graph, inputs(graph), "max")
    layer = spiking["fc1"].operator
    assert isinstance(layer, Linear)
    assert layer.weight_format is not None
    codes = layer.weight / layer.weight_format.scale
    assert np.allclose(codes, graph["fc1"].operator.weight / 0.25)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="one threshold per layer"):
        convert(graph, inputs(graph), "max", per_channel=True)


def test_clip_floor_is_its_equation_and_can_be_trained() -> None:
    x = torch.linspace(-1.0013, 3, 401, dtype=torch.float64, requires_grad=True)
    operator = ClipFloor(np.array([1.6]), 4, -1)
    y = operator.evaluate([x], FloatHost(operator))
    v = x.detach().numpy()
    assert np.allclose(y.detach().numpy(), 1.6 * np.clip(np.floor(v * 4 / 1.6 + 0.5) / 4, 0, 1))
    y.sum().backward()
    # straight through wherever the level is from 0 to L before it is clipped
    inside = (v > -0.2) & (v < 1.8)
    assert x.grad is not None
    assert np.allclose(x.grad.numpy()[inside], 1)
    assert not x.grad.numpy()[~inside].any()

    graph = with_clip_floor(dense_net(), inputs(dense_net()), levels=4)
    module = GraphModule(graph)
    samples = torch.from_numpy(inputs(graph, 64))
    labels = samples[:, :4].argmax(1)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        out = module(samples)
        assert isinstance(out, torch.Tensor)
        loss = torch.nn.functional.cross_entropy(out, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    trained = module.to_graph()
    assert trained["relu0"].operator.threshold.item() != graph["relu0"].operator.threshold.item()  # type: ignore[attr-defined]


def test_hoyer_networks_fire_where_the_extremum_is_reached_and_convert_to_one_step() -> None:
    graph = dense_net()
    x = inputs(graph, 128)
    stepped = with_hoyer_steps(graph, x, factor=0.8)
    first = stepped["relu0"].operator
    assert isinstance(first, HoyerStep)
    z = np.clip(values(graph, x)["fc0"] / first.threshold.item(), 0, 1)
    z[z >= 1] = 0
    assert first.extremum.item() == pytest.approx(0.8 * (z**2).sum() / np.abs(z).sum(), rel=1e-5)
    renewed = hoyer_extrema(stepped, x, factor=0.4, momentum=0.5)["relu0"].operator
    assert renewed.extremum.item() == pytest.approx(0.75 * first.extremum.item(), rel=1e-5)  # type: ignore[attr-defined]
    spiking = convert(stepped, method="hoyer", steps=8)
    assert spiking.input_shapes["x"] == (1, 6)
    wanted, found = values(stepped, x), over_steps(spiking, x)
    assert set(np.unique(found["relu0"])) == {0.0, 1.0}
    assert np.array_equal(found["relu1"][:, 0], wanted["relu1"])
    assert np.allclose(found["readout"][:, 0], wanted["fc2"])
    assert neuron(spiking, "relu0").v_threshold.item() == pytest.approx(first.threshold.item() * first.extremum.item())


@pytest.mark.parametrize("activation", [ReLU6(), Clip(0.0, 2.0), Clip(0.0, None)])
def test_other_rectifiers_convert_too(activation: ReLU6 | Clip) -> None:
    graph = dense_net()
    nodes = tuple(dataclasses.replace(n, operator=activation) if "relu" in n.name else n for n in graph.nodes)
    graph = dataclasses.replace(graph, nodes=nodes)
    x = inputs(graph)
    wanted = values(graph, x)["fc2"]
    found = over_steps(convert(graph, x, "max", steps=256), x)["readout"][:, -1] / 256
    assert np.abs(found - wanted).mean() < 0.02 * np.abs(wanted).mean()


def changed(graph: Graph, name: str, operator: object) -> Graph:
    nodes = tuple(dataclasses.replace(n, operator=operator) if n.name == name else n for n in graph.nodes)  # type: ignore[arg-type]
    return dataclasses.replace(graph, nodes=nodes)


def test_everything_without_a_counterpart_is_named_at_once() -> None:
    graph = changed(changed(conv_net(), "pool1", MaxPool2d(Window((2, 2), (2, 2)))), "relu2", Sigmoid())
    with pytest.raises(InputError) as error:
        convert(graph, inputs(graph))
    assert "pool1: MaxPool2d of spikes has no counterpart (train the network with average pooling" in str(error.value)
    assert "relu2: Sigmoid has no counterpart" in str(error.value)


def test_wrong_methods_and_data_are_refused() -> None:
    graph = dense_net()
    x = inputs(graph)
    cases = [
        ({"method": "median"}, "legal: percentile, max, qcfs, hoyer"),
        ({"steps": 0}, "steps is 0"),
        ({"initial": 1.0}, "initial is 1.0"),
        ({"percentile": 20.0}, "percentile is 20.0"),
        ({"calibration": None}, "needs calibration inputs"),
        ({"method": "qcfs"}, "with_clip_floor"),
        ({"method": "hoyer"}, "with_hoyer_steps"),
        ({"calibration": np.full_like(x, np.nan)}, "NaN or Inf"),
        ({"dt_s": 0.0}, "dt is 0.0"),
    ]
    for options, text in cases:
        with pytest.raises(InputError) as error:
            convert(graph, **{"calibration": x, **options})  # type: ignore[arg-type]
        assert text in str(error.value)
    with pytest.raises(InputError, match="use method qcfs"):
        convert(with_clip_floor(graph, x), x)
    with pytest.raises(InputError, match="no ReLU"):
        convert(Graph("a", {"x": (6,)}, graph.nodes[:1], ("fc0",)), x)
    silent = changed(graph, "fc0", Linear(-np.ones((12, 6)), -np.ones(12)))
    with pytest.raises(InputError, match="relu0: gives no value above 0"):
        convert(silent, x)


def test_operators_refuse_thresholds_that_cannot_be() -> None:
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="finite and above 0"):
            ClipFloor(np.array([bad]))
    with pytest.raises(InputError, match="levels"):
        ClipFloor(np.ones(1), 0)
    with pytest.raises(InputError, match="outside"):
        HoyerStep(np.ones(1), np.array([1.5]))
    with pytest.raises(InputError, match="3 channels"):
        _ = Graph("a", {"x": (2, 4, 4)}, (Node("q", ClipFloor(np.ones(3)), ("x",)),), ("q",)).shapes
    out = evaluate(
        Graph("a", {"x": (2, 4, 4)}, (Node("q", ClipFloor(np.ones(2)), ("x",)),), ("q",)), torch.ones(2, 4, 4)
    )
    assert isinstance(out, torch.Tensor)
