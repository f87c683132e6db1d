"""A range that nobody states is unknown: no range of zero width, and each total says what share of it has one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from emulated import mlp

import neuromorph as nm
from neuromorph.devices.layered.designs import estimate
from neuromorph.hardware import catalog
from neuromorph.hardware.component import Architecture, Component
from neuromorph.report import figures


def without(architecture: Architecture, *names: str) -> Architecture:
    """The architecture whose parts do not state these quantities, and whose laws cannot make them."""

    def bare(c: Component) -> Component:
        part = c.part
        if part is not None:
            part = dataclasses.replace(part, quantities={k: v for k, v in part.quantities.items() if k not in names})
        kind = dataclasses.replace(c.kind, footprint=None)
        return dataclasses.replace(c, part=part, kind=kind, children={n: bare(x) for n, x in c.children.items()})

    return dataclasses.replace(architecture, chip=bare(architecture.chip))


def test_no_range_of_zero_width() -> None:
    assert figures.span("energy", 1.0, 1.0, "J") == ""
    assert figures.span("energy", None, None, "J") == ""
    assert figures.span("energy", 1.0, 2.0, "J") != ""


@pytest.mark.parametrize("name", ["isaac-like", "hermes-like", "sonos-like", "digital-int8"])
def test_energy_says_what_share_of_it_has_a_range(name: str) -> None:
    report = nm.run(mlp(), catalog.load_architecture(name))
    ranged = sum(
        r["energy_j"] for r in report.ledger if r["energy_j"] and (r["low_j"] is not None or r["high_j"] is not None)
    )
    total = sum(r["energy_j"] for r in report.ledger if r["energy_j"] is not None)
    share = "under 1 %" if 0 < ranged / total < 0.01 else f"{ranged / total:.0%}"
    assert f"{share} of it has a published range" in report["energy"].note
    assert (report["energy"].low is None) == (ranged == 0.0)


def test_an_area_that_nobody_states_is_not_zero() -> None:
    bare = without(catalog.load_architecture("digital-int8"), "area")
    report = nm.run(mlp(), bare)
    assert report["area"].value is None
    assert np.isnan(estimate(mlp(), bare).area_m2).all()
    assert estimate(mlp(), bare).pareto().all()
