"""Legendre memories against their closed form, and as networks of spiking neurons."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from spiking_reference import simulate

from neuromorph.errors import InputError
from neuromorph.graph.cycles import cycles
from neuromorph.graph.evaluate import evaluate
from neuromorph.spiking.lmu import l2mu, legendre, lmu, lmu_matrices, on_neurons, zero_order_hold
from neuromorph.spiking.lower import lower

DT, THETA = 1e-3, 0.1


def run(u: np.ndarray, order: int) -> np.ndarray:
    """States (steps, inputs, order) of the memory for signals (steps, inputs)."""
    y = evaluate(lmu(u.shape[1], order, THETA, DT, len(u)), torch.from_numpy(u))
    assert isinstance(y, torch.Tensor)
    return y.numpy().reshape(len(u), u.shape[1], order)


def test_matrices_of_order_two() -> None:
    """Written out from the definition: A = [[-1, -1], [3, -3]]/theta, B = [1, -3]/theta."""
    a, b = lmu_matrices(2, 0.5)
    np.testing.assert_allclose(a, np.array([[-1, -1], [3, -3]]) / 0.5)
    np.testing.assert_allclose(b, np.array([1, -3]) / 0.5)


def test_zero_order_hold_is_exact() -> None:
    a, b = lmu_matrices(5, THETA)
    ad, bd = zero_order_hold(a, b, DT)
    np.testing.assert_allclose(bd, np.linalg.solve(a, (ad - np.eye(5)) @ b), rtol=1e-9)
    fine_a, fine_b = zero_order_hold(a, b, DT / 10)
    m = np.zeros(5)
    for _ in range(10):
        m = fine_a @ m + fine_b
    np.testing.assert_allclose(m, bd, rtol=1e-9)


def test_the_memory_gives_back_a_delayed_signal() -> None:
    """A slow signal is read back at any delay within the window, the better the higher the order."""
    t = DT * np.arange(600)
    signals = np.stack([np.sin(2 * np.pi * 3 * t), np.cos(2 * np.pi * 5 * t) * t], axis=1)
    errors = {}
    for order in (4, 6, 10):
        m = run(signals, order)
        for r in (0.25, 0.5, 1.0):
            late = round(r * THETA / DT)
            read = m @ legendre(order, np.array([r]))[0]
            expected = np.zeros_like(signals)
            expected[late:] = signals[: len(signals) - late]
            errors[order, r] = np.abs(read - expected)[250:].max()
    assert errors[10, 1.0] < 0.02  # of 1; half a step of the hold is 0.009
    assert errors[10, 0.5] < 0.02
    assert errors[4, 1.0] > errors[6, 1.0]


def test_the_impulse_response_is_the_matrix_power() -> None:
    u = np.zeros((50, 1))
    u[0] = 1
    ad, bd = zero_order_hold(*lmu_matrices(6, THETA), DT)
    expected = np.array([np.linalg.matrix_power(ad, k) @ bd for k in range(50)])
    np.testing.assert_allclose(run(u, 6)[:, 0], expected, rtol=1e-9, atol=1e-12)


def test_a_constant_fills_the_first_state_alone() -> None:
    m = run(np.ones((2000, 1)), 6)[-1, 0]
    np.testing.assert_allclose(m, [1, 0, 0, 0, 0, 0], atol=1e-6)


def test_neurons_with_memory_of_their_own_follow_the_same_dynamics() -> None:
    """v = k v + (1 - k)(A_H v + B_H u) is m = Ad m + Bd u."""
    ad, bd = zero_order_hold(*lmu_matrices(4, THETA), DT)
    ah, bh = on_neurons(ad, bd, DT, 5e-3)
    kept = np.exp(-DT / 5e-3)
    np.testing.assert_allclose(kept * np.eye(4) + (1 - kept) * ah, ad, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose((1 - kept) * bh, bd, rtol=1e-12)


def weights(memory: int = 2, order: int = 3, inputs: int = 4, hidden: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"e_x": (memory, inputs), "e_h": (memory, hidden), "e_m": (memory, memory * order),
              "w_x": (hidden, inputs), "w_h": (hidden, hidden), "w_m": (hidden, memory * order)}  # fmt: skip
    return {name: rng.normal(size=shape) * 1.5 for name, shape in shapes.items()}


def plain_l2mu(w: dict[str, np.ndarray], x: np.ndarray, tau: float) -> np.ndarray:
    """Written out: three layers of spiking neurons, soft reset."""
    ad, bd = zero_order_hold(*lmu_matrices(3, THETA), DT)
    ad, bd = on_neurons(ad, bd, DT, tau)
    kept = np.exp(-DT / tau)
    v = {"u": np.zeros(2), "m": np.zeros(6), "h": np.zeros(5)}
    z = {name: np.zeros_like(state) for name, state in v.items()}

    def fire(name: str, current: np.ndarray) -> None:
        v[name] = kept * v[name] + (1 - kept) * current
        z[name] = (v[name] > 0.05).astype(float)
        v[name] = v[name] - 0.05 * z[name]

    out = []
    for x_t in x:
        fire("u", w["e_x"] @ x_t + w["e_h"] @ z["h"] + w["e_m"] @ z["m"])
        fire("m", (ad @ z["m"].reshape(2, 3).T).T.ravel() + (z["u"][:, None] * bd).ravel())
        fire("h", w["w_x"] @ x_t + w["w_h"] @ z["h"] + w["w_m"] @ z["m"])
        out.append(z["h"])
    return np.array(out)


def test_spiking_memory_unit_step_by_step_and_lowered() -> None:
    w = weights()
    x = (np.random.default_rng(1).random((40, 4)) < 0.4).astype(float)
    graph = l2mu(w, THETA, DT, 1e-2, 40, threshold=0.05)
    y = evaluate(graph, torch.from_numpy(x))
    assert isinstance(y, torch.Tensor)
    expected = plain_l2mu(w, x, 1e-2)
    np.testing.assert_array_equal(y.numpy(), expected)
    assert 0.05 < expected.mean() < 0.95
    network = lower(graph)
    assert [p.name for p in network.populations] == ["x", "u", "m", "h"]
    np.testing.assert_array_equal(simulate(network, [x], 40)[3], expected)
    (group,) = cycles(graph)
    assert {"u", "m", "h"} <= {node.name for node in group}


def test_wrong_shapes_are_refused() -> None:
    w = weights()
    with pytest.raises(InputError, match="e_h is"):
        l2mu({**w, "e_h": w["e_h"][:, 1:]}, THETA, DT, 1e-2, 10)
    with pytest.raises(InputError, match="no matrix 'w_m'"):
        l2mu({k: v for k, v in w.items() if k != "w_m"}, THETA, DT, 1e-2, 10)
    with pytest.raises(InputError, match="order 0"):
        lmu_matrices(0, THETA)
