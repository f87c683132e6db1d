"""All verbs in a row: place, execute, count, schedule, price, report, by the kind of the architecture's root."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.devices.layered.core import Assumption
from neuromorph.devices.layered.place import Placement, place
from neuromorph.devices.layered.tally.counts import assume, gather
from neuromorph.devices.layered.tally.times import schedule
from neuromorph.devices.manycore import is_manycore, read_machine
from neuromorph.devices.manycore.describe import build_event_report
from neuromorph.devices.manycore.place.graph import flat, place_graph
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.tally.counts import gather_network
from neuromorph.devices.manycore.tally.noc import NetworkSchedule, known, schedule_network
from neuromorph.devices.manycore.tally.spikes import Traffic, assume_traffic, count_traffic
from neuromorph.errors import InputError, Place
from neuromorph.provenance import provenance_of, work_sections
from neuromorph.report.model import Report, build_report

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.devices.layered.core import Assumption
    from neuromorph.devices.layered.execute import Calibration
    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.devices.manycore.execute import StopRule
    from neuromorph.devices.manycore.execute.spiking import SpikingExecution
    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.devices.result import Execution
    from neuromorph.events import Raster
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.report.model import Report


def run(
    graph: Graph,
    architecture: Architecture,
    inputs: np.ndarray | Raster | None = None,
    labels: np.ndarray | None = None,
    *,
    placement: Placement | CorePlacement | None = None,
    calibration: Calibration | None = None,
    calibration_inputs: np.ndarray | Raster | None = None,
    trials: int | Sequence[int] = 10,
    seed: int = 0,
    time_s: float = 0.0,
    off: Iterable[str] = (),
    batch: int = 128,
    workers: int = 1,
    torch_device: str = "cpu",
    effects: bool = False,
    assumption: Assumption | None = None,
    stop: StopRule | None = None,
    workload: bool | None = None,
    partner: Graph | None = None,
    progress: Callable[[float, str], None] | None = None,
    provenance: dict[str, Any] | None = None,
) -> Report:
    """Accuracy, energy, latency, power and area of a network on an architecture.

    inputs: (samples, *shape), or a Raster for networks over time; without them nothing is executed and costs follow
    from `assumption`. calibration_inputs: data the converter ranges are found on. effects: also run with each effect
    left out in turn. stop: ends a sample early (many-core chips). workload: count the network's own work (NeuroBench,
    accountings); left out: for networks over time. partner: a network without spikes of equal accuracy for the
    break-even. Other arguments: see `execute`. On a many-core chip every trial is alike, and what belongs to analog
    devices (calibration, trials, time_s, torch_device) has no meaning and is left alone.
    Raises FitError when the network does not fit.
    """
    from neuromorph.graph.decode import over_time

    counted = over_time(graph) if workload is None else workload
    common: dict[str, Any] = {
        "seed": seed, "off": off, "workers": workers, "effects": effects, "assumption": assumption,
        "workload": counted and inputs is not None, "partner": partner, "progress": progress, "provenance": provenance,
    }  # fmt: skip
    if is_manycore(architecture):
        from neuromorph.devices.layered.place.placement import Placement as Tiled

        if isinstance(placement, Tiled):
            raise InputError("this placement is of tiles, a many-core chip takes one of cores", hint="place again")
        return run_events(graph, architecture, inputs, labels, placement=placement, stop=stop, **common)
    from neuromorph.events import Raster as Events

    if stop is not None:
        raise InputError(f"{architecture.name} runs all steps of a sample", hint="early exit needs a many-core chip")
    dense = inputs.dense() if isinstance(inputs, Events) else inputs
    calibrating = calibration_inputs.dense() if isinstance(calibration_inputs, Events) else calibration_inputs
    return run_layers(
        graph, architecture, dense, labels, placement=placement, calibration=calibration,  # type: ignore[arg-type]
        calibration_inputs=calibrating, trials=trials, time_s=time_s, batch=batch, torch_device=torch_device, **common,
    )  # fmt: skip


ASSUMED_RATE = 0.05
"""Spikes per neuron and step where nothing is run and nothing else is said."""


def run_events(
    graph: Graph,
    architecture: Architecture,
    inputs: np.ndarray | Raster | None,
    labels: np.ndarray | None,
    *,
    placement: CorePlacement | None,
    seed: int,
    off: Iterable[str],
    stop: StopRule | None,
    workers: int,
    effects: bool,
    assumption: Assumption | None,
    workload: bool,
    partner: Graph | None,
    progress: Callable[[float, str], None] | None,
    provenance: dict[str, Any] | None,
) -> Report:
    """See `neuromorph.run.run`."""
    from neuromorph.devices.manycore.execute.spiking import as_raster, execute_events, expected_rates

    say = progress or (lambda done, what: None)
    dropped = sorted(off)
    raster = None
    if placement is None:
        say(0.0, "placing the network")
        network = flat(graph, architecture)
        rates = None
        if inputs is not None:
            raster = as_raster(inputs, network)
            rates = expected_rates(network, raster)
        placement = place_graph(graph, architecture, network=network, rates=rates, seed=seed)
    elif inputs is not None:
        raster = as_raster(inputs, placement.network)
    execution: SpikingExecution | None = None
    costs: tuple[Any, ...] = ()
    if raster is None:
        traffic, schedule = assumed(placement, assumption)
    else:
        execution = execute_events(
            placement, raster, labels, seed=seed, off=dropped, stop=stop, workers=workers, progress=_part(say, 0.1, 0.8)
        )
        assert execution.spikes is not None
        traffic, schedule = counted(placement, execution.spikes, execution.steps_used)
        if effects and labels is not None:
            costs = _effects(placement, raster, labels, execution, seed, dropped, workers)
    activity = gather_network(placement, traffic, schedule.latency_s, *_unlike_spikes(execution))
    ledger = price(activity, architecture, known(schedule.latency_s))
    sections: list[Any] = []
    if workload and raster is not None:
        say(0.9, "counting operations")
        sections = work_sections(graph, raster, partner, ledger.total_j, architecture.boundary, schedule.throughput_hz)
    facts = {**provenance_of(graph, architecture, seed, 0.0, execution, dropped), **(provenance or {})}
    return build_event_report(
        placement, traffic, ledger, price(activity, architecture, known(schedule.interval_s)), chip_area(architecture),
        schedule, execution, facts, costs, tuple(sections),
    )  # fmt: skip


def _unlike_spikes(execution: SpikingExecution | None) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Updates skipped per population and sample, and steps of every sample: what spikes alone do not tell."""
    if execution is None or execution.counters is None:
        return None, None
    return execution.counters["skipped"] / max(execution.samples, 1), execution.steps_used


