"""Packets on a network on chip as discrete events (SimPy): the oracle that the compiled engine is held to.

Cores, ports and links are processes. The oracle shares the description of the fabric with the product and none of its
equations: packets wait in queues, take and give back places, interrupt cores, and the times fall out. In a fabric whose
full queues hold, packets that wait for each other in a circle would never move on (routes that wrap around); where
nothing moves any more, one queue lets in one packet beyond its places, as a network with an escape channel would.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy

from neuromorph.devices.manycore.tally.noc import recursion as columns
from neuromorph.devices.manycore.tally.noc.model import Fabric, repeated
from neuromorph.devices.manycore.tally.noc.recursion import Kept, kept_of
from neuromorph.devices.manycore.tally.noc.steps import StepTimes, times_of
from neuromorph.events.raster import Raster

Process = Generator[Any, Any, None]


@dataclass(frozen=True)
class _Packet:
    """A packet (or copy): neuron that fired, where it is on its tree (node) or its path (position), its row (for one
    core) and the time of its hand-over."""

    neuron: int
    at: int
    row: int
    hand_s: float


class _Queue:
    """A link, or the port of a core that takes packets in."""

    def __init__(self, step: _Step, number: int, service_s: float, latency_s: float) -> None:
        self.step, self.env, self.number = step, step.env, number
        self.service_s, self.latency_s = service_s, latency_s
        self.waiting: deque[tuple[_Packet, int, float]] = deque()
        self.places = step.fabric.arrays.queue
        self.busy = False
        self.until = 0.0
        self.came: Any = None
        self.carried = 0
        self.env.process(self.run())

    def enter(self, packet: _Packet, row: int, service_s: float) -> None:
        """A packet arrives; row and service_s matter at a core's port only."""
        about_to_start = self.env.now >= self.until and self.waiting
        waiting = len(self.waiting) - bool(about_to_start) if self.service_s > 0 else 0
        if self.step.fabric.arrays.drop and waiting >= self.step.fabric.arrays.queue:
            self.step.lost(self.number)
            return
        self.waiting.append((packet, row, service_s))
        if not self.busy:
            self.busy = True
            if self.came is not None:
                came, self.came = self.came, None
                came.succeed()

    def run(self) -> Process:
        while True:
            if not self.waiting:
                self.busy = False
                self.came = self.env.event()
                yield self.came
            packet, row, service_s = self.waiting[0]
            link = self.number < self.step.links
            onward = list(self.step.onward(packet)) if link else []
            yield from self.step.reserve(onward, self)
            self.waiting.popleft()
            self.places += 1
            self.step.wake(self)
            self.carried += 1
            self.until = self.env.now + self.service_s
            if link:
                self.env.process(self.step.deliver(onward, self.latency_s))
            else:
                self.env.process(self.step.arrive(self.number - self.step.links, packet, row, service_s))
            yield self.env.timeout(self.service_s)


