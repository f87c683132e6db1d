"""Izhikevich's neurons in s16.15, against unbounded integers and against floating point."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.events import Raster
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import Population, Projection, SpikingNetwork

ONE = 1 << 15
PARAMETERS = {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0, "v_peak": 30.0, "v_init": -65.0, "u_init": -13.0}


def cells(weights: np.ndarray, refractory: int = 0, dt_s: float = 1e-3) -> SpikingNetwork:
    """One input neuron to as many cells as there are weights; a and d differ from cell to cell."""
    n = weights.size
    given = {name: np.full(n, value) for name, value in PARAMETERS.items()}
    given["a"] = given["a"] * (1 + np.arange(n))
    given["d"] = given["d"] - np.arange(n)
    synapses = Projection(
        "p", 0, 1, np.array([0, n]), np.arange(n, dtype=np.int32), weights.astype(np.float32), np.zeros(1, np.uint8)
    )
    populations = (
        Population("in", (1,), "input"),
        Population("cells", (n,), "izhikevich", given, Semantics(dt_s, refractory=refractory)),
    )
    return SpikingNetwork("cells", populations, (synapses,), (0,), (1,), dt_s)


def whole(value: float) -> int:
    return round(value * ONE)


def reference(current: int, a: float, d: float, on: np.ndarray, dt: int = ONE) -> list[int]:
    """Steps at which one cell fires, in integers of any size."""
    v, u = whole(PARAMETERS["v_init"]), whole(PARAMETERS["u_init"])
    fired = []
    for t, flows in enumerate(on):
        x = current if flows else 0
        for _ in range(2):
            square = (((whole(0.04) * v) >> 15) * v) >> 15
            v += ((dt // 2) * (square + 5 * v + 140 * ONE - u + x)) >> 15
        recovery = (whole(a) * (((whole(0.2) * v) >> 15) - u)) >> 15
        u += (dt * recovery) >> 15
        if v >= whole(30.0):
            v, u = whole(-65.0), u + whole(d)
            fired.append(t)
    return fired


@pytest.mark.parametrize("dt_ms", [1.0, 0.5])
def test_bit_for_bit_equal_to_unbounded_integers(dt_ms: float) -> None:
    on = np.random.default_rng(0).random(400) < 0.8
    network = cells(np.array([8.0, 10.0, 14.0]), dt_s=dt_ms * 1e-3)
    raster = Raster.from_dense(on[None, :, None].astype(np.float32))
    run = EventEngine(network, Arithmetic("spinnaker")).run(raster)
    for k, current in enumerate((8, 10, 14)):
        found = np.flatnonzero(run.outputs[0][0, :, k]).tolist()
        assert found == reference(current * ONE, 0.02 * (k + 1), 8.0 - k, on, whole(dt_ms))
        assert len(found) > 2
    exact = EventEngine(network).run(raster)
    assert run.spikes.events == pytest.approx(exact.spikes.events, rel=0.1)
    assert run.counters["saturated"].sum() == 0


def test_a_neuron_at_rest_stays_at_its_state() -> None:
    """While it rests after a spike nothing moves, so intervals grow by the steps of rest."""
    on = np.ones((1, 300, 1), np.float32)
    counts = []
    for refractory in (0, 3):
        run = EventEngine(cells(np.array([10.0]), refractory), Arithmetic("spinnaker")).run(Raster.from_dense(on))
        counts.append(np.flatnonzero(run.outputs[0][0, :, 0]))
    assert len(counts[1]) > 3
    shared = min(map(len, counts))
    assert (counts[1][:shared] - counts[0][:shared]).tolist() == [3 * k for k in range(shared)]
    assert counts[0][0] == counts[1][0]


def test_what_leaves_the_range_saturates_and_is_counted() -> None:
    run = EventEngine(cells(np.array([60000.0])), Arithmetic("spinnaker")).run(
        Raster.from_dense(np.ones((1, 50, 1), np.float32))
    )
    assert run.counters["saturated"][1] > 0
    assert run.outputs[0].sum() > 0
