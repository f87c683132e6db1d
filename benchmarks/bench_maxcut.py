"""Speed of MAX-CUT by annealing against plain numpy annealers with the same sweeps: 800 vertices, 100 M spin updates.

A generated graph of the G-set's first kind (800 vertices, 19,176 edges of weight 1), 1,000 sweeps, 125 runs, the same
schedule of temperatures. Row 1: a numpy annealer that visits one spin after the other and draws a sweep's noise at
once. Row 2, for the record: a numpy annealer that takes all runs along in every operation. All use one processor; how
much all processors add is in the first row's details.

    python -m benchmarks.bench_maxcut [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.timing import Times, compete, parse, show


def graph(size: int = 800, edges: int = 19176, seed: int = 1):  # type: ignore[no-untyped-def]
    """A random graph with weights 1."""
    from neuromorph.systems.annealing import couplings

    i, j = np.triu_indices(size, 1)
    chosen = np.random.default_rng(seed).choice(i.size, edges, replace=False)
    return couplings(f"random {size}", size, i[chosen], j[chosen], np.ones(edges))


def one_by_one(g: Any, temperatures: np.ndarray, runs: int) -> np.ndarray:
    """A plain numpy annealer; the best cut at the end of a sweep of each run."""
    near = [g.index[a:b].astype(np.int64) for a, b in zip(g.indptr[:-1], g.indptr[1:], strict=True)]
    twice = [2.0 * g.weight[a:b] for a, b in zip(g.indptr[:-1], g.indptr[1:], strict=True)]
    cuts = []
    for run in range(runs):
        random = np.random.default_rng(run)
        spins = random.choice([-1.0, 1.0], g.size)
        field = np.bincount(g.rows, g.weight * spins[g.index], g.size)
        gain = top = 0.0
        first = float(g.cut(spins))
        for t in temperatures:
            threshold = t * random.standard_exponential(g.size)
            for i in range(g.size):
                up = spins[i] * field[i]
                if -up < threshold[i]:
                    field[near[i]] -= twice[i] * spins[i]
                    spins[i] = -spins[i]
                    gain += up
            top = max(top, gain)
        cuts.append(first + top)
    return np.array(cuts)


def all_runs(g: Any, temperatures: np.ndarray, runs: int) -> np.ndarray:
    """A numpy annealer whose every operation takes all runs along."""
    near = [g.index[a:b].astype(np.int64) for a, b in zip(g.indptr[:-1], g.indptr[1:], strict=True)]
    twice = [2.0 * g.weight[a:b].astype(np.float32)[:, None] for a, b in zip(g.indptr[:-1], g.indptr[1:], strict=True)]
    random = np.random.default_rng(0)
    spins = random.choice(np.array([-1, 1], np.float32), (g.size, runs))
    field = np.stack([np.bincount(g.rows, g.weight * s[g.index], g.size) for s in spins.T], 1).astype(np.float32)
    gain, top, first = np.zeros(runs), np.zeros(runs), g.cut(spins.T)
    for t in temperatures:
        threshold = t * random.standard_exponential((g.size, runs), dtype=np.float32)
        for i in range(g.size):
            up = spins[i] * field[i]
            flip = np.flatnonzero(-up < threshold[i])
            if flip.size:
                field[near[i][:, None], flip] -= twice[i] * spins[i, flip]
                spins[i, flip] *= -1
                gain[flip] += up[flip]
        np.maximum(top, gain, out=top)
    return np.asarray(first + top)


def rows(quick: bool) -> list[dict[str, Any]]:
    from neuromorph.systems.annealing import maxcut, schedule

    g, sweeps, runs = graph(), 50 if quick else 1000, 8 if quick else 125
    temperatures = schedule(g, sweeps)
    updates = g.size * sweeps * runs
    maxcut(g, 2, 2)  # compiled before it is timed
    found: dict[str, np.ndarray] = {}

    def subject() -> None:
        found["subject"] = maxcut(g, sweeps, runs, workers=1).cuts

    def against(name: str, annealer: Callable[[Any, np.ndarray, int], np.ndarray]) -> Callable[[], None]:
        def work() -> None:
            found[name] = annealer(g, temperatures, runs)

        return work

    everything = Times()
    for _ in range(1 if quick else 3):
        everything.run(lambda: maxcut(g, sweeps, runs))
    table = []
    for name, annealer, reach in (("one by one", one_by_one, 20.0), ("all runs at once", all_runs, None)):
        contest = compete(subject, against(name, annealer), repeats=1 if quick else 2, warm=0)
        row = contest.row(f"MAX-CUT 800 vertices, numpy {name}", 0.0, "numpy annealer with the same sweeps")
        row |= {
            "ratio": 1 / row["ratio"], "cpu_ratio": 1 / row["cpu_ratio"], "better": "higher", "updates": updates,
            "updates_per_s": updates / min(contest.subject.wall_s), "mean_cut": float(found["subject"].mean()),
            "baseline_mean_cut": float(found[name].mean()), "all_processors_s": min(everything.wall_s),
        }  # fmt: skip
        del row["reach"], row["met"]
        if reach is not None:
            row |= {"reach": reach, "met": row["ratio"] >= reach}
        table.append(row)
    return table


def main(argv: Sequence[str] | None = None) -> int:
    show(rows(parse(__doc__, argv).quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
