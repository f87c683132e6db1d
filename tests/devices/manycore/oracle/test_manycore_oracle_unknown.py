"""Times that nobody knows: nothing is lost to them, and no delay is made up."""

import dataclasses
import math

import numpy as np
import pytest
from manycore_hand import by_hand, fired, linear, projection
from packet_simulation import simulated_times

from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.tally.noc import fabric_of, schedule_network, step_times
from neuromorph.hardware.catalog import load_architecture
from neuromorph.spiking.network import Population, SpikingNetwork

ALL_TO_ALL = SpikingNetwork(
    "crowd", (Population("in", (60,), "input"), linear("out", 40)),
    (projection("fc", 0, 1, np.ones((60, 40))),), (0,), (1,), 1e-3,
)  # fmt: skip


def crowd(name):
    """60 sources that fire at once, to 40 neurons on 4 cores of another tile."""
    architecture = load_architecture(name)
    k = read_machine(architecture).cores_per_tile
    slices = [(0, 0, 60, 0), *((1, 10 * i, 10 * i + 10, k + i) for i in range(4))]
    return by_hand(ALL_TO_ALL, architecture, slices), fired((1, 3, 100), {(0, 0): range(60), (0, 1): range(60)})


@pytest.mark.parametrize("times", [step_times, simulated_times])
@pytest.mark.parametrize("full", ["drop", "grow", "hold"])
def test_a_network_without_known_times_loses_nothing(times, full):
    placement, raster = crowd("spinnaker2")
    machine = read_machine(placement.architecture)
    assert math.isnan(machine.network.link_s)
    assert math.isnan(machine.network.eject_s)
    t = times(fabric_of(placement, machine, full=full), raster)
    assert t.delays.packets == 2 * 60 * 4
    assert t.lost.sum() == 0
    assert full == "hold" or t.crowded.sum() == 0
    update, event = machine.times.neuron_s, machine.times.synapse_s
    assert t.makespan_s[0].tolist() == pytest.approx([10 * update + 600 * event] * 2 + [10 * update])


def test_a_report_says_that_delays_are_not_modelled():
    placement, raster = crowd("spinnaker2")
    rows = {
        what: value
        for what, value, _ in schedule_network(placement, raster, read_machine(placement.architecture)).table()
    }
    for what in ("delay of a packet", "packets overtaken", "packets lost"):
        assert rows[what] == "not modelled"
    assert "barrier of a step" not in rows
    assert rows["packets that reached a core"] == "480"


def test_a_delay_of_which_a_part_is_known_says_what_is_left_out():
    placement, raster = crowd("spinnaker1-4chip")
    table = schedule_network(placement, raster, read_machine(placement.architecture)).table()
    (delay,) = (row for row in table if row[0].startswith("delay of a packet"))
    assert delay[2].endswith("; without time of sending ports and time of receiving ports")
    assert delay[1] != "0 s"


def test_what_is_known_still_fills_queues():
    """The same crowd where a link takes a microsecond: all but its queue's packets are lost."""
    placement, raster = crowd("spinnaker2")
    machine = read_machine(placement.architecture)
    slow = dataclasses.replace(machine, network=dataclasses.replace(machine.network, link_s=2.0**-20))
    for times in (step_times, simulated_times):
        t = times(fabric_of(placement, slow, full="drop"), raster)
        assert t.lost.sum() == 2 * (60 - 17)


def test_a_chip_of_which_no_time_is_known_is_not_timed_packet_by_packet(monkeypatch):
    placement, raster = crowd("truenorth-like")
    machine = read_machine(placement.architecture)
    before = step_times(fabric_of(placement, machine), raster)
    monkeypatch.setattr("neuromorph.devices.manycore.tally.noc.schedule.step_times", None)
    found = schedule_network(placement, raster, machine)
    assert found.latencies_s.tolist() == pytest.approx([0.003])
    assert not found.times.makespan_s.any()
    assert not before.makespan_s.any()
    assert found.table() == [["work of a step", "not modelled", "no time of cores, links and ports is known"]]
    assert "truenorth-like: latency of a hop" in found.unmodelled
    assert not found.notes
    partly = dataclasses.replace(machine, times=dataclasses.replace(machine.times, synapse_s=1e-9))
    with pytest.raises(TypeError):  # one known time is enough to follow every packet
        schedule_network(placement, raster, partly)
