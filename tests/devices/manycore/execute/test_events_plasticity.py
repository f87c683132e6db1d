"""Pair STDP: sums over all pairs, the closed-form window, bounds, the third factor, and the order of a lazy update."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from events_reference import linear, network_of, noise, simulate, source

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.errors import InputError
from neuromorph.events import Raster
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking import Plasticity

DT = 1e-3
RULE = Plasticity(a_plus=0.013, a_minus=0.011, tau_plus_s=7e-3, tau_minus_s=11e-3, w_min=-100.0, w_max=100.0)


def echo(pre, post, delay, rule, weight=0.5):
    """Synapses pre -> post all to all that learn; post fires as a second input tells it, whatever the weights."""
    n, m = pre.shape[1], post.shape[1]
    unit = linear("post", m, Semantics(DT), a_mem=0.0, threshold=1000.0)
    network = network_of(
        [source("pre", n), source("teacher", m), unit],
        [(0, 2, np.full((n, m), weight), delay), (1, 2, 1e5 * np.eye(m), 0)],
        [0, 1], [2],
    )  # fmt: skip
    learning = dataclasses.replace(network.projections[0], plasticity=rule)
    return dataclasses.replace(network, projections=(learning, *network.projections[1:]))


def learned(pre, post, delay, rule, weight=0.5, modulator=None):
    network = echo(pre, post, delay, rule, weight)
    rasters = [Raster.from_dense(x[None].astype(np.float32)) for x in (pre, post)]
    run = EventEngine(network).run(rasters, modulator=modulator)
    assert np.array_equal(run.outputs[0][0], post)
    return run.weights[0][0].reshape(pre.shape[1], post.shape[1]), run


def expected(pre, post, delay, rule, weight=0.5, modulator=None):
    """One synapse after the other by the rule's words: no traces, every pair by itself, all steps."""
    steps = len(pre)
    w = np.full((pre.shape[1], post.shape[1]), weight)
    for i in range(pre.shape[1]):
        for k in range(post.shape[1]):
            d = int(np.broadcast_to(delay, w.shape)[i, k])
            t_pre, seen = np.flatnonzero(pre[:, i]), np.flatnonzero(post[:, k]) + d
            w[i, k] = _synapse(t_pre, seen, d, rule, weight, modulator, steps)
    return w


def _synapse(t_pre, seen, delay, rule, w, modulator, steps):
    if not t_pre.size:
        return w
    last, eligible = t_pre[-1], 0.0
    clip = lambda x: min(max(x, rule.w_min), rule.w_max)  # noqa: E731
    for t in range(last + 1):
        if rule.rule == "reward":
            eligible *= math.exp(-DT / rule.tau_eligibility_s)
        changes = []
        if t in seen and (t < last or delay):
            before = t_pre[t_pre < t][-1:] if rule.nearest else t_pre[t_pre < t]
            changes.append((True, rule.a_plus * np.exp(-(t - before) * DT / rule.tau_plus_s).sum()))
        if t in t_pre:
            before = seen[seen < t][-1:] if rule.nearest else seen[seen < t]
            changes.append((False, rule.a_minus * np.exp(-(t - before) * DT / rule.tau_minus_s).sum()))
        for up, size in changes if delay else changes[::-1]:
            if rule.multiplicative:
                size *= rule.w_max - w if up else w - rule.w_min
            change = size if up else -size
            if rule.rule == "reward":
                eligible += change
            else:
                w = clip(w + change)
        if rule.rule == "reward":
            w = clip(w + eligible * modulator[t])
    return w


@pytest.mark.parametrize("delay", [1, 3, "own"])
@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("form", ["additive", "multiplicative", "bounded"])
def test_weights_equal_the_sum_over_all_pairs(delay, nearest, form):
    rng = np.random.default_rng(4)
    pre, post = rng.random((120, 5)) < 0.1, rng.random((120, 4)) < 0.12
    if delay == "own":
        delay = rng.integers(1, 6, (5, 4))
    rule = dataclasses.replace(RULE, nearest=nearest, multiplicative=form == "multiplicative")
    if form == "multiplicative":
        rule = dataclasses.replace(rule, w_min=0.0, w_max=1.0)
    if form == "bounded":
        rule = dataclasses.replace(rule, w_min=0.485, w_max=0.515)
    found, run = learned(pre, post, delay, rule)
    want = expected(pre, post, delay, rule)
    assert np.allclose(found, want, rtol=0, atol=1e-6)
    assert np.ptp(want) > 0.003
    if form == "bounded":
        assert found.min() >= np.float32(0.485)
        assert found.max() <= np.float32(0.515)
        assert (found == np.float32(0.515)).any() or (found == np.float32(0.485)).any()
    assert run.counters["plastic_updates"][0] > 50
    assert run.counters["plastic_updates"][1] == 0


def test_without_delay_a_post_spike_of_the_same_step_counts_later():
    rng = np.random.default_rng(5)
    pre, post = rng.random((150, 4)) < 0.25, rng.random((150, 4)) < 0.25
    rule = dataclasses.replace(RULE, w_min=0.3, w_max=0.7)
    assert np.allclose(learned(pre, post, 0, rule)[0], expected(pre, post, 0, rule), rtol=0, atol=1e-6)


