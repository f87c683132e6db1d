"""The discrete-event engine: processes, stores, places and servers in SimPy.

It knows nothing of the recursion: tokens travel, wait in stores, take and give back places, and the times fall out.
It is the reference for the recursion, and the only engine for arbitrated servers. A token costs about five events.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.timeline.model import Pipeline


class _Buffer:
    """Where the tokens of one edge wait: a store of arrived tokens and a container of free places."""

    def __init__(self, env: Any, capacity: float, lag_s: float, release: str) -> None:
        import simpy

        self.env, self.lag_s, self.release = env, lag_s, release
        self.arrived = simpy.Store(env)
        self.bounded = bool(np.isfinite(capacity))
        self.places = simpy.Container(env, capacity=capacity, init=capacity) if self.bounded else None
        self.sent = self.taken = self.discarded = 0

    def send(self, token: int, holds_place: bool) -> None:
        """The source lets go of a token; it arrives after the lag. A token that is discarded already keeps no place."""
        if self.lag_s == 0:
            self.arrived.put(token)
        else:
            self.env.timeout(self.lag_s).callbacks.append(lambda _: self.arrived.put(token))
        self.sent += 1
        if holds_place and self.discarded >= self.sent:
            self.places.put(1)  # type: ignore[union-attr]

    def discard(self, upto: int) -> None:
        """The target needs none of the first `upto` tokens any more (counted over all samples)."""
        given_back = min(upto, self.sent) - min(self.discarded, self.sent)
        self.discarded = upto
        if given_back > 0 and self.places is not None:
            self.places.put(given_back)


@dataclass
class _Input:
    buffer: _Buffer
    need: list[int]
    keep: list[int]
    tokens: int


@dataclass
class _Station:
    """A stage in simulation: its buffers on both sides and where its times go."""

    number: int
    entry: Any
    inputs: list[_Input]
    outputs: list[_Buffer]
    service: Callable[[int, int], float]
    start: np.ndarray
    finish: np.ndarray
    depart: np.ndarray
    done: int = 0
    blocked_by: int = -1


def _serve(
    env: Any, turns: Sequence[tuple[_Station, int]], samples: int, resource: Any = None
) -> Generator[Any, Any, None]:
    """A server's process: one token after another, `turns` of (stage, token) for each sample.

    With a resource the server is shared: it is asked for once all inputs are there, and held until the token has left.
    """
    for i in range(samples):
        for station, n in turns:
            if n == 0 and station.entry is not None:
                yield station.entry.get()
            for inp in station.inputs:
                if inp.need[n]:
                    wanted = i * inp.tokens + inp.need[n]
                    buffer = inp.buffer
                    while buffer.taken < wanted:
                        yield buffer.arrived.get()
                        buffer.taken += 1
            request = None
            if resource is not None:
                request = resource.request()
                yield request
            station.start[i, n] = env.now
            for inp in station.inputs:
                if inp.buffer.release == "start":
                    inp.buffer.discard(i * inp.tokens + inp.keep[n])
            yield env.timeout(station.service(i, n))
            station.finish[i, n] = env.now
            for inp in station.inputs:
                if inp.buffer.release == "finish":
                    inp.buffer.discard(i * inp.tokens + inp.keep[n])
            places = []
            for k, buffer in enumerate(station.outputs):
                takes = buffer.bounded and buffer.discarded <= buffer.sent
                places.append(takes)
                if takes:
                    station.blocked_by = k
                    yield buffer.places.get(1)  # type: ignore[union-attr]
            station.blocked_by = -1
            station.depart[i, n] = env.now
            station.done += 1
            for inp in station.inputs:
                if inp.buffer.release == "depart":
                    inp.buffer.discard(i * inp.tokens + inp.keep[n])
            for buffer, takes in zip(station.outputs, places, strict=True):
                buffer.send(station.done - 1, takes)
            if request is not None:
                resource.release(request)


def _feed(env: Any, stores: Sequence[Any], arrivals: np.ndarray) -> Generator[Any, Any, None]:
    """Puts each sample into the entries when it arrives."""
    for sample, at in enumerate(arrivals.tolist()):
        if at > env.now:
            yield env.timeout(at - env.now)
        for store in stores:
            store.put(sample)


def _service(times: np.ndarray) -> Callable[[int, int], float]:
    if times.ndim == 0:
        constant = float(times)
        return lambda i, n: constant
    values = times.tolist()
    return (lambda i, n: values[n]) if times.ndim == 1 else (lambda i, n: values[i][n])


class EventSimulation:
    """One run of a pipeline: start, finish and depart times of every token, as flat arrays like the recursion's.

    capacity: (edges,) instead of the pipeline's own.
    """

    def __init__(
        self, pipeline: Pipeline, samples: int, arrivals: np.ndarray, capacity: np.ndarray | None = None
    ) -> None:
        import simpy

        self.pipeline, self.samples = pipeline, samples
        total = sum(stage.tokens for stage in pipeline.stages) * samples
        self.start, self.finish, self.depart = (np.full(total, np.nan) for _ in range(3))
        env = simpy.Environment()
        self.stations = self._stations(env, capacity)
        env.process(_feed(env, [s.entry for s in self.stations if s.entry is not None], arrivals))
        for server, members in pipeline.servers.items():
            stations = [self.stations[pipeline.index[name]] for name in members]
            if server in pipeline.arbitrated:
                resource = simpy.Resource(env)
                for station in stations:
                    env.process(_serve(env, self._tokens(station), samples, resource))
            elif len(members) == 1:
                env.process(_serve(env, self._tokens(stations[0]), samples))
            else:
                env.process(_serve(env, self._turns(server), samples))
        env.run()

    def _stations(self, env: Any, capacity: np.ndarray | None) -> list[_Station]:
        import simpy

        pipeline, index = self.pipeline, self.pipeline.index
        limits = [edge.capacity for edge in pipeline.edges] if capacity is None else capacity.tolist()
        self.outgoing: list[list[int]] = [[] for _ in pipeline.stages]
        inputs: list[list[_Input]] = [[] for _ in pipeline.stages]
        outputs: list[list[_Buffer]] = [[] for _ in pipeline.stages]
        for e, (edge, (need, keep)) in enumerate(zip(pipeline.edges, pipeline.needs, strict=True)):
            source, target = index[edge.source], index[edge.target]
            lag_s = pipeline.stages[source].depth_s + edge.delay_s
            buffer = _Buffer(env, limits[e], lag_s, edge.release)
            outputs[source].append(buffer)
            self.outgoing[source].append(e)
            inputs[target].append(_Input(buffer, need.tolist(), keep.tolist(), pipeline.stages[source].tokens))
        stations = []
        at = 0
        for k, stage in enumerate(pipeline.stages):
            size = stage.tokens * self.samples
            shape = (self.samples, stage.tokens)
            start, finish, depart = (a[at : at + size].reshape(shape) for a in (self.start, self.finish, self.depart))
            at += size
            entry = None if inputs[k] else simpy.Store(env)
            service = _service(pipeline.services[k])
            stations.append(_Station(k, entry, inputs[k], outputs[k], service, start, finish, depart))
        return stations

    def _tokens(self, station: _Station) -> list[tuple[_Station, int]]:
        return [(station, n) for n in range(self.pipeline.stages[station.number].tokens)]

    def _turns(self, server: str) -> list[tuple[_Station, int]]:
        """The static order spelt out, each stage's tokens counted up."""
        count = dict.fromkeys(self.pipeline.servers[server], 0)
        turns = []
        for name, tokens in self.pipeline.turns[server]:
            for _ in range(tokens):
                turns.append((self.stations[self.pipeline.index[name]], count[name]))
                count[name] += 1
        return turns

    def stuck(self) -> list[int] | None:
        """None when every token departed, else the edges whose lack of room holds up a token."""
        if all(s.done == self.pipeline.stages[s.number].tokens * self.samples for s in self.stations):
            return None
        return [self.outgoing[s.number][s.blocked_by] for s in self.stations if s.blocked_by >= 0]
