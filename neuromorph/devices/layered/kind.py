"""The engine for chips that host a network layer by layer, as a kind of hardware.

Kinds of cores that compute layers (`layered.core.CoreKind`) answer questions about groups of nodes; from those answers
this engine places, runs and counts networks whole, for all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.layered.core import Statistics
from neuromorph.devices.options import draw_of, option
from neuromorph.devices.physics import Physics, left_out, spared_of
from neuromorph.devices.protocol import Assumption, Described, Draw, Energy, Kind, Times
from neuromorph.errors import InputError, Place
from neuromorph.events.inputs import as_inputs

if TYPE_CHECKING:
    from neuromorph.counts import Activity
    from neuromorph.devices.layered.execute import Calibration
    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.devices.metrics import Metric
    from neuromorph.devices.protocol import Inputs
    from neuromorph.devices.result import Execution
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.progress import Progress


@dataclass(frozen=True)
class Options:
    """What chips that host layers take besides."""

    effort: str = option(
        "normal", "place", doc="length of the search for tile positions: none, quick, normal, thorough"
    )
    copies: Mapping[str, int] | None = option(None, "place", doc="replicas by node name, 1 for all others")
    duplicate: bool = option(True, "place", doc="copy early layers into free arrays to balance the pipeline")
    calibration: Calibration | None = option(None, "execute", "attribute", doc="ranges found by `calibrate`",
                                             holds="ranges")  # fmt: skip
    calibration_inputs: Inputs | None = option(
        None, "execute", "attribute", doc="data that ranges are found on; left out: the first inputs of the run itself"
    )
    output: str | None = option(
        None, "execute", "attribute", doc="name of the output that labels are of, where a network has several"
    )


@dataclass(frozen=True)
class LayerTrace:
    """What flowed through each hosted node. statistics: by node name."""

    statistics: Mapping[str, Statistics]

    @property
    def origin(self) -> str:
        origins = {s.origin for s in self.statistics.values()}
        return "assumed" if "assumed" in origins else "executed"

    def pack(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See `devices.protocol.Trace`."""
        nodes: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        for i, (name, s) in enumerate(self.statistics.items()):
            nodes.append({"node": name, "origin": s.origin, "spread": s.spread, "values": list(s.values)})
            arrays |= {f"s{i}_{k}": np.asarray(v) for k, v in enumerate(s.values.values())}
        return {"nodes": nodes}, arrays

    @staticmethod
    def unpack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> LayerTrace:
        """The inverse of `pack`."""
        found = {}
        for i, n in enumerate(header["nodes"]):
            values = {key: arrays[f"s{i}_{k}"] for k, key in enumerate(n["values"])}
            found[n["node"]] = Statistics(values, n["origin"], n["spread"])
        return LayerTrace(found)