def test_one_pair_gives_the_window_in_closed_form():
    for difference in range(-30, 31):
        pre, post = np.zeros((100, 1), bool), np.zeros((100, 1), bool)
        pre[[40, 99]] = True
        post[40 + difference - 2] = True  # seen two steps later
        found = float(learned(pre, post, 2, RULE)[0][0, 0]) - 0.5
        late = -RULE.a_minus * math.exp(-(59 - difference) / 11)  # the pair with the pre spike that ends the run
        if difference > 0:
            want = RULE.a_plus * math.exp(-difference / 7) + late
        elif difference < 0:
            want = -RULE.a_minus * math.exp(difference / 11) + late
        else:
            want = late
        assert found == pytest.approx(want, abs=1e-7), difference


def test_a_row_changes_only_at_its_pre_spike():
    pre, post = np.zeros((50, 1), bool), np.zeros((50, 1), bool)
    pre[10] = post[15] = True
    assert float(learned(pre, post, 1, RULE)[0][0, 0]) == 0.5
    pre[30] = True
    assert float(learned(pre, post, 1, RULE)[0][0, 0]) != 0.5


def test_the_weight_sent_holds_the_pairs_before_it():
    """Pre at 0 and 10, post at 4 (taught): what arrives at 12 is above the threshold, what arrived at 2 is not."""
    pre, post = np.zeros((20, 1), bool), np.zeros((20, 1), bool)
    pre[[0, 10]], post[4] = True, True
    weight = 0.5 + RULE.a_plus * math.exp(-6 / 7)
    for threshold, fires in ((weight - 1e-6, [4, 12]), (weight + 1e-6, [4])):
        network = echo(pre, post, 2, dataclasses.replace(RULE, a_minus=0.0))
        unit = linear("post", 1, Semantics(DT), a_mem=0.0, threshold=threshold)
        network = dataclasses.replace(network, populations=(*network.populations[:2], unit))
        run = EventEngine(network).run([Raster.from_dense(x[None].astype(np.float32)) for x in (pre, post)])
        assert run.outputs[0][0, :, 0].nonzero()[0].tolist() == fires


@pytest.mark.parametrize("delay", [1, 4])
@pytest.mark.parametrize("multiplicative", [False, True])
def test_the_third_factor_lets_the_held_change_in(delay, multiplicative):
    rng = np.random.default_rng(6)
    pre, post = rng.random((200, 4)) < 0.1, rng.random((200, 3)) < 0.1
    factor = np.where(rng.random(200) < 0.15, rng.normal(size=200), 0.0)
    rule = dataclasses.replace(
        RULE, rule="reward", tau_eligibility_s=25e-3, multiplicative=multiplicative, w_min=0.0, w_max=1.0
    )
    found, _ = learned(pre, post, delay, rule, modulator=factor)
    want = expected(pre, post, delay, rule, modulator=factor)
    assert np.allclose(found, want, rtol=0, atol=1e-6)
    assert np.ptp(want) > 0.001
    assert np.array_equal(learned(pre, post, delay, rule, modulator=0 * factor)[0], np.full((4, 3), np.float32(0.5)))


def test_learning_is_each_samples_own_and_does_not_depend_on_workers():
    rng = np.random.default_rng(7)
    hidden = linear("hidden", 20, Semantics(DT, reset="subtract"), a_mem=0.9, threshold=1.0)
    w = rng.random((10, 20)) * (rng.random((10, 20)) < 0.5)
    network = network_of([source("in", 10), hidden], [(0, 1, w, 1), (1, 1, 0.1 * rng.random((20, 20)), 2)], [0], [1])
    rule = dataclasses.replace(RULE, a_plus=0.05, a_minus=0.04, w_min=0.0, w_max=1.0)
    plastic = tuple(dataclasses.replace(p, plasticity=rule) for p in network.projections)
    engine = EventEngine(dataclasses.replace(network, projections=plastic))
    raster = noise(rng, 5, 200, 10)
    one, three = engine.run(raster), engine.run(raster, workers=3)
    for q in (0, 1):
        assert np.array_equal(one.weights[q], three.weights[q])
        assert one.weights[q].shape == (5, network.projections[q].synapses)
        assert not np.array_equal(one.weights[q][0], one.weights[q][1])
    assert np.array_equal(engine.run(raster.part(3, 4)).weights[0][0], one.weights[0][3])
    still = EventEngine(network).run(raster)
    assert one.spikes.events != still.spikes.events
    assert np.array_equal(still.outputs[0][0], simulate(network, [raster.dense()], 200)[0][:, 10:])


def test_rules_that_make_no_sense_are_refused():
    pre = np.zeros((5, 1), bool)
    for change, words in (
        ({"tau_plus_s": 0.0}, "tau_plus_s is 0"),
        ({"rule": "triplet"}, "no rule 'triplet'"),
        ({"rule": "reward"}, "without tau_eligibility_s"),
        ({"w_min": 2.0, "w_max": 1.0}, "weights from 2.0 to 1.0"),
    ):
        with pytest.raises(InputError, match=words):
            EventEngine(echo(pre, pre, 1, dataclasses.replace(RULE, **change)))
    reward = dataclasses.replace(RULE, rule="reward", tau_eligibility_s=0.1)
    with pytest.raises(InputError, match="third factor"):
        learned(pre, pre, 1, reward)
    with pytest.raises(InputError, match="modulator has shape"):
        learned(pre, pre, 1, reward, modulator=np.zeros(3))
