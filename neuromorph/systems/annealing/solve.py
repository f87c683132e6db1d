"""MAX-CUT by simulated annealing with Fowler-Nordheim cooling: one call, many independent runs."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuromorph.errors import InputError
from neuromorph.files import write_file
from neuromorph.progress import Progress, silent
from neuromorph.rng import key64
from neuromorph.systems.annealing.cooling import Cooling, cooling_of
from neuromorph.systems.annealing.couplings import Couplings
from neuromorph.systems.annealing.order import Order, grouped

SETTLE = 0.02
"""Share of the sweeps, at the end, at a temperature far below any coupling: a spin flips unless the cut would shrink.
The source cools to the end; this removes what heat is left in sparse graphs."""

STILL = 1e-6
"""That temperature over the mean absolute weight."""


@dataclass(frozen=True, eq=False)
class MaxCutResult:
    """cuts: (runs,) float64, the best cut at the end of a sweep of each run. spins: (runs, size) int8 of +-1 with it.

    flips: (runs, sweeps) int64, spins changed in each sweep. proposals: visits of a spin in one run, each with one
    random number of 31 bits. order: of the visits. temperatures: (sweeps,) in the unit of the weights. numbers, seed:
    of the runs.
    """

    graph: Couplings
    numbers: tuple[int, ...]
    seed: int
    cuts: np.ndarray
    spins: np.ndarray
    flips: np.ndarray
    proposals: int
    order: Order
    temperatures: np.ndarray

    @property
    def best(self) -> int:
        """The run with the largest cut."""
        return int(np.argmax(self.cuts))

    def reached(self, target: float) -> float:
        """Share of the runs whose cut is at least the target."""
        return float((self.cuts >= target).mean())

    def save(self, path: str | Path) -> None:
        """Writes cuts, spins, flips of each sweep and temperatures as a compressed .npz file.

        Raises InputError where it cannot be written.
        """
        data = io.BytesIO()
        np.savez_compressed(
            data, cuts=self.cuts, spins=self.spins, flips=self.flips, temperatures=self.temperatures
        )  # fmt: skip
        path = Path(path)
        write_file(path if path.suffix == ".npz" else path.with_name(path.name + ".npz"), data.getvalue())


@dataclass(frozen=True, eq=False)
class Trace:
    """What one run did. start, spins: (size,) int8, first and last state. flips: visits that changed a spin, as
    sweep * size + position in the order, rising. gain: of the cut since the start."""

    start: np.ndarray
    flips: np.ndarray
    spins: np.ndarray
    gain: float


def schedule(graph: Couplings, sweeps: int, cooling: Cooling | None = None, settle: float = SETTLE) -> np.ndarray:
    """Temperature of each sweep: (sweeps,) float64, the last share `settle` of them far below any coupling."""
    if sweeps < 1:
        raise InputError(f"{sweeps} sweeps", hint="1 or more")
    if not 0 <= settle < 1:
        raise InputError(f"{settle} of the sweeps without noise", hint="0 or more and below 1")
    still = int(sweeps * settle)
    cooling = cooling or cooling_of(graph)
    return np.concatenate((cooling.temperatures(sweeps - still), np.full(still, STILL * cooling.unit)))


def noise_key(seed: int, run: int) -> int:
    """Key of the random numbers of a run."""
    return key64(seed, run, "annealing", "threshold noise")


def _run(
    graph: Couplings, group: np.ndarray, temperatures: np.ndarray, key: int, capacity: int
) -> tuple[Trace, np.ndarray, np.ndarray]:
    from neuromorph.systems.annealing import kernel

    number = np.uint64(key)
    spins = np.empty(graph.size, np.int8)
    kernel.start_state(spins, number)
    first, best = spins.copy(), np.empty_like(spins)
    field = np.empty(graph.size, graph.weight.dtype)
    kernel.local_fields(graph.indptr, graph.index, graph.weight, spins, field)
    flips, log = np.zeros(temperatures.size, np.int64), np.empty(capacity, np.int64)
    gain, _, logged = kernel.anneal(
        graph.indptr,
        graph.index,
        graph.weight,
        group,
        spins,
        field,
        temperatures,
        graph.whole,
        number,
        best,
        flips,
        log,
    )
    return Trace(first, log[:logged], spins, float(gain)), best, flips


def trace(
    graph: Couplings, order: Order, temperatures: np.ndarray, seed: int = 0, run: int = 0
) -> Trace:  # fmt: skip
    """One run with all its flips recorded; `run` k of a seed is run k of `maxcut`."""
    ordered, key = order.sorted(graph), noise_key(seed, run)
    counted = _run(ordered, order.group, temperatures, key, 0)[2]
    done = _run(ordered, order.group, temperatures, key, int(counted.sum()))[0]
    return Trace(done.start[order.position], done.flips, done.spins[order.position], done.gain)


def maxcut(
    graph: Couplings,
    sweeps: int = 1000,
    runs: int | Sequence[int] = 20,
    seed: int = 0,
    cooling: Cooling | None = None,
    settle: float = SETTLE,
    workers: int | None = None,
    progress: Progress | None = None,
) -> MaxCutResult:
    """Searches for a large cut.

    Every sweep visits each spin once and flips it iff dE < T e, with dE the loss of cut and e ~ Exp(1) of its own:
    Metropolis' rule. sweeps, runs: how many (or which runs, by their numbers); seed: of the random numbers, which are a
    pure function of (seed, run, sweep, position). cooling: by the one rule of `cooling_of` where not given. workers:
    threads, by default one per processor; they change no result.
    """
    numbers = list(range(runs)) if isinstance(runs, int) else list(runs)
    if not numbers:
        raise InputError(f"{runs} runs", hint="1 or more")
    temperatures, order = schedule(graph, sweeps, cooling, settle), grouped(graph)
    ordered = order.sorted(graph)
    threads = workers or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with ThreadPoolExecutor(min(threads, len(numbers))) as pool:
        done, say = [], progress or silent
        for found in pool.map(lambda k: _run(ordered, order.group, temperatures, noise_key(seed, k), 0), numbers):
            done.append(found)
            say(len(done) / len(numbers), f"run {len(done)} of {len(numbers)}")
    spins = np.stack([best for _, best, _ in done])[:, order.position]
    return MaxCutResult(
        graph,
        tuple(numbers),
        seed,
        graph.cut(spins),
        spins,
        np.stack([f for _, _, f in done]),
        sweeps * graph.size,
        order,
        temperatures,
    )
