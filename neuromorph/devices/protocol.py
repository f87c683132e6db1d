"""What every kind of hardware is asked about a network as a whole. Read this first; docs/decisions/0003 says why.

    placement = kind.place(graph, architecture, ...)             # where the network lies, or FitError with every limit
    execution, trace = kind.execute(placement, inputs, ...)      # what it computes there, and what that caused
    trace = kind.assume(placement, assumption)                   # the same where nothing is run
    activity, times = kind.tally(placement, trace)               # counts of actions, and how long they take
    kind.metrics(...), kind.describe(...)                        # its own figures and tables of a report

Prices and areas are not asked here: they belong to the components (`ComponentKind.costs`, `.footprint`), and
`costing.ledger.price` turns an activity into energy once, for every kind. A kind answers whole; one that has only part
answers (a core that computes a layer) gets the whole one derived from an engine, as `devices.layered` does. What is
computed and what it costs meet only in the trace: inside a kind, `execute` and `tally` never import each other.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import math
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from neuromorph.devices.physics import UNHOUSED, Physics, empty_slots
from neuromorph.errors import InputError, Place
from neuromorph.graph.model import Graph
from neuromorph.hardware.component import Architecture, weakest
from neuromorph.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.costing.ledger import Ledger
    from neuromorph.counts import Activity
    from neuromorph.devices.metrics import Metric
    from neuromorph.devices.result import Execution
    from neuromorph.events.raster import Raster

    Inputs = np.ndarray | Raster


@dataclass(frozen=True)
class Limit:
    """A capacity: how much of it is used. hard: a network beyond it does not fit; others cost time when exceeded.

    path: the component it belongs to; node: the layer that uses most of it, where one stands out.
    """

    name: str
    path: str
    used: float
    available: float
    unit: str
    hard: bool
    node: str = ""

    @property
    def degree(self) -> float:
        """Used over available."""
        return self.used / self.available if self.available else math.inf


@dataclass(frozen=True)
class Draw:
    """Which chips are programmed and read, and how the computation is carried out. Everything random follows from it.

    trials: indices of the chips. time_s: seconds between programming and reading. off: names of effects switched off.
    batch, workers, torch_device: samples at once, processes that share the chips, where torch computes; no result
    depends on batch or workers. scope: prefix of the random streams.
    """

    seed: int
    trials: Sequence[int] = (0,)
    time_s: float = 0.0
    off: frozenset[str] = frozenset()
    torch_device: str = "cpu"
    scope: str = ""
    batch: int = 128
    workers: int = 1


@dataclass(frozen=True)
class Assumption:
    """Activity assumed where nothing was run. density: the fraction of inputs that are not zero (of neurons that spike
    in a step). Values that are not zero are uniform in (0, full scale], independent of each other and of the weights.
    Without one a kind takes its own."""

    density: float = 0.5

    @property
    def mean_drive(self) -> float:
        """Mean input relative to full scale."""
        return self.density / 2

    @property
    def mean_square(self) -> float:
        """Mean squared input relative to full scale squared."""
        return self.density / 3


class Placement(Protocol):
    """A network on an architecture. Everything else about it follows from what it holds."""

    @property
    def name(self) -> str:
        """Of the network."""
        ...

    @property
    def graph(self) -> Graph | None: ...

    @property
    def architecture(self) -> Architecture: ...

    @property
    def limits(self) -> tuple[Limit, ...]: ...

    @property
    def binding(self) -> Limit:
        """The limit used to the highest degree."""
        ...

    @property
    def signature(self) -> str:
        """Hash of all that execution is told: placements that agree in it compute the same."""
        ...

    def on(self, architecture: Architecture) -> Placement:
        """The same placement on an architecture of the same structure."""
        ...

    def explain(self) -> dict[str, Any]:
        """What lies where and how well, as JSON data; the form is that of `devices.explained.explained`."""
        ...

    def save(self, path: str | Path) -> list[Path]:
        """Writes it as versioned JSON, large columns beside it as .npz; returns the files written."""
        ...


class Trace(Protocol):
    """What an execution caused, or an assumption stands for: all that counts, prices and times follow from."""

    @property
    def origin(self) -> str:
        """ "executed" or "assumed"."""
        ...

    def pack(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """JSON data and arrays by name, from which `Kind.unpack` makes it again, bit for bit."""
        ...


@dataclass(frozen=True, eq=False)
class Times:
    """Seconds of consecutive samples on one chip; None where nobody knows.

    latency_s: one sample on an otherwise idle chip, first input to last output, with a range where samples differ;
    interval_s: steady time between samples of an uninterrupted stream, set by `bottleneck`. unmodelled: what has no
    known time. losses: what of the run is not what the chip does, such as packets that it would drop: then answers of
    the execution are not those of the chip; empty otherwise. record: the kind's own account, for its
    `metrics` and `describe`.
    """

    latency_s: float | None
    interval_s: float | None
    bottleneck: str
    latency_low_s: float | None = None
    latency_high_s: float | None = None
    unmodelled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    losses: str = ""
    record: Any = None

    @property
    def throughput_hz(self) -> float | None:
        """Samples per second of an uninterrupted stream."""
        return 1.0 / self.interval_s if self.interval_s else None


@dataclass(frozen=True)
class Energy:
    """Joules of one sample: `single` on an otherwise idle chip (static power times latency), `steady_j` in an
    uninterrupted stream (static power times interval)."""

    single: Ledger
    steady_j: float

    @property
    def basis(self) -> str:
        """The weakest of what it is made of."""
        return weakest(self.single.basis, "simulated" if self.single.origin == "executed" else "assumed")


@dataclass(frozen=True)
class Described:
    """A kind's own tables of a report; rows are JSON data. sections: see `devices.metrics.section`."""

    layers: Sequence[Mapping[str, Any]]
    gantt: Sequence[Mapping[str, Any]] = ()
    floor: Mapping[str, Any] | None = None
    traffic: Mapping[str, Any] | None = None
    sections: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()


