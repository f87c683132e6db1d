"""Small networks that the compression tests share."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from neuromorph.graph import operators as op
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph, Node, Window


def mlp(seed: int = 0, sizes: tuple[int, ...] = (8, 12, 10, 4)) -> Graph:
    """Fully connected layers fc1, fc2, ... with ReLU between them."""
    rng = np.random.default_rng(seed)
    nodes: list[Node] = []
    last = "x"
    for i, (n, m) in enumerate(pairwise(sizes), start=1):
        nodes.append(Node(f"fc{i}", op.Linear(rng.normal(size=(m, n)), rng.normal(size=m)), (last,), f"net.fc{i}"))
        last = f"fc{i}"
        if i < len(sizes) - 1:
            nodes.append(Node(f"relu{i}", op.ReLU(), (last,)))
            last = f"relu{i}"
    return Graph("mlp", {"x": (sizes[0],)}, tuple(nodes), (last,))


def cnn(seed: int = 0, activation: str = "ReLU", padding: int = 1) -> Graph:
    """conv1 (2->6), BatchNorm, activation, pool, depthwise, activation, conv2 (6->8), pool, flatten, fc1, fc2."""
    rng = np.random.default_rng(seed)
    act = getattr(op, activation)
    edge = (padding,) * 4
    window = Window((3, 3), (1, 1), edge)
    height = 8 if padding else 20
    size = (height + 2 * padding - 2) // 2 + 2 * (2 * padding - 2)
    features = 8 * (size // 2) ** 2

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape)

    chain = [
        ("conv1", op.Conv2d(normal(6, 2, 3, 3), normal(6), window=window)),
        ("bn", op.BatchNorm(normal(6), normal(6))),
        ("act1", act()),
        ("pool1", op.MaxPool2d()),
        ("dw", op.Conv2d(normal(6, 1, 3, 3), None, window=window, groups=6)),
        ("act2", act()),
        ("conv2", op.Conv2d(normal(8, 6, 3, 3), normal(8), window=window)),
        ("act3", act()),
        ("pool2", op.AvgPool2d()),
        ("flat", op.Flatten()),
        ("fc1", op.Linear(normal(16, features), normal(16))),
        ("act4", act()),
        ("fc2", op.Linear(normal(5, 16), normal(5))),
    ]
    names = ["x", *[name for name, _ in chain]]
    nodes = tuple(Node(name, o, (names[i],)) for i, (name, o) in enumerate(chain))
    return Graph("cnn", {"x": (2, height, height)}, nodes, ("fc2",))


def residual(seed: int = 0) -> Graph:
    """Two convolutions, the second added to the first's output, then a head; conv3 feeds nothing but the head."""
    rng = np.random.default_rng(seed)
    window = Window((3, 3), (1, 1), (1, 1, 1, 1))

    def conv(name: str, source: str, o: int, i: int) -> Node:
        return Node(name, op.Conv2d(rng.normal(size=(o, i, 3, 3)), None, window=window), (source,))

    nodes = (
        conv("conv1", "x", 6, 2),
        Node("relu1", op.ReLU(), ("conv1",)),
        conv("conv2", "relu1", 6, 6),
        Node("sum", op.Add(), ("relu1", "conv2")),
        Node("relu2", op.ReLU(), ("sum",)),
        conv("conv3", "relu2", 4, 6),
        Node("relu3", op.ReLU(), ("conv3",)),
        Node("gap", op.GlobalAvgPool(keep=False), ("relu3",)),
        Node("head", op.Linear(rng.normal(size=(3, 4)), rng.normal(size=3)), ("gap",)),
    )
    return Graph("residual", {"x": (2, 6, 6)}, nodes, ("head",))


def recurrent(seed: int = 0, cell: str = "LSTM") -> Graph:
    """A recurrent cell of 5 units on 4 features over 6 steps, then a head."""
    rng = np.random.default_rng(seed)
    gates = {"LSTM": 4, "GRU": 3}[cell]
    made = getattr(op, cell)(rng.normal(size=(gates * 5, 4)), rng.normal(size=(gates * 5, 5)), return_sequences=False)
    nodes = (Node("cell", made, ("x",)), Node("head", op.Linear(rng.normal(size=(2, 5))), ("cell",)))
    return Graph("recurrent", {"x": (6, 4)}, nodes, ("head",))


def batch(graph: Graph, count: int = 16, seed: int = 1) -> np.ndarray:
    """A batch of standard normal inputs for a network with one input."""
    (shape,) = graph.input_shapes.values()
    return np.random.default_rng(seed).normal(size=(count, *shape))


def same_weights(a: Graph, b: Graph) -> bool:
    """Whether all arrays and masks of two graphs are equal."""
    return all(x.operator == y.operator for x, y in zip(a.nodes, b.nodes, strict=True))


def outputs(graph: Graph, x: np.ndarray) -> np.ndarray:
    """The network's output as an array."""
    return evaluate(graph, x).numpy()
