"""JSON Schema (draft 2020-12) of datasheets and architectures, written from the declared component kinds."""

from __future__ import annotations

from typing import Any

from neuromorph.hardware.architecture import BOUNDARIES, ROOT_KIND, SCHEMA
from neuromorph.hardware.component import BASES, ComponentKind, Slot
from neuromorph.hardware.curve import LAWS
from neuromorph.hardware.datasheet import MAX_PARAMETERS, missing_quantities
from neuromorph.hardware.fields import MAX_COUNT, Field, declared
from neuromorph.hardware.registry import admitted, component_kinds
from neuromorph.hardware.supply import KEYS, SUPPLY

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_WITH_UNIT = rf"^\s*{_NUMBER}\s*[^\s\d].*$|^\s*{_NUMBER}\s*1/.+$"
_TEXT = {"type": ["string", "number"]}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})


def _value(spec: Field) -> dict[str, Any]:
    """Schema of one scalar."""
    if spec.unit == "1":
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*(%|1)?\s*$"}]}
    if spec.unit:
        return {"type": "string", "pattern": _WITH_UNIT}
    if spec.choices:
        return {"enum": list(spec.choices)}
    if spec.type is str:
        return _TEXT
    found: dict[str, Any] = {"type": {int: "integer", float: "number", bool: "boolean"}[spec.type]}
    if spec.type is not bool:
        found |= {key: limit for key, limit in (("minimum", spec.low), ("maximum", spec.high)) if limit is not None}
    return found


def _describe(spec: Field) -> str:
    return f"{spec.doc} [{spec.unit}]" if spec.unit else spec.doc


def _setting(spec: Field) -> dict[str, Any]:
    found = _value(spec)
    if spec.length:
        found = {"type": "array", "items": found, "minItems": max(spec.length, 1)}
        found |= {"maxItems": spec.length} if spec.length > 0 else {}
    if spec.optional:
        found = {"anyOf": [found, {"type": "null"}]}
    return found | {"description": _describe(spec)}


def _numbers(count: int) -> dict[str, Any]:
    low, high = (count, count) if count else (1, MAX_PARAMETERS)
    return {"type": "array", "items": {"type": "number"}, "minItems": low, "maxItems": high}


def _curve() -> dict[str, Any]:
    laws = {law: _numbers(count) for law, count in LAWS.items()}
    segment = _object(laws | {"upto": {"type": "number"}, "clip": _numbers(2)})
    segment["oneOf"] = [{"required": [law]} for law in LAWS]
    return {"type": "array", "items": segment, "minItems": 1}


def _quantity(spec: Field) -> dict[str, Any]:
    value = _value(spec)
    if spec.shape == "list":
        value = {"type": "array", "items": value, "minItems": 1}
    properties: dict[str, Any] = {
        "value": value,
        "basis": {"enum": list(BASES)},
        "source": _TEXT,
        "where": _TEXT,
        "notes": _TEXT,
        "at": {"type": "object", "additionalProperties": {"type": "number"}},
        "follows": {"type": "object", "additionalProperties": _numbers(3)},
        "law": _TEXT,
    }
    if spec.shape == "curve":
        properties |= {"unit": {"type": ["string", "integer"]}, "curve": {"$ref": "#/$defs/curve"}}
    else:
        properties |= {"low": _value(spec), "high": _value(spec)}
    found = _object(properties, ["basis"])
    if spec.shape == "curve":
        found["oneOf"] = [{"required": ["value"]}, {"required": ["curve", "unit"]}]
    else:
        found["required"] = ["value", "basis"]
    known = {"properties": {"basis": {"const": "assumed"}}}
    return found | {"description": _describe(spec), "if": known, "else": {"required": ["source", "where"]}}


def _supply() -> dict[str, Any]:
    laws = {law: _numbers(count) for law, count in LAWS.items()}
    law = _object(laws) | {"oneOf": [{"required": [name]} for name in LAWS]}
    found = dict.fromkeys(KEYS[:3], _value(SUPPLY)) | dict.fromkeys(KEYS[3:6], law)
    found |= {"basis": {"enum": list(BASES)}, "source": _TEXT, "where": _TEXT}
    return _object(found, [key for key in KEYS if key not in ("static", "rate", "source")])


def _quantities(kind: ComponentKind) -> dict[str, Any]:
    return _object({name: _quantity(spec) for name, spec in declared(kind.quantities).items()})


