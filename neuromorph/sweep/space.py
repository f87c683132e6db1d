"""The space of a sweep: axes written as text, and the ordered points drawn from them.

An axis is `path=values`. The forms of `values` are listed in `FORMS`; they are parsed by hand and never evaluated.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from neuromorph.errors import InputError, Place, Problem, suggest

Value = bool | int | float | str
"""A value of an axis: a plain number or word, a factor of the present value ("0.5x") or a number with its unit."""

FORMS = (
    "4..8",
    "4..16:4",
    "0x,0.5x,1x",
    "0.1 V,0.2 V",
    "lin(0, 1, 5)",
    "log(1e-3, 1, 7)",
    "log:0.1 V..1 V:5",
    "uniform(0.1 V, 1 V)",
    "loguniform(1e-3, 1)",
)
RANGES = ("lin", "log", "uniform", "loguniform")
METHODS = ("grid", "random", "lhs", "sobol")
SPECIAL = ("seed", "trials", "time", "model", "architecture")
"""Axes that are no path into the architecture."""

MOST_POINTS = 1_000_000
"""More points than this are taken for a slip of the pen."""

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_MEASURE = re.compile(rf"({_NUMBER})(\s*)(.*)", re.DOTALL)
_INTEGERS = re.compile(r"([+-]?\d+)\s*\.\.\s*([+-]?\d+)(?:\s*:\s*([+-]?\d+))?")
_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)
_COLON = re.compile(r"([A-Za-z]\w*)\s*:\s*(.*?)\s*\.\.\s*(.*?)(?:\s*:\s*([^:]*))?", re.DOTALL)


class _Bad(ValueError):
    """A piece of an axis text that is not legal; turned into an InputError by `parse_axis`."""


@dataclass(frozen=True)
class Axis:
    """One parameter that is varied: either listed `values`, or a continuous range from `low` to `high` in `unit`."""

    path: str
    values: tuple[Value, ...] = ()
    low: float | None = None
    high: float | None = None
    unit: str = ""
    log: bool = False

    @property
    def continuous(self) -> bool:
        return self.low is not None

    def at(self, u: float) -> Value:
        """The value at fraction u in [0, 1): equal shares for listed values, linear or logarithmic for a range."""
        if self.low is None or self.high is None:
            return self.values[min(int(u * len(self.values)), len(self.values) - 1)]
        if self.log:
            return _joined(math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low))), self.unit)
        return _joined(self.low + u * (self.high - self.low), self.unit)


@dataclass(frozen=True)
class Point:
    """One combination of parameter values. `key` identifies it by content; `index` is its place in the sweep."""

    index: int
    parameters: Mapping[str, Value] = field(hash=False)

    @cached_property
    def key(self) -> str:
        return key_of(self.parameters)


def key_of(content: Any) -> str:
    """A 128-bit hex digest of the canonical JSON of a value (keys sorted, no spaces, no NaN)."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def split_value(value: Value) -> tuple[float | None, str]:
    """Number and unit of a value: 4 -> (4.0, ""), "0.5x" -> (0.5, "x"), "0.1 V" -> (0.1, "V"), a word -> (None, "")."""
    if isinstance(value, bool):
        return None, ""
    if isinstance(value, int | float):
        return float(value), ""
    found = re.fullmatch(rf"({_NUMBER})(?:(x)|\s+(\S.*))", value)
    if not found:
        return None, ""
    return float(found[1]), found[2] or found[3]


def parse_axes(vary: Mapping[str, Any] | Iterable[str | Axis]) -> tuple[Axis, ...]:
    """Axes from `--vary` texts, `Axis` objects, or a mapping of path to text, list of values or single value.

    Raises InputError with every faulty axis at once.
    """
    items: list[Any] = list(vary.items()) if isinstance(vary, Mapping) else list(vary)
    axes: list[Axis] = []
    problems: list[Problem] = []
    for item in items:
        try:
            axes.append(_axis_from(item))
        except InputError as e:
            problems.extend(e.problems)
    for path in {a.path for a in axes if sum(b.path == a.path for b in axes) > 1}:
        problems.append(Problem(f"{path} is varied twice", Place(key="vary"), "write all its values in one --vary"))
    if not items:
        problems.append(Problem("nothing is varied", Place(key="vary"), "e.g. --vary core.adc.bits=4..8"))
    if problems:
        raise InputError(problems)
    return tuple(axes)


def _axis_from(item: Any) -> Axis:
    if isinstance(item, Axis):
        return item
    if isinstance(item, str):
        return parse_axis(item)
    if not isinstance(item, tuple) or len(item) != 2:
        what = f"{item!r:.60} is no parameter with values"
        raise InputError(what, Place(key="vary"), 'a text "core.adc.bits=4..8", or {"core.adc.bits": [4, 5]}')
    path, values = item
    if isinstance(values, Axis):
        return values
    if isinstance(values, str):
        return parse_axis(f"{path}={values}")
    listed = list(values) if isinstance(values, Iterable) else [values]
    return _listed_axis(str(path), [_plain(path, v) for v in listed])


