"""What a network asks of a chip: every node that needs a core, cut into tiles by the core's device kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.layered.core import DeviceKind, Resources, Tiling, device_kind
from neuromorph.devices.parts.structure import grid
from neuromorph.errors import FitError, InputError, Place, Problem
from neuromorph.graph.cycles import cycles
from neuromorph.graph.model import Graph, Node, Shape
from neuromorph.hardware.component import Architecture, Component

HOSTED = ("matrix", "state")
"""Roles of operators that a core must host; all others run beside the cores."""


@dataclass(frozen=True)
class Chip:
    """The chip as the mapper sees it. columns x rows is the grid of tiles; the last row may be partly filled."""

    unit: Component
    kind: DeviceKind
    resources: Resources
    tiles: int
    cores_per_tile: int
    columns: int
    rows: int
    topology: str

    @property
    def cores(self) -> int:
        return self.tiles * self.cores_per_tile

    @property
    def arrays(self) -> int:
        return self.cores * self.resources.arrays


@dataclass(frozen=True)
class Demand:
    """One node's tiles that are kept, before placement.

    index: position in graph.nodes. products: per sample, the most of its items. most_copies: more copies could
    not share its work. skipped: all-zero tiles left out.
    """

    index: int
    node: Node
    shapes: tuple[Shape, ...]
    tilings: tuple[Tiling, ...]
    products: int
    most_copies: int
    skipped: int

    @property
    def tiles(self) -> int:
        return sum(len(t) for t in self.tilings)

    def column(self, name: str) -> np.ndarray:
        """One column of all its tilings in a row."""
        parts = [getattr(t, name) for t in self.tilings]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    @property
    def item(self) -> np.ndarray:
        """Which tiling each tile belongs to."""
        return np.repeat(np.arange(len(self.tilings)), [len(t) for t in self.tilings])


def read_chip(architecture: Architecture) -> Chip:
    """The mapper's view of an architecture. Raises InputError where its core's kind is not installed."""
    tile = architecture.chip["tile"]
    unit = tile["core"]
    try:
        kind = device_kind(unit.kind.name)
    except KeyError as error:
        raise InputError(str(error.args[0]), Place(file=architecture.file or None, key=unit.path)) from None
    columns, rows = grid(architecture.chip)
    topology = architecture.chip.settings.topology
    return Chip(unit, kind, kind.resources(unit), tile.count, unit.count, columns, rows, topology)


def read_demands(graph: Graph, chip: Chip) -> list[Demand]:
    """Every node that needs a core, cut. Raises FitError with all nodes that the core cannot host."""
    shapes = graph.shapes
    problems: list[Problem] = []
    demands: list[Demand] = []
    stepwise = {node.name for group in cycles(graph) for node in group}
    for index, node in enumerate(graph.nodes):
        if node.operator.role not in HOSTED:
            continue
        given = tuple(shapes[i] for i in node.inputs)
        misfit = chip.kind.admits(node, given, chip.unit)
        if misfit is not None:
            what = f"{type(node.operator).__name__} does not fit a {chip.unit.kind.name} core: {misfit.reason}"
            problems.append(Problem(what, Place(key=node.label), f"legal: {misfit.legal}" if misfit.legal else ""))
            continue
        demands.append(_demand(index, node, given, chip, node.name in stepwise))
    if problems:
        raise FitError(problems)
    if not demands:
        raise FitError(f"graph {graph.name!r} has no operator that needs a core: nothing to map")
    return demands


def _demand(index: int, node: Node, shapes: tuple[Shape, ...], chip: Chip, stepwise: bool) -> Demand:
    cut = chip.kind.cut(node, shapes, chip.unit)
    kept = tuple(keep(t) for t in cut) if chip.resources.skips_zero_tiles else cut
    matrices = node.operator.matrices(shapes)
    products = max((m.products for m in matrices), default=1)
    # Time steps of a recurrent cell or a cycle follow each other; only window positions and independent vectors can be
    # dealt out.
    most = products if len(matrices) == 1 and not is_recurrent(node, shapes) else 1
    if stepwise:
        most = max(1, most // shapes[0][0])
    skipped = sum(len(t) for t in cut) - sum(len(t) for t in kept)
    return Demand(index, node, shapes, kept, products, most, skipped)


def is_recurrent(node: Node, shapes: Sequence[Shape]) -> bool:
    """Whether a matrix of the node reads something else than the node's input: its own output."""
    matrices = node.operator.matrices(tuple(shapes))
    return bool(shapes) and any(
        m.window is None and m.taps == 1 and tuple(m.input_shape) != tuple(shapes[0]) for m in matrices
    )


def keep(tiling: Tiling) -> Tiling:
    """The tiling without its empty tiles."""
    stay = ~tiling.empty
    if stay.all():
        return tiling
    arrays = {f.name: getattr(tiling, f.name)[stay] for f in dataclasses.fields(tiling) if f.name != "item"}
    return Tiling(item=tiling.item, **arrays)
