"""Runs again with the packets left out that the chip loses, until what is lost is what the spikes of the run lose.

Delays are a step or more, so what is lost in a step follows from spikes of steps before it alone: each pass is right
for one step more than the last one at least, and where two passes lose the same packets the run is the chip's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.manycore.execute.run import EventRun
from neuromorph.devices.manycore.losses import Losses
from neuromorph.events.raster import Raster

PASSES = 64
"""Most passes of a run: a network of so many layers without cycles settles within them."""

Lose = Callable[[Raster, np.ndarray], Losses]
"""Which packets are lost where all neurons fire so: (spikes, steps used) -> losses."""


@dataclass(frozen=True)
class Feedback:
    """passes: runs until it settled. losses: of the last one; apart: packets whose fate differs from what its own
    spikes cause (0: settled)."""

    passes: int
    losses: Losses
    apart: int

    @property
    def packets(self) -> int:
        return self.losses.packets

    @property
    def note(self) -> str:
        """In words; empty where nothing was lost."""
        if not self.packets and not self.apart:
            return ""
        told = (
            f"{self.packets} packets that come late or not at all are left out of the answers, in {self.passes} passes"
        )
        if not self.apart:
            return f"{told} until spikes and losses agree"
        return f"{told}; not settled, {self.apart} of them would still change"


def settled(run: Callable[[Losses | None], EventRun], lose: Lose) -> tuple[EventRun, Feedback]:
    """The run whose losses are those that its own spikes cause."""
    found = run(None)
    before = Losses.none(found.spikes.samples * found.spikes.steps)
    for passes in range(1, PASSES + 1):
        losses = lose(found.spikes, found.steps_used)
        apart = losses.apart(before)
        if apart == 0 or passes == PASSES:
            break
        before = losses
        found = run(losses)
    return found, Feedback(passes, before, apart)
