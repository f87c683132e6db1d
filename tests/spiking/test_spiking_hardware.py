"""Spiking graphs on crossbars and integer cores: a layer at a time, cycles step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neuromorph.devices.layered.core import Draw, core_kind, core_of
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.devices.layered.execute.finetune import finetune
from neuromorph.devices.layered.place import place
from neuromorph.devices.layered.place.views import cores_of
from neuromorph.devices.layered.tally.counts import gather
from neuromorph.devices.layered.tally.times import pipeline_of
from neuromorph.graph.evaluate import Evaluator, evaluate
from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import LIF, CubaLIF
from neuromorph.graph.operators.synapses import DelayedLinear, SumPool2d
from neuromorph.graph.operators.wiring import Flatten
from neuromorph.graph.semantics import Semantics
from neuromorph.hardware.architecture import read_architecture
from neuromorph.run import run as run_network

ROOT = Path(__file__).resolve().parents[2]
STEPS = 6
STEP = Semantics(1e-3, reset="subtract", bias_at_start=False)


def convolutional() -> Graph:
    """Conv, LIF, sum pool, dense, LIF on 2 x 6 x 6 events."""
    rng = np.random.default_rng(3)

    def lif(*shape: int) -> LIF:
        return LIF(np.full(shape, 4e-3), 4, 0, 1, 0, STEP)

    nodes = (
        Node("conv", Conv2d(rng.normal(size=(3, 2, 3, 3)) * 0.5, window=Window((3, 3), padding=(1, 1, 1, 1))), ("x",)),
        Node("n1", lif(3, 6, 6), ("conv",)),
        Node("pool", SumPool2d(), ("n1",)),
        Node("flat", Flatten(3), ("pool",)),
        Node("dense", Linear(rng.normal(size=(4, 27)) * 0.4), ("flat",)),
        Node("n2", lif(4), ("dense",)),
    )
    return Graph("conv-snn", {"x": (STEPS, 2, 6, 6)}, nodes, ("n2",))


def recurrent() -> Graph:
    """Dense, CubaLIF fed back through a layer with bias, delayed read-out."""
    rng = np.random.default_rng(4)
    cuba = CubaLIF(np.full(8, 2e-3), 5e-3, 5, 0, 0.5, 0, 2, STEP)
    nodes = (
        Node("in", Linear(rng.normal(size=(8, 5)) * 0.8), ("x",)),
        Node("n", cuba, ("in",), feedback=("back",)),
        Node("back", Linear(rng.normal(size=(8, 8)) * 0.4, rng.normal(size=8) * 0.1), ("n",)),
        Node("out", DelayedLinear(rng.normal(size=(3, 8)), rng.integers(0, 3, (3, 8))), ("n",)),
    )
    return Graph("rsnn", {"x": (STEPS, 5)}, nodes, ("out",))


NETWORKS = {"conv": convolutional, "recurrent": recurrent}


def data(graph: Graph, count: int = 10) -> np.ndarray:
    (shape,) = graph.input_shapes.values()
    return (np.random.default_rng(5).random((count, *shape)) < 0.3).astype(np.float32)


def architecture(name: str):  # type: ignore[no-untyped-def]
    return read_architecture(ROOT / "architectures" / f"{name}.yaml")


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", ["digital-int8", "hermes-like"])
def test_report_of_a_spiking_network(name: str, network: str) -> None:
    graph = NETWORKS[network]()
    x = data(graph)
    truth = evaluate(graph, x)
    assert isinstance(truth, torch.Tensor)
    labels = truth.sum(-2).argmax(-1).numpy()
    report = run_network(graph, architecture(name), x, labels, trials=2)
    known = {m.name: m.value for m in report.metrics}
    for name_of in ("energy", "latency"):
        found = known[name_of]
        assert found is not None
        assert found > 0
    accuracy = known["accuracy"]
    assert accuracy is not None
    assert accuracy >= 0.5


@pytest.mark.parametrize("network", NETWORKS)
def test_spikes_of_integer_cores_are_close_to_float(network: str) -> None:
    graph = NETWORKS[network]()
    placement, x = place(graph, architecture("digital-int8")), data(graph, 40)
    run = execute(placement, x, trials=1, calibration=calibrate(placement, x))
    exact = evaluate(graph, x)
    assert run.outputs is not None
    assert isinstance(exact, torch.Tensor)
    if network == "conv":  # outputs are spikes
        assert exact.mean() > 0.05
        assert np.abs(run.outputs[0] - exact.numpy()).mean() < 0.02
    else:
        assert run.error[0] < 0.1


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", ["digital-int8", "hermes-like"])
def test_every_effect_off_is_float(name: str, network: str) -> None:
    graph, arch = NETWORKS[network](), architecture(name)
    placement, x = place(graph, arch), data(graph)
    effects = core_kind(core_of(arch).kind.name).effects
    run = execute(placement, x, trials=2, off=effects, calibration=calibrate(placement, x))
    exact = evaluate(graph, x)
    assert run.outputs is not None
    assert isinstance(exact, torch.Tensor)
    np.testing.assert_allclose(run.outputs[0], exact.numpy(), atol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_results_do_not_depend_on_the_batch(network: str) -> None:
    graph = NETWORKS[network]()
    placement, x = place(graph, architecture("hermes-like")), data(graph)
    calibration = calibrate(placement, x)
    one, many = (execute(placement, x, trials=2, calibration=calibration, batch=b) for b in (3, 10))
    np.testing.assert_array_equal(one.outputs, many.outputs)
    for node, statistics in one.statistics.items():
        for key, value in statistics.values.items():
            np.testing.assert_allclose(value, many.statistics[node].values[key], rtol=1e-6, err_msg=f"{node}.{key}")


@pytest.mark.parametrize("network", NETWORKS)
def test_read_noise_is_new_at_every_step_and_programming_noise_is_not(network: str) -> None:
    graph = NETWORKS[network]()
    graph = Graph("first", graph.input_shapes, graph.nodes[:1], (graph.nodes[0].name,))
    x = data(graph, 3)
    x[:] = x[:1, :1]  # every step of every sample is alike
    placement = place(graph, architecture("hermes-like"), duplicate=False)  # copies are devices of their own
    calibration = calibrate(placement, x)
    (layout,) = placement.layouts.values()
    (node,) = layout.group.nodes
    for off, alike in ((frozenset({"read", "flicker"}), True), (frozenset({"programming", "adc", "flicker"}), False)):
        draw = Draw(1, (0,), off=off)
        chip = layout.kind.program(layout, calibration.ranges[node.name], draw)
        with torch.inference_mode():
            y = node.operator.evaluate([torch.from_numpy(x)[None]], chip.host(0))[0]
        steps = y.reshape(-1, *y.shape[2:])
        same = [bool(torch.equal(steps[0], s)) for s in steps[1:]]
        assert all(same) if alike else not any(same)


def test_counts_of_a_convolution_over_time_are_those_of_its_steps_as_samples() -> None:
    whole = convolutional()
    over_time = Graph("conv", whole.input_shapes, whole.nodes[:1], ("conv",))
    still = Graph("conv", {"x": (2, 6, 6)}, whole.nodes[:1], ("conv",))
    x = data(over_time)
    for name in ("digital-int8", "hermes-like"):
        found = []
        for graph, inputs in ((over_time, x), (still, x.reshape(-1, 2, 6, 6))):
            placement = place(graph, architecture(name), duplicate=False)  # copies are devices of their own
            run = execute(placement, inputs, trials=1, calibration=calibrate(placement, inputs))
            rows = gather(placement, run.statistics).rows
            found.append({(r.path, r.action): r.mean for r in rows if "core" in r.path and r.action != "busy"})
        steps, samples = found
        assert steps.keys() == samples.keys()
        for key in steps:
            if key[0].endswith("weight_buffer"):  # weights stay where they are for all steps of a layer
                assert steps[key] == samples[key]
                continue
            assert steps[key] == pytest.approx(STEPS * samples[key], rel=1e-5), key


def test_counts_of_a_cycle_are_those_of_its_steps() -> None:
    graph = recurrent()
    x = data(graph)
    values: dict[str, torch.Tensor] = {}
    Evaluator(graph)(x, record=values.__setitem__)
    placement = place(graph, architecture("digital-int8"))
    run = execute(placement, x, trials=1, calibration=calibrate(placement, x))
    active = run.statistics["back"].values["weight.active"].sum()
    assert active == pytest.approx(float(values["n"].sum()) / len(x), rel=0.1)
    assert placement.layouts["back"].copies == 1


def test_layers_work_on_steps_one_after_the_other_and_a_cycle_on_all_at_once() -> None:
    graph = recurrent()
    placement = place(graph, architecture("digital-int8"))
    x = data(graph)
    run = execute(placement, x, trials=1, calibration=calibrate(placement, x))
    stages, _ = pipeline_of(placement, gather(placement, run.statistics))
    tokens = {s.name: s.tokens for s in stages.stages}
    assert tokens == {"x": STEPS, "in": STEPS, "n": 1, "back": 1, "out": STEPS}


def test_what_is_fed_back_travels() -> None:
    rng = np.random.default_rng(1)
    size = 200
    lif = LIF(np.full(size, 4e-3), 4, 0, 1, 0, STEP)
    nodes = (
        Node("in", Linear(rng.normal(size=(size, 5))), ("x",)),
        Node("n", lif, ("in",), feedback=("back",)),
        Node("back", Linear(rng.normal(size=(size, size))), ("n",)),
        Node("out", Linear(rng.normal(size=(2, size))), ("n",)),
    )
    graph = Graph("ring", {"x": (STEPS, 5)}, nodes, ("out",))
    arch = architecture("hermes-like")
    placement = place(graph, arch)
    per_tile = core_of(arch).count
    tiles = {name: set((cores_of(placement, name) // per_tile).tolist()) for name in ("in", "back")}
    assert not tiles["in"] & tiles["back"]
    flows = placement.flows
    bits = core_kind("crossbar").resources(core_of(arch)).signal_bits
    back = np.isin(flows.source, list(tiles["back"])) & np.isin(flows.target, list(tiles["in"])) & ~flows.partial
    assert flows.bits[back].sum() == pytest.approx(STEPS * size * bits)


def test_training_against_the_hardware_reaches_through_time() -> None:
    graph = recurrent()
    x = data(graph, 24)
    truth = evaluate(graph, x)
    assert isinstance(truth, torch.Tensor)
    labels = truth.sum(-2).argsort(-1)[:, 1].numpy()  # the second best class: there is something to learn
    tuned, tuning = finetune(
        place(graph, architecture("hermes-like")), x, labels, epochs=4, batch=8, learning_rate=0.02
    )
    assert tuning.losses[-1] < 0.7 * tuning.losses[0]
    assert tuned["n"] == graph["n"]
    assert tuned["back"].operator != graph["back"].operator
    np.testing.assert_array_equal(tuned["out"].operator.delay, graph["out"].operator.delay)
