"""Counts of what spikes cause on a many-core chip: packets on links, rows fetched and synaptic events in cores.

All follow from the spikes and the placement: `count_traffic` from a raster of every spike of a run, `assume_traffic`
from rates alone. Nothing is priced here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.devices.manycore.tally.routes import RouteArrays, Routes, routes_of
from neuromorph.errors import InputError

if TYPE_CHECKING:
    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.events.raster import Raster
    from neuromorph.spiking.network import SpikingNetwork


@dataclass(frozen=True, eq=False)
class Traffic:
    """What the spikes of `samples` samples of `steps` steps cause.

    (samples, populations), by the population that fires: spikes; packets put into the network; deliveries of a packet
    to a core (one for each copy); hops over links on a die and bridge_hops over links between dies; rows fetched (a
    delivery to a core that has synapses for it) and misses (deliveries without any); events, synapses of those rows;
    plastic_events, the plastic ones among them. (samples, populations): updates of neurons (none in sources).
    projection_events: (samples, projections), the same synaptic events by projection.
    Means per sample: core_spikes, core_updates, core_packets (in), core_rows, core_events (cores,); link_packets
    (links,); target_packets, target_rows, target_events (targets,), by slice and target core as `routes` numbers
    them. host_packets: packets that come from outside.
    By step: step_spikes, step_events, means per sample; peak_core_packets, peak_core_events, peak_link_packets, the
    most in any core (link) and sample; with assumed rates, the most expected in any core (link).
    """

    samples: int
    steps: int
    assumed: bool
    routes: Routes
    spikes: np.ndarray
    packets: np.ndarray
    deliveries: np.ndarray
    hops: np.ndarray
    bridge_hops: np.ndarray
    rows: np.ndarray
    events: np.ndarray
    plastic_events: np.ndarray
    updates: np.ndarray
    projection_events: np.ndarray
    core_spikes: np.ndarray
    core_updates: np.ndarray
    core_packets: np.ndarray
    core_rows: np.ndarray
    core_events: np.ndarray
    link_packets: np.ndarray
    target_packets: np.ndarray
    target_rows: np.ndarray
    target_events: np.ndarray
    host_packets: float
    step_spikes: np.ndarray
    step_events: np.ndarray
    peak_core_packets: np.ndarray
    peak_core_events: np.ndarray
    peak_link_packets: np.ndarray

    @property
    def misses(self) -> np.ndarray:
        """(samples, populations): packets that reach a core without any synapse for them."""
        found: np.ndarray = self.deliveries - self.rows
        return found

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(source core, target core, packets per sample) of every pair of cores that exchanges any; source -1: host."""
        r = self.routes
        used = np.flatnonzero(self.target_packets > 0)
        source = r.slice_core[r.target_slice[used]].astype(np.int64)
        key = (source + 1) * r.cores + r.target_core[used]
        unique, inverse = np.unique(key, return_inverse=True)
        packets = np.bincount(inverse, weights=self.target_packets[used], minlength=unique.size)
        return unique // r.cores - 1, unique % r.cores, packets


def count_traffic(placement: CorePlacement, raster: Raster, routes: Routes | None = None) -> Traffic:
    """Counts one pass over all spikes.

    raster: over the neurons of placement.network; an event with value n or -n is n spikes, at least
    one. routes: where they were made
    already. Raises InputError for a raster over another number of neurons.
    """
    if raster.size != placement.network.neurons:
        raise InputError(
            f"the raster has {raster.size} neurons, the placed network {placement.network.neurons}",
            hint="a raster of all spikes, inputs included",
        )
    routes = routes_of(placement) if routes is None else routes
    tally = _Tally(placement, routes, raster.samples, raster.steps)
    weight = np.zeros(0, np.float64) if raster.value is None else spikes_of(raster.value)
    for sample in range(raster.samples):
        rows = raster.indptr[sample * raster.steps : (sample + 1) * raster.steps + 1]
        tally.add(sample, rows, raster.index, weight, raster.steps, 1.0)
    return tally.traffic(assumed=False)


def spikes_of(value: np.ndarray) -> np.ndarray:
    """How many spikes each event of a raster stands for: its value without sign as a whole number, at least 1."""
    return np.maximum(np.rint(np.abs(value)), 1.0).astype(np.float64)


