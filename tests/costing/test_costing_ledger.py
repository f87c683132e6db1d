"""The ledger adds up, keeps its sources, names what it does not know; areas add up over the component tree."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from emulated import MACROS, NETWORKS, SHIPPED, altered, inputs_of, placed, shipped

from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import Ledger, price
from neuromorph.counts import Activity, ActivityRow
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.devices.layered.tally.counts import assume, gather
from neuromorph.hardware.component import BASES, Architecture
from neuromorph.hardware.paths import replace


def ledger_of(name: str, network: str = "lenet", seconds: float | None = None) -> tuple[Ledger, Activity, Architecture]:
    architecture = shipped(name)
    activity = assume(placed(NETWORKS[network](), architecture))
    return price(activity, architecture, seconds), activity, architecture


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("network", NETWORKS)
def test_rows_add_up_to_the_total(name: str, network: str) -> None:
    ledger, activity, architecture = ledger_of(name, network, 1e-3)
    assert ledger.total_j == pytest.approx(sum(r.count * r.each_j for r in ledger if r.each_j is not None), rel=1e-12)
    for field in ("layer", "component", "action", "kind", "basis"):
        assert sum(ledger.by(field).values()) == pytest.approx(ledger.total_j, rel=1e-12)
    assert ledger.total("dynamic") + ledger.total("static") == pytest.approx(ledger.total_j, rel=1e-12)
    for row in ledger:
        assert row.count >= 0
        assert math.isfinite(row.count)
        assert row.energy_j == pytest.approx(row.count * row.each_j)
        assert row.basis in BASES
        assert row.source
        assert row.boundary == architecture.boundary
    # independent of how rows are merged: straight from counts and prices
    costs = {c.path: c.kind.costs(c) if c.kind.costs else {} for c, _ in architecture.chip.walk()}
    direct = sum(r.mean * costs[r.path][r.action].energy_j for r in activity if r.action in costs.get(r.path, {}))
    assert ledger.total("dynamic") == pytest.approx(direct, rel=1e-12)
    assert ledger.total_j > 0


def test_every_action_is_priced_or_named() -> None:
    for name in SHIPPED:
        ledger, _, _ = ledger_of(name)
        macro = name in MACROS  # a macro alone has no vector unit beside it
        assert ledger.unmodelled == (("chip.tile.vector_unit: operation",) if macro else ())


def test_an_unknown_cost_is_named_and_not_zero() -> None:
    """Without its energy a converter, a buffer or a whole vector unit is missing from the sum and listed."""
    ledger, activity, architecture = ledger_of("hermes-like")
    tile = architecture.chip["tile"]
    import dataclasses

    bare = dataclasses.replace(tile, children={k: c for k, c in tile.children.items() if k != "vector_unit"})
    chip = dataclasses.replace(architecture.chip, children={**architecture.chip.children, "tile": bare})
    without = dataclasses.replace(architecture, chip=chip)
    placement = placed(NETWORKS["lenet"](), without)
    found = price(assume(placement), without)
    assert found.unmodelled == ("chip.tile.vector_unit: operation",)
    assert all(r.component != "chip.tile.vector_unit" for r in found)
    assert found.total_j < ledger.total_j
    unknown = ActivityRow("fc", "chip.tile.core.adc", "sparks", 5.0)
    strange = price(Activity((unknown,), "assumed", {}), architecture)
    assert strange.unmodelled == ("chip.tile.core.adc: sparks",)
    assert strange.total_j == 0
    assert activity.origin == "assumed"


def test_an_array_with_neither_read_nor_power_is_named() -> None:
    """A word line's energy alone does not price the read."""
    architecture = altered("hermes-like", {"chip.tile.core.array.row_energy": "1 pJ",
                                           "chip.tile.core.array.cell.part": "pcm-joshi-crosssim"})  # fmt: skip
    ledger = price(assume(placed(NETWORKS["mlp"](), architecture)), architecture)
    assert ledger.unmodelled == ("chip.tile.core.array: read",)
    assert any(r.component == "chip.tile.core.array" and r.action == "row" for r in ledger)


def test_static_power_times_time() -> None:
    architecture = replace(
        shipped("isaac-like"), {"chip.tile.buffer.leakage": "2 mW", "chip.tile.core.adc.leakage": "3 uW"}
    )
    activity = assume(placed(NETWORKS["mlp"](), architecture))
    for seconds in (1e-6, 1e-3):
        ledger = price(activity, architecture, seconds)
        static = {r.component: r for r in ledger if r.kind == "static"}
        assert static["chip.tile.buffer"].energy_j == pytest.approx(168 * 2e-3 * seconds)
        assert static["chip.tile.core.adc"].energy_j == pytest.approx(168 * 12 * 8 * 3e-6 * seconds)
        assert static["chip.io"].energy_j == pytest.approx(10.4 * seconds)
        assert ledger.total("static") == pytest.approx((168 * 2e-3 + 168 * 12 * 8 * 3e-6 + 10.4) * seconds)
        assert "chip.tile.router: leakage" in ledger.unmodelled
        assert "chip.tile.buffer: leakage" not in ledger.unmodelled
    assert price(activity, architecture).total("static") == 0
    assert chip_area(architecture).leakage_w == pytest.approx(168 * 2e-3 + 168 * 12 * 8 * 3e-6 + 10.4)


