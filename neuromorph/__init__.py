"""Hardware-aware emulation of trained networks on neuromorphic and in-memory computing hardware.

The public names are loaded when first used, so that `import neuromorph` is quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from neuromorph.version import __version__ as __version__

if TYPE_CHECKING:
    from neuromorph.api import list_architectures, list_parts
    from neuromorph.compress import apply_steps as compress
    from neuromorph.events import read_events
    from neuromorph.graph.data import read_data
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.hardware.catalog import load_datasheet as load_part
    from neuromorph.importers import read_graph, save_graph
    from neuromorph.importers.torch_import import from_torch
    from neuromorph.report import compare, read_report, write_report
    from neuromorph.run import attribute, calibrate, estimate, execute, finetune, load_placement, place, run
    from neuromorph.spiking.convert import convert
    from neuromorph.sweep import sweep

_HOMES = {
    "attribute": "neuromorph.run",
    "calibrate": "neuromorph.run",
    "compare": "neuromorph.report",
    "compress": "neuromorph.compress:apply_steps",
    "convert": "neuromorph.spiking.convert",
    "estimate": "neuromorph.run",
    "execute": "neuromorph.run",
    "finetune": "neuromorph.run",
    "from_torch": "neuromorph.importers.torch_import",
    "list_architectures": "neuromorph.api",
    "list_parts": "neuromorph.api",
    "load_architecture": "neuromorph.hardware.catalog",
    "load_part": "neuromorph.hardware.catalog:load_datasheet",
    "load_placement": "neuromorph.run",
    "place": "neuromorph.run",
    "read_data": "neuromorph.graph.data",
    "read_events": "neuromorph.events",
    "read_graph": "neuromorph.importers",
    "read_report": "neuromorph.report",
    "run": "neuromorph.run",
    "save_graph": "neuromorph.importers",
    "sweep": "neuromorph.sweep",
    "write_report": "neuromorph.report",
}

__all__ = [
    "__version__",
    "attribute",
    "calibrate",
    "compare",
    "compress",
    "convert",
    "estimate",
    "execute",
    "finetune",
    "from_torch",
    "list_architectures",
    "list_parts",
    "load_architecture",
    "load_part",
    "load_placement",
    "place",
    "read_data",
    "read_events",
    "read_graph",
    "read_report",
    "run",
    "save_graph",
    "sweep",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from neuromorph.api import public

        module, _, attribute = _HOMES[name].partition(":")
        globals()[name] = found = public(getattr(import_module(module), attribute or name), name)
        return found
    raise AttributeError(f"module 'neuromorph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Some verbs bear the name of the module they live in (`run`, `sweep`, `compress`). `neuromorph.run` is the verb,
    also after that module was imported: its names are reached by `from neuromorph.run import ...`."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
