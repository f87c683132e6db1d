"""Many-core chips: place, execute event by event, count, time the network, price, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.activity.manycore import gather_network
from neuromorph.activity.spikes import Traffic, assume_traffic, count_traffic
from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.costing.noc import NetworkSchedule, known, schedule_network
from neuromorph.devices.kind import Assumption
from neuromorph.devices.manycore import read_machine
from neuromorph.errors import InputError
from neuromorph.mapping.manycore.graph import flat, place_graph
from neuromorph.pipeline.facts import provenance_of, work_sections
from neuromorph.report.events import build_event_report
from neuromorph.report.model import Report

if TYPE_CHECKING:
    from neuromorph.execution.events import StopRule
    from neuromorph.execution.spiking import SpikingExecution
    from neuromorph.graph.events import Raster
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.mapping.manycore.placement import CorePlacement

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
    """See `neuromorph.pipeline.run`."""
    from neuromorph.execution.spiking import as_raster, execute_events, expected_rates

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
    from neuromorph.costing.noc import assume_schedule

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
    from neuromorph.execution.effects import EffectCost
    from neuromorph.execution.spiking import EFFECTS, execute_events

    found = []
    for effect in (e for e in EFFECTS if e not in dropped):
        without = execute_events(placement, raster, labels, seed=seed, off=[*dropped, effect], workers=workers)
        assert without.accuracy is not None
        assert execution.accuracy is not None
        gain = float(without.accuracy[0] - execution.accuracy[0])
        error = float(np.sqrt(max(abs(gain) - gain**2, 0.0) / max(len(raster), 1)))
        found.append(EffectCost(effect, float(without.accuracy[0]), gain, error))
    return tuple(found)
