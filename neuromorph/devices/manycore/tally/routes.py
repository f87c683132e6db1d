"""How the spikes of a placed network travel, in flat arrays: trees with their children, targets, synaptic rows.

Counting and timing both walk these arrays for every spike; they depend on the placement alone and are made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.errors import InputError

if TYPE_CHECKING:
    from neuromorph.devices.manycore.place.placement import CorePlacement


class RouteArrays(NamedTuple):
    """The arrays of Routes as compiled code takes them."""

    slice_of_neuron: np.ndarray
    slice_core: np.ndarray
    slice_population: np.ndarray
    node_ptr: np.ndarray
    node_link: np.ndarray
    child_ptr: np.ndarray
    child: np.ndarray
    node_target: np.ndarray
    target_core: np.ndarray
    row_ptr: np.ndarray
    row_target: np.ndarray
    row_events: np.ndarray
    row_plastic: np.ndarray
    path_ptr: np.ndarray
    path_link: np.ndarray


@dataclass(frozen=True, eq=False)
class Routes:
    """Trees, targets and rows of a placement.

    A slice's tree has the nodes node_ptr[s]..node_ptr[s + 1]; the first is the tile where its spikes enter (link -1),
    every other one the end of link node_link, below node_parent. The children of node n are
    child[child_ptr[n]:child_ptr[n + 1]]. The targets (cores that get its packets) at node n are
    target_core[node_target[n]:node_target[n + 1]]; those of slice s are target_ptr[s]..target_ptr[s + 1], and
    target_slice, target_node say where each belongs. path_link[path_ptr[t]:path_ptr[t + 1]] are the links to target t.
    The rows of neuron i are row_ptr[i]..row_ptr[i + 1]: row_target (number of a target of its slice, rising),
    row_events (its synapses in that core), row_plastic (how many of them are plastic; empty where none is).
    """

    multicast: bool
    cores: int
    links: int
    slice_of_neuron: np.ndarray
    slice_core: np.ndarray
    slice_population: np.ndarray
    node_ptr: np.ndarray
    node_link: np.ndarray
    node_parent: np.ndarray
    child_ptr: np.ndarray
    child: np.ndarray
    node_target: np.ndarray
    target_core: np.ndarray
    row_ptr: np.ndarray
    row_target: np.ndarray
    row_events: np.ndarray
    row_plastic: np.ndarray
    path_ptr: np.ndarray
    path_link: np.ndarray

    @cached_property
    def arrays(self) -> RouteArrays:
        """What compiled code needs of these."""
        return RouteArrays(*(getattr(self, name) for name in RouteArrays._fields))

    @property
    def slices(self) -> int:
        return int(self.node_ptr.size - 1)

    @property
    def target_ptr(self) -> np.ndarray:
        """(slices + 1,): first target of each slice."""
        found: np.ndarray = self.node_target[self.node_ptr]
        return found

    @property
    def target_slice(self) -> np.ndarray:
        """(targets,): the slice each target belongs to."""
        return np.repeat(np.arange(self.slices), np.diff(self.target_ptr))

    @property
    def target_node(self) -> np.ndarray:
        """(targets,): the node of the tree where the packet leaves the network."""
        return np.repeat(np.arange(self.node_link.size), np.diff(self.node_target))


def routes_of(placement: CorePlacement) -> Routes:
    """The arrays of a placement. Raises InputError where a tree is none or does not reach the slice's synapses."""
    s, grid, routing = placement.slices, placement.grid, placement.routing
    core = s.core.astype(np.int64)
    entry = np.where(core >= 0, core // grid.cores_per_tile, 0).astype(np.int32)
    sizes = np.diff(routing.links.indptr) + 1
    node_ptr = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    nodes = int(node_ptr[-1])
    node_link, node_parent = np.full(nodes, -1, np.int32), np.full(nodes, -1, np.int32)
    node_target = np.zeros(nodes + 1, np.int64)
    target_core = np.empty(routing.targets.items.size, np.int32)
    failed = _trees(
        entry, routing.links.indptr, routing.links.items, routing.targets.indptr, routing.targets.items, grid.tiles,
        grid.directions, grid.cores_per_tile, grid.link_target, node_ptr, node_link, node_parent, node_target,
        target_core,
    )  # fmt: skip
    if failed >= 0:
        raise InputError(f"the routing tree of {_slice_name(placement, failed)} is broken or misses a target core")
    child_ptr, child = _children(node_parent)
    row_ptr, row_target, row_events, row_plastic = _rows(placement, node_target[node_ptr], target_core)
    target_node = np.repeat(np.arange(nodes), np.diff(node_target)).astype(np.int64)
    path_ptr, path_link = _paths(target_node, node_parent, node_link)
    return Routes(
        routing.multicast, placement.cores, grid.links, placement.slice_of_neuron, s.core.astype(np.int32),
        s.population.astype(np.int32), node_ptr, node_link, node_parent, child_ptr, child, node_target, target_core,
        row_ptr, row_target, row_events, row_plastic, path_ptr, path_link,
    )  # fmt: skip


def _slice_name(placement: CorePlacement, number: int) -> str:
    s = placement.slices
    name = placement.network.populations[int(s.population[number])].name
    return f"{name}[{int(s.start[number])}:{int(s.stop[number])}]"


def _children(parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    below = np.flatnonzero(parent >= 0)
    order = below[np.argsort(parent[below], kind="stable")]
    counts = np.bincount(parent[below], minlength=parent.size)
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int64), order.astype(np.int32)


def _rows(
    placement: CorePlacement, target_ptr: np.ndarray, target_core: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Synapses of every neuron by the cores they lie in, over all projections."""
    network = placement.network
    first = network.first
    slice_of, core_of = placement.slice_of_neuron, placement.core_of_neuron
    plastic = any(p.plasticity is not None for p in network.projections)
    parts = []
    for i, population in enumerate(network.populations):
        none = np.zeros(0, np.uint32)
        whole = (np.zeros(population.size + 1, np.int64), np.zeros(0, np.int32), none, none)
        mine = slice_of[first[i] : first[i + 1]]
        for p in network.projections:
            if p.source != i or not p.synapses:
                continue
            cores = core_of[first[p.target] : first[p.target + 1]]
            part = _count_row(p.indptr.astype(np.int64), p.index, mine, cores, target_ptr, target_core, placement.cores)
            if part[0][0] != 0:
                at = _slice_name(placement, int(mine[-int(part[0][0]) - 1]))
                raise InputError(f"projection {p.name}: the routes of {at} do not reach all its targets")
            share = part[2] if p.plasticity is not None else np.zeros(part[2].size if plastic else 0, np.uint32)
            found = (*part[:3], share if plastic else none)
            whole = found if not whole[1].size else _merge(*whole, *found)
        parts.append(whole)
    counts = np.concatenate([np.diff(p[0]) for p in parts]) if parts else np.zeros(0, np.int64)
    row_ptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    targets, events, shares = (np.concatenate([p[k] for p in parts]) for k in (1, 2, 3))
    small = np.uint16 if events.max(initial=0) < 1 << 16 else np.uint32
    return row_ptr, targets, events.astype(small), shares.astype(small)


@compiled
def _trees(
    entry: np.ndarray,
    link_ptr: np.ndarray,
    links: np.ndarray,
    target_ptr: np.ndarray,
    targets: np.ndarray,
    tiles: int,
    directions: int,
    per_tile: int,
    link_target: np.ndarray,
    node_ptr: np.ndarray,
    node_link: np.ndarray,
    node_parent: np.ndarray,
    node_target: np.ndarray,
    target_core: np.ndarray,
) -> int:
    """Fills the nodes and orders each slice's targets by node. Returns the number of a broken slice, or -1."""
    where = np.full(tiles, -1, np.int64)
    for s in range(entry.size):
        base = node_ptr[s]
        where[entry[s]] = base
        for k in range(link_ptr[s], link_ptr[s + 1]):
            link, n = links[k], base + 1 + k - link_ptr[s]
            tile = link_target[link]
            parent = where[link // directions]
            if tile < 0 or parent < 0 or where[tile] >= 0:
                return s
            node_link[n], node_parent[n], where[tile] = link, parent, n
        for k in range(target_ptr[s], target_ptr[s + 1]):
            n = where[targets[k] // per_tile]
            if n < 0:
                return s
            node_target[n + 1] += 1
        total = target_ptr[s]
        for n in range(base, node_ptr[s + 1]):
            node_target[n + 1], total = total, total + node_target[n + 1]
        for k in range(target_ptr[s], target_ptr[s + 1]):  # node_target[n + 1] moves from the node's first to its end
            n = where[targets[k] // per_tile]
            target_core[node_target[n + 1]] = targets[k]
            node_target[n + 1] += 1
        where[entry[s]] = -1
        for k in range(link_ptr[s], link_ptr[s + 1]):
            where[link_target[links[k]]] = -1
    return -1


@compiled
def _count_row(
    indptr: np.ndarray,
    index: np.ndarray,
    slice_of: np.ndarray,
    core_of: np.ndarray,
    target_ptr: np.ndarray,
    target_core: np.ndarray,
    cores: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of one projection: (row_ptr, row_target, row_events); row_ptr[0] = -1 - neuron where a core is no target."""
    neurons = indptr.size - 1
    row_ptr = np.zeros(neurons + 1, np.int64)
    where, count = np.full(cores, -1, np.int64), np.zeros(cores, np.int64)
    touched = np.empty(cores, np.int64)
    row_target, row_events = np.empty(0, np.int32), np.empty(0, np.uint32)
    for turn in range(2):  # counts, then fills
        if turn == 1:
            for i in range(neurons):
                row_ptr[i + 1] += row_ptr[i]
            row_target, row_events = np.empty(row_ptr[-1], np.int32), np.empty(row_ptr[-1], np.uint32)
        mine = -1
        for i in range(neurons):
            if slice_of[i] != mine:
                mine = slice_of[i]
                where[:] = -1
                for k in range(target_ptr[mine], target_ptr[mine + 1]):
                    where[target_core[k]] = k
            n = 0
            for k in range(indptr[i], indptr[i + 1]):
                c = core_of[index[k]]
                if c < 0 or where[c] < 0:
                    row_ptr[0] = -1 - i
                    return row_ptr, row_target, row_events
                if count[c] == 0:
                    touched[n] = where[c]
                    n += 1
                count[c] += 1
            if turn == 0:
                row_ptr[i + 1] = n
                for k in range(n):
                    count[target_core[touched[k]]] = 0
            else:
                at = row_ptr[i]
                for t in np.sort(touched[:n]):
                    row_target[at], row_events[at] = t, count[target_core[t]]
                    count[target_core[t]] = 0
                    at += 1
    return row_ptr, row_target, row_events


@compiled
def _merge(
    a_ptr: np.ndarray,
    a_target: np.ndarray,
    a_events: np.ndarray,
    a_plastic: np.ndarray,
    b_ptr: np.ndarray,
    b_target: np.ndarray,
    b_events: np.ndarray,
    b_plastic: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows of two projections of one source, summed where they meet in a core."""
    neurons, plastic = a_ptr.size - 1, a_plastic.size > 0
    most = a_target.size + b_target.size
    ptr = np.zeros(neurons + 1, np.int64)
    target, events = np.empty(most, np.int32), np.empty(most, np.uint32)
    share = np.empty(most if plastic else 0, np.uint32)
    at = 0
    for i in range(neurons):
        x, y = a_ptr[i], b_ptr[i]
        while x < a_ptr[i + 1] or y < b_ptr[i + 1]:
            left = y == b_ptr[i + 1] or (x < a_ptr[i + 1] and a_target[x] <= b_target[y])
            right = x == a_ptr[i + 1] or (y < b_ptr[i + 1] and b_target[y] <= a_target[x])
            target[at] = a_target[x] if left else b_target[y]
            events[at] = (a_events[x] if left else 0) + (b_events[y] if right else 0)
            if plastic:
                share[at] = (a_plastic[x] if left else 0) + (b_plastic[y] if right else 0)
            x += left
            y += right
            at += 1
        ptr[i + 1] = at
    return ptr, target[:at].copy(), events[:at].copy(), share[:at].copy() if plastic else share


@compiled
def _paths(
    target_node: np.ndarray,
    node_parent: np.ndarray,
    node_link: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Links from where spikes enter to each target, in the order they are passed."""
    ptr = np.zeros(target_node.size + 1, np.int64)
    for t in range(target_node.size):
        n, hops = target_node[t], 0
        while node_parent[n] >= 0:
            n, hops = node_parent[n], hops + 1
        ptr[t + 1] = ptr[t] + hops
    links = np.empty(ptr[-1], np.int32)
    for t in range(target_node.size):
        n, at = target_node[t], ptr[t + 1]
        while node_parent[n] >= 0:
            at -= 1
            links[at] = node_link[n]
            n = node_parent[n]
    return ptr, links
