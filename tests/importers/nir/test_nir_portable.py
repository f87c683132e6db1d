"""Sparse and delayed synapses in files: exactly in the portable format, as full matrices and delays in NIR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neuromorph.errors import InputError
from neuromorph.graph.evaluate import Evaluator
from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators.neurons import IF
from neuromorph.graph.operators.synapses import SparseLinear
from neuromorph.graph.semantics import Semantics
from neuromorph.importers import read_graph, save_graph


def network(threshold: float, weight: float = 0.1) -> Graph:
    rng = np.random.default_rng(0)
    indptr = np.arange(0, 33, 4)
    index = np.concatenate([np.sort(rng.choice(2**20, 4, replace=False)) for _ in range(8)])
    sparse = SparseLinear(indptr, index, np.full(32, weight), 2**20, rng.integers(0, 300, 32))
    neuron = IF(np.ones(2**20), np.full(2**20, threshold), 0.0, Semantics(1e-3, spikes_per_step=None, v_min=-1.0))
    return Graph("net", {"x": (5, 8)}, (Node("s", sparse, ("x",)), Node("n", neuron, ("s",), "", ("n",))), ("n",))


@pytest.mark.parametrize("threshold", [1.0, np.inf])
def test_sparse_networks_come_back_exactly(tmp_path: Path, threshold: float) -> None:
    graph = network(threshold)
    again = read_graph(save_graph(graph, tmp_path / "net.nmg.json"))
    assert again == graph
    sparse = again["s"].operator
    assert isinstance(sparse, SparseLinear)
    assert (sparse.index.dtype, sparse.delay.dtype, sparse.weight.dtype) == (np.int32, np.uint16, np.float32)


def test_a_threshold_that_is_no_number_is_not_saved(tmp_path: Path) -> None:
    graph = network(1.0)
    object.__setattr__(graph["n"].operator, "v_threshold", np.array([np.nan]))
    with pytest.raises(InputError):
        save_graph(graph, tmp_path / "net.nmg.json")


def test_sparse_delayed_synapses_as_matrices_and_delays(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    dense = (rng.random((6, 5)) < 0.5) * rng.normal(0.4, 0.5, (6, 5))
    rows, index = np.nonzero(dense)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=6))))
    s = Semantics(1e-3, reset="subtract")
    x = torch.as_tensor((rng.random((2, 30, 6)) < 0.4).astype(np.float64))
    for delay, bias in ((rng.integers(1, 5, index.size), rng.normal(0, 0.1, 5)), (np.array([0]), None)):
        sparse = SparseLinear(indptr, index, dense[rows, index], 5, delay, bias)
        neuron = IF(np.full(5, 1e3), 0.8, 0.0, s)
        graph = Graph("net", {"x": (30, 6)}, (Node("s", sparse, ("x",)), Node("n", neuron, ("s",))), ("n",))
        again = read_graph(save_graph(graph, tmp_path / "net.nir"))
        expected = Evaluator(graph)(x)
        assert float(expected.sum()) > 20  # type: ignore[union-attr]
        assert torch.equal(Evaluator(again)(x), expected)  # type: ignore[arg-type]


def test_what_has_no_dense_form_is_refused(tmp_path: Path) -> None:
    wide = SparseLinear(np.arange(2**14 + 1), np.arange(2**14), np.ones(2**14), 2**14, np.array([0]))
    neuron = IF(np.ones(2**14), 1.0, 0.0, Semantics(1e-3))
    graph = Graph("net", {"x": (2, 2**14)}, (Node("s", wide, ("x",)), Node("n", neuron, ("s",))), ("n",))
    with pytest.raises(InputError, match="16384 x 16384 weights, and NIR has no sparse matrix"):
        save_graph(graph, tmp_path / "net.nir")
    silent = Graph("net", {"x": (2, 3)}, (Node("n", IF(np.ones(3), np.inf, 0.0, Semantics(1e-3)), ("x",)),), ("n",))
    with pytest.raises(InputError, match="v_threshold is infinite"):
        save_graph(silent, tmp_path / "net.nir")
