"""What a source calls the demand at full load prices and never limits, in every kind of part that can have one."""

from __future__ import annotations

from typing import Any

import pytest
from emulated import NETWORKS
from part_builder import component, part

from neuromorph.devices.parts import adder, buffer, network, vector_unit
from neuromorph.hardware.catalog import datasheet_names, load_architecture, load_datasheet
from neuromorph.hardware.component import ComponentKind
from neuromorph.hardware.fields import declared
from neuromorph.hardware.paths import replace
from neuromorph.run import run

RATES = [
    (buffer.BUFFER, "bandwidth", "read_bit", {"capacity": 4096.0}),
    (network.BUS, "bandwidth", "transfer_bit", {}),
    (network.ROUTER, "bandwidth", "transfer_bit", {}),
    (network.LINK, "bandwidth", "transfer_bit", {}),
    (network.IO, "bandwidth", "transfer_bit", {}),
    (vector_unit.VECTOR_UNIT, "operation_rate", "operation", {}),
    (adder.ADDER, "operation_rate", "add", {}),
]


@pytest.mark.parametrize(("kind", "rate", "action", "settings"), RATES, ids=[kind.name for kind, *_ in RATES])
def test_a_demand_prices_and_takes_no_time(
    kind: ComponentKind, rate: str, action: str, settings: dict[str, Any]
) -> None:
    assert kind.costs is not None
    assert kind.times is not None
    assert declared(kind.quantities)["demand"].affects == ("energy",)
    demanded = component(kind, part(kind, active_power=1e-3, demand=2e9), **settings)
    assert kind.costs(demanded)[action].energy_j == pytest.approx(0.5e-12)
    assert action not in kind.times(demanded)
    both = component(kind, part(kind, active_power=1e-3, demand=2e9, **{rate: 1e9}), **settings)
    assert kind.costs(both)[action].energy_j == pytest.approx(0.5e-12)
    assert kind.times(both)[action] == pytest.approx(1e-9)


def test_parts_that_call_a_rate_a_demand_give_it_as_one() -> None:
    for name in datasheet_names():
        found = load_datasheet(name)
        rates = [q for key, q in found.quantities.items() if key in ("bandwidth", "operation_rate")]
        says = " ".join([found.notes, *(q.where for q in rates)]).lower()
        assert not rates or not ("full load" in says or "demand" in says), found.name


@pytest.mark.parametrize("name", ["isaac-like", "puma-like"])
def test_half_the_input_bits_take_half_the_interval(name: str) -> None:
    graph, chip = NETWORKS["lenet"](), load_architecture(name)
    for wider, narrower in ((16, 12), (12, 8), (8, 4)):
        slow, fast = (
            run(graph, replace(chip, {"core.input_bits": bits}))["interval"].value for bits in (wider, narrower)
        )
        assert fast == pytest.approx(slow * narrower / wider)
