"""A network whose spikes are known already, on a many-core chip: place, count, time, price, report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.counts import Activity, ActivityRow
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.kind import KIND, CoreTrace
from neuromorph.devices.manycore.place import place_network
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.metrics import Metric
from neuromorph.devices.protocol import Times
from neuromorph.events.raster import Raster
from neuromorph.hardware.component import Architecture
from neuromorph.report.headline import Cost, cost_of
from neuromorph.report.model import Report, build_report
from neuromorph.spiking.network import SpikingNetwork
from neuromorph.version import __version__

if TYPE_CHECKING:
    from neuromorph.costing.ledger import Ledger
    from neuromorph.devices.manycore.tally.spikes import Traffic


@dataclass(frozen=True, eq=False)
class Hosted:
    """A network on a chip with what its spikes cause and cost."""

    placement: CorePlacement
    trace: CoreTrace
    activity: Activity
    times: Times
    cost: Cost

    @property
    def traffic(self) -> Traffic:
        """What the spikes cause."""
        found: Traffic = self.times.record.traffic
        return found

    @property
    def ledger(self) -> Ledger:
        """Energy of the sample."""
        return self.cost.energy.single

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
            "neuromorph": __version__, "architecture": architecture.name, "architecture_title": architecture.title,
            "boundary": architecture.boundary, **provenance,
        }  # fmt: skip
        tallied = (self.activity, self.times)
        found = build_report(KIND, self.placement, self.trace, None, tallied, self.cost, facts, (), sections)
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
    weight = None if spikes.value is None else np.abs(spikes.value)
    rates = np.bincount(spikes.index, weight, network.neurons) / max(spikes.samples, 1)
    placement = place_network(network, architecture, read_machine(architecture), rates=rates, seed=seed, effort=effort)
    trace = CoreTrace(spikes)
    counted, times = KIND.tally(placement, trace)
    activity = dataclasses.replace(counted, rows=(*counted.rows, *extra))
    return Hosted(placement, trace, activity, times, cost_of(architecture, activity, times))
