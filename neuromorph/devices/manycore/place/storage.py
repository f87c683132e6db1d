"""Placements of spiking networks as files: versioned JSON, the columns of large ones in a NumPy archive beside it.

What is stored are the decisions: slices and their cores. Trees, keys, tables, memory and limits are derived again and
checked, so that a file made for another network or architecture is refused with the difference.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.layered.place import storage as files
from neuromorph.devices.manycore.machine import Machine
from neuromorph.devices.manycore.place.connect import connect, fan_in
from neuromorph.devices.manycore.place.place import Packed, assemble, grid_of, pack_network
from neuromorph.devices.manycore.place.placement import HOST, CorePlacement
from neuromorph.devices.manycore.place.routes import find_routes
from neuromorph.devices.manycore.place.search import EFFORT
from neuromorph.devices.manycore.place.slicing import Cut, is_source, measure, on_host
from neuromorph.errors import FitError, InputError, Place
from neuromorph.files import Content, write_files
from neuromorph.hardware.component import Architecture
from neuromorph.spiking.network import SpikingNetwork

if TYPE_CHECKING:
    from neuromorph.graph.model import Graph

FORMAT = "neuromorph core placement"
SCHEMA = 1
COLUMNS = ("population", "start", "stop", "core")
AGAIN = "map the network again"


def save_placement(placement: CorePlacement, path: str | Path) -> list[Path]:
    """Write a placement; returns the files written. Files appear whole or not at all."""
    path = Path(path)
    columns = {n: getattr(placement.slices, n) for n in COLUMNS}
    document: dict[str, Any] = {
        "format": FORMAT,
        "schema": SCHEMA,
        "network": _describe(placement.network),
        "architecture": {
            "name": placement.architecture.name,
            "components": files._components(placement.architecture.chip),
        },
        "seed": placement.seed,
        "effort": placement.effort,
        "costs": dict(placement.costs),
        "packets": placement.packets,
        "measured": placement.measured,
        "slices": len(placement.slices),
    }
    contents: dict[Path, Content] = {}
    if len(placement.slices) <= files.INLINE:
        document["columns"] = {n: c.tolist() for n, c in columns.items()}
    else:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{n: c.astype(np.int32) for n, c in columns.items()})
        data = buffer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        beside = path.with_name(f"{path.stem}-{digest[:12]}.npz")
        contents[beside] = data
        document["columns_file"] = {"name": beside.name, "sha256": digest}
    beside_first = write_files(contents | {path: json.dumps(document, ensure_ascii=False) + "\n"})
    return beside_first[::-1]


def load_placement(
    path: str | Path,
    network: SpikingNetwork,
    architecture: Architecture,
    machine: Machine | None = None,
    *,
    graph: Graph | None = None,
) -> CorePlacement:
    """Read a placement for this network (with the delays the hardware adds) and architecture.

    machine: what the architecture offers, read from it by default. Raises InputError where the file is broken or was
    made for another network or architecture, FitError where what it says does not fit.
    """
    path = Path(path)
    where = Place(file=str(path))
    document = _read(path)
    files._same_components(document, architecture, where)
    _same_network(document, network, where)
    if machine is None:
        from neuromorph.devices.manycore import read_machine

        machine = read_machine(architecture)
    columns = _columns(document, path)
    grid = grid_of(machine)
    _check(columns, network, machine, where)
    packed, slot = _packed(columns, network, architecture, machine)
    costs = _numbers(files._get(document, "costs", dict, where), where)
    effort = files._get(document, "effort", str, where)
    if effort not in EFFORT or "optimised" not in costs:
        raise InputError("the search is not described", where, AGAIN)
    packets = document.get("packets")
    if isinstance(packets, bool) or not isinstance(packets, int | float) or not math.isfinite(packets):
        raise InputError(f"packets are {packets!r:.60}", Place(str(path), key="packets"), AGAIN)
    placement = assemble(
        network, architecture, machine, packed, slot, grid, find_routes(grid), costs, graph=graph,
        seed=files._get(document, "seed", int, where), effort=effort, packets=float(packets),
        measured=files._get(document, "measured", bool, where),
    )  # fmt: skip
    over = [limit for limit in placement.limits if limit.hard and limit.degree > 1 + 1e-12]
    if over:
        raise FitError(f"{over[0].name} needs {over[0].used:g}, has {over[0].available:g}", where, AGAIN)
    return placement


def _describe(network: SpikingNetwork) -> dict[str, Any]:
    """What a placement depends on: sizes, models, who reaches whom and how late. Weights may change."""
    projections = []
    for p in network.projections:
        digest = hashlib.sha256()
        for column, form in ((p.indptr, np.int64), (p.index, np.int32), (p.delay, np.uint16)):
            digest.update(np.ascontiguousarray(column, form).data)
        projections.append([p.name, p.source, p.target, p.synapses, digest.hexdigest()])
    populations = [[p.name, p.size, p.model] for p in network.populations]
    return {"name": network.name, "populations": populations, "projections": projections}


def _same_network(document: Mapping[str, Any], network: SpikingNetwork, where: Place) -> None:
    stored, ours = files._get(document, "network", dict, where), _describe(network)
    for key, what in (
        ("populations", ("name", "neurons", "model")),
        ("projections", ("name", "from", "to", "synapses")),
    ):
        theirs = files._get(stored, key, list, where)
        if len(theirs) != len(ours[key]):
            difference = f"{len(theirs)} {key} in the placement, {len(ours[key])} here"
            raise InputError(f"made for another network: {difference}", where, AGAIN)
        for i, (a, b) in enumerate(zip(theirs, ours[key], strict=True)):
            if a == b:
                continue
            parts = [f"{n} {x!r:.60} and {y!r:.60}" for n, x, y in zip(what, a, b, strict=False) if x != y]
            text = "; ".join(parts) or "other targets or delays"
            raise InputError(
                f"made for another network: {key[:-1]} {i} ({b[0]}) differs between file and network: {text}",
                where,
                AGAIN,
            )


def _read(path: Path) -> dict[str, Any]:
    where = Place(file=str(path))
    if not path.is_file():
        raise InputError("no such file", where)
    if path.stat().st_size > files.LARGEST:
        raise InputError(f"the file has {path.stat().st_size} bytes, the most is {files.LARGEST}", where)
    try:
        document = json.loads(path.read_bytes().decode())
    except (UnicodeDecodeError, RecursionError):
        raise InputError("not a text file of this kind", where, AGAIN) from None
    except json.JSONDecodeError as error:
        at = Place(file=str(path), line=error.lineno, column=error.colno)
        raise InputError(f"not valid JSON: {error.msg}", at, "is the file cut short?") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError("this is no placement of a spiking network", where, "give one written by 'neuromorph map -o'")
    if document.get("schema") != SCHEMA:
        at = Place(str(path), key="schema")
        raise InputError(f"placement schema {document.get('schema')!r:.60}", at, f"legal: {SCHEMA}")
    return document


def _columns(document: Mapping[str, Any], path: Path) -> dict[str, np.ndarray]:
    if "columns_file" in document:
        return _archive(files._get(document, "columns_file", dict, Place(file=str(path))), path)
    raw = files._get(document, "columns", dict, Place(file=str(path)))
    columns = {}
    for name in COLUMNS:
        values = raw.get(name)
        if not isinstance(values, list) or not all(type(v) is int and abs(v) < 2**31 for v in values):
            raise InputError("expected a list of whole numbers", Place(str(path), key=f"columns.{name}"))
        columns[name] = np.array(values, np.int64)
    return columns


def _archive(entry: Mapping[str, Any], path: Path) -> dict[str, np.ndarray]:
    name = files._get(entry, "name", str, Place(str(path), key="columns_file"))
    if Path(name).name != name:
        raise InputError(f"{name!r:.80} leaves the folder of the placement", Place(str(path), key="columns_file.name"))
    beside = path.parent / name
    where = Place(file=str(beside))
    if not beside.is_file():
        raise InputError("the columns of the placement are missing", where, f"keep {name} beside {path.name}")
    if beside.stat().st_size > files.LARGEST:
        raise InputError(f"the file has {beside.stat().st_size} bytes, the most is {files.LARGEST}", where)
    data = beside.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.get("sha256"):
        raise InputError(f"does not belong to {path.name} or is damaged", where, AGAIN)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return {n: stored[n].astype(np.int64) for n in COLUMNS}
    except (ValueError, KeyError, OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"unreadable columns: {error}", where, AGAIN) from None


def _check(columns: Mapping[str, np.ndarray], network: SpikingNetwork, machine: Machine, where: Place) -> None:
    """Slices must cover every population in order, and lie on cores that exist, apart unless cores are shared."""
    at = Place(where.file, key="columns")
    population, start, stop, core = (columns[n] for n in COLUMNS)
    sizes = [p.size for p in network.populations]
    if len({c.shape for c in columns.values()}) > 1 or population.ndim != 1:
        raise InputError("columns are of different length", at, AGAIN)
    if population.size and (population.min() < 0 or population.max() >= len(sizes)):
        raise InputError("a slice of a population that the network does not have", at, AGAIN)
    for i, size in enumerate(sizes):
        own = population == i
        borders = np.concatenate(([0], stop[own]))
        if np.any(start[own] != borders[:-1]) or borders[-1] != size or np.any(stop[own] <= start[own]):
            raise InputError(f"the slices of {network.populations[i].name} do not cover its {size} neurons", at, AGAIN)
    if np.any(np.diff(population) < 0):
        raise InputError("slices are not in the order of populations", at, AGAIN)
    outside = on_host(network, machine)[population]
    cores = machine.tiles * machine.cores_per_tile
    if np.any((core < 0) != outside) or np.any(core < HOST) or np.any(core >= cores):
        raise InputError(f"a slice lies on no core of 0..{cores - 1}", at, AGAIN)
    inside = core[~outside]
    if not machine.shares_cores and np.unique(inside).size != inside.size:
        raise InputError("two slices lie on one core", at, AGAIN)


def _packed(
    columns: Mapping[str, np.ndarray], network: SpikingNetwork, architecture: Architecture, machine: Machine
) -> tuple[Packed, np.ndarray]:
    """The stored cut, counted again, and the core of every group."""
    population, core = columns["population"].astype(np.int32), columns["core"]
    bounds = (population, columns["start"], columns["stop"])
    ones = np.ones(network.neurons)
    slices = np.repeat(np.arange(population.size, dtype=np.int32), columns["stop"] - columns["start"])
    contacts = connect(network, bounds, slices, population.size, ones)
    synapses = np.concatenate(([0], np.cumsum(fan_in(network))))
    needs = measure(network, machine, bounds, contacts, synapses)
    degrees = needs.degrees(machine, core != HOST, is_source(network)[population])
    inside = np.flatnonzero(core != HOST)
    used, first = np.unique(core[inside], return_index=True)
    slot = used[np.argsort(first)]  # groups are numbered by their first slice
    number = np.empty(machine.tiles * machine.cores_per_tile, np.int32)
    number[slot] = np.arange(slot.size, dtype=np.int32)
    group = np.full(population.size, HOST, np.int32)
    group[inside] = number[core[inside]]
    return pack_network(network, architecture, machine, ones, Cut(*bounds, needs, degrees), group), slot


def _numbers(stored: Mapping[str, Any], where: Place) -> dict[str, float]:
    wrong = [k for k, v in stored.items() if isinstance(v, bool) or not isinstance(v, int | float) or v != v]
    if wrong:
        raise InputError(f"{wrong[0]!r:.60} is no number", Place(where.file, key="costs"), AGAIN)
    return {k: float(v) for k, v in stored.items()}
