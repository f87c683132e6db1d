"""norse's own simulation against the file it writes (times 1000 times too short), read with the preset."""

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
norse = framework("norse.torch")
lif = framework("norse.torch.functional.lif")
box = framework("norse.torch.functional.lif_box")
export = framework("norse.torch.utils.export_nir")
pytestmark = pytest.mark.filterwarnings("ignore")

STEPS, SAMPLES = 60, 3


def cuba(n: tuple[int, ...], rng: np.random.Generator) -> Any:
    def drawn(low: float, high: float) -> torch.Tensor:
        return torch.tensor(rng.uniform(low, high, n))

    return lif.LIFParameters(
        tau_syn_inv=1 / drawn(3e-3, 8e-3),
        tau_mem_inv=1 / drawn(8e-3, 15e-3),
        v_leak=torch.zeros(n).double(),
        v_th=drawn(0.4, 0.8),
        v_reset=torch.zeros(n).double(),
    )


def boxed(n: tuple[int, ...], rng: np.random.Generator) -> Any:
    tau, leak, threshold = (torch.tensor(rng.uniform(*r, n)) for r in ((5e-3, 15e-3), (0, 0.1), (0.4, 0.8)))
    return box.LIFBoxParameters(tau_mem_inv=1 / tau, v_leak=leak, v_th=threshold, v_reset=torch.zeros(n).double())


