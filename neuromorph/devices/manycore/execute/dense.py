"""Dense layers as matrix products, where measured activity makes them faster than synaptic rows.

A layer whose rows are full can be computed for many samples and steps at once, if its source is finished before its
target begins. So the populations are cut into stages that run one after the other over all steps; between stages each
full projection is either scattered row by row or multiplied, whichever costs less for the spikes that its source has
fired, by two rates measured once per process (the product must be a quarter faster, so that noise in the rates does
not make the choice flicker).

The choice can never change a result: it is offered only where sums are exact in double precision in any order. For
that, weights into a population with such a layer are rounded to a multiple of 2^-53 of the largest sum that its inputs
can reach, which is below what double precision resolves in that sum; most networks need no rounding at all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.devices.manycore.execute import layout as c
from neuromorph.events.raster import Raster
from neuromorph.spiking.network import Projection, SpikingNetwork

if TYPE_CHECKING:
    from neuromorph.devices.manycore.execute.engine import Job

CHUNK = 32
"""Samples in one product."""

_LEAST = 4096
_EXACT_BITS, _EXACT_BITS_SINGLE = 53, 24
_GAIN = 1.25


@dataclass(eq=False)
class Sample:
    """One sample's results: events of all steps, outputs, counters."""

    ends: np.ndarray
    index: np.ndarray
    value: np.ndarray
    out: np.ndarray
    events: np.ndarray
    skipped: np.ndarray
    saturated: np.ndarray
    steps: int
    weights: tuple[np.ndarray, ...]
    changes: np.ndarray

    def raster(self, steps: int, dt_s: float, neurons: int, valued: bool) -> Raster:
        value = self.value if valued else None
        return Raster(1, steps, (neurons,), self.ends, self.index, value, dt_s)


@dataclass(frozen=True, eq=False)
class Stage:
    """Tables of a part of the populations, and the arrays they point into. rows: of proj in the whole table."""

    pop: np.ndarray
    proj: np.ndarray
    outgoing: np.ndarray
    rows: np.ndarray | None = None
    kept: Sequence[np.ndarray] = ()


@dataclass(frozen=True, eq=False)
class Plan:
    """network: with weights that make sums exact. layers: projections that can be products; single: whether that
    product is exact in single precision. starts: first population of each stage."""

    network: SpikingNetwork
    layers: tuple[int, ...]
    single: tuple[bool, ...]
    starts: tuple[int, ...]


def plan(network: SpikingNetwork) -> Plan:
    """Finds full layers between stages."""
    many = len(network.populations)
    backward = [(p.target, p.source) for p in network.projections if p.target <= p.source]
    cuts = [p for p in range(1, many) if not any(a < p <= b for a, b in backward)]
    layers: list[int] = []
    single: list[bool] = []
    starts = {0}
    weights: dict[int, np.ndarray] = {}
    for target in range(many):
        into = [q for q, p in enumerate(network.projections) if p.target == target]
        possible = {q: _cut(network.projections[q], network, cuts) for q in into}
        if not any(possible.values()) or not all(_whole(network, q) for q in into):
            continue
        exact, bits = _exact(network, into)
        weights |= exact
        for q, cut in possible.items():
            if cut:
                layers.append(q)
                single.append(bits <= _EXACT_BITS_SINGLE)
                starts.add(cut)
    if weights:
        projections = [replace(p, weight=weights[q]) if q in weights else p for q, p in enumerate(network.projections)]
        network = replace(network, projections=tuple(projections))
    return Plan(network, tuple(layers), tuple(single), tuple(sorted(starts)))


def _cut(p: Projection, network: SpikingNetwork, cuts: Sequence[int]) -> int:
    """The last population at which a stage can begin between source and target of a full projection; 0: none."""
    sources, targets = network.populations[p.source].size, network.populations[p.target].size
    if p.synapses != sources * targets or p.synapses < _LEAST or not (p.delay == p.delay.flat[0]).all():
        return 0
    if (np.diff(p.indptr) != targets).any() or (p.index.reshape(sources, targets) != np.arange(targets)).any():
        return 0
    return max((cut for cut in cuts if p.source < cut <= p.target), default=0)


def _whole(network: SpikingNetwork, q: int) -> bool:
    """Whether a projection sends fixed weights times small whole numbers."""
    p = network.projections[q]
    source = network.populations[p.source]
    few = source.semantics is None or source.semantics.spikes_per_step is not None
    return p.plasticity is None and source.spiking and few


