"""snntorch's own simulation against the file it writes, read with the preset."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracle_frameworks import agree, framework, simulate, spikes

from neuromorph.importers.nir import read

nir = framework("nir")
snn = framework("snntorch")
export = framework("snntorch.export_nir").export_to_nir
pytestmark = pytest.mark.filterwarnings("ignore")

STEPS, SAMPLES = 40, 3

MODES = {
    "default": ({}, {}),
    "zero late": ({"reset_mechanism": "zero"}, {"reset": "value"}),
    "none": ({"reset_mechanism": "none"}, {"reset": "none"}),
    "subtract at once": ({"reset_delay": False}, {"reset": "subtract_guarded", "delayed_reset": False}),
    "zero at once": ({"reset_delay": False, "reset_mechanism": "zero"}, {"reset": "value", "delayed_reset": False}),
}


def drawn(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


def leaky(n: tuple[int, ...], rng: np.random.Generator, cls: Any = None, **options: Any) -> Any:
    beta, threshold = drawn(rng.uniform(0.7, 0.95, n)), drawn(rng.uniform(0.5, 1.5, n))
    if cls is snn.Synaptic:
        return cls(drawn(rng.uniform(0.3, 0.8, n)), beta, threshold=threshold, init_hidden=True, **options)
    return (cls or snn.Leaky)(beta, threshold=threshold, init_hidden=True, **options)


def stepped(net: torch.nn.Sequential, x: np.ndarray, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and one layer's membranes of snntorch, (samples, steps, *features)."""
    out, membranes = [], []
    with torch.no_grad():
        for t in range(x.shape[1]):
            out.append(net(torch.as_tensor(x[:, t]).float()).numpy().copy())
            membranes.append(net[layer].mem.numpy().copy())
    return np.stack(out, 1), np.stack(membranes, 1)


def saved(net: torch.nn.Module, sample: torch.Tensor, path: Path, **options: Any) -> Path:
    nir.write(path, export(net, sample, **options))
    return path


def dense(rng: np.random.Generator, n_out: int, n_in: int) -> torch.nn.Linear:
    layer = torch.nn.Linear(n_in, n_out)
    layer.weight.data = drawn(rng.normal(0.1, 0.5, (n_out, n_in)))
    layer.bias.data = drawn(rng.normal(0, 0.1, n_out))
    return layer


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cls", ["Leaky", "Synaptic"])
def test_feed_forward_networks_in_every_reset_mode(tmp_path: Path, mode: str, cls: str) -> None:
    rng = np.random.default_rng(1)
    options, semantics = MODES[mode]
    if cls == "Synaptic" and mode == "zero late":
        semantics = {**semantics, "input_at_reset": False}
    kind = getattr(snn, cls)
    net = torch.nn.Sequential(
        dense(rng, 20, 12), leaky((20,), rng, kind, **options), dense(rng, 8, 20), leaky((8,), rng, kind, **options)
    )
    path = saved(net, torch.ones(12), tmp_path / "net.nir")
    x = spikes((SAMPLES, STEPS, 12))
    theirs, membrane = stepped(net, x, 3)
    graph = read(path, preset="snntorch", semantics=semantics, steps=STEPS)
    ours, membranes = simulate(graph, x)
    agree(ours, theirs, membranes["3"], membrane)


