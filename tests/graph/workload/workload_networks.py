"""A small spiking network twice: as a graph here, and as what other counters take."""

from __future__ import annotations

import numpy as np

from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import IF
from neuromorph.graph.operators.wiring import Flatten
from neuromorph.graph.semantics import Semantics

STEPS, SAMPLES = 6, 3


def weights() -> dict[str, np.ndarray]:
    """Small whole numbers over 8, some of them zero, so that every sum is exact in float32."""
    r = np.random.default_rng(7)
    found = {
        "conv": r.integers(-4, 8, (3, 2, 3, 3)) / 8.0,
        "conv_bias": r.integers(0, 3, 3) / 8.0,
        "fc1": r.integers(-5, 6, (12, 27)) / 8.0,
        "fc2": r.integers(-4, 6, (4, 12)) / 8.0,
        "fc2_bias": np.full(4, 0.125),
    }
    found["fc1"][r.random(found["fc1"].shape) < 0.3] = 0.0
    return found


def inputs() -> np.ndarray:
    """Spikes (samples, steps, 2, 6, 6) of 0 and 1."""
    return (np.random.default_rng(8).random((SAMPLES, STEPS, 2, 6, 6)) < 0.3).astype(np.float32)


def analog_inputs() -> np.ndarray:
    """Values on a grid of 1/8, a third of them zero."""
    x = np.random.default_rng(9).integers(0, 9, (SAMPLES, STEPS, 2, 6, 6)) / 8.0
    return np.where(x < 0.375, 0.0, x).astype(np.float32)


def neurons(shape: tuple[int, ...], threshold: float) -> IF:
    one = np.ones(shape)
    return IF(one, threshold * one, 0.0 * one, Semantics(1.0, reset="value", compare=">="))


def network() -> Graph:
    """conv 3x3 stride 2 (padding 1), flatten, two dense layers, integrate-and-fire neurons behind each."""
    w = weights()
    window = Window((3, 3), (2, 2), (1, 1, 1, 1))
    nodes = (
        Node("conv", Conv2d(w["conv"], w["conv_bias"], window=window), ("input",)),
        Node("n1", neurons((3, 3, 3), 1.0), ("conv",)),
        Node("flat", Flatten(3), ("n1",)),
        Node("fc1", Linear(w["fc1"]), ("flat",)),
        Node("n2", neurons((12,), 0.5), ("fc1",)),
        Node("fc2", Linear(w["fc2"], w["fc2_bias"]), ("n2",)),
        Node("n3", neurons((4,), 0.5), ("fc2",)),
    )
    return Graph("small", {"input": (STEPS, 2, 6, 6)}, nodes, ("n3",))
