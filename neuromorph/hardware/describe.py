"""Datasheets and architectures as text and as plain data for JSON."""

from __future__ import annotations

from typing import Any

from neuromorph import units
from neuromorph.hardware.component import Architecture, Component, Datasheet, Quantity, Source
from neuromorph.hardware.curve import Curve
from neuromorph.hardware.fields import declared


def show_curve(curve: Curve, unit: str) -> str:
    """A piecewise law as one line."""
    parts = []
    for upto, law, p, clip in curve.segments:
        if law == "polynomial":
            text = " + ".join(f"{c:g}" + ("" if i == 0 else " u" if i == 1 else f" u^{i}") for i, c in enumerate(p))
        else:
            form = {"log": "{:g} ln u + {:g}", "power": "{:g} u^{:g}", "saturating": "{:g} (1 - exp(-u/{:g}))"}[law]
            text = form.format(*p)
        text = text.replace("+ -", "- ")
        text += "" if clip is None else f" clipped to {clip[0]:g}..{clip[1]:g}"
        parts.append(text if upto is None else f"{text} for u < {upto:g}")
    scale = "" if curve.scale == 1.0 else f"; times {units.format_si(curve.scale, unit)}"
    return "; ".join(parts) + (scale or (f" {unit}" if unit not in ("", "1") else ""))


def show_value(value: Any, unit: str) -> str:
    """A setting or quantity with its unit."""
    if isinstance(value, Curve):
        return show_curve(value, unit)
    if isinstance(value, tuple):
        return ", ".join(show_value(v, unit) for v in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str):
        return "-" if value is None else value
    if isinstance(value, int) and unit in ("", "1"):
        return str(value)
    return units.format_si(value, unit)


def spread(quantity: Quantity) -> str:
    """low..high, or nothing."""
    if quantity.low is None and quantity.high is None:
        return ""
    return f"{units.format_si(quantity.low, quantity.unit)} .. {units.format_si(quantity.high, quantity.unit)}"


def plain(value: Any) -> Any:
    """A value as JSON data."""
    if isinstance(value, Curve):
        segments = [
            {law: list(p)} | ({} if upto is None else {"upto": upto}) | ({} if clip is None else {"clip": list(clip)})
            for upto, law, p, clip in value.segments
        ]
        return {"curve": segments, "scale": value.scale}
    return [plain(v) for v in value] if isinstance(value, tuple) else value


def quantity(found: Quantity) -> dict[str, Any]:
    """A quantity as JSON data in SI."""
    return {
        "value": plain(found.value),
        "unit": found.unit,
        "low": found.low,
        "high": found.high,
        "basis": found.basis,
        "source": found.source,
        "where": found.where,
        **({"at": dict(found.at)} if found.at else {}),
        **(
            {"follows": {f.setting: [f.power, f.low, f.high] for f in found.follows}, "law": found.law}
            if found.law
            else {}
        ),
    }


def _sources(sources: Any) -> dict[str, dict[str, str]]:
    return {key: {"citation": s.citation, "url": s.url} for key, s in sources.items() if isinstance(s, Source)}


def datasheet(found: Datasheet) -> dict[str, Any]:
    """A datasheet as JSON data in SI."""
    return {
        "name": found.name,
        "kind": found.kind,
        "title": found.title,
        "notes": found.notes,
        "file": found.file,
        "sources": _sources(found.sources),
        "quantities": {name: quantity(q) for name, q in found.quantities.items()},
    }


def component(found: Component, total: int = 1) -> dict[str, Any]:
    """A component with all below it as JSON data; `total` is how many of it the chip holds."""
    settings = {
        name: {"value": plain(getattr(found.settings, name)), "unit": spec.unit}
        for name, spec in declared(found.kind.settings).items()
    }
    part = found.part
    if part is not None and part.supply is not None:
        settings.setdefault("supply", {"value": part.supply.at, "unit": "V"})
    return {
        "path": found.path,
        "kind": found.kind.name,
        "count": found.count,
        "total": total,
        "settings": settings,
        "part": None if part is None else part.name,
        "quantities": {} if part is None else {name: quantity(q) for name, q in part.quantities.items()},
        "children": {name: component(c, total * c.count) for name, c in found.children.items()},
    }


def architecture(found: Architecture) -> dict[str, Any]:
    """An architecture as JSON data in SI."""
    return {
        "name": found.name,
        "title": found.title,
        "boundary": found.boundary,
        "notes": found.notes,
        "file": found.file,
        "sources": _sources(found.sources),
        "chip": component(found.chip),
    }
