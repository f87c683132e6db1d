"""Every capacity of the chip against what a placement uses of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuromorph.devices.layered.place.demand import Chip, Demand
from neuromorph.devices.layered.place.flows import value_bits
from neuromorph.devices.protocol import Limit
from neuromorph.errors import Place, Problem
from neuromorph.graph.model import Graph, Matrix
from neuromorph.hardware.component import Architecture, Component

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.placement import Shards


def check_limits(
    graph: Graph, architecture: Architecture, chip: Chip, demands: list[Demand], shards: Shards
) -> tuple[tuple[Limit, ...], list[Problem]]:
    """All limits of the chip, and a problem for each hard one that is exceeded."""
    tile = shards.core // chip.cores_per_tile
    tile_path = architecture.chip["tile"].path
    common = [
        Limit("tiles", tile_path, np.unique(tile).size, chip.tiles, "", True),
        Limit("cores", chip.unit.path, np.unique(shards.core).size, chip.cores, "", True),
    ]
    limits = chip.resources.packing.limits(chip, shards, common)
    needs = _input_bits(chip, demands, shards)
    limits += _core_buffer(chip, shards, needs)
    limits += _tile_buffer(architecture, chip, demands, shards, tile)
    limits += _tables(graph, architecture, chip)
    problems = [_problem(limit) for limit in limits if limit.hard and limit.degree > 1 + 1e-12]
    return tuple(limits), problems


def _problem(limit: Limit) -> Problem:
    kib = limit.unit == "bit"
    used, have = (f"{v / 8192:.2f} KiB" if kib else f"{v:.0f}" for v in (limit.used, limit.available))
    layer = f" for {limit.node}" if limit.node else ""
    return Problem(f"{limit.name} needs {used}{layer}, has {have}", Place(key=limit.path), f"raise it to {used}")


def _capacity(component: Component | None) -> float | None:
    if component is None:
        return None
    return float(component.settings.capacity) * component.count


def _own(shards: Shards, node: int, matrix: int) -> np.ndarray:
    """Numbers of the shards of one matrix; shards are in the order of nodes."""
    first, last = np.searchsorted(shards.node, (node, node + 1))
    found: np.ndarray = first + np.flatnonzero(shards.matrix[first:last] == matrix)
    return found


def _input_bits(chip: Chip, demands: list[Demand], shards: Shards) -> np.ndarray:
    """Bits of the input vector of each shard for one product."""
    bits = np.zeros(len(shards))
    for d in demands:
        matrices = d.group.matrices
        for k, tiling in enumerate(d.tilings):
            own = _own(shards, d.index, k)
            bits[own] = (shards.row1[own] - shards.row0[own]) * value_bits(
                matrices[tiling.item], chip.resources.signal_bits
            )
    return bits


def _core_buffer(chip: Chip, shards: Shards, needs: np.ndarray) -> list[Limit]:
    """The input buffer of a core: beyond it a vector is fetched in parts, which is slower, not impossible.

    Shards of one row block side by side in a core share their inputs.
    """
    buffer = chip.unit.get("input_buffer")
    capacity = _capacity(buffer)
    if buffer is None or not capacity:
        return []
    key = np.stack([shards.core, shards.node, shards.copy, shards.matrix, shards.group, shards.row0])
    _, one = np.unique(key, axis=1, return_index=True)
    used = np.bincount(shards.core[one], weights=needs[one])
    return [Limit("core input buffer", buffer.path, float(used.max(initial=0.0)), capacity, "bit", False)]


def _tile_buffer(
    architecture: Architecture, chip: Chip, demands: list[Demand], shards: Shards, tile: np.ndarray
) -> list[Limit]:
    """What a tile must hold before its layers can start: the window rows of a convolution, one vector otherwise.

    A memory of the chip takes what the tiles cannot hold, so the tile's buffer is a hard limit only without one.
    """
    buffer = architecture.chip["tile"].get("buffer")
    capacity = _capacity(buffer)
    if buffer is None or not capacity:
        return []
    used = np.zeros(int(tile.max(initial=0)) + 1)
    largest = np.zeros(used.size)
    owner = np.full(used.size, -1)
    for d in demands:
        need = _waiting_bits(chip, d, shards, tile, used.size)
        owner = np.where(need > largest, d.index, owner)
        largest = np.maximum(largest, need)
        used += need
    worst = int(np.argmax(used))
    names = {d.index: d.group.label for d in demands}
    memory = architecture.chip.get("memory")
    spare = _capacity(memory)
    hard = spare is None
    limits = [
        Limit("tile buffer", buffer.path, float(used[worst]), capacity, "bit", hard, names.get(int(owner[worst]), ""))
    ]
    if memory is not None and spare is not None:
        over = float(np.maximum(used - capacity, 0.0).sum())
        limits.append(Limit("chip memory", memory.path, over, spare * chip.chips, "bit", True))
    return limits


def _tables(graph: Graph, architecture: Architecture, chip: Chip) -> list[Limit]:
    """Tables that layers look values up in, one for all nodes that share it, in the format of signals."""
    memory = architecture.chip.get("memory")
    capacity = _capacity(memory)
    values = sum(operator.table_size for operator in {id(n.operator): n.operator for n in graph.nodes}.values())
    if memory is None or capacity is None or not values:
        return []
    used = float(values) * chip.resources.signal_bits
    return [Limit("tables in the chip's memory", memory.path, used, capacity * chip.chips, "bit", True)]


def buffer_bits(architecture: Architecture) -> float | None:
    """Capacity of a tile's buffer where nothing else can take what it does not hold."""
    if architecture.chip.get("memory") is not None:
        return None
    return _capacity(architecture.chip["tile"].get("buffer"))


