"""Placements as files: versioned JSON, with the columns of large ones in a NumPy archive beside it.

What is stored are the mapper's decisions. Reading cuts the graph again and compares, so that a file made for
another graph or architecture is refused with the difference, and derives all else from the graph.
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
from typing import Any

import numpy as np

from neuromorph.devices.layered.place.demand import Chip, Demand, read_chip, read_demands
from neuromorph.devices.layered.place.flows import trace
from neuromorph.devices.layered.place.placement import Placement, Search, Shards, assemble
from neuromorph.errors import InputError, Place
from neuromorph.files import Content, write_files
from neuromorph.graph.model import Graph
from neuromorph.hardware.component import Architecture, Component

FORMAT = "neuromorph placement"
SCHEMA = 1
INLINE = 20_000
"""Shards up to which the columns are written into the JSON file itself."""

LARGEST = 1 << 30
"""Bytes a placement file may have."""

CUT = ("node", "matrix", "group", "row0", "row1", "col0", "col1", "copy")
STORED = (*CUT, "core", "array", "array_row0", "array_col0")


def save(placement: Placement, path: str | Path) -> list[Path]:
    """Write a placement; returns the files written. Files appear whole or not at all."""
    path = Path(path)
    columns = {n: getattr(placement.shards, n) for n in STORED} | {"tiles": placement.tiles}
    document: dict[str, Any] = {
        "format": FORMAT,
        "schema": SCHEMA,
        "graph": {"name": placement.graph.name, "nodes": _nodes(placement)},
        "architecture": {"name": placement.architecture.name, "components": _components(placement.architecture.chip)},
        "seed": placement.seed,
        "effort": placement.effort,
        "copies": dict(placement.copies),
        "array_bound": placement.array_bound,
        "shared": placement.shared,
        "search": {
            "costs": dict(placement.search.costs),
            "start": placement.search.start,
            "lower_bound": placement.search.lower_bound,
        },
        "shards": len(placement.shards),
    }
    files: dict[Path, Content] = {}
    if len(placement.shards) <= INLINE:
        document["columns"] = {n: c.tolist() for n, c in columns.items()}
    else:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{n: _narrow(c) for n, c in columns.items()})  # type: ignore[arg-type]
        data = buffer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        # Named by its content: an older placement of the same name stays readable until it is replaced.
        beside = path.with_name(f"{path.stem}-{digest[:12]}.npz")
        files[beside] = data
        document["columns_file"] = {"name": beside.name, "sha256": digest}
    beside_first = write_files(files | {path: json.dumps(document, ensure_ascii=False) + "\n"})
    return beside_first[::-1]


def load(path: str | Path, graph: Graph, architecture: Architecture) -> Placement:
    """Read a placement for this graph and architecture."""
    path = Path(path)
    document = _read(path)
    where = Place(file=str(path))
    _same_components(document, architecture, where)
    chip = read_chip(architecture)
    demands = read_demands(graph, chip)
    _same_nodes(document, graph, demands, where)
    columns = _columns(document, path)
    copies = _copies(document, demands, where)
    shards = _shards(columns, chip, demands, copies, where)
    search = _search(document, where)
    demand = np.repeat(np.arange(len(demands)), [d.tiles for d in demands] * copies)
    traced = {n: getattr(shards, n) for n in ("group", "row0", "row1", "col0", "col1", "copy")}
    # Traced with the tiles in filling order, as when it was made: sums then round the same way.
    order = np.zeros(chip.tiles, np.int64)
    order[columns["tiles"]] = np.arange(columns["tiles"].size)
    traced |= {"demand": demand, "item": shards.matrix, "tile": order[shards.core // chip.cores_per_tile]}
    flows = trace(graph, demands, copies, traced, chip.resources.signal_bits).moved_to(columns["tiles"])
    return assemble(
        graph, architecture, chip, demands, shards, copies, columns["tiles"], flows, search,
        array_bound=_get(document, "array_bound", int, where), shared=_get(document, "shared", bool, where),
        seed=_get(document, "seed", int, where), effort=_get(document, "effort", str, where),
    )  # fmt: skip


def _nodes(placement: Placement) -> dict[str, Any]:
    found = {}
    for name, layout in placement.layouts.items():
        matrices = layout.node.operator.matrices(layout.shapes)
        found[name] = {
            "operator": type(layout.node.operator).__name__,
            "matrices": {m.name: [m.groups, m.rows, m.cols] for m in matrices},
            "products": max((m.products for m in matrices), default=1),
            "tiles": [len(t) for t in layout.tilings],
            "skipped": placement.skipped[name],
        }
    return found


def _components(component: Component) -> dict[str, Any]:
    """Everything the architect chose, flat: {path: {kind, count, settings}}. Prices of parts are left out."""
    found = {}
    for c, _ in component.walk():
        settings = {} if c.settings is None else dict(vars(c.settings))
        found[c.path] = {"kind": c.kind.name, "count": c.count, "settings": settings}
    plain: dict[str, Any] = json.loads(json.dumps(found))  # tuples become lists, as in a file read back
    return plain


def _narrow(column: np.ndarray) -> np.ndarray:
    return column.astype(np.int32) if column.size and column.max() < 2**31 else column


def _read(path: Path) -> dict[str, Any]:
    where = Place(file=str(path))
    if not path.is_file():
        raise InputError("no such file", where)
    if path.stat().st_size > LARGEST:
        raise InputError(f"the file has {path.stat().st_size} bytes, the most is {LARGEST}", where)
    try:
        document = json.loads(path.read_bytes().decode())
    except UnicodeDecodeError:
        raise InputError("not a text file", where, "give a placement written by 'neuromorph map -o'") from None
    except json.JSONDecodeError as error:
        at = Place(file=str(path), line=error.lineno, column=error.colno)
        raise InputError(f"not valid JSON: {error.msg}", at, "is the file cut short?") from None
    except RecursionError:
        raise InputError("nested too deeply", where) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError("this is no placement", where, "give a placement written by 'neuromorph map -o'")
    if document.get("schema") != SCHEMA:
        raise InputError(
            f"placement schema {document.get('schema')!r}", Place(str(path), key="schema"), f"legal: {SCHEMA}"
        )
    return document


def _get(document: Mapping[str, Any], key: str, kind: type, where: Place) -> Any:
    value = document.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"expected {kind.__name__}, got {value!r:.60}", Place(where.file, key=key))
    return value


def _same_components(document: Mapping[str, Any], architecture: Architecture, where: Place) -> None:
    """Raise with the first differences in what the architect chose."""
    stored = _get(document, "architecture", dict, where)
    name = stored.get("name")
    theirs = _get(stored, "components", dict, where)
    ours = _components(architecture.chip)
    differences = []
    for path in dict.fromkeys([*ours, *theirs]):
        a, b = theirs.get(path), ours.get(path)
        if not isinstance(a, dict) or b is None:
            differences.append(f"{path} is {'missing here' if b is None else 'not in the placement'}")
            continue
        flat_a, flat_b = ({**x.get("settings", {}), "kind": x.get("kind"), "count": x.get("count")} for x in (a, b))
        for key in dict.fromkeys([*flat_b, *flat_a]):
            if flat_a.get(key) != flat_b.get(key):
                differences.append(f"{path}.{key} is {flat_a.get(key)!r} in the placement, {flat_b.get(key)!r} here")
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise InputError(
            f"made for another architecture ({name!r}, here {architecture.name!r}): {'; '.join(differences[:3])}{more}",
            where,
            "map the network again",
        )


def _same_nodes(document: Mapping[str, Any], graph: Graph, demands: list[Demand], where: Place) -> None:
    """Raise with the first difference between the graph's layers and the stored ones."""
    stored = _get(document, "graph", dict, where)
    theirs = _get(stored, "nodes", dict, where)

    def refuse(difference: str) -> None:
        message = f"made for another graph ({stored.get('name')!r}, here {graph.name!r}): {difference}"
        raise InputError(message, where, "map the network again")

    names = [d.node.name for d in demands]
    if list(theirs) != names:
        extra = [n for n in theirs if n not in names]
        lacking = [n for n in names if n not in theirs]
        text = "; ".join(
            f"{what}: {', '.join(which)}"
            for what, which in (("only in the placement", extra), ("not in the placement", lacking))
            if which
        )
        refuse(text or f"layers come in the order {', '.join(theirs)}, here {', '.join(names)}")
    for d in demands:
        matrices = d.node.operator.matrices(d.shapes)
        ours = {
            "operator": type(d.node.operator).__name__,
            "matrices": {m.name: [m.groups, m.rows, m.cols] for m in matrices},
            "products": d.products,
            "tiles": [len(t) for t in d.tilings],
            "skipped": d.skipped,
        }
        entry = theirs[d.node.name]
        for key, value in ours.items():
            found = entry.get(key) if isinstance(entry, dict) else None
            if found != value:
                refuse(f"{d.node.label} has {key} {found!r} in the placement, {value!r} here")


