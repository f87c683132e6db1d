"""Hardware-aware emulation of trained networks on neuromorphic and in-memory computing hardware.

The public names are loaded when first used, so that `import neuromorph` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from neuromorph.execution import attribute, calibrate
    from neuromorph.execution.anywhere import execute_on as execute
    from neuromorph.execution.finetune import finetune
    from neuromorph.graph.compress import apply_steps as compress
    from neuromorph.graph.data import read_data
    from neuromorph.graph.events import read_events
    from neuromorph.graph.importers import read_graph, save_graph
    from neuromorph.graph.importers.torch_import import from_torch
    from neuromorph.graph.spiking.convert import convert
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.mapping.anywhere import place_on as place
    from neuromorph.pipeline import run
    from neuromorph.report import compare, write_report
    from neuromorph.sweep import sweep

_HOMES = {
    "attribute": "neuromorph.execution",
    "calibrate": "neuromorph.execution",
    "compare": "neuromorph.report",
    "compress": "neuromorph.graph.compress:apply_steps",
    "convert": "neuromorph.graph.spiking.convert",
    "execute": "neuromorph.execution.anywhere:execute_on",
    "finetune": "neuromorph.execution.finetune",
    "from_torch": "neuromorph.graph.importers.torch_import",
    "load_architecture": "neuromorph.hardware.catalog",
    "place": "neuromorph.mapping.anywhere:place_on",
    "read_data": "neuromorph.graph.data",
    "read_events": "neuromorph.graph.events",
    "read_graph": "neuromorph.graph.importers",
    "run": "neuromorph.pipeline",
    "save_graph": "neuromorph.graph.importers",
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
    "execute",
    "finetune",
    "from_torch",
    "load_architecture",
    "place",
    "read_data",
    "read_events",
    "read_graph",
    "run",
    "save_graph",
    "sweep",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, _, attribute = _HOMES[name].partition(":")
        return getattr(import_module(module), attribute or name)
    raise AttributeError(f"module 'neuromorph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
