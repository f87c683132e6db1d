"""Chips' fixed point: bit for bit equal to unbounded integers, equal to a chip's own trace, with all losses named."""

from __future__ import annotations

import dataclasses
import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from events_fixed_reference import nearest, simulate_fixed
from events_reference import linear, network_of, noise, source
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.devices.manycore.execute import EventEngine, quantize, silenced
from neuromorph.devices.manycore.execute.fixed import formats, integers, state_range
from neuromorph.errors import InputError
from neuromorph.events import Raster
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking import Plasticity, Population
from neuromorph.spiking.arithmetic import Arithmetic


def some_network(rng, kind):
    """Input, two recurrent populations and a readout that does not fire, with coefficients from all over the range."""
    semantics = Semantics(
        1e-3, reset=str(rng.choice(["value", "subtract"])), delayed_reset=bool(rng.integers(2)),
        compare=str(rng.choice([">", ">="])), order=str(rng.choice(["current_first", "membrane_first"])),
        refractory=int(rng.integers(0, 3)),
    )  # fmt: skip
    model = "adaptive" if kind == "spinnaker" and rng.random() < 0.5 else "linear"
    a = {"a_mem": rng.random(5), "b_mem": rng.random(5) * 1.5, "a_syn": rng.random(5), "b_syn": rng.random(5) + 0.2}
    size = 10.0 ** rng.integers(-1, 3)
    hidden = linear(
        "hidden", 5, semantics, model, bias=rng.normal(size=5) * 0.1 * size, threshold=rng.random(5) * size,
        v_reset=-0.1 * size, v_init=0.1 * size, sign=rng.choice([1, 1, 1, -1, 0], 5), **a,
    )  # fmt: skip
    plain = linear("plain", 3, Semantics(1e-3, reset="subtract"), a_mem=1.0, threshold=size, c_mem=0.01 * size)
    read = linear("read", 2, a_mem=0.95, threshold=np.inf)
    w = lambda *shape: rng.normal(size=shape) * size * (rng.random(shape) < 0.8)  # noqa: E731
    edges = [
        (0, 1, w(4, 5), 0), (1, 1, w(5, 5), rng.integers(1, 4, (5, 5))), (1, 2, w(5, 3), 1), (2, 1, w(3, 5), 1),
        (2, 3, w(3, 2), 0),
    ]  # fmt: skip
    return network_of([source("in", 4), hidden, plain, read], edges, [0], [3, 1])


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from(["spinnaker", "loihi"]), st.sampled_from([4, 8, 16]))
def test_bit_for_bit_equal_to_unbounded_integers(seed, kind, weight_bits):
    rng = np.random.default_rng(seed)
    network = some_network(rng, kind)
    arithmetic = Arithmetic(kind, weight_bits, 24)
    engine = EventEngine(network, arithmetic)
    chosen = formats(network, arithmetic)
    whole = integers(network, chosen)
    raster = noise(rng, 1, 25, 4, 0.4)
    run = engine.run(raster)
    bits = 32 if kind == "spinnaker" else 24
    sent, met = simulate_fixed(
        network, kind, whole, chosen.scale, chosen.ring, bits, [raster.dense()[0]], 25
    )  # fmt: skip
    spikes = run.spikes.dense()[0]
    assert np.array_equal(spikes[:, :12], sent[:, :12])
    assert np.array_equal(run.outputs[0][0], (sent[:, 12:] / chosen.scale[3]).astype(np.float32))
    assert run.counters["saturated"].tolist() == met


def test_whole_weights_are_the_nearest_that_the_format_holds():
    rng = np.random.default_rng(3)
    for kind, bits in (("spinnaker", 16), ("spinnaker", 8), ("loihi", 9)):
        network = some_network(rng, kind)
        chosen = formats(network, Arithmetic(kind, bits, 24))
        for q, p in enumerate(network.projections):
            gain = chosen.gains[p.target]
            unit = 2 ** int(chosen.unit[q])
            for w, k, found in zip(p.weight, p.index, integers(network, chosen)[q], strict=True):
                g = 1 if gain is None else Fraction(float(gain[k]))
                exact = (
                    Fraction(float(w)) * Fraction(float(chosen.scale[p.target])) / 2 ** int(chosen.ring[p.target]) * g
                )
                want = min(max(nearest(exact / unit), chosen.bottom), chosen.top)
                assert int(found) == want * unit