def _head(**more: Any) -> dict[str, Any]:
    source = _object({"citation": _TEXT, "url": _TEXT}, ["citation"])
    return {
        "schema": {"const": SCHEMA},
        "name": _TEXT,
        "title": _TEXT,
        "notes": _TEXT,
        "sources": {"type": "object", "additionalProperties": source},
        **more,
    }


def datasheet_schema() -> dict[str, Any]:
    """Schema of a datasheet file: its quantities follow from its kind."""
    kinds = {n: k for n, k in component_kinds().items() if k.quantities is not None}
    branches = []
    for name, kind in kinds.items():
        quantities = _quantities(kind)
        needed = missing_quantities(kind, {})
        quantities |= {"required": needed} if needed else {}
        this = {"required": ["kind"], "properties": {"kind": {"const": name}}}
        branches.append({"if": this, "then": {"properties": {"quantities": quantities}}})
    names = {"enum": list(kinds), "description": "component kind"}
    found = _object(
        _head(kind=names, supply=_supply(), quantities={"type": "object"}), ["schema", "kind", "name", "quantities"]
    )
    return {
        "$schema": DIALECT,
        "title": "neuromorph datasheet",
        **found,
        "allOf": branches,
        "$defs": {"curve": _curve()},
    }


def _component(kind: ComponentKind, around: ComponentKind | None = None) -> dict[str, Any]:
    """Schema of a component. around: the kind of which it encloses parts, under the slots of that kind."""
    slots = {**kind.slots, **(around.slots if around is not None else {})}
    properties: dict[str, Any] = {name: _setting(spec) for name, spec in declared(kind.settings).items()}
    for name, slot in slots.items():
        refs = [{"$ref": f"#/$defs/{k}"} for k in admitted(slot) if k in component_kinds()]
        properties[name] = refs[0] if len(refs) == 1 else {"anyOf": refs}
    properties["kind"] = {"const": kind.name}
    if kind.overhead is None:
        properties["count"] = {"type": "integer", "minimum": 1, "maximum": MAX_COUNT}
    properties["part"] = {"type": "string", "description": "a datasheet of this kind: name or file"}
    if kind.quantities is not None:
        properties["override"] = _quantities(kind)
        properties.setdefault(SUPPLY.name, _setting(SUPPLY))
    required = [name for name, spec in declared(kind.settings).items() if spec.required]
    required += ["kind"] if around is not None else []
    found = _object(properties, required) | {"description": kind.doc}
    held = [name for name, slot in kind.slots.items() if slot.required]
    enclosing = [{"$ref": f"#/$defs/{_inside(around or kind, k)}"} for k in _enclosing()] if slots else []
    if enclosing:
        found["additionalProperties"] = {"anyOf": enclosing}
        # a part that is needed may stand in a component under a name of its own
        more = {"not": {"propertyNames": {"enum": list(properties)}}}
        return found | ({"anyOf": [{"required": held}, more]} if held else {})
    return found | ({"required": required + held} if held else {})


def _enclosing() -> list[ComponentKind]:
    return [kind for kind in component_kinds().values() if kind.overhead is not None]


def _inside(around: ComponentKind, kind: ComponentKind) -> str:
    return f"{kind.name}_in_{around.name}"


def _root(definitions: dict[str, Any]) -> dict[str, Any]:
    """The whole: of the root kind unless it says that it is of another kind of its family."""
    plain: dict[str, Any] = {"$ref": f"#/$defs/{ROOT_KIND}"}
    others = [name for name in admitted(Slot((ROOT_KIND,))) if name != ROOT_KIND and name in definitions]
    for name in others:
        named = {"required": ["kind"], "properties": {"kind": {"const": name}}}
        plain = {"if": named, "then": {"$ref": f"#/$defs/{name}"}, "else": plain}
    return plain


def architecture_schema() -> dict[str, Any]:
    """Schema of an architecture file: one definition per component kind."""
    definitions = {name: _component(kind) for name, kind in component_kinds().items() if kind.overhead is None}
    for around in [k for k in component_kinds().values() if k.slots and k.overhead is None]:
        definitions |= {_inside(around, kind): _component(kind, around) for kind in _enclosing()}
    boundary = {"enum": list(BOUNDARIES), "description": "; ".join(f"{k}: {v}" for k, v in BOUNDARIES.items())}
    chip = _root(definitions)
    found = _object(_head(boundary=boundary, chip=chip), ["schema", "name", "boundary", "chip"])
    return {"$schema": DIALECT, "title": "neuromorph architecture", **found, "$defs": definitions | {"curve": _curve()}}
