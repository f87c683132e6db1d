"""Events with times of their own, and how they are sorted into the steps of a raster."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuromorph.errors import InputError
from neuromorph.events.raster import Raster

MAX_ROWS = 2**31
EDGE = 1e-6
"""Part of a step by which an event may lie before the edge of a step and still belong to it: the rounding of times."""


@dataclass(frozen=True, eq=False)
class Events:
    """Events of many samples in continuous time.

    time_s: (events,) float64, seconds from the start of the sample; element: (events,) int64, which of `shape` (flat,
    row-major); offset: (samples + 1,) int64, where each sample begins; value: (events,) float32, None where all are 1.
    A camera's shape is (polarities, height, width) with polarity 0 for OFF (darker) and 1 for ON.
    """

    time_s: np.ndarray
    element: np.ndarray
    offset: np.ndarray
    shape: tuple[int, ...]
    value: np.ndarray | None = None

    @property
    def samples(self) -> int:
        return int(self.offset.size - 1)


def camera(
    t_us: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    polarity: np.ndarray,
    resolution: tuple[int, int],
    *,
    downsample: int = 1,
    merge: bool = False,
    offset: np.ndarray | None = None,
) -> Events:
    """Events of a camera of this resolution (height, width); times in microseconds.

    downsample: so many pixels along each axis become one. merge: ON and OFF events share one channel.
    Raises InputError for events outside the resolution and a factor below 1.
    """
    if isinstance(downsample, bool) or not isinstance(downsample, int | np.integer) or downsample < 1:
        raise InputError(f"downsample is {downsample!r}", hint="a whole number, 1 or more")
    height, width = resolution
    if x.size and (int(x.max()) >= width or int(y.max()) >= height or int(x.min()) < 0 or int(y.min()) < 0):
        raise InputError(
            f"event at column {int(x.max())}, row {int(y.max())} lies outside {width} x {height} pixels",
            hint=f"give the shape of the camera, at least (2, {int(y.max()) + 1}, {int(x.max()) + 1})",
        )
    height, width = -(-height // downsample), -(-width // downsample)
    pixel = (y.astype(np.int64) // downsample) * width + x.astype(np.int64) // downsample
    element = pixel if merge else polarity.astype(np.int64) * (height * width) + pixel
    ends = np.array([0, x.size], np.int64) if offset is None else offset.astype(np.int64)
    return Events(t_us.astype(np.float64) * 1e-6, element, ends, (1 if merge else 2, height, width))


def joined(parts: Sequence[Events]) -> Events:
    """The samples of several recordings of one shape as one."""
    if not parts:
        raise InputError("no recordings")
    shapes = {part.shape for part in parts}
    if len(shapes) > 1:
        raise InputError(f"recordings have shapes {sorted(shapes)}", hint="give the shape that holds all of them")
    sizes = np.concatenate([np.diff(part.offset) for part in parts])
    value = None
    if any(part.value is not None for part in parts):
        value = np.concatenate([np.ones(p.element.size, np.float32) if p.value is None else p.value for p in parts])
    return Events(
        np.concatenate([part.time_s for part in parts]),
        np.concatenate([part.element for part in parts]),
        np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        parts[0].shape,
        value,
    )


def check_step(dt_s: float, steps: int | None) -> None:
    """InputError for a time step or a number of steps that cannot be."""
    if not (isinstance(dt_s, int | float) and math.isfinite(dt_s) and dt_s > 0):
        raise InputError(f"dt is {dt_s!r} s", hint="a finite time step above 0, e.g. 1 ms")
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise InputError(f"steps is {steps!r}", hint="a whole number, 1 or more")


def to_raster(events: Events, dt_s: float, steps: int | None = None, *, count: bool = False) -> Raster:
    """Events sorted into steps of dt_s; step k holds times from k dt_s to (k + 1) dt_s.

    steps: as many as the latest event needs where None; later events are left out. count: several events of one element
    in a step are one event with their number (or the sum of their values); else they are one event of 1 (values: the
    last one holds). Raises InputError for times that are negative or not finite, and rasters too large to hold.
    """
    check_step(dt_s, steps)
    t = events.time_s
    if t.size and not (np.isfinite(t).all() and float(t.min()) >= 0):
        raise InputError(f"{int((~(np.isfinite(t) & (t >= 0))).sum())} event times are negative or not finite")
    last = float(t.max()) / dt_s if t.size else 0.0
    if steps is None:
        if last >= MAX_ROWS:
            raise InputError(
                f"events reach to {float(t.max()):g} s: {last:.3g} steps of {dt_s:g} s", hint="a larger dt"
            )
        steps = max(1, math.floor(last + EDGE) + 1)
    size = int(np.prod(events.shape, dtype=np.int64))
    rows = events.samples * steps
    if rows >= MAX_ROWS or rows * size >= 2**62:
        raise InputError(f"{events.samples} samples x {steps} steps are too many", hint="fewer steps or samples")
    step = np.floor(np.minimum(t / dt_s + EDGE, steps)).astype(np.int64)
    sample = np.repeat(np.arange(events.samples), np.diff(events.offset))
    kept = step < steps
    key = ((sample * steps + step) * size + events.element)[kept]
    value = None if events.value is None else events.value[kept]
    key, value = _merged(key, value, count)
    indptr = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(key // size, minlength=rows), out=indptr[1:])
    if value is not None and bool((value == 1).all()):
        value = None
    return Raster(events.samples, steps, events.shape, indptr, (key % size).astype(np.int32), value, float(dt_s))


def _merged(key: np.ndarray, value: np.ndarray | None, count: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Keys once each and rising, with their number, the sum of their values, or their last value."""
    if value is None:
        if not count:
            return np.unique(key), None
        key, number = np.unique(key, return_counts=True)
        return key, number.astype(np.float32)
    order = np.argsort(key, kind="stable")
    key, value = key[order], value[order]
    ends = np.flatnonzero(np.diff(key, append=-1) != 0)
    if not count:
        return key[ends], value[ends]
    starts = np.concatenate(([0], ends[:-1] + 1)).astype(np.int64)
    total = np.add.reduceat(value, starts).astype(np.float32) if key.size else value
    return key[ends], total
