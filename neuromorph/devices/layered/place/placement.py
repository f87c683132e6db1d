"""A network placed on a chip: which weights lie in which array, who talks to whom, and which limits bind."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices import placed_file
from neuromorph.devices.explained import Placed
from neuromorph.devices.layered.core import Layout
from neuromorph.devices.layered.place import views
from neuromorph.devices.layered.place.demand import Chip, Demand, read_chip, read_demands
from neuromorph.devices.layered.place.flows import OUTSIDE, Flows, trace
from neuromorph.devices.layered.place.limits import buffer_bits, check_limits, waiting_blocks
from neuromorph.devices.protocol import Limit
from neuromorph.errors import FitError, InputError, Place, suggest
from neuromorph.fingerprint import fingerprint
from neuromorph.graph.model import Graph
from neuromorph.hardware.component import Architecture
from neuromorph.progress import Progress, silent

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.allocate import Allocation
    from neuromorph.placing.topology import Topology


STORED = (
    "node", "matrix", "group", "row0", "row1", "col0", "col1", "copy", "core", "array", "array_row0", "array_col0",
)  # fmt: skip
"""Columns of shards that a file holds."""

BACK_OFF = (1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.0)
"""Shares of the free arrays that copies try to fill, until the memories hold what the copies wait for."""


@dataclass(frozen=True, eq=False)
class Shards:
    """Every placed tile of every copy, as columns of whole numbers: (shards,) each.

    node: index in graph.nodes; matrix: which item (matrix) of the node; group and the half-open ranges
    [row0, row1) x [col0, col1) of it; copy; core: number on the chip, tile position x cores per tile + core in
    the tile; array: in the core; array_row0, array_col0: its first cell; height, width: its cells; bits: stored
    weight bits (float); again: whether an earlier node's weights are used again, which lie there once.
    Ordered by node, copy, then as the device kind cut it.
    """

    node: np.ndarray
    matrix: np.ndarray
    group: np.ndarray
    row0: np.ndarray
    row1: np.ndarray
    col0: np.ndarray
    col1: np.ndarray
    copy: np.ndarray
    core: np.ndarray
    array: np.ndarray
    array_row0: np.ndarray
    array_col0: np.ndarray
    height: np.ndarray
    width: np.ndarray
    bits: np.ndarray
    again: np.ndarray

    @property
    def stored(self) -> Shards:
        """Those that lie in cells of their own."""
        if not self.again.any():
            return self
        return Shards(**{name: column[~self.again] for name, column in self.columns().items()})

    def __len__(self) -> int:
        return int(self.node.size)

    def columns(self) -> dict[str, np.ndarray]:
        """All columns by name."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


@dataclass(frozen=True)
class Search:
    """How good the positions of the tiles are: costs in bit hops per sample by order tried, and the bound below."""

    costs: Mapping[str, float]
    start: str
    lower_bound: float


