"""Times of all steps of a run."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from neuromorph.devices.manycore.tally.noc import recursion
from neuromorph.devices.manycore.tally.noc.calendar import calendar
from neuromorph.devices.manycore.tally.noc.holding import queues_of
from neuromorph.devices.manycore.tally.noc.model import Fabric, repeated
from neuromorph.devices.manycore.tally.noc.recursion import Kept, kept_of, state_of
from neuromorph.devices.manycore.tally.noc.rows import run_rows
from neuromorph.errors import InputError, Place
from neuromorph.events.raster import Raster

CHUNKS, EVENTS = 16, 1 << 17
"""Parts of a run that are computed side by side; fixed, so that sums do not depend on the number of threads;
and the most events that a calendar has room for at first."""
BOUNDS = ("core", "link", "barrier")


@dataclass(frozen=True)
class Delays:
    """What the network does to spikes, over all packets that reached a core.

    mean_s, worst_s: from hand-over by the core that fired to arrival at the target core. disorder: share of packets
    that were overtaken, they arrive after one handed over later. Of intervals between spikes of one neuron as its
    target sees them (as far as asked for, else None): shift_s mean and worst_shift_s most change.
    """

    packets: int
    mean_s: float
    worst_s: float
    disorder: float
    shift_s: float | None
    worst_shift_s: float | None


@dataclass(frozen=True, eq=False)
class StepTimes:
    """Seconds of every step, arrays of (samples, steps).

    makespan_s: from the start of a step until the last core is done, without the barrier. worst_core, core_busy_s: the
    core that was last and how long it worked; worst_link, link_busy_s: the link with the most work. crowded: packets
    that met a full queue, which grew ("grow") or held them up ("hold"); lost: packets dropped at full queues; late:
    packets served after the deadline (dropped); missed: cores that missed it.
    Over the run: late_of, missed_of (cores,), packets and steps; lost_at (links + cores,), before each link, core.
    ends_s: (rows, cores), when each core was done, of the first rows (sample x steps + step). timeless: nothing was
    computed, because no time is known. gone: (packets, 4) those that did not reach their core in time, as `recursion`
    keeps them, where full queues drop.
    """

    fabric: Fabric
    makespan_s: np.ndarray
    worst_core: np.ndarray
    core_busy_s: np.ndarray
    worst_link: np.ndarray
    link_busy_s: np.ndarray
    crowded: np.ndarray
    lost: np.ndarray
    late: np.ndarray
    missed: np.ndarray
    late_of: np.ndarray
    missed_of: np.ndarray
    lost_at: np.ndarray
    ends_s: np.ndarray
    delays: Delays
    timeless: bool = False
    gone: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.int64))

    @cached_property
    def step_s(self) -> np.ndarray:
        """(samples, steps): the real-time step where the machine has one, else the makespan and the barrier."""
        if self.fabric.step_s is not None:
            return np.full(self.makespan_s.shape, self.fabric.step_s)
        found: np.ndarray = self.makespan_s + self.fabric.barrier_s
        return found

    @cached_property
    def bound(self) -> np.ndarray:
        """(samples, steps): what had most to do, as an index into BOUNDS."""
        barrier = np.full(self.makespan_s.shape, self.fabric.barrier_s)
        return np.argmax([self.core_busy_s, self.link_busy_s, barrier], axis=0)

    @property
    def latency_s(self) -> np.ndarray:
        """(samples,): of all steps of a sample."""
        found: np.ndarray = self.step_s.sum(axis=1)
        return found


def step_times(
    fabric: Fabric,
    raster: Raster,
    *,
    intervals: bool = False,
    ends: int = 0,
    threads: int | None = None,
) -> StepTimes:
    """Times of every step in which the neurons of `raster` fire.

    intervals: whether to follow the intervals between spikes too. ends: rows of which the end of every core is kept.
    threads: None for all cores; the result does not depend on it. Raises InputError for a raster over other neurons.
    """
    neurons = fabric.placement.network.neurons
    if raster.size != neurons:
        raise InputError(f"the raster has {raster.size} neurons, the placed network {neurons}", Place(key="raster"))
    raster = repeated(raster)
    rows, kept, done = _recursion(fabric, raster, intervals, ends, threads)
    return times_of(fabric, raster, rows, kept, done, intervals)


def no_times(fabric: Fabric, raster: Raster) -> StepTimes:
    """Steps of a machine of which no time is known: all zero, and nothing is lost or late."""
    rows = np.zeros((raster.samples * raster.steps, recursion.COLUMNS))
    found = times_of(fabric, raster, rows, kept_of(fabric, False), np.zeros((0, fabric.ports)), False)
    return replace(found, timeless=True)


def times_of(
    fabric: Fabric, raster: Raster, rows: np.ndarray, kept: Kept, done: np.ndarray, intervals: bool
) -> StepTimes:
    """What `StepTimes` tells, from rows (samples x steps, COLUMNS of `recursion`), sums of the run, and when each port
    was done in the first rows (rows, ports)."""
    column = [rows[:, k].reshape(raster.samples, raster.steps) for k in range(recursion.COLUMNS)]
    whole = [column[k].astype(np.int64) for k in range(recursion.COLUMNS)]
    return StepTimes(
        fabric,
        makespan_s=column[recursion.MAKESPAN],
        worst_core=whole[recursion.WORST_CORE],
        core_busy_s=column[recursion.CORE_BUSY],
        worst_link=whole[recursion.WORST_LINK],
        link_busy_s=column[recursion.LINK_BUSY],
        crowded=whole[recursion.CROWDED],
        lost=whole[recursion.LOST],
        late=whole[recursion.LATE],
        missed=whole[recursion.MISSED],
        late_of=kept.late[:-1],
        missed_of=kept.missed[:-1],
        lost_at=kept.lost[:-1],
        ends_s=done[:, :-1],
        delays=_delays(kept.figure, intervals),
        gone=kept.gone,
    )


def _delays(figure: np.ndarray, intervals: bool) -> Delays:
    n, pairs = float(figure[recursion.DELIVERED]), float(figure[recursion.SHIFTS])
    mean = figure[recursion.LATENCY] / n if n else 0.0
    shift = figure[recursion.SHIFT] / pairs if pairs else 0.0
    return Delays(
        int(n),
        float(mean),
        float(figure[recursion.LATENCY_MAX]),
        float(figure[recursion.DISORDER] / n) if n else 0.0,
        float(shift) if intervals else None,
        float(figure[recursion.SHIFT_MAX]) if intervals else None,
    )


def _recursion(
    fabric: Fabric, raster: Raster, intervals: bool, ends: int, threads: int | None
) -> tuple[np.ndarray, Kept, np.ndarray]:
    total = raster.samples * raster.steps
    rows, done = np.zeros((total, recursion.COLUMNS)), np.zeros((min(ends, total), fabric.ports))
    phases = np.array([fabric.phase(t) for t in range(raster.steps)], np.int64)
    # intervals between spikes reach over the steps of a sample: it stays whole
    unit = raster.steps if intervals else 1
    parts = min(CHUNKS, max(total // max(unit, 1), 1))
    cuts = (np.arange(parts + 1) * (total // unit) // parts * unit).astype(np.int64) if total else np.zeros(2, np.int64)

    def part(k: int) -> Kept:
        return _chunk(fabric, raster, intervals, phases, int(cuts[k]), int(cuts[k + 1]), rows, done)

    workers = min(parts, threads or os.cpu_count() or 1)
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(part, range(parts)))
    else:
        found = [part(k) for k in range(parts)]
    return rows, added(found), done


def _room(fabric: Fabric, raster: Raster, first: int, last: int) -> int:
    """Events that a calendar has room for at first: those of all packets of a step, within reason."""
    r = fabric.routes
    rows = raster.indptr[first : last + 1]
    fired = raster.index[rows[0] : rows[-1]]
    each = np.diff(r.node_ptr)[r.slice_of_neuron[fired]] if r.multicast else np.diff(r.row_ptr)[fired]
    total = np.concatenate(([0], np.cumsum(each)))
    packets = int(np.diff(total[rows - rows[0]]).max(initial=0))
    return min(packets + 3 * fabric.ports, EVENTS)


def _chunk(
    fabric: Fabric,
    raster: Raster,
    intervals: bool,
    phases: np.ndarray,
    first: int,
    last: int,
    rows: np.ndarray,
    done: np.ndarray,
) -> Kept:
    """Rows first..last; begins again with a larger calendar where it was too small."""
    events, most = _room(fabric, raster, first, last), int(np.diff(raster.indptr[first : last + 1]).max(initial=1))
    while True:
        kept, queue = kept_of(fabric, intervals, events if fabric.full == "drop" else 0), calendar(events)
        state = state_of(fabric.ports, fabric.routes.links, most)
        trial = kept_of(fabric, False)
        waiting = queues_of(fabric.ports, fabric.routes.links, events if fabric.full == "hold" else 1)
        unit = raster.steps if intervals else max(last - first, 1)
        for at in range(first, last, unit):
            kept.delay_s[:] = np.nan
            end = min(at + unit, last)
            args = (trial, waiting, raster.indptr, raster.index, raster.steps, phases, at, end, rows, done)
            if run_rows(fabric.arrays, fabric.routes.arrays, queue, state, kept, *args) < end:
                break
        else:
            return kept._replace(gone=kept.gone[: kept.told[0]].copy())
        events *= 4


def added(parts: list[Kept]) -> Kept:
    """Sums of several parts."""
    figure = np.sum([p.figure for p in parts], axis=0)
    for k in (recursion.LATENCY_MAX, recursion.SHIFT_MAX):
        figure[k] = max(p.figure[k] for p in parts)
    late, missed, lost = (np.sum([getattr(p, name) for p in parts], axis=0) for name in ("late", "missed", "lost"))
    gone = np.concatenate([p.gone for p in parts])
    return Kept(parts[0].row, figure, late, missed, lost, parts[0].delay_s, gone, parts[0].told)
