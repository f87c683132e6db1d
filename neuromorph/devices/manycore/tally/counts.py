"""Counts of actions of a spiking network on a many-core chip, from the traffic its spikes make.

Actions of the network belong to the population whose spikes they are, neuron updates and synaptic events to the
population whose neurons they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.counts import Activity, ActivityRow
from neuromorph.devices.manycore.machine import Machine
from neuromorph.devices.manycore.reading import read_machine
from neuromorph.errors import InputError
from neuromorph.hardware.component import Component

if TYPE_CHECKING:
    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.devices.manycore.tally.spikes import Traffic

CHIP = "(chip)"
"""Stands for a population where an action belongs to all of them, as in the ledger's static rows."""


def gather_network(
    placement: CorePlacement,
    traffic: Traffic,
    seconds: float | None = None,
    skipped: np.ndarray | None = None,
    steps_used: np.ndarray | None = None,
) -> Activity:
    """Activity per sample of a placed network: means and standard deviations over the samples of the traffic.

    seconds: how long a sample takes; needed where cores draw active power all the time (core.active is "always") and
    steps have no length of their own. skipped: (populations,) neuron updates per sample that were not done; they count
    as updates without input. steps_used: (samples,) steps of samples that ended early. Raises InputError where seconds
    are needed and not given.
    """
    counter = _Counter(placement, traffic, skipped, steps_used)
    rows = [row for row in counter.rows(seconds) if row.mean > 0]
    return Activity(tuple(rows), "assumed" if traffic.assumed else "executed", {})


