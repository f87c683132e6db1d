"""Numbers used at other settings than they are known at.

A quantity may say `at: {bits: 8, array.rows: 256}`: it was given (or fitted) there. Where its source shows how it moves
with one of these, it also says `follows: {array.rows: [power, lowest, highest]}` and `law: who shows it`: elsewhere
it is multiplied by (setting / at)^power, is derived inside that range and extrapolated outside it. With settings that
no law covers it keeps its value and is extrapolated: its basis is assumed, and what is made of it stands beside no
number on a Pareto front. Keys are settings of its own component, `count`, or a path from the component that holds it,
which may itself be named first.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.hardware.component import Architecture, Component, Quantity, weakest


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
    for component, parent in _pairs(chip, None):
        for name, quantity in ({} if component.part is None else component.part.quantities).items():
            where, _ = _moved(quantity, component, parent)
            if np.any(where):
                found.append(Extrapolated(component.path, name, _holds(quantity), where))
    return found


def marked(architecture: Architecture) -> Architecture:
    """The architecture with its quantities at its own settings: moved by their laws, and where none is known their
    basis weakened to assumed with the reason beside their source."""
    chip = settled(architecture.chip)
    return architecture if chip is architecture.chip else dataclasses.replace(architecture, chip=chip)


def settled(component: Component, parent: Component | None = None) -> Component:
    """This component and those below it as `marked` has them; itself where nothing moves."""
    part, children = component.part, {}
    if part is not None:
        own = {name: settled_quantity(q, component, parent) for name, q in part.quantities.items()}
        if any(own[name] is not q for name, q in part.quantities.items()):
            part = dataclasses.replace(part, quantities=own)
    holder = parent if component.kind.overhead is not None else component
    children = {name: settled(child, holder) for name, child in component.children.items()}
    if part is component.part and all(children[name] is child for name, child in component.children.items()):
        return component
    return dataclasses.replace(component, part=part, children=children)


def settled_quantity(quantity: Quantity, component: Component, parent: Component | None) -> Quantity:
    """One quantity of a component, held by `parent`, at the settings of both."""
    where, factor = _moved(quantity, component, parent)
    if not np.any(where) and np.all(np.asarray(factor) == 1.0):
        return quantity
    outside = bool(np.any(where))
    law = "" if np.all(np.asarray(factor) == 1.0) else f" ({quantity.law}, from {_at(quantity)})"
    beyond = f" (extrapolated: holds at {_holds(quantity)})" if outside else ""
    basis = "assumed" if outside else weakest(quantity.basis, "derived")
    moved = quantity if not law else quantity.scaled(factor)
    lawful = {f.setting for f in quantity.follows}  # what was moved holds here: moved once, it is not moved again
    at = tuple((key, value) for key, value in quantity.at if key not in lawful)
    return dataclasses.replace(moved, basis=basis, where=f"{quantity.where}{law}{beyond}".strip(), at=at, follows=())


def _pairs(component: Component, parent: Component | None) -> list[tuple[Component, Component | None]]:
    """All components, each with the one that holds it; those that enclose others are looked through."""
    holder = parent if component.kind.overhead is not None else component
    below = [pair for child in component.children.values() for pair in _pairs(child, holder)]
    return [(component, parent), *below]


def _moved(quantity: Quantity, component: Component, parent: Component | None) -> tuple[Any, Any]:
    """(whether it is used where nothing says how large it is, by what its laws multiply it)."""
    laws = {f.setting: f for f in quantity.follows}
    where: Any = False
    factor: Any = 1.0
    for key, value in quantity.at:
        setting, law = _setting(component, parent, key), laws.get(key)
        if setting is None:  # one that is not there is not known to be that
            where = True
        elif law is None:
            where = where | (np.asarray(setting) != value)
        else:
            where = where | (np.asarray(setting) < law.low) | (np.asarray(setting) > law.high)
            ratio = (np.asarray(setting) / value) ** law.power
            factor = factor * (ratio if np.ndim(ratio) else float(ratio))
    return where, factor


def _at(quantity: Quantity) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in quantity.at)


def _holds(quantity: Quantity) -> str:
    """Where it holds, in words: single settings, and ranges where a law is known."""
    laws = {f.setting: f for f in quantity.follows}
    ends = {key: f"{laws[key].low:g} to {laws[key].high:g}" if key in laws else f"{at:g}" for key, at in quantity.at}
    return ", ".join(f"{key} {text}" for key, text in ends.items())


def _setting(component: Component, parent: Component | None, key: str) -> Any:
    """The value of a setting or number named by `at`; None where this architecture has none of that name."""
    if key == "count":
        return component.count
    *steps, name = key.split(".")
    owner: Component | None = parent if steps else component
    if steps and parent is not None and steps[0] == parent.name and parent.get(steps[0]) is None:
        steps = steps[1:]
    for step in steps:
        owner = None if owner is None else owner.get(step)
    if owner is None:
        return None
    return owner.count if name == "count" else getattr(owner.settings, name, None)