def _part(say: Callable[[float, str], None], start: float, share: float) -> Callable[[float, str], None]:
    return lambda done, what: say(start + share * done, what)


def counted(
    placement: CorePlacement, spikes: Raster, steps_used: np.ndarray | None
) -> tuple[Traffic, NetworkSchedule]:  # fmt: skip
    """Traffic and times of a placement for all spikes of a run."""
    machine = read_machine(placement.architecture)
    traffic = count_traffic(placement, spikes)
    return traffic, schedule_network(placement, spikes, machine, steps_used=steps_used)


def assumed(placement: CorePlacement, assumption: Assumption | None) -> tuple[Traffic, NetworkSchedule]:
    """Every neuron fires with the assumed density of a step, or at the default rate."""
    from neuromorph.devices.manycore.tally.noc import assume_schedule

    if placement.graph is None:
        raise InputError("a network without a graph has no number of steps", hint="give data")
    machine, network = read_machine(placement.architecture), placement.network
    steps = next(iter(placement.graph.input_shapes.values()))[0] + network.latency
    rate = ASSUMED_RATE if assumption is None else assumption.density
    traffic = assume_traffic(placement, np.full(network.neurons, rate), steps)
    return traffic, assume_schedule(placement, traffic, machine)


def _effects(
    placement: CorePlacement, raster: Raster, labels: np.ndarray, execution: SpikingExecution, seed: int,
    dropped: list[str], workers: int,
) -> tuple[Any, ...]:  # fmt: skip
    """Accuracy without each effect in turn, on the same samples; the error is that of a paired difference."""
    from neuromorph.devices.layered.execute.effects import EffectCost
    from neuromorph.devices.manycore.execute.spiking import EFFECTS, execute_events

    found = []
    for effect in (e for e in EFFECTS if e not in dropped):
        without = execute_events(placement, raster, labels, seed=seed, off=[*dropped, effect], workers=workers)
        assert without.accuracy is not None
        assert execution.accuracy is not None
        gain = float(without.accuracy[0] - execution.accuracy[0])
        error = float(np.sqrt(max(abs(gain) - gain**2, 0.0) / max(len(raster), 1)))
        found.append(EffectCost(effect, float(without.accuracy[0]), gain, error))
    return tuple(found)


