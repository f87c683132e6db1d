"""Datasheets: the quantities of one part, each with unit, basis and source, read from YAML.

    schema: 1
    kind: adc
    name: sar-8b-32nm
    title: SAR ADC, 8 bit, 1.28 GSa/s, 32 nm
    sources:
      shafiee2016: {citation: "Shafiee et al., ISAAC, ISCA 2016"}
    quantities:
      active_power: {value: 2 mW, basis: reported, source: shafiee2016, where: Table 6}

A quantity gives `value` (a value with unit, or a list of them) or `curve` with `unit`: segments of one
law each (polynomial, log, power, saturating; see `Curve`), with `upto` on all but the last, and `clip`.
`supply` says over which supplies the quantities move and how, see `hardware.supply`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuromorph import units
from neuromorph.errors import InputError, suggest
from neuromorph.hardware.component import BASES, ComponentKind, Datasheet, Follows, Quantity, Source
from neuromorph.hardware.curve import LAWS, Curve, evaluate_curve
from neuromorph.hardware.fields import INVALID, Field, Reader, declared, shown
from neuromorph.hardware.registry import component_kinds, renamed
from neuromorph.hardware.supply import read_supply
from neuromorph.yamlfile import KeyPath, YamlFile, read_yaml

__all__ = ["evaluate_curve", "read_datasheet", "read_quantity", "read_sources"]

SCHEMA = 1
KEYS = ("schema", "kind", "name", "title", "notes", "sources", "supply", "quantities")
QUANTITY_KEYS = ("value", "unit", "curve", "basis", "source", "where", "low", "high", "notes", "at", "follows", "law")
MAX_PARAMETERS = 16
LAW_HINT = "write follows: {rows: [power, lowest, highest]}, law: who shows it, with 'at' inside that range"


def read_schema(reader: Reader, data: Mapping[str, Any]) -> None:
    """Checks `schema: 1`."""
    if "schema" in data and (data["schema"] != SCHEMA or isinstance(data["schema"], bool)):
        found = shown(data["schema"])
        reader.error(("schema",), f"schema {found} is not known", f"this version reads 'schema: {SCHEMA}'")


def read_sources(reader: Reader, raw: Any) -> dict[str, Source]:
    """The `sources` block: {key: {citation, url}}."""
    if raw is None or reader.mapping(("sources",), raw, "sources") is INVALID:
        return {}
    found = {}
    for key, entry in raw.items():
        path = ("sources", key)
        if reader.mapping(path, entry, "a source") is INVALID:
            continue
        reader.keys(path, entry, ("citation", "url"), ("citation",))
        citation = reader.text((*path, "citation"), entry["citation"], required=True) if "citation" in entry else ""
        found[key] = Source(key, citation, reader.text((*path, "url"), entry.get("url")))
    return found


def read_quantity(
    reader: Reader, path: KeyPath, field: Field, raw: Any, sources: Mapping[str, Source]
) -> Any:  # Quantity or INVALID
    """One quantity entry against its declaration; INVALID where a problem was noted."""
    if not isinstance(raw, dict):
        hint = "write {value: ..., basis: ..., source: ..., where: ...}"
        return reader.error(path, f"expected a quantity, got {shown(raw)}", hint)
    before = len(reader.problems)
    reader.keys(path, raw, QUANTITY_KEYS, ("basis",))
    basis = raw.get("basis", "assumed")
    if basis not in BASES:
        text = basis if isinstance(basis, str) else shown(basis)
        reader.error((*path, "basis"), f"{text!r} is not a basis", suggest(text, BASES, "bases"))
    source, where = _read_origin(reader, path, raw, basis, sources)
    value = _read_value(reader, path, field, raw)
    low, high = (_read_bound(reader, path, field, raw, side, value) for side in ("low", "high"))
    if isinstance(low, float) and isinstance(high, float) and low > high:
        reader.error((*path, "low"), f"low {raw['low']} is above high {raw['high']}", "swap them")
    at = _read_at(reader, path, raw.get("at", {}))
    follows, law = _read_law(reader, path, raw, dict(at))
    if len(reader.problems) > before:
        return INVALID
    return Quantity(value, field.unit, basis, source, where, low, high, at, follows, law)


def _read_law(
    reader: Reader, path: KeyPath, raw: Mapping[str, Any], at: Mapping[str, float]
) -> tuple[tuple[Follows, ...], str]:
    """How a quantity moves with settings it holds at, and who says so."""
    given = raw.get("follows", {})
    law = reader.text((*path, "law"), raw.get("law"))
    if reader.mapping((*path, "follows"), given, "settings that move it") is INVALID:
        return (), ""
    if bool(given) != bool(law):
        lacking = "law" if given else "follows"
        reader.error((*path, lacking), f"'follows' and 'law' go together, {lacking!r} is missing", LAW_HINT, at="key")
    found = []
    for key, entry in given.items():
        where = (*path, "follows", key)
        numbers = _read_numbers(reader, where, entry, 3)
        if numbers is INVALID:
            continue
        if key not in at:
            reader.error(where, f"{key} is not among the settings it holds at", f"add it to 'at'; there: {sorted(at)}")
        elif not numbers[1] <= at[key] <= numbers[2]:
            reader.error(where, f"{key} {at[key]:g} lies outside {numbers[1]:g} to {numbers[2]:g}", LAW_HINT)
        found.append(Follows(str(key), *numbers))
    return tuple(found), law


def _read_at(reader: Reader, path: KeyPath, raw: Any) -> tuple[tuple[str, float], ...]:
    """Settings that a quantity holds at, as (name, value)."""
    if reader.mapping((*path, "at"), raw, "settings that it holds at") is INVALID:
        return ()
    found = []
    for key, value in raw.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            reader.error((*path, "at", key), f"expected a number, got {shown(value)}", "write {bits: 8}")
        else:
            found.append((str(key), float(value)))
    return tuple(found)


def _read_origin(
    reader: Reader, path: KeyPath, raw: Mapping[str, Any], basis: Any, sources: Mapping[str, Source]
) -> tuple[str, str]:
    source = reader.text((*path, "source"), raw.get("source"))
    where = reader.text((*path, "where"), raw.get("where"))
    if source and source is not INVALID and source not in sources:
        hint = suggest(source, sources, "keys under 'sources'")
        reader.error((*path, "source"), f"source {source!r} is not listed under 'sources'", hint)
    if basis in BASES and basis != "assumed":
        advice = {"source": "a key of 'sources'", "where": "table, figure, page or derivation"}
        for key, found in (("source", source), ("where", where)):
            if found == "":
                hint = f"add '{key}: ...' ({advice[key]}), or use basis: assumed"
                reader.error((*path, key), f"a {basis} quantity needs {key!r}", hint, at="key")
    return source, where


def _read_value(reader: Reader, path: KeyPath, field: Field, raw: Mapping[str, Any]) -> Any:
    if ("value" in raw) == ("curve" in raw):
        what = "both 'value' and 'curve'" if "value" in raw else "neither 'value' nor 'curve'"
        hint = "give the curve with its unit" if field.shape == "curve" else "give 'value: ...'"
        return reader.error(path, f"a quantity needs a value, found {what}", hint, at="key")
    if "curve" in raw:
        if field.shape != "curve":
            return reader.error((*path, "curve"), f"{field.name} is a {field.shape}, not a curve", "give 'value: ...'")
        return _read_curve(reader, path, field, raw)
    if "unit" in raw:
        reader.error(
            (*path, "unit"), "'unit' belongs to a curve", "write the unit beside the value, as in '2 mW'", "key"
        )
    value, at = raw["value"], (*path, "value")
    if field.shape == "list":
        if not isinstance(value, list) or not value:
            return reader.error(at, f"expected a list of values, got {shown(value)}", "write [first, second]")
        items = tuple(_read_number(reader, (*at, i), field, item) for i, item in enumerate(value))
        return INVALID if INVALID in items else items
    number = _read_number(reader, at, field, value)
    if field.shape == "curve" and number is not INVALID:
        return Curve(((None, "polynomial", (number,), None),))
    return number


def _read_number(reader: Reader, path: KeyPath, field: Field, raw: Any) -> Any:
    if raw is None:
        return reader.error(path, f"no value given: expected {field.expected}", "write it after the colon")
    value = reader.physical(path, field, raw)
    return value if value is INVALID else reader.within(path, field, value, raw)


def _read_bound(reader: Reader, path: KeyPath, field: Field, raw: Mapping[str, Any], side: str, value: Any) -> Any:
    """`low` or `high` as SI float, None where absent; the value must lie on its right side."""
    if raw.get(side) is None:
        return None
    at = (*path, side)
    if field.shape == "curve":
        return reader.error(at, f"a curve takes no {side!r}", "remove it", at="key")
    bound = _read_number(reader, at, field, raw[side])
    if bound is INVALID or value is INVALID or value is None:
        return None if bound is INVALID else bound
    for item in value if isinstance(value, tuple) else (value,):
        if (item < bound) if side == "low" else (item > bound):
            beyond = "below its low" if side == "low" else "above its high"
            return reader.error((*path, "value"), f"the value {raw['value']} is {beyond} {raw[side]}", "correct one")
    return bound


def _read_curve(reader: Reader, path: KeyPath, field: Field, raw: Mapping[str, Any]) -> Any:
    at = (*path, "curve")
    if "unit" not in raw:
        hint = f"add 'unit: {field.unit}', the unit of the curve's values"
        return reader.error((*path, "unit"), "a curve needs its unit", hint, at="key")
    try:
        # "1" stands for a dimensionless curve; beside a number it is left out, not written
        scale = units.parse(1 if raw["unit"] in ("1", 1) else f"1 {raw['unit']}", field.unit)
    except InputError as error:
        return reader.error((*path, "unit"), error.problems[0].message, error.problems[0].hint)
    if not isinstance(raw["curve"], list) or not raw["curve"]:
        hint = "write [{polynomial: [a, b]}]"
        return reader.error(at, f"expected a list of segments, got {shown(raw['curve'])}", hint)
    last = len(raw["curve"]) - 1
    segments = [_read_segment(reader, (*at, i), s, i == last) for i, s in enumerate(raw["curve"])]
    if INVALID in segments:
        return INVALID
    bounds = [s[0] for s in segments[:-1]]
    for i in range(1, len(bounds)):
        if bounds[i] <= bounds[i - 1]:
            return reader.error((*at, i, "upto"), f"upto {bounds[i]:g} does not rise", f"must exceed {bounds[i - 1]:g}")
    return Curve(tuple(segments), scale)


def _read_segment(reader: Reader, path: KeyPath, raw: Any, is_last: bool) -> Any:
    if reader.mapping(path, raw, "a segment") is INVALID:
        return INVALID
    before = len(reader.problems)
    reader.keys(path, raw, (*LAWS, "upto", "clip"))
    laws = [law for law in LAWS if law in raw]
    if len(laws) != 1:
        found = " and ".join(laws) or "none"
        reader.error(path, f"a segment needs exactly one law, found {found}", f"laws: {', '.join(LAWS)}")
        return INVALID
    law = laws[0]
    parameters = _read_numbers(reader, (*path, law), raw[law], LAWS[law])
    if law == "saturating" and parameters is not INVALID and parameters[1] <= 0:
        reader.error((*path, law), "the second parameter b of saturating must be positive", "a (1 - exp(-u/b))")
    clip = None
    if raw.get("clip") is not None:
        clip = _read_numbers(reader, (*path, "clip"), raw["clip"], 2)
        if clip is not INVALID and clip[0] > clip[1]:
            reader.error((*path, "clip"), "clip is upside down", "write [low, high]")
    upto = raw.get("upto")
    if is_last and upto is not None:
        reader.error((*path, "upto"), "the last segment has no 'upto'", "remove it: it holds to infinity", at="key")
    elif not is_last:
        upto = _read_numbers(reader, (*path, "upto"), [upto], 1)
    if len(reader.problems) > before:
        return INVALID
    return (None if is_last else upto[0], law, parameters, clip)


def _read_numbers(reader: Reader, path: KeyPath, raw: Any, count: int) -> Any:
    """A tuple of `count` finite plain numbers (0: one to sixteen), or INVALID."""
    legal = isinstance(raw, list) and 1 <= len(raw) <= MAX_PARAMETERS and len(raw) == (count or len(raw))
    plain = legal and all(isinstance(x, int | float) and not isinstance(x, bool) for x in raw)
    if not plain:
        want = f"{count} plain number{'s' * (count > 1)}" if count else f"1 to {MAX_PARAMETERS} plain numbers"
        given = raw[0] if path[-1] == "upto" else raw
        return reader.error(path, f"expected {want}, got {shown(given)}", "numbers without unit")
    values = tuple(reader.finite(path, x) for x in raw)
    return INVALID if any(v is INVALID or math.isnan(v) for v in values) else values


def read_quantities(
    reader: Reader, path: KeyPath, raw: Any, kind: ComponentKind, sources: Mapping[str, Source]
) -> dict[str, Quantity]:
    """A block of quantities of one kind; problems are noted on the reader."""
    if reader.mapping(path, raw, "quantities") is INVALID:
        return {}
    fields = declared(kind.quantities)
    found = {}
    for name, entry in raw.items():
        if name not in fields:
            hint = suggest(name, fields, f"quantities of kind {kind.name}")
            reader.error((*path, name), f"{kind.name} has no quantity {name!r}", hint, at="key")
            continue
        value = read_quantity(reader, (*path, name), fields[name], entry, sources)
        if value is not INVALID:
            found[name] = value
    return found


def missing_quantities(kind: ComponentKind, given: Mapping[str, Any]) -> list[str]:
    """Names of the required quantities of a kind that are not given."""
    return [name for name, f in declared(kind.quantities).items() if f.required and name not in given]


def read_datasheet(source: str | Path | YamlFile) -> Datasheet:
    """Read and validate a datasheet. Raises InputError with all problems of the file."""
    yaml = source if isinstance(source, YamlFile) else read_yaml(source)
    reader = Reader(yaml)
    data = reader.mapping((), yaml.data, "a datasheet")
    if data is INVALID:
        reader.raise_problems()
    reader.keys((), data, KEYS, ("schema", "kind", "name", "quantities"))
    read_schema(reader, data)
    name = reader.name(data)
    title, notes = (reader.text((key,), data.get(key)) for key in ("title", "notes"))
    sources = read_sources(reader, data.get("sources"))
    kinds = component_kinds()
    kind = kinds.get(data["kind"]) if isinstance(data.get("kind"), str) else None
    if kind is None and "kind" in data:
        given = data["kind"] if isinstance(data["kind"], str) else shown(data["kind"])
        legal = [k.name for k in kinds.values() if k.quantities is not None]
        hint = renamed(given) or suggest(given, legal, "kinds with datasheets")
        reader.error(("kind",), f"there is no component kind {given!r}", hint)
    quantities: dict[str, Quantity] = {}
    if kind is not None and "quantities" in data:
        quantities = read_quantities(reader, ("quantities",), data["quantities"], kind, sources)
        given_names = data["quantities"] if isinstance(data["quantities"], dict) else {}
        for missing in missing_quantities(kind, given_names):
            doc = declared(kind.quantities)[missing].doc
            reader.error(("quantities", missing), f"required quantity {missing!r} is missing", doc, at="key")
    supply = read_supply(reader, data["supply"], sources, _read_segment) if "supply" in data else None
    reader.raise_problems()
    assert kind is not None
    return Datasheet(name, kind.name, title, sources, quantities, yaml.file, notes, supply)
