"""The CA3 memory: published sizes and times, what it recalls and forgets, and its spikes against a plain simulator."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuromorph.errors import InputError
from neuromorph.systems.memory import ContentMemory, memory_network

ORTHOGONAL = {c: [2 * c, 2 * c + 1] for c in range(5)}
OVERLAPPING = {c: sorted({2 * c, 2 * c + 1, (2 * c + 2) % 10}) for c in range(5)}


def plain_simulator(network, inputs) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Spikes (steps, neurons) and last weights by projection: scalar loops, every pair of spikes summed afresh."""
    steps, first = inputs[0].steps, network.first
    told = np.concatenate([r.dense()[0] for r in inputs], axis=1)
    fired = np.zeros((steps, network.neurons), bool)
    arriving = np.zeros((steps + 8, network.neurons))
    current, v, rest = np.zeros(network.neurons), np.full(network.neurons, -60.0), np.zeros(network.neurons, int)
    weight = {k: p.weight.astype(float).copy() for k, p in enumerate(network.projections)}
    told_sizes = sum(network.populations[i].size for i in network.inputs)
    for t in range(steps):
        fired[t, :told_sizes] = told[t] > 0
        for k, p in enumerate(network.populations):
            for i in range(p.size if p.model != "input" else 0):
                n, q = first[k] + i, {name: values[i] for name, values in p.parameters.items()}
                current[n] = q["a_syn"] * current[n] + q["b_syn"] * arriving[t, n]
                if rest[n]:
                    rest[n] -= 1
                    continue
                v[n] = q["a_mem"] * v[n] + q["b_mem"] * current[n] + q["c_mem"]
                if v[n] >= q["threshold"]:
                    fired[t, n], v[n], rest[n] = True, q["v_reset"], 1
        for k, p in enumerate(network.projections):
            delay = int(p.delay[0])
            for i in np.flatnonzero(fired[t, first[p.source] : first[p.source + 1]]):
                for s in range(p.indptr[i], p.indptr[i + 1]):
                    post = first[p.target] + p.index[s]
                    if p.plasticity is not None:
                        pre_times = np.flatnonzero(fired[:t, first[p.source] + i])
                        post_times = np.flatnonzero(fired[:t, post]) + delay
                        weight[k][s] = learned(weight[k][s], p.plasticity, pre_times, post_times, t)
                    arriving[t + delay, post] += weight[k][s]
    return fired, weight


def learned(w: float, rule, pre: np.ndarray, post: np.ndarray, t: int) -> float:
    last = pre[-1] if pre.size else -1
    for s in post[(post > last) & (post <= t)] if pre.size else ():
        x = sum(math.exp(-(s - p) * 1e-3 / rule.tau_plus_s) for p in pre if p < s)
        w = min(max(w + rule.a_plus * x, rule.w_min), rule.w_max)
    x = sum(math.exp(-(t - s) * 1e-3 / rule.tau_minus_s) for s in post if s < t)
    return min(max(w - rule.a_minus * x, rule.w_min), rule.w_max)


def held(memory: ContentMemory, memories: dict[int, list[int]]) -> None:
    """Asserts that the memory holds these and nothing else, asked in both directions."""
    for cue in range(memory.cues):
        found = memory.recall(cue=cue)
        assert np.flatnonzero(found.cues).tolist() == [cue]
        assert np.flatnonzero(found.contents).tolist() == memories.get(cue, [])
    for bit in range(memory.contents):
        found = memory.recall(content=[bit])
        assert np.flatnonzero(found.contents).tolist() == [bit]
        assert np.flatnonzero(found.cues).tolist() == sorted(c for c, bits in memories.items() if bit in bits)


@pytest.mark.parametrize(("cues", "contents", "neurons", "synapses"), [(5, 10, 71, 295), (16, 6, 95, 896)])
def test_sizes_are_the_published_ones(cues, contents, neurons, synapses):
    network = memory_network(cues, contents)
    assert network.neurons - cues - contents == neurons
    assert network.synapses == synapses


def test_what_is_asked_comes_after_5_steps_and_what_is_recalled_after_6():
    memory = ContentMemory(5, 10, gap=0)
    memory.learn(2, [1, 4, 7])
    by_cue = memory.recall(cue=2)
    by_content = memory.recall(content=[4])
    assert (by_cue.asked_after, by_cue.found_after) == (5, 6)
    assert (by_content.asked_after, by_content.found_after) == (5, 6)
    assert np.flatnonzero(by_cue.contents).tolist() == [1, 4, 7]
    assert np.flatnonzero(by_content.cues).tolist() == [2]


@pytest.mark.parametrize("memories", [ORTHOGONAL, OVERLAPPING], ids=["orthogonal", "overlapping"])
def test_learns_and_recalls_from_any_fragment_and_forgets(memories):
    memory = ContentMemory(5, 10)
    for cue, bits in memories.items():
        memory.learn(cue, bits)
    held(memory, memories)
    memory.forget(3)
    left = {c: bits for c, bits in memories.items() if c != 3}
    held(memory, left)
    memory.learn(3, [0, 9])
    held(memory, {**left, 3: [0, 9]})


def test_learning_a_cue_anew_replaces_its_content():
    memory = ContentMemory(4, 6)
    memory.learn(1, [0, 1])
    memory.learn(2, [2])
    memory.learn(1, [4, 5])
    held(memory, {1: [4, 5], 2: [2]})
    complete = memory.complete([4])
    assert list(complete) == [1]
    assert np.flatnonzero(complete[1]).tolist() == [4, 5]


def test_an_empty_memory_recalls_nothing_but_the_question():
    held(ContentMemory(3, 4), {})


def test_spikes_and_weights_equal_a_plain_simulator():
    memory = ContentMemory(3, 5, gap=0)
    memory.learn(0, [0, 1])
    memory.learn(1, [1, 2])
    memory.recall(cue=0)
    memory.recall(content=[1])
    memory.learn(0, [3])
    memory.wait(4)
    memory.recall(cue=0)
    memory.recall(content=[2, 3])
    found = memory.run()
    fired, weight = plain_simulator(memory.network, memory.inputs())
    np.testing.assert_array_equal(found.spikes.dense()[0] > 0, fired)
    assert fired.sum() > 200
    for k, w in found.weights.items():
        assert w.max() > 3
        np.testing.assert_allclose(w[0], weight[k], atol=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ContentMemory(0, 4), "cues is 0"),
        (lambda: ContentMemory(3, 4, gap=-1), "wait of -1"),
        (lambda: ContentMemory(3, 4).learn(3, [0]), "no cue 3"),
        (lambda: ContentMemory(3, 4).learn(0, [4]), "no content bit 4"),
        (lambda: ContentMemory(3, 4).learn(0, []), "without any bit"),
        (lambda: ContentMemory(3, 4).recall(), "a cue or a content"),
        (lambda: ContentMemory(3, 4).recall(cue=0, content=[1]), "exactly one"),
    ],
)
def test_wrong_requests_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
