"""Membrane normalization folded into thresholds, against the neuron that normalizes its membrane at every step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.graph.evaluate import FloatHost
from neuromorph.graph.operators.neurons import IF, LIF
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking.fold import fold_membrane_norm

DT = 1e-3


@given(st.integers(0, 2**31), st.sampled_from([">", ">="]))
def test_folded_thresholds_fire_as_the_normalized_membrane_ties_included(seed: int, compare: str) -> None:
    """All values are multiples of 1/4 and s is a power of two: every comparison is exact, and many are ties."""
    rng = np.random.default_rng(seed)
    channels, shape = 4, (4, 3, 2)

    def quarters(low: int, high: int, *size: int) -> np.ndarray:
        return rng.integers(low, high, size) / 4

    g = rng.choice([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0], channels)
    b, mean = quarters(-4, 5, channels), quarters(-4, 5, channels)
    s = rng.choice([0.5, 1.0, 2.0], channels)
    th, v_reset = quarters(1, 5, *shape), quarters(-2, 3, *shape)
    neuron = IF(np.full(shape, 1 / DT), th, v_reset, Semantics(DT, compare=compare))
    folded = fold_membrane_norm(neuron, g, b, mean, s * s - 0.25, epsilon=0.25)
    x = quarters(-6, 7, 30, *shape)
    found = folded.evaluate([torch.from_numpy(x)], FloatHost(folded)).numpy()

    v = np.zeros(shape)
    column = (-1, 1, 1)
    for t in range(30):
        v = v + x[t]
        normal = g.reshape(column) * (v - mean.reshape(column)) / s.reshape(column) + b.reshape(column)
        fires = normal > th if compare == ">" else normal >= th
        np.testing.assert_array_equal(found[t], fires)
        v = np.where(fires, v_reset, v)


def test_signs_and_constants() -> None:
    neuron = LIF(np.full((4, 1), 4e-3), 4, 0, 1, 0, Semantics(DT))
    folded = fold_membrane_norm(neuron, [2.0, -2, 0, 0], [0.5, 0.5, 2, 0.5], [1.0, 1, 1, 1], [4.0, 4, 4, 4], epsilon=0)
    assert folded.sign is not None
    np.testing.assert_array_equal(folded.sign[:, 0], [1, -1, 1, 0])
    np.testing.assert_array_equal(folded.v_threshold[:2, 0], [1.5, 0.5])
    y = folded.evaluate([torch.full((5, 4, 1), -3.0)], FloatHost(folded))[..., 0]
    np.testing.assert_array_equal(y.numpy(), np.broadcast_to([0, 1, 1, 0], (5, 4)))


def test_what_cannot_be_folded() -> None:
    one = np.ones(2)
    soft = IF(one / DT, one, 0 * one, Semantics(DT, reset="subtract"))
    with pytest.raises(InputError, match="takes away the threshold"):
        fold_membrane_norm(soft, one, one, one, one)
    hard = IF(one / DT, one, 0 * one, Semantics(DT))
    with pytest.raises(InputError, match="3 values for 2 channels"):
        fold_membrane_norm(hard, np.ones(3), one, one, one)
    with pytest.raises(InputError, match="not above 0"):
        fold_membrane_norm(hard, one, one, one, -one)
    with pytest.raises(InputError, match="signed"):
        fold_membrane_norm(fold_membrane_norm(hard, -one, one, one, one), one, one, one, one)
