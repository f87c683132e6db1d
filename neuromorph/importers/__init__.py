"""Reading models. A module of this package that declares SUFFIXES and read(path, *, options) is an importer."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
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

    options: for the importer (those of NIR files: see `nir.read`); None leaves one out. Raises InputError for an
    unknown suffix, a missing file, an option that this importer cannot use, or whatever it finds wrong.
    """
    path = Path(path)
    known = importers()
    suffix = _suffix(path, known)
    if suffix is None:
        raise InputError(
            f"no importer reads {path.suffix or 'a file without suffix'!r}",
            Place(file=str(path)),
            hint=f"legal suffixes: {', '.join(sorted(known))}",
        )
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"model file {what}", Place(file=str(path)), hint="check the path")
    given = {name: value for name, value in options.items() if value is not None}
    legal = [p.name for p in inspect.signature(known[suffix].read).parameters.values() if p.kind is p.KEYWORD_ONLY]
    useless = sorted(set(given) - set(legal))
    if useless:
        raise InputError(
            f"option {', '.join(useless)} has no use for a {suffix} file",
            Place(file=str(path)),
            hint=f"legal: {', '.join(legal)}" if legal else "such a file says everything itself; leave the option out",
        )
    try:
        graph: Graph = known[suffix].read(path, **given)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", Place(file=str(path))) from None
    return graph


def save_graph(graph: Graph, path: str | Path, dtype: str | None = None) -> Path:
    """Writes the graph and returns the path.

    An importer that has `save(graph, path)` writes the files of its suffixes; any other name gets the portable format
    (see `portable.save`, which alone takes a dtype).
    """
    from neuromorph.importers import portable

    graph.need_values("saving")
    path = Path(path)
    writers = {suffix: module for suffix, module in importers().items() if hasattr(module, "save")}
    suffix = _suffix(path, writers)
    if suffix is None or writers[suffix] is portable:
        return portable.save(graph, path, dtype)
    if dtype is not None:
        raise InputError(f"dtype has no use for a {suffix} file", Place(file=str(path)), hint="leave it out")
    written: Path = writers[suffix].save(graph, path)
    return written


def _suffix(path: Path, known: Mapping[str, ModuleType]) -> str | None:
    """The longest of these suffixes that the name ends in."""
    return max((s for s in known if path.name.lower().endswith(s)), key=len, default=None)
