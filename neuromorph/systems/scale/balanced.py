"""A random network of excitatory and inhibitory neurons in the balanced state, of any size, and how to know it by.

Model after Brunel, J. Comput. Neurosci. 8, 183 (2000): leaky neurons with impulse synapses, four excitatory to one
inhibitory, tau 20 ms, threshold 20 mV, reset 10 mV, refractory 2 ms. Weights grow with 1 / sqrt(fan out), so that
fluctuations stay alike. The drive from outside is a constant current instead of Poisson spikes: irregularity is then
the network's own. Weights, drive and delays are chosen here (basis: assumed).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.graph.semantics import Semantics
from neuromorph.rng import stream
from neuromorph.spiking.network import Population, Projection, SpikingNetwork

STEP_S, TAU_S = 1e-3, 20e-3
THRESHOLD_MV, RESET_MV, REFRACTORY = 20.0, 10.0, 2
EXCITATORY = 0.8
"""Share of the neurons, and of each neuron's targets."""
STRENGTH_MV = 10.0
"""Weight of an excitatory synapse times the square root of the fan out."""
INHIBITION = 8.0
"""Weight of an inhibitory synapse over that of an excitatory one; above 4 inhibition outweighs."""
DRIVE_MV = 24.0
"""Potential that the constant drive alone would reach."""
DELAYS = (1, 3)
"""Least and largest delay of a synapse in steps."""


def balanced_network(neurons: int, fan_out: int, seed: int = 0) -> SpikingNetwork:
    """Populations "excitatory" and "inhibitory" with `fan_out` different targets for each neuron, in mV.

    Four fifths of a neuron's targets are excitatory. Drawn in one go per projection: 9 bytes a synapse. Initial
    potentials are uniform between 0 and the threshold.
    """
    for name, value in (("neurons", neurons), ("fan_out", fan_out)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{name} is {value!r}", hint="a whole number, 1 or more")
    if neurons < 10 or fan_out > neurons // 5 or fan_out < 5:
        raise InputError(
            f"{neurons} neurons with {fan_out} targets each", hint="10 neurons or more, 5 to a fifth of it"
        )
    sizes = {"excitatory": round(EXCITATORY * neurons)}
    sizes["inhibitory"] = neurons - sizes["excitatory"]
    populations = tuple(_neurons(name, size, seed) for name, size in sizes.items())
    excite = STRENGTH_MV / math.sqrt(fan_out)
    to_excitatory = round(EXCITATORY * fan_out)
    fans = to_excitatory, fan_out - to_excitatory
    projections = tuple(
        _synapses(f"{a}-{b}", (i, j), (populations[i].size, populations[j].size), fans[j], weight, seed)
        for i, (a, weight) in enumerate((("excitatory", excite), ("inhibitory", -INHIBITION * excite)))
        for j, b in enumerate(sizes)
    )
    return SpikingNetwork(f"balanced {neurons}x{fan_out}", populations, projections, (), (0, 1), STEP_S)


def _neurons(name: str, size: int, seed: int) -> Population:
    keep = math.exp(-STEP_S / TAU_S)
    values = {
        "a_syn": 0.0, "b_syn": 1.0, "a_mem": keep, "b_mem": 1.0, "c_mem": (1 - keep) * DRIVE_MV,
        "threshold": THRESHOLD_MV, "v_reset": RESET_MV, "sign": 1.0,
    }  # fmt: skip
    parameters = {k: np.full(size, v) for k, v in values.items()}
    parameters["v_init"] = stream(seed, 0, name, "initial potential").uniform(0, THRESHOLD_MV, size)
    semantics = Semantics(STEP_S, "exponential", reset="value", compare=">=", refractory=REFRACTORY)
    return Population(name, (size,), "linear", parameters, semantics)


def _synapses(
    name: str, ends: tuple[int, int], sizes: tuple[int, int], fan: int, weight: float, seed: int
) -> Projection:
    """`fan` different targets of every source: sorted numbers below size - fan + 1, raised by their rank in the row."""
    random = stream(seed, 0, name, "targets")
    index = random.integers(0, sizes[1] - fan + 1, (sizes[0], fan), dtype=np.int32)
    index.sort(axis=1)
    index += np.arange(fan, dtype=np.int32)
    delay = random.integers(DELAYS[0], DELAYS[1] + 1, index.size, dtype=np.uint8)
    indptr = np.arange(sizes[0] + 1, dtype=np.int64) * fan
    return Projection(name, *ends, indptr, index.ravel(), np.full(index.size, weight, np.float32), delay)


@dataclass(frozen=True)
class Dynamics:
    """How a population fires. rate_hz: mean; silent: share of neurons that never fire; irregularity: mean coefficient
    of variation of the intervals of neurons with five spikes or more (1 for Poisson, 0 for a clock); synchrony:
    variance over mean of the spikes of all neurons per step (1 where they are independent)."""

    rate_hz: float
    silent: float
    irregularity: float
    synchrony: float


def dynamics(spikes: Raster, first: int, last: int, skip: int = 0) -> Dynamics:
    """Of the neurons first..last of the first sample, without its first `skip` steps. The raster needs its dt_s."""
    if spikes.dt_s is None or not 0 <= skip < spikes.steps:
        raise InputError(f"dynamics of {spikes.steps} steps of {spikes.dt_s} s without {skip}")
    step = np.repeat(np.arange(spikes.steps), np.diff(spikes.indptr[: spikes.steps + 1]))
    neuron = spikes.index[: step.size]
    chosen = (neuron >= first) & (neuron < last) & (step >= skip)
    step, neuron = step[chosen], neuron[chosen] - first
    count = np.bincount(neuron, minlength=last - first)
    order = np.lexsort((step, neuron))
    interval, same = np.diff(step[order]).astype(np.float64), np.diff(neuron[order]) == 0
    owner, interval = neuron[order][1:][same], interval[same]
    many = np.bincount(owner, minlength=last - first)
    mean = np.bincount(owner, interval, last - first) / np.maximum(many, 1)
    square = np.bincount(owner, interval**2, last - first) / np.maximum(many, 1)
    busy = many >= 4
    variation = np.sqrt(np.maximum(square - mean**2, 0))[busy] / mean[busy]
    per_step = np.bincount(step - skip, minlength=spikes.steps - skip)
    time_s = (spikes.steps - skip) * spikes.dt_s
    return Dynamics(
        float(count.mean() / time_s), float((count == 0).mean()),
        float(variation.mean()) if variation.size else math.nan,
        float(per_step.var() / per_step.mean()) if per_step.any() else math.nan,
    )  # fmt: skip
