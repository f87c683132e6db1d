"""Reading values against the declarations of a component kind, with every fault collected.

Used by the datasheet and architecture readers and by `paths.replace`, so that a value is judged the
same way wherever it comes from.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from neuromorph import units
from neuromorph.errors import InputError, Problem, suggest
from neuromorph.yamlfile import KeyPath, YamlFile

INVALID: Any = type("Invalid", (), {"__repr__": lambda self: "INVALID"})()
"""Stands for a value whose fault has been noted."""

NO_FILE = YamlFile("", {}, {})
"""For values that come from arguments."""

MAX_COUNT = 10**9
MAX_INTEGER = 2**62
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")


@dataclass(frozen=True)
class Field:
    """One declared setting or quantity. type: int, float, str or bool; length: 0 for a scalar, -1 for any list."""

    name: str
    role: str
    unit: str
    doc: str
    affects: tuple[str, ...]
    type: type
    length: int = 0
    optional: bool = False
    required: bool = True
    default: Any = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    shape: str = "scalar"
    vector: bool = False

    @property
    def expected(self) -> str:
        """What is legal, for messages."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.unit:
            return units.describe(self.unit)
        return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[self.type]


COUNT = Field(
    "count", "count", "", "how many of it one parent holds", ("energy", "time", "area"), int, low=1, high=MAX_COUNT
)


def _scalar_type(hint: Any) -> tuple[type, int, bool]:
    """(type, length, optional) of an annotation such as int, float | None or tuple[int, ...]."""
    optional = False
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [a for a in typing.get_args(hint) if a is not type(None)]
        optional = len(members) < len(typing.get_args(hint))
        hint = members[0] if len(members) == 1 else float if set(members) <= {int, float} else None
    length = 0
    if typing.get_origin(hint) is tuple:
        args = typing.get_args(hint)
        length = -1 if args[-1] is Ellipsis else len(args)
        hint = args[0]
    if typing.get_origin(hint) is typing.Literal:
        hint = str
    if hint not in (int, float, str, bool):
        raise TypeError(f"a setting must be int, float, str, bool or a tuple of these, not {hint!r}")
    return hint, length, optional


@lru_cache(maxsize=512)
def declared(cls: type | None) -> Mapping[str, Field]:
    """The fields of a settings or quantities dataclass by name, in order of declaration."""
    if cls is None:
        return {}
    hints = typing.get_type_hints(cls)
    found = {}
    for f in dataclasses.fields(cls):
        meta = f.metadata
        if "role" not in meta:
            raise TypeError(f"{cls.__name__}.{f.name} is not declared with setting() or quantity()")
        if meta["role"] == "quantity":
            found[f.name] = Field(
                f.name, "quantity", meta["unit"], meta["doc"], meta["affects"], float,
                required=meta["required"], low=meta["low"], high=meta["high"], shape=meta["shape"],
                vector=meta["vector"],
            )  # fmt: skip
            continue
        kind, length, optional = _scalar_type(hints[f.name])
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        default = None if required or f.default is dataclasses.MISSING else f.default
        found[f.name] = Field(
            f.name, "setting", meta["unit"], meta["doc"], meta["affects"], kind, length, optional, required, default,
            meta["choices"], meta["low"], meta["high"], vector=meta["vector"],
        )  # fmt: skip
    return found