def assume_traffic(placement: CorePlacement, rates: np.ndarray | Mapping[str, float], steps: int) -> Traffic:
    """Expected counts of one sample of `steps` steps.

    rates: spikes per neuron and step, (neurons,) or by name of population (others never fire). A population that
    starts late fires in the steps left to it. Raises InputError for rates that are negative or not finite.
    """
    network = placement.network
    rate = _rates(network, rates)
    active = np.concatenate([np.full(p.size, max(0, steps - p.start), np.float64) for p in network.populations])
    routes = routes_of(placement)
    tally = _Tally(placement, routes, 1, steps)
    every = np.arange(network.neurons, dtype=np.int32)
    tally.add(0, np.array([0, network.neurons], np.int64), every, rate * active, 1, 1.0 / max(steps, 1))
    return tally.traffic(assumed=True)


def _rates(network: SpikingNetwork, rates: np.ndarray | Mapping[str, float]) -> np.ndarray:
    if isinstance(rates, Mapping):
        names = [p.name for p in network.populations]
        if unknown := sorted(set(rates) - set(names)):
            raise InputError(f"rates for {', '.join(unknown)}, which are no populations", hint=", ".join(names))
        values = np.concatenate([np.full(p.size, float(rates.get(p.name, 0.0))) for p in network.populations])
    else:
        values = np.asarray(rates, np.float64)
    if values.shape != (network.neurons,) or not np.isfinite(values).all() or values.min(initial=0.0) < 0:
        raise InputError(f"rates of shape {values.shape}: legal is one of 0 or more for {network.neurons} neurons")
    return values


class _Tally:
    """Sums over samples; the counts of one sample by step are held only while it is counted."""

    def __init__(self, placement: CorePlacement, routes: Routes, samples: int, steps: int) -> None:
        network = placement.network
        self.placement, self.routes, self.samples, self.steps = placement, routes, samples, steps
        self.totals = np.zeros((samples, len(network.populations), 8))
        self.projections = np.zeros((samples, len(network.projections)))
        self.by_core, self.by_link = np.zeros((4, routes.cores)), np.zeros(routes.links)
        self.by_target = np.zeros((3, routes.target_core.size))
        self.by_step, self.peaks, self.host = np.zeros((2, steps)), np.zeros((3, steps)), np.zeros(1)
        self.bridge = placement.grid.link_is_bridge

    def add(
        self, sample: int, indptr: np.ndarray, index: np.ndarray, weight: np.ndarray, steps: int, share: float
    ) -> None:
        """Counts one sample; share: of the counts that falls on one step where they are those of many."""
        r, network = self.routes, self.placement.network
        step_core, step_link = np.zeros((steps, 4, r.cores)), np.zeros((steps, r.links))
        neurons = np.zeros(network.neurons)
        counts = _Counts(
            self.totals[sample], self.by_target, neurons, step_core, step_link, self.host, np.zeros(r.slices),
            np.zeros(r.target_core.size),
        )  # fmt: skip
        _count(indptr, index, weight, r.multicast, r.arrays, self.bridge, counts)
        first = network.first
        for k, p in enumerate(network.projections):
            self.projections[sample, k] = neurons[first[p.source] : first[p.source + 1]] @ p.fan_out
        self.by_core += step_core.sum(axis=0)
        self.by_link += step_link.sum(axis=0)
        self.by_step += step_core[:, (0, 3)].sum(axis=2).T * share
        most = np.stack([step_core[:, 1].max(axis=1), step_core[:, 3].max(axis=1), step_link.max(axis=1, initial=0)])
        np.maximum(self.peaks, most * share, out=self.peaks)

    def traffic(self, assumed: bool) -> Traffic:
        network, slices, n = self.placement.network, self.placement.slices, max(self.samples, 1)
        starts = np.array([p.start for p in network.populations])
        computed = np.array([p.model != "input" for p in network.populations])
        active = np.maximum(self.steps - starts, 0) * computed
        updates = np.array([p.size for p in network.populations]) * active
        here = slices.core >= 0
        each = (slices.stop - slices.start) * active[slices.population]
        by_core = np.bincount(slices.core[here], weights=each[here], minlength=self.routes.cores)
        names = ("spikes", "packets", "deliveries", "hops", "bridge_hops", "rows", "events", "plastic_events")
        totals = {name: self.totals[:, :, k].copy() for k, name in enumerate(names)}
        return Traffic(
            samples=self.samples,
            steps=self.steps,
            assumed=assumed,
            routes=self.routes,
            **totals,
            updates=np.tile(updates.astype(np.float64), (self.samples, 1)),
            projection_events=self.projections,
            core_spikes=self.by_core[0] / n,
            core_updates=by_core,
            core_packets=self.by_core[1] / n,
            core_rows=self.by_core[2] / n,
            core_events=self.by_core[3] / n,
            link_packets=self.by_link / n,
            target_packets=self.by_target[0] / n,
            target_rows=self.by_target[1] / n,
            target_events=self.by_target[2] / n,
            host_packets=float(self.host[0]) / n,
            step_spikes=self.by_step[0] / n,
            step_events=self.by_step[1] / n,
            peak_core_packets=self.peaks[0],
            peak_core_events=self.peaks[1],
            peak_link_packets=self.peaks[2],
        )


