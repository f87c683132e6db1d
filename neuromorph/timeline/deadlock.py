"""Which buffers are too small, and how large they must be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuromorph.errors import InputError, Place, Problem
from neuromorph.timeline.model import Pipeline

Attempt = Callable[[np.ndarray], "list[int] | None"]
"""capacities (edges,) -> None when every token departs, else the edges whose lack of room holds up a token."""


def least_capacities(pipeline: Pipeline, attempt: Attempt, most: int) -> dict[int, int]:
    """Smallest larger capacities, by edge number, that let every token depart; empty if it already does.

    Edges that hold up a token are opened until nothing is stuck, then closed one by one, each to the smallest capacity
    that still does with the others as found so far (more room never hurts, so bisection is exact). most: a capacity
    times the source's tokens that always suffices. Raises InputError where no capacity helps (a server's order).
    """
    capacity = np.array([edge.capacity for edge in pipeline.edges], dtype=np.float64)
    opened: list[int] = []
    blocked = attempt(capacity)
    while blocked is not None:
        blocked = [e for e in dict.fromkeys(blocked) if np.isfinite(capacity[e])]
        if not blocked:
            raise _order_error(pipeline)
        opened += blocked
        capacity[blocked] = np.inf
        blocked = attempt(capacity)
    found: dict[int, int] = {}
    for e in opened:
        edge = pipeline.edges[e]
        low, high = int(edge.capacity), most * pipeline.stages[pipeline.index[edge.source]].tokens
        while low < high:
            middle = (low + high) // 2
            capacity[e] = middle
            if attempt(capacity) is None:
                high = middle
            else:
                low = middle + 1
        capacity[e] = low
        if low > edge.capacity:
            found[e] = low
    return found


def deadlock_error(pipeline: Pipeline, attempt: Attempt, most: int = 1) -> InputError:
    """The error for a pipeline that gets stuck: each edge whose buffer is too small and the capacity that would do."""
    try:
        found = least_capacities(pipeline, attempt, most)
    except InputError as error:
        return error
    together = " together with the others named" if len(found) > 1 else ""
    problems = [
        Problem(
            f"deadlock: {int(edge.capacity)} buffer places behind {edge.source!r} are too few for {edge.target!r}",
            Place(key=f"edges.{edge.label}"),
            f"the smallest capacity that would do{together} is {least}",
        )
        for edge, least in ((pipeline.edges[e], least) for e, least in sorted(found.items()))
    ]
    return InputError(problems)


def _order_error(pipeline: Pipeline) -> InputError:
    shared = ", ".join(name for name, members in pipeline.servers.items() if len(members) > 1)
    return InputError(
        "deadlock with unlimited buffers: the order of turns on a shared server waits for a later turn",
        Place(key=f"orders.{shared}"),
        "let each stage's turns come after those of the stages it reads from",
    )
