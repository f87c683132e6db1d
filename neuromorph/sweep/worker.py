"""What runs in a worker process of a sweep: execute a point, price points, and report faults as data."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from neuromorph.errors import FitError, NeuromorphError
from neuromorph.sweep.space import Point
from neuromorph.sweep.store import Outcome


class Evaluator(Protocol):
    """What a sweep computes, in two steps, so that points that differ only in price are executed once.

    Both steps must depend on nothing but the point, and `run` on nothing but the parameters in `function_key`.
    The object travels to the worker processes by pickle; a state travels and is stored as `pack` writes it.
    """

    def function_key(self, point: Point) -> str:
        """The same text for points that one `run` serves."""
        ...

    def run(self, point: Point) -> Any:
        """Execute: the expensive step."""
        ...

    def price(self, point: Point, state: Any) -> Mapping[str, float | None]:
        """Metrics of a point given what `run` returned. An interval of `name` is `name_low`, `name_high`."""
        ...

    def pack(self, state: Any) -> bytes: ...

    def unpack(self, data: bytes) -> Any: ...


@dataclass(frozen=True)
class PointFunction:
    """The evaluator of a plain function of a point's parameters: every point is executed, none is only re-priced."""

    function: Callable[[Mapping[str, Any]], Mapping[str, float | None]]

    def function_key(self, point: Point) -> str:
        return point.key

    def run(self, point: Point) -> Mapping[str, float | None]:
        return self.function(point.parameters)

    def price(self, point: Point, state: Mapping[str, float | None]) -> Mapping[str, float | None]:
        return state

    def pack(self, state: Mapping[str, float | None]) -> bytes:
        raise TypeError("no two points share an execution")

    def unpack(self, data: bytes) -> Any:
        raise TypeError("no two points share an execution")


@dataclass(frozen=True)
class Job:
    """Work for one trip to a worker. state None: execute points[0], price it; else price all points with that state.

    keep: whether the execution is to be packed and sent back, because more points wait for it.
    """

    group: str
    points: tuple[Point, ...]
    state: bytes | None = None
    keep: bool = False

    def split(self) -> list[Job]:
        """The same work, one point a job."""
        return [replace(self, points=(p,)) for p in self.points]


@dataclass(frozen=True)
class Answer:
    """Outcomes of the points of a job. state: the packed execution, where asked for. failed: the execution raised."""

    outcomes: tuple[Outcome, ...]
    state: bytes | None = None
    failed: bool = False
    run_s: float = 0.0
    price_s: float = 0.0


_evaluators: dict[str, Any] = {}
_states: dict[str, Any] = {}


def start_worker(digest: str, evaluator: bytes) -> None:
    """Initialise a process of our own pool: one torch thread, no Ctrl-C of its own, and no life after the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent,), name="sweep-parent-watch", daemon=True).start()
    _evaluators[digest] = pickle.loads(evaluator)
    _one_thread()


def _die_with(parent: Any) -> None:
    parent.join()  # returns when the parent ends, however it ends
    os._exit(1)


def _one_thread() -> None:
    """Workers share the machine by number, so none may take all its cores. Nothing is imported for it."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "numba" in sys.modules:
        sys.modules["numba"].set_num_threads(1)
    else:  # numba refuses a change of this one once it runs
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # for what is imported later
        os.environ.setdefault(variable, "1")


def ready() -> int:
    """Proof that a worker can start: its process number."""
    return os.getpid()


def work(digest: str, evaluator: bytes | None, job: Job) -> Answer:
    """Do a job. evaluator: its pickle, where the process was not started by `start_worker`."""
    if digest not in _evaluators:
        if evaluator is None:
            raise RuntimeError("this worker was not started with the sweep's evaluator")
        _evaluators.clear()
        _evaluators[digest] = pickle.loads(evaluator)
        _one_thread()
    return answer(_evaluators[digest], job)


def answer(evaluator: Evaluator, job: Job) -> Answer:
    """Do a job with this evaluator; exceptions of the evaluator become outcomes."""
    if job.state is not None:
        begun = time.perf_counter()
        try:
            state = _unpacked(evaluator, job.state)
        except Exception as e:
            return Answer(tuple(_fault(p, e, 0.0) for p in job.points), failed=True)
        outcomes = tuple(_priced(evaluator, p, state, 0.0) for p in job.points)
        return Answer(outcomes, price_s=time.perf_counter() - begun)
    begun = time.perf_counter()
    try:
        state = evaluator.run(job.points[0])
        packed = evaluator.pack(state) if job.keep else None
    except Exception as e:
        return Answer((_fault(job.points[0], e, time.perf_counter() - begun),), failed=True)
    run_s = time.perf_counter() - begun
    begun = time.perf_counter()
    outcome = _priced(evaluator, job.points[0], state, run_s)
    return Answer((outcome,), packed, run_s=run_s, price_s=time.perf_counter() - begun)


def _unpacked(evaluator: Evaluator, data: bytes) -> Any:
    """The state in `data`; the latest one is kept, as the points of an execution come in several jobs."""
    digest = hashlib.sha256(data).hexdigest()
    if digest not in _states:
        state = evaluator.unpack(data)
        _states.clear()
        _states[digest] = state
    return _states[digest]


def _priced(evaluator: Evaluator, point: Point, state: Any, run_s: float) -> Outcome:
    begun = time.perf_counter()
    try:
        metrics = {str(k): _number(k, v) for k, v in evaluator.price(point, state).items()}
    except Exception as e:
        return _fault(point, e, run_s + time.perf_counter() - begun)
    return Outcome(point.key, "done", metrics, seconds=run_s + time.perf_counter() - begun)


def _number(name: object, value: Any) -> float | None:
    """A metric as a float; None and NaN mean unknown."""
    if value is None or isinstance(value, int | float):
        return None if value is None or value != value else float(value)
    if hasattr(value, "item"):
        return _number(name, value.item())
    raise TypeError(f"metric {name} is {type(value).__name__}, not a number")


def _fault(point: Point, e: Exception, seconds: float) -> Outcome:
    if isinstance(e, FitError):
        return Outcome(point.key, "misfit", {}, str(e), seconds)
    if isinstance(e, NeuromorphError):
        return Outcome(point.key, "error", {}, str(e), seconds)
    frames = traceback.extract_tb(e.__traceback__)
    where = f" (in {frames[-1].name}, {os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return Outcome(point.key, "error", {}, f"{type(e).__name__}: {e}{where}", seconds)
