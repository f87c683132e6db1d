"""Cheap orders of nodes over the slots of a network: curves through the mesh and recursive bisection of the graph."""

from __future__ import annotations

import math

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.placing.topology import Topology

BANDS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Band heights tried by the banded snake."""


def snake(topology: Topology, nodes: int, band: int = 1) -> np.ndarray:
    """Slots for nodes 0, 1, ... along a snake: (nodes,). The mesh is cut into bands of `band` rows.

    A band of one row is the plain boustrophedon. In higher bands the snake runs down and up columns of the
    band, so that consecutive nodes fill compact blocks.
    """
    w, h = topology.width, topology.height
    y, x = np.divmod(np.arange(w * h), w)
    strip = y // band
    column = np.where(strip % 2 == 0, x, w - 1 - x)
    if band == 1:
        key = strip * w + column
    else:
        down = (column + strip * w) % 2 == 0
        inside = np.where(down, y % band, band - 1 - y % band)
        key = (strip * w + column) * band + inside
    return _fill(topology, np.argsort(key, kind="stable"), nodes)


def hilbert(topology: Topology, nodes: int) -> np.ndarray:
    """Slots for nodes 0, 1, ... along the Hilbert curve of the enclosing power-of-two square: (nodes,)."""
    w, h = topology.width, topology.height
    y, x = np.divmod(np.arange(w * h), w)
    side = 1 << max(0, max(w, h) - 1).bit_length()
    index = np.zeros(w * h, np.int64)
    s = side // 2
    while s > 0:  # from the largest quadrant down: which quarter, then turn the frame to the curve's own
        rx, ry = ((x & s) > 0).astype(np.int64), ((y & s) > 0).astype(np.int64)
        index += s * s * ((3 * rx) ^ ry)
        flip = (ry == 0) & (rx == 1)
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        swap = ry == 0
        x, y = np.where(swap, y, x), np.where(swap, x, y)
        s //= 2
    return _fill(topology, np.argsort(index, kind="stable"), nodes)


def random(topology: Topology, nodes: int, seed: int) -> np.ndarray:
    """Slots for nodes in random order over the compact rectangle that holds them: (nodes,)."""
    w, h = compact(topology, nodes)
    router = (np.arange(h)[:, None] * topology.width + np.arange(w)[None, :]).ravel()
    slots = (router[:, None] * topology.concentration + np.arange(topology.concentration)).ravel()
    slots = slots[slots < topology.slots]
    if slots.size < nodes:
        slots = np.arange(topology.slots)
    return np.random.Generator(np.random.Philox(key=seed)).permutation(slots)[:nodes]


def bisection(topology: Topology, nodes: int, start: np.ndarray, other: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Slots by recursive bisection of the graph together with the rectangle: (nodes,).

    start (nodes+1,), other, weight: neighbours of each node in compressed rows. Each cut grows one half
    breadth-first from a peripheral node and then exchanges the pairs of nodes that gain most, counting
    neighbours outside the part by the side they lie on.
    """
    w, h = compact(topology, nodes)
    x, y = bisect(w, h, topology.concentration, start, other, weight)
    router = y * topology.width + x
    order = np.argsort(router, kind="stable")
    rank = np.arange(nodes) - np.searchsorted(router[order], router[order], "left")
    slot = np.empty(nodes, np.int64)
    slot[order] = router[order] * topology.concentration + rank
    missing = np.flatnonzero(slot >= topology.slots)
    if missing.size:  # the rectangle reaches into places that do not exist: take the last free ones
        free = np.setdiff1d(np.arange(topology.slots), slot)
        slot[missing] = free[free.size - missing.size :]
    return slot


