"""A law of time without its times is refused; no time is made up."""

from __future__ import annotations

import dataclasses

import pytest

from neuromorph.hardware.catalog import load_architecture


@pytest.mark.parametrize("missing", ["drift_time_zero", "flicker_read_time"])
def test_a_law_without_its_time_is_refused(missing: str) -> None:
    core = load_architecture("hermes-like").chip["tile"]["core"]
    cell = core["array"]["cell"]
    assert core.kind.check is not None
    assert core.kind.check(core) == []
    assert cell.part is not None
    part = dataclasses.replace(cell.part, quantities={k: v for k, v in cell.part.quantities.items() if k != missing})
    array = dataclasses.replace(core["array"], children={"cell": dataclasses.replace(cell, part=part)})
    found = core.kind.check(dataclasses.replace(core, children={**core.children, "array": array}))
    assert any(f"needs the quantity {missing}" in message for message in found)
