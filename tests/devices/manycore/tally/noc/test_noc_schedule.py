"""What reports show of the times of a run, and of assumed rates."""

import dataclasses
import math

import numpy as np
import pytest
from noc_designs import CORE_TIMES, NETWORK_TIMES, firing, grid_of, machine_on, random_design

from neuromorph.devices.manycore.machine import CoreTimes, NetworkTimes
from neuromorph.devices.manycore.tally.noc import assume_schedule, fabric_of, schedule_network, step_times
from neuromorph.devices.manycore.tally.spikes import assume_traffic
from neuromorph.errors import InputError

PLACEMENT = random_design(grid_of(3, 2, 2), True)
NEURONS = PLACEMENT.network.neurons
RASTER = firing(NEURONS, 6, 0.1, 3, samples=4)


def machine(core=CORE_TIMES, network=NETWORK_TIMES, **other):
    return machine_on(PLACEMENT.grid, True, core, network, **other)


def test_a_sample_takes_all_its_steps():
    slow = dataclasses.replace(NETWORK_TIMES, barrier_s=0.2e-6)
    s = schedule_network(PLACEMENT, RASTER, machine(network=slow))
    steps = step_times(fabric_of(PLACEMENT, machine(network=slow)), RASTER)
    each = (steps.makespan_s + 0.2e-6).sum(axis=1)
    np.testing.assert_allclose(s.latencies_s, each)
    assert s.latency_s == s.interval_s == pytest.approx(each.mean())
    assert (s.latency_low_s, s.worst_s) == (pytest.approx(each.min()), pytest.approx(each.max()))
    assert s.latency_low_s <= s.latency_high_s <= s.worst_s
    assert s.throughput_hz == pytest.approx(1 / each.mean())
    assert s.unmodelled == ()
    assert {r.stage for r in s.gantt} == {"pop"}
    assert {r.sample for r in s.gantt} == {0, 1}
    assert len(s.gantt) == 12
    assert s.gantt[5].end_s == pytest.approx(each[0] - 0.2e-6)
    assert s.gantt[6].begin_s == pytest.approx(each[0])


def test_samples_that_end_early_take_less():
    used = np.array([6, 2, 0, 6])
    s, whole = (schedule_network(PLACEMENT, RASTER, machine(), steps_used=u) for u in (used, None))
    np.testing.assert_allclose(s.latencies_s[[0, 3]], whole.latencies_s[[0, 3]])
    np.testing.assert_allclose(s.latencies_s[1], whole.times.step_s[1, :2].sum())
    assert s.latencies_s[2] == 0
    with pytest.raises(InputError, match="steps_used"):
        schedule_network(PLACEMENT, RASTER, machine(), steps_used=np.array([7, 1, 1, 1]))


@pytest.mark.parametrize(
    ("core", "network", "words"),
    [
        (dataclasses.replace(CORE_TIMES, synapse_s=1e-6), NETWORK_TIMES, "core"),
        (CoreTimes(*([0.0] * 6)), dataclasses.replace(NETWORK_TIMES, link_s=1e-6), "link from tile"),
        (CORE_TIMES, dataclasses.replace(NETWORK_TIMES, barrier_s=1e-3), "barrier"),
    ],
)
def test_the_bottleneck_is_what_has_most_to_do(core, network, words):
    assert words in schedule_network(PLACEMENT, RASTER, machine(core, network)).bottleneck


def test_real_time_steps_take_their_time_and_tell_of_missed_deadlines():
    m = machine(dataclasses.replace(CORE_TIMES, packet_s=5e-6), step_s=20e-6)
    s = schedule_network(PLACEMENT, RASTER, m)
    np.testing.assert_allclose(s.latencies_s, 6 * 20e-6)
    assert "real-time step of 20 us" in s.bottleneck
    assert any("miss the deadline" in note for note in s.notes)
    rows = {row[0]: row[1] for row in s.table()}
    assert int(rows["packets too late"]) == s.times.late.sum() > 0
    assert int(rows["deadlines missed"]) == s.times.missed.sum() > 0
    assert not any("deadline" in n for n in schedule_network(PLACEMENT, RASTER, machine(step_s=1e-3)).notes)


def test_lost_packets_are_told():
    s = schedule_network(PLACEMENT, RASTER, machine(network=dataclasses.replace(NETWORK_TIMES, queue=1)), full="drop")
    assert s.times.lost.sum() > 0
    assert any("full queue" in note for note in s.notes)


def test_a_chip_without_any_time_has_none():
    unknown = CoreTimes(*([math.nan] * 6))
    network = NetworkTimes(*([math.nan] * 7), 4)
    s = schedule_network(PLACEMENT, RASTER, machine(unknown, network))
    assert math.isnan(s.latency_s)
    assert len(s.unmodelled) == 5 + 5  # nothing is plastic, one die
    a = assume_schedule(PLACEMENT, assume_traffic(PLACEMENT, np.full(NEURONS, 0.1), 6), machine(unknown, network))
    assert math.isnan(a.latency_s)
    assert a.table() == []


@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_assumed_rates_bound_what_a_run_takes(rate):
    """The mean load of a step is never more than what random spikes of that rate take on average."""
    raster = firing(NEURONS, 40, rate, 1)
    traffic = assume_traffic(PLACEMENT, np.full(NEURONS, rate), 40)
    assumed = assume_schedule(PLACEMENT, traffic, machine())
    run = schedule_network(PLACEMENT, raster, machine())
    route = NETWORK_TIMES.inject_s + NETWORK_TIMES.eject_s + 3 * NETWORK_TIMES.hop_s
    assert 0.5 * run.latency_s < assumed.latency_s <= 1.05 * run.latency_s + 40 * route
    real = assume_schedule(PLACEMENT, traffic, machine(step_s=1e-7))
    assert real.latency_s == pytest.approx(40e-7)
    assert any("does not fit" in note for note in real.notes)
