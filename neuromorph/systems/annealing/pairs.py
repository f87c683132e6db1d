"""The annealer as a spiking network: each spin is a pair of integrate-and-fire neurons, ON and OFF.

With h_i = sum_j w_ij s_j, flipping spin i costs dE = -s_i h_i of cut. ON fires where the spin goes to +1, OFF where it
goes to -1. Both integrate without leak and without reset:

    v_on = -h_i - M [s_i = +1] - K        v_off = h_i - M [s_i = -1] - K

A spike of ON_j or OFF_j changes h_i by +-2 w_ij: the graded synapses ON -> ON and OFF -> OFF of weight -2 w_ij, and
ON -> OFF, OFF -> ON of weight +2 w_ij. A neuron that fired closes its own gate (a synapse of -M onto itself) and opens
its partner's (+M). A visit of a spin lowers the noisy threshold of its pair from 0 to -(K + T e), told by an event of
value K + T e at the step of its group and the opposite one step later. So the neuron whose gate is open fires iff
-dE + T e > 0: Metropolis' rule. Groups hold no coupled spins, so a step may try a whole group.
"""

from __future__ import annotations

import math

import numpy as np

from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking.network import Population, Projection, SpikingNetwork
from neuromorph.systems.annealing.couplings import Couplings
from neuromorph.systems.annealing.order import Order
from neuromorph.systems.annealing.solve import Trace

LARGEST_NOISE = 23.0
"""Above the largest e that 31 random bits give, 32 ln 2."""

ON, OFF = "on", "off"


def gates(graph: Couplings, hottest: float) -> tuple[float, float]:
    """K and M: the depth of rest and of a closed gate, powers of two so that sums with them stay exact."""
    most = float(graph.strength.max(initial=0.0)) + 1.0
    rest = 2.0 ** math.ceil(math.log2(most))
    return rest, 2.0 ** math.ceil(math.log2(most + hottest * LARGEST_NOISE + 1.0))


def _couplings(name: str, ends: tuple[int, int], graph: Couplings, scale: float) -> Projection:
    """Synapses of weight scale * w along the edges."""
    index, weight = graph.index.astype(np.int32), (scale * graph.weight).astype(np.float32)
    return Projection(name, *ends, graph.indptr, index, weight, np.ones(1, np.uint8))


def _each(name: str, ends: tuple[int, int], size: int, weight: float, delay: int) -> Projection:
    """One synapse from each neuron to the one of the same number."""
    index, indptr = np.arange(size, dtype=np.int32), np.arange(size + 1, dtype=np.int64)
    return Projection(name, *ends, indptr, index, np.full(size, weight, np.float32), np.array([delay], np.uint8))


def _neurons(name: str, v: np.ndarray, dt_s: float) -> Population:
    size = v.size
    constant = {"a_syn": 0.0, "b_syn": 1.0, "a_mem": 1.0, "b_mem": 1.0, "c_mem": 0.0, "threshold": 0.0, "v_reset": 0.0}
    parameters = {k: np.full(size, c) for k, c in constant.items()} | {"sign": np.ones(size), "v_init": v}
    return Population(name, (size,), "linear", parameters, Semantics(dt_s, reset="none", compare=">"))


