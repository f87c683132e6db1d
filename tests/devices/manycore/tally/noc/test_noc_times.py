"""Times of steps: closed forms, and the compiled recursion against the discrete-event simulation."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noc_designs import CORE_TIMES, NETWORK_TIMES, firing, grid_of, machine_on, placed, population, random_design
from packet_simulation import simulated_times

from neuromorph.devices.manycore.machine import CoreTimes, NetworkTimes
from neuromorph.devices.manycore.place.shapes import HOST, Slices
from neuromorph.devices.manycore.tally.noc import fabric_of, step_times
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.spiking.network import Projection, SpikingNetwork

ENGINES = (step_times, simulated_times)
IDLE = CoreTimes(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
FAST = CoreTimes(0.0, 2.1e-9, 1.03e-9, 0.51e-9, 0.97e-9, 0.0)
BUSY = NetworkTimes(6.13e-9, 4.07e-9, 30.1e-9, 12.3e-9, 3.01e-9, 2.99e-9, 0.0, 1 << 20)


def pairs(grid, rows, multicast=False, sizes=(1, 1), cores=None, inputs=False):
    """Population a (fires) and b, with synapses from neuron i of a to rows[i] of b; slices of one neuron on `cores`."""
    indptr = np.concatenate(([0], np.cumsum([len(r) for r in rows]))).astype(np.int64)
    index = np.array([t for r in rows for t in r], np.int32)
    p = Projection("p", 0, 1, indptr, index, np.ones(index.size, np.float32), np.ones(1, np.uint8))
    pops = (population("a", sizes[0], "input" if inputs else "readout"), population("b", sizes[1]))
    network = SpikingNetwork("pairs", pops, (p,), (), (1,), 1e-3)
    start = np.concatenate([np.arange(n) for n in sizes])
    return placed(network, Slices(np.repeat((0, 1), sizes), start, start + 1, np.array(cores)), grid, multicast)


def spikes_at(neurons, *steps):
    x = np.zeros((1, len(steps), neurons), np.float32)
    for k, fired in enumerate(steps):
        x[0, k, list(fired)] = 1
    return Raster.from_dense(x)


def machine(placement, core=FAST, network=BUSY, **other):
    return machine_on(placement.grid, placement.routing.multicast, core, network, **other)


@pytest.mark.parametrize("times", ENGINES)
@pytest.mark.parametrize("multicast", [True, False])
@pytest.mark.parametrize("order", ["sweep", "parallel", "interrupt"])
def test_one_packet_takes_its_hops_and_ports(times, multicast, order):
    placement = pairs(grid_of(4, 3), [[0, 1, 2]], multicast, (1, 3), [0, 11, 11, 11])
    t = times(fabric_of(placement, machine(placement), order=order), spikes_at(4, {0}, {}))
    c, n = FAST, BUSY
    path = n.inject_s + 5 * n.hop_s + n.eject_s
    assert t.makespan_s[0, 0] == pytest.approx(c.neuron_s + c.spike_s + path + c.packet_s + 3 * c.synapse_s)
    assert t.makespan_s[0, 1] == pytest.approx(3 * c.neuron_s)  # the sweep of the fullest core
    assert t.worst_core.tolist() == [[11, 11]]
    assert t.delays.packets == 1
    assert t.delays.mean_s == pytest.approx(path)
    assert t.link_busy_s.tolist() == [[pytest.approx(n.link_s), 0]]


@pytest.mark.parametrize("times", ENGINES)
def test_a_full_link_sets_the_time(times):
    """20 cores on one tile send at once over one link; the last packet has waited for 19."""
    placement = pairs(grid_of(2, 1, 21), [[0]] * 20, False, (20, 1), [*range(20), 21])
    f = fabric_of(placement, machine(placement, IDLE))
    t = times(f, spikes_at(21, range(20)))
    expected = BUSY.inject_s + 19 * BUSY.link_s + BUSY.hop_s + BUSY.eject_s
    assert t.makespan_s[0, 0] == pytest.approx(expected)
    assert t.delays.worst_s == pytest.approx(expected)
    assert t.link_busy_s[0, 0] == pytest.approx(20 * BUSY.link_s)
    assert f.routes.path_link[0] == t.worst_link[0, 0]


@pytest.mark.parametrize("times", ENGINES)
@pytest.mark.parametrize("order", ["sweep", "parallel", "interrupt"])
def test_one_core_serves_all(times, order):
    """Core 3 gets 6 packets within a moment and takes long for each; its own sweep takes 1 us."""
    core = CoreTimes(2e-6, 0.5e-6, 3e-6, 1e-6, 0.0, 0.0)
    placement = pairs(grid_of(2, 2), [[0, 1]] * 6, True, (6, 2), [0, 0, 1, 1, 2, 2, 3, 3])
    f = fabric_of(placement, machine(placement, core), order=order)
    t = times(f, spikes_at(8, range(6)))
    work = 6 * (3e-6 + 2 * 1e-6)
    first = 2.5e-6 + BUSY.inject_s + BUSY.hop_s + BUSY.eject_s  # arrival of the first packet
    # what interrupts the sweep puts off what is left of it
    expected = {"sweep": 3e-6 + work, "parallel": first + work, "interrupt": first + work + (3e-6 - first)}[order]
    assert t.makespan_s[0, 0] == pytest.approx(expected, rel=1e-9)
    assert t.worst_core[0, 0] == 3


@pytest.mark.parametrize("times", ENGINES)
def test_the_sweep_waits_for_the_port(times):
    """A spike to 5 cores makes 5 packets one after another; the next neuron is updated after the last hand-over."""
    placement = pairs(grid_of(3, 2), [[0, 1, 2, 3, 4], [0]], False, (2, 5), [0, 0, 1, 2, 3, 4, 5])
    n = dataclasses.replace(BUSY, inject_s=50e-9)
    t = times(fabric_of(placement, machine(placement, FAST, n)), spikes_at(7, {0, 1}), ends=1)
    c = FAST
    last = c.neuron_s + c.spike_s + 4 * 50e-9
    assert t.ends_s[0, 0] == pytest.approx(last + 50e-9)  # waits for the port once more
    handed = last + 50e-9
    assert t.makespan_s[0, 0] == pytest.approx(handed + 50e-9 + n.hop_s + n.eject_s + c.packet_s + c.synapse_s)


@pytest.mark.parametrize("times", ENGINES)
def test_full_queues_drop(times):
    """12 packets reach one link at once: one goes, 4 wait, 7 are lost; the others' cores get all."""
    placement = pairs(grid_of(2, 1, 13), [[0]] * 12, False, (12, 1), [*range(12), 13])
    n = dataclasses.replace(BUSY, queue=4)
    t = times(fabric_of(placement, machine(placement, IDLE, n), full="drop"), spikes_at(13, range(12)))
    assert t.lost.tolist() == [[7]]
    assert t.delays.packets == 5
    assert t.lost_at.sum() == t.lost_at[t.worst_link[0, 0]] == 7


