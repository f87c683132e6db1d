"""Counts of actions per sample: the only bridge between what was computed and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from neuromorph.devices.layered.core import Statistics


@dataclass(frozen=True)
class ActivityRow:
    """One action of one component on behalf of one node, per sample. spread: standard deviation over samples."""

    node: str
    path: str
    action: str
    mean: float
    spread: float = 0.0


@dataclass(frozen=True)
class Activity:
    """All actions of one inference. statistics: by node, for the occupancy of the timeline."""

    rows: tuple[ActivityRow, ...]
    origin: str
    statistics: Mapping[str, Statistics]

    def __iter__(self) -> Iterator[ActivityRow]:
        return iter(self.rows)
