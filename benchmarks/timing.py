"""What the benchmarks share: two works timed in turns, least of many repeats, one JSON line per row.

The least time over repeats is the time of the work itself; taking turns makes whatever else the machine does meet both
works alike. Wall time decides; processor time (of all threads) is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Times:
    """Seconds of each repeat: wall and processor time."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def run(self, work: Callable[[], object]) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        self.wall_s.append(time.perf_counter() - wall)
        self.cpu_s.append(time.process_time() - cpu)


@dataclass(frozen=True)
class Contest:
    """Subject against baseline, timed in turns."""

    subject: Times
    baseline: Times

    @property
    def ratio(self) -> float:
        """Least wall time of the subject over that of the baseline."""
        return min(self.subject.wall_s) / min(self.baseline.wall_s)

    @property
    def cpu_ratio(self) -> float:
        return min(self.subject.cpu_s) / max(min(self.baseline.cpu_s), 1e-9)

    def row(self, name: str, reach: float, baseline: str, **details: Any) -> dict[str, Any]:
        """A row whose ratio is to be at most `reach`."""
        return {
            "name": name,
            "ratio": self.ratio,
            "reach": reach,
            "met": self.ratio <= reach,
            "better": "lower",
            "baseline": baseline,
            "cpu_ratio": self.cpu_ratio,
            "subject_s": min(self.subject.wall_s),
            "baseline_s": min(self.baseline.wall_s),
            "repeats": len(self.subject.wall_s),
            **details,
        }


def compete(subject: Callable[[], object], baseline: Callable[[], object], repeats: int, warm: int = 2) -> Contest:
    """Times both works `repeats` times in turns after `warm` untimed rounds (compilation, caches)."""
    for _ in range(warm):
        baseline()
        subject()
    contest = Contest(Times(), Times())
    for _ in range(repeats):
        contest.baseline.run(baseline)
        contest.subject.run(subject)
    return contest


def machine() -> dict[str, Any]:
    """What the figures depend on, without naming a host."""
    import platform

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": cores, "architecture": platform.machine(), "python": platform.python_version()}


def parse(doc: str | None, argv: Sequence[str] | None) -> argparse.Namespace:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0] if doc else "")
    parser.add_argument("--quick", action="store_true", help="few repeats and small cases, to see that it runs")
    return parser.parse_args(argv)


def show(rows: Sequence[dict[str, Any]]) -> None:
    """One JSON line per row."""
    for row in rows:
        print(json.dumps(row), flush=True)
