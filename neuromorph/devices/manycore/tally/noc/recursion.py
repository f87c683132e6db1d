"""The compiled engine: one recursion per queue, over the packets in the order of time.

With a[n] the time packet n reaches a queue, start[n] = max(a[n], start[n - 1] + service) (Lindley 1952), for every
link, port and core. A calendar brings the packets to the queues in the order of time, so the recursion is exact as long
as no queue is full, up to the order of packets that come at the same time. Steps that meet a full queue
which holds what sends to it are left to `holding`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuromorph.compiled import part
from neuromorph.devices.manycore.tally.noc.calendar import FULL, Calendar, push, release, restart, take
from neuromorph.devices.manycore.tally.noc.model import Fabric, FabricArrays
from neuromorph.devices.manycore.tally.routes import RouteArrays

SWEEP, PARALLEL, INTERRUPT = 0, 1, 2
EVENTS_PER_PACKET, FINEST, ROW_BITS = 5, 64, 32
DONE, SWEEPING, WAITING = 0, 1, 2

DELIVERED, LATENCY, LATENCY_MAX, DISORDER, SHIFTS, SHIFT, SHIFT_MAX = range(7)
"""Figures of packets, summed (or the most): that reached their core, seconds from hand-over to core, those that were
overtaken, pairs of spikes of one neuron in one core, by how much their interval changed."""
FIGURES = SHIFT_MAX + 1

MAKESPAN, WORST_CORE, CORE_BUSY, WORST_LINK, LINK_BUSY, CROWDED, LOST, LATE, MISSED = range(9)
"""Columns of what is kept of every step: seconds, port, seconds it worked, link, seconds it was busy, packets that
found a full queue (where queues hold), packets lost, packets served after the deadline, cores that missed it."""
COLUMNS = MISSED + 1

GONE = LOST_ROW, LATE_ROW, LOST_BELOW = 0, 1, 2
"""Column 1 of what is kept of a packet that its core does not get in time, between row of the raster and two numbers:
its synaptic row, or the node of its tree below which nothing arrives and the neuron."""


class State(NamedTuple):
    """What changes within a step. (ports,): cursor..end, the spikes of a port in `spikes`; message, row of the next
    packet of its spike; position, neurons updated; port_free; fire_at, when the sweep hands over next; mode; core_free;
    sweep_end; eject_free; owed, seconds of packets; latest hand-over among the packets that arrived. (links,):
    link_free, carried."""

    spikes: np.ndarray
    cursor: np.ndarray
    end: np.ndarray
    message: np.ndarray
    position: np.ndarray
    port_free: np.ndarray
    fire_at: np.ndarray
    mode: np.ndarray
    core_free: np.ndarray
    sweep_end: np.ndarray
    eject_free: np.ndarray
    owed: np.ndarray
    latest: np.ndarray
    link_free: np.ndarray
    carried: np.ndarray


class Kept(NamedTuple):
    """What is kept. row: (columns,) of the step at hand; figure: sums of packets; late, missed: (ports,) packets after
    the deadline and steps with it missed; lost: (links + ports,) before each link and core; delay_s: (rows,) of the
    last packet by synaptic row, NaN before the first, empty where not asked for. gone: (packets, 4) each lost or late
    packet, see `GONE`, no rows where not asked for; told: (2,) how many there are, and the raster's row at hand."""

    row: np.ndarray
    figure: np.ndarray
    late: np.ndarray
    missed: np.ndarray
    lost: np.ndarray
    delay_s: np.ndarray
    gone: np.ndarray
    told: np.ndarray


def state_of(ports: int, links: int, spikes: int) -> State:
    """Room for one step at a time."""
    whole = {name: np.zeros(ports, np.int64) for name in ("cursor", "end", "message", "position", "mode")}
    timed = ("port_free", "fire_at", "core_free", "sweep_end", "eject_free", "owed", "latest")
    real = {name: np.zeros(ports) for name in timed}
    spikes_of_step, carried = np.zeros(max(spikes, 1), np.int32), np.zeros(links, np.int64)
    return State(spikes=spikes_of_step, link_free=np.zeros(links), carried=carried, **whole, **real)


