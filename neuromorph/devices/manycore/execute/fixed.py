"""Networks in the number formats of chips: what weights, coefficients and states become.

"spinnaker" (basis: assumed, from memory of sPyNNaker's C code): state, thresholds and coefficients in signed 16.15
fixed point, decays of synaptic currents in unsigned 0.32, products cut towards minus infinity as GCC's fixed-point
library does. A weight is an unsigned magnitude of `weight_bits` bits with a power of two per projection; inputs gather
in two rings of 16 bits per neuron, excitatory and inhibitory, that saturate. The unit of a population's rings is the
smallest power of two for which the largest weight fits, and the sums that `ring_rate_hz` spikes/s of every source reach
with `ring_deviations` standard deviations (sPyNNaker's choice: 30 and 5). Izhikevich neurons take the step of
`kernels.izhikevich` with these products; sPyNNaker solves them by another rule (midpoints), so that their spikes are
not bit for bit its own.

"loihi": v = decay(v) + i + c with decay(v) = sign(v) (|v| (4096 - d) >> 12), d = floor(4096 (1 - a)). Equal to the
chip's published trace of one neuron at every step (Pedersen et al. 2024); that negative states are cut towards zero
too is assumed, from memory of two emulators.
Weights are signed mantissas of `weight_bits` bits with a power of two per projection, in units of the population's
scale; gains of current and membrane are multiplied into the weights beforehand, as the chip has none. States saturate
at `state_bits` bits, sign included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from neuromorph.errors import InputError, Problem
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import Population, Projection, SpikingNetwork

FRACTION = 15
RING_BITS = 16
DECAY_BITS = 12
_CHUNK = 1 << 20


@dataclass(frozen=True)
class RowLoss:
    """What a projection lost: weights that became zero, weights that met the end of their range."""

    projection: str
    synapses: int
    silent: int
    saturated: int


@dataclass(frozen=True)
class Quantisation:
    """What became of a network's numbers. notes: in words, what will show in results."""

    rows: tuple[RowLoss, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Formats:
    """Units of a network in fixed point. scale: (populations,) integer units of the state per unit of the membrane;
    ring: (populations,) exponent of two of one unit of the rings, in units of the state ("spinnaker"); unit:
    (projections,) exponent of two of one unit of a weight, in units of the ring or the state; top: its largest
    magnitude. gains: per population (size,) that its weights are multiplied by, or None. states: (size,) units of
    each neuron's membrane per unit, where each has its own ("integer")."""

    scale: np.ndarray
    ring: np.ndarray
    unit: np.ndarray
    top: int
    bottom: int
    gains: tuple[np.ndarray | None, ...]
    states: tuple[np.ndarray, ...] = ()


def formats(network: SpikingNetwork, arithmetic: Arithmetic, ranges: Mapping[int, float] | None = None) -> Formats:
    """Chooses the units. ranges: largest magnitude expected in the state of populations that never fire, by index.

    Raises InputError for what the arithmetic cannot express, with all populations at once.
    """
    _check(network, arithmetic)
    many, bits = len(network.populations), arithmetic.fixed_weight_bits
    if arithmetic.kind == "spinnaker":
        scale = np.full(many, 2.0**FRACTION)
        ring = _rings(network, arithmetic)
        gains: tuple[np.ndarray | None, ...] = (None,) * many
        top, bottom = 2**bits - 1, -(2**bits) + 1
    else:
        scale = np.array([_scale(p, arithmetic, (ranges or {}).get(i)) for i, p in enumerate(network.populations)])
        ring = np.zeros(many, np.int64)
        gains = tuple(
            p.parameters["b_syn"] * p.parameters["b_mem"] if p.model == "linear" else None for p in network.populations
        )
        top, bottom = 2 ** (bits - 1) - 1, -(2 ** (bits - 1))
    unit = np.zeros(len(network.projections), np.int64)
    for q, projection in enumerate(network.projections):
        largest = 0.0
        for _, w in _pieces(projection, scale[projection.target], ring[projection.target], gains[projection.target]):
            largest = max(largest, float(np.abs(w).max(initial=0)))
        if projection.plasticity is not None:
            largest = max(largest, abs(projection.plasticity.w_max) * scale[projection.target])
        unit[q] = max(0, math.ceil(math.log2(max(largest, 1e-300) / (top + 0.5))))
    return Formats(scale, ring, unit, top, bottom, gains)


def _check(network: SpikingNetwork, arithmetic: Arithmetic) -> None:
    legal = {"spinnaker": ("input", "linear", "adaptive", "izhikevich", "threshold", "readout")}.get(
        arithmetic.kind, ("input", "linear", "threshold", "readout")
    )
    problems = []
    if arithmetic.fixed_weight_bits > 24 or (arithmetic.kind == "loihi" and arithmetic.state_bits > 48):
        bits = f"{arithmetic.fixed_weight_bits} weight bits and {arithmetic.state_bits} state bits"
        problems.append(Problem(f"{arithmetic.kind} arithmetic with {bits}", hint="at most 24 and 48"))
    sending = {p.source for p in network.projections}
    for i, p in enumerate(network.populations):
        if p.model not in legal:
            problems.append(Problem(f"population {p.name}: {p.model} neurons are not modelled in {arithmetic.kind}"))
        elif not p.spiking and i in sending:
            problems.append(
                Problem(f"population {p.name} sends values, in {arithmetic.kind} arithmetic only spikes are sent")
            )
        for name in ("a_syn", "a_mem") if p.model in ("linear", "adaptive") else ():
            a = p.parameters[name]
            if (a < 0).any() or (a > 1).any():
                found = float(a[(a < 0) | (a > 1)][0])
                problems.append(Problem(f"population {p.name}: {name} is {found}", hint="a decay from 0 to 1"))
    if problems:
        raise InputError(problems)


def _rings(network: SpikingNetwork, arithmetic: Arithmetic) -> np.ndarray:
    """Exponent of the unit of each population's rings: the shift left into 16.15, 0 or more."""
    ring = np.zeros(len(network.populations), np.int64)
    for i, population in enumerate(network.populations):
        largest = 0.0
        mean, square = np.zeros((2, population.size)), np.zeros((2, population.size))
        for p in network.projections:
            if p.target != i or not p.synapses:
                continue
            weights = p.weight if p.plasticity is None else np.full_like(p.weight, p.plasticity.w_max)
            largest = max(largest, float(np.abs(weights).max()))
            for side, w in enumerate((np.maximum(weights, 0), np.maximum(-weights, 0))):
                mean[side] += np.bincount(p.index, w, population.size)
                square[side] += np.bincount(p.index, w * w, population.size)
        per_step = arithmetic.ring_rate_hz * network.dt_s
        sums = per_step * mean + arithmetic.ring_deviations * np.sqrt(per_step * square)
        largest = max(largest, float(sums.max(initial=0.0))) * 2.0**FRACTION
        ring[i] = max(0, math.ceil(math.log2(max(largest, 1e-300) / (2**RING_BITS - 0.5))))
    return ring


def _scale(population: Population, arithmetic: Arithmetic, expected: float | None) -> float:
    """Power of two that puts the largest threshold at 1/64 to 1/32 of the state's range: membranes far below zero fit
    too, and a threshold keeps 17 bits in a state of 24. What never fires has no threshold: the range expected of it
    comes to lie at 1/4 to 1/2 of the state's."""
    if arithmetic.scale:
        return arithmetic.scale
    if expected and not population.spiking:
        return 2.0 ** math.floor(math.log2(2.0 ** (arithmetic.state_bits - 2) / expected))
    values = [
        np.abs(population.parameters[n]) for n in ("threshold", "v_reset", "v_init") if n in population.parameters
    ]
    finite = np.concatenate([v[np.isfinite(v)] for v in values] or [np.zeros(0)])
    largest = float(finite.max(initial=0.0)) or 1.0
    return 2.0 ** math.floor(math.log2(2.0 ** (arithmetic.state_bits - 6) / largest))


def _pieces(projection: Projection, scale: float, ring: int, gain: np.ndarray | None):  # type: ignore[no-untyped-def]
    """Weights in units of the ring, in pieces that take little memory: (slice, float64 array)."""
    for start in range(0, projection.synapses, _CHUNK):
        part = slice(start, min(start + _CHUNK, projection.synapses))
        w = projection.weight[part].astype(np.float64) * (scale * 2.0 ** -int(ring))
        yield part, w if gain is None else w * gain[projection.index[part]]


def integers(network: SpikingNetwork, formats_: Formats) -> tuple[np.ndarray, ...]:
    """Weights of each projection as whole numbers of its target's ring units, in float32 (exact: 24 bits or fewer)."""
    found = []
    for q, p in enumerate(network.projections):
        unit = 2.0 ** int(formats_.unit[q])
        q_weights = np.empty(p.synapses, np.float32)
        for part, w in _pieces(p, formats_.scale[p.target], formats_.ring[p.target], formats_.gains[p.target]):
            q_weights[part] = np.clip(np.rint(w / unit), formats_.bottom, formats_.top) * unit
        found.append(q_weights)
    return tuple(found)


def rounded(
    network: SpikingNetwork, chosen: Formats, whole: tuple[np.ndarray, ...]
) -> tuple[SpikingNetwork, Quantisation]:
    """The network with these whole numbers as weights, and what was lost by it."""
    rows, projections = [], []
    for q, p in enumerate(network.projections):
        unit = 2.0 ** int(chosen.unit[q])
        back = np.empty(p.synapses, np.float32)
        silent = saturated = 0
        gain = chosen.gains[p.target]
        for part, w in _pieces(p, chosen.scale[p.target], chosen.ring[p.target], gain):
            held = whole[q][part].astype(np.float64)
            silent += int(((held == 0) & (w != 0)).sum())
            saturated += int((np.rint(w / unit) != held / unit).sum())
            scale = chosen.scale[p.target] * 2.0 ** -int(chosen.ring[p.target])
            scale = scale if gain is None else scale * gain[p.index[part]]
            back[part] = np.divide(held, scale, out=np.zeros_like(held), where=scale != 0)
        rows.append(RowLoss(p.name, p.synapses, silent, saturated))
        projections.append(replace(p, weight=back))
    found = replace(network, projections=tuple(projections))
    return found, Quantisation(tuple(rows), loss_notes(network, found, rows))


def loss_notes(before: SpikingNetwork, after: SpikingNetwork, rows: list[RowLoss]) -> tuple[str, ...]:
    """What the loss of weights means for results, in words."""
    notes = []
    for row in rows:
        if row.silent:
            notes.append(f"{row.projection}: {row.silent} of {row.synapses} weights are too small and become zero")
        if row.saturated:
            notes.append(f"{row.projection}: {row.saturated} of {row.synapses} weights meet the end of their range")
    for i, population in enumerate(before.populations):
        into = [q for q, p in enumerate(before.projections) if p.target == i and np.any(p.weight)]
        if into and not any(np.any(after.projections[q].weight) for q in into):
            notes.append(f"{population.name}: no weight into it is left, it hears nothing")
    return tuple(notes)


def coefficients(population: Population, arithmetic: Arithmetic, scale: float) -> tuple[dict[str, np.ndarray], int]:
    """Parameters and bias in whole numbers (infinite thresholds stay so), and how many met the end of their range."""
    low, high = state_range(arithmetic)
    saturated = 0
    found: dict[str, np.ndarray] = {}
    given = dict(population.parameters)
    if population.bias is not None:
        given["bias"] = population.bias
    gain = np.ones(population.size)
    if arithmetic.kind == "loihi" and population.model == "linear":
        gain = given["b_syn"] * given["b_mem"]
    for name, values in given.items():
        if name == "sign":
            found[name] = values
            continue
        if name in ("a_syn", "a_mem", "a_adapt", "b_syn", "b_mem"):
            found[name] = _coefficient(name, values, arithmetic)
            continue
        whole = np.rint(values * scale * (gain if name == "bias" else 1.0))
        finite = np.isfinite(whole)
        kept = np.where(finite, np.clip(whole, low, high), whole)
        saturated += int((kept != whole).sum())
        found[name] = kept
    return found, saturated


def _coefficient(name: str, values: np.ndarray, arithmetic: Arithmetic) -> np.ndarray:
    if arithmetic.kind == "loihi":
        keep = 2.0**DECAY_BITS
        return keep - np.floor(keep * (1 - values)) if name in ("a_syn", "a_mem") else np.ones_like(values)
    if name == "a_syn":
        return np.clip(np.rint(values * 2.0**32), 0, 2.0**32 - 1)
    return np.clip(np.rint(values * 2.0**FRACTION), -(2.0**31), 2.0**31 - 1)


def state_range(arithmetic: Arithmetic) -> tuple[int, int]:
    """Lowest and highest whole number of a state."""
    bits = 32 if arithmetic.kind == "spinnaker" else arithmetic.state_bits
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def plastic_units(network: SpikingNetwork, chosen: Formats) -> tuple[float, ...]:
    """Units of the rings per unit of the membrane for each plastic projection, 1 for the others.

    Raises InputError where the targets of a plastic projection differ in the gain that is multiplied into weights.
    """
    units = []
    for p in network.projections:
        gain = chosen.gains[p.target]
        if p.plasticity is None:
            units.append(1.0)
            continue
        if gain is not None and not (gain == gain[0]).all():
            raise InputError(
                f"plastic projection {p.name}: its targets differ in gain", hint="one gain for all of them"
            )
        units.append(
            float(chosen.scale[p.target] * 2.0 ** -int(chosen.ring[p.target]) * (1 if gain is None else gain[0]))
        )
    return tuple(units)
