"""Shortest routes between tiles that share their beginnings, and the multicast trees they add up to.

From every tile one shortest-path tree to all others is fixed: of the neighbours one hop nearer, a tile is entered from
the one above or below where that is as short, else from its side, else along the diagonal. On a mesh or torus that is
dimension order (first along x, then along y); on the triangular torus diagonal steps come first. The routes of one
source are branches of its tree, so together they enter every tile at most once, whatever the targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.devices.manycore.place.shapes import Grid, Lists

LAST_STEPS = (2, 3, 0, 1, 4, 5)
"""Directions in the order in which they are preferred as the last step of a route."""


@dataclass(frozen=True, eq=False)
class Routes:
    """entered: direction of the link by which tile t is entered coming from s, -1 at s and where there is no way;
    before: the tile in front of it, t itself at s; hops: links from s to t, -1 without a way: (tiles, tiles), s first.
    """

    entered: np.ndarray
    before: np.ndarray
    hops: np.ndarray


def find_routes(grid: Grid) -> Routes:
    """The shortest-path tree of every tile."""
    target = grid.link_target.reshape(grid.tiles, grid.directions).astype(np.int64)
    order = np.array([d for d in LAST_STEPS if d < grid.directions], np.int64)
    return Routes(*_spread(target, order))


def path(grid: Grid, routes: Routes, source: int, target: int) -> list[int]:
    """Link numbers from one tile to another, in order."""
    links: list[int] = []
    while target != source:
        before = int(routes.before[source, target])
        links.append(before * grid.directions + int(routes.entered[source, target]))
        target = before
    return links[::-1]


def trees(grid: Grid, routes: Routes, root: np.ndarray, targets: Lists) -> Lists:
    """Links of the tree of every slice, parents first. root: tile of each slice; targets: tiles it must reach.

    Tiles may repeat; the links of one tree never do.
    """
    indptr = np.zeros(root.size + 1, np.int64)
    seen = np.full(grid.tiles, -1, np.int64)
    stack = np.empty(grid.tiles + 1, np.int64)
    form = routes.entered, routes.before, grid.directions, root.astype(np.int64), targets.indptr, targets.items
    _grow(*form, indptr, np.empty(0, np.int32), seen, stack)
    items = np.empty(int(indptr[-1]), np.int32)
    seen[:] = -1
    _grow(*form, indptr, items, seen, stack)
    return Lists(indptr, items)


def tree_sizes(routes: Routes, root: np.ndarray, targets: Lists) -> np.ndarray:
    """Links of each tree: (slices,) int64."""
    indptr = np.zeros(root.size + 1, np.int64)
    tiles = routes.before.shape[0]
    seen, stack = np.full(tiles, -1, np.int64), np.empty(tiles + 1, np.int64)
    _grow(
        routes.entered, routes.before, 1, root.astype(np.int64), targets.indptr, targets.items, indptr,
        np.empty(0, np.int32), seen, stack,
    )  # fmt: skip
    return np.diff(indptr)


@compiled
def _spread(target: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Breadth-first distances from every tile, then the preferred neighbour that is one hop nearer."""
    n, directions = target.shape
    entered = np.full((n, n), -1, np.int8)
    before = np.empty((n, n), np.int32)
    hops = np.full((n, n), -1, np.int16)
    queue = np.empty(n, np.int64)
    for s in range(n):
        hops[s, s] = 0
        queue[0] = s
        head = 0
        tail = 1
        while head < tail:
            t = queue[head]
            head += 1
            for d in range(directions):
                u = target[t, d]
                if u >= 0 and hops[s, u] < 0:
                    hops[s, u] = hops[s, t] + 1
                    queue[tail] = u
                    tail += 1
        for t in range(n):
            before[s, t] = t
            if t == s or hops[s, t] < 0:
                continue
            for k in range(order.size):
                d = order[k]
                u = target[t, d ^ 1]  # directions come in opposite pairs
                if u >= 0 and target[u, d] == t and hops[s, u] == hops[s, t] - 1:
                    entered[s, t] = d
                    before[s, t] = u
                    break
    return entered, before, hops


@compiled
def _grow(
    entered: np.ndarray,
    before: np.ndarray,
    directions: int,
    root: np.ndarray,
    start: np.ndarray,
    tiles: np.ndarray,
    indptr: np.ndarray,
    items: np.ndarray,
    seen: np.ndarray,
    stack: np.ndarray,
) -> None:
    """Climb from every target to the tree so far, then list the new links downwards. Without items only counts."""
    fill = items.size > 0
    for s in range(root.size):
        r = root[s]
        seen[r] = s
        count = 0
        for j in range(start[s], start[s + 1]):
            t = tiles[j]
            depth = 0
            while seen[t] != s:
                seen[t] = s
                stack[depth] = t
                depth += 1
                t = before[r, t]
            if fill:
                for k in range(depth - 1, -1, -1):
                    u = stack[k]
                    items[indptr[s] + count] = before[r, u] * directions + entered[r, u]
                    count += 1
            else:
                count += depth
        if not fill:
            indptr[s + 1] = indptr[s] + count
