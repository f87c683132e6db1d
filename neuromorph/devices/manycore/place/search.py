"""Where cores go on the chip: cheap orders, pairwise refinement, then swaps priced by the multicast trees themselves.

The cost of a placement is packets times links per sample. With multicast a packet passes every link of its slice's tree
once; the routes of `routes` make the tree a union of fixed paths, so how many links a move adds or frees is counted
exactly by keeping, for every slice and tile, how many targets lie behind that tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.manycore.place.routes import Routes, tree_sizes
from neuromorph.devices.manycore.place.shapes import HOST, Grid, Lists
from neuromorph.devices.manycore.place.swaps import anneal
from neuromorph.errors import FitError, InputError, suggest
from neuromorph.placing import orders
from neuromorph.placing.anneal import refine
from neuromorph.placing.mesh import lower_bound, neighbours
from neuromorph.placing.topology import Topology

EFFORT = {"none": 0, "quick": 20, "normal": 200, "thorough": 1500}
"""Attempted moves per core, in each of the two refinements."""

STEPS = {"none": 0.0, "quick": 2e8, "normal": 1.5e9, "thorough": 2e10}
"""Most elementary steps of a refinement (a link or a flow looked at, 1 to 5 ns): what ends it on dense networks."""

LEAST_MOVES = 50_000
"""Attempted moves on small networks, where time does not matter."""

DENSEST = 2_000_000
"""Flows between cores up to which all guide the first placement; beyond, the heaviest of each slice do."""

LARGEST = 400_000_000
"""Entries (slices x tiles) the count of targets behind tiles may have, 4 bytes each."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be placed: groups (what one core holds) that slices send to.

    sender: group of each slice, HOST from outside; targets: groups it reaches; packets: expected per sample, for each
    of these; weight: packets of each slice. bits: of rows each group lays into its tile's memory, of which a tile has
    tile_bits (inf without limit).
    """

    groups: int
    sender: np.ndarray
    targets: Lists
    packets: np.ndarray
    weight: np.ndarray
    multicast: bool
    bits: np.ndarray
    tile_bits: float


@dataclass(frozen=True, eq=False)
class Found:
    """slot: core of every group, (groups,). costs: packets x links per sample by what was tried."""

    slot: np.ndarray
    costs: Mapping[str, float]


def search(problem: Problem, grid: Grid, routes: Routes, seed: int, effort: str) -> Found:
    """Place the groups. Costs: random, greedy, optimised, lower_bound where one is known.

    Raises InputError for an unknown effort, FitError where the rows do not fit the tiles' memories.
    """
    if effort not in EFFORT:
        raise InputError(f"effort is {effort!r}", hint=suggest(effort, EFFORT))
    topology = Topology(
        "mesh" if grid.topology == "mesh" else "torus",
        grid.columns,
        grid.rows,
        concentration=grid.cores_per_tile,
        places=grid.tiles * grid.cores_per_tile,
    )
    start, other, weight = _graph(problem)
    slots = {
        "random": orders.random(topology, problem.groups, seed),
        "greedy": orders.greedy(topology, problem.groups, start, other, weight),
    }
    found = {name: _fit(problem, grid, routes, slot) for name, slot in slots.items()}
    costs = {name: cost(problem, grid, routes, slot) for name, slot in found.items()}
    best = min(costs, key=lambda n: costs[n])
    slot = found[best]
    moves = int(min(max(LEAST_MOVES, EFFORT[effort] * problem.groups), STEPS[effort] / _degree(start)))
    if EFFORT[effort]:
        for name in dict.fromkeys(["greedy", best]):
            refined = _fit(problem, grid, routes, refine(topology, found[name], start, other, weight, moves, seed))
            if cost(problem, grid, routes, refined) < cost(problem, grid, routes, slot):
                slot = refined
        slot = _improve(problem, grid, routes, slot, seed, effort)
    kept = costs | {"optimised": cost(problem, grid, routes, slot)}
    bound = _bound(problem, grid, topology)
    return Found(slot, kept if bound is None else kept | {"lower_bound": min(bound, kept["optimised"])})


def cost(problem: Problem, grid: Grid, routes: Routes, slot: np.ndarray) -> float:
    """Packets x links per sample of a placement, exact."""
    tile = slot // grid.cores_per_tile
    root = roots(problem.sender, tile)
    to = tile[problem.targets.items]
    if problem.multicast:
        tiles = Lists(problem.targets.indptr, to.astype(np.int32))
        return float((problem.weight * tree_sizes(routes, root, tiles)).sum())
    away = np.repeat(root, np.diff(problem.targets.indptr))
    return float((problem.packets * routes.hops[away, to]).sum())


def roots(sender: np.ndarray, tile: np.ndarray) -> np.ndarray:
    """Tile from which each slice sends; tile 0 holds the interface to the outside."""
    found: np.ndarray = np.where(sender == HOST, 0, tile[np.maximum(sender, 0)]) if tile.size else np.zeros_like(sender)
    return found


def _graph(problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flows between groups as neighbour lists. A multicast packet counts less for each of many targets: their ways
    have links in common (measured: the square root leads to better trees than either extreme)."""
    fan = np.diff(problem.targets.indptr)
    row = np.repeat(np.arange(fan.size), fan)
    source, target = problem.sender[row], problem.targets.items
    flow = (problem.weight / np.sqrt(np.maximum(fan, 1)))[row] if problem.multicast else problem.packets
    keep = (source != HOST) & (source != target)
    if keep.sum() > DENSEST:
        most = max(1, DENSEST // max(problem.groups, 1))
        order = np.lexsort((problem.targets.items, -problem.packets, row))
        rank = np.empty(row.size, np.int64)
        rank[order] = np.arange(row.size) - problem.targets.indptr[:-1][row[order]]
        keep &= rank < most
    return neighbours(problem.groups, source[keep].astype(np.int64), target[keep].astype(np.int64), flow[keep])


def _degree(start: np.ndarray) -> float:
    """Neighbours looked at by an attempted swap, on average."""
    return max(1.0, 4.0 * float(start[-1]) / max(start.size - 1, 1))


def _fit(problem: Problem, grid: Grid, routes: Routes, slot: np.ndarray) -> np.ndarray:
    """The placement with groups moved out of tiles whose memory is too small for their rows, each as near as it can."""
    if not np.isfinite(problem.tile_bits):
        return slot
    slot = slot.copy()
    tile = slot // grid.cores_per_tile
    used = np.bincount(tile, weights=problem.bits, minlength=grid.tiles)
    free = grid.cores_per_tile - np.bincount(tile, minlength=grid.tiles)
    taken = np.zeros(grid.tiles * grid.cores_per_tile, bool)
    taken[slot] = True
    most = problem.tile_bits * (1 + 1e-12)
    for t in np.flatnonzero(used > most).tolist():
        own = np.flatnonzero(tile == t)
        for g in own[np.argsort(problem.bits[own], kind="stable")].tolist():
            if used[t] <= most:
                break
            room = np.flatnonzero((free > 0) & (used + problem.bits[g] <= most))
            if not room.size:
                continue
            to = int(room[np.argmin(routes.hops[t, room], axis=0)])
            place = to * grid.cores_per_tile + int(
                np.flatnonzero(~taken[to * grid.cores_per_tile : (to + 1) * grid.cores_per_tile])[0]
            )
            taken[slot[g]], taken[place] = False, True
            for at, sign in ((t, -1), (to, 1)):
                used[at] += sign * problem.bits[g]
                free[at] -= sign
            slot[g], tile[g] = place, to
        if used[t] > most:
            raise FitError(
                f"synaptic rows of {used[t] / 8192:.1f} KiB in a tile of {problem.tile_bits / 8192:.1f} KiB, and no "
                "other tile has room",
                hint=f"{(used[t] - problem.tile_bits) / 8192:.1f} KiB more of tile memory or one tile more",
            )
    return slot


def _bound(problem: Problem, grid: Grid, topology: Topology) -> float | None:
    """Packets x links that no placement goes below; None where no bound is known.

    Multicast: a tree that reaches n cores besides its own touches at least so many tiles that they fit, the first of
    which is its own; a tree of k tiles has k - 1 links. Unicast: the bound of `mesh`.
    """
    fan = np.diff(problem.targets.indptr)
    if problem.multicast:
        row = np.repeat(np.arange(fan.size), fan)
        own = np.bincount(row[problem.sender[row] == problem.targets.items], minlength=fan.size)
        room = grid.cores_per_tile - (problem.sender != HOST)
        further = -(-np.maximum(fan - own - room, 0) // grid.cores_per_tile)
        return float((problem.weight * further).sum())
    if grid.topology == "triangular" or fan.sum() > DENSEST:
        return None
    row = np.repeat(problem.sender, fan)
    inside = row != HOST
    pairs = neighbours(
        problem.groups,
        row[inside].astype(np.int64),
        problem.targets.items[inside].astype(np.int64),
        problem.packets[inside],
    )
    return lower_bound(topology, problem.groups, *pairs)


def _improve(problem: Problem, grid: Grid, routes: Routes, slot: np.ndarray, seed: int, effort: str) -> np.ndarray:
    """Swaps and moves priced by the trees. Never worse than the given placement."""
    slices = problem.sender.size
    behind = slices * grid.tiles if problem.multicast else 0
    if problem.groups < 2 or grid.tiles < 2 or behind > LARGEST:
        return slot
    fan = np.diff(problem.targets.indptr)
    row = np.repeat(np.arange(slices, dtype=np.int32), fan)
    by_target = np.argsort(problem.targets.items, kind="stable")
    senders = np.flatnonzero(problem.sender != HOST)
    by_sender = senders[np.argsort(problem.sender[senders], kind="stable")]
    before = cost(problem, grid, routes, slot)
    moves = max(LEAST_MOVES, EFFORT[effort] * problem.groups)
    hot = 0.05 * before / problem.groups * np.sqrt(EFFORT[effort] / 10)
    found = slot.astype(np.int64)
    to, flows = problem.targets, problem.packets
    anneal(
        problem.multicast, routes.before, routes.hops, grid.link_target.reshape(grid.tiles, -1), grid.cores_per_tile,
        found, problem.sender.astype(np.int64), problem.weight, to.indptr, to.items, flows,
        _starts(to.items, problem.groups), row[by_target], flows[by_target],
        _starts(problem.sender[senders], problem.groups), by_sender.astype(np.int32),
        problem.bits, problem.tile_bits * (1 + 1e-12), moves, STEPS[effort], hot, seed,
    )  # fmt: skip
    return found if cost(problem, grid, routes, found) < before else slot


def _starts(key: np.ndarray, keys: int) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(np.bincount(key, minlength=keys))))
