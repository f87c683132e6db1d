"""Cutting populations into slices that a core can hold: exact counts, coarse cuts first, refined where one is over.

The cost of a slice has a part that adds up over its neurons (state, delay ring, synapses) and a part that does not
(rows and axons: source neurons are counted once however many of their targets the slice holds). So every cut is
counted on the synapses themselves, which takes one pass, and only slices found too large are cut again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.devices.manycore.machine import Machine
from neuromorph.devices.manycore.place.connect import Contacts, connect
from neuromorph.spiking.network import SpikingNetwork

EVEN = 0.25
"""Share of a population's slices over a limit from which it is cut anew into equal parts."""

ROUNDS = 40
"""Rounds of cutting; the later half only halves what is over, which ends at single neurons."""

TOO_MANY = 8
"""Slices as multiples of the machine's cores at which cutting stops: it will not fit anyway."""

LIMITS = ("neurons", "core memory", "tile memory", "axons in", "axons out")


@dataclass(frozen=True, eq=False)
class Needs:
    """What every group (slice or core) takes: (groups,) each. neuron_bits: state, parameters and delay ring."""

    neurons: np.ndarray
    neuron_bits: np.ndarray
    synapse_bits: np.ndarray
    axons_in: np.ndarray
    axons_out: np.ndarray

    def degrees(self, machine: Machine, limited: np.ndarray, source: np.ndarray) -> np.ndarray:
        """Used over available for each of LIMITS: (limits, groups); 0 where there is no limit.

        limited: groups on cores; source: groups of spike sources, which have their own size and no state.
        """
        room = machine.core_memory - machine.core_reserved
        size = np.where(source, machine.source_neurons or np.inf, machine.neurons or np.inf)
        held = self.neuron_bits + (0.0 if machine.rows_in_tile else self.synapse_bits)
        memory = held / room if room > 0 else np.where(held > 0, np.inf, 0.0)
        tile = self.synapse_bits / machine.tile_memory if machine.rows_in_tile and machine.tile_memory else 0.0
        axons = [
            0.0 if most is None else used / most
            for used, most in ((self.axons_in, machine.axons_in), (self.axons_out, machine.axons_out))
        ]
        return np.where(limited, np.stack(np.broadcast_arrays(self.neurons / size, memory, tile, *axons)), 0.0)


@dataclass(frozen=True, eq=False)
class Cut:
    """Slices of all populations, ordered by population and start, and what each needs on a core of its own."""

    population: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    needs: Needs
    degrees: np.ndarray

    def __len__(self) -> int:
        return int(self.population.size)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.population, self.start, self.stop

    @property
    def sizes(self) -> np.ndarray:
        found: np.ndarray = self.stop - self.start
        return found


def delay_slots(network: SpikingNetwork, machine: Machine) -> np.ndarray:
    """Slots of the delay ring of each population's neurons: its longest delay, as far as the core itself delays."""
    slots = np.zeros(len(network.populations))
    for p in network.projections:
        if p.synapses:
            slots[p.target] = max(slots[p.target], min(max(p.max_delay, 1), machine.max_delay))
    return slots


def is_source(network: SpikingNetwork) -> np.ndarray:
    """Whether a population only sends spikes it is told: (populations,) bool."""
    return np.array([p.model == "input" for p in network.populations], bool)


def on_host(network: SpikingNetwork, machine: Machine) -> np.ndarray:
    """Whether a population's spikes come from outside: (populations,) bool."""
    return is_source(network) & (machine.input_source == "host")


def measure(
    network: SpikingNetwork, machine: Machine, cut: tuple[np.ndarray, ...], contacts: Contacts, synapses: np.ndarray
) -> Needs:
    """Needs of every slice from its contacts. synapses: running sum of the synapses into neurons, (neurons + 1,)."""
    population, start, stop = cut
    size = (stop - start).astype(np.float64)
    first = network.first[population]
    state = machine.state_bits + machine.buffer_bits * delay_slots(network, machine)
    state[is_source(network)] = 0.0
    reached = np.concatenate(([0], np.cumsum(contacts.out, dtype=np.int64)))
    bits = (synapses[first + stop] - synapses[first + start]) * machine.synapse_bits + contacts.rows * machine.row_bits
    return Needs(
        neurons=size,
        neuron_bits=size * state[population],
        synapse_bits=bits.astype(np.float64),
        axons_in=contacts.rows.astype(np.float64),
        axons_out=(reached[first + stop] - reached[first + start]).astype(np.float64),
    )


