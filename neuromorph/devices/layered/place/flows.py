"""Who sends how many bits to whom: traffic between tiles per sample, from the cut of the layers.

A value lives where it is produced: the products of a matrix' column block where its row blocks are summed (the
tile of the first row block), the outcome of element-wise operators and pooling where their latest input lives.
It is sent to every tile that multiplies by it, once per tile. Producers and consumers meet by position along the
feature axis (channels of a map, features of a vector), as a fraction of it; copies deal out the products of a
sample in equal runs, so that a copy meets the copies whose runs overlap its own. Overlap of neighbouring windows
across the edge of two runs is left out, and so is the permutation that a transposition makes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.layered.place.demand import Demand
from neuromorph.graph.model import Graph, Matrix, Node, Shape
from neuromorph.graph.operators.wiring import Concat

OUTSIDE = -1
"""Tile number of what lies outside the chip: sources of the network's inputs, targets of its outputs."""

_EPS = 1e-9


@dataclass(frozen=True)
class Flows:
    """Bits per sample between tiles: node (index of the consuming node, for sums of row blocks the node itself),
    source, target (tiles, OUTSIDE = -1), bits, partial (sums of row blocks on their way): all (flows,)."""

    node: np.ndarray
    source: np.ndarray
    target: np.ndarray
    bits: np.ndarray
    partial: np.ndarray

    def __len__(self) -> int:
        return int(self.bits.size)

    def moved_to(self, position: np.ndarray) -> Flows:
        """The same flows with tile k at position[k]."""
        where = np.append(position, OUTSIDE)
        return Flows(self.node, where[self.source], where[self.target], self.bits, self.partial)


@dataclass(frozen=True)
class Pieces:
    """Rectangles of a value over (feature, position), both as fractions, and the tile each is in: all (pieces,)."""

    tile: np.ndarray
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def outside(cls) -> Pieces:
        """A whole value outside the chip."""
        zero, one = np.zeros(1), np.ones(1)
        return cls(np.array([OUTSIDE]), zero, one, zero, one)

    def shifted(self, offset: float, scale: float) -> Pieces:
        """As a part of a longer feature axis."""
        return Pieces(self.tile, offset + self.low * scale, offset + self.high * scale, self.first, self.last)

    def sorted(self) -> Pieces:
        order = np.lexsort((self.first, self.low))
        return Pieces(*(v[order] for v in (self.tile, self.low, self.high, self.first, self.last)))


def join(parts: list[Pieces]) -> Pieces:
    """All rectangles of these."""
    names = ("tile", "low", "high", "first", "last")
    return Pieces(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


def meet(source: Pieces, target: Pieces) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of a source and a target rectangle that overlap: indices into source.sorted() and target, area.

    Rectangles of the source must not overlap each other, and those with one feature interval must share it whole.
    """
    s = source.sorted()
    begins = np.concatenate(([True], np.diff(s.low) > 1e-12))
    block = np.cumsum(begins) - 1
    low, high = s.low[begins], s.high[begins]
    lo = np.searchsorted(high, target.low + 1e-12, "right")
    hi = np.searchsorted(low, target.high - 1e-12, "left")
    t, b = _expand(lo, np.maximum(hi, lo))
    # Within a block positions are sorted: one key per block and position finds the overlapping run.
    lo = np.searchsorted(block + s.last, b + target.first[t] + _EPS, "right")
    hi = np.searchsorted(block + s.first, b + target.last[t] - _EPS, "left")
    pair, piece = _expand(lo, np.maximum(hi, lo))
    t = t[pair]
    width = np.minimum(s.high[piece], target.high[t]) - np.maximum(s.low[piece], target.low[t])
    length = np.minimum(s.last[piece], target.last[t]) - np.maximum(s.first[piece], target.first[t])
    return piece, t, np.maximum(width, 0.0) * np.maximum(length, 0.0)


def _expand(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows k with every number of lo[k]..hi[k]-1: (row, number)."""
    count = hi - lo
    row = np.repeat(np.arange(lo.size), count)
    number = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count) + np.repeat(lo, count)
    return row, number


@dataclass(frozen=True)
class _Columns:
    """One demand's shards, all copies; (shards,) each."""

    item: np.ndarray
    group: np.ndarray
    row0: np.ndarray
    row1: np.ndarray
    col0: np.ndarray
    col1: np.ndarray
    copy: np.ndarray
    tile: np.ndarray