def _plain(path: str, value: Any) -> Value:
    value = value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value
    if isinstance(value, str):
        try:
            return _value(value)
        except _Bad as e:
            raise InputError(str(e), Place(key=str(path))) from None
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InputError(
        f"{value!r} cannot be a value of an axis", Place(key=str(path)), "numbers, words or texts such as '0.1 V', '2x'"
    )


def parse_axis(text: str) -> Axis:
    """One axis from `path=values`. Raises InputError that names the forms `values` may have."""
    path, equals, body = (part.strip() for part in text.partition("="))
    legal = "legal: path=" + "  path=".join(FORMS)
    if not equals or not path or re.search(r"\s", path):
        raise InputError(f"{text!r} is not of the form path=values", Place(key="vary"), legal)
    if not body:
        raise InputError("no values after '='", Place(key=path), legal)
    try:
        pieces = _pieces(body)
        if len(pieces) == 1 and (found := _CALL.fullmatch(pieces[0])) and found[1] in ("uniform", "loguniform"):
            return _range_axis(path, found[1], [a.strip() for a in found[2].split(",")])
        return _listed_axis(path, [v for piece in pieces for v in _expand(piece)])
    except _Bad as e:
        raise InputError(str(e), Place(key=path), legal) from None


def _pieces(body: str) -> list[str]:
    """Split at commas outside parentheses."""
    pieces, depth, start = [], 0, 0
    for i, char in enumerate(body):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            raise _Bad(f"{body!r} closes a parenthesis that was not opened")
        if char == "," and depth == 0:
            pieces.append(body[start:i].strip())
            start = i + 1
    if depth:
        raise _Bad(f"{body!r} leaves a parenthesis open")
    pieces.append(body[start:].strip())
    if not all(pieces):
        raise _Bad(f"{body!r} has an empty value between commas")
    return pieces


def _expand(piece: str) -> list[Value]:
    """The values that one piece of a list stands for."""
    if found := _INTEGERS.fullmatch(piece):
        return _integers(piece, int(found[1]), int(found[2]), int(found[3] or 1))
    if found := _CALL.fullmatch(piece):
        name, arguments = found[1], [a.strip() for a in found[2].split(",")]
        if name in ("uniform", "loguniform"):
            raise _Bad(f"{name}(...) stands alone and cannot be one of several values")
        if name not in ("lin", "log"):
            raise _Bad(f"{name!r} is no kind of range; {suggest(name, RANGES, 'kinds')}")
        if len(arguments) != 3:
            raise _Bad(f"{name}(...) takes three arguments: first value, last value, number of values")
        return _spaced(name, *arguments)
    if (found := _COLON.fullmatch(piece)) and found[1] in ("lin", "log"):
        if not found[4]:
            raise _Bad(f"{piece!r} does not say how many values, as in {found[1]}:1..10:5")
        return _spaced(found[1], found[2], found[3], found[4])
    if ".." in piece and _MEASURE.match(piece):
        raise _Bad(f"{piece!r}: first..last is for whole numbers; for others write lin(first, last, number of values)")
    return [_value(piece)]


def _integers(piece: str, first: int, last: int, step: int) -> list[Value]:
    if step < 1 or last < first:
        raise _Bad(f"{piece!r} holds no value: first..last:step needs first <= last and a step of at least 1")
    if (last - first) // step >= MOST_POINTS:
        raise _Bad(f"{piece!r} holds more than {MOST_POINTS:,} values")
    return list(range(first, last + 1, step))


def _measure(text: str) -> tuple[float, str]:
    """A number and its unit ("" or "x" or "V"...)."""
    found = _MEASURE.fullmatch(text)
    if not found:
        raise _Bad(f"{text!r} does not start with a number")
    number = float(found[1])
    if not math.isfinite(number):
        raise _Bad(f"{text!r} is not finite")
    return number, "x" if found[3] == "×" else found[3].strip()


def _ends(kind: str, first: str, last: str) -> tuple[float, float, str]:
    (low, unit), (high, other) = _measure(first), _measure(last)
    if unit != other:
        raise _Bad(f"{kind} runs from {first!r} to {last!r}: both ends need the same unit")
    if "log" in kind and (low <= 0 or high <= 0):
        raise _Bad(f"{kind} needs both ends above zero, got {first!r} and {last!r}")
    if low >= high:
        raise _Bad(f"{kind} needs its first end below its last, got {first!r} and {last!r}")
    return low, high, unit


def _spaced(kind: str, first: str, last: str, number: str) -> list[Value]:
    low, high, unit = _ends(kind, first, last)
    if not re.fullmatch(r"\d+", number) or not 2 <= int(number) <= MOST_POINTS:
        raise _Bad(f"{kind} needs a number of values of 2 or more, got {number!r}")
    n = int(number)
    if kind == "log":
        inner = [math.exp(math.log(low) + (math.log(high) - math.log(low)) * i / (n - 1)) for i in range(1, n - 1)]
    else:
        inner = [low + (high - low) * i / (n - 1) for i in range(1, n - 1)]
    return [_joined(v, unit) for v in (low, *inner, high)]


