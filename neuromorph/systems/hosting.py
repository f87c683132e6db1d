"""A network whose spikes are known already, on a many-core chip: place, count, time, price, report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import neuromorph
from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import Ledger, price
from neuromorph.counts import Activity, ActivityRow
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.describe import build_event_report
from neuromorph.devices.manycore.place import place_network
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.tally.counts import gather_network
from neuromorph.devices.manycore.tally.noc import NetworkSchedule, schedule_network
from neuromorph.devices.manycore.tally.spikes import Traffic, count_traffic
from neuromorph.devices.metrics import Metric
from neuromorph.events.raster import Raster
from neuromorph.hardware.component import Architecture
from neuromorph.report.model import Report
from neuromorph.spiking.network import SpikingNetwork


@dataclass(frozen=True, eq=False)
class Hosted:
    """A network on a chip with what its spikes cause and cost; steady: the ledger of an uninterrupted stream."""

    placement: CorePlacement
    traffic: Traffic
    schedule: NetworkSchedule
    ledger: Ledger
    steady: Ledger

    def report(
        self,
        provenance: Mapping[str, Any],
        metrics: Sequence[Metric] = (),
        sections: Sequence[Mapping[str, Any]] = (),
        notes: Sequence[str] = (),
    ) -> Report:
        """The report of the chip, with the system's own metrics in front and its sections and notes behind."""
        architecture = self.placement.architecture
        facts = {
            "neuromorph": neuromorph.__version__, "architecture": architecture.name,
            "architecture_title": architecture.title, "boundary": architecture.boundary, **provenance,
        }  # fmt: skip
        found = build_event_report(
            self.placement, self.traffic, self.ledger, self.steady, chip_area(architecture), self.schedule, None,
            facts, (), tuple(sections),
        )  # fmt: skip
        return dataclasses.replace(found, metrics=(*metrics, *found.metrics), notes=(*found.notes, *notes))


def host(
    network: SpikingNetwork,
    spikes: Raster,
    architecture: Architecture,
    *,
    extra: Sequence[ActivityRow] = (),
    seed: int = 0,
    effort: str = "normal",
) -> Hosted:
    """Places the network by the rates of its spikes and counts, times and prices them.

    spikes: over all neurons of the network. extra: actions that spikes do not tell. FitError where it does not fit.
    """
    machine = read_machine(architecture)
    weight = None if spikes.value is None else np.abs(spikes.value)
    rates = np.bincount(spikes.index, weight, network.neurons) / max(spikes.samples, 1)
    placement = place_network(network, architecture, machine, rates=rates, seed=seed, effort=effort)
    traffic = count_traffic(placement, spikes)
    schedule = schedule_network(placement, spikes, machine)
    counted = gather_network(placement, traffic, schedule.latency_s)
    activity = Activity((*counted.rows, *extra), counted.origin, counted.statistics)
    return Hosted(
        placement, traffic, schedule, price(activity, architecture, schedule.latency_s),
        price(activity, architecture, schedule.interval_s),
    )  # fmt: skip
