"""What kinds of components declare about themselves, so that shared code need not list them."""

from __future__ import annotations

import dataclasses

import pytest

from neuromorph.costing.ledger import price
from neuromorph.counts import Activity, ActivityRow
from neuromorph.hardware.component import Architecture, Component, ComponentKind, Cost
from neuromorph.hardware.fields import declared
from neuromorph.hardware.registry import component_kinds

KINDS = component_kinds()
FAMILIES = ("chip", "core")


@pytest.mark.parametrize("name", KINDS)
def test_what_holds_or_computes_decides_the_placement(name: str) -> None:
    """Chips, cores and what stands between them are structural; converters, memories and networks are not."""
    kind = KINDS[name]
    slots = {k for other in KINDS.values() for s in other.slots.values() for k in s.kinds}
    holds_cores = any(set(s.kinds) & {"core", "spiking_core", *FAMILIES} for s in kind.slots.values())
    if {kind.name, kind.family} & set(FAMILIES) or holds_cores or "tile" in kind.name:
        assert kind.structural
    if not kind.slots and kind.name in slots and "core" not in (kind.family or kind.name):
        assert not kind.structural


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_with_actions_that_occupy_it_has_a_law_of_times(name: str) -> None:
    assert not KINDS[name].occupying or KINDS[name].times is not None


def test_some_parameters_of_cores_and_parts_take_arrays_of_designs() -> None:
    """Closed forms group designs by all others, so that a declaration too few is slow and one too many fails there."""
    found = {
        (name, field.name)
        for name, kind in KINDS.items()
        for of in (kind.settings, kind.quantities)
        for field in declared(of).values()
        if field.vector
    }
    assert {("crossbar", "weight_bits"), ("digital", "clock"), ("adc", "area"), ("cryostat", "cooling_factor")} <= found
    assert not {("crossbar", "signed_weights"), ("adc", "node")} & found


def test_an_action_within_others_needs_no_price_of_its_own() -> None:
    """Else a part that has no price for it is listed."""
    kind = ComponentKind("toy", "a part", costs=lambda c: {"step": Cost(2.0, "assumed", "invented")})
    rows = tuple(ActivityRow("n", "toy", action, 3.0) for action in ("step", "tick", "busy"))
    for within, missing in (((), ("toy: tick",)), (("tick",), ())):
        part = Component("toy", dataclasses.replace(kind, within=within), 1, None, None, {})
        ledger = price(Activity(rows, "assumed", {}), Architecture("a", "", part, "chip"))
        assert (ledger.total_j, ledger.unmodelled) == (6.0, missing)
