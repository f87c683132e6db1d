"""Machines as small descriptions of known chips, and random networks, for the tests of many-core mapping."""

import dataclasses
import math

import numpy as np

from neuromorph.devices.manycore.machine import CoreTimes, Machine, NetworkTimes
from neuromorph.hardware.component import Architecture, Component, ComponentKind
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import Population, Projection, SpikingNetwork

KIB = 8192.0

SPINNAKER1 = Machine(
    name="spinnaker1", columns=8, rows=6, tiles=48, cores_per_tile=16, topology="triangular", die_columns=1, die_rows=1,
    multicast=True, router_entries=1023, step_s=1e-3, neurons=256, axons_in=None, axons_out=None, fan_in=None,
    min_delay=1, max_delay=16, delay_extension=True, weight_bits=16, core_memory=64 * KIB, core_reserved=8 * KIB,
    synapse_bits=32, row_bits=96, state_bits=512, buffer_bits=32, rows_in_tile=True, tile_memory=123e6 * 8,
    input_source="core", source_neurons=256, packet_bits=40, arithmetic=Arithmetic("spinnaker"),
    times=CoreTimes(*[math.nan] * 6), network=NetworkTimes(*[math.nan] * 7, queue=4),
)  # fmt: skip

SPINNAKER2 = dataclasses.replace(
    SPINNAKER1, name="spinnaker2", columns=7, rows=6, tiles=38, cores_per_tile=4, topology="mesh", die_columns=7,
    die_rows=6, router_entries=16384, neurons=500, core_memory=128 * KIB, core_reserved=32 * KIB, rows_in_tile=False,
    tile_memory=None, row_bits=32,
)  # fmt: skip

LOIHI = dataclasses.replace(
    SPINNAKER1, name="loihi", columns=8, rows=4, tiles=32, cores_per_tile=4, topology="mesh", die_columns=8, die_rows=4,
    multicast=False, router_entries=None, step_s=None, neurons=1024, axons_in=4096, axons_out=4096, max_delay=62,
    delay_extension=False, core_memory=128 * KIB, core_reserved=0.0, synapse_bits=16, row_bits=32, state_bits=0.0,
    buffer_bits=0.0, rows_in_tile=False, tile_memory=None, input_source="host", source_neurons=1024,
    shares_cores=True, arithmetic=Arithmetic("loihi"),
)  # fmt: skip

TRUENORTH = dataclasses.replace(
    LOIHI, name="truenorth", columns=16, rows=16, tiles=256, cores_per_tile=1, die_columns=16, die_rows=16, neurons=256,
    axons_in=256, axons_out=256, fan_in=256, max_delay=15, core_memory=256 * 256.0, synapse_bits=1, row_bits=0.0,
)  # fmt: skip

MACHINES = {m.name: m for m in (SPINNAKER1, SPINNAKER2, LOIHI, TRUENORTH)}


def architecture(name="chip", **counts):
    """A component tree that only has names: what the mapper asks of an architecture."""
    kind = ComponentKind("manycore_test", "for tests")
    core = Component("chip.tile.core", kind, 4, None, None, {})
    router = Component("chip.tile.router", kind, 1, None, None, {})
    tile = Component("chip.tile", kind, counts.get("tiles", 4), None, None, {"core": core, "router": router})
    return Architecture(name, name, Component("chip", kind, 1, None, None, {"tile": tile}), "chip")


def neurons(name, size):
    names = ("a_syn", "b_syn", "a_mem", "b_mem", "c_mem", "threshold", "v_reset", "sign", "v_init")
    return Population(name, (size,), "linear", {n: np.ones(size) for n in names})


def inputs(name, size):
    return Population(name, (size,), "input")


def projection(name, source, target, pre, post, sources, delay=1):
    """Synapses from lists of pairs, repeated pairs allowed once only."""
    pairs = np.unique(np.stack([pre, post], axis=1).astype(np.int64), axis=0)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(pairs[:, 0], minlength=sources)))).astype(np.int64)
    index = pairs[:, 1].astype(np.int32)
    weight = np.ones(index.size, np.float32)
    delays = np.array([delay], np.uint8) if np.isscalar(delay) else np.asarray(delay, np.uint8)
    return Projection(name, source, target, indptr, index, weight, delays)


def random_network(seed, sizes=(20, 30, 25), edges=((0, 1), (1, 1), (1, 2), (2, 1)), fan=4, local=None):
    """Population 0 gives input. local: targets lie near the source's place, within so many neurons."""
    rng = np.random.default_rng(seed)
    populations = (inputs("in", sizes[0]), *(neurons(f"p{i}", n) for i, n in enumerate(sizes[1:], 1)))
    projections = []
    for k, (a, b) in enumerate(edges):
        pre = np.repeat(np.arange(sizes[a]), fan)
        if local is None:
            post = rng.integers(0, sizes[b], pre.size)
        else:
            centre = pre * sizes[b] // sizes[a]
            post = (centre + rng.integers(-local, local + 1, pre.size)) % sizes[b]
        projections.append(projection(f"e{k}", a, b, pre, post, sizes[a]))
    return SpikingNetwork("random", populations, tuple(projections), (0,), (len(sizes) - 1,), 1e-3)


def pairs(network):
    """Every (source neuron, target neuron) of the network, by Python loops."""
    found = []
    for p in network.projections:
        a, b = int(network.first[p.source]), int(network.first[p.target])
        for i in range(network.populations[p.source].size):
            found += [(a + i, b + int(t)) for t in p.index[p.indptr[i] : p.indptr[i + 1]]]
    return found
