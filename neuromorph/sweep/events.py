"""The evaluator of sweeps over many-core chips: spikes are made once per function and counted and priced per point."""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.events import Raster
from neuromorph.sweep.hardware import KEPT, HardwareEvaluator, Setup
from neuromorph.sweep.space import key_of

if TYPE_CHECKING:
    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.devices.manycore.tally.noc import NetworkSchedule
    from neuromorph.hardware.component import Architecture
    from neuromorph.sweep.space import Point

FORMAT = 1


@dataclass(frozen=True)
class EventState:
    """What an execution leaves behind: all spikes (None where activity was assumed) and how good the answers were.

    metrics: accuracy with its interval, float accuracy, output error. skipped: updates per population and sample that
    were not done; steps_used: of every sample.
    """

    spikes: Raster | None
    metrics: dict[str, float | None]
    skipped: np.ndarray | None = None
    steps_used: np.ndarray | None = None

    def pack(self) -> bytes:
        """An .npz archive with a JSON header."""
        arrays: dict[str, np.ndarray] = {}
        header: dict[str, Any] = {"format": FORMAT, "metrics": self.metrics, "spikes": None}
        if (r := self.spikes) is not None:
            header["spikes"] = {"samples": r.samples, "steps": r.steps, "shape": list(r.shape), "dt_s": r.dt_s}
            arrays |= {"indptr": r.indptr, "index": r.index}
            if r.value is not None:
                arrays["value"] = r.value
        arrays |= {n: a for n in ("skipped", "steps_used") if (a := getattr(self, n)) is not None}
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        out = io.BytesIO()
        np.savez(out, **arrays)  # type: ignore[arg-type]
        return out.getvalue()

    @staticmethod
    def unpack(data: bytes) -> EventState:
        """The inverse of `pack`."""
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays["header"].tobytes())
        s = header["spikes"]
        spikes = None
        if s is not None:
            spikes = Raster(
                s["samples"], s["steps"], tuple(s["shape"]), arrays["indptr"], arrays["index"], arrays.get("value"),
                s["dt_s"],
            )  # fmt: skip
        return EventState(spikes, header["metrics"], arrays.get("skipped"), arrays.get("steps_used"))


@dataclass(frozen=True)
class EventEvaluator(HardwareEvaluator):
    """Evaluates points as `neuromorph.run` does on many-core chips. inputs may be a Raster."""

    preload = (
        "neuromorph.devices.manycore.execute.spiking",
        "neuromorph.devices.manycore.tally.noc",
        "neuromorph.devices.manycore.tally.counts",
        "neuromorph.spiking.lower",
    )

    def run(self, point: Point) -> EventState:  # type: ignore[override]
        """Place and execute; without data, nothing."""
        s = self.setup(point)
        if self.inputs is None:
            return EventState(None, {})
        from neuromorph.devices.manycore.execute.spiking import execute_events

        placement = self._cores(s)
        found = execute_events(placement, self.inputs, self.labels, seed=s.seed, off=self.off)
        metrics: dict[str, float | None] = {"output_error": float(found.error.mean())}
        if (within := found.interval) is not None:
            metrics |= {"accuracy": within.mean, "accuracy_low": within.low, "accuracy_high": within.high}
            metrics["float_accuracy"] = found.float_accuracy
        skipped = None if found.counters is None else found.counters["skipped"] / max(found.samples, 1)
        return EventState(found.spikes, metrics, skipped, found.steps_used)

    def price(self, point: Point, state: EventState) -> dict[str, float | None]:  # type: ignore[override]
        """Energy, latency, power and area of a point from the spikes."""
        from neuromorph.costing.area import chip_area
        from neuromorph.costing.ledger import price
        from neuromorph.devices.manycore.tally.counts import gather_network
        from neuromorph.devices.manycore.tally.noc import known as known_time

        s = self.setup(point)
        placement = self._cores(s)
        traffic, schedule = self._timed(s, placement, state)
        architecture = placement.architecture
        activity = gather_network(placement, traffic, schedule.latency_s, state.skipped, state.steps_used)
        single = price(activity, architecture, known_time(schedule.latency_s))
        steady = price(activity, architecture, known_time(schedule.interval_s))
        area = chip_area(architecture)
        low, high = single.range_j
        known = any(row.kind == "static" for row in single)
        found: dict[str, float | None] = dict(state.metrics)
        found |= {"energy_j": single.total_j, "energy_j_low": low, "energy_j_high": high}
        found["dynamic_energy_j"] = single.total("dynamic")
        found["static_energy_j"] = single.total("static") if known else None
        latency, interval = known_time(schedule.latency_s), known_time(schedule.interval_s)
        found |= {"steady_energy_j": steady.total_j, "latency_s": latency, "interval_s": interval}
        found["throughput_per_s"] = schedule.throughput_hz if interval else None
        found["power_w"] = steady.total_j / interval if interval else None
        found["area_m2"] = area.total_m2 if any(r.area_m2 is not None for r in area.rows) else None
        cores = placement.slices.core
        found["cores_used"] = float(np.unique(cores[cores >= 0]).size)
        found["spikes"] = float(traffic.spikes.sum(axis=1).mean())
        found["synaptic_events"] = float(traffic.events.sum(axis=1).mean())
        return found

    def _timed(self, s: Setup, placement: CorePlacement, state: EventState) -> tuple[Any, NetworkSchedule]:  # type: ignore[override]
        from neuromorph.run import assumed, counted

        if state.spikes is None:
            return assumed(placement, None)
        return counted(placement, state.spikes, state.steps_used)

    def unpack(self, data: bytes) -> EventState:  # type: ignore[override]
        return EventState.unpack(data)

    def pack(self, state: EventState) -> bytes:  # type: ignore[override]
        return state.pack()

    def _cores(self, s: Setup) -> CorePlacement:
        """The placement of a point; quantities decide none, so it is made on the architecture without them."""
        from neuromorph.devices.manycore.place.graph import flat, place_graph
        from neuromorph.hardware.paths import replace

        base = self.architectures[s.architecture]
        others = {p: v for p, v in s.changes.items() if self.parameter(s.architecture, p).role != "quantity"}
        key = key_of({"model": s.model, "architecture": s.architecture, "seed": s.seed, "changes": others})

        def make() -> CorePlacement:
            from neuromorph.devices.manycore.execute.spiking import as_raster, expected_rates

            chip = replace(base, others)
            network = flat(self.graphs[s.model], chip)
            rates = None
            if self.inputs is not None:
                rates = expected_rates(network, as_raster(self.inputs, network))
            return place_graph(self.graphs[s.model], chip, network=network, rates=rates, seed=s.seed)

        placement = self._remember(f"placement {key}", make, most=KEPT)
        architecture: Architecture = replace(base, s.changes)
        return dataclasses.replace(placement, architecture=architecture)
