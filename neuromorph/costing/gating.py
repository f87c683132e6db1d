"""What idle parts draw: between all of it gated while idle, and none of it.

Prices of actions are those of parts at work; a part that waits draws nothing in them. That holds for a chip that gates
the clock and the bias of every part that is idle. A chip that gates none keeps each part at the power that it has at
work, whatever it does: the other end. Where the truth lies between is not known of most chips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from neuromorph.hardware.component import BUSY, Architecture, Component, Cost
from neuromorph.hardware.extrapolated import marked
from neuromorph.hardware.pricing import active_power

GATED, UNGATED = "every idle part gated", "no part gated"
"""Names of the two ends, low and high."""


@dataclass(frozen=True)
class Idle:
    """Power at work of all components of a path, W, None where it is not known; overheads: path -> factor."""

    at_work_w: Mapping[str, float | None]
    overheads: Mapping[str, float]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Components whose power at work nothing tells: the high end leaves them out."""
        return tuple(path for path, watts in self.at_work_w.items() if watts is None)

    def ungated_j(self, dynamic: Mapping[str, float], seconds: float) -> float:
        """Joules that a chip on for so long draws beyond what its actions cost and its static power, if it gates
        nothing. dynamic: joules of the actions by component, which the power at work contains."""
        return math.fsum(self.by_component(dynamic, seconds).values())

    def by_component(self, dynamic: Mapping[str, float], seconds: float) -> dict[str, float]:
        """That, by component; what encloses others multiplies theirs."""
        found = {}
        for path, watts in self.at_work_w.items():
            if watts is None:
                continue
            extra = max(0.0, watts * seconds - dynamic.get(path, 0.0))
            found[path] = extra * math.prod(f for outer, f in self.overheads.items() if path.startswith(outer + "."))
        return found


def idle_of(architecture: Architecture) -> Idle:
    """What the parts of a chip draw at work, whether they have work or not."""
    watts: dict[str, float | None] = {}
    overheads: dict[str, float] = {}
    for component, count in marked(architecture).chip.walk():
        if component.kind.overhead is not None:
            law = component.kind.overhead(component)
            if law is not None:
                overheads[component.path] = law.factor
        elif component.kind.costs is not None and component.kind.footprint is not None:
            one = _at_work_w(component)
            watts[component.path] = None if one is None else one * count
    return Idle(watts, overheads)


def _at_work_w(component: Component) -> float | None:
    """Watts of a part that is on while it works, else those of `hardware.pricing.active_power`."""
    costs: Mapping[str, Cost] = component.kind.costs(component) if component.kind.costs else {}
    if BUSY in costs:
        return float(costs[BUSY].energy_j)
    found = active_power(component)
    return None if found is None else float(found.value)
