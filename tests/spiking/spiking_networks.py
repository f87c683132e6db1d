"""Random small spiking networks of every dialect. Weights are multiples of 1/64, so that sums are exact."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from neuromorph.graph.model import Graph, Node, Operator, Window
from neuromorph.graph.operators import arithmetic, convolution, dense, neurons, pooling, synapses, wiring
from neuromorph.graph.semantics import COMPARES, INTEGRATIONS, ORDERS, RESETS, Semantics


@st.composite
def semantics_cases(draw: st.DrawFn) -> Semantics:
    """Every combination of what a dialect may say."""
    return Semantics(
        1e-3,
        integration=draw(st.sampled_from(INTEGRATIONS)),
        reset=draw(st.sampled_from(RESETS)),
        delayed_reset=draw(st.booleans()),
        compare=draw(st.sampled_from(COMPARES)),
        order=draw(st.sampled_from(ORDERS)),
        output_shift=draw(st.integers(0, 2)),
        refractory=draw(st.integers(0, 3)),
        spikes_per_step=draw(st.sampled_from([1, 2, None])),
        v_min=draw(st.sampled_from([None, -0.5])),
        bias_at_start=draw(st.booleans()),
        input_at_reset=draw(st.booleans()),
    )


def exact(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Multiples of 1/64 around zero."""
    return np.rint(rng.normal(size=shape) * scale * 64) / 64


def neuron(
    rng: np.random.Generator, features: tuple[int, ...], semantics: Semantics, memoryless: bool = True
) -> Operator:
    """A neuron of a random kind with parameters of its own for each element."""

    def near(value: float) -> np.ndarray:
        return value * rng.uniform(0.6, 1.4, features)

    sign = rng.choice([-1.0, 0.0, 1.0, 1.0, 1.0], features) if rng.random() < 0.3 else None
    v_init = exact(rng, *features, scale=0.3) if rng.random() < 0.5 else None
    common = {"v_threshold": near(0.7), "v_reset": 0.1 * rng.normal(size=features), "semantics": semantics,
              "sign": sign, "v_init": v_init}  # fmt: skip
    leaky = {"r": near(2.0), "v_leak": 0.1 * rng.normal(size=features)}
    kind = rng.integers(0, 8)
    if kind == 3 and not memoryless:
        kind = 7
    if kind == 0:
        return neurons.IF(r=near(900), **common)
    if kind == 1:
        return neurons.CubaLIF(tau_syn=near(3e-3), tau_mem=near(5e-3), w_in=near(3), **leaky, **common)
    if kind == 2:
        return neurons.AdaptiveLIF(tau=near(4e-3), tau_adapt=near(1e-2), beta=near(0.3), **leaky, **common)
    if kind == 3:
        return neurons.Threshold(near(0.5), sign)
    if kind == 4:
        weak = 10 * near(1.0)
        return neurons.Izhikevich(near(0.02), near(0.2), near(-60), weak, near(25), semantics)
    return neurons.LIF(tau=near(4e-3), **leaky, **common)


def linear_chain(
    rng: np.random.Generator, name: str, shape: tuple[int, ...], source: str, late: bool = True
) -> tuple[list[Node], tuple[int, ...]]:
    """One or two linear operators after `source`, of features `shape`; returns them and the features they make."""
    nodes: list[Node] = []
    for k in range(int(rng.integers(1, 3))):
        operator, shape = _linear(rng, shape, late)
        nodes.append(Node(f"{name}{k}", operator, (source,)))
        source = nodes[-1].name
    return nodes, shape


