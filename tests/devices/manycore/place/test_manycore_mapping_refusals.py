"""What does not fit is refused with the population, the limit, both numbers, and the smallest change that fits."""

import dataclasses
import re

import numpy as np
import pytest
from manycore_cases import KIB, LOIHI, SPINNAKER1, SPINNAKER2, TRUENORTH, architecture, projection, random_network

from neuromorph.devices.manycore.place import place_network
from neuromorph.errors import FitError
from neuromorph.spiking.network import SpikingNetwork


def star(sources, targets=1, delay=1, hub=0):
    """Every neuron of the input reaches the hub of the second population."""
    base = random_network(0, sizes=(sources, targets), edges=())
    pre = np.arange(sources)
    edge = projection("star", 0, 1, pre, np.full(sources, hub), sources, delay)
    return dataclasses.replace(base, projections=(edge,))


def refusal(network, machine):
    with pytest.raises(FitError) as caught:
        place_network(network, architecture(), machine)
    return [str(p) for p in caught.value.problems]


def test_fan_in_names_the_neuron_and_the_synapses_to_prune():
    (message,) = refusal(star(300, 20, hub=17), dataclasses.replace(TRUENORTH, axons_in=None))
    assert "population p1: fan-in 300 of neuron 17 exceeds 256" in message
    assert "prune 44 synapses or raise fan_in to 300" in message
    place_network(star(300, 20, hub=17), architecture(), dataclasses.replace(TRUENORTH, axons_in=None, fan_in=300))


def test_axons_in_of_one_neuron():
    (message,) = refusal(star(5000, 3, hub=2), LOIHI)
    assert "neuron 2 alone has synapses from 5,000 neurons, a core takes 4,096 axons in" in message
    assert "904 of them or raise axons_in to 5000" in message
    place_network(star(5000, 3, hub=2), architecture(), dataclasses.replace(LOIHI, axons_in=5000))


def test_axons_out_of_one_neuron():
    base = random_network(0, sizes=(1, 5, 40), edges=())
    pre, post = np.repeat(np.arange(5), 40), np.tile(np.arange(40), 5)
    network = dataclasses.replace(base, projections=(projection("out", 1, 2, pre, post, 5),))
    machine = dataclasses.replace(LOIHI, neurons=4, axons_out=7, shares_cores=False)
    (message,) = refusal(network, machine)
    assert "population p1: neuron" in message
    assert "alone reaches 10 cores, a core has 7 axons out (5 neurons are over)" in message
    place_network(network, architecture(), dataclasses.replace(machine, axons_out=10))


def test_memory_of_one_neuron_and_the_memory_that_would_do():
    machine = dataclasses.replace(SPINNAKER2, core_memory=20 * KIB, core_reserved=10 * KIB)
    (message,) = refusal(star(2000), machine)
    need = 2000 * 64 + 512 + 32
    assert f"neuron 0 alone needs {need / 8192:.2f} KiB of core memory, a core has 10.00 KiB" in message
    more = int(re.search(r"prune ([\d,]+) synapses", message)[1].replace(",", ""))
    assert (need - 10 * KIB) / 32 <= more < (need - 10 * KIB) / 32 + 1
    place_network(star(2000), architecture(), dataclasses.replace(machine, core_memory=need + 10 * KIB))


def test_rows_of_one_neuron_beyond_the_memory_of_a_tile():
    machine = dataclasses.replace(SPINNAKER1, tile_memory=10 * KIB)
    messages = refusal(star(2000), machine)
    assert any("neuron 0 alone needs 31.25 KiB of tile memory" in m for m in messages)


def test_rows_beyond_the_memory_of_all_tiles():
    network = random_network(0, sizes=(10, 4000), edges=((1, 1),), fan=50)
    fine = dataclasses.replace(SPINNAKER1, neurons=40)
    need = place_network(network, architecture(), fine, effort="none").sdram_bits.sum()
    machine = dataclasses.replace(fine, tile_memory=need / 50)
    (message,) = refusal(network, machine)
    assert f"synaptic rows need {need / 8192:,.2f} KiB" in message
    assert "2 more tiles" in message


def test_too_few_cores_names_who_takes_them_and_how_many_are_missing():
    machine = dataclasses.replace(SPINNAKER1, columns=2, rows=2, tiles=4, cores_per_tile=2, neurons=10)
    network = random_network(0, sizes=(20, 70, 30))
    (message,) = refusal(network, machine)
    assert "needs 11 cores, spinnaker1 has 8; population p1 takes 7 slices because of neurons" in message
    assert "needs 3 more cores (2 more tiles)" in message
    bigger = dataclasses.replace(machine, columns=2, rows=3, tiles=6)
    assert {limit.name: limit.used for limit in place_network(network, architecture(), bigger).limits}["cores"] == 11


def test_delays_beyond_the_cores_without_extension():
    (message,) = refusal(star(10, delay=99), LOIHI)
    assert "projection star: 10 of 10 synapses have delays up to 99 steps, cores delay by 62" in message
    assert "raise max_delay to 99" in message


def test_all_problems_come_at_once():
    machine = dataclasses.replace(LOIHI, tiles=1, columns=1, rows=1, cores_per_tile=1, neurons=2, fan_in=8)
    messages = refusal(star(9, 20, delay=99), machine)
    assert len(messages) == 3
    assert [next(w for w in ("fan-in", "delays", "cores,") if w in m) for m in messages] == [
        "fan-in",
        "delays",
        "cores,",
    ]


def test_synapses_onto_spike_sources_are_refused():
    base = random_network(0, edges=())
    network = dataclasses.replace(base, projections=(projection("back", 1, 0, [0, 1], [3, 4], 30),))
    for machine in (SPINNAKER1, LOIHI):
        assert any("population in only sends spikes" in m for m in refusal(network, machine))


def test_more_slices_than_any_machine_has_cores_end_soon():
    machine = dataclasses.replace(SPINNAKER1, neurons=1, source_neurons=1, columns=1, rows=1, tiles=1)
    (message,) = refusal(random_network(0, sizes=(100, 900, 10)), machine)
    assert "needs 1,010 cores, spinnaker1 has 16" in message


def test_an_empty_network_takes_no_core():
    network = SpikingNetwork("none", (), (), (), (), 1e-3)
    p = place_network(network, architecture(), SPINNAKER1)
    assert len(p.slices) == 0
    assert p.explain()["summary"]["cores"] == 0