class _Collector:
    def __init__(self) -> None:
        self.parts: list[tuple[np.ndarray, ...]] = []

    def add(self, node: int, source: np.ndarray, target: np.ndarray, bits: np.ndarray, partial: bool) -> None:
        if bits.size:
            self.parts.append((np.full(bits.size, node), source, target, bits, np.full(bits.size, partial)))

    def send(self, node: int, source: Pieces, target: Pieces, bits: float) -> None:
        """A value of this many bits goes from its pieces to all pieces of the target that need it."""
        piece, to, area = meet(source, target)
        self.add(node, source.sorted().tile[piece], target.tile[to], area * bits, False)

    def flows(self) -> Flows:
        """Everything collected, summed over equal node, source, target and kind."""
        if not self.parts:
            none = np.zeros(0, np.int64)
            return Flows(none, none, none, np.zeros(0), none.astype(bool))
        node, source, target, bits, partial = (np.concatenate(c) for c in zip(*self.parts, strict=True))
        on_chip = (source != OUTSIDE) | (target != OUTSIDE)
        node, source, target, bits, partial = (v[on_chip] for v in (node, source, target, bits, partial))
        tiles = int(max(source.max(), target.max())) + 2
        key = ((node.astype(np.int64) * 2 + partial) * tiles + source + 1) * tiles + target + 1
        _, first, index = np.unique(key, return_index=True, return_inverse=True)
        total = np.bincount(index, weights=bits)
        return Flows(node[first], source[first], target[first], total, partial[first])


def trace(
    graph: Graph, demands: list[Demand], copies: np.ndarray, columns: dict[str, np.ndarray], signal_bits: int
) -> Flows:
    """The flows of one sample. columns: shards in demand order with demand, item, group, row0.., copy, tile."""
    shapes = graph.shapes
    out = _Collector()
    where: dict[str, Pieces] = {name: Pieces.outside() for name in graph.input_shapes}
    made: dict[str, int] = dict.fromkeys(graph.input_shapes, -1)
    bounds = np.searchsorted(columns["demand"], np.arange(len(demands) + 1))
    owner = {node.name: k for k, d in enumerate(demands) for node in d.group.nodes}
    for index, node in enumerate(graph.nodes):
        k = owner.get(node.name)
        if k is not None and (matrices := _matrices(demands[k], node)):
            part = slice(bounds[k], bounds[k + 1])
            own = _Columns(*(columns[n][part] for n in _Columns.__dataclass_fields__))
            held = _Held(demands[k].index, node, tuple(shapes[i] for i in node.inputs), matrices, int(copies[k]))
            where[node.name] = _hosted(out, held, demands[k], own, where, shapes[node.name], signal_bits)
            made[node.name] = index
        elif isinstance(node.operator, Concat):
            sizes = [math.prod(shapes[i]) for i in node.inputs]
            offsets = np.concatenate(([0.0], np.cumsum(sizes))) / sum(sizes)
            parts = [where[i].shifted(o, n / sum(sizes)) for i, o, n in zip(node.inputs, offsets, sizes, strict=False)]
            where[node.name], made[node.name] = join(parts), max(made[i] for i in node.inputs)
        else:
            home = max(node.inputs, key=lambda i: made[i])
            for name in dict.fromkeys(node.inputs):
                if name != home and where[name] is not where[home]:
                    to = index if k is None else demands[k].index
                    out.send(to, where[name], where[home], math.prod(shapes[name]) * signal_bits)
            where[node.name], made[node.name] = where[home], made[home]
    for index, node in enumerate(graph.nodes):
        for name in dict.fromkeys(node.feedback):  # added where the node's first input is, or the node itself
            into = where[node.inputs[0]] if made[node.inputs[0]] >= 0 else where[node.name]
            if where[name] is not into:
                out.send(index, where[name], into, math.prod(shapes[name]) * signal_bits)
    for name in dict.fromkeys(graph.outputs):
        out.send(len(graph.nodes), where[name], Pieces.outside(), math.prod(shapes[name]) * signal_bits)
    return out.flows()


@dataclass(frozen=True)
class _Held:
    """A node with matrices in arrays: the index its traffic is kept by (of its group), its matrices by item."""

    index: int
    node: Node
    shapes: tuple[Shape, ...]
    matrices: Mapping[str, Matrix]
    copies: int


def _matrices(demand: Demand, node: Node) -> Mapping[str, Matrix]:
    return next((own for other, _, own in demand.group.products() if other.name == node.name), {})


