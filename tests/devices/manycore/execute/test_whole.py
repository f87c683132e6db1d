"""Membranes in whole numbers against Python's integers, one neuron at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manycore_whole import linear, network

from neuromorph.devices.manycore.execute import EventEngine, quantize
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.spiking.arithmetic import Arithmetic

TRUENORTH, ODIN = Arithmetic("integer", 9, 20, axon_types=4), Arithmetic("integer", 3, 8, signs="source")


def spikes_of(x, w, threshold, leak, bits, compare=">"):
    """(steps, targets): the definition, with unbounded integers cut to so many bits."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    v, found = [0] * w.shape[1], np.zeros((len(x) + 1, w.shape[1]), int)
    for t in range(len(x)):
        for k in range(w.shape[1]):
            left = max(v[k] - leak, 0) if v[k] >= 0 else min(v[k] + leak, 0)
            v[k] = max(low, min(high, left + int(x[t] @ w[:, k])))
            if v[k] > threshold or (compare == ">=" and v[k] == threshold):
                found[t + 1, k], v[k] = 1, 0
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([8, 10, 20]), st.integers(0, 3), st.sampled_from([">", ">="]))
def test_whole_weights_and_thresholds_are_exact(seed, bits, leak, compare):
    rng = np.random.default_rng(seed)
    threshold = int(rng.integers(8, 100))
    w = rng.integers(-7, 8, (12, 6))
    w[0] = 7  # the unit is 1
    x = (rng.random((40, 12)) < 0.3).astype(np.float32)
    net = network(w, linear("cells", 6, float(threshold), a_mem=1 - 2 * leak / threshold, compare=compare))
    found = EventEngine(net, Arithmetic("integer", 4, bits)).run(Raster.from_dense(x[None]), steps=41)
    expected = spikes_of(x, w, threshold, leak, bits, compare)
    np.testing.assert_array_equal(found.spikes.dense()[0, :, 12:], expected)


def test_a_membrane_ends_where_its_bits_do():
    """Inhibition beyond the range ends at -128 in 8 bits, so that the cell comes back sooner than in 20 bits."""
    w = np.full((16, 1), -7)
    w[7:14] = 7
    x = np.zeros((20, 16), np.float32)
    x[:4, :7], x[:4, 14:], x[4:, 7:14] = 1, 1, 1
    net = network(w, linear("cells", 1, 100.0))
    for bits, met in ((8, True), (20, False)):
        found = EventEngine(net, Arithmetic("integer", 4, bits)).run(Raster.from_dense(x[None]), steps=21)
        np.testing.assert_array_equal(found.spikes.dense()[0, :, 16:], spikes_of(x, w, 100, 0, bits))
        assert (found.counters["saturated"].sum() > 0) == met


def test_a_threshold_beyond_the_state_takes_bits_from_weights():
    w = np.array([[1.0], [6.0]])
    _, fine = quantize(network(w, linear("cells", 1, 100.0)), Arithmetic("integer", 4, 8))
    after, coarse = quantize(network(w, linear("cells", 1, 1000.0)), Arithmetic("integer", 4, 8))
    assert fine.rows[0].silent == 0
    assert coarse.rows[0].silent == 1  # the unit is 8: 1000 / 127
    assert after.projections[0].weight.tolist() == [0.0, 8.0]
    assert any("too small and become zero" in note for note in coarse.notes)


def test_a_decay_becomes_a_constant_leak_and_says_so():
    net = network(np.full((1, 1), 4.0), linear("cells", 1, 100.0, a_mem=0.9))
    _, lost = quantize(net, TRUENORTH)
    assert any("constant leak of" in note for note in lost.notes)


@pytest.mark.parametrize("arithmetic", [TRUENORTH, ODIN])
def test_currents_that_decay_are_refused(arithmetic):
    net = network(np.ones((2, 2)), linear("cells", 2, 3.0, a_syn=0.5))
    with pytest.raises(InputError, match="cells: integer arithmetic has no synaptic current"):
        EventEngine(net, arithmetic)


def test_what_never_fires_gives_its_membrane_to_the_last_unit():
    w = np.array([[3.0, -2.0]])
    net = network(w, linear("out", 2, np.inf))
    found = EventEngine(net, TRUENORTH, {1: 12.0}).run(Raster.from_dense(np.ones((1, 4, 1), np.float32)), steps=5)
    np.testing.assert_allclose(found.outputs[0][0, -1], [12.0, -8.0], rtol=1e-4)
