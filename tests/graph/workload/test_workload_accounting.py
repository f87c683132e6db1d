"""Accountings: against SpikingJelly's estimators on the same network, by hand, and what they have in common."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from workload_networks import SAMPLES, STEPS, analog_inputs, inputs, network, weights

from neuromorph.costing.accounting import accounts, break_even, load_arithmetic, sram_j_per_byte
from neuromorph.errors import InputError
from neuromorph.graph.workload import LayerWork, NeuronWork, Workload, count_work


def one(scheme: str, precision: str, workload: Workload) -> Any:
    return next(a for a in accounts(workload) if (a.scheme, a.precision) == (scheme, precision))


def jelly() -> Any:
    """The network of `workload_networks` in SpikingJelly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neuron = pytest.importorskip("spikingjelly.activation_based.neuron", reason="spikingjelly is not installed")
    w = {k: torch.as_tensor(v, dtype=torch.float32) for k, v in weights().items()}

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(2, 3, 3, stride=2, padding=1)
            self.fc1, self.fc2 = torch.nn.Linear(27, 12, bias=False), torch.nn.Linear(12, 4)
            self.n1, self.n2, self.n3 = (neuron.IFNode(v, v_reset=0.0) for v in (1.0, 0.5, 0.5))
            for name in ("conv", "fc1", "fc2"):
                getattr(self, name).weight = torch.nn.Parameter(w[name])
            self.conv.bias, self.fc2.bias = (torch.nn.Parameter(w[f"{n}_bias"]) for n in ("conv", "fc2"))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for step in range(x.shape[1]):
                out = self.n3(self.fc2(self.n2(self.fc1(self.n1(self.conv(x[:, step])).flatten(1)))))
            return out

    return Net()


@pytest.mark.parametrize("data", [inputs, analog_inputs])
def test_lemaire_agrees_with_spikingjelly(data: Any) -> None:
    pytest.importorskip("spikingjelly", reason="spikingjelly is not installed")
    from spikingjelly.activation_based import functional
    from spikingjelly.activation_based.op_counter.analytical_energy import estimate_lemaire_energy

    net, total, parts = jelly(), 0.0, {}
    for x in torch.as_tensor(data()):
        functional.reset_net(net)
        report = estimate_lemaire_energy(net, (x[None],))
        total += report.total_pj / SAMPLES
        for name, value in report.breakdown_pj.items():
            parts[name] = parts.get(name, 0.0) + value / SAMPLES
    ours = one("lemaire", "int32", count_work(network(), data()))
    mine = {k: v * 1e12 for k, v in ours.parts_j.items()}
    assert mine["operations"] == pytest.approx(parts["ops_pj"])
    assert mine["addressing"] == pytest.approx(parts["addressing_pj"])
    assert mine["weights"] == pytest.approx(parts["params_pj"])
    assert mine["potentials"] == pytest.approx(parts["potential_pj"])
    assert mine["inputs and outputs"] == pytest.approx(parts["inout_pj"])
    assert ours.energy_j * 1e12 == pytest.approx(total)


@pytest.mark.parametrize("data", [inputs, analog_inputs])
def test_traffic_is_that_of_spikingjellys_simple_model(data: Any) -> None:
    """Its accumulates also count biases and the neurons' own additions, which the convention leaves out."""
    pytest.importorskip("spikingjelly", reason="spikingjelly is not installed")
    from spikingjelly.activation_based import functional
    from spikingjelly.activation_based.op_counter.simple_energy import estimate_simple_energy

    net, parts, synops = jelly(), dict.fromkeys(("mac_pj", "parameter_memory_pj", "neuron_state_memory_pj"), 0.0), 0.0
    for x in torch.as_tensor(data()):
        functional.reset_net(net)
        report = estimate_simple_energy(net, (x[None],))
        synops += report.counts["synop"] / SAMPLES
        for name in parts:
            parts[name] += report.breakdown_pj[name] / SAMPLES
    found = {k: v * 1e12 for k, v in one("traffic", "fp32", count_work(network(), data())).parts_j.items()}
    assert found["multiply-accumulates"] == pytest.approx(parts["mac_pj"])
    assert found["weights"] == pytest.approx(parts["parameter_memory_pj"])
    assert found["state"] == pytest.approx(parts["neuron_state_memory_pj"])
    assert found["accumulates"] == pytest.approx(synops * 0.9)


