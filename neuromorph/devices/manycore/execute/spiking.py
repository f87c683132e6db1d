"""Runs a spiking network placed on a many-core chip in the chip's arithmetic, beside the same network in float."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.execute import EventEngine, EventRun, StopRule, rates, silenced
from neuromorph.devices.manycore.execute.feedback import Feedback, Lose, settled
from neuromorph.devices.manycore.losses import Losses
from neuromorph.devices.result import Execution, LayerQuality
from neuromorph.errors import InputError, Place
from neuromorph.events import Raster
from neuromorph.events.inputs import as_raster as fitting
from neuromorph.graph.data import as_labels
from neuromorph.graph.decode import decode_of, decoded
from neuromorph.progress import Progress, part
from neuromorph.spiking.arithmetic import Arithmetic

if TYPE_CHECKING:
    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.spiking import SpikingNetwork

EFFECTS = ("arithmetic", "skipping", "losses")
"""What can be left out: the number formats of the cores, the updates they skip, and packets that come late or not."""

COMPARED = 64
"""Samples that the signal-to-noise ratio of populations is taken on."""


@dataclass(frozen=True)
class Difference:
    """The first spike of a population that differs from float, None where none does; fired: spikes per sample."""

    population: str
    sample: int | None
    step: int | None
    neuron: int | None
    fired: float
    float_fired: float


@dataclass(frozen=True)
class SpikingExecution(Execution):
    """An execution on a many-core chip. spikes: of all neurons, inputs included; steps_used: (samples,), fewer than
    given where a stop rule ended a sample; rates: spikes per neuron and sample, (neurons,); counters: see EventRun;
    feedback: what was lost, where that was asked."""

    spikes: Raster | None = None
    steps_used: np.ndarray | None = None
    rates: np.ndarray | None = None
    differences: tuple[Difference, ...] = ()
    counters: dict[str, np.ndarray] | None = None
    feedback: Feedback | None = None


def execute_events(
    placement: CorePlacement,
    inputs: np.ndarray | Raster,
    labels: np.ndarray | None = None,
    *,
    seed: int = 0,
    off: Iterable[str] = (),
    stop: StopRule | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    lose: Lose | None = None,
) -> SpikingExecution:
    """Runs inputs (a Raster, or an array (samples, steps, *shape)) and compares with the same network in float64.

    labels: class indices (samples,). off: effects to leave out. lose: which packets come late or not where neurons fire
    so; they are left out of the answers. Raises InputError for data that do not fit.
    """
    started = time.perf_counter()
    dropped = frozenset(off)
    if unknown := dropped - set(EFFECTS):
        raise InputError(f"no effect {', '.join(sorted(unknown))} on a many-core chip", hint=", ".join(EFFECTS))
    network = placement.network
    raster = as_raster(inputs, network)
    truth = None if labels is None else as_labels(labels, len(raster), _classes(network))
    arithmetic = read_machine(placement.architecture).arithmetic
    if not _graded(arithmetic):
        _only_spikes(raster, placement.architecture.name)
    if "arithmetic" in dropped:
        arithmetic = Arithmetic(skip_below=arithmetic.skip_below)
    if "skipping" in dropped:
        arithmetic = replace(arithmetic, skip_below=0.0)
    exact = EventEngine(network).run(
        raster, workers=workers, stop=stop, progress=part(progress, 0.0, 0.5, "in float, ")
    )
    engine = EventEngine(network, arithmetic, _ranges(network, exact), placement.core_of_neuron, 1 if lose else 0)
    told = part(progress, 0.5, 0.5, "on the chip, ")

    def chip(losses: Losses | None) -> EventRun:
        return engine.run(raster, workers=workers, stop=stop, progress=told, losses=losses)

    found, feedback = (chip(None), None) if lose is None or "losses" in dropped else settled(chip, lose)
    decode = "sum" if placement.graph is None else decode_of(placement.graph)
    y, y_exact = (_answers(r, network, decode) for r in (found, exact))
    accuracy = None if truth is None else np.array([float((y.argmax(-1) == truth).mean())])
    right = None if truth is None else (y.argmax(-1) == truth)[None]
    float_accuracy = None if truth is None else float((y_exact.argmax(-1) == truth).mean())
    power = float(np.square(y_exact, dtype=np.float64).sum())
    error = np.array([np.sqrt(np.square(y - y_exact, dtype=np.float64).sum() / max(power, 1e-300))])
    return SpikingExecution(
        (0,), len(raster), seed, 0.0, dropped, accuracy, float_accuracy, error,
        _qualities(network, found.spikes, exact.spikes), {}, y[None], time.perf_counter() - started,
        (*engine.quantisation.notes, *_notes(found, exact, arithmetic.kind), *_lost(feedback)), found.spikes,
        found.steps_used,
        rates(found).per_sample,
        _differences(network, found.spikes, exact.spikes), dict(found.counters), feedback, correct=right,
    )  # fmt: skip


def as_raster(inputs: np.ndarray | Raster, network: SpikingNetwork) -> Raster:
    """Inputs as events for the network's only input population. Raises InputError where they do not fit."""
    if len(network.inputs) != 1:
        raise InputError(f"{network.name} has {len(network.inputs)} inputs; one is run", hint="join them into one")
    return fitting(inputs, network.populations[network.inputs[0]].shape, network.dt_s, network.name)


def _graded(arithmetic: Arithmetic) -> bool:
    """Whether packets may carry values: cores that compute in plain floating point are processors, and their packets
    have a payload."""
    return arithmetic.kind.startswith("float") and not arithmetic.axon_types and arithmetic.signs == "synapse"