@pytest.mark.parametrize("times", ENGINES)
def test_full_queues_hold_what_sends_to_them(times):
    """A slow link behind a fast one with two places: the fast link is held, and a packet that turns off before the
    slow link waits behind those that do not."""
    placement = pairs(grid_of(3, 2, 1, die=(2, 2)), [[0]] * 6 + [[1]], False, (7, 2), [0] * 7 + [2, 4])
    n = NetworkTimes(1e-9, 1e-9, 1e-9, 100e-9, 1e-9, 1e-9, 0.0, 2)
    held, free = (
        times(fabric_of(placement, machine(placement, IDLE, n), full=full), spikes_at(9, range(7)), ends=1)
        for full in ("hold", "grow")
    )
    assert held.delays.packets == free.delays.packets == 7
    # set by the slow link: the first packet is there after injection and a hop, the sixth starts 5 services later
    assert held.makespan_s[0, 0] == pytest.approx(1e-9 + 1e-9 + 500e-9 + 1e-9 + 1e-9)
    assert free.makespan_s[0, 0] == pytest.approx(held.makespan_s[0, 0])
    assert free.ends_s[0, 4] == pytest.approx(10e-9)  # 7 injections, 2 hops, 1 ejection
    # two wait at the slow link, so the sixth packet leaves the first link when the fourth starts on the slow one, and
    # the seventh is behind it
    assert held.ends_s[0, 4] == pytest.approx(302e-9 + 1e-9 + 1e-9 + 1e-9 + 1e-9)
    assert held.crowded[0, 0] > 0


@pytest.mark.parametrize("times", ENGINES)
def test_packets_in_a_circle_do_not_stop_a_step(times):
    """Every core sends to all others with one place per queue: the step ends, with every packet delivered."""
    placement = random_design(grid_of(2, 2, 2), True, per_core=6, fan_out=9)
    f = fabric_of(placement, machine(placement, IDLE, dataclasses.replace(BUSY, queue=1)))
    t = times(f, firing(placement.network.neurons, 2, 0.9, 1))
    free = step_times(fabric_of(placement, machine(placement)), firing(placement.network.neurons, 2, 0.9, 1))
    assert t.delays.packets == free.delays.packets


