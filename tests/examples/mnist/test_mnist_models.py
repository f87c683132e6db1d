"""The shipped networks: what their files hold, and their accuracy as a user's program would measure it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from mnist_example import EXAMPLE, Pair, example_module

from neuromorph import read_data, read_graph
from neuromorph.compress import summary
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph

NETWORKS = ("mlp", "lenet")
GOALS = {"mlp": 0.980, "lenet": 0.989}
VERSIONS = ("", "-int8", "-int4", "-pruned90")
FILES = [network + version for network in NETWORKS for version in VERSIONS]
SLICE = 1000
"""Shipped images that every run looks at."""


def graph_of(name: str) -> Graph:
    return read_graph(EXAMPLE / f"{name}.nmg.json")


def right(graph: Graph, x: np.ndarray, y: np.ndarray) -> int:
    """How many images, float32 in [0, 1], the graph assigns to their class."""
    count = 0
    with torch.no_grad():
        for i in range(0, len(x), 1000):
            scores = evaluate(graph, torch.from_numpy(x[i : i + 1000]))
            assert isinstance(scores, torch.Tensor)
            count += int((scores.argmax(-1).numpy() == y[i : i + 1000]).sum())
    return count


@pytest.fixture(scope="module")
def recorded() -> dict[str, dict[str, float]]:
    """The accuracies that the example states."""
    found: dict[str, dict[str, float]] = json.loads((EXAMPLE / "accuracy.json").read_text())
    return found


def test_every_version_is_recorded_and_shipped(recorded: dict[str, dict[str, float]]) -> None:
    assert sorted(recorded) == sorted(FILES)
    assert sorted(p.name.removesuffix(".nmg.json") for p in EXAMPLE.glob("*.nmg.json")) == sorted(FILES)
    size = sum(p.stat().st_size for p in EXAMPLE.glob("*.safetensors"))
    assert size < 6e6


@pytest.mark.parametrize("name", FILES)
def test_accuracy_on_a_slice_of_the_shipped_images(name: str, recorded: dict[str, dict[str, float]]) -> None:
    x, y = read_data(EXAMPLE / "mnist5k.npz", limit=SLICE)
    errors = SLICE - right(graph_of(name), x, y)
    expected = SLICE * (1 - recorded[name]["shipped"])
    # a random fifth of the images: binomial spread of the errors, four standard deviations
    assert abs(errors - expected) < 4 * np.sqrt(expected) + 1


@pytest.mark.parametrize("name", FILES)
def test_accuracy_on_the_official_images(name: str, official: Pair, recorded: dict[str, dict[str, float]]) -> None:
    network = name.split("-")[0]
    reached = right(graph_of(name), official[0].astype(np.float32) / 255, official[1]) / len(official[1])
    # float32 sums in another order may decide a tie or two differently
    assert reached == pytest.approx(recorded[name]["official"], abs=3e-4)
    float_accuracy = recorded[network]["official"]
    assert float_accuracy >= GOALS[network]
    assert reached >= float_accuracy - 0.005


@pytest.mark.parametrize("network", NETWORKS)
def test_the_graph_is_the_trained_torch_module(network: str) -> None:
    models = example_module("models")
    x = torch.from_numpy(read_data(EXAMPLE / "mnist5k.npz", limit=64)[0])
    with torch.no_grad():
        expected, found = models.trained(network)(x), evaluate(graph_of(network), x)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("network", "macs", "weights"), [("mlp", 234_752, 234_752), ("lenet", 416_520, 61_470)])
def test_sizes_are_those_stated(network: str, macs: int, weights: int) -> None:
    for version in VERSIONS:
        graph = graph_of(network + version)
        assert graph.macs == macs
        assert summary(graph).weights == weights
        assert graph.name == network + version


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("network", NETWORKS)
def test_integer_versions_lie_on_their_grids(network: str, bits: int) -> None:
    for _, matrix in graph_of(f"{network}-int{bits}").matrices():
        for number_format in (matrix.weight_format, matrix.input_format):
            assert number_format is not None
            assert (number_format.name, number_format.bits) == ("int", bits)
        codes = matrix.weight / matrix.weight_format.scale
        assert np.allclose(codes, np.rint(codes), rtol=0, atol=1e-9)
        assert 2 ** (bits - 2) < np.abs(codes).max() < 2 ** (bits - 1)


@pytest.mark.parametrize("network", NETWORKS)
def test_nine_tenths_of_the_pruned_weights_are_zero_and_masked(network: str) -> None:
    graph = graph_of(f"{network}-pruned90")
    sizes = summary(graph)
    assert sizes.nonzero == pytest.approx(0.1 * sizes.weights, rel=1e-3)
    for _, matrix in graph.matrices():
        assert matrix.mask is not None
        assert not matrix.weight[~matrix.mask].any()