def _exact(network: SpikingNetwork, into: Sequence[int]) -> tuple[dict[int, np.ndarray], int]:
    """Weights that had to be rounded, and the bits that any sum of the weights into a population needs."""
    size = network.populations[network.projections[into[0]].target].size
    reach = np.zeros(size)
    lowest = math.inf
    for q in into:
        p = network.projections[q]
        semantics = network.populations[p.source].semantics
        spikes = 1 if semantics is None else semantics.spikes_per_step or 1
        reach += np.bincount(p.index, np.abs(p.weight.astype(np.float64)), size) * spikes
        lowest = min(lowest, _lowest_bit(p.weight))
    if not reach.any():
        return {}, 1
    top = math.floor(math.log2(float(reach.max()))) + 2  # one more for the rounding of the bound itself
    if top - lowest <= _EXACT_BITS:
        return {}, int(top - lowest)
    grid = 2.0 ** (top - _EXACT_BITS)
    found = {}
    for q in into:
        w = network.projections[q].weight
        rounded = (np.rint(w.astype(np.float64) / grid) * grid).astype(np.float32)
        if not np.array_equal(rounded, w):
            found[q] = rounded
    return found, _EXACT_BITS


def _lowest_bit(weight: np.ndarray) -> float:
    """Exponent of the lowest bit that is set in any weight."""
    mantissa, exponent = np.frexp(weight[weight != 0])
    if not mantissa.size:
        return math.inf
    whole = (mantissa * 2**24).astype(np.int64)
    return float((exponent - 24 + np.frexp((whole & -whole).astype(np.float64))[1] - 1).min())


@cache
def speeds() -> tuple[float, float, float]:
    """Measured once: synapses/s of full rows, and products/s of matrices in single and in double precision."""
    from neuromorph.devices.manycore.execute.kernels import scatter_runs

    n = 384
    weight = np.ones((n, n), np.float32)
    indptr, index = np.arange(n + 1, dtype=np.int64) * n, np.tile(np.arange(n, dtype=np.int32), n)
    acc, value, fired = np.zeros(n), np.ones(n), np.arange(n, dtype=np.int32)
    flat = weight.ravel()
    rows = _fastest(lambda: scatter_runs(acc, 0, n, indptr, index, flat, fired, value, n))
    double_weight = weight.astype(np.float64)
    single, double = _fastest(lambda: weight @ weight), _fastest(lambda: double_weight @ double_weight)
    return n * n / rows, n**3 / single, n**3 / double


def _fastest(function) -> float:  # type: ignore[no-untyped-def]
    function()
    found = math.inf
    for _ in range(11):
        start = time.perf_counter()
        function()
        found = min(found, time.perf_counter() - start)
    return max(found, 1e-9)


def in_stages(job: Job, plan: Plan, numbers: range) -> list[Sample]:
    """Runs a chunk of samples stage by stage."""
    network = job.engine.network
    done: list[list[Sample]] = []
    starts = (*plan.starts, len(network.populations))
    events = np.zeros((len(numbers), len(network.projections)), np.int64)
    for lo, hi in pairwise(starts):
        stage = _stage(job, plan, numbers, (lo, hi), done, events)
        done.append([job.sample(n, stage) for n in numbers])
        assert stage.rows is not None
        for mine, sample in zip(events, done[-1], strict=True):
            mine[job.engine.tables.order[stage.rows]] += sample.events
    return [_joined([stage[k] for stage in done], job, events[k][job.engine.tables.order]) for k in range(len(numbers))]


