"""Progress of a sweep with time left: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from neuromorph.sweep.store import Outcome
from neuromorph.terminal import progress

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Progress:
    """done of total points, `before` of them by an earlier command, `failed` without a result; last: the latest one."""

    done: int
    total: int
    before: int
    failed: int
    elapsed_s: float
    left_s: float | None
    last: Outcome | None = None

    def __str__(self) -> str:
        text = f"{self.done}/{self.total} points"
        if self.failed:
            text += f", {self.failed} failed"
        if self.done < self.total:
            text += f", {duration(self.left_s)} left" if self.left_s is not None else ""
        else:
            text += f" in {duration(self.elapsed_s)}"
        return text


def duration(seconds: float) -> str:
    """A time for people: 0.4 s, 42 s, 3 min 20 s, 2 h 05 min, 3 d 4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


@contextmanager
def shown(stream: TextIO | None = None, *, quiet: bool = False) -> Iterator[Callable[[Progress], None] | None]:
    """A callback for `run_points` that shows progress on `stream` (standard error), None where quiet."""
    if quiet:
        yield None
        return
    with progress(stream, counted=True) as say:
        yield lambda p: say(p.done / max(p.total, 1), str(p))
