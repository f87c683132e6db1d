"""Reading and writing placements of layers; see `devices.placed_file` for the form.

What is stored are the mapper's decisions. Reading cuts the graph again and compares, so that a file made for another
graph is refused with the difference, and derives all else from the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.devices import placed_file
from neuromorph.devices.layered.place.demand import Chip, Demand, read_chip, read_demands
from neuromorph.devices.layered.place.flows import trace
from neuromorph.devices.layered.place.placement import STORED, Placement, Search, Shards, assemble
from neuromorph.devices.placed_file import AGAIN, get, is_number
from neuromorph.errors import InputError, Place
from neuromorph.graph.model import Graph
from neuromorph.hardware.component import Architecture

CUT = ("node", "matrix", "group", "row0", "row1", "col0", "col1", "copy")
"""Columns that the cutting of the graph gives; they are stored to be compared."""


def load(path: str | Path, graph: Graph, architecture: Architecture) -> Placement:
    """Read a placement for this graph and architecture."""
    where = Place(file=str(path))
    document, columns = placed_file.read(path, architecture.chip.kind.name, architecture, (*STORED, "tiles"))
    if any(c.size and c.min() < 0 for c in columns.values()):
        raise InputError("columns must be lists of whole numbers >= 0", Place(str(path), key="columns"))
    chip = read_chip(architecture)
    demands = read_demands(graph, chip)
    _same_nodes(document, graph, demands, where)
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
        array_bound=get(document, "array_bound", int, where), shared=get(document, "shared", bool, where),
        seed=get(document, "seed", int, where), effort=get(document, "effort", str, where),
    )  # fmt: skip


def _same_nodes(document: Mapping[str, Any], graph: Graph, demands: list[Demand], where: Place) -> None:
    """Raise with the first difference between the graph's layers and the stored ones."""
    stored = get(document, "graph", dict, where)
    theirs = get(stored, "nodes", dict, where)

    def refuse(difference: str) -> None:
        message = f"made for another graph ({stored.get('name')!r}, here {graph.name!r}): {difference}"
        raise InputError(message, where, AGAIN)

    names = [d.name for d in demands]
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
        ours = {
            "operator": d.group.operators,
            "matrices": {item: [m.groups, m.rows, m.cols] for item, m in d.group.matrices.items()},
            "products": d.products,
            "tiles": [len(t) for t in d.tilings],
            "skipped": d.skipped,
        }
        entry = theirs[d.name]
        for key, value in ours.items():
            found = entry.get(key) if isinstance(entry, dict) else None
            if found != value:
                refuse(f"{d.group.label} has {key} {found!r} in the placement, {value!r} here")


def _copies(document: Mapping[str, Any], demands: list[Demand], where: Place) -> np.ndarray:
    stored = get(document, "copies", dict, where)
    counts = []
    for d in demands:
        count = stored.get(d.name)
        if type(count) is not int or not 1 <= count <= d.most_copies:
            at = Place(where.file, key=f"copies.{d.name}")
            raise InputError(f"{count!r} copies", at, f"legal: a whole number from 1 to {d.most_copies}")
        counts.append(count)
    return np.array(counts, np.int64)


def _search(document: Mapping[str, Any], where: Place) -> Search:
    stored = get(document, "search", dict, where)
    costs = get(stored, "costs", dict, where)
    numbers = [*costs.values(), stored.get("lower_bound")]
    wrong = [v for v in numbers if not is_number(v)]
    if wrong or "refined" not in costs or stored.get("start") not in costs:
        raise InputError("costs of the search are incomplete", Place(where.file, key="search"), AGAIN)
    return Search({n: float(v) for n, v in costs.items()}, stored["start"], float(stored["lower_bound"]))


def _shards(
    columns: Mapping[str, np.ndarray], chip: Chip, demands: list[Demand], copies: np.ndarray, where: Place
) -> Shards:
    """The shards, after checking that they are exactly the tiles the graph is cut into, each inside an array."""
    tiles = [d.tiles for d in demands]

    def refuse(difference: str) -> None:
        raise InputError(difference, Place(where.file, key="columns"), AGAIN)

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
    for name, end in {"core": chip.cores - 1, "array": chip.resources.arrays - 1}.items():
        if total and np.any(columns[name] > end):
            refuse(f"{name} of a shard lies outside the chip")
    positions = columns["tiles"]
    if np.unique(positions).size != positions.size or (positions.size and positions.max() >= chip.tiles):
        refuse("tiles must be different positions on the chip")
    if not np.isin(columns["core"] // chip.cores_per_tile, positions).all():
        refuse("a shard lies in a tile that is not listed")
    shards = Shards(
        **{n: columns[n] for n in STORED},
        height=full["height"].astype(np.int64),
        width=full["width"].astype(np.int64),
        bits=full["bits"].astype(np.float64),
        again=np.repeat([bool(d.tied) for d in demands], np.array(tiles) * copies),
    )
    if total:
        chip.resources.packing.check(chip, shards.stored, refuse)
        _check_again(shards, demands, refuse)
    return shards


def _check_again(shards: Shards, demands: list[Demand], refuse: Callable[[str], None]) -> None:
    """Calls `refuse` where a group that uses weights again is said to lie elsewhere than these."""
    index = {d.name: d.index for d in demands}
    for d in demands:
        if d.tied:
            mine, theirs = (shards.node == i for i in (d.index, index[d.tied]))
            for name in ("core", "array", "array_row0", "array_col0"):
                column = getattr(shards, name)
                if not np.array_equal(column[mine], column[theirs]):
                    refuse(f"{d.group.label} uses the weights of {d.tied}, its {name} differs from theirs")
