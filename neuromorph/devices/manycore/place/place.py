"""Placing a spiking network on a many-core chip: cut, pack, place, route, count, check every limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.devices.manycore.machine import Machine
from neuromorph.devices.manycore.place import fit
from neuromorph.devices.manycore.place.connect import Contacts, connect, delayed_beyond, fan_in, neuron_targets
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.place.routes import Routes, find_routes, trees
from neuromorph.devices.manycore.place.search import EFFORT, search
from neuromorph.devices.manycore.place.search import Problem as Demand
from neuromorph.devices.manycore.place.shapes import HOST, Grid, Lists, Routing, Slices
from neuromorph.devices.manycore.place.slicing import Cut, Needs, cut_populations, is_source, merged, on_host, pack
from neuromorph.devices.manycore.place.tables import assign_keys, count_entries
from neuromorph.errors import FitError, InputError, Problem, suggest
from neuromorph.hardware.component import Architecture
from neuromorph.progress import Progress, silent
from neuromorph.spiking.network import SpikingNetwork

if TYPE_CHECKING:
    from neuromorph.graph.model import Graph

MOST_TILES = 16_384
"""Tiles a grid may have: routes between all of them are held."""


@dataclass(frozen=True, eq=False)
class Packed:
    """A network cut into slices and put into groups, one for each core it takes. group: of every slice, HOST outside.
    contacts, needs: of the groups. synapses: into each neuron. extended: slices whose delays need a further core."""

    cut: Cut
    group: np.ndarray
    contacts: Contacts
    needs: Needs
    synapses: np.ndarray
    extended: np.ndarray

    @property
    def groups(self) -> int:
        return int(self.needs.neurons.size)


def place_network(
    network: SpikingNetwork,
    architecture: Architecture,
    machine: Machine,
    *,
    graph: Graph | None = None,
    rates: np.ndarray | None = None,
    seed: int = 0,
    effort: str = "normal",
    progress: Progress | None = None,
) -> CorePlacement:
    """Place a spiking network on the cores of a many-core chip.

    rates: expected spikes per neuron and sample, (neurons,), by default one of each neuron: packets are then in units
    of that. effort: none, quick, normal or thorough. progress: called with the fraction of the work that is done and
    what comes next. Delays shorter than the machine's are raised for all projections alike (see `with_min_delay`). The
    result depends on the arguments alone, not on time or the number of processors.

    Raises FitError with every limit the network exceeds, by how much and what would fit; InputError for rates of
    another shape, negative or not finite, and an unknown effort.
    """
    say = progress or silent
    if effort not in EFFORT:
        raise InputError(f"effort is {effort!r}", hint=suggest(effort, EFFORT))
    weights = _rates(network, rates)
    network = _delayed(network, machine)
    grid = grid_of(machine)
    say(0.0, "cutting populations into slices")
    packed = pack_network(network, architecture, machine, weights)
    say(0.35, "finding routes")
    routes = find_routes(grid)
    say(0.4, "placing cores")
    demand = _demand(machine, packed, weights, network)
    found = search(demand, grid, routes, seed, effort)
    say(0.8, "routing and merging tables")
    placement = assemble(
        network, architecture, machine, packed, found.slot, grid, routes, found.costs, graph=graph, seed=seed,
        effort=effort, packets=float((demand.weight if machine.multicast else demand.packets).sum()),
        measured=rates is not None,
    )  # fmt: skip
    say(1.0, "done")
    return placement


def grid_of(machine: Machine) -> Grid:
    """The machine's tiles as routers see them."""
    return Grid(
        machine.columns, machine.rows, machine.tiles, machine.cores_per_tile, machine.topology, machine.die_columns,
        machine.die_rows,
    )  # fmt: skip


