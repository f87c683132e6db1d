"""The network as a graph of operators: what a model means, with no hardware in it.

Every operator states its equation in its docstring and evaluates it with its matrix products
handed to a `Host`. The float host multiplies exactly; a device kind's host multiplies on the
emulated hardware. So an operator's equation exists once, whoever computes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from neuromorph.card import Card
from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.arrays import ShapeOnly, content_hash, no_values, same_content
from neuromorph.graph.arrays import frozen_array as frozen_array
from neuromorph.graph.formats.base import NumberFormat as NumberFormat

if TYPE_CHECKING:
    import torch

Shape = tuple[int, ...]
"""Sizes of one sample's axes (the batch axis is left out)."""


@dataclass(frozen=True)
class Window:
    """Sliding-window geometry of a convolution in (height, width); a 1-d convolution has height 1.

    padding is (top, bottom, left, right), zeros.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Number of window positions (rows, columns) over a map of this size."""
        sizes = []
        for size, k, s, d, (p0, p1) in zip(
            (height, width), self.kernel, self.stride, self.dilation, (self.padding[:2], self.padding[2:]), strict=True
        ):
            sizes.append((size + p0 + p1 - d * (k - 1) - 1) // s + 1)
        return sizes[0], sizes[1]


@dataclass(frozen=True, eq=False)
class Matrix:
    """A weight matrix an operator multiplies by: y[g] = x[g] @ weight[g], block-diagonal over groups g.

    weight: (groups, rows, cols) float64; rows are inputs, cols are outputs. For a convolution
    the rows of a group run over (channel in group, kernel row, kernel column), channel slowest.
    products: how many vectors of this matrix one sample multiplies (window positions, time steps).
    mask: same shape, False where pruned. weight_format: the operator's own; a scale per channel (axis 0 of the
    operator's weight) has groups*cols entries here, output by output. window: set when the inputs are sliding windows.
    input_shape: the per-sample shape of the tensor that the operator hands to the host. taps: the rows are so many
    delayed copies of the node's input, one after the other.
    """

    name: str
    weight: np.ndarray
    products: int
    mask: np.ndarray | None = None
    weight_format: NumberFormat | None = None
    input_format: NumberFormat | None = None
    window: Window | None = None
    input_shape: Shape = ()
    taps: int = 1

    @property
    def groups(self) -> int:
        return int(self.weight.shape[0])

    @property
    def rows(self) -> int:
        return int(self.weight.shape[1])

    @property
    def cols(self) -> int:
        return int(self.weight.shape[2])

    @property
    def macs(self) -> int:
        """Dense multiply-accumulates per sample."""
        return self.products * int(np.prod(self.weight.shape))


class Host(Protocol):
    """Computes what an operator asks of whoever executes it: products with its matrices, the value that its parameters
    have there, and activation functions. x and the result carry any leading axes (trial, batch, time).

    `functions.ExactFunctions` is a base for hosts that only multiply.
    """

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        """x (..., groups*rows) -> (..., groups*cols) without bias."""
        ...

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        """x (..., channels, height, width) -> (..., groups*cols, out height, out width) without bias."""
        ...

    def parameter(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """The array field `name` (a bias, a scale) as the host stores it. value: the exact one, not to be changed."""
        ...

    def function(self, name: str, x: torch.Tensor, **settings: Any) -> torch.Tensor:
        """An activation function of `functions.FUNCTIONS` with its settings: "relu", "sigmoid", "tanh" ..."""
        ...


class GroupHost:
    """Computes several nodes at once, in the place of a `Host` for each of them.

    Nodes but the first take their inputs from inside the group, and only the last is used outside.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)

    def compute(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """The output of the last node for the inputs of the first, (..., *shape) with any leading axes."""
        raise TypeError(f"{type(self).__name__} defines no compute")


@dataclass(frozen=True)
class WeightSlot:
    """Names of the fields that hold one trainable weight array: its values, its pruning mask, its number format.

    Slots of one operator that name the same format lie in one matrix side by side (axis 1) and share its scales.
    """

    weight: str
    mask: str
    format: str


@dataclass(frozen=True, eq=False)
class Operator:
    """Base of all operators: a final frozen dataclass per operator, arrays as float64 numpy arrays.

    Axes are counted from the end (-1 is the last), since any number of axes may lead.

    `role` says who may execute it: "matrix" (has matrices, needs a core), "vector" (elementwise,
    pooling, neurons: a vector unit), "wiring" (moves or reinterprets data, free), "memory" (looks values up in a table
    that the chip's memory holds).
    """

    role: ClassVar[str] = "vector"
    registry: ClassVar[dict[str, type[Operator]]] = {}
    weight_slots: ClassVar[tuple[WeightSlot, ...]] = ()
    fixed: ClassVar[tuple[str, ...]] = ()
    """Array fields that training leaves alone."""
    pools: ClassVar[bool] = False
    """Whether it makes one value of the values of a window or map, which chips may have a unit of its own for."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Operator.registry[cls.__name__] = cls
        # set on every class, so that the dataclass decorator generates no comparison of whole arrays
        type.__setattr__(cls, "__eq__", same_content)
        type.__setattr__(cls, "__hash__", content_hash)

    __eq__ = same_content
    __hash__ = content_hash

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        """Shape of the output for these input shapes; raises InputError with the mismatch."""
        raise TypeError(f"{type(self).__name__} defines no output_shape")

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        """The operator's equation. inputs: (..., *shape) with any leading axes (trial, batch)."""
        raise TypeError(f"{type(self).__name__} defines no evaluate")

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
        """The matrices this operator multiplies by, given its input shapes."""
        return ()

    def weight_matrices(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        """Arranges weight arrays, given by field name, as (groups, rows, cols) matrices by matrix name.

        Works on numpy arrays and torch tensors alike, on weights and on masks, and keeps gradients.
        """
        return {}

    def operations(self, shapes: Sequence[Shape]) -> int:
        """Elementary vector-unit operations per sample (adds, compares, look-ups), matrix products left out."""
        return 0

    def fetched(self, shapes: Sequence[Shape]) -> int:
        """Values per sample that are read from a table kept in the chip's memory."""
        return 0

    @property
    def table_size(self) -> int:
        """Values of that table."""
        return 0

    def arrays(self) -> dict[str, np.ndarray]:
        """Its array-valued fields by name, for saving."""
        return {f.name: v for f in fields(self) if isinstance(v := getattr(self, f.name), np.ndarray)}


@dataclass(frozen=True)
class Node:
    """One use of an operator. `module` is the path in the source model, for messages.

    feedback: later nodes (or this one) whose output of the time step before is added to the first input, zero before
    the first step. Only graphs over time have it; without it the graph is acyclic.
    """

    name: str
    operator: Operator
    inputs: tuple[str, ...] = ()
    module: str = ""
    feedback: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.module or self.name


@dataclass(frozen=True, repr=False)
class Graph(Card):
    """A directed graph in topological order, acyclic but for the nodes' feedback.

    input_shapes: the per-sample shape of each graph input by name; nodes name inputs or earlier
    nodes as their inputs; outputs name nodes. `shapes` gives every value's per-sample shape.
    """

    name: str
    input_shapes: Mapping[str, Shape]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def card(self) -> tuple[str, list[tuple[str, str]]]:
        known = self.shapes
        takes = ", ".join(f"{n} {tuple(s)}" for n, s in self.input_shapes.items())
        gives = ", ".join(f"{n} {tuple(known[n])}" for n in self.outputs)
        weights = sum(int(m.weight.size) for _, m in self.matrices())
        facts = [("takes", takes), ("gives", gives), ("nodes", str(len(self.nodes))), ("weights", f"{weights:,}"),
                 ("MACs", f"{self.macs:,}")]  # fmt: skip
        return self.name, facts

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """nodes: name, operator, shape, weights and MACs of each."""
        known, own = self.shapes, {n.name: list(ms) for n, ms in self._by_node()}
        return {"nodes": [
            {"node": n.name, "operator": type(n.operator).__name__, "shape": tuple(known[n.name]),
             "weights": sum(int(m.weight.size) for m in own[n.name]), "macs": sum(m.macs for m in own[n.name])}
            for n in self.nodes
        ]}  # fmt: skip

    def _by_node(self) -> Iterator[tuple[Node, tuple[Matrix, ...]]]:
        known = self.shapes
        for node in self.nodes:
            yield node, node.operator.matrices([known[i] for i in node.inputs])

    @property
    def shapes(self) -> dict[str, Shape]:
        known: dict[str, Shape] = dict(self.input_shapes)
        for node in self.nodes:
            try:
                known[node.name] = node.operator.output_shape([known[i] for i in node.inputs])
            except InputError as error:
                kind = type(node.operator).__name__
                raise InputError(
                    [Problem(f"{kind}: {p.message}", Place(key=node.label), p.hint) for p in error.problems]
                ) from None
        if problems := [p for node in self.nodes for p in self._feedback_problems(node, known)]:
            raise InputError(problems)
        return known

    def _feedback_problems(self, node: Node, known: Mapping[str, Shape]) -> Iterator[Problem]:
        place = Place(key=node.label)
        for name in node.feedback:
            if name in self.input_shapes or name not in known:
                yield Problem(f"feedback from {name!r}, which is no node", place)
            elif not node.inputs:
                yield Problem(f"feedback from {name!r} into a node without inputs", place)
            elif known[name] != known[node.inputs[0]]:
                has, wants = known[name], known[node.inputs[0]]
                yield Problem(f"feedback from {name!r} has shape {has}, the first input {wants}", place)

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def matrices(self) -> Iterator[tuple[Node, Matrix]]:
        """Every weight matrix with the node that owns it, in order."""
        for node, matrices in self._by_node():
            for matrix in matrices:
                yield node, matrix

    def need_values(self, what: str) -> None:
        """Raises InputError where the weights of a node are shapes only. what: the work that needs their values."""
        for node in self.nodes:
            if any(isinstance(v, ShapeOnly) for v in node.operator.arrays().values()):
                raise no_values(what, node.label)

    @property
    def macs(self) -> int:
        return sum(m.macs for _, m in self.matrices())