def _range_axis(path: str, kind: str, arguments: Sequence[str]) -> Axis:
    if len(arguments) != 2:
        raise _Bad(f"{kind}(...) takes two arguments: lowest and highest value")
    low, high, unit = _ends(kind, *arguments)
    return Axis(path, low=low, high=high, unit=unit, log=kind == "loguniform")


def _joined(number: float, unit: str) -> Value:
    """A value from number and unit, rounded to 12 digits: its key must not hang on the last bit of exp or log."""
    rounded = float(f"{number:.12g}")
    return rounded if not unit else _text(rounded, unit)


def _text(number: float, unit: str) -> str:
    digits = repr(number).removesuffix(".0")
    return f"{digits}x" if unit == "x" else f"{digits} {unit}"


def _value(text: str) -> Value:
    """A single value: number, factor, number with unit, true/false, or a word."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if text.lower() in ("nan", "inf", "+inf", "-inf"):
        raise _Bad(f"{text!r} is not a finite number")
    found = _MEASURE.fullmatch(text)
    if found:
        number, unit = _measure(text)
        if not unit:
            return number
        if unit == "x" or found[2]:
            return _text(number, unit)
    if not text or re.search(r"[=()\"'\\]", text):
        raise _Bad(f"{text!r} is no value")
    return text


def _listed_axis(path: str, values: Sequence[Value]) -> Axis:
    place = Place(key=path)
    if not values:
        raise InputError("no values", place, "give at least one")
    seen: set[tuple[type, Value]] = set()
    for v in values:
        mark = (bool if isinstance(v, bool) else str if isinstance(v, str) else float, v)
        if mark in seen:
            raise InputError(f"the value {v} is listed twice", place, "list each value once")
        seen.add(mark)
    least = {"seed": 0, "trials": 1}.get(path)
    if least is not None:
        for v in values:
            if isinstance(v, bool) or not isinstance(v, int) or v < least:
                raise InputError(f"{v!r} is no legal {path}", place, f"whole numbers from {least}, e.g. {path}=1..4")
    return Axis(path, tuple(values))


def make_points(
    axes: Sequence[Axis], *, method: str = "grid", points: int | None = None, seed: int = 0
) -> tuple[Point, ...]:
    """The ordered points of a sweep.

    method: "grid" takes every combination (last axis fastest); "random", "lhs" (Latin hypercube) and "sobol"
    (scrambled Sobol sequence, scipy.stats.qmc) draw `points` points with `seed`. Combinations that are drawn twice
    (only possible where no axis is continuous) appear once. Raises InputError for contradicting arguments.
    """
    if method not in METHODS:
        raise InputError(f"{method!r} is no method", Place(key="method"), suggest(method, METHODS))
    if method == "grid":
        combinations = _grid(axes, points)
    else:
        if points is None or points < 1:
            raise InputError(f"method {method} needs a number of points", Place(key="points"), "e.g. --points 64")
        if points > MOST_POINTS:
            raise InputError(f"{points:,} points are more than {MOST_POINTS:,}", Place(key="points"))
        unit = _unit_samples(method, len(axes), points, seed)
        combinations = (tuple(a.at(float(u)) for a, u in zip(axes, row, strict=True)) for row in unit)
    unique: dict[str, Point] = {}
    for combination in combinations:
        parameters = {a.path: v for a, v in zip(axes, combination, strict=True)}
        key = key_of(parameters)
        if key not in unique:
            unique[key] = Point(len(unique), parameters)
    return tuple(unique.values())


def _grid(axes: Sequence[Axis], points: int | None) -> Iterable[tuple[Value, ...]]:
    if points is not None:
        raise InputError(
            "a grid has as many points as its axes give", Place(key="points"), "leave --points out or name a --method"
        )
    for a in axes:
        if a.continuous:
            raise InputError(
                "a continuous range has no grid", Place(key=a.path), "use --method random, lhs or sobol, or lin(...)"
            )
    total = math.prod(len(a.values) for a in axes)
    if total > MOST_POINTS:
        raise InputError(
            f"the grid has {total:,} points, more than {MOST_POINTS:,}",
            Place(key="vary"),
            "use --method sobol --points",
        )
    return itertools.product(*(a.values for a in axes))


def _unit_samples(method: str, dimensions: int, points: int, seed: int) -> Any:
    """(points, dimensions) array in [0, 1)."""
    import numpy as np

    if method == "random":
        return np.random.default_rng(seed).random((points, dimensions))
    from scipy.stats import qmc

    if method == "lhs":
        return qmc.LatinHypercube(dimensions, seed=seed).random(points)
    # A Sobol sequence is balanced only over whole powers of two; the first points of the next power are used.
    return qmc.Sobol(dimensions, scramble=True, seed=seed).random_base2((points - 1).bit_length())[:points]