@part
def begin(f: FabricArrays, r: RouteArrays, s: State, fired: np.ndarray, phase: int) -> float:
    """Sets the state to the start of a step in which these neurons fire; returns a bound for the end of all sweeps."""
    ports = s.cursor.size
    s.end[:] = 0
    for i in fired:
        s.end[f.slice_port[r.slice_of_neuron[i]]] += 1
    total = 0
    for p in range(ports):
        s.cursor[p], total = total, total + s.end[p]
        s.end[p] = s.cursor[p]
    for i in fired:
        p = f.slice_port[r.slice_of_neuron[i]]
        s.spikes[s.end[p]] = i
        s.end[p] += 1
    s.link_free[:] = 0.0
    s.carried[:] = 0
    s.latest[:] = -1.0
    bound = 0.0
    for p in range(ports):
        fixed = f.fixed_s if p < ports - 1 and f.used[p] else 0.0
        s.position[p], s.mode[p] = 0, DONE
        s.port_free[p] = s.eject_free[p] = s.owed[p] = 0.0
        s.core_free[p] = s.sweep_end[p] = fixed
        if s.end[p] > s.cursor[p] or f.work[phase, p] > 0:
            s.sweep_end[p] = _sweep_end(f, r, s, phase, p)
            if f.order == SWEEP:
                s.core_free[p] = s.sweep_end[p]
            bound = max(bound, s.sweep_end[p])
    return bound


@part
def reach(f: FabricArrays, r: RouteArrays, s: State, phase: int, p: int, i: int) -> float:
    """Seconds of the sweep of port p from where it is to having neuron i fired."""
    k = r.slice_of_neuron[i]
    at = f.base[phase, k] + (i - f.slice_first[k] + 1) * f.each[k]
    took = (at - s.position[p]) * f.neuron_s + (f.spike_s if p < s.cursor.size - 1 else 0.0)
    s.position[p] = at
    return took


@part
def packets_of(f: FabricArrays, r: RouteArrays, i: int) -> int:
    """Packets of a spike of neuron i."""
    if not f.multicast:
        return r.row_ptr[i + 1] - r.row_ptr[i]
    k = r.slice_of_neuron[i]
    return 1 if r.node_target[r.node_ptr[k + 1]] > r.node_target[r.node_ptr[k]] else 0


@part
def _sweep_end(f: FabricArrays, r: RouteArrays, s: State, phase: int, p: int) -> float:
    """When the sweep would be done if neither packets nor a full network held it up."""
    time = f.fixed_s if p < s.cursor.size - 1 else 0.0
    free = 0.0
    for k in range(s.cursor[p], s.end[p]):
        time += reach(f, r, s, phase, p, s.spikes[k])
        n = packets_of(f, r, s.spikes[k])
        if n > 0:
            time = max(time, free)
            free = time + n * f.inject_s
            time += (n - 1) * f.inject_s
    time += (f.work[phase, p] - s.position[p]) * f.neuron_s
    s.position[p] = 0
    return time


@part
def go_on(f: FabricArrays, r: RouteArrays, c: Calendar, s: State, phase: int, p: int, time: float) -> None:
    """Lets the sweep of port p go on at `time`, to its next spike with packets or to its end."""
    ports = s.cursor.size
    while s.cursor[p] < s.end[p]:
        i = s.spikes[s.cursor[p]]
        time += reach(f, r, s, phase, p, i)
        if packets_of(f, r, i) > 0:
            s.message[p] = r.row_ptr[i]
            if f.order == INTERRUPT:
                s.mode[p], s.fire_at[p] = SWEEPING, time
                push(c, time, 0.0, -1 - 2 * ports - p, 0)
            else:
                time = max(time, s.port_free[p])
                push(c, time + f.inject_s, time, -1 - p, i if f.multicast else s.message[p])
            return
        s.cursor[p] += 1
    if f.order == INTERRUPT:
        s.mode[p], s.fire_at[p] = SWEEPING, time + (f.work[phase, p] - s.position[p]) * f.neuron_s
        push(c, s.fire_at[p], 0.0, -1 - 2 * ports - p, 0)


