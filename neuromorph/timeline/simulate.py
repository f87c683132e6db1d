"""Running a pipeline: one call, two engines."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.timeline.deadlock import deadlock_error, least_capacities
from neuromorph.timeline.model import Pipeline
from neuromorph.timeline.result import StageArrays, Timeline

ENGINES = ("recursion", "simpy")


def simulate(pipeline: Pipeline, samples: int = 1, arrivals: Any = None, engine: str = "recursion") -> Timeline:
    """Times of every token of `samples` samples, from the equations in `model`.

    arrivals: None (all samples wait at time 0), a period in seconds, or the arrival times (samples,) in seconds,
        non-decreasing.
    engine: "recursion" (compiled max-plus recursion; needs every shared server in static order) or "simpy" (the
        discrete-event simulation; any pipeline, some hundred times slower). Both give the same times up to rounding.
        Stages that ask for an arbitrated server in the same instant get it in the order the simulation reaches them.

    Raises InputError for values out of range and for deadlocks, with each edge whose buffer is too small and the
    smallest capacity that would do.
    """
    samples = _count(pipeline, samples)
    at = _arrivals(arrivals, samples)
    if engine == "recursion":
        start, finish, depart = _recursion(pipeline, samples, at)
    elif engine == "simpy":
        start, finish, depart = _simpy(pipeline, samples, at)
    else:
        raise InputError(f"engine is {engine!r}, legal is one of {', '.join(ENGINES)}", Place(key="engine"))
    times = (StageArrays(pipeline, samples, flat) for flat in (start, finish, depart))
    return Timeline(pipeline, engine, at, *times)


def smallest_capacities(pipeline: Pipeline) -> dict[str, int]:
    """Edges ("source -> target") whose capacity must grow for the pipeline not to deadlock, with the least that does.

    Empty when nothing is stuck. Depends on token counts only, not on times. Raises InputError for arbitrated servers.
    """
    from neuromorph.timeline.recursion import Recursion

    found = least_capacities(pipeline, Recursion(pipeline).attempt, 1)
    named: dict[str, int] = {}
    for e, least in found.items():
        label = pipeline.edges[e].label
        named[label] = max(least, named.get(label, 0))  # parallel edges share a label
    return named


def _count(pipeline: Pipeline, samples: int) -> int:
    place = Place(key="samples")
    if int(samples) != samples or samples < 1:
        raise InputError(f"samples is {samples}, a whole number of 1 or more is legal", place)
    if pipeline.rows is not None and samples > pipeline.rows:
        raise InputError(f"service times are given for {pipeline.rows} samples, {samples} are asked for", place)
    return int(samples)


def _arrivals(arrivals: Any, samples: int) -> np.ndarray:
    place = Place(key="arrivals")
    if arrivals is None:
        return np.zeros(samples)
    at = np.asarray(arrivals, dtype=np.float64)
    if at.ndim == 0:
        at = at * np.arange(samples)
    if at.shape != (samples,):
        raise InputError(f"arrivals has shape {at.shape}, legal is a period or ({samples},)", place)
    if not np.isfinite(at).all() or at[0] < 0 or (at[1:] < at[:-1]).any():
        raise InputError("arrivals must be finite seconds from 0 on that never decrease", place)
    return at


def _recursion(pipeline: Pipeline, samples: int, arrivals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from neuromorph.timeline.recursion import Recursion

    engine = Recursion(pipeline)
    run = engine.evaluate(samples, arrivals)
    if engine.stuck(run, samples) is not None:
        raise deadlock_error(pipeline, engine.attempt)
    return run.start, run.finish, run.depart


def _simpy(pipeline: Pipeline, samples: int, arrivals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from neuromorph.timeline.simpy_engine import EventSimulation

    run = EventSimulation(pipeline, samples, arrivals)
    if run.stuck() is not None:
        # Under arbitration the order, and with it a deadlock, depends on times and samples: try with all of them.
        count = samples if pipeline.arbitrated else 1
        raise deadlock_error(
            pipeline, lambda capacity: EventSimulation(pipeline, count, arrivals[:count], capacity).stuck(), count
        )
    return run.start, run.finish, run.depart
