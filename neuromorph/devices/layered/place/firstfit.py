"""First-fit kernels over segment trees: every placement costs the logarithm of the number of bins.

A tree over `size` (a power of two) leaves is an array of 2*size maxima: node i has the children
2i and 2i+1, leaf b is at size + b.
"""

from __future__ import annotations

import numpy as np

from neuromorph.compiled import compiled

VISITS = 2048
"""Tree nodes one two-dimensional query may visit before it opens a new bin instead."""


@compiled
def first_at_least(tree: np.ndarray, size: int, need: float) -> int:
    """The first leaf whose value is at least `need`, or -1."""
    if tree[1] < need:
        return -1
    node = 1
    while node < size:
        node *= 2
        if tree[node] < need:
            node += 1
    return node - size


@compiled
def put(tree: np.ndarray, size: int, leaf: int, value: float) -> None:
    """Set one leaf and the maxima above it."""
    node = size + leaf
    tree[node] = value
    node //= 2
    while node >= 1:
        tree[node] = max(tree[2 * node], tree[2 * node + 1])
        node //= 2


@compiled
def diagonal_first_fit(
    rows: np.ndarray, cols: np.ndarray, array_rows: float, array_cols: float, slack: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """First fit of blocks, in the order given, on the diagonals of arrays: sums of rows and of columns both bounded.

    Returns bin, first row, first column per block, and the number of bins.
    """
    n = rows.size
    size = 1
    while size < n:
        size *= 2
    # Three maxima per subtree: free rows, free columns, and the smaller of the two relative to the array
    # (in rows x columns), which cuts subtrees where no single bin has both.
    free_r = np.full(2 * size, array_rows)
    free_c = np.full(2 * size, array_cols)
    free_m = np.full(2 * size, array_rows * array_cols)
    where = np.empty(n, np.int64)
    row0 = np.empty(n)
    col0 = np.empty(n)
    stack = np.empty(128, np.int64)
    used = 0
    for k in range(n):
        r = rows[k] - slack
        c = cols[k] - slack
        m = min(r * array_cols, c * array_rows)
        found = -1
        stack[0] = 1
        depth = 1
        visits = 0
        while depth > 0 and visits < VISITS:
            depth -= 1
            node = stack[depth]
            visits += 1
            if free_r[node] < r or free_c[node] < c or free_m[node] < m:
                continue
            if node >= size:
                found = node - size
                break
            stack[depth] = 2 * node + 1
            stack[depth + 1] = 2 * node
            depth += 2
        if found < 0:
            found = used
        used = max(used, found + 1)
        leaf = size + found
        where[k] = found
        row0[k] = array_rows - free_r[leaf]
        col0[k] = array_cols - free_c[leaf]
        free_r[leaf] -= rows[k]
        free_c[leaf] -= cols[k]
        free_m[leaf] = min(free_r[leaf] * array_cols, free_c[leaf] * array_rows)
        node = leaf // 2
        while node >= 1:
            free_r[node] = max(free_r[2 * node], free_r[2 * node + 1])
            free_c[node] = max(free_c[2 * node], free_c[2 * node + 1])
            free_m[node] = max(free_m[2 * node], free_m[2 * node + 1])
            node //= 2
    return where, row0, col0, used


@compiled
def dominance_matching(
    a_need: np.ndarray, a_sum: np.ndarray, b_sum: np.ndarray, b_slack: np.ndarray, by_sum: np.ndarray
) -> int:
    """Size of a largest matching of a's with b's where b_sum <= a_sum and a_need <= b_slack.

    a's come sorted by rising a_sum, b's by rising b_slack; by_sum sorts b_sum. Sweeping a_sum upward, available b's
    stay available, so taking the one with the least sufficient slack is optimal (exchange argument).
    """
    size = 1
    while size < b_sum.size:
        size *= 2
    tree = np.full(2 * size, -1.0)
    given = 0
    matched = 0
    for k in range(a_sum.size):
        while given < by_sum.size and b_sum[by_sum[given]] <= a_sum[k]:
            leaf = by_sum[given]
            put(tree, size, leaf, b_slack[leaf])
            given += 1
        found = first_at_least(tree, size, a_need[k])
        if found >= 0:
            put(tree, size, found, -1.0)
            matched += 1
    return matched


@compiled
def next_tile_when_full(
    unit: np.ndarray, block: np.ndarray, bits: np.ndarray, blocks: int, units_per_tile: int, capacity: float
) -> np.ndarray:
    """Fill tiles with units (arrays or cores) in order; begin a new tile when the units or the buffer run out.

    unit: (shards,) rising; block: which inputs a shard waits for, bits: how many; shards of one block in one tile
    wait together. Returns the new unit number of every shard.
    """
    held_in = np.full(blocks, -1, np.int64)
    fresh = np.full(blocks, -1, np.int64)
    moved = np.empty(unit.size, np.int64)
    tile = 0
    slot = 0
    stored = 0.0
    i = 0
    look = 0
    while i < unit.size:
        j = i
        more = 0.0
        look += 1
        while j < unit.size and unit[j] == unit[i]:
            if held_in[block[j]] != tile and fresh[block[j]] != look:
                fresh[block[j]] = look
                more += bits[j]
            j += 1
        if slot == units_per_tile or (slot > 0 and stored + more > capacity):
            tile += 1
            slot = 0
            stored = 0.0
            continue
        for k in range(i, j):
            held_in[block[k]] = tile
            moved[k] = tile * units_per_tile + slot
        stored += more
        slot += 1
        i = j
    return moved
