"""What a placement on cores is made of: slices, lists of them, the grid of tiles, and how spikes travel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

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
