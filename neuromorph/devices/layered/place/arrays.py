"""Tiles as blocks of cells in the arrays of cores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from neuromorph.devices.layered.place.allocate import Allocation, more_tiles, remedy, shard_rows
from neuromorph.devices.layered.place.pack import Packed, one_each, pack
from neuromorph.devices.layered.place.packing import Packing
from neuromorph.devices.layered.place.replicate import replicate
from neuromorph.devices.protocol import Limit
from neuromorph.errors import FitError, Place

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.demand import Chip, Demand
    from neuromorph.devices.layered.place.placement import Shards
    from neuromorph.graph.model import Graph


class InArrays(Packing):
    """Base of rules for arrays of "rows" x "cols" cells that all work at once.

    Layers have arrays of their own while there are enough. shares: beyond that, they may have arrays in common.
    """

    shares: ClassVar[bool]

    needs = ("arrays", "rows", "cols")
    takes_turns = False
    in_arrays = True
    filled = "cells of the arrays"

    @abstractmethod
    def pack(self, chip: Chip, demands: list[Demand]) -> Packed:
        """Blocks of these demands in arrays."""

    def allocate(
        self, graph: Graph, chip: Chip, demands: list[Demand], wished: np.ndarray | None, spare: float
    ) -> Allocation:
        for d in demands:
            _check_tiles(chip, d)
        packings = [self.pack(chip, [d]) for d in demands]
        need = np.array([p.arrays for p in packings], np.int64)
        bound = sum(p.lower_bound for p in packings)
        if wished is not None and (need * wished).sum() > chip.arrays:
            total = int((need * wished).sum())
            hint = f"{more_tiles(chip, total)}, or fewer copies"
            raise FitError(f"the copies asked for take {total} arrays, {chip.have} {chip.arrays}", hint=hint)
        if need.sum() > chip.arrays:
            return self._share(graph, chip, demands, need)
        copies = np.ones_like(need)
        if wished is not None:
            copies = wished
        elif spare > 0:
            work = np.array([d.products for d in demands], np.int64)
            most = np.array([d.most_copies for d in demands], np.int64)
            one = int(need.sum())
            copies = replicate(work, need, one + int(spare * (chip.arrays - one)), most).copies
        first = np.concatenate(([0], np.cumsum(need * copies)))
        rows = shard_rows(demands, copies)
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

    def _share(self, graph: Graph, chip: Chip, demands: list[Demand], need: np.ndarray) -> Allocation:
        """One copy each does not fit with arrays of its own for every layer: let layers share arrays."""
        everything = self.pack(chip, demands) if self.shares else None
        total = int(need.sum()) if everything is None else everything.arrays
        if everything is None or total > chip.arrays:
            hint = remedy(graph, chip, total)
            raise FitError(_too_many(chip, demands, need, total), Place(key="chip.tile.count"), hint)
        copies = np.ones_like(need)
        core, array = np.divmod(everything.array, chip.resources.arrays)
        return Allocation(
            *shard_rows(demands, copies),
            core,
            array,
            everything.row0,
            everything.col0,
            copies,
            everything.arrays,
            everything.lower_bound,
            True,
        )

    def fits(self, chip: Chip, demands: list[Demand]) -> bool:
        return self.pack(chip, demands).arrays <= chip.arrays

    def limits(self, chip: Chip, shards: Shards, common: list[Limit]) -> list[Limit]:
        used = np.unique(shards.core * chip.resources.arrays + shards.array).size
        return [Limit("arrays", chip.unit.path, used, chip.arrays, "", True), *common]

    def taken(self, shards: Shards) -> np.ndarray:
        return shards.height * shards.width

    def room(self, chip: Chip) -> float:
        return chip.resources["rows"] * chip.resources["cols"]

    def check(self, chip: Chip, shards: Shards, refuse: Callable[[str], None]) -> None:
        rows, cols = chip.resources["rows"], chip.resources["cols"]
        for name, first, extent, end in (
            ("array_row0", shards.array_row0, shards.height, rows),
            ("array_col0", shards.array_col0, shards.width, cols),
        ):
            if np.any(first + extent > end):
                refuse(f"{name} of a shard lies outside the chip")
        self.apart(shards, shards.core * chip.resources.arrays + shards.array, refuse)

    @abstractmethod
    def apart(self, shards: Shards, array: np.ndarray, refuse: Callable[[str], None]) -> None:
        """Calls `refuse` where shards of one array share what must be apart. array: number on the chip, (shards,)."""


@final
class Exclusive(InArrays):
    """An array holds one tile."""

    name = "exclusive"
    shares = False

    def pack(self, chip: Chip, demands: list[Demand]) -> Packed:
        return one_each(_column(demands, "height"))

    def apart(self, shards: Shards, array: np.ndarray, refuse: Callable[[str], None]) -> None:
        if np.unique(array).size != array.size:
            refuse("two shards lie in one array, each needs one of its own")


@final
class Diagonal(InArrays):
    """Tiles of one array all work at once, so each has rows and columns of its own."""

    name = "diagonal"
    shares = True

    def pack(self, chip: Chip, demands: list[Demand]) -> Packed:
        height, width = _column(demands, "height"), _column(demands, "width")
        return pack(height, width, chip.resources["rows"], chip.resources["cols"])

    def apart(self, shards: Shards, array: np.ndarray, refuse: Callable[[str], None]) -> None:
        sides = ((shards.array_row0, shards.height, "rows"), (shards.array_col0, shards.width, "columns"))
        for first, extent, what in sides:
            order = np.lexsort((first, array))
            a, f, e = array[order], first[order], extent[order]
            if np.any((a[1:] == a[:-1]) & (f[1:] < f[:-1] + e[:-1])):
                refuse(f"two shards of one array share {what}")


def _column(demands: list[Demand], name: str) -> np.ndarray:
    return np.concatenate([d.column(name) for d in demands])


def _check_tiles(chip: Chip, demand: Demand) -> None:
    rows, cols = (int(chip.resources[n]) for n in ("rows", "cols"))
    height, width = demand.column("height"), demand.column("width")
    if demand.tiles and (height.max() > rows or width.max() > cols):
        k = int(np.argmax((height > rows) | (width > cols)))
        raise FitError(
            f"a tile of {height[k]} x {width[k]} cells is larger than an array of {rows} x {cols}",
            Place(key=demand.group.label),
            "enlarge the array or lower the bits of a weight",
        )


def _too_many(chip: Chip, demands: list[Demand], need: np.ndarray, total: int) -> str:
    overflow = int(np.argmax(np.cumsum(need) > chip.arrays))
    largest = int(np.argmax(need))
    layer, big = demands[overflow].group.label, demands[largest].group.label
    return (
        f"the network needs {total} arrays, {chip.have} {chip.arrays}; {layer} ({need[overflow]} arrays) is the first "
        f"layer without room, {big} the largest with {need[largest]}"
    )


EXCLUSIVE = Exclusive()
DIAGONAL = Diagonal()
