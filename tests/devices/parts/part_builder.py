"""Components built in place, without files."""

from __future__ import annotations

from typing import Any

from neuromorph.hardware.component import Component, ComponentKind, Datasheet, Quantity, Source

PAPER = Source("paper", "a paper")


def part(kind: ComponentKind, basis: str = "reported", **values: Any) -> Datasheet:
    """A datasheet with these SI values; a tuple is (value, low, high)."""
    quantities = {}
    for name, value in values.items():
        value, low, high = value if isinstance(value, tuple) else (value, None, None)
        quantities[name] = Quantity(value, "", basis, "paper", name, low, high)
    return Datasheet("test-part", kind.name, "", {"paper": PAPER}, quantities)


def component(kind: ComponentKind, given: Datasheet | None, **settings: Any) -> Component:
    made = None if kind.settings is None else kind.settings(**settings)
    return Component(f"chip.{kind.name}", kind, 1, made, given, {})
