"""What a network asks of a chip: every group of nodes that a core takes, cut into tiles by the core's kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.layered.core import CoreKind, Group, Resources, Tiling, core_kind, core_of
from neuromorph.devices.parts.structure import grid
from neuromorph.errors import FitError, InputError, Place, Problem
from neuromorph.graph.cycles import cycles
from neuromorph.graph.model import Graph, Node, Shape
from neuromorph.hardware.component import Architecture, Component


@dataclass(frozen=True)
class Chip:
    """The chip as the mapper sees it, or several as one. tiles: of all; columns x rows: the grid of them, whose last
    row may be partly filled."""

    unit: Component
    kind: CoreKind
    resources: Resources
    tiles: int
    cores_per_tile: int
    columns: int
    rows: int
    topology: str
    chips: int = 1

    @property
    def cores(self) -> int:
        return self.tiles * self.cores_per_tile

    @property
    def arrays(self) -> int:
        return self.cores * self.resources.arrays

    @property
    def have(self) -> str:
        """Who has what is listed next, for messages."""
        return "the chip has" if self.chips == 1 else f"the {self.chips} chips have"


@dataclass(frozen=True)
class Demand:
    """One group's tiles that are kept, before placement.

    index: position of its first node in graph.nodes. products: per sample, the most of its items. most_copies: more
    copies could not share its work. skipped: all-zero tiles left out. tied: name of the earlier group whose weights it
    uses again, "" where it has its own.
    """

    index: int
    group: Group
    tilings: tuple[Tiling, ...]
    products: int
    most_copies: int
    skipped: int
    tied: str = ""

    @property
    def name(self) -> str:
        return self.group.name

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
    unit = core_of(architecture)
    try:
        kind = core_kind(unit.kind.name)
    except KeyError as error:
        raise InputError(str(error.args[0]), Place(file=architecture.file or None, key=unit.path)) from None
    columns, rows = grid(architecture.chip)
    topology = architecture.chip.settings.topology
    chips = architecture.chip.settings.chips
    tiles = architecture.chip["tile"].count * chips
    return Chip(unit, kind, kind.resources(unit), tiles, unit.count, columns, rows, topology, chips)


def read_demands(graph: Graph, chip: Chip) -> list[Demand]:
    """Every group of nodes that the cores take, cut. Raises FitError with all nodes that no core can host."""
    problems: list[Problem] = []
    demands: list[Demand] = []
    stepwise = {node.name for group in cycles(graph) for node in group}
    index = {node.name: k for k, node in enumerate(graph.nodes)}
    groups = sorted(chip.kind.groups(graph, chip.unit), key=lambda g: index[g.name])
    check_groups(graph, groups, stepwise)
    inside = {node.name for g in groups for node in g.nodes}
    for node in graph.nodes:
        if node.operator.role == "matrix" and node.name not in inside:
            what = f"{type(node.operator).__name__} has weights that a {chip.unit.kind.name} core does not take"
            problems.append(Problem(what, Place(key=node.label)))
    for group in groups:
        misfit = chip.kind.admits(group, chip.unit)
        if misfit is not None:
            what = f"{group.operators} does not fit a {chip.unit.kind.name} core: {misfit.reason}"
            problems.append(Problem(what, Place(key=group.label), f"legal: {misfit.legal}" if misfit.legal else ""))
            continue
        demands.append(_demand(index[group.name], group, chip, group.name in stepwise))
    if problems:
        raise FitError(problems)
    if not demands:
        raise FitError(f"graph {graph.name!r} has no operator that needs a core: nothing to map")
    return _tied(demands)


def _tied(demands: list[Demand]) -> list[Demand]:
    """Groups of one node that use an operator of an earlier one again: its weights are stored once, in one copy, since
    all uses read the same devices and take turns."""
    first: dict[int, str] = {}
    owner: dict[str, str] = {}
    for d in demands:
        if len(d.group.nodes) == 1:
            found = first.setdefault(id(d.group.nodes[0].operator), d.name)
            if found != d.name:
                owner[d.name] = found
    shared = set(owner) | set(owner.values())
    return [
        dataclasses.replace(d, most_copies=1, tied=owner.get(d.name, "")) if d.name in shared else d for d in demands
    ]


def stored(demands: Sequence[Demand]) -> list[Demand]:
    """The groups that have weights of their own, each with the products of all that use them."""
    products = {d.name: d.products for d in demands if not d.tied}
    for d in demands:
        if d.tied:
            products[d.tied] += d.products
    return [dataclasses.replace(d, products=products[d.name]) for d in demands if not d.tied]


def check_groups(graph: Graph, groups: Sequence[Group], stepwise: Collection[str]) -> None:
    """Raises ValueError for groups that no engine can treat as one: a fault of the kind that made them.

    stepwise: nodes that are part of a cycle.
    """
    owner: dict[str, str] = {}
    for group in groups:
        names = [node.name for node in group.nodes]
        for name in names:
            if owner.setdefault(name, group.name) != group.name or names.count(name) > 1:
                raise ValueError(f"node {name} is in several groups")
        if len(names) > 1 and set(names) & set(stepwise):
            raise ValueError(f"the group of {group.name} joins nodes of a cycle")
        for node in group.nodes[1:]:
            if not set(node.inputs) <= set(names) or node.feedback:
                raise ValueError(f"node {node.name} takes inputs from outside the group of {group.name}")
    hidden = set(owner) - {group.nodes[-1].name for group in groups}
    for node in graph.nodes:
        for name in hidden.intersection((*node.inputs, *node.feedback)):
            if owner[name] != owner.get(node.name):
                raise ValueError(f"node {name} inside the group of {owner[name]} is used by {node.name} outside it")
    for name in hidden.intersection(graph.outputs):
        raise ValueError(f"node {name} inside the group of {owner[name]} is an output of the network")


def _demand(index: int, group: Group, chip: Chip, stepwise: bool) -> Demand:
    cut = chip.kind.cut(group, chip.unit)
    kept = tuple(keep(t) for t in cut) if chip.resources.skips_zero_tiles else cut
    matrices = list(group.matrices.values())
    products = max((m.products for m in matrices), default=1)
    # Time steps of a recurrent cell or a cycle follow each other; only window positions and independent vectors can be
    # dealt out.
    most = products if len(matrices) == 1 and not any(is_recurrent(n, s) for n, s, _ in group.products()) else 1
    if stepwise:
        most = max(1, most // group.shapes[0][0][0])
    skipped = sum(len(t) for t in cut) - sum(len(t) for t in kept)
    return Demand(index, group, kept, products, most, skipped)


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
