"""What every kind of core promises, checked on every shipped architecture that has one."""

from __future__ import annotations

import inspect
import itertools
import math
from typing import Any

import numpy as np
import pytest
from emulated import NETWORKS, SHIPPED, activation, convolution, core_of, dense, inputs_of, layout_of, placed, shipped
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.devices.layered.core import (
    CORE_FAMILY,
    Assumption,
    CoreKind,
    Group,
    Misfit,
    Programmed,
    Resources,
    Statistics,
    core_kind,
    core_kinds,
)
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.devices.layered.place.packing import Packing
from neuromorph.devices.layered.tally.counts import assume, gather
from neuromorph.devices.protocol import kind_of
from neuromorph.graph.model import Node, Window
from neuromorph.hardware.catalog import architecture_names, load_architecture
from neuromorph.hardware.component import ComponentKind

KINDS = sorted(core_kinds())
METHODS = [name for name, member in vars(CoreKind).items() if inspect.isfunction(member) and not name.startswith("_")]
SIDES = (("rows", "rows"), ("cols", "columns"))
"""Most rows and columns of a tile: capacities of arrays, or settings of the core that the array is."""

ABSENT = {"chip.tile.vector_unit"}
"""Paths that counts name although a chip may lack them, so that the ledger can say what is missing."""


def test_every_shipped_architecture_is_tested() -> None:
    layered = {n for n in architecture_names() if kind_of(load_architecture(n)).root != "manycore"}
    assert layered == set(SHIPPED)
    assert {core_of(shipped(n)).kind.name for n in SHIPPED} <= set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_fills_in_the_protocol(name: str) -> None:
    kind = core_kind(name)
    assert isinstance(kind.spec, ComponentKind)
    assert kind.spec.name == name
    assert kind.spec.family == CORE_FAMILY
    assert kind.effects
    assert len(set(kind.effects)) == len(kind.effects)
    for method in METHODS:
        ours, theirs = (inspect.signature(getattr(k, method)) for k in (CoreKind, type(kind)))
        assert list(ours.parameters) == list(theirs.parameters), method


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(KeyError, match="crossbar, digital"):
        core_kind("abacus")


@pytest.mark.parametrize("name", SHIPPED)
def test_resources_are_those_of_the_core(name: str) -> None:
    unit = core_of(shipped(name))
    found = core_kind(unit.kind.name).resources(unit)
    assert isinstance(found, Resources)
    assert isinstance(found.packing, Packing)
    assert set(found.capacities) == set(found.packing.needs)
    assert min(*found.capacities.values(), found.arrays, found.signal_bits) >= 1


@pytest.mark.parametrize("name", SHIPPED)
def test_what_has_no_matrix_is_refused_with_a_reason(name: str) -> None:
    unit = core_of(shipped(name))
    kind = core_kind(unit.kind.name)
    misfit = kind.admits(Group((Node("y", activation.ReLU(), ("x",)),), (((4,),),)), unit)
    assert isinstance(misfit, Misfit)
    assert "ReLU" in misfit.reason
    assert misfit.legal
    for network in NETWORKS.values():
        graph = network()
        groups = kind.groups(graph, unit)
        assert {n.name for g in groups for n in g.nodes} == {n.name for n in graph.nodes if n.operator.role == "matrix"}
        assert all(kind.admits(group, unit) is None for group in groups)


