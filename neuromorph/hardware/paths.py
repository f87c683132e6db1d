"""Addresses of parameters, for sweeps: read, find and replace any of them in a validated architecture.

A full path is the component's path and the parameter's name: "chip.tile.core.adc.bits". Any unambiguous
ending of it will do: "core.adc.bits", "adc.bits". Besides settings and quantities, `count` and `part` of a
component are parameters, and `supply` where its part moves with the supply. Where a setting and a quantity share a
name, the quantity is "adder.part.supply".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuromorph import units
from neuromorph.errors import InputError, Place, Problem, suggest
from neuromorph.hardware import catalog
from neuromorph.hardware.component import Architecture, Component, Datasheet, Quantity, Source
from neuromorph.hardware.curve import Curve
from neuromorph.hardware.datasheet import missing_quantities
from neuromorph.hardware.fields import COUNT, INVALID, NO_FILE, Field, Reader, declared
from neuromorph.hardware.supply import SUPPLY, at_supply
from neuromorph.yamlfile import parse_yaml, scalar

SWEPT = Source("swept", "value set for this run in place of the datasheet's")

_FACTOR = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*[x×]\s*$")
_PART = Field("part", "part", "", "the datasheet of the component", ("function", "energy", "time", "area"), str)


@dataclass(frozen=True)
class Parameter:
    """One addressable parameter. value is in SI (`unit`); None: a quantity that the part does not give."""

    path: str
    role: str
    unit: str
    value: Any
    affects: tuple[str, ...]
    doc: str
    component: Component = field(repr=False)
    declaration: Field = field(repr=False)

    @property
    def name(self) -> str:
        return self.declaration.name


def _of(component: Component, names: tuple[str, ...] | None = None) -> Iterator[Parameter]:
    """The parameters of one component, all or those of these names (as in the last part of a path)."""

    def make(field_: Field, label: str, value: Any) -> Parameter:
        path = f"{component.path}.{label}"
        return Parameter(
            path, field_.role, field_.unit, value, field_.affects, field_.doc, component, field_
        )  # fmt: skip

    settings = declared(component.kind.settings)
    for name, spec in settings.items():
        if names is None or name in names:
            yield make(spec, name, getattr(component.settings, name))
    supply = None if component.part is None or SUPPLY.name in settings else component.part.supply
    if supply is not None and (names is None or SUPPLY.name in names):
        yield make(SUPPLY, SUPPLY.name, supply.at)
    for name, spec in declared(component.kind.quantities).items():
        taken = name in settings or (supply is not None and name == SUPPLY.name)
        label = f"part.{name}" if taken else name
        if names is None or label in names:
            found = component.part.get(name) if component.part is not None else None
            yield make(spec, label, None if found is None else found.value)
    if "." in component.path and component.kind.overhead is None and (names is None or "count" in names):
        yield make(COUNT, "count", component.count)
    if component.kind.quantities is not None and (names is None or "part" in names):
        yield make(_PART, "part", component.part.name if component.part is not None else None)


def parameters(architecture: Architecture, roles: tuple[str, ...] = ("setting", "quantity")) -> list[Parameter]:
    """Every parameter that has a value, of these roles ("setting", "quantity", "count", "part", "supply")."""
    return [
        parameter
        for component, _ in architecture.chip.walk()
        for parameter in _of(component)
        if parameter.role in roles and not (parameter.role in ("quantity", "part") and parameter.value is None)
    ]


def _matches(architecture: Architecture, query: str) -> list[Parameter]:
    words = query.split(".")
    split = -2 if len(words) > 1 and words[-2] == "part" else -1
    owner, label = words[:split], ".".join(words[split:])
    found: list[Parameter] = []
    for component, _ in architecture.chip.walk():
        own = component.path.split(".")
        if not owner or own[-len(owner) :] == owner:
            found.extend(_of(component, (label,)))
    exact = [p for p in found if p.path == query]
    return exact or found


def resolve(architecture: Architecture, query: str) -> Parameter:
    """The parameter that a path or path ending names. Raises InputError with the candidates unless it is unique."""
    place = Place(key=query)
    found = _matches(architecture, query)
    if len(found) == 1:
        return found[0]
    if found:
        listing = ", ".join(p.path for p in found)
        raise InputError(f"{query!r} names {len(found)} parameters", place, f"write one of {listing}")
    every = [p.path for c, _ in architecture.chip.walk() for p in _of(c)]
    name = query.rsplit(".", 1)[-1]
    same = [path for path in every if path.rsplit(".", 1)[-1] == name]
    short = sorted({".".join(path.split(".")[-2:]) for path in every})
    hint = f"did you mean {' or '.join(same[:6])}?" if same else suggest(query, short, "parameters")
    raise InputError(f"{architecture.name} has no parameter {query!r}", place, hint)


def replace(architecture: Architecture, changes: Mapping[str, Any]) -> Architecture:
    """The architecture with parameters replaced and validated as a file is.

    Values are written as in YAML ("0.3 V", 6, "true", "[1 uS, 2 uS]"); "0.5x" scales a number, list or curve.
    Quantities that change get the basis "assumed" and the source "swept". Raises InputError with all problems.
    """
    if not isinstance(changes, Mapping) or not all(isinstance(query, str) for query in changes):
        raise InputError(f"changes are {changes!r:.80}", Place(key="changes"), 'values by path: {"core.adc.bits": 6}')
    problems: list[Problem] = []
    wanted: dict[str, dict[str, tuple[str, Parameter, Any]]] = {}
    for query, raw in changes.items():
        try:
            parameter = resolve(architecture, query)
        except InputError as error:
            problems.extend(error.problems)
            continue
        own = wanted.setdefault(parameter.component.path, {})
        if parameter.path in own:
            message = f"{query!r} and {own[parameter.path][0]!r} are the same parameter"
            problems.append(Problem(message, Place(key=query), "give it once"))
        own[parameter.path] = (query, parameter, raw)
    near = Path(architecture.file).parent if architecture.file else None
    chip = architecture.chip if problems else _rebuild(architecture.chip, wanted, near, problems)
    if problems:
        raise InputError(problems)
    sources = dict(architecture.sources)
    for component, _ in chip.walk():
        if component.part is not None:
            sources.update(component.part.sources)
    return dataclasses.replace(architecture, chip=chip, sources=sources)


Architecture.replace = replace


def _rebuild(
    component: Component,
    wanted: Mapping[str, Mapping[str, tuple[str, Parameter, Any]]],
    near: Path | None,
    problems: list[Problem],
) -> Component:
    prefix = component.path + "."
    if not any(path == component.path or path.startswith(prefix) for path in wanted):
        return component
    before = len(problems)
    children = {name: _rebuild(child, wanted, near, problems) for name, child in component.children.items()}
    component = dataclasses.replace(component, children=children)
    # a new part first, then its supply, then what changes in it
    order = {"part": 0, "supply": 1}
    own = sorted(wanted.get(component.path, {}).values(), key=lambda change: order.get(change[1].role, 2))
    for query, parameter, raw in own:
        component = _changed(component, query, parameter, raw, near, problems)
    if len(problems) == before and component.kind.check is not None:
        for message in component.kind.check(component):
            problems.append(
                Problem(message, Place(key=component.path), f"after changing {', '.join(_queries(wanted))}")
            )
    return component


def _queries(wanted: Mapping[str, Mapping[str, tuple[str, Parameter, Any]]]) -> list[str]:
    return [query for own in wanted.values() for query, _, _ in own.values()]


def _changed(
    component: Component, query: str, parameter: Parameter, raw: Any, near: Path | None, problems: list[Problem]
) -> Component:
    reader = Reader(NO_FILE)
    spec, name, path = parameter.declaration, parameter.name, (query,)
    raw = raw.item() if hasattr(raw, "item") else raw
    if parameter.role == "part":
        new_part = _new_part(reader, component, query, raw, near)
        result = component if new_part is None else dataclasses.replace(component, part=new_part)
    elif parameter.role == "quantity":
        part = component.part or Datasheet("", component.kind.name, "", {}, {})
        found = _new_quantity(reader, path, spec, part.get(name), raw)
        quantities = {**part.quantities, name: found}
        swept = dataclasses.replace(part, quantities=quantities, sources={**part.sources, SWEPT.key: SWEPT})
        result = dataclasses.replace(component, part=part if found is part.get(name) else swept)
    elif parameter.role == "supply":
        value = _new_setting(reader, path, spec, parameter.value, raw)
        result = component if value is INVALID else _supplied(reader, path, component, value)
    else:
        value = _new_setting(reader, path, spec, parameter.value, raw)
        if value is INVALID:
            result = component
        elif parameter.role == "count":
            result = dataclasses.replace(component, count=value)
        else:
            result = dataclasses.replace(component, settings=dataclasses.replace(component.settings, **{name: value}))
    problems.extend(reader.problems)
    return result


def _supplied(reader: Reader, path: tuple[str], component: Component, volts: float) -> Component:
    assert component.part is not None
    try:
        return dataclasses.replace(component, part=at_supply(component.part, volts))
    except InputError as error:
        reader.error(path, error.problems[0].message, error.problems[0].hint)
        return component


def factor_of(raw: Any) -> float | None:
    """0.5 for "0.5x", None for anything that is not a factor."""
    match = _FACTOR.match(raw) if isinstance(raw, str) else None
    return float(match.group(1)) if match else None


def _plain(spec: Field, raw: Any) -> Any:
    """A command-line text as the YAML loader would read it."""
    if not isinstance(raw, str) or (spec.type is str and not spec.length):
        return raw
    text = raw.strip()
    if text.startswith("["):
        return parse_yaml(text, "").data
    return scalar(text)


def _scaled(reader: Reader, path: tuple[str], spec: Field, value: Any, factor: float) -> Any:
    if value is None or spec.type in (str, bool):
        what = "has no value" if value is None else f"is {spec.expected}"
        return reader.error(path, f"{path[0]} {what} and cannot be scaled by {factor:g}x", "write the value itself")
    if isinstance(value, Curve):
        return value.scaled(factor)
    if isinstance(value, tuple):
        items = tuple(_scaled(reader, path, spec, item, factor) for item in value)
        return INVALID if INVALID in items else items
    new = value * factor
    if spec.type is int:
        if new != int(new):
            return reader.error(path, f"{value} scaled by {factor:g}x is not whole", "write the value itself")
        new = int(new)
    return reader.within(path, spec, new, units.format_si(new, spec.unit) if spec.unit else new)


def _new_setting(reader: Reader, path: tuple[str], spec: Field, old: Any, raw: Any) -> Any:
    factor = None if spec.type is str else factor_of(raw)
    if factor is not None:
        return _scaled(reader, path, spec, old, factor)
    return reader.setting(path, spec, _plain(spec, raw))


def _new_quantity(reader: Reader, path: tuple[str], spec: Field, old: Quantity | None, raw: Any) -> Any:
    """The new Quantity; the old one where nothing changes."""
    factor = factor_of(raw)
    if factor == 1.0 and old is not None:
        return old
    if factor is not None:
        value = _scaled(reader, path, spec, None if old is None else old.value, factor)
        if value is INVALID or old is None:
            return old
        where = f"{factor:g} times the value of basis {old.basis}" + (f", source {old.source}" if old.source else "")
        return dataclasses.replace(old.scaled(factor), value=value, basis="assumed", source=SWEPT.key, where=where)
    plain = _plain(spec, raw)
    if spec.shape == "list":
        value = reader.setting(path, dataclasses.replace(spec, length=-1), plain)
    else:
        value = reader.setting(path, spec, plain)
    if value is INVALID:
        return old
    if spec.shape == "curve":
        value = Curve(((None, "polynomial", (value,), None),))
    where = "replaces " + ("nothing" if old is None else f"a value of basis {old.basis}, source {old.source}")
    return Quantity(value, spec.unit, "assumed", SWEPT.key, where)


def _new_part(reader: Reader, component: Component, query: str, raw: Any, near: Path | None) -> Datasheet | None:
    if not isinstance(raw, str):
        reader.error((query,), f"expected the name of a datasheet, got {raw!r}", "name one")
        return None
    try:
        part = catalog.load_datasheet(raw, near)
    except InputError as error:
        reader.problems.extend(error.problems)
        return None
    missing = missing_quantities(component.kind, part.quantities)
    if part.kind != component.kind.name:
        reader.error((query,), f"{raw!r} is a {part.kind}, not a {component.kind.name}", "name a part of that kind")
        return None
    if missing:
        reader.error((query,), f"{raw!r} lacks {', '.join(missing)}", "complete the datasheet")
        return None
    return part
