"""Physical values with units: text to SI floats and back.

`parse("1.2 pJ", "J")` reads a value as a paper prints it and checks its dimension. The decimal
exponent is joined to the digits before the one conversion to binary, so "5 uJ" is exactly 5e-6.
Samples ("Sa") and counts have dimension one, so a rate in Hz may be written "1.28 GSa/s".
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from neuromorph.errors import InputError, suggest

Dimension = tuple[int, ...]
"""Exponents over (kg, m, s, A, K, bit, rad, dB)."""

_BASE_SYMBOLS = ("kg", "m", "s", "A", "K", "bit", "rad", "dB")
_ONE: Dimension = (0,) * len(_BASE_SYMBOLS)


@dataclass(frozen=True)
class Unit:
    """A unit as dimension and exact factor to SI: value_si = value * 10**exponent * num / den + offset."""

    dimension: Dimension
    exponent: int = 0
    num: int = 1
    den: int = 1
    offset: float = 0.0

    def power(self, p: int) -> Unit:
        num, den = (self.num, self.den) if p >= 0 else (self.den, self.num)
        return Unit(tuple(d * p for d in self.dimension), self.exponent * p, num ** abs(p), den ** abs(p))

    def times(self, other: Unit) -> Unit:
        dimension = tuple(a + b for a, b in zip(self.dimension, other.dimension, strict=True))
        return Unit(dimension, self.exponent + other.exponent, self.num * other.num, self.den * other.den)


def _dim(**powers: int) -> Dimension:
    return tuple(powers.get(symbol, 0) for symbol in _BASE_SYMBOLS)


_ENERGY, _POWER, _VOLTAGE = _dim(kg=1, m=2, s=-2), _dim(kg=1, m=2, s=-3), _dim(kg=1, m=2, s=-3, A=-1)
_SIEMENS, _OHM = _dim(kg=-1, m=-2, s=3, A=2), _dim(kg=1, m=2, s=-3, A=-2)
_FARAD, _HENRY = _dim(kg=-1, m=-2, s=4, A=2), _dim(kg=1, m=2, s=-2, A=-2)
_FLUX, _TIME, _LENGTH, _BIT = _dim(kg=1, m=2, s=-2, A=-1), _dim(s=1), _dim(m=1), _dim(bit=1)

_PREFIXABLE: dict[str, Unit] = {
    "J": Unit(_ENERGY),
    # CODATA 2018 (exact): e = 1.602176634e-19 C
    "eV": Unit(_ENERGY, -28, 1602176634),
    "W": Unit(_POWER),
    "s": Unit(_TIME),
    "Hz": Unit(_dim(s=-1)),
    "V": Unit(_VOLTAGE),
    "A": Unit(_dim(A=1)),
    "C": Unit(_dim(A=1, s=1)),
    "S": Unit(_SIEMENS),
    "ohm": Unit(_OHM),
    "F": Unit(_FARAD),
    "H": Unit(_HENRY),
    "Wb": Unit(_FLUX),
    "m": Unit(_LENGTH),
    "g": Unit(_dim(kg=1), -3),
    "K": Unit(_dim(K=1)),
    "bit": Unit(_BIT),
    "B": Unit(_BIT, 0, 8),
    "rad": Unit(_dim(rad=1)),
    "Sa": Unit(_ONE),
}
_PLAIN: dict[str, Unit] = {
    "1": Unit(_ONE),
    "%": Unit(_ONE, -2),
    "b": Unit(_BIT),
    "min": Unit(_TIME, 0, 60),
    "h": Unit(_TIME, 0, 3600),
    "day": Unit(_TIME, 0, 86400),
    "year": Unit(_TIME, 0, 31557600),
    # pi to 20 digits: more than a double holds
    "deg": Unit(_dim(rad=1), -20, 314159265358979323846, 180),
    "dB": Unit(_dim(dB=1)),
    "degC": Unit(_dim(K=1), offset=273.15),
    "cm": Unit(_LENGTH, -2),
    "dm": Unit(_LENGTH, -1),
}
_ALIASES = {
    "\u03a9": "ohm",  # Greek capital omega
    "\u2126": "ohm",  # ohm sign
    "Ohm": "ohm",
    "°C": "degC",
    "days": "day",
    "years": "year",
    "bits": "bit",
    "yr": "year",
}
_PREFIXES = {
    "y": -24, "z": -21, "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "m": -3,
    "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}
_AMBIGUOUS = {
    "KB": "write kB (1000 B) or KiB (1024 B)",
    "KiloB": "write kB (1000 B) or KiB (1024 B)",
    "Kbit": "write kbit (1000 bit) or Kibit (1024 bit)",
    "Kb": "write kbit (1000 bit) or Kibit (1024 bit)",
    "sec": "write s",
    "C°": "write degC",
    "micron": "write um",
    "sqmm": "write mm2",
    "dBm": "write the power in W",
}

_NAMES: dict[Dimension, str] = {
    _ONE: "dimensionless number",
    _ENERGY: "energy",
    _POWER: "power",
    _TIME: "time",
    _dim(s=-1): "frequency",
    _VOLTAGE: "voltage",
    _dim(A=1): "current",
    _dim(A=1, s=1): "charge",
    _SIEMENS: "conductance",
    _OHM: "resistance",
    _FARAD: "capacitance",
    _HENRY: "inductance",
    _FLUX: "magnetic flux",
    _LENGTH: "length",
    _dim(m=2): "area",
    _dim(m=3): "volume",
    _dim(kg=1): "mass",
    _dim(K=1): "temperature",
    _BIT: "amount of data",
    _dim(rad=1): "angle",
    _dim(dB=1): "level in decibel",
    _dim(bit=1, s=-1): "data rate",
    _dim(kg=1, m=2, s=-2, bit=-1): "energy per bit",
    _dim(kg=1, m=2, s=-3, bit=-1): "power per bit",
    _dim(m=2, bit=-1): "area per bit",
    _dim(kg=1, s=-3): "power density",
    _dim(kg=1, m=1, s=-2): "energy per length",
    _dim(kg=-1, m=-3, s=4, A=2): "capacitance per length",
    _dim(kg=-1, m=-4, s=4, A=2): "capacitance per area",
    _dim(kg=1, m=1, s=-3, A=-2): "resistance per length",
    _dim(kg=-1, m=-2, s=2, A=2): "conductance per time",
    _dim(dB=1, m=-1): "loss per length",
    _dim(s=-1, m=-2): "rate per area",
    _dim(m=1, s=-1): "speed",
}
_CANONICAL = {"ohm": "Ω"}

_NUMBER = re.compile(r"\s*([+-]?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?\s*(.*?)\s*$", re.DOTALL)
_TERM = re.compile(r"(.*?)(?:\^?(-?\d+)|([⁻⁰¹²³⁴-⁹]+))?\Z", re.DOTALL)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def _symbol(symbol: str) -> Unit | None:
    symbol = _ALIASES.get(symbol, symbol)
    if symbol in _PLAIN:
        return _PLAIN[symbol]
    for split in (0, 1, 2):
        prefix, rest = symbol[:split], _ALIASES.get(symbol[split:], symbol[split:])
        if prefix in _BINARY and rest in ("bit", "B"):
            base = _PREFIXABLE[rest]
            return Unit(base.dimension, 0, base.num << _BINARY[prefix])
        prefix = "u" if prefix in ("\u00b5", "\u03bc") else prefix
        if rest in _PREFIXABLE and prefix in _PREFIXES:
            base = _PREFIXABLE[rest]
            return Unit(base.dimension, base.exponent + _PREFIXES[prefix], base.num, base.den)
    return None


@lru_cache(maxsize=1)
def _known_symbols() -> tuple[str, ...]:
    prefixed = tuple(p + s for s in (*_PREFIXABLE, "Ω") for p in _PREFIXES)
    return (*_PLAIN, *prefixed, *(p + s for s in ("B", "bit") for p in _BINARY))


def _unknown(symbol: str, text: str) -> InputError:
    if symbol in _AMBIGUOUS:
        return InputError(f"unit {symbol!r} in {text!r} is not clear", hint=_AMBIGUOUS[symbol])
    close = suggest(symbol, _known_symbols(), what="", most=3)
    hint = close or f"known: {', '.join((*_PREFIXABLE, *_PLAIN))}"
    return InputError(f"unknown unit {symbol!r} in {text!r}", hint=hint)


@lru_cache(maxsize=4096)
def parse_unit(text: str) -> Unit:
    """A unit such as "pJ", "mm^2", "fJ/bit" or "V*s"; terms after each "/" divide. Raises InputError."""
    factors = re.split(r"\s*([*·/])\s*", text.strip().replace("**", "^"))
    unit, sign = Unit(_ONE), 1
    for i, term in enumerate(factors):
        if i % 2:
            sign = -1 if term == "/" else 1
            continue
        if term == "":
            raise InputError(f"unknown unit {text!r}: nothing beside an operator", hint="write it like J/bit or V*s")
        found = _symbol(term)
        power = 1
        if found is None:
            match = _TERM.match(term)
            assert match is not None
            symbol, plain, raised = match.groups()
            found = _symbol(symbol) if symbol else None
            if found is None:
                raise _unknown(term, text)
            digits = plain or (raised.translate(_SUPERSCRIPT) if raised else "1")
            if not re.fullmatch(r"-?[1-9]", digits):
                raise InputError(f"power {digits} in unit {text!r} is not legal", hint="write a power from 1 to 9")
            power = int(digits)
        if len(factors) == 1 and power == 1:
            return found
        if found.offset:
            raise InputError(f"degC cannot be part of the compound unit {text!r}", hint="write K for differences")
        unit = unit.times(found.power(power * sign))
    return unit


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def describe(unit: str) -> str:
    """What a unit measures, for messages: describe("S") is "a conductance (S)"."""
    name = _NAMES.get(parse_unit(unit).dimension)
    if unit == "1":
        return "a dimensionless number"
    return f"a quantity in {unit}" if name is None else f"{_article(name)} ({_CANONICAL.get(unit, unit)})"


def _got(dimension: Dimension) -> str:
    if dimension in _NAMES:
        return _article(_NAMES[dimension])
    symbols = (f"{s}{'' if p == 1 else f'^{p}'}" for s, p in zip(_BASE_SYMBOLS, dimension, strict=True) if p)
    return "a quantity in " + "*".join(symbols)


def _wrong_dimension(text: str, unit: str, got: Unit) -> InputError:
    hint = f"write it like '{_example(unit)}'"
    if parse_unit(unit).dimension == _dim(s=-1) and got.dimension == _dim(kg=-1, m=-2, s=2, A=2):
        hint = "S is siemens; for samples per second write Sa/s"
    return InputError(f"{text}: expected {describe(unit)}, got {_got(got.dimension)}", hint=hint)


def _example(unit: str) -> str:
    usual = {"J": "1.2 pJ", "W": "2 mW", "s": "100 ns", "Hz": "1.2 GHz", "V": "0.2 V", "A": "10 uA", "S": "25 uS",
             "ohm": "10 kohm", "F": "1 fF", "m": "40 nm", "m^2": "0.5 um2", "m2": "0.5 um2", "bit": "8 bit",
             "B": "64 KiB", "K": "300 K", "1": "0.5", "bit/s": "10 Gbit/s", "J/bit": "0.1 pJ/bit"}  # fmt: skip
    return usual.get(unit, f"1 {unit}")


def parse(text: Any, unit: str) -> float:
    """The value of `text` ("25 uS") expressed in `unit` ("S").

    A bare number is accepted only where `unit` is "1". Raises InputError for a missing, unknown or
    wrong unit, for anything that is not a number with a unit, and for values outside the float range.
    """
    target = parse_unit(unit)
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise InputError(f"{_shown(text)}: expected {describe(unit)}", hint=f"write it like '{_example(unit)}'")
    if not isinstance(text, str):
        text = repr(text)
    match = _NUMBER.match(text) if len(text) <= 200 else None
    if match is None:
        raise InputError(f"{_shown(text)}: expected {describe(unit)}", hint=f"write it like '{_example(unit)}'")
    sign, digits, exponent, symbol = match.groups()
    if not symbol:
        if target.dimension != _ONE:
            hint = f"add a unit, like '{_example(unit)}'"
            raise InputError(f"{text.strip()} has no unit: expected {describe(unit)}", hint=hint)
        given = Unit(_ONE)
    else:
        given = _parse_symbol(symbol, text, unit)
    if given.dimension != target.dimension:
        raise _wrong_dimension(text.strip(), unit, given)
    value = _convert(digits, int(exponent or 0), given, target)
    if not math.isfinite(value) or (value == 0.0 and digits.strip("0.")):
        raise InputError(f"{text.strip()}: outside the range of numbers", hint="check the exponent")
    value = -value if sign == "-" else value
    # a decimal offset (273.15) leaves binary dust in the last places
    return value if given.offset == target.offset else round(value + given.offset - target.offset, 10)


def _parse_symbol(symbol: str, text: str, unit: str) -> Unit:
    if not symbol.startswith("1/") and (symbol[0].isdigit() or symbol[0] in ",_+-.−*·^"):
        raise InputError(f"{_shown(text)}: not one number with a unit", hint=f"write it like '{_example(unit)}'")
    return parse_unit("1" + symbol if symbol[0] == "/" else symbol)


def _convert(digits: str, exponent: int, given: Unit, target: Unit) -> float:
    shift = exponent + given.exponent - target.exponent
    num, den = given.num * target.den, given.den * target.num
    if abs(shift) > 5000:
        return math.inf if shift > 0 else 0.0
    if num == den:
        return float(f"{digits}e{shift}")
    whole, _, fraction = digits.partition(".")
    shift -= len(fraction)
    num *= int(whole + fraction)
    # int / int is correctly rounded
    try:
        return num * 10**shift / den if shift >= 0 else num / (den * 10**-shift)
    except OverflowError:
        return math.inf


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_TIME_STEPS = ((31557600.0, "year"), (86400.0, "day"), (3600.0, "h"), (60.0, "min"))
_LADDER = ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M"), (3, "k"), (0, ""), (-3, "m"), (-6, "u"), (-9, "n"),
           (-12, "p"), (-15, "f"), (-18, "a"), (-21, "z"), (-24, "y"))  # fmt: skip
_AREA = ((0, "m2"), (-6, "mm2"), (-12, "um2"), (-18, "nm2"))


def format_si(value: float | None, unit: str, digits: int = 4) -> str:
    """`value` (in `unit`) with an engineering prefix and `digits` significant digits: "1.2 pJ".

    None, a figure that is not modelled, is shown as "-". The text parses back with `parse`.
    """
    if value is None:
        return "-"
    if unit in ("", "1"):
        return f"{value:.{digits}g}"
    shown_unit = _CANONICAL.get(unit, unit)
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {shown_unit}"
    size = abs(value)
    if unit == "s" and size >= 120:
        for step, name in _TIME_STEPS:
            if size >= 2 * step:
                return f"{value / step:.{digits}g} {name}"
    if unit == "B" and size >= 1024 and value % 1024 == 0:
        step, prefix = next((1 << b, p) for p, b in reversed(_BINARY.items()) if value % (1 << b) == 0)
        return f"{value / step:.{digits}g} {prefix}B"
    if unit in ("m2", "m^2"):
        exponent, name = next(((e, n) for e, n in _AREA if size >= 0.01 * 10.0**e), _AREA[-1])
        return f"{float(f'{value:.{digits}g}') / 10.0**exponent:.{digits}g} {name}"
    head = re.split(r"[*·/]", unit)[0]
    if head not in _PREFIXABLE or head == "g":
        return f"{value:.{digits}g} {shown_unit}"
    rounded = float(f"{value:.{digits}g}")
    exponent, prefix = next(((e, p) for e, p in _LADDER if abs(rounded) >= 0.9999999999 * 10.0**e), _LADDER[-1])
    if head in ("bit", "B") and exponent < 0:
        exponent, prefix = 0, ""
    # exponents move in text form, so that 1.2e-12 prints 1.2 and not 1.2000000000000002
    mantissa = float(_moved(rounded, -exponent))
    return f"{mantissa:.{digits}g} {prefix}{shown_unit}"


def _moved(value: float, exponent: int) -> str:
    mantissa, _, own = f"{value:.16e}".partition("e")
    return f"{mantissa}e{int(own) + exponent}"
