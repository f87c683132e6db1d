"""Speed of a spiking forward pass in float against a plain torch loop over the same network.

784-512-10 leaky integrate-and-fire neurons, batch 128, 25 steps, reset by subtraction; input events with probability
0.1. The loop multiplies and updates step by step; the evaluator multiplies a layer at a time. Spikes are the same.

    python -m benchmarks.bench_spiking_forward [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.timing import compete, parse, show

SIZES = (784, 512, 10)
BATCH, STEPS = 128, 25
BETA = 0.75


def weights() -> list[np.ndarray]:
    """Multiples of 1/128: every sum is exact, whatever its order."""
    rng = np.random.default_rng(0)
    return [np.rint(rng.normal(size=(b, a)) * 160 / np.sqrt(a)) / 128 for a, b in pairwise(SIZES)]


def evaluated() -> Callable[[Any], Any]:
    """The network through the package's evaluator."""
    from neuromorph.graph.evaluate import Evaluator
    from neuromorph.graph.model import Graph, Node
    from neuromorph.graph.operators.dense import Linear
    from neuromorph.graph.operators.neurons import LIF
    from neuromorph.graph.semantics import Semantics

    dt = 1e-3
    semantics = Semantics(dt, reset="subtract")
    nodes, source = [], "x"
    for k, weight in enumerate(weights()):
        size = np.ones(len(weight))
        neuron = LIF(dt / (1 - BETA) * size, size / (1 - BETA), 0 * size, size, 0 * size, semantics)
        nodes += [Node(f"l{k}", Linear(weight), (source,)), Node(f"n{k}", neuron, (f"l{k}",))]
        source = f"n{k}"
    return Evaluator(Graph("lif", {"x": (STEPS, SIZES[0])}, tuple(nodes), (source,)))


def looped() -> Callable[[Any], Any]:
    """The same in plain torch."""
    import torch

    layers = [torch.from_numpy(w).float() for w in weights()]

    def run(x: torch.Tensor) -> torch.Tensor:
        v = [torch.zeros(len(x), len(w)) for w in layers]
        out = []
        for t in range(STEPS):
            s = x[:, t]
            for k, w in enumerate(layers):
                v[k] = BETA * v[k] + s @ w.T
                s = (v[k] > 1).float()
                v[k] = v[k] - s
            out.append(s)
        return torch.stack(out, 1)

    return run


def rows(quick: bool) -> list[dict[str, Any]]:
    """One row: the evaluator against the loop."""
    import torch

    x = (torch.rand(BATCH, STEPS, SIZES[0], generator=torch.Generator().manual_seed(1)) < 0.1).float()
    mine, loop = evaluated(), looped()
    with torch.inference_mode():
        assert torch.equal(mine(x), loop(x)), "the spikes differ"
        contest = compete(lambda: mine(x), lambda: loop(x), 10 if quick else 60, warm=3)
    return [
        contest.row(
            "spiking forward 784-512-10", 1.2, "plain torch loop", batch=BATCH, steps=STEPS,
            threads=torch.get_num_threads(),
        )
    ]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    show(rows(parse(__doc__, argv).quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
