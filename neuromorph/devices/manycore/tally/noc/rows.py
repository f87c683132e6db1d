"""Rows of a raster through the compiled engine: each step by the recursion, and again with its queues spelt out where
a full one holds what sends to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from neuromorph.compiled import part, version, whole
from neuromorph.devices.manycore.tally.noc.calendar import FULL, Calendar, empty
from neuromorph.devices.manycore.tally.noc.holding import Queues, run_held
from neuromorph.devices.manycore.tally.noc.model import FabricArrays
from neuromorph.devices.manycore.tally.noc.recursion import CROWDED, LATENCY_MAX, SHIFT_MAX, Kept, State, run_step
from neuromorph.devices.manycore.tally.routes import RouteArrays


@part
def _add(kept: Kept, trial: Kept) -> None:
    """Adds the sums of a step to those of the run, and empties them."""
    for k in range(kept.row.size):
        kept.row[k] = trial.row[k]
    for k in range(kept.figure.size):
        if k in (LATENCY_MAX, SHIFT_MAX):
            kept.figure[k] = max(kept.figure[k], trial.figure[k])
        else:
            kept.figure[k] += trial.figure[k]
        trial.figure[k] = 0.0
    for k in range(kept.late.size):
        kept.late[k] += trial.late[k]
        kept.missed[k] += trial.missed[k]
        trial.late[k] = trial.missed[k] = 0


@part
def _clear(trial: Kept) -> None:
    for k in range(trial.figure.size):
        trial.figure[k] = 0.0
    for k in range(trial.late.size):
        trial.late[k] = trial.missed[k] = 0


@part
def _step(
    f: FabricArrays, r: RouteArrays, c: Calendar, s: State, kept: Kept, trial: Kept, q: Queues, fired: np.ndarray,
    phase: int,
) -> None:  # fmt: skip
    """One step. In a fabric that holds, the recursion is tried first, without the intervals of spikes; not where the
    step before had to be held, since `run_held` alone is right too."""
    held = f.hold and kept.row[CROWDED] > 0
    for turn in range(0 if f.hold else 1, 2):
        if not held:
            run_step(f, r, c, s, kept if turn else trial, fired, phase)
            if c.state[FULL] or turn:
                return
        if held or trial.row[CROWDED] > 0:
            _clear(trial)
            empty(c)
            run_held(f, r, c, s, kept, q, fired, phase)
            return
        if kept.delay_s.size == 0:
            _add(kept, trial)
            return
        _clear(trial)


def _run_rows(version: int) -> Callable[..., int]:
    """`run_rows` for this version of the sources it is made of."""

    @whole
    def run_rows(
        f: FabricArrays,
        r: RouteArrays,
        c: Calendar,
        s: State,
        kept: Kept,
        trial: Kept,
        q: Queues,
        indptr: np.ndarray,
        index: np.ndarray,
        steps: int,
        phases: np.ndarray,
        first: int,
        last: int,
        rows: np.ndarray,
        ends: np.ndarray,
    ) -> int:
        """Rows first..last of a raster. ends: (some first rows, ports), when each core was done. Returns the row for
        which calendar, queues or the list of lost packets were too small, or `last`."""
        if version < 0:  # never: here for the key of the compiled code
            return first
        for row in range(first, last):
            kept.told[1] = row
            _step(f, r, c, s, kept, trial, q, index[indptr[row] : indptr[row + 1]], phases[row % steps])
            if c.state[FULL] or (kept.gone.shape[0] and kept.told[0] > kept.gone.shape[0]):
                return row
            for k in range(kept.row.size):
                rows[row, k] = kept.row[k]
            if row < ends.shape[0]:
                for p in range(s.cursor.size):
                    ends[row, p] = max(s.sweep_end[p], s.core_free[p])
        return last

    return run_rows


run_rows = _run_rows(version(Path(__file__).parent))
