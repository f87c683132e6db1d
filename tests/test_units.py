"""Units: exact decimal scaling, dimension checks, round trips."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.units import describe, format_si, parse, parse_unit

EXACT = [
    ("5 uJ", "J", 5e-6),
    ("1.2 pJ", "J", 1.2e-12),
    ("1.2pJ", "J", 1.2e-12),
    (" -3 mV ", "V", -3e-3),
    ("+.5 V", "V", 0.5),
    ("1e-9 s", "s", 1e-9),
    ("1E3 nS", "S", 1e-6),
    ("40 nm", "m", 40e-9),
    ("0.0012 mm2", "m2", 0.0012e-6),
    ("25 um^2", "m^2", 25e-12),
    ("25 um²", "m2", 25e-12),
    ("3 µm**2", "m2", 3e-12),
    ("3 μS", "S", 3e-6),
    ("10 kΩ", "ohm", 1e4),
    ("10 kohm", "ohm", 1e4),
    ("64 KiB", "B", 65536.0),
    ("64 KiB", "bit", 524288.0),
    ("64 kB", "B", 64000.0),
    ("1 MB", "bit", 8e6),
    ("8 b", "bit", 8.0),
    ("3 %", "1", 0.03),
    ("0.3", "1", 0.3),
    (3, "1", 3.0),
    (0.25, "1", 0.25),
    ("25 degC", "K", 298.15),
    ("300 K", "K", 300.0),
    ("-40 °C", "K", 233.15),
    ("300 K", "degC", 26.85),
    ("1 eV", "J", 1.602176634e-19),
    ("2 h", "s", 7200.0),
    ("1 year", "s", 31557600.0),
    ("10 min", "s", 600.0),
    ("1.28 GSa/s", "Hz", 1.28e9),
    ("7 1/s", "Hz", 7.0),
    ("7 /s", "Hz", 7.0),
    ("7 s^-1", "Hz", 7.0),
    ("1 S/s", "S/s", 1.0),
    ("1 pJ/B", "J/bit", 1.25e-13),
    ("0.1 pJ/bit/mm", "J/bit/m", 1e-10),
    ("2 dB/cm", "dB/m", 200.0),
    ("1 fF/um2", "F/m2", 1e-3),
    ("3 V*s", "Wb", 3.0),
    ("10 Gbit/s", "bit/s", 1e10),
    ("180 deg", "rad", 3.141592653589793),
    ("2 A", "mA", 2000.0),
]


@pytest.mark.parametrize(("text", "unit", "value"), EXACT)
def test_parse_is_exact(text: str | float, unit: str, value: float) -> None:
    assert parse(text, unit) == value


WRONG = [
    ("50 uV", "S", "50 uV: expected a conductance (S), got a voltage"),
    ("1 A", "J", "expected an energy (J), got a current"),
    ("1.28 GS/s", "Hz", "write Sa/s"),
    ("25", "S", "25 has no unit"),
    (25, "S", "25 has no unit"),
    (2.5, "V", "2.5 has no unit"),
    (True, "1", "expected a dimensionless number"),
    (None, "V", "expected a voltage"),
    ([1], "V", "expected a voltage"),
    ("", "V", "expected a voltage"),
    ("pJ", "J", "expected an energy"),
    ("nan V", "V", "expected a voltage"),
    ("inf V", "V", "expected a voltage"),
    ("1 pj", "J", "did you mean 'pJ'"),
    ("1 Kohm", "ohm", "did you mean 'kohm'"),
    ("1 foo", "J", "unknown unit 'foo'"),
    ("1 KB", "B", "kB (1000 B) or KiB (1024 B)"),
    ("1 sec", "s", "write s"),
    ("1,5 V", "V", "not one number with a unit"),
    ("1 5 V", "V", "not one number with a unit"),
    ("1_000 V", "V", "not one number with a unit"),
    ("1 V V", "V", "unknown unit"),
    ("1e400 V", "V", "outside the range"),
    ("1e-400 V", "V", "outside the range"),
    ("1e99999999999 V", "V", "outside the range"),
    ("1e400 h", "s", "outside the range"),
    ("1 degC/s", "K/s", "degC cannot be part"),
    ("1 s^0", "s", "power 0"),
    ("1 s^99", "s", "power 99"),
    ("1 m/", "m", "unknown unit"),
    ("1 mHz", "J/bit", "expected an energy per bit (J/bit), got a frequency"),
    ("1 V/m", "V/s", "got a quantity in kg*m*s^-3*A^-1"),
    ("1" * 300 + " V", "V", "expected a voltage"),
]


@pytest.mark.parametrize(("text", "unit", "words"), WRONG)
def test_parse_refuses(text: object, unit: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, unit)
    assert words in str(caught.value)
    assert caught.value.problems[0].hint


UNITS = ["J", "W", "s", "Hz", "V", "A", "S", "ohm", "F", "H", "m", "bit", "B", "K", "rad", "dB", "1", "m2", "m^2",
         "J/bit", "W/bit", "F/m", "bit/s", "1/s", "degC", "Wb", "C", "S/s", "dB/m", "kg*m", "g"]  # fmt: skip


@given(
    st.sampled_from([u for u in UNITS if u != "kg*m"]),
    st.floats(min_value=1e-23, max_value=1e18) | st.floats(min_value=-1e18, max_value=-1e-23),
)
def test_format_parses_back(unit: str, value: float) -> None:
    """Seventeen digits bring back the value to rounding, whatever prefix or time unit was chosen."""
    assert parse(format_si(value, unit, digits=17), unit) == pytest.approx(value, rel=1e-14)


@given(
    st.decimals(min_value="1e-6", max_value="1e6", allow_nan=False, allow_infinity=False, places=6),
    st.sampled_from([("pJ", "J", -12), ("uS", "S", -6), ("GHz", "Hz", 9), ("nm", "m", -9), ("mm2", "m2", -6)]),
)
def test_parse_is_the_nearest_double(number: Decimal, unit: tuple[str, str, int]) -> None:
    symbol, target, exponent = unit
    assert parse(f"{number} {symbol}", target) == float(Fraction(number) * Fraction(10) ** exponent)


@given(st.integers(1, 10**6), st.sampled_from([("h", 3600), ("min", 60), ("day", 86400), ("year", 31557600)]))
def test_times_are_the_nearest_double(number: int, unit: tuple[str, int]) -> None:
    assert parse(f"{number / 8} {unit[0]}", "s") == float(Fraction(number, 8) * unit[1])


@example("0:\n0")
@example("1 V\n")
@given(st.text(max_size=20))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        value = parse(text, "V")
    except InputError:
        return
    assert value == value


@given(st.sampled_from(UNITS[:12]), st.sampled_from(UNITS[:12]))
def test_dimensions_tell_units_apart(a: str, b: str) -> None:
    if parse_unit(a).dimension == parse_unit(b).dimension:
        assert parse(f"1 {a}", b) == 1.0
    else:
        with pytest.raises(InputError, match="expected"):
            parse(f"1 {a}", b)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.2e-12, "J", "1.2 pJ"),
        (9.9999e-10, "J", "1 nJ"),
        (0.0, "W", "0 W"),
        (3.2e-7, "m2", "0.32 mm2"),
        (4e-14, "m2", "0.04 um2"),
        (65536.0, "B", "64 KiB"),
        (1000.0, "B", "1 kB"),
        (0.5, "bit", "0.5 bit"),
        (7200.0, "s", "2 h"),
        (90.0, "s", "90 s"),
        (1.28e9, "Hz", "1.28 GHz"),
        (1.25e-13, "J/bit", "125 fJ/bit"),
        (-3e-3, "V", "-3 mV"),
        (0.03, "1", "0.03"),
        (1e4, "ohm", "10 kΩ"),
        (None, "J", "-"),
        (float("inf"), "s", "inf s"),
    ],
)
def test_format(value: float | None, unit: str, text: str) -> None:
    assert format_si(value, unit) == text


def test_describe() -> None:
    assert describe("S") == "a conductance (S)"
    assert describe("J") == "an energy (J)"
    assert describe("1") == "a dimensionless number"
    assert describe("V/m") == "a quantity in V/m"
