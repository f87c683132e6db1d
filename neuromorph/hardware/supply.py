"""Parts at another supply voltage than the one their figures are given at.

A datasheet says over which supplies its figures move, and by which law of the voltage in volts:

    supply: {reference: 0.8 V, low: 0.7 V, high: 1.05 V, energy: {power: [1, 2]}, basis: derived, source: KEY,
             where: ...}

`energy` scales all joules and `active_power` (by its value at the new supply over that at the present one: capacitive
switching is {power: [1, 2]}, a digital part may give the polynomial of Stillmaker & Baas); `static` scales `leakage`,
`rate` what is per second (and 1/rate what lasts). A law left out is not known: its figures stay as they are and are
marked assumed at other supplies. Laws move figures within [low, high] only. A component of any kind chooses its supply
by the setting `supply` beside `part`, which is also a path of sweeps ("core.adc.supply"); quantities replaced there
(`override`, or by a path) hold at the supply that is set. Kinds with a setting `supply` of their own keep that one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from neuromorph import units
from neuromorph.errors import InputError
from neuromorph.hardware.component import BASES, Datasheet, Quantity, Source, Supply, weakest
from neuromorph.hardware.curve import Curve
from neuromorph.hardware.fields import INVALID, Field, Reader, shown
from neuromorph.yamlfile import KeyPath

SUPPLY = Field(
    "supply", "supply", "V", "supply voltage of the part, within its range", ("energy", "time"), float, low=0.0
)
KEYS = ("reference", "low", "high", "energy", "static", "rate", "basis", "source", "where")
RATES, DURATIONS = ("Hz", "bit/s"), ("s",)


def read_supply(reader: Reader, raw: Any, sources: Mapping[str, Source], segment: Any) -> Supply | None:
    """The block `supply` of a datasheet; None where a problem was noted. segment: reads one law of a curve."""
    path: KeyPath = ("supply",)
    before = len(reader.problems)
    if reader.mapping(path, raw, "a supply with its range and laws") is INVALID:
        return None
    reader.keys(path, raw, KEYS, ("reference", "low", "high", "energy", "basis", "where"))
    volts = {key: reader.setting((*path, key), SUPPLY, raw[key]) for key in KEYS[:3] if key in raw}
    laws = {key: _law(reader, (*path, key), raw[key], segment) for key in KEYS[3:6] if key in raw}
    basis, source = raw.get("basis", "assumed"), raw.get("source")
    if basis not in BASES:
        reader.error((*path, "basis"), f"{shown(basis)} is not a basis", f"one of {', '.join(BASES)}")
    if basis != "assumed" and source is None:
        reader.error(
            (*path, "source"), f"a {basis} supply range needs 'source'", "add it, or use basis: assumed", "key"
        )
    if source is not None and source not in sources:
        reader.error((*path, "source"), f"source {shown(source)} is not listed under 'sources'")
    if len(reader.problems) > before:
        return None
    low, at, high = volts["low"], volts["reference"], volts["high"]
    if not 0 < low <= at <= high:
        message = f"low {raw['low']}, reference {raw['reference']} and high {raw['high']} do not rise"
        reader.error(path, message, "0 < low <= reference <= high")
        return None
    for key, law in laws.items():
        if min(law(low), law(high), law(at)) <= 0:
            reader.error((*path, key), "the law is not positive over its range", "narrow the range")
    if len(reader.problems) > before:
        return None
    where = reader.text((*path, "where"), raw["where"])
    return Supply(
        at, at, low, high, laws["energy"], laws.get("static"), laws.get("rate"), basis, str(source or ""), where
    )


def _law(reader: Reader, path: KeyPath, raw: Any, segment: Any) -> Any:
    found = segment(reader, path, raw, True)
    return INVALID if found is INVALID else Curve((found,))


def at_supply(part: Datasheet, volts: float) -> Datasheet:
    """The part at another supply. Raises InputError outside the range that the datasheet states."""
    supply = part.supply
    if supply is None:
        raise InputError(
            f"{part.name or 'the part'} states no supply range, so its figures hold at their own supply alone",
            hint="leave supply out, or give the datasheet a block 'supply' with range, law and source",
        )
    if not supply.low * (1 - 1e-9) <= volts <= supply.high * (1 + 1e-9):
        asked, low, high = (units.format_si(v, "V") for v in (volts, supply.low, supply.high))
        raise InputError(
            f"{part.name}: a supply of {asked} is outside the range of its figures, {low} to {high}",
            hint=_origin(supply),
        )
    if volts == supply.at:
        return part
    moved = {name: _moved(name, quantity, supply, volts) for name, quantity in part.quantities.items()}
    return dataclasses.replace(part, quantities=moved, supply=dataclasses.replace(supply, at=volts))


def _origin(supply: Supply) -> str:
    return ", ".join(text for text in (supply.source, supply.where) if text)


def _moved(name: str, quantity: Quantity, supply: Supply, volts: float) -> Quantity:
    unit, power = quantity.unit, 1.0
    if unit == "W":
        law = supply.static if name == "leakage" else supply.energy
    elif unit.split("/")[0] == "J":
        law = supply.energy
    elif unit in RATES + DURATIONS:
        law, power = supply.rate, -1.0 if unit in DURATIONS else 1.0
    else:
        return quantity
    ends = f"{units.format_si(volts, 'V')}, given at {units.format_si(supply.at, 'V')}"
    if law is None:
        note = f"(at {ends}: change with supply not modelled)"
        return dataclasses.replace(quantity, basis="assumed", where=f"{quantity.where} {note}".strip())
    found = quantity.scaled(float(law(volts) / law(supply.at)) ** power)
    where = f"{quantity.where} (at {ends}: {_origin(supply)})".strip()
    return dataclasses.replace(found, basis=weakest(quantity.basis, supply.basis, "derived"), where=where)
