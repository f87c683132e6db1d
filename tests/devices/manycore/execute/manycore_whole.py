"""Networks of one layer for tests of whole numbers."""

from __future__ import annotations

import numpy as np

from neuromorph.graph.semantics import Semantics
from neuromorph.spiking.network import Population, Projection, SpikingNetwork


def linear(name, size, threshold, a_mem=1.0, a_syn=0.0, compare=">"):
    given = {
        "a_syn": a_syn, "b_syn": 1.0, "a_mem": a_mem, "b_mem": 1.0, "c_mem": 0.0, "threshold": threshold,
        "v_reset": 0.0, "sign": 1.0, "v_init": 0.0,
    }  # fmt: skip
    semantics = Semantics(1e-3, compare=compare)
    return Population(name, (size,), "linear", {k: np.full(size, float(v)) for k, v in given.items()}, semantics)


def network(w, cells):
    """Inputs that reach all cells a step later."""
    sources, targets = w.shape
    indptr = np.arange(sources + 1, dtype=np.int64) * targets
    index = np.tile(np.arange(targets, dtype=np.int32), sources)
    one = Projection("in to cells", 0, 1, indptr, index, w.ravel().astype(np.float32), np.array([1], np.uint8))
    return SpikingNetwork("whole", (Population("in", (sources,), "input"), cells), (one,), (0,), (1,), 1e-3)