def _columns(document: Mapping[str, Any], path: Path) -> dict[str, np.ndarray]:
    where = Place(file=str(path), key="columns")
    if "columns_file" in document:
        return _archive(_get(document, "columns_file", dict, where), path)
    raw = _get(document, "columns", dict, where)
    columns = {}
    for name in (*STORED, "tiles"):
        values = raw.get(name)
        if not isinstance(values, list) or not all(type(v) is int and 0 <= v < 2**62 for v in values):
            raise InputError("expected a list of whole numbers >= 0", Place(str(path), key=f"columns.{name}"))
        columns[name] = np.array(values, np.int64)
    return columns


def _archive(entry: Mapping[str, Any], path: Path) -> dict[str, np.ndarray]:
    name = _get(entry, "name", str, Place(str(path), key="columns_file"))
    if Path(name).name != name:
        raise InputError(f"{name!r} leaves the folder of the placement", Place(str(path), key="columns_file.name"))
    beside = path.parent / name
    where = Place(file=str(beside))
    if not beside.exists():
        raise InputError("the columns of the placement are missing", where, f"keep {name} beside {path.name}")
    if beside.stat().st_size > LARGEST:
        raise InputError(f"the file has {beside.stat().st_size} bytes, the most is {LARGEST}", where)
    data = beside.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.get("sha256"):
        raise InputError(f"does not belong to {path.name} or is damaged", where, "map the network again")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            columns = {n: stored[n].astype(np.int64) for n in (*STORED, "tiles")}
    except (ValueError, KeyError, OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"unreadable columns: {error}", where, "map the network again") from None
    if any(c.ndim != 1 or (c.size and c.min() < 0) for c in columns.values()):
        raise InputError("columns must be lists of whole numbers >= 0", where)
    return columns


