"""Small networks, small versions of the shipped architectures, and placements of single layers for the tests here."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from neuromorph.devices.layered.core import CoreKind, Draw, Group, Layout, Ranges, core_kind, core_of
from neuromorph.devices.layered.place.placement import Placement, place
from neuromorph.graph.model import Graph, Node, Operator, Shape, Window
from neuromorph.graph.operators import activation, arithmetic, convolution, dense, pooling, recurrent, wiring
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.component import Architecture, Component
from neuromorph.hardware.paths import replace

CROSSBARS = ("hermes-like", "isaac-like", "jia-like", "neurram-like", "puma-like", "sinangil-like", "sonos-like")
MACROS = ("jia-like", "sinangil-like")
"""Crossbars that are an array and its converters alone."""
SHIPPED = (*CROSSBARS, "digital-int8")


@cache
def shipped(name: str) -> Architecture:
    return load_architecture(name)


def altered(name: str, changes: Mapping[str, Any] | None = None) -> Architecture:
    """A shipped architecture with parameters replaced by path."""
    return replace(shipped(name), changes) if changes else shipped(name)


def noisy(name: str) -> Architecture:
    """A shipped architecture, its cells with noise where it has cells."""
    array = shipped(name).chip["tile"]["core"].get("array")
    cell = None if array is None else array["cell"].part
    exact = cell is not None and cell.get("programming_noise") is None
    return altered(name, {"core.array.cell.part": "reram-wan2022"} if exact else None)


def crossbar(**changes: Any) -> Component:
    """A crossbar core: hermes-like with 64 x 64 arrays and 12-bit converters unless told otherwise.

    Keys are paths below the core with "__" for ".", so array__rows=8 sets chip.tile.core.array.rows.
    """
    base = {"array.rows": 64, "array.columns": 64, "adc.bits": 12, "dac.bits": 12, "input_bits": 12}
    paths = base | {k.replace("__", "."): v for k, v in changes.items()}
    return core_of(altered("hermes-like", {f"chip.tile.core.{k}": v for k, v in paths.items()}))


def digital(**changes: Any) -> Component:
    paths = {f"chip.tile.core.{k.replace('__', '.')}": v for k, v in changes.items()}
    return core_of(altered("digital-int8", paths))


def layout_of(operator: Operator, shape: Shape, unit: Component, *, cores: int = 1) -> Layout:
    """One node alone, cut for this core and kept whole, on `cores` cores."""
    group = Group((Node("y", operator, ("x",), "layer"),), ((shape,),))
    tilings = core_kind(unit.kind.name).cut(group, unit)
    return Layout(group, tilings, 1, sum(len(t) for t in tilings), cores, unit)


class Layer:
    """One operator on one core: calibrated on data, programmed, evaluated."""

    def __init__(self, operator: Operator, shape: Shape, unit: Component, calibration: np.ndarray) -> None:
        self.operator, self.unit = operator, unit
        self.layout = layout_of(operator, shape, unit)
        self.kind: CoreKind = core_kind(unit.kind.name)
        calibrator = self.kind.calibrate(self.layout)
        operator.evaluate([_tensor(calibration)[None]], calibrator.host())
        self.ranges: Ranges = dict(calibrator.ranges())

    def program(self, *, trials: Sequence[int] = (0,), seed: int = 0, time_s: float = 0.0, off: Any = ()) -> Any:
        return self.kind.program(self.layout, self.ranges, Draw(seed, trials, time_s, frozenset(off)))

    def run(self, x: np.ndarray, first: int = 0, **draw: Any) -> np.ndarray:
        """x (samples, *shape) -> (trials, samples, *output)."""
        host = self.program(**draw).host(first)
        return self.operator.evaluate([_tensor(x)[None]], host).numpy()

    def exact(self, x: np.ndarray) -> np.ndarray:
        """The operator in float64."""
        from neuromorph.graph.evaluate import FloatHost

        return self.operator.evaluate([_tensor(x).double()], FloatHost(self.operator)).numpy()


def _tensor(x: np.ndarray) -> Any:
    import torch

    return torch.tensor(x, dtype=torch.float32)


NOISES = ("programming", "faults", "drift", "flicker", "read")
"""Effects of the cells that make a crossbar random."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def mlp(seed: int = 1, sizes: Sequence[int] = (12, 9, 4)) -> Graph:
    r, nodes, last = rng(seed), [], "x"
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        nodes.append(Node(f"fc{i}", dense.Linear(r.normal(size=(b, a)), r.normal(size=b)), (last,), f"fc{i}"))
        last = f"fc{i}"
        if i + 2 < len(sizes):
            nodes.append(Node(f"relu{i}", activation.ReLU(), (last,)))
            last = f"relu{i}"
    return Graph("mlp", {"x": (sizes[0],)}, tuple(nodes), (last,))


