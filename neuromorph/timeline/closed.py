"""Bounds and closed forms: what is known of a pipeline without simulating its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.timeline.model import Pipeline
from neuromorph.timeline.simulate import simulate


@dataclass(frozen=True)
class ClosedForm:
    """Figures of a pipeline in seconds.

    latency_s: of a single sample, exact. interval_bound_s: least interval between samples, the most work per sample
    that any server has; reached in steady state unless buffers or orders hold the pipeline back.
    bottleneck: that server's stage with the most work. work_s: service seconds per sample by stage.
    """

    latency_s: float
    interval_bound_s: float
    bottleneck: str
    work_s: dict[str, float]


def closed_form(pipeline: Pipeline) -> ClosedForm:
    """Single-sample latency (the recursion over one sample) and the throughput bound of a pipeline.

    Raises InputError for deadlocks, and for servers that are shared without a static order.
    """
    work = pipeline.work_s
    server = max(pipeline.servers.values(), key=lambda members: sum(work[m] for m in members))
    return ClosedForm(
        latency_s=float(simulate(pipeline, 1).latency_s[0]),
        interval_bound_s=pipeline.interval_bound_s,
        bottleneck=max(server, key=lambda name: work[name]),
        work_s=dict(work),
    )


def tandem_latency(service_s: Any, samples: int = 1, period_s: float = 0.0) -> np.ndarray:
    """(designs,): from the first arrival to the last departure of a line of stages with unlimited buffers.

    service_s: (designs, stages) seconds, the same for every sample. Samples arrive every period_s from time 0.
    The last of N samples departs at sum(s) + (N - 1) max(max(s), period): the longest path through the recursion
    walks along the slowest stage, or along the arrivals.
    """
    service = _services(service_s, 2, "(designs, stages)")
    if int(samples) != samples or samples < 1:
        raise InputError(f"samples is {samples}, a whole number of 1 or more is legal", Place(key="samples"))
    if not (np.isfinite(period_s) and period_s >= 0):
        raise InputError(f"period_s is {period_s}, a finite time of 0 s or more is legal", Place(key="period_s"))
    return service.sum(axis=1) + (samples - 1) * np.maximum(service.max(axis=1), period_s)


def tandem_departures(service_s: Any, arrivals: Any = 0.0) -> np.ndarray:
    """(designs, samples, stages): departures from a line with unlimited buffers, services different for every sample.

    service_s: (designs, samples, stages) seconds. arrivals: seconds, anything that broadcasts to (designs, samples).
    Unrolls d(n) = max(a(n), d(n-1)) + s(n) into d(n) = S(n) + max over j <= n of (a(j) - S(j-1)), S the running sum
    of s: a cumulative sum and a running maximum per stage (the sums cost about 1e-10 of relative accuracy).
    """
    service = _services(service_s, 3, "(designs, samples, stages)")
    arrival = np.broadcast_to(np.asarray(arrivals, dtype=np.float64), service.shape[:2])
    if not np.isfinite(arrival).all():
        raise InputError("arrivals must be finite seconds", Place(key="arrivals"))
    departures = np.empty_like(service)
    for k in range(service.shape[2]):
        total = np.cumsum(service[..., k], axis=1)
        arrival = total + np.maximum.accumulate(arrival - (total - service[..., k]), axis=1)
        departures[..., k] = arrival
    return departures


def _services(service_s: Any, dimensions: int, legal: str) -> np.ndarray:
    service = np.asarray(service_s, dtype=np.float64)
    place = Place(key="service_s")
    if service.ndim != dimensions or service.size == 0:
        raise InputError(f"service_s has shape {service.shape}, legal is {legal}", place)
    if not np.isfinite(service).all() or service.min() < 0:
        raise InputError("service_s holds a negative, infinite or undefined time", place, "seconds, 0 or more")
    return service
