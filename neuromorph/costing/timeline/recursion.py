"""The recursion engine: lays a pipeline out in flat arrays, evaluates it, and explains deadlocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neuromorph.costing.timeline.kernel import Layout, Work, run
from neuromorph.costing.timeline.model import RELEASES, Pipeline
from neuromorph.errors import InputError, Place


def _pointers(groups: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """CSR form of lists of integers: (start of each group and the end of the last, all members)."""
    ptr = np.zeros(len(groups) + 1, dtype=np.int64)
    np.cumsum([len(g) for g in groups], out=ptr[1:])
    return ptr, np.array([m for g in groups for m in g], dtype=np.int64)


def _joined(arrays: Sequence[np.ndarray], dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """(start of each array, all arrays one after another)."""
    at = np.zeros(len(arrays) + 1, dtype=np.int64)
    np.cumsum([a.size for a in arrays], out=at[1:])
    flat = np.concatenate([np.ravel(a) for a in arrays]) if arrays else np.zeros(0)
    return at[:-1], flat.astype(dtype, copy=False)


class Recursion:
    """A pipeline made ready for evaluation, apart from capacities, which may be tried one after another.

    Raises InputError for servers that several stages share without a static order.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        if pipeline.arbitrated:
            server = pipeline.arbitrated[0]
            members = ", ".join(pipeline.servers[server][:8])
            message = f"stages {members} share this server in no static order, so their order depends on the times"
            raise InputError(
                message, Place(key=f"servers.{server}"), 'give an order in `orders`, or use engine="simpy" (arbitrated)'
            )
        self.pipeline = pipeline
        index, edges = pipeline.index, pipeline.edges
        self.tokens = np.array([stage.tokens for stage in pipeline.stages], dtype=np.int64)
        self.capacity = np.array([edge.capacity for edge in edges], dtype=np.float64)
        self._frees = [
            keep.searchsorted(np.arange(pipeline.stages[index[edge.source]].tokens), side="right")
            if math.isfinite(edge.capacity)
            else np.zeros(0, dtype=np.int64)
            for edge, (_, keep) in zip(edges, pipeline.needs, strict=True)
        ]
        self._servers = list(pipeline.servers)
        self._base = self._fixed()

    def _fixed(self) -> Layout:
        """Everything but the bounded edges."""
        pipeline, index = self.pipeline, self.pipeline.index
        incoming: list[list[int]] = [[] for _ in pipeline.stages]
        readers: list[list[int]] = [[] for _ in pipeline.stages]
        for e, edge in enumerate(pipeline.edges):
            incoming[index[edge.target]].append(e)
            readers[index[edge.source]].append(index[edge.target])
        in_ptr, by_target = _pointers(incoming)
        reader_ptr, reader = _pointers(readers)
        need_at, need = _joined([n for n, _ in pipeline.needs], np.int64)
        service_at, service = _joined(pipeline.services, np.float64)
        source = np.array([index[e.source] for e in pipeline.edges], dtype=np.int64)
        lag = np.array([pipeline.stages[index[e.source]].depth_s + e.delay_s for e in pipeline.edges], dtype=np.float64)
        entry = np.array([not group for group in incoming], dtype=np.int64)
        order_ptr, order = _pointers([self._order(name) for name in self._servers])
        position = {stage: k for k, name in enumerate(self._servers) for stage in pipeline.servers[name]}
        ends = np.cumsum(self.tokens)
        rank = np.empty(self.tokens.size, dtype=np.int64)
        rank[list(pipeline.topological)] = np.arange(self.tokens.size)
        nothing = np.zeros(0, dtype=np.int64)
        return Layout(
            tokens=self.tokens,
            first=ends - self.tokens,
            server=np.array([position[stage.name] for stage in pipeline.stages], dtype=np.int64),
            entry=entry,
            in_ptr=in_ptr,
            in_source=source[by_target],
            in_need=need_at[by_target],
            in_lag=lag[by_target],
            in_bounded=by_target,
            need=need,
            out_ptr=nothing,
            out_target=nothing,
            out_release=nothing,
            out_frees=nothing,
            frees=nothing,
            reader_ptr=reader_ptr,
            reader=rank[reader],
            service=service,
            service_at=service_at,
            per_sample=np.array([s.shape[1] if s.ndim == 2 else 0 for s in pipeline.services], dtype=np.int64),
            per_token=np.array([1 if s.ndim else 0 for s in pipeline.services], dtype=np.int64),
            order_ptr=order_ptr,
            order=order,
            topological=np.array(pipeline.topological, dtype=np.int64),
            rank=rank,
        )

    def _order(self, server: str) -> list[int]:
        """One stage per token of a sample; empty where the server has a single stage."""
        turns = self.pipeline.turns.get(server, ())
        if len(self.pipeline.servers[server]) == 1:
            return []
        return [self.pipeline.index[name] for name, tokens in turns for _ in range(tokens)]

    def layout(self, capacity: np.ndarray) -> tuple[Layout, np.ndarray]:
        """The layout for these capacities (edges,), and the edge behind each of its bounded edges (bounded,)."""
        edges, index = self.pipeline.edges, self.pipeline.index
        bounded = np.isfinite(capacity)
        outgoing: list[list[int]] = [[] for _ in self.pipeline.stages]
        for e in np.flatnonzero(bounded).tolist():
            outgoing[index[edges[e].source]].append(e)
        out_ptr, by_source = _pointers(outgoing)
        frees_at, frees = _joined(self._frees, np.int64)
        target = np.array([index[e.target] for e in edges], dtype=np.int64)
        release = np.array([RELEASES.index(e.release) for e in edges], dtype=np.int64)
        layout = self._base._replace(
            in_bounded=bounded[self._base.in_bounded].astype(np.int64),
            out_ptr=out_ptr,
            out_target=target[by_source],
            out_release=release[by_source],
            out_frees=frees_at[by_source],
            frees=frees,
        )
        return layout, by_source

    def evaluate(self, layout: Layout, room: np.ndarray, samples: int, arrivals: np.ndarray) -> Work:
        """Run the recursion. room: (bounded edges,) capacities in the layout's order."""
        total = int(self.tokens.sum()) * samples
        source = self.tokens[np.repeat(np.arange(self.tokens.size), np.diff(layout.out_ptr))]
        places = room.astype(np.int64)
        work = Work(
            start=np.empty(total),
            finish=np.empty(total),
            depart=np.empty(total),
            started=np.zeros(self.tokens.size, dtype=np.int64),
            departed=np.zeros(self.tokens.size, dtype=np.int64),
            room_sample=-places // source,
            room_token=-places % source,
        )
        run(layout, work, samples, arrivals)
        return work

    def stuck(self, work: Work, layout: Layout, by_source: np.ndarray, samples: int) -> list[int] | None:
        """None when every token departed, else the bounded edges (their numbers) whose lack of room stops a token."""
        if (work.departed == self.tokens * samples).all():
            return None
        blocked = []
        for s in np.flatnonzero(work.started > work.departed):
            for e in range(layout.out_ptr[s], layout.out_ptr[s + 1]):
                r = layout.out_target[e]
                passed = work.departed[r] if layout.out_release[e] == 2 else work.started[r]
                if work.room_sample[e] >= 0:
                    j = work.room_sample[e] * self.tokens[r] + layout.frees[layout.out_frees[e] + work.room_token[e]]
                    if j >= passed:
                        blocked.append(int(by_source[e]))
        return blocked

    def attempt(self, capacity: np.ndarray) -> list[int] | None:
        """`stuck` for these capacities, judged on a single sample.

        One sample tells for all: its tokens wait for earlier samples only until those are through, and then every
        buffer is empty again.
        """
        layout, by_source = self.layout(capacity)
        work = self.evaluate(layout, capacity[by_source], 1, np.zeros(1))
        return self.stuck(work, layout, by_source, 1)