def _conv(r: np.random.Generator, out: int, into: int, kernel: int, groups: int = 1, **window: Any) -> Operator:
    weight = r.normal(size=(out, into // groups, kernel, kernel))
    return convolution.Conv2d(weight, r.normal(size=out), window=Window((kernel, kernel), **window), groups=groups)


def lenet(seed: int = 2) -> Graph:
    """Two convolutions with pooling and two dense layers on an 8 x 8 map."""
    r = rng(seed)
    nodes = (
        Node("conv0", _conv(r, 4, 1, 3, padding=(1, 1, 1, 1)), ("x",)),
        Node("relu0", activation.ReLU(), ("conv0",)),
        Node("pool0", pooling.MaxPool2d(), ("relu0",)),
        Node("conv1", _conv(r, 6, 4, 3), ("pool0",)),
        Node("relu1", activation.ReLU(), ("conv1",)),
        Node("flat", wiring.Flatten(), ("relu1",)),
        Node("fc0", dense.Linear(r.normal(size=(8, 24)), r.normal(size=8)), ("flat",)),
        Node("relu2", activation.ReLU(), ("fc0",)),
        Node("fc1", dense.Linear(r.normal(size=(3, 8)), r.normal(size=3)), ("relu2",)),
    )
    return Graph("lenet", {"x": (1, 8, 8)}, nodes, ("fc1",))


def depthwise(seed: int = 3) -> Graph:
    r = rng(seed)
    nodes = (
        Node("depth", _conv(r, 6, 6, 3, groups=6, padding=(1, 1, 1, 1)), ("x",)),
        Node("point", _conv(r, 5, 6, 1), ("depth",)),
        Node("pool", pooling.GlobalAvgPool(), ("point",)),
        Node("flat", wiring.Flatten(), ("pool",)),
    )
    return Graph("depthwise", {"x": (6, 5, 5)}, nodes, ("flat",))


def windows(seed: int = 4) -> Graph:
    """Dilated, strided and asymmetrically padded convolutions, in groups."""
    r = rng(seed)
    nodes = (
        Node("dilated", _conv(r, 4, 3, 3, dilation=(2, 1), padding=(2, 0, 1, 2)), ("x",)),
        Node("strided", _conv(r, 6, 4, 2, groups=2, stride=(1, 2), padding=(0, 1, 0, 0)), ("dilated",)),
    )
    return Graph("windows", {"x": (3, 6, 7)}, nodes, ("strided",))


def residual(seed: int = 5) -> Graph:
    """The input is added to and joined with results that have a trial axis."""
    r = rng(seed)
    nodes = (
        Node("conv", _conv(r, 3, 3, 3, padding=(1, 1, 1, 1)), ("x",)),
        Node("add", arithmetic.Add(), ("conv", "x")),
        Node("join", wiring.Concat(-3), ("x", "add")),
        Node("conv2", _conv(r, 2, 6, 3), ("join",)),
    )
    return Graph("residual", {"x": (3, 5, 5)}, nodes, ("conv2",))


def lstm(seed: int = 6) -> Graph:
    r = rng(seed)
    cell = recurrent.LSTM(r.normal(size=(12, 5)) / 2, r.normal(size=(12, 3)) / 2, r.normal(size=12) / 2)
    nodes = (Node("lstm", cell, ("x",)), Node("last", wiring.Select(), ("lstm",)))
    return Graph("lstm", {"x": (6, 5)}, nodes, ("last",))


def gru(seed: int = 7) -> Graph:
    r = rng(seed)
    cell = recurrent.GRU(r.normal(size=(9, 5)) / 2, r.normal(size=(9, 3)) / 2, r.normal(size=9), r.normal(size=9))
    head = dense.Linear(r.normal(size=(4, 3)), r.normal(size=4))
    return Graph("gru", {"x": (6, 5)}, (Node("gru", cell, ("x",)), Node("head", head, ("gru",))), ("head",))


NETWORKS = {g.__name__: g for g in (mlp, lenet, depthwise, windows, residual, lstm, gru)}


def inputs_of(graph: Graph, samples: int, seed: int = 0, signed: bool = True) -> np.ndarray:
    (shape,) = graph.input_shapes.values()
    x = rng(seed).normal(size=(samples, *shape))
    return (x if signed else np.abs(x)).astype(np.float32)


def placed(graph: Graph, architecture: Architecture, **options: Any) -> Placement:
    return place(graph, architecture, **({"effort": "none"} | options))
