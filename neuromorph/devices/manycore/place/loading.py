"""Reading placements of spiking networks back; see `devices.placed_file` for the form.

What is stored are the decisions: slices and their cores. Trees, keys, tables, memory and limits are derived again and
checked, so that a file made for another network is refused with the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices import placed_file
from neuromorph.devices.manycore.machine import Machine
from neuromorph.devices.manycore.place.connect import connect, fan_in
from neuromorph.devices.manycore.place.place import Packed, assemble, grid_of, pack_network
from neuromorph.devices.manycore.place.placement import STORED, CorePlacement, described
from neuromorph.devices.manycore.place.routes import find_routes
from neuromorph.devices.manycore.place.search import EFFORT
from neuromorph.devices.manycore.place.shapes import HOST
from neuromorph.devices.manycore.place.slicing import Cut, is_source, measure, on_host
from neuromorph.devices.manycore.reading import read_machine
from neuromorph.devices.placed_file import AGAIN, get, is_number
from neuromorph.errors import FitError, InputError, Place
from neuromorph.hardware.component import Architecture
from neuromorph.spiking.network import SpikingNetwork

if TYPE_CHECKING:
    from neuromorph.graph.model import Graph


def load_placement(
    path: str | Path,
    network: SpikingNetwork,
    architecture: Architecture,
    machine: Machine | None = None,
    *,
    graph: Graph | None = None,
) -> CorePlacement:
    """Read a placement for this network (with the delays the hardware adds) and architecture.

    machine: what the architecture offers, read from it by default. Raises InputError where the file is broken or was
    made for another network or architecture, FitError where what it says does not fit.
    """
    where = Place(file=str(path))
    document, columns = placed_file.read(path, architecture.chip.kind.name, architecture, STORED)
    _same_network(document, network, where)
    machine = machine or read_machine(architecture)
    grid = grid_of(machine)
    _check(columns, network, machine, where)
    packed, slot = _packed(columns, network, architecture, machine)
    costs = _numbers(get(document, "costs", dict, where), where)
    effort = get(document, "effort", str, where)
    if effort not in EFFORT or "optimised" not in costs:
        raise InputError("the search is not described", where, AGAIN)
    packets: Any = document.get("packets")
    if not is_number(packets):
        raise InputError(f"packets are {packets!r:.60}", Place(str(path), key="packets"), AGAIN)
    placement = assemble(
        network, architecture, machine, packed, slot, grid, find_routes(grid), costs, graph=graph,
        seed=get(document, "seed", int, where), effort=effort, packets=float(packets),
        measured=get(document, "measured", bool, where),
    )  # fmt: skip
    over = [limit for limit in placement.limits if limit.hard and limit.degree > 1 + 1e-12]
    if over:
        raise FitError(f"{over[0].name} needs {over[0].used:g}, has {over[0].available:g}", where, AGAIN)
    return placement


def _same_network(document: Mapping[str, Any], network: SpikingNetwork, where: Place) -> None:
    stored, ours = get(document, "network", dict, where), described(network)
    for key, what in (
        ("populations", ("name", "neurons", "model")),
        ("projections", ("name", "from", "to", "synapses")),
    ):
        theirs = get(stored, key, list, where)
        if len(theirs) != len(ours[key]):
            difference = f"{len(theirs)} {key} in the placement, {len(ours[key])} here"
            raise InputError(f"made for another network: {difference}", where, AGAIN)
        for i, (a, b) in enumerate(zip(theirs, ours[key], strict=True)):
            if a == b:
                continue
            parts = [f"{n} {x!r:.60} and {y!r:.60}" for n, x, y in zip(what, a, b, strict=False) if x != y]
            text = "; ".join(parts) or "other targets or delays"
            raise InputError(
                f"made for another network: {key[:-1]} {i} ({b[0]}) differs between file and network: {text}",
                where,
                AGAIN,
            )


def _check(columns: Mapping[str, np.ndarray], network: SpikingNetwork, machine: Machine, where: Place) -> None:
    """Slices must cover every population in order, and lie on cores that exist, apart unless cores are shared."""
    at = Place(where.file, key="columns")
    population, start, stop, core = (columns[n] for n in STORED)
    sizes = [p.size for p in network.populations]
    if len({c.shape for c in columns.values()}) > 1 or population.ndim != 1:
        raise InputError("columns are of different length", at, AGAIN)
    if population.size and (population.min() < 0 or population.max() >= len(sizes)):
        raise InputError("a slice of a population that the network does not have", at, AGAIN)
    for i, size in enumerate(sizes):
        own = population == i
        borders = np.concatenate(([0], stop[own]))
        if np.any(start[own] != borders[:-1]) or borders[-1] != size or np.any(stop[own] <= start[own]):
            raise InputError(f"the slices of {network.populations[i].name} do not cover its {size} neurons", at, AGAIN)
    if np.any(np.diff(population) < 0):
        raise InputError("slices are not in the order of populations", at, AGAIN)
    outside = on_host(network, machine)[population]
    cores = machine.tiles * machine.cores_per_tile
    if np.any((core < 0) != outside) or np.any(core < HOST) or np.any(core >= cores):
        raise InputError(f"a slice lies on no core of 0..{cores - 1}", at, AGAIN)
    inside = core[~outside]
    if not machine.shares_cores and np.unique(inside).size != inside.size:
        raise InputError("two slices lie on one core", at, AGAIN)


def _packed(
    columns: Mapping[str, np.ndarray], network: SpikingNetwork, architecture: Architecture, machine: Machine
) -> tuple[Packed, np.ndarray]:
    """The stored cut, counted again, and the core of every group."""
    population, core = columns["population"].astype(np.int32), columns["core"]
    bounds = (population, columns["start"], columns["stop"])
    ones = np.ones(network.neurons)
    slices = np.repeat(np.arange(population.size, dtype=np.int32), columns["stop"] - columns["start"])
    contacts = connect(network, bounds, slices, population.size, ones)
    synapses = np.concatenate(([0], np.cumsum(fan_in(network))))
    needs = measure(network, machine, bounds, contacts, synapses)
    degrees = needs.degrees(machine, core != HOST, is_source(network)[population])
    inside = np.flatnonzero(core != HOST)
    used, first = np.unique(core[inside], return_index=True)
    slot = used[np.argsort(first)]  # groups are numbered by their first slice
    number = np.empty(machine.tiles * machine.cores_per_tile, np.int32)
    number[slot] = np.arange(slot.size, dtype=np.int32)
    group = np.full(population.size, HOST, np.int32)
    group[inside] = number[core[inside]]
    return pack_network(network, architecture, machine, ones, Cut(*bounds, needs, degrees), group), slot


def _numbers(stored: Mapping[str, Any], where: Place) -> dict[str, float]:
    wrong = [k for k, v in stored.items() if not is_number(v)]
    if wrong:
        raise InputError(f"{wrong[0]!r:.60} is no number", Place(where.file, key="costs"), AGAIN)
    return {k: float(v) for k, v in stored.items()}
