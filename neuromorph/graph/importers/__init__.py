"""Reading models. A module of this package that declares SUFFIXES and read(path, **options) is an importer."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from neuromorph.errors import InputError, Place
from neuromorph.graph.model import Graph


def importers() -> dict[str, ModuleType]:
    """The importer of each file suffix, found by looking into this package."""
    found: dict[str, ModuleType] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for suffix in getattr(module, "SUFFIXES", ()):
            found[suffix] = module
    return found


def read_graph(path: str | Path, **options: Any) -> Graph:
    """Reads a model file with the importer of its suffix; the longest suffix that matches wins.

    Raises InputError for an unknown suffix, a missing file, or whatever the importer finds wrong.
    """
    path = Path(path)
    known = importers()
    suffix = max((s for s in known if path.name.lower().endswith(s)), key=len, default=None)
    if suffix is None:
        raise InputError(
            f"no importer reads {path.suffix or 'a file without suffix'!r}",
            Place(file=str(path)),
            hint=f"legal suffixes: {', '.join(sorted(known))}",
        )
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"model file {what}", Place(file=str(path)), hint="check the path")
    try:
        graph: Graph = known[suffix].read(path, **options)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", Place(file=str(path))) from None
    return graph


def save_graph(graph: Graph, path: str | Path, dtype: str | None = None) -> Path:
    """Writes the graph in the portable format and returns the path (see `portable.save`)."""
    from neuromorph.graph.importers import portable

    return portable.save(graph, path, dtype)
