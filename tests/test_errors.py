"""Hints for names that are not known."""

from pathlib import Path

import pytest

from neuromorph.errors import suggest

SOURCE = Path(__file__).parents[1] / "neuromorph"


@pytest.mark.parametrize(
    ("name", "legal", "options", "hint"),
    [
        ("rosw", ["rows", "cols"], {}, "did you mean 'rows'? legal: rows, cols"),
        ("ROWS", ["rows", "cols"], {"what": "legal keys"}, "did you mean 'rows'? legal keys: rows, cols"),
        ("mhz", ["mHz", "MHz", "kHz"], {"what": ""}, "did you mean 'mHz' or 'MHz'?"),
        ("chp.yml", ["chip.yml", "chop.yml", "x"], {"what": "", "most": 3}, "did you mean 'chop.yml' or 'chip.yml'?"),
        ("zzz", ["rows", "cols"], {}, "legal: rows, cols"),
        ("zzz", ["rows", "cols"], {"what": ""}, ""),
        (7, [8, 9], {}, "legal: 8, 9"),
        ("a", [], {"what": "layers"}, "layers: none"),
    ],
)  # fmt: skip
def test_near_names_come_first_and_all_legal_ones_after_them(name, legal, options, hint) -> None:
    assert suggest(name, legal, **options) == hint


def test_a_long_list_is_cut() -> None:
    hint = suggest("q", (f"name{i}" for i in range(50)))
    assert hint.startswith("legal: name0, ")
    assert hint.endswith("name39, ...")


def test_names_are_compared_in_one_place() -> None:
    assert [p.name for p in sorted(SOURCE.rglob("*.py")) if "difflib" in p.read_text()] == ["errors.py"]