class Kind(ABC):
    """A family of hardware. Concrete kinds are final: `KIND` in the module `kind` of a package of `devices`.

    root: kind of the chip component that it hosts on; title: what such chips are called. options: dataclass of what its
    own verbs take besides (see `devices.options`). draws: the fields of `Draw` that mean something here; trials: chips
    drawn where nothing is said. places_by_data: whether `place` looks at inputs. preload: modules that worker processes
    need, loaded once before they start.
    """

    root: ClassVar[str]
    title: ClassVar[str]
    options: ClassVar[type]
    draws: ClassVar[frozenset[str]]
    trials: ClassVar[int] = 1
    places_by_data: ClassVar[bool] = False
    preload: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def effects(self, architecture: Architecture) -> tuple[str, ...]:
        """Names of what this hardware computes differently from the float network, each of which can be left out."""

    @abstractmethod
    def place(
        self, graph: Graph, architecture: Architecture, inputs: Inputs | None, options: Any, seed: int, say: Progress
    ) -> Placement:
        """inputs: data that tell how often what is used, for kinds that place by it. FitError with every limit that is
        exceeded and the smallest change that would fit."""

    @abstractmethod
    def load(self, path: str | Path, graph: Graph, architecture: Architecture) -> Placement:
        """Reads a placement back. InputError naming the difference for another graph or architecture."""

    @abstractmethod
    def execute(
        self, placement: Any, inputs: Inputs, labels: np.ndarray | None, draw: Draw, options: Any, say: Progress
    ) -> tuple[Execution, Trace]:
        """Runs inputs (samples, *shape) or events and compares with the float network. labels: classes (samples,)."""

    @abstractmethod
    def assume(self, placement: Any, assumption: Assumption | None) -> Trace:
        """The trace where nothing is run."""

    @abstractmethod
    def unpack(self, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Trace:
        """The inverse of `Trace.pack`."""

    @abstractmethod
    def tally(self, placement: Any, trace: Any) -> tuple[Activity, Times]:
        """Counts of actions per sample, and times. No data and no randomness."""

    @abstractmethod
    def metrics(self, placement: Any, activity: Activity, times: Times, energy: Energy) -> Sequence[Metric]:
        """Headline numbers that this kind has besides energy, time, area and accuracy."""

    @abstractmethod
    def describe(
        self, placement: Any, trace: Any, execution: Any, activity: Activity, times: Times, energy: Energy
    ) -> Described:
        """Its tables."""

    @abstractmethod
    def physics(self, architecture: Architecture) -> tuple[Physics, ...]:
        """Which physics the numbers of this hardware follow and which they leave out, derived from its parts where
        these decide. Every effect has an entry that names it."""

    def spared(self, architecture: Architecture) -> Mapping[str, str]:
        """Places for components that may stay empty on this architecture because no data pass them: reason by path."""
        return {}

    def unhoused(self, architecture: Architecture) -> tuple[str, ...]:
        """What such chips have and no kind of component stands for."""
        return ()

    def absent(self, architecture: Architecture) -> tuple[str, ...]:
        """What no number includes because this architecture has no component for it, as entries of `unmodelled`."""
        empty = empty_slots(architecture, self.spared(architecture))
        return (*empty, *(f"{what}: {UNHOUSED}" for what in self.unhoused(architecture)))

    # What not every kind can: refused unless a kind says otherwise.

    def prepared(self, placement: Any, inputs: Inputs, options: Any, draw: Draw) -> Any:
        """Options with what several executions on the same data share computed once."""
        return options

    def calibrate(self, placement: Any, inputs: Inputs, *, torch_device: str = "cpu") -> Any:
        """Ranges of inputs and converters on data."""
        raise self._cannot("calibrate", placement.architecture, "has no ranges to find on data")

    def finetune(self, placement: Any, inputs: Inputs, labels: np.ndarray, **settings: Any) -> Any:
        """Training against the hardware's noise."""
        raise self._cannot("finetune", placement.architecture, "cannot be trained against")

    def estimate(
        self, graph: Graph, architecture: Architecture, values: Mapping[str, Sequence[Any]], density: float
    ) -> Any:
        """Many designs in closed form, without placing any."""
        raise self._cannot("estimate", architecture, "has no closed form")

    def _cannot(self, verb: str, architecture: Architecture, why: str) -> InputError:
        able = [k.title for k in kinds().values() if getattr(type(k), verb) is not getattr(Kind, verb)]
        return InputError(
            f"{architecture.name} {why}", Place(key="architecture"),
            f"{verb} is for {', '.join(able) or 'no kind'}; legal here: place, execute, attribute, run",
        )  # fmt: skip


_found: dict[str, Kind] = {}


def kinds() -> Mapping[str, Kind]:
    """All kinds by root: `KIND` of the modules `kind` in packages of neuromorph.devices, and of entry points of the
    group "neuromorph.kinds"."""
    if not _found:
        package = importlib.import_module("neuromorph.devices")
        for info in pkgutil.iter_modules(package.__path__, "neuromorph.devices."):
            if info.ispkg and importlib.util.find_spec(f"{info.name}.kind") is not None:
                add_kind(importlib.import_module(f"{info.name}.kind").KIND)
        for entry in importlib.metadata.entry_points(group="neuromorph.kinds"):
            add_kind(entry.load().KIND)
    return _found


def add_kind(kind: Kind) -> None:
    """Makes a kind known. InputError where another one hosts on the same root."""
    if kind.root in _found and type(_found[kind.root]) is not type(kind):
        raise InputError(f"two kinds host on {kind.root!r}: {_found[kind.root]} and {kind}", hint="rename one root")
    _found[kind.root] = kind


def kind_of(architecture: Architecture) -> Kind:
    """The kind that hosts on this architecture. InputError, with those there are, for a root that none hosts on."""
    root, known = architecture.chip.kind.name, kinds()
    if root not in known:
        raise InputError(
            f"no kind of hardware hosts on {root!r}, the root of {architecture.name}",
            Place(key="chip.kind"),
            f"legal: {', '.join(sorted(known))}",
        )
    return known[root]