@st.composite
def layers(draw: Any) -> tuple[Any, tuple[int, ...]]:
    """A dense or grouped convolutional layer with some weights pruned."""
    seed = draw(st.integers(0, 2**32 - 1))
    r = np.random.default_rng(seed)
    if draw(st.booleans()):
        rows, cols = draw(st.integers(1, 300)), draw(st.integers(1, 300))
        mask = r.random((cols, rows)) < draw(st.sampled_from((0.0, 0.02, 1.0)))
        return dense.Linear(r.normal(size=(cols, rows)), mask=mask), (rows,)
    groups = draw(st.integers(1, 4))
    into, out, kernel = groups * draw(st.integers(1, 6)), groups * draw(st.integers(1, 6)), draw(st.integers(1, 4))
    weight = r.normal(size=(out, into // groups, kernel, kernel))
    mask = np.repeat(r.random((out, 1, 1, 1)) < 0.5, into // groups, 1) & np.ones(weight.shape, bool)
    conv = convolution.Conv2d(weight, mask=mask, window=Window((kernel, kernel)), groups=groups)
    return conv, (into, kernel + 2, kernel + 1)


@pytest.mark.parametrize("name", SHIPPED)
@settings(max_examples=20, deadline=None)
@given(layer=layers())
def test_tiles_cover_a_matrix_exactly_once_within_the_array(name: str, layer: Any) -> None:
    operator, shape = layer
    unit = core_of(shipped(name))
    resources = core_kind(unit.kind.name).resources(unit)
    layout = layout_of(operator, shape, unit)
    for tiling in layout.tilings:
        matrix = layout.matrix(tiling.item)
        covered = np.zeros(matrix.weight.shape, int)
        assert matrix.mask is not None
        for k in range(len(tiling)):
            part = (tiling.group[k], slice(tiling.row0[k], tiling.row1[k]), slice(tiling.col0[k], tiling.col1[k]))
            covered[part] += 1
            assert covered[part].size > 0
            assert tiling.empty[k] == (not matrix.mask[part].any())
        assert np.all(covered == 1)
        rows, cols = (resources.capacities.get(n, getattr(unit.settings, s, None)) for n, s in SIDES)
        assert tiling.height.max() <= rows
        assert tiling.width.max() <= cols
        assert np.all(tiling.bits > 0)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("network", NETWORKS)
def test_counts_and_occupancies_of_both_origins(name: str, network: str) -> None:
    graph, architecture = NETWORKS[network](), shipped(name)
    placement, x = placed(graph, architecture), inputs_of(graph, 4)
    run = execute(placement, x, trials=1, calibration=calibrate(placement, x))
    paths = {c.path for c, _ in architecture.chip.walk()}
    for activity in (assume(placement), gather(placement, run.statistics)):
        assert len(list(activity)) > 0
        for row in activity:
            assert math.isfinite(row.mean)
            assert row.mean >= 0
            assert math.isfinite(row.spread)
            assert row.spread >= 0
            assert row.path in paths | ABSENT
            assert row.node in {n.name for n in graph.nodes}
        for name, layout in placement.layouts.items():
            statistics = activity.statistics[name]
            assert isinstance(statistics, Statistics)
            assert all(np.isfinite(v).all() for v in statistics.values.values())
            occupancy = layout.kind.occupancy(layout, statistics)
            assert occupancy.service_s > 0
            assert occupancy.depth_s >= 0
            assert occupancy.products == max(m.products for m in layout.group.matrices.values())
            for count in layout.kind.count(layout, statistics):
                assert count.path in paths
                assert count.mean >= 0


@pytest.mark.parametrize("name", SHIPPED)
def test_more_activity_costs_no_fewer_actions(name: str) -> None:
    unit = core_of(shipped(name))
    kind = core_kind(unit.kind.name)
    layout = layout_of(dense.Linear(np.ones((30, 50))), (50,), unit)
    totals = []
    for density in (0.1, 0.5, 1.0):
        found = kind.count(layout, kind.assume(layout, Assumption(density)))
        totals.append({(c.path, c.action): c.mean for c in found})
    for less, more in itertools.pairwise(totals):
        assert all(more[k] >= v for k, v in less.items())


@pytest.mark.parametrize("name", SHIPPED)
def test_programming_gives_hosts_and_statistics(name: str) -> None:
    import torch

    from neuromorph.devices.layered.core import Draw

    unit = core_of(shipped(name))
    kind = core_kind(unit.kind.name)
    operator = dense.Linear(np.random.default_rng(0).normal(size=(5, 7)))
    layout = layout_of(operator, (7,), unit)
    calibrator = kind.calibrate(layout)
    x = torch.randn(1, 6, 7, generator=torch.Generator().manual_seed(0))
    operator.evaluate([x], calibrator.host())
    ranges = calibrator.ranges()
    assert all(isinstance(v, np.ndarray) and np.isfinite(v).all() for v in ranges.values())
    programmed: Programmed = kind.program(layout, ranges, Draw(0, (0, 1)))
    y = operator.evaluate([x], programmed.host(0))
    assert y.shape[0] in (1, 2)
    assert y.shape[1:] == (6, 5)
    assert programmed.statistics().origin == "executed"
    again = operator.evaluate([x], kind.program(layout, ranges, Draw(0, (0, 1))).host(0))
    assert torch.equal(y, again)


def test_every_architecture_file_reads_the_same_twice() -> None:
    for name in SHIPPED:
        assert load_architecture(name).chip == shipped(name).chip