@dataclass(frozen=True, eq=False, repr=False)
class Placement(Placed):
    """A graph on an architecture. Everything else about it follows from these fields.

    copies: replicas per node name. skipped: all-zero tiles left out per node name. tiles: grid position of the k-th
    filled tile (y x columns + x). array_bound: arrays that no packing of one copy goes below. shared: layers share
    arrays. flows: traffic per sample between grid positions.
    """

    graph: Graph
    architecture: Architecture
    shards: Shards
    copies: Mapping[str, int]
    skipped: Mapping[str, int]
    tiles: np.ndarray
    flows: Flows
    limits: tuple[Limit, ...]
    search: Search
    array_bound: int
    shared: bool
    seed: int
    effort: str
    layouts: Mapping[str, Layout]
    chip: Chip

    @cached_property
    def topology(self) -> Topology:
        """The network between tiles."""
        return topology_of(self.chip)

    @cached_property
    def tile_of_shard(self) -> np.ndarray:
        """Grid position of the tile that holds each shard: (shards,)."""
        return self.shards.core // self.chip.cores_per_tile

    @cached_property
    def hops(self) -> np.ndarray:
        """Hops of each flow, 0 inside a tile and to or from outside: (flows,)."""
        inside = (self.flows.source != OUTSIDE) & (self.flows.target != OUTSIDE)
        hops = self.topology.hops(np.maximum(self.flows.source, 0), np.maximum(self.flows.target, 0))
        return np.where(inside, hops, 0.0)

    @cached_property
    def crossings(self) -> np.ndarray:
        """Interfaces between neighbouring chips that each flow passes, one after the other: (flows,), of its hops."""
        f, each = self.flows, self.chip.tiles // self.chip.chips
        apart = np.abs(f.source // each - f.target // each).astype(float)
        return np.minimum(np.minimum(apart, self.chip.chips - apart) if self.chip.topology == "torus" else apart,
                          self.hops)  # fmt: skip

    @property
    def bit_hops(self) -> float:
        """Bits times hops per sample over the network between tiles."""
        return float((self.flows.bits * self.hops).sum())

    @cached_property
    def link_loads(self) -> np.ndarray:
        """Bits per sample over each link, as Topology.link_loads gives them."""
        f = self.flows
        inside = (f.source != OUTSIDE) & (f.target != OUTSIDE)
        return self.topology.link_loads(f.source[inside], f.target[inside], f.bits[inside])

    @cached_property
    def array_cells(self) -> dict[int, int]:
        """Cells used in each array, by core x arrays per core + array."""
        own = self.shards.stored
        arrays, index = np.unique(own.core * self.chip.resources.arrays + own.array, return_inverse=True)
        used = np.bincount(index, weights=own.height * own.width)
        return {int(a): int(u) for a, u in zip(arrays, used, strict=True)}

    @property
    def utilisation(self) -> float:
        """Cells used over cells of the arrays in use; in weight memories bits stored over bits of the cores in use."""
        packing = self.chip.resources.packing
        used = np.unique(self.shards.core * self.chip.resources.arrays + self.shards.array).size
        return float(packing.taken(self.shards.stored).sum()) / (used * packing.room(self.chip)) if used else 0.0

    @property
    def name(self) -> str:
        """Of the network."""
        return self.graph.name

    def on(self, architecture: Architecture) -> Placement:
        """The same placement on an architecture of the same structure."""
        chip = read_chip(architecture)
        layouts = {name: dataclasses.replace(layout, unit=chip.unit) for name, layout in self.layouts.items()}
        return dataclasses.replace(self, architecture=architecture, chip=chip, layouts=layouts)

    @cached_property
    def signature(self) -> str:
        """Hash of all that execution is told about where layers lie."""
        return fingerprint({n: (x.tilings, x.copies, x.arrays, x.cores) for n, x in self.layouts.items()})

    @cached_property
    def usage(self) -> list[tuple[str, float, str, str]]:
        """What of the chip is used: (name, value, unit, note)."""
        return views.metrics(self)

    @property
    def binding(self) -> Limit:
        """The limit used to the highest degree."""
        return max(self.limits, key=lambda limit: limit.degree)

    def explain(self) -> dict[str, Any]:
        """Layers, limits and traffic as JSON data, for the terminal and the report."""
        return views.explain(self)

    def save(self, path: str | Path) -> list[Path]:
        """Write it as versioned JSON, large columns beside it as .npz; returns the files written."""
        search = {"costs": dict(self.search.costs), "start": self.search.start, "lower_bound": self.search.lower_bound}
        document = {
            "graph": {"name": self.graph.name, "nodes": {name: self._node(name) for name in self.layouts}},
            "seed": self.seed, "effort": self.effort, "copies": dict(self.copies), "array_bound": self.array_bound,
            "shared": self.shared, "search": search,
        }  # fmt: skip
        columns = {n: getattr(self.shards, n) for n in STORED} | {"tiles": self.tiles}
        return placed_file.write(path, self.architecture.chip.kind.name, self.architecture, document, columns)

    def _node(self, name: str) -> dict[str, Any]:
        """What a stored placement is compared by."""
        layout = self.layouts[name]
        matrices = layout.group.matrices
        return {
            "operator": layout.group.operators,
            "matrices": {item: [m.groups, m.rows, m.cols] for item, m in matrices.items()},
            "products": max((m.products for m in matrices.values()), default=1),
            "tiles": [len(t) for t in layout.tilings],
            "skipped": self.skipped[name],
        }


def place(
    graph: Graph,
    architecture: Architecture,
    *,
    seed: int = 0,
    effort: str = "normal",
    copies: Mapping[str, int] | None = None,
    duplicate: bool = True,
    progress: Progress | None = None,
) -> Placement:
    """Place a network on an architecture.

    seed: of the search for tile positions, nothing else is random. effort: none, quick, normal or thorough.
    copies: replicas by node name (others 1); left out, early layers are copied into free arrays until the slowest
    is as fast as the chip allows, unless duplicate is False. Raises FitError naming the layer, the limit and the
    smallest change that would fit; InputError for wrong options.
    """
    from neuromorph.placing.mesh import EFFORT, place_nodes

    say = progress or silent
    if effort not in EFFORT:
        raise InputError(f"effort is {effort!r}", Place(key="effort"), suggest(effort, EFFORT))
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed!r}", Place(key="seed"), "legal: a whole number from 0 to 2^63 - 1")
    chip = read_chip(architecture)
    say(0.0, "cutting layers into tiles")
    demands = read_demands(graph, chip)
    say(0.2, "packing tiles into arrays")
    allocation, columns = _allocate(graph, architecture, chip, demands, copies, duplicate)
    say(0.4, "tracing traffic")
    flows = trace(graph, demands, allocation.copies, columns, chip.resources.signal_bits)
    say(0.6, "placing tiles")
    used = int(columns["tile"].max(initial=0)) + 1
    between = (flows.source != OUTSIDE) & (flows.target != OUTSIDE)
    found = place_nodes(
        topology_of(chip),
        used,
        flows.source[between],
        flows.target[between],
        flows.bits[between],
        seed=int(seed),
        effort=effort,
    )
    shards = make_shards(demands, columns, found.slot, allocation, chip)
    search = Search(dict(found.costs), found.start, found.lower_bound)
    say(0.95, "checking limits")
    placement = assemble(
        graph, architecture, chip, demands, shards, allocation.copies, found.slot, flows.moved_to(found.slot), search,
        array_bound=allocation.lower_bound, shared=allocation.shared, seed=int(seed), effort=effort,
    )  # fmt: skip
    say(1.0, "done")
    return placement


