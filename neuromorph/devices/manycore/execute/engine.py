"""Runs spiking networks event by event, samples side by side in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from neuromorph.devices.manycore.execute import layout as c
from neuromorph.devices.manycore.execute.dense import CHUNK, Plan, Sample, Stage, in_stages, plan
from neuromorph.devices.manycore.execute.fixed import formats, integers, rounded
from neuromorph.devices.manycore.execute.held import held_weights
from neuromorph.devices.manycore.execute.rules import Learning, decays
from neuromorph.devices.manycore.execute.run import EventRun, StopRule
from neuromorph.devices.manycore.execute.tables import tables
from neuromorph.devices.manycore.execute.whole import whole_network
from neuromorph.devices.manycore.losses import Losses
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.progress import Progress
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import SpikingNetwork


class EventEngine:
    """A network prepared for running; arrays of synapses are shared with it, and between threads.

    network: what runs, with the weights that cores can hold; quantisation: what was lost by that.
    ranges: the largest magnitude expected of populations that never fire, by index, for fixed point that needs one.
    core_of_neuron: (neurons,), for cores whose axons share weights by type, and that miss spikes. slack: steps that
    spikes may come late.
    Raises InputError for what the arithmetic cannot express, and for plastic rules that make no sense.
    """

    def __init__(
        self,
        network: SpikingNetwork,
        arithmetic: Arithmetic | None = None,
        ranges: Mapping[int, float] | None = None,
        core_of_neuron: np.ndarray | None = None,
        slack: int = 0,
    ) -> None:
        self.core_of_neuron, self.slack = core_of_neuron, slack
        self.arithmetic = arithmetic or Arithmetic()
        self.plan: Plan | None = None
        if self.arithmetic.kind.startswith("float"):
            network, self.quantisation, _ = held_weights(network, self.arithmetic, core_of_neuron)
            self.plan = plan(network) if self.arithmetic.kind == "float64" else None
            self.network = network if self.plan is None else self.plan.network
            self.tables = tables(self.network, self.arithmetic, slack=slack)
        elif self.arithmetic.kind == "integer":
            found = whole_network(network, self.arithmetic, ranges or {}, core_of_neuron)
            self.network, self.quantisation = found.network, found.quantisation
            self.tables = tables(network, self.arithmetic, found.chosen, found.weights, slack, ranges)
        else:
            chosen = formats(network, self.arithmetic, ranges)
            whole = integers(network, chosen)
            self.network, self.quantisation = rounded(network, chosen, whole)
            self.tables = tables(self.network, self.arithmetic, chosen, whole, slack)

    @property
    def fixed(self) -> bool:
        """Whether states are whole numbers."""
        return not self.arithmetic.kind.startswith("float")

    def run(
        self,
        inputs: Sequence[Raster] | Raster,
        *,
        steps: int | None = None,
        record: str = "spikes",
        first_sample: int = 0,
        workers: int = 1,
        progress: Progress | None = None,
        modulator: np.ndarray | None = None,
        stop: StopRule | None = None,
        each: Callable[[int, Raster], None] | None = None,
        losses: Losses | None = None,
    ) -> EventRun:
        """Runs every sample of the inputs from the initial state.

        inputs: one raster per input population, in the order of network.inputs. steps: default those of the inputs and
        the network's latency. record: "spikes" or "none".
        workers: threads; results do not depend on them. modulator: third factor of
        plastic synapses, (steps,) or (samples, steps). stop: ends samples early. each: is given (number of
        the sample, its raster of one sample) in order as soon as it is done; then `spikes` of the result holds no
        events, so that long runs need not keep them. losses: spikes that cores miss.
        Raises InputError where inputs do not fit the network.
        """
        rasters = [inputs] if isinstance(inputs, Raster) else list(inputs)
        samples, longest = self._check(rasters)
        steps = longest + self.network.latency if steps is None else steps
        if record not in ("spikes", "none"):
            raise InputError(f"record is {record!r}", hint="spikes or none")
        if self.fixed and any(r.value is not None and np.any(r.value % 1) for r in rasters):
            raise InputError(
                f"inputs have values that are not whole, {self.arithmetic.kind} arithmetic takes spikes only",
                hint="encode the data as spikes",
            )
        valued = self.tables.valued or any(r.value is not None for r in rasters)
        job = Job(self, rasters, steps, record == "spikes" or each is not None, valued, stop, modulator, losses)
        results = []
        for number, result in enumerate(job.results(samples, workers)):
            if each is not None:
                each(first_sample + number, result.raster(steps, self.network.dt_s, self.network.neurons, valued))
                result.index, result.value, result.ends = result.index[:0], result.value[:0], result.ends * 0
            results.append(result)
            if progress is not None:
                progress((number + 1) / samples, f"sample {number + 1} of {samples}")
        return self._gather(results, steps, valued)

    def _check(self, rasters: Sequence[Raster]) -> tuple[int, int]:
        names = [self.network.populations[i].name for i in self.network.inputs]
        if len(rasters) != len(names):
            raise InputError(f"{len(rasters)} input rasters for {len(names)} input populations", hint=", ".join(names))
        for raster, i in zip(rasters, self.network.inputs, strict=True):
            population = self.network.populations[i]
            if raster.size != population.size:
                raise InputError(f"input {population.name} has {population.size} neurons, its raster {raster.size}")
            if raster.index.size and not 0 <= int(raster.index.min()) <= int(raster.index.max()) < raster.size:
                raise InputError(f"the raster of input {population.name} names elements outside 0..{raster.size - 1}")
            if raster.value is not None and not np.isfinite(raster.value).all():
                raise InputError(f"the raster of input {population.name} has values that are not finite numbers")
        counts = {r.samples for r in rasters}
        if len(counts) > 1:
            raise InputError(f"input rasters have {sorted(counts)} samples", hint="the same number in all of them")
        return (counts.pop() if counts else 1), max((r.steps for r in rasters), default=0)

    def _gather(self, results: Sequence[Sample], steps: int, valued: bool) -> EventRun:
        network = self.network
        ends = [np.zeros(1, np.int64)]
        for result in results:
            ends.append(result.ends[1:] + ends[-1][-1])
        index = np.concatenate([np.zeros(0, np.int32), *(r.index for r in results)])
        value = np.concatenate([np.zeros(0, np.float32), *(r.value for r in results)]) if valued else None
        if value is not None and (value == 1).all():
            value = None
        spikes = Raster(len(results), steps, (network.neurons,), np.concatenate(ends), index, value, network.dt_s)
        out = np.stack([r.out for r in results]) if results else np.zeros((0, steps, self.tables.outputs), np.float32)
        first = [int(self.tables.pop[o, c.OUT]) for o in network.outputs]
        outputs = tuple(
            out[:, :, a : a + network.populations[o].size] for a, o in zip(first, network.outputs, strict=True)
        )
        events = np.zeros(len(network.projections), np.int64)
        for result in results:
            events[self.tables.order] += result.events
        skipped, saturated = np.zeros((2, len(network.populations)), np.int64)
        for result in results:
            skipped += result.skipped
            saturated += result.saturated
        used = np.array([r.steps for r in results], np.int64)
        changes = np.zeros(len(network.projections), np.int64)
        weights = {}
        for r, row in enumerate(self.tables.rules.rows):
            q = int(self.tables.order[row])
            changes[q] = sum(int(result.changes[r]) for result in results)
            weights[q] = np.stack([result.weights[r] for result in results])
        counters = {"skipped": skipped, "saturated": saturated, "plastic_updates": changes}
        return EventRun(network, spikes, outputs, events, counters, weights, used)


def _in_order(function: Callable[[int], Any], samples: int, workers: int):  # type: ignore[no-untyped-def]
    """Results for 0..samples - 1 in order; at most two per worker wait at a time."""
    if workers <= 1 or samples <= 1:
        yield from map(function, range(samples))
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(function, i) for i in range(min(2 * workers, samples))]
        for i in range(samples):
            yield waiting[i].result()
            waiting[i] = None  # type: ignore[call-overload]  # let the result go
            if len(waiting) < samples:
                waiting.append(pool.submit(function, len(waiting)))


def _modulator(engine: EventEngine, given: np.ndarray | None, rasters: Sequence[Raster], steps: int) -> np.ndarray:
    """The third factor as (1 or samples, steps) float64; zero where none is given."""
    if given is None:
        if any(r.rule == "reward" for r in engine.tables.rules.rules):
            raise InputError("plastic synapses need a third factor", hint="modulator: an array of one number per step")
        return np.zeros((1, steps))
    factor = np.atleast_2d(np.asarray(given, np.float64))
    samples = rasters[0].samples if rasters else 1
    if factor.shape not in ((1, steps), (samples, steps)) or not np.isfinite(factor).all():
        raise InputError(
            f"modulator has shape {np.shape(given)}", hint=f"finite numbers, ({steps},) or ({samples}, {steps})"
        )
    return factor


def _single_spikes(raster: Raster) -> bool:
    return raster.value is None or bool(np.isin(raster.value, (-1, 1)).all())


class Job:
    """What all samples of a run share; `sample` runs one, in any thread."""

    def __init__(
        self, engine: EventEngine, rasters: Sequence[Raster], steps: int, record: bool, valued: bool,
        stop: StopRule | None, modulator: np.ndarray | None, losses: Losses | None = None,
    ) -> None:  # fmt: skip
        self.losses = losses
        self.engine, self.rasters, self.steps = engine, rasters, steps
        self.record, self.valued = record, valued
        self.rule = np.zeros(4)
        if stop is not None:
            if not engine.network.outputs:
                raise InputError("a stop rule needs an output population")
            first = engine.network.populations[engine.network.outputs[0]]
            added_up = first.model == "linear" and not first.spiking and bool((first.parameters["a_mem"] == 1).all())
            least = engine.network.latency + stop.least
            self.rule[:] = stop.temperature, stop.threshold, least, 2 if added_up else 1
        uneven = {i for i, r in zip(engine.network.inputs, rasters, strict=True) if not _single_spikes(r)}
        self.graded = {p.target for p in engine.network.projections if p.source in uneven}
        self.pop = engine.tables.pop.copy()
        self.kept: list[np.ndarray] = []  # what the addresses point into
        for i, raster in zip(engine.network.inputs, rasters, strict=True):
            indptr = np.ascontiguousarray(raster.indptr, np.int64)
            index = np.ascontiguousarray(raster.index, np.int32)
            self.kept += [indptr, index]
            self.pop[i, [c.EXT_INDPTR, c.EXT_INDEX]] = indptr.ctypes.data, index.ctypes.data
            self.pop[i, c.EXT_ROWS] = raster.steps
            if raster.value is not None:
                value = np.ascontiguousarray(raster.value, np.float32)
                self.kept.append(value)
                self.pop[i, c.EXT_VALUE] = value.ctypes.data

        self.modulator = _modulator(engine, modulator, rasters, steps)
        rules = engine.tables.rules
        self.decays = decays(rules.rules, steps, engine.network.dt_s)
        plastic = [engine.network.projections[engine.tables.order[row]].weight for row in rules.rows]
        self.weights = np.concatenate([np.zeros(0), *(w * u for w, u in zip(plastic, rules.units, strict=True))])
        if engine.fixed:
            self.weights = np.rint(self.weights)

    def results(self, samples: int, workers: int) -> Iterator[Sample]:
        """Results of all samples in order. Dense layers are run a chunk of samples at a time."""
        plan = self.engine.plan
        if plan is None or not plan.layers or self.rule[3] or self.engine.tables.rules.rows or self.losses is not None:
            yield from _in_order(self.sample, samples, workers)
            return
        chunks = [range(a, min(a + CHUNK, samples)) for a in range(0, samples, CHUNK)]
        for results in _in_order(lambda i: in_stages(self, plan, chunks[i]), len(chunks), workers):
            yield from results

    def sample(self, number: int, stage: Stage | None = None) -> Sample:
        """Runs one sample: the whole network, or the populations of a stage."""
        from neuromorph.devices.manycore.execute.loop import run

        t, steps, tables = 0, self.steps, self.engine.tables
        stage = stage or Stage(self.pop, tables.proj, tables.outgoing)
        work = self._work()
        recording = self.record or stage.rows is not None
        capacity = 4 * self.engine.network.neurons if recording else 0
        index = np.empty(capacity, np.int32)
        value = np.empty(capacity if self.valued else 0, np.float32)
        ends = np.zeros(steps + 1 if recording else 0, np.int64)
        out = np.zeros((steps, tables.outputs), np.float32)
        events = np.zeros(len(stage.proj), np.int64)
        skipped, saturated = np.zeros((2, len(self.pop)), np.int64)
        deciding = self.engine.network.populations[self.engine.network.outputs[0]].size if self.rule[3] else 0
        stop = (np.zeros(deciding), self.rule)
        factor = self.modulator[min(number, len(self.modulator) - 1)]
        losses = self._missed(number)
        learning = Learning.begin(tables.rules, self.weights, self.decays, factor, steps, self.engine.network.neurons)
        while True:
            t, ended = run(
                t, steps, number, stage.pop, tables.number, tables.par, stage.proj, stage.outgoing, work,
                (index, value, ends), out, (events, skipped, saturated), stop, tables.rules.into,
                learning.arrays, losses,
            )  # fmt: skip
            if ended or t >= steps:
                break
            if recording and ends[t] + self.engine.network.neurons > index.size:
                index = np.concatenate([index, np.empty_like(index)])
                value = np.concatenate([value, np.empty_like(value)])
            learning.grow(self.engine.network.neurons)
        if recording:
            ends[t:] = ends[t]
        else:
            ends = np.zeros(steps + 1, np.int64)
        fired = int(ends[-1])
        return Sample(
            ends,
            index[:fired].copy(),
            value[:fired].copy(),
            out,
            events,
            skipped,
            saturated,
            t,
            self._learned(learning),
            learning.changes,
        )

    def _learned(self, learning: Learning) -> tuple[np.ndarray, ...]:
        rules, proj = self.engine.tables.rules, self.engine.tables.proj
        first = [int(proj[row, c.LEARN_SYNAPSES]) for row in rules.rows]
        sizes = [int(proj[row, c.SYNAPSES]) for row in rules.rows]
        parts = zip(first, sizes, rules.units, strict=True)
        return tuple((learning.weights[a : a + n] / unit).astype(np.float32) for a, n, unit in parts)

    def _missed(self, number: int) -> tuple[np.ndarray, ...]:
        """What a sample's run takes of the losses; without any, arrays of nothing."""
        if self.losses is None:
            nothing = np.zeros(0, np.int32)
            return np.zeros(0, np.int64), nothing, nothing, nothing, nothing, nothing, nothing
        x, neurons = self.losses, self.engine.network.neurons
        core = np.zeros(neurons, np.int32) if (given := self.engine.core_of_neuron) is None else given
        mine = x.indptr[number * self.steps : (number + 1) * self.steps + 1]
        return mine, x.neuron, x.core, x.lost, x.late, core.astype(np.int32), np.empty(neurons, np.int32)

    def _work(self) -> tuple[np.ndarray, ...]:
        """Fresh state: (state, inputs, lines, values, fired, masks, scratch)."""
        tables, network = self.engine.tables, self.engine.network
        dtype, neurons = tables.par.dtype, network.neurons
        largest = max((p.size for p in network.populations), default=0)
        state = np.zeros((c.STATES, neurons), dtype)
        for i, population in enumerate(network.populations):
            mine = slice(int(network.first[i]), int(network.first[i + 1]))
            if population.model in ("linear", "adaptive"):
                state[c.V, mine] = tables.par[c.V_INIT, mine]
            elif population.model == "izhikevich":
                state[c.V, mine], state[c.H, mine] = tables.par[c.IZ_V, mine], tables.par[c.IZ_U, mine]
        return (
            state, np.zeros(tables.inputs, dtype), np.zeros(tables.lines, dtype), np.zeros(neurons, dtype),
            np.zeros(neurons, np.int32), np.ones((2, largest), np.bool_), np.zeros(largest, dtype),
        )  # fmt: skip
