"""From tiles to arrays and cores by the rule of the core's kind, and what to change where a network does not fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.layered.place.demand import Chip, Demand, read_demands, stored
from neuromorph.errors import FitError, InputError, Place, suggest
from neuromorph.graph.model import Graph


@dataclass(frozen=True)
class Allocation:
    """Where every tile of every copy goes, in the order demand, copy, tile; cores are numbered in filling order.

    demand, tile, copy, core, array, row0, col0: (shards,). copies: per demand. arrays: arrays in use.
    lower_bound: arrays that any packing of one copy needs. shared: layers share arrays (or memory cores).
    """

    demand: np.ndarray
    tile: np.ndarray
    copy: np.ndarray
    core: np.ndarray
    array: np.ndarray
    row0: np.ndarray
    col0: np.ndarray
    copies: np.ndarray
    arrays: int
    lower_bound: int
    shared: bool


def allocate(
    graph: Graph, chip: Chip, demands: list[Demand], copies: Mapping[str, int] | None, spare: float
) -> Allocation:
    """Give every tile an array. copies: wished copies by node, all others 1; else chosen to balance the pipeline.

    spare: fraction of the arrays left over that copies may fill, 0: one copy of everything.
    Raises FitError naming the layer, the limit that binds and the smallest change that would fit.
    """
    wished = _wished(demands, copies)
    own = [i for i, d in enumerate(demands) if not d.tied]
    if len(own) == len(demands):
        return chip.resources.packing.allocate(graph, chip, demands, wished, spare)
    found = chip.resources.packing.allocate(
        graph, chip, stored(demands), None if wished is None else wished[own], spare
    )  # fmt: skip
    return _used_again(found, demands)


def _used_again(found: Allocation, demands: list[Demand]) -> Allocation:
    """An allocation of stored groups with those that use their weights again, each where the first of them lies."""
    place = {d.name: k for k, d in enumerate(d for d in demands if not d.tied)}
    source = [place[d.tied or d.name] for d in demands]
    ends = np.searchsorted(found.demand, np.arange(len(place) + 1))
    rows = np.concatenate([np.arange(ends[k], ends[k + 1]) for k in source])
    columns = {n: getattr(found, n)[rows] for n in ("tile", "copy", "core", "array", "row0", "col0")}
    demand = np.repeat(np.arange(len(demands)), [ends[k + 1] - ends[k] for k in source])
    return dataclasses.replace(found, demand=demand, copies=found.copies[source], **columns)


def spaced(chip: Chip, found: Allocation, block: np.ndarray, bits: np.ndarray, capacity: float) -> Allocation:
    """The same order of arrays with tiles left partly empty, so that no tile's buffer overflows.

    block, bits: (shards,) as limits.waiting_blocks gives them; capacity: of a tile's buffer, bit. The result may
    take more tiles than the chip has.
    """
    from neuromorph.devices.layered.place.firstfit import next_tile_when_full

    per_core = chip.resources.arrays
    unit = found.core * per_core + found.array
    order = np.argsort(unit, kind="stable")
    moved = np.empty_like(unit)
    moved[order] = next_tile_when_full(
        unit[order], block[order], bits[order], int(block.max(initial=0)) + 1, chip.cores_per_tile * per_core, capacity
    )
    core, array = np.divmod(moved, per_core)
    return dataclasses.replace(found, core=core, array=array)


def _wished(demands: list[Demand], copies: Mapping[str, int] | None) -> np.ndarray | None:
    if copies is None:
        return None
    known = {d.name: d for d in demands}
    for name, count in copies.items():
        place = Place(key=f"copies.{name}")
        if name not in known:
            raise InputError(f"no node {name!r} takes a core", place, suggest(name, known))
        most = known[name].most_copies
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= most:
            raise InputError(f"{count!r} copies of {name}", place, f"legal: a whole number from 1 to {most}")
    return np.array([copies.get(d.name, 1) for d in demands], np.int64)


def shard_rows(demands: list[Demand], copies: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Demand, tile and copy of every shard, (shards,) each, in the order of `Allocation`."""
    tiles = np.array([d.tiles for d in demands], np.int64)
    demand = np.repeat(np.arange(tiles.size), tiles * copies)
    tile = np.concatenate([np.tile(np.arange(t), r) for t, r in zip(tiles, copies, strict=True)])
    copy = np.concatenate([np.repeat(np.arange(r), t) for t, r in zip(tiles, copies, strict=True)])
    return demand, tile, copy


def more_tiles(chip: Chip, arrays: int) -> str:
    """How many tiles more, or how many such chips, hold this many arrays."""
    wanted = -(-arrays // (chip.cores_per_tile * chip.resources.arrays))
    extra, one = wanted - chip.tiles, chip.tiles // chip.chips
    return f"{extra} tile{'s' if extra != 1 else ''} more, or chip.chips: {-(-wanted // one)}"


def remedy(graph: Graph, chip: Chip, arrays: int) -> str:
    """The smallest changes that make the network fit: more tiles, or fewer bits per weight where that helps."""
    text = more_tiles(chip, arrays)
    bits = getattr(chip.unit.settings, "weight_bits", None)
    legal = []
    for fewer in range((bits or 0) - 1, 0, -1):
        unit = dataclasses.replace(chip.unit, settings=dataclasses.replace(chip.unit.settings, weight_bits=fewer))
        if unit.kind.check is None or not unit.kind.check(unit):
            legal.append(dataclasses.replace(chip, unit=unit, resources=chip.kind.resources(unit)))
    if not legal or not _fits(graph, legal[-1]):
        return text
    best = next(smaller for smaller in legal if _fits(graph, smaller))
    return f"{text}, or weight bits {bits} -> {best.unit.settings.weight_bits}"


def _fits(graph: Graph, chip: Chip) -> bool:
    try:
        demands = read_demands(graph, chip)
    except FitError:
        return False
    return chip.resources.packing.fits(chip, stored(demands))
