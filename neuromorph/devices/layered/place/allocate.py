"""From tiles to arrays and cores: packing, copies, and what to change where a network does not fit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.layered.place.demand import Chip, Demand, read_demands
from neuromorph.devices.layered.place.pack import Packing, pack
from neuromorph.devices.layered.place.replicate import replicate, spread
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
    if chip.resources.sharing == "memory":
        return _in_memory(chip, demands, wished, spare)
    return _in_arrays(graph, chip, demands, wished, spare)


def spaced(chip: Chip, found: Allocation, block: np.ndarray, bits: np.ndarray, capacity: float) -> Allocation:
    """The same order of arrays with tiles left partly empty, so that no tile's buffer overflows.

    block, bits: (shards,) as limits.waiting_blocks gives them; capacity: of a tile's buffer, bit. The result may
    take more tiles than the chip has.
    """
    from neuromorph.devices.layered.place.firstfit import next_tile_when_full

    per_core = 1 if chip.resources.sharing == "memory" else chip.resources.arrays
    unit = found.core * per_core + (0 if chip.resources.sharing == "memory" else found.array)
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
    known = {d.node.name: d for d in demands}
    for name, count in copies.items():
        place = Place(key=f"copies.{name}")
        if name not in known:
            raise InputError(f"no node {name!r} takes a core", place, suggest(name, known))
        most = known[name].most_copies
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= most:
            raise InputError(f"{count!r} copies of {name}", place, f"legal: a whole number from 1 to {most}")
    return np.array([copies.get(d.node.name, 1) for d in demands], np.int64)


def _pack_demand(chip: Chip, demand: Demand) -> Packing:
    r = chip.resources
    return pack(demand.column("height"), demand.column("width"), r.rows, r.cols, r.sharing)


def _in_arrays(graph: Graph, chip: Chip, demands: list[Demand], wished: np.ndarray | None, spare: float) -> Allocation:
    for d in demands:
        _check_tiles(chip, d)
    packings = [_pack_demand(chip, d) for d in demands]
    need = np.array([p.arrays for p in packings], np.int64)
    bound = sum(p.lower_bound for p in packings)
    if wished is not None and (need * wished).sum() > chip.arrays:
        total = int((need * wished).sum())
        hint = f"{more_tiles(chip, total)}, or fewer copies"
        raise FitError(f"the copies asked for take {total} arrays, the chip has {chip.arrays}", hint=hint)
    if need.sum() > chip.arrays:
        return _across_layers(graph, chip, demands, need)
    copies = np.ones_like(need)
    if wished is not None:
        copies = wished
    elif spare > 0:
        work = np.array([d.products for d in demands], np.int64)
        most = np.array([d.most_copies for d in demands], np.int64)
        one = int(need.sum())
        copies = replicate(work, need, one + int(spare * (chip.arrays - one)), most).copies
    first = np.concatenate(([0], np.cumsum(need * copies)))
    rows = _rows(demands, copies)
    global_array = np.concatenate(
        [
            (first[k] + np.arange(copies[k])[:, None] * need[k] + p.array[None, :]).ravel()
            for k, p in enumerate(packings)
        ]
    )
    row0 = np.concatenate([np.tile(p.row0, copies[k]) for k, p in enumerate(packings)])
    col0 = np.concatenate([np.tile(p.col0, copies[k]) for k, p in enumerate(packings)])
    core, array = np.divmod(global_array, chip.resources.arrays)
    return Allocation(*rows, core, array, row0, col0, copies, int(first[-1]), bound, False)


def _across_layers(graph: Graph, chip: Chip, demands: list[Demand], need: np.ndarray) -> Allocation:
    """One copy each does not fit with arrays of its own for every layer: let layers share arrays."""
    r = chip.resources
    everything = None
    if r.sharing != "exclusive":
        height = np.concatenate([d.column("height") for d in demands])
        width = np.concatenate([d.column("width") for d in demands])
        everything = pack(height, width, r.rows, r.cols, r.sharing)
    total = int(need.sum()) if everything is None else everything.arrays
    if everything is None or total > chip.arrays:
        raise FitError(_too_many(chip, demands, need, total), Place(key="chip.tile.count"), remedy(graph, chip, total))
    copies = np.ones_like(need)
    core, array = np.divmod(everything.array, r.arrays)
    return Allocation(
        *_rows(demands, copies),
        core,
        array,
        everything.row0,
        everything.col0,
        copies,
        everything.arrays,
        everything.lower_bound,
        True,
    )


def _rows(demands: list[Demand], copies: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tiles = np.array([d.tiles for d in demands], np.int64)
    demand = np.repeat(np.arange(tiles.size), tiles * copies)
    tile = np.concatenate([np.tile(np.arange(t), r) for t, r in zip(tiles, copies, strict=True)])
    copy = np.concatenate([np.repeat(np.arange(r), t) for t, r in zip(tiles, copies, strict=True)])
    return demand, tile, copy


def _check_tiles(chip: Chip, demand: Demand) -> None:
    height, width = demand.column("height"), demand.column("width")
    if demand.tiles and (height.max() > chip.resources.rows or width.max() > chip.resources.cols):
        k = int(np.argmax((height > chip.resources.rows) | (width > chip.resources.cols)))
        raise FitError(
            f"a tile of {height[k]} x {width[k]} cells is larger than an array of "
            f"{chip.resources.rows} x {chip.resources.cols}",
            Place(key=demand.node.label),
            "enlarge the array or lower the bits of a weight",
        )


def _too_many(chip: Chip, demands: list[Demand], need: np.ndarray, total: int) -> str:
    overflow = int(np.argmax(np.cumsum(need) > chip.arrays))
    largest = int(np.argmax(need))
    layer, big = demands[overflow].node.label, demands[largest].node.label
    return (
        f"the network needs {total} arrays, the chip has {chip.arrays}; {layer} ({need[overflow]} arrays) is the first "
        f"layer without room, {big} the largest with {need[largest]}"
    )


def more_tiles(chip: Chip, arrays: int) -> str:
    """How many tiles more hold this many arrays."""
    extra = -(-arrays // (chip.cores_per_tile * chip.resources.arrays)) - chip.tiles
    return f"{extra} tile{'s' if extra != 1 else ''} more"


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
    if chip.resources.sharing == "memory":
        tiles = np.concatenate([d.column("bits") for d in demands])
        return bool(_fill_cores(tiles, float(chip.resources.capacity_bits or math.inf))[-1] < chip.cores)
    r = chip.resources
    height = np.concatenate([d.column("height") for d in demands])
    width = np.concatenate([d.column("width") for d in demands])
    return pack(height, width, r.rows, r.cols, r.sharing).arrays <= chip.arrays


def _in_memory(chip: Chip, demands: list[Demand], wished: np.ndarray | None, spare: float) -> Allocation:
    """Tiles are words of the cores' weight memories: layers get cores of their own if there are enough, else share."""
    capacity = float(chip.resources.capacity_bits or math.inf)
    bits = [d.column("bits") for d in demands]
    for d, b in zip(demands, bits, strict=True):
        if b.size and b.max() > capacity:
            message = f"one tile of {b.max():.0f} bit does not fit the core's weight memory of {capacity:.0f} bit"
            raise FitError(message, Place(key=d.node.label), "enlarge the memory or make the MAC array smaller")
    tiles = np.array([d.tiles for d in demands], np.int64)
    most_in_core = np.array([min(b.size, math.floor(min(capacity / b.max(), b.size))) if b.size else 1 for b in bits])
    fewest = -(-tiles // np.maximum(most_in_core, 1))
    products = np.array([d.products for d in demands], np.int64)
    most = np.array([d.most_copies if spare > 0 else 1 for d in demands], np.int64)
    copies = np.ones_like(tiles) if wished is None else wished
    per_copy: np.ndarray | None = None
    if wished is not None and (fewest * wished).sum() > chip.cores and wished.max() > 1:
        total = int((fewest * wished).sum())
        raise FitError(f"the copies asked for take {total} cores, the chip has {chip.cores}", hint="fewer copies")
    if (fewest * copies).sum() <= chip.cores:
        share = spread(products, tiles, most_in_core, chip.cores, most if wished is None else None, copies)
        per_copy, copies = share.cores, share.copies
    rows = _rows(demands, copies)
    if per_copy is None:
        core = _shared_cores(chip, demands, bits, products, capacity)
    else:
        first = np.concatenate(([0], np.cumsum(per_copy * copies)))
        demand, tile, copy = rows
        core = first[demand] + copy * per_copy[demand] + tile * per_copy[demand] // tiles[demand]
    zero = np.zeros(core.size, np.int64)
    used = int(np.unique(core).size)
    bound = math.ceil(sum(b.sum() for b in bits) / capacity - 1e-9) if math.isfinite(capacity) else 1
    return Allocation(*rows, core, zero, zero.copy(), zero.copy(), copies, used, bound, per_copy is None)


def _shared_cores(
    chip: Chip, demands: list[Demand], bits: list[np.ndarray], products: np.ndarray, capacity: float
) -> np.ndarray:
    """Core of every tile where layers take turns: equal work per core if the memories allow, else filled in order."""
    size = np.concatenate(bits)
    work = np.repeat(products, [b.size for b in bits]).astype(np.float64)
    middle = np.cumsum(work) - work / 2
    core = np.minimum((middle * chip.cores / work.sum()).astype(np.int64), chip.cores - 1)
    if np.bincount(core, weights=size).max() <= capacity * (1 + 1e-12):
        return core
    core = _fill_cores(size, capacity)
    if core[-1] < chip.cores:
        return core
    best = pack(size, size, capacity, capacity, "diagonal")
    if best.arrays <= chip.cores:
        return best.array
    first = int(np.argmax(core >= chip.cores))
    layer = demands[int(np.searchsorted(np.cumsum([b.size for b in bits]), first, "right"))].node.label
    need = size.sum() / 8192
    have = chip.cores * capacity / 8192
    tiles = -(-best.arrays // chip.cores_per_tile) - chip.tiles
    wish = capacity * need / have if need > have else capacity * best.arrays / chip.cores
    raise FitError(
        f"the weights take {need:.1f} KiB, the weight memories of {chip.cores} cores hold {have:.1f} KiB; "
        f"{layer} is the first layer without room",
        Place(key=chip.unit.path),
        f"{tiles} tile{'s' if tiles != 1 else ''} more, or weight memories of {wish / 8192:.1f} KiB each"
        f"{_fewer_bits(chip, need / have)}",
    )


def _fewer_bits(chip: Chip, ratio: float) -> str:
    bits = getattr(chip.unit.settings, "weight_bits", None)
    fewer = math.floor(bits / ratio) if bits else 0
    return f", or weight bits {bits} -> {fewer}" if bits and 1 <= fewer < bits else ""


def _fill_cores(size: np.ndarray, capacity: float) -> np.ndarray:
    """Next fit: tiles in order, a new core where the next tile does not fit. Returns the core of every tile."""
    total = np.concatenate(([0.0], np.cumsum(size)))
    core = np.empty(size.size, np.int64)
    start = number = 0
    while start < size.size:
        end = int(np.searchsorted(total, total[start] + capacity * (1 + 1e-12), "right")) - 1
        end = max(end, start + 1)
        core[start:end] = number
        start, number = end, number + 1
    return core
