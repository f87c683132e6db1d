"""What the comparisons with other frameworks share: importing them quietly, running a graph with its membranes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neuromorph.graph.evaluate import Evaluator
from neuromorph.graph.model import Graph
from neuromorph.graph.operators import dynamics


def framework(name: str) -> Any:
    """The module, or the tests of this file skipped with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed (pip install 'neuromorph[oracles]')")


def shared(name: str) -> Path:
    """A folder of shared data, or the test skipped."""
    beside = Path(__file__).resolve().parents[3].parent / "shared" / "data"
    for root in (os.environ.get("NEUROMORPH_DATA"), beside):
        if root is not None and (Path(root) / name).is_dir():
            return Path(root) / name
    pytest.skip(f"the data {name} is not here: set NEUROMORPH_DATA to the folder it lies in")


def spikes(shape: tuple[int, ...], rate: float = 0.3, seed: int = 0) -> np.ndarray:
    """Random spikes (samples, steps, *features), float64."""
    return (np.random.default_rng(seed).random(shape) < rate).astype(np.float64)


def simulate(graph: Graph, x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Output of the first graph output, and the membranes of all neurons by node: (samples, steps, *features)."""
    like = torch.zeros(1, dtype=torch.float64)
    names = {
        id(dynamics.constants_of(node.operator, like)): node.name  # type: ignore[arg-type]
        for node in graph.nodes
        if hasattr(node.operator, "coefficients")
    }
    seen: dict[str, list[np.ndarray]] = {name: [] for name in names.values()}
    step = dynamics.advance

    def recorded(now: torch.Tensor, state: dynamics.State) -> torch.Tensor:
        y = step(now, state)
        seen[names[id(state.constants)]].append(state.v.detach().numpy().copy())
        return y

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamics, "advance", recorded)
        y = Evaluator(graph)(torch.as_tensor(x))
    first = y[0] if isinstance(y, tuple) else y
    return first.detach().numpy(), {name: np.stack(v, axis=1) for name, v in seen.items() if v}


def agree(ours: np.ndarray, theirs: np.ndarray, membrane: np.ndarray, their_membrane: np.ndarray) -> None:
    """Spikes equal, with enough of them to mean something; membranes within 1e-5, or 1e-6 of large ones.

    Theirs may be 32-bit floats.
    """
    assert ours.shape == theirs.shape
    assert theirs.sum() > 20
    assert 0.01 < theirs.mean() < 0.9
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(membrane, their_membrane, rtol=1e-6, atol=1e-5)
