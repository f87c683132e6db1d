"""Which cores the neurons of a network reach: exact counts from the synaptic rows, in one pass over the synapses."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.devices.manycore.place.shapes import Lists
from neuromorph.spiking.network import Projection, SpikingNetwork

SEEN = 1 << 18
"""Marks held at once where several projections leave a population: they should stay in the cache."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """Who reaches whom, where neurons are put into groups (slices or cores).

    rows: source neurons with a synapse into each group, every one counted once: (groups,) int64. out: groups each
    neuron reaches: (neurons,) int32. targets: groups that each slice reaches, rising; packets: for each of these, the
    spikes per sample of the slice's neurons that reach it, float64.
    """

    rows: np.ndarray
    out: np.ndarray
    targets: Lists
    packets: np.ndarray


def connect(
    network: SpikingNetwork,
    bounds: tuple[np.ndarray, np.ndarray, np.ndarray],
    group: np.ndarray,
    groups: int,
    rates: np.ndarray,
) -> Contacts:
    """Count what a cut of the populations makes of the synapses.

    bounds: population, start, stop of every slice; group: of every neuron, (neurons,) int32 (-1 only for neurons that
    nothing reaches); rates: (neurons,) spikes per sample.
    """
    rows, out = np.zeros(groups, np.int64), np.zeros(network.neurons, np.int32)
    leaving = _leaving(network)
    indptr, items, packets = [0], [], []
    nothing = np.empty(0, np.int32)
    found = np.empty(groups, np.int32)
    hits, traffic = np.zeros(groups, np.int64), np.zeros(groups, np.float64)
    seen = _marks(groups)
    for population, start, stop in zip(*(b.tolist() for b in bounds), strict=True):
        first = int(network.first[population])
        for p, a, b in _chunks(leaving[population], start, stop, seen.shape[0]):
            target = int(network.first[p.target])
            _mark(p.indptr, p.index, group, target, first, a, b, seen, rows, out, rates, hits, traffic, nothing)
        count = _take(hits, found)
        items.append(found[:count].copy())
        packets.append(traffic[found[:count]])
        traffic[found[:count]] = 0.0
        indptr.append(indptr[-1] + count)
    return Contacts(
        rows,
        out,
        Lists(np.array(indptr, np.int64), np.concatenate(items) if items else nothing),
        np.concatenate(packets) if packets else np.empty(0),
    )


def neuron_targets(network: SpikingNetwork, core: np.ndarray, cores: int, out: np.ndarray) -> Lists:
    """Cores that each neuron reaches, rising. core: of every neuron; out: how many each reaches, from `connect`."""
    indptr = np.concatenate(([0], np.cumsum(out, dtype=np.int64)))
    items = np.empty(int(indptr[-1]), np.int32)
    leaving = _leaving(network)
    seen = _marks(cores)
    place = indptr[:-1].copy()
    none = np.zeros(cores, np.int64), np.zeros(cores, np.float64)
    for population, projections in leaving.items():
        first = int(network.first[population])
        for p, a, b in _chunks(projections, 0, network.populations[population].size, seen.shape[0]):
            target = int(network.first[p.target])
            _mark(p.indptr, p.index, core, target, first, a, b, seen, none[0], place, none[1], *none, items)
    _sort_rows(indptr, items)
    return Lists(indptr, items)


def fan_in(network: SpikingNetwork) -> np.ndarray:
    """Synapses of every neuron: (neurons,) int64."""
    count = np.zeros(network.neurons, np.int64)
    for p in network.projections:
        _tally(p.index, int(network.first[p.target]), count)
    return count


def sources_of(network: SpikingNetwork, neuron: int) -> int:
    """Different neurons with a synapse to this one."""
    found: dict[int, np.ndarray] = {}
    for p in network.projections:
        inside = neuron - int(network.first[p.target])
        if 0 <= inside < network.populations[p.target].size:
            row = np.searchsorted(p.indptr, np.flatnonzero(p.index == inside), "right") - 1
            found[p.source] = np.union1d(found[p.source], row) if p.source in found else np.unique(row)
    return sum(int(rows.size) for rows in found.values())


def delayed_beyond(network: SpikingNetwork, steps: int) -> np.ndarray:
    """Neurons with a synapse whose delay is longer than this: (neurons,) bool."""
    found = np.zeros(network.neurons, bool)
    for p in network.projections:
        if p.max_delay <= steps or not p.synapses:
            continue
        first = int(network.first[p.source])
        own = found[first : first + network.populations[p.source].size]
        if p.delay.shape == (1,):
            own |= p.fan_out > 0
        else:
            own |= np.diff(np.concatenate(([0], np.cumsum(p.delay > steps, dtype=np.int64)))[p.indptr]) > 0
    return found


def _leaving(network: SpikingNetwork) -> dict[int, list[Projection]]:
    leaving: dict[int, list[Projection]] = defaultdict(list)
    for p in network.projections:
        if p.synapses:
            leaving[p.source].append(p)
    return leaving


def _marks(groups: int) -> np.ndarray:
    return np.full((max(1, SEEN // max(groups, 1)), max(groups, 1)), -1, np.int32)


def _chunks(projections: list[Projection], start: int, stop: int, rows: int) -> list[tuple[Projection, int, int]]:
    """Ranges of source neurons in the order in which they are counted: few enough at once that marks are kept apart."""
    if len(projections) == 1:
        return [(projections[0], start, stop)]
    return [(p, a, min(a + rows, stop)) for a in range(start, stop, rows) for p in projections]


@compiled
def _mark(
    indptr: np.ndarray,
    index: np.ndarray,
    group: np.ndarray,
    target: int,
    first: int,
    start: int,
    stop: int,
    seen: np.ndarray,
    rows: np.ndarray,
    out: np.ndarray,
    rates: np.ndarray,
    hits: np.ndarray,
    traffic: np.ndarray,
    items: np.ndarray,
) -> None:
    """Count the groups each source neuron start..stop reaches for the first time.

    Marks of a neuron lie in its own row while it is counted, and are its number, so that nothing is ever cleared.
    Where `items` has room, `out` holds the next free place in it and the groups are listed there instead.
    """
    lists = items.size > 0
    for i in range(start, stop):
        mark = first + i
        row = (i - start) % seen.shape[0]
        for j in range(indptr[i], indptr[i + 1]):
            g = group[target + index[j]]
            if seen[row, g] == mark:
                continue
            seen[row, g] = mark
            if lists:
                items[out[mark]] = g
            else:
                rows[g] += 1
                hits[g] += 1
                traffic[g] += rates[mark]
            out[mark] += 1


@compiled
def _take(hits: np.ndarray, found: np.ndarray) -> int:
    """List the groups that were hit and forget the hits."""
    count = 0
    for g in range(hits.size):
        if hits[g] > 0:
            found[count] = g
            hits[g] = 0
            count += 1
    return count


@compiled
def _tally(index: np.ndarray, target: int, count: np.ndarray) -> None:
    for j in range(index.size):
        count[target + index[j]] += 1


@compiled
def _sort_rows(indptr: np.ndarray, items: np.ndarray) -> None:
    """Sort every row: insertion for short ones, which rows in rising order of targets nearly are."""
    for i in range(indptr.size - 1):
        a = indptr[i]
        b = indptr[i + 1]
        if b - a > 64:
            items[a:b].sort()
            continue
        for j in range(a + 1, b):
            value = items[j]
            k = j
            while k > a and items[k - 1] > value:
                items[k] = items[k - 1]
                k -= 1
            items[k] = value
