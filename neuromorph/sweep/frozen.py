"""Architectures whose components remember their prices, so that a changed parameter re-prices its own branch alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from neuromorph.hardware.component import Architecture, Component

LAWS = ("costs", "times", "footprint", "overhead")
"""Laws of a component kind that a component's own parameters alone decide."""

MOST = 20_000
"""Components remembered; beyond, all are forgotten."""


class Freezer:
    """Makes copies of architectures in which costs, times and footprint of every component are computed once.

    Replacing a parameter leaves the components outside its branch the same objects, which is what they are known by.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Component, Component]] = {}

    def freeze(self, architecture: Architecture) -> Architecture:
        """The same architecture; prices are computed at first use and kept with the component."""
        if len(self._known) > MOST:
            self._known.clear()
        return dataclasses.replace(architecture, chip=self._component(architecture.chip))

    def _component(self, component: Component) -> Component:
        found = self._known.get(id(component))
        if found is None:
            kind = component.kind
            laws: dict[str, Any] = {n: _once(getattr(kind, n), component) for n in LAWS}
            children = {name: self._component(c) for name, c in component.children.items()}
            frozen = dataclasses.replace(component, kind=dataclasses.replace(kind, **laws), children=children)
            # The component is kept beside its copy: its id must not pass to another object.
            found = self._known[id(component)] = (component, frozen)
        return found[1]


def _once(law: Callable[[Component], Any] | None, component: Component) -> Callable[[Component], Any] | None:
    """The law's answer for this component, computed when first asked. Nobody changes the answers."""
    if law is None:
        return None
    answers: list[Any] = []

    def answer(_: Component) -> Any:
        if not answers:
            answers.append(law(component))
        return answers[0]

    return answer