class _Counts(NamedTuple):
    """Where a sample is added up. totals: (populations, 8) as the first counts of Traffic; by_target: packets, rows,
    events; neurons: spikes of each; step_core: (steps, 4, cores) spikes, packets in, rows, events; step_link: (steps,
    links); host: (1,); fired, sent: (slices,) and (targets,) of the step at hand, zero between steps."""

    totals: np.ndarray
    by_target: np.ndarray
    neurons: np.ndarray
    step_core: np.ndarray
    step_link: np.ndarray
    host: np.ndarray
    fired: np.ndarray
    sent: np.ndarray


@compiled
def _count(
    indptr: np.ndarray,
    index: np.ndarray,
    weight: np.ndarray,
    multicast: bool,
    a: RouteArrays,
    bridge: np.ndarray,
    counts: _Counts,
) -> None:
    """Adds one sample; weight: spikes of each event, empty where one each."""
    for step in range(indptr.size - 1):
        for k in range(indptr[step], indptr[step + 1]):
            _count_spike(a, counts, step, index[k], weight[k] if weight.size else 1.0)
        for s in range(a.slice_core.size):
            if counts.fired[s] > 0.0:
                _count_packets(a, counts, bridge, multicast, step, s)
                counts.fired[s] = 0.0


@compiled
def _count_spike(a: RouteArrays, counts: _Counts, step: int, i: int, w: float) -> None:
    """The rows and synaptic events of one spike of neuron i."""
    s = a.slice_of_neuron[i]
    p = a.slice_population[s]
    counts.fired[s] += w
    counts.neurons[i] += w
    cores = counts.step_core[step]
    events, rest = np.int64(0), np.int64(0)
    for r in range(a.row_ptr[i], a.row_ptr[i + 1]):
        t = a.row_target[r]
        e = np.int64(a.row_events[r])
        counts.sent[t] += w
        counts.by_target[1, t] += w
        counts.by_target[2, t] += w * e
        cores[2, a.target_core[t]] += w
        cores[3, a.target_core[t]] += w * e
        events += e
        if a.row_plastic.size:
            rest += np.int64(a.row_plastic[r])
    counts.totals[p, 5] += w * (a.row_ptr[i + 1] - a.row_ptr[i])
    counts.totals[p, 6] += w * events
    counts.totals[p, 7] += w * rest


@compiled
def _count_packets(a: RouteArrays, counts: _Counts, bridge: np.ndarray, multicast: bool, step: int, s: int) -> None:
    """The packets of all spikes of slice s in one step."""
    n, p, c = counts.fired[s], a.slice_population[s], a.slice_core[s]
    totals, links = counts.totals[p], counts.step_link[step]
    totals[0] += n
    if c >= 0:
        counts.step_core[step, 0, c] += n
    first, last = a.node_target[a.node_ptr[s]], a.node_target[a.node_ptr[s + 1]]
    packets = n if multicast and last > first else 0.0
    for t in range(first, last):
        got = n if multicast else counts.sent[t]
        counts.sent[t] = 0.0
        counts.by_target[0, t] += got
        counts.step_core[step, 1, a.target_core[t]] += got
        totals[2] += got
        if not multicast and got > 0.0:
            packets += got
            for h in range(a.path_ptr[t], a.path_ptr[t + 1]):
                links[a.path_link[h]] += got
                totals[4 if bridge[a.path_link[h]] else 3] += got
    if packets > 0.0 and multicast:
        for node in range(a.node_ptr[s] + 1, a.node_ptr[s + 1]):
            links[a.node_link[node]] += n
            totals[4 if bridge[a.node_link[node]] else 3] += n
    totals[1] += packets
    if c < 0:
        counts.host[0] += packets
