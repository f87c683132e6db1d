"""What a run on a chip refuses and says: inputs that are no spikes, weights that become zero."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from test_events_held import network

import neuromorph as nm
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.execute.spiking import execute_events
from neuromorph.devices.manycore.place.place import place_network
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.errors import InputError
from neuromorph.hardware.paths import replace
from neuromorph.spiking.network import SpikingNetwork

CHIPS = ("loihi-like", "loihi-sanafe", "spinnaker1", "spinnaker1-4chip", "spinnaker2", "truenorth-like", "odin-like")


def placed(weight: np.ndarray, chip: str) -> CorePlacement:
    architecture = nm.load_architecture(chip)
    return place_network(network(weight), architecture, read_machine(architecture), effort="none")


@pytest.mark.parametrize("chip", [chip for chip in CHIPS if chip != "spinnaker2"])
def test_inputs_that_are_no_spikes_are_refused_with_the_remedy(chip: str) -> None:
    rng = np.random.default_rng(0)
    placement = placed(rng.normal(size=(10, 4)), chip)
    for off in ((), ("arithmetic",)):
        with pytest.raises(InputError, match=r"takes spikes only.*encode"):
            execute_events(placement, rng.random((1, 20, 10)).astype(np.float32), off=off)
    twice = 2.0 * (rng.random((1, 20, 10)) < 0.3)
    assert execute_events(placement, twice.astype(np.float32)).samples == 1


def test_a_processor_that_computes_in_floating_point_takes_values() -> None:
    placement = placed(np.random.default_rng(0).normal(size=(10, 4)), "spinnaker2")
    assert execute_events(placement, np.full((1, 20, 10), 0.37, np.float32)).samples == 1


@pytest.mark.parametrize("chip", CHIPS)
def test_weights_that_become_zero_are_told(chip: str) -> None:
    w = np.full((10, 8), 1e-7) * np.random.default_rng(1).random((10, 8))
    w[0] = 5.0
    placement = placed(w, chip)
    found = execute_events(placement, np.ones((1, 5, 10), np.float32))
    assert any("72 of 80 weights are too small and become zero" in note for note in found.notes)
    assert not any(
        "become zero" in n for n in execute_events(placement, np.ones((1, 5, 10)), off=("arithmetic",)).notes
    )


def test_rings_that_saturate_are_widened_by_the_rate_they_are_made_for() -> None:
    """All sources fire together, far above the 30 Hz that the rings are made for by default."""
    w = np.abs(np.random.default_rng(0).normal(size=(200, 32))) * 20
    x = np.zeros((1, 30, 200), np.float32)
    x[0, ::5] = 1
    errors, saturated = [], []
    for changes in ({}, {"core.ring_rate": "1 kHz"}, {"core.ring_deviations": 60.0}):
        chip = replace(nm.load_architecture("spinnaker1"), changes)
        net = leaky(w)
        found = execute_events(place_network(net, chip, read_machine(chip), effort="none"), x)
        errors.append(float(found.error[0]))
        saturated.append([n for n in found.notes if "end of their number range" in n])
    assert saturated[0]
    assert "core.ring_rate" in saturated[0][0]
    assert not saturated[1]
    assert not saturated[2]
    assert errors[1] < errors[0]
    assert errors[2] < errors[0]
    with pytest.raises(InputError, match="no rings"):
        replace(nm.load_architecture("loihi-like"), {"core.ring_rate": "1 kHz"})


def leaky(weight: np.ndarray) -> SpikingNetwork:
    """Neurons that halve their membrane each step and fire above the sum of half of their inputs."""
    net = network(weight)
    out = net.populations[-1]
    parameters = {
        **out.parameters, "a_mem": np.full(out.size, 0.5), "threshold": weight.sum(axis=0) * 0.9
    }  # fmt: skip
    return dataclasses.replace(
        net, populations=(*net.populations[:-1], dataclasses.replace(out, parameters=parameters))
    )