def test_operations_by_hand() -> None:
    found = count_work(network(), inputs())
    part = load_arithmetic()
    spikes = sum(w.met for w in found.layers)
    dense = found.layers[1:]
    assert [w.met for w in dense] == pytest.approx([w.active_spikes * w.outputs for w in dense])
    assert one("operations", "fp32", found).energy_j == pytest.approx(spikes * 0.9e-12)
    assert one("operations", "int8", found).energy_j == pytest.approx(spikes * 0.03e-12)
    analog = count_work(network(), analog_inputs())
    first = analog.layers[0]
    macs = first.uses * (STEPS - first.spiking_steps)
    assert one("operations", "fp32", analog).parts_j["multiply-accumulates"] == pytest.approx(macs * 4.6e-12)
    assert {a.source for a in accounts(found, part)} == {"horowitz-45nm"}


def test_parts_add_up_and_every_scheme_has_a_note() -> None:
    for a in accounts(count_work(network(), analog_inputs())):
        assert a.energy_j == pytest.approx(math.fsum(a.parts_j.values()))
        assert a.energy_j > 0
        assert a.note
        assert a.basis == "derived"


def test_memory_energy_goes_through_the_published_sizes() -> None:
    part = load_arithmetic()
    sizes = (0, 4 * 1024, 8 * 1024, 32 * 1024, 2**20, 2**22)
    assert [sram_j_per_byte(part, s) * 1e12 for s in sizes] == pytest.approx([0, 1.25, 2.5, 5, 25, 25])


def test_a_datasheet_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="kind mac"):
        load_arithmetic("mac-45nm")


def dense_work(spikes: float, steps: int = 8) -> Workload:
    """100 inputs to 50 leaky neurons, `spikes` spikes per input and inference and half of that per neuron."""
    active = 100 * spikes
    layer = LayerWork(
        node="fc", matrix="weight", inputs=100, outputs=50, steps=steps, dense=5000.0 * steps, macs=0.0,
        acs=active * 50, active=active, active_spikes=active, met=active * 50, spiking_steps=steps, uses=5000.0,
        fan_out=50.0, fan_out_strided=50.0, windowed=False, groups=1, weights=5000, zeros=0, biases=50,
    )  # fmt: skip
    return Workload(1, (layer,), (NeuronWork("n", 50, steps, 25 * spikes, True, True),), 5050)


def test_break_even_is_where_both_cost_the_same() -> None:
    first = break_even(dense_work(1.0))
    assert first is not None
    assert first.bits == 4  # ceil(log2(8 + 1))
    assert first.break_even is not None
    at = break_even(dense_work(first.break_even / 0.5))
    assert at is not None
    assert at.snn_j == pytest.approx(at.ann_j)
    assert at.spikes == pytest.approx(at.break_even)


def test_break_even_moves_with_the_partner() -> None:
    sparse, dense = (break_even(dense_work(0.5), ann_density=d) for d in (0.3, 0.9))
    assert sparse is not None
    assert dense is not None
    assert dense.break_even is not None
    assert sparse.break_even is None or sparse.break_even < dense.break_even
    partner = Workload(1, (dense_work(1.0, 1).layers[0],), (), 5050)
    measured = break_even(dense_work(0.5), partner=partner)
    assert measured is not None
    assert measured.ann_measured
    assert measured.ann_density == pytest.approx(1.0)


def test_a_network_without_spikes_has_no_break_even() -> None:
    assert break_even(Workload(1, dense_work(1.0).layers, (), 5050)) is None


def test_sums_are_exact_on_the_grid() -> None:
    assert np.allclose(np.asarray(inputs()) * 8, np.rint(np.asarray(inputs()) * 8))
