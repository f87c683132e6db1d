"""What a table can ask for: each measure computes one of our figures from named arguments.

A measure declares its unit and those of its arguments; values in tables carry their units, except
in the field's own units (TOPS/W, fJ/op and the like), where plain numbers are given.
An operation is half a multiply-accumulate, as the field counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from neuromorph import units
from neuromorph.hardware import catalog
from neuromorph.hardware.component import Architecture

PLAIN = ("TOPS", "GOPS", "TOPS/W", "TOPS/mm2", "fJ/op", "1")
"""Units written as plain numbers."""


@dataclass(frozen=True)
class Measure:
    """A function of keyword arguments. unit: of its result; arguments: unit by name, None for what has none."""

    name: str
    unit: str
    arguments: Mapping[str, str | None]
    function: Callable[..., float]

    def value(self, raw: Any) -> float:
        return float(raw) if self.unit in PLAIN else units.parse(raw, self.unit)

    def __call__(self, raw: Mapping[str, Any]) -> float:
        return float(self.function(**{name: self._argument(name, value) for name, value in raw.items()}))

    def _argument(self, name: str, raw: Any) -> Any:
        unit = self.arguments[name]
        return raw if unit is None else units.parse(raw, unit)


MEASURES: dict[str, Measure] = {}


def declare(unit: str, **arguments: str | None) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Makes a function a measure, by its name."""

    def note(function: Callable[..., float]) -> Callable[..., float]:
        name = function.__name__
        MEASURES[name] = Measure(name, unit, arguments, function)
        return function

    return note


@lru_cache(maxsize=32)
def load(name: str) -> Architecture:
    return catalog.load_architecture(name)
