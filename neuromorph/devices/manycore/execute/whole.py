"""Membranes in whole numbers with a constant leak ("integer" arithmetic: TrueNorth with 20 bits, ODIN with 8).

v = toward zero(v, leak) + sum of whole weights + constant, cut to the ends of signed `state_bits` bits. Each neuron has
its own unit, a power of two of its weights: the smallest that holds its largest weight in `weight_bits` bits and its
threshold in the state. A state is a whole number of units, so a threshold between two of them is the lower one where a
neuron fires above it and the upper one where it fires at it, and a network of small whole numbers is exact.

These chips have no membrane that decays by a factor. Assumed: a network's v -> a v becomes the leak that takes as much
from a membrane half way to its threshold, (1 - a) threshold / 2 per step; where a neuron never fires, half of the
range that is expected of it. Currents that decay by themselves do not exist there and are refused. That states are
signed and saturate at both ends is assumed, from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.manycore.execute.fixed import Formats, Quantisation, formats, integers, rounded, state_range
from neuromorph.devices.manycore.execute.held import Units, held_weights
from neuromorph.errors import InputError, Problem
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import Population, SpikingNetwork

MODELS = ("input", "linear", "threshold", "readout")


@dataclass(frozen=True, eq=False)
class Whole:
    """A network in whole numbers: with the weights it has there, what was lost, units, and weights in these."""

    network: SpikingNetwork
    quantisation: Quantisation
    chosen: Formats
    weights: tuple[np.ndarray, ...]


def whole_network(
    network: SpikingNetwork, arithmetic: Arithmetic, ranges: Mapping[int, float], core_of_neuron: np.ndarray | None
) -> Whole:
    """ranges: largest magnitude expected of populations that never fire, by index. core_of_neuron: see `held`.

    Raises InputError for what the arithmetic cannot express, with all populations at once.
    """
    _check(network)
    gain = [_gain(p) for p in network.populations]
    learned = {p.target for p in network.projections if p.plasticity is not None}
    least, alike = np.zeros(network.neurons), []
    top = state_range(arithmetic)[1]
    for i, p in enumerate(network.populations):
        mine = slice(int(network.first[i]), int(network.first[i + 1]))
        least[mine] = _reach(p, ranges.get(i, 0.0)) / (gain[i] * top)
        if not p.spiking or i in learned:
            alike.append(mine)
    held, quantisation, unit = held_weights(network, arithmetic, core_of_neuron, Units(least, tuple(alike)))
    states = []
    for i in range(len(network.populations)):
        scale = 1.0 / (gain[i] * unit[int(network.first[i]) : int(network.first[i + 1])])
        states.append(scale if network.populations[i].spiking else np.full_like(scale, scale.min(initial=np.inf)))
    many, most = len(states), 2**24 - 1
    gains = tuple(g * s for g, s in zip(gain, states, strict=True))
    zero = np.zeros(many, np.int64)
    none = np.zeros(len(network.projections), np.int64)
    chosen = Formats(np.ones(many), zero, none, most, -most, gains, tuple(states))
    weights = integers(held, chosen)
    notes = (*quantisation.notes, *_leaks(network, ranges, states))
    return Whole(rounded(held, chosen, weights)[0], Quantisation(quantisation.rows, notes), chosen, weights)


def _check(network: SpikingNetwork) -> None:
    problems = []
    sending = {p.source for p in network.projections}
    for i, p in enumerate(network.populations):
        if p.model not in MODELS:
            problems.append(Problem(f"population {p.name}: {p.model} neurons are not modelled in integer arithmetic"))
        elif not p.spiking and i in sending:
            problems.append(Problem(f"population {p.name} sends values, in integer arithmetic only spikes are sent"))
        if p.model != "linear":
            continue
        a = p.parameters["a_mem"]
        if (p.parameters["a_syn"] != 0).any():
            hint = "neurons without a current of their own (LIF, IF), or another chip"
            problems.append(Problem(f"population {p.name}: integer arithmetic has no synaptic current", hint=hint))
        if (a < 0).any() or (a > 1).any():
            found = float(a[(a < 0) | (a > 1)][0])
            problems.append(Problem(f"population {p.name}: a_mem is {found}", hint="a decay from 0 to 1"))
        if p.semantics is not None and p.semantics.v_min:
            problems.append(Problem(f"population {p.name}: v_min is {p.semantics.v_min}", hint="0, or none"))
    if problems:
        raise InputError(problems)


def _gain(p: Population) -> np.ndarray:
    """What weights are multiplied by on their way into the membrane; 1 where that is nothing."""
    gain = np.abs(p.parameters["b_syn"] * p.parameters["b_mem"]) if p.model == "linear" else np.ones(p.size)
    return np.where(gain > 0, gain, 1.0)


def _reach(p: Population, expected: float) -> np.ndarray:
    """Largest magnitude that a state must hold: (size,)."""
    found = np.full(p.size, 0.0 if p.spiking else 2 * expected)
    for name in ("threshold", "v_reset", "v_init"):
        if name in p.parameters:
            value = np.abs(p.parameters[name])
            found = np.maximum(found, np.where(np.isfinite(value), value, 0.0))
    return found


def _leak(p: Population, expected: float) -> np.ndarray:
    """What a step takes from the membrane, in its units: (size,)."""
    threshold = np.abs(p.parameters["threshold"])
    reach = np.where(np.isfinite(threshold), threshold, expected)
    found: np.ndarray = (1 - p.parameters["a_mem"]) * reach / 2
    return found


def coefficients(p: Population, scale: np.ndarray, arithmetic: Arithmetic, expected: float) -> dict[str, np.ndarray]:
    """Parameters and bias in whole numbers; a_mem becomes the leak of a step. scale: (size,) units per membrane."""
    low, high = state_range(arithmetic)
    found: dict[str, np.ndarray] = {}
    for name, values in p.parameters.items():
        if name == "sign":
            found[name] = values
        elif name == "a_mem":
            found[name] = np.clip(np.rint(_leak(p, expected) * scale), 0, high)
        elif name in ("a_syn", "b_syn", "b_mem"):
            found[name] = np.zeros(p.size) if name == "a_syn" else np.ones(p.size)
        else:
            raw = values * scale
            exact = p.semantics is None or p.semantics.reset != "subtract"
            if name == "threshold" and exact and not (p.parameters["sign"] != 1).any():
                raw = np.ceil(raw) if p.semantics is not None and p.semantics.compare == ">=" else np.floor(raw)
            found[name] = np.where(np.isfinite(raw), np.clip(np.rint(raw), low, high), raw)
    if p.bias is not None:
        gain = p.parameters["b_syn"] * p.parameters["b_mem"] if p.model == "linear" else 1.0
        found["bias"] = np.clip(np.rint(p.bias * gain * scale), low, high)
    return found


def _leaks(network: SpikingNetwork, ranges: Mapping[int, float], states: list[np.ndarray]) -> list[str]:
    """A note on every population whose decay becomes a constant leak."""
    notes = []
    for i, p in enumerate(network.populations):
        if p.model != "linear" or not (p.parameters["a_mem"] < 1).any():
            continue
        leak = np.rint(_leak(p, ranges.get(i, 0.0)) * states[i])
        how = f"{leak.min():.0f} to {leak.max():.0f}" if leak.min() < leak.max() else f"{leak.max():.0f}"
        notes.append(f"{p.name}: its decay becomes a constant leak of {how} units a step (assumed to match half way)")
    return notes


def quantize(network: SpikingNetwork, arithmetic: Arithmetic) -> tuple[SpikingNetwork, Quantisation]:
    """The network with the weights that fixed point can hold, in units of the membrane, and what was lost; `held` says
    what floating point does. Raises InputError where the arithmetic cannot express the network."""
    if arithmetic.kind.startswith("float"):
        return network, Quantisation((), ())
    if arithmetic.kind == "integer":
        found = whole_network(network, arithmetic, {}, None)
        return found.network, found.quantisation
    chosen = formats(network, arithmetic)
    return rounded(network, chosen, integers(network, chosen))