def pack_network(
    network: SpikingNetwork,
    architecture: Architecture,
    machine: Machine,
    rates: np.ndarray,
    cut: Cut | None = None,
    group: np.ndarray | None = None,
) -> Packed:
    """Cut and pack a network, or count what a given cut and grouping needs. Raises FitError with all problems."""
    count = fan_in(network)
    synapses = np.concatenate(([0], np.cumsum(count)))
    problems = list(fit.neuron_problems(network, machine, count))
    if machine.tiles > MOST_TILES:
        problems.append(Problem(f"{machine.tiles:,} tiles", hint=f"at most {MOST_TILES:,}"))
    if cut is None:
        cut = cut_populations(network, machine, synapses)
    problems += fit.slice_problems(network, machine, cut)
    if group is None:
        group = _group(network, machine, cut)
    groups = int(group.max(initial=-1)) + 1
    of_neuron = np.repeat(group, cut.sizes).astype(np.int32)
    late = np.concatenate(([0], np.cumsum(delayed_beyond(network, machine.max_delay))))
    first = network.first[cut.population]
    extended = np.flatnonzero(machine.delay_extension & (late[first + cut.stop] > late[first + cut.start]))
    path = fit.component_path(architecture, "core")
    crowded = fit.core_problem(network, machine, cut, groups, extended.size, path)
    problems += [crowded] if crowded else []
    if any(np.any(of_neuron[network.first[p.target] : network.first[p.target + 1]] < 0) for p in network.projections):
        raise FitError(problems)  # synapses onto spike sources outside: nothing to count
    contacts = connect(network, cut.bounds, of_neuron, groups, rates)
    needs = merged(network, cut, group, contacts, machine)
    full = fit.tile_problem(network, machine, needs)
    problems += [full] if full else []
    if problems:
        raise FitError(problems)
    return Packed(cut, group, contacts, needs, count, extended)


def _group(network: SpikingNetwork, machine: Machine, cut: Cut) -> np.ndarray:
    host = on_host(network, machine)[cut.population]
    group = np.full(len(cut), HOST, np.int32)
    inside = np.flatnonzero(~host)
    chosen = Cut(cut.population[inside], cut.start[inside], cut.stop[inside], cut.needs, cut.degrees[:, inside])
    group[inside] = pack(chosen, machine, is_source(network)[chosen.population])
    return group


def assemble(
    network: SpikingNetwork,
    architecture: Architecture,
    machine: Machine,
    packed: Packed,
    slot: np.ndarray,
    grid: Grid,
    routes: Routes,
    costs: Mapping[str, float],
    *,
    graph: Graph | None,
    seed: int,
    effort: str,
    packets: float,
    measured: bool,
) -> CorePlacement:
    """Everything that follows from which core each group sits on. Raises FitError for routing tables too long."""
    cut, needs, cores = packed.cut, packed.needs, grid.tiles * grid.cores_per_tile
    outside = packed.group == HOST
    core = np.where(outside, HOST, slot[np.maximum(packed.group, 0)]) if slot.size else packed.group
    slices = Slices(cut.population, cut.start, cut.stop, core.astype(np.int32))
    routing = _route(network, machine, packed, slices, slot, grid, routes)
    path = fit.component_path(architecture, "router", "noc")
    problem = fit.router_problem(machine, routing.entries, routing.entries_raw, path) if machine.multicast else None
    if problem:
        raise FitError(problem)
    synapse_bits, neuron_bits = np.zeros(cores), np.zeros(cores)
    synapse_bits[slot], neuron_bits[slot] = needs.synapse_bits, needs.neuron_bits
    sdram = synapse_bits.reshape(grid.tiles, -1).sum(axis=1) if machine.rows_in_tile else np.zeros(grid.tiles)
    delays = _delay_cores(packed, slices, slot, grid, routes)
    limits = fit.limits_of(
        network, architecture, machine, needs=needs, group=packed.group, cut=cut,
        cores=packed.groups + delays.size, sdram_bits=sdram, fan_in=packed.synapses, entries=routing.entries,
    )  # fmt: skip
    return CorePlacement(
        graph, network, architecture, grid, slices, routing, synapse_bits, neuron_bits, sdram, limits,
        costs, seed, effort, delays, packets, measured,
    )  # fmt: skip


