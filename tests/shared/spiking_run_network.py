"""A small spiking network and spikes for it, for runs from end to end."""

from __future__ import annotations

import numpy as np

from neuromorph.events import Raster
from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import LIF
from neuromorph.graph.semantics import Semantics

INPUTS, HIDDEN, CLASSES, STEPS = 30, 20, 4, 12


def lif(size: int) -> LIF:
    one = np.ones(size)
    return LIF(8e-3 * one, 8.0 * one, 0 * one, 1.0 * one, 0 * one, Semantics(1e-3, reset="subtract"))


def network(steps: int = STEPS) -> Graph:
    """30 inputs, 20 hidden neurons, 4 classes; class k is told by the inputs k, k + 4, k + 8, ..."""
    r = np.random.default_rng(3)
    first = r.normal(0, 0.1, (HIDDEN, INPUTS))
    second = r.normal(0, 0.1, (CLASSES, HIDDEN))
    for h in range(HIDDEN):
        first[h, h % CLASSES :: CLASSES] += 0.5
        second[h % CLASSES, h] += 0.6
    nodes = (
        Node("fc1", Linear(first), ("events",)),
        Node("hidden", lif(HIDDEN), ("fc1",)),
        Node("fc2", Linear(second), ("hidden",)),
        Node("out", lif(CLASSES), ("fc2",)),
    )
    return Graph("small", {"events": (steps, INPUTS)}, nodes, ("out",))


def events(samples: int = 16) -> tuple[Raster, np.ndarray]:
    """Spikes (samples, 12 steps, 30 inputs) and the class of each sample."""
    r = np.random.default_rng(4)
    labels = np.arange(samples) % CLASSES
    rate = np.full((samples, INPUTS), 0.05)
    for i, label in enumerate(labels):
        rate[i, label::CLASSES] = 0.4
    x = (r.random((samples, STEPS, INPUTS)) < rate[:, None]).astype(np.float32)
    return Raster.from_dense(x, 1e-3), labels.astype(np.int64)