def _copies(document: Mapping[str, Any], demands: list[Demand], where: Place) -> np.ndarray:
    stored = _get(document, "copies", dict, where)
    counts = []
    for d in demands:
        count = stored.get(d.node.name)
        if type(count) is not int or not 1 <= count <= d.most_copies:
            at = Place(where.file, key=f"copies.{d.node.name}")
            raise InputError(f"{count!r} copies", at, f"legal: a whole number from 1 to {d.most_copies}")
        counts.append(count)
    return np.array(counts, np.int64)


def _search(document: Mapping[str, Any], where: Place) -> Search:
    stored = _get(document, "search", dict, where)
    costs = _get(stored, "costs", dict, where)
    numbers = [*costs.values(), stored.get("lower_bound")]
    wrong = [v for v in numbers if isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v)]
    if wrong or "refined" not in costs or stored.get("start") not in costs:
        raise InputError("costs of the search are incomplete", Place(where.file, key="search"), "map the network again")
    return Search({n: float(v) for n, v in costs.items()}, stored["start"], float(stored["lower_bound"]))


def _shards(
    columns: Mapping[str, np.ndarray], chip: Chip, demands: list[Demand], copies: np.ndarray, where: Place
) -> Shards:
    """The shards, after checking that they are exactly the tiles the graph is cut into, each inside an array."""
    tiles = [d.tiles for d in demands]

    def refuse(difference: str) -> None:
        raise InputError(difference, Place(where.file, key="columns"), "map the network again")

    total = int((np.array(tiles) * copies).sum())
    for name in STORED:
        if columns[name].size != total:
            refuse(f"{name} has {columns[name].size} entries, the network has {total} tiles with its copies")
    expected: dict[str, list[np.ndarray]] = {}
    for d, r in zip(demands, copies.tolist(), strict=True):
        for name in ("group", "row0", "row1", "col0", "col1", "height", "width", "bits"):
            expected.setdefault(name, []).append(np.tile(d.column(name), r))
        expected.setdefault("matrix", []).append(np.tile(d.item, r))
        expected.setdefault("node", []).append(np.full(d.tiles * r, d.index))
        expected.setdefault("copy", []).append(np.repeat(np.arange(r), d.tiles))
    full = {n: np.concatenate(v) for n, v in expected.items()}
    for name in CUT:
        wrong = np.flatnonzero(columns[name] != full[name])
        if wrong.size:
            k = int(wrong[0])
            refuse(f"{name} of shard {k} is {columns[name][k]}, the network is cut at {full[name][k]}")
    r = chip.resources
    ends: dict[str, Any] = {"core": chip.cores - 1, "array": r.arrays - 1}
    if r.sharing != "memory":
        ends |= {"array_row0": r.rows - full["height"], "array_col0": r.cols - full["width"]}
    for name, end in ends.items():
        if total and np.any(columns[name] > end):
            refuse(f"{name} of a shard lies outside the chip")
    positions = columns["tiles"]
    if np.unique(positions).size != positions.size or (positions.size and positions.max() >= chip.tiles):
        refuse("tiles must be different positions on the chip")
    if not np.isin(columns["core"] // chip.cores_per_tile, positions).all():
        refuse("a shard lies in a tile that is not listed")
    _apart(columns, full, chip, refuse)
    return Shards(
        **{n: columns[n] for n in STORED},
        height=full["height"].astype(np.int64),
        width=full["width"].astype(np.int64),
        bits=full["bits"].astype(np.float64),
    )


def _apart(columns: Mapping[str, np.ndarray], full: Mapping[str, np.ndarray], chip: Chip, refuse: Any) -> None:
    """Shards of one array must not share what its sharing rule keeps apart."""
    r = chip.resources
    if r.sharing == "memory" or not columns["core"].size:
        return
    array = columns["core"] * r.arrays + columns["array"]
    row0, col0 = columns["array_row0"], columns["array_col0"]
    if r.sharing == "exclusive" and np.unique(array).size != array.size:
        refuse("two shards lie in one array, each needs one of its own")
    if r.sharing == "diagonal":
        for first, extent, what in ((row0, full["height"], "rows"), (col0, full["width"], "columns")):
            order = np.lexsort((first, array))
            a, f, e = array[order], first[order], extent[order]
            if np.any((a[1:] == a[:-1]) & (f[1:] < f[:-1] + e[:-1])):
                refuse(f"two shards of one array share {what}")
    if r.sharing == "shelf":
        from neuromorph.devices.layered.place.firstfit import any_overlap

        order = np.lexsort((row0, array))
        if any_overlap(array[order], row0[order], col0[order], full["height"][order], full["width"][order]):
            refuse("two shards of one array share cells")
