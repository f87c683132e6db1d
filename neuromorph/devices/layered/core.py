"""What every kind of compute core is asked; `layered.kind` derives the answers for a network whole from them.

A core kind answers about groups of the graph's nodes on one of its cores (`unit`): which nodes one answer covers
(`groups`), does a group fit (`admits`), how is it cut (`cut`), what does programming make of it (`program`), what does
it compute (`Programmed.host`), which actions does that cost (`count`), and how does it load the timeline (`occupancy`).
Prices and areas are not asked here: they belong to the components of the unit (`ComponentKind.costs`, `.footprint`), so
every kind prices its parts the same way. Kinds that know counts of many designs in closed form are `ClosedForm` besides
(`layered.design_counts`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from neuromorph.devices.physics import Physics
from neuromorph.devices.protocol import Assumption, Draw
from neuromorph.errors import InputError, Place
from neuromorph.graph.model import Graph, GroupHost, Host, Matrix, Node, Shape

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.packing import Packing
    from neuromorph.hardware.component import Architecture, Component, ComponentKind

CORE_FAMILY = "core"
"""`ComponentKind.family` of every core; a tile's core slot admits this family."""


def core_of(architecture: Architecture) -> Component:
    """The core that the tiles of a chip hold. Raises InputError where there is none."""
    tile = architecture.chip.get("tile")
    core = None if tile is None else tile.get("core")
    if core is None:
        what, place = (
            "has no tile with a core: nothing computes layers",
            Place(architecture.file or None, key="chip.tile"),
        )
        raise InputError(f"{architecture.name} {what}", place, "add a core")
    return core


@dataclass(frozen=True)
class Misfit:
    """Why a group cannot be hosted: the reason, and the legal values or the smallest change that would fit."""

    reason: str
    legal: str = ""


@dataclass(frozen=True)
class Resources:
    """What one core offers the mapper.

    packing: the rule by which tiles share a core. capacities: what that rule counts with, by name: "arrays" of "rows" x
    "cols" cells each, or "bits" of a memory. signal_bits: bits of one value that travels between cores.
    """

    packing: Packing
    capacities: Mapping[str, float]
    signal_bits: int = 8
    skips_zero_tiles: bool = True

    def __getitem__(self, name: str) -> float:
        return self.capacities[name]

    @property
    def arrays(self) -> int:
        """Independent arrays of a core; a core that is one memory is one."""
        return int(self.capacities.get("arrays", 1))


@dataclass(frozen=True)
class Group:
    """Nodes that one answer of a core kind covers, in the graph's order, each with the shapes of its inputs.

    whole: the core computes all that the nodes do: the inputs of the first go in, the output of the last comes out.
    Otherwise it multiplies by the matrices of the only node, and what else that node does is done beside the core.
    """

    nodes: tuple[Node, ...]
    shapes: tuple[tuple[Shape, ...], ...]
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.nodes or len(self.nodes) != len(self.shapes):
            raise ValueError("a group has nodes, and input shapes of each")
        if len(self.nodes) > 1 and not self.whole:
            raise ValueError(f"the group of {self.name} has several nodes, so that its core must compute it whole")

    @staticmethod
    def of(graph: Graph, *names: str, whole: bool = False) -> Group:
        """The nodes of these names."""
        shapes = graph.shapes
        nodes = tuple(graph[name] for name in names)
        return Group(nodes, tuple(tuple(shapes[i] for i in n.inputs) for n in nodes), whole)

    @property
    def name(self) -> str:
        """That of the first node; layouts, statistics and counts are kept by it."""
        return self.nodes[0].name

    @property
    def label(self) -> str:
        """The first node's path in the source model, for messages."""
        return self.nodes[0].label

    @property
    def operators(self) -> str:
        """Names of the operators, joined by "+"."""
        return "+".join(type(n.operator).__name__ for n in self.nodes)

    def products(self) -> Iterator[tuple[Node, tuple[Shape, ...], dict[str, Matrix]]]:
        """Every node that has matrices, with its input shapes and its matrices by item name.

        An item has its matrix' name; where several nodes have matrices, it is "node.matrix".
        """
        found = [(n, s, n.operator.matrices(s)) for n, s in zip(self.nodes, self.shapes, strict=True)]
        found = [(n, s, m) for n, s, m in found if m]
        for node, shapes, matrices in found:
            prefix = f"{node.name}." if len(found) > 1 else ""
            yield node, shapes, {prefix + m.name: m for m in matrices}

    @property
    def matrices(self) -> dict[str, Matrix]:
        """All matrices by item name."""
        return {name: matrix for *_, own in self.products() for name, matrix in own.items()}


