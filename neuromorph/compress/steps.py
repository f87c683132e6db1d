"""Compression written as text: "prune:0.9,scope=global;quantize:8,activations=8,method=mse".

Steps are separated by ";" and run in order. A step is a name, then its arguments separated by ",":
first (for prune, quantize and cast) the sparsity, the bits or the number format, then options as name=value.
Several layers are joined by "+": exclude=conv1+fc3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from neuromorph.compress import grid
from neuromorph.compress.casting import cast
from neuromorph.compress.pruning import NORMS, SCOPES, prune
from neuromorph.compress.quantization import binarize, quantize, ternarize
from neuromorph.errors import InputError, Place, Problem, suggest
from neuromorph.graph import formats
from neuromorph.graph.model import Graph
from neuromorph.progress import Progress


@dataclass(frozen=True)
class Step:
    """One compression step: its name and its arguments, ready for the function of that name."""

    name: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        parts = []
        for key, value in self.arguments.items():
            text = "+".join(value) if isinstance(value, tuple) else str(value)
            text = text.lower() if isinstance(value, bool) else text
            parts.append(text if key == _STEPS[self.name].first else f"{key}={text}")
        return f"{self.name}:{','.join(parts)}" if parts else self.name


@dataclass(frozen=True)
class _Kind:
    """What a step accepts. first: the argument written without its name; example: a step that has one it needs."""

    function: Callable[..., Graph]
    options: Mapping[str, Callable[[str], Any]]
    first: str | None = None
    example: str = ""
    takes_data: bool = False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{text!r} is not a number") from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{text!r} is not an integer") from None


def _yes(text: str) -> bool:
    if text not in ("true", "false"):
        raise InputError(f"{text!r} is not true or false")
    return text == "true"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split("+") if name.strip())


def _format(text: str) -> str:
    return formats.named(text).name


def _one_of(*legal: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in legal:
            raise InputError(f"{text!r} is not known", hint=suggest(text, legal))
        return text

    return parse


_CHOICE: dict[str, Callable[[str], Any]] = {"layers": _names, "exclude": _names}
_GRANULARITY = {"granularity": _one_of(*grid.GRANULARITIES)}

_STEPS: dict[str, _Kind] = {
    "prune": _Kind(
        prune,
        {
            "sparsity": _number,
            "scope": _one_of(*SCOPES),
            "structure": str,
            "norm": _one_of(*NORMS),
            "remove": _yes,
            **_CHOICE,
        },
        first="sparsity",
    ),
    "quantize": _Kind(
        quantize,
        {
            "bits": _integer,
            "activations": _integer,
            **_GRANULARITY,
            "scheme": _one_of(*grid.SCHEMES),
            "activation_scheme": _one_of(*grid.SCHEMES),
            "method": _one_of(*grid.METHODS),
            "percentile": _number,
            **_CHOICE,
        },
        first="bits",
        example="quantize:8",
        takes_data=True,
    ),
    "binarize": _Kind(binarize, {**_GRANULARITY, **_CHOICE}),
    "ternarize": _Kind(ternarize, {"threshold": _number, **_GRANULARITY, **_CHOICE}, first="threshold"),
    "cast": _Kind(
        cast,
        {"number_format": _format, "inputs": _format, **_GRANULARITY, **_CHOICE},
        first="number_format",
        example="cast:float",
        takes_data=True,
    ),
}


def parse_steps(text: str) -> tuple[Step, ...]:
    """The steps that a text describes; InputError with every problem in it.

    >>> [str(s) for s in parse_steps("prune:0.9, scope=layer; quantize:8")]
    ['prune:0.9,scope=layer', 'quantize:8']
    """
    problems: list[Problem] = []
    steps = []
    pieces = text.split(";")
    if pieces[-1].strip() == "" and len(pieces) > 1:  # a closing separator is no empty step
        pieces.pop()
    for number, piece in enumerate(pieces, start=1):
        step = _parse_step(piece.strip(), f"step {number}", problems)
        if step is not None:
            steps.append(step)
    if problems:
        raise InputError(problems)
    return tuple(steps)


def apply_steps(
    graph: Graph, steps: str | Iterable[Step], data: Any = None, progress: Progress | None = None
) -> Graph:  # fmt: skip
    """The graph after all steps, in order. data: what calibration reads, see `quantize`.

    A problem in a step names it: "step 2 (quantize:8): ...".
    """
    graph.need_values("compression")
    chosen = list(parse_steps(steps) if isinstance(steps, str) else steps)
    if strange := [s for s in chosen if not isinstance(s, Step)]:
        raise InputError(
            f"a {type(strange[0]).__name__} is no step", Place(key="steps"), 'a text: "prune:0.5;quantize:8"'
        )
    for number, step in enumerate(chosen, start=1):
        if progress is not None:
            progress((number - 1) / len(chosen), f"step {number} of {len(chosen)}, {step}")
        kind = _STEPS[step.name]
        extra = {"data": data} if kind.takes_data else {}
        try:
            graph = kind.function(graph, **step.arguments, **extra)
        except InputError as error:
            where = f"step {number} ({step})"
            raise type(error)(
                [Problem(p.message, Place(key=f"{where} {p.place}".strip()), p.hint) for p in error.problems]
            ) from error
    return graph


def needs_data(steps: Iterable[Step]) -> bool:
    """Whether a step calibrates activations."""
    return any(step.arguments.get("activations") is not None for step in steps)


def _parse_step(text: str, where: str, problems: list[Problem]) -> Step | None:
    name, _, rest = text.partition(":")
    name = name.strip()
    kind = _STEPS.get(name)
    if kind is None:
        message = f"step {name!r} is not known" if name else "a step is empty"
        problems.append(Problem(message, Place(key=where), suggest(name, _STEPS)))
        return None
    found = len(problems)
    arguments: dict[str, Any] = {}
    for position, part in enumerate(rest.split(",") if rest.strip() else []):
        key, equals, value = (s.strip() for s in part.partition("="))
        if not equals:
            key, value = (kind.first or "", key) if position == 0 else ("", key)
        place = Place(key=f"{where} ({name})" + (f" {key}" if key else ""))
        if not key:
            hint = "options are written name=value: " + ", ".join(kind.options)
            problems.append(Problem(f"{value!r} has no name" if value else "an argument is empty", place, hint))
        elif key not in kind.options:
            problems.append(Problem(f"option {key!r} is not known", place, suggest(key, kind.options)))
        elif key in arguments:
            problems.append(Problem("given twice", place))
        elif not value:
            problems.append(Problem("has no value", place))
        else:
            _read(kind.options[key], key, value, place, arguments, problems)
    if kind.example and kind.first not in arguments and len(problems) == found:
        problems.append(Problem(f"{kind.first} is missing", Place(key=f"{where} ({name})"), f"such as {kind.example}"))
    return Step(name, arguments) if len(problems) == found else None


def _read(
    parse: Callable[[str], Any], key: str, text: str, place: Place, into: dict[str, Any], problems: list[Problem]
) -> None:
    try:
        into[key] = parse(text)
    except InputError as error:
        problems += [Problem(p.message, place, p.hint) for p in error.problems]
