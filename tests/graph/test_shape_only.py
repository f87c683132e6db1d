"""Graphs whose weights are shapes only: placed and priced without data, refused where values are needed."""

import numpy as np
import pytest
import torch
from torch import nn

import neuromorph as nm
from neuromorph.errors import InputError
from neuromorph.graph.arrays import ShapeOnly, shape_only
from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators import Linear


def network(device: str, features: int = 300) -> Graph:
    with torch.device(device):
        module = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, features)
        )
    return nm.from_torch(module, (3, 8, 8))


def test_an_array_without_values_takes_no_memory_and_keeps_its_shape() -> None:
    a = shape_only((1 << 20, 1 << 20))
    assert isinstance(a.swapaxes(0, 1)[None], ShapeOnly)
    assert a.strides == (0, 0)
    assert (a * 2.0 + 1.0).shape == a.shape
    assert isinstance(abs(a), ShapeOnly)
    assert a.astype(np.float32).dtype == np.float32
    small = shape_only((2, 3))
    for work in (small.sum, lambda: small @ small.T, small.max, small.tobytes):
        with pytest.raises(InputError, match="shapes only"):
            work()


def test_a_meta_module_gives_the_graph_of_a_loaded_one() -> None:
    meta, loaded = network("meta"), network("cpu")
    assert meta.shapes == loaded.shapes
    assert meta.macs == loaded.macs
    assert [type(n.operator) for n in meta.nodes] == [type(n.operator) for n in loaded.nodes]


@pytest.mark.parametrize("chip", ["digital-int8", "isaac-like", "hermes-like"])
def test_price_does_not_depend_on_weights_but_through_conductances(chip: str) -> None:
    architecture = nm.load_architecture(chip)
    meta, loaded = (nm.run(network(d), architecture) for d in ("meta", "cpu"))
    assert meta["latency"].value == loaded["latency"].value
    assert meta["energy"].value == pytest.approx(loaded["energy"].value, rel=0.05)


def test_assumed_weights_are_uniform_between_full_scales() -> None:
    weight = np.random.default_rng(0).uniform(-1, 1, (128, 128))
    graphs = [
        Graph("g", {"x": (128,)}, (Node("a", Linear(w), ("x",)),), ("a",)) for w in (weight, shape_only((128, 128)))
    ]
    architecture = nm.load_architecture("isaac-like")
    real, assumed = (nm.run(g, architecture)["energy"].value for g in graphs)
    assert assumed == pytest.approx(real, rel=2e-3)


def test_whatever_needs_values_refuses_in_one_message(tmp_path) -> None:  # type: ignore[no-untyped-def]
    graph, architecture = network("meta"), nm.load_architecture("isaac-like")
    x, y = np.zeros((2, 3, 8, 8), np.float32), np.zeros(2, int)
    placement = nm.place(graph, architecture)
    for work in (
        lambda: nm.run(graph, architecture, x, y),
        lambda: nm.execute(placement, x, y),
        lambda: nm.calibrate(placement, x),
        lambda: nm.compress(graph, "quantize:8"),
        lambda: nm.save_graph(graph, tmp_path / "g.nmg.json"),
        lambda: nm.convert(graph, x),
    ):
        with pytest.raises(InputError, match="values of weights") as caught:
            work()
        assert len(caught.value.problems) == 1
    assert not list(tmp_path.iterdir())
