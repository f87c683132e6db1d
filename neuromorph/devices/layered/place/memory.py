"""Tiles as words in the weight memories of cores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import numpy as np

from neuromorph.devices.layered.place.allocate import Allocation, more_tiles, shard_rows
from neuromorph.devices.layered.place.pack import pack
from neuromorph.devices.layered.place.packing import Packing
from neuromorph.devices.layered.place.replicate import spread
from neuromorph.devices.protocol import Limit
from neuromorph.errors import FitError, Place

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.demand import Chip, Demand
    from neuromorph.devices.layered.place.placement import Shards
    from neuromorph.graph.model import Graph


@final
class Memory(Packing):
    """A core holds tiles up to "bits" of its memory, and they take turns in it.

    Layers get cores of their own if there are enough, else they share.
    """

    name = "memory"
    needs = ("bits",)
    takes_turns = True
    in_arrays = False
    filled = "weight memory"

    def allocate(
        self, graph: Graph, chip: Chip, demands: list[Demand], wished: np.ndarray | None, spare: float
    ) -> Allocation:
        capacity = self.room(chip)
        bits = [d.column("bits") for d in demands]
        for d, b in zip(demands, bits, strict=True):
            if b.size and b.max() > capacity:
                message = f"one tile of {b.max():.0f} bit does not fit the core's weight memory of {capacity:.0f} bit"
                raise FitError(message, Place(key=d.group.label), "enlarge the memory or make the MAC array smaller")
        tiles = np.array([d.tiles for d in demands], np.int64)
        most_in_core = np.array(
            [min(b.size, math.floor(min(capacity / b.max(), b.size))) if b.size else 1 for b in bits]
        )
        fewest = -(-tiles // np.maximum(most_in_core, 1))
        products = np.array([d.products for d in demands], np.int64)
        most = np.array([d.most_copies if spare > 0 else 1 for d in demands], np.int64)
        copies = np.ones_like(tiles) if wished is None else wished
        per_copy: np.ndarray | None = None
        if wished is not None and (fewest * wished).sum() > chip.cores and wished.max() > 1:
            total = int((fewest * wished).sum())
            raise FitError(f"the copies asked for take {total} cores, {chip.have} {chip.cores}", hint="fewer copies")
        if (fewest * copies).sum() <= chip.cores:
            share = spread(products, tiles, most_in_core, chip.cores, most if wished is None else None, copies)
            per_copy, copies = share.cores, share.copies
        rows = shard_rows(demands, copies)
        if per_copy is None:
            core = _shared_cores(chip, demands, bits, products, capacity, spread_out=spare > 0)
        else:
            first = np.concatenate(([0], np.cumsum(per_copy * copies)))
            demand, tile, copy = rows
            core = first[demand] + copy * per_copy[demand] + tile * per_copy[demand] // tiles[demand]
        zero = np.zeros(core.size, np.int64)
        used = int(np.unique(core).size)
        bound = math.ceil(sum(b.sum() for b in bits) / capacity - 1e-9) if math.isfinite(capacity) else 1
        return Allocation(*rows, core, zero, zero.copy(), zero.copy(), copies, used, bound, per_copy is None)

    def fits(self, chip: Chip, demands: list[Demand]) -> bool:
        tiles = np.concatenate([d.column("bits") for d in demands])
        return bool(_fill_cores(tiles, self.room(chip))[-1] < chip.cores)

    def limits(self, chip: Chip, shards: Shards, common: list[Limit]) -> list[Limit]:
        if math.isinf(self.room(chip)):
            return common
        own = shards.stored
        stored = np.bincount(own.core, weights=own.bits)
        return [*common, Limit("weight memory", chip.unit.path, float(stored.max()), self.room(chip), "bit", True)]

    def taken(self, shards: Shards) -> np.ndarray:
        return shards.bits

    def room(self, chip: Chip) -> float:
        return float(chip.resources["bits"])


def _shared_cores(
    chip: Chip,
    demands: list[Demand],
    bits: list[np.ndarray],
    products: np.ndarray,
    capacity: float,
    spread_out: bool,
) -> np.ndarray:
    """Core of every tile where layers take turns: equal work per core in the layers' order if the memories allow, else
    every layer over all cores (spread_out; more traffic, about equal work and memory), else filled in order."""
    size = np.concatenate(bits)
    work = np.repeat(products, [b.size for b in bits]).astype(np.float64)
    middle = np.cumsum(work) - work / 2
    core = np.minimum((middle * chip.cores / work.sum()).astype(np.int64), chip.cores - 1)
    if np.bincount(core, weights=size).max() <= capacity * (1 + 1e-12):
        return core
    if spread_out:
        core = _spread_out(bits, products, chip.cores)
        if np.bincount(core, weights=size).max() <= capacity * (1 + 1e-12):
            return core
    core = _fill_cores(size, capacity)
    if core[-1] < chip.cores:
        return core
    best = pack(size, size, capacity, capacity)
    if best.arrays <= chip.cores:
        return best.array
    first = int(np.argmax(core >= chip.cores))
    layer = demands[int(np.searchsorted(np.cumsum([b.size for b in bits]), first, "right"))].group.label
    need = size.sum() / 8192
    have = chip.cores * capacity / 8192
    wish = capacity * need / have if need > have else capacity * best.arrays / chip.cores
    raise FitError(
        f"the weights take {need:.1f} KiB, the weight memories of {chip.cores} cores hold {have:.1f} KiB; "
        f"{layer} is the first layer without room",
        Place(key=chip.unit.path),
        f"{more_tiles(chip, best.arrays)}, or weight memories of {wish / 8192:.1f} KiB each"
        f"{_fewer_bits(chip, need / have)}",
    )


def _spread_out(bits: list[np.ndarray], products: np.ndarray, cores: int) -> np.ndarray:
    """Every layer's tiles dealt over all cores in turn, longest tiles first, beginning with the core of least work."""
    work = np.zeros(cores)
    found = [np.zeros(b.size, np.int64) for b in bits]
    for k in np.argsort(-products, kind="stable").tolist():
        found[k] = np.argsort(work, kind="stable")[np.arange(bits[k].size) % cores]
        work += np.bincount(found[k], minlength=cores) * float(products[k])
    return np.concatenate(found)


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


MEMORY = Memory()