def _stage(
    job: Job, plan: Plan, numbers: range, part: tuple[int, int], done: list[list[Sample]], events: np.ndarray
) -> Stage:
    """Tables of a stage: what it hears from earlier stages is replayed, or multiplied and added at once."""
    tables, network = job.engine.tables, job.engine.network
    lo, hi = part
    pop, kept = job.pop.copy(), []
    drives: dict[int, np.ndarray] = {}
    sent: dict[int, Raster] = {}
    rows = []
    for row, q in enumerate(tables.order):
        p = network.projections[q]
        if not lo <= p.target < hi:
            continue
        if p.source < lo and p.source not in sent:
            sent[p.source] = _sent(job, p.source, numbers, done)
        single = q in plan.layers and plan.single[plan.layers.index(q)]
        offered = p.source < lo and q in plan.layers and p.target not in job.graded
        if offered and _multiplies(p, sent[p.source], single):
            _multiply(p, sent[p.source], drives, job.steps, single)
            ends = sent[p.source].indptr[:: job.steps]
            events[:, q] += np.diff(ends) * network.populations[p.target].size
        else:
            rows.append(row)
    for i in range(len(pop)):
        pop[i, c.EXT_FIRST] = numbers[0] if not (lo <= i < hi and network.populations[i].model == "input") else 0
        if lo <= i < hi:
            continue
        pop[i, [c.MODEL, c.RECORDED, c.OUT, c.EXT_ROWS, c.EXT_VALUE]] = c.INPUT, 0, -1, 0, 0
        if i in sent:
            raster = sent[i]
            kept += [raster.indptr, raster.index]
            pop[i, [c.EXT_INDPTR, c.EXT_INDEX]] = raster.indptr.ctypes.data, raster.index.ctypes.data
            pop[i, c.EXT_ROWS] = job.steps
            if raster.value is not None:
                kept.append(raster.value)
                pop[i, c.EXT_VALUE] = raster.value.ctypes.data
    for target, drive in drives.items():
        pop[target, c.DRIVE] = drive.ctypes.data
        kept.append(drive)
    chosen = np.array(rows, np.int64)
    proj = tables.proj[chosen]
    outgoing = np.searchsorted(proj[:, c.SOURCE], np.arange(len(pop) + 1)).astype(np.int64)
    return Stage(pop, proj, outgoing, chosen, kept)


def _sent(job: Job, source: int, numbers: range, done: list[list[Sample]]) -> Raster:
    """What a population of an earlier stage sent in these samples."""
    network = job.engine.network
    first, last = int(network.first[source]), int(network.first[source + 1])
    plan = job.engine.plan
    assert plan is not None
    stage = done[int(np.searchsorted(plan.starts, source, side="right")) - 1]
    ends, index, value = [np.zeros(1, np.int64)], [], []
    for sample in stage:
        mine = (sample.index >= first) & (sample.index < last)
        ends.append(np.concatenate(([0], np.cumsum(mine)))[sample.ends[1:]] + ends[-1][-1])
        index.append(sample.index[mine] - first)
        value.append(sample.value[mine] if job.valued else np.zeros(0, np.float32))
    values = np.concatenate(value)
    plain = not job.valued or bool((values == 1).all())
    flat = np.concatenate(index).astype(np.int32)
    return Raster(len(numbers), job.steps, (last - first,), np.concatenate(ends), flat, None if plain else values)


def _multiplies(p: Projection, sent: Raster, single: bool) -> bool:
    """Whether the product is clearly cheaper than the rows of what was sent."""
    rows, fast, slow = speeds()
    by_rows = sent.events * (p.synapses / max(sent.size, 1)) / rows
    by_product = sent.samples * sent.steps * p.synapses / (fast if single else slow)
    return by_product * _GAIN < by_rows


def _multiply(p: Projection, sent: Raster, drives: dict[int, np.ndarray], steps: int, single: bool) -> None:
    """Adds the product of what was sent and the weights to the inputs of the target, `delay` steps later."""
    delay = int(p.delay.flat[0])
    weight, x = p.weight.reshape(sent.size, -1), sent.dense().reshape(sent.samples * steps, sent.size)
    if not single:
        weight, x = weight.astype(np.float64), x.astype(np.float64)
    y = (x @ weight).reshape(sent.samples, steps, -1)
    drive = drives.setdefault(p.target, np.zeros(y.shape))
    if delay < steps:
        drive[:, delay:] += y[:, : steps - delay]


def _joined(parts: Sequence[Sample], job: Job, events: np.ndarray) -> Sample:
    """The results of all stages of one sample as one."""
    step = np.concatenate([np.repeat(np.arange(job.steps), np.diff(s.ends)) for s in parts])
    order = np.argsort(step, kind="stable")
    index = np.concatenate([s.index for s in parts])[order]
    value = np.concatenate([s.value for s in parts])[order] if job.valued else parts[0].value
    first = parts[0]
    ends = sum((s.ends for s in parts), np.zeros_like(first.ends))
    if not job.record:
        ends, index, value = np.zeros_like(ends), index[:0], value[:0]
    return Sample(
        ends, index, value, sum((s.out for s in parts), np.zeros_like(first.out)), events,
        sum((s.skipped for s in parts), np.zeros_like(first.skipped)),
        sum((s.saturated for s in parts), np.zeros_like(first.saturated)), job.steps, (), first.changes,
    )  # fmt: skip