class _Step:
    """One step of a fabric."""

    def __init__(self, fabric: Fabric, kept: Kept, fired: np.ndarray, phase: int) -> None:
        self.fabric, self.kept, self.phase = fabric, kept, phase
        self.r, self.links, self.ports = fabric.routes, fabric.routes.links, fabric.ports
        self.env: Any = simpy.Environment()
        self.queues: dict[int, _Queue] = {}
        self.waiters: dict[int, list[Any]] = {}
        self.blocked: dict[int, _Queue] = {}
        self.row = np.zeros(columns.MISSED + 1)
        self.cpu = [simpy.PreemptiveResource(self.env) for _ in range(self.ports)]
        self.swept = [self.env.event() for _ in range(self.ports)]
        self.sweep_end, self.core_end = np.zeros(self.ports), np.zeros(self.ports)
        self.owed, self.latest = np.zeros(self.ports), np.full(self.ports, -1.0)
        by_port: dict[int, list[int]] = {}
        for i in fired.tolist():
            by_port.setdefault(int(fabric.arrays.slice_port[self.r.slice_of_neuron[i]]), []).append(i)
        used = set(np.flatnonzero((fabric.arrays.work[phase] > 0) | fabric.arrays.used).tolist())
        for p in sorted(used | set(by_port)):
            self.env.process(self.sweep(p, by_port.get(p, [])))
        self.env.run()
        while self.blocked:  # nothing moves: let one packet in
            full = next(iter(self.blocked.values()))
            full.places += 1
            self.wake(full)
            self.env.run()
        self.finish()

    def queue(self, number: int) -> _Queue:
        """The queue of a link, or of the port of core number - links."""
        if number not in self.queues:
            a = self.fabric.arrays
            link = number < self.links
            service = float(a.link_s[number]) if link else a.eject_s
            self.queues[number] = _Queue(self, number, service, float(a.hop_s[number]) if link else a.eject_s)
        return self.queues[number]

    def onward(self, packet: _Packet) -> Iterator[tuple[_Queue, _Packet, int, float]]:
        """Where a packet goes from the router it is in: (queue, packet there, row or -1, seconds of its core)."""
        r, a = self.r, self.fabric.arrays
        rows = slice(int(r.row_ptr[packet.neuron]), int(r.row_ptr[packet.neuron + 1]))
        if not self.fabric.arrays.multicast:
            t = int(r.row_target[packet.row])
            if packet.at == r.path_ptr[t + 1]:
                yield self.queue(self.links + int(r.target_core[t])), packet, packet.row, self.service(packet.row)
            else:
                after = _Packet(packet.neuron, packet.at + 1, packet.row, packet.hand_s)
                yield self.queue(int(r.path_link[packet.at])), after, -1, 0.0
            return
        mine = {int(t): rows.start + k for k, t in enumerate(r.row_target[rows])}
        for t in range(int(r.node_target[packet.at]), int(r.node_target[packet.at + 1])):
            row = mine.get(t, -1)
            service = self.service(row) if row >= 0 else a.packet_s
            yield self.queue(self.links + int(r.target_core[t])), packet, row, service
        for node in r.child[r.child_ptr[packet.at] : r.child_ptr[packet.at + 1]].tolist():
            yield self.queue(int(r.node_link[node])), _Packet(packet.neuron, node, -1, packet.hand_s), -1, 0.0

    def service(self, row: int) -> float:
        a, r = self.fabric.arrays, self.r
        plastic = int(r.row_plastic[row]) * a.plastic_s if r.row_plastic.size else 0.0
        return a.packet_s + int(r.row_events[row]) * a.synapse_s + plastic

    def reserve(self, onward: list[tuple[_Queue, _Packet, int, float]], key: object) -> Process:
        """Waits until every next queue has a place, then takes one in each."""
        if not self.fabric.arrays.hold:
            return
        first = True
        while full := next((queue for queue, *_ in onward if queue.places < 1), None):
            if first:
                self.row[columns.CROWDED] += 1
                first = False
            event = self.env.event()
            self.waiters.setdefault(full.number, []).append(event)
            self.blocked[id(key)] = full
            yield event
            del self.blocked[id(key)]
        for queue, *_ in onward:
            queue.places -= 1

    def wake(self, queue: _Queue) -> None:
        for event in self.waiters.pop(queue.number, ()):
            event.succeed()

    def deliver(self, onward: list[tuple[_Queue, _Packet, int, float]], after_s: float) -> Process:
        yield self.env.timeout(after_s)
        for queue, packet, row, service_s in onward:
            queue.enter(packet, row, service_s)

    def packets(self, neuron: int) -> list[tuple[int, int]]:
        """(place in the tree or path, row) of every packet of a spike."""
        r = self.r
        rows = range(int(r.row_ptr[neuron]), int(r.row_ptr[neuron + 1]))
        if not self.fabric.arrays.multicast:
            return [(int(r.path_ptr[r.row_target[row]]), row) for row in rows]
        s = int(r.slice_of_neuron[neuron])
        return [(int(r.node_ptr[s]), -1)] if r.target_ptr[s + 1] > r.target_ptr[s] else []

    def sweep(self, p: int, fired: list[int]) -> Process:
        """The sweep of a core over its neurons, or what comes from outside."""
        a, host, at = self.fabric.arrays, p == self.ports - 1, 0
        yield self.env.timeout(0.0 if host else a.fixed_s)
        port: Any = None
        for i in fired:
            s = int(self.r.slice_of_neuron[i])
            reached = int(a.base[self.phase, s] + (i - a.slice_first[s] + 1) * a.each[s])
            yield from self.work(p, (reached - at) * a.neuron_s + (0.0 if host else a.spike_s))
            at = reached
            for place, row in self.packets(i):
                if port is not None and port.is_alive:
                    yield port
                    yield from self.work(p, 0.0)
                port = self.env.process(self.send(_Packet(i, place, row, self.env.now)))
        yield from self.work(p, (int(a.work[self.phase, p]) - at) * a.neuron_s)
        self.sweep_end[p] = self.env.now
        self.swept[p].succeed()

    def send(self, packet: _Packet) -> Process:
        """The port of a core sends one packet."""
        onward = list(self.onward(packet))
        yield from self.reserve(onward, packet)
        yield from self.deliver(onward, self.fabric.arrays.inject_s)

    def work(self, p: int, seconds: float) -> Process:
        """The core is busy with its sweep; packets may interrupt it where they have priority."""
        if self.fabric.order != "interrupt":
            if seconds > 0:
                yield self.env.timeout(seconds)
            return
        while True:
            begin = None
            with self.cpu[p].request(priority=1, preempt=False) as request:
                try:
                    yield request
                    begin = self.env.now
                    yield self.env.timeout(seconds)
                    return
                except simpy.Interrupt:
                    seconds = max(0.0, seconds - (self.env.now - begin if begin is not None else 0.0))

    def arrive(self, core: int, packet: _Packet, row: int, service_s: float) -> Process:
        """A packet leaves the network and is served by its core."""
        a = self.fabric.arrays
        yield self.env.timeout(a.eject_s)
        self.figures(core, packet, row)
        if self.fabric.order == "sweep":
            yield self.swept[core]
        elif self.fabric.order == "parallel":
            yield self.env.timeout(max(0.0, a.fixed_s - self.env.now))
        with self.cpu[core].request(priority=0, preempt=self.fabric.order == "interrupt") as request:
            yield request
            yield self.env.timeout(service_s)
        self.owed[core] += service_s
        self.core_end[core] = max(self.core_end[core], self.env.now)
        if self.env.now > a.deadline_s:
            self.kept.late[core] += 1
            self.row[columns.LATE] += 1

    def figures(self, core: int, packet: _Packet, row: int) -> None:
        delay, figure = self.env.now - packet.hand_s, self.kept.figure
        figure[columns.DELIVERED] += 1
        figure[columns.LATENCY] += delay
        figure[columns.LATENCY_MAX] = max(figure[columns.LATENCY_MAX], delay)
        figure[columns.DISORDER] += packet.hand_s < self.latest[core]
        self.latest[core] = max(self.latest[core], packet.hand_s)
        if self.kept.delay_s.size and row >= 0:
            shift = abs(delay - self.kept.delay_s[row])
            if not np.isnan(shift):
                figure[columns.SHIFTS] += 1
                figure[columns.SHIFT] += shift
                figure[columns.SHIFT_MAX] = max(figure[columns.SHIFT_MAX], shift)
            self.kept.delay_s[row] = delay

    def lost(self, number: int) -> None:
        self.kept.lost[number] += 1
        self.row[columns.LOST] += 1

    def finish(self) -> None:
        a, row = self.fabric.arrays, self.row
        self.ends = np.maximum(self.sweep_end, self.core_end)
        cores = self.ends[:-1]
        worst = int(np.argmax(cores))
        row[columns.MAKESPAN], row[columns.WORST_CORE] = cores[worst], worst
        swept, owed = self.sweep_end[worst], self.owed[worst]
        row[columns.CORE_BUSY] = max(swept, owed) if self.fabric.order == "parallel" else swept + owed
        row[columns.CORE_BUSY] = min(row[columns.CORE_BUSY], row[columns.MAKESPAN])
        self.kept.missed[:-1] += cores > a.deadline_s
        row[columns.MISSED] = int((cores > a.deadline_s).sum())
        for number, queue in sorted(self.queues.items()):
            busy = queue.carried * queue.service_s
            if number < self.links and busy > row[columns.LINK_BUSY]:
                row[columns.LINK_BUSY], row[columns.WORST_LINK] = busy, number


def simulated_times(fabric: Fabric, raster: Raster, *, intervals: bool = False, ends: int = 0) -> StepTimes:
    """What `step_times` tells, each step simulated on its own."""
    raster = repeated(raster)
    total = raster.samples * raster.steps
    kept, rows = kept_of(fabric, intervals), np.zeros((total, columns.MISSED + 1))
    done = np.zeros((min(ends, total), fabric.ports))
    for row in range(total):
        if row % raster.steps == 0:
            kept.delay_s[:] = np.nan
        fired = raster.index[raster.indptr[row] : raster.indptr[row + 1]]
        step = _Step(fabric, kept, fired, fabric.phase(row % raster.steps))
        rows[row] = step.row
        if row < done.shape[0]:
            done[row] = step.ends
    return times_of(fabric, raster, rows, kept, done, intervals)
