"""Systems on chips: what is placed and priced follows from the spikes they fired."""

from __future__ import annotations

import numpy as np
import pytest
from systems_examples import example

from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.hardware.catalog import load_architecture
from neuromorph.systems.hosting import host
from neuromorph.systems.memory import ContentMemory
from neuromorph.systems.scale import balanced_network


def test_the_memory_on_a_spinnaker_board():
    chip = load_architecture("spinnaker1-4chip")
    memory = ContentMemory(5, 10, arithmetic=read_machine(chip).arithmetic)
    memory.learn(1, [2, 3])
    assert np.flatnonzero(memory.recall(cue=1).contents).tolist() == [2, 3]
    assert np.flatnonzero(memory.recall(content=[3]).cues).tolist() == [1]
    run = memory.run()
    hosted = host(memory.network, run.spikes, chip)
    assert hosted.traffic.spikes.sum() == run.spikes.events
    assert hosted.traffic.events.sum() == run.synaptic_events.sum()
    plastic = [k for k, p in enumerate(memory.network.projections) if p.plasticity is not None]
    assert hosted.traffic.plastic_events.sum() == run.synaptic_events[plastic].sum()
    assert hosted.times.latency_s == pytest.approx(run.spikes.steps * 1e-3)
    report = hosted.report({"network": memory.network.name}, notes=("a note of its own",))
    # a board that idles draws nearly all of the energy (3.56 W)
    assert report["static_energy"].value == pytest.approx(3.56 * run.spikes.steps * 1e-3, rel=0.02)
    assert report.notes[-1] == "a note of its own"
    assert not any("assumed" in note for note in report.notes)


def test_a_balanced_network_on_as_many_chips_as_it_needs():
    scale = example("scale", "run")
    network = balanced_network(3000, 60)
    spikes = EventEngine(network).run([], steps=60).spikes
    chip = scale.machine("spinnaker1", 3000)
    part = scale.last(spikes, 10)
    assert part.dense().shape == (1, 10, 3000)
    np.testing.assert_array_equal(part.dense()[0], spikes.dense()[0, -10:])
    hosted = host(network, part, chip, effort="quick")
    assert np.unique(hosted.placement.slices.core).size == 30
    assert hosted.traffic.spikes.sum() == part.events
    assert hosted.traffic.events.sum() == 60 * part.events
