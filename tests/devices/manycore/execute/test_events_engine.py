"""The compiled loop equals a plain simulator step for step, for every neuron model and every rule of the semantics."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from events_reference import linear, network_of, noise, simulate, source
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.devices.manycore.execute import EventEngine, StopRule, rates
from neuromorph.errors import InputError
from neuromorph.events import Raster
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking import Population
from neuromorph.spiking.arithmetic import Arithmetic


def check(network, rasters, steps, arithmetic=None, workers=1, real=np.float64):
    """Runs the engine and compares spikes, values and outputs of all samples with the plain simulator."""
    a = arithmetic or Arithmetic()
    run = EventEngine(network, a).run(rasters, steps=steps, workers=workers)
    dense = run.spikes.dense()
    inputs = [r.dense() for r in rasters]
    skipped = np.zeros(len(network.populations), np.int64)
    for sample in range(run.spikes.samples):
        sent, late = simulate(network, inputs, steps, sample, real, a.state_grid, a.skip_below)
        skipped += late
        for i, population in enumerate(network.populations):
            mine = slice(network.first[i], network.first[i + 1])
            if population.spiking:
                assert np.array_equal(dense[sample][:, mine], sent[:, mine].astype(np.float32)), population.name
        for out, o in zip(run.outputs, network.outputs, strict=True):
            assert np.array_equal(out[sample], sent[:, network.first[o] : network.first[o + 1]].astype(np.float32))
    assert run.counters["skipped"].tolist() == skipped.tolist()
    return run


def recurrent(rng, semantics, model="linear", scale=0.8, **given):
    """Input 6 -> hidden 9 (recurrent, delays 1..3) -> integrator 3, with a second way round (delay 0 and 2)."""
    w = lambda *shape: (rng.normal(size=shape) * scale * (rng.random(shape) < 0.7)).astype(np.float32)  # noqa: E731
    hidden = linear("hidden", 9, semantics, model, bias=rng.normal(size=9) * 0.1, **given)
    populations = [source("in", 6), hidden, linear("read", 3, threshold=np.inf, a_mem=0.8)]
    edges = [
        (0, 1, w(6, 9), 0), (1, 1, w(9, 9), rng.integers(1, 4, (9, 9))), (1, 2, w(9, 3), 0), (0, 2, w(6, 3), 2),
    ]  # fmt: skip
    return network_of(populations, edges, [0], [2, 1])


RULES = [
    dict(zip(("reset", "delayed_reset", "compare"), rule, strict=True))
    for rule in itertools.product(("value", "subtract", "subtract_guarded", "none"), (False, True), (">", ">="))
]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: "-".join(str(v) for v in r.values()))
@pytest.mark.parametrize(
    "more",
    [
        {}, {"refractory": 2}, {"spikes_per_step": None}, {"spikes_per_step": 2, "v_min": -0.5},
        {"output_shift": 2, "order": "membrane_first", "input_at_reset": False}, {"refractory": 1, "output_shift": 1},
    ],
    ids=["plain", "refractory", "many", "two-clamped", "late", "late-refractory"],
)  # fmt: skip
@pytest.mark.parametrize("model", ["linear", "adaptive"])
def test_every_rule_equals_the_plain_simulator(rule, more, model):
    rng = np.random.default_rng(3)
    semantics = Semantics(1e-3, **rule, **more)
    for given_ in ({}, {"a_syn": rng.random(9), "b_syn": 0.7, "sign": rng.integers(-1, 2, 9), "v_init": 0.3}):
        network = recurrent(rng, semantics, model, threshold=rng.random(9) * 0.5 + 0.3, v_reset=0.1, **given_)
        check(network, [noise(rng, 2, 20, 6, 0.4)], 20)


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_random_networks_with_delays_and_several_inputs_equal_the_plain_simulator(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 8, 5)
    s = [Semantics(1e-3, reset=rng.choice(["value", "subtract"]), output_shift=int(rng.integers(0, 3))) for _ in sizes]
    populations = [source("a", sizes[0]), source("b", sizes[1])]
    populations += [
        linear(f"n{i}", sizes[i], s[i], threshold=0.7, start=int(rng.integers(0, 3)), c_mem=0.01) for i in (2, 3, 4)
    ]
    edges = []
    for x, y in itertools.product(range(5), (2, 3, 4)):
        if rng.random() < 0.5:
            low = int(y <= x)
            weight = rng.normal(size=(sizes[x], sizes[y])).astype(np.float32) * (rng.random((sizes[x], sizes[y])) < 0.8)
            delay = int(rng.integers(low, 6)) if rng.random() < 0.5 else rng.integers(low, 9, weight.shape)
            edges.append((x, y, weight, delay))
    network = network_of(populations, edges, [1, 0], [4, 0, 2])
    check(network, [noise(rng, 2, 12, sizes[1], 0.5), noise(rng, 2, 9, sizes[0], 0.5)], 15)


def test_other_models_equal_the_plain_simulator():
    rng = np.random.default_rng(5)
    one = np.ones(4)
    cells = {
        "a": 0.02 * one, "b": 0.2 * one, "c": -65 * one, "d": np.array([8, 6, 2, 4.0]), "v_peak": 30 * one,
        "v_init": -65 * one, "u_init": -13 * one,
    }  # fmt: skip
    populations = [
        source("in", 5),
        Population("cells", (2, 2), "izhikevich", cells, Semantics(1e-3, refractory=1, output_shift=1), 4 + one),
        Population("units", (3,), "threshold", {"threshold": np.array([0.5, -0.5, 1]), "sign": np.array([1.0, -1, 0])}),
        Population("sums", (2,), "readout", bias=np.array([0.5, -1])),
        linear("back", 4, threshold=np.inf),
    ]
    w = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    edges = [
        (0, 1, 20 * w(5, 4), 1), (1, 2, w(4, 3), 0), (2, 3, w(3, 2), 0), (0, 4, w(5, 4), 0), (4, 1, w(4, 4), 2),
        (3, 4, w(2, 4), 3),
    ]  # fmt: skip
    network = network_of(populations, edges, [0], [3, 4, 2, 1, 0])
    run = check(network, [noise(rng, 3, 60, 5, 0.4)], 60)
    assert run.outputs[3].sum() > 0
    assert run.outputs[0].std() > 0


def test_values_of_inputs_weigh_their_rows():
    rng = np.random.default_rng(6)
    network = recurrent(rng, Semantics(1e-3, reset="subtract", spikes_per_step=None))
    x = rng.normal(size=(2, 15, 6)).astype(np.float32) * (rng.random((2, 15, 6)) < 0.6)
    run = check(network, [Raster.from_dense(x)], 15)
    assert np.array_equal(run.spikes.dense()[:, :, :6], x)


def test_long_delays_take_sixteen_bits():
    rng = np.random.default_rng(7)
    network = network_of([source("in", 3), linear("n", 4)], [(0, 1, np.ones((3, 4)), 0)], [0], [1])
    delay = rng.integers(0, 400, 12).astype(np.uint16)
    far = dataclasses.replace(network, projections=(dataclasses.replace(network.projections[0], delay=delay),))
    check(far, [noise(rng, 1, 30, 3)], 450)


@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_state_on_a_grid_and_single_precision(kind):
    rng = np.random.default_rng(8)
    real = np.float64 if kind == "float64" else np.float32
    for semantics in (Semantics(1e-3), Semantics(1e-3, reset="subtract", refractory=1)):
        network = recurrent(rng, semantics, a_mem=0.9375)
        check(network, [noise(rng, 2, 30, 6)], 30, Arithmetic(kind, state_grid=1 / 64), real=real)
        check(network, [noise(rng, 2, 30, 6)], 30, Arithmetic(kind), real=real)


def test_skipped_updates_keep_their_input_and_are_counted():
    rng = np.random.default_rng(9)
    network = recurrent(rng, Semantics(1e-3, reset="subtract"), scale=0.3, a_syn=0.5)
    raster = noise(rng, 3, 40, 6)
    run = check(network, [raster], 40, Arithmetic(skip_below=0.2))
    assert run.counters["skipped"][1] > 100
    assert run.counters["skipped"][0] == 0
    exact = EventEngine(network).run(raster)
    assert exact.counters["skipped"].sum() == 0
    for semantics in (Semantics(1e-3, delayed_reset=True, reset="subtract"), Semantics(1e-3, refractory=2)):
        check(recurrent(rng, semantics, scale=0.3), [raster], 40, Arithmetic(skip_below=0.2))


def test_results_depend_neither_on_workers_nor_on_the_batch():
    rng = np.random.default_rng(10)
    network = recurrent(rng, Semantics(1e-3, reset="subtract"))
    raster = noise(rng, 7, 25, 6)
    engine = EventEngine(network)
    one = engine.run(raster)
    many = engine.run(raster, workers=3)
    parts = [engine.run(raster.part(a, b)) for a, b in ((0, 3), (3, 7))]
    assert np.array_equal(one.spikes.indptr, many.spikes.indptr)
    assert np.array_equal(one.spikes.index, many.spikes.index)
    for k in range(2):
        assert np.array_equal(one.outputs[k], many.outputs[k])
        assert np.array_equal(one.outputs[k], np.concatenate([p.outputs[k] for p in parts]))
    assert one.synaptic_events.tolist() == many.synaptic_events.tolist()
    assert one.synaptic_events.tolist() == sum(p.synaptic_events for p in parts).tolist()


def test_synaptic_events_are_the_fan_out_of_what_fired():
    rng = np.random.default_rng(11)
    network = recurrent(rng, Semantics(1e-3))
    run = EventEngine(network).run(noise(rng, 4, 30, 6))
    fired = np.bincount(run.spikes.index, minlength=network.neurons)
    for q, p in enumerate(network.projections):
        mine = fired[network.first[p.source] : network.first[p.source + 1]]
        assert run.synaptic_events[q] == (mine * p.fan_out).sum()


def test_each_sample_is_handed_over_and_not_kept():
    rng = np.random.default_rng(12)
    network = recurrent(rng, Semantics(1e-3))
    raster = noise(rng, 5, 30, 6)
    engine = EventEngine(network)
    whole = engine.run(raster)
    seen, told = [], []
    run = engine.run(
        raster, workers=2, each=lambda n, r: seen.append((n, r)), progress=lambda *t: told.append(t), first_sample=10
    )
    assert [n for n, _ in seen] == [10, 11, 12, 13, 14]
    assert told == [(n / 5, f"sample {n} of 5") for n in (1, 2, 3, 4, 5)]
    assert run.spikes.events == 0
    assert np.array_equal(np.concatenate([r.dense() for _, r in seen]), whole.spikes.dense())
    silent = engine.run(raster, record="none")
    assert silent.spikes.events == 0
    assert np.array_equal(silent.outputs[0], whole.outputs[0])


def test_steps_go_on_by_the_latency_and_the_record_grows():
    drive = linear("n", 50, Semantics(1e-3, reset="none"), c_mem=1.0, a_mem=1.0)
    network = network_of([source("in", 1), drive], [(0, 1, np.ones((1, 50)), 0)], [0], [1], latency=3)
    run = EventEngine(network).run(Raster.from_dense(np.zeros((1, 40, 1), np.float32)))
    assert run.spikes.steps == 43
    assert run.outputs[0].shape == (1, 43, 50)
    assert run.spikes.events == 50 * 42


def test_a_stop_rule_ends_samples_when_the_answer_is_certain():
    rng = np.random.default_rng(13)
    network = network_of([source("in", 3), linear("n", 3, threshold=0.5)], [(0, 1, np.eye(3), 0)], [0], [1])
    x = (rng.random((20, 30, 3)) < [0.8, 0.3, 0.1]).astype(np.float32)
    rule = StopRule(temperature=1.5, threshold=0.9, least=3)
    engine = EventEngine(network)
    whole, run = engine.run(Raster.from_dense(x)), engine.run(Raster.from_dense(x), stop=rule)
    for sample in range(20):
        z = np.cumsum(whole.outputs[0][sample].astype(float), axis=0) / 1.5
        z = np.exp(z - z.max(axis=1, keepdims=True))
        sure = (z / z.sum(axis=1, keepdims=True)).max(axis=1) > 0.9
        sure[:2] = False
        expected = int(np.argmax(sure)) + 1 if sure.any() else 30
        assert run.steps_used[sample] == expected
        assert np.array_equal(run.outputs[0][sample, :expected], whole.outputs[0][sample, :expected])
        assert not run.outputs[0][sample, expected:].any()
        assert not run.spikes.dense()[sample, expected:].any()
    assert 3 <= run.steps_used.min() < run.steps_used.max() <= 30
    never = engine.run(Raster.from_dense(x), stop=StopRule(1.0, 1.0))
    assert (never.steps_used == 30).all()


def test_rates_name_silent_and_saturated_populations():
    drive = linear("always", 2, Semantics(1e-3, reset="none"), c_mem=9.0)
    network = network_of([source("in", 4), drive, linear("never", 3, threshold=99.0)], [], [0], [1])
    x = np.zeros((2, 10, 4), np.float32)
    x[:, :5, 1] = 1
    found = rates(EventEngine(network).run(Raster.from_dense(x)))
    assert found.per_step[:6].tolist() == [0, 0.5, 0, 0, 1, 1]
    assert found.per_sample[1] == 5
    assert len(found.notes) == 2
    assert found.notes[0].startswith("always: all")
    assert found.notes[1].startswith("never: none")


def test_inputs_that_do_not_fit_are_refused():
    network = network_of([source("in", 4), linear("n", 2)], [(0, 1, np.ones((4, 2)), 0)], [0], [1])
    engine = EventEngine(network)
    good = noise(np.random.default_rng(1), 2, 5, 4)
    with pytest.raises(InputError, match="in has 4 neurons, its raster 3"):
        engine.run(noise(np.random.default_rng(1), 2, 5, 3))
    with pytest.raises(InputError, match="2 input rasters for 1"):
        engine.run([good, good])
    with pytest.raises(InputError, match="not finite"):
        engine.run(Raster.from_dense(np.full((1, 2, 4), np.nan, np.float32)))
    with pytest.raises(InputError, match="record is 'all'"):
        engine.run(good, record="all")
    bad = Raster(1, 1, (4,), np.array([0, 1]), np.array([7], np.int32))
    with pytest.raises(InputError, match="outside"):
        engine.run(bad)
    with pytest.raises(InputError, match="temperature"):
        StopRule(0.0, 0.5)


def test_numbers_that_are_none_are_all_named():
    odd = linear("n", 2, threshold=[1.0, np.nan], v_reset=np.inf)
    network = network_of([source("in", 4), odd], [(0, 1, np.ones((4, 2)), 0)], [0], [1])
    weight = network.projections[0].weight.copy()
    weight[3] = np.nan
    broken = dataclasses.replace(network.projections[0], weight=weight, delay=np.array([-1]))
    with pytest.raises(InputError) as error:
        EventEngine(dataclasses.replace(network, projections=(broken,)))
    text = str(error.value)
    assert "n: threshold of neuron 1 is nan" in text
    assert "n: v_reset of neuron 0 is inf" in text
    assert "p0: 1 weights are not finite numbers" in text
    assert "p0: a delay of -1 steps" in text
