"""What a measurement ran: a network file, layers by their shapes, or neurons that send to each other at random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.neurons import LIF
from neuromorph.graph.operators.synapses import SparseLinear
from neuromorph.graph.operators.wiring import Slice
from neuromorph.graph.semantics import Semantics

SEED = 0
STEP_S = 1e-3


@dataclass(frozen=True)
class Layer:
    """A matrix of rows (inputs) x columns (outputs) with so many products per sample, one for each place of a map of
    this height; `times` such layers, `copies` of each on the chip.

    kernel: the rows are windows of kernel x kernel over channels, one step apart, so that a value lies in several.
    resident: the values of the first column of places alone cross the chip's boundary, the others lie on zero padding,
    so that a peak figure is not bound by the host.
    """

    rows: int
    columns: int
    products: int = 1
    height: int = 1
    kernel: int = 1
    copies: int = 1
    times: int = 1
    resident: bool = False


@dataclass(frozen=True)
class Neurons:
    """Populations of as many neurons as a core has, on `cores` cores; the first `senders` of each have `synapses`
    synapses on one core at random. steps: length of a sample, 1 ms each."""

    cores: int
    neurons: int
    senders: int
    synapses: int
    steps: int = 10


@dataclass(frozen=True)
class Workload:
    """One of three: layers, neurons, or the path of a network. weight_density: share of weights at full scale, the
    others zero, the same in every column."""

    name: str
    layers: tuple[Layer, ...] = ()
    neurons: Neurons | None = None
    network: Path | None = None
    weight_density: float = 0.5

    @property
    def operations(self) -> int | None:
        """Two per multiply-accumulate; None for a network file, which is not read here."""
        if self.network is not None:
            return None
        return sum(2 * x.rows * x.columns * x.products * x.times for x in self.layers)

    def build(self) -> tuple[Graph, dict[str, Any]]:
        """The network and the options it is placed with. Raises InputError for a network file that cannot be read."""
        if self.network is not None:
            from neuromorph.importers import read_graph

            return read_graph(self.network), {}
        if self.neurons is not None:
            return recurrent(self.name, self.neurons), {"effort": "none"}
        graph = parallel(self.name, self.layers, self.weight_density)
        copies = {name: x.copies for x, names in _named(self.layers) for name in names if x.copies > 1}
        return graph, {"effort": "none", "duplicate": False, "copies": copies or None}


def _named(layers: tuple[Layer, ...]) -> list[tuple[Layer, list[str]]]:
    return [(x, [f"layer{i}_{k}" for k in range(x.times)]) for i, x in enumerate(layers)]


def parallel(name: str, layers: tuple[Layer, ...], weight_density: float) -> Graph:
    """All layers beside each other, each with an input of its own: one window per product."""
    inputs, nodes, outputs = {}, [], []
    for x, names in _named(layers):
        operator = _convolution(x, weight_density)
        for node in names:
            size = x.height, 1 if x.resident else x.products // x.height
            inputs[f"{node}_in"] = (x.rows // x.kernel**2, *(n + x.kernel - 1 for n in size))
            own = replace(operator)  # layers of their own, not one that is used again
            nodes.append(Node(node, own, (f"{node}_in",)))
            if x.resident:
                nodes.append(Node(f"{node}_out", Slice(-1, 0, 1), (node,)))
            outputs.append(f"{node}_out" if x.resident else node)
    return Graph(name, inputs, tuple(nodes), tuple(outputs))


def _convolution(layer: Layer, weight_density: float) -> Conv2d:
    place, k = np.arange(layer.rows), layer.kernel
    row = np.floor((place + 1) * weight_density) > np.floor(place * weight_density)  # evenly spread over the rows
    weight = np.broadcast_to(row.astype(np.float64), (layer.columns, layer.rows)).reshape(layer.columns, -1, k, k)
    beyond = layer.products // layer.height - 1 if layer.resident else 0
    return Conv2d(weight, window=Window((k, k), padding=(0, 0, 0, beyond)))


def recurrent(name: str, n: Neurons) -> Graph:
    """Neurons whose spikes go to a core at random and reach neighbouring neurons there a step later. One input drives
    one neuron, as a network has an input."""
    random, size = np.random.default_rng(SEED), n.cores * n.neurons
    sender = (np.arange(n.cores)[:, None] * n.neurons + np.arange(n.senders)).ravel()
    core = random.permutation(sender.size) % n.cores  # every core receives as much as every other
    first = core * n.neurons + random.integers(0, n.neurons - n.synapses + 1, sender.size)
    width = np.zeros(size, np.int64)
    width[sender] = n.synapses
    index = (first[:, None] + np.arange(n.synapses)).ravel().astype(np.int32)
    one_step = np.array([1], np.uint8)
    synapses = SparseLinear(  # feedback takes the step that a synapse takes
        np.concatenate([[0], np.cumsum(width)]), index, np.ones(index.size, np.float32), size, np.array([0], np.uint8)
    )
    entry = SparseLinear(np.array([0, 1]), np.array([0]), np.ones(1), size, one_step)
    one = np.ones(size)
    cells = LIF(8e-3 * one, 8.0 * one, 0 * one, one, 0 * one, Semantics(STEP_S, reset="subtract"))
    nodes = (
        Node("entry", entry, ("in",)),
        Node("cells", cells, ("entry",), feedback=("synapses",)),
        Node("synapses", synapses, ("cells",)),
    )
    return Graph(name, {"in": (n.steps, 1)}, nodes, ("cells",))