def shown(value: Any) -> str:
    """A value as a message shows it, cut to a readable length."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple) and len(repr(value)) > 60:
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Reader:
    """Collects the problems of one file; its readers return INVALID where they noted one."""

    def __init__(self, yaml: YamlFile) -> None:
        self.yaml = yaml
        self.problems: list[Problem] = []

    def error(self, path: KeyPath, message: str, hint: str = "", at: str = "value") -> Any:
        self.problems.append(Problem(message, self.yaml.place(path, at), hint))
        return INVALID

    def raise_problems(self) -> None:
        if self.problems:
            order = sorted(self.problems, key=lambda p: (p.place.line or 0, p.place.column or 0))
            raise InputError(order)

    def mapping(self, path: KeyPath, raw: Any, what: str) -> Any:
        """raw as a mapping with string keys, or INVALID."""
        if isinstance(raw, dict):
            return raw
        return self.error(path, f"expected {what} as a mapping of keys, got {shown(raw)}", "write 'key: value' lines")

    def keys(self, path: KeyPath, raw: Mapping[str, Any], legal: Sequence[str], required: Sequence[str] = ()) -> None:
        """Notes unknown and missing keys."""
        for key in raw:
            if key not in legal:
                self.error((*path, key), f"unknown key {key!r}", suggest(key, legal, "legal keys"), at="key")
        for key in required:
            if key not in raw:
                self.error((*path, key), f"required key {key!r} is missing", f"add '{key}: ...'", at="key")

    def text(self, path: KeyPath, raw: Any, required: bool = False) -> Any:
        """raw as text; a number or date is read as written."""
        if raw is None and not required:
            return ""
        if isinstance(raw, str) and (raw.strip() or not required):
            return raw.strip()
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return str(raw)
        return self.error(path, f"expected a text, got {shown(raw)}", "write words, in quotes if need be")

    def name(self, data: Mapping[str, Any]) -> Any:
        """The `name` of a file: letters, digits and . _ + - only, since output files are named after it."""
        if "name" not in data:
            return ""
        found = self.text(("name",), data["name"], required=True)
        if found is not INVALID and not _NAME.fullmatch(found):
            return self.error(("name",), f"{shown(found)} is not a legal name", "use letters, digits, '-', '_' and '.'")
        return found

    def setting(self, path: KeyPath, field: Field, raw: Any) -> Any:
        """The value of a declared setting: SI float, int, str, bool, a tuple of these or None; INVALID if noted."""
        if raw is None and field.optional:
            return None
        if not field.length:
            return self._one(path, field, raw)
        if not isinstance(raw, list | tuple):
            return self.error(
                path, f"expected a list, each {field.expected}, got {shown(raw)}", "write [first, second]"
            )
        if field.length > 0 and len(raw) != field.length:
            return self.error(path, f"expected {field.length} values, got {len(raw)}", f"each is {field.expected}")
        if not raw:
            return self.error(path, "the list is empty", f"give at least one value, each {field.expected}")
        values = tuple(self._one((*path, i), field, item) for i, item in enumerate(raw))
        return INVALID if INVALID in values else values

    def _one(self, path: KeyPath, field: Field, raw: Any) -> Any:
        value = self._typed(path, field, raw)
        if value is INVALID or isinstance(value, str | bool):
            return value
        return self.within(path, field, value, raw)

    def _typed(self, path: KeyPath, field: Field, raw: Any) -> Any:
        if raw is None:
            return self.error(path, f"no value given: expected {field.expected}", "write it after the colon")
        if field.unit:
            return self.physical(path, field, raw)
        if field.type is bool:
            if isinstance(raw, bool):
                return raw
        elif field.type is str:
            raw = str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw
            if isinstance(raw, str) and field.choices and raw not in field.choices:
                return self.error(path, f"{raw!r} is not a choice for {field.name}", suggest(raw, field.choices))
            if isinstance(raw, str):
                return raw
        elif isinstance(raw, int | float) and not isinstance(raw, bool):
            if field.type is float:
                return self.finite(path, raw)
            if isinstance(raw, int) and abs(raw) < MAX_INTEGER:
                return raw
            if isinstance(raw, int):
                return self.error(path, f"{shown(raw)} is outside the range of whole numbers", "check the digits")
        hint = _number_hint(field, raw)
        return self.error(path, f"expected {field.expected}, got {shown(raw)}", hint)

    def finite(self, path: KeyPath, raw: int | float) -> Any:
        try:
            value = float(raw)
        except OverflowError:
            value = float("inf")
        if value in (float("inf"), float("-inf")):
            return self.error(path, f"{shown(raw)} is outside the range of numbers", "check the exponent")
        return value

    def physical(self, path: KeyPath, field: Field, raw: Any) -> Any:
        """A value with unit as SI float (int where the field is one)."""
        try:
            value = units.parse(raw, field.unit)
        except InputError as error:
            problem = error.problems[0]
            return self.error(path, problem.message, problem.hint)
        if field.type is int:
            if value != int(value):
                return self.error(path, f"expected a whole number of {field.unit}, got {shown(raw)}", "round it")
            return int(value)
        return value

    def within(self, path: KeyPath, field: Field, value: Any, raw: Any) -> Any:
        """value if inside the plausible limits of the field, else INVALID with a problem."""
        for limit, beyond, side in ((field.low, -1, "below"), (field.high, 1, "above")):
            if limit is not None and (value - limit) * beyond > 0:
                name = "lowest" if side == "below" else "highest"
                bound = units.format_si(limit, field.unit) if field.unit else f"{limit:g}"
                text = raw if isinstance(raw, str) else shown(raw)
                return self.error(
                    path, f"{text} is {side} the {name} legal value {bound}", f"{field.name}: {field.doc}"
                )
        return value


def _number_hint(field: Field, raw: Any) -> str:
    if field.type is bool:
        return "write true or false"
    if isinstance(raw, bool):
        return "true and false are not numbers"
    if field.type is int and isinstance(raw, float) and raw == int(raw):
        return f"write {int(raw)}"
    if isinstance(raw, str) and raw.lstrip("+-0").isdigit():
        return f"write {int(raw)} without leading zeros or quotes"
    if isinstance(raw, str) and raw[:1].isdigit() and not raw.replace(".", "").isdigit():
        return "this setting has no unit: write the number alone, in decimal"
    return f"write {field.expected}; {field.doc}" if field.doc else f"write {field.expected}"