def run_layers(
    graph: Graph,
    architecture: Architecture,
    inputs: np.ndarray | None,
    labels: np.ndarray | None,
    *,
    placement: Placement | None,
    calibration: Calibration | None,
    calibration_inputs: np.ndarray | None,
    trials: int | Sequence[int],
    seed: int,
    time_s: float,
    off: Iterable[str],
    batch: int,
    workers: int,
    torch_device: str,
    effects: bool,
    assumption: Assumption | None,
    workload: bool,
    partner: Graph | None,
    progress: Callable[[float, str], None] | None,
    provenance: dict[str, Any] | None,
) -> Report:
    """See `neuromorph.run.run`."""
    from neuromorph.devices.layered.execute import attribute, calibrate, execute

    placement = placement or place(graph, architecture, seed=seed)
    execution: Execution | None = None
    costs: tuple[Any, ...] = ()
    if inputs is None:
        activity = assume(placement, assumption)
    else:
        if calibration is None and calibration_inputs is not None:
            calibration = calibrate(placement, calibration_inputs, torch_device=torch_device)
        options: dict[str, Any] = {
            "trials": trials, "seed": seed, "time_s": time_s, "calibration": calibration, "batch": batch,
            "workers": workers, "torch_device": torch_device,
        }  # fmt: skip
        execution = execute(placement, inputs, labels, off=off, progress=progress, **options)
        activity = gather(placement, execution.statistics)
        if effects and labels is not None:
            costs = attribute(placement, inputs, labels, progress=progress, **options)
    times = schedule(placement, activity)
    facts = {
        **provenance_of(graph, architecture, seed, time_s, execution, sorted(off)),
        **(provenance or {}),
    }
    ledger = price(activity, architecture, times.latency_s)
    sections = []
    if workload and inputs is not None:
        sections = work_sections(graph, inputs, partner, ledger.total_j, architecture.boundary, times.throughput_hz)
    return build_report(
        placement,
        activity,
        ledger,
        price(activity, architecture, times.interval_s),
        chip_area(architecture),
        times,
        execution,
        facts,
        costs,
        tuple(sections),
    )


def execute_on(
    placement: Placement | CorePlacement, inputs: np.ndarray | Raster, labels: np.ndarray | None = None, **options: Any
) -> Execution:
    """Runs a placed network on its hardware. options: those of `execution.engine.execute` for chips that host layers,
    those of `execution.spiking.execute_events` for many-core chips."""
    if isinstance(placement, CorePlacement):
        from neuromorph.devices.manycore.execute.spiking import execute_events

        return execute_events(placement, inputs, labels, **options)
    from neuromorph.devices.layered.execute.engine import execute

    dense = inputs.dense() if hasattr(inputs, "dense") else inputs
    return execute(placement, dense, labels, **options)


def place_on(
    graph: Graph,
    architecture: Architecture,
    *,
    seed: int = 0,
    effort: str = "normal",
    copies: Mapping[str, int] | None = None,
    duplicate: bool = True,
    rates: np.ndarray | None = None,
) -> Placement | CorePlacement:
    """Place a network on an architecture; see `mapping.placement.place` and `mapping.manycore.graph.place_graph`.

    copies, duplicate: of layers, on chips that host them; rates: expected spikes per neuron, on many-core chips.
    """
    if is_manycore(architecture):
        from neuromorph.devices.manycore.place.graph import place_graph

        if copies is not None:
            raise InputError("a many-core chip holds a network once", Place(key="copies"), "leave copies out")
        return place_graph(graph, architecture, rates=rates, seed=seed, effort=effort)
    from neuromorph.devices.layered.place.placement import place

    return place(graph, architecture, seed=seed, effort=effort, copies=copies, duplicate=duplicate)


def load_placement_on(path: str | Path, graph: Graph, architecture: Architecture) -> Placement | CorePlacement:
    """Read a placement of either kind back. Raises InputError naming the difference for another graph or chip."""
    if is_manycore(architecture):
        from neuromorph.devices.manycore.place.graph import flat
        from neuromorph.devices.manycore.place.storage import load_placement as load_cores

        return load_cores(path, flat(graph, architecture), architecture, graph=graph)
    from neuromorph.devices.layered.place.placement import load_placement

    return load_placement(path, graph, architecture)
