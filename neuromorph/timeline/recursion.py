"""The recursion engine: lays a pipeline out in tables, evaluates it, and tells what is stuck."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.timeline import kernel as k
from neuromorph.timeline.model import RELEASES, Pipeline


@dataclass(frozen=True)
class Run:
    """Times of all tokens (flat, stages in the pipeline's order) and how far each stage came.

    state, outward: tables as in `kernel`. bounded: the edge behind each row of outward.
    """

    start: np.ndarray
    finish: np.ndarray
    depart: np.ndarray
    state: np.ndarray
    outward: np.ndarray
    bounded: np.ndarray


def _begins(sizes: Iterable[int]) -> np.ndarray:
    """Where each of these runs begins, and where the last ends."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.fromiter(sizes, dtype=np.int64))])


def _flat(arrays: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([a.ravel() for a in arrays]).astype(dtype, copy=False) if arrays else np.zeros(0, dtype)


def _groups(keys: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Members grouped by key 0 .. count - 1: (members in that order, begin of each group, end of each group)."""
    ends = np.cumsum(np.bincount(keys, minlength=count))
    return np.argsort(keys, kind="stable"), np.concatenate([[0], ends[:-1]]), ends


class Recursion:
    """A pipeline made ready for evaluation; capacities may be tried one after another.

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
        self.capacity = np.array([edge.capacity for edge in pipeline.edges], dtype=np.float64)
        self.place = np.empty(len(pipeline.stages), dtype=np.int64)
        self.place[list(pipeline.topological)] = np.arange(self.place.size)
        index, place = pipeline.index, self.place.tolist()
        self.source = np.array([place[index[edge.source]] for edge in pipeline.edges], dtype=np.int64)
        self.target = np.array([place[index[edge.target]] for edge in pipeline.edges], dtype=np.int64)
        self.release = np.array([RELEASES.index(edge.release) for edge in pipeline.edges], dtype=np.int64)
        self.service = _flat(pipeline.services, np.float64)
        self.stage, self.order, self.servers = self._stages()
        self.tokens = self.stage[:, k.TOKENS]
        self.inward, self.lag, self.need, self.reader = self._inward()
        self.frees_at, self.frees = self._frees()

    def _stages(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(the stage table but for its edges, with BASE for one sample; static orders; where each server's begins)."""
        pipeline, place = self.pipeline, self.place.tolist()
        services, index = pipeline.services, pipeline.index
        tokens = [stage.tokens for stage in pipeline.stages]
        table = np.zeros((len(tokens), k.STAGE_COLUMNS), dtype=np.int64)
        table[:, k.TOKENS] = tokens
        table[:, k.BASE] = _begins(tokens)[:-1]
        table[:, k.SERVICE] = _begins(s.size for s in services)[:-1]
        table[:, k.PER_SAMPLE] = [s.shape[1] if s.ndim == 2 else 0 for s in services]
        table[:, k.PER_TOKEN] = [1 if s.ndim else 0 for s in services]
        order: list[int] = []
        begins = np.zeros(len(pipeline.servers), dtype=np.int64)
        for number, (server, members) in enumerate(pipeline.servers.items()):
            begins[number] = len(order)
            if len(members) > 1:
                order += [place[index[name]] for name, turn in pipeline.turns[server] for _ in range(turn)]
            for name in members:
                table[index[name], k.SERVER] = number
                table[index[name], k.ORDER : k.ORDER_END + 1] = begins[number], len(order)
        return table[list(pipeline.topological)], np.array(order, dtype=np.int64), begins

    def _inward(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(incoming edges by target, their lags in seconds, needs, targets by source); fills in the stage table."""
        pipeline, stage = self.pipeline, self.stage
        members, stage[:, k.IN], stage[:, k.IN_END] = _groups(self.target, len(stage))
        stage[:, k.ENTRY] = stage[:, k.IN] == stage[:, k.IN_END]
        by_source, stage[:, k.READ], stage[:, k.READ_END] = _groups(self.source, len(stage))
        table = np.zeros((members.size, k.INWARD_COLUMNS), dtype=np.int64)
        table[:, k.SOURCE] = self.source[members]
        table[:, k.SOURCE_TOKENS] = stage[self.source[members], k.TOKENS]
        table[:, k.NEED] = _begins(need.size for need, _ in pipeline.needs)[:-1][members]
        depth = np.array([stage.depth_s for stage in pipeline.stages])[list(pipeline.topological)]
        delay = np.array([edge.delay_s for edge in pipeline.edges], dtype=np.float64)
        lag = (depth[self.source] + delay)[members]
        self.members = members
        return table, lag, _flat([need for need, _ in pipeline.needs], np.int64), self.target[by_source]

    def _frees(self) -> tuple[np.ndarray, np.ndarray]:
        """(where each edge begins, for each source token the first target token that discards it) for bounded edges."""
        counts = self.tokens[self.source].tolist()
        frees = [
            keep.searchsorted(np.arange(count), side="right") if bounded else np.zeros(0, dtype=np.int64)
            for count, (_, keep), bounded in zip(counts, self.pipeline.needs, np.isfinite(self.capacity), strict=True)
        ]
        return _begins(f.size for f in frees)[:-1], _flat(frees, np.int64)

    def evaluate(self, samples: int, arrivals: np.ndarray, capacity: np.ndarray | None = None) -> Run:
        """Run the recursion. capacity: (edges,) instead of the pipeline's own; what is unlimited there stays so."""
        capacity = self.capacity if capacity is None else capacity
        stage, inward = self.stage.copy(), self.inward.copy()
        stage[:, k.BASE] *= samples
        edges = np.flatnonzero(np.isfinite(capacity))
        members, stage[:, k.OUT], stage[:, k.OUT_END] = _groups(self.source[edges], len(stage))
        edges = edges[members]
        outward = np.zeros((edges.size, k.OUTWARD_COLUMNS), dtype=np.int64)
        outward[:, k.TARGET] = self.target[edges]
        outward[:, k.TARGET_TOKENS] = self.tokens[self.target[edges]]
        outward[:, k.TARGET_BASE] = stage[self.target[edges], k.BASE]
        outward[:, k.RELEASE] = self.release[edges]
        outward[:, k.FREES] = self.frees_at[edges]
        places, tokens = capacity[edges].astype(np.int64), self.tokens[self.source[edges]]
        outward[:, k.ROOM_SAMPLE], outward[:, k.ROOM_TOKEN] = -places // tokens, -places % tokens
        inward[:, k.SOURCE_BASE] = stage[inward[:, k.SOURCE], k.BASE]
        inward[:, k.BOUNDED] = np.isfinite(capacity)[self.members]
        total = int(self.tokens.sum()) * samples
        times = np.empty((3, total))  # one piece: a run after another finds its memory in the process still
        state = np.zeros((len(stage), k.STATE_COLUMNS), dtype=np.int64)
        fixed = self.lag, self.need, outward, self.frees, self.reader, self.service, self.order, self.servers
        k.run(samples, arrivals, (stage, inward, *fixed), times, state)
        return Run(times[0], times[1], times[2], state, outward, edges)

    def stuck(self, run: Run, samples: int) -> list[int] | None:
        """None when every token departed, else the bounded edges (their numbers) whose lack of room stops a token."""
        state, outward = run.state, run.outward
        if (state[:, k.DEPARTED] == self.tokens * samples).all():
            return None
        target = outward[:, k.TARGET]
        late = outward[:, k.RELEASE] == k.AT_DEPART
        passed = np.where(late, state[target, k.DEPARTED], state[target, k.STARTED])
        frees = self.frees[outward[:, k.FREES] + outward[:, k.ROOM_TOKEN]]
        full = (outward[:, k.ROOM_SAMPLE] >= 0) & (
            outward[:, k.ROOM_SAMPLE] * outward[:, k.TARGET_TOKENS] + frees >= passed
        )
        held = (state[:, k.STARTED] > state[:, k.DEPARTED])[self.source[run.bounded]]
        return run.bounded[full & held].tolist()

    def attempt(self, capacity: np.ndarray) -> list[int] | None:
        """`stuck` for these capacities, judged on a single sample.

        One sample tells for all: its tokens wait for earlier samples only until those are through, and then every
        buffer is empty again.
        """
        return self.stuck(self.evaluate(1, np.zeros(1), capacity), 1)
