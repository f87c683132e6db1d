"""The protocol every kind of compute core implements. See docs/decisions/0001-device-kinds.md.

One device kind answers six questions about a node of the graph on one of its cores (`unit`):
does it fit (`admits`), how is it cut (`cut`), what does programming make of it (`program`), what
does it compute (`Programmed.host`), which actions does that cost (`count`), and how does it load
the timeline (`occupancy`). Prices and areas are not asked here: they belong to the components of
the unit (`ComponentKind.costs`, `.footprint`), so every kind prices its parts the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from neuromorph.devices.protocol import Assumption, Draw
from neuromorph.graph.model import Host, Matrix, Node, Shape

if TYPE_CHECKING:
    from neuromorph.hardware.component import Component, ComponentKind

CORE_FAMILY = "core"
"""`ComponentKind.family` of every core; a tile's core slot admits this family."""


@dataclass(frozen=True)
class Misfit:
    """Why a node cannot be hosted: the reason, and the legal values or the smallest change that would fit."""

    reason: str
    legal: str = ""


@dataclass(frozen=True)
class Resources:
    """What one core offers the mapper.

    arrays: independent arrays per core, each rows x cols cells (for a population core: fan-in x
    neurons). sharing: "exclusive" (one tile per array), "diagonal" (tiles need disjoint rows and
    columns, all fire together), "shelf" (tiles share rows or columns and take turns) or "memory"
    (tiles are stored words: capacity_bits binds, not geometry). signal_bits: bits of one value that
    travels between cores.
    """

    arrays: int
    rows: int
    cols: int
    sharing: str
    signal_bits: int = 8
    capacity_bits: float | None = None
    skips_zero_tiles: bool = True


@dataclass(frozen=True)
class Tiling:
    """How one item of a node (a matrix, a population) is cut, before anything is placed.

    All arrays have one entry per tile: `group` and the half-open ranges [row0, row1) x [col0, col1)
    of the item; `height` x `width` are the cells it occupies in an array; `bits` its stored weight
    bits; `empty` is True where the mask leaves no weight.
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
    """What the mapper decided for one node: its tilings with only the tiles that are kept, and its copies.

    copies: identical replicas that share the node's work (each sample's products are dealt out).
    arrays, cores: how many arrays and cores one copy occupies. shapes: the node's input shapes.
    """

    node: Node
    shapes: tuple[Shape, ...]
    tilings: tuple[Tiling, ...]
    copies: int
    arrays: int
    cores: int

    def matrix(self, item: str) -> Matrix:
        """The weight matrix of this name; KeyError where the node has none."""
        for matrix in self.node.operator.matrices(self.shapes):
            if matrix.name == item:
                return matrix
        raise KeyError(item)

    def tiling(self, item: str) -> Tiling:
        for tiling in self.tilings:
            if tiling.item == item:
                return tiling
        raise KeyError(item)


Ranges = Mapping[str, np.ndarray]
"""Calibrated ranges of one node by name (input range, converter range per tile ...), JSON-able."""


@dataclass(frozen=True)
class Statistics:
    """What really flowed through one node, per sample: arrays by name, their meaning is the kind's own.

    origin: "executed" (gathered while running), "assumed" (from an assumption, nothing was run).
    spread: relative standard deviation over samples of the value-dependent counts.
    """

    values: Mapping[str, np.ndarray]
    origin: str
    spread: float = 0.0


@dataclass(frozen=True)
class Count:
    """How often one action of one component happens per sample for one node (or seconds, for "busy")."""

    path: str
    action: str
    mean: float
    spread: float = 0.0


@dataclass(frozen=True)
class Occupancy:
    """How one node loads the timeline.

    service_s: time its cores are busy per product (window position, time step) on one copy;
    products: products per sample; depth_s: fill latency of its internal pipeline.
    """

    service_s: float
    products: int
    depth_s: float = 0.0


class Calibrator(Protocol):
    """A host that computes without noise or converter limits and watches which ranges are needed."""

    def host(self) -> Host: ...

    def ranges(self) -> Ranges: ...


class Programmed(Protocol):
    """A node programmed on its chips. Values carry leading axes (trial, batch); trial may be 1 on input."""

    def host(self, first_sample: int) -> Host:
        """The host for the batch whose first sample has this index in the data: cycle noise is a
        function of the sample's index, so the result does not depend on the batch size."""
        ...

    def statistics(self) -> Statistics:
        """Gathered since programming."""
        ...


class DeviceKind(Protocol):
    """One kind of core. `spec` declares the core's settings, slots and schema."""

    spec: ComponentKind
    effects: tuple[str, ...]

    def resources(self, unit: Component) -> Resources: ...

    def admits(self, node: Node, shapes: Sequence[Shape], unit: Component) -> Misfit | None: ...

    def cut(self, node: Node, shapes: Sequence[Shape], unit: Component) -> tuple[Tiling, ...]: ...

    def calibrate(self, layout: Layout, unit: Component, torch_device: str = "cpu") -> Calibrator: ...

    def program(self, layout: Layout, unit: Component, ranges: Ranges, draw: Draw) -> Programmed: ...

    def assume(self, layout: Layout, unit: Component, assumption: Assumption) -> Statistics: ...

    def count(self, layout: Layout, unit: Component, statistics: Statistics) -> list[Count]: ...

    def occupancy(self, layout: Layout, unit: Component, statistics: Statistics) -> Occupancy: ...


@dataclass
class _Registry:
    kinds: dict[str, DeviceKind] = field(default_factory=dict)


_REGISTRY = _Registry()


def device_kinds() -> dict[str, DeviceKind]:
    """All device kinds by the name of their core: packages of neuromorph.devices.layered that define `KIND`
    in a module `kind`, and entry points of the group "neuromorph.devices"."""
    if not _REGISTRY.kinds:
        import importlib
        import importlib.metadata
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


def device_kind(name: str) -> DeviceKind:
    """The device kind whose core component has this kind name; KeyError lists the known ones."""
    kinds = device_kinds()
    if name not in kinds:
        raise KeyError(f"no device kind {name!r}; known: {', '.join(sorted(kinds))}")
    return kinds[name]
