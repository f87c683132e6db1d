"""Architectures: a chip as a tree of components, read from YAML.

    schema: 1
    name: isaac-like
    boundary: chip
    chip:
      tile:
        count: 168
        core: {kind: crossbar, count: 12, adc: {part: sar-8b-32nm, bits: 8}}

A component is a mapping. `kind` may be left out where its slot admits one kind only or its part tells
it; `count` (default 1) is how many of it one parent holds; `part` names a datasheet, `supply` the voltage that
the part works at (see `hardware.supply`); `override` replaces single quantities of that part. Every other key is a
setting or a child slot of the component's kind.
A component of a kind with an overhead (a cryostat) may stand under any other name, says its `kind`, and
holds what its parent could hold:

      cold: {kind: cryostat, part: NAME, tile: {...}, link: {...}}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuromorph.errors import InputError, suggest
from neuromorph.hardware import locate
from neuromorph.hardware.component import Architecture, Component, ComponentKind, Datasheet, Quantity, Slot, Source
from neuromorph.hardware.datasheet import (
    SCHEMA,
    missing_quantities,
    read_datasheet,
    read_quantities,
    read_schema,
    read_sources,
)
from neuromorph.hardware.fields import COUNT, INVALID, Reader, declared, shown
from neuromorph.hardware.registry import admitted, component_kinds, renamed
from neuromorph.hardware.supply import SUPPLY, at_supply
from neuromorph.yamlfile import KeyPath, YamlFile, read_yaml

__all__ = ["SCHEMA", "check_component", "read_architecture"]

KEYS = ("schema", "name", "title", "boundary", "notes", "sources", "chip")
RESERVED = ("kind", "count", "part", "supply", "override")
BOUNDARIES = {
    "core": "one neuromorphic core alone",
    "chip": "the die with its interfaces",
    "board": "chip, memory, converters of the board",
    "wall": "everything that draws from the mains, cryostat included",
}
ROOT_KIND = "chip"
"""Kind, and family of the kinds, of the whole: the kind of this name where `chip` names no other."""


@dataclass
class _Context:
    """What the reading of one architecture shares."""

    reader: Reader
    kinds: Mapping[str, ComponentKind]
    sources: Mapping[str, Source]
    near: Path | None
    parts: dict[str, Datasheet | InputError] = field(default_factory=dict)

    def part(self, name: str) -> Datasheet | InputError:
        """The datasheet of this name, or the error of loading it; each is read once."""
        if name not in self.parts:
            try:
                self.parts[name] = read_datasheet(locate.find(name, "devices", self.near))
            except InputError as error:
                self.parts[name] = error
        return self.parts[name]


def read_architecture(source: str | Path | YamlFile) -> Architecture:
    """Read and validate an architecture file. Raises InputError with all problems of the file."""
    yaml = source if isinstance(source, YamlFile) else read_yaml(source)
    near = None if isinstance(source, YamlFile) else Path(source).parent
    reader = Reader(yaml)
    data = reader.mapping((), yaml.data, "an architecture")
    if data is INVALID:
        reader.raise_problems()
    reader.keys((), data, KEYS, ("schema", "name", "boundary", "chip"))
    read_schema(reader, data)
    name = reader.name(data)
    title, notes = (reader.text((key,), data.get(key)) for key in ("title", "notes"))
    boundary = data.get("boundary")
    if "boundary" in data and (not isinstance(boundary, str) or boundary not in BOUNDARIES):
        legal = "; ".join(f"{k}: {v}" for k, v in BOUNDARIES.items())
        reader.error(("boundary",), f"{shown(boundary)} is not a boundary", f"one of {legal}")
    sources = read_sources(reader, data.get("sources"))
    context = _Context(reader, component_kinds(), sources, near)
    chip = _read_root(context, data) if "chip" in data else None
    reader.raise_problems()
    assert chip is not None
    assert isinstance(boundary, str)
    _check_boundary(reader, chip, boundary)
    reader.raise_problems()
    return Architecture(name, title, chip, boundary, _all_sources(chip, sources), notes, yaml.file)


def _read_root(context: _Context, data: Mapping[str, Any]) -> Component | None:
    raw = data["chip"]
    if isinstance(raw, dict) and "count" in raw:
        context.reader.error(("chip", "count"), "the chip itself takes no count", "remove it", at="key")
    if isinstance(raw, dict) and "kind" not in raw:
        raw = {**raw, "kind": ROOT_KIND}
    return _read_component(context, ("chip",), raw, Slot((ROOT_KIND,)))


def _check_boundary(reader: Reader, chip: Component, boundary: str) -> None:
    """Energies may not be taken further than the architecture says."""
    order = list(BOUNDARIES)
    for component, _ in chip.walk():
        law = component.kind.overhead
        found = None if law is None else law(component)
        if found is not None and order.index(found.boundary) > order.index(boundary):
            message = f"{boundary}, but {component.path} takes the energy inside it to the {found.boundary}"
            reader.error(("boundary",), message, f"write boundary: {found.boundary}")


def _all_sources(chip: Component, own: Mapping[str, Source]) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for component, _ in chip.walk():
        if component.part is not None:
            found.update(component.part.sources)
    return {**found, **own}


def _read_component(
    context: _Context, path: KeyPath, raw: Any, slot: Slot, around: Mapping[str, Slot] | None = None
) -> Component | None:
    """One component with its children; None where a problem was noted. around: slots of what it encloses parts of."""
    reader = context.reader
    if isinstance(raw, str):
        reader.error(path, f"expected a component, got {raw!r}", f"write {path[-1]}: {{part: {raw}}}")
        return None
    if reader.mapping(path, raw, "a component") is INVALID:
        return None
    before = len(reader.problems)
    part, part_ok = _read_part(context, path, raw)
    kind = _read_kind(context, path, raw, slot, part)
    if kind is None:
        return None
    slots = {**kind.slots, **(around or {})}
    slots |= {name: Slot((raw[name]["kind"],)) for name in raw if name not in slots and _encloses(context, raw[name])}
    _check_keys(context, path, raw, kind, slots)
    count = reader.setting((*path, "count"), COUNT, raw["count"]) if "count" in raw else 1
    settings = _read_settings(reader, path, raw, kind)
    if part_ok:
        part = _at_stated_bits(_fit_part(context, path, raw, kind, part), kind, settings)
    children = {}
    for name, child_slot in slots.items():
        if name in raw:
            inside = {**kind.slots, **(around or {})} if _encloses(context, raw[name]) else None
            child = _read_component(context, (*path, name), raw[name], child_slot, inside)
            if child is not None:
                children[name] = child
    if len(reader.problems) > before:
        return None
    component = Component(".".join(map(str, path)), kind, count, settings, part, children)
    for message in check_component(component):
        _note_check(reader, path, raw, message)
    return component if len(reader.problems) == before else None


def _read_part(context: _Context, path: KeyPath, raw: Mapping[str, Any]) -> tuple[Datasheet | None, bool]:
    """The datasheet named by `part`, and whether all went well."""
    if "part" not in raw:
        return None, True
    at = (*path, "part")
    if not isinstance(raw["part"], str) or not raw["part"].strip():
        context.reader.error(at, f"expected the name of a datasheet, got {shown(raw['part'])}", "write part: NAME")
        return None, False
    found = context.part(raw["part"])
    if isinstance(found, Datasheet):
        return found, True
    if len(found.problems) == 1 and not str(found.problems[0].place):
        context.reader.error(at, found.problems[0].message, found.problems[0].hint)
    else:
        context.reader.error(at, f"the datasheet {raw['part']!r} cannot be used", "correct the problems listed with it")
        known = set(context.reader.problems)
        context.reader.problems.extend(p for p in found.problems if p not in known)
    return None, False


def _read_kind(
    context: _Context, path: KeyPath, raw: Mapping[str, Any], slot: Slot, part: Datasheet | None
) -> ComponentKind | None:
    reader, kinds = context.reader, context.kinds
    legal = admitted(slot)
    name = raw.get("kind")
    if "kind" in raw and not isinstance(name, str):
        reader.error((*path, "kind"), f"expected a kind, got {shown(name)}", f"kinds here: {', '.join(legal)}")
        return None
    if name is None:
        name = legal[0] if len(legal) == 1 else part.kind if part is not None else None
    if name is None:
        hint = f"add 'kind: ...', one of {', '.join(legal)}"
        reader.error(path, f"{path[-1]} needs a kind: several fit here", hint, at="key")
        return None
    at: KeyPath = (*path, "kind") if "kind" in raw else path
    if name not in legal:
        message = f"a {name} does not fit the slot {path[-1]}"
        if name not in kinds:
            message = f"there is no component kind {name!r}"
        reader.error(at, message, renamed(name) or suggest(str(name), legal, "kinds that fit here"))
        return None
    if name not in kinds:
        reader.error(at, f"component kind {name!r} is not installed", suggest(name, kinds, "installed kinds"))
        return None
    return kinds[name]


def _encloses(context: _Context, raw: Any) -> bool:
    """Whether a component says that it is of a kind with an overhead."""
    kind = context.kinds.get(raw["kind"]) if isinstance(raw, dict) and isinstance(raw.get("kind"), str) else None
    return kind is not None and kind.overhead is not None


def _holders(context: _Context, path: KeyPath, raw: Mapping[str, Any], name: str) -> list[KeyPath]:
    """Paths of the child of this name: in a component itself, and in those that enclose parts of it."""
    found = [(*path, name)] if name in raw else []
    for key, value in raw.items():
        if key != name and _encloses(context, value):
            found += _holders(context, (*path, key), value, name)
    return found


def _check_keys(
    context: _Context, path: KeyPath, raw: Mapping[str, Any], kind: ComponentKind, slots: Mapping[str, Slot]
) -> None:
    reader = context.reader
    fitting = {"override": kind.quantities is not None, "supply": kind.quantities is not None}
    reserved = [k for k in RESERVED if fitting.get(k, True) and (k != "count" or kind.overhead is None)]
    legal = [*declared(kind.settings), *slots, *reserved]
    quantities = declared(kind.quantities)
    for key in raw:
        if key in quantities and key not in legal:
            hint = f"set it in the datasheet, or under 'override: {{{key}: {{value: ..., basis: ..., source: ...}}}}'"
            reader.error((*path, key), f"{key!r} is a quantity of the part, not a setting", hint, at="key")
        elif key not in legal:
            hint = suggest(key, legal, f"legal keys of {kind.name}")
            reader.error((*path, key), f"{kind.name} has no key {key!r}", hint, at="key")
    for name, slot in kind.slots.items():
        holders = _holders(context, path, raw, name)
        for twin in holders[1:]:
            reader.error(twin, f"{name!r} stands twice in one {kind.name}", "keep one of them", at="key")
        if slot.required and not holders:
            hint = f"add '{name}: {{...}}' of kind {' or '.join(admitted(slot))}"
            reader.error((*path, name), f"{kind.name} needs the component {name!r}", hint, at="key")


def _read_settings(reader: Reader, path: KeyPath, raw: Mapping[str, Any], kind: ComponentKind) -> Any:
    """An instance of the kind's settings dataclass, INVALID where a problem was noted, None where it has none."""
    values = {}
    for name, spec in declared(kind.settings).items():
        if name in raw:
            values[name] = reader.setting((*path, name), spec, raw[name])
        elif spec.required:
            hint = f"add '{name}: ...', {spec.expected}: {spec.doc}"
            values[name] = reader.error((*path, name), f"{kind.name} needs the setting {name!r}", hint, at="key")
    if kind.settings is None:
        return None
    return INVALID if any(v is INVALID for v in values.values()) else kind.settings(**values)