@pytest.mark.parametrize("kind", ["spinnaker", "loihi"])
def test_many_bits_come_close_to_floating_point(kind):
    rng = np.random.default_rng(4)
    hidden = linear("hidden", 40, Semantics(1e-3, reset="subtract"), a_mem=0.9375, a_syn=0.5, threshold=1.0)
    w = rng.normal(size=(30, 40)) * 0.2
    network = network_of([source("in", 30), hidden], [(0, 1, w, 1)], [0], [1])
    raster = noise(rng, 4, 100, 30, 0.1)
    exact = EventEngine(network).run(raster)
    run = EventEngine(network, Arithmetic(kind, 16, 32)).run(raster)
    assert run.counters["saturated"].sum() == 0
    assert exact.outputs[0].sum() > 500
    assert np.abs(run.outputs[0] - exact.outputs[0]).sum() < 0.02 * exact.outputs[0].sum()
    assert not silenced(exact, run)


def test_lost_weights_and_silent_populations_are_named():
    semantics = Semantics(1e-3)
    network = network_of(
        [source("in", 2), linear("big", 2, semantics), linear("small", 2, semantics, threshold=5e-6)],
        [(0, 1, np.array([[1.0, 1e-5], [1.0, 1.0]]), 1), (0, 2, np.full((2, 2), 6e-6), 1)], [0], [1, 2],
    )  # fmt: skip
    arithmetic = Arithmetic("spinnaker", 8)
    found, report = quantize(network, arithmetic)
    assert [r.silent for r in report.rows] == [1, 4]
    assert np.array_equal(found.projections[0].weight, np.array([1, 0, 1, 1], np.float32))
    assert any(note.startswith("p0: 1 of 4 weights") for note in report.notes)
    assert any("small: no weight into it is left" in note for note in report.notes)
    raster = Raster.from_dense(np.ones((1, 10, 2), np.float32))
    exact, run = EventEngine(network).run(raster), EventEngine(network, arithmetic).run(raster)
    assert silenced(exact, run) == ("small fires 18 times in one run and never in the other",)
    again, _ = quantize(found, arithmetic)
    assert all(np.array_equal(a.weight, b.weight) for a, b in zip(again.projections, found.projections, strict=True))
    assert quantize(network, Arithmetic())[0] is network


def test_rings_saturate_and_are_counted():
    network = network_of(
        [source("in", 50), linear("n", 1, a_mem=0.0, threshold=np.inf)], [(0, 1, np.ones((50, 1)), 1)], [0], [1]
    )  # fmt: skip
    x = np.ones((1, 3, 50), np.float32)
    run = EventEngine(network, Arithmetic("spinnaker")).run(Raster.from_dense(x), steps=4)
    chosen = formats(network, Arithmetic("spinnaker"))
    top = 65535 * 2.0 ** int(chosen.ring[1]) / 2**15
    assert 1 < top < 50
    assert run.outputs[0][0, :, 0].tolist() == [0] + [pytest.approx(top)] * 3
    assert run.counters["saturated"][1] == 3 * (50 - math.floor(top))


def test_learning_in_whole_numbers_stays_close_to_floating_point():
    rng = np.random.default_rng(5)
    rule = Plasticity(0.02, 0.015, 10e-3, 10e-3, 0.0, 1.0)
    hidden = linear("hidden", 10, Semantics(1e-3), threshold=0.9)
    network = network_of([source("in", 8), hidden], [(0, 1, rng.random((8, 10)) * 0.5, 1)], [0], [1])
    network = dataclasses.replace(network, projections=(dataclasses.replace(network.projections[0], plasticity=rule),))
    raster = noise(rng, 1, 300, 8, 0.1)
    exact = EventEngine(network).run(raster)
    run = EventEngine(network, Arithmetic("spinnaker")).run(raster)
    assert np.abs(exact.weights[0] - network.projections[0].weight).max() > 0.1
    assert np.abs(run.weights[0] - exact.weights[0]).max() < 0.05


def test_what_a_chip_cannot_express_is_refused():
    one = np.ones(1)
    cells = Population(
        "cells", (1,), "izhikevich",
        dict.fromkeys(("a", "b", "c", "d", "v_peak", "v_init", "u_init"), one), Semantics(1e-3),
    )  # fmt: skip
    odd = linear("odd", 1, a_mem=1.5)
    sums = linear("sums", 1, threshold=np.inf)
    network = network_of([source("in", 1), cells, odd, sums, linear("n", 1)], [(3, 4, np.ones((1, 1)), 1)], [0], [4])
    with pytest.raises(InputError) as error:
        EventEngine(network, Arithmetic("loihi", 8, 24))
    text = str(error.value)
    assert "cells: izhikevich neurons are not modelled" in text
    assert "odd: a_mem is 1.5" in text
    assert "sums sends values" in text
    plain = EventEngine(network_of([source("in", 1), linear("n", 1)], [], [0], [1]), Arithmetic("spinnaker"))
    with pytest.raises(InputError, match="not whole"):
        plain.run(Raster.from_dense(np.full((1, 2, 1), 0.5, np.float32)))
    with pytest.raises(InputError, match="at most 24 and 48"):
        EventEngine(plain.network, Arithmetic("loihi", 32, 64))


