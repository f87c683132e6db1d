"""Limits of a many-core chip against what a network needs of it; refusals name the smallest change that would fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from neuromorph.devices.manycore.machine import Machine
from neuromorph.devices.manycore.place.connect import sources_of
from neuromorph.devices.manycore.place.slicing import LIMITS, Cut, Needs, is_source
from neuromorph.devices.protocol import Limit
from neuromorph.errors import Place, Problem
from neuromorph.hardware.component import Architecture
from neuromorph.spiking.network import SpikingNetwork

SETTINGS = {
    "neurons": "neurons",
    "core memory": "core_memory",
    "tile memory": "tile_memory",
    "axons in": "axons_in",
    "axons out": "axons_out",
}


def neuron_problems(network: SpikingNetwork, machine: Machine, fan_in: np.ndarray) -> Iterator[Problem]:
    """What no cut can mend: fan-in of a neuron, delays, synapses onto spike sources, rows beyond all memory."""
    for i, p in enumerate(network.populations):
        own = fan_in[network.first[i] : network.first[i + 1]]
        if p.model == "input" and own.any():
            yield Problem(f"population {p.name} only sends spikes, neuron {int(own.argmax())} has synapses onto it")
        if machine.fan_in is None or not own.size or own.max() <= machine.fan_in:
            continue
        worst, over = int(own.argmax()), int((own > machine.fan_in).sum())
        more = f" ({over} neurons are over)" if over > 1 else ""
        yield Problem(
            f"population {p.name}: fan-in {own[worst]:,} of neuron {worst} exceeds {machine.fan_in:,}{more}",
            hint=f"prune {own[worst] - machine.fan_in:,} synapses or raise fan_in to {own[worst]}",
        )
    for projection in network.projections:
        if machine.delay_extension or projection.max_delay <= machine.max_delay or not projection.synapses:
            continue
        late = int((projection.delay > machine.max_delay).sum()) if projection.delay.size > 1 else projection.synapses
        yield Problem(
            f"projection {projection.name}: {late:,} of {projection.synapses:,} synapses have delays up to "
            f"{projection.max_delay} steps, cores delay by {machine.max_delay}",
            hint=f"shorten delays to {machine.max_delay} or raise max_delay to {projection.max_delay}",
        )


def slice_problems(network: SpikingNetwork, machine: Machine, cut: Cut) -> Iterator[Problem]:
    """Slices that are over a limit though they cannot be cut further, one problem for each population and limit."""
    for k, limit in enumerate(LIMITS):
        over = (cut.degrees[k] > 1 + 1e-12) & (cut.sizes == 1)
        for i in np.unique(cut.population[over]).tolist():
            own = np.flatnonzero(over & (cut.population == i))
            worst = int(own[np.argmax(cut.degrees[k, own])])
            yield _alone(network, machine, cut, limit, worst, own.size)


def _alone(network: SpikingNetwork, machine: Machine, cut: Cut, limit: str, worst: int, count: int) -> Problem:
    p, neuron = network.populations[cut.population[worst]], int(cut.start[worst])
    head = f"population {p.name}: neuron {neuron} alone"
    more = f" ({count} neurons are over)" if count > 1 else ""
    needs = cut.needs
    if limit == "axons in":
        have = int(machine.axons_in or 0)
        used = int(sources_of(network, int(network.first[cut.population[worst]]) + neuron))
        text = f"has synapses from {used:,} neurons, a core takes {have:,} axons in"
        hint = f"prune the synapses from {used - have:,} of them or raise axons_in to {used}"
    elif limit == "axons out":
        used, have = int(needs.axons_out[worst]), int(machine.axons_out or 0)
        text = f"reaches {used:,} cores, a core has {have:,} axons out"
        hint = f"prune the targets on {used - have:,} of these cores or raise axons_out to {used}"
    elif limit == "tile memory":
        need, room = float(needs.synapse_bits[worst]), float(machine.tile_memory or 0.0)
        text = f"needs {_kib(need)} of tile memory for its synaptic rows, a tile has {_kib(room)}"
        hint = f"prune {_synapses(need - room, machine)} synapses or raise tile_memory to {_kib(need)}"
    else:
        need = float(needs.neuron_bits[worst] + (0.0 if machine.rows_in_tile else needs.synapse_bits[worst]))
        room = machine.core_memory - machine.core_reserved
        text = f"needs {_kib(need)} of core memory, a core has {_kib(room)} for neurons and synapses"
        hint = f"raise the core's memory by {_kib(need - room)}"
        if not machine.rows_in_tile and needs.neuron_bits[worst] < room:
            hint = f"prune {_synapses(need - room, machine)} synapses or " + hint
    return Problem(f"{head} {text}{more}", hint=hint)


def core_problem(
    network: SpikingNetwork, machine: Machine, cut: Cut, cores: int, extensions: int, path: str
) -> Problem | None:
    """More cores needed than there are: how many, who takes most of them and what cut it so finely."""
    have = machine.tiles * machine.cores_per_tile
    need = cores + extensions
    if need <= have:
        return None
    sizes = np.bincount(cut.population[cut.degrees.any(axis=0)], minlength=len(network.populations))
    worst = int(sizes.argmax())
    own = cut.population == worst
    binding = LIMITS[int(cut.degrees[:, own].max(axis=1).argmax())]
    tiles = -(-(need - have) // machine.cores_per_tile)
    delayed = f" ({extensions:,} of them to extend delays)" if extensions else ""
    return Problem(
        f"the network needs {need:,} cores{delayed}, {machine.name} has {have:,}; population "
        f"{network.populations[worst].name} takes {sizes[worst]:,} slices because of {binding}",
        Place(key=path),
        f"needs {need - have:,} more cores ({tiles:,} more tile{'s' * (tiles > 1)}) or a higher {SETTINGS[binding]}",
    )


def tile_problem(network: SpikingNetwork, machine: Machine, needs: Needs) -> Problem | None:
    """More synaptic rows than all tiles together hold."""
    if not machine.rows_in_tile or not machine.tile_memory:
        return None
    need, have = float(needs.synapse_bits.sum()), machine.tile_memory * machine.tiles
    if need <= have:
        return None
    heavy = max(network.projections, key=lambda p: p.synapses)
    return Problem(
        f"synaptic rows need {_kib(need)}, the {machine.tiles} tiles have {_kib(have)}; most are of projection "
        f"{heavy.name}",
        hint=f"{int(np.ceil((need - have) / machine.tile_memory - 1e-9))} more tiles or tile_memory of "
        f"{_kib(need / machine.tiles)}",
    )


def router_problem(machine: Machine, entries: np.ndarray, raw: np.ndarray, path: str) -> Problem | None:
    """A routing table longer than a router holds, after merging."""
    if machine.router_entries is None or entries.max(initial=0) <= machine.router_entries:
        return None
    worst = int(entries.argmax())
    over = int((entries > machine.router_entries).sum())
    return Problem(
        f"the router of tile {worst} (x {worst % machine.columns}, y {worst // machine.columns}) needs "
        f"{entries[worst]:,} entries ({raw[worst]:,} before merging), it has {machine.router_entries:,}"
        + (f"; {over} tiles are over" if over > 1 else ""),
        Place(key=path),
        f"{entries[worst] - machine.router_entries:,} entries fewer: larger slices, fewer projections across tiles, "
        f"more effort, or router_entries of {entries[worst]}",
    )


def limits_of(
    network: SpikingNetwork,
    architecture: Architecture,
    machine: Machine,
    *,
    needs: Needs,
    group: np.ndarray,
    cut: Cut,
    cores: int,
    sdram_bits: np.ndarray,
    fan_in: np.ndarray,
    entries: np.ndarray,
) -> tuple[Limit, ...]:
    """Every limit the machine has, with the core, tile or neuron that uses most of it."""
    core, router, tile = (component_path(architecture, *names) for names in (("core",), ("router", "noc"), ("memory",)))
    name_of = _names(network, cut, group)
    source = _sources(network, cut, group, needs.neurons.size)
    limits = [Limit("cores", core, cores, machine.tiles * machine.cores_per_tile, "", True)]

    def add(name: str, path: str, used: np.ndarray, have: float | None, unit: str = "", names: bool = True) -> None:
        if have is None or not used.size:
            return
        worst = int(used.argmax())
        limits.append(Limit(name, path, float(used[worst]), have, unit, True, name_of(worst) if names else ""))

    held = needs.neuron_bits + (0.0 if machine.rows_in_tile else needs.synapse_bits)
    add("neurons per core", core, np.where(source, 0, needs.neurons), machine.neurons)
    if source.any() and machine.source_neurons:
        add("spike sources per core", core, np.where(source, needs.neurons, 0), machine.source_neurons)
    add("core memory", core, held + machine.core_reserved, machine.core_memory, "bit")
    add("axons into a core", core, needs.axons_in, machine.axons_in)
    add("axons out of a core", core, needs.axons_out, machine.axons_out)
    if machine.fan_in is not None and fan_in.size:
        worst = int(fan_in.argmax())
        owner = network.populations[int(np.searchsorted(network.first, worst, "right")) - 1].name
        limits.append(Limit("fan-in of a neuron", core, float(fan_in[worst]), machine.fan_in, "", True, owner))
    if machine.rows_in_tile:
        add("tile memory", tile, sdram_bits, machine.tile_memory, "bit", names=False)
    if network.max_delay and not machine.delay_extension:
        longest = max(network.projections, key=lambda p: p.max_delay)
        owner = network.populations[longest.target].name
        limits.append(Limit("delay", core, longest.max_delay, machine.max_delay, "steps", True, owner))
    if machine.multicast:
        add("routing table", router, entries.astype(np.float64), machine.router_entries, names=False)
    return tuple(limits)


def component_path(architecture: Architecture, *names: str) -> str:
    """Path of the first component of one of these names or kinds, the chip's where there is none."""
    for component, _ in architecture.chip.walk():
        if component.name in names or component.kind.family in names:
            return component.path
    return architecture.chip.path


def _names(network: SpikingNetwork, cut: Cut, group: np.ndarray) -> Callable[[int], str]:
    def name(g: int) -> str:
        own = np.flatnonzero(group == g)
        return network.populations[int(cut.population[own[0]])].name if own.size else ""

    return name


def _sources(network: SpikingNetwork, cut: Cut, group: np.ndarray, groups: int) -> np.ndarray:
    found = np.zeros(groups, bool)
    found[group[is_source(network)[cut.population] & (group >= 0)]] = True
    return found


def _synapses(bits: float, machine: Machine) -> str:
    return f"{int(np.ceil(bits / machine.synapse_bits)):,}" if machine.synapse_bits > 0 else "some"


def _kib(bits: float) -> str:
    return f"{bits / 8192:,.2f} KiB"
