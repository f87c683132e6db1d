"""A spiking network placed on a many-core chip: which neurons each core holds and how spikes reach their targets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.protocol import Limit
from neuromorph.fingerprint import fingerprint
from neuromorph.hardware.component import Architecture
from neuromorph.spiking.network import SpikingNetwork

if TYPE_CHECKING:
    from neuromorph.graph.model import Graph

HOST = -1
"""Core of a slice whose spikes come from outside, through the chip's interface at tile 0."""


@dataclass(frozen=True, eq=False)
class Slices:
    """Consecutive neurons of one population on one core, columns of (slices,): population, start, stop (neurons inside
    the population), core (tile position x cores per tile + core in the tile, HOST for outside). Ordered by population
    and start; the slices of a population cover it."""

    population: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    core: np.ndarray

    def __len__(self) -> int:
        return int(self.population.size)


@dataclass(frozen=True, eq=False)
class Lists:
    """One list of int32 per row: items[indptr[row]:indptr[row + 1]]."""

    indptr: np.ndarray
    items: np.ndarray

    def __len__(self) -> int:
        return int(self.indptr.size - 1)

    def row(self, i: int) -> np.ndarray:
        part: np.ndarray = self.items[self.indptr[i] : self.indptr[i + 1]]
        return part


@dataclass(frozen=True, eq=False)
class Grid:
    """The tiles as routers see them. Tile t sits at x = t % columns, y = t // columns; it has `cores_per_tile` cores.

    topology: "mesh", "torus" (links east, west, north, south) or "triangular" (a torus with north-east and south-west
    links as well, as SpiNNaker's). die_columns, die_rows: tiles of one die; a hop between dies goes over a bridge.
    Link number = tile * directions + direction; step[d] is the (dx, dy) of direction d.
    """

    columns: int
    rows: int
    tiles: int
    cores_per_tile: int
    topology: str
    die_columns: int
    die_rows: int

    @property
    def step(self) -> tuple[tuple[int, int], ...]:
        square = ((1, 0), (-1, 0), (0, 1), (0, -1))
        return (*square, (1, 1), (-1, -1)) if self.topology == "triangular" else square

    @property
    def directions(self) -> int:
        return len(self.step)

    @property
    def links(self) -> int:
        return self.tiles * self.directions

    @property
    def wraps(self) -> bool:
        return self.topology != "mesh"

    @cached_property
    def link_target(self) -> np.ndarray:
        """Tile at the end of each link, -1 where there is none: (links,) int32."""
        t = np.arange(self.tiles)[:, None]
        dx, dy = (np.array([s[k] for s in self.step])[None, :] for k in (0, 1))
        x, y = t % self.columns + dx, t // self.columns + dy
        if self.wraps:
            x, y = x % self.columns, y % self.rows
        inside = (x >= 0) & (x < self.columns) & (y >= 0) & (y < self.rows)
        target = np.where(inside, y * self.columns + x, -1)
        return np.where(target < self.tiles, target, -1).astype(np.int32).ravel()

    @cached_property
    def link_is_bridge(self) -> np.ndarray:
        """Whether a link goes between dies: (links,) bool."""
        t = np.repeat(np.arange(self.tiles), self.directions)
        u = np.maximum(self.link_target, 0)

        def die(tile: np.ndarray) -> np.ndarray:
            across = -(-self.columns // self.die_columns)
            return (tile // self.columns // self.die_rows) * across + tile % self.columns // self.die_columns

        wrapped = np.abs(t % self.columns - u % self.columns) > 1
        wrapped |= np.abs(t // self.columns - u // self.columns) > 1
        found: np.ndarray = (self.link_target >= 0) & ((die(t) != die(u)) | wrapped)
        return found


@dataclass(frozen=True, eq=False)
class Routing:
    """How the spikes of each slice travel.

    multicast: one packet per spike follows the slice's tree, copied where it branches; otherwise every spike makes one
    packet per target core of its neuron. targets: cores that hold targets of a slice (multicast: all of them get each
    packet). links: link numbers of the slice's tree, every parent before its children. neuron_targets: target cores of
    each neuron of the network (unicast only). key, mask: of each slice, int64. entries: routing-table entries of each
    tile after compression, entries_raw before: (tiles,).
    """

    multicast: bool
    targets: Lists
    links: Lists
    neuron_targets: Lists | None
    key: np.ndarray
    mask: np.ndarray
    entries: np.ndarray
    entries_raw: np.ndarray


@dataclass(frozen=True, eq=False)
class CorePlacement:
    """A spiking network on a many-core architecture.

    synapse_bits, neuron_bits: memory each core needs for its synaptic rows and its neurons' state: (cores,).
    sdram_bits: synaptic rows held in the tile's SDRAM: (tiles,). costs: weighted hops per sample (packets times links)
    of every order of placement tried, by name ("random", "greedy", "optimised", "lower_bound" where one is known);
    weights that were used: spikes per neuron and sample, measured or assumed. network: with the delays the hardware
    adds. delay_cores: further cores that hold spikes back for delays beyond max_delay, one for each slice with such
    synapses: their place is counted, their packets are not. packets: per sample, with the weights used; measured:
    whether these were given.
    """

    graph: Graph | None
    network: SpikingNetwork
    architecture: Architecture
    grid: Grid
    slices: Slices
    routing: Routing
    synapse_bits: np.ndarray
    neuron_bits: np.ndarray
    sdram_bits: np.ndarray
    limits: tuple[Limit, ...]
    costs: Mapping[str, float]
    seed: int
    effort: str
    delay_cores: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    packets: float = math.nan
    measured: bool = False

    @cached_property
    def slice_of_neuron(self) -> np.ndarray:
        """Slice of every neuron of the network: (neurons,) int32."""
        s = self.slices
        return np.repeat(np.arange(len(s), dtype=np.int32), s.stop - s.start)

    @cached_property
    def core_of_neuron(self) -> np.ndarray:
        """Core of every neuron of the network, HOST for outside: (neurons,) int32."""
        return self.slices.core[self.slice_of_neuron].astype(np.int32)

    @property
    def cores(self) -> int:
        return self.grid.tiles * self.grid.cores_per_tile

    @property
    def name(self) -> str:
        """Of the network."""
        return self.network.name if self.graph is None else self.graph.name

    def on(self, architecture: Architecture) -> CorePlacement:
        """The same placement on an architecture of the same structure."""
        return dataclasses.replace(self, architecture=architecture)

    @cached_property
    def signature(self) -> str:
        """Hash of all that execution is told: the network with the delays the hardware adds. Where its neurons lie
        changes what spikes cost and not which there are."""
        return fingerprint((self.network.populations, self.network.projections, self.network.dt_s))

    @property
    def binding(self) -> Limit:
        """The limit used to the highest degree."""
        return max(self.limits, key=lambda limit: limit.degree)

    def explain(self) -> dict[str, Any]:
        """What was placed where and how well, as JSON data."""
        from neuromorph.devices.manycore.place.explain import explain

        return explain(self)

    def save(self, path: str | Path) -> list[Path]:
        """Write the placement as JSON; large ones get a NumPy archive beside it. Returns the files written."""
        from neuromorph.devices.manycore.place.storage import save_placement

        return save_placement(self, path)
