"""NIR files (.nir): spiking networks of snntorch, norse, sinabs, SpikingJelly, Rockpool, Nengo and others.

A file names no time step and no numerical scheme: `preset` says which dialect it is in (see
`neuromorph.importers.presets`), a semantics file `network.semantics.yaml` beside it may say everything
(`nir_files.sidecar`), and single fields may be given. h5py reads the container; nothing in it is executed or followed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from neuromorph.errors import InputError, Place
from neuromorph.graph.model import Graph
from neuromorph.graph.semantics import Semantics
from neuromorph.importers.presets import FIELDS, dialect_of, need_dt

SUFFIXES = (".nir",)

MAX_STEPS = 1_000_000


def read(
    path: str | Path,
    *,
    dt: float | str | None = None,
    preset: str | None = None,
    semantics: Semantics | Mapping[str, Any] | str | Path | None = None,
    steps: int | None = None,
    time_scale: float | None = None,
) -> Graph:
    """The graph of a NIR file; its samples are (steps, *features).

    dt: time step in seconds, or a text with its unit ("1 ms"); needed unless the preset or the semantics file gives
    one. preset: dialect of the file. semantics: fields to change ({"reset": "subtract"}), a whole Semantics, or a
    semantics file; without it and without a preset the semantics file beside the .nir is read where there is one.
    steps: time steps of a sample, 1 by default. time_scale: seconds per unit of the file's times (and of
    1 / r of I and IF), in place of the dialect's. Remarks on what was assumed stand in metadata["notes"].
    Raises InputError with every problem: file, place in it, what is legal.
    """
    from neuromorph.importers.nir_files.build import build, needs_dt
    from neuromorph.importers.nir_files.faults import Faults
    from neuromorph.importers.nir_files.hdf5 import read_tree
    from neuromorph.importers.nir_files.settings import Settings
    from neuromorph.importers.nir_files.sidecar import Sidecar, read_sidecar, sidecar_path
    from neuromorph.importers.nir_files.structure import read_structure

    path = Path(path)
    faults = Faults(str(path))
    beside = sidecar_path(path)
    known = Sidecar()
    if isinstance(semantics, str | Path):
        known, semantics = read_sidecar(Path(semantics)), None
    elif beside.is_file() and preset is None and not isinstance(semantics, Semantics):
        known = read_sidecar(beside)
        faults.note(f"semantics from {beside.name}")
    elif beside.is_file():
        faults.note(f"{beside.name} is not used, since a preset or semantics were given")
    changes, dt_s = _changes(semantics)
    dialect = dialect_of(known.preset if preset is None else preset)
    dt_s = _first(_seconds(dt), dt_s, known.dt_s)
    root, version = read_tree(path)
    structure = read_structure(root, faults, known.feedback)
    if dt_s is not None or dialect.dt_s is not None or needs_dt(structure):
        dt_s = need_dt(dialect, dt_s, Place(str(path), key="dt"))
    scale = _first(_scale(time_scale), known.time_scale)
    if scale is None:
        scale = 1.0 if dt_s is None else dialect.time_scale(dt_s)
    settings = Settings(
        dialect,
        dt_s,
        scale,
        _count(known.steps if steps is None else steps) or 1,
        {**known.semantics, **changes},
        known.nodes,
        known.feedback,
    )
    metadata = {"format": f"NIR {version}".strip(), "preset": dialect.name}
    if dt_s is not None:
        metadata["dt_s"] = repr(dt_s)
    return build(structure, settings, faults, path.name.removesuffix(".nir"), metadata)


def save(graph: Graph, path: str | Path) -> Path:
    """Writes a NIR file and, where NIR cannot say everything, its semantics file; see `nir_files.writer`."""
    from neuromorph.importers.nir_files.writer import write_graph

    return write_graph(graph, Path(path))


def _first(*values: Any) -> Any:
    return next((v for v in values if v is not None), None)


def _changes(semantics: Semantics | Mapping[str, Any] | None) -> tuple[dict[str, Any], float | None]:
    """Fields of the semantics to set, and the time step where a whole Semantics names it."""
    if semantics is None:
        return {}, None
    if isinstance(semantics, Semantics):
        return {f.name: getattr(semantics, f.name) for f in fields(semantics) if f.name in FIELDS}, semantics.dt_s
    return dict(semantics), None


def _seconds(dt: float | str | None) -> float | None:
    from neuromorph.units import parse

    if dt is None:
        return None
    place = Place(key="dt")
    if isinstance(dt, str):
        try:
            dt = parse(dt, "s")
        except InputError as error:
            raise InputError(error.problems[0].message, place, error.problems[0].hint) from None
    if isinstance(dt, bool) or not isinstance(dt, int | float) or not math.isfinite(dt) or dt <= 0:
        raise InputError(f"dt is {dt!r}", place, "a time above 0, e.g. 1 ms (a bare number is in seconds)")
    return float(dt)


def _scale(scale: float | None) -> float | None:
    if scale is None:
        return None
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale) or scale <= 0:
        raise InputError(f"time_scale is {scale!r}", Place(key="time_scale"), "a number above 0")
    return float(scale)


def _count(steps: int | None) -> int | None:
    if steps is None:
        return None
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= MAX_STEPS:
        raise InputError(f"steps is {steps!r}", Place(key="steps"), f"a whole number from 1 to {MAX_STEPS}")
    return steps