def test_ranges_of_prices_bound_the_total() -> None:
    for name in SHIPPED:
        ledger, _, _ = ledger_of(name)
        low, high = ledger.range_j
        assert low <= ledger.total_j <= high
    ledger, _, _ = ledger_of("digital-int8")  # SRAM by a power law with a known error
    low, high = ledger.range_j
    sram = sum(r.energy_j for r in ledger if r.low_j is not None and "buffer" in r.component)
    assert high - low >= 2 * 0.12 * sram * 0.999


def test_spread_over_samples_reaches_the_ledger() -> None:
    graph, architecture = NETWORKS["mlp"](), shipped("sonos-like")
    placement, x = placed(graph, architecture), inputs_of(graph, 40)
    run = execute(placement, x, trials=1, calibration=calibrate(placement, x))
    ledger = price(gather(placement, run.statistics), architecture)
    row = next(r for r in ledger if r.layer == "fc0" and r.action == "read")
    assert row.spread_j == pytest.approx(row.energy_j * run.statistics["fc0"].spread)
    same = np.repeat(x[:1], 40, axis=0)
    flat = execute(placement, same, trials=1, calibration=calibrate(placement, x), off=("read", "programming"))
    assert price(gather(placement, flat.statistics), architecture).spread_j == pytest.approx(
        0, abs=1e-6 * ledger.total_j
    )
    assert ledger.spread_j > 0


def test_executed_energy_follows_the_values() -> None:
    """Inputs of half the size draw a quarter of the current and half the pulse time; conversions cost the same."""
    graph = NETWORKS["mlp"](sizes=(12, 4))
    x = inputs_of(graph, 60)
    for coding, factor in (("amplitude", 0.25), ("pulse_width", 0.5)):
        architecture = altered("hermes-like", {"chip.tile.core.input_coding": coding, "chip.tile.core.input_bits": 12,
                                               "chip.tile.core.dac.bits": 12})  # fmt: skip
        placement = placed(graph, architecture)
        calibration = calibrate(placement, x)
        ledgers = []
        for scale in (1.0, 0.5):
            run = execute(placement, scale * x, trials=1, calibration=calibration)
            ledgers.append(price(gather(placement, run.statistics), architecture))
        read = [next(r.energy_j for r in led if r.action == "read") for led in ledgers]
        assert read[1] / read[0] == pytest.approx(factor, rel=0.01)
        assert ledgers[0].by("component")["chip.tile.core.adc"] == ledgers[1].by("component")["chip.tile.core.adc"]


def test_csv_holds_every_row() -> None:
    ledger, _, _ = ledger_of("isaac-like", "gru", 1e-6)
    rows = list(csv.DictReader(io.StringIO(ledger.to_csv())))
    assert len(rows) == len(ledger.rows)
    assert sum(float(r["energy_j"]) for r in rows) == pytest.approx(ledger.total_j)
    assert {r["layer"] for r in rows} >= {"gru", "head"}
    keys = [(r["layer"], r["component"], r["action"], r["kind"]) for r in rows]
    assert len(set(keys)) == len(keys)  # both matrices of the cell in one row


@pytest.mark.parametrize("name", SHIPPED)
def test_areas_add_up_over_the_tree(name: str) -> None:
    architecture = shipped(name)
    area = chip_area(architecture)
    assert area.total_m2 == pytest.approx(sum(r.count * r.each_m2 for r in area.rows if r.each_m2 is not None))
    modelled = {r.component for r in area.rows if r.each_m2 is not None}
    assert set(area.unmodelled) == {r.component for r in area.rows} - modelled
    counts = {c.path: n for c, n in architecture.chip.walk()}
    assert all(r.count == counts[r.component] for r in area.rows)


def test_isaac_counts_its_converters() -> None:
    rows = {r.component: r for r in chip_area(shipped("isaac-like")).rows}
    assert rows["chip.tile.core.adc"].count == 168 * 12 * 8
    assert rows["chip.tile.core.adc"].area_m2 == pytest.approx(168 * 12 * 0.0096e-6)
    assert rows["chip.tile.router"].area_m2 == pytest.approx(168 * 0.151e-6 / 4)
    assert sum(r.area_m2 for r in rows.values() if r.area_m2 is not None) == pytest.approx(85.42e-6, rel=2e-3)