BITS, REFERENCE_BITS = "bits", "reference_bits"
"""The setting and the quantity of parts whose figures are those of a resolution."""


def _at_stated_bits(part: Datasheet | None, kind: ComponentKind, settings: Any) -> Datasheet | None:
    """The part with the bits that stand beside it as those its figures are given at, where it states none itself.

    Other bits, as a sweep sets them, then move the figures from there instead of keeping them in silence.
    """
    bits = getattr(settings, BITS, None)
    spec = declared(kind.quantities).get(REFERENCE_BITS)
    if part is None or bits is None or spec is None or part.get(REFERENCE_BITS) is not None:
        return part
    if not any(part.value(name) for name in ("energy_per_conversion", "active_power", "area")):
        return part
    where = f"the {BITS} beside {part.name} in the architecture"
    found = Quantity(float(bits), spec.unit, "assumed", "", where)
    return dataclasses.replace(part, quantities={**part.quantities, REFERENCE_BITS: found})


def _fit_part(
    context: _Context, path: KeyPath, raw: Mapping[str, Any], kind: ComponentKind, part: Datasheet | None
) -> Datasheet | None:
    """The part with its overrides, after checking that it is of this kind and complete."""
    reader = context.reader
    if part is not None and part.kind != kind.name:
        names = [n for n in locate.datasheet_names() if _kind_of(context, n) == kind.name]
        hint = f"{kind.name} parts: {', '.join(names) or 'none is shipped'}"
        reader.error((*path, "part"), f"{raw['part']!r} is a {part.kind}, not a {kind.name}", hint)
        return None
    if kind.quantities is None:
        return part
    if part is not None and SUPPLY.name in raw and SUPPLY.name not in declared(kind.settings):
        part = _supplied(reader, (*path, SUPPLY.name), raw[SUPPLY.name], part)
    if "override" in raw:
        part = _overridden(context, path, raw["override"], kind, part)
    given = part.quantities if part is not None else {}
    override = raw.get("override")
    missing = [m for m in missing_quantities(kind, given) if not (isinstance(override, dict) and m in override)]
    if missing:
        hint = f"name a datasheet with 'part: ...' (or give them under 'override'): {', '.join(missing)}"
        reader.error(path, f"{kind.name} needs a part", hint, at="key")
    return part


