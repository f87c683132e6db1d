"""Which physics a kind of hardware computes or prices, and which it leaves out.

Kinds derive `included` from the parts and settings that switch a piece on, so that the table cannot drift from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuromorph.hardware.component import Architecture, Component, Datasheet

ABSENT, UNHOUSED = "absent", "no component"
"""What stands behind the colon of an entry of `unmodelled`: the architecture lacks a component that data pass; no kind
of component stands for it at all."""


@dataclass(frozen=True)
class Physics:
    """One piece of physics. included: whether numbers follow it here; note: how, or what is missing. effect: the name
    by which an execution can leave it out, where it can."""

    name: str
    included: bool
    note: str = ""
    effect: str = ""


def given(name: str, part: Datasheet | None, quantities: Iterable[str], note: str, effect: str = "") -> Physics:
    """Included where the part gives one of these quantities; else the note says which it would need."""
    wanted = tuple(quantities)
    found = [q for q in wanted if part is not None and part.get(q) is not None]
    named = "no part" if part is None or not part.name else part.name
    missing = f"{named} gives none of {', '.join(wanted)}" if len(wanted) > 1 else f"{named} gives no {wanted[0]}"
    return Physics(name, bool(found), note if found else missing, effect)


def left_out(*names: str) -> tuple[Physics, ...]:
    """What a kind never models."""
    return tuple(Physics(name, False) for name in names)


def empty_slots(architecture: Architecture, spared: Mapping[str, str]) -> tuple[str, ...]:
    """Entries of `unmodelled` for every place of a component that is not filled, but for those whose data take no such
    way here. spared: reason by path."""
    return tuple(
        f"{path}: {ABSENT}"
        for component, _ in architecture.chip.walk()
        for name in component.kind.slots
        if component.get(name) is None and (path := f"{component.path}.{name}") not in spared
    )


def spared_of(component: Component, reasons: Mapping[str, str]) -> dict[str, str]:
    """Reasons by slot of a component, as reasons by path."""
    return {f"{component.path}.{slot}": why for slot, why in reasons.items()}
