"""Speed of timelines: the compiled recursion against the discrete-event simulation of the same blocking pipelines.

Prints a JSON line per row: ratio is simulation time / recursion time, both the least processor time over repeats
in this process (either runs on one core) and both from the same pipeline object; `reach` is what the ratio is to reach.

    python benchmarks/bench_timeline.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from neuromorph.timeline import Pipeline, Timeline, simulate, tandem, tandem_latency

T = TypeVar("T")


def least_time(work: Callable[[], T], repeats: int) -> tuple[float, T]:
    """Least seconds of processor time over repeats, and the last result."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        result = work()
        best = min(best, time.process_time() - begin)
    return best, result


def largest_difference(a: Timeline, b: Timeline) -> float:
    """Largest relative difference between any two times of the timelines."""
    pairs = ((a.start_s, b.start_s), (a.finish_s, b.finish_s), (a.depart_s, b.depart_s))
    scale = float(a.depart_s.flat.max())
    return max(float((np.abs(x.flat - y.flat) / np.maximum(np.abs(y.flat), 1e-12 * scale)).max()) for x, y in pairs)


def blocking(name: str, pipeline: Pipeline, samples: int, repeats: tuple[int, int]) -> dict[str, object]:
    """The recursion against SimPy. repeats: (of the recursion, of SimPy)."""
    simulate(pipeline, 1)  # compiles, or loads what was compiled
    recursion_s, fast = least_time(lambda: simulate(pipeline, samples), repeats[0])
    simpy_s, slow = least_time(lambda: simulate(pipeline, samples, engine="simpy"), repeats[1])
    return {
        "name": name,
        "ratio": simpy_s / recursion_s,
        "reach": 500,
        "better": "higher",
        "recursion_s": recursion_s,
        "simpy_s": simpy_s,
        "max_relative_difference": largest_difference(fast, slow),
        "difference_limit": 1e-9,
        "stages": len(pipeline.stages),
        "samples": samples,
    }


def queues(samples: int) -> dict[str, object]:
    """Five M/M/1 queues in a row at utilisation 0.8: mean sojourn 5 / (1 - 0.8) = 25 by Jackson's theorem."""
    rng = np.random.default_rng(11)
    pipeline = tandem(rng.exponential(1.0, (samples, 5)))
    arrivals = np.cumsum(rng.exponential(1 / 0.8, samples))
    seconds, line = least_time(lambda: simulate(pipeline, samples, arrivals), 3)
    mean = float(line.sojourn_s[samples // 20 :].mean())
    return {"name": "mm1_x5_mean_sojourn", "value": mean, "expected": 25.0, "samples": samples, "seconds": seconds}


def designs(count: int) -> dict[str, object]:
    """The closed form over many designs at once."""
    service = np.random.default_rng(12).uniform(1e-7, 1e-5, (count, 21))
    seconds, _ = least_time(lambda: tandem_latency(service, 1000), 5)
    return {"name": "tandem_closed_form", "designs_per_s": count / seconds, "designs": count, "stages": 21}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="small cases, to see that it runs")
    quick = parser.parse_args(argv).quick
    stages, samples = (100, 200) if quick else (1000, 1000)
    repeats = (3, 1) if quick else (10, 2)
    service = np.random.default_rng(10).exponential(1e-6, (samples, stages))
    rows = [blocking("timeline_tandem_blocking", tandem(service, capacity=2), samples, repeats)]
    rows.append(queues(20_000 if quick else 400_000))
    rows.append(designs(1_000 if quick else 100_000))
    for row in rows:
        print(json.dumps(row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
