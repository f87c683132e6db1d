"""Synapses that learn: the window of pair STDP, a pattern found in noise, and choices taught by reward.

    python examples/learning/run.py [--seconds 60] [--trials 120] [--seed 0]

Three parts. The weight change of single pairs of spikes against the closed form. A neuron that hears 200 inputs, half
of which repeat a pattern of 50 ms at random times, learns to answer it ever earlier (Guyonneau, VanRullen and Thorpe,
Neural Computation 17, 2005), from a graph with plastic synapses. Two neurons learn from reward alone which of two
stimuli each should answer, and learn it anew when the rule is reversed.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

DT_S = 1e-3

INPUTS, PATTERN, RATE_HZ, JITTER = 200, 50, 2.0, 1.0
"""Inputs, steps of the pattern, rate of spikes that mean nothing, and steps by which spikes of the pattern err."""

STIMULUS, TRIAL, PER_STIMULUS = 50, 120, 20
"""Steps of a stimulus and of a whole trial, and inputs that each of the two stimuli excites."""


def raster(fires: np.ndarray) -> Any:
    """(steps, neurons) as one sample."""
    from neuromorph.events import Raster

    return Raster.from_dense(fires[None].astype(np.float32), DT_S)


def leaky(name: str, size: int, tau_s: float, threshold: float, refractory: int = 0) -> Any:
    """A population of leaky neurons to whose membrane a weight is added in full; reset to 0."""
    from neuromorph.graph.semantics import Semantics
    from neuromorph.spiking.network import Population

    one = np.ones(size)
    numbers = {
        "a_syn": 0 * one, "b_syn": one, "a_mem": np.exp(-DT_S / tau_s) * one, "b_mem": one, "c_mem": 0 * one,
        "threshold": threshold * one, "v_reset": 0 * one, "sign": one, "v_init": 0 * one,
    }  # fmt: skip
    return Population(name, (size,), "linear", numbers, Semantics(DT_S, "impulse", refractory=refractory))


def projection(name: str, source: int, target: int, weight: np.ndarray, rule: Any = None) -> Any:
    """Synapses of one step's delay where `weight` (sources, targets) is not zero."""
    from neuromorph.spiking.network import Projection

    row, index = np.nonzero(weight)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=len(weight)))))
    return Projection(
        name, source, target, indptr.astype(np.int64), index.astype(np.int32), weight[row, index].astype(np.float32),
        np.ones(1, np.uint8), rule,
    )  # fmt: skip


