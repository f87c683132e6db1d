"""Networks that both programs compute exactly, their mappings, and the placement of one on loihi-sanafe.

Every number is exact in binary arithmetic: potentials lie on a grid of 1/64, weights are +-1 and +-2, and biases make
neurons fire with periods of 10 to 30 steps. The other simulator numbers the tiles of its 8 x 4 mesh by columns, ours
are numbered by rows: `core_of` gives cores the same place on the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from manycore_hand import lists, tree

from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.place.shapes import Grid, Routing, Slices
from neuromorph.graph.semantics import Semantics
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.component import Architecture
from neuromorph.spiking.network import Population, Projection, SpikingNetwork

LEAK, THRESHOLD, GRID = 0.9375, 64.0, 1 / 64
WIDTH, HEIGHT, PER_TILE = 8, 4, 4
NEURONS = 1024
FAN_OUT = {"rec": 100, "ff": 100}
MAPPINGS = {"packed": 1024, "tiles": 32, "spread": 8}
"""Neurons per core; "tiles" uses one core of every tile."""


@dataclass(frozen=True, eq=False)
class PeerNetwork:
    """Neurons that drive each other one step later: synapses (pre, post, weight), bias of each neuron."""

    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


@cache
def peer_network(kind: str, seed: int = 1) -> PeerNetwork:
    """ "rec": targets anywhere; "ff": four layers, targets in the next one."""
    rng = np.random.default_rng(seed)
    period = rng.integers(10, 31, size=NEURONS)
    bias = np.ceil(THRESHOLD * (1 - LEAK) / (1 - LEAK**period) * 64) / 64 + GRID
    reach = NEURONS if kind == "rec" else NEURONS // 4
    sources = NEURONS if kind == "rec" else NEURONS - reach
    rows = [rng.choice(reach, FAN_OUT[kind], replace=False) for _ in range(sources)]
    if kind == "ff":
        rows = [row + (i // reach + 1) * reach for i, row in enumerate(rows)]
    weight = rng.integers(1, 3, size=sources * FAN_OUT[kind]).astype(np.float64)
    weight *= np.where(rng.random(weight.size) < 0.5, -1.0, 1.0)
    return PeerNetwork(np.repeat(np.arange(sources), FAN_OUT[kind]), np.concatenate(rows), weight, bias)


def core_of(mapping: str) -> np.ndarray:
    """Core of every neuron in the other simulator's numbering: cores of a tile follow each other."""
    each = MAPPINGS[mapping]
    return np.arange(NEURONS) // each * (PER_TILE if mapping == "tiles" else 1)


def spiking(given: PeerNetwork) -> SpikingNetwork:
    full = {
        "a_syn": 0.0, "b_syn": 1.0, "a_mem": LEAK, "b_mem": 1.0, "c_mem": 0.0, "threshold": THRESHOLD, "v_reset": 0.0,
        "sign": 1.0, "v_init": 0.0,
    }  # fmt: skip
    values = {name: np.full(NEURONS, value) for name, value in full.items()}
    order = np.lexsort((given.post, given.pre))
    indptr = np.concatenate(([0], np.cumsum(np.bincount(given.pre, minlength=NEURONS)))).astype(np.int64)
    rows = Projection(
        "rows", 0, 0, indptr, given.post[order].astype(np.int32), given.weight[order].astype(np.float32),
        np.ones(1, np.uint8),
    )  # fmt: skip
    neurons = Population("neurons", (NEURONS,), "linear", values, Semantics(1e-3), given.bias)
    return SpikingNetwork("peer", (neurons,), (rows,), (), (), 1e-3)


@cache
def sanafe_chip() -> Architecture:
    return load_architecture("loihi-sanafe")


def placed(kind: str, mapping: str) -> CorePlacement:
    """The network on loihi-sanafe. Its packets go along the row first, then along the column."""
    machine, given = read_machine(sanafe_chip()), peer_network(kind)
    theirs = core_of(mapping)
    tile = theirs // PER_TILE
    core = (tile // HEIGHT + tile % HEIGHT * WIDTH) * PER_TILE + theirs % PER_TILE
    start = np.flatnonzero(np.diff(core, prepend=-1)).astype(np.int64)
    stop = np.append(start[1:], NEURONS)
    slices = Slices(np.zeros(start.size, np.int64), start, stop, core[start])
    grid = Grid(WIDTH, HEIGHT, WIDTH * HEIGHT, PER_TILE, "mesh", WIDTH, HEIGHT)
    pairs = np.unique(np.stack([given.pre, core[given.post]]), axis=1)
    each = [pairs[1, pairs[0] == i].tolist() for i in range(NEURONS)]
    targets = [sorted(set().union(*each[a:b])) for a, b in zip(start.tolist(), stop.tolist(), strict=True)]
    trees = [
        tree(grid, c // PER_TILE, [t // PER_TILE for t in mine])
        for c, mine in zip(core[start].tolist(), targets, strict=True)
    ]
    none, zeros, cores = np.zeros(start.size, np.int64), np.zeros(grid.tiles), np.zeros(machine.tiles * PER_TILE)
    routing = Routing(machine.multicast, lists(targets), lists(trees), lists(each), none, none, zeros, zeros)
    return CorePlacement(
        None, spiking(given), sanafe_chip(), grid, slices, routing, cores, cores, zeros, (), {}, 0, "by hand"
    )