class LayeredKind(Kind):
    """Chips of tiles with cores that compute layers: crossbars, MAC arrays."""

    root = "chip"
    title = "chips that host layers"
    options = Options
    draws = frozenset({"seed", "trials", "time_s", "off", "batch", "workers", "torch_device"})
    trials = 10
    preload = ("neuromorph.devices.layered.execute.engine", "neuromorph.devices.layered.describe", "torch")

    def effects(self, architecture: Architecture) -> tuple[str, ...]:
        from neuromorph.devices.layered.place.demand import read_chip

        return read_chip(architecture).kind.effects

    def physics(self, architecture: Architecture) -> tuple[Physics, ...]:
        from neuromorph.devices.layered.place.demand import read_chip

        chip = read_chip(architecture)
        return (
            *chip.kind.physics(chip.unit),
            Physics("waiting for buffers and links", True, "layers overlap as a pipeline of finite buffers"),
            *left_out(
                "rounding of element-wise operations beside the cores", "clock skew and timing faults",
                "temperature and supply variation", "ageing", "errors of transport and memory",
            ),
        )  # fmt: skip

    def spared(self, architecture: Architecture) -> Mapping[str, str]:
        from neuromorph.devices.layered.place.demand import read_chip

        chip, tile = architecture.chip, architecture.chip["tile"]
        alone = "there is one tile" if tile.count == 1 else ""
        single = alone if chip.settings.chips == 1 else ""
        pools = "the vector unit pools" if tile.get("vector_unit") is not None else ""
        kept = "only what exceeds the buffers of tiles goes there, and is listed where a network does"
        found = spared_of(chip, {"memory": kept} | ({"link": alone} if alone else {}))
        found |= spared_of(tile, ({"router": single} if single else {}) | ({"pooling_unit": pools} if pools else {}))
        read = read_chip(architecture)
        return found | dict(read.kind.spared(read.unit))

    def unhoused(self, architecture: Architecture) -> tuple[str, ...]:
        from neuromorph.devices.layered.place.demand import read_chip

        read = read_chip(architecture)
        return ("clock distribution", "instruction and sequence control", *read.kind.unhoused(read.unit))

    def place(
        self,
        graph: Graph,
        architecture: Architecture,
        inputs: Inputs | None,
        options: Options,
        seed: int,
        say: Progress,
    ) -> Placement:  # fmt: skip
        from neuromorph.devices.layered.place import place

        return place(
            graph, architecture, seed=seed, effort=options.effort, copies=options.copies, duplicate=options.duplicate,
            progress=say,
        )  # fmt: skip

    def load(self, path: str | Path, graph: Graph, architecture: Architecture) -> Placement:
        from neuromorph.devices.layered.place.loading import load

        return load(path, graph, architecture)

    def execute(
        self,
        placement: Placement,
        inputs: Inputs,
        labels: np.ndarray | None,
        draw: Draw,
        options: Options,
        say: Progress,
    ) -> tuple[Execution, LayerTrace]:
        from neuromorph.devices.layered.execute import execute

        execution = execute(
            placement, inputs, labels, trials=draw.trials, seed=draw.seed, time_s=draw.time_s, off=draw.off,
            calibration=self._calibration(placement, options, draw), batch=draw.batch, workers=draw.workers,
            torch_device=draw.torch_device, output=options.output, progress=say,
        )  # fmt: skip
        return execution, LayerTrace(execution.statistics)

    def _calibration(self, placement: Placement, options: Options, draw: Draw) -> Calibration | None:
        if options.calibration is not None or options.calibration_inputs is None:
            return options.calibration
        return self.calibrate(placement, options.calibration_inputs, torch_device=draw.torch_device)

    def prepared(self, placement: Placement, inputs: Inputs, options: Options, draw: Draw) -> Options:
        from neuromorph.devices.layered.execute.engine import CALIBRATION_SAMPLES

        found = self._calibration(placement, options, draw)
        if found is None:
            found = self.calibrate(placement, inputs, torch_device=draw.torch_device, samples=CALIBRATION_SAMPLES)
        return dataclasses.replace(options, calibration=found)

    def calibrate(
        self, placement: Placement, inputs: Inputs, *, torch_device: str = "cpu", samples: int | None = None
    ) -> Calibration:
        from neuromorph.devices.layered.execute import calibrate

        given = as_inputs(inputs, placement.graph, dense=True)
        return calibrate(placement, np.asarray(given)[:samples], torch_device=torch_device)

    def finetune(self, placement: Placement, inputs: Inputs, labels: np.ndarray, **settings: Any) -> Any:
        from neuromorph.devices.layered.execute.finetune import finetune

        drawn = {n: settings.pop(n) for n in ("seed", "time_s", "off", "batch", "torch_device") if n in settings}
        draw = draw_of(self, placement.architecture, **drawn)
        legal = ("epochs", "learning_rate", "redraw", "progress")
        if unknown := sorted(set(settings) - set(legal)):
            names = ", ".join([*legal, "seed", "time_s", "off", "batch", "torch_device"])
            raise InputError(f"finetune has no option {unknown[0]!r}", Place(key=unknown[0]), f"legal: {names}")
        return finetune(
            placement, inputs, labels, seed=draw.seed, time_s=draw.time_s, off=sorted(draw.off),
            batch=draw.batch, torch_device=draw.torch_device, **settings,
        )  # fmt: skip

    def estimate(
        self, graph: Graph, architecture: Architecture, values: Mapping[str, Sequence[Any]], density: float
    ) -> Any:
        from neuromorph.devices.layered.designs import estimate

        return estimate(graph, architecture, values, density=density)

    def assume(self, placement: Placement, assumption: Assumption | None) -> LayerTrace:
        from neuromorph.devices.layered.tally.counts import assume

        return LayerTrace(assume(placement, assumption).statistics)

    def unpack(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> LayerTrace:
        return LayerTrace.unpack(header, arrays)

    def tally(self, placement: Placement, trace: LayerTrace) -> tuple[Activity, Times]:
        from neuromorph.devices.layered.tally.counts import gather
        from neuromorph.devices.layered.tally.times import schedule

        activity = gather(placement, trace.statistics)
        found = schedule(placement, activity)
        latency, interval = found.latency_s, found.interval_s or None
        notes = placement.chip.kind.shortages(placement.chip.unit)
        return activity, Times(
            latency, interval, found.bottleneck, unmodelled=found.unmodelled, notes=notes, record=found
        )

    def metrics(self, placement: Placement, activity: Activity, times: Times, energy: Energy) -> Sequence[Metric]:
        from neuromorph.devices.layered.describe import metrics

        return metrics(placement, energy)

    def describe(
        self, placement: Placement, trace: LayerTrace, execution: Execution | None, activity: Activity, times: Times,
        energy: Energy,
    ) -> Described:  # fmt: skip
        from neuromorph.devices.layered.describe import describe

        return describe(placement, execution, times, energy)


KIND = LayeredKind()
