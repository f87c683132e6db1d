"""Values of the portable format's JSON as fields of operators, each fault with its key."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from neuromorph.errors import InputError, suggest
from neuromorph.graph import formats
from neuromorph.graph.model import NumberFormat, Shape, Window
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.graph.semantics import Semantics

FORMAT, SCHEMA = "neuromorph graph", 1

MAX_SIZE = 2**40
"""Largest number of elements of one sample's value: beyond this a shape is taken for a mistake."""


class Fault(Exception):
    """A problem under some key; the reader turns it into a Problem with file and line."""

    def __init__(self, key: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.key, self.message, self.hint = key, message, hint


def field_types(cls: type) -> dict[str, tuple[Any, ...]]:
    """The types a field may have, unions taken apart; tuple types stay whole."""
    hints = typing.get_type_hints(cls)
    found: dict[str, tuple[Any, ...]] = {}
    for f in dataclasses.fields(cls):
        hint = hints[f.name]
        union = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, type(int | None)) else (hint,)
        found[f.name] = union
    return found


def decoded(value: Any, types: Iterable[Any], key: str) -> Any:
    """A JSON value as one of these field types; raises Fault."""
    types = tuple(types)
    if value is None and NoneType in types:
        return None
    for kind in types:
        if kind is bool and isinstance(value, bool):
            return value
        if kind is int and isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_SIZE:
            return value
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        if kind is str and isinstance(value, str):
            return value
        if kind in (NumberFormat, Window) and isinstance(value, dict):
            return _format(value, key) if kind is NumberFormat else _window(value, key)
        if kind in (Semantics, Plasticity) and isinstance(value, dict):
            return _settings(kind, value, key)
        if typing.get_origin(kind) is tuple and isinstance(value, list):
            inner = typing.get_args(kind)
            if len(inner) == 2 and inner[1] is Ellipsis:
                return tuple(decoded(v, (inner[0],), f"{key}[{i}]") for i, v in enumerate(value))
            if len(inner) == len(value):
                return tuple(decoded(v, (t,), f"{key}[{i}]") for i, (v, t) in enumerate(zip(value, inner, strict=True)))
    names = " or ".join(_type_name(t) for t in types)
    raise Fault(key, f"is {found(value)}, expected {names}")


def _settings(kind: Any, value: Mapping[str, Any], key: str) -> Any:
    """A dataclass of plain values; what it refuses itself is raised as InputError."""
    declared = {f.name: f for f in dataclasses.fields(kind)}
    needed = [n for n, f in declared.items() if f.default is dataclasses.MISSING]
    for fault in key_faults(value, needed, tuple(declared), key):
        raise fault
    hints = {n: typing.get_args(h) or (h,) for n, h in typing.get_type_hints(kind).items()}
    return kind(**{n: decoded(v, hints[n], f"{key}.{n}") for n, v in value.items()})


def _window(value: Mapping[str, Any], key: str) -> Window:
    declared = {f.name: f.type for f in dataclasses.fields(Window)}
    for fault in key_faults(value, ("kernel",), tuple(declared), key):
        raise fault
    hints = typing.get_type_hints(Window)
    window = Window(**{n: decoded(v, (hints[n],), f"{key}.{n}") for n, v in value.items()})
    for name, least in (("kernel", 1), ("stride", 1), ("dilation", 1), ("padding", 0)):
        if min(getattr(window, name)) < least:
            raise Fault(f"{key}.{name}", f"is {list(getattr(window, name))}, must be at least {least}")
    return window


def _format(value: Mapping[str, Any], key: str) -> NumberFormat:
    """A number format: `kind` names it, `bits` must be what it stores, the rest are its fields."""
    known = formats.load()
    kind = value.get("kind", "float")  # older files leave out what is the default of all
    if not isinstance(kind, str) or kind not in known:
        raise Fault(f"{key}.kind", f"is {found(kind)}", f"legal: {', '.join(known)}")
    types = field_types(known[kind])
    given = {n: v for n, v in value.items() if n != "kind" and (n in types or n != "bits")}
    needed = [f.name for f in dataclasses.fields(known[kind]) if f.default is dataclasses.MISSING]
    for fault in key_faults(given, needed, (*types, "kind", "bits"), key):
        raise fault
    fields = {n: _part(v, types[n], f"{key}.{n}") for n, v in given.items()}
    try:
        made = known[kind](**fields)
        stored = made.stored_bits
    except InputError as error:
        first = error.problems[0]
        raise Fault(f"{key}.{first.place.key}" if first.place.key else key, first.message, first.hint) from None
    for name in made.missing:
        raise Fault(f"{key}.{name}", f"is missing: a format of kind {kind!r} needs one")
    if "bits" in value and decoded(value["bits"], (int,), f"{key}.bits") != stored:
        raise Fault(f"{key}.bits", f"is {value['bits']}, a number of this {kind} format takes {stored}")
    return made


def _part(value: Any, types: tuple[Any, ...], key: str) -> Any:
    """A field of a number format: numbers in lists are an array where it may be one."""
    if np.ndarray not in types or value is None:
        return decoded(value, types, key)
    if not _numbers(value):
        raise Fault(key, f"is {found(value)}, expected a finite number or a list of these")
    try:
        return np.asarray(value, dtype=np.float64)
    except ValueError:
        raise Fault(key, "has rows of different lengths") from None


def _numbers(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_numbers(v) for v in value)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def checked_shape(value: Any, key: str) -> Shape:
    """A list of positive integers as a shape."""
    if not isinstance(value, list) or not all(type(n) is int and n > 0 for n in value):
        raise Fault(key, f"is {found(value)}, expected a list of positive integers")
    if math.prod(value) > MAX_SIZE:
        raise Fault(key, f"{value} has more than {MAX_SIZE} elements")
    return tuple(value)


def key_faults(given: Mapping[str, Any], needed: Iterable[str], legal: Iterable[str], key: str) -> Iterable[Fault]:
    """A fault for every unknown and every missing key of an object."""
    legal = tuple(legal)
    for name in given:
        if name not in legal:
            path = f"{key}.{name}" if key else name
            yield Fault(path, f"unknown key {name!r}", suggest(name, legal))
    for name in needed:
        if name not in given:
            yield Fault(key, f"{name!r} is missing")


def found(value: Any) -> str:
    """A JSON value as a message shows it."""
    text = json.dumps(value) if not isinstance(value, float) or math.isfinite(value) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


_JSON_NAMES: dict[Any, str] = {str: "a string", dict: "an object", list: "a list"}


def json_name(kind: type) -> str:
    """What JSON calls this type."""
    return _JSON_NAMES[kind]


def _type_name(kind: Any) -> str:
    names = {bool: "true or false", int: "an integer", float: "a finite number", str: "a string", NoneType: "null"}
    return names.get(kind) or ("a list of " + str(typing.get_args(kind)) if typing.get_args(kind) else "an object")


def kind_of_file(path: Path) -> str:
    """What a file that should be safetensors looks like."""
    with path.open("rb") as stream:
        start = stream.read(9)
    if start[:2] == b"PK":
        return "it looks like a zip archive (a torch or numpy file)"
    if start[:1] == b"\x80" or start[:1] in (b"(", b"c"):
        return "it looks like a pickle, which is never read"
    if len(start) < 9 or start[8:9] != b"{":
        return "it does not begin like a safetensors file"
    return "it was truncated, extended or changed"
