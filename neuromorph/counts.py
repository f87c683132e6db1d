"""Counts of actions per sample: the only bridge between what was computed and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


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
    """All actions of one inference. statistics: what flowed through each node, in the kind's own form."""

    rows: tuple[ActivityRow, ...]
    origin: str
    statistics: Mapping[str, Any]

    def __iter__(self) -> Iterator[ActivityRow]:
        return iter(self.rows)