def pair_network(
    graph: Couplings, start: np.ndarray, hottest: float, dt_s: float = 1e-3, told: bool = True
) -> SpikingNetwork:
    """The network of the pairs of a graph; neurons are numbered as its vertices.

    start: (size,) +-1, the first state. hottest: largest temperature. dt_s: length of a step. told: with a population
    "visit" whose events (see `visits`) lower the thresholds; without it the cores draw the noise themselves, which is
    how a chip does it and what is placed.
    """
    if start.shape != (graph.size,) or not np.isin(start, (-1, 1)).all():
        raise InputError(f"a first state of shape {start.shape}", hint=f"{graph.size} values of -1 or 1")
    rest, closed = gates(graph, hottest)
    field = np.bincount(graph.rows, graph.weight * start[graph.index].astype(np.float64), graph.size)
    on, off = (_neurons(n, -sign * field - closed * (start == sign) - rest, dt_s) for n, sign in ((ON, 1), (OFF, -1)))
    k = 1 if told else 0
    pairs = ((ON, ON, -1), (ON, OFF, 1), (OFF, ON, 1), (OFF, OFF, -1))
    ends = {(a, b): (k + (a == OFF), k + (b == OFF)) for a, b, _ in pairs}
    recurrent = (
        *(_couplings(f"{a}-{b}", ends[a, b], graph, sign * 2.0) for a, b, sign in pairs),
        *(_each(f"{a}-{b}-gate", ends[a, b], graph.size, sign * closed, 1) for a, b, sign in pairs),
    )
    if not told:
        return SpikingNetwork(graph.name, (on, off), recurrent, (), (), dt_s)
    visit = Population("visit", (graph.size,), "input")
    told_to = tuple(_each(f"visit-{n}", (0, 1 + i), graph.size, 1.0, 0) for i, n in enumerate((ON, OFF)))
    return SpikingNetwork(graph.name, (visit, on, off), (*told_to, *recurrent), (0,), (1, 2), dt_s)


def noise(graph: Couplings, temperatures: np.ndarray, key: int) -> np.ndarray:
    """T e of every visit, by sweep and position, (sweeps, size): what the annealer compares dE with."""
    from neuromorph.systems.annealing import kernel

    found = np.empty((temperatures.size, graph.size), graph.weight.dtype)
    hashes = np.empty((graph.size + 1) // 2, np.uint64)
    for sweep, t in enumerate(temperatures):
        kernel.thresholds(found[sweep], hashes, np.uint64(key), sweep, t, graph.whole)
    return found


def visits(graph: Couplings, order: Order, temperatures: np.ndarray, key: int, dt_s: float = 1e-3) -> Raster:
    """Events of the "visit" population: one sample of sweeps * groups + 1 steps, elements are vertices.

    key: of the random numbers, see `noise_key`. Values are exact where the graph's weights are whole.
    """
    rest, _ = gates(graph, float(temperatures.max()))
    lowered = noise(graph, temperatures, key).astype(np.float64) + rest
    steps = temperatures.size * order.groups + 1
    group = np.repeat(np.arange(order.groups), np.diff(order.group))
    step = (np.arange(temperatures.size)[:, None] * order.groups + group).ravel()
    vertex = np.tile(order.vertex, temperatures.size)
    cell = np.concatenate((step, step + 1)) * graph.size + np.concatenate((vertex, vertex))
    # with a single group a visit begins where the last one ends: both events become one
    cell, place = np.unique(cell, return_inverse=True)
    value = np.bincount(place, np.concatenate((lowered.ravel(), -lowered.ravel())))
    keep = value != 0
    cell, value = cell[keep], value[keep]
    indptr = np.concatenate(([0], np.cumsum(np.bincount(cell // graph.size, minlength=steps)))).astype(np.int64)
    index = (cell % graph.size).astype(np.int32)
    return Raster(1, steps, (graph.size,), indptr, index, value.astype(np.float32), dt_s)


def spikes(graph: Couplings, order: Order, done: Trace, sweeps: int, dt_s: float = 1e-3) -> Raster:
    """What the pairs fire in a run: ON neurons are elements 0..size - 1, OFF neurons size..2 size - 1.

    One sample of sweeps * groups steps.
    """
    sweep, position = np.divmod(done.flips, graph.size)
    vertex = order.vertex[position]
    group = np.repeat(np.arange(order.groups), np.diff(order.group))
    step = sweep * order.groups + group[position]
    by_vertex = np.argsort(vertex, kind="stable")
    ordered = vertex[by_vertex]
    turn = np.arange(ordered.size) - np.searchsorted(ordered, ordered)  # flips of the same spin before this one
    up = np.empty(position.size, np.bool_)
    up[by_vertex] = (turn % 2 == 0) == (done.start[ordered] < 0)
    steps, n = sweeps * order.groups, 2 * graph.size
    cell = np.sort(step * n + vertex + np.where(up, 0, graph.size))
    indptr = np.concatenate(([0], np.cumsum(np.bincount(cell // n, minlength=steps)))).astype(np.int64)
    return Raster(1, steps, (n,), indptr, (cell % n).astype(np.int32), None, dt_s)
