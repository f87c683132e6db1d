"""Encoders: dense values (samples, *shape) to rasters of events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuromorph.errors import InputError
from neuromorph.events.binning import check_step
from neuromorph.events.raster import Raster
from neuromorph.rng import stream


def poisson(
    x: np.ndarray,
    steps: int,
    dt_s: float,
    *,
    max_rate_hz: float | None = None,
    seed: int = 0,
    trial: int = 0,
    first: int = 0,
    path: str = "input",
) -> Raster:
    """Spikes at random, in each step with probability x * max_rate_hz * dt_s: a rate code.

    x: (samples, *shape) in [0, 1]. max_rate_hz: rate of a value of 1; None for a spike in every step. The number of
    spikes of an element is binomial, mean steps * p, variance steps * p (1 - p); for p far below 1 it is Poisson's.
    Each sample has a stream of its own, keyed by (seed, trial, path, number of the sample) with first the number of
    x[0], so batches do not matter; more steps leave the earlier ones as they were.
    """
    x = _checked(x, steps, dt_s)
    p = _unit(x, "a rate code") * (1.0 if max_rate_hz is None else max_rate_hz * dt_s)
    if max_rate_hz is not None and not 0 < max_rate_hz * dt_s <= 1 + 1e-9:
        hint = f"above 0 and at most 1/dt = {1 / dt_s:g} Hz"
        raise InputError(f"max_rate is {max_rate_hz:g} Hz with steps of {dt_s:g} s", hint=hint)
    index, counts = [], []
    for i, sample in enumerate(p.reshape(len(p), -1)):
        draws = stream(seed, trial, path, f"poisson {first + i}").random((steps, sample.size), dtype=np.float32)
        step, element = np.nonzero(draws < sample)
        index.append(element.astype(np.int32))
        counts.append(np.bincount(step, minlength=steps))
    return _raster(x, steps, dt_s, np.concatenate(index), np.concatenate(counts))


def latency(
    x: np.ndarray,
    steps: int,
    dt_s: float,
    *,
    law: str = "linear",
    threshold: float = 0.01,
    tau_s: float | None = None,
) -> Raster:
    """One spike per element, the earlier the larger its value; values at or below the threshold stay silent.

    x: (samples, *shape) in [0, 1]. law "linear": step round((steps - 1)(1 - x) / (1 - threshold)), from 0 for 1 to the
    last at the threshold. "log": the step that holds t = tau ln(x / (x - threshold)), when a leaky membrane driven by x
    reaches the threshold; later than the last step there is no spike. tau_s: default a fifth of the duration.
    """
    x = _unit(_checked(x, steps, dt_s), "a latency code")
    if law not in ("linear", "log"):
        raise InputError(f"law is {law!r}", hint="legal: linear, log")
    if not 0 < threshold < 1:
        raise InputError(f"threshold is {threshold}", hint="between 0 and 1")
    if tau_s is not None and not tau_s > 0:
        raise InputError(f"tau is {tau_s} s", hint="above 0")
    flat = x.reshape(len(x), -1).astype(np.float64)
    sample, element = np.nonzero(flat > threshold)
    value = flat[sample, element]
    if law == "linear":
        step = np.rint((steps - 1) * (1 - value) / (1 - threshold)).astype(np.int64)
    else:
        tau = steps * dt_s / 5 if tau_s is None else tau_s
        step = np.minimum(tau / dt_s * np.log(value / (value - threshold)), steps).astype(np.int64)
        sample, element, step = (a[step < steps] for a in (sample, element, step))
    row = sample * steps + step
    order = np.lexsort((element, row))
    counts = np.bincount(row, minlength=len(x) * steps)
    return _raster(x, steps, dt_s, element[order].astype(np.int32), counts)


def delta(
    x: np.ndarray, dt_s: float, *, threshold: float | np.ndarray, count: bool = False, start: float | None = None
) -> Raster:
    """Send-on-delta: an event each time a signal has moved by a threshold since the last event.

    x: (samples, steps, *shape), signals over time. threshold: above 0, one or of `shape`. The reference starts at the
    first value (or `start`); an ON (OFF) event moves it up (down) by the threshold. count: as many events as thresholds
    were crossed in a step, as one event with their number; else at most one, and the reference lags behind until it has
    caught up. Result of shape (2, *shape): OFF, ON, as event cameras have it. A ramp of slope m gives |m| / threshold
    events a second in one of them.
    """
    x = _checked(x, 1, dt_s)
    if x.ndim < 3:
        raise InputError(f"x has shape {x.shape}, a delta code needs (samples, steps, ...)", hint="signals over time")
    level = np.asarray(threshold, np.float64)
    if not (np.isfinite(level).all() and (level > 0).all()):
        raise InputError("threshold has values that are not finite and above 0")
    signal = x.astype(np.float64)
    reference = signal[:, 0].copy() if start is None else np.full_like(signal[:, 0], start)
    out = np.zeros((*x.shape[:2], 2, *x.shape[2:]), np.float32)
    for t in range(x.shape[1]):
        # a move by a whole number of thresholds counts in full in spite of rounding
        moved = (signal[:, t] - reference) / level
        crossed = np.trunc(moved + np.sign(moved) * 1e-9)
        if not count:
            crossed = np.clip(crossed, -1, 1)
        reference += crossed * level
        out[:, t, 0], out[:, t, 1] = np.maximum(-crossed, 0), np.maximum(crossed, 0)
    return Raster.from_dense(out, dt_s)


def direct(x: np.ndarray, steps: int, dt_s: float | None = None) -> Raster:
    """The values themselves in every step, a constant current: events with a value, products in the first layer."""
    x = _checked(x, steps, 1.0 if dt_s is None else dt_s)
    flat = x.reshape(len(x), -1).astype(np.float32)
    sample, element = np.nonzero(flat)
    sizes = np.bincount(sample, minlength=len(x))
    counts = np.repeat(sizes, steps)
    begin = np.repeat(np.cumsum(sizes) - sizes, steps)
    at = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begin, counts)
    raster = _raster(x, steps, dt_s, element[at].astype(np.int32), counts)
    value = flat[sample, element][at]
    return raster if bool((value == 1).all()) else replace(raster, value=value)


def _raster(x: np.ndarray, steps: int, dt_s: float | None, index: np.ndarray, counts: np.ndarray) -> Raster:
    indptr = np.zeros(len(x) * steps + 1, np.int64)
    np.cumsum(counts, out=indptr[1:])
    return Raster(len(x), steps, tuple(x.shape[1:]), indptr, index, None, dt_s)


def _checked(x: np.ndarray, steps: int, dt_s: float) -> np.ndarray:
    check_step(dt_s, steps)
    if x.ndim < 2 or 0 in x.shape:
        raise InputError(f"x has shape {x.shape}, expected (samples, ...) and nothing empty")
    if not np.isfinite(x).all():
        raise InputError("x holds NaN or Inf")
    return x


def _unit(x: np.ndarray, what: str) -> np.ndarray:
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 1:
        raise InputError(f"values reach from {low:g} to {high:g}, {what} takes 0 to 1", hint="scale the data")
    return x
