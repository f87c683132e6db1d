"""Small chips and networks for the tests of mapping."""

from __future__ import annotations

import itertools

import numpy as np

from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.activation import ReLU
from neuromorph.graph.operators.arithmetic import Add
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.pooling import MaxPool2d
from neuromorph.graph.operators.recurrent import GRU, LSTM
from neuromorph.graph.operators.wiring import Concat, Flatten
from neuromorph.hardware.architecture import read_architecture
from neuromorph.hardware.component import Architecture
from neuromorph.yamlfile import parse_yaml

CROSSBAR = """
schema: 1
name: small
boundary: chip
chip:
  topology: {topology}
  tile:
    count: {tiles}
    core:
      kind: crossbar
      count: {cores}
      input_bits: 4
      weight_bits: {weight_bits}
      array:
        count: {arrays}
        rows: 16
        columns: {columns}
        cell: {{part: reram-wan2022, bits: {cell_bits}}}
      dac: {{part: isaac-dac, bits: 4}}
      adc: {{part: isaac-adc, bits: 8}}
      input_buffer: {{part: isaac-input-register, capacity: 2 KiB}}
    {buffer}
  {memory}
"""

DIGITAL = """
schema: 1
name: small-digital
boundary: chip
chip:
  tile:
    count: {tiles}
    core:
      kind: digital
      count: {cores}
      rows: 16
      columns: 16
      clock: 100 MHz
      weight_bits: {weight_bits}
      mac: {{part: mac-45nm, count: 256}}
      weight_buffer: {{part: sram-45nm, capacity: {capacity} bit}}
"""


def crossbar(
    tiles: int = 16,
    cores: int = 1,
    arrays: int = 1,
    *,
    weight_bits: int = 4,
    cell_bits: int = 0,
    columns: int = 32,
    topology: str = "mesh",
    buffer: int | None = None,
    memory: int | None = None,
) -> Architecture:
    """Arrays of 16 x 32 cells: 16 x 16 weights as pairs of continuous cells in adjacent columns."""
    text = CROSSBAR.format(
        tiles=tiles,
        cores=cores,
        arrays=arrays,
        weight_bits=weight_bits,
        cell_bits=cell_bits,
        columns=columns,
        topology=topology,
        buffer="" if buffer is None else f"buffer: {{part: isaac-edram, capacity: {buffer} bit}}",
        memory="" if memory is None else f"memory: {{part: isaac-edram, capacity: {memory} bit}}",
    )
    return read_architecture(parse_yaml(text))


def digital(tiles: int = 4, cores: int = 1, *, weight_bits: int = 8, capacity: int = 16 * 16 * 8 * 4) -> Architecture:
    """MAC arrays of 16 x 16 with a weight memory of so many bits."""
    return read_architecture(
        parse_yaml(DIGITAL.format(tiles=tiles, cores=cores, weight_bits=weight_bits, capacity=capacity))
    )


def weights(*shape: int) -> np.ndarray:
    """Without zeros."""
    return np.random.default_rng(sum(shape)).uniform(0.5, 1.0, shape)


def linear(name: str, x: str, rows: int, cols: int, mask: np.ndarray | None = None) -> Node:
    weight = weights(cols, rows) if mask is None else weights(cols, rows) * mask
    return Node(name, Linear(weight=weight, mask=mask), (x,))


def mlp(*sizes: int) -> Graph:
    """Dense layers fc0, fc1, ... with ReLU between."""
    nodes: list[Node] = []
    x = "x"
    for k, (rows, cols) in enumerate(itertools.pairwise(sizes)):
        nodes.append(linear(f"fc{k}", x, rows, cols))
        x = f"fc{k}"
        if k < len(sizes) - 2:
            nodes.append(Node(f"relu{k}", ReLU(), (x,)))
            x = f"relu{k}"
    return Graph("mlp", {"x": (sizes[0],)}, tuple(nodes), (x,))


def conv(name: str, x: str, channels: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> Node:
    window = Window((kernel, kernel), (stride, stride), (kernel // 2,) * 4)
    weight = weights(out, channels // groups, kernel, kernel)
    return Node(name, Conv2d(weight=weight, window=window, groups=groups), (x,))


def cnn() -> Graph:
    """Convolutions with a residual sum, a concatenation, a depthwise layer, pooling and a dense layer."""
    nodes = (
        conv("conv1", "x", 1, 4),
        Node("relu1", ReLU(), ("conv1",)),
        conv("conv2", "relu1", 4, 4),
        Node("sum", Add(), ("conv2", "relu1")),
        conv("side", "sum", 4, 2, kernel=1),
        Node("joined", Concat(axis=-3), ("sum", "side")),
        conv("depthwise", "joined", 6, 6, groups=6),
        Node("pool", MaxPool2d(window=Window((2, 2), (2, 2))), ("depthwise",)),
        Node("flat", Flatten(), ("pool",)),
        linear("fc", "flat", 6 * 4 * 4, 10),
    )
    return Graph("cnn", {"x": (1, 8, 8)}, nodes, ("fc",))


def recurrent() -> Graph:
    """An LSTM into a GRU."""
    first = LSTM(weight_ih=weights(4 * 6, 10), weight_hh=weights(4 * 6, 6))
    second = GRU(weight_ih=weights(3 * 20, 6), weight_hh=weights(3 * 20, 20), return_sequences=False)
    return Graph("recurrent", {"x": (5, 10)}, (Node("lstm", first, ("x",)), Node("gru", second, ("lstm",))), ("gru",))
