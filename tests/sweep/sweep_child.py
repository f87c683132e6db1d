"""A sweep as a program of its own, for tests that kill, interrupt and double it: STORE NUMBER WORKERS FREE GATE.

Points above FREE wait until the file GATE is there; where FREE is "start", workers do so while they start.
"""

from __future__ import annotations

import os
import sys
from multiprocessing.util import register_after_fork

import sweep_toys as toys

from neuromorph.errors import NeuromorphError
from neuromorph.sweep.engine import SweepInterrupted, run_points
from neuromorph.sweep.progress import Progress
from neuromorph.sweep.space import make_points, parse_axes
from neuromorph.sweep.store import Store
from neuromorph.sweep.worker import PointFunction


def say(p: Progress) -> None:
    print(p.done, "done", flush=True)


def main(path: str, number: str, workers: str, free: str, gate: str) -> int:
    points = make_points(parse_axes([f"x=1..{number}"]))
    try:
        with Store(path) as store:
            store.begin({"what": "toy"})
            evaluate = PointFunction(toys.Gated(0 if free == "start" else int(free), gate))
            run_points(points, evaluate, store, workers=int(workers), progress=say)
    except SweepInterrupted as e:
        print(e, flush=True)
        return 130
    except NeuromorphError as e:
        print(e, flush=True)
        return 2
    return 0


def hold(_: object) -> None:
    print("worker starts", os.getpid(), flush=True)
    toys.Gated(0, sys.argv[5])({"x": 1})


if __name__ == "__mp_main__" and sys.argv[4] == "start":  # a worker loads the program that it belongs to
    register_after_fork(main, hold)  # called in the worker, the last before its own first line

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
