"""Draws a small graph in the G-set's format: a torus of vertices, each edge with weight 1 or -1."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROWS, COLUMNS, SEED = 10, 12, 0


def torus(rows: int = ROWS, columns: int = COLUMNS, seed: int = SEED) -> str:
    """The text of the file: `vertices edges`, then `i j weight`, numbered from 1."""
    number = np.arange(rows * columns).reshape(rows, columns)
    edges = np.concatenate([np.stack([number, np.roll(number, -1, axis)], -1).reshape(-1, 2) for axis in (0, 1)]) + 1
    weights = np.random.default_rng(seed).choice([-1, 1], len(edges))
    lines = [f"{i} {j} {w}" for (i, j), w in zip(edges, weights, strict=True)]
    return "\n".join([f"{number.size} {len(edges)}", *lines]) + "\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("torus.txt")).write_text(torus())
