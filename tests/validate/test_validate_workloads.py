"""Networks built from shapes: operations, rows at work, and spikes that reach as many synapses as are written."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph.validate.workload import Layer, Neurons, Workload, recurrent


def test_operations_are_those_of_the_network() -> None:
    layers = (Layer(32, 5, products=6, height=2), Layer(18, 4, products=12, height=3, kernel=3, times=2), Layer(7, 3))
    workload = Workload("w", layers)
    graph, options = workload.build()
    assert workload.operations == 2 * graph.macs == 2 * (32 * 5 * 6 + 2 * 18 * 4 * 12 + 7 * 3)
    assert options == {"effort": "none", "duplicate": False, "copies": None}
    assert graph.input_shapes["layer1_1_in"] == (2, 5, 6)


def test_resident_layers_compute_as_much_and_move_one_product() -> None:
    graph, options = Workload("w", (Layer(16, 3, products=10, copies=10, resident=True),)).build()
    assert graph.macs == 16 * 3 * 10
    assert graph.input_shapes == {"layer0_0_in": (16, 1, 1)}
    assert graph.shapes[graph.outputs[0]] == (3, 1, 1)
    assert options["copies"] == {"layer0_0": 10}


@pytest.mark.parametrize("density", [0.1, 0.25, 0.5, 1.0])
def test_weights_at_full_scale_are_spread_evenly(density: float) -> None:
    graph, _ = Workload("w", (Layer(200, 3),), weight_density=density).build()
    ((_, matrix),) = graph.matrices()
    assert matrix.weight.mean() == pytest.approx(density, abs=0.005)
    assert set(np.unique(matrix.weight)) <= {0.0, 1.0}
    assert np.diff(np.flatnonzero(matrix.weight[0, :, 0])).max() <= np.ceil(1 / density)


def test_every_core_receives_as_much_as_every_other() -> None:
    n = Neurons(cores=6, neurons=40, senders=12, synapses=8, steps=5)
    synapses = recurrent("r", n)["synapses"].operator
    assert synapses.index.size == 6 * 12 * 8
    fan_out = np.diff(synapses.indptr).reshape(6, 40)
    assert (fan_out[:, :12] == 8).all()
    assert (fan_out[:, 12:] == 0).all()
    core = synapses.index.reshape(-1, 8) // 40
    assert (core == core[:, :1]).all()  # a neuron reaches one core
    assert (np.bincount(core[:, 0]) == 12).all()