@part
def next_packet(f: FabricArrays, r: RouteArrays, s: State, p: int) -> bool:
    """Moves to the next packet of the spike of port p; False, and to its next spike, where there is none."""
    s.message[p] += 1
    if not f.multicast and s.message[p] < r.row_ptr[s.spikes[s.cursor[p]] + 1]:
        return True
    s.cursor[p] += 1
    return False


@part
def _sent(f: FabricArrays, r: RouteArrays, c: Calendar, s: State, phase: int, p: int, time: float, hand: float) -> None:
    """The port is done with a packet: the next one (orders other than "interrupt")."""
    s.port_free[p] = time
    if next_packet(f, r, s, p):
        push(c, time + f.inject_s, time, -1 - p, s.message[p])
    else:
        go_on(f, r, c, s, phase, p, hand)


@part
def _fire(f: FabricArrays, r: RouteArrays, c: Calendar, s: State, phase: int, p: int, time: float) -> None:
    """The sweep that packets interrupt reaches its next spike or its end, unless it was put off meanwhile."""
    again = -1 - 2 * s.cursor.size - p
    if s.mode[p] == WAITING and s.fire_at[p] <= time:
        s.fire_at[p] = max(time, s.core_free[p])
    if s.fire_at[p] > time:
        push(c, s.fire_at[p], 0.0, again, 0)
    elif s.cursor[p] == s.end[p]:
        s.mode[p], s.sweep_end[p] = DONE, time
    elif s.port_free[p] > time:
        s.mode[p], s.fire_at[p] = WAITING, s.port_free[p]
        push(c, s.fire_at[p], 0.0, again, 0)
    else:
        i = s.spikes[s.cursor[p]]
        s.port_free[p] = time + f.inject_s
        push(c, s.port_free[p], time, -1 - p, i if f.multicast else s.message[p])
        if next_packet(f, r, s, p):
            s.mode[p], s.fire_at[p] = WAITING, s.port_free[p]
            push(c, s.fire_at[p], 0.0, again, 0)
        else:
            go_on(f, r, c, s, phase, p, time)


@part
def _over(
    f: FabricArrays, c: Calendar, s: State, kept: Kept, link: int, time: float, hand: float, a: int, b: int
) -> None:
    """A packet reaches the queue of a link; (a, b) are where it is after it."""
    start = max(time, s.link_free[link])
    room = f.queue * f.link_s[link]
    if room == 0.0:  # a link whose time is not known never fills
        start = time
    elif f.drop:
        if start - time > room:
            kept.lost[link] += 1
            kept.row[LOST] += 1
            if f.multicast:
                note(kept, LOST_BELOW, a, b)
            else:
                note(kept, LOST_ROW, b & ((1 << ROW_BITS) - 1), 0)
            return
    elif start - time + f.hop_s[link] > room:
        kept.row[CROWDED] += 1
    s.link_free[link] = start + f.link_s[link]
    s.carried[link] += 1
    push(c, start + f.hop_s[link], hand, a, b)


@part
def _to_core(
    f: FabricArrays, c: Calendar, s: State, kept: Kept, core: int, row: int, service: float, time: float, hand: float
) -> None:
    """A packet reaches the port of its target core, which owes it `service` seconds. row: its synaptic row or -1."""
    start = max(time, s.eject_free[core])
    room = f.queue * f.eject_s
    if room == 0.0:
        start = time
    elif start - time > room:
        if f.drop:
            kept.lost[s.carried.size + core] += 1
            kept.row[LOST] += 1
            note(kept, LOST_ROW, row, 0)
            return
        kept.row[CROWDED] += 1
    end = start + f.eject_s
    s.eject_free[core] = end
    arrived(s, kept, core, row, end, hand)
    if f.order == INTERRUPT:
        push(c, end, service, -1 - s.cursor.size - core, row)
    else:
        serve(f, s, kept, core, row, end, service)


