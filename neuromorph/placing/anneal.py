"""Refinement of a placement by simulated annealing with compiled swap moves."""

from __future__ import annotations

import math

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.placing.topology import Topology, hop

KEEPS = 256
"""Nodes up to which the best placement seen is kept; a copy per improvement is cheap there."""

BLOCK, SWEEPS = 4096, 20
"""Moves go over blocks of this many nodes in turn, so many times: what a block touches stays in the cache."""


def refine(
    topology: Topology,
    slot: np.ndarray,
    start: np.ndarray,
    other: np.ndarray,
    weight: np.ndarray,
    moves: int,
    seed: int,
    temperature: float | None = None,
) -> np.ndarray:
    """A placement no worse than the given one: slots, (nodes,).

    slot: (nodes,) where each node is; start (nodes+1,), other, weight: neighbours in compressed rows, every edge
    in both directions. moves: attempted swaps with another node or an empty slot. temperature: the first one, in
    units of the mean traffic-weighted distance of a node, by default 0.025 sqrt(moves per node) up to 0.5 (measured:
    hotter starts pay only where the moves to cool down follow); it falls geometrically by a factor of 100, then to 0.
    """
    nodes = slot.size
    if nodes < 2 or weight.size == 0 or moves <= 0 or topology.kind == "bus":
        return slot.copy()
    source = np.repeat(np.arange(nodes), np.diff(start))
    cost = float((weight * topology.hops(slot[source], slot[other])).sum()) / 2
    if temperature is None:
        temperature = min(0.5, 0.025 * math.sqrt(moves / nodes))
    hot = temperature * 2 * cost / nodes
    found, change = anneal(
        *topology.spec, slot, topology.slots, topology.concentration, start, other, weight, moves, hot, hot / 100, seed
    )
    return found if change < 0 else slot.copy()


@compiled
def _next(state: np.uint64) -> np.uint64:
    """One step of the xorshift64 generator (Marsaglia, J. Stat. Softw. 8(14), 2003)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@compiled
def _unit(state: np.uint64) -> float:
    """A number in [0, 1) from the upper 53 bits."""
    return float(state >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@compiled
def _change(
    kind: int,
    width: int,
    height: int,
    x: np.ndarray,
    y: np.ndarray,
    slot: np.ndarray,
    start: np.ndarray,
    other: np.ndarray,
    weight: np.ndarray,
    v: int,
    to: int,
    swapped: int,
) -> float:
    """Change of cost when v moves to a slot; the edge to the node it swaps with keeps its length."""
    total = 0.0
    here = slot[v]
    for e in range(start[v], start[v + 1]):
        u = other[e]
        if u != swapped:
            there = slot[u]
            total += weight[e] * (
                hop(kind, width, height, x, y, to, there) - hop(kind, width, height, x, y, here, there)
            )
    return total


@compiled
def anneal(
    kind: int,
    width: int,
    height: int,
    x: np.ndarray,
    y: np.ndarray,
    slot: np.ndarray,
    slots: int,
    concentration: int,
    start: np.ndarray,
    other: np.ndarray,
    weight: np.ndarray,
    moves: int,
    hot: float,
    cold: float,
    seed: int,
) -> tuple[np.ndarray, float]:
    """Swap moves from temperature `hot` down to `cold`, the last fifth at zero. Returns slots and the change of cost.

    Moves start from the nodes of one block at a time. Half of them take a node next to one of its neighbours, the
    others to a slot nearby; the radius shrinks. On a bus no move gains anything, so `refine` leaves it alone.
    """
    n = slot.size
    place = slot.copy()
    occupant = np.full(slots, -1, np.int64)
    for v in range(n):
        occupant[place[v]] = v
    state = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0xD1B54A32D192ED03)
    if state == np.uint64(0):
        state = np.uint64(1)
    total = 0.0
    best = place.copy()
    least = 0.0
    keeps = n <= KEEPS
    blocks = (n + BLOCK - 1) // BLOCK
    visit = moves // (SWEEPS * blocks) + 1
    left = visit
    low = 0
    falling = max(1, moves - moves // 5)
    ratio = math.exp(math.log(cold / hot) / falling) if hot > 0.0 and cold > 0.0 else 1.0
    heat = hot
    reach = max(1.0, 0.05 * max(width, height))
    shrink = math.exp(-math.log(reach) / falling)
    for m in range(moves):
        heat *= ratio
        if m >= falling:
            heat = 0.0
        elif reach > 1.0:
            reach *= shrink
        left -= 1
        if left < 0:
            left = visit
            low = low + BLOCK if low + BLOCK < n else 0
        state = _next(state)
        v = low + int(_unit(state) * min(BLOCK, n - low))
        here = place[v]
        state = _next(state)
        pick = _unit(state)
        anchor = here
        radius = int(reach + 0.5)
        degree = start[v + 1] - start[v]
        if pick < 0.5 and degree > 0:
            anchor = place[other[start[v] + int(pick * 2.0 * degree)]]
            radius = 1
        state = _next(state)
        u = _unit(state)
        span = 2 * radius + 1
        k = int(u * span * span * concentration)
        tx = x[anchor] + (k // concentration) % span - radius
        ty = y[anchor] + (k // concentration) // span - radius
        if kind == 1:
            tx %= width
            ty %= height
        elif tx < 0 or ty < 0 or tx >= width or ty >= height:
            continue
        to = (ty * width + tx) * concentration + k % concentration
        if to == here or to >= slots:
            continue
        with_ = occupant[to]
        change = _change(kind, width, height, x, y, place, start, other, weight, v, to, with_)
        if with_ >= 0:
            change += _change(kind, width, height, x, y, place, start, other, weight, with_, here, v)
        if change > 0.0:
            if heat <= 0.0:
                continue
            state = _next(state)
            if _unit(state) >= math.exp(-change / heat):
                continue
        place[v] = to
        occupant[to] = v
        occupant[here] = with_
        if with_ >= 0:
            place[with_] = here
        total += change
        if keeps and total < least - 1e-12 * abs(least):
            least = total
            best[:] = place
    if keeps and least < total:
        return best, least
    return place, total
