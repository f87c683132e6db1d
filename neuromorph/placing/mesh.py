"""Placement of communicating nodes on a network: cheap orders, refinement of them, a bound below."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuromorph.errors import FitError, InputError, suggest
from neuromorph.placing import orders
from neuromorph.placing.anneal import refine
from neuromorph.placing.topology import Topology

EFFORT = {"none": 0, "quick": 10, "normal": 40, "thorough": 400}
"""Attempted swap moves per node and refined order."""

LEAST_MOVES = 100_000
"""Attempted moves on small problems, where time does not matter."""


@dataclass(frozen=True)
class MeshPlacement:
    """Where each node sits and what that costs. Costs are sums of traffic x hops.

    slot: (nodes,). costs: of `random`, `snake`, `greedy` and, of the placement itself, `refined`.
    start: the order the refined placement began from. lower_bound: no placement costs less.
    """

    slot: np.ndarray
    costs: Mapping[str, float]
    start: str
    lower_bound: float


def place_nodes(
    topology: Topology,
    nodes: int,
    source: np.ndarray,
    target: np.ndarray,
    traffic: np.ndarray,
    *,
    seed: int = 0,
    effort: str = "normal",
) -> MeshPlacement:
    """Place nodes 0..nodes-1 on the slots of a network so that traffic travels few hops.

    source, target: (flows,) nodes; traffic: (flows,) >= 0, any unit. Nodes should come in the order in which
    data visits them: the snake follows it. Deterministic for a seed. Raises FitError for more nodes than slots.
    """
    s, t, w = _check(topology, nodes, source, target, traffic, effort)
    start, other, weight = neighbours(nodes, s, t, w)
    found = {"random": orders.random(topology, nodes, seed), "snake": orders.snake(topology, nodes)}
    found["greedy"] = orders.greedy(topology, nodes, start, other, weight)
    costs = {name: float((w * topology.hops(slot[s], slot[t])).sum()) for name, slot in found.items()}
    moves = EFFORT[effort] and max(LEAST_MOVES, EFFORT[effort] * nodes)
    began = min(costs, key=lambda name: costs[name])
    best, best_cost = found[began], costs[began]
    for name in sorted(("snake", "greedy"), key=lambda name: costs[name]):
        slot = refine(topology, found[name], start, other, weight, moves, seed)
        cost = float((w * topology.hops(slot[s], slot[t])).sum())
        if cost < best_cost:
            best, best_cost, began = slot, cost, name
    costs["refined"] = best_cost
    bound = min(lower_bound(topology, nodes, start, other, weight), best_cost)  # rounding may put it one ulp above
    return MeshPlacement(best, costs, began, bound)


def neighbours(
    nodes: int, source: np.ndarray, target: np.ndarray, traffic: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Undirected neighbour lists: start (nodes+1,), other, weight; both directions and repeated flows are summed."""
    low, high = np.minimum(source, target), np.maximum(source, target)
    keep = (low != high) & (traffic > 0)
    pair, index = np.unique(low[keep] * np.int64(nodes) + high[keep], return_inverse=True)
    amount = np.bincount(index, weights=traffic[keep], minlength=pair.size).astype(np.float64)
    a, b = np.divmod(pair, np.int64(max(nodes, 1)))
    row, column, both = np.concatenate([a, b]), np.concatenate([b, a]), np.concatenate([amount, amount])
    order = np.argsort(row * np.int64(nodes) + column, kind="stable")
    start = np.zeros(nodes + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=nodes), out=start[1:])
    return start, column[order], both[order]


def lower_bound(topology: Topology, nodes: int, start: np.ndarray, other: np.ndarray, weight: np.ndarray) -> float:
    """A cost that no placement can go below; the larger of two counts.

    By node: the k-th heaviest neighbour of a node is at least as far as the k-th nearest slot of the best slot;
    every edge is counted from both ends, hence half. By pair: among n slots at most n (N_d - 1) / 2 pairs are
    within distance d of each other, N_d being the slots within d of the best slot; n cells of a plain mesh have at
    most floor(2 n - 2 sqrt(n)) adjacent pairs (Harary and Harborth, J. Comb. Inf. Syst. Sci. 1, 1976). The
    heaviest edges get the shortest distances.
    """
    if weight.size == 0:
        return 0.0
    near = topology.nearest()
    row = np.repeat(np.arange(nodes), np.diff(start))
    order = np.lexsort((-weight, row))
    rank = np.arange(weight.size) - start[row]
    by_node = float((weight[order] * near[rank + 1]).sum()) / 2
    heavy = np.sort(weight[row < other])[::-1]
    by_pair, done = 0.0, 0
    for distance, within in zip(*np.unique(near, return_counts=True), strict=True):
        reach = int(np.searchsorted(near, distance, "right"))
        pairs = nodes * (reach - 1) // 2
        if topology.kind == "mesh" and topology.concentration == 1 and distance == 1 and within > 0:
            pairs = min(pairs, math.floor(2 * nodes - 2 * math.sqrt(nodes)))
        upto = min(max(pairs, done), heavy.size)
        by_pair += float(distance) * float(heavy[done:upto].sum())
        done = upto
        if done == heavy.size:
            break
    return max(by_node, by_pair)


def _check(
    topology: Topology, nodes: int, source: np.ndarray, target: np.ndarray, traffic: np.ndarray, effort: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if effort not in EFFORT:
        raise InputError(f"effort is {effort!r}", hint=suggest(effort, EFFORT))
    if nodes < 1:
        raise InputError(f"{nodes} nodes to place; at least 1 is needed")
    if nodes > topology.slots:
        raise FitError(f"{nodes} nodes do not fit the {topology.slots} slots of the {topology.kind}")
    s, t = np.asarray(source, np.int64), np.asarray(target, np.int64)
    w = np.asarray(traffic, np.float64)
    if not (s.ndim == 1 and s.shape == t.shape == w.shape):
        raise InputError(f"flows have shapes {s.shape}, {t.shape}, {w.shape}; all must be (flows,)")
    if s.size and (min(s.min(), t.min()) < 0 or max(s.max(), t.max()) >= nodes):
        raise InputError(f"a flow names a node outside 0..{nodes - 1}")
    if not (np.all(np.isfinite(w)) and np.all(w >= 0)):
        raise InputError("traffic must be finite and at least 0")
    keep = (s != t) & (w > 0)
    return s[keep], t[keep], w[keep]
