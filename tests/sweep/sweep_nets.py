"""Small networks and data for the tests of sweeps over hardware."""

from __future__ import annotations

import numpy as np

from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators.activation import ReLU
from neuromorph.graph.operators.dense import Linear


def small(seed: int = 3, hidden: int = 12) -> Graph:
    """20 - hidden - 4 with ReLU."""
    rng = np.random.default_rng(seed)
    return Graph(
        f"small{hidden}",
        {"x": (20,)},
        (
            Node("first", Linear(rng.normal(size=(hidden, 20)) / 4, rng.normal(size=hidden) / 10), ("x",)),
            Node("relu", ReLU(), ("first",)),
            Node("second", Linear(rng.normal(size=(4, hidden)) / 3, None), ("relu",)),
        ),
        ("second",),
    )


def data(samples: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and the labels that the float network gives them."""
    import torch

    from neuromorph.graph.evaluate import Evaluator

    x = np.random.default_rng(5).normal(size=(samples, 20)).astype(np.float32)
    return x, Evaluator(small())(torch.as_tensor(x)).argmax(-1).numpy()
