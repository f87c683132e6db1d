"""Numbers used away from the settings that they are known to hold at.

A quantity may say `at: {bits: 8, array.rows: 256}`: it was given (or fitted) there, and no law is known that moves it
elsewhere. Keys are settings of its own component, `count`, or a path from the component that holds it. Elsewhere it
keeps its value, its basis is assumed, and what is made of it stands beside no number on a Pareto front.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.hardware.component import Architecture, Component, Quantity


@dataclass(frozen=True)
class Extrapolated:
    """One quantity used elsewhere. where: a bool, or one per design where settings are arrays of designs."""

    component: str
    quantity: str
    at: str
    where: Any

    def __str__(self) -> str:
        return f"{self.component}.{self.quantity} holds at {self.at}"


def extrapolated(chip: Component) -> list[Extrapolated]:
    """Quantities of all components that are used away from where they hold; empty where all hold."""
    found: list[Extrapolated] = []

    def visit(component: Component, parent: Component | None) -> None:
        quantities = {} if component.part is None else component.part.quantities
        for name, quantity in quantities.items():
            where: Any = False
            for key, value in quantity.at:
                where = where | np.asarray(_differs(_setting(component, parent, key), value))
            if np.any(where):
                at = ", ".join(f"{key} {value:g}" for key, value in quantity.at)
                found.append(Extrapolated(component.path, name, at, where))
        for child in component.children.values():
            enclosing = component.kind.overhead is not None
            visit(child, parent if enclosing else component)

    visit(chip, None)
    return found


def marked(architecture: Architecture) -> Architecture:
    """The architecture with the basis of such quantities weakened to assumed and the reason beside their source."""
    outside = {(e.component, e.quantity): e for e in extrapolated(architecture.chip)}
    if not outside:
        return architecture
    return dataclasses.replace(architecture, chip=_marked(architecture.chip, outside))


def _marked(component: Component, outside: dict[tuple[str, str], Extrapolated]) -> Component:
    part = component.part
    if part is not None:

        def weaker(name: str, quantity: Quantity) -> Quantity:
            entry = outside.get((component.path, name))
            if entry is None:
                return quantity
            where = f"{quantity.where} (extrapolated: holds at {entry.at})".strip()
            return dataclasses.replace(quantity, basis="assumed", where=where)

        part = dataclasses.replace(part, quantities={n: weaker(n, q) for n, q in part.quantities.items()})
    children = {name: _marked(child, outside) for name, child in component.children.items()}
    return dataclasses.replace(component, part=part, children=children)


def _setting(component: Component, parent: Component | None, key: str) -> Any:
    """The value of a setting or number named by `at`; None where this architecture has none of that name."""
    if key == "count":
        return component.count
    *steps, name = key.split(".")
    owner: Component | None = parent if steps else component
    for step in steps:
        owner = None if owner is None else owner.get(step)
    if owner is None:
        return None
    return owner.count if name == "count" else getattr(owner.settings, name, None)


def _differs(value: Any, at: float) -> Any:
    """Whether a setting is another than the stated one; one that is not there is not known to be that."""
    return True if value is None else np.asarray(value) != at
