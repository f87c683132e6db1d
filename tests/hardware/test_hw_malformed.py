# ruff: noqa: E501 - one case per line reads better
"""Every malformed file gets one clear message: file, line, key, what was found, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_hardware import ADC, CELL, CHIP, write

from neuromorph.cli import main
from neuromorph.errors import InputError
from neuromorph.hardware.catalog import load_architecture, load_datasheet

pytestmark = pytest.mark.usefixtures("toys")

# (old text, new text, line, key, words of the message, words of the remedy)
ARCHITECTURE = {
    "no schema": ("schema: 1\n", "", 1, "schema", "required key 'schema' is missing", "add 'schema: ...'"),
    "future schema": ("schema: 1", "schema: 2", 1, "schema", "schema 2 is not known", "schema: 1"),
    "schema true": ("schema: 1", "schema: true", 1, "schema", "schema true", "schema: 1"),
    "no name": ("name: toy\n", "", 1, "name", "required key 'name'", "add 'name"),
    "empty name": ("name: toy", "name:", 2, "name", "expected a text, got nothing", "write words"),
    "name list": ("name: toy", "name: [toy]", 2, "name", "expected a text", "write words"),
    "name path": ("name: toy", "name: ../toy", 2, "name", "'../toy' is not a legal name", "use letters"),
    "rows endless": ("rows: 256", "rows: " + "9" * 300, 14, "chip.tile.core.rows", "outside the range", "digits"),
    "no chip": (CHIP[CHIP.index("chip:\n") :], "", 1, "chip", "required key 'chip'", "add 'chip"),
    "chip empty": (CHIP[CHIP.index("  topology") :], "", 7, "chip", "as a mapping of keys, got nothing", "key: value"),
    "chip list": (CHIP[CHIP.index("  topology") :], "  - 1\n", 8, "chip", "as a mapping", "key: value"),
    "unknown top key": ("title:", "titel:", 3, "titel", "unknown key 'titel'", "did you mean 'title'?"),
    "no boundary": ("boundary: chip\n", "", 1, "boundary", "required key 'boundary'", "add 'boundary"),
    "boundary word": ("boundary: chip", "boundary: die", 4, "boundary", "'die' is not a boundary", "wall:"),
    "boundary list": ("boundary: chip", "boundary: [chip]", 4, "boundary", "not a boundary", "one of core"),
    "sources list": ("  own: {cit", "  - own: {cit", 6, "sources", "expected sources as a mapping", "key: value"),
    "source text": ('own: {citation: "Own estimate"}', "own: me", 6, "sources.own", "got 'me'", "key: value"),
    "source no citation": ("citation:", "cite:", 6, "sources.own.cite", "unknown key 'cite'", "legal keys: citation, url"),
    "root count": ("  topology", "  count: 2\n  topology", 8, "chip.count", "takes no count", "remove it"),
    "root kind": ("  topology", "  kind: board\n  topology", 8, "chip.kind", "no component kind 'board'", "chip"),
    "misspelt choice": ("mesh", "tours", 8, "chip.topology", "'tours' is not a choice", "did you mean 'torus'?"),
    "choice yes": ("mesh", "yes", 8, "chip.topology", "'yes' is not a choice", "legal: mesh, torus, bus"),
    "choice number": ("mesh", "3", 8, "chip.topology", "'3' is not a choice", "legal: mesh"),
    "choice null": ("topology: mesh", "topology:", 8, "chip.topology", "no value given", "after the colon"),
    "count zero": ("count: 4", "count: 0", 10, "chip.tile.count", "0 is below the lowest legal value 1", "how many"),
    "count negative": ("count: 4", "count: -4", 10, "chip.tile.count", "-4 is below the lowest", "how many"),
    "count huge": ("count: 4", "count: 99999999999", 10, "chip.tile.count", "above the highest", "how many"),
    "count true": ("count: 4", "count: true", 10, "chip.tile.count", "whole number, got true", "not numbers"),
    "count on": ("count: 4", "count: on", 10, "chip.tile.count", "whole number, got 'on'", "write a whole number"),
    "count float": ("count: 4", "count: 4.5", 10, "chip.tile.count", "whole number, got 4.5", "write a whole number"),
    "count 4.0": ("count: 4", "count: 4.0", 10, "chip.tile.count", "whole number, got 4.0", "write 4"),
    "count octal": ("count: 4", "count: 010", 10, "chip.tile.count", "got '010'", "write 10 without leading zeros"),
    "count hex": ("count: 4", "count: 0x10", 10, "chip.tile.count", "got '0x10'", "in decimal"),
    "count underscore": ("count: 4", "count: 1_000", 10, "chip.tile.count", "got '1_000'", "in decimal"),
    "count sexagesimal": ("count: 4", "count: 1:30", 10, "chip.tile.count", "got '1:30'", "in decimal"),
    "count quoted": ("count: 4", 'count: "4"', 10, "chip.tile.count", "got '4'", "write 4 without leading zeros or quotes"),
    "count unit": ("count: 4", "count: 4 V", 10, "chip.tile.count", "got '4 V'", "has no unit"),
    "count list": ("count: 4", "count: [4]", 10, "chip.tile.count", "got [4]", "write a whole number"),
    "count nan": ("count: 4", "count: .nan", 10, "chip.tile.count", "got '.nan'", "write a whole number"),
    "rows missing": ("      rows: 256\n", "", 11, "chip.tile.core.rows", "needs the setting 'rows'", "add 'rows"),
    "rows negative": ("rows: 256", "rows: -256", 14, "chip.tile.core.rows", "-256 is below", "word lines"),
    "rows above": ("rows: 256", "rows: 5000", 14, "chip.tile.core.rows", "above the highest legal value 4096", "word"),
    "rows misspelt": ("rows: 256", "rowes: 256", 14, "chip.tile.core.rowes", "no key 'rowes'", "did you mean 'rows'?"),
    "case": ("rows: 256", "Rows: 256", 14, "chip.tile.core.Rows", "no key 'Rows'", "did you mean 'rows'?"),
    "clock bare": ("100 MHz", "1e8", 16, "chip.tile.core.clock", "100000000.0 has no unit", "add a unit"),
    "clock volts": ("100 MHz", "100 mV", 16, "chip.tile.core.clock", "expected a frequency (Hz), got a voltage", "GHz"),
    "clock unknown unit": ("100 MHz", "100 mhz", 16, "chip.tile.core.clock", "unknown unit 'mhz'", "did you mean"),
    "clock siemens": ("100 MHz", "1 GS/s", 16, "chip.tile.core.clock", "got a conductance per time", "write Sa/s"),
    "clock slow": ("100 MHz", "1 Hz", 16, "chip.tile.core.clock", "1 Hz is below the lowest", "clock"),
    "clock negative": ("100 MHz", "-1 MHz", 16, "chip.tile.core.clock", "-1 MHz is below", "clock"),
    "clock inf": ("100 MHz", ".inf", 16, "chip.tile.core.clock", "expected a frequency", "write it like"),
    "clock comma": ("100 MHz", "1,5 MHz", 16, "chip.tile.core.clock", "not one number with a unit", "write it like"),
    "clock overflow": ("100 MHz", "1e999 Hz", 16, "chip.tile.core.clock", "outside the range", "check the exponent"),
    "clock bool": ("100 MHz", "true", 16, "chip.tile.core.clock", "expected a frequency", "write it like"),
    "clock mapping": ("100 MHz", "{a: 1}", 16, "chip.tile.core.clock", "expected a frequency", "write it like"),
    "clock expression": ("100 MHz", "2*50 MHz", 16, "chip.tile.core.clock", "not one number with a unit", "write it like"),
    "bool as word": ("clock: 100 MHz", "signed: yes", 16, "chip.tile.core.signed", "got 'yes'", "write true or false"),
    "bool as number": ("clock: 100 MHz", "signed: 1", 16, "chip.tile.core.signed", "got 1", "write true or false"),
    "pair of three": ("clock: 100 MHz", "span: [1, 2, 3]", 16, "chip.tile.core.span", "expected 2 values, got 3", "each"),
    "pair scalar": ("clock: 100 MHz", "span: 3", 16, "chip.tile.core.span", "expected a list", "write [first, second]"),
    "list item": ("clock: 100 MHz", "supplies: [1 V, 2]", 16, "chip.tile.core.supplies[1]", "2 has no unit", "add a unit"),
    "list empty": ("clock: 100 MHz", "supplies: []", 16, "chip.tile.core.supplies", "list is empty", "at least one"),
    "list limit": ("clock: 100 MHz", "supplies: [9 V]", 16, "chip.tile.core.supplies[0]", "9 V is above", "supplies"),
    "share above": ("clock: 100 MHz", "share: 120 %", 16, "chip.tile.core.share", "120 % is above", "a share"),
    "word half": ("clock: 100 MHz", "word: 8.5 bit", 16, "chip.tile.core.word", "whole number of bit", "round it"),
    "word bare": ("clock: 100 MHz", "word: 8", 16, "chip.tile.core.word", "8 has no unit", "8 bit"),
    "gain text": ("clock: 100 MHz", "gain: big", 16, "chip.tile.core.gain", "a number, got 'big'", "write a number"),
    "gain overflow": ("clock: 100 MHz", "gain: 1e999", 16, "chip.tile.core.gain", "outside the range", "exponent"),
    "kind missing": ("      kind: toyxbar\n", "", 11, "chip.tile.core", "needs a kind", "toydigital, toyxbar"),
    "kind unknown": ("toyxbar", "toyxbr", 12, "chip.tile.core.kind", "no component kind 'toyxbr'", "'toyxbar'"),
    "kind misfit": ("toyxbar", "toyadc", 12, "chip.tile.core.kind", "a toyadc does not fit", "kinds that fit here"),
    "kind list": ("toyxbar", "[toyxbar]", 12, "chip.tile.core.kind", "expected a kind", "toyxbar"),
    "slot missing": ("      cell: {part: cell-a, count: 16384}\n", "", 11, "chip.tile.core.cell", "'cell'", "of kind toycell"),
    "slot shorthand": ("{part: cell-a, count: 16384}", "cell-a", 17, "chip.tile.core.cell", "got 'cell-a'", "{part: cell-a}"),
    "slot null": ("{part: cell-a, count: 16384}", "", 17, "chip.tile.core.cell", "got nothing", "key: value"),
    "part missing": ("part: cell-a, ", "", 17, "chip.tile.core.cell", "toycell needs a part", "g_max"),
    "part unknown": ("part: cell-a", "part: cell-x", 17, "chip.tile.core.cell.part", "no datasheet 'cell-x'", "shipped devices"),
    "part file": ("part: cell-a", "part: no/cell.yaml", 17, "chip.tile.core.cell.part", "cannot be used", "correct"),
    "part kind": ("part: cell-a", "part: adc-a", 17, "chip.tile.core.cell.part", "is a toyadc, not a toycell", "parts:"),
    "part number": ("part: cell-a", "part: 3", 17, "chip.tile.core.cell.part", "name of a datasheet, got 3", "part: NAME"),
    "quantity as setting": ("count: 16384", "g_max: 1 uS", 17, "chip.tile.core.cell.g_max", "a quantity", "override"),
    "override list": ("count: 16384", "override: []", 17, "chip.tile.core.cell.override", "as a mapping", "key: value"),
    "override unknown": (
        "count: 16384", "override: {gmax: {value: 1 uS, basis: assumed}}", 17, "chip.tile.core.cell.override.gmax",
        "no quantity 'gmax'", "did you mean 'g_max'?"),
    "override bare": (
        "count: 16384", "override: {g_max: 1 uS}", 17, "chip.tile.core.cell.override.g_max",
        "expected a quantity, got '1 uS'", "write {value: ..."),
    "override source": (
        "count: 16384", "override: {g_max: {value: 1 uS, basis: reported, source: nobody, where: p. 1}}", 17,
        "chip.tile.core.cell.override.g_max.source", "source 'nobody' is not listed", "joshi2020, own"),
    "override on plain kind": (
        "topology: mesh", "override: {}", 8, "chip.override", "no key 'override'", "legal keys of chip"),
    "adc bits above": ("bits: 8", "bits: 32", 20, "chip.tile.core.adc.bits", "32 is above", "resolution"),
    "check at setting": (
        "rows: 256\n      columns: 64", "rows: 1\n      columns: 65", 15, "chip.tile.core.columns",
        "65 columns for 1 rows", "a rule of kind toyxbar"),
    "check at component": ("bits: 8", "bits: 9", 11, "chip.tile.core", "needs a longer word than 8", "a rule of kind"),
}  # fmt: skip

Q = "quantities."
DATASHEET = {
    "kind unknown": ("toycell", "toycel", 2, "kind", "no component kind 'toycel'", "did you mean 'toycell'?"),
    "kind list": ("toycell", "[toycell]", 2, "kind", "no component kind", "kinds with datasheets"),
    "no kind": ("kind: toycell\n", "", 1, "kind", "required key 'kind'", "add 'kind"),
    "quantity misspelt": ("  g_max", "  gmax", 8, Q + "gmax", "no quantity 'gmax'", "did you mean 'g_max'?"),
    "quantity null": ("{value: 0.2 V, basis: assumed}", "", 11, Q + "read_voltage", "got nothing", "write {value"),
    "quantity bare": ("{value: 0.2 V, basis: assumed}", "0.2 V", 11, Q + "read_voltage", "got '0.2 V'", "write {value"),
    "value missing": ("value: 0.2 V, ", "", 11, Q + "read_voltage", "neither 'value' nor 'curve'", "give 'value"),
    "value null": ("value: 0.2 V", "value: ~", 11, Q + "read_voltage.value", "no value given", "after the colon"),
    "value bare": ("value: 0.2 V", "value: 0.2", 11, Q + "read_voltage.value", "0.2 has no unit", "add a unit"),
    "value conductance": ("0.2 V", "0.2 S", 11, Q + "read_voltage.value", "expected a voltage (V), got a conductance", "like"),
    "value negative": ("0.2 V", "-0.2 V", 11, Q + "read_voltage.value", "-0.2 V is below the lowest", "read voltage"),
    "value implausible": ("0.2 V", "200 V", 11, Q + "read_voltage.value", "200 V is above the highest", "read voltage"),
    "value list": ("value: 0.2 V", "value: [0.2 V]", 11, Q + "read_voltage.value", "expected a voltage", "write it like"),
    "basis missing": ("0.2 V, basis: assumed", "0.2 V", 11, Q + "read_voltage.basis", "required key 'basis'", "add 'basis"),
    "basis unknown": ("0.2 V, basis: assumed", "0.2 V, basis: guess", 11, Q + "read_voltage.basis", "'guess' is not a basis",
                      "measured, simulated, reported, derived, assumed"),
    "basis misspelt": ("basis: derived", "basis: derivd", 10, Q + "levels.basis", "'derivd'", "did you mean 'derived'?"),
    "basis list": ("basis: derived", "basis: [derived]", 10, Q + "levels.basis", "is not a basis", "bases: measured"),
    "no source": ("basis: derived, source: joshi2020", "basis: derived", 10, Q + "levels.source", "needs 'source'", "assumed"),
    "no where": (', where: "Fig. 1"', "", 10, Q + "levels.where", "a derived quantity needs 'where'", "table, figure"),
    "unknown source": ("derived, source: joshi2020", "derived, source: joshi2021", 10, Q + "levels.source",
                       "source 'joshi2021' is not listed", "did you mean 'joshi2020'?"),
    "below low": ("value: 25 uS", "value: 19 uS", 8, Q + "g_max.value", "19 uS is below its low 20 uS", "correct one"),
    "above high": ("value: 25 uS", "value: 31 uS", 8, Q + "g_max.value", "31 uS is above its high 30 uS", "correct one"),
    "low unit": ("low: 20 uS", "low: 20 uV", 8, Q + "g_max.low", "expected a conductance (S), got a voltage", "write"),
    "low bare": ("low: 20 uS", "low: 20", 8, Q + "g_max.low", "20 has no unit", "add a unit"),
    "unit beside value": ("value: 0.2 V", "unit: V, value: 0.2 V", 11, Q + "read_voltage.unit", "belongs to a curve", "2 mW"),
    "curve for scalar": ("value: 0.2 V", "unit: V, curve: [{polynomial: [1]}]", 11, Q + "read_voltage.curve",
                         "is a scalar, not a curve", "give 'value"),
    "curve no unit": ("unit: uS, ", "", 9, Q + "noise.unit", "a curve needs its unit", "add 'unit: S'"),
    "curve unit": ("unit: uS, ", "unit: uV, ", 9, Q + "noise.unit", "expected a conductance (S), got a voltage", "write"),
    "curve no list": ("[{polynomial: [0.26348, 1.9650, -1.1731]}]", "3", 9, Q + "noise.curve", "list of segments", "[{poly"),
    "curve empty": ("[{polynomial: [0.26348, 1.9650, -1.1731]}]", "[]", 9, Q + "noise.curve", "list of segments", "[{poly"),
    "curve law": ("polynomial", "polinomial", 9, Q + "noise.curve[0].polinomial", "unknown key", "did you mean 'polynomial'?"),
    "curve two laws": ("{polynomial:", "{log: [1, 2], polynomial:", 9, Q + "noise.curve[0]", "exactly one law", "laws:"),
    "curve log three": ("polynomial: [0", "log: [0", 9, Q + "noise.curve[0].log", "expected 2 plain numbers", "without unit"),
    "curve with unit": ("[0.26348,", "[0.26348 uS,", 9, Q + "noise.curve[0].polynomial", "plain numbers", "without unit"),
    "curve nan": ("[0.26348,", "[.nan,", 9, Q + "noise.curve[0].polynomial", "plain numbers", "without unit"),
    "curve inf": ("[0.26348,", "[1e999,", 9, Q + "noise.curve[0].polynomial", "outside the range", "exponent"),
    "curve upto last": ("-1.1731]}", "-1.1731], upto: 1}", 9, Q + "noise.curve[0].upto", "last segment has no", "remove it"),
    "curve no upto": ("[{polynomial", "[{polynomial: [1]}, {polynomial", 9, Q + "noise.curve[0].upto", "1 plain number", "without"),
    "curve upto falls": ("[{polynomial", "[{polynomial: [1], upto: 2}, {polynomial: [1], upto: 1}, {polynomial", 9,
                         Q + "noise.curve[1].upto", "upto 1 does not rise", "must exceed 2"),
    "curve clip": ("-1.1731]}", "-1.1731], clip: [2, 1]}", 9, Q + "noise.curve[0].clip", "upside down", "[low, high]"),
    "saturating b": ("polynomial: [0.26348, 1.9650, -1.1731]", "saturating: [1, 0]", 9, Q + "noise.curve[0].saturating",
                     "must be positive", "exp"),
    "curve low": ("{unit: uS", "{low: 1 uS, unit: uS", 9, Q + "noise.low", "a curve takes no 'low'", "remove it"),
    "list scalar": ("[1 uS, 2 uS]", "1 uS", 10, Q + "levels.value", "expected a list of values", "[first, second]"),
    "list item": ("[1 uS, 2 uS]", "[1 uS, x]", 10, Q + "levels.value[1]", "expected a conductance", "25 uS"),
    "list nested": ("[1 uS, 2 uS]", "[[1 uS]]", 10, Q + "levels.value[0]", "expected a conductance", "25 uS"),
    "percent above": ("1 %", "101 %", 12, Q + "stuck.value", "101 % is above", "stuck cells"),
    "required missing": (CELL[CELL.index("  g_max") : CELL.index("  noise")], "", 7, Q + "g_max", "'g_max' is missing", "largest"),
    "quantities list": (CELL[CELL.index("  g_max") :], "  - 1\n", 8, "quantities", "expected quantities as a mapping", "key"),
    "quantity key": ("{value: 1 %,", "{value: 1 %, sorce: x,", 12, Q + "stuck.sorce", "unknown key", "did you mean 'source'?"),
}  # fmt: skip

# (text, line, words of the message, words of the remedy): not YAML, or YAML that is not accepted
SYNTAX = {
    "empty": ("", 1, "the file is empty", "schema: 1"),
    "spaces": (" \n\n", 1, "the file is empty", "schema: 1"),
    "comment": ("# nothing\n", 1, "no data", "schema: 1"),
    "null": ("~\n", 1, "as a mapping of keys, got nothing", "key: value"),
    "list": ("- 1\n- 2\n", 1, "as a mapping of keys, got [1, 2]", "key: value"),
    "word": ("hello\n", 1, "as a mapping of keys, got 'hello'", "key: value"),
    "tab": ("schema: 1\nchip:\n\ttile: 1\n", 3, "not valid YAML", "indent with spaces"),
    "cut list": ("schema: 1\nchip: [1, 2\n", 3, "not valid YAML", "cut short"),
    "cut mapping": ("schema: 1\nchip: {a: 1,\n", 3, "not valid YAML", "cut short"),
    "cut quote": ('schema: 1\nname: "toy\n', 3, "not valid YAML", "cut short"),
    "colon in value": ("schema: 1\ntitle: a: b\n", 2, "mapping values are not allowed", "quote a text"),
    "no space": ("schema: 1\nname\n", 3, "could not find expected ':'", "space after the colon"),
    "indentation": ("schema: 1\nchip:\n    a: 1\n  b: 2\n", 4, "not valid YAML", "same column"),
    "duplicate": ("schema: 1\nname: a\nname: b\n", 3, "key 'name' is given twice", "first at line 2"),
    "deep duplicate": ("schema: 1\nchip: {a: 1, a: 2}\n", 2, "[chip.a]: key 'a' is given twice", "keep one"),
    "anchor": ("schema: 1\nname: &x a\n", 2, "anchor &x is not supported", "write the value out"),
    "alias": ("schema: 1\nname: *x\n", 2, "alias *x is not supported", "write the value out"),
    "merge": ("schema: 1\nchip:\n  <<: {a: 1}\n", 3, "merge key", "write the keys out"),
    "billion laughs": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 1, "anchor &a", "write the value out"),
    "tag": ("schema: !!int 1\n", 1, "tag !!int is not supported", "plain values"),
    "python object": ("schema: !!python/object/apply:os.system [ls]\n", 1, "python/object", "plain values"),
    "two documents": ("schema: 1\n---\nschema: 1\n", 2, "second YAML document", "one document per file"),
    "deep": ("a: " + "[" * 60 + "]" * 60 + "\n", 1, "nested deeper than 40", "flatten"),
    "very deep": ("a: " + "[" * 100_000, 1, "nested deeper than 40", "flatten"),
    "key list": ("schema: 1\n? [1, 2]\n: 3\n", 2, "a key must be a plain word", "key: value"),
    "no key": ("schema: 1\n: 3\n", 2, "did not find expected key", "check the indentation"),
    "control": ("schema: 1\nname: a\x01b\n", 2, "not", ""),
}

BYTES = {
    "latin-1": (b"schema: 1\nname: caf\xe9\n", ":2:10", "byte 0xe9 is not UTF-8", "save the file in UTF-8"),
    "utf-16": ("schema: 1\n".encode("utf-16"), ":1", "UTF-16", "YAML text file"),
    "zip": (b"PK\x03\x04" + bytes(20), ":1", "a zip archive", "YAML text file"),
    "pickle": (b"\x80\x04\x95abc", ":1", "a pickle", "YAML text file"),
    "binary": (b"ab\0cd", ":1", "a binary file", "YAML text file"),
    "oversized": (b"# " + b"x" * (4 << 20), "", "larger than 4 MiB", "right file"),
}


def message_of(path: Path, load=load_architecture) -> str:
    """The one message of loading this file."""
    with pytest.raises(InputError) as caught:
        load(path)
    assert str(path) in str(caught.value) or "cell.yaml" in str(caught.value)
    return str(caught.value)


def assert_names(message: str, path: Path, line: int, key: str, words: str, remedy: str) -> None:
    lines = [text for text in message.splitlines() if text.startswith(f"{path}:{line}:") and f"[{key}]" in text]
    assert len(lines) == 1, message
    assert words in lines[0]
    assert remedy in lines[0]
    assert lines[0].endswith(")")


def assert_cli_says(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line prints that message, one line a problem, with exit code 2 and nothing else."""
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    expected = [f"error: {line}" for line in message.splitlines()]
    assert lines[: len(expected)] == expected
    assert lines[len(expected) :] == ([f"{len(expected)} problems"] if len(expected) > 1 else [])