def matrix_groups(graph: Graph) -> tuple[Group, ...]:
    """Every node with matrices, alone."""
    shapes = graph.shapes
    return tuple(Group((n,), (tuple(shapes[i] for i in n.inputs),)) for n in graph.nodes if n.operator.role == "matrix")


@dataclass(frozen=True)
class Tiling:
    """How one item of a group (a matrix, a population) is cut, before anything is placed.

    All arrays have one entry per tile: `group` (of a matrix' blocks) and the half-open ranges [row0, row1) x
    [col0, col1) of the item; `height` x `width` are the cells it occupies in an array; `bits` its stored weight bits;
    `empty` is True where the mask leaves no weight.
    """

    item: str
    group: np.ndarray
    row0: np.ndarray
    row1: np.ndarray
    col0: np.ndarray
    col1: np.ndarray
    height: np.ndarray
    width: np.ndarray
    bits: np.ndarray
    empty: np.ndarray

    def __len__(self) -> int:
        return len(self.row0)


@dataclass(frozen=True)
class Layout:
    """What the mapper decided for one group: its tilings with only the tiles that are kept, its copies, and the core.

    copies: identical replicas that share the group's work (each sample's products are dealt out). arrays, cores: how
    many arrays and cores one copy occupies. unit: the core, so that cores of several kinds can be on one chip. tied:
    name of the group whose devices it uses again, "" where it has its own.
    """

    group: Group
    tilings: tuple[Tiling, ...]
    copies: int
    arrays: int
    cores: int
    unit: Component
    tied: str = ""

    @property
    def devices(self) -> str:
        """What randomness of its devices is keyed by: the group that they were programmed for."""
        return self.tied or self.group.name

    @property
    def kind(self) -> CoreKind:
        """The kind of its core."""
        return core_kind(self.unit.kind.name)

    def matrix(self, item: str) -> Matrix:
        """The weight matrix of this item; KeyError where there is none."""
        return self.group.matrices[item]

    def tiling(self, item: str) -> Tiling:
        for tiling in self.tilings:
            if tiling.item == item:
                return tiling
        raise KeyError(item)


Ranges = Mapping[str, np.ndarray]
"""Calibrated ranges of one group by name (input range, converter range per tile ...), JSON-able."""


@dataclass(frozen=True)
class Statistics:
    """What really flowed through one group, per sample: arrays by name, their meaning is the kind's own.

    origin: "executed" (gathered while running), "assumed" (from an assumption, nothing was run).
    spread: relative standard deviation over samples of the value-dependent counts.
    """

    values: Mapping[str, np.ndarray]
    origin: str
    spread: float = 0.0


@dataclass(frozen=True)
class Count:
    """How often one action of one component happens per sample for one group (or seconds, for "busy")."""

    path: str
    action: str
    mean: float
    spread: float = 0.0


@dataclass(frozen=True)
class Handover:
    """Bits per sample between a tile and the cores of a group: fetched from the tile's buffer into the cores, and given
    back by them. What a bus carries and what the cores' own buffers receive and hand on are these bits."""

    fetched: float
    given: float


@dataclass(frozen=True)
class Occupancy:
    """How one group loads the timeline.

    service_s: time its cores are busy per product (window position, time step) on one copy;
    products: products per sample; depth_s: fill latency of its internal pipeline; unmodelled: what
    else takes a time that nobody states, by name.
    """

    service_s: float
    products: int
    depth_s: float = 0.0
    unmodelled: tuple[str, ...] = ()


class Calibrator(Protocol):
    """A host that computes without noise or converter limits and watches which ranges are needed."""

    def host(self) -> Host | GroupHost: ...

    def ranges(self) -> Ranges: ...


class Programmed(Protocol):
    """A group programmed on its chips. Values carry leading axes (trial, batch); trial may be 1 on input."""

    def host(self, first_sample: int) -> Host | GroupHost:
        """The host of every node of the group, or one that computes them all at once, for the batch whose first sample
        has this index in the data: cycle noise is a function of the sample's index, so the result does not depend on
        the batch size."""
        ...

    def statistics(self) -> Statistics:
        """Gathered since programming."""
        ...


