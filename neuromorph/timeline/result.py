"""What a simulation tells: times of every token, and the figures read off them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.timeline.model import Pipeline


class StageArrays(Mapping[str, np.ndarray]):
    """One flat array seen as {stage: (samples, tokens)}, without copies."""

    def __init__(self, pipeline: Pipeline, samples: int, flat: np.ndarray) -> None:
        self.pipeline, self.samples, self.flat = pipeline, samples, flat

    @cached_property
    def _ends(self) -> list[int]:
        return (np.cumsum([stage.tokens for stage in self.pipeline.stages]) * self.samples).tolist()

    def __getitem__(self, stage: str) -> np.ndarray:
        k = self.pipeline.index[stage]
        end = self._ends[k]
        tokens = self.pipeline.stages[k].tokens
        return self.flat[end - tokens * self.samples : end].reshape(self.samples, tokens)

    def __iter__(self) -> Iterator[str]:
        return iter(self.pipeline.index)

    def __len__(self) -> int:
        return len(self.pipeline.stages)


@dataclass(frozen=True)
class StageShare:
    """Fractions of a window of time, which add up to 1.

    busy: serving; blocked: done, but no room behind it; elsewhere: its shared server is with another stage;
    starved: the server is idle, inputs are missing.
    """

    stage: str
    server: str
    busy: float
    blocked: float
    elsewhere: float
    starved: float


@dataclass(frozen=True)
class Bottleneck:
    """What sets the interval between samples.

    server, stage: the server with the most work per sample, and its stage with the most. work_s: that server's seconds
    per sample; interval_s: the interval seen. limit: "service" (the server is never idle), "arrivals" (samples come
    slower than the pipeline could take them), or "buffers" (blocking, waiting for windows, or the order on a server;
    then `critical_path` tells which stages share the interval).
    """

    stage: str
    server: str
    work_s: float
    interval_s: float
    limit: str


@dataclass(frozen=True)
class GanttRow:
    """A bar of a Gantt chart. state: "busy", "blocked" or "waiting" (between two tokens of the same sample)."""

    stage: str
    sample: int
    begin_s: float
    end_s: float
    state: str


@dataclass(frozen=True, eq=False)
class Timeline:
    """Times in seconds of a simulated pipeline.

    arrival_s: (samples,). start_s, finish_s, depart_s: {stage: (samples, tokens)}, when a token begins service, ends
    it, and leaves its server.
    """

    pipeline: Pipeline
    engine: str
    arrival_s: np.ndarray
    start_s: StageArrays
    finish_s: StageArrays
    depart_s: StageArrays

    @property
    def samples(self) -> int:
        return int(self.arrival_s.size)

    @cached_property
    def begin_s(self) -> np.ndarray:
        """(samples,): first service of the sample at an entry."""
        return np.min([self.start_s[name][:, 0] for name in self.pipeline.entries], axis=0)

    @cached_property
    def end_s(self) -> np.ndarray:
        """(samples,): the last output token is available, the exit's pipeline depth included."""
        pipeline = self.pipeline
        depth = {name: pipeline.stages[pipeline.index[name]].depth_s for name in pipeline.exits}
        return np.max([self.depart_s[name][:, -1] + depth[name] for name in pipeline.exits], axis=0)

    @property
    def latency_s(self) -> np.ndarray:
        """(samples,): from first service to last output."""
        return self.end_s - self.begin_s

    @property
    def sojourn_s(self) -> np.ndarray:
        """(samples,): from arrival to last output, the wait before the first service included."""
        return self.end_s - self.arrival_s

    @property
    def makespan_s(self) -> float:
        """From the first arrival to the last output of all samples."""
        return float(self.end_s.max() - self.arrival_s[0])

    @property
    def interval_s(self) -> float:
        """Mean seconds between outputs over the later half of the samples. Raises InputError for a single sample."""
        if self.samples < 2:
            raise InputError(
                "one sample has no interval", Place(key="samples"), "simulate two or more, or use closed_form's bound"
            )
        last = max(1, self.samples // 2)
        return float((self.end_s[-1] - self.end_s[-1 - last]) / last)

    @property
    def throughput_hz(self) -> float:
        """Samples per second in the later half of the samples (inf where they take no time)."""
        interval = self.interval_s
        return 1 / interval if interval > 0 else float("inf")

    def percentiles(self, q: Sequence[float] = (5, 50, 95, 99), of: str = "sojourn") -> dict[float, float]:
        """Percentiles over samples in seconds, by q in percent. of: "sojourn" or "latency"."""
        if of not in ("sojourn", "latency"):
            raise InputError(f"of is {of!r}, legal is sojourn or latency", Place(key="of"))
        if not all(0 <= v <= 100 for v in q):
            raise InputError(f"percentiles {list(q)} leave the range 0 to 100", Place(key="q"))
        values = self.sojourn_s if of == "sojourn" else self.latency_s
        return dict(zip(q, np.percentile(values, list(q)).tolist(), strict=True))

    @property
    def steady_s(self) -> tuple[float, float]:
        """The window of the later half of the samples, from output to output; the whole run for a single sample."""
        if self.samples < 2:
            return float(self.begin_s[0]), float(self.end_s[0])
        return float(self.end_s[-1 - max(1, self.samples // 2)]), float(self.end_s[-1])

    def shares(self, window_s: tuple[float, float] | None = None) -> tuple[StageShare, ...]:
        """How each stage spends a window of time (begin, end); None: the whole run, first service to last output.

        `steady_s` is the window without filling; note that the early stages have run dry by its end unless samples
        keep arriving.
        """
        begin, end = (float(self.begin_s[0]), float(self.end_s.max())) if window_s is None else window_s
        if not end > begin:
            raise InputError(f"the window from {begin} s to {end} s is empty", Place(key="window_s"))

        def held(a: np.ndarray, b: np.ndarray) -> float:
            return float((np.clip(b, begin, end) - np.clip(a, begin, end)).sum()) / (end - begin)

        busy = {name: held(self.start_s[name], self.finish_s[name]) for name in self.start_s}
        blocked = {name: held(self.finish_s[name], self.depart_s[name]) for name in self.start_s}
        rows = {}
        for server, members in self.pipeline.servers.items():
            whole = sum(busy[name] + blocked[name] for name in members)
            for name in members:
                elsewhere = whole - busy[name] - blocked[name] if len(members) > 1 else 0.0
                rows[name] = StageShare(name, server, busy[name], blocked[name], elsewhere, max(0.0, 1 - whole))
        return tuple(rows[name] for name in self.start_s)

    def bottleneck(self, tolerance: float = 1e-3) -> Bottleneck:
        """Which server bounds the throughput and whether it, the arrivals or the buffers set the interval seen.

        tolerance: relative; an interval this close to a bound counts as set by it.
        """
        pipeline, interval = self.pipeline, self.interval_s
        work = {server: sum(pipeline.work_s[m] for m in members) for server, members in pipeline.servers.items()}
        server = max(work, key=lambda name: work[name])
        stage = max(pipeline.servers[server], key=lambda name: pipeline.work_s[name])
        last = max(1, self.samples // 2)
        period = float(self.arrival_s[-1] - self.arrival_s[-1 - last]) / last
        if interval <= work[server] * (1 + tolerance):
            limit = "service"
        else:
            limit = "arrivals" if interval <= period * (1 + tolerance) else "buffers"
        return Bottleneck(stage, server, work[server], interval, limit)

    def gantt(self, samples: Sequence[int] | None = None, shortest_s: float = 0.0) -> list[GanttRow]:
        """Bars of these samples (all by default), stage by stage in time order; equal neighbours are merged.

        shortest_s: blocked and waiting bars up to this length are left out, and busy bars joined across them, to keep
        the chart of a fine-grained stage small. Raises InputError for samples that were not simulated.
        """
        chosen = range(self.samples) if samples is None else samples
        if not all(0 <= i < self.samples for i in chosen):
            raise InputError(f"samples run from 0 to {self.samples - 1}", Place(key="samples"))
        rows: list[GanttRow] = []
        for name in self.start_s:
            start, finish, depart = self.start_s[name], self.finish_s[name], self.depart_s[name]
            for i in chosen:
                ahead = np.append(start[i, 1:], depart[i, -1])
                begin = np.stack([start[i], finish[i], depart[i]], axis=1).ravel()
                end = np.stack([finish[i], depart[i], ahead], axis=1).ravel()
                rows += _bars(name, i, begin, end, shortest_s)
        return rows


_STATES = ("busy", "blocked", "waiting")


def _bars(stage: str, sample: int, begin: np.ndarray, end: np.ndarray, shortest_s: float) -> list[GanttRow]:
    """begin, end: (3 * tokens,), in turn busy, blocked, waiting."""
    least = np.tile([0.0, shortest_s, shortest_s], begin.size // 3)
    keep = np.flatnonzero(end - begin > least)
    state = keep % 3
    heads = np.flatnonzero(np.diff(state, prepend=-1))  # where a bar begins among the kept ones
    tails = np.append(heads, keep.size)[1:] - 1
    return [
        GanttRow(stage, sample, float(begin[keep[h]]), float(end[keep[t]]), _STATES[state[h]])
        for h, t in zip(heads, tails, strict=True)
    ]
