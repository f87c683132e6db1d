"""Balanced networks: what is generated, how it fires, against a plain simulation and known processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.systems.scale import balanced_network, dynamics


@settings(max_examples=20, deadline=None)
@given(neurons=st.integers(25, 400), seed=st.integers(0, 99), data=st.data())
def test_every_neuron_has_its_number_of_different_targets(neurons, seed, data):
    fan_out = data.draw(st.integers(5, neurons // 5))
    network = balanced_network(neurons, fan_out, seed)
    assert network.neurons == neurons
    assert network.synapses == neurons * fan_out
    assert sum(p.fan_out[0] for p in network.projections if p.source == 1) == fan_out
    for p in network.projections:
        rows = p.index.reshape(-1, p.fan_out[0])
        assert (np.diff(rows, axis=1) > 0).all()
        assert rows.min() >= 0
        assert rows.max() < network.populations[p.target].size
        assert (p.weight < 0).all() == (p.source == 1)
        assert set(np.unique(p.delay)) <= {1, 2, 3}


def test_targets_are_spread_evenly():
    network = balanced_network(4000, 100, 3)
    incoming = np.zeros(3200)
    for p in network.projections:
        if p.target == 0:
            incoming += np.bincount(p.index, minlength=3200)
    assert incoming.mean() == pytest.approx(100)
    assert incoming.std() == pytest.approx(10, rel=0.1)  # Poisson
    thirds = incoming.reshape(4, -1).mean(1)
    np.testing.assert_allclose(thirds, 100, atol=2)


def test_seeds_decide():
    one, two, other = balanced_network(200, 20, 1), balanced_network(200, 20, 1), balanced_network(200, 20, 2)
    np.testing.assert_array_equal(one.projections[0].index, two.projections[0].index)
    assert not np.array_equal(one.projections[0].index, other.projections[0].index)


def test_bytes_per_synapse():
    network = balanced_network(5000, 100)
    held = sum(p.index.nbytes + p.weight.nbytes + p.delay.nbytes + p.indptr.nbytes for p in network.projections)
    assert held / network.synapses < 10


def test_spikes_equal_a_plain_simulation():
    network, steps = balanced_network(300, 30, 5), 150
    weight = np.zeros((4, 300, 300))  # by delay
    first = network.first
    for p in network.projections:
        rows = np.repeat(np.arange(p.indptr.size - 1), p.fan_out)
        weight[p.delay, first[p.source] + rows, first[p.target] + p.index] = p.weight
    values = {
        k: np.concatenate([p.parameters[k] for p in network.populations]) for k in network.populations[0].parameters
    }
    v, rest = values["v_init"].copy(), np.zeros(300, int)
    fired = np.zeros((steps, 300))
    for t in range(steps):
        x = sum(fired[t - d] @ weight[d] for d in (1, 2, 3) if t >= d)
        awake = rest == 0
        v = np.where(awake, values["a_mem"] * v + x + values["c_mem"], v)
        rest = np.maximum(rest - 1, 0)
        fired[t] = awake & (v >= values["threshold"])
        v[fired[t] > 0], rest[fired[t] > 0] = values["v_reset"][0], 2
    found = EventEngine(network).run([], steps=steps).spikes.dense()[0]
    np.testing.assert_array_equal(found, fired)
    assert fired.sum() > 300


def test_the_network_fires_irregularly_and_asynchronously():
    network = balanced_network(5000, 100, 0)
    spikes = EventEngine(network).run([], steps=800).spikes
    d = dynamics(spikes, 0, 4000, skip=200)
    assert 5 < d.rate_hz < 40
    assert 0.8 < d.irregularity < 1.3  # a Poisson process has 1
    assert d.synchrony < 6  # 4000 where all fire at once


def test_dynamics_of_known_processes():
    random = np.random.default_rng(0)
    poisson = Raster.from_dense((random.random((1, 8000, 50)) < 0.02).astype(np.float32), 1e-3)
    d = dynamics(poisson, 0, 50)
    assert d.rate_hz == pytest.approx(20, rel=0.05)
    assert d.irregularity == pytest.approx(1, abs=0.05)
    assert d.synchrony == pytest.approx(1, abs=0.1)
    clock = np.zeros((1, 1000, 40), np.float32)
    clock[0, ::10, :20] = 1
    d = dynamics(Raster.from_dense(clock, 1e-3), 0, 40)
    assert (d.rate_hz, d.silent, d.irregularity) == (50, 0.5, 0)
    assert d.synchrony == pytest.approx(18)
    assert np.isnan(dynamics(Raster.from_dense(clock, 1e-3), 20, 40).irregularity)


@pytest.mark.parametrize("arguments", [(0, 5), (100, 2), (100, 50), (True, 5), (5, 5)])
def test_wrong_sizes_are_refused(arguments):
    with pytest.raises(InputError):
        balanced_network(*arguments)