class _Counter:
    """What every count needs: the architecture, its prices, and the traffic by population."""

    def __init__(
        self, placement: CorePlacement, traffic: Traffic, skipped: np.ndarray | None, steps_used: np.ndarray | None
    ) -> None:
        self.placement, self.traffic, self.network = placement, traffic, placement.network
        self.skipped = np.zeros(len(self.network.populations)) if skipped is None else skipped
        self.steps = np.full(traffic.samples, traffic.steps) if steps_used is None else steps_used
        self.updates = traffic.updates if steps_used is None else self._updates(steps_used)
        self.names = [p.name for p in self.network.populations]
        self.chip = placement.architecture.chip
        self.tile = self.chip["tile"]
        self.core = self.tile["core"]
        self.machine: Machine = read_machine(placement.architecture)
        s = placement.slices
        self.outside = np.zeros(len(self.names), bool)
        self.outside[s.population[s.core < 0]] = True
        self.events = np.zeros((traffic.samples, len(self.names)))
        for k, p in enumerate(self.network.projections):
            self.events[:, p.target] += traffic.projection_events[:, k]

    def _updates(self, steps: np.ndarray) -> np.ndarray:
        """Neuron updates of samples of so many steps: (samples, populations)."""
        size = np.array([p.size * (p.model != "input") for p in self.network.populations], np.float64)
        starts = np.array([p.start for p in self.network.populations])
        found: np.ndarray = size * np.maximum(steps[:, None] - starts, 0)
        return found

    def rows(self, seconds: float | None) -> Iterator[ActivityRow]:
        yield from self._core()
        yield from self._busy(seconds)
        yield from self._packets()
        yield from self._memory()
        yield from self._interface()
        barrier = self.chip.get("barrier")
        if barrier is not None and self.machine.step_s is None:
            yield ActivityRow(CHIP, barrier.path, "barrier", float(self.steps.mean()), float(self.steps.std()))

    def _each(self, path: str, action: str, counts: np.ndarray) -> Iterator[ActivityRow]:
        """One row per population; counts: (samples, populations)."""
        mean, spread = counts.mean(axis=0), counts.std(axis=0)
        for k, name in enumerate(self.names):
            yield ActivityRow(name, path, action, float(mean[k]), float(spread[k]))

    def _core(self) -> Iterator[ActivityRow]:
        t, path, prices = self.traffic, self.core.path, _prices(self.core)
        active = self._active_updates()
        inside = t.spikes * ~self.outside
        yield from self._each(path, "update", active)
        yield from self._each(path, "idle_update", self.updates - active)
        yield from self._each(path, "synapse", self.events)
        yield from self._each(path, "spike", inside)
        yield from self._each(path, "receive", t.deliveries)
        yield from self._each(path, "learn", t.plastic_events)
        if "send" in prices:
            yield from self._each(path, "send", t.packets * ~self.outside)

    def _active_updates(self) -> np.ndarray:
        """Updates of neurons that get input, (samples, populations). A bias is input in every step; on the others
        events fall at random, so that of n updates with e events n (1 - exp(-e / n)) have any. All of them, where idle
        ones cost the same."""
        updates = self.updates
        done = np.maximum(updates - self.skipped, 0.0)
        if self.core.part is None or self.core.part.get("idle_update_energy") is None:
            return done
        per_update = np.divide(self.events, updates, out=np.zeros_like(self.events), where=updates > 0)
        biased = np.array([0.0 if p.bias is None else np.mean(p.bias != 0) for p in self.network.populations])
        return np.minimum(updates * (1.0 - (1.0 - biased) * np.exp(-per_update)), done)

    def _busy(self, seconds: float | None) -> Iterator[ActivityRow]:
        """Seconds for which cores draw active power. Actions without a known time are listed as times not modelled."""
        if "busy" not in _prices(self.core):
            return
        if self.core.settings.active == "always":
            yield from self._each(self.core.path, "busy", self._always(seconds))
            return
        t, times = self.traffic, self.machine.times
        parts = {
            "update": (times.neuron_s, self.updates),
            "synapse": (times.synapse_s, self.events),
            "spike": (times.spike_s, t.spikes * ~self.outside),
            "receive": (times.packet_s, t.deliveries),
            "learn": (times.plastic_s, t.plastic_events),
            "step": (times.step_s, np.outer(self.steps, self._cores())),
        }
        busy = sum((each * n for each, n in parts.values() if not math.isnan(each)), np.zeros_like(self.updates))
        yield from self._each(self.core.path, "busy", busy)
        for name, (each, n) in parts.items():
            if math.isnan(each):
                yield from self._each(f"{self.core.path}.time", name, n)

    def _always(self, seconds: float | None) -> np.ndarray:
        step = self.machine.step_s
        if seconds is None and step is None:
            raise InputError(
                f"{self.core.path}.active is always, but nobody says how long a sample takes",
                hint="give the seconds of a sample, or a real time of a step (chip.step)",
            )
        each = self.steps * (step or 0.0) if seconds is None else np.full(self.traffic.samples, seconds)
        return np.outer(each, self._cores())

    def _cores(self) -> np.ndarray:
        """Cores that hold each population; one that holds several counts in equal parts: (populations,)."""
        s = self.placement.slices
        here = s.core >= 0
        pairs = np.unique(np.stack([s.core[here], s.population[here]]), axis=1)
        holders = np.bincount(pairs[0], minlength=1)
        return np.bincount(pairs[1], weights=1.0 / holders[pairs[0]], minlength=len(self.names))

    def _packets(self) -> Iterator[ActivityRow]:
        t, bits = self.traffic, self.machine.packet_bits
        router, link = self.tile.get("router"), self.chip.get("link")
        if router is not None:
            yield from self._moved(router.path, _prices(router), t.packets + t.hops + t.bridge_hops)
        if link is not None:
            prices = _prices(link)
            if "packet_vertical" in prices:
                vertical = t.hops * self._vertical()
                yield from self._each(link.path, "packet", t.hops - vertical)
                yield from self._each(link.path, "packet_vertical", vertical)
            else:
                yield from self._moved(link.path, prices, t.hops)
        bridge = self.chip.get("bridge")
        if bridge is not None:
            yield from self._moved(bridge.path, _prices(bridge), t.bridge_hops)
        else:
            # a die's edge that nobody described is listed by the ledger as not modelled
            yield from self._each(f"{self.chip.path}.bridge", "transfer_bit", t.bridge_hops * bits)

    def _moved(self, path: str, prices: Mapping[str, object], packets: np.ndarray) -> Iterator[ActivityRow]:
        if "transfer_bit" in prices and "packet" not in prices:
            yield from self._each(path, "transfer_bit", packets * self.machine.packet_bits)
        else:
            yield from self._each(path, "packet", packets)

    def _vertical(self) -> np.ndarray:
        """Of each population's hops on a die, the part along columns: (populations,)."""
        r, grid, t = self.traffic.routes, self.placement.grid, self.traffic
        upright = np.array([dx == 0 for dx, _ in grid.step])
        link_upright = np.tile(upright, grid.tiles) & ~grid.link_is_bridge
        if r.multicast:
            first = r.node_target[r.node_ptr]
            used = first[:-1] < first[1:]
            sent = np.zeros(r.slices)
            sent[used] = t.target_packets[first[:-1][used]]
            owner = np.repeat(np.arange(r.slices), np.diff(r.node_ptr))
            links, packets, owner = r.node_link, sent[owner], owner
        else:
            target = np.repeat(np.arange(r.target_core.size), np.diff(r.path_ptr))
            links, packets, owner = r.path_link, t.target_packets[target], r.target_slice[target]
        real = (links >= 0) & ~grid.link_is_bridge[links]
        population = r.slice_population[owner[real]]
        every = np.bincount(population, weights=packets[real], minlength=len(self.names))
        steep = packets[real] * link_upright[links[real]]
        part = np.bincount(population, weights=steep, minlength=len(self.names))
        return np.divide(part, every, out=np.zeros(len(self.names)), where=every > 0)

    def _memory(self) -> Iterator[ActivityRow]:
        """Rows that lie in the tile's memory are read for each packet that finds one, and plastic ones written back."""
        memory, t, m = self.tile.get("memory"), self.traffic, self.machine
        if memory is None or not m.rows_in_tile:
            return
        yield from self._each(memory.path, "read_bit", t.rows * m.row_bits + t.events * m.synapse_bits)
        yield from self._each(memory.path, "write_bit", t.plastic_events * m.synapse_bits)

    def _interface(self) -> Iterator[ActivityRow]:
        """Spikes that come in from outside, and those of the outputs that leave. What leaves as values is one word per
        neuron and sample: a lower bound, since how often it is read is not known."""
        t, bits = self.traffic, self.machine.packet_bits
        moved = t.packets * self.outside * bits
        for k in self.network.outputs:
            population = self.network.populations[k]
            moved[:, k] += t.spikes[:, k] * bits if population.spiking else population.size * bits
        io = self.chip.get("io")
        yield from self._each(io.path if io is not None else f"{self.chip.path}.io", "transfer_bit", moved)


def _prices(component: Component) -> Mapping[str, object]:
    return component.kind.costs(component) if component.kind.costs else {}
