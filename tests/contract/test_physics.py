"""Every kind says which physics its numbers follow, and lists every place of a component that is empty."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from neuromorph.cli import build_app
from neuromorph.devices.physics import ABSENT, UNHOUSED
from neuromorph.devices.protocol import kind_of
from neuromorph.hardware.catalog import architecture_names, load_architecture
from neuromorph.hardware.component import Architecture, Component

SHIPPED = architecture_names()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_effect_has_an_entry_and_something_is_left_out(name: str) -> None:
    architecture = load_architecture(name)
    kind = kind_of(architecture)
    table = kind.physics(architecture)
    assert {p.effect for p in table if p.effect} == set(kind.effects(architecture))
    assert len({p.name for p in table}) == len(table)
    assert {p.included for p in table} == {True, False}
    for word in ("temperature", "ageing"):
        assert any(word in p.name and not p.included for p in table)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_empty_place_is_listed_or_spared_for_a_reason(name: str) -> None:
    architecture = load_architecture(name)
    kind = kind_of(architecture)
    listed, spared = kind.absent(architecture), kind.spared(architecture)
    empty = {
        f"{c.path}.{slot}" for c, _ in architecture.chip.walk() for slot in c.kind.slots if c.get(slot) is None
    }  # fmt: skip
    named = {e.removesuffix(f": {ABSENT}") for e in listed if e.endswith(f": {ABSENT}")}
    assert named | (set(spared) & empty) == empty
    assert not named & set(spared)
    assert all(reason for reason in spared.values())
    assert any(e.endswith(f": {UNHOUSED}") for e in listed)


def without(component: Component, path: str) -> Component:
    kept = {n: without(c, path) for n, c in component.children.items() if c.path != path}
    return dataclasses.replace(component, children=kept)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_taken_away_is_listed_or_spared(name: str) -> None:
    architecture = load_architecture(name)
    for parent, _ in architecture.chip.walk():
        for slot, declared in parent.kind.slots.items():
            if declared.required or parent.get(slot) is None:
                continue
            path = f"{parent.path}.{slot}"
            less: Architecture = dataclasses.replace(architecture, chip=without(architecture.chip, path))
            kind = kind_of(less)
            assert f"{path}: {ABSENT}" in kind.absent(less) or kind.spared(less).get(path), path


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("hermes-like", ["chip.io", "chip.tile.bus", "chip.tile.adder", "chip.tile.core.input_buffer"]),
        ("puma-like", ["chip.tile.bus", "chip.tile.adder"]),
        ("isaac-like", []),
        ("digital-int8", ["chip.io", "chip.tile.adder"]),
        ("truenorth-like", ["chip.io"]),
        ("spinnaker2", ["chip.io"]),
    ],
)
def test_what_shipped_chips_lack_by_name(name: str, dropped: list[str]) -> None:
    architecture = load_architecture(name)
    listed = kind_of(architecture).absent(architecture)
    assert {f"{d}: {ABSENT}" for d in dropped} <= set(listed)
    if not dropped:
        assert not any(e.endswith(f": {ABSENT}") for e in listed)


@pytest.mark.parametrize(
    ("quantities", "physics"),
    [
        (("programming_noise", "retention_noise_1", "relaxation_spread"), "programming noise"),
        (("flicker_noise",), "1/f noise"),
        (("read_noise",), "read noise"),
    ],
)
def test_entries_of_a_crossbar_follow_its_cells(quantities: tuple[str, ...], physics: str) -> None:
    architecture = load_architecture("hermes-like")

    def bare(c: Component) -> Component:
        part = c.part and dataclasses.replace(
            c.part, quantities={n: q for n, q in c.part.quantities.items() if n not in quantities}
        )
        return dataclasses.replace(c, part=part, children={n: bare(k) for n, k in c.children.items()})

    def entry(a: Architecture) -> Any:
        return next(p for p in kind_of(a).physics(a) if p.name == physics)

    less = dataclasses.replace(architecture, chip=bare(architecture.chip))
    assert entry(architecture).included
    assert not entry(less).included
    assert quantities[0] in entry(less).note


@pytest.mark.parametrize("name", ["hermes-like", "loihi-like"])
def test_the_command_shows_both(name: str) -> None:
    found = load_architecture(name)
    told = CliRunner().invoke(build_app(), ["architectures", "show", name, "--json"])
    data = json.loads(told.stdout)
    assert len(data["physics"]) == len(kind_of(found).physics(found))
    assert data["absent"] == list(kind_of(found).absent(found))
    text = CliRunner().invoke(build_app(), ["architectures", "show", name]).stdout
    assert "temperature" in text
    assert "not modelled:" in text
