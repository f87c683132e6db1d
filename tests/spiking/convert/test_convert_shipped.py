"""The shipped spiking networks: what their files hold, and the accuracies they state."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from convert_networks import values

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.events import Raster, read_events
from neuromorph.graph.data import read_data
from neuromorph.graph.model import Graph
from neuromorph.graph.operators.stepped import ClipFloor
from neuromorph.graph.operators.synapses import DelayedLinear
from neuromorph.importers import read_graph
from neuromorph.spiking.convert import answers_over_time, convert, exit_early
from neuromorph.spiking.lower import lower

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SLICE = 300


@cache
def recorded(folder: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((EXAMPLES / folder / "accuracy.json").read_text())
    return found


def shipped(folder: str, name: str) -> Graph:
    return read_graph(EXAMPLES / folder / f"{name}.nmg.json")


@pytest.fixture
def module() -> Iterator[object]:
    """Loads a module of an example under a name of its own; its neighbours are importable meanwhile."""
    before = list(sys.path)

    def load(folder: str, name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"examples_{folder}_{name}", EXAMPLES / folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        return made

    yield load
    sys.path[:] = before


def mnist(limit: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = read_data(EXAMPLES / "mnist" / "mnist5k.npz", limit=limit)
    assert y is not None
    return x, y


def test_files_are_small() -> None:
    for folder, largest in (("mnist_snn", 700_000), ("nmnist", 1_500_000), ("spoken_digits", 600_000)):
        size = sum(p.stat().st_size for p in (EXAMPLES / folder).iterdir() if p.suffix in (".npz", ".safetensors"))
        assert size < largest


def test_the_converted_lenet_is_within_half_a_point_at_8_steps() -> None:
    found = recorded("mnist_snn")
    for data in ("official", "shipped"):
        assert found["lenet-qcfs"][data] >= 0.99
        assert found["lenet-snn"][data] >= found["lenet-qcfs"][data] - 0.005
        assert found["lenet-snn-early"][data] >= found["lenet-qcfs"][data] - 0.005
        assert found["lenet-snn-early"][f"{data} mean steps"] < 5
    network, spiking = shipped("mnist_snn", "lenet-qcfs"), shipped("mnist_snn", "lenet-snn")
    assert spiking.input_shapes == {"input_1": (8, 1, 28, 28)}
    assert {n.operator.levels for n in network.nodes if isinstance(n.operator, ClipFloor)} == {8}
    x, y = mnist(SLICE)
    answers = answers_over_time(spiking, x)
    again = convert(network, method="qcfs", steps=8)
    assert np.allclose(answers_over_time(again, x[:20]), answers[:20], atol=1e-3)
    with_values = (values(network, x)[network.outputs[0]].argmax(1) != y).sum()
    rule = found["lenet-snn-early"]
    early = exit_early(answers, y, rule["temperature"], rule["threshold"])
    for name, errors in (
        ("lenet-qcfs", with_values),
        ("lenet-snn", (answers[:, -1].argmax(1) != y).sum()),
        ("lenet-snn-early", (early.answers != y).sum()),
    ):
        expected = SLICE * (1 - found[name]["shipped"])
        assert abs(errors - expected) < 4 * np.sqrt(expected) + 1  # binomial spread of the errors
    assert early.mean_steps == pytest.approx(rule["shipped mean steps"], abs=0.5)


def test_the_hoyer_network_answers_in_one_step() -> None:
    network = shipped("mnist_snn", "lenet-hoyer")
    x, y = mnist(SLICE)
    spiking = convert(network, method="hoyer")
    assert spiking.input_shapes == {"input_1": (1, 1, 28, 28)}
    answers = answers_over_time(spiking, x)[:, 0]
    assert np.allclose(answers, values(network, x)[network.outputs[0]], atol=1e-3)
    expected = SLICE * (1 - recorded("mnist_snn")["lenet-hoyer"]["shipped"])
    assert abs((answers.argmax(1) != y).sum() - expected) < 4 * np.sqrt(expected) + 1
    assert recorded("mnist_snn")["lenet-hoyer"]["official"] > 0.96


def test_the_official_images_give_what_is_stated(module: object) -> None:
    data = module("mnist", "data")  # type: ignore[operator]
    if data.data_folder() is None:
        pytest.skip("the full MNIST is not here (set NEUROMORPH_DATA)")
    x, y = data.official()
    images, labels = x[:500].astype(np.float32) / 255, y[:500]
    answers = answers_over_time(shipped("mnist_snn", "lenet-snn"), images)
    errors, expected = (
        (answers[:, -1].argmax(1) != labels).sum(),
        500 * (1 - recorded("mnist_snn")["lenet-snn"]["official"]),
    )
    # the first half of the official images is known to be the harder one: up to twice the errors
    assert errors < 2 * expected + 4 * np.sqrt(2 * expected)


def accuracy(graph: Graph, raster: Raster, labels: np.ndarray) -> float:
    return float((answers_over_time(graph, raster)[:, -1].argmax(1) == labels).mean())


@pytest.mark.parametrize(
    ("folder", "data", "names"),
    [
        ("nmnist", "nmnist-test", ("nmnist-conv",)),
        ("spoken_digits", "digits-test", ("digits-delays", "digits-plain", "digits-plain-slow")),
    ],
)
def test_trained_networks_give_their_stated_accuracy(folder: str, data: str, names: tuple[str, ...]) -> None:
    raster, labels = read_events(EXAMPLES / folder / f"{data}.npz")
    assert labels is not None
    for name in names:
        graph = shipped(folder, name)
        assert graph.input_shapes == {next(iter(graph.input_shapes)): (raster.steps, *raster.shape)}
        # all test recordings; float32 sums in another order may decide one differently
        assert accuracy(graph, raster, labels) == pytest.approx(recorded(folder)[name]["test"], abs=1.5 / len(labels))


def test_goals_are_met() -> None:
    assert recorded("nmnist")["nmnist-conv"]["test"] >= 0.9
    digits = {name: found["test"] for name, found in recorded("spoken_digits").items()}
    assert digits["digits-delays"] >= 0.98
    # binomial spread of a difference on 300 recordings is about a point
    assert digits["digits-delays"] > max(digits["digits-plain"], digits["digits-plain-slow"]) + 0.015


def test_delays_are_one_tap_per_synapse() -> None:
    layers = [
        n.operator for n in shipped("spoken_digits", "digits-delays").nodes if isinstance(n.operator, DelayedLinear)
    ]
    assert [layer.weight.shape for layer in layers] == [(96, 80), (96, 96)]
    for layer in layers:
        assert layer.delay.shape == layer.weight.shape
        assert (int(layer.delay.min()), int(layer.delay.max())) == (0, 24)
        assert len(np.unique(layer.delay)) == 25


@pytest.mark.parametrize(
    ("folder", "data", "name"),
    [("nmnist", "nmnist-test", "nmnist-conv"), ("spoken_digits", "digits-test", "digits-delays")],
)
def test_the_event_engine_runs_them_to_the_same_answers(folder: str, data: str, name: str) -> None:
    raster = read_events(EXAMPLES / folder / f"{data}.npz", limit=3)[0]
    graph = shipped(folder, name)
    found = EventEngine(lower(graph)).run(raster)
    expected = answers_over_time(graph, raster)
    assert np.allclose(found.outputs[0].reshape(expected.shape), expected, atol=1e-2)


def test_shipped_recordings_are_those_of_the_data_sets(module: object) -> None:
    found = 0
    for folder, data, where in (
        ("nmnist", "nmnist-test", "data_file"),
        ("spoken_digits", "digits-test", "data_folder"),
    ):
        loader = module(folder, "data")  # type: ignore[operator]
        if getattr(loader, where)() is None:
            continue
        found += 1
        if folder == "nmnist":
            raster, labels = loader.subset(True)
        else:
            clips, labels = loader.recordings(True)
            raster = loader.spikes(clips)
        again, again_labels = read_events(EXAMPLES / folder / f"{data}.npz")
        assert np.array_equal(again_labels, labels)
        assert np.array_equal(again.index, raster.index)
        assert np.array_equal(again.indptr, raster.indptr)
    if not found:
        pytest.skip("neither data set is here (set NEUROMORPH_DATA)")


def test_the_filter_bank_turns_a_rising_tone_into_spikes_that_climb(module: object) -> None:
    """A twin of the recordings on generated sound: a tone that rises from 300 Hz to 3 kHz in half a second."""
    data = module("spoken_digits", "data")  # type: ignore[operator]
    t = np.arange(4000) / 8000
    sweep = 8000 * np.sin(2 * np.pi * (300 * t + 2700 * t**2))
    raster = data.spikes([sweep.astype(np.int16)])
    assert (raster.steps, raster.shape) == (80, (2, 40))
    louder = raster.dense()[0, :45, 1]
    when = np.array([np.flatnonzero(louder[:, k]).mean() for k in (8, 16, 24, 32)])
    assert (np.diff(when) > 2).all()
