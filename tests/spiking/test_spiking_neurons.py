"""Neurons against plain loops written for each dialect on its own, their gradients, and what they refuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from neuromorph.errors import InputError
from neuromorph.graph.evaluate import FloatHost, evaluate
from neuromorph.graph.model import Graph, Node, Operator
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import (
    IF,
    LI,
    LIF,
    AdaptiveLIF,
    CubaLI,
    CubaLIF,
    Integrator,
    Izhikevich,
    Threshold,
)
from neuromorph.graph.semantics import Semantics
from neuromorph.graph.torch_module import GraphModule

DT = 1e-3
TAU, R, TH = 4e-3, 3.0, 1.0
X = np.random.default_rng(0).random((40, 6)) * 1.2 - 0.1


def run(operator: Operator, x: np.ndarray = X, dtype: torch.dtype = torch.float64) -> np.ndarray:
    return operator.evaluate([torch.tensor(x, dtype=dtype)], FloatHost(operator)).numpy()


def lif(semantics: Semantics, **fields: object) -> LIF:
    given = {"tau": np.full(6, TAU), "r": R, "v_leak": 0.0, "v_threshold": TH, "v_reset": 0.1, "semantics": semantics}
    return LIF(**{**given, **fields})  # type: ignore[arg-type]


def loop(step: Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]) -> np.ndarray:
    """Outputs of a step function over X with a state of zeros made on demand."""
    state: dict[str, np.ndarray] = {}
    return np.array([step(x, state) for x in X], float)


def test_euler_hard_reset() -> None:
    def step(x: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
        v = s.get("v", 0 * x)
        v = v + DT / TAU * (-v + R * x)
        z = v > TH
        s["v"] = np.where(z, 0.1, v)
        return z

    np.testing.assert_array_equal(run(lif(Semantics(DT))), loop(step))
    assert loop(step).sum() > 20


@pytest.mark.parametrize(("name", "gain"), [("exponential", 1 - np.exp(-DT / TAU)), ("impulse", DT / TAU)])
def test_exact_and_impulse_integration(name: str, gain: float) -> None:
    kept = np.exp(-DT / TAU)

    def step(x: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
        s["v"] = kept * s.get("v", 0 * x) + (1 - kept) * 0.2 + gain * R * x
        return s["v"]

    found = run(LI(np.full(6, TAU), R, 0.2, Semantics(DT, name)))
    np.testing.assert_allclose(found, loop(step), rtol=1e-12)


def test_exponential_integration_is_the_solution_of_the_equation() -> None:
    x = np.repeat([[1.3]], 50, axis=0)
    found = run(LI([TAU], R, 0.2, Semantics(DT, "exponential")), x)[:, 0]
    t = DT * np.arange(1, 51)
    np.testing.assert_allclose(found, (0.2 + R * 1.3) * (1 - np.exp(-t / TAU)), rtol=1e-12)


def test_subtraction_a_step_late_as_snntorch_leaky_does_by_default() -> None:
    beta = 1 - DT / TAU

    def step(x: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
        v = s.get("v", 0 * x)
        late = v > TH
        s["v"] = beta * v + (1 - beta) * R * x - late * TH
        return s["v"] > TH

    np.testing.assert_array_equal(run(lif(Semantics(DT, reset="subtract", delayed_reset=True))), loop(step))


@pytest.mark.parametrize("keeps", [True, False])
def test_reset_to_a_value_a_step_late_with_and_without_the_input_of_that_step(keeps: bool) -> None:
    beta = 1 - DT / TAU

    def step(x: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
        v = s.get("v", 0 * x)
        late, gain = v > TH, (1 - beta) * R * x
        s["v"] = beta * np.where(late, 0.1, v) + gain if keeps else np.where(late, 0.1, beta * v + gain)
        return s["v"] > TH

    np.testing.assert_array_equal(run(lif(Semantics(DT, delayed_reset=True, input_at_reset=keeps))), loop(step))


def test_guarded_subtraction_as_snntorch_with_immediate_reset() -> None:
    beta, drive = 1 - DT / TAU, 3 * X  # strong: the membrane often holds two thresholds

    def step(x: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
        v = s.get("v", 0 * x)
        before = (v > TH).astype(float)
        v = beta * v + (1 - beta) * R * 3 * x - before * TH
        z = (v > TH).astype(float)
        s["v"] = v - (z - before) * TH
        return z

    found = run(lif(Semantics(DT, reset="subtract_guarded")), drive)
    np.testing.assert_array_equal(found, loop(step))
    assert (found != run(lif(Semantics(DT, reset="subtract")), drive)).any()


@pytest.mark.parametrize("most", [None, 2])
@pytest.mark.parametrize("compare", [">", ">="])
def test_several_spikes_in_a_step(most: int | None, compare: str) -> None:
    x = np.rint(X * 4)  # whole numbers: many ties

    def step(x: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
        v = s.get("v", 0 * x) + x
        n = np.maximum(np.floor(v) if compare == ">=" else np.ceil(v) - 1, 0)
        n = n if most is None else np.minimum(n, most)
        s["v"] = v - n
        return n

    one = np.ones(6)
    neuron = IF(one / DT, one, 0 * one, Semantics(DT, reset="subtract", compare=compare, spikes_per_step=most))
    state: dict[str, np.ndarray] = {}
    np.testing.assert_array_equal(run(neuron, x), [step(v, state) for v in x])


@pytest.mark.parametrize("order", ["current_first", "membrane_first"])
def test_current_based_neuron(order: str) -> None:
    syn, mem, w = 2e-3, 5e-3, 4.0

    def step(x: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
        old = s.get("i", 0 * x)
        s["i"] = old + DT / syn * (-old + w * x)
        read = old if order == "membrane_first" else s["i"]
        v = s.get("v", 0 * x)
        v = v + DT / mem * (0.05 - v + R * read)
        z = v > TH
        s["v"] = np.where(z, 0.0, v)
        return z

    semantics = Semantics(DT, order=order)
    np.testing.assert_array_equal(run(CubaLIF(np.full(6, syn), mem, R, 0.05, TH, 0, w, semantics)), loop(step))
    membrane = run(CubaLI(np.full(6, syn), mem, R, 0.05, w, semantics))
    assert membrane[0, 0] == pytest.approx(DT / mem * (0.05 + (R * DT / syn * w * X[0, 0] if order[0] == "c" else 0)))


def test_refractory_neurons_rest_and_spikes_leave_late() -> None:
    def step(x: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
        rest = s.get("rest", 0 * x)
        v = s.get("v", 0 * x)
        v = np.where(rest > 0, v, v + DT / TAU * (-v + R * x))
        z = (v > TH) & (rest <= 0)
        s["v"], s["rest"] = np.where(z, 0.1, v), np.where(z, 3, np.maximum(rest - 1, 0))
        return z

    expected = loop(step)
    np.testing.assert_array_equal(run(lif(Semantics(DT, refractory=3))), expected)
    late = run(lif(Semantics(DT, refractory=3, output_shift=2)))
    np.testing.assert_array_equal(late[2:], expected[:-2])
    assert not late[:2].any()


def test_adaptive_threshold() -> None:
    kept = np.exp(-DT / 2e-2)

    def step(x: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
        v, h = s.get("v", 0 * x), s.get("h", 0 * x)
        v = v + DT / TAU * (-v + R * x)
        z = v > TH + 0.4 * h
        s["v"], s["h"] = v - z * TH, kept * h + z
        return z

    neuron = AdaptiveLIF(np.full(6, TAU), R, 0, TH, 0, 2e-2, 0.4, Semantics(DT, reset="subtract"))
    np.testing.assert_array_equal(run(neuron), loop(step))


def test_izhikevich_regular_spiking_with_the_numerics_of_the_paper() -> None:
    """The published script tests for spikes at the beginning of a step: its spikes are listed one step later."""
    a, b, c, d = 0.02, 0.2, -65.0, 8.0
    v, u, fired = -65.0, b * -65.0, []
    for _ in range(300):
        fired.append(v >= 30)
        if fired[-1]:
            v, u = c, u + d
        for _ in range(2):
            v += 0.5 * (0.04 * v * v + 5 * v + 140 - u + 10.0)
        u += a * (b * v - u)
    found = run(Izhikevich([a], b, c, d, 30.0, Semantics(1e-3)), np.full((300, 1), 10.0))[:, 0]
    np.testing.assert_array_equal(found[:-1], fired[1:])
    assert 4 <= found.sum() <= 20  # a regularly spiking cell at 10: some 20 to 50 Hz


def test_signed_thresholds_initial_membranes_and_floors() -> None:
    one = np.ones(3)
    neuron = IF(one / DT, [0.5, -0.5, 0.0], 0 * one, Semantics(DT, v_min=-0.75), [1.0, -1.0, 0.0], [0.4, 0.0, 9.0])
    x = np.array([[0.2, -0.4, 1], [0, -0.4, 1], [-5.0, 0, 1], [1.25, 0, 1], [0.01, 0, 1]])
    np.testing.assert_array_equal(run(neuron, x), [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]])


def test_integrator_and_threshold_unit() -> None:
    np.testing.assert_allclose(run(Integrator(np.full(6, 2.0), Semantics(DT))), 2 * DT * np.cumsum(X, 0), rtol=1e-12)
    th = np.full(6, 0.5)
    np.testing.assert_array_equal(run(Threshold(th)), X > 0.5)
    np.testing.assert_array_equal(run(Threshold(th, -np.ones(6))), X < 0.5)


def test_float32_stays_float32_and_modes_agree() -> None:
    neuron = lif(Semantics(DT, reset="subtract"))
    x = torch.tensor(X, dtype=torch.float32)
    plain = neuron.evaluate([x], FloatHost(neuron))
    tracked = neuron.evaluate([x.clone().requires_grad_()], FloatHost(neuron))
    assert plain.dtype == torch.float32
    assert torch.equal(plain, tracked.detach())


def test_gradient_is_the_surrogate_of_the_arctangent() -> None:
    """One neuron, two steps: dz_2/dx_1 = g(v_2 - th) a b and dz_2/dx_2 = g(v_2 - th) b, g(d) = 1/(1 + (pi d)^2)."""
    neuron = LIF([TAU], R, 0, TH, 0, Semantics(DT))
    x = torch.tensor([[0.4], [0.8]], dtype=torch.float64, requires_grad=True)
    neuron.evaluate([x], FloatHost(neuron))[1].sum().backward()
    a, b = 1 - DT / TAU, R * DT / TAU
    v = a * b * 0.4 + b * 0.8
    g = 1 / (1 + (np.pi * (v - TH)) ** 2)
    assert x.grad is not None
    np.testing.assert_allclose(x.grad[:, 0].numpy(), [g * a * b, g * b], rtol=1e-12)


def test_a_recurrent_network_learns_by_its_gradients() -> None:
    """Only weights are trained, and the loss falls."""
    rng = np.random.default_rng(2)
    s = Semantics(DT, reset="subtract", bias_at_start=False)
    nodes = (
        Node("in", Linear(rng.normal(size=(16, 6))), ("x",)),
        Node("n", LIF(np.full(16, TAU), R, 0, TH, 0, s), ("in",), feedback=("back",)),
        Node("back", Linear(rng.normal(size=(16, 16)) * 0.2, np.zeros(16)), ("n",)),
        Node("out", Linear(rng.normal(size=(2, 16)) * 0.3), ("n",)),
    )
    module = GraphModule(Graph("r", {"x": (12, 6)}, nodes, ("out",)))
    assert {n for n, _ in module.named_parameters()} == {"in.weight", "back.weight", "back.bias", "out.weight"}
    x = torch.from_numpy(rng.random((32, 12, 6)) < 0.4).float()
    truth = (x[:, :, :3].sum((1, 2)) > x[:, :, 3:].sum((1, 2))).long()
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    losses = []
    for _ in range(25):
        loss = torch.nn.functional.cross_entropy(module(x).mean(1), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    assert losses[-1] < 0.7 * losses[0]
    assert module.to_graph()["n"].operator == nodes[1].operator


def refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_bad_parameters_are_refused() -> None:
    s = Semantics(DT)
    refused(lambda: lif(s, tau=np.zeros(6)), "tau is 0.0")
    refused(lambda: lif(s, tau=np.full(6, -1.0)), "tau is -1.0")
    refused(lambda: lif(s, v_threshold=np.array([1, 1, np.nan, 1, 1, 1])), "v_threshold is not a number")
    refused(lambda: lif(s, r=np.ones(5)), "shapes")
    refused(lambda: lif(s, v_reset=np.inf), "v_reset is inf")
    refused(lambda: lif(s, sign=np.full(6, 2.0)), "sign")
    refused(lambda: LIF(TAU, 1, 0, 1, 0, s), "scalars")  # type: ignore[arg-type]
    refused(lambda: lif(s).output_shape([(40, 5)]), "features")
    refused(lambda: lif(s).output_shape([(6,)]), "steps")
    refused(lambda: Semantics(0.0), "dt")
    refused(lambda: Semantics(DT, reset="zero"), "legal")


def test_infinite_thresholds_never_fire() -> None:
    neuron = lif(Semantics(DT, reset="subtract", delayed_reset=True), v_threshold=np.full(6, np.inf))
    assert not run(neuron, 100 * X).any()


def test_a_layer_is_one_whatever_leads() -> None:
    neuron = lif(dataclasses.replace(Semantics(DT), refractory=1))
    many = torch.tensor(np.stack([X, 2 * X]), dtype=torch.float64)
    both = evaluate(Graph("g", {"x": X.shape}, (Node("n", neuron, ("x",)),), ("n",)), many[None])
    assert isinstance(both, torch.Tensor)
    np.testing.assert_array_equal(both[0, 1].numpy(), run(neuron, 2 * X))
