"""SpikingJelly's own simulation against the file it writes, read with the preset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracle_frameworks import agree, framework, simulate, spikes

from neuromorph.importers.nir import read

nir = framework("nir")
base = framework("spikingjelly.activation_based.neuron")
layer = framework("spikingjelly.activation_based.layer")
exchange = framework("spikingjelly.activation_based.nir_exchange")
pytestmark = pytest.mark.filterwarnings("ignore")

STEPS, SAMPLES = 50, 3

NEURONS = {
    "IF": lambda reset: base.IFNode(v_threshold=1.3, v_reset=reset),
    "LIF": lambda reset: base.LIFNode(tau=3.0, v_threshold=0.4, v_reset=reset),
    "LIF without decay of the input": lambda reset: base.LIFNode(4.0, False, v_threshold=1.2, v_reset=reset),
    "CubaLIF": lambda reset: base.CUBALIFNode(c_decay=0.5, v_decay=0.75, v_threshold=2.5, v_reset=reset),
}


def dense(rng: np.random.Generator, n_out: int, n_in: int) -> Any:
    made = layer.Linear(n_in, n_out).double()
    made.weight.data = torch.tensor(rng.normal(0.1, 0.5, (n_out, n_in)))
    made.bias.data = torch.tensor(rng.normal(0, 0.1, n_out))
    return made


def run(net: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    out, membranes = [], []
    with torch.no_grad():
        for t in range(x.shape[1]):
            out.append(net(torch.as_tensor(x[:, t])).numpy().copy())
            membranes.append(net[-1].v.numpy().copy())
    return np.stack(out, 1), np.stack(membranes, 1)


def with_reset(net: Any, value: float | None) -> Any:
    for module in net:
        if hasattr(module, "v_reset"):
            module.v_reset = value
    return net


@pytest.mark.parametrize("reset", ["hard", "to a value", "soft"])
@pytest.mark.parametrize("name", NEURONS)
def test_feed_forward_networks(tmp_path: Path, name: str, reset: str) -> None:
    rng = np.random.default_rng(1)
    value = 0.1 if reset == "to a value" and name != "CubaLIF" else 0.0
    make = NEURONS[name]
    net = torch.nn.Sequential(dense(rng, 20, 12), make(value), dense(rng, 8, 20), make(value))
    exchange.export_to_nir(net, torch.zeros(1, 12).double(), save_path=tmp_path / "net.nir")
    for module in net:
        if hasattr(module, "reset"):
            module.reset()
    x = spikes((SAMPLES, STEPS, 12))
    if reset == "soft":  # the exporter refuses soft resets; the file of the hard one is read with the change
        soft = torch.nn.Sequential(net[0], make(None), net[2], make(None))
        net = soft
    theirs, membrane = run(net, x)
    changes = {"reset": "subtract"} if reset == "soft" else None
    graph = read(tmp_path / "net.nir", preset="spikingjelly", semantics=changes, steps=STEPS)
    ours, membranes = simulate(graph, x)
    (_, last) = membranes
    agree(ours, theirs, membranes[last], membrane)


def test_convolutional_networks(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    conv = layer.Conv2d(2, 4, 3, stride=2, padding=1).double()
    conv.weight.data = torch.tensor(rng.normal(0.1, 0.4, (4, 2, 3, 3)))
    conv.bias.data = torch.tensor(rng.normal(0, 0.1, 4))
    net = torch.nn.Sequential(
        conv, NEURONS["LIF"](0.0), layer.AvgPool2d(2), layer.Flatten(), dense(rng, 6, 16), NEURONS["LIF"](0.0)
    )
    exchange.export_to_nir(net, torch.zeros(1, 2, 8, 8).double(), save_path=tmp_path / "net.nir")
    for module in net:
        if hasattr(module, "v_threshold"):
            module.reset()
    x = spikes((SAMPLES, STEPS, 2, 8, 8))
    theirs, membrane = run(net, x)
    ours, membranes = simulate(read(tmp_path / "net.nir", preset="spikingjelly", steps=STEPS), x)
    (_, last) = membranes
    agree(ours, theirs, membranes[last], membrane)


def test_recurrent_networks(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    n = 15
    w_in, w_rec = rng.normal(0.1, 0.5, (n, 10)), rng.normal(-0.1, 0.4, (n, n))
    bias = rng.normal(0, 0.1, n)
    rnn = layer.LinearRecurrentContainer(base.LIFNode(tau=2.0, v_threshold=0.3, v_reset=0.0), n, n).double()
    rnn.rc.weight.data, rnn.rc.bias.data = torch.tensor(np.hstack([np.eye(n), w_rec])), torch.tensor(bias)
    graph = nir.NIRGraph(
        {
            "input": nir.Input((10,)),
            "w": nir.Linear(w_in),
            "lif": nir.LIF(np.full(n, 2e-4), np.ones(n), np.zeros(n), np.full(n, 0.3), np.zeros(n)),
            "rec": nir.Affine(w_rec, bias),
            "output": nir.Output((n,)),
        },
        [("input", "w"), ("w", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "output")],
    )
    nir.write(tmp_path / "net.nir", graph)
    x = spikes((SAMPLES, STEPS, 10))
    out, membrane = [], []
    with torch.no_grad():
        for t in range(STEPS):
            out.append(rnn(torch.as_tensor(x[:, t] @ w_in.T)).numpy().copy())
            membrane.append(rnn.sub_module.v.numpy().copy())
    ours, membranes = simulate(read(tmp_path / "net.nir", preset="spikingjelly", steps=STEPS), x)
    agree(ours, np.stack(out, 1), membranes["lif"], np.stack(membrane, 1))