def _hosted(
    out: _Collector,
    node: _Held,
    demand: Demand,
    own: _Columns,
    where: dict[str, Pieces],
    output: tuple[int, ...],
    signal_bits: int,
) -> Pieces:
    """Record the flows into one hosted node and within it; returns where its result is."""
    held = []
    for k, tiling in enumerate(demand.tilings):
        if len(tiling) and tiling.item in node.matrices:
            of_item = _Columns(*(getattr(own, n)[own.item == k] for n in _Columns.__dataclass_fields__))
            held.append((node.matrices[tiling.item], tiling, of_item))
    roots: list[tuple[Matrix, Pieces]] = []
    for matrix, tiling, of_item in held:
        weights = float(((tiling.row1 - tiling.row0) * (tiling.col1 - tiling.col0)).sum())
        # A sum of rows products is exact in this many bits.
        sum_bits = value_bits(matrix, signal_bits) + float(tiling.bits.sum()) / weights + math.log2(max(matrix.rows, 2))
        roots.append((matrix, _sums(out, node.index, matrix, node.copies, of_item, math.ceil(sum_bits))))
    result = roots[-1][1] if roots else Pieces.outside()
    for matrix, pieces in roots[:-1]:  # several matrices of one node meet where the last one's sums are
        if matrix.cols * matrix.groups == roots[-1][0].cols * roots[-1][0].groups:
            out.send(node.index, pieces, result, matrix.products * matrix.cols * matrix.groups * signal_bits)
    for matrix, _, of_item in held:
        _inputs(out, node, matrix, of_item, where, result, output, signal_bits)
    return result


def value_bits(matrix: Matrix, signal_bits: int) -> int:
    """Bits of one input value on its way: the narrower of the code on the network's grid and the core's."""
    grid = None if matrix.input_format is None else matrix.input_format.grid
    return signal_bits if grid is None else min(signal_bits, grid.bits)


def _sums(out: _Collector, node: int, matrix: Matrix, copies: int, own: _Columns, sum_bits: float) -> Pieces:
    """Row blocks of a column block are summed in the tile of the first; every other tile sends one partial sum."""
    block = (own.copy * matrix.groups + own.group) * np.int64(matrix.cols) + own.col0
    order = np.lexsort((own.row0, block))
    _, first, index = np.unique(block[order], return_index=True, return_inverse=True)
    root = order[first]
    column_block = np.empty(block.size, np.int64)
    column_block[order] = index
    key = column_block * np.int64(own.tile.max() + 1) + own.tile
    one = np.unique(key, return_index=True)[1]
    at = root[column_block[one]]
    other = one[own.tile[one] != own.tile[at]]
    at = root[column_block[other]]
    bits = (own.col1 - own.col0)[other] * (matrix.products / copies * sum_bits)
    out.add(node, own.tile[other], own.tile[at], bits, True)
    columns = float(matrix.groups * matrix.cols)
    begin = own.group[root] * matrix.cols + own.col0[root]
    return Pieces(
        own.tile[root],
        begin / columns,
        (begin + own.col1[root] - own.col0[root]) / columns,
        own.copy[root] / copies,
        (own.copy[root] + 1) / copies,
    )


def _inputs(
    out: _Collector,
    node: _Held,
    matrix: Matrix,
    own: _Columns,
    where: dict[str, Pieces],
    result: Pieces,
    output: tuple[int, ...],
    signal_bits: int,
) -> None:
    """Values go to every tile that holds rows for them. Rows beyond the node's own input read its output."""
    features, copies, shape = matrix.groups * matrix.rows, node.copies, node.shapes[0]
    source = node.node.inputs[0]
    begin = own.group * matrix.rows + own.row0
    ends = begin + own.row1 - own.row0
    key = (own.tile * np.int64(copies) + own.copy) * (features + 1) + begin
    one = np.unique(key, return_index=True)[1]
    begin, ends, tile, copy = begin[one], ends[one], own.tile[one], own.copy[one]
    bits = value_bits(matrix, signal_bits)
    from_input = features
    if matrix.window is None and tuple(matrix.input_shape) != tuple(shape):
        from_input = shape[-1] if features == shape[-1] + output[-1] else 0

    def needs(low: int, high: int) -> Pieces:
        a, b = np.clip(begin, low, high), np.clip(ends, low, high)
        some = b > a
        span = float(high - low)
        return Pieces(
            tile[some], (a[some] - low) / span, (b[some] - low) / span, copy[some] / copies, (copy[some] + 1) / copies
        )

    if matrix.taps > 1:  # every delayed copy of the input travels from where it is kept, beside its source
        each = features // matrix.taps
        for tap in range(matrix.taps):
            amount = math.prod(shape) * bits
            out.send(node.index, where[source], needs(tap * each, (tap + 1) * each), amount)
        return
    if from_input:
        amount = math.prod(shape) * bits
        out.send(node.index, where[source], needs(0, from_input), amount)
    if from_input < features:
        amount = matrix.products * (features - from_input) * bits
        out.send(node.index, result, needs(from_input, features), amount)
