"""The evaluator of real sweeps: networks on architectures, executed once per function and priced per point."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neuromorph import units
from neuromorph.devices.options import draw_of
from neuromorph.devices.protocol import Draw, Kind, kind_of
from neuromorph.errors import InputError, Place
from neuromorph.progress import silent
from neuromorph.sweep.space import SPECIAL, Point, Value, key_of

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.counts import Activity
    from neuromorph.devices.protocol import Inputs, Placement, Times
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.hardware.paths import Parameter
    from neuromorph.sweep.state import State

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
    intervals: of published ranges for each point, which take about ten times as long as its price.
    """

    graphs: Mapping[str, Graph]
    architectures: Mapping[str, Architecture]
    inputs: Inputs | None = None
    labels: np.ndarray | None = None
    calibration_inputs: Inputs | None = None
    trials: int = 10
    seed: int = 0
    time_s: float = 0.0
    off: tuple[str, ...] = ()
    batch: int = 128
    torch_device: str = "cpu"
    intervals: bool = False
    _kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that worker processes need, loaded once before they start."""
        own = {m: None for a in self.architectures.values() for m in kind_of(a).preload}
        return ("neuromorph.sweep.metrics", "neuromorph.sweep.state", "neuromorph.report.headline", *own)

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
        draws = kind_of(self.architectures[s.architecture]).draws
        if self.inputs is None or "trials" not in draws:
            what |= {"trials": 0}
        if self.inputs is None or "time_s" not in draws:
            what |= {"time_s": 0.0}
        return key_of(what)

    def _affects_function(self, architecture: str, path: str) -> bool:
        p = self.parameter(architecture, path)
        if p.role == "quantity":
            return "function" in p.affects
        return p.role == "part" or "function" in p.affects or p.component.kind.structural

    def run(self, point: Point) -> State:
        """Place and execute; without data, assume the activity."""
        from neuromorph.hardware.paths import replace

        s = self.setup(point)
        placement = self._placed(s).on(replace(self.architectures[s.architecture], s.changes))
        return self._run(placement, s)

    def _run(self, placement: Placement, s: Setup) -> State:
        from neuromorph.sweep.state import State, answers

        kind = kind_of(placement.architecture)
        if self.inputs is None:
            return State(kind.root, kind.assume(placement, None), None, placement.signature)
        draw, options = self._draw(kind, placement.architecture, s), kind.options()
        if self.calibration_inputs is not None and hasattr(options, "calibration_inputs"):
            options = dataclasses.replace(options, calibration_inputs=self.calibration_inputs)
        with _one_thread():
            execution, trace = kind.execute(placement, self.inputs, self.labels, draw, options, silent)
        return State(kind.root, trace, answers(execution), placement.signature)

    def _draw(self, kind: Kind, architecture: Architecture, s: Setup) -> Draw:
        """What of the options means something on this hardware; some of it may only mean something on another."""
        given = {"trials": s.trials, "time_s": s.time_s, "batch": self.batch, "torch_device": self.torch_device}
        off = set(self.off) & set(kind.effects(architecture))
        meant: dict[str, Any] = {n: v for n, v in given.items() if n in kind.draws}
        return draw_of(kind, architecture, seed=s.seed, off=sorted(off), **meant)

    def price(self, point: Point, state: State) -> dict[str, float | None]:
        """Energy, latency, power and area of a point from what was executed."""
        from neuromorph.hardware.paths import replace
        from neuromorph.report.headline import cost_of, headline, ranged
        from neuromorph.report.ranges import again_on, ranges_of
        from neuromorph.sweep.frozen import Freezer
        from neuromorph.sweep.metrics import columns

        s = self.setup(point)
        architecture = replace(self.architectures[s.architecture], s.changes)
        kind, placement = kind_of(architecture), self._placed(s)
        if placement.signature != state.signature:  # a parameter moved the placement after all
            state = self._run(placement.on(architecture), s)
        bare = architecture
        freezer: Freezer = self._remember("freezer", Freezer, most=1)
        architecture = freezer.freeze(architecture)
        placement, activity, times = self._timed(s, placement, architecture, state)
        if times.losses and state.execution is not None:  # it ran with the losses of other times
            again = self._run(placement, s)
            if not (timed := self._timed(s, placement, architecture, again))[2].losses:
                state, (placement, activity, times) = again, timed
        # frozen components would keep their prices when a constant moves
        ranges = None
        if self.intervals:
            ranges = ranges_of(bare, (activity, times), *again_on(kind, placement, state.trace))
        cost = cost_of(architecture, activity, times, ranges)
        own = kind.metrics(placement, activity, times, cost.energy)
        metrics = [*headline(state.execution, times, cost), *ranged(own, ranges)]
        return columns(metrics, state.execution)

    def _timed(
        self, s: Setup, placement: Placement, architecture: Architecture, state: State
    ) -> tuple[Placement, Activity, Times]:
        """Activity and times of a point. Quantities that affect energy or area alone change neither."""
        timing = {
            p: v for p, v in s.changes.items() if {"time", "function"} & {*self.parameter(s.architecture, p).affects}
        }
        timing |= {p: v for p, v in s.changes.items() if self.parameter(s.architecture, p).role != "quantity"}

        def make() -> tuple[State, Placement, Activity, Times]:
            there = placement.on(architecture)
            return (state, there, *kind_of(architecture).tally(there, state.trace))

        key = key_of(dataclasses.asdict(dataclasses.replace(s, changes=timing)))
        kept, *found = self._remember(f"timing {key}", make, most=KEPT)
        if kept is not state:  # of an earlier execution
            del self._kept[f"timing {key}"]
            _, *found = self._remember(f"timing {key}", make, most=KEPT)
        return tuple(found)

    def pack(self, state: State) -> bytes:
        return state.pack()

    def unpack(self, data: bytes) -> State:
        from neuromorph.sweep.state import State

        return State.unpack(data)

    def _placed(self, s: Setup) -> Placement:
        """The placement of a point, on the architecture without changed quantities: none decides it."""
        from neuromorph.hardware.paths import replace

        base = self.architectures[s.architecture]
        others = {p: v for p, v in s.changes.items() if self.parameter(s.architecture, p).role != "quantity"}
        key = key_of({"model": s.model, "architecture": s.architecture, "seed": s.seed, "changes": others})

        def make() -> Placement:
            chip = replace(base, others)
            kind = kind_of(chip)
            inputs = self.inputs if kind.places_by_data else None
            return kind.place(self.graphs[s.model], chip, inputs, kind.options(), s.seed, silent)

        placement: Placement = self._remember(f"placement {key}", make, most=KEPT)
        return placement

    def _remember(self, key: str, make: Any, most: int | None) -> Any:
        """What `make` made for this key; of its kind (the key's first word) at most `most` are kept."""
        if key not in self._kept:
            made = make()
            same = [k for k in self._kept if k.split(" ", 1)[0] == key.split(" ", 1)[0]]
            for old in same[: len(same) + 1 - most] if most is not None and len(same) >= most else ():
                del self._kept[old]
            self._kept[key] = made
        return self._kept[key]


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

    field = {"time": "time_s"}.get(path, path)
    if path in ("time", "trials") and not any(field in kind_of(a).draws for a in evaluator.architectures.values()):
        names = ", ".join(sorted(a.name for a in evaluator.architectures.values()))
        raise InputError(f"{path} changes nothing on {names}", Place(key=path), "leave the axis out")
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
