"""The structure that docs/decisions/0003 draws holds for every room, also for those to come."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "neuromorph"
ROOMS = sorted(p.name for p in (PACKAGE / "devices").iterdir() if (p / "kind.py").is_file())


@cache
def modules() -> dict[str, Path]:
    """All modules by name."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports when it runs, inside functions as well; those for type checkers alone left out."""
    tree = ast.parse(path.read_text())
    typed = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    skipped = {id(inner) for block in typed for inner in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in modules() else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@cache
def edges() -> dict[str, set[str]]:
    """Who imports whom."""
    return {n: {m for m in imported(p) if m in modules() and m != n} for n, p in modules().items()}


@cache
def reached(name: str) -> frozenset[str]:
    """All modules that importing this one may load, itself only where it is in a circle."""
    found: set[str] = set()
    front = list(edges()[name])
    while front:
        module = front.pop()
        if module not in found:
            found.add(module)
            front += edges()[module]
    return frozenset(found)


def test_no_module_is_in_an_import_circle() -> None:
    assert [name for name in modules() if name in reached(name)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_computed_and_what_it_costs_meet_only_in_the_trace(room: str) -> None:
    for one, other in (("execute", "tally"), ("tally", "execute")):
        inside = [m for m in modules() if m.startswith(f"neuromorph.devices.{room}.{one}")]
        loads = {m for name in inside for m in reached(name) if m.startswith(f"neuromorph.devices.{room}.{other}")}
        assert not loads, f"{room}: {one} loads {sorted(loads)}"


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_knows_another(room: str) -> None:
    inside = [m for m in modules() if m.startswith(f"neuromorph.devices.{room}")]
    others = tuple(f"neuromorph.devices.{r}" for r in ROOMS if r != room)
    loads = {m for name in inside for m in edges()[name] if m.startswith(others)}
    assert not loads


def test_verbs_tables_and_sweeps_know_no_room() -> None:
    """Kinds are found, not named: only systems that are built on one chip name a room."""
    rooms = tuple(f"neuromorph.devices.{r}" for r in ROOMS)
    free = ("neuromorph.systems", "neuromorph.devices")
    named = {n: sorted(m for m in e if m.startswith(rooms)) for n, e in edges().items() if not n.startswith(free)}
    assert {n: m for n, m in named.items() if m} == KNOWN


KNOWN = {
    "neuromorph.cli.maxcut": ["neuromorph.devices.manycore"],  # the search runs on many-core chips alone
    "neuromorph.cli.run": ["neuromorph.devices.manycore.execute"],  # its stop rule is an option of that kind
}
"""Modules that name a room, with the reason."""


def test_the_six_files_to_read_first_exist_and_are_short() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    listed = [
        ROOT / line.split("](")[1].split(")")[0]
        for line in text.splitlines()
        if line[:2] in ("1.", "2.", "3.", "4.", "5.", "6.") and "](neuromorph" in line
    ]
    assert len(listed) == 6
    assert sum(len(path.read_text().splitlines()) for path in listed) < 1800
