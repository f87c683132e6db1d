"""Full layers as matrix products: chosen by what fired, and never seen in a result."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from events_reference import linear, network_of, noise, simulate, source

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.devices.manycore.execute import dense as module
from neuromorph.events import Raster
from neuromorph.graph.semantics import Semantics

ALWAYS, NEVER = (1.0, 1e12, 1e12), (1e12, 1.0, 1.0)


def layers(rng, grid=0.0, delay=1):
    """Input 64 -> 96 -> 64 full, the second recurrent through a sparse projection, -> 5 that does not fire."""
    s = Semantics(1e-3, reset="subtract", output_shift=1)
    populations = [
        source("in", 64), linear("a", 96, s, threshold=0.7, start=1), linear("b", 64, Semantics(1e-3), a_syn=0.4),
        linear("read", 5, threshold=np.inf, a_mem=0.9),
    ]  # fmt: skip
    w = [rng.normal(size=shape) * 0.15 for shape in ((64, 96), (96, 64), (64, 64), (64, 5))]
    if grid:
        w = [np.where(np.rint(x / grid) == 0, grid, np.rint(x / grid) * grid) for x in w]
    w[2] = w[2] * (rng.random((64, 64)) < 0.1)
    edges = [(0, 1, w[0], 0), (1, 2, w[1], delay), (2, 2, w[2], 2), (2, 3, w[3], 0), (0, 2, w[0][:, :64], 3)]
    return network_of(populations, edges, [0], [3, 2], latency=2)


def same(one, two):
    assert np.array_equal(one.spikes.indptr, two.spikes.indptr)
    assert np.array_equal(one.spikes.index, two.spikes.index)
    assert (one.spikes.value is None) == (two.spikes.value is None)
    if one.spikes.value is not None:
        assert np.array_equal(one.spikes.value, two.spikes.value)
    for a, b in zip(one.outputs, two.outputs, strict=True):
        assert np.array_equal(a, b)
    assert one.synaptic_events.tolist() == two.synaptic_events.tolist()
    assert one.steps_used.tolist() == two.steps_used.tolist()


@pytest.fixture
def products(monkeypatch):
    """Sets the measured rates and counts the products that are made."""
    made = []
    original = module._multiply
    monkeypatch.setattr(module, "_multiply", lambda *a: (made.append(a[0].name), original(*a)))

    def rates(speeds):
        made.clear()
        monkeypatch.setattr(module, "speeds", lambda: speeds)
        return made

    return rates


@pytest.mark.parametrize("grid", [0.0, 1 / 64])
@pytest.mark.parametrize("record", ["spikes", "none"])
def test_products_and_rows_give_the_same_bits(products, grid, record):
    rng = np.random.default_rng(1)
    network = layers(rng, grid)
    raster = noise(rng, 70, 20, 64, 0.3)
    engine = EventEngine(network)
    made = products(ALWAYS)
    multiplied = engine.run(raster, record=record)
    assert set(made) == {"p0", "p1", "p4"}
    assert len(made) == 9
    parts = [engine.run(raster.part(a, b), record=record) for a, b in ((0, 40), (40, 70))]
    threads = engine.run(raster, workers=2, record=record)
    made = products(NEVER)
    scattered = engine.run(raster, record=record)
    assert not made
    same(multiplied, scattered)
    same(multiplied, threads)
    assert np.array_equal(np.concatenate([p.outputs[0] for p in parts]), multiplied.outputs[0])
    if record == "spikes":
        assert scattered.spikes.events > 10000
        sent, _ = simulate(engine.network, [raster.dense()], 22, sample=69)
        assert np.array_equal(multiplied.spikes.dense()[69][:, :224], sent[:, :224].astype(np.float32))
        assert np.array_equal(multiplied.outputs[0][69], sent[:, 224:].astype(np.float32))


def test_weights_on_a_grid_stay_and_others_lose_less_than_double_precision():
    rng = np.random.default_rng(2)
    network = layers(rng, 1 / 64)
    found = module.plan(network)
    assert found.network is network
    assert found.layers == (0, 1, 4)
    assert all(found.single)
    wide = layers(rng)
    tiny = wide.projections[0].weight.copy()
    tiny[0] = 1e-30
    wide = dataclasses.replace(
        wide, projections=(dataclasses.replace(wide.projections[0], weight=tiny), *wide.projections[1:])
    )
    found = module.plan(wide)
    assert not found.single[0]
    change = np.abs(found.network.projections[0].weight.astype(float) - tiny)
    reach = np.abs(tiny.reshape(64, 96).astype(float)).sum(axis=0).max()
    assert 0 < change.max() <= reach * 2.0**-51
    assert found.network.projections[3] is wide.projections[3]


def test_activity_decides(products):
    rng = np.random.default_rng(3)
    network = layers(rng)
    engine = EventEngine(network)
    rates = (1e9, 1e10, 1e10)  # a product pays above 12.5 % activity
    for activity, expected in ((0.02, False), (0.4, True)):
        made = products(rates)
        engine.run(noise(rng, 8, 20, 64, activity), steps=20)
        assert ("p0" in made) is expected


def test_rates_are_measured_once():
    rates = module.speeds()
    assert all(np.isfinite(rate) and rate > 0 for rate in rates)
    assert module.speeds() is rates


def test_graded_inputs_are_never_multiplied(products):
    rng = np.random.default_rng(4)
    engine = EventEngine(layers(rng))
    raster = Raster.from_dense(rng.normal(size=(3, 15, 64)).astype(np.float32))
    made = products(ALWAYS)
    run = engine.run(raster)
    assert not made
    sent, _ = simulate(engine.network, [raster.dense()], 17, sample=2)
    assert np.array_equal(run.outputs[0][2], sent[:, 224:].astype(np.float32))


def test_cycles_and_values_stay_rows():
    rng = np.random.default_rng(5)
    w = lambda *shape: rng.normal(size=shape)  # noqa: E731
    populations = [source("in", 64), linear("a", 64), linear("b", 64), linear("v", 64, threshold=np.inf)]
    edges = [(0, 2, w(64, 64), 0), (1, 2, w(64, 64), 0), (2, 1, w(64, 64), 1), (3, 3, w(64, 64), 1)]
    found = module.plan(network_of(populations, edges, [0], [2]))
    assert found.layers == (0,)
    assert found.starts == (0, 1)
    many = Semantics(1e-3, spikes_per_step=None)
    unbounded = network_of(
        [source("in", 64), linear("a", 64, many), linear("b", 64)],
        [(0, 1, w(64, 64), 0), (1, 2, w(64, 64), 0)], [0], [2],
    )  # fmt: skip
    assert module.plan(unbounded).layers == (0,)