def topology_of(chip: Chip) -> Topology:
    """The network between the tiles of a chip."""
    from neuromorph.placing.topology import Topology

    if chip.topology == "bus":
        return Topology("bus", chip.tiles)
    return Topology(chip.topology, chip.columns, chip.rows, places=chip.tiles)


def _allocate(
    graph: Graph,
    architecture: Architecture,
    chip: Chip,
    demands: list[Demand],
    copies: Mapping[str, int] | None,
    duplicate: bool,
) -> tuple[Allocation, dict[str, np.ndarray]]:
    """Arrays for all tiles, with as many copies as the arrays and then the memories allow."""
    from neuromorph.devices.layered.place.allocate import allocate, spaced

    capacity = buffer_bits(architecture)

    def columns_of(found: Allocation) -> dict[str, np.ndarray]:
        columns = _columns(demands, found.demand, found.tile)
        return columns | {"demand": found.demand, "copy": found.copy, "tile": found.core // chip.cores_per_tile}

    def in_order(found: Allocation) -> Shards:
        columns = columns_of(found)
        return make_shards(demands, columns, np.arange(int(columns["tile"].max(initial=0)) + 1), found, chip)

    for spare in BACK_OFF if duplicate and copies is None else (0.0,):
        dense = allocation = allocate(graph, chip, demands, copies, spare)
        shards = in_order(dense)
        if not check_limits(graph, architecture, chip, demands, shards)[1]:
            break
        if capacity is not None:  # leave arrays free before giving up copies
            allocation = spaced(chip, dense, *waiting_blocks(chip, demands, shards), capacity)
            if not check_limits(graph, architecture, chip, demands, in_order(allocation))[1]:
                break
        allocation = dense
    return allocation, columns_of(allocation)


def _columns(demands: list[Demand], demand: np.ndarray, tile: np.ndarray) -> dict[str, np.ndarray]:
    """The tiling's columns of every shard."""
    start = np.concatenate(([0], np.cumsum([d.tiles for d in demands])))
    row = start[demand] + tile
    names = ("group", "row0", "row1", "col0", "col1", "height", "width", "bits")
    found = {n: np.concatenate([d.column(n) for d in demands])[row] for n in names}
    found["item"] = np.concatenate([d.item for d in demands])[row]
    return found


def make_shards(
    demands: list[Demand],
    columns: Mapping[str, np.ndarray],
    slot: np.ndarray,
    found: Allocation,
    chip: Chip,
) -> Shards:
    """Shards with their cores moved to the tiles' positions."""
    index = np.array([d.index for d in demands], np.int64)
    taken = {n: columns[n].astype(np.int64) for n in ("group", "row0", "row1", "col0", "col1", "copy")}
    return Shards(
        node=index[columns["demand"]],
        matrix=columns["item"].astype(np.int64),
        **taken,
        core=slot[columns["tile"]] * chip.cores_per_tile + found.core % chip.cores_per_tile,
        array=found.array.astype(np.int64),
        array_row0=found.row0.astype(np.int64),
        array_col0=found.col0.astype(np.int64),
        height=columns["height"].astype(np.int64),
        width=columns["width"].astype(np.int64),
        bits=columns["bits"].astype(np.float64),
        again=np.array([bool(d.tied) for d in demands])[columns["demand"]],
    )


def assemble(
    graph: Graph,
    architecture: Architecture,
    chip: Chip,
    demands: list[Demand],
    shards: Shards,
    copies: np.ndarray,
    tiles: np.ndarray,
    flows: Flows,
    search: Search,
    *,
    array_bound: int,
    shared: bool,
    seed: int,
    effort: str,
) -> Placement:
    """A placement from its parts; checks every capacity. Raises FitError where a memory is too small."""
    limits, problems = check_limits(graph, architecture, chip, demands, shards)
    if problems:
        raise FitError(problems)
    names = [d.name for d in demands]
    return Placement(
        graph=graph,
        architecture=architecture,
        shards=shards,
        copies=dict(zip(names, copies.tolist(), strict=True)),
        skipped={d.name: d.skipped for d in demands},
        tiles=tiles,
        flows=flows,
        limits=limits,
        search=search,
        array_bound=array_bound,
        shared=shared,
        seed=seed,
        effort=effort,
        layouts=_layouts(chip, demands, shards, copies),
        chip=chip,
    )


def _layouts(chip: Chip, demands: list[Demand], shards: Shards, copies: np.ndarray) -> dict[str, Layout]:
    """What each kind of core is told about its groups: of all copies the one on most cores counts."""
    found = {}
    bounds = np.searchsorted(shards.node, [d.index for d in demands] + [np.iinfo(np.int64).max])
    for k, d in enumerate(demands):
        part = slice(bounds[k], bounds[k + 1])
        copy, core = shards.copy[part], shards.core[part]
        array = core * chip.resources.arrays + shards.array[part]
        arrays, cores = _most(copy, array), _most(copy, core)
        found[d.name] = Layout(d.group, d.tilings, int(copies[k]), arrays, cores, chip.unit, d.tied)
    return found


def _most(copy: np.ndarray, thing: np.ndarray) -> int:
    """The most different things any copy has."""
    if not copy.size:
        return 0
    pairs = np.unique(np.stack([copy, thing]), axis=1)
    return int(np.bincount(pairs[0]).max())
