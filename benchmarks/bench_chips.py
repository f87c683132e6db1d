"""Speed of ten chips run together against ten runs of one chip each, on LeNet-5.

Two rows: the whole verb (`run`: place, calibrate, execute, schedule, price), and `execute` alone with placement and
calibration given. Both program their chips and run the same samples. Outputs are compared: a chip gives the same
result alone and among others.

    python -m benchmarks.bench_chips [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks.timing import compete, parse, show


def rows(quick: bool) -> list[dict[str, Any]]:
    """Two rows: ten chips at once over ten single-chip runs, and the same for execution alone."""
    from neuromorph.devices.layered.execute import execute
    from neuromorph.run import run

    shape, chips, samples = (1, 28, 28), 10, 128 if quick else 512
    placement, calibration = networks.placed(networks.lenet(), shape, 512, 512)
    x = networks.images(shape, samples)
    found: dict[str, np.ndarray | None] = {}

    def together() -> None:
        found["together"] = execute(placement, x, trials=chips, calibration=calibration).outputs

    def alone() -> None:
        outputs = [execute(placement, x, trials=[i], calibration=calibration).outputs for i in range(chips)]
        found["alone"] = np.concatenate([o for o in outputs if o is not None])

    graph, chip, seen = placement.graph, placement.architecture, x[:128]

    def whole(trials: Sequence[int]) -> None:
        run(graph, chip, x, calibration_inputs=seen, trials=trials)

    verbs = compete(lambda: whole(range(chips)), lambda: [whole([i]) for i in range(chips)], 1 if quick else 3, warm=1)
    contest = compete(together, alone, 2 if quick else 6, warm=1)
    first, second = found["together"], found["alone"]
    assert first is not None
    assert second is not None
    difference = float(np.abs(first - second).max() / np.abs(second).max())
    return [
        verbs.row("ten chips in one run, LeNet-5", 0.5, "ten runs of one chip", samples=samples),
        contest.row(
            "ten chips at once, LeNet-5, execution alone",
            0.5,
            "ten single-chip executions",
            samples=samples,
            max_relative_difference=difference,
        ),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    show(rows(parse(__doc__, argv).quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