@pytest.mark.parametrize("case", ARCHITECTURE)
def test_architecture_fault_is_named(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, line, key, words, remedy = ARCHITECTURE[case]
    assert CHIP.count(old) >= 1
    path = write(tmp_path, chip=CHIP.replace(old, new, 1))
    message = message_of(path)
    assert_names(message, path, line, key, words, remedy)
    assert_cli_says(["architectures", "check", str(path)], message, capsys)


@pytest.mark.parametrize("case", DATASHEET)
def test_datasheet_fault_is_named(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, line, key, words, remedy = DATASHEET[case]
    assert CELL.count(old) >= 1
    path = tmp_path / "cell-a.yaml"
    path.write_text(CELL.replace(old, new, 1))
    message = message_of(path, load_datasheet)
    assert_names(message, path, line, key, words, remedy)
    assert_cli_says(["devices", "check", str(path)], message, capsys)


@pytest.mark.parametrize("load", [load_architecture, load_datasheet])
@pytest.mark.parametrize("case", SYNTAX)
def test_syntax_fault_is_named(case: str, load, tmp_path: Path) -> None:
    text, line, words, remedy = SYNTAX[case]
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    first = message_of(path, load).splitlines()[0]
    assert first.startswith(f"{path}:{line}:") or (case == "control" and first.startswith(f"{path}:{line}"))
    assert words in first
    assert remedy in first


@pytest.mark.parametrize("case", BYTES)
def test_bytes_that_are_not_text(case: str, tmp_path: Path) -> None:
    raw, place, words, remedy = BYTES[case]
    path = tmp_path / "bad.yaml"
    path.write_bytes(raw)
    message = message_of(path)
    assert message.startswith(f"{path}{place}")
    assert words in message
    assert remedy in message


def test_missing_file_suggests_its_sibling(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(InputError, match=r"no such file \(did you mean 'chip.yaml'"):
        load_architecture(path.with_name("chips.yaml"))
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(InputError, match="folder"):
        load_architecture(tmp_path / "folder.yaml")


def test_all_faults_of_a_file_at_once(tmp_path: Path) -> None:
    """Faults of independent places are all reported, in order of line."""
    text = CHIP
    for old, new in (
        ("title:", "titel:"), ("boundary: chip", "boundary: die"), ("mesh", "mush"), ("count: 4", "count: -4"),
        ("rows: 256", "rows: yes"), ("100 MHz", "100 mV"), ("cell-a", "cell-z"), ("bits: 8", "bitts: 8"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new, 1)
    path = write(tmp_path, chip=text)
    with pytest.raises(InputError) as caught:
        load_architecture(path)
    lines = [p.place.line for p in caught.value.problems]
    assert lines == [3, 4, 8, 10, 14, 16, 17, 20]
    assert all(p.hint and p.place.column and p.place.key for p in caught.value.problems)


def test_faults_of_a_part_carry_the_parts_file(tmp_path: Path) -> None:
    path = write(tmp_path, **{"cell-a": CELL.replace("25 uS", "25 uV").replace("basis: derived", "basis: magic")})
    message = message_of(path)
    assert f"{path}:17:20 [chip.tile.core.cell.part]: the datasheet 'cell-a' cannot be used" in message
    assert f"{tmp_path / 'cell-a.yaml'}:8:18 [quantities.g_max.value]" in message
    assert f"{tmp_path / 'cell-a.yaml'}:10:" in message


def test_a_part_used_twice_is_reported_once(tmp_path: Path) -> None:
    path = write(tmp_path, **{"adc-a": ADC.replace("1.56 pJ", "1.56")})
    assert message_of(path).count("1.56 has no unit") == 1


@pytest.mark.parametrize("seed", range(40))
def test_cut_files_never_escape_the_reader(seed: int, tmp_path: Path) -> None:
    """A file cut anywhere is either valid or refused with its name; nothing else is raised."""
    cut = (seed + 1) * len(CHIP) // 41
    path = write(tmp_path, chip=CHIP[:cut])
    try:
        load_architecture(path)
        files = set()
    except InputError as error:
        files = {p.place.file for p in error.problems}
    complete = cut > CHIP.index("}\n      adc")
    assert files == {str(path)} or (complete and not files)