@part
def arrived(s: State, kept: Kept, core: int, row: int, time: float, hand: float) -> None:
    """Keeps the figures of a packet that reached its core."""
    delay, figure = time - hand, kept.figure
    figure[DELIVERED] += 1
    figure[LATENCY] += delay
    figure[LATENCY_MAX] = max(figure[LATENCY_MAX], delay)
    if hand < s.latest[core]:
        figure[DISORDER] += 1
    else:
        s.latest[core] = hand
    if kept.delay_s.size and row >= 0:
        before = kept.delay_s[row]
        if before == before:
            shift = abs(delay - before)
            figure[SHIFTS] += 1
            figure[SHIFT] += shift
            figure[SHIFT_MAX] = max(figure[SHIFT_MAX], shift)
        kept.delay_s[row] = delay


@part
def note(kept: Kept, what: int, a: int, b: int) -> None:
    """Keeps which packet its core does not get in time; row -1 has no synapse there, and nobody misses it."""
    n = kept.told[0]
    if kept.gone.shape[0] == 0 or a < 0:
        return
    kept.told[0] = n + 1
    if n < kept.gone.shape[0]:
        kept.gone[n, 0], kept.gone[n, 1], kept.gone[n, 2], kept.gone[n, 3] = kept.told[1], what, a, b


@part
def serve(f: FabricArrays, s: State, kept: Kept, core: int, row: int, time: float, service: float) -> None:
    """The core begins with a packet at `time` or when it is done with those before. row: its synaptic row or -1."""
    start = max(time, s.core_free[core])
    end = start + service
    s.core_free[core] = end
    s.owed[core] += service
    if f.order == INTERRUPT and s.mode[core] == SWEEPING and s.fire_at[core] > start:
        s.fire_at[core] += service
    if end > f.deadline_s:
        kept.late[core] += 1
        kept.row[LATE] += 1
        note(kept, LATE_ROW, row, 0)


@part
def service_of(f: FabricArrays, r: RouteArrays, row: int) -> float:
    """Seconds a core is busy with the packet of a row."""
    plastic = r.row_plastic[row] * f.plastic_s if r.row_plastic.size else 0.0
    return f.packet_s + r.row_events[row] * f.synapse_s + plastic


