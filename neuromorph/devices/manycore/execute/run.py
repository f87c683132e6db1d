"""What a run of a spiking network gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.spiking.network import SpikingNetwork


@dataclass(frozen=True)
class StopRule:
    """Ends a sample as soon as its answer is certain: max softmax(sum of outputs so far / temperature) > threshold.

    The outputs are those of the network's first output population; an integrator's membrane is that sum itself.
    least: steps that run in any case, counted from the first step at which the outputs can answer (the network's
    latency). Method: Dynamic Confidence, Li et al., ICCV 2023. A threshold of 1 is never reached.
    """

    temperature: float
    threshold: float
    least: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise InputError(f"temperature is {self.temperature}", hint="a finite number above 0")
        if not 0 < self.threshold <= 1:
            raise InputError(f"confidence threshold is {self.threshold}", hint="above 0, at most 1")
        if self.least < 1:
            raise InputError(f"least is {self.least} steps", hint="1 or more")


@dataclass(frozen=True, eq=False)
class EventRun:
    """What fired, what came out, and what spikes alone do not tell.

    network: what ran (after quantisation). spikes: of all neurons, shape (network.neurons,), input neurons included;
    with values only where neurons send more than single spikes; no steps of events where nothing was recorded.
    outputs: one array per output population, (samples, steps, size) float32: spike counts, or values of neurons that do
    not fire; zero after a sample's end. synaptic_events: synapses reached, per projection, int64. counters: "skipped"
    (populations,) updates left out, "saturated" (populations,) inputs that met the end of their range,
    "plastic_updates" (projections,) changes of weights. weights: by the number of a plastic projection, (samples,
    synapses) float32 after the run. steps_used: (samples,) int64, fewer than `steps` where a stop rule ended the run.
    """

    network: SpikingNetwork
    spikes: Raster
    outputs: tuple[np.ndarray, ...]
    synaptic_events: np.ndarray
    counters: Mapping[str, np.ndarray]
    weights: Mapping[int, np.ndarray]
    steps_used: np.ndarray


@dataclass(frozen=True, eq=False)
class Rates:
    """Mean activity, as mapping and estimates use it. per_step: (neurons,) mean spikes per neuron and step;
    per_sample: (neurons,) mean spikes per neuron and sample. notes: populations that are silent or fire at every step.
    """

    per_step: np.ndarray
    per_sample: np.ndarray
    notes: tuple[str, ...]


def rates(run: EventRun) -> Rates:
    """Mean spikes of each neuron, with a note for every population that never fires or hardly ever rests."""
    network, spikes = run.network, run.spikes
    weight = None if spikes.value is None else np.abs(spikes.value)
    count = np.bincount(spikes.index, weights=weight, minlength=network.neurons).astype(np.float64)
    steps = max(int(run.steps_used.sum()), 1)
    notes = []
    for i, population in enumerate(network.populations):
        mine = count[network.first[i] : network.first[i + 1]] / steps
        if not population.spiking or not mine.size:
            continue
        if not mine.any():
            notes.append(f"{population.name}: none of its {population.size} neurons ever fires")
        elif (mine >= 1).all():
            notes.append(f"{population.name}: all of its {population.size} neurons fire at every step")
        elif (mine >= 1).mean() > 0.5:
            share = float((mine >= 1).mean())
            notes.append(f"{population.name}: {share:.0%} of its neurons fire at every step")
    return Rates(count / steps, count / max(spikes.samples, 1), tuple(notes))


def silenced(exact: EventRun, run: EventRun) -> tuple[str, ...]:
    """Notes on populations that fire in one run and never in another of the same network, as after quantisation."""
    notes = []
    before = np.bincount(exact.spikes.index, minlength=exact.network.neurons)
    after = np.bincount(run.spikes.index, minlength=run.network.neurons)
    for i, population in enumerate(exact.network.populations):
        mine = slice(int(exact.network.first[i]), int(exact.network.first[i + 1]))
        if population.spiking and before[mine].any() and not after[mine].any():
            notes.append(f"{population.name} fires {int(before[mine].sum())} times in one run and never in the other")
    return tuple(notes)
