"""The number formats of weights and inputs, one frozen dataclass each.

A module put into this package is found without being listed anywhere, and so is any subclass of `NumberFormat` with a
name, wherever it is defined; see `base` for what a format answers.
"""

from __future__ import annotations

import importlib
import pkgutil

from neuromorph.errors import InputError, Place
from neuromorph.graph.formats.base import NumberFormat


def load() -> dict[str, type[NumberFormat]]:
    """Every number format by name, after importing all modules of this package."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(NumberFormat.registry.items()))


def named(name: str) -> NumberFormat:
    """The format of this name with its default fields; InputError where there is none."""
    known = load()
    if name not in known:
        raise InputError(f"number format {name!r} is not known", Place(key="format"), "one of " + ", ".join(known))
    return known[name]()
