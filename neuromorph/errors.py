"""Errors that reach a user: what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where a problem sits: a file with line and column (1-based), and the key path inside it."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        text = self.file or ""
        if self.line is not None:
            text += f":{self.line}"
            if self.column is not None:
                text += f":{self.column}"
        if self.key:
            text += f" [{self.key}]" if text else self.key
        return text


@dataclass(frozen=True)
class Problem:
    """One fault of an input: the message says what was found and what is legal, the hint what to do."""

    message: str
    place: Place = Place()
    hint: str = ""

    def __str__(self) -> str:
        head = f"{self.place}: " if str(self.place) else ""
        tail = f" ({self.hint})" if self.hint else ""
        return f"{head}{self.message}{tail}"


class NeuromorphError(ValueError):
    """Base of every error this package raises on purpose. The CLI prints it without a traceback and exits with 2."""

    exit_code = 2


class InputError(NeuromorphError):
    """An input (file, option, network, data) is not usable; carries every problem found in it."""

    def __init__(self, problems: str | Problem | Iterable[Problem], place: Place = Place(), hint: str = "") -> None:
        if isinstance(problems, str):
            problems = Problem(problems, place, hint)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[object, ...]]:  # keeps the problems across process boundaries
        return (type(self), (self.problems,))


class FitError(InputError):
    """A network does not fit the hardware: names the layer, the limit that binds and what would fit."""


class MissingExtraError(NeuromorphError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is needed for this and is not installed (pip install 'neuromorph[{extra}]')")
        self.package, self.extra = package, extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return (type(self), (self.package, self.extra))


SHOWN = 40
"""Names that a hint lists at most."""


def suggest(name: object, legal: Iterable[object], what: str = "legal", most: int = 1) -> str:
    """A hint for a name that is not known: `did you mean 'rows'? legal keys: rows, cols`.

    Up to `most` near names (case does not count; names that differ in case alone are all told), then the legal ones as
    `what`; with what = "" the near ones alone, "" where there is none.
    """
    words = [str(n) for n in legal]
    alike: dict[str, list[str]] = {}
    for word in words:
        alike.setdefault(word.lower(), []).append(word)
    sought = str(name).lower()
    close = [sought] if sought in alike else difflib.get_close_matches(sought, alike, n=most, cutoff=0.6)
    near = " or ".join(repr(word) for c in close for word in alike[c])
    meant = f"did you mean {near}?" if near else ""
    if not what:
        return meant
    listing = (", ".join(words[:SHOWN]) + (", ..." if len(words) > SHOWN else "")) or "none"
    return f"{meant} {what}: {listing}".lstrip()