def waiting_blocks(chip: Chip, demands: list[Demand], shards: Shards) -> tuple[np.ndarray, np.ndarray]:
    """For every shard: the number of the inputs it waits for (its row block of its copy), and their bits."""
    key = np.stack([shards.node, shards.matrix, shards.copy, shards.group, shards.row0])
    block = np.unique(key, axis=1, return_inverse=True)[1].ravel()
    bits = np.zeros(len(shards))
    for d in demands:
        matrices = d.group.matrices
        for k, tiling in enumerate(d.tilings):
            own = _own(shards, d.index, k)
            if own.size:
                matrix = matrices[tiling.item]
                each = float(_waiting_values(matrix, np.ones(1), int(shards.copy[own].max()) + 1)[0])
                rows = shards.row1[own] - shards.row0[own]
                bits[own] = rows * each * value_bits(matrix, chip.resources.signal_bits)
    return block, bits


def _waiting_bits(chip: Chip, demand: Demand, shards: Shards, tile: np.ndarray, tiles: int) -> np.ndarray:
    """Bits of one group's inputs that wait in each tile: (tiles,)."""
    bits = np.zeros(tiles)
    matrices = demand.group.matrices
    for k, tiling in enumerate(demand.tilings):
        matrix = matrices[tiling.item]
        own = _own(shards, demand.index, k)
        if not own.size:
            continue
        key = np.stack([tile[own], shards.group[own], shards.row0[own], shards.copy[own]])
        each = np.unique(key, axis=1)
        _, first, copies = np.unique(each[:3], axis=1, return_index=True, return_counts=True)
        begins, at = np.unique(shards.row0[own], return_index=True)
        heights = (shards.row1[own] - shards.row0[own])[at[np.searchsorted(begins, each[2, first])]]
        values = heights * _waiting_values(matrix, copies, int(shards.copy[own].max()) + 1)
        amount = value_bits(matrix, chip.resources.signal_bits)
        bits += np.bincount(each[0, first], weights=values * amount, minlength=tiles)
    return bits


def _waiting_values(matrix: Matrix, copies: np.ndarray, all_copies: int) -> np.ndarray:
    """Input values that wait per row of the matrix where so many neighbouring copies of it are in one tile.

    A copy works through its run of window positions and keeps the map's rows under its window, as wide as its run if
    that is shorter than a row. Neighbouring copies never need more than all that lies under their runs together.
    """
    if matrix.window is None:
        return copies.astype(np.float64)
    w = matrix.window
    height, width = matrix.input_shape[-2:]
    out_width = w.output(height, width)[1]
    span_y, span_x = ((d * (k - 1) + 1) for d, k in zip(w.dilation, w.kernel, strict=True))
    run = -(-matrix.products // all_copies)

    def wide(positions: np.ndarray) -> np.ndarray:
        return np.minimum(width, (np.minimum(positions, out_width) - 1) * w.stride[1] + span_x)

    single = min(span_y, height) * wide(np.asarray(run))
    together = copies * run
    # A run longer than a row may begin anywhere in it and so touch one row more.
    rows = np.where(together > out_width, (-(-together // out_width)) * w.stride[0] + span_y, span_y)
    union = np.minimum(rows, height) * wide(together)
    per_row: np.ndarray = np.minimum(copies * single, union) / (w.kernel[0] * w.kernel[1])
    return per_row
