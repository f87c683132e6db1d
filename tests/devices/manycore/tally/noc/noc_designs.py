"""Small networks placed by hand: random synapses, slices on given cores, dimension-ordered trees."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np

from neuromorph.devices.manycore.machine import CoreTimes, Machine, NetworkTimes
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.place.shapes import HOST, Grid, Lists, Routing, Slices
from neuromorph.events.raster import Raster
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import Population, Projection, SpikingNetwork

CORE_TIMES = CoreTimes(step_s=0.0, neuron_s=10e-9, packet_s=20e-9, synapse_s=4e-9, spike_s=5e-9, plastic_s=0.0)
NETWORK_TIMES = NetworkTimes(
    hop_s=6e-9, link_s=4e-9, bridge_hop_s=30e-9, bridge_link_s=12e-9, inject_s=5e-9, eject_s=4e-9, barrier_s=0.0,
    queue=1 << 20,
)  # fmt: skip


def machine_on(
    grid: Grid, multicast: bool, core: Any = CORE_TIMES, network: Any = NETWORK_TIMES, **other: Any
) -> Machine:
    values: dict[str, Any] = {
        "name": "test", "columns": grid.columns, "rows": grid.rows, "tiles": grid.tiles,
        "cores_per_tile": grid.cores_per_tile, "topology": grid.topology, "die_columns": grid.die_columns,
        "die_rows": grid.die_rows, "multicast": multicast, "router_entries": None, "step_s": None, "neurons": None,
        "axons_in": None, "axons_out": None, "fan_in": None, "min_delay": 1, "max_delay": 16, "delay_extension": False,
        "weight_bits": 8, "core_memory": 1e9, "core_reserved": 0.0, "synapse_bits": 32.0, "row_bits": 32.0,
        "state_bits": 64.0, "buffer_bits": 16.0, "rows_in_tile": False, "tile_memory": None, "input_source": "core",
        "source_neurons": 256, "packet_bits": 40.0, "arithmetic": Arithmetic(), "times": core, "network": network,
    }  # fmt: skip
    return Machine(**(values | other))


def grid_of(
    columns: int, rows: int, per_tile: int = 1, topology: str = "mesh", die: tuple[int, int] | None = None
) -> Grid:
    across, down = die or (columns, rows)
    return Grid(columns, rows, columns * rows, per_tile, topology, across, down)


def route(grid: Grid, a: int, b: int) -> list[int]:
    """Links from tile a to tile b: x first, then y, the shorter way round; diagonals first on a triangular torus."""
    step, links = grid.step, []
    x, y = a % grid.columns, a // grid.columns
    dx, dy = b % grid.columns - x, b // grid.columns - y
    if grid.wraps:
        dx = (dx + grid.columns // 2) % grid.columns - grid.columns // 2
        dy = (dy + grid.rows // 2) % grid.rows - grid.rows // 2
    while dx or dy:
        if len(step) == 6 and dx * dy > 0:
            move = (int(np.sign(dx)), int(np.sign(dy)))
        else:
            move = (int(np.sign(dx)), 0) if dx else (0, int(np.sign(dy)))
        links.append((y * grid.columns + x) * grid.directions + step.index(move))
        x, y, dx, dy = x + move[0], y + move[1], dx - move[0], dy - move[1]
        if grid.wraps:
            x, y = x % grid.columns, y % grid.rows
    return links


def _lists(rows: list[list[int]]) -> Lists:
    indptr = np.concatenate(([0], np.cumsum([len(r) for r in rows]))).astype(np.int64)
    return Lists(indptr, np.array([v for r in rows for v in r], np.int32))


def placed(network: SpikingNetwork, slices: Slices, grid: Grid, multicast: bool) -> CorePlacement:
    """Targets and trees for slices on cores. A tree is the union of the routes, each tile entered once."""
    core_of = np.repeat(slices.core, slices.stop - slices.start)
    slice_of = np.repeat(np.arange(len(slices)), slices.stop - slices.start)
    per_neuron: list[set[int]] = [set() for _ in range(network.neurons)]
    for p in network.projections:
        a, b = int(network.first[p.source]), int(network.first[p.target])
        for i in range(network.populations[p.source].size):
            per_neuron[a + i] |= set(core_of[b + p.index[p.indptr[i] : p.indptr[i + 1]]].tolist())
    targets: list[list[int]] = []
    trees: list[list[int]] = []
    for s in range(len(slices)):
        mine = sorted(set().union(*(per_neuron[i] for i in np.flatnonzero(slice_of == s))))
        source = 0 if slices.core[s] == HOST else int(slices.core[s]) // grid.cores_per_tile
        links: list[int] = []
        reached = {source}
        for core in mine:
            for link in route(grid, source, core // grid.cores_per_tile):
                tile = int(grid.link_target[link])
                if tile not in reached:
                    reached.add(tile)
                    links.append(link)
        targets.append(mine)
        trees.append(links)
    zeros = np.zeros(grid.tiles)
    none = np.zeros(len(slices), np.int64)
    each = None if multicast else _lists([sorted(t) for t in per_neuron])
    routing = Routing(multicast, _lists(targets), _lists(trees), each, none, none, zeros, zeros)
    cores = np.zeros(grid.tiles * grid.cores_per_tile)
    return CorePlacement(None, network, cast(Any, None), grid, slices, routing, cores, cores, zeros, (), {}, 0, "none")


def population(name: str, size: int, model: str = "readout", start: int = 0) -> Population:
    """Neurons whose dynamics do not matter here."""
    return (
        dataclasses.replace(Population(name, (size,), "readout", start=start), model=model, parameters={})
        if (model == "input")
        else Population(name, (size,), "readout", start=start)
    )


def projection(name: str, source: tuple[int, int], target: tuple[int, int], fan_out: int, seed: int) -> Projection:
    """Random synapses between populations given as (number, size)."""
    rng = np.random.default_rng(seed)
    rows = [np.sort(rng.choice(target[1], fan_out, replace=False)) for _ in range(source[1])]
    indptr = np.arange(source[1] + 1, dtype=np.int64) * fan_out
    index = np.concatenate(rows).astype(np.int32)
    return Projection(name, source[0], target[0], indptr, index, np.ones(index.size, np.float32), np.ones(1, np.uint8))


def random_design(
    grid: Grid, multicast: bool, per_core: int = 8, fan_out: int = 6, seed: int = 0, cores: int | None = None
) -> CorePlacement:
    """A recurrent population spread over all cores in order."""
    cores = grid.tiles * grid.cores_per_tile if cores is None else cores
    neurons = cores * per_core
    network = SpikingNetwork(
        "random", (population("pop", neurons),), (projection("rec", (0, neurons), (0, neurons), fan_out, seed),), (),
        (0,), 1e-3,
    )  # fmt: skip
    start = np.arange(cores, dtype=np.int64) * per_core
    return placed(
        network, Slices(np.zeros(cores, np.int64), start, start + per_core, np.arange(cores)), grid, multicast
    )


def firing(neurons: int, steps: int, rate: float, seed: int, samples: int = 1) -> Raster:
    """Independent spikes."""
    x = np.random.default_rng(seed).random((samples, steps, neurons)) < rate
    return Raster.from_dense(x.astype(np.float32))
