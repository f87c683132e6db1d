"""Runs the points of a sweep in worker processes and stores each as it finishes.

A process pool of the standard library fails every pending point when one of its processes dies. So few points are
submitted ahead, and after such a loss the points that were out are run one at a time in a new pool: the one that
breaks it again is the culprit and is recorded, the others finish.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from concurrent.futures.process import ProcessPoolExecutor
from multiprocessing import forkserver, resource_tracker
from typing import Any

from neuromorph.errors import InputError, Place
from neuromorph.sweep.pending import Pending
from neuromorph.sweep.progress import Progress
from neuromorph.sweep.space import Point
from neuromorph.sweep.store import FINAL, Outcome, Store
from neuromorph.sweep.worker import Answer, Evaluator, Job, answer, ready, start_worker, work

AHEAD = 2
"""Jobs submitted per worker: enough to keep it busy, few enough that a lost process leaves few suspects."""

TICK_S = 1.0
"""How often progress is shown while nothing finishes."""


class SweepInterrupted(KeyboardInterrupt):
    """The sweep was stopped from the keyboard; `done` of `total` points are stored."""

    def __init__(self, done: int, total: int, store: str) -> None:
        kept = f"; they are kept in {store}, the same command resumes" if store else ""
        super().__init__(f"stopped: {done} of {total} points are done{kept}")
        self.done, self.total, self.store = done, total, store


def default_workers() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_points(
    points: Sequence[Point],
    evaluate: Evaluator,
    store: Store,
    *,
    executor: Executor | Callable[[], Executor] | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    retries: int = 1,
) -> list[Outcome]:
    """Evaluate the points that `store` does not hold yet and return the outcomes of all, in the order of `points`.

    executor: None for a process pool of our own; any `concurrent.futures.Executor`; or a function that makes one (then
    a broken executor can be replaced). workers: processes, None for one per core, 0 to run in this process.
    retries: how often a point whose process was lost is tried again, alone, before it is recorded as died.
    The result does not depend on executor and workers. Raises SweepInterrupted on Ctrl-C, InputError where the store
    cannot be written or workers cannot start; what is finished then is stored.
    """
    if workers is not None and workers < 0:
        raise InputError(f"{workers} workers", Place(key="workers"), "0 runs in this process, 1 or more in others")
    known = store.outcomes()
    pending = Pending([p for p in points if p.key not in known or known[p.key].status not in FINAL], evaluate, store)
    tracker = _Tracker(store, points, known, pending, progress)
    try:
        tracker.tick(None)
        if pending:
            _run_all(_Pool(evaluate, executor, workers, retries), pending, tracker)
    except KeyboardInterrupt:  # it may have come between storing a point and counting it
        known = store.outcomes()
        done = sum(1 for p in points if p.key in known and known[p.key].status in FINAL)
        raise SweepInterrupted(done, len(points), str(store.path or "")) from None
    stored = store.outcomes()
    return [stored[p.key] for p in points]


def _run_all(pool: _Pool, pending: Pending, tracker: _Tracker) -> None:
    idle = False
    try:
        pool.try_out()
        _drive(pool, pending, tracker)
        idle = True
    except KeyboardInterrupt:
        pool.harvest(tracker.take)
        raise
    finally:
        pool.close(idle=idle)


class _Tracker:
    """Stores answers as they come and tells the progress."""

    def __init__(
        self,
        store: Store,
        points: Sequence[Point],
        known: dict[str, Outcome],
        pending: Pending,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.store, self.pending, self.report = store, pending, progress
        self.points = {p.key: p for p in points}
        self.total = len(points)
        self.before = sum(1 for k in self.points if k in known and known[k].status in FINAL)
        self.done = self.before
        self.failed = 0
        self.begun = time.monotonic()

    def take(self, job: Job, result: Answer) -> None:
        """Commit an answer; one failed execution stands for every point that waits for it."""
        outcomes = list(result.outcomes)
        if result.failed and job.state is None:
            outcomes += [_copied(outcomes[0], p) for p in self.pending.drop(job.group)]
        elif result.state is not None:
            self.store.keep_state(job.group, result.state)
        self.pending.learn(job, result)
        self.commit(outcomes)

    def lost(self, job: Job, attempt: int) -> None:
        """Record the points of a job whose process was lost `attempt` times."""
        points = list(job.points) + (self.pending.drop(job.group) if job.state is None else [])
        text = (
            f"the process that ran it was lost {attempt} times while it ran alone (killed, out of memory, or crashed)"
        )
        self.commit([Outcome(p.key, "died", {}, text, attempt=attempt) for p in points])

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        self.store.record((self.points[o.key], o) for o in outcomes)
        self.done += len(outcomes)
        self.failed += sum(o.status not in FINAL for o in outcomes)
        self.tick(outcomes[-1] if outcomes else None)

    def tick(self, last: Outcome | None) -> None:
        if self.report is not None:
            elapsed = time.monotonic() - self.begun
            left = self.pending.left_s(elapsed, self.done - self.before, self.total - self.done)
            self.report(Progress(self.done, self.total, self.before, self.failed, elapsed, left, last))


def _copied(outcome: Outcome, point: Point) -> Outcome:
    return Outcome(point.key, outcome.status, {}, outcome.error, 0.0, outcome.attempt)


class _Inline(Executor):
    """Runs in this process, when submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as e:
            future.set_exception(e)
        return future