def bursty(neurons, steps, seed):
    rng = np.random.default_rng(seed)
    rate = np.where(np.arange(steps) % 3 == 0, 0.6, 0.03)[None, :, None]
    return Raster.from_dense((rng.random((1, steps, neurons)) < rate).astype(np.float32))


def to_few(grid, multicast, per_core=8, seed=0):
    """Half of all synapses go to the neurons of two cores."""
    cores = grid.tiles * grid.cores_per_tile
    n, few = cores * per_core, 2 * per_core
    rng = np.random.default_rng(seed)
    draw = [(rng.choice(few, 3, replace=False), few + rng.choice(n - few, 3, replace=False)) for _ in range(n)]
    index = np.concatenate([np.sort(np.concatenate(d)) for d in draw]).astype(np.int32)
    p = Projection(
        "few", 0, 0, np.arange(n + 1, dtype=np.int64) * 6, index, np.ones(index.size, np.float32), np.ones(1, np.uint8)
    )
    start = np.arange(cores, dtype=np.int64) * per_core
    network = SpikingNetwork("few", (population("pop", n),), (p,), (), (0,), 1e-3)
    return placed(
        network, Slices(np.zeros(cores, np.int64), start, start + per_core, np.arange(cores)), grid, multicast
    )


@pytest.mark.parametrize("topology", ["mesh", "triangular"])
@pytest.mark.parametrize("multicast", [True, False])
@pytest.mark.parametrize("traffic", ["uniform", "bursty", "hot spot"])
@pytest.mark.parametrize("order", ["sweep", "parallel", "interrupt"])
def test_the_recursion_is_within_a_tenth_of_the_simulation(topology, multicast, traffic, order):
    """Networks near saturation, queues without limit and of 8 packets: mean makespan, delay and losses."""
    grid = grid_of(4, 3, 2, topology)
    placement = to_few(grid, multicast) if traffic == "hot spot" else random_design(grid, multicast)
    neurons = placement.network.neurons
    raster = bursty(neurons, 4, 1) if traffic == "bursty" else firing(neurons, 4, 0.2, 1)
    for queue in (1 << 20, 8):
        f = fabric_of(placement, machine(placement, FAST, dataclasses.replace(BUSY, queue=queue)), order=order)
        fast, slow = (times(f, raster, intervals=True) for times in ENGINES)
        limit = 0.1 if queue == 8 else 0.01
        assert fast.makespan_s.mean() == pytest.approx(slow.makespan_s.mean(), rel=limit)
        if f.full == "drop":
            assert fast.lost.sum() == pytest.approx(slow.lost.sum(), rel=0.05, abs=3)
        else:
            assert fast.delays.packets == slow.delays.packets
        if queue > 8:
            assert fast.delays.mean_s == pytest.approx(slow.delays.mean_s, rel=0.01)
            assert fast.delays.disorder == pytest.approx(slow.delays.disorder, rel=0.05, abs=0.01)
            assert fast.delays.shift_s == pytest.approx(slow.delays.shift_s, rel=0.05, abs=1e-10)
            np.testing.assert_allclose(fast.link_busy_s, slow.link_busy_s)
            np.testing.assert_allclose(fast.core_busy_s.mean(), slow.core_busy_s.mean(), rtol=0.05)


@settings(max_examples=15)
@given(
    st.integers(0, 10**6), st.sampled_from(["mesh", "torus", "triangular"]), st.booleans(),
    st.sampled_from(["sweep", "parallel", "interrupt"]), st.floats(0.02, 0.7), st.integers(0, 40),
)  # fmt: skip
def test_engines_agree_for_any_times(seed, topology, multicast, order, rate, scale):
    """Without full queues, core and network times drawn over two decades."""
    rng = np.random.default_rng(seed)
    core = CoreTimes(*(rng.uniform(0.1, 10, 5) * 1e-9), 0.0)
    net = NetworkTimes(*(rng.uniform(0.1, 10, 6) * 1e-9), 0.0, 1 << 20)
    placement = random_design(grid_of(3, 2, 2, topology, die=(3, 1)), multicast, per_core=4, fan_out=4, seed=seed)
    f = fabric_of(placement, machine(placement, core, net), order=order)
    raster = firing(placement.network.neurons, 2, rate, scale)
    fast, slow = (times(f, raster) for times in ENGINES)
    np.testing.assert_allclose(fast.makespan_s, slow.makespan_s, rtol=0.02)
    assert fast.delays.mean_s == pytest.approx(slow.delays.mean_s, rel=0.02)