def _linear(rng: np.random.Generator, shape: tuple[int, ...], late: bool) -> tuple[Operator, tuple[int, ...]]:
    if len(shape) == 3:
        return _on_maps(rng, shape)
    size = shape[0]
    out = int(rng.integers(2, 5))
    kind = rng.integers(0, 6 if late else 3)
    if kind == 3:
        return synapses.Delay(rng.integers(0, 4, size) * 1e-3, 1e-3), shape
    if kind == 4:
        return synapses.DelayedLinear(exact(rng, out, size), rng.integers(0, 4, (out, size)), exact(rng, out)), (out,)
    if kind == 5:
        return sparse(rng, size, out), (out,)
    if kind == 2:
        return synapses.Scale(exact(rng, size)), shape
    if kind == 1:
        return arithmetic.BatchNorm(exact(rng, size), exact(rng, size, scale=0.2), -1), shape
    return dense.Linear(exact(rng, out, size), exact(rng, out, scale=0.3)), (out,)


def sparse(rng: np.random.Generator, inputs: int, outputs: int) -> synapses.SparseLinear:
    """Half of the synapses, delays of their own."""
    there = rng.random((inputs, outputs)) < 0.5
    index = np.nonzero(there)[1]
    indptr = np.concatenate(([0], np.cumsum(there.sum(1))))
    return synapses.SparseLinear(
        indptr, index, exact(rng, index.size), outputs, rng.integers(0, 3, index.size), exact(rng, outputs, scale=0.2)
    )


def _on_maps(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Operator, tuple[int, ...]]:
    kind = rng.integers(0, 3)
    if kind == 0:
        return wiring.Flatten(3), (int(np.prod(shape)),)
    if kind == 1 and min(shape[1:]) > 1:
        pool = synapses.SumPool2d if rng.random() < 0.5 else pooling.AvgPool2d
        operator: Operator = pool(Window((2, 2), (2, 2)))
    else:
        weight = exact(rng, 2, shape[0], 2, 3, scale=0.7)
        window = Window((2, 3), (int(rng.integers(1, 3)), 1), (1, 0, 1, 1), (1, 1))
        operator = convolution.Conv2d(weight, exact(rng, 2, scale=0.2), window=window)
    return operator, operator.output_shape([shape])


def random_graph(rng: np.random.Generator, semantics: Semantics, cycles: bool = True) -> Graph:
    """Two to three layers of neurons on vectors or maps, with skips, feedback and delays; 8 steps."""
    shape: tuple[int, ...] = (3,) if rng.random() < 0.6 else (2, 4, 3)
    nodes: list[Node] = []
    source, inputs = "x", (8, *shape)
    for layer in range(int(rng.integers(1, 4))):
        chain, shape = linear_chain(rng, f"l{layer}_", shape, source)
        nodes += chain
        feeds: tuple[str, ...] = ()
        back: list[Node] = []
        name = f"n{layer}"
        if cycles and rng.random() < 0.6:
            feeds, back = _feedback(rng, name, shape)
        nodes.append(Node(name, neuron(rng, shape, semantics, layer > 0), (chain[-1].name,), feedback=feeds))
        nodes += back
        if rng.random() < 0.3:
            skipped = (chain[-1].name, name)
            nodes.append(Node(f"skip{layer}", arithmetic.Add(), skipped))
            source = nodes[-1].name
        else:
            source = name
    outputs = [source]
    if rng.random() < 0.5:
        chain, _ = linear_chain(rng, "out", shape, source)
        nodes += chain
        outputs = [chain[-1].name]
    return Graph("random", {"x": inputs}, tuple(nodes), tuple(outputs))


def _feedback(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> tuple[tuple[str, ...], list[Node]]:
    """The neuron itself, a layer from it to itself, or one with delays."""
    size = int(np.prod(shape))
    if len(shape) == 3 or rng.random() < 0.3:
        return (name,), []
    layer = dense.Linear(exact(rng, size, size), exact(rng, size, scale=0.3))
    nodes = [Node(f"{name}_back", layer, (name,))]
    if rng.random() < 0.4:
        nodes.append(Node(f"{name}_late", synapses.Delay(rng.integers(0, 3, size) * 1e-3, 1e-3), (nodes[-1].name,)))
    elif rng.random() < 0.5:
        nodes.append(Node(f"{name}_sparse", sparse(rng, size, size), (nodes[-1].name,)))
    return (nodes[-1].name,), nodes
