"""NeuroBench's counts: against brute force, against the harness's recorded values, and against the harness itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from workload_networks import SAMPLES, STEPS, analog_inputs, inputs, network, weights

from neuromorph.events import Raster
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.workload import count_work

RECORDED = {
    "inputs": (1732, 0.2723, 0.46640826873385016, 4536.0, 0.0, 1484.3333333333333),
    "analog_inputs": (1732, 0.2723, 0.33333333333333337, 4536.0, 1468.3333333333333, 1129.6666666666667),
}
"""What neurobench 2.3.0 printed for `module` below, one sample a batch: footprint, connection and activation sparsity,
dense operations, effective MACs, effective ACs."""


def values(x: np.ndarray) -> dict[str, np.ndarray]:
    """Every node's output."""
    found: dict[str, np.ndarray] = {"input": x}
    evaluate(network(), torch.as_tensor(x), record=lambda name, v: found.__setitem__(name, v.numpy()))
    return found


def brute_force(x: np.ndarray) -> tuple[float, float, float]:
    """(dense, macs, acs) per sample by looking at every pair of an input and a weight."""
    w, seen = weights(), values(x)
    dense = macs = acs = 0.0
    for sample in range(SAMPLES):
        for step in range(STEPS):
            for name, source in (("fc1", "flat"), ("fc2", "n2")):
                a = seen[source][sample, step]
                hits = float(((a != 0)[None, :] & (w[name] != 0)).sum())
                binary = set(np.unique(a)) <= {-1.0, 0.0, 1.0}
                dense += w[name].size
                acs, macs = (acs + hits, macs) if binary else (acs, macs + hits)
            a, hits = seen["input"][sample, step], 0.0
            for o in range(3):
                for i in range(3):
                    for j in range(3):
                        for c in range(2):
                            for u in range(3):
                                for v in range(3):
                                    y, z = 2 * i + u - 1, 2 * j + v - 1
                                    if 0 <= y < 6 and 0 <= z < 6:
                                        dense += 1
                                        hits += a[c, y, z] != 0 and w["conv"][o, c, u, v] != 0
            binary = set(np.unique(a)) <= {-1.0, 0.0, 1.0}
            acs, macs = (acs + hits, macs) if binary else (acs, macs + hits)
    return dense / SAMPLES, macs / SAMPLES, acs / SAMPLES


@pytest.mark.parametrize("data", [inputs, analog_inputs])
def test_synaptic_operations_are_those_of_brute_force(data: Any) -> None:
    found = count_work(network(), data())
    assert (found.dense, found.effective_macs, found.effective_acs) == pytest.approx(brute_force(data()))


def test_counts_do_not_depend_on_the_batch_and_take_rasters() -> None:
    x = inputs()
    assert count_work(network(), x, batch=1) == count_work(network(), x, batch=50)
    assert count_work(network(), Raster.from_dense(x)) == count_work(network(), x)


def test_sparsities_and_footprint() -> None:
    w, seen, found = weights(), values(inputs()), count_work(network(), inputs())
    zeros = sum(int((w[n] == 0).sum()) for n in ("conv", "fc1", "fc2"))
    total = sum(w[n].size for n in ("conv", "fc1", "fc2"))
    assert found.connection_sparsity == round(zeros / total, 4)
    outputs = np.concatenate([seen[n].ravel() for n in ("n1", "n2", "n3")])
    assert found.activation_sparsity == pytest.approx(float((outputs == 0).mean()))
    assert found.footprint_bytes == 4 * sum(a.size for a in w.values())
    assert found.spikes == pytest.approx(float((outputs != 0).sum()) / SAMPLES)


def module() -> Any:
    """The same network for the harness: a module that keeps its state, one step at a time."""
    w = {k: torch.as_tensor(v, dtype=torch.float32) for k, v in weights().items()}

    class Fire(torch.nn.Module):
        def __init__(self, threshold: float) -> None:
            super().__init__()
            self.threshold, self.v = threshold, None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            v = x if self.v is None else self.v + x
            spikes = (v >= self.threshold).to(x.dtype)
            self.v = v * (1 - spikes)
            return spikes

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(2, 3, 3, stride=2, padding=1)
            self.fc1, self.fc2 = torch.nn.Linear(27, 12, bias=False), torch.nn.Linear(12, 4)
            self.n1, self.n2, self.n3 = Fire(1.0), Fire(0.5), Fire(0.5)
            for name in ("conv", "fc1", "fc2"):
                getattr(self, name).weight = torch.nn.Parameter(w[name])
            self.conv.bias, self.fc2.bias = (torch.nn.Parameter(w[f"{n}_bias"]) for n in ("conv", "fc2"))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for neurons in (self.n1, self.n2, self.n3):
                neurons.v = None
            out = torch.zeros(len(x), 4)
            for step in range(x.shape[1]):
                a = self.n1(self.conv(x[:, step])).flatten(1)
                out = out + self.n3(self.fc2(self.n2(self.fc1(a))))
            return out

    return Net(), Fire


@pytest.mark.parametrize("data", [inputs, analog_inputs])
def test_the_harness_once_counted_the_same(data: Any) -> None:
    w = count_work(network(), data())
    found = (
        w.footprint_bytes,
        w.connection_sparsity,
        w.activation_sparsity,
        w.dense,
        w.effective_macs,
        w.effective_acs,
    )
    assert found == pytest.approx(RECORDED[data.__name__])


@pytest.mark.parametrize("data", [inputs, analog_inputs])
def test_the_harness_counts_the_same(data: Any) -> None:
    pytest.importorskip("neurobench", reason="the NeuroBench harness is not installed (pip install neurobench)")
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
    from neurobench.models import TorchModel

    net, fire = module()
    model = TorchModel(net)
    model.add_activation_module(fire)
    x = torch.as_tensor(data())
    # a batch of one sample, since the harness decides AC or MAC for a batch
    data_set = torch.utils.data.TensorDataset(x, torch.zeros(len(x)))
    loader = torch.utils.data.DataLoader(data_set, batch_size=1)
    metrics = [[Footprint, ConnectionSparsity], [ActivationSparsity, SynapticOperations]]
    theirs = Benchmark(model, loader, [], [], metrics).run(quiet=True)
    ours = count_work(network(), data())
    assert ours.footprint_bytes == theirs["Footprint"]
    assert ours.connection_sparsity == theirs["ConnectionSparsity"]
    assert ours.activation_sparsity == pytest.approx(theirs["ActivationSparsity"])
    operations = theirs["SynapticOperations"]
    assert ours.dense == pytest.approx(operations["Dense"])
    assert ours.effective_macs == pytest.approx(operations["Effective_MACs"])
    assert ours.effective_acs == pytest.approx(operations["Effective_ACs"])


def test_neurons_and_steps_are_those_of_the_network() -> None:
    found = {n.node: (n.neurons, n.steps) for n in count_work(network(), inputs()).neurons}
    assert found == {"n1": (27, STEPS), "n2": (12, STEPS), "n3": (4, STEPS)}
