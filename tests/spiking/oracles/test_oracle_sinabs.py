"""sinabs' own simulation against the nodes it writes (times in steps), read with the preset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracle_frameworks import agree, framework, simulate, spikes

from neuromorph.importers.nir import read

nir = framework("nir")
sl = framework("sinabs.layers")
pytestmark = pytest.mark.filterwarnings("ignore")

N, STEPS = 8, 40


def number(value: float) -> torch.Tensor:
    return torch.tensor(value).double()


def lif(**options: Any) -> Any:
    return sl.LIF(tau_mem=torch.full((N,), 12.0).double(), **options)


def iaf(**options: Any) -> Any:
    return sl.IAF(spike_threshold=number(2.0), **options)


CASES = {
    "LIF": (lif(spike_threshold=number(0.2)), "sinabs", {}, 0.2),
    "LIF of the importer": (lif(spike_threshold=number(2.0), norm_input=False), "sinabs-import", {}, 2.0),
    "IAF": (iaf(), "sinabs", {}, 2.0),
    "IAF of the importer": (iaf(min_v_mem=-1.0), "sinabs-import", {"v_min": -1.0}, 2.0),
}


@pytest.mark.parametrize("case", CASES)
def test_layers_with_several_spikes_in_a_step(tmp_path: Path, case: str) -> None:
    layer, preset, semantics, threshold = CASES[case]
    rng = np.random.default_rng(0)
    weight, x = rng.normal(0.2, 0.6, (N, 6)), spikes((2, STEPS, 6), 0.4)
    theirs, membranes = [], []
    with torch.no_grad():
        for t in range(STEPS):
            theirs.append(layer(torch.as_tensor(x[:, t : t + 1] @ weight.T)).numpy()[:, 0].copy())
            membranes.append(layer.v_mem.numpy().copy())
    one, full = np.ones(N), np.full(N, threshold)
    neuron = nir.IF(one, full) if "IAF" in case else nir.LIF(12 * one, one, 0 * one, full)
    nodes = {"input": nir.Input((6,)), "w": nir.Linear(weight), "n": neuron, "output": nir.Output((N,))}
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes, [("input", "w"), ("w", "n"), ("n", "output")]))
    graph = read(tmp_path / "net.nir", dt="1 ms", preset=preset, semantics=semantics, steps=STEPS)
    ours, found = simulate(graph, x)
    agree(ours, np.stack(theirs, 1), found["n"], np.stack(membranes, 1))
    assert ours.max() > 1
