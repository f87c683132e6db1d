"""A cryostat multiplies the energy of what is inside it, once: by hand, in the ledger, and in the closed form."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from neuromorph.costing.ledger import Ledger, price
from neuromorph.counts import Activity
from neuromorph.devices.layered.core import Assumption
from neuromorph.devices.layered.designs import estimate
from neuromorph.devices.layered.place.placement import place
from neuromorph.devices.layered.tally.counts import assume
from neuromorph.devices.layered.tally.times import schedule
from neuromorph.errors import InputError
from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators.activation import ReLU
from neuromorph.graph.operators.dense import Linear
from neuromorph.hardware.architecture import read_architecture
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.jsonschema import architecture_schema
from neuromorph.hardware.paths import replace, resolve
from neuromorph.report import tables
from neuromorph.run import run
from neuromorph.sweep.frozen import Freezer

INVENTED = {"basis": "assumed"}
"""All figures of this file are invented for the test."""

COOLING, SHIELD, FEED = 500.0, 4.0, 1.25


def made(value: str | float, **more: Any) -> dict[str, Any]:
    return {"value": value, **INVENTED, **more}


def cooler(factor: float | None = COOLING, **inside: Any) -> dict[str, Any]:
    override = {} if factor is None else {"override": {"cooling_factor": made(factor)}}
    return {"kind": "cryostat", **override, **inside}


def tile() -> dict[str, Any]:
    sram = {"read_energy": made("20 fJ/bit"), "write_energy": made("30 fJ/bit"), "leakage": made("2 nW")}
    memory = {"capacity": "64 KiB", "word_bits": 64, "override": sram}
    mac = {"energy_per_multiply": made("0.2 pJ", low="0.1 pJ", high="0.4 pJ"), "energy_per_add": made("0.1 pJ")}
    core = {"kind": "digital", "rows": 8, "columns": 8, "clock": "100 MHz", "mac": {"count": 64, "override": mac}}
    vector = {"lanes": 8, "override": {"energy_per_operation": made("1 pJ"), "operation_rate": made("100 MHz")}}
    return {"count": 4, "core": {**core, "weight_buffer": memory}, "buffer": memory, "vector_unit": vector}


IO = {"override": {"energy_per_bit": made("5 pJ/bit"), "bandwidth": made("1 Gbit/s")}}


def write(folder: Path, chip: dict[str, Any], boundary: str = "wall") -> Path:
    path = folder / "cold.yaml"
    own = json.loads(json.dumps(chip))  # no part of it twice, which would be an anchor
    path.write_text(yaml.safe_dump({"schema": 1, "name": "cold", "boundary": boundary, "chip": own}))
    return path


def read(folder: Path, chip: dict[str, Any], boundary: str = "wall") -> Architecture:
    return read_architecture(write(folder, chip, boundary))


def network() -> Graph:
    draw = np.random.default_rng(2)
    nodes = (
        Node("fc1", Linear(weight=draw.normal(size=(20, 12))), ("x",)),
        Node("relu", ReLU(), ("fc1",)),
        Node("fc2", Linear(weight=draw.normal(size=(5, 20))), ("relu",)),
    )
    return Graph("n", {"x": (12,)}, nodes, ("fc2",))


def ledger_of(architecture: Architecture, seconds: float | None = 1e-3) -> Ledger:
    return price(activity_of(architecture), architecture, seconds)


def activity_of(architecture: Architecture) -> Activity:
    return assume(place(network(), architecture, effort="none", duplicate=False), Assumption(0.5))


def energy_in(ledger: Ledger, path: str, kind: str | None = None) -> float:
    return math.fsum(r.energy_j or 0.0 for r in ledger if r.component.startswith(path + ".") and kind in (None, r.kind))


def check_sums(ledger: Ledger) -> None:
    assert ledger.total_j == pytest.approx(math.fsum(r.count * (r.each_j or 0.0) for r in ledger), rel=1e-12)
    for field in ("layer", "component", "action", "kind", "basis"):
        assert math.fsum(ledger.by(field).values()) == pytest.approx(ledger.total_j, rel=1e-12)


def test_everything_inside_costs_its_factor_at_the_wall(tmp_path: Path) -> None:
    warm = ledger_of(read(tmp_path, {"tile": tile(), "io": IO}))
    cold = ledger_of(read(tmp_path, {"cold": cooler(tile=tile()), "io": IO}))
    inside, outside = energy_in(warm, "chip.tile"), energy_in(warm, "chip") - energy_in(warm, "chip.tile")
    assert inside > 0
    assert outside > 0
    check_sums(cold)
    assert cold.total_j == pytest.approx(COOLING * inside + outside, rel=1e-12)
    for kind in ("dynamic", "static"):
        own = [r for r in cold if r.component == "chip.cold" and r.kind == kind]
        added = (COOLING - 1) * energy_in(warm, "chip.tile", kind)
        assert math.fsum(r.energy_j or 0.0 for r in own) == pytest.approx(added, rel=1e-12)
        assert {(r.action, r.boundary, r.basis, r.each_j) for r in own} == {
            ("overhead", "wall", "assumed", COOLING - 1)
        }
    assert {r.layer for r in cold if r.component == "chip.cold"} == {"fc1", "relu", "fc2", "(chip)"}


def test_nested_overheads_multiply_each_its_inside_once(tmp_path: Path) -> None:
    warm = ledger_of(read(tmp_path, {"tile": tile(), "io": IO}))
    nested = {"shield": cooler(SHIELD, cold=cooler(tile=tile()), io=IO)}
    found = ledger_of(read(tmp_path, nested))
    inside, io = energy_in(warm, "chip.tile"), warm.by("component")["chip.io"]
    check_sums(found)
    assert found.total_j == pytest.approx(SHIELD * (COOLING * inside + io), rel=1e-12)
    assert found.by("component")["chip.shield"] == pytest.approx((SHIELD - 1) * (COOLING * inside + io), rel=1e-12)


def test_two_overheads_stand_side_by_side(tmp_path: Path) -> None:
    warm = ledger_of(read(tmp_path, {"tile": tile(), "io": IO}))
    found = ledger_of(read(tmp_path, {"cold": cooler(tile=tile()), "cool": cooler(FEED, io=IO)}))
    inside, io = energy_in(warm, "chip.tile"), warm.by("component")["chip.io"]
    assert found.total_j == pytest.approx(COOLING * inside + FEED * io, rel=1e-12)


def test_a_part_of_a_tile_or_of_a_core_may_be_inside(tmp_path: Path) -> None:
    """What counts, times and idles is the same; the energy of the one part is multiplied."""
    plain = read(tmp_path, {"tile": tile(), "io": IO})
    warm = ledger_of(plain)
    for owner, name in (("tile", "buffer"), ("tile", "core"), ("core", "weight_buffer")):
        parts = tile()
        holder = parts if owner == "tile" else parts["core"]
        holder["cold"] = cooler(**{name: holder.pop(name)})
        architecture = read(tmp_path, {"tile": parts, "io": IO})
        path = "chip.tile" + (".core" if owner == "core" else "")
        inside = math.fsum(r.energy_j or 0.0 for r in warm if f"{r.component}.".startswith(f"{path}.{name}."))
        found = ledger_of(architecture)
        assert inside > 0
        assert found.total_j == pytest.approx(warm.total_j + (COOLING - 1) * inside, rel=1e-12)
        times = [
            schedule(place(network(), a, effort="none", duplicate=False), activity_of(a)).latency_s
            for a in (plain, architecture)
        ]
        assert times[0] == times[1]


def test_the_closed_form_agrees_with_the_ledger(tmp_path: Path) -> None:
    # without the tile's buffer, whose traffic over the chip's boundary hangs on the placement
    inside = {name: part for name, part in tile().items() if name != "buffer"}
    for chip in ({"cold": cooler(tile=inside)}, {"shield": cooler(SHIELD, cold=cooler(tile=inside))}):
        architecture = read(tmp_path, chip)
        by = price(activity_of(architecture), architecture).by("component")
        found = estimate(network(), architecture)
        assert set(by) == set(found.energy_by)
        for path, joules in by.items():
            assert found.energy_by[path][0] == pytest.approx(joules, rel=1e-9)
    factors = np.array([1.0, 10.0, 300.0])
    varied = estimate(network(), read(tmp_path, {"cold": cooler(tile=tile())}), {"cold.cooling_factor": factors})
    np.testing.assert_allclose(varied.energy_j, varied.energy_j[0] * factors, rtol=1e-12)


def test_ends_of_ranges_hold_price_and_factor(tmp_path: Path) -> None:
    factor = {"cooling_factor": made(COOLING, low=400.0, high=800.0)}
    warm = ledger_of(read(tmp_path, {"tile": tile()}))
    cold = ledger_of(read(tmp_path, {"cold": {"kind": "cryostat", "override": factor, "tile": tile()}}))
    low, high = warm.range_j
    assert low < warm.total_j < high
    assert cold.range_j == pytest.approx((400 * low, 800 * high), rel=1e-12)
    assert ledger_of(read(tmp_path, {"cold": cooler(tile=tile())})).range_j == pytest.approx(
        (COOLING * low, COOLING * high), rel=1e-12
    )


def test_spread_over_samples_is_multiplied(tmp_path: Path) -> None:
    architecture = read(tmp_path, {"cold": cooler(tile=tile())})
    activity = activity_of(architecture)
    spread = dataclasses.replace(
        activity, rows=tuple(dataclasses.replace(r, spread=0.1 * r.mean) for r in activity.rows)
    )
    found = price(spread, architecture)
    assert found.spread_j == pytest.approx(0.1 * found.total_j, rel=1e-12)


def test_an_unknown_factor_is_named_and_multiplies_nothing(tmp_path: Path) -> None:
    warm = ledger_of(read(tmp_path, {"tile": tile()}))
    architecture = read(tmp_path, {"cold": cooler(None, tile=tile())})
    found = ledger_of(architecture)
    assert found.unmodelled == (*warm_names(warm), "chip.cold: overhead")
    assert found.total_j == pytest.approx(warm.total_j, rel=1e-12)
    assert "the overhead of chip.cold" in estimate(network(), architecture).not_included


def warm_names(ledger: Ledger) -> tuple[str, ...]:
    return tuple(name.replace("chip.", "chip.cold.") for name in ledger.unmodelled)


def test_a_factor_is_a_parameter_and_a_frozen_chip_keeps_it(tmp_path: Path) -> None:
    architecture = read(tmp_path, {"cold": cooler(tile=tile())})
    assert resolve(architecture, "cold.cooling_factor").value == COOLING
    with pytest.raises(InputError, match=r"no parameter 'cold.count'"):
        resolve(architecture, "cold.count")
    doubled = replace(architecture, {"cooling_factor": 2 * COOLING})
    assert ledger_of(doubled).total_j == pytest.approx(2 * ledger_of(architecture).total_j, rel=1e-12)
    frozen = Freezer().freeze(architecture)
    assert ledger_of(frozen).total_j == ledger_of(architecture).total_j


def test_a_run_reports_what_cooling_costs(tmp_path: Path) -> None:
    architecture = read(tmp_path, {"cold": cooler(tile=tile()), "io": IO})
    inputs = np.random.default_rng(1).random((6, 12)).astype(np.float32)
    report = run(network(), architecture, inputs, trials=1)
    energy = {m.name: m.value for m in report.metrics}
    assert energy["energy"] == pytest.approx(math.fsum(r["energy_j"] for r in report.ledger), rel=1e-12)
    table, _ = tables.ledger(report)
    texts = [[cell.text for cell in row] for row in table.rows if row[2].text == "overhead"]
    assert texts
    assert all(t[1] == "cold" and t[4].endswith("J") and t[5] == "499" for t in texts)
    named = run(network(), read(tmp_path, {"cold": cooler(None, tile=tile())}), inputs, trials=1)
    assert "chip.cold: overhead" in named.unmodelled


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"cold": cooler(io=IO)}, "wall", "chip needs the component 'tile'"),
    ({"cold": cooler(tile=tile()), "tile": tile()}, "wall", "'tile' stands twice in one chip"),
    ({"a": cooler(tile=tile()), "b": cooler(tile=tile())}, "wall", "'tile' stands twice in one chip"),
    ({"cold": cooler(tile=tile(), count=2)}, "wall", "cryostat has no key 'count'"),
    ({"cold": cooler(tile=tile(), cell={})}, "wall", "cryostat has no key 'cell'"),
    ({"cold": {"tile": tile()}}, "wall", "chip has no key 'cold'"),
    ({"tile": cooler(tile=tile())}, "wall", "a cryostat does not fit the slot tile"),
    ({"cold": cooler(0.5, tile=tile())}, "wall", "below the lowest legal value"),
    ({"cold": cooler(tile=tile())}, "chip", "takes the energy inside it to the wall"),
]


@pytest.mark.parametrize(("chip", "boundary", "message"), FAULTS)
def test_faults_are_told_with_their_place(tmp_path: Path, chip: dict[str, Any], boundary: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, chip, boundary)
    assert all(p.place.line for p in caught.value.problems)


def test_the_json_schema_knows_enclosing_components(tmp_path: Path) -> None:
    schema = architecture_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema)

    def faults(chip: dict[str, Any]) -> int:
        document = {"schema": 1, "name": "cold", "boundary": "wall", "chip": chip}
        return len(list(checker.iter_errors(json.loads(json.dumps(document)))))

    nested = {"shield": cooler(SHIELD, cold=cooler(tile=tile()), io=IO)}
    for good in ({"tile": tile()}, {"cold": cooler(tile=tile()), "io": IO}, nested):
        read(tmp_path, good)
        assert faults(good) == 0
    for bad in ({}, {"cold": {"tile": tile()}}, {"cold": cooler(tile=tile(), count=2)}, {"cold": cooler(cell={})}):
        assert faults(bad) > 0
