"""The operators a network is made of, one module per family.

A module put into this package is found without being listed anywhere; its operators are importable
from here by name. Every module keeps torch out of its import, so that reading and mapping a graph
need none.

Counting convention of `Operator.operations`: one per element and elementary step of a vector unit,
where a step is an add, subtract, multiply, compare/select or table look-up (exp, sigmoid, tanh,
reciprocal). Adding a bias counts one per output. Matrix products, data movement and the converters'
rounding of a product's input count nothing here.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from neuromorph.graph.model import Operator


def load() -> dict[str, type[Operator]]:
    """Every concrete operator by class name, after importing all modules of this package."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return {name: cls for name, cls in Operator.registry.items() if cls.__dict__.get("__final__")}


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        load()
        if name in Operator.registry:
            return Operator.registry[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