@pytest.mark.parametrize("times", ENGINES)
def test_cores_that_miss_the_deadline_are_told(times):
    """6 packets of 1 us each, a step of 4 us of which the barrier takes 0.5: three are served in time."""
    core = CoreTimes(0.0, 0.0, 1e-6, 0.0, 0.0, 0.0)
    placement = pairs(grid_of(2, 2), [[0]] * 6, True, (6, 1), [0, 0, 1, 1, 2, 2, 3])
    n = dataclasses.replace(BUSY, barrier_s=0.5e-6)
    f = fabric_of(placement, machine(placement, core, n, step_s=4e-6))
    assert (f.order, f.full) == ("interrupt", "drop")
    t = times(f, spikes_at(7, range(6), {0}, range(6)))
    assert t.late.tolist() == [[3, 0, 3]]
    assert t.missed.tolist() == [[1, 0, 1]]
    assert t.late_of[3] == 6
    assert t.missed_of.tolist() == [0, 0, 0, 2]
    assert t.step_s.tolist() == [[4e-6] * 3]
    free = times(fabric_of(placement, machine(placement, core, n)), spikes_at(7, range(6), {0}))
    np.testing.assert_allclose(free.step_s, free.makespan_s + 0.5e-6)
    assert free.late.sum() == 0


@pytest.mark.parametrize("times", ENGINES)
def test_spikes_from_outside_come_through_one_port(times):
    placement = pairs(grid_of(2, 2), [[0]] * 4, True, (4, 1), [HOST] * 4 + [3], inputs=True)
    t = times(fabric_of(placement, machine(placement, IDLE)), spikes_at(5, range(4)))
    gap = max(BUSY.inject_s, BUSY.link_s)
    expected = BUSY.inject_s + 3 * gap + 2 * BUSY.hop_s + BUSY.eject_s
    assert t.makespan_s[0, 0] == pytest.approx(expected)


def test_results_do_not_depend_on_threads_or_company():
    placement = random_design(grid_of(3, 3, 2), True)
    raster = firing(placement.network.neurons, 7, 0.2, 5, samples=5)
    f = fabric_of(placement, machine(placement))
    one, two = (step_times(f, raster, intervals=True, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.makespan_s, two.makespan_s)
    assert one.delays == two.delays
    alone = step_times(f, raster.part(3, 4))
    np.testing.assert_array_equal(alone.makespan_s[0], one.makespan_s[3])


@pytest.mark.parametrize("full", ["grow", "hold"])
def test_a_calendar_that_is_too_small_grows(full, monkeypatch):
    placement = random_design(grid_of(3, 3, 2), False)
    raster = firing(placement.network.neurons, 3, 0.5, 5)
    n = dataclasses.replace(BUSY, queue=4)
    f = fabric_of(placement, machine(placement, network=n), full=full)
    enough = step_times(f, raster, intervals=True)
    monkeypatch.setattr("neuromorph.devices.manycore.tally.noc.steps.EVENTS", 8)
    grown = step_times(f, raster, intervals=True)
    np.testing.assert_array_equal(grown.makespan_s, enough.makespan_s)
    assert grown.delays == enough.delays


def test_what_is_not_legal_is_refused():
    placement = random_design(grid_of(2, 2), True)
    torus = random_design(grid_of(2, 2, 1, "torus"), True)
    m = machine(placement)
    for options, words in (({"order": "first"}, "order"), ({"full": "burst"}, "full")):
        with pytest.raises(InputError, match=words):
            fabric_of(placement, m, **options)
    with pytest.raises(InputError, match="in a circle"):
        fabric_of(torus, machine(torus), full="hold")
    with pytest.raises(InputError, match="hop_s"):
        fabric_of(placement, machine(placement, network=dataclasses.replace(NETWORK_TIMES, hop_s=-1e-9)))
    with pytest.raises(InputError, match="queue"):
        fabric_of(placement, machine(placement, network=dataclasses.replace(NETWORK_TIMES, queue=0)))
    f = fabric_of(placement, m)
    with pytest.raises(InputError, match="neurons"):
        step_times(f, firing(31, 2, 0.1, 1))


def test_unknown_times_are_listed():
    placement = random_design(grid_of(2, 2), True)
    core = dataclasses.replace(CORE_TIMES, synapse_s=math.nan, plastic_s=math.nan)
    net = dataclasses.replace(NETWORK_TIMES, link_s=math.nan, bridge_link_s=math.nan, barrier_s=math.nan)
    f = fabric_of(placement, machine(placement, core, net))
    assert f.unmodelled == (
        "test: time of a synaptic event", "test: time of a packet on a link", "test: synchronisation of a step",
    )  # fmt: skip
