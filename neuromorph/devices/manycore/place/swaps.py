"""Swaps and moves of cores between tiles, priced by the links their packets take."""

from __future__ import annotations

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.placing.anneal import _next, _unit


@compiled
def _shift(behind: np.ndarray, before: np.ndarray, s: int, root: int, tile: int, sign: int) -> tuple[int, int]:
    """Add or take one target at a tile of a slice's tree: change of its links, and links looked at."""
    change = 0
    steps = 1
    t = tile
    while t != root:
        old = behind[s, t]
        behind[s, t] = old + sign
        if old == 0:
            change += 1
        elif old + sign == 0:
            change -= 1
        t = before[root, t]
        steps += 1
    return change, steps


@compiled
def _move(
    v: int,
    to: int,
    tile: np.ndarray,
    multicast: bool,
    behind: np.ndarray,
    before: np.ndarray,
    hops: np.ndarray,
    sender: np.ndarray,
    weight: np.ndarray,
    target_start: np.ndarray,
    target: np.ndarray,
    packets: np.ndarray,
    in_start: np.ndarray,
    arriving: np.ndarray,
    arriving_packets: np.ndarray,
    out_start: np.ndarray,
    sending: np.ndarray,
) -> tuple[float, int]:
    """Put a group on another tile: change of the cost, and links looked at."""
    here = tile[v]
    total = 0.0
    steps = 0
    for e in range(in_start[v], in_start[v + 1]):
        s = arriving[e]
        g = sender[s]
        if g == v:
            continue
        root = tile[g] if g >= 0 else 0
        if multicast:
            lost, a = _shift(behind, before, s, root, here, -1)
            won, b = _shift(behind, before, s, root, to, 1)
            total += weight[s] * (lost + won)
            steps += a + b
        else:
            total += arriving_packets[e] * (hops[root, to] - hops[root, here])
            steps += 1
    for e in range(out_start[v], out_start[v + 1]):
        s = sending[e]
        if multicast:
            for grown in range(2):  # the whole tree is taken away, then grown from the new tile
                root = to if grown else here
                for j in range(target_start[s], target_start[s + 1]):
                    u = target[j]
                    if u != v:
                        change, a = _shift(behind, before, s, root, tile[u], 1 if grown else -1)
                        total += weight[s] * change
                        steps += a
        else:
            for j in range(target_start[s], target_start[s + 1]):
                u = target[j]
                if u != v:
                    total += packets[j] * (hops[to, tile[u]] - hops[here, tile[u]])
                    steps += 1
    tile[v] = to
    return total, steps


@compiled
def _propose(
    state: np.uint64,
    tile: np.ndarray,
    link_target: np.ndarray,
    sender: np.ndarray,
    target_start: np.ndarray,
    target: np.ndarray,
    in_start: np.ndarray,
    arriving: np.ndarray,
    out_start: np.ndarray,
    sending: np.ndarray,
) -> tuple[np.uint64, int, int]:
    """A group and the tile it may go to, -1 off the edge: half the time near one it talks with, else near its own."""
    state = _next(state)
    v = int(_unit(state) * tile.size)
    state = _next(state)
    pick = _unit(state)
    near = tile[v]
    come = in_start[v + 1] - in_start[v]
    go = out_start[v + 1] - out_start[v]
    if pick < 0.25 and come > 0:
        g = sender[arriving[in_start[v] + int(4.0 * pick * come)]]
        near = tile[g] if g >= 0 else 0
    elif 0.25 <= pick < 0.5 and go > 0:
        s = sending[out_start[v] + int((4.0 * pick - 1.0) * go)]
        state = _next(state)
        if target_start[s + 1] > target_start[s]:
            near = tile[target[target_start[s] + int(_unit(state) * (target_start[s + 1] - target_start[s]))]]
    state = _next(state)
    u = _unit(state)
    if u < 0.5 or near == tile[v]:
        near = np.int64(link_target[near, int(2.0 * u * link_target.shape[1]) % link_target.shape[1]])
    return state, v, near


@compiled
def anneal(
    multicast: bool,
    before: np.ndarray,
    hops: np.ndarray,
    link_target: np.ndarray,
    cores: int,
    slot: np.ndarray,
    sender: np.ndarray,
    weight: np.ndarray,
    target_start: np.ndarray,
    target: np.ndarray,
    packets: np.ndarray,
    in_start: np.ndarray,
    arriving: np.ndarray,
    arriving_packets: np.ndarray,
    out_start: np.ndarray,
    sending: np.ndarray,
    bits: np.ndarray,
    tile_bits: float,
    moves: int,
    most_steps: float,
    hot: float,
    seed: int,
) -> None:
    """Change `slot` in place by moves to free cores and swaps, from temperature `hot` down, the last third at 0.

    Half of the moves bring a group next to one it talks with, the others to a tile nearby. The temperature follows the
    share of the moves or of the steps that is used up, whichever is larger.
    """
    groups = slot.size
    slices = sender.size
    tiles = before.shape[0]
    tile = slot // cores
    occupant = np.full(tiles * cores, -1, np.int64)
    used = np.zeros(tiles)
    for g in range(groups):
        occupant[slot[g]] = g
        used[tile[g]] += bits[g]
    behind = np.zeros((slices if multicast else 0, tiles), np.int32)
    for s in range(behind.shape[0]):
        root = tile[sender[s]] if sender[s] >= 0 else 0
        for j in range(target_start[s], target_start[s + 1]):
            _shift(behind, before, s, root, tile[target[j]], 1)
    net = (
        tile, multicast, behind, before, hops, sender, weight, target_start, target, packets, in_start, arriving,
        arriving_packets, out_start, sending,
    )  # fmt: skip
    state = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0xD1B54A32D192ED03)
    if state == np.uint64(0):
        state = np.uint64(1)
    steps = 0.0
    for m in range(moves):
        done = max(m / moves, steps / most_steps)
        if done >= 1.0:
            break
        heat = hot * 0.01 ** (1.5 * done) if done < 2.0 / 3.0 else 0.0
        state, v, near = _propose(
            state, tile, link_target, sender, target_start, target, in_start, arriving, out_start, sending
        )
        if near < 0 or near == tile[v]:
            continue
        state = _next(state)
        to = near * cores + int(_unit(state) * cores)
        w = occupant[to]
        here = slot[v]
        home = tile[v]
        extra = bits[v] - (bits[w] if w >= 0 else 0.0)
        if used[near] + extra > tile_bits or used[home] - extra > tile_bits:
            continue
        change, a = _move(v, near, *net)
        steps += a + 50
        if w >= 0:
            more, a = _move(w, home, *net)
            change += more
            steps += a
        if change > 0.0:
            accept = False
            if heat > 0.0:
                state = _next(state)
                accept = _unit(state) < np.exp(-change / heat)
            if not accept:
                if w >= 0:
                    steps += _move(w, near, *net)[1]
                steps += _move(v, home, *net)[1]
                continue
        slot[v] = to
        occupant[to] = v
        occupant[here] = w
        if w >= 0:
            slot[w] = here
        used[near] += extra
        used[home] -= extra
