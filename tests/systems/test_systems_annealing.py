"""NeuroSA against closed forms, exact enumeration and its own network of ON and OFF neurons."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.stats import kstest
from systems_data import all_states, dense_reference, random_graph

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.errors import InputError
from neuromorph.systems.annealing import (
    Cooling,
    FowlerNordheim,
    cooling_of,
    couplings,
    grouped,
    ising,
    maxcut,
    pairs,
    qubo,
    schedule,
    trace,
)
from neuromorph.systems.annealing.solve import noise_key


def boltzmann(graph, t: float) -> np.ndarray:
    p = np.exp((graph.cut(all_states(graph.size)) - graph.strength.sum() / 2) / t)
    return p / p.sum()


def visited(graph, done, order, sweeps: int) -> np.ndarray:
    """State number (bits of the spins) at the end of each sweep."""
    bit = np.zeros(sweeps, np.int64)
    np.bitwise_xor.at(bit, done.flips // graph.size, 1 << order.vertex[done.flips % graph.size])
    start = int(((done.start > 0) << np.arange(graph.size)).sum())
    return np.bitwise_xor.accumulate(bit) ^ start


def test_the_node_solves_its_differential_equation():
    node = FowlerNordheim(b=3.0, k1=0.2, k0=math.exp(3.0 / 1.7))
    times = np.geomspace(1e-2, 1e4, 30)
    found = solve_ivp(
        lambda _, v: [node.slope(v[0])], (0, times[-1]), [1.7], t_eval=times, rtol=1e-11, atol=1e-13, method="DOP853"
    )
    np.testing.assert_allclose(node.voltage(times), found.y[0], rtol=1e-8)
    assert node.voltage(0.0) == pytest.approx(1.7)


def test_the_schedule_is_the_published_one():
    amplitude = 60.0
    t = Cooling(amplitude, 1.0).temperatures(500)
    c, n = 2 * amplitude, np.arange(500)
    np.testing.assert_allclose(t, 0.5 * amplitude / (c * np.log1p((1 + n * (c - 1) / 499) / c)), rtol=1e-12)
    assert t[-1] == pytest.approx(0.25 / math.log(2))
    assert t[0] == pytest.approx(amplitude / 2, rel=0.01)


def test_one_rule_gives_the_amplitude_of_scaled_graphs_alike():
    graph = random_graph(30, 1)
    scaled = dataclasses.replace(graph, weight=graph.weight.astype(np.float64) * 2.5)
    assert cooling_of(scaled).amplitude == pytest.approx(cooling_of(graph).amplitude)
    np.testing.assert_allclose(schedule(scaled, 50), 2.5 * schedule(graph, 50))
    assert cooling_of(graph).amplitude > graph.strength.max()


def test_the_noise_is_exponential_and_never_zero():
    one = couplings("ring", 500, np.arange(500), (np.arange(500) + 1) % 500, np.full(500, 0.5))
    e = pairs.noise(one, np.ones(40), key=7).ravel()
    assert kstest(e, "expon").pvalue > 1e-3
    assert e.min() > 0
    assert abs(np.corrcoef(e[:-1], e[1:])[0, 1]) < 4 / math.sqrt(e.size)


@pytest.mark.parametrize("weights", [(-1, 1), (0.7, -1.3, 2.1)])
def test_boltzmann_distribution_by_enumeration(weights):
    graph, t, sweeps = random_graph(8, 3, 0.5, weights), 1.5, 400_000
    order = grouped(graph)
    seen = visited(graph, trace(graph, order, np.full(sweeps, t)), order, sweeps)[100:]
    frequency = np.bincount(seen, minlength=256) / seen.size

    def distance(temperature: float) -> float:
        return float(np.abs(frequency - boltzmann(graph, temperature)).sum() / 2)

    assert distance(t) < 0.015
    assert distance(1.1 * t) > 2 * distance(t)  # the test would see a temperature that is 10 % off


def test_each_visit_keeps_detailed_balance():
    """A flip that costs dE is accepted with exp(-dE / T): the only rule of single flips with T e, e ~ Exp(1)."""
    graph, t, sweeps = random_graph(10, 5, 0.5), 1.2, 60_000
    order = grouped(graph)
    done = trace(graph, order, np.full(sweeps, t))
    flipped = np.zeros(sweeps * graph.size, bool)
    flipped[done.flips] = True
    w, state = graph.matrix(), done.start.astype(np.int64)
    tried: dict[int, list[int]] = {}
    for visit, flip in enumerate(flipped[: 20_000 * 10]):
        i = int(order.vertex[visit % 10])
        counts = tried.setdefault(int(-state[i] * (w[i] @ state)), [0, 0])
        counts[0] += 1
        if flip:
            counts[1] += 1
            state[i] = -state[i]
    checked = 0
    for cost, (visits, flips) in tried.items():
        p = min(1.0, math.exp(-cost / t))
        assert abs(flips - visits * p) <= 5 * math.sqrt(visits * p * (1 - p)) + (p > 0 and p < 1) * 3
        checked += visits > 100 and cost > 0
    assert checked >= 3


@settings(max_examples=25, deadline=None)
@given(size=st.integers(2, 30), density=st.floats(0.0, 1.0), seed=st.integers(0, 999))
def test_coupled_spins_never_flip_in_the_same_step(size, density, seed):
    graph = random_graph(size, seed, density)
    order = grouped(graph)
    assert sorted(order.vertex) == list(range(size))
    temperatures = schedule(graph, 12)
    fired = pairs.spikes(graph, order, trace(graph, order, temperatures, seed), 12)
    w = graph.matrix() != 0
    for row in range(fired.steps):
        spins = fired.index[fired.indptr[row] : fired.indptr[row + 1]] % size
        assert np.unique(spins).size == spins.size
        assert not w[np.ix_(spins, spins)].any()


@pytest.mark.parametrize(
    ("size", "density", "weights"), [(14, 0.4, (-1, 1)), (9, 1.0, (1,)), (6, 0.0, (1,)), (12, 0.3, (-3, 2, 5))]
)
def test_pairs_of_neurons_flip_as_the_compiled_annealer(size, density, weights):
    graph = random_graph(size, 11, density, weights)
    order, temperatures, sweeps = grouped(graph), schedule(graph, 40), 40
    done = trace(graph, order, temperatures, seed=2)
    assert done.flips.size > 20
    network = pairs.pair_network(graph, done.start, float(temperatures.max()))
    events = pairs.visits(graph, order, temperatures, noise_key(2, 0))
    fired = dense_reference(network, events)[:-1, size:]
    np.testing.assert_array_equal(fired, pairs.spikes(graph, order, done, sweeps).dense()[0])
    assert not fired[:, :size][:, None].astype(bool).all()


def test_gains_add_up_to_the_cut():
    for weights in ((-1, 1), (0.3, -0.9)):
        graph = random_graph(40, 2, 0.3, weights)
        done = trace(graph, grouped(graph), schedule(graph, 100), seed=5, run=3)
        assert graph.cut(done.start) + done.gain == pytest.approx(graph.cut(done.spins))


def test_results_depend_on_neither_workers_nor_the_other_runs():
    graph = random_graph(60, 4, 0.2)
    one = maxcut(graph, 50, 6, seed=9, workers=1)
    two = maxcut(graph, 50, 6, seed=9, workers=3)
    few = maxcut(graph, 50, [4, 1], seed=9)
    np.testing.assert_array_equal(one.spins, two.spins)
    np.testing.assert_array_equal(one.flips, two.flips)
    np.testing.assert_array_equal(few.spins, one.spins[[4, 1]])
    assert not np.array_equal(maxcut(graph, 50, 6, seed=10).spins, one.spins)
    np.testing.assert_array_equal(one.cuts, graph.cut(one.spins))
    assert one.proposals == 50 * 60


def test_small_graphs_are_solved_exactly():
    for seed in range(5):
        graph = random_graph(14, seed, 0.5)
        assert maxcut(graph, 200, 5, seed).cuts.max() == graph.cut(all_states(14)).max()


def test_a_bipartite_torus_is_cut_wholly():
    """The twin of the G-set's test on generated data: the optimum is known, every edge."""
    side = 20
    x, y = (a.ravel() for a in np.meshgrid(np.arange(side), np.arange(side)))
    here = y * side + x
    i, j = np.concatenate((here, here)), np.concatenate((y * side + (x + 1) % side, (y + 1) % side * side + x))
    graph = couplings("torus", side * side, i, j, np.ones(i.size))
    assert grouped(graph).groups == 2
    result = maxcut(graph, 1000, 10)
    assert result.cuts.max() == graph.edges
    assert result.cuts.mean() > 0.97 * graph.edges


