"""YAML reading: the traps, and a place for every key and value."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.yamlfile import parse_yaml, scalar, show_path

TRAPS = {
    "1e-9": 1e-9,
    "1E5": 1e5,
    "-1.5e+3": -1500.0,
    ".5": 0.5,
    "1.": 1.0,
    "12": 12,
    "-3": -3,
    "0": 0,
    "on": "on",
    "off": "off",
    "yes": "yes",
    "No": "No",
    "y": "y",
    "true": True,
    "False": False,
    "~": None,
    "null": None,
    "": None,
    "1:30": "1:30",
    "010": "010",
    "00.5": "00.5",
    "0x10": "0x10",
    "0o10": "0o10",
    "0b1": "0b1",
    "1_000": "1_000",
    ".inf": ".inf",
    ".nan": ".nan",
    "2016-01-01": "2016-01-01",
    "25 uS": "25 uS",
    "=": "=",
    "1e999": float("inf"),
}


@pytest.mark.parametrize("text", TRAPS)
def test_plain_scalars(text: str) -> None:
    found = parse_yaml(f"a: {text}\n").data["a"]
    assert found == TRAPS[text]
    assert type(found) is type(TRAPS[text])


def test_quoted_text_stays_text() -> None:
    assert parse_yaml("a: '1e-9'\nb: \"on\"\nc: |\n  12\n").data == {"a": "1e-9", "b": "on", "c": "12\n"}


def test_keys_are_text() -> None:
    assert parse_yaml("on: 1\n2: 3\n1e-9: 4\n").data == {"on": 1, "2": 3, "1e-9": 4}


def test_marks_of_keys_and_values() -> None:
    found = parse_yaml("schema: 1\nchip:\n  tile: {count:  4, list: [a,\n    b]}\n", "f.yaml")
    assert (found.marks[("chip", "tile", "count")].key, found.marks[("chip", "tile", "count")].value) == (
        (3, 10),
        (3, 18),
    )
    assert found.marks[("chip", "tile", "list", 1)].value == (4, 5)
    assert str(found.place(("chip", "tile", "list", 1))) == "f.yaml:4:5 [chip.tile.list[1]]"
    assert str(found.place(("chip", "tile", "absent"))) == "f.yaml:3:9 [chip.tile.absent]"
    assert str(found.place(("chip", "tile", "count"), at="key")) == "f.yaml:3:10 [chip.tile.count]"


def test_byte_order_mark_and_line_ends(tmp_path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfschema: 1\r\nname: x\r\n")
    from neuromorph.yamlfile import read_yaml

    assert read_yaml(path).data == {"schema": 1, "name": "x"}


WORD = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=12).filter(
        lambda text: not re.fullmatch(r"[-+]?[0-9.]+[eE][-+]?[0-9]+", text)  # PyYAML leaves "0E0" bare: a number here
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORD, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(WORD, PLAIN, min_size=1, max_size=4))
def test_what_pyyaml_writes_is_read_back(data: dict[str, Any]) -> None:
    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    found = parse_yaml(yaml.dump(data, Dumper=Plain, allow_unicode=True))
    assert found.data == data

    def paths(value: Any, path: tuple = ()) -> set:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return {path}.union(*(paths(v, (*path, k)) for k, v in items))

    assert set(found.marks) == paths(data)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    hints = ["read"]
    try:
        parse_yaml(text)
    except InputError as error:
        hints = [p.hint for p in error.problems]
    assert hints
    assert all(hints)


def test_all_duplicate_keys_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [(p.place.line, p.place.key) for p in caught.value.problems] == [(2, "a"), (3, "b.c")]


def test_scalar_and_path_text() -> None:
    assert scalar("9" * 500) == "9" * 500
    assert show_path(("a", 0, "b", 1)) == "a[0].b[1]"
