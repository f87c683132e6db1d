"""Many-core chips that run a spiking network whole, as a kind of hardware.

Which synapses, packets, links and memory words a spike costs follows from the spike and the placement alone. So the
trace of an execution is its spikes, and traffic, energies and times are counted from them afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.manycore.losses import Losses
from neuromorph.devices.manycore.reading import read_machine
from neuromorph.devices.options import option
from neuromorph.devices.physics import Physics
from neuromorph.devices.protocol import Assumption, Described, Draw, Energy, Kind, Times
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster

if TYPE_CHECKING:
    from neuromorph.counts import Activity
    from neuromorph.devices.manycore.execute import StopRule
    from neuromorph.devices.manycore.execute.spiking import SpikingExecution
    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.devices.manycore.tally.noc import NetworkSchedule
    from neuromorph.devices.manycore.tally.spikes import Traffic
    from neuromorph.devices.metrics import Metric
    from neuromorph.devices.protocol import Inputs
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.progress import Progress

ASSUMED_RATE = 0.05
"""Spikes per neuron and step where nothing is run and nothing else is said: an assumption of ours."""


@dataclass(frozen=True)
class Options:
    """What many-core chips take besides."""

    effort: str = option("normal", "place", doc="length of the search for cores: none, quick, normal, thorough")
    rates: np.ndarray | None = option(None, "place", doc="expected spikes per neuron and sample, (neurons,)")
    stop: StopRule | None = option(
        None,
        "execute",
        "attribute",
        doc="a StopRule, which ends a sample once its answer is certain",
        holds="threshold",
    )


@dataclass(frozen=True, eq=False)
class CoreTrace:
    """What an execution leaves behind: all spikes, or where nothing was run the spikes per neuron and step.

    spikes: of all neurons, inputs included. steps_used: (samples,) where a stop rule ended samples. skipped:
    (populations,) updates per sample that were not done. losses: packets that the answers lack (None: they were not
    asked to lack any); apart: of these, whose fate the spikes of the run would change. account: of a placement, where
    losses needed it already.
    """

    spikes: Raster | None
    density: float | None = None
    steps_used: np.ndarray | None = None
    skipped: np.ndarray | None = None
    losses: Losses | None = None
    apart: int = 0
    account: tuple[CorePlacement, Account] | None = None

    @property
    def origin(self) -> str:
        return "assumed" if self.spikes is None else "executed"

    def pack(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See `devices.protocol.Trace`."""
        arrays = {n: a for n in ("steps_used", "skipped") if (a := getattr(self, n)) is not None}
        header: dict[str, Any] = {"density": self.density, "spikes": None, "apart": self.apart}
        if self.losses is not None:
            arrays |= {f"lost_{f.name}": getattr(self.losses, f.name) for f in fields(Losses)}
        if (r := self.spikes) is not None:
            header["spikes"] = {"samples": r.samples, "steps": r.steps, "shape": list(r.shape), "dt_s": r.dt_s}
            arrays |= {"indptr": r.indptr, "index": r.index} | ({} if r.value is None else {"value": r.value})
        return header, arrays

    @staticmethod
    def unpack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> CoreTrace:
        """The inverse of `pack`."""
        s, spikes = header["spikes"], None
        if s is not None:
            spikes = Raster(
                s["samples"], s["steps"], tuple(s["shape"]), arrays["indptr"], arrays["index"], arrays.get("value"),
                s["dt_s"],
            )  # fmt: skip
        lost = {n.removeprefix("lost_"): a for n, a in arrays.items() if n.startswith("lost_")}
        return CoreTrace(
            spikes, header["density"], arrays.get("steps_used"), arrays.get("skipped"),
            Losses(**lost) if lost else None, header["apart"],
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Account:
    """What spikes cause and when: `Times.record` of this kind."""

    traffic: Traffic
    schedule: NetworkSchedule
    late_comes: bool = False

    @cached_property
    def missing(self) -> Losses:
        """Packets that their cores do not get in time."""
        from neuromorph.devices.manycore.tally.noc import missing

        assert self.schedule.times is not None
        return missing(self.schedule.times, self.late_comes)


class ManycoreKind(Kind):
    """Chips of cores that update neurons and exchange spikes as packets."""

    root = "manycore"
    title = "many-core chips"
    options = Options
    draws = frozenset({"seed", "off", "workers"})
    places_by_data = True
    preload = (
        "neuromorph.devices.manycore.execute.spiking", "neuromorph.devices.manycore.tally.noc",
        "neuromorph.devices.manycore.tally.counts", "neuromorph.devices.manycore.describe", "neuromorph.spiking.lower",
    )  # fmt: skip

    def effects(self, architecture: Architecture) -> tuple[str, ...]:
        from neuromorph.devices.manycore.execute.spiking import EFFECTS

        real = architecture.chip.settings.step is not None
        return EFFECTS if real else tuple(e for e in EFFECTS if e != "losses")

    def physics(self, architecture: Architecture) -> tuple[Physics, ...]:
        from neuromorph.devices.manycore.physics import physics_of

        return physics_of(architecture)

    def spared(self, architecture: Architecture) -> Mapping[str, str]:
        from neuromorph.devices.manycore.physics import spared_of

        return spared_of(architecture)

    def unhoused(self, architecture: Architecture) -> tuple[str, ...]:
        return ("loading of programs and tables", "distribution of clocks, or handshakes of links without one")

    def place(
        self,
        graph: Graph,
        architecture: Architecture,
        inputs: Inputs | None,
        options: Options,
        seed: int,
        say: Progress,
    ) -> CorePlacement:  # fmt: skip
        from neuromorph.devices.manycore.execute.spiking import as_raster, expected_rates
        from neuromorph.devices.manycore.place.graph import flat, place_graph

        network, rates = flat(graph, architecture), options.rates
        if rates is None and inputs is not None:
            rates = expected_rates(network, as_raster(inputs, network))
        return place_graph(
            graph, architecture, network=network, rates=rates, seed=seed, effort=options.effort, progress=say
        )

    def load(self, path: str | Path, graph: Graph, architecture: Architecture) -> CorePlacement:
        from neuromorph.devices.manycore.place.graph import flat
        from neuromorph.devices.manycore.place.loading import load_placement

        return load_placement(path, flat(graph, architecture), architecture, graph=graph)

    def execute(
        self, placement: CorePlacement, inputs: Inputs, labels: np.ndarray | None, draw: Draw, options: Options,
        say: Progress,
    ) -> tuple[SpikingExecution, CoreTrace]:  # fmt: skip
        from neuromorph.devices.manycore.execute.spiking import execute_events

        kept: list[Account] = []

        def lose(spikes: Raster, used: np.ndarray) -> Losses:
            kept[:] = [_account(placement, CoreTrace(spikes, steps_used=used))]
            return kept[0].missing

        found = execute_events(
            placement, inputs, labels, seed=draw.seed, off=draw.off, stop=options.stop, workers=draw.workers,
            progress=say, lose=None if _unfed(placement) is not None else lose,
        )  # fmt: skip
        skipped = None if found.counters is None else found.counters["skipped"] / max(found.samples, 1)
        losses = None if found.feedback is None else found.feedback.losses
        apart = 0 if found.feedback is None else found.feedback.apart
        if "losses" in draw.off:
            apart = -1
        account = (placement, kept[0]) if kept else None
        return found, CoreTrace(found.spikes, None, found.steps_used, skipped, losses, apart, account)

    def assume(self, placement: CorePlacement, assumption: Assumption | None) -> CoreTrace:
        return CoreTrace(None, ASSUMED_RATE if assumption is None else assumption.density)

    def unpack(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> CoreTrace:
        return CoreTrace.unpack(header, arrays)

    def tally(self, placement: CorePlacement, trace: CoreTrace) -> tuple[Activity, Times]:
        from neuromorph.devices.manycore.tally.counts import gather_network
        from neuromorph.devices.manycore.tally.noc import known

        same = trace.account is not None and trace.account[0] is placement
        account = trace.account[1] if same and trace.account is not None else _account(placement, trace)
        s = account.schedule
        activity = gather_network(placement, account.traffic, s.latency_s, trace.skipped, trace.steps_used)
        latency, interval, low, high = map(known, (s.latency_s, s.interval_s, s.latency_low_s, s.latency_high_s))
        if low == high:  # one sample, steps in real time, or an assumption: no range is known
            low = high = None
        return activity, Times(
            latency, interval or None, s.bottleneck, low, high, s.unmodelled, s.notes,
            _ignored(placement, trace, account), account,
        )  # fmt: skip

    def metrics(self, placement: CorePlacement, activity: Activity, times: Times, energy: Energy) -> Sequence[Metric]:
        from neuromorph.devices.manycore.describe import metrics

        return metrics(placement, times.record.traffic, energy)

    def describe(
        self, placement: CorePlacement, trace: CoreTrace, execution: SpikingExecution | None, activity: Activity,
        times: Times, energy: Energy,
    ) -> Described:  # fmt: skip
        from neuromorph.devices.manycore.describe import describe

        return describe(placement, times.record.traffic, times.record.schedule, execution, energy)


def _account(placement: CorePlacement, trace: CoreTrace) -> Account:
    """Traffic and times for all spikes of a run, or for every neuron firing with the assumed density of a step."""
    from neuromorph.devices.manycore.tally.noc import assume_schedule, schedule_network
    from neuromorph.devices.manycore.tally.spikes import assume_traffic, count_traffic

    machine = read_machine(placement.architecture)
    if trace.spikes is not None:
        traffic = count_traffic(placement, trace.spikes)
        schedule = schedule_network(
            placement, trace.spikes, machine, steps_used=trace.steps_used, routes=traffic.routes
        )  # fmt: skip
        return Account(traffic, schedule, machine.late == "next")
    if placement.graph is None or trace.density is None:
        raise InputError("a network without a graph has no number of steps", hint="give data")
    steps = next(iter(placement.graph.input_shapes.values()))[0] + placement.network.latency
    traffic = assume_traffic(placement, np.full(placement.network.neurons, trace.density), steps)
    return Account(traffic, assume_schedule(placement, traffic, machine))


def _unfed(placement: CorePlacement) -> str | None:
    """Why lost and late packets cannot be left out of the answers; "" where there are none, None: they can."""
    if placement.architecture.chip.settings.step is None:
        return ""
    if learning := [p.name for p in placement.network.projections if p.plasticity is not None]:
        return f"{', '.join(learning)}: what a synapse learns without a packet is not modelled"
    if any(p.synapses and int(p.delay.min()) < 1 for p in placement.network.projections):
        return "spikes without delay are lost in the step that they cause"
    return None


def _ignored(placement: CorePlacement, trace: CoreTrace, account: Account) -> str:
    """What the answers of a run do not lack, but the chip would; empty where they are those of the chip."""
    if trace.spikes is None or trace.apart < 0 or not account.schedule.losses:
        return ""
    if why := _unfed(placement):
        return f"{account.schedule.losses} ({why})"
    had = Losses.none(trace.spikes.samples * trace.spikes.steps) if trace.losses is None else trace.losses
    return "" if account.missing.apart(had) == trace.apart else account.schedule.losses


KIND = ManycoreKind()
