"""Cheap orders of nodes over the slots of a network: a snake, from which refinement starts, and a random one beside."""

from __future__ import annotations

import heapq
import math

import numpy as np

from neuromorph.placing.topology import Topology


def snake(topology: Topology, nodes: int) -> np.ndarray:
    """Slots for nodes 0, 1, ... row by row over the compact rectangle, every second row backwards: (nodes,)."""
    return _slots(topology, nodes, backwards=True)[:nodes]


def greedy(topology: Topology, nodes: int, start: np.ndarray, other: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Slots along the snake, next always the node that exchanges most with those already placed: (nodes,).

    start (nodes+1,), other, weight: neighbours of each node in compressed rows, every edge in both directions.
    """
    first, to, amount = start.tolist(), other.tolist(), weight.tolist()
    tie, placed, order = [0.0] * nodes, [False] * nodes, []
    for root in range(nodes):
        waiting = [(0.0, root)]  # strongest first; a node stands in it once for every neighbour placed
        while waiting:
            node = heapq.heappop(waiting)[1]
            if placed[node]:
                continue
            placed[node] = True
            order.append(node)
            for e in range(first[node], first[node + 1]):
                if not placed[to[e]]:
                    tie[to[e]] += amount[e]
                    heapq.heappush(waiting, (-tie[to[e]], to[e]))
    slot = np.empty(nodes, np.int64)
    slot[order] = snake(topology, nodes)
    return slot


def random(topology: Topology, nodes: int, seed: int) -> np.ndarray:
    """Slots for nodes in random order over the compact rectangle that holds them: (nodes,)."""
    return np.random.Generator(np.random.Philox(key=seed)).permutation(_slots(topology, nodes))[:nodes]


def _slots(topology: Topology, nodes: int, backwards: bool = False) -> np.ndarray:
    """Slots of the compact rectangle row by row, every second row backwards where wanted: at least `nodes`.

    Where the rectangle reaches into places that do not exist, all slots of the network in their order.
    """
    for w, h in (compact(topology, nodes), (topology.width, topology.height)):
        router = np.arange(h)[:, None] * topology.width + np.arange(w)
        if backwards:
            router[1::2] = router[1::2, ::-1].copy()
        slots = (router.ravel()[:, None] * topology.concentration + np.arange(topology.concentration)).ravel()
        slots = slots[slots < topology.slots]
        if slots.size >= nodes:
            break
    return slots


def compact(topology: Topology, nodes: int) -> tuple[int, int]:
    """Width and height of a nearly square rectangle of routers that holds this many nodes."""
    need = -(-nodes // topology.concentration)
    w = min(topology.width, math.isqrt(max(0, need - 1)) + 1)
    h = -(-need // w)
    if h > topology.height:
        h = topology.height
        w = -(-need // h)
    return w, h
