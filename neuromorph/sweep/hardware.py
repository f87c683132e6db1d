"""The evaluator of real sweeps: networks on architectures, executed once per function and priced per point."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neuromorph import units
from neuromorph.errors import InputError, Place
from neuromorph.sweep.fingerprint import fingerprint
from neuromorph.sweep.space import SPECIAL, Point, Value, key_of

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.counts import Activity
    from neuromorph.devices.layered.execute import Execution
    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.hardware.paths import Parameter
    from neuromorph.sweep.metrics import Timing
    from neuromorph.sweep.state import State

STRUCTURE = ("chip", "tile", "core", "array")
"""Components whose settings and numbers decide how a network is cut and placed."""

KEPT = 8
"""Placements that an evaluator keeps."""


@dataclass(frozen=True)
class Setup:
    """What one point stands for: which of the evaluator's graphs and architectures, options, changed parameters."""

    model: str
    architecture: str
    trials: int
    seed: int
    time_s: float
    changes: Mapping[str, Value]


@dataclass(frozen=True)
class HardwareEvaluator:
    """Evaluates points as `neuromorph.run` would with the same options; see there for the arguments.

    graphs and architectures: by the values of the axes "model" and "architecture", the first of each where not varied.
    """

    graphs: Mapping[str, Graph]
    architectures: Mapping[str, Architecture]
    inputs: np.ndarray | None = None
    labels: np.ndarray | None = None
    calibration_inputs: np.ndarray | None = None
    trials: int = 10
    seed: int = 0
    time_s: float = 0.0
    off: tuple[str, ...] = ()
    batch: int = 128
    torch_device: str = "cpu"
    _kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    preload = (
        "neuromorph.devices.layered.execute.engine",
        "neuromorph.sweep.metrics",
        "neuromorph.sweep.state",
        "torch",
    )
    """Modules that worker processes need, loaded once before they start."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}

    def setup(self, point: Point) -> Setup:
        """The options and changes of a point."""
        p = point.parameters
        return Setup(
            str(p.get("model", next(iter(self.graphs)))),
            str(p.get("architecture", next(iter(self.architectures)))),
            int(p.get("trials", self.trials)),
            int(p.get("seed", self.seed)),
            units.parse(p["time"], "s") if "time" in p else self.time_s,
            {path: value for path, value in p.items() if path not in SPECIAL},
        )

    def parameter(self, architecture: str, path: str) -> Parameter:
        """The parameter of this path in an architecture."""
        from neuromorph.hardware.paths import resolve

        def make() -> Parameter:
            return resolve(self.architectures[architecture], path)

        found: Parameter = self._remember(f"parameter {architecture} {path}", make, most=None)
        return found

    def function_key(self, point: Point) -> str:
        """Points agree in it that differ only in parameters that affect neither computed values nor the placement."""
        s = self.setup(point)
        fixed = {path: v for path, v in s.changes.items() if self._affects_function(s.architecture, path)}
        what = dataclasses.asdict(dataclasses.replace(s, changes=fixed))
        if self.inputs is None:
            what |= {"trials": 0, "time_s": 0.0}
        return key_of(what)

    def _affects_function(self, architecture: str, path: str) -> bool:
        p = self.parameter(architecture, path)
        if p.role == "quantity":
            return "function" in p.affects
        return p.role == "part" or "function" in p.affects or p.component.name in STRUCTURE

    def run(self, point: Point) -> State:
        """Place, calibrate and execute; without data, assume the activity."""
        from neuromorph.hardware.paths import replace

        s = self.setup(point)
        placement, digest = self._placed(s)
        return self._run(
            with_architecture(placement, replace(self.architectures[s.architecture], s.changes)), digest, s
        )

    def _run(self, placement: Placement, digest: str, s: Setup) -> State:
        from neuromorph.devices.layered.tally.counts import assume
        from neuromorph.sweep.state import State

        if self.inputs is None:
            return State(dict(assume(placement).statistics), None, digest)
        execution = self._execute(placement, s)
        return State(dict(execution.statistics), dataclasses.replace(execution, outputs=None), digest)

    def _execute(self, placement: Placement, s: Setup) -> Execution:
        from neuromorph.devices.layered.execute import calibrate, execute

        assert self.inputs is not None
        with _one_thread():
            calibration = None
            if self.calibration_inputs is not None:
                calibration = calibrate(placement, self.calibration_inputs, torch_device=self.torch_device)
            return execute(
                placement, self.inputs, self.labels, trials=s.trials, seed=s.seed, time_s=s.time_s, off=self.off,
                calibration=calibration, batch=self.batch, torch_device=self.torch_device,
            )  # fmt: skip

    def price(self, point: Point, state: State) -> dict[str, float | None]:
        """Energy, latency, power and area of a point from what was executed."""
        from neuromorph.hardware.paths import replace
        from neuromorph.sweep.frozen import Freezer
        from neuromorph.sweep.metrics import metrics_of

        s = self.setup(point)
        architecture = replace(self.architectures[s.architecture], s.changes)
        placement, digest = self._placed(s)
        if digest != state.layout:  # a parameter moved the placement after all
            state = self._run(with_architecture(placement, architecture), digest, s)
        freezer: Freezer = self._remember("freezer", Freezer, most=1)
        architecture = freezer.freeze(architecture)
        activity, timing = self._timed(s, placement, architecture, state)
        return metrics_of(architecture, activity, timing, state.execution)

    def _timed(
        self, s: Setup, placement: Placement, architecture: Architecture, state: State
    ) -> tuple[Activity, Timing]:
        """Activity and times of a point. Quantities that affect energy or area alone change neither."""
        from neuromorph.devices.layered.tally.counts import gather
        from neuromorph.sweep.metrics import Timing

        timing = {
            p: v for p, v in s.changes.items() if {"time", "function"} & {*self.parameter(s.architecture, p).affects}
        }
        timing |= {p: v for p, v in s.changes.items() if self.parameter(s.architecture, p).role != "quantity"}

        def make() -> tuple[State, Activity, Timing]:
            there = with_architecture(placement, architecture)
            activity = gather(there, state.statistics)
            return state, activity, Timing.of(there, activity)

        key = key_of(dataclasses.asdict(dataclasses.replace(s, changes=timing)))
        kept, activity, times = self._remember(f"timing {key}", make, most=KEPT)
        if kept is not state:  # of an earlier execution
            del self._kept[f"timing {key}"]
            _, activity, times = self._remember(f"timing {key}", make, most=KEPT)
        return activity, times

    def pack(self, state: State) -> bytes:
        return state.pack()

    def unpack(self, data: bytes) -> State:
        from neuromorph.sweep.state import State

        return State.unpack(data)

    def _placed(self, s: Setup) -> tuple[Placement, str]:
        """The placement of a point with its digest, on the architecture without changed quantities: none decides it."""
        from neuromorph.devices.layered.place.placement import place
        from neuromorph.hardware.paths import replace

        base = self.architectures[s.architecture]
        others = {p: v for p, v in s.changes.items() if self.parameter(s.architecture, p).role != "quantity"}
        key = key_of({"model": s.model, "architecture": s.architecture, "seed": s.seed, "changes": others})

        def make() -> tuple[Placement, str]:
            made = place(self.graphs[s.model], replace(base, others), seed=s.seed)
            return made, _layout_digest(made)

        placement, digest = self._remember(f"placement {key}", make, most=KEPT)
        return placement, digest

    def _remember(self, key: str, make: Any, most: int | None) -> Any:
        """What `make` made for this key; of its kind (the key's first word) at most `most` are kept."""
        if key not in self._kept:
            made = make()
            same = [k for k in self._kept if k.split(" ", 1)[0] == key.split(" ", 1)[0]]
            for old in same[: len(same) + 1 - most] if most is not None and len(same) >= most else ():
                del self._kept[old]
            self._kept[key] = made
        return self._kept[key]


def with_architecture(placement: Placement, architecture: Architecture) -> Placement:
    """The same placement on an architecture of the same structure."""
    from neuromorph.devices.layered.place.demand import read_chip

    return dataclasses.replace(placement, architecture=architecture, chip=read_chip(architecture))


def _layout_digest(placement: Placement) -> str:
    """Hash of all that execution is told about the placement."""
    layouts = placement.layouts
    return fingerprint({n: (x.tilings, x.copies, x.arrays, x.cores) for n, x in layouts.items()})


@contextmanager
def _one_thread() -> Iterator[None]:
    """One torch thread, as in worker processes: the order of a sum must not depend on where it is computed."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_axis(evaluator: HardwareEvaluator, path: str, values: tuple[Value, ...]) -> None:
    """Raise InputError where an axis names no parameter, or a value is not legal by itself."""
    from neuromorph.hardware.paths import replace

    if path == "time":
        for value in values:
            if units.parse(value, "s") < 0:
                raise InputError(f"{value} lies before programming", Place(key=path), "a time of 0 s or more")
    if path in SPECIAL:
        return
    problems = []
    for architecture in evaluator.architectures:
        if evaluator.parameter(architecture, path).role == "part":
            continue  # the datasheet may lack what other axes set: told per point
        for value in values:
            try:
                replace(evaluator.architectures[architecture], {path: value})
            except InputError as e:
                # A contradiction with another parameter may be resolved by another axis: told per point.
                problems += [p for p in e.problems if not p.hint.startswith("after changing")]
    if problems:
        raise InputError(dict.fromkeys(problems))
