"""What a report says about time: from the steps of a run, or from assumed rates."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.devices.manycore.tally.noc.model import Fabric, fabric_of
from neuromorph.devices.manycore.tally.noc.steps import BOUNDS, StepTimes, no_times, step_times
from neuromorph.errors import InputError, Place
from neuromorph.timeline.result import GanttRow
from neuromorph.units import format_si

if TYPE_CHECKING:
    from neuromorph.devices.manycore.machine import Machine
    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.devices.manycore.tally.routes import Routes
    from neuromorph.devices.manycore.tally.spikes import Traffic
    from neuromorph.events.raster import Raster

CHART_ROWS = 600
"""Bars of the chart: steps are drawn together where there would be more."""
_NETWORK = {
    "hop_s": "latency of hops", "link_s": "time on links", "inject_s": "time of sending ports",
    "eject_s": "time of receiving ports",
}  # fmt: skip
"""Times of a packet on its way; what is not known of them is left out of its delay."""
MOST_ROWS = 20_000_000
"""Synaptic rows up to which the intervals of spikes are followed: 8 bytes a row."""


@dataclass(frozen=True, eq=False)
class NetworkSchedule:
    """Times of samples that follow each other on one chip, in seconds; NaN where no time is known at all.

    latency_s: mean over samples, all steps of a sample; latency_low_s, latency_high_s: fastest and 95th percentile;
    worst_s: slowest. latencies_s: (samples,). interval_s: between samples, which do not overlap. bottleneck: what sets
    the time of a step most often. unmodelled: what has no known time. gantt: bars of the first samples by population.
    times: all steps (None: from assumed rates). losses: packets lost or late, in words; empty: none.
    """

    latency_s: float
    latency_low_s: float
    latency_high_s: float
    worst_s: float
    latencies_s: np.ndarray
    interval_s: float
    bottleneck: str
    unmodelled: tuple[str, ...]
    notes: tuple[str, ...]
    gantt: tuple[GanttRow, ...]
    times: StepTimes | None
    losses: str = ""

    @property
    def throughput_hz(self) -> float:
        return math.inf if self.interval_s == 0 else 1.0 / self.interval_s

    def table(self) -> list[list[str]]:
        """Rows (what, value, remark) about steps, packets and deadlines; empty without a run."""
        return [] if self.times is None else list(_table(self.times))


def known(seconds: float) -> float | None:
    """A time, or None where no part of it is known: static energy is left out then, not the whole ledger."""
    return None if math.isnan(seconds) else seconds


def schedule_network(
    placement: CorePlacement,
    raster: Raster,
    machine: Machine,
    *,
    steps_used: np.ndarray | None = None,
    order: str | None = None,
    full: str | None = None,
    routes: Routes | None = None,
) -> NetworkSchedule:
    """Times of a run from all its spikes.

    raster: over the neurons of placement.network. steps_used: (samples,) steps of samples that ended early. order,
    full: see `fabric_of`. Raises InputError as that and `step_times` do.
    """
    fabric = fabric_of(placement, machine, order=order, full=full, routes=routes)
    used = np.full(raster.samples, raster.steps) if steps_used is None else np.asarray(steps_used)
    if used.shape != (raster.samples,) or used.min(initial=0) < 0 or used.max(initial=0) > raster.steps:
        raise InputError(
            f"steps_used has shape {used.shape}", Place(key="steps_used"), f"0 to {raster.steps} for each sample"
        )
    intervals = fabric.routes.row_target.size <= MOST_ROWS
    ends = raster.steps * min(2, raster.samples)
    timeless = _timeless(machine)
    times = no_times(fabric, raster) if timeless else step_times(fabric, raster, intervals=intervals, ends=ends)
    active = np.arange(raster.steps) < used[:, None]
    latencies = np.where(active, times.step_s, 0.0).sum(axis=1)
    known = machine.step_s is not None or bool((times.makespan_s > 0).any())
    if not known:
        latencies = np.full(raster.samples, math.nan)
    mean, low, high, worst = (
        (float(latencies.mean()), float(latencies.min()), float(np.percentile(latencies, 95)), float(latencies.max()))
        if raster.samples
        else (0.0, 0.0, 0.0, 0.0)
    )
    return NetworkSchedule(
        mean, low, high, worst, latencies, mean, _bottleneck(times, active), fabric.unmodelled, tuple(_notes(times)),
        tuple(_gantt(times, used)), times, losses_of(times),
    )  # fmt: skip


def _timeless(machine: Machine) -> bool:
    """Whether no time of cores, links and ports is known: then there is nothing to compute, only what is not known."""
    network = machine.network
    ways = (network.hop_s, network.link_s, network.bridge_hop_s, network.bridge_link_s, network.inject_s,
            network.eject_s)  # fmt: skip
    return all(math.isnan(t) for t in (*dataclasses.astuple(machine.times), *ways))


def assume_schedule(placement: CorePlacement, traffic: Traffic, machine: Machine) -> NetworkSchedule:
    """Times from expected counts: every step alike, as long as the core or link with the most work takes, and the
    longest route. Without the queues and bursts of a run this is a lower bound."""
    fabric = fabric_of(placement, machine, routes=traffic.routes)
    a, steps = fabric.arrays, max(traffic.steps, 1)
    own = (traffic.core_updates * a.neuron_s + traffic.core_spikes * a.spike_s) / steps
    served = (traffic.core_packets * a.packet_s + traffic.core_events * a.synapse_s) / steps
    core = np.maximum(own, served) if fabric.order == "parallel" else own + served
    core = core + a.fixed_s * a.used[:-1]
    link = traffic.link_packets * a.link_s / steps
    route = _longest(fabric)
    busiest, fullest = float(core.max(initial=0.0)), float(link.max(initial=0.0))
    makespan = max(busiest, fullest) + (route if traffic.packets.sum() else 0.0)
    if machine.step_s is not None:
        step = machine.step_s
        bottleneck = f"the real-time step of {_s(step)}"
    else:
        step = makespan + fabric.barrier_s
        bottleneck = f"core {int(core.argmax())}" if busiest >= fullest else f"link {int(link.argmax())}"
    notes = ["times of a step are those of its mean load: bursts and queues come on top"]
    if machine.step_s is not None and makespan > a.deadline_s:
        notes.append(f"the mean load takes {_s(makespan)} and does not fit into a step of {_s(machine.step_s)}")
    latency = step * traffic.steps if machine.step_s is not None or makespan > 0 else math.nan
    return NetworkSchedule(
        latency, latency, latency, latency, np.full(1, latency), latency, bottleneck, fabric.unmodelled, tuple(notes),
        (), None,
    )  # fmt: skip


def _longest(fabric: Fabric) -> float:
    """Seconds of the longest route of an empty network, ports included."""
    r, a = fabric.routes, fabric.arrays
    hops = np.concatenate(([0.0], np.cumsum(a.hop_s[r.path_link])))
    each = hops[r.path_ptr[1:]] - hops[r.path_ptr[:-1]]
    return float(each.max(initial=0.0)) + a.inject_s + a.eject_s


def _s(seconds: float) -> str:
    return format_si(seconds, "s")


def _core_name(fabric: Fabric, core: int) -> str:
    s, network = fabric.placement.slices, fabric.placement.network
    names = dict.fromkeys(network.populations[int(p)].name for p in s.population[s.core == core])
    return f"core {core}" + (f" ({', '.join(names)})" if names else "")


def _link_name(fabric: Fabric, link: int) -> str:
    grid = fabric.placement.grid
    a, b = link // grid.directions, int(grid.link_target[link])
    at = [f"({t % grid.columns}, {t // grid.columns})" for t in (a, b)]
    return f"link from tile {at[0]} to {at[1]}"


def _bottleneck(times: StepTimes, active: np.ndarray) -> str:
    fabric = times.fabric
    if fabric.step_s is not None:
        return f"the real-time step of {_s(fabric.step_s)}"
    if not active.any():
        return "nothing: no steps"
    bound = times.bound[active]
    weight = np.bincount(bound, weights=times.step_s[active], minlength=len(BOUNDS))
    kind = BOUNDS[int(weight.argmax())]
    if kind == "barrier":
        return "the barrier of a step"
    number, name = (times.worst_core, _core_name) if kind == "core" else (times.worst_link, _link_name)
    return name(fabric, int(np.bincount(number[active][bound == BOUNDS.index(kind)]).argmax()))


def losses_of(times: StepTimes) -> str:
    """Packets lost at full queues, and those too late for their step, in words."""
    lost, late = int(times.lost.sum()), int(times.late.sum())
    found = [f"{lost} packet copies are lost at full queues"] if lost else []
    found += [f"{late} packets come too late for their step"] if late else []
    return " and ".join(found)


def _notes(times: StepTimes) -> Iterator[str]:
    fabric, steps = times.fabric, times.makespan_s.size
    if missed := int((times.missed > 0).sum()):
        worst = int(times.missed_of.argmax())
        yield (
            f"{int((times.missed_of > 0).sum())} cores miss the deadline of {_s(fabric.arrays.deadline_s)} in {missed} "
            f"of {steps} steps, {_core_name(fabric, worst)} most often; {int(times.late.sum())} packets come too late "
            "for their step"
        )
    if lost := int(times.lost.sum()):
        yield f"{lost} packet copies find a full queue of {fabric.arrays.queue} and are dropped"
    if (crowded := int(times.crowded.sum())) and fabric.full == "grow":
        yield f"{crowded} packets find a full queue of {fabric.arrays.queue}; what the chip does then is not modelled"


def _table(times: StepTimes) -> Iterator[list[str]]:
    fabric, d = times.fabric, times.delays
    span = times.makespan_s
    if not span.size:
        return
    if times.timeless:
        yield ["work of a step", "not modelled", "no time of cores, links and ports is known"]
        return
    sample, step = np.unravel_index(int(span.argmax()), span.shape)
    core, link = int(times.worst_core[sample, step]), int(times.worst_link[sample, step])
    yield ["work of a step, mean", _s(float(span.mean())), f"95th percentile {_s(float(np.percentile(span, 95)))}"]
    yield ["work of the longest step", _s(float(span.max())), f"step {step} of sample {sample}"]
    yield ["last core of it", _core_name(fabric, core), f"busy for {_s(float(times.core_busy_s[sample, step]))}"]
    if times.link_busy_s[sample, step] > 0:
        busy = _s(float(times.link_busy_s[sample, step]))
        yield ["busiest link of it", _link_name(fabric, link), f"busy for {busy}"]
    if "barrier_s" not in fabric.unknown:
        yield ["barrier of a step", _s(fabric.barrier_s), ""]
    share = np.bincount(times.bound.ravel(), minlength=len(BOUNDS)) / span.size
    text = ", ".join(f"{name} {100 * part:.0f} %" for name, part in zip(BOUNDS, share, strict=True))
    yield ["most to do in a step", text, "of steps"]
    yield ["packets that reached a core", str(d.packets), "copies, all samples"]
    yield from _packet_rows(times)
    if fabric.step_s is not None:
        yield ["packets too late", str(int(times.late.sum())), f"served after {_s(fabric.arrays.deadline_s)}"]
        missed = int((times.missed_of > 0).sum())
        yield ["deadlines missed", str(int(times.missed.sum())), f"steps of cores, in {missed} cores"]
        for core in np.argsort(-times.missed_of, kind="stable")[:5].tolist():
            if times.missed_of[core]:
                yield [_core_name(fabric, core), str(int(times.missed_of[core])), "deadlines missed"]


def _packet_rows(times: StepTimes) -> Iterator[list[str]]:
    """Delays and losses, which nobody knows where the times of the network are not known."""
    fabric, d = times.fabric, times.delays
    unknown = [name for name in fabric.unknown if name in _NETWORK]
    if len(unknown) == len(_NETWORK):
        for what in ("delay of a packet", "packets overtaken", "packets lost"):
            yield [what, "not modelled", "no time of links and ports is known"]
        return
    without = f"; without {' and '.join(_NETWORK[name] for name in unknown)}" if unknown else ""
    yield ["delay of a packet, mean", _s(d.mean_s), f"at most {_s(d.worst_s)}; from hand-over to core{without}"]
    yield ["packets overtaken", f"{100 * d.disorder:.2f} %", "arrive after one handed over later (spike disorder)"]
    if d.shift_s is not None and d.worst_shift_s is not None:
        yield ["change of intervals between spikes", _s(d.shift_s), f"at most {_s(d.worst_shift_s)}"]
    yield ["packets lost", str(int(times.lost.sum())), f"queues of {fabric.arrays.queue}, full queues {fabric.full}"]


def _gantt(times: StepTimes, used: np.ndarray) -> Iterator[GanttRow]:
    """A bar per population and step (or run of steps): from its start until the last core of the population is done."""
    fabric = times.fabric
    s, network = fabric.placement.slices, fabric.placement.network
    steps = times.makespan_s.shape[1]
    cores = {}
    for k, population in enumerate(network.populations):
        mine = np.unique(s.core[(s.population == k) & (s.core >= 0)])
        if mine.size:
            cores[population.name] = mine
    samples = times.ends_s.shape[0] // steps if steps else 0
    together = max(1, -(-steps * samples * max(len(cores), 1) // CHART_ROWS))
    start = 0.0
    for sample in range(samples):
        length = times.step_s[sample, : used[sample]]
        begin = start + np.concatenate(([0.0], np.cumsum(length)))
        for name, mine in cores.items():
            ends = times.ends_s[sample * steps : sample * steps + int(used[sample]), mine].max(axis=1, initial=0.0)
            for first in range(0, int(used[sample]), together):
                last = min(first + together, int(used[sample])) - 1
                end = float(begin[last] + ends[last])
                if end > begin[first]:
                    yield GanttRow(name, sample, float(begin[first]), end, "busy")
        start = float(begin[-1])
