"""A sweep as a command of its own, for tests that kill, interrupt and double it: CHILD STORE NUMBER WORKERS [pause]."""

from __future__ import annotations

import sys

import sweep_toys as toys

from neuromorph.errors import NeuromorphError
from neuromorph.sweep.engine import SweepInterrupted, run_points
from neuromorph.sweep.progress import Progress
from neuromorph.sweep.space import make_points, parse_axes
from neuromorph.sweep.store import Store
from neuromorph.sweep.worker import PointFunction


def say(p: Progress) -> None:
    print(p.done, flush=True)


def main(path: str, number: str, workers: str) -> int:
    points = make_points(parse_axes([f"x=1..{number}"]))
    try:
        with Store(path) as store:
            store.begin({"what": "toy"})
            run_points(points, PointFunction(toys.slow_square), store, workers=int(workers), progress=say)
    except SweepInterrupted as e:
        print(e, flush=True)
        return 130
    except NeuromorphError as e:
        print(e, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
