"""What a timeline is computed from: stages that produce tokens, edges that hold them, and the pipeline they form.

A token is the unit that travels: an output row or pixel of a feature map, a time step, a packet, or a whole vector.
For token n of sample i of stage s (g = i * tokens + n counts over samples), with all times in seconds:

    start(s,g)  = max( server free, arrival of the sample at entries,
                       max over incoming edges e = (u,s) with need_e[n] > 0:
                           depart(u, i * tokens_u + need_e[n] - 1) + depth_u + delay_e )
    finish(s,g) = start(s,g) + service(s,g)
    depart(s,g) = max( finish(s,g), max over outgoing edges e = (s,v) of bounded capacity c:
                           release of the first token of v that brings the discarded tokens of s to g + 1 - c )

The server of a stage is free once its previous token has departed: a token that finds no room stays in the server
(blocking after service). With one token a sample, one-to-one edges and `release="depart"` this is the
tandem-line recursion d(n,k) = max(max(d(n,k-1), d(n-1,k)) + s(n,k), d(n-b-1,k+1)) for b = c - 1 waiting places.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem, suggest

RELEASES = ("start", "finish", "depart")
"""When a target token gives up the source tokens it no longer needs."""

Turn = tuple[str, int]
"""So many tokens of this stage in a row."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A server that turns inputs into `tokens` tokens per sample, first in, first out, without overtaking.

    service_s: seconds a token occupies the server; a number, an array (tokens,), or (samples, tokens).
    depth_s: pipeline fill; a departed token is available this much later, the server is not held meanwhile.
    server: stages that name the same server share it (a time-multiplexed core); empty: a server of its own.
    """

    name: str
    service_s: Any
    tokens: int = 1
    depth_s: float = 0.0
    server: str = ""


@dataclass(frozen=True, eq=False)
class Edge:
    """Tokens of `source` wait here until `target` has used them.

    need: (target tokens,) int; so many source tokens of the same sample must have arrived before target token n starts.
    keep: (target tokens,) int; so many of them (counted from the first) are discarded once target token n has
        reached the point `release`; the last entry discards all. Both never decrease. Both left out: one to one.
    capacity: places for source tokens, those of consecutive samples included; a token takes its place when it
        departs (tokens that the target has already discarded take none).
    delay_s: link latency, on top of the source's depth_s. A link that can be busy is a stage of its own.
    release: "start" (the target copies its inputs when it starts), "finish" (it reads them until it has finished)
        or "depart" (its server keeps them until its own result has left).
    """

    source: str
    target: str
    need: Any = None
    keep: Any = None
    capacity: float = math.inf
    delay_s: float = 0.0
    release: str = "finish"

    @property
    def label(self) -> str:
        return f"{self.source} -> {self.target}"


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A directed acyclic graph of stages. Stages without incoming edges are entries, fed by each sample as it arrives.

    orders: for a server that several stages share, the static order of its turns within a sample, repeated for every
        sample: stage names (all tokens of that stage) or (name, tokens), e.g. {"core": (("a", 2), "b", ("a", 2))}.
        A shared server without an order is arbitrated (first ready, first served), which only the SimPy engine
        simulates, because the order then depends on the times.

    Raises InputError with every fault found: duplicate and unknown names, cycles, counts and times out of range.
    """

    stages: Sequence[Stage]
    edges: Sequence[Edge] = ()
    orders: Mapping[str, Sequence[str | Turn]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        object.__setattr__(self, "edges", tuple(self.edges))
        problems = list(_stage_problems(self.stages))
        if not problems:
            problems = [*_edge_problems(self.edges, self.index, self.stages), *self._join_problems()]
        if not problems:
            problems = [*self._cycle_problems(), *self._order_problems()]
        if problems:
            raise InputError(problems)

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each stage by name."""
        return {stage.name: k for k, stage in enumerate(self.stages)}

    @cached_property
    def services(self) -> tuple[np.ndarray, ...]:
        """Service seconds per stage, each of shape (), (tokens,) or (samples, tokens)."""
        return tuple(np.asarray(stage.service_s, dtype=np.float64) for stage in self.stages)

    @cached_property
    def needs(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """(need, keep) of every edge as int64 arrays (target tokens,)."""
        return tuple(_needs(edge, self.stages[self.index[edge.target]].tokens) for edge in self.edges)

    @cached_property
    def topological(self) -> tuple[int, ...]:
        """Stage positions with every source before its targets; shorter than `stages` if there is a cycle."""
        waiting = [0] * len(self.stages)
        targets: list[list[int]] = [[] for _ in self.stages]
        for edge in self.edges:
            waiting[self.index[edge.target]] += 1
            targets[self.index[edge.source]].append(self.index[edge.target])
        ready = [k for k, n in enumerate(waiting) if n == 0]
        for k in ready:  # grows while it is walked
            for t in targets[k]:
                waiting[t] -= 1
                if waiting[t] == 0:
                    ready.append(t)
        return tuple(ready)

    @cached_property
    def entries(self) -> tuple[str, ...]:
        fed = {edge.target for edge in self.edges}
        return tuple(stage.name for stage in self.stages if stage.name not in fed)

    @cached_property
    def exits(self) -> tuple[str, ...]:
        read = {edge.source for edge in self.edges}
        return tuple(stage.name for stage in self.stages if stage.name not in read)

    @cached_property
    def servers(self) -> dict[str, tuple[str, ...]]:
        """Stages by server. A stage without a named server has one of its own, which bears the stage's name."""
        groups: dict[str, list[str]] = {}
        named = {stage.server for stage in self.stages if stage.server}
        for stage in self.stages:
            own = stage.name if stage.name not in named else f"{stage.name} (own)"
            groups.setdefault(stage.server or own, []).append(stage.name)
        return {name: tuple(members) for name, members in groups.items()}

    @cached_property
    def turns(self) -> dict[str, tuple[Turn, ...]]:
        """The static order of every shared server that has one, spelt out as (stage, tokens) turns."""
        return {
            server: tuple((t, self.stages[self.index[t]].tokens) if isinstance(t, str) else t for t in order)
            for server, order in self.orders.items()
        }

    @cached_property
    def arbitrated(self) -> tuple[str, ...]:
        """Shared servers without a static order."""
        return tuple(name for name, members in self.servers.items() if len(members) > 1 and name not in self.orders)

    @cached_property
    def work_s(self) -> dict[str, float]:
        """Service seconds per sample of each stage (mean over samples where services differ)."""
        return {
            stage.name: float(service.mean() * stage.tokens)
            for stage, service in zip(self.stages, self.services, strict=True)
        }

    @cached_property
    def interval_bound_s(self) -> float:
        """Least seconds between samples in steady state: the most service seconds per sample any server has to give."""
        return max(sum(self.work_s[name] for name in members) for members in self.servers.values())

    @cached_property
    def rows(self) -> int | None:
        """Samples for which services are given, None where they hold for any sample."""
        counts = [s.shape[0] for s in self.services if s.ndim == 2]
        return min(counts) if counts else None

    def _join_problems(self) -> Iterable[Problem]:
        first: dict[str, int] = {}
        for edge in self.edges:
            target = self.index.get(edge.target)
            if target is not None and (edge.need is None or np.size(edge.need)):
                need = 1 if edge.need is None else int(np.ravel(edge.need)[0])
                first[edge.target] = max(first.get(edge.target, 0), need)
        for name, need in first.items():
            if need == 0:
                yield Problem(
                    "a sample's first token needs no token of any source: it could start before its sample exists",
                    Place(key=f"stages.{name}"),
                    "let need[0] be 1 or more on one of its edges",
                )

    def _cycle_problems(self) -> Iterable[Problem]:
        if len(self.topological) < len(self.stages):
            done = set(self.topological)
            left = [stage.name for k, stage in enumerate(self.stages) if k not in done]
            yield Problem(
                f"stages {', '.join(left[:8])}{' ...' if len(left) > 8 else ''} lie on or behind a cycle of edges",
                Place(key="edges"),
                "a pipeline has no feedback within a sample; unroll recurrence over its time steps",
            )

    def _order_problems(self) -> Iterable[Problem]:
        for server, order in self.orders.items():
            place = Place(key=f"orders.{server}")
            members = self.servers.get(server)
            if members is None:
                yield Problem(f"no stage runs on server {server!r}", place, suggest(server, self.servers, "known"))
                continue
            counts = dict.fromkeys(members, 0)
            for turn in order:
                name = turn if isinstance(turn, str) else turn[0]
                if name not in counts:
                    yield Problem(f"stage {name!r} does not run on this server", place, suggest(name, members, "known"))
                elif not isinstance(turn, str) and turn[1] < 1:
                    yield Problem(f"a turn of {turn[1]} tokens of stage {name!r} is not 1 or more", place)
                else:
                    counts[name] += self.stages[self.index[name]].tokens if isinstance(turn, str) else turn[1]
            for name, count in counts.items():
                tokens = self.stages[self.index[name]].tokens
                if count != tokens:
                    yield Problem(
                        f"the order gives stage {name!r} {count} tokens per sample, it produces {tokens}", place
                    )


def _bad_time(value: float) -> bool:
    return not (math.isfinite(value) and value >= 0)


def _needs(edge: Edge, tokens: int) -> tuple[np.ndarray, np.ndarray]:
    if edge.need is None:
        one = np.arange(1, tokens + 1, dtype=np.int64)
        return one, one
    return np.asarray(edge.need, dtype=np.int64), np.asarray(edge.keep, dtype=np.int64)


def _stage_problems(stages: Sequence[Stage]) -> Iterable[Problem]:
    if not stages:
        yield Problem("a pipeline needs at least one stage", Place(key="stages"))
    seen: set[str] = set()
    for stage in stages:
        place = Place(key=f"stages.{stage.name}")
        if not stage.name or stage.name in seen:
            yield Problem(f"stage name {stage.name!r} is empty or used twice", place, "give every stage its own name")
        seen.add(stage.name)
        if int(stage.tokens) != stage.tokens or stage.tokens < 1:
            yield Problem(f"tokens is {stage.tokens}, a whole number of 1 or more is legal", place)
            continue
        if _bad_time(stage.depth_s):
            yield Problem(f"depth_s is {stage.depth_s}, a finite time of 0 s or more is legal", place)
        try:
            service = np.asarray(stage.service_s, dtype=np.float64)
        except (TypeError, ValueError):
            yield Problem(f"service_s is {stage.service_s!r}, a number or an array of seconds is legal", place)
            continue
        if service.ndim > 2 or (service.ndim and service.shape[-1] != stage.tokens) or service.size == 0:
            legal = f"(), ({stage.tokens},) or (samples, {stage.tokens})"
            yield Problem(f"service_s has shape {service.shape}, legal is {legal}", place)
        elif _bad_time(float(service.min())) or _bad_time(float(service.max())):
            yield Problem("service_s holds a negative, infinite or undefined time", place, "seconds, 0 or more")


def _edge_problems(edges: Sequence[Edge], index: Mapping[str, int], stages: Sequence[Stage]) -> Iterable[Problem]:
    for edge in edges:
        place = Place(key=f"edges.{edge.label}")
        unknown = [name for name in (edge.source, edge.target) if name not in index]
        for name in unknown:
            yield Problem(f"no stage is named {name!r}", place, suggest(name, index, "known"))
        if _bad_time(edge.delay_s):
            yield Problem(f"delay_s is {edge.delay_s}, a finite time of 0 s or more is legal", place)
        if edge.release not in RELEASES:
            yield Problem(f"release is {edge.release!r}, legal is one of {', '.join(RELEASES)}", place)
        if not edge.capacity >= 1 or (math.isfinite(edge.capacity) and edge.capacity != int(edge.capacity)):
            yield Problem(f"capacity is {edge.capacity}, 1, 2, 3, ... or inf is legal", place)
        if not unknown:
            yield from _need_problems(edge, stages[index[edge.source]].tokens, stages[index[edge.target]].tokens, place)


def _need_problems(edge: Edge, source: int, target: int, place: Place) -> Iterable[Problem]:
    if edge.need is None and edge.keep is None:
        if source != target:
            message = f"without need and keep an edge is one to one, but {source} tokens meet {target}"
            yield Problem(message, place, "use window_need, all_at_once or your own counts")
        return
    if edge.need is None or edge.keep is None:
        yield Problem("need and keep belong together, one of them is missing", place)
        return
    for name in ("need", "keep"):
        counts = np.asarray(getattr(edge, name))
        if counts.shape != (target,) or counts.dtype.kind not in "iu":
            message = f"{name} has shape {counts.shape} and type {counts.dtype}, legal is ({target},) whole numbers"
            yield Problem(message, place)
        elif counts[0] < 0 or counts[-1] > source or (counts[1:] < counts[:-1]).any():
            message = f"{name} must never decrease and stay within 0 and the source's {source} tokens"
            yield Problem(message, place)
        elif name == "keep" and counts[-1] != source:
            message = f"keep ends at {counts[-1]}: the last target token must discard all {source} source tokens"
            yield Problem(message, place)
