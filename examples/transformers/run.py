"""The two transformers on a PCM chip, a MAC array and ISAAC-like crossbars, in float, 8 and 4 bits.

    python examples/transformers/run.py [--rows 20] [--images 100]

Prints perplexity per character or accuracy with energy and latency of one sample, and the share of the activations
between the two matrices of each MLP that is not zero.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import neuromorph as nm
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph
from neuromorph.graph.operators.activation import ReLU
from neuromorph.hardware.paths import replace

HERE = Path(__file__).resolve().parent
CHIPS = {"hermes-like": {}, "digital-int8": {"chip.tile.count": 8}, "isaac-like": {}}
"""Architectures, with what is changed so that the larger network fits."""

BITS = (None, 8, 4)


def loaded(name: str, limit: int) -> tuple[Graph, np.ndarray, np.ndarray]:
    with np.load(HERE / f"{name}-test.npz") as file:
        return (
            nm.read_graph(HERE / f"{name}.nmg.json"),
            file["x"][:limit].astype(np.float32),
            file["y"][:limit].astype(int),
        )


def active_share(graph: Graph, x: np.ndarray) -> float:
    """Share of what the ReLUs give that is not zero."""
    seen: list[tuple[int, int]] = []
    names = {n.name for n in graph.nodes if isinstance(n.operator, ReLU)}

    def record(name: str, value: torch.Tensor) -> None:
        if name in names:
            seen.append((int(torch.count_nonzero(value)), value.numel()))

    with torch.no_grad():
        evaluate(graph, x, record=record)
    return sum(n for n, _ in seen) / sum(total for _, total in seen)


def rows(name: str, limit: int, chips: int) -> Iterator[str]:
    graph, x, y = loaded(name, limit)
    yield f"{name}: {100 * active_share(graph, x):.1f} % of the MLPs' activations are not zero"
    for bits in BITS:
        made = (
            graph if bits is None else nm.compress(graph, f"quantize:{bits},activations=8,granularity=channel", x[:16])
        )
        for chip, changes in CHIPS.items():
            architecture = replace(nm.load_architecture(chip), changes) if changes else nm.load_architecture(chip)
            alone = chip == "digital-int8"
            report = nm.run(made, architecture, x, y, trials=1 if alone else chips)
            merit = "perplexity" if y.ndim > 1 else "accuracy"
            value = report[merit].value
            yield (
                f"  {'float' if bits is None else f'{bits} bits':7} {chip:13} {merit} {value:.4g}, "
                f"{1e6 * report['energy'].value:.3g} uJ, {1e6 * report['latency'].value:.4g} us"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20, help="rows of 64 characters")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--chips", type=int, default=2)
    given = parser.parse_args()
    for name, limit in (("characters", given.rows), ("fashion", given.images)):
        for line in rows(name, limit, given.chips):
            print(line, flush=True)


if __name__ == "__main__":
    main()
