"""Legendre memory units, and networks of them in which every vector is carried by spiking neurons (L2MU).

A memory of `order` states follows theta dm/dt = A m + B u, which keeps the Legendre polynomials of the last theta
seconds of u: u(t - r theta) = sum over i of P_i(2 r - 1) m_i(t) for 0 <= r <= 1 (Voelker, Kajic and Eliasmith, NeurIPS
2019). A step of dt holds u constant: m = Ad m + Bd u.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Graph, Node, Operator
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import LIF
from neuromorph.graph.operators.wiring import Concat
from neuromorph.graph.semantics import Semantics


def lmu_matrices(order: int, theta_s: float) -> tuple[np.ndarray, np.ndarray]:
    """A (order, order) and B (order,) of dm/dt = A m + B u, in 1/s.

    A_ij = (2i + 1)/theta (-1 where i < j, else (-1)^(i - j + 1)), B_i = (2i + 1)(-1)^i/theta.
    """
    if order < 1 or not (np.isfinite(theta_s) and theta_s > 0):
        raise InputError(f"a memory of order {order} over {theta_s} s", hint="order 1 or more, a window above 0 s")
    i = np.arange(order)[:, None]
    j = np.arange(order)[None, :]
    scale = (2 * i + 1) / theta_s
    a = scale * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    b = scale[:, 0] * (-1.0) ** i[:, 0]
    return a, b


def zero_order_hold(a: np.ndarray, b: np.ndarray, dt_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Ad = e^(A dt), Bd = A^-1 (Ad - 1) B: exact where the input is constant within a step."""
    from scipy.linalg import expm

    size = len(a)
    joined = np.zeros((size + 1, size + 1))
    joined[:size, :size], joined[:size, size] = a * dt_s, b * dt_s
    found = expm(joined)
    return found[:size, :size], found[:size, size]


def on_neurons(ad: np.ndarray, bd: np.ndarray, dt_s: float, tau_s: float) -> tuple[np.ndarray, np.ndarray]:
    """The matrices where the states' neurons filter with e^(-dt/tau) themselves: (Ad - k 1)/(1 - k), Bd/(1 - k)."""
    kept = np.exp(-dt_s / tau_s)
    return (ad - kept * np.eye(len(ad))) / (1 - kept), bd / (1 - kept)


def legendre(order: int, r: np.ndarray) -> np.ndarray:
    """P_i(2 r - 1), what the states are summed with to read u(t - r theta): (len(r), order)."""
    return np.polynomial.legendre.legvander(2 * np.asarray(r, float) - 1, order - 1)


def lmu(inputs: int, order: int, theta_s: float, dt_s: float, steps: int) -> Graph:
    """The memory alone, without spikes: `inputs` signals into inputs x order states, (steps, inputs * order).

    The states of one signal stand together. Every signal has the same matrices, so they lie as blocks.
    """
    ad, bd = zero_order_hold(*lmu_matrices(order, theta_s), dt_s)
    states = inputs * order
    nodes = (
        Node("write", Linear(np.kron(np.eye(inputs), bd[:, None])), ("u",)),
        Node("memory", _passing(states, dt_s), ("write",), feedback=("keep",)),
        Node("keep", Linear(np.kron(np.eye(inputs), ad)), ("memory",)),
    )
    return Graph("lmu", {"u": (steps, inputs)}, nodes, ("memory",), {"decode": "last"})


def _passing(size: int, dt_s: float) -> Operator:
    """A membrane that holds its input for one step: an integrator that forgets at once (Euler with tau = dt)."""
    from neuromorph.graph.operators.neurons import LI

    return LI(np.full(size, dt_s), np.ones(size), np.zeros(size), Semantics(dt_s, bias_at_start=False))


def l2mu(
    weights: Mapping[str, np.ndarray],
    theta_s: float,
    dt_s: float,
    tau_s: float,
    steps: int,
    *,
    threshold: float = 1.0,
    reset: str = "subtract",
    fold_decay: bool = True,
) -> Graph:
    """A Legendre memory unit whose input u, memory m and hidden state h are populations of spiking neurons.

    u = e_x x + e_h h + e_m m; m = A m + B u; h = W_x x + W_h h + W_m m, each through a layer of leaky integrate-and-
    fire neurons with tau_s and this threshold; h and m of the step before (m of this step for h). Three dependent
    stages per step. weights: e_x (memory, inputs), e_h (memory, hidden), e_m (memory, memory * order), w_x (hidden,
    inputs), w_h (hidden, hidden), w_m (hidden, memory * order). fold_decay: A and B are those of `on_neurons`, since
    the neurons keep e^(-dt/tau) of their state themselves. Output: spikes of h, (steps, hidden).
    """
    memory, inputs = _shape(weights, "e_x")
    hidden, _ = _shape(weights, "w_x")
    states = _shape(weights, "e_m")[1]
    wanted = {"e_x": (memory, inputs), "e_h": (memory, hidden), "e_m": (memory, states), "w_x": (hidden, inputs),
              "w_h": (hidden, hidden), "w_m": (hidden, states)}  # fmt: skip
    wrong = [f"{n} is {_shape(weights, n)}, not {s}" for n, s in wanted.items() if _shape(weights, n) != s]
    if wrong or states % memory:
        raise InputError("; ".join(wrong) or f"{states} states for {memory} memories", hint="shapes as documented")
    ad, bd = zero_order_hold(*lmu_matrices(states // memory, theta_s), dt_s)
    if fold_decay:
        ad, bd = on_neurons(ad, bd, dt_s, tau_s)
    semantics = Semantics(dt_s, "exponential", reset, bias_at_start=False)

    def layer(size: int) -> LIF:
        every = np.ones(size)
        return LIF(tau_s * every, every, 0 * every, threshold * every, 0 * every, semantics)

    nodes = (
        Node("encode", Linear(weights["e_x"]), ("x",)),
        Node("u", layer(memory), ("encode",), feedback=("from_hidden", "from_memory")),
        Node("write", Linear(np.kron(np.eye(memory), bd[:, None])), ("u",)),
        Node("m", layer(states), ("write",), feedback=("keep",)),
        Node("keep", Linear(np.kron(np.eye(memory), ad)), ("m",)),
        Node("from_memory", Linear(weights["e_m"]), ("m",)),
        Node("joined", Concat(-1), ("x", "m")),
        Node("mix", Linear(np.concatenate([weights["w_x"], weights["w_m"]], axis=1)), ("joined",)),
        Node("h", layer(hidden), ("mix",), feedback=("recall",)),
        Node("recall", Linear(weights["w_h"]), ("h",)),
        Node("from_hidden", Linear(weights["e_h"]), ("h",)),
    )
    return Graph("l2mu", {"x": (steps, inputs)}, nodes, ("h",))


def _shape(weights: Mapping[str, np.ndarray], name: str) -> tuple[int, int]:
    if name not in weights or np.ndim(weights[name]) != 2:
        raise InputError(f"no matrix {name!r} among the weights", hint="e_x, e_h, e_m, w_x, w_h, w_m")
    rows, cols = np.shape(weights[name])
    return rows, cols
