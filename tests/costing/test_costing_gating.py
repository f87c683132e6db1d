"""Both ends of what idle parts draw: every one of them gated, and none."""

from __future__ import annotations

import numpy as np
import pytest
from emulated import Graph, Node, dense, mlp

import neuromorph as nm
from neuromorph.costing.area import chip_area
from neuromorph.costing.gating import GATED, UNGATED, idle_of
from neuromorph.costing.ledger import dynamic_by, price
from neuromorph.counts import Activity
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.paths import replace


def product(rows: int, columns: int) -> Graph:
    return Graph("one", {"x": (rows,)}, (Node("fc", dense.Linear(np.ones((columns, rows))), ("x",)),), ("fc",))


def test_isaac_without_gating_draws_its_published_power_whatever_it_does() -> None:
    """Component table: 65.8 W of the chip. One unit of 2,016 at work draws 10.4 W of interface and its own."""
    for bits in (16, 4):
        report = nm.run(product(128, 16), replace(load_architecture("isaac-like"), {"core.input_bits": bits}))
        power = report["power_ungated"]
        assert power.value == pytest.approx(65.8, rel=1e-3)
        assert report["power"].value == pytest.approx(10.4, rel=5e-3)
        assert GATED in power.note
        assert UNGATED in power.note


def test_a_core_partly_used_draws_between_what_its_rows_take_and_the_whole() -> None:
    few, all_of_it = (nm.run(product(rows, 16), load_architecture("puma-like")) for rows in (32, 128))
    assert few["power"].value <= all_of_it["power"].value
    assert few["power_ungated"].value == pytest.approx(all_of_it["power_ungated"].value, rel=2e-3)


@pytest.mark.parametrize("name", ["hermes-like", "isaac-like", "neurram-like", "digital-int8"])
def test_both_ends_hold_the_static_energy_and_are_in_python_and_json(name: str) -> None:
    report = nm.run(mlp(), load_architecture(name))
    static = report["static_energy_ungated"]
    assert static.value > (report["static_energy"].value or 0.0)
    stored = {m["name"]: m for m in report.to_dict()["metrics"]}["static_energy_ungated"]
    assert (stored["value"], stored["note"]) == (static.value, static.note)


def test_an_idle_chip_without_gating_draws_the_power_of_all_its_parts() -> None:
    chip = load_architecture("puma-like")
    ledger = price(Activity((), "assumed", {}), chip, 2.0)
    idle = idle_of(chip)
    assert dynamic_by(ledger) == {}
    assert ledger.static_range_j[0] == pytest.approx(2.0 * chip_area(chip).leakage_w)
    assert ledger.ungated_j == pytest.approx(2.0 * sum(w for w in idle.at_work_w.values() if w is not None))
    assert ledger.ungated_unknown == idle.unknown == ("chip.link",)
    assert price(Activity((), "assumed", {}), chip).static_range_j is None


def test_published_ranges_of_static_power_are_ends_too() -> None:
    """Loihi chips idle at 29 mW and at 104 mW."""
    ledger = price(Activity((), "assumed", {}), load_architecture("loihi-like"), 1.0)
    (row,) = [r for r in ledger if r.kind == "static" and r.energy_j]
    assert row.energy_j == pytest.approx(104e-3)
    assert row.high_j is None
    assert ledger.static_range_j[0] == pytest.approx(29e-3)
    assert ledger.range_j[0] == pytest.approx(29e-3)