def compact(topology: Topology, nodes: int) -> tuple[int, int]:
    """Width and height of a nearly square rectangle of routers that holds this many nodes."""
    need = -(-nodes // topology.concentration)
    w = min(topology.width, math.isqrt(max(0, need - 1)) + 1)
    h = -(-need // w)
    if h > topology.height:
        h = topology.height
        w = -(-need // h)
    return w, h


def _fill(topology: Topology, routers: np.ndarray, nodes: int) -> np.ndarray:
    """The first slots that exist along a sequence of routers."""
    c = topology.concentration
    slots = (routers[:, None] * c + np.arange(c)).ravel()
    return slots[slots < topology.slots][:nodes].astype(np.int64)


@compiled
def bisect(
    width: int, height: int, capacity: int, start: np.ndarray, other: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Router coordinates for every node on a width x height rectangle of routers with `capacity` slots each."""
    n = start.size - 1
    nodes = np.arange(n)
    part = np.zeros(n, np.int64)  # which queued region a node belongs to
    side = np.zeros(n, np.int64)  # 0/1 while its region is cut
    cx = np.full(n, (width - 1) / 2.0)
    cy = np.full(n, (height - 1) / 2.0)
    limit = 2 * width * height + 2
    region = np.empty((limit, 6), np.int64)  # x0, y0, width, height, first node, last node + 1
    _note(region, 0, 0, 0, width, height, 0, n)
    count = 1
    current = 0
    queue = np.empty(n, np.int64)
    seen = np.full(n, -1, np.int64)
    while current < count:
        x0, y0, w, h, lo, hi = region[current]
        if (w == 1 and h == 1) or hi == lo:
            current += 1
            continue
        wide = w >= h
        first = w // 2 if wide else h // 2
        area = first * (h if wide else w)
        rest = w * h - area
        take = (2 * (hi - lo) * area + area + rest) // (2 * (area + rest))
        take = max(min(take, area * capacity), hi - lo - rest * capacity)
        border = (x0 if wide else y0) + first - 0.5
        centre = cx if wide else cy
        _grow(nodes, lo, hi, take, part, current, start, other, weight, queue, seen, side, centre, border)
        _exchange(nodes, lo, hi, part, current, start, other, weight, side, centre, border)
        middle = _split(nodes, lo, hi, side)
        for half in range(2):
            new = count + half
            a, b = (lo, middle) if half == 0 else (middle, hi)
            if wide:
                _note(region, new, x0 + half * first, y0, first if half == 0 else w - first, h, a, b)
            else:
                _note(region, new, x0, y0 + half * first, w, first if half == 0 else h - first, a, b)
            for i in range(a, b):
                part[nodes[i]] = new
                cx[nodes[i]] = region[new, 0] + (region[new, 2] - 1) / 2.0
                cy[nodes[i]] = region[new, 1] + (region[new, 3] - 1) / 2.0
        count += 2
        current += 1
    return np.floor(cx + 0.5).astype(np.int64), np.floor(cy + 0.5).astype(np.int64)


@compiled
def _note(region: np.ndarray, k: int, x0: int, y0: int, w: int, h: int, first: int, last: int) -> None:
    region[k, 0] = x0
    region[k, 1] = y0
    region[k, 2] = w
    region[k, 3] = h
    region[k, 4] = first
    region[k, 5] = last


@compiled
def _sift(key: np.ndarray, order: np.ndarray, root: int, size: int) -> None:
    """Let order[root] sink in a heap with the smallest key on top."""
    while 2 * root + 1 < size:
        child = 2 * root + 1
        if child + 1 < size and key[order[child + 1]] < key[order[child]]:
            child += 1
        if key[order[root]] <= key[order[child]]:
            return
        order[root], order[child] = order[child], order[root]
        root = child


@compiled
def _sort_by(key: np.ndarray, order: np.ndarray) -> None:
    """Fill order with indices of falling key: heap sort, which compiles in a tenth of the time of np.argsort."""
    size = order.size
    for i in range(size):
        order[i] = i
    for root in range(size // 2 - 1, -1, -1):
        _sift(key, order, root, size)
    for last in range(size - 1, 0, -1):
        order[0], order[last] = order[last], order[0]
        _sift(key, order, 0, last)


@compiled
def _breadth_first(
    nodes: np.ndarray,
    lo: int,
    hi: int,
    root: int,
    part: np.ndarray,
    current: int,
    start: np.ndarray,
    other: np.ndarray,
    queue: np.ndarray,
    seen: np.ndarray,
    mark: int,
) -> None:
    """Visit every node of the part, component after component; the order is left in queue[: hi - lo]."""
    tail = 0
    candidate = lo
    queue[0] = root
    seen[root] = mark
    tail = 1
    head = 0
    while head < hi - lo:
        if head == tail:  # next component
            while seen[nodes[candidate]] == mark:
                candidate += 1
            queue[tail] = nodes[candidate]
            seen[nodes[candidate]] = mark
            tail += 1
        v = queue[head]
        head += 1
        for e in range(start[v], start[v + 1]):
            u = other[e]
            if part[u] == current and seen[u] != mark:
                seen[u] = mark
                queue[tail] = u
                tail += 1


@compiled
def _pull(
    v: int,
    part: np.ndarray,
    current: int,
    start: np.ndarray,
    other: np.ndarray,
    weight: np.ndarray,
    side: np.ndarray,
    centre: np.ndarray,
    border: float,
    inside: bool,
) -> float:
    """Weight of v's neighbours on side 1 minus those on side 0; with inside False only neighbours outside the part."""
    total = 0.0
    for e in range(start[v], start[v + 1]):
        u = other[e]
        if part[u] == current:
            if inside:
                total += weight[e] if side[u] == 1 else -weight[e]
        elif centre[u] > border:
            total += weight[e]
        elif centre[u] < border:
            total -= weight[e]
    return total


@compiled
def _grow(
    nodes: np.ndarray,
    lo: int,
    hi: int,
    take: int,
    part: np.ndarray,
    current: int,
    start: np.ndarray,
    other: np.ndarray,
    weight: np.ndarray,
    queue: np.ndarray,
    seen: np.ndarray,
    side: np.ndarray,
    centre: np.ndarray,
    border: float,
) -> None:
    """Side 0 gets `take` nodes from one end of a breadth-first order that starts at a peripheral node.

    The peripheral node is the last one of a first visit. Which end becomes side 0 is decided by the
    neighbours outside the part.
    """
    n = hi - lo
    _breadth_first(nodes, lo, hi, nodes[lo], part, current, start, other, queue, seen, 2 * current)
    _breadth_first(nodes, lo, hi, queue[n - 1], part, current, start, other, queue, seen, 2 * current + 1)
    from_front = 0.0
    from_back = 0.0
    for i in range(n):
        pull = _pull(queue[i], part, current, start, other, weight, side, centre, border, False)
        from_front += pull if i >= take else -pull
        from_back += pull if i < n - take else -pull
    for i in range(n):
        if from_back > from_front:
            side[queue[i]] = 1 if i < n - take else 0
        else:
            side[queue[i]] = 0 if i < take else 1


@compiled
def _exchange(
    nodes: np.ndarray,
    lo: int,
    hi: int,
    part: np.ndarray,
    current: int,
    start: np.ndarray,
    other: np.ndarray,
    weight: np.ndarray,
    side: np.ndarray,
    centre: np.ndarray,
    border: float,
) -> None:
    """Up to four passes of swaps between the halves, best pairs first, each applied only if it still gains."""
    gain = np.empty(hi - lo)
    order = np.empty(hi - lo, np.int64)
    left = np.empty(hi - lo, np.int64)
    right = np.empty(hi - lo, np.int64)
    for _ in range(4):
        for i in range(lo, hi):
            pull = _pull(nodes[i], part, current, start, other, weight, side, centre, border, True)
            gain[i - lo] = pull if side[nodes[i]] == 0 else -pull
        _sort_by(gain, order)
        lefts = 0
        rights = 0
        for k in range(order.size):  # nodes in the order of falling gain, apart by side
            if side[nodes[lo + order[k]]] == 0:
                left[lefts] = order[k]
                lefts += 1
            else:
                right[rights] = order[k]
                rights += 1
        moved = 0
        for k in range(min(lefts, rights)):
            if gain[left[k]] + gain[right[k]] <= 0.0:  # all further pairs promise less still
                break
            a = nodes[lo + left[k]]
            b = nodes[lo + right[k]]
            ga = _pull(a, part, current, start, other, weight, side, centre, border, True)
            gb = -_pull(b, part, current, start, other, weight, side, centre, border, True)
            tie = 0.0
            for e in range(start[a], start[a + 1]):
                if other[e] == b:
                    tie += weight[e]
            if ga + gb - 2.0 * tie > 1e-12 * (abs(ga) + abs(gb)):
                side[a] = 1
                side[b] = 0
                moved += 1
        if moved == 0:
            break


@compiled
def _split(nodes: np.ndarray, lo: int, hi: int, side: np.ndarray) -> int:
    """Reorder nodes[lo:hi] stably by side; returns where side 1 starts."""
    ones = np.empty(hi - lo, np.int64)
    kept = lo
    moved = 0
    for i in range(lo, hi):
        v = nodes[i]
        if side[v] == 0:
            nodes[kept] = v
            kept += 1
        else:
            ones[moved] = v
            moved += 1
    for i in range(moved):
        nodes[kept + i] = ones[i]
    return kept
