"""Intervals of headline numbers against every corner of the box of published ranges, tried one by one."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

import neuromorph as nm
from neuromorph.devices.protocol import Assumption, kind_of
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.component import Architecture, Component
from neuromorph.report.headline import cost_of, headline
from neuromorph.report.ranges import again_on, ranges_of


def mlp() -> Any:
    torch.manual_seed(0)
    return nm.from_torch(torch.nn.Sequential(torch.nn.Linear(300, 20), torch.nn.ReLU(), torch.nn.Linear(20, 5)), (300,))


def with_range(architecture: Architecture, part_quantity: dict[tuple[str, str], tuple[float, float]]) -> Architecture:
    """Only these constants have a range: (slot, name) -> factors of the value; laws state no error."""

    def bare(costs: Any) -> Any:
        return costs and (
            lambda c: {a: dataclasses.replace(v, low_j=None, high_j=None) for a, v in costs(c).items()}
        )  # fmt: skip

    def visit(c: Component) -> Component:
        part, kind = c.part, dataclasses.replace(c.kind, costs=bare(c.kind.costs))
        if part is not None:
            quantities = {}
            for name, q in part.quantities.items():
                low, high = part_quantity.get((c.name, name), (None, None))
                ends = (None, None) if low is None else (q.value * low, q.value * high)
                quantities[name] = dataclasses.replace(q, low=ends[0], high=ends[1])
            part = dataclasses.replace(part, quantities=quantities)
        return dataclasses.replace(c, part=part, kind=kind, children={n: visit(k) for n, k in c.children.items()})

    return dataclasses.replace(architecture, chip=visit(architecture.chip))


def numbers(architecture: Architecture) -> tuple[dict[str, Any], Any]:
    kind = kind_of(architecture)
    placement = nm.place(mlp(), architecture)
    trace = kind.assume(placement, Assumption(0.5))
    tallied = kind.tally(placement, trace)
    ranges = ranges_of(architecture, tallied, *again_on(kind, placement, trace))
    cost = cost_of(architecture, *tallied, ranges)
    return {m.name: m for m in headline(None, tallied[1], cost)}, ranges


def moved(architecture: Architecture, factors: dict[tuple[str, str], float]) -> Architecture:
    def visit(c: Component) -> Component:
        part = c.part
        if part is not None:
            changed = {
                n: dataclasses.replace(q, value=q.value * factors.get((c.name, n), 1.0), low=None, high=None)
                if isinstance(q.value, float)
                else q
                for n, q in part.quantities.items()
            }
            part = dataclasses.replace(part, quantities=changed)
        return dataclasses.replace(c, part=part, children={n: visit(k) for n, k in c.children.items()})

    return dataclasses.replace(architecture, chip=visit(architecture.chip))


BOXES = [
    {("router", "energy_per_bit"): (0.5, 3.0), ("array", "active_power"): (0.8, 1.1), ("adc", "area"): (0.7, 1.5)},
    {("cell", "read_time"): (0.5, 2.0), ("array", "active_power"): (0.8, 1.1)},
    {("cell", "read_time"): (0.9, 3.0), ("adc", "sample_rate"): (0.25, 2.0), ("io", "leakage"): (0.5, 1.5)},
]
"""Prices and an area; a time that energies and intervals both hold, so that power moves less; two constants of time,
which move together: then only times and energies reach their ends, power as their quotient need not."""


@pytest.mark.parametrize("box", BOXES)
def test_ends_are_those_of_the_corners_of_the_box(box: dict[tuple[str, str], tuple[float, float]]) -> None:
    """A constant at one corner is moved wherever it is used, in energies and times alike."""
    base = load_architecture("puma-like")
    found, _ = numbers(with_range(base, box))
    corners = [
        numbers(moved(base, {key: box[key][end] for key, end in zip(box, ends, strict=True)}))[0]
        for ends in itertools.product((0, 1), repeat=len(box))
    ]
    for name in ("energy", "dynamic_energy", "steady_energy", "power", "area", "latency", "interval", "throughput"):
        values = [found[name].value, *(c[name].value for c in corners)]
        metric = found[name]
        if math.isclose(min(values), max(values)):
            assert (metric.low, metric.high) == (None, None)
            continue
        if name == "power" and len({k for k in box if k[1] in ("read_time", "sample_rate")}) > 1:
            assert min(values) * 0.999 <= metric.low < metric.high <= max(values) * 1.001
            continue
        assert metric.low == pytest.approx(min(values), rel=1e-9)
        assert metric.high == pytest.approx(max(values), rel=1e-9)
        assert 0 < metric.ranged <= 1


def test_ranges_of_a_constant_in_energy_and_time_partly_cancel_in_power() -> None:
    found, _ = numbers(with_range(load_architecture("puma-like"), {("cell", "read_time"): (0.9, 3.0)}))
    power, steady, interval = (found[n] for n in ("power", "steady_energy", "interval"))
    assert power.high is None or power.high < 0.99 * steady.high / interval.low


def test_no_published_range_is_an_unknown_one() -> None:
    found, ranges = numbers(with_range(load_architecture("puma-like"), {}))
    assert not ranges.ends
    for name in ("energy", "power", "latency", "throughput", "area"):
        assert found[name].ranged == 0.0
        assert found[name].low is found[name].high is None


def test_reports_and_files_hold_parts_and_shares(tmp_path: Any) -> None:
    x = np.random.default_rng(0).random((20, 300), dtype=np.float32)
    report = nm.run(mlp(), load_architecture("digital-int8"), x, np.zeros(20, np.int64), trials=2)
    nm.write_report(report, tmp_path)
    from neuromorph.report import read_report

    again = read_report(tmp_path)
    assert again["energy"].ranged == report["energy"].ranged
    assert set(again.chips["interval"]) == {"chips", "samples"}
    assert "test samples" in again["accuracy"].note
    assert again.physics
    assert again.to_dict() == report.to_dict()
    page = (tmp_path / "report.html").read_text()
    assert "published for" in page
    assert 'id="physics"' in page
