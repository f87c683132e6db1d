"""Steps in which full queues hold what sends to them: every queue spelt out, compiled.

The recursion (`recursion`) gives every packet its time when it reaches a queue. That cannot be done where a link must
wait for a place in the next queue, so steps that meet a full queue are computed again here: packets wait in lists, take
a place in every next queue when they start, and give their own back. Where packets wait for each other in a circle, a
queue takes one packet beyond its places.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuromorph.compiled import part
from neuromorph.devices.manycore.tally.noc.calendar import FULL, Calendar, push, release, restart, take
from neuromorph.devices.manycore.tally.noc.model import FabricArrays
from neuromorph.devices.manycore.tally.noc.recursion import (
    CROWDED,
    DONE,
    INTERRUPT,
    LATE,
    SWEEP,
    SWEEPING,
    WAITING,
    Kept,
    State,
    arrived,
    begin,
    finish,
    first_row,
    next_packet,
    packets_of,
    reach,
    serve,
    service_of,
    width_of,
)
from neuromorph.devices.manycore.tally.routes import RouteArrays


class Queues(NamedTuple):
    """Queues are numbered as links, then ports of cores; senders as queues, then the sending sides of ports.

    record: (packets, 3) hand-over and two numbers; after: next packet of a queue or of the free list, whose first is
    free[0]. (queues,): head, tail (packets), places left, until (busy), armed (the last time at which an event is to
    start the next packet), first and last sender that waits for a place. (senders,): next_sender, blocked (2 waits,
    1 woken). (ports,): pending, packets that a core owes before its sweep is done; sending, 1 while a port sends the
    packet `held`. waiting: (1,) senders that wait."""

    record: np.ndarray
    after: np.ndarray
    free: np.ndarray
    head: np.ndarray
    tail: np.ndarray
    places: np.ndarray
    until: np.ndarray
    armed: np.ndarray
    first: np.ndarray
    last: np.ndarray
    next_sender: np.ndarray
    blocked: np.ndarray
    pending: np.ndarray
    sending: np.ndarray
    held: np.ndarray
    waiting: np.ndarray


def queues_of(ports: int, links: int, packets: int) -> Queues:
    """Room for so many packets in queues at a time."""
    queues, senders = links + ports, links + 2 * ports
    after = np.arange(1, packets + 1)
    after[-1] = -1
    whole = {name: np.zeros(queues, np.int64) for name in ("head", "tail", "places", "first", "last")}
    return Queues(
        record=np.zeros((packets, 3)),
        after=after,
        free=np.zeros(1, np.int64),
        until=np.zeros(queues),
        armed=np.zeros(queues),
        next_sender=np.zeros(senders, np.int64),
        blocked=np.zeros(senders, np.int64),
        pending=np.zeros(ports, np.int64),
        sending=np.zeros(ports, np.int64),
        held=np.zeros((ports, 3)),
        waiting=np.zeros(1, np.int64),
        **whole,
    )


@part
def _clear(f: FabricArrays, q: Queues) -> None:
    """The start of a step; the queues have run empty in the one before."""
    q.waiting[0] = 0
    for k in range(q.head.size):
        q.head[k] = q.first[k] = -1
        q.places[k], q.until[k], q.armed[k] = f.queue, 0.0, 0.0
    for k in range(q.blocked.size):
        q.blocked[k] = 0
    for k in range(q.pending.size):
        q.pending[k] = q.sending[k] = 0


@part
def _room(f: FabricArrays, r: RouteArrays, q: Queues, a: int, b: int) -> int:
    """A queue without a place among those a packet at (a, b) goes on to; -1 and a place taken in each if none."""
    links = q.head.size - q.pending.size
    if not f.multicast:
        t = r.row_target[b]
        k = links + r.target_core[t] if a == r.path_ptr[t + 1] else r.path_link[a]
        if q.places[k] < 1:
            return k
        q.places[k] -= 1
        return -1
    for take_places in range(2):
        for t in range(r.node_target[a], r.node_target[a + 1]):
            k = links + r.target_core[t]
            if take_places:
                q.places[k] -= 1
            elif q.places[k] < 1:
                return k
        for n in range(r.child_ptr[a], r.child_ptr[a + 1]):
            k = r.node_link[r.child[n]]
            if take_places:
                q.places[k] -= 1
            elif q.places[k] < 1:
                return k
    return -1


@part
def _wait(q: Queues, kept: Kept, sender: int, queue: int) -> None:
    """A sender waits until the queue has a place."""
    if q.blocked[sender] == 0:
        kept.row[CROWDED] += 1
    q.blocked[sender] = 2
    q.waiting[0] += 1
    q.next_sender[sender] = -1
    if q.first[queue] < 0:
        q.first[queue] = sender
    else:
        q.next_sender[q.last[queue]] = sender
    q.last[queue] = sender


@part
def _wake(c: Calendar, s: State, q: Queues, queue: int, time: float) -> None:
    """Senders that wait for a place in the queue try again."""
    sender = q.first[queue]
    q.first[queue] = -1
    while sender >= 0:
        q.blocked[sender] = 1
        q.waiting[0] -= 1
        push(c, time, 0.0, -1 - 3 * s.cursor.size - sender, 0)
        sender = q.next_sender[sender]


@part
def _append(c: Calendar, q: Queues, queue: int, hand: float, a: float, b: float) -> None:
    k = q.free[0]
    if k < 0:
        c.state[FULL] = 1
        return
    q.free[0] = q.after[k]
    q.record[k, 0], q.record[k, 1], q.record[k, 2] = hand, a, b
    q.after[k] = -1
    if q.head[queue] < 0:
        q.head[queue] = k
    else:
        q.after[q.tail[queue]] = k
    q.tail[queue] = k


@part
def _start(f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, q: Queues, k: int, time: float) -> None:
    """Queue k starts with its first packet, if it can."""
    packet = q.head[k]
    if packet < 0 or q.blocked[k] == 2:
        return
    links, ports = s.carried.size, s.cursor.size
    again = -1 - 3 * ports - k
    if time < q.until[k]:
        if q.armed[k] < q.until[k]:
            q.armed[k] = q.until[k]
            push(c, q.until[k], 0.0, again, 0)
        return
    hand, x, y = q.record[packet, 0], q.record[packet, 1], q.record[packet, 2]
    if k < links:
        full = _room(f, r, q, int(x), int(y))
        if full >= 0:
            _wait(q, kept, k, full)
            return
    q.blocked[k] = 0
    q.head[k] = q.after[packet]
    q.after[packet] = q.free[0]
    q.free[0] = packet
    q.places[k] += 1
    _wake(c, s, q, k, time)
    if k < links:
        q.until[k] = time + f.link_s[k]
        s.carried[k] += 1
        push(c, time + f.hop_s[k], hand, int(x), int(y))
    else:
        q.until[k] = time + f.eject_s
        core = k - links
        arrived(s, kept, core, int(x), q.until[k], hand)
        if f.order == INTERRUPT:
            push(c, q.until[k], y, -1 - ports - core, 0)
        else:
            _owe(f, s, kept, q, core, q.until[k], y)
    if q.head[k] >= 0:
        q.armed[k] = q.until[k]
        push(c, q.until[k], 0.0, again, 0)


@part
def _owe(f: FabricArrays, s: State, kept: Kept, q: Queues, core: int, time: float, service: float) -> None:
    """A packet reaches its core, which serves it now or after its sweep."""
    if f.order == SWEEP and s.mode[core] != DONE:
        s.owed[core] += service
        q.pending[core] += 1
    else:
        serve(f, s, kept, core, -1, time, service)


@part
def _enter(
    f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, q: Queues, a: int, b: int, time: float,
    hand: float,
) -> None:  # fmt: skip
    """A packet is in the router at (a, b), and in the queues it goes on to."""
    links = s.carried.size
    if f.multicast:
        first, below = r.node_target[a], r.child_ptr[a]
        cores = r.node_target[a + 1] - first
        ways = cores + r.child_ptr[a + 1] - below
        row, end = first_row(r, b, first), r.row_ptr[b + 1]
    else:
        first, below, row, end = r.row_target[b], 0, b, b + 1
        cores = 1 if a == r.path_ptr[first + 1] else 0
        ways = 1
    for way in range(ways):
        if way < cores:
            k, x, y = links + r.target_core[first + way], -1.0, f.packet_s
            if row < end and r.row_target[row] == first + way:
                x, y = float(row), service_of(f, r, row)
                row += 1
        elif f.multicast:
            n = r.child[below + way - cores]
            k, x, y = r.node_link[n], float(n), float(b)
        else:
            k, x, y = r.path_link[a], float(a + 1), float(b)
        _append(c, q, k, hand, x, y)
        _start(f, r, c, s, kept, q, k, time)


@part
def _inject(f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, q: Queues, p: int, time: float) -> None:
    """Port p starts to send the packet that it holds, if it can."""
    sender = q.head.size + p
    if q.sending[p] == 0 or q.blocked[sender] == 2:
        return
    full = _room(f, r, q, int(q.held[p, 1]), int(q.held[p, 2]))
    if full >= 0:
        _wait(q, kept, sender, full)
        return
    q.blocked[sender] = 0
    push(c, time + f.inject_s, 0.0, -1 - p, 0)


@part
def _go_on(f: FabricArrays, r: RouteArrays, c: Calendar, s: State, phase: int, p: int, time: float) -> None:
    """Lets the sweep of port p go on at `time`, to its next spike with packets or to its end."""
    found = False
    while s.cursor[p] < s.end[p] and not found:
        i = s.spikes[s.cursor[p]]
        time += reach(f, r, s, phase, p, i)
        s.message[p] = r.row_ptr[i]
        found = packets_of(f, r, i) > 0
        if not found:
            s.cursor[p] += 1
    if not found:
        time += (f.work[phase, p] - s.position[p]) * f.neuron_s
    s.mode[p], s.fire_at[p] = SWEEPING, time
    push(c, time, 0.0, -1 - 2 * s.cursor.size - p, 0)


@part
def _reached(
    f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, q: Queues, phase: int, p: int, time: float
) -> None:
    """The sweep of port p reaches its next spike or its end, unless packets put it off meanwhile."""
    if f.order == INTERRUPT and s.mode[p] == WAITING:
        s.fire_at[p] = max(s.fire_at[p], s.core_free[p])
    if s.fire_at[p] > time:
        push(c, s.fire_at[p], 0.0, -1 - 2 * s.cursor.size - p, 0)
    elif s.cursor[p] == s.end[p]:
        _swept(f, s, kept, q, p, time)
    elif q.sending[p]:
        s.mode[p], s.fire_at[p] = WAITING, np.inf
    else:
        i = s.spikes[s.cursor[p]]
        if f.multicast:
            q.held[p, 1], q.held[p, 2] = r.node_ptr[r.slice_of_neuron[i]], i
        else:
            q.held[p, 1], q.held[p, 2] = r.path_ptr[r.row_target[s.message[p]]], s.message[p]
        q.held[p, 0], q.sending[p] = time, 1
        _inject(f, r, c, s, kept, q, p, time)
        if next_packet(f, r, s, p):
            s.mode[p], s.fire_at[p] = WAITING, np.inf
        else:
            _go_on(f, r, c, s, phase, p, time)


@part
def _swept(f: FabricArrays, s: State, kept: Kept, q: Queues, p: int, time: float) -> None:
    """The sweep is done; packets that waited for that are served now."""
    s.mode[p], s.sweep_end[p] = DONE, time
    if f.order == SWEEP:
        s.core_free[p] = time + s.owed[p]
        over = s.core_free[p] - f.deadline_s
        if over > 0.0 and q.pending[p] > 0:  # as if all took alike
            late = min(q.pending[p], int(np.ceil(over * q.pending[p] / s.owed[p])))
            kept.late[p] += late
            kept.row[LATE] += late


@part
def _handle(
    f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, q: Queues, phase: int, time: float, x: float,
    a: int, b: int,
) -> None:  # fmt: skip
    """One event: see where they are made."""
    ports = s.cursor.size
    if a >= -ports:
        if a < 0:  # a port has sent
            p = -1 - a
            x, a, b = q.held[p, 0], int(q.held[p, 1]), int(q.held[p, 2])
            q.sending[p] = 0
            if s.mode[p] == WAITING:
                s.fire_at[p] = time
                push(c, time, 0.0, -1 - 2 * ports - p, 0)
        _enter(f, r, c, s, kept, q, a, b, time, x)
    elif a >= -2 * ports:
        serve(f, s, kept, -1 - ports - a, -1, time, x)
    elif a >= -3 * ports:
        _reached(f, r, c, s, kept, q, phase, -1 - 2 * ports - a, time)
    else:
        sender = -1 - 3 * ports - a
        if sender < q.head.size:
            _start(f, r, c, s, kept, q, sender, time)
        else:
            _inject(f, r, c, s, kept, q, sender - q.head.size, time)


@part
def run_held(
    f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, q: Queues, fired: np.ndarray, phase: int
) -> None:
    """One step; kept.row tells how it went. c.state[FULL] is 1 where calendar or queues had too little room."""
    ports, time = s.cursor.size, 0.0
    for k in range(kept.row.size):
        kept.row[k] = 0.0
    bound = begin(f, r, s, fired, phase)
    _clear(f, q)
    restart(c, width_of(f, r, s, bound))
    for p in range(ports):
        if s.end[p] > s.cursor[p] or f.work[phase, p] > 0:
            s.core_free[p] = f.fixed_s if p < ports - 1 else 0.0
            _go_on(f, r, c, s, phase, p, s.core_free[p])
    n = take(c)
    while (n > 0 or q.waiting[0] > 0) and c.state[FULL] == 0:
        for k in range(n):
            e = c.taken[k]
            time, x, a, b = c.event[e, 0], c.event[e, 1], int(c.event[e, 2]), int(c.event[e, 3])
            release(c, e)
            _handle(f, r, c, s, kept, q, phase, time, x, a, b)
        n = take(c)
        if n == 0 and q.waiting[0] > 0:
            _let_in(c, s, q, time)
            n = take(c)
    finish(f, s, kept)


@part
def _let_in(c: Calendar, s: State, q: Queues, time: float) -> None:
    """Nothing moves: a queue that senders wait for takes one packet more."""
    for k in range(q.first.size):
        if q.first[k] >= 0:
            q.places[k] += 1
            _wake(c, s, q, k, time)
            return
