"""PROTOCOL"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Limit:
    """A capacity: how much of it is used. hard: a network beyond it does not fit; others cost time when exceeded.

    path: the component it belongs to; node: the layer that uses most of it, where one stands out.
    """

    name: str
    path: str
    used: float
    available: float
    unit: str
    hard: bool
    node: str = ""

    @property
    def degree(self) -> float:
        """Used over available."""
        return self.used / self.available if self.available else math.inf
