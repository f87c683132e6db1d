"""Weights as cores hold them that compute their state in floating point.

A weight is a whole number of `weight_bits` bits times a power of two, so that networks of small whole numbers are held
exactly. signs "synapse": each synapse has its own sign, in two's complement without the lowest number, and the power of
two is one per projection. signs "source": magnitudes of `weight_bits` bits, and all synapses of a source neuron have
its sign (ODIN: doc/README.md of its repository, register SPI_SYN_SIGN); weights of the other sign become zero.

axon_types (TrueNorth: Merolla et al. 2014): each axon of a core, which is a source neuron with its synapses there,
has one of so many types, and a neuron has one weight for each type. Which type an axon takes is chosen by k-means over
the columns of weights, begun with axons in the order of their mean weight; a neuron's weight for a type is the mean
over its synapses of that type. With signs by source or with types the power of two is one per neuron: each has its own
threshold, and so its own unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neuromorph.devices.manycore.execute.fixed import Quantisation, RowLoss, loss_notes
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import SpikingNetwork

ROUNDS = 8
"""Most rounds of the choice of axon types; it ends earlier where nothing changes."""


@dataclass(frozen=True, eq=False)
class _Synapses:
    """The synapses of all projections that do not learn, one after the other: projection, source and target neuron
    (numbered through the network), weight in float64."""

    rows: tuple[int, ...]
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Units:
    """What units must be besides large enough for weights. least: (neurons,) smallest unit, 0 for any; alike:
    neurons that share one."""

    least: np.ndarray
    alike: tuple[slice, ...] = ()


def held_weights(
    network: SpikingNetwork, arithmetic: Arithmetic, core_of_neuron: np.ndarray | None = None,
    units: Units | None = None,
) -> tuple[SpikingNetwork, Quantisation, np.ndarray]:  # fmt: skip
    """The network with the weights that cores can hold, what was lost by it, and the unit of each neuron's weights
    (neurons,), 1 where it has none of its own.

    units: each neuron has its own, and these bound it.

    core_of_neuron: (neurons,), for axon types; None: all neurons are on one core. Plastic projections stay as they are,
    since their weights change.
    """
    if arithmetic.weight_bits is None:
        return network, Quantisation((), ()), np.ones(network.neurons)
    unit = np.ones(network.neurons)
    if not (arithmetic.axon_types or arithmetic.signs == "source" or units):
        found = {q: _rounded(p.weight, arithmetic) for q, p in enumerate(network.projections) if p.plasticity is None}
    else:
        s = _flat(network)
        weight = s.weight
        if arithmetic.axon_types:
            core = np.zeros(network.neurons, np.int64) if core_of_neuron is None else core_of_neuron
            weight = _by_type(s, core, arithmetic.axon_types, _steps(s, arithmetic, network.neurons, units))
        if arithmetic.signs == "source":
            weight = _by_source(s.source, weight, network.neurons)
        unit = _steps(replace(s, weight=weight), arithmetic, network.neurons, units)
        step = unit[s.target]
        whole = np.clip(np.rint(weight / step), -_top(arithmetic), _top(arithmetic)) * step
        cuts = np.cumsum([network.projections[q].synapses for q in s.rows])[:-1]
        found = dict(zip(s.rows, np.split(whole, cuts), strict=True)) if s.rows else {}
    projections = tuple(
        replace(p, weight=found[q].astype(np.float32)) if q in found else p for q, p in enumerate(network.projections)
    )
    after = replace(network, projections=projections)
    rows = [_loss(network, after, q) for q in found]
    learning = tuple(
        f"{p.name}: its weights are learned and kept in {arithmetic.kind}, not in {arithmetic.weight_bits} bits"
        for p in network.projections if p.plasticity is not None
    )  # fmt: skip
    notes = (*loss_notes(network, after, rows), *_moved(network, after), *learning)
    return after, Quantisation(tuple(rows), notes), unit


def _top(arithmetic: Arithmetic) -> int:
    assert arithmetic.weight_bits is not None
    return (
        2**arithmetic.weight_bits - 1 if arithmetic.signs == "source" else max(2 ** (arithmetic.weight_bits - 1), 2) - 1
    )


def _power(largest: np.ndarray, top: int) -> np.ndarray:
    """The smallest power of two of which `top` reach the largest magnitude; 1 where there is none."""
    safe = np.where(largest > 0, largest, float(top))
    found: np.ndarray = 2.0 ** np.ceil(np.log2(safe / (top + 0.5)))
    return found


def _rounded(weight: np.ndarray, arithmetic: Arithmetic) -> np.ndarray:
    w, top = weight.astype(np.float64), _top(arithmetic)
    step = _power(np.abs(w).max(initial=0.0), top)
    found: np.ndarray = np.clip(np.rint(w / step), -top, top) * step
    return found


def _flat(network: SpikingNetwork) -> _Synapses:
    rows = tuple(q for q, p in enumerate(network.projections) if p.plasticity is None)
    none: list[np.ndarray] = [np.zeros(0, np.int64)]
    source, target, weight = list(none), list(none), [np.zeros(0)]
    for q in rows:
        p = network.projections[q]
        first = int(network.first[p.source])
        source.append(np.repeat(np.arange(first, first + p.indptr.size - 1), p.fan_out))
        target.append(p.index.astype(np.int64) + network.first[p.target])
        weight.append(p.weight.astype(np.float64))
    return _Synapses(rows, np.concatenate(source), np.concatenate(target), np.concatenate(weight))


def _steps(s: _Synapses, arithmetic: Arithmetic, neurons: int, units: Units | None) -> np.ndarray:
    """(neurons,) unit of the weights of each."""
    largest = np.zeros(neurons)
    np.maximum.at(largest, s.target, np.abs(s.weight))
    if units is None:
        return _power(largest, _top(arithmetic))
    step = np.where(largest > 0, _power(largest, _top(arithmetic)), 0.0)
    step = np.maximum(step, 2.0 ** np.ceil(np.log2(np.maximum(units.least, 2.0**-200))))
    for mine in units.alike:
        step[mine] = step[mine].max(initial=0.0)
    return np.where(step > 2.0**-150, step, 1.0)


def _by_source(source: np.ndarray, weight: np.ndarray, neurons: int) -> np.ndarray:
    """Weights of the sign that most of the magnitude of their source neuron has, zero for the others."""
    sign = np.where(np.bincount(source, weight, neurons) < 0, -1.0, 1.0)[source]
    found: np.ndarray = np.where(weight * sign > 0, weight, 0.0)
    return found


def _by_type(s: _Synapses, core: np.ndarray, types: int, step: np.ndarray) -> np.ndarray:
    """The weight of each synapse where its neuron has one for each type of axon."""
    if not s.weight.size:
        return s.weight
    cores = int(core.max()) + 2
    _, axon = np.unique(s.source * cores + core[s.target] + 1, return_inverse=True)
    w = s.weight / step[s.target]
    _, neuron = np.unique(s.target, return_inverse=True)
    axons = int(axon.max()) + 1
    where = np.zeros(axons, np.int64)
    where[axon] = core[s.target]
    kind = _first_types(np.bincount(axon, w, axons) / np.bincount(axon, minlength=axons), where, types)
    best, least = w, np.inf
    for _ in range(ROUNDS):
        column = neuron * types + kind[axon]
        many = (int(neuron.max()) + 1) * types
        mean = np.bincount(column, w, many) / np.maximum(np.bincount(column, minlength=many), 1)
        held = mean[column]
        error = float(np.square(w - held).sum())
        if error >= least:
            break
        best, least = held, error
        cost = [np.bincount(axon, np.square(w - mean[neuron * types + t]), axons) for t in range(types)]
        kind = np.argmin(cost, axis=0)
    return best * step[s.target]


def _first_types(mean: np.ndarray, core: np.ndarray, types: int) -> np.ndarray:
    """Types of axons in the order of their mean weight, as many different means in each; apart for each core."""
    order = np.lexsort((mean, core))
    m, c = mean[order], core[order]
    begins = np.concatenate(([True], c[1:] != c[:-1]))
    fresh = begins | np.concatenate(([True], np.abs(np.diff(m)) > 1e-9))
    number = np.cumsum(fresh) - 1
    group = np.cumsum(begins) - 1
    first = number[begins]
    last = np.concatenate((first[1:], [number[-1] + 1]))
    found = np.empty(mean.size, np.int64)
    found[order] = (number - first[group]) * types // np.maximum((last - first)[group], types)
    few = (last - first)[group] <= types
    found[order[few]] = (number - first[group])[few]
    return found


def _loss(before: SpikingNetwork, after: SpikingNetwork, q: int) -> RowLoss:
    old, new = before.projections[q].weight, after.projections[q].weight
    silent = int(((new == 0) & (old != 0)).sum())
    return RowLoss(after.projections[q].name, old.size, silent, 0)


def _moved(before: SpikingNetwork, after: SpikingNetwork) -> list[str]:
    """A note on every projection whose weights moved by more than a tenth of their size, root mean square."""
    notes = []
    for old, new in zip(before.projections, after.projections, strict=True):
        size = float(np.square(old.weight, dtype=np.float64).sum())
        error = float(np.square(new.weight - old.weight, dtype=np.float64).sum())
        if size and error > 0.01 * size:
            notes.append(
                f"{old.name}: weights move by {(error / size) ** 0.5:.0%} (rms) to those that the core can hold"
            )
    return notes