class CoreKind(ABC):
    """One kind of core. spec: its component kind, which declares settings, slots and schema. effects: names of what it
    computes differently from exact products, each of which can be left out."""

    spec: ClassVar[ComponentKind]
    effects: ClassVar[tuple[str, ...]]

    def groups(self, graph: Graph, unit: Component) -> tuple[Group, ...]:
        """The nodes that such cores take, in groups that share no node; what is in none runs beside the cores.

        Nodes of a group but the first take their inputs from inside it, only the last is used outside, and none of
        several is part of a cycle.
        """
        return matrix_groups(graph)

    @abstractmethod
    def resources(self, unit: Component) -> Resources:
        """What one core offers."""

    @abstractmethod
    def admits(self, group: Group, unit: Component) -> Misfit | None:
        """None where the group fits the core's function, whatever its size."""

    @abstractmethod
    def cut(self, group: Group, unit: Component) -> tuple[Tiling, ...]:
        """Tiles of at most what an array holds, for every matrix of the group."""

    @abstractmethod
    def calibrate(self, layout: Layout, torch_device: str = "cpu") -> Calibrator:
        """Finds the ranges that the data need."""

    @abstractmethod
    def program(self, layout: Layout, ranges: Ranges, draw: Draw) -> Programmed:
        """The group on the chips of a draw."""

    @abstractmethod
    def assume(self, layout: Layout, assumption: Assumption) -> Statistics:
        """What `Programmed.statistics` stands for where nothing is run."""

    @abstractmethod
    def count(self, layout: Layout, statistics: Statistics) -> list[Count]:
        """Actions of the core and its parts for one sample."""

    @abstractmethod
    def physics(self, unit: Component) -> tuple[Physics, ...]:
        """Which physics the core's numbers follow and leave out; see `devices.protocol.Kind.physics`."""

    def spared(self, unit: Component) -> Mapping[str, str]:
        """Empty slots of the core that no data pass: reason by path."""
        return {}

    def unhoused(self, unit: Component) -> tuple[str, ...]:
        """What such cores have and no kind of component stands for."""
        return ()

    def shortages(self, unit: Component) -> tuple[str, ...]:
        """Parts of the core that are fewer than the actions it is counted for need at once."""
        return ()

    def handover(self, layout: Layout, statistics: Statistics) -> Handover:
        """Bits into and out of the cores; here every input and output value once."""
        group = layout.group
        bits = self.resources(layout.unit).signal_bits
        last = group.nodes[-1].operator.output_shape(list(group.shapes[-1]))
        fetched = sum(math.prod(shape) for shape in group.shapes[0])
        return Handover(float(fetched * bits), float(math.prod(last) * bits))

    @abstractmethod
    def occupancy(self, layout: Layout, statistics: Statistics) -> Occupancy:
        """How long the cores of one copy work."""


@dataclass
class _Registry:
    kinds: dict[str, CoreKind] = field(default_factory=dict)


_REGISTRY = _Registry()


def core_kinds() -> dict[str, CoreKind]:
    """All kinds of cores by the name of their component: packages of neuromorph.devices.layered that define `KIND`
    in a module `kind`, and entry points of the group "neuromorph.devices"."""
    if not _REGISTRY.kinds:
        import importlib
        import importlib.metadata
        import importlib.util
        import pkgutil

        import neuromorph.devices.layered as package

        for info in pkgutil.iter_modules(package.__path__, "neuromorph.devices.layered."):
            if info.ispkg and importlib.util.find_spec(f"{info.name}.kind") is not None:
                kind = importlib.import_module(f"{info.name}.kind").KIND
                _REGISTRY.kinds[kind.spec.name] = kind
        for entry in importlib.metadata.entry_points(group="neuromorph.devices"):
            module = entry.load()
            kind = getattr(module, "KIND", None)
            if kind is not None:
                _REGISTRY.kinds[kind.spec.name] = kind
    return _REGISTRY.kinds


def core_kind(name: str) -> CoreKind:
    """The kind whose core component has this kind name; KeyError lists the known ones."""
    kinds = core_kinds()
    if name not in kinds:
        raise KeyError(f"no kind of core is called {name!r}; known: {', '.join(sorted(kinds))}")
    return kinds[name]
