"""Every shipped datasheet and architecture: loads, is sourced, and prices what it can with finite numbers."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from neuromorph.devices.manycore.spec import grid as manycore_grid
from neuromorph.devices.parts.structure import grid
from neuromorph.devices.protocol import kind_of
from neuromorph.hardware import catalog
from neuromorph.hardware.component import BASES, Component
from neuromorph.hardware.curve import Curve
from neuromorph.hardware.datasheet import evaluate_curve
from neuromorph.hardware.jsonschema import architecture_schema, datasheet_schema
from neuromorph.hardware.pricing import peak_power

DATASHEETS, ARCHITECTURES = catalog.datasheet_names(), catalog.architecture_names()
EXACT = {"reram-exact", "sram-xnor-jia", "sram-4b-sinangil"}
"""Cells of design studies that state no noise."""
REQUIRED = {"isaac-like", "hermes-like", "neurram-like", "sonos-like", "digital-int8"}


@lru_cache
def _validator(folder: str) -> Any:
    schema = {"devices": datasheet_schema, "architectures": architecture_schema}[folder]()
    return jsonschema.validators.validator_for(schema)(schema)


def test_what_is_shipped() -> None:
    assert set(ARCHITECTURES) >= REQUIRED
    kinds = {catalog.find(name, "devices").parent.name for name in DATASHEETS}
    assert kinds >= {
        "adc", "adder", "buffer", "bus", "crossbar_array", "crossbar_cell", "dac", "io", "link", "mac", "router",
        "sample_hold", "vector_unit",
    }  # fmt: skip


@pytest.mark.parametrize("name", DATASHEETS)
def test_datasheet(name: str) -> None:
    path = catalog.find(name, "devices")
    sheet = catalog.load_datasheet(name)
    assert (sheet.name, sheet.kind) == (path.stem, path.parent.name)
    assert sheet.title
    _validator("devices").validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    cited = set()
    for key, q in sheet.quantities.items():
        assert q.basis in BASES
        assert q.where, f"{key} does not say where it comes from"
        assert q.source in sheet.sources or q.basis == "assumed", key
        cited.add(q.source)
        if isinstance(q.value, Curve):
            y = evaluate_curve(q.value, np.linspace(1e-7, 1.0, 101))
            assert np.all(np.isfinite(y) & (y >= 0)), key
        else:
            assert np.all(np.isfinite(q.value)), key
    assert set(sheet.sources) == cited - {""}


@pytest.mark.parametrize("name", [n for n in DATASHEETS if catalog.find(n, "devices").parent.name == "crossbar_cell"])
def test_cells_have_noise_below_their_range(name: str) -> None:
    sheet = catalog.load_datasheet(name)
    low, high = sheet.value("conductance_min"), sheet.value("conductance_max")
    assert 0 <= low < high
    if name in EXACT:
        assert set(sheet.quantities) - {"read_time"} == {"conductance_min", "conductance_max"}
        return
    sigma = evaluate_curve(sheet.value("programming_noise"), np.linspace(low / high, 1.0, 50))
    assert np.all((sigma > 0) & (sigma < 0.15 * high) | (np.linspace(low / high, 1.0, 50) < 0.01))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architecture(name: str) -> None:
    architecture = catalog.load_architecture(name)
    path = catalog.find(name, "architectures")
    assert architecture.name == path.stem
    assert architecture.title
    assert "ssumed" in architecture.notes
    _validator("architectures").validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    for component, count in architecture.chip.walk():
        assert count >= 1
        _check_prices(component)
    columns, rows = (manycore_grid if (kind_of(architecture).root == "manycore") else grid)(architecture.chip)
    tiles = architecture.chip["tile"].count
    assert columns * (rows - 1) < tiles <= columns * rows


def _check_prices(component: Component) -> None:
    kind = component.kind
    for action, cost in (kind.costs(component) if kind.costs else {}).items():
        assert math.isfinite(cost.energy_j), (component.path, action)
        assert cost.energy_j >= 0, (component.path, action)
        assert cost.energy_j > 0 or component.part is not None, (component.path, action)
        assert cost.basis in BASES
        assert cost.source or cost.basis == "assumed"
        assert cost.low_j is None or cost.low_j <= cost.energy_j * (1 + 1e-9)
        assert cost.high_j is None or cost.high_j >= cost.energy_j * (1 - 1e-9)
    for action, seconds in (kind.times(component) if kind.times else {}).items():
        assert math.isfinite(seconds), (component.path, action)
        assert seconds > 0, (component.path, action)
    if kind.footprint:
        area = kind.footprint(component).area_m2
        assert area is None or (math.isfinite(area) and area >= 0), component.path
    power = peak_power(component)
    assert power is None or math.isfinite(power.value)
    # a part that is there must have something to say; nobody published what a barrier draws
    if component.part is not None and kind.costs is not None and kind.name not in ("crossbar_array", "barrier"):
        assert kind.costs(component) or _says_contained(component), f"{component.path} has no price"


def _says_contained(component: Component) -> bool:
    """Whether the part says of something that another component's figure contains it."""
    part = component.part
    return part is not None and any(q.value == 0.0 and "contained" in q.where for q in part.quantities.values())


def test_no_price_is_zero_but_where_the_part_says_contained() -> None:
    for name in ARCHITECTURES:
        for component, _ in catalog.load_architecture(name).chip.walk():
            for action, cost in (component.kind.costs(component) if component.kind.costs else {}).items():
                assert cost.energy_j > 0 or _says_contained(component), (name, component.path, action)