@pytest.mark.parametrize("mode", ["default", "zero late", "zero at once", "subtract at once"])
@pytest.mark.parametrize("all_to_all", [True, False])
def test_recurrent_layers_as_snntorch_runs_them(tmp_path: Path, mode: str, all_to_all: bool) -> None:
    rng = np.random.default_rng(2)
    options, semantics = MODES[mode]
    if mode == "zero late":
        semantics = {**semantics, "input_at_reset": False}
    n = 15
    shape = {"linear_features": n} if all_to_all else {"V": drawn(rng.normal(0, 0.5, n))}
    beta, threshold = drawn(rng.uniform(0.7, 0.95, n)), drawn(rng.uniform(0.8, 1.5, n))
    layer = snn.RLeaky(beta, all_to_all=all_to_all, threshold=threshold, init_hidden=True, **shape, **options)
    if all_to_all:
        layer.recurrent.weight.data = drawn(rng.normal(0, 0.3, (n, n)))
        layer.recurrent.bias.data = drawn(rng.normal(0, 0.2, n))
    net = torch.nn.Sequential(dense(rng, n, 10), layer)
    path = saved(net, torch.ones(10), tmp_path / "net.nir")
    x = spikes((SAMPLES, STEPS, 10))
    theirs, membrane = stepped(net, x, 1)
    graph = read(path, preset="snntorch", semantics=semantics, steps=STEPS)
    assert sum(len(node.feedback) for node in graph.nodes) == 1
    ours, membranes = simulate(graph, x)
    (name,) = membranes
    agree(ours, theirs, membranes[name], membrane)


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutional_networks(tmp_path: Path, groups: int) -> None:
    rng = np.random.default_rng(3)
    conv = torch.nn.Conv2d(2, 4, (3, 3), stride=1, padding=1, groups=groups)
    conv.weight.data = drawn(rng.normal(0.1, 0.4, tuple(conv.weight.shape)))
    conv.bias.data = drawn(rng.normal(0, 0.1, 4))
    net = torch.nn.Sequential(
        conv, leaky((4, 8, 8), rng), torch.nn.AvgPool2d(2), torch.nn.Flatten(), dense(rng, 6, 64), leaky((6,), rng)
    )
    nodes = {"input": nir.Input((2, 8, 8)), "output": nir.Output((6,))}
    from snntorch.export_nir import _extract_snntorch_module

    names = [f"n{i}" for i in range(len(net))]
    nodes.update({name: _extract_snntorch_module(m) for name, m in zip(names, net, strict=True)})
    for node in nodes.values():
        if hasattr(node, "weight"):
            node.weight, node.bias = np.asarray(node.weight), np.asarray(node.bias)
        if isinstance(node, nir.Conv2d):
            node.input_shape = (8, 8)
        if isinstance(node, nir.AvgPool2d):  # snntorch writes plain numbers
            node.kernel_size, node.stride, node.padding = (np.array([v, v]) for v in (2, 2, 0))
        if isinstance(node, nir.Flatten):
            node.input_type = {"input": np.array([4, 4, 4])}
    chain = ["input", *names, "output"]
    nir.write(tmp_path / "net.nir", nir.NIRGraph(nodes, list(itertools.pairwise(chain)), type_check=False))
    x = spikes((SAMPLES, STEPS, 2, 8, 8))
    theirs, membrane = stepped(net, x, 5)
    ours, membranes = simulate(read(tmp_path / "net.nir", preset="snntorch", steps=STEPS), x)
    agree(ours, theirs, membranes["n5"], membrane)


def test_any_file_as_the_importer_of_snntorch_runs_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    from snntorch.import_nir import import_from_nir

    n, dt = 9, 1e-4
    tau = np.full(n, 2e-3)
    graph = nir.NIRGraph(
        {
            "input": nir.Input((7,)),
            "w": nir.Linear(rng.normal(0.3, 0.6, (n, 7))),
            "lif": nir.LIF(tau, tau / dt, np.zeros(n), np.full(n, 1.2)),
            "output": nir.Output((n,)),
        },
        [("input", "w"), ("w", "lif"), ("lif", "output")],
    )
    nir.write(tmp_path / "net.nir", graph)
    x = spikes((1, STEPS, 7))
    net = import_from_nir(graph)
    state, theirs = None, []
    with torch.no_grad():
        for t in range(STEPS):
            y, state = net(torch.as_tensor(x[:, t]).float(), state)
            theirs.append((y[0] if isinstance(y, tuple) else y).numpy().copy())
    ours, _ = simulate(read(tmp_path / "net.nir", preset="snntorch-import", steps=STEPS), x)
    np.testing.assert_array_equal(ours, np.stack(theirs, 1))
