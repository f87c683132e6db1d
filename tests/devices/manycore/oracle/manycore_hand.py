"""Small networks placed by hand on shipped many-core chips, and spikes written out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.place.shapes import Grid, Lists, Routing, Slices
from neuromorph.events.raster import Raster
from neuromorph.graph.semantics import Semantics
from neuromorph.hardware.component import Architecture
from neuromorph.spiking.network import Population, Projection, SpikingNetwork


def linear(name: str, size: int, bias: np.ndarray | None = None) -> Population:
    values = {
        "a_syn": 0.0, "b_syn": 1.0, "a_mem": 0.9, "b_mem": 1.0, "c_mem": 0.0, "threshold": 1.0, "v_reset": 0.0,
        "sign": 1.0, "v_init": 0.0,
    }  # fmt: skip
    full = {k: np.full(size, v) for k, v in values.items()}
    return Population(name, (size,), "linear", full, Semantics(1e-3), bias)


def projection(name: str, source: int, target: int, weight: np.ndarray, **more: Any) -> Projection:
    """From a (sources, targets) matrix; zeros are no synapses."""
    rows, index = np.nonzero(weight)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=weight.shape[0])))).astype(np.int64)
    values = weight[rows, index].astype(np.float32)
    return Projection(name, source, target, indptr, index.astype(np.int32), values, np.ones(1, np.uint8), **more)


def fired(shape: tuple[int, int, int], spikes: Mapping[tuple[int, int], Iterable[int]]) -> Raster:
    """shape: (samples, steps, neurons); spikes: neurons by (sample, step)."""
    x = np.zeros(shape, np.float32)
    for (sample, step), neurons in spikes.items():
        x[sample, step, list(neurons)] = 1
    return Raster.from_dense(x)


def by_hand(
    network: SpikingNetwork, architecture: Architecture, slices: Sequence[tuple[int, int, int, int]]
) -> CorePlacement:
    """slices: (population, start, stop, core). Trees go along the row first, then along the column."""
    m = read_machine(architecture)
    table = Slices(*(np.array(column, np.int64) for column in zip(*slices, strict=True)))
    grid = Grid(m.columns, m.rows, m.tiles, m.cores_per_tile, m.topology, m.die_columns, m.die_rows)
    core_of = np.repeat(table.core, table.stop - table.start)
    reached: list[set[int]] = [set() for _ in range(network.neurons)]
    for p in network.projections:
        a, b = int(network.first[p.source]), int(network.first[p.target])
        for i in range(network.populations[p.source].size):
            reached[a + i] |= set(core_of[b + p.index[p.indptr[i] : p.indptr[i + 1]]].tolist())
    targets, trees = [], []
    for population, start, stop, core in slices:
        first = int(network.first[population])
        targets.append(sorted(set().union(*reached[first + start : first + stop])))
        trees.append(tree(grid, max(core, 0) // m.cores_per_tile, [c // m.cores_per_tile for c in targets[-1]]))
    none, zeros, cores = np.zeros(len(slices), np.int64), np.zeros(m.tiles), np.zeros(m.tiles * m.cores_per_tile)
    each = None if m.multicast else lists([sorted(cores_of) for cores_of in reached])
    routing = Routing(m.multicast, lists(targets), lists(trees), each, none, none, zeros, zeros)
    return CorePlacement(None, network, architecture, grid, table, routing, cores, cores, zeros, (), {}, 0, "by hand")


def tree(grid: Grid, source: int, targets: Sequence[int]) -> list[int]:
    """Links of the routes to all targets: along the row, then along the column, never around the edge."""
    found: dict[int, None] = {}
    for target in targets:
        x, y = source % grid.columns, source // grid.columns
        tx, ty = target % grid.columns, target // grid.columns
        while (x, y) != (tx, ty):
            move = (int(np.sign(tx - x)), 0) if x != tx else (0, int(np.sign(ty - y)))
            found[(y * grid.columns + x) * grid.directions + grid.step.index(move)] = None
            x, y = x + move[0], y + move[1]
    return list(found)


def lists(rows: Sequence[Sequence[int]]) -> Lists:
    indptr = np.concatenate(([0], np.cumsum([len(r) for r in rows]))).astype(np.int64)
    return Lists(indptr, np.array([v for r in rows for v in r], np.int32))
