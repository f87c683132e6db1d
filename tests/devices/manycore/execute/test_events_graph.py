"""A graph evaluated layer by layer, and its flat form run event by event, give the same spikes and values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.events import Raster
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators import convolution, dense, neurons, wiring
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking.lower import lower, with_min_delay

CASES = [
    Semantics(1e-3),
    Semantics(1e-3, "exponential", "subtract", spikes_per_step=None, compare=">="),
    Semantics(1e-3, "impulse", "subtract", delayed_reset=True, v_min=-0.5),
    Semantics(1e-3, "exponential", "subtract_guarded", order="membrane_first", output_shift=1),
    Semantics(1e-3, reset="value", refractory=2, delayed_reset=True, input_at_reset=False),
]


def graph(rng: np.random.Generator, s: Semantics, cycle: bool) -> Graph:
    """Convolution, LIF, current-based LIF with a cycle, adaptive LIF, a leaky integrator at the end."""
    w = lambda *shape: np.rint(rng.normal(size=shape) * 40).astype(np.float32) / 64  # noqa: E731
    back = ("back",) if cycle else ()
    nodes = (
        Node("conv", convolution.Conv2d(w(3, 2, 3, 3), w(3), window=Window((3, 3), (2, 2), (1, 1, 1, 1))), ("x",)),
        Node("lif", neurons.LIF(np.full((3, 3, 3), 5e-3), 4, 0.1, rng.random((3, 3, 3)) + 0.4, 0.05, s), ("conv",)),
        Node("flat", wiring.Flatten(3), ("lif",)),
        Node("lin", dense.Linear(w(8, 27), w(8)), ("flat",)),
        Node("cuba", neurons.CubaLIF(np.full(8, 3e-3), 6e-3, 2, 0, 0.8, 0, 2, s), ("lin",), feedback=back),
        Node("back", dense.Linear(w(8, 8), w(8)), ("cuba",)),
        Node("ada", neurons.AdaptiveLIF(np.full(8, 8e-3), 6, 0, 0.5, 0, 2e-2, 0.3, s), ("back",)),
        Node("out", dense.Linear(w(4, 8)), ("ada",)),
        Node("read", neurons.LI(np.full(4, 9e-3), 2, 0, s), ("out",)),
    )
    return Graph("g", {"x": (24, 2, 5, 5)}, nodes, ("read", "lif", "ada"))


@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.parametrize("cycle", [False, True])
def test_flat_form_run_by_events_equals_the_graph(case, cycle):
    rng = np.random.default_rng(case)
    g = graph(rng, CASES[case], cycle)
    x = (rng.random((3, 24, 2, 5, 5)) < 0.4).astype(np.float32)
    want = evaluate(g, torch.from_numpy(x.astype(np.float64)))
    network = lower(g)
    run = EventEngine(network).run(Raster.from_dense(x.reshape(3, 24, -1)))
    for found, expected in zip(run.outputs, want, strict=True):
        expected = expected.numpy().reshape(3, 24, -1)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert want[1].sum() > 50
    assert want[2].sum() > 0
    if not cycle:
        late = with_min_delay(network, 1)
        shifted = EventEngine(late).run(Raster.from_dense(x.reshape(3, 24, -1)))
        assert late.latency > 0
        np.testing.assert_array_equal(shifted.outputs[0][:, late.latency :], run.outputs[0])
