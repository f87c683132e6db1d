"""A small spiking network placed by hand, and the activity of a raster on any many-core architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.place.shapes import HOST, Grid, Lists, Routing, Slices
from neuromorph.devices.manycore.tally.counts import gather_network
from neuromorph.devices.manycore.tally.spikes import Traffic, count_traffic
from neuromorph.events.raster import Raster
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.graph.semantics import Semantics
from neuromorph.hardware.catalog import architecture_names, load_architecture
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.paths import replace
from neuromorph.spiking.network import Population, Projection, SpikingNetwork


@cache
def shipped(name: str) -> Architecture:
    return load_architecture(name)


MANYCORE = tuple(n for n in architecture_names() if shipped(n).chip.kind.name == "manycore")


def altered(name: str, changes: Mapping[str, Any]) -> Architecture:
    return replace(shipped(name), changes)


def linear(name: str, size: int, threshold: float = 1.0, start: int = 0) -> Population:
    values = {
        "a_syn": 0.0, "b_syn": 1.0, "a_mem": 0.9, "b_mem": 1.0, "c_mem": 0.0, "threshold": threshold, "v_reset": 0.0,
        "sign": 1.0, "v_init": 0.0,
    }  # fmt: skip
    return Population(
        name, (size,), "linear", {k: np.full(size, v) for k, v in values.items()}, Semantics(dt_s=1e-3), start=start
    )


def projection(name: str, source: int, target: int, weight: np.ndarray, **more: Any) -> Projection:
    """From a (sources, targets) matrix; zeros are no synapses."""
    rows, index = np.nonzero(weight)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=weight.shape[0])))).astype(np.int64)
    values = weight[rows, index].astype(np.float32)
    return Projection(name, source, target, indptr, index.astype(np.int32), values, np.ones(1, np.uint8), **more)


def small(plastic: bool = False) -> SpikingNetwork:
    """4 inputs, each to all of 6 hidden neurons; each of these to 2 of 3 outputs."""
    second = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]] * 2)
    rule = Plasticity(0.1, 0.1, 0.02, 0.02) if plastic else None
    return SpikingNetwork(
        "small",
        (Population("in", (4,), "input"), linear("hidden", 6), linear("out", 3)),
        (projection("fc0", 0, 1, np.ones((4, 6))), projection("fc1", 1, 2, second, plasticity=rule)),
        (0,),
        (2,),
        1e-3,
    )


def placed(
    network: SpikingNetwork, architecture: Architecture, slices: Sequence[tuple[int, int, int, int]]
) -> CorePlacement:
    """slices: (population, start, stop, core). Trees go along the row first, then along the column."""
    m = read_machine(architecture)
    grid = Grid(m.columns, m.rows, m.tiles, m.cores_per_tile, m.topology, m.die_columns, m.die_rows)
    table = Slices(*(np.array([s[k] for s in slices], np.int32) for k in range(4)))
    core = np.concatenate([np.full(b - a, c) for _, a, b, c in slices])
    targets: list[list[int]] = []
    links: list[list[int]] = []
    neuron_targets: list[list[int]] = [[] for _ in range(network.neurons)]
    for p in network.projections:
        for i in range(network.populations[p.source].size):
            reached = core[network.first[p.target] + p.index[p.indptr[i] : p.indptr[i + 1]]]
            neuron_targets[network.first[p.source] + i] += [int(c) for c in np.unique(reached)]
    for population, start, stop, where in slices:
        mine = range(network.first[population] + start, network.first[population] + stop)
        targets.append(sorted({c for n in mine for c in neuron_targets[n]}))
        links.append(_tree(grid, max(where, 0) // grid.cores_per_tile, [c // grid.cores_per_tile for c in targets[-1]]))
    zero = np.zeros(m.tiles)
    routing = Routing(
        m.multicast, _lists(targets), _lists(links), None if m.multicast else _lists(neuron_targets),
        np.arange(len(slices)), np.zeros(len(slices), np.int64), zero, zero,
    )  # fmt: skip
    cores = m.tiles * m.cores_per_tile
    return CorePlacement(
        None, network, architecture, grid, table, routing, np.zeros(cores), np.zeros(cores), zero, (), {}, 0, "none"
    )


def _tree(grid: Grid, source: int, targets: Sequence[int]) -> list[int]:
    step = {d: k for k, d in enumerate(grid.step)}
    found: dict[int, None] = {}
    for target in targets:
        x, y = source % grid.columns, source // grid.columns
        tx, ty = target % grid.columns, target // grid.columns
        while (x, y) != (tx, ty):
            move = (int(np.sign(tx - x)), 0) if x != tx else (0, int(np.sign(ty - y)))
            found[(y * grid.columns + x) * grid.directions + step[move]] = None
            x, y = x + move[0], y + move[1]
    return list(found)


def _lists(rows: Sequence[Sequence[int]]) -> Lists:
    indptr = np.concatenate(([0], np.cumsum([len(r) for r in rows]))).astype(np.int64)
    return Lists(indptr, np.array([x for r in rows for x in r], np.int32))


def example(architecture: Architecture, plastic: bool = False) -> tuple[CorePlacement, Traffic]:
    """The small network on tile 0, the tile to the right of it and the one below that; two samples of 5 steps.

    Sources sit on a core of tile 0, or outside where the chip takes its input from there.
    """
    m = read_machine(architecture)
    k, below = m.cores_per_tile, min(m.columns + 1, m.tiles - 1)
    source = 0 if m.input_source == "core" else HOST
    right = min(1, m.tiles - 1)
    slices = ((0, 0, 4, source), (1, 0, 3, right * k), (1, 3, 6, below * k), (2, 0, 3, below * k + k - 1))
    if m.tiles == 1:
        slices = ((0, 0, 4, source), (1, 0, 6, 0), (2, 0, 3, 0))
    placement = placed(small(plastic), architecture, slices)
    return placement, count_traffic(placement, Raster.from_dense(spikes()))


def spikes() -> np.ndarray:
    """(2, 5, 13): sample 0 has 8 input, 6 hidden and 2 output spikes, sample 1 has 4, 3 and 1."""
    dense = np.zeros((2, 5, 13), np.int64)
    dense[0, 0:2, 0:4] = 1
    dense[0, 2, 4:10] = 1
    dense[0, 3, 10:12] = 1
    dense[1, 1, 0:4] = 1
    dense[1, 2, 4:7] = 1
    dense[1, 3, 12] = 1
    return dense


def counts(placement: CorePlacement, traffic: Traffic, **more: Any) -> dict[tuple[str, str, str], float]:
    """Means by (population, path, action)."""
    return {(r.node, r.path, r.action): r.mean for r in gather_network(placement, traffic, **more)}
