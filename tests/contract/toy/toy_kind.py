"""A toy kind of hardware that needs no edit elsewhere: it places, runs, counts and describes networks whole.

A stage per layer with weights takes products / folding cycles for a sample; stages overlap. Weights are rounded to the
bits of the chip.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuromorph.counts import Activity, ActivityRow
from neuromorph.devices import placed_file
from neuromorph.devices.explained import explained
from neuromorph.devices.metrics import Metric, section
from neuromorph.devices.options import option
from neuromorph.devices.physics import Physics
from neuromorph.devices.protocol import Described, Draw, Kind, Limit, Times
from neuromorph.devices.result import Execution
from neuromorph.errors import FitError
from neuromorph.graph.evaluate import Evaluator, FloatHost


@dataclass(frozen=True)
class Options:
    folding: int = option(4, "place", doc="multipliers of a stage")


@dataclass(frozen=True, eq=False)
class ToyPlacement:
    graph: Any
    architecture: Any
    macs: dict[str, int]
    folding: int
    seed: int
    effort: str = "none"

    @property
    def name(self) -> str:
        return self.graph.name

    @property
    def limits(self) -> tuple[Limit, ...]:
        unit = self.architecture.chip["multiplier"]
        return (Limit("multipliers", unit.path, len(self.macs) * self.folding, unit.count, "", True),)

    @property
    def binding(self) -> Limit:
        return self.limits[0]

    @property
    def signature(self) -> str:
        return json.dumps([self.macs, self.folding])

    def on(self, architecture: Any) -> ToyPlacement:
        return dataclasses.replace(self, architecture=architecture)

    def explain(self) -> dict[str, Any]:
        rows = [{"layer": n, "macs": m} for n, m in self.macs.items()]
        columns = [("layer", "layer", "text"), ("macs", "MACs", "number")]
        return explained(
            self, summary={"order": "as given"}, layers=rows, columns=columns, orders=[("as given", 1.0)],
            measure=("stages", "number"),
        )  # fmt: skip

    def save(self, path: str | Path) -> list[Path]:
        document = {"seed": self.seed, "folding": self.folding, "macs": self.macs}
        return placed_file.write(path, "toy_pipeline", self.architecture, document, {})


@dataclass(frozen=True)
class ToyTrace:
    macs: dict[str, float]
    origin: str

    def pack(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"macs": self.macs, "origin": self.origin}, {}


class ToyKind(Kind):
    root = "toy_pipeline"
    title = "toy pipelines"
    options = Options
    draws = frozenset({"seed", "off"})

    def effects(self, architecture):
        return ("rounding",)

    def physics(self, architecture):
        return (Physics("rounding of weights", True, effect="rounding"),)

    def place(self, graph, architecture, inputs, options, seed, say):
        shapes = graph.shapes
        found = {n.name: n.operator.matrices([shapes[i] for i in n.inputs]) for n in graph.nodes}
        macs = {name: sum(m.macs for m in matrices) for name, matrices in found.items() if matrices}
        placement = ToyPlacement(graph, architecture, macs, options.folding, seed)
        if placement.binding.degree > 1:
            raise FitError(f"{placement.binding.used} multipliers, the chip has {placement.binding.available}")
        return placement

    def load(self, path, graph, architecture):
        document, _ = placed_file.read(path, self.root, architecture, ())
        placed = self.place(graph, architecture, None, Options(document["folding"]), document["seed"], None)
        assert placed.macs == document["macs"]
        return placed

    def execute(self, placement, inputs, labels, draw: Draw, options, say):
        evaluator = Evaluator(placement.graph)
        bits = placement.architecture.chip.settings.bits
        hosts = dict(evaluator.hosts)
        for node in placement.graph.nodes if "rounding" not in draw.off else ():
            if node.name in placement.macs:
                weight = torch.tensor(node.operator.weight)
                step = weight.abs().max() / 2 ** (bits - 1)
                hosts[node.name] = FloatHost(node.operator, {"weight": (weight / step).round() * step})
        x = torch.as_tensor(np.asarray(inputs), dtype=torch.float32)[None]
        exact, y = (evaluator(x, hosts=h)[0].numpy() for h in (evaluator.hosts, hosts))
        accuracy, float_accuracy = None, None
        if labels is not None:
            accuracy = np.array([(y.argmax(-1) == labels).mean()])
            float_accuracy = float((exact.argmax(-1) == labels).mean())
        error = np.array([np.linalg.norm(y - exact) / np.linalg.norm(exact)])
        found = Execution(
            (0,), len(inputs), draw.seed, 0.0, draw.off, accuracy, float_accuracy, error, (), {}, y[None]
        )  # fmt: skip
        return found, ToyTrace({n: float(m) for n, m in placement.macs.items()}, "executed")

    def assume(self, placement, assumption):
        return ToyTrace({n: float(m) for n, m in placement.macs.items()}, "assumed")

    def unpack(self, header, arrays):
        return ToyTrace(header["macs"], header["origin"])

    def tally(self, placement, trace):
        chip = placement.architecture.chip
        unit = chip["multiplier"].path
        rows = tuple(ActivityRow(name, unit, "mac", count) for name, count in trace.macs.items())
        seconds = [math.ceil(m / placement.folding) / chip.settings.clock for m in trace.macs.values()]
        slowest = list(trace.macs)[int(np.argmax(seconds))]
        return Activity(rows, trace.origin, {}), Times(sum(seconds), max(seconds), slowest, record=seconds)

    def metrics(self, placement, activity, times, energy):
        return [Metric("multipliers_used", placement.binding.used, "1", basis="derived")]

    def describe(self, placement, trace, execution, activity, times, energy):
        joules = energy.single.by("layer")
        layers = [{"layer": n, "macs": m, "energy_j": joules.get(n)} for n, m in placement.macs.items()]
        rows = [[name, s] for name, s in zip(placement.macs, times.record, strict=True)]
        stages = section("stages", "Stages", [("stage", "stage", None), ("s", "of a sample", "s")], rows)
        return Described(layers, sections=[stages])


KIND = ToyKind()
