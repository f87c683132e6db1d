"""Groups of spins without couplings among each other, and the order of visits that follows from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.systems.annealing.couplings import Couplings


@dataclass(frozen=True, eq=False)
class Order:
    """The order of visits in a sweep, one group after the other.

    vertex: (size,) int64, vertex visited at each position. group: (groups + 1,) int64, positions where the groups
    begin, and the total. No edge joins two vertices of a group, so its spins may change in the same step of a parallel
    machine: the result is the one of visiting them one by one.
    """

    vertex: np.ndarray
    group: np.ndarray

    @property
    def groups(self) -> int:
        return int(self.group.size - 1)

    @property
    def position(self) -> np.ndarray:
        """Position of each vertex: the inverse of `vertex`."""
        place = np.empty_like(self.vertex)
        place[self.vertex] = np.arange(self.vertex.size)
        return place

    def sorted(self, graph: Couplings) -> Couplings:
        """The same graph with its vertices numbered by position."""
        place = self.position
        lengths = np.diff(graph.indptr)[self.vertex]
        indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        rows = np.repeat(np.arange(graph.size), lengths)
        entry = np.arange(graph.index.size) - indptr[rows] + graph.indptr[self.vertex[rows]]
        index, weight = place[graph.index[entry]], graph.weight[entry]
        order = np.lexsort((index, rows))
        return Couplings(graph.name, indptr, index[order].astype(np.uint32), weight[order])


def grouped(graph: Couplings) -> Order:
    """Greedy colouring, vertices with many neighbours first (Welsh and Powell 1967): at most max degree + 1 groups."""
    degree = np.diff(graph.indptr)
    colour = np.full(graph.size, -1, np.int64)
    for vertex in np.argsort(-degree, kind="stable"):
        taken = np.zeros(degree[vertex] + 2, np.bool_)
        used = colour[graph.index[graph.indptr[vertex] : graph.indptr[vertex + 1]]]
        taken[used[(used >= 0) & (used < taken.size)]] = True
        colour[vertex] = np.argmin(taken)
    vertex = np.argsort(colour, kind="stable")
    return Order(vertex, np.concatenate(([0], np.cumsum(np.bincount(colour)))).astype(np.int64))