def _supplied(reader: Reader, path: KeyPath, raw: Any, part: Datasheet) -> Datasheet:
    volts = reader.setting(path, SUPPLY, raw)
    try:
        return part if volts is INVALID else at_supply(part, volts)
    except InputError as error:
        reader.error(path, error.problems[0].message, error.problems[0].hint)
        return part


def _kind_of(context: _Context, name: str) -> str:
    found = context.part(name)
    return found.kind if isinstance(found, Datasheet) else ""


def _overridden(context: _Context, path: KeyPath, raw: Any, kind: ComponentKind, part: Datasheet | None) -> Datasheet:
    base = part or Datasheet("", kind.name, "", {}, {})
    sources = {**base.sources, **context.sources}
    found = read_quantities(context.reader, (*path, "override"), raw, kind, sources)
    cited = {q.source: sources[q.source] for q in found.values() if q.source}
    return dataclasses.replace(base, quantities={**base.quantities, **found}, sources={**base.sources, **cited})


def check_component(component: Component) -> list[str]:
    """What the kind itself finds wrong with this component."""
    return [] if component.kind.check is None else list(component.kind.check(component))


def _note_check(reader: Reader, path: KeyPath, raw: Mapping[str, Any], message: str) -> None:
    """Places a kind's message at the setting it starts with ("bits: ..."), else at the component."""
    head, _, tail = message.partition(":")
    if head in raw and tail:
        reader.error((*path, head), tail.strip(), f"a rule of kind {raw.get('kind', path[-1])}")
    else:
        reader.error(path, message, f"a rule of kind {raw.get('kind', path[-1])}", at="key")