@part
def first_row(r: RouteArrays, i: int, target: int) -> int:
    """The first row of neuron i at this target or a later one."""
    low, high = r.row_ptr[i], r.row_ptr[i + 1]
    while low < high:
        middle = (low + high) // 2
        if r.row_target[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low


@part
def _copies(
    f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, node: int, i: int, time: float, hand: float
) -> None:
    """A multicast packet is in the router at a node of its tree."""
    first, last = r.node_target[node], r.node_target[node + 1]
    if last > first:
        row, end = first_row(r, i, first), r.row_ptr[i + 1]
        for t in range(first, last):
            if row < end and r.row_target[row] == t:
                at, service = row, service_of(f, r, row)
                row += 1
            else:
                at, service = -1, f.packet_s
            _to_core(f, c, s, kept, r.target_core[t], at, service, time, hand)
    for k in range(r.child_ptr[node], r.child_ptr[node + 1]):
        below = r.child[k]
        _over(f, c, s, kept, r.node_link[below], time, hand, below, i)


@part
def _single(
    f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, at: int, load: int, time: float, hand: float
) -> None:
    """A packet for one core is in a router; at: where its way goes on; load: its synaptic events and its row."""
    link = f.way[at]
    if link >= 0:
        _over(f, c, s, kept, link, time, hand, at + 1, load)
        return
    row = load & ((1 << ROW_BITS) - 1)
    service = f.packet_s + (load >> ROW_BITS) * f.synapse_s
    if r.row_plastic.size:
        service += r.row_plastic[row] * f.plastic_s
    _to_core(f, c, s, kept, -1 - link, row, service, time, hand)


@part
def width_of(f: FabricArrays, r: RouteArrays, s: State, bound: float) -> float:
    """Length of a bucket: about as many buckets as events, but neither far finer nor far coarser than a hop."""
    packets = 0
    for k in range(s.end[s.end.size - 1]):
        packets += packets_of(f, r, s.spikes[k])
    even = bound / (EVENTS_PER_PACKET * packets + 1)
    return max(min(f.grain_s, max(even, f.grain_s / FINEST)), bound / (1 << 16), 1e-15)


@part
def run_step(f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, fired: np.ndarray, phase: int) -> None:
    """One step; kept.row tells how it went. c.state[FULL] is 1 where the calendar had too little room.

    Where full queues hold, it ends at the first packet that finds one (row[CROWDED])."""
    ports = s.cursor.size
    for k in range(kept.row.size):
        kept.row[k] = 0.0
    bound = begin(f, r, s, fired, phase)
    restart(c, width_of(f, r, s, bound))
    for p in range(ports):
        if s.end[p] > s.cursor[p] or (f.order == INTERRUPT and f.work[phase, p] > 0):
            go_on(f, r, c, s, phase, p, f.fixed_s if p < ports - 1 else 0.0)
    n = take(c)
    while n > 0 and c.state[FULL] == 0 and not (f.hold and kept.row[CROWDED] > 0):
        for k in range(n):
            e = c.taken[k]
            time, x, a, b = c.event[e, 0], c.event[e, 1], int(c.event[e, 2]), int(c.event[e, 3])
            release(c, e)
            if a >= -ports:
                at, load = a, b
                if a < 0:  # a port has sent
                    if f.multicast:
                        at = r.node_ptr[r.slice_of_neuron[b]]
                    else:  # all that the packet needs is read here, where its row is at hand
                        at, load = f.way_ptr[r.row_target[b]], (int(r.row_events[b]) << ROW_BITS) + b
                if f.multicast:
                    _copies(f, r, c, s, kept, at, b, time, x)
                else:
                    _single(f, r, c, s, kept, at, load, time, x)
                if a < 0 and f.order != INTERRUPT:
                    _sent(f, r, c, s, phase, -1 - a, time, x)
            elif a >= -2 * ports:
                serve(f, s, kept, -1 - ports - a, b, time, x)
            else:
                _fire(f, r, c, s, phase, -1 - 2 * ports - a, time)
        n = take(c)
    for k in range(n):  # where it ended early
        release(c, c.taken[k])
    finish(f, s, kept)


@part
def finish(f: FabricArrays, s: State, kept: Kept) -> None:
    """Who was last, who did most."""
    row = kept.row
    for p in range(s.cursor.size - 1):
        done = max(s.sweep_end[p], s.core_free[p])
        if done > row[MAKESPAN]:
            row[MAKESPAN], row[WORST_CORE] = done, p
        if done > f.deadline_s:
            kept.missed[p] += 1
            row[MISSED] += 1
    worst = int(row[WORST_CORE])
    owed = s.owed[worst]
    if f.order == SWEEP:
        row[CORE_BUSY] = s.sweep_end[worst] + owed
    elif f.order == PARALLEL:
        row[CORE_BUSY] = max(s.sweep_end[worst], owed)
    else:
        row[CORE_BUSY] = min(row[MAKESPAN], s.sweep_end[worst] + owed)
    for link in range(s.carried.size):
        busy = s.carried[link] * f.link_s[link]
        if busy > row[LINK_BUSY]:
            row[LINK_BUSY], row[WORST_LINK] = busy, link


def kept_of(fabric: Fabric, intervals: bool, gone: int = 0) -> Kept:
    """Empty sums. gone: room for lost and late packets."""
    ports, links = fabric.ports, fabric.routes.links
    delays = np.full(fabric.routes.row_target.size if intervals else 0, np.nan)
    return Kept(
        np.zeros(COLUMNS),
        np.zeros(FIGURES),
        np.zeros(ports, np.int64),
        np.zeros(ports, np.int64),
        np.zeros(links + ports, np.int64),
        delays,
        np.zeros((gone, 4), np.int64),
        np.zeros(2, np.int64),
    )
