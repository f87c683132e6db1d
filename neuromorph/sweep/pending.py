"""What is still to be done: points grouped by the execution they share, handed out as jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from neuromorph.sweep.space import Point
from neuromorph.sweep.store import Store
from neuromorph.sweep.worker import Answer, Evaluator, Job

CHUNK_S = 0.25
"""A pricing job is cut to take about this long: long against sending it (0.2 ms), so short that a kill costs little."""

MOST_PER_JOB = 256
FIRST_CHUNK = 8
"""Points in a pricing job while the time of one is not known yet."""


class Pending:
    """The points not evaluated yet. Pricing comes before executing, so that results appear early."""

    def __init__(self, points: Iterable[Point], evaluate: Evaluator, store: Store) -> None:
        self._groups: dict[str, deque[Point]] = {}
        for p in points:
            self._groups.setdefault(evaluate.function_key(p), deque()).append(p)
        self._store = store
        self._returned: deque[Job] = deque()
        self._runs: deque[str] = deque()
        self._priceable: deque[str] = deque()
        self._states: dict[str, bytes] = {}
        stored = store.state_keys()
        for group in self._groups:
            (self._priceable if group in stored else self._runs).append(group)
        self._price_s: float | None = None
        self._run_s: list[float] = []

    def __bool__(self) -> bool:
        return bool(self._returned or self._runs or self._priceable)

    def next(self) -> Job:
        """The next job to submit."""
        if self._returned:
            return self._returned.popleft()
        if self._priceable:
            return self._price_job(self._priceable[0])
        group = self._runs.popleft()
        points = self._groups[group]
        first = points.popleft()
        return Job(group, (first,), keep=bool(points))

    def _price_job(self, group: str) -> Job:
        points = self._groups[group]
        size = FIRST_CHUNK if self._price_s is None else int(CHUNK_S / max(self._price_s, 1e-6))
        chosen = tuple(points.popleft() for _ in range(min(len(points), max(1, min(size, MOST_PER_JOB)))))
        if group not in self._states:
            self._states[group] = self._store.state(group) or b""
        job = Job(group, chosen, state=self._states[group])
        if not points:
            self._priceable.popleft()
            del self._states[group], self._groups[group]
        return job

    def put_back(self, job: Job) -> None:
        """Take back a job that could not be submitted."""
        self._returned.append(job)

    def learn(self, job: Job, result: Answer) -> None:
        """Open the pricing of a group whose execution is done, and remember how long things take."""
        if job.state is None:
            self._run_s.append(result.run_s)
            if result.state is not None and self._groups.get(job.group):
                self._states[job.group] = result.state
                self._priceable.append(job.group)
        if not result.failed and job.points:
            self._price_s = result.price_s / len(job.points)

    def drop(self, group: str) -> list[Point]:
        """Give up the points that wait for an execution that failed."""
        return list(self._groups.pop(group, ()))

    def left_s(self, elapsed_s: float, done: int, left: int) -> float | None:
        """Estimated time left: executions at their mean rate so far, pricing at its latest; None while unknown."""
        if left == 0:
            return 0.0
        if not done:
            return None
        if not self._run_s:
            return elapsed_s / done * left
        runs_left = len(self._runs) + 1
        return elapsed_s / len(self._run_s) * runs_left + (self._price_s or 0.0) * left
