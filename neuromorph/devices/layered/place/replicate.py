"""Copies of layers that balance a pipeline: min over r of max_l P_l / r_l with sum_l r_l X_l <= budget, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.errors import FitError, InputError


@dataclass(frozen=True)
class Replication:
    """copies: (layers,) >= 1; bottleneck: max P/r, with one copy each it was `before`; used: arrays, sum r X."""

    copies: np.ndarray
    bottleneck: float
    before: float
    used: int


def replicate(
    positions: np.ndarray, arrays: np.ndarray, budget: int, maximum: np.ndarray | int | None = None
) -> Replication:
    """Choose copies per layer so that the slowest stage is as short as the array budget allows.

    positions: (layers,) whole numbers, products per sample P_l; arrays: (layers,) whole numbers, arrays per
    copy X_l; maximum: most copies per layer (default P_l: more would idle). For a bottleneck T the least copies
    are r = ceil(P/T); the cost falls monotonically with T and changes only at T = P_l / k, so bisection on T
    followed by exact steps between these values ends at the optimum. Of all optima the one with the fewest
    arrays is returned. Raises FitError if one copy each exceeds the budget.
    """
    p, x = np.asarray(positions, np.int64), np.asarray(arrays, np.int64)
    if p.ndim != 1 or p.shape != x.shape:
        raise InputError(f"positions have shape {p.shape}, arrays {x.shape}; both must be (layers,)")
    if p.size == 0:
        return Replication(np.zeros(0, np.int64), 0.0, 0.0, 0)
    if p.min() < 1 or x.min() < 0:
        raise InputError("positions must be at least 1 and arrays at least 0 for every layer")
    if x.sum() > budget:
        raise FitError(f"one copy of each layer takes {int(x.sum())} arrays, the budget is {budget}")
    most = p if maximum is None else np.minimum(np.broadcast_to(np.asarray(maximum, np.int64), p.shape), p)
    if most.min() < 1:
        raise InputError("the most copies of a layer must be at least 1")
    copies = _bisect(p, x, budget, most)
    top = float((p / copies).max())
    return Replication(copies, top, float(p.max()), int((copies * x).sum()))


def _bisect(p: np.ndarray, x: np.ndarray, budget: int, most: np.ndarray) -> np.ndarray:
    floor, high = float((p / most).max()), float(p.max())
    best = np.ones_like(p)
    low = floor
    for _ in range(60):  # brings the bracket to the spacing of floats; the steps below need only a good start
        middle = 0.5 * (low + high)
        trial = np.minimum(np.ceil(p / middle).astype(np.int64), most)
        if middle <= low or middle >= high:
            break
        if (trial * x).sum() <= budget and (p / trial).max() <= middle * (1 + 1e-12):
            best, high = trial, middle
        else:
            low = middle
    best = _least(p, best)
    while (better := _next(p, best, most)) is not None and (better * x).sum() <= budget:
        best = better
    return best


def _slowest(p: np.ndarray, copies: np.ndarray) -> tuple[int, int]:
    """The bottleneck as an exact fraction."""
    layer = int(np.argmax(p / copies))
    top = (int(p[layer]), int(copies[layer]))
    for n, d in zip(p.tolist(), copies.tolist(), strict=True):  # float ties decided in whole numbers
        if n * top[1] > top[0] * d:
            top = (n, d)
    return top


def _least(p: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """The fewest copies that keep the bottleneck of `copies`: r = ceil(P r_a / P_a) in whole numbers."""
    n, d = _slowest(p, copies)
    return -((-p * d) // n)


def _next(p: np.ndarray, copies: np.ndarray, most: np.ndarray) -> np.ndarray | None:
    """The fewest copies with a bottleneck strictly below that of `copies`, or None if a layer is at its maximum."""
    n, d = _slowest(p, copies)
    faster = (p * d) // n + 1
    return None if np.any(faster > most) else _least(p, faster)


@dataclass(frozen=True)
class Spread:
    """cores: (layers,) per copy; copies: (layers,); bottleneck: max of products times tiles in the fullest core."""

    cores: np.ndarray
    copies: np.ndarray
    bottleneck: float


def spread(
    products: np.ndarray,
    tiles: np.ndarray,
    most_in_core: np.ndarray,
    budget: int,
    most_copies: np.ndarray | None,
    copies: np.ndarray,
) -> Spread:
    """Share cores among layers whose tiles take turns in a core, so that the slowest layer is as fast as possible.

    A layer with P products on n cores holds s = ceil(tiles/n) tiles in its fullest core and takes P s; once every
    tile has a core of its own, r copies take P / r. Whole copies of a layer on several cores, each with several
    tiles, are not considered where copies are chosen. All (layers,): most_in_core limits s by memory, most_copies r;
    most_copies None keeps the given `copies`, each taking P s / copies. The cores needed fall with the bottleneck T,
    which takes the values P s and P / r: bisection, then the least cores for the T reached. Raises FitError if the
    budget does not even hold the fewest cores.
    """
    p, t, room = (np.maximum(np.asarray(v, np.int64), 1) for v in (products, tiles, most_in_core))
    fixed = most_copies is None
    most = np.asarray(copies if most_copies is None else most_copies, np.int64)

    def needed(bottleneck: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        times = bottleneck * (1 + 1e-12)
        inside = np.clip(np.floor(times * (most if fixed else 1) / p), 1, room).astype(np.int64)
        r = most if fixed else np.minimum(np.ceil(np.maximum(p / times, 1)).astype(np.int64), most)
        n = -(-t // inside)
        return n, r, p * -(-t // n) / r

    slowest = float((p * room / (most if fixed else 1)).max())
    n, r, time = needed(slowest)
    if (n * r).sum() > budget:
        raise FitError(f"the layers take at least {int((n * r).sum())} cores, the budget is {budget}")
    low, high = 0.0, slowest
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            break
        trial = needed(middle)
        if (trial[0] * trial[1]).sum() <= budget and trial[2].max() <= middle * (1 + 1e-9):
            n, r, time = trial
            high = middle
        else:
            low = middle
    return Spread(n, r, float(time.max()))
