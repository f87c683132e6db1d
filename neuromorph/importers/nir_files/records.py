"""What is read of a NIR file before anything is built from it."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from neuromorph.importers.nir_files.hdf5 import Item

Edge = tuple[str, str]


@dataclass
class RawNode:
    """A node as the file has it. name: unique in the whole network, inner names follow those of their graphs."""

    name: str
    kind: str
    item: Item

    @property
    def path(self) -> str:
        return self.item.path


@dataclass
class Structure:
    """nodes: in topological order without inputs and outputs. sources, feedback: what each node sums, by name.

    inputs: graph inputs. outputs: each with what it sums. shorter: Delay nodes that lost a step to a cut cycle.
    """

    nodes: list[RawNode]
    inputs: dict[str, RawNode | None]
    outputs: dict[str, list[str]]
    output_nodes: dict[str, RawNode | None]
    sources: dict[str, list[str]]
    feedback: dict[str, list[str]]
    shorter: set[str]


def in_order(names: Iterable[str], edges: list[Edge], rank: Mapping[str, int]) -> list[str]:
    """Topological order; of those that could come next, the one nearest to the inputs, then by name."""
    missing = Counter(dict.fromkeys(names, 0))
    after: dict[str, list[str]] = {}
    for a, b in edges:
        if a in missing and b in missing:
            missing[b] += 1
            after.setdefault(a, []).append(b)
    heap = [(rank.get(n, 0), n) for n, k in missing.items() if not k]
    heapq.heapify(heap)
    order = []
    while heap:
        _, name = heapq.heappop(heap)
        order.append(name)
        for follower in after.get(name, ()):
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(heap, (rank.get(follower, 0), follower))
    return order