def window(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measured weight changes of pairs with these times from pre to post (ms), and the closed form.

    A post spike counts when it has gone back along the dendrite, a step after it was fired; that is its time here.
    """
    from neuromorph.devices.manycore.execute import EventEngine
    from neuromorph.graph.operators.plasticity import Plasticity
    from neuromorph.spiking.network import Population, SpikingNetwork

    rule = Plasticity(a_plus=0.02, a_minus=0.024, tau_plus_s=20e-3, tau_minus_s=30e-3, w_min=-1.0, w_max=1.0)
    n, at, end = differences.size, 100, 800
    populations = (
        Population("pre", (n,), "input"), Population("teacher", (n,), "input"), leaky("post", n, 1e-3, 100.0),
    )  # fmt: skip
    synapses = projection("learns", 0, 2, 0.5 * np.eye(n), rule)
    network = SpikingNetwork(
        "window", populations, (synapses, projection("teaches", 1, 2, 1e4 * np.eye(n))), (0, 1), (2,), DT_S
    )
    pre, teacher = np.zeros((end, n)), np.zeros((end, n))
    pre[[at, end - 1]] = 1  # a row is brought up to date at its pre spikes: the last one is far from all others
    teacher[at + differences - 2, np.arange(n)] = 1  # a step to the neuron, a step back
    run = EventEngine(network).run([raster(pre), raster(teacher)])
    late = 1e3 * DT_S * differences
    up = rule.a_plus * np.exp(-late / (1e3 * rule.tau_plus_s))
    down = -rule.a_minus * np.exp(late / (1e3 * rule.tau_minus_s))
    return run.weights[0][0] - 0.5, np.where(differences > 0, up, np.where(differences < 0, down, 0.0))


def in_noise(seconds: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(steps, INPUTS) spikes in which each of the first half fires once a pattern, and the steps at which it begins."""
    rng = np.random.default_rng(seed)
    steps = round(seconds / DT_S)
    fires = rng.random((steps, INPUTS)) < RATE_HZ * DT_S
    when = rng.uniform(0, PATTERN, INPUTS // 2)
    begins = np.cumsum(rng.integers(2 * PATTERN, 4 * PATTERN, steps // (2 * PATTERN)))
    begins = begins[begins < steps - 2 * PATTERN]
    for t in begins:
        late = np.clip(np.rint(when + rng.normal(0, JITTER, when.size)), 0, PATTERN - 1)
        fires[t + late.astype(int), np.arange(when.size)] = True
    return fires, begins


def listener(steps: int) -> Any:
    """A graph: plastic synapses from all inputs to one leaky neuron."""
    from neuromorph.graph.model import Graph, Node
    from neuromorph.graph.operators.neurons import LIF
    from neuromorph.graph.operators.plasticity import Plasticity
    from neuromorph.graph.operators.synapses import SparseLinear
    from neuromorph.graph.semantics import Semantics

    rule = Plasticity(a_plus=0.003, a_minus=0.0033, tau_plus_s=10e-3, tau_minus_s=20e-3, w_max=1.0)
    synapses = SparseLinear(
        np.arange(INPUTS + 1), np.zeros(INPUTS, np.int32), np.full(INPUTS, 0.5), 1, np.ones(1, np.uint8),
        plasticity=rule,
    )  # fmt: skip
    one, tau = np.ones(1), 10e-3
    cell = LIF(tau * one, tau / DT_S * one, 0 * one, 9.0 * one, 0 * one, Semantics(DT_S, "impulse", refractory=40))
    return Graph(
        "listener", {"x": (steps, INPUTS)}, (Node("hears", synapses, ("x",)), Node("cell", cell, ("hears",))), ("cell",)
    )


@dataclasses.dataclass(frozen=True)
class Answers:
    """hits: share of patterns answered within their 50 ms; latency_ms: of these answers; false_hz: spikes outside."""

    hits: float
    latency_ms: float
    false_hz: float


def answers(fired: np.ndarray, begins: np.ndarray, start: int, stop: int) -> Answers:
    mine = begins[(begins >= start) & (begins + PATTERN <= stop)]
    spikes = fired[(fired >= start) & (fired < stop)]
    first = np.searchsorted(spikes, mine)
    late = np.array([spikes[k] - t if k < spikes.size else PATTERN for k, t in zip(first, mine, strict=True)])
    inside = sum(int(((spikes >= t) & (spikes < t + PATTERN)).sum()) for t in mine)
    rest = (stop - start - PATTERN * mine.size) * DT_S
    hit = late < PATTERN
    latency = float(late[hit].mean()) if hit.any() else float("nan")
    return Answers(float(hit.mean()), latency, (spikes.size - inside) / rest)


def listens(seconds: float, seed: int) -> tuple[list[Answers], np.ndarray]:
    """Answers in ten parts of the time, and the weights in the end."""
    from neuromorph.devices.manycore.execute import EventEngine
    from neuromorph.spiking.lower import lower

    fires, begins = in_noise(seconds, seed)
    run = EventEngine(lower(listener(len(fires)))).run(raster(fires))
    fired = np.flatnonzero(run.outputs[0][0, :, 0])
    cuts = np.linspace(0, len(fires), 11).astype(int)
    return [answers(fired, begins, a, b) for a, b in pairwise(cuts)], run.weights[0][0]


def chooser(weight: np.ndarray) -> Any:
    """Two neurons that hear both stimuli by plastic synapses (2 PER_STIMULUS, 2), noise, and silence each other."""
    from neuromorph.graph.operators.plasticity import Plasticity
    from neuromorph.spiking.network import Population, SpikingNetwork

    rule = Plasticity(
        a_plus=0.03, a_minus=0.0, tau_plus_s=20e-3, tau_minus_s=20e-3, w_max=1.0, rule="reward", tau_eligibility_s=0.1
    )
    populations = (
        Population("stimuli", (2 * PER_STIMULUS,), "input"), Population("noise", (20,), "input"),
        leaky("choice", 2, 10e-3, 5.0),
    )  # fmt: skip
    to_one_each = np.kron(np.eye(2), np.ones((10, 1)))
    projections = (
        projection("learns", 0, 2, weight, rule), projection("noise", 1, 2, 1.2 * to_one_each),
        projection("silences", 2, 2, -10.0 * (1 - np.eye(2))),
    )  # fmt: skip
    return SpikingNetwork("chooser", populations, projections, (0, 1), (2,), DT_S)


def choices(trials: int, seed: int) -> np.ndarray:
    """Whether the answer of each trial was right; after half of them the other answer is the right one.

    A trial runs twice: to see the answer, and with the reward that it earned 10 steps after the stimulus. All inputs
    fire once in the end, for a synapse learns when its input fires. 1 for a right answer, -1 for a wrong one.
    """
    from neuromorph.devices.manycore.execute import EventEngine

    rng = np.random.default_rng(seed)
    weight = np.full((2 * PER_STIMULUS, 2), 0.3)
    right = np.zeros(trials, bool)
    for k in range(trials):
        shown = int(rng.integers(2))
        fires = np.zeros((TRIAL, 2 * PER_STIMULUS), bool)
        mine = slice(shown * PER_STIMULUS, (shown + 1) * PER_STIMULUS)
        fires[:STIMULUS, mine] = rng.random((STIMULUS, PER_STIMULUS)) < 0.06
        fires[-1] = True
        noise = rng.random((TRIAL, 20)) < 0.08
        noise[STIMULUS:] = False
        engine, inputs, reward = EventEngine(chooser(weight)), [raster(fires), raster(noise)], np.zeros(TRIAL)
        counts = engine.run(inputs, modulator=reward).outputs[0][0, :STIMULUS].sum(0)
        answer = int(counts[1] > counts[0]) if counts[0] != counts[1] else int(rng.integers(2))
        right[k] = answer == (shown if k < trials // 2 else 1 - shown)
        reward[STIMULUS + 10] = 1.0 if right[k] else -1.0
        weight = engine.run(inputs, modulator=reward).weights[0][0].reshape(weight.shape).astype(float)
        weight = np.maximum(weight, 1e-6)  # a synapse of weight 0 would not be there in the next trial
    return right


def lines(seconds: float, trials: int, seed: int) -> Iterator[str]:
    """What is printed."""
    at = np.array([-60, -30, -10, -1, 1, 10, 30, 60])
    measured, expected = window(at)
    for d, a, b in zip(at, measured, expected, strict=True):
        yield f"post {d:+3d} ms after pre: {a:+.6f}, closed form {b:+.6f}"
    parts, weights = listens(seconds, seed)
    for k, a in enumerate(parts):
        what = f"{a.hits:4.0%} of the patterns answered, {a.latency_ms:5.1f} ms after they begin"
        yield f"{k * seconds / 10:3.0f} to {(k + 1) * seconds / 10:3.0f} s: {what}, {a.false_hz:5.2f} Hz else"
    strong = weights > 0.5
    yield f"weights above a half: {strong[:100].sum()} of the pattern's 100 inputs, {strong[100:].sum()} of the others"
    right, half = choices(trials, seed), trials // 2
    for name, start in (("taught by reward", 0), ("rule reversed", half)):
        shares = [right[start + k * half // 3 : start + (k + 1) * half // 3].mean() for k in range(3)]
        yield f"{name}: right in {' then '.join(f'{s:.0%}' for s in shares)} of the trials"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60.0, help="of listening")
    parser.add_argument("--trials", type=int, default=120, help="choices, half of them under the reversed rule")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    for line in lines(options.seconds, options.trials, options.seed):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