def _rates(network: SpikingNetwork, rates: np.ndarray | None) -> np.ndarray:
    if rates is None:
        return np.ones(network.neurons)
    given = np.ascontiguousarray(rates, np.float64)
    if given.shape != (network.neurons,):
        raise InputError(f"rates have shape {given.shape}", hint=f"({network.neurons},), spikes per neuron and sample")
    wrong = np.flatnonzero(~(np.isfinite(given) & (given >= 0)))
    if wrong.size:
        raise InputError(f"the rate of neuron {wrong[0]} is {given[wrong[0]]}", hint="finite and at least 0")
    return given


def _delayed(network: SpikingNetwork, machine: Machine) -> SpikingNetwork:
    """The network with the delays the hardware adds, where some are shorter than it can make them."""
    least = min((int(p.delay.min()) for p in network.projections if p.synapses), default=machine.min_delay)
    if least >= machine.min_delay:
        return network
    from neuromorph.spiking.lower import with_min_delay

    return with_min_delay(network, machine.min_delay)


def _demand(machine: Machine, packed: Packed, rates: np.ndarray, network: SpikingNetwork) -> Demand:
    cut = packed.cut
    spikes = np.concatenate(([0.0], np.cumsum(rates)))
    first = network.first[cut.population]
    weight = spikes[first + cut.stop] - spikes[first + cut.start]
    reaching = np.diff(packed.contacts.targets.indptr) > 0
    return Demand(
        packed.groups,
        packed.group,
        packed.contacts.targets,
        packed.contacts.packets,
        np.where(reaching, weight, 0.0),
        machine.multicast,
        packed.needs.synapse_bits if machine.rows_in_tile else np.zeros(packed.groups),
        float(machine.tile_memory) if machine.rows_in_tile and machine.tile_memory else np.inf,
    )


def _route(
    network: SpikingNetwork,
    machine: Machine,
    packed: Packed,
    slices: Slices,
    slot: np.ndarray,
    grid: Grid,
    routes: Routes,
) -> Routing:
    """Target cores (rising), trees, keys and table sizes."""
    reached = packed.contacts.targets
    row = np.repeat(np.arange(len(slices)), np.diff(reached.indptr))
    to = slot[reached.items]
    targets = Lists(reached.indptr, to[np.lexsort((to, row))].astype(np.int32))
    root = np.where(slices.core == HOST, 0, slices.core // grid.cores_per_tile)
    links = trees(grid, routes, root, Lists(targets.indptr, targets.items // np.int32(grid.cores_per_tile)))
    key, mask = assign_keys(grid, slices)
    entries = raw = np.zeros(grid.tiles, np.int32)
    lists = None
    if machine.multicast:
        entries, raw = count_entries(grid, root, targets, links, key, mask)
    else:
        core = np.repeat(slices.core, packed.cut.sizes).astype(np.int32)
        lists = neuron_targets(network, core, grid.tiles * grid.cores_per_tile, packed.contacts.out)
    return Routing(machine.multicast, targets, links, lists, key, mask, entries, raw)


def _delay_cores(packed: Packed, slices: Slices, slot: np.ndarray, grid: Grid, routes: Routes) -> np.ndarray:
    """A free core for every slice with delays beyond the cores' own, as near to the slice as there is one."""
    free = np.ones(grid.tiles * grid.cores_per_tile, bool)
    free[slot] = False
    chosen = []
    for i in packed.extended.tolist():
        home = max(int(slices.core[i]), 0) // grid.cores_per_tile
        spare = np.flatnonzero(free)
        best = int(spare[np.argmin(routes.hops[home, spare // grid.cores_per_tile])])
        free[best] = False
        chosen.append(best)
    return np.array(chosen, np.int32)