def test_ising_and_qubo_problems_as_cuts():
    random = np.random.default_rng(0)
    j = np.triu(random.normal(size=(6, 6)), 1)
    j, h = j + j.T, random.normal(size=6)
    graph, offset = ising("spins", j, h)
    for s in all_states(6):
        energy = s @ j @ s / 2 + h @ s
        assert graph.cut(np.append(s, 1)) == pytest.approx(offset - energy)
    q = random.normal(size=(5, 5))
    graph, offset = qubo("bits", q)
    for s in all_states(6):
        x = (1 + s[:5] * s[5]) / 2
        assert graph.cut(s) == pytest.approx(offset - x @ q @ x)
    with pytest.raises(InputError, match="symmetric"):
        ising("bad", np.triu(j))


def test_cut_without_edges_and_saved_results(tmp_path):
    graph = couplings("none", 3, np.empty(0), np.empty(0), np.empty(0))
    result = maxcut(graph, 5, 2)
    assert (result.cuts == 0).all()
    result.save(tmp_path / "solution.npz")
    with np.load(tmp_path / "solution.npz") as saved:
        np.testing.assert_array_equal(saved["spins"], result.spins)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda g: maxcut(g, 0), "0 sweeps"),
        (lambda g: maxcut(g, 5, 0), "0 runs"),
        (lambda g: maxcut(g, 5, 1, settle=1.0), "without noise"),
        (lambda g: Cooling(math.nan, 1.0), "amplitude"),
        (lambda g: pairs.pair_network(g, np.zeros(3), 1.0), "first state"),
    ],
)
def test_wrong_requests_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call(random_graph(5, 0))


def test_the_event_engine_runs_the_pairs_to_the_same_flips():
    graph = random_graph(24, 8, 0.3)
    order, temperatures = grouped(graph), schedule(graph, 60)
    done = trace(graph, order, temperatures, seed=1)
    network = pairs.pair_network(graph, done.start, float(temperatures.max()))
    found = EventEngine(network).run(pairs.visits(graph, order, temperatures, noise_key(1, 0))).spikes
    np.testing.assert_array_equal(
        found.dense()[0, :-1, graph.size :] != 0, pairs.spikes(graph, order, done, 60).dense()[0] != 0
    )
