"""The flat form computes what the graph computes, spike for spike."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spiking_networks import random_graph, semantics_cases
from spiking_reference import simulate

from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph
from neuromorph.graph.semantics import Semantics
from neuromorph.graph.spiking.lower import lower, with_min_delay

STEP = Semantics(1e-3)


def both(graph: Graph, x: np.ndarray, latency: int = 0) -> None:
    """Asserts that the graph's outputs are those of its flat form, `latency` steps later."""
    expected = evaluate(graph, torch.from_numpy(x))
    expected = expected if isinstance(expected, tuple) else (expected,)
    network = with_min_delay(lower(graph), latency) if latency else lower(graph)
    assert not network.stretched
    steps = len(x)
    found = simulate(network, [x.reshape(steps, -1)], steps + network.latency)
    for name, y, k in zip(graph.outputs, expected, network.outputs, strict=True):
        own = network.latency
        np.testing.assert_allclose(
            found[k][own:], y.numpy().reshape(steps, -1), rtol=1e-9, atol=1e-9, err_msg=name
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