def _only_spikes(raster: Raster, name: str) -> None:
    """Refuses inputs that are not whole numbers of spikes: a packet carries an address and no value."""
    if raster.value is None or not np.any(uneven := (raster.value % 1 != 0) | (raster.value < 0)):
        return
    raise InputError(
        f"{name} takes spikes only, and inputs have values such as {raster.value[uneven][0]:.4g}", Place(key="inputs"),
        "encode the data as spikes: neuromorph encode, or neuromorph.events.encoders",
    )  # fmt: skip


def _classes(network: SpikingNetwork) -> int:
    if len(network.outputs) != 1:
        what = f"{network.name} has {len(network.outputs)} outputs; labels are of one"
        raise InputError(what, Place(key="labels"), "choose one")
    return network.populations[network.outputs[0]].size


def expected_rates(network: SpikingNetwork, inputs: Raster, samples: int = 8) -> np.ndarray:
    """Spikes per neuron and sample on the first samples, in float, for the mapper: (neurons,)."""
    some = inputs.part(0, samples)
    return rates(EventEngine(network).run(some)).per_sample


def _ranges(network: SpikingNetwork, exact: EventRun) -> dict[int, float]:
    """Largest magnitude of what output populations that never fire held in float: their fixed point is set by it, as
    converters are by calibration."""
    return {
        i: float(np.abs(values).max(initial=0.0))
        for i, values in zip(network.outputs, exact.outputs, strict=True)
        if not network.populations[i].spiking
    }


def _lost(feedback: Feedback | None) -> list[str]:
    return [feedback.note] if feedback is not None and feedback.note else []


def _answers(run: EventRun, network: SpikingNetwork, decode: str) -> np.ndarray:
    """One value per class of the first output: (samples, classes). The first `latency` steps carry nothing yet."""
    outputs = run.outputs[0][:, network.latency :]
    if decode == "last" and run.steps_used is not None:
        last = np.clip(run.steps_used - network.latency - 1, 0, outputs.shape[1] - 1)
        found: np.ndarray = outputs[np.arange(len(outputs)), last]
        return found
    answers: np.ndarray = decoded(outputs, decode)
    return answers


def _keys(network: SpikingNetwork, spikes: Raster, rows: int) -> np.ndarray:
    """(sample * steps + step) * neurons + neuron of every spike in the first rows, rising."""
    end = int(spikes.indptr[rows])
    row = np.repeat(np.arange(rows, dtype=np.int64), np.diff(spikes.indptr[: rows + 1]))
    found: np.ndarray = row * network.neurons + spikes.index[:end]
    return found


def _differences(network: SpikingNetwork, found: Raster, exact: Raster) -> tuple[Difference, ...]:
    rows = min(found.samples, COMPARED) * found.steps
    ours, theirs = (_keys(network, r, rows) for r in (found, exact))
    apart = np.setxor1d(ours, theirs)
    neuron = apart % network.neurons
    samples = max(rows // found.steps, 1)
    differences = []
    for i, p in enumerate(network.populations):
        first, last = network.first[i], network.first[i + 1]
        mine = apart[(neuron >= first) & (neuron < last)]
        at: tuple[Any, Any, Any] = (None, None, None)
        if mine.size:
            row, n = divmod(int(mine.min()), network.neurons)
            at = (row // found.steps, row % found.steps, n - int(first))
        fired = [float(np.count_nonzero((k % network.neurons >= first) & (k % network.neurons < last))) / samples
                 for k in (ours, theirs)]  # fmt: skip
        differences.append(Difference(p.name, *at, *fired))
    return tuple(differences)


def _qualities(network: SpikingNetwork, found: Raster, exact: Raster) -> tuple[LayerQuality, ...]:
    """Signal-to-noise ratio of the spike counts of every neuron and sample against float."""
    counts = [_counts(network, r) for r in (found, exact)]
    qualities = []
    for i, p in enumerate(network.populations):
        if p.model == "input" or not p.spiking:
            continue
        a, b = (c[:, network.first[i] : network.first[i + 1]] for c in counts)
        signal, noise = float(np.square(b).sum()), float(np.square(a - b).sum())
        snr = float(10 * np.log10(signal / noise)) if noise > 0 and signal > 0 else float("inf")
        qualities.append(LayerQuality(p.name, snr, 0.0))
    return tuple(qualities)


def _counts(network: SpikingNetwork, spikes: Raster) -> np.ndarray:
    samples = min(spikes.samples, COMPARED)
    rows = samples * spikes.steps
    end = int(spikes.indptr[rows])
    sample = np.repeat(np.arange(rows) // spikes.steps, np.diff(spikes.indptr[: rows + 1]))
    weight = None if spikes.value is None else spikes.value[:end]
    flat = np.bincount(
        sample * network.neurons + spikes.index[:end], weights=weight, minlength=samples * network.neurons
    )
    found: np.ndarray = flat.reshape(samples, network.neurons).astype(np.float64)
    return found


def _notes(found: EventRun, exact: EventRun, kind: str) -> list[str]:
    """What a reader should know before trusting the answers: silence, restlessness, number ranges that end too soon."""
    notes = [*rates(found).notes, *silenced(exact, found)]
    for population, times in zip(found.network.populations, found.counters["saturated"].tolist(), strict=True):
        if times:
            each = times / max(found.spikes.samples, 1)
            wider = "; core.ring_rate and core.ring_deviations widen it" if kind == "spinnaker" else ""
            notes.append(f"{population.name}: {each:.4g} inputs a sample meet the end of their number range{wider}")
    return notes