class _Pool:
    """The executor in use, what is submitted to it, and how it is replaced when it breaks."""

    def __init__(
        self,
        evaluate: Evaluator,
        executor: Executor | Callable[[], Executor] | None,
        workers: int | None,
        retries: int,
    ) -> None:
        self.workers = default_workers() if workers is None else max(workers, 1)
        self.retries = retries
        self.inline = executor is None and workers == 0
        self.given = executor
        self.evaluate = evaluate
        self.out: dict[Future[Answer], Job] = {}
        self.payload = b"" if self.inline else _pickled(evaluate)
        self.digest = hashlib.sha256(self.payload).hexdigest()
        self.own = executor is None and not self.inline
        self.executor = self._made()

    def _made(self) -> Executor:
        if self.inline:
            return _Inline()
        if isinstance(self.given, Executor):
            return self.given
        if self.given is not None:
            return self.given()
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        if "forkserver" in methods:
            # Imported once in the server that workers are forked from; it has no threads, unlike this process.
            context.set_forkserver_preload(["neuromorph.sweep.worker", *getattr(self.evaluate, "preload", ())])
            _start_fork_server()
        return ProcessPoolExecutor(self.workers, context, start_worker, (self.digest, self.payload))

    def try_out(self) -> None:
        """Tell a pool of our own that cannot start at all from a point that kills its worker."""
        if not self.own:
            return
        try:
            self._submit(ready).result()
        except BrokenExecutor:
            raise InputError(
                "worker processes cannot start",
                Place(key="workers"),
                "call sweep() below `if __name__ == '__main__':`, define what it evaluates in a module, "
                "or give workers=0",
            ) from None

    def submit(self, job: Job) -> None:
        if self.inline:
            future = self.executor.submit(answer, self.evaluate, job)
        else:
            future = self._submit(work, self.digest, None if self.own else self.payload, job)
        self.out[future] = job

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        with _interrupt_after() if self.own else contextlib.nullcontext():
            return self.executor.submit(function, *arguments)

    def replace(self) -> None:
        """A new executor in place of a broken one."""
        if isinstance(self.given, Executor):
            raise InputError(
                "the executor given has broken (a process was lost)",
                Place(key="executor"),
                "finished points are stored: resume with a new executor, or give a function that makes one",
            )
        _stop(self.executor, idle=False)
        self.executor = self._made()

    def harvest(self, take: Callable[[Job, Answer], None]) -> None:
        """Keep what has finished but was not looked at yet."""
        for future, job in self.out.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                take(job, future.result())

    def close(self, *, idle: bool) -> None:
        if self.given is None or not isinstance(self.given, Executor):
            _stop(self.executor, idle=idle)
        else:
            for future in self.out:
                future.cancel()


@contextlib.contextmanager
def _interrupt_after() -> Iterator[None]:
    """Holds Ctrl-C back: a pool whose thread was made and not started, or whose new process is not in its list, cannot
    be shut down."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda *call: came.append(call))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            before(*came[0])


def _start_fork_server() -> None:
    """Start the server that workers are forked from with Ctrl-C held back, which its children inherit.

    They ignore it only once `start_worker` runs; one that came before would show its traceback.
    """
    resource_tracker.ensure_running()  # it lets the signal through again when it starts, so it comes first
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pickled(evaluate: Evaluator) -> bytes:
    try:
        return pickle.dumps(evaluate)
    except Exception as e:
        raise InputError(
            f"what is evaluated cannot be sent to worker processes ({type(e).__name__}: {e})",
            Place(key="workers"),
            "define it at the top level of a module, or give workers=0",
        ) from None


def _stop(executor: Executor, *, idle: bool) -> None:
    """Shut an executor down without waiting for what still runs: unless idle, processes it has are ended."""
    processes = list((getattr(executor, "_processes", None) or {}).values())
    for process in () if idle else processes:
        process.kill()
    executor.shutdown(wait=bool(processes), cancel_futures=True)


def _drive(pool: _Pool, pending: Pending, tracker: _Tracker) -> None:
    """Submit, collect and store until nothing is left."""
    suspects: deque[Job] = deque()
    lost: dict[Job, int] = {}
    while pending or suspects or pool.out:
        try:
            while len(pool.out) < _room(pool, suspects, lost) and (suspects or pending):
                job = suspects.popleft() if suspects else pending.next()
                try:
                    pool.submit(job)
                except BrokenExecutor:  # was never out, so it is no suspect
                    pending.put_back(job)
                    raise
        except BrokenExecutor:
            broken = True
        else:
            broken = _collect(pool, tracker)
        if broken:
            _isolate(pool, tracker, suspects, lost)


def _room(pool: _Pool, suspects: deque[Job], lost: dict[Job, int]) -> int:
    """How many jobs may be out: one while any suspect is left, so that a further loss names its culprit."""
    if suspects or pool.inline or any(job in lost for job in pool.out.values()):
        return 1
    return AHEAD * pool.workers


def _collect(pool: _Pool, tracker: _Tracker) -> bool:
    """Store what has finished; True where a process was lost."""
    finished, _ = wait(pool.out, timeout=TICK_S, return_when=FIRST_COMPLETED)
    if not finished:
        tracker.tick(None)
    for future in finished:
        try:
            result = future.result()
        except (BrokenExecutor, CancelledError):
            return True
        tracker.take(pool.out.pop(future), result)
    return False


def _isolate(pool: _Pool, tracker: _Tracker, suspects: deque[Job], lost: dict[Job, int]) -> None:
    """After a loss: keep what finished, replace the pool, and line up what was out to run one at a time."""
    jobs = []
    for future, job in list(pool.out.items()):
        if future.done() and not future.cancelled() and future.exception() is None:
            tracker.take(job, future.result())
        else:
            jobs.append(job)
    pool.out.clear()
    alone = len(jobs) == 1
    for job in jobs:
        if alone and len(job.points) == 1:
            lost[job] = lost.get(job, 0) + 1
            if lost[job] > pool.retries:
                tracker.lost(job, lost[job])
                continue
        for part in job.split():
            lost.setdefault(part, 0)
            suspects.append(part)
    pool.replace()
