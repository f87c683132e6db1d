"""Small networks with values, and a plain simulation of integrate-and-fire layers."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.activation import ReLU, Softmax
from neuromorph.graph.operators.arithmetic import Add, BatchNorm
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.pooling import AvgPool2d
from neuromorph.graph.operators.wiring import Flatten


def dense_net(seed: int = 0, sizes: tuple[int, ...] = (6, 12, 9, 4), softmax: bool = False) -> Graph:
    """Linear layers with ReLU between, weights of He's spread."""
    rng = np.random.default_rng(seed)
    nodes, last = [], "x"
    for k, (a, b) in enumerate(itertools.pairwise(sizes)):
        nodes.append(
            Node(f"fc{k}", Linear(rng.normal(size=(b, a)) * np.sqrt(2 / a), 0.1 * rng.normal(size=b)), (last,))
        )
        last = f"fc{k}"
        if k < len(sizes) - 2:
            nodes.append(Node(f"relu{k}", ReLU(), (last,)))
            last = f"relu{k}"
    if softmax:
        nodes.append(Node("softmax", Softmax(), (last,)))
        last = "softmax"
    return Graph("dense", {"x": (sizes[0],)}, tuple(nodes), (last,))


def conv_net(seed: int = 1) -> Graph:
    """Two convolutions (the second grouped), average pooling, a residual sum, and a dense read-out."""
    rng = np.random.default_rng(seed)
    same = Window((3, 3), (1, 1), (1, 1, 1, 1))
    conv = Conv2d(rng.normal(size=(4, 2, 3, 3)) * 0.3, 0.1 * rng.normal(size=4), window=same)
    grouped = Conv2d(rng.normal(size=(4, 2, 3, 3)) * 0.3, 0.1 * rng.normal(size=4), window=same, groups=2)
    nodes = (
        Node("conv1", conv, ("x",)),
        Node("relu1", ReLU(), ("conv1",)),
        Node("pool1", AvgPool2d(), ("relu1",)),
        Node("conv2", grouped, ("pool1",)),
        Node("sum", Add(), ("conv2", "pool1")),
        Node("relu2", ReLU(), ("sum",)),
        Node("flatten", Flatten(3), ("relu2",)),
        Node("fc", Linear(rng.normal(size=(3, 4 * 9)) * 0.2, 0.1 * rng.normal(size=3)), ("flatten",)),
    )
    return Graph("conv", {"x": (2, 6, 6)}, nodes, ("fc",))


def normalized(graph: Graph) -> Graph:
    """The graph with a batch normalization behind its first layer."""
    first, *rest = graph.nodes
    norm = Node("norm", BatchNorm(np.full(12, 0.7), np.full(12, 0.2), -1), (first.name,))
    moved = [Node(n.name, n.operator, tuple("norm" if i == first.name else i for i in n.inputs)) for n in rest]
    return Graph(graph.name, graph.input_shapes, (first, norm, *moved), graph.outputs)


def inputs(graph: Graph, n: int = 64, seed: int = 5) -> np.ndarray:
    ((shape),) = graph.input_shapes.values()
    return np.random.default_rng(seed).random((n, *shape)).astype(np.float32)


def values(graph: Graph, x: np.ndarray) -> dict[str, np.ndarray]:
    """Every value of the graph in float64."""
    from neuromorph.graph.evaluate import evaluate

    found = {"x": x.astype(np.float64)}
    with torch.no_grad():
        evaluate(graph, torch.from_numpy(found["x"]), record=lambda name, v: found.__setitem__(name, v.numpy()))
    return found


def over_steps(graph: Graph, x: np.ndarray) -> dict[str, np.ndarray]:
    """Every value of a spiking graph for constant inputs in float64."""
    steps = next(iter(graph.input_shapes.values()))[0]
    return values(graph, np.repeat(x[:, None], steps, axis=1))


def integrate_and_fire(
    weights: list[np.ndarray], biases: list[np.ndarray], thresholds: list[float], x: np.ndarray, steps: int
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Spike counts and last membranes of each layer, and the summed outputs: a plain loop, initial membrane a half."""
    v = [np.full((len(x), len(b)), th / 2) for b, th in zip(biases, thresholds, strict=False)]
    counts = [np.zeros_like(m) for m in v]
    total = np.zeros((len(x), len(biases[-1])))
    for _ in range(steps):
        value = x
        for k, threshold in enumerate(thresholds):
            v[k] += value @ weights[k].T + biases[k]
            spikes = (v[k] >= threshold).astype(float)
            v[k] -= threshold * spikes
            counts[k] += spikes
            value = threshold * spikes
        total += value @ weights[-1].T + biases[-1]
    return counts, v, total
