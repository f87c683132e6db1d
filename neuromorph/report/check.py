"""Whether parsed JSON has the form of a report: all faults at once, each with its key."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from neuromorph.errors import Place, Problem

MOST_SHOWN = 20

_TABLES: dict[str, dict[str, str]] = {
    "layers": {
        "layer": "text", "operator": "text", "output": "text", "energy_j": "number?", "busy": "number?",
        "macs": "number?", "weights": "number?", "shards": "number?", "arrays": "number?", "cores": "number?",
        "copies": "number?", "skipped": "number?", "utilisation": "number?", "snr_db": "number?", "clipped": "number?",
    },
    "ledger": {
        "layer": "text", "component": "text", "action": "text", "kind": "text", "count": "number",
        "each_j": "number?", "energy_j": "number?", "spread_j": "number?", "low_j": "number?", "high_j": "number?",
        "boundary": "text", "basis": "text", "source": "text",
    },
    "area": {
        "component": "text", "count": "number", "each_m2": "number?", "area_m2": "number?", "leakage_w": "number?",
        "basis": "text", "source": "text",
    },
    "gantt": {"stage": "text", "sample": "number", "begin_s": "number", "end_s": "number", "state": "text"},
    "sources": {
        "part": "text", "quantity": "text", "component": "text", "value": "number?", "unit": "text",
        "low": "number?", "high": "number?", "basis": "text", "source": "text", "where": "text",
        "citation": "text", "url": "text",
    },
    "physics": {"name": "text", "included": "truth", "note": "text", "effect": "text"},
    "effects": {
        "effect": "text", "accuracy": "number", "gain": "number", "error": "number",
        "low": "number?", "high": "number?", "chips_error": "number?", "samples_error": "number?",
    },
}  # fmt: skip
"""Columns that are read. Columns of a table that a row lacks are those the row has no use for, but for the first."""

_OPTIONAL = ("sections", "physics")
"""Keys that reports of earlier versions lack."""

_COLUMN = {"key": "text", "label": "text", "unit": "text?"}
_TILE = {"x": "number", "y": "number", "tile": "number", "utilisation": "number?"}
_LINK = {"x0": "number", "y0": "number", "x1": "number", "y1": "number", "bits": "number"}
_METRIC = {
    "name": "text", "value": "number?", "unit": "text", "low": "number?", "high": "number?", "basis": "text",
    "note": "text", "ranged": "number?",
}  # fmt: skip
_REQUIRED = {
    "metrics": ("name", "value", "unit"), "layers": ("layer",), "ledger": tuple(_TABLES["ledger"]),
    "area": ("component", "count"), "gantt": tuple(_TABLES["gantt"]), "sources": ("part", "quantity", "unit"),
    "effects": ("effect", "accuracy", "gain", "error"),
}  # fmt: skip


def problems(data: Mapping[str, Any], file: str) -> list[Problem]:
    """Every fault of a report's data, at most `MOST_SHOWN`; empty where it is sound."""
    from neuromorph.report.model import Report

    found: list[Problem] = []
    for key, message in _faults(data, [f.name for f in fields(Report)]):
        if len(found) == MOST_SHOWN:
            found.append(Problem("more faults like these", Place(file)))
            break
        found.append(Problem(message, Place(file, key=key), "run the network again to write a sound one"))
    return found


def _faults(data: Mapping[str, Any], names: list[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        if name not in data and name not in _OPTIONAL:
            yield name, "the key is missing"
    for name in data:
        if name not in names:
            yield str(name)[:60], f"unknown key; legal: {', '.join(names)}"
    if not isinstance(data.get("title", ""), str):
        yield "title", "expected text"
    for name in ("provenance", "chips", "floor", "traffic"):
        if not isinstance(data.get(name, {}), dict):
            yield name, "expected an object"
    for name in ("unmodelled", "notes"):
        values = data.get(name, [])
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            yield name, "expected a list of texts"
    yield from _table(data.get("metrics", []), "metrics", _METRIC, closed=True)
    for name, columns in _TABLES.items():
        yield from _table(data.get(name, []), name, columns)
    yield from _chips(data.get("chips", {}))
    yield from _floor(data.get("floor", {}))
    yield from _sections(data.get("sections", []))


def _table(rows: Any, name: str, columns: Mapping[str, str], closed: bool = False) -> Iterator[tuple[str, str]]:
    if not isinstance(rows, list):
        yield name, "expected a list"
        return
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            yield f"{name}.{i}", "expected an object"
            continue
        for column in _REQUIRED.get(name, tuple(columns)):
            if column not in row:
                yield f"{name}.{i}.{column}", "the key is missing"
        for column in row:
            if column in columns:
                message = _value(row[column], columns[column])
                if message:
                    yield f"{name}.{i}.{column}", message
            elif closed:
                yield f"{name}.{i}.{str(column)[:60]}", f"unknown key; legal: {', '.join(columns)}"


def _value(value: Any, kind: str) -> str:
    if kind in ("text", "text?"):
        return "" if isinstance(value, str) or (value is None and kind == "text?") else "expected text"
    if kind == "truth":
        return "" if isinstance(value, bool) else "expected true or false"
    if value is None:
        return "" if kind == "number?" else "expected a number, got null"
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        return "expected a number" + (" or null" if kind == "number?" else "")
    return ""


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _chips(chips: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(chips, dict):
        return
    for name in ("accuracy", "output_error", "trials"):
        values = chips.get(name)
        if values is not None and (not isinstance(values, list) or any(_value(v, "number") for v in values)):
            yield f"chips.{name}", "expected a list of numbers"
    parts = chips.get("interval") or {}
    if not isinstance(parts, dict) or any(
        not isinstance(v, list) or len(v) != 2 or any(_value(e, "number") for e in v) for v in parts.values()
    ):
        yield "chips.interval", "expected two numbers for each part of the interval"
    if _value(chips.get("float_accuracy"), "number?"):
        yield "chips.float_accuracy", "expected a number or null"


def _floor(floor: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(floor, dict) or not floor:
        return
    for name in ("columns", "rows"):
        if _value(floor.get(name), "number"):
            yield f"floor.{name}", "expected a number"
    yield from _table(floor.get("tiles", []), "floor.tiles", _TILE)
    yield from _table(floor.get("links", []), "floor.links", _LINK)
    tiles = floor.get("tiles", [])
    for i, tile in enumerate(tiles if isinstance(tiles, list) else []):
        layers = tile.get("layers", []) if isinstance(tile, dict) else []
        if not isinstance(layers, list) or not all(isinstance(v, str) for v in layers):
            yield f"floor.tiles.{i}.layers", "expected a list of texts"


def _sections(sections: Any) -> Iterator[tuple[str, str]]:
    yield from _table(sections, "sections", {"key": "text", "title": "text", "note": "text"})
    for i, section in enumerate(sections if isinstance(sections, list) else []):
        if not isinstance(section, dict):
            continue
        at, columns, rows = f"sections.{i}", section.get("columns"), section.get("rows")
        yield from _table(columns, f"{at}.columns", _COLUMN)
        if not isinstance(rows, list) or not isinstance(columns, list):
            yield f"{at}.rows", "expected a list"
            continue
        for j, row in enumerate(rows):
            if not isinstance(row, list) or len(row) != len(columns):
                yield f"{at}.rows.{j}", f"expected a list of {len(columns)} values"
                continue
            for column, value in zip(columns, row, strict=True):
                kind = "text?" if isinstance(column, dict) and column.get("unit") is None else "number?"
                if message := _value(value, kind):
                    yield f"{at}.rows.{j}", message
