"""The chain of services and links that made the last output as late as it is."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from neuromorph.errors import InputError, Place
from neuromorph.timeline.model import Edge, Pipeline
from neuromorph.timeline.result import Timeline


@dataclass(frozen=True)
class CriticalPath:
    """What the longest path is made of: shorten none of it, and the last output is as late as before.

    begin_s, end_s: where the path begins (an arrival, or the event at which the trace was cut off) and the last output.
    service_s: seconds of service by stage; link_s: seconds of lag by edge; depth_s: pipeline depth of the exit.
    They add up to end_s - begin_s. steps: (stage, sample, token) of the services, latest first.
    """

    begin_s: float
    end_s: float
    service_s: dict[str, float]
    link_s: dict[str, float]
    depth_s: float
    steps: tuple[tuple[str, int, int], ...]

    @property
    def stage(self) -> str:
        """The stage with the most time on the path: what to speed up first."""
        return max(self.service_s, key=lambda name: self.service_s[name])


def critical_path(timeline: Timeline, since_s: float = -math.inf) -> CriticalPath:
    """Trace the last output back through whatever each token waited for longest, to an arrival or to `since_s`.

    Where a token waited for its server and for inputs until the same instant, the server is followed. Raises
    InputError for arbitrated servers, whose order of service a timeline does not record.
    """
    if timeline.pipeline.arbitrated:
        raise InputError("the path over a server without static order is not known", Place(key="orders"))
    return _Tracer(timeline).trace(since_s)


class _Tracer:
    def __init__(self, timeline: Timeline) -> None:
        self.line, self.pipeline = timeline, timeline.pipeline
        self.start = {name: a.ravel() for name, a in timeline.start_s.items()}
        self.finish = {name: a.ravel() for name, a in timeline.finish_s.items()}
        self.depart = {name: a.ravel() for name, a in timeline.depart_s.items()}
        self.tokens = {stage.name: stage.tokens for stage in self.pipeline.stages}
        self.depth = {stage.name: stage.depth_s for stage in self.pipeline.stages}
        self.needs = [(need.tolist(), keep.tolist()) for need, keep in self.pipeline.needs]
        self.inward: dict[str, list[int]] = {name: [] for name in self.tokens}
        self.outward: dict[str, list[int]] = {name: [] for name in self.tokens}
        for e, edge in enumerate(self.pipeline.edges):
            self.inward[edge.target].append(e)
            if math.isfinite(edge.capacity):
                self.outward[edge.source].append(e)
        self.before = _predecessors(self.pipeline)

    def trace(self, since_s: float) -> CriticalPath:
        name = max(self.pipeline.exits, key=lambda exit: self.depart[exit][-1] + self.depth[exit])
        service = dict.fromkeys(self.tokens, 0.0)
        link: dict[str, float] = {}
        steps = []
        node: tuple[str, int, str] | None = (name, self.depart[name].size - 1, "depart")
        begin = end = float(self.depart[name][-1])
        while node is not None and begin > since_s:
            stage, g, point = node
            if point == "depart":
                node = self._held_by(stage, g)
            elif point == "finish":
                service[stage] += float(self.finish[stage][g] - self.start[stage][g])
                steps.append((stage, *divmod(g, self.tokens[stage])))
                node, begin = (stage, g, "start"), float(self.start[stage][g])
            else:
                node, edge, lag = self._waited_for(stage, g)
                if edge is not None and lag > 0:
                    link[edge.label] = link.get(edge.label, 0.0) + lag
                    begin -= lag
        depth = self.depth[name]
        return CriticalPath(begin, end + depth, service, link, depth, tuple(steps))

    def _held_by(self, stage: str, g: int) -> tuple[str, int, str]:
        """What let a token depart: its own service, or the target token that gave a place back."""
        late, node = float(self.finish[stage][g]), (stage, g, "finish")
        for e in self.outward[stage]:
            edge = self.pipeline.edges[e]
            sample, token = divmod(g - int(edge.capacity), self.tokens[stage])
            if sample >= 0:
                j = sample * self.tokens[edge.target] + bisect_right(self.needs[e][1], token)
                times = {"start": self.start, "finish": self.finish, "depart": self.depart}[edge.release]
                if times[edge.target][j] > late:
                    late, node = float(times[edge.target][j]), (edge.target, j, edge.release)
        return node

    def _waited_for(self, stage: str, g: int) -> tuple[tuple[str, int, str] | None, Edge | None, float]:
        """(what let a token start, the edge it came over, its lag); no node: the sample's arrival."""
        sample, token = divmod(g, self.tokens[stage])
        node: tuple[str, int, str] | None = None
        via, lag = None, 0.0
        late = -math.inf if self.inward[stage] else float(self.line.arrival_s[sample])
        previous = self.before(stage, g)
        if previous is not None and self.depart[previous[0]][previous[1]] >= late:
            late, node = float(self.depart[previous[0]][previous[1]]), (*previous, "depart")
        for e in self.inward[stage]:
            need = self.needs[e][0][token]
            if need:
                edge = self.pipeline.edges[e]
                j = sample * self.tokens[edge.source] + need - 1
                delay = self.depth[edge.source] + edge.delay_s
                if self.depart[edge.source][j] + delay > late:
                    late, node = float(self.depart[edge.source][j] + delay), (edge.source, j, "depart")
                    via, lag = edge, delay
        return node, via, lag


def _predecessors(pipeline: Pipeline) -> Callable[[str, int], tuple[str, int] | None]:
    """(stage, token over all samples) -> the token that its server serves before it."""
    before: dict[str, list[tuple[str, int]]] = {}
    for server, members in pipeline.servers.items():
        if len(members) > 1:
            count = dict.fromkeys(members, 0)
            turns = []
            for name, turn in pipeline.turns[server]:
                turns += [(name, count[name] + n) for n in range(turn)]
                count[name] += turn
            for k, (name, _) in enumerate(turns):
                before.setdefault(name, []).append(turns[k - 1])
    firsts = {order[0][0] for order in pipeline.turns.values()}
    tokens = {stage.name: stage.tokens for stage in pipeline.stages}

    def previous(stage: str, g: int) -> tuple[str, int] | None:
        if stage not in before:
            return (stage, g - 1) if g else None
        sample, token = divmod(g, tokens[stage])
        name, n = before[stage][token]
        if stage in firsts and token == 0:  # the last turn of the sample before
            sample -= 1
        return (name, sample * tokens[name] + n) if sample >= 0 else None

    return previous
