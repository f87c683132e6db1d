"""Weights of few bits, few types of axon and signs by source, on cores that compute state in floating point."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.devices.manycore.execute.held import held_weights
from neuromorph.errors import InputError
from neuromorph.events import Raster
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import Population, Projection, SpikingNetwork


def neurons(name: str, size: int) -> Population:
    values = {
        "a_syn": 0.0, "b_syn": 1.0, "a_mem": 1.0, "b_mem": 1.0, "c_mem": 0.0, "threshold": 1.0, "v_reset": 0.0,
        "sign": 1.0, "v_init": 0.0,
    }  # fmt: skip
    return Population(name, (size,), "linear", {k: np.full(size, v) for k, v in values.items()}, Semantics(dt_s=1e-3))


def network(*weights: np.ndarray, plasticity: Plasticity | None = None) -> SpikingNetwork:
    """An input population for each (sources, targets) matrix, all into the same neurons; zeros are no synapses."""
    inputs = tuple(Population(f"in{i}", (len(w),), "input") for i, w in enumerate(weights))
    projections = []
    for i, w in enumerate(weights):
        row, index = np.nonzero(w)
        indptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=len(w))))).astype(np.int64)
        projections.append(
            Projection(f"p{i}", i, len(weights), indptr, index.astype(np.int32), w[row, index].astype(np.float32),
                       np.zeros(1, np.uint8), plasticity)
        )  # fmt: skip
    out = neurons("n", weights[0].shape[1])
    return SpikingNetwork("held", (*inputs, out), tuple(projections), tuple(range(len(weights))), (len(weights),), 1e-3)


def matrix(net: SpikingNetwork, q: int = 0) -> np.ndarray:
    p = net.projections[q]
    found = np.zeros((net.populations[p.source].size, net.populations[p.target].size))
    found[np.repeat(np.arange(len(found)), p.fan_out), p.index] = p.weight
    return found


@given(bits=st.integers(1, 16), seed=st.integers(0, 99))
def test_every_weight_is_the_nearest_whole_number_times_one_power_of_two(bits: int, seed: int) -> None:
    w = np.random.default_rng(seed).normal(size=(6, 5))
    found, lost, _ = held_weights(network(w), Arithmetic("float32", bits))
    held, top = matrix(found), max(2 ** (bits - 1) - 1, 1)
    step = 2.0 ** np.ceil(np.log2(np.abs(w.astype(np.float32)).max() / (top + 0.5)))
    np.testing.assert_allclose(held, np.clip(np.rint(w.astype(np.float32) / step), -top, top) * step)
    assert lost.rows[0].silent == int((held == 0).sum())
    assert bool(lost.rows[0].silent) == any("become zero" in note for note in lost.notes)


def test_whole_weights_that_fit_are_kept_exactly() -> None:
    w = np.array([[1.0, -2, 127], [-127, 5, 0]])
    for arithmetic in (Arithmetic("float32", 8), Arithmetic("float32", 24), Arithmetic("float32")):
        found, lost, _ = held_weights(network(w), arithmetic)
        np.testing.assert_array_equal(matrix(found), w)
        assert not lost.notes


@pytest.mark.parametrize("types", [1, 2, 4])
def test_no_neuron_has_more_weights_than_there_are_types_of_axon(types: int) -> None:
    rng = np.random.default_rng(types)
    net = network(rng.normal(size=(12, 7)), rng.normal(size=(9, 7)))
    core = np.concatenate((np.full(21, -1), [0, 0, 0, 0, 3, 3, 3]))
    found, lost, _ = held_weights(net, Arithmetic("float32", 9, axon_types=types), core)
    w = np.concatenate([matrix(found, 0), matrix(found, 1)])
    for column in w.T:
        assert len(np.unique(column)) <= types
    for mine in (w[:, :4], w[:, 4:]):  # the type is one of the axon in a core: rows of one type are alike
        assert len(np.unique(mine, axis=0)) <= types
    assert any("(rms)" in note for note in lost.notes)


def test_weights_that_depend_on_types_alone_are_kept() -> None:
    rng = np.random.default_rng(3)
    table = np.sort(rng.integers(-200, 200, size=(4, 6)), axis=0) + np.array([[-50], [-20], [20], [50]])
    w = table[rng.integers(0, 4, 30)].astype(float)
    found, lost, _ = held_weights(network(w), Arithmetic("float32", 9, axon_types=4))
    np.testing.assert_array_equal(matrix(found), w)
    assert not lost.notes


def test_a_source_has_one_sign_for_all_its_synapses() -> None:
    w = np.array([[4.0, -1, 7], [-6, 3, -1], [2, 5, 1]])
    found, lost, _ = held_weights(network(w), Arithmetic("float32", 3, signs="source"))
    np.testing.assert_array_equal(matrix(found), [[4, 0, 7], [-6, 0, -1], [2, 5, 1]])
    assert any("2 of 9 weights are too small" in note or "become zero" in note for note in lost.notes)


def test_the_run_uses_the_weights_that_are_held_and_float_has_its_own() -> None:
    w = np.random.default_rng(5).normal(size=(20, 16))
    raster = Raster.from_dense((np.random.default_rng(6).random((2, 40, 20)) < 0.3).astype(np.float32))
    runs = [
        EventEngine(network(w), a).run(raster).outputs[0]
        for a in (Arithmetic("float32"), Arithmetic("float32", 16), Arithmetic("float32", 2))
    ]
    assert np.abs(runs[0] - runs[2]).sum() > np.abs(runs[0] - runs[1]).sum()


def test_learned_weights_stay_and_it_is_said() -> None:
    w = np.array([[0.3, 0.7]])
    found, lost, _ = held_weights(network(w, plasticity=Plasticity(0.1, 0.1, 0.02, 0.02)), Arithmetic("float32", 2))
    np.testing.assert_array_equal(found.projections[0].weight, w[0].astype(np.float32))
    assert any("learned" in note for note in lost.notes)
    empty = dataclasses.replace(network(np.zeros((2, 3))))
    assert held_weights(empty, Arithmetic("float32", 9, axon_types=4))[0].synapses == 0


def test_fixed_point_refuses_what_only_floating_point_has() -> None:
    with pytest.raises(InputError, match="axon types"):
        Arithmetic("loihi", 8, 24, axon_types=4)
    with pytest.raises(InputError, match="signs"):
        Arithmetic("float32", 8, signs="both")
