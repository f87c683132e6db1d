"""Routing keys and tables: aligned key blocks, default routing, entries merged until few are left.

A slice sends with keys of one aligned block, a power of two in size, so that one (key, mask) pair names it. A packet
matches an entry where packet & mask == key. Keys follow the place of the core (x, y, core), so that slices behind the
same way out have prefixes in common. A packet that no entry matches leaves opposite to where it came in, as on
SpiNNaker's routers: entries that say just this are left out.

Merging keeps the route of every key that can arrive; what happens to keys that no slice uses does not matter. No entry
matches a key of another route, so the order of the entries is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.devices.manycore.place.shapes import HOST, Grid, Lists, Slices
from neuromorph.errors import FitError

if TYPE_CHECKING:
    from neuromorph.devices.manycore.place.placement import CorePlacement

WIDTH = 32
"""Bits of a routing key (SpiNNaker's packets); more are used only where a network needs them."""

WIDEST = 62
"""Bits of a key or route held in a signed 64-bit word."""

EXPANDED = 4096
"""Entries up to which cubes are grown across gaps; the time grows with their square."""


@dataclass(frozen=True, eq=False)
class Table:
    """Entries of one router, columns of (entries,) int64: a packet with key & mask == key takes the route.

    Bit d of a route is the link in direction d, bit (directions + c) the core c of the tile.
    """

    key: np.ndarray
    mask: np.ndarray
    route: np.ndarray

    def __len__(self) -> int:
        return int(self.key.size)


def assign_keys(grid: Grid, slices: Slices) -> tuple[np.ndarray, np.ndarray]:
    """Key and mask of every slice, int64: blocks on cores by their place, those from outside behind them."""
    size = np.maximum(slices.stop - slices.start, 1)
    bits = _bits(size)
    block = np.int64(1) << bits
    key = np.zeros(len(slices), np.int64)
    inside = slices.core != HOST
    total = 0
    if inside.any():
        core = slices.core[inside].astype(np.int64)
        order = np.lexsort((-bits[inside], core))
        within = _within(core[order], block[inside][order])
        room = int(_bits(np.array([(within + block[inside][order]).max()]))[0])
        tile, place = np.divmod(core[order], grid.cores_per_tile)
        column_bits, row_bits, core_bits = (
            int(_bits(np.array([n]))[0]) for n in (grid.columns, grid.rows, grid.cores_per_tile)
        )
        x, y = tile % grid.columns, tile // grid.columns
        found = np.empty(core.size, np.int64)
        found[order] = (((x << row_bits | y) << core_bits | place) << room) | within
        key[inside] = found
        total = room + core_bits + row_bits + column_bits
    end = (1 << total) if inside.any() else 0
    for i in np.flatnonzero(~inside)[np.argsort(-bits[~inside], kind="stable")].tolist():
        key[i] = -(-end // int(block[i])) * int(block[i])
        end = int(key[i] + block[i])
    width = max(WIDTH, int(end - 1).bit_length())
    if width > WIDEST:
        raise FitError(f"routing keys of {width} bits for {len(slices)} slices", hint=f"at most {WIDEST} bits")
    return key, np.int64((1 << width) - 1) & ~(block - 1)


def _bits(n: np.ndarray) -> np.ndarray:
    """Bits that tell so many things apart."""
    return np.array([max(int(v) - 1, 0).bit_length() for v in n.tolist()], np.int64)


def _within(core: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Offset of each block among those of its core, largest first: always aligned."""
    end = np.cumsum(block)
    first = np.flatnonzero(np.concatenate(([True], core[1:] != core[:-1])))
    base = np.repeat(end[first] - block[first], np.diff(np.concatenate((first, [core.size]))))
    return end - block - base


def count_entries(
    grid: Grid, root: np.ndarray, targets: Lists, links: Lists, key: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Entries of every tile's table, merged, and without default routing or merging: (tiles,) int32 each."""
    if grid.directions + grid.cores_per_tile > WIDEST:
        raise FitError(
            f"routes to {grid.cores_per_tile} cores of a tile", hint=f"at most {WIDEST - grid.directions} cores"
        )
    start, visitor, route, default = _visits(grid, root, targets, links)
    entries = np.zeros(grid.tiles, np.int32)
    for t in range(grid.tiles):
        own = slice(start[t], start[t + 1])
        entries[t] = len(_merge(key[visitor[own]], mask[visitor[own]], route[own], default[own]))
    return entries, np.diff(start).astype(np.int32)


def routing_table(placement: CorePlacement, tile: int, *, merged: bool = True) -> Table:
    """The table of one tile's router, by key. merged=False: one entry for every slice that passes, none left out."""
    r, grid = placement.routing, placement.grid
    if not r.multicast:
        empty = np.empty(0, np.int64)
        return Table(empty, empty, empty)
    root = np.where(placement.slices.core == HOST, 0, placement.slices.core // grid.cores_per_tile)
    start, visitor, route, default = _visits(grid, root, r.targets, r.links)
    own = slice(start[tile], start[tile + 1])
    who = visitor[own]
    if merged:
        return _merge(r.key[who], r.mask[who], route[own], default[own])
    order = np.argsort(r.key[who], kind="stable")
    return Table(r.key[who][order], r.mask[who][order], route[own][order])


def _visits(
    grid: Grid, root: np.ndarray, targets: Lists, links: Lists
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Slices whose packets pass each tile: start (tiles + 1,), then for each visit the slice, the route and whether
    default routing does the same."""
    start = np.zeros(grid.tiles + 1, np.int64)
    scratch = np.zeros(grid.tiles, np.int64), np.full(grid.tiles, -1, np.int64)
    form = (
        root.astype(np.int64), targets.indptr, targets.items, links.indptr, links.items, grid.link_target,
        grid.directions, grid.cores_per_tile,
    )  # fmt: skip
    none = np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.bool_)
    _visit(*form, start[1:], *none, *scratch)
    np.cumsum(start, out=start)
    count = int(start[-1])
    found = np.empty(count, np.int32), np.empty(count, np.int64), np.empty(count, np.bool_)
    _visit(*form, start[:-1].copy(), *found, *scratch)
    return (start, *found)


@compiled
def _visit(
    root: np.ndarray,
    target_start: np.ndarray,
    target: np.ndarray,
    link_start: np.ndarray,
    link: np.ndarray,
    link_target: np.ndarray,
    directions: int,
    cores: int,
    place: np.ndarray,
    visitor: np.ndarray,
    route: np.ndarray,
    default: np.ndarray,
    word: np.ndarray,
    came: np.ndarray,
) -> None:
    """For every slice the route at each tile of its tree. Counts by tile in `place` where nothing can be stored."""
    one = np.int64(1)
    for s in range(root.size):
        if target_start[s] == target_start[s + 1]:
            continue
        word[root[s]] = 0
        came[root[s]] = -1
        for j in range(link_start[s], link_start[s + 1]):
            d = link[j] % directions
            t = link_target[link[j]]
            word[link[j] // directions] |= one << d
            word[t] = 0
            came[t] = d
        for j in range(target_start[s], target_start[s + 1]):
            word[target[j] // cores] |= one << (directions + target[j] % cores)
        for j in range(link_start[s] - 1, link_start[s + 1]):
            t = root[s] if j < link_start[s] else np.int64(link_target[link[j]])
            if visitor.size > 0:
                k = place[t]
                visitor[k] = s
                route[k] = word[t]
                default[k] = came[t] >= 0 and word[t] == one << came[t]
            place[t] += 1


def _merge(key: np.ndarray, mask: np.ndarray, route: np.ndarray, default: np.ndarray) -> Table:
    """Few entries that send every given block its way; blocks with `default` need none. Sorted by key."""
    order = np.argsort(key, kind="stable")
    if not order.size:
        return Table(key, mask, route)
    k, m, r, d = key[order], mask[order], route[order], default[order]
    full = int((m | (m - 1)).max()) if m.size else 0
    ck, cm, cr, needed = _prefixes(k, m, r, d, full)
    if ck.size <= EXPANDED:
        rising, falling = (_cubes(ck, cm, cr, needed, full, low) for low in (True, False))
        keep = min((rising, falling), key=lambda found: int(found[0].size))
    else:
        keep = ck[needed], cm[needed], cr[needed]
    order = np.argsort(keep[0], kind="stable")
    return Table(*(column[order] for column in keep))


@compiled
def _prefixes(
    key: np.ndarray, mask: np.ndarray, route: np.ndarray, default: np.ndarray, full: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Aligned blocks for every run of neighbours with one route, as large as the neighbours of other routes let them.

    The last column says which of them need an entry; blocks that only follow the default are listed, so that nothing
    grows over them.
    """
    n = key.size
    out_key = np.empty(n, np.int64)
    out_mask = np.empty(n, np.int64)
    out_route = np.empty(n, np.int64)
    needed = np.empty(n, np.bool_)
    count = 0
    i = 0
    low = np.int64(0)
    base = np.int64(0)
    size = np.int64(1)
    while i < n:
        j = i
        while j < n and route[j] == route[i]:
            j += 1
        high = key[j] if j < n else np.int64(full) + 1
        k = i
        while k < j:
            base = key[k]
            size = (full & ~mask[k]) + 1
            if not default[k]:
                while True:
                    larger = size * 2
                    below = base & ~(larger - 1)
                    if below < low or below + larger > high:
                        break
                    base = below
                    size = larger
            out_key[count] = base
            out_mask[count] = full & ~(size - 1)
            out_route[count] = route[k]
            needed[count] = not default[k]
            count += 1
            while k < j and key[k] < base + size:
                k += 1
        low = max(key[j - 1] + (full & ~mask[j - 1]) + 1, base + size)  # blocks of different routes stay apart
        i = j
    return out_key[:count], out_mask[:count], out_route[:count], needed[:count]


@compiled
def _cubes(
    key: np.ndarray, mask: np.ndarray, route: np.ndarray, needed: np.ndarray, full: int, rising: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Let every entry ignore further bits of the key while it meets no block of another route; drop what is covered."""
    n = key.size
    out_key = np.empty(n, np.int64)
    out_mask = np.empty(n, np.int64)
    out_route = np.empty(n, np.int64)
    covered = ~needed
    count = 0
    bits = 0
    while (full >> bits) > 0:
        bits += 1
    for i in range(n):
        if covered[i]:
            continue
        k = key[i]
        m = mask[i]
        for step in range(bits):
            bit = np.int64(1) << (step if rising else bits - 1 - step)
            if m & bit == 0:
                continue
            wider = m & ~bit
            meets = False
            for j in range(n):
                if route[j] != route[i] and (k ^ key[j]) & wider & mask[j] == 0:
                    meets = True
                    break
            if not meets:
                m = wider
        k &= m
        for j in range(n):
            if route[j] == route[i] and (m & ~mask[j]) == 0 and (k ^ key[j]) & m == 0:
                covered[j] = True
        out_key[count] = k
        out_mask[count] = m
        out_route[count] = route[i]
        count += 1
    return out_key[:count], out_mask[:count], out_route[:count]
