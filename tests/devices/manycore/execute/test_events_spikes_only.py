"""What a run on a chip refuses and says: inputs that are no spikes, weights that become zero."""

from __future__ import annotations

import numpy as np
import pytest
from test_events_held import network

import neuromorph as nm
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.execute.spiking import execute_events
from neuromorph.devices.manycore.place.place import place_network
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.errors import InputError

CHIPS = ("loihi-like", "loihi-sanafe", "spinnaker1", "spinnaker1-4chip", "spinnaker2", "truenorth-like", "odin-like")


def placed(weight: np.ndarray, chip: str) -> CorePlacement:
    architecture = nm.load_architecture(chip)
    return place_network(network(weight), architecture, read_machine(architecture), effort="none")


@pytest.mark.parametrize("chip", CHIPS)
def test_inputs_that_are_no_spikes_are_refused_with_the_remedy(chip: str) -> None:
    rng = np.random.default_rng(0)
    placement = placed(rng.normal(size=(10, 4)), chip)
    for off in ((), ("arithmetic",)):
        with pytest.raises(InputError, match=r"takes spikes only.*encode"):
            execute_events(placement, rng.random((1, 20, 10)).astype(np.float32), off=off)
    twice = 2.0 * (rng.random((1, 20, 10)) < 0.3)
    assert execute_events(placement, twice.astype(np.float32)).samples == 1


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
