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

    def visit(c: Component) -> Component:
        part, kind = c.part, c.kind
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


BOX = {("router", "energy_per_bit"): (0.5, 3.0), ("array", "active_power"): (0.8, 1.1), ("adc", "area"): (0.7, 1.5)}


def test_ends_are_those_of_the_corners_of_the_box() -> None:
    """puma-like: no law of its parts states an error of its own."""
    base = load_architecture("puma-like")
    found, ranges = numbers(with_range(base, BOX))
    corners = []
    for ends in itertools.product((0, 1), repeat=len(BOX)):
        factors = {key: BOX[key][end] for key, end in zip(BOX, ends, strict=True)}
        corners.append(numbers(moved(base, factors))[0])
    for name in ("energy", "steady_energy", "power", "area", "latency"):
        values = [c[name].value for c in corners]
        metric = found[name]
        if math.isclose(min(values), max(values)):
            assert (metric.low, metric.high) == (None, None)
        else:
            assert (metric.low, metric.high) == pytest.approx((min(values), max(values)), rel=1e-9)
    assert found["area"].ranged is not None
    assert 0 < found["area"].ranged < 1
    assert found["latency"].ranged == 0.0
    assert "its range is unknown" in found["latency"].note


def test_one_constant_in_energy_and_time_cancels_in_power() -> None:
    """Array power times read time is the energy, over an interval that is the read time: power knows no read time."""
    base = load_architecture("puma-like")
    found, _ = numbers(with_range(base, {("cell", "read_time"): (0.5, 2.0)}))
    latency, throughput = found["latency"], found["throughput"]
    assert latency.low is not None
    assert latency.low < latency.value < latency.high
    assert throughput.low is not None
    assert throughput.low == pytest.approx(1 / found["interval"].high)
    energy, power = found["energy"], found["power"]
    independent = energy.high / found["interval"].low / power.value if energy.high else math.inf
    span = 1.0 if power.high is None else power.high / power.value
    assert span < independent or energy.high is None


def test_a_constant_of_two_components_is_one_variable() -> None:
    """Two components of one part: with either end alone the sum would reach neither of its ends."""
    base = load_architecture("spinnaker1")
    keys = [(c.part.name, n) for c, _ in base.chip.walk() if c.part for n, q in c.part.quantities.items() if q.low]
    assert keys
    digital = load_architecture("digital-int8")
    buffers = [c for c, _ in digital.chip.walk() if c.kind.name == "buffer"]
    assert len({c.part.name for c in buffers if c.part}) < len(buffers)


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