def run(layers: list[torch.nn.Module], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and membranes of the last neuron."""
    states: list[Any] = [None] * len(layers)
    out, membranes = [], []
    with torch.no_grad():
        for t in range(x.shape[1]):
            y = torch.as_tensor(x[:, t])
            for i, layer in enumerate(layers):
                if hasattr(layer, "p"):
                    y, states[i] = layer(y, states[i])
                else:
                    y = layer(y)
            out.append(y.numpy().copy())
            last = next(s for s in reversed(states) if s is not None)
            membranes.append(last.v.numpy().copy())
    return np.stack(out, 1), np.stack(membranes, 1)


def saved(nodes: list[Any], path: Path, given: tuple[int, ...], result: tuple[int, ...]) -> Path:
    names = ["input", *(f"n{i}" for i in range(len(nodes))), "output"]
    graph = nir.NIRGraph(
        dict(zip(names, [nir.Input(given), *nodes, nir.Output(result)], strict=True)),
        list(itertools.pairwise(names)),
        type_check=False,
    )
    nir.write(path, graph)
    return path


def node_of(module: torch.nn.Module, shape: tuple[int, ...] | None = None) -> Any:
    """The node as norse's exporter makes it, its tensors as arrays."""
    node = export._extract_norse_module(module)
    for name, value in vars(node).items():
        if isinstance(value, torch.Tensor):
            setattr(node, name, value.numpy())
    if shape is not None:
        node.input_shape = shape
    return node


def weights(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.tensor(rng.normal(0.1, 0.5, shape))


def dense(rng: np.random.Generator, n_out: int, n_in: int) -> torch.nn.Linear:
    layer = torch.nn.Linear(n_in, n_out).double()
    layer.weight.data, layer.bias.data = weights(rng, n_out, n_in), 0.1 * weights(rng, n_out)
    return layer


@pytest.mark.parametrize("kind", ["cuba", "box"])
def test_feed_forward_networks(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(1)
    cells = (
        [norse.LIFCell(cuba((n,), rng)) for n in (20, 8)]
        if kind == "cuba"
        else [norse.LIFBoxCell(boxed((n,), rng)) for n in (20, 8)]
    )
    first, last = dense(rng, 20, 12), dense(rng, 8, 20)
    if kind == "box":
        first.weight.data, last.weight.data = 3 * first.weight.data, 5 * last.weight.data
    layers = [first, cells[0], last, cells[1]]
    path = saved([node_of(layer) for layer in layers], tmp_path / "net.nir", (12,), (8,))
    x = spikes((SAMPLES, STEPS, 12))
    theirs, membrane = run(layers, x)
    graph = read(path, preset="norse", steps=STEPS)
    assert "notes" not in graph.metadata
    ours, membranes = simulate(graph, x)
    agree(ours, theirs, membranes["n3"], membrane)


def test_a_file_of_its_whole_exporter(tmp_path: Path) -> None:
    def single(n: int) -> Any:  # the exporter traces in 32 bits
        p = boxed((n,), np.random.default_rng(n))
        return box.LIFBoxParameters(*(v.float() for v in (p.tau_mem_inv, p.v_leak, p.v_th, p.v_reset)))

    rng = np.random.default_rng(6)
    net = norse.SequentialState(
        dense(rng, 20, 12).float(), norse.LIFBoxCell(single(20)), dense(rng, 8, 20).float(), norse.LIFBoxCell(single(8))
    )
    net[0].weight.data, net[2].weight.data = 3 * net[0].weight.data, 5 * net[2].weight.data
    nir.write(tmp_path / "net.nir", norse.to_nir(net, torch.ones(12)))
    x = spikes((SAMPLES, STEPS, 12))
    state, theirs = None, []
    with torch.no_grad():
        for t in range(STEPS):
            z, state = net(torch.as_tensor(x[:, t]).float(), state)
            theirs.append(z.numpy().copy())
    ours, _ = simulate(read(tmp_path / "net.nir", preset="norse", steps=STEPS), x)
    assert np.stack(theirs, 1).sum() > 20
    np.testing.assert_array_equal(ours, np.stack(theirs, 1))


def test_the_same_file_without_the_preset_is_doubted(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    layers = [dense(rng, 8, 12), norse.LIFBoxCell(boxed((8,), rng))]
    path = saved([node_of(layer) for layer in layers], tmp_path / "net.nir", (12,), (8,))
    notes = read(path, dt="1 ms").metadata["notes"]
    assert "shorter than a step" in notes
    assert "preset norse" in notes


def test_recurrent_networks(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    n, p = 15, cuba((15,), np.random.default_rng(5))._replace(v_leak=torch.tensor(0.0))
    layer = norse.LIFRecurrentCell(10, n, p=p).double()
    layer.input_weights.data, layer.recurrent_weights.data = weights(rng, n, 10), weights(rng, n, n) - 0.2
    neuron = node_of(norse.LIFCell(cuba((15,), np.random.default_rng(5))))
    graph = nir.NIRGraph(
        {
            "input": nir.Input((10,)),
            "w": nir.Linear(layer.input_weights.detach().numpy()),
            "lif": neuron,
            "rec": nir.Linear(layer.recurrent_weights.detach().numpy()),
            "output": nir.Output((n,)),
        },
        [("input", "w"), ("w", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "output")],
    )
    nir.write(tmp_path / "net.nir", graph)
    x = spikes((SAMPLES, STEPS, 10))
    theirs, membrane = run([layer], x)
    ours, membranes = simulate(read(tmp_path / "net.nir", preset="norse", steps=STEPS), x)
    agree(ours, theirs, membranes["lif"], membrane)


def test_convolutional_networks(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    conv = torch.nn.Conv2d(2, 4, (3, 5), stride=(1, 2), padding=(1, 2), groups=2).double()
    conv.weight.data, conv.bias.data = weights(rng, 4, 1, 3, 5), 0.1 * weights(rng, 4)
    layers = [conv, norse.LIFCell(cuba((4, 8, 4), rng)), torch.nn.Flatten(), dense(rng, 6, 128)]
    layers[3].weight.data *= 0.3
    layers.append(norse.IAFCell(norse.IAFParameters(v_th=torch.full((6,), 2.0).double())))
    nodes = [node_of(m, (8, 8) if m is conv else None) for m in layers if not isinstance(m, torch.nn.Flatten)]
    nodes.insert(2, nir.Flatten(np.array([4, 8, 4]), 0, -1))
    path = saved(nodes, tmp_path / "net.nir", (2, 8, 8), (6,))
    x = spikes((SAMPLES, STEPS, 2, 8, 8), 0.2)
    theirs, membrane = run(layers, x)
    ours, membranes = simulate(read(path, preset="norse", steps=STEPS), x)
    agree(ours, theirs, membranes["n4"], membrane)


def test_a_file_in_seconds_as_the_importer_of_norse_runs_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    n = 9
    node = nir.CubaLIF(
        np.full(n, 5e-3), np.full(n, 1e-2), np.ones(n), np.zeros(n), np.full(n, 0.3), np.zeros(n), np.full(n, 4.0)
    )
    path = saved([nir.Affine(rng.normal(0.3, 0.6, (n, 7)), np.zeros(n)), node], tmp_path / "net.nir", (7,), (n,))
    module = export_import(node)
    x = spikes((SAMPLES, STEPS, 7))
    weight = torch.tensor(nir.read(path, type_check=False).nodes["n0"].weight)
    state, theirs = None, []
    with torch.no_grad():
        for t in range(STEPS):
            z, state = module((torch.as_tensor(x[:, t]) @ weight.T).float(), state)
            theirs.append(z.numpy().copy())
    graph = read(path, preset="norse-import", steps=STEPS)
    ours, _ = simulate(graph, x)
    assert np.stack(theirs, 1).sum() > 20
    np.testing.assert_array_equal(ours, np.stack(theirs, 1))


def export_import(node: Any) -> torch.nn.Module:
    from norse.torch.utils.import_nir import _import_norse_module

    return _import_norse_module(node)