def one_neuron(threshold):
    unit = linear("n", 1, Semantics(1e-4, reset="value"), a_mem=0.96, threshold=threshold)
    return network_of([source("in", 1), unit], [(0, 1, np.full((1, 1), 0.04), 1)], [0], [1])


def integers_of_one_neuron(inputs):
    """Spikes of the published neuron: weight 640, threshold 1600 units, d = floor(0.04 4096)."""
    v, spikes = 0, []
    for t in range(len(inputs)):
        v = (v * (4096 - 163)) >> 12
        v += 640 if t and inputs[t - 1] else 0
        spikes.append(v > 1600)
        v = 0 if v > 1600 else v
    return np.array(spikes)


def test_a_published_neuron_on_generated_input():
    x = (np.random.default_rng(8).random(1000) < 0.06).astype(np.float32)
    run = EventEngine(one_neuron(0.1), Arithmetic("loihi", 16, 24, scale=16000.0)).run(
        Raster.from_dense(x[None, :, None])
    )  # fmt: skip
    want = integers_of_one_neuron(x)
    assert want.sum() > 5
    assert np.array_equal(run.outputs[0][0, :, 0], want)


@pytest.mark.parametrize("trace", ["lif_lava_loihi_fixed", "lif_lava_cpu_fixed"])
def test_the_trace_of_a_chip(trace):
    """Loihi and its emulator ran one LIF neuron of tau = 25 steps: the membrane is equal at every step but those of
    spikes, where the chip reports a flag instead of its membrane."""
    path = shared("lif_traces") / f"{trace}.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    given_, membrane, spikes = np.loadtxt(path, delimiter=",").T
    raster = Raster.from_dense(given_[None, :, None].astype(np.float32))
    arithmetic = Arithmetic("loihi", 16, 24, scale=16000.0)
    run = EventEngine(one_neuron(0.1), arithmetic).run(raster)
    assert np.array_equal(run.outputs[0][0, :, 0] > 0, spikes > 0)
    rest = EventEngine(one_neuron(np.inf), arithmetic).run(raster).outputs[0][0, :, 0] * 16000
    before = np.arange(1000) < np.flatnonzero(spikes)[0]
    assert np.array_equal(np.rint(rest[before]), membrane[before])


def test_the_trace_of_spinnaker_2():
    """SpiNNaker 2 gives the same spikes; its membrane is smaller by 0.02 % throughout (its weight is rounded)."""
    path = shared("lif_traces") / "lif_spinnaker2.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    given_, membrane, spikes = np.loadtxt(path, delimiter=",").T
    network = one_neuron(0.1)
    now = dataclasses.replace(network.projections[0], delay=np.zeros(1, np.uint8))
    network = dataclasses.replace(network, projections=(now,))
    raster = Raster.from_dense(given_[None, :, None].astype(np.float32))
    for arithmetic in (Arithmetic("float32"), Arithmetic("spinnaker")):
        run = EventEngine(network, arithmetic).run(raster)
        assert np.array_equal(run.outputs[0][0, :, 0] > 0, spikes > 0)
    silent = dataclasses.replace(network, populations=(network.populations[0], one_neuron(np.inf).populations[1]))
    v = EventEngine(silent, Arithmetic("float32")).run(raster).outputs[0][0, :, 0] * 25
    before = np.arange(1000) < np.flatnonzero(spikes)[0]
    assert np.allclose(v[before], membrane[before], rtol=3e-4, atol=1e-6)


def shared(name: str) -> Path:
    return Path(os.environ.get("NEUROMORPH_DATA", Path(__file__).resolve().parents[5] / "shared" / "data")) / name


def test_ranges_of_states():
    assert state_range(Arithmetic("spinnaker")) == (-(2**31), 2**31 - 1)
    assert state_range(Arithmetic("loihi", 8, 24)) == (-(2**23), 2**23 - 1)