def cut_populations(network: SpikingNetwork, machine: Machine, synapses: np.ndarray) -> Cut:
    """Slices within every limit of a core, as far as cutting can reach it: slices of one neuron may still be over."""
    sizes = np.array([p.size for p in network.populations], np.int64)
    source, host = is_source(network), on_host(network, machine)
    parts = [_even(n, k) for n, k in zip(sizes.tolist(), _first_counts(network, machine, synapses), strict=True)]
    ones = np.ones(network.neurons)
    most = TOO_MANY * machine.tiles * machine.cores_per_tile
    for turn in range(ROUNDS):
        population = np.repeat(np.arange(sizes.size, dtype=np.int32), [len(p) - 1 for p in parts])
        start = np.concatenate([p[:-1] for p in parts]) if parts else np.empty(0, np.int64)
        stop = np.concatenate([p[1:] for p in parts]) if parts else np.empty(0, np.int64)
        bounds = (population, start, stop)
        group = np.repeat(np.arange(population.size, dtype=np.int32), stop - start)
        contacts = connect(network, bounds, group, population.size, ones)
        needs = measure(network, machine, bounds, contacts, synapses)
        degrees = needs.degrees(machine, ~host[population], source[population])
        worst = degrees.max(axis=0, initial=0.0)
        over = (worst > 1 + 1e-12) & (stop - start > 1)
        if not over.any() or population.size > most:
            break
        for i in np.unique(population[over]).tolist():
            own = population == i
            parts[i] = _recut(parts[i], worst[own], over[own], gently=turn >= ROUNDS // 2)
    return Cut(population, start, stop, needs, degrees)


def _first_counts(network: SpikingNetwork, machine: Machine, synapses: np.ndarray) -> list[int]:
    """Parts of each population by what surely adds up: neurons, state and synapses, one row header per source."""
    room = max(machine.core_memory - machine.core_reserved, 1.0)
    slots, source, host = delay_slots(network, machine), is_source(network), on_host(network, machine)
    counts = []
    for i, p in enumerate(network.populations):
        most = machine.source_neurons if source[i] else machine.neurons
        need = [p.size / most] if most else [1.0]
        if not source[i]:
            first, last = network.first[i], network.first[i + 1]
            bits = float(synapses[last] - synapses[first]) * machine.synapse_bits
            state = p.size * (machine.state_bits + machine.buffer_bits * slots[i])
            need.append((state + (0.0 if machine.rows_in_tile else bits)) / room)
            if machine.rows_in_tile and machine.tile_memory:
                need.append(bits / machine.tile_memory)
        elif host[i] and not machine.source_neurons and machine.neurons:
            need = [p.size / machine.neurons]
        counts.append(min(max(1, int(np.ceil(max(need) - 1e-9))), max(p.size, 1)))
    return counts


def _even(size: int, parts: int) -> np.ndarray:
    """Borders of nearly equal parts, the larger ones first: at most ceil(size / parts) neurons each."""
    if size == 0:
        return np.zeros(1, np.int64)
    return np.array([-(-size * k // parts) for k in range(parts + 1)], np.int64)


def _recut(borders: np.ndarray, degree: np.ndarray, over: np.ndarray, gently: bool) -> np.ndarray:
    """Finer borders of one population: equal parts where many slices are over, else only those are cut."""
    size, count = int(borders[-1]), len(borders) - 1
    if not gently and over.sum() > EVEN * count:
        finite = np.minimum(degree[over], size)
        return _even(size, min(size, max(count + 1, int(np.ceil(count * float(finite.mean()) - 1e-9)))))
    width = np.diff(borders)
    cuts = np.where(over, 2 if gently else np.minimum(np.ceil(np.minimum(degree, size)), width), 1).astype(np.int64)
    cuts = np.where(over, np.minimum(np.maximum(cuts, 2), width), 1)
    pieces = [np.zeros(1, np.int64)]
    for first, w, k in zip(borders[:-1].tolist(), width.tolist(), cuts.tolist(), strict=True):
        pieces.append(first + _even(w, k)[1:])
    return np.concatenate(pieces)


def pack(cut: Cut, machine: Machine, alone: np.ndarray) -> np.ndarray:
    """Group (core) of every slice: slices share cores, first fit in order, where the machine lets them.

    alone: slices that never share, (slices,) bool. Numbers of groups rise with their first slice. Axons are added up,
    though two slices may have sources in common: what is packed always fits, and is counted again afterwards.
    """
    if not machine.shares_cores:
        return np.arange(len(cut), dtype=np.int32)
    group = np.empty(len(cut), np.int32)
    used = np.zeros((len(LIMITS), len(cut)))
    shut = np.zeros(len(cut), bool)
    count = 0
    for i in range(len(cut)):
        need = cut.degrees[:, i]
        if not alone[i]:
            fits = np.flatnonzero((used[:, :count] + need[:, None] <= 1 + 1e-12).all(axis=0) & ~shut[:count])
            if fits.size:
                group[i] = fits[0]
                used[:, fits[0]] += need
                continue
        group[i] = count
        used[:, count] = need
        shut[count] = alone[i]
        count += 1
    return group


def merged(network: SpikingNetwork, cut: Cut, group: np.ndarray, contacts: Contacts, machine: Machine) -> Needs:
    """Needs of groups of slices on one core each. group: of every slice, -1 outside; contacts: counted by group."""
    inside = group >= 0

    def total(column: np.ndarray) -> np.ndarray:
        return np.bincount(group[inside], weights=column[inside], minlength=contacts.rows.size)

    first = network.first[cut.population]
    reached = np.concatenate(([0], np.cumsum(contacts.out, dtype=np.int64)))
    twice = total(cut.needs.axons_in) - contacts.rows
    return Needs(
        total(cut.needs.neurons),
        total(cut.needs.neuron_bits),
        total(cut.needs.synapse_bits) - twice * machine.row_bits,
        contacts.rows.astype(np.float64),
        total((reached[first + cut.stop] - reached[first + cut.start]).astype(np.float64)),
    )
