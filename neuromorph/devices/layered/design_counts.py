"""Counts of many designs at once for networks without empty tiles: what kinds with a closed form take and give.

In a unit of designs, settings, counts and quantities may be arrays with one entry per design. Axes: (design, matrix).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from neuromorph.devices.layered.codes import format_bits
from neuromorph.devices.layered.windows import distinct_values, held_values
from neuromorph.graph.model import Graph, Matrix

if TYPE_CHECKING:
    from neuromorph.devices.protocol import Assumption
    from neuromorph.hardware.component import Component


@dataclass(frozen=True, eq=False)
class DenseLayers:
    """The weight matrices of a network, one entry each, in the order of its nodes.

    node: index into `nodes` of the matrix. cache: what kinds remember of the weights between calls.
    """

    nodes: tuple[str, ...]
    node: np.ndarray
    matrices: tuple[Matrix, ...]
    cache: dict[Any, Any] = field(default_factory=dict)

    @staticmethod
    def of(graph: Graph) -> DenseLayers:
        """All matrices of a graph."""
        names: list[str] = []
        node: list[int] = []
        matrices: list[Matrix] = []
        for n in graph.nodes:
            found = n.operator.matrices([graph.shapes[i] for i in n.inputs])
            if found:
                node += [len(names)] * len(found)
                names.append(n.name)
                matrices += found
        return DenseLayers(tuple(names), np.asarray(node, np.int64), tuple(matrices))

    @cached_property
    def groups(self) -> np.ndarray:
        return np.array([m.groups for m in self.matrices], np.int64)

    @cached_property
    def rows(self) -> np.ndarray:
        return np.array([m.rows for m in self.matrices], np.int64)

    @cached_property
    def columns(self) -> np.ndarray:
        return np.array([m.cols for m in self.matrices], np.int64)

    @cached_property
    def products(self) -> np.ndarray:
        return np.array([m.products for m in self.matrices], np.int64)

    @cached_property
    def weight_bits(self) -> np.ndarray:
        """Bits of the weights' own formats, UNLIMITED where they have none."""
        return np.array([format_bits(m.weight_format) for m in self.matrices], np.int64)

    @cached_property
    def input_bits(self) -> np.ndarray:
        """Bits of the inputs' own formats, UNLIMITED where they have none."""
        return np.array([format_bits(m.input_format) for m in self.matrices], np.int64)

    @cached_property
    def distinct(self) -> np.ndarray:
        """Distinct input values of a sample."""
        return np.array([distinct_values(m) for m in self.matrices])

    @cached_property
    def held(self) -> np.ndarray:
        """Input values that are held while windows need them."""
        return np.array([held_values(m) for m in self.matrices])

    @cached_property
    def first(self) -> np.ndarray:
        """Index of the first matrix of each node."""
        return np.searchsorted(self.node, np.arange(len(self.nodes)))

    @property
    def macs(self) -> int:
        """Multiply-accumulates per sample."""
        return sum(m.macs for m in self.matrices)

    def per_node(self, values: np.ndarray) -> np.ndarray:
        """Sums over the matrices of each node: (design, matrix) -> (design, node)."""
        return np.add.reduceat(values, self.first, axis=-1)


@dataclass(frozen=True)
class DesignCounts:
    """Per sample and design. counts: by (part of the core, action), summed over layers, (designs,) or a number.

    carried: bits between tiles and cores, both ways; fetched: those into the cores, (designs,) or a number.
    service_s: how long the cores of a node work for one sample, one copy of each, (designs or 1, nodes). depth_s: of
    their pipelines, (designs or 1, nodes or 1). partial_sums: additions that join the row tiles of outputs. arrays,
    cores: of one copy of the network. feasible: whether the core can hold a weight and drive an input at all.
    """

    counts: Mapping[tuple[str, str], Any]
    carried: Any
    fetched: Any
    service_s: np.ndarray
    depth_s: np.ndarray
    partial_sums: Any
    arrays: Any
    cores: Any
    feasible: Any


@runtime_checkable
class ClosedForm(Protocol):
    """A kind of core that knows the counts of many designs at once, beside what `layered.core.CoreKind` asks."""

    def designs(self, layers: DenseLayers, unit: Component, assumption: Assumption) -> DesignCounts:
        """Counts of a dense network with assumed activity, one copy of each layer, on a unit of designs."""
        ...


def column(value: Any) -> Any:
    """A setting or quantity as a factor of (design, matrix) arrays."""
    return value[:, None] if np.ndim(value) else value
