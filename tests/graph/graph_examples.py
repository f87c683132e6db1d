"""One small example of every operator, and small graphs, for the tests that walk over all of them."""

from __future__ import annotations

import numpy as np
import torch

from neuromorph.graph.formats.uniform import Binary, Int, Uniform
from neuromorph.graph.model import Graph, Node, Operator, Shape, Window
from neuromorph.graph.operators import (
    activation,
    arithmetic,
    attention,
    convolution,
    dense,
    mapped,
    neurons,
    pairwise,
    pooling,
    recurrent,
    reducing,
    stepped,
    synapses,
    wiring,
)
from neuromorph.graph.semantics import Semantics

rng = np.random.default_rng(7)


def w(*shape: int) -> np.ndarray:
    return rng.normal(size=shape)


def on_grid(shape: tuple[int, ...], number_format: Uniform) -> np.ndarray:
    """Random weights on the format's grid, scales along axis 0."""
    low, high = number_format.limits
    codes = [-1, 1] if isinstance(number_format, Binary) else np.arange(low, high + 1)
    drawn = rng.choice(codes, size=shape).astype(float)
    scale = np.asarray(number_format.scale)
    zero = 0.0 if number_format.zero_point is None else np.asarray(number_format.zero_point)
    column = (-1, *(1,) * (len(shape) - 1))
    scale, zero = (v.reshape(column) if np.ndim(v) else v for v in (scale, zero))
    return (drawn - zero) * scale


INT4 = Int(4, scale=0.25)
INT8_ROWS = Int(8, scale=np.array([0.5, 0.25, 2.0, 0.1]), axis=0)
UINT5_ROWS = Int(5, False, scale=np.array([0.1, 0.2, 0.4]), zero_point=np.array([3, 0, 9.0]), axis=-2)
HALF = rng.random((8, 2)) < 0.5

STEP = Semantics(1e-3)
LATE = Semantics(1e-3, "exponential", "subtract", delayed_reset=True, output_shift=1, refractory=2, preset="example")


def at(value: float, *shape: int) -> np.ndarray:
    """Positive values around this one."""
    return value * rng.uniform(0.5, 1.5, shape or (3,))


EXAMPLES: list[tuple[Operator, list[Shape]]] = [
    (dense.Linear(w(4, 6), w(4)), [(6,)]),
    *((mapped.Map(name), [(3, 4)]) for name in mapped.TRIGONOMETRIC),
    (pairwise.Pairwise("divide"), [(3, 4), (1, 4)]),
    (pairwise.Pairwise("minimum", w(3, 1), first=True), [(3, 4)]),
    (pairwise.Staircase(np.sort(w(3, 5)), 0.5, -1.0, axis=-2), [(3, 4)]),
    (reducing.Reduce("sum_squares", (-2, -1), False), [(3, 4, 5)]),
    (reducing.Reduce("product", (-2,)), [(3, 4)]),
    (wiring.Pad(-1, 1, 2, 0.5), [(2, 3)]),
    (recurrent.RNN(w(4, 3), w(4, 4), w(4)), [(5, 3)]),
    (recurrent.RNN(w(4, 3), w(4, 4), reverse=True, return_sequences=False, function="relu"), [(5, 3)]),
    (dense.Linear(w(4, 6), mask=rng.random((4, 6)) < 0.5), [(5, 6)]),
    (dense.Linear(on_grid((4, 6), INT8_ROWS), weight_format=INT8_ROWS, input_format=INT4), [(6,)]),
    (convolution.Conv2d(w(4, 3, 2, 3), w(4), window=Window((2, 3), (1, 2), (1, 0, 2, 1), (2, 1))), [(3, 6, 7)]),
    (convolution.Conv2d(w(6, 2, 3, 3), window=Window((3, 3), padding=(1, 1, 1, 1)), groups=3), [(6, 5, 4)]),
    (convolution.Conv1d(w(4, 1, 3), w(4), window=Window((1, 3), (1, 2), (0, 0, 1, 1)), groups=2), [(2, 9)]),
    (recurrent.LSTM(w(12, 5), w(12, 3), w(12)), [(4, 5)]),
    (recurrent.LSTM(w(8, 5), w(8, 2), None, None, HALF, return_sequences=False, reverse=True), [(4, 5)]),
    (recurrent.GRU(w(9, 5), w(9, 3), w(9), w(9)), [(4, 5)]),
    (recurrent.GRU(w(6, 5), w(6, 2), input_format=INT4, return_sequences=False, reverse=True), [(4, 5)]),
    (recurrent.LSTM(w(8, 5), w(8, 2), w(8), return_cell=True, reverse=True), [(4, 5)]),
    (recurrent.RNN(w(3, 5), w(3, 3), w(3)), [(4, 5)]),
    (
        recurrent.RNN(w(2, 5), w(2, 2), None, HALF[:2, :1].repeat(5, 1), function="relu", return_sequences=False),
        [(4, 5)],
    ),
    *((mapped.Map(name, tuple(0.7 for _ in f.parameters)), [(3, 4)]) for name, f in mapped.MAPS.items()),
    (mapped.PReLU(w(3), -2), [(3, 4)]),
    (mapped.PReLU(w(1)), [(3, 4)]),
    (mapped.Affine(w(3, 4), w(4)), [(2, 3, 4)]),
    (mapped.Affine(shift=w(2, 3, 1)), [(1, 3, 4)]),
    (attention.Normalize(), [(3, 4)]),
    (attention.Normalize(-2, 1e-3, center=False), [(3, 4)]),
    (attention.Product(), [(2, 3, 4), (2, 4, 5)]),
    (attention.Product(transposed=True), [(2, 3, 4), (1, 5, 4)]),
    (attention.Embedding(w(7, 4)), [(5,)]),
    (attention.Resample(np.array([[0, 1], [2, 2], [1, 0.0]]), w(3, 2), -2), [(3, 4)]),
    (pairwise.Pairwise("maximum"), [(2, 3), (1, 3)]),
    (arithmetic.DynamicQuantize(2, 127), [(3, 4)]),
    (wiring.Take(-2, (2, 0, 0, 1)), [(3, 4)]),
    (wiring.Constant(w(2, 3), 2), [(4, 5)]),
    (activation.ReLU(), [(3, 4)]),
    (activation.ReLU6(), [(3, 4)]),
    (activation.Clip(-0.5, 0.25), [(3, 4)]),
    (activation.Clip(None, 0.25), [(3, 4)]),
    (activation.LeakyReLU(0.2), [(3, 4)]),
    (activation.ELU(0.7), [(3, 4)]),
    (activation.Sigmoid(), [(3, 4)]),
    (activation.Tanh(), [(3, 4)]),
    (activation.HardSigmoid(), [(3, 4)]),
    (activation.HardSwish(), [(3, 4)]),
    (activation.SiLU(), [(3, 4)]),
    (activation.GELU(), [(3, 4)]),
    (activation.GELU(True), [(3, 4)]),
    (activation.Softmax(), [(3, 4)]),
    (activation.Softmax(-2, log=True), [(3, 4)]),
    (pooling.MaxPool2d(), [(2, 4, 6)]),
    (pooling.MaxPool2d(Window((3, 2), (2, 1), (1, 2, 0, 1), (1, 2))), [(2, 5, 6)]),
    (pooling.MaxPool1d(), [(2, 6)]),
    (pooling.AvgPool2d(Window((3, 3), (2, 2), (1, 1, 1, 1)), count_padding=False), [(2, 5, 6)]),
    (pooling.AvgPool2d(Window((3, 2), (1, 1), (0, 2, 1, 0)), count_padding=False), [(2, 5, 6)]),
    (pooling.AvgPool1d(), [(2, 6)]),
    (pooling.GlobalAvgPool(), [(2, 4, 3)]),
    (pooling.GlobalAvgPool((-2,), keep=False), [(4, 3)]),
    (pooling.GlobalMaxPool(), [(2, 4, 3)]),
    (arithmetic.Add(), [(2, 3), (2, 3), (1, 3)]),
    (arithmetic.Multiply(), [(2, 3, 4), (2, 1, 1)]),
    (arithmetic.BatchNorm(w(2), w(2)), [(2, 3, 4)]),
    (arithmetic.BatchNorm(w(1), w(1), -1), [(2, 3, 4)]),
    (arithmetic.Quantize(format=INT4), [(3, 4)]),
    (
        arithmetic.Quantize(format=UINT5_ROWS),
        [(3, 4)],
    ),
    (wiring.Flatten(), [(2, 3, 4)]),
    (wiring.Flatten(2), [(2, 3, 4)]),
    (wiring.Reshape((2, 6), (3, 4)), [(2, 6)]),
    (wiring.Transpose(), [(2, 6)]),
    (wiring.Transpose((2, 0, 1)), [(2, 6, 3)]),
    (wiring.Select(), [(5, 3)]),
    (wiring.Slice(-2, 1, 4, 2), [(5, 3)]),
    (wiring.Concat(), [(2, 3, 4), (1, 3, 4)]),
    (wiring.Concat(-1), [(3, 4), (3, 2)]),
    (wiring.Pad(-2, 1, 2), [(3, 4)]),
    (convolution.Conv2d(w(4, 2, 3, 2), w(4), window=Window((3, 2), (2, 1))), [(6, 2, 5, 4)]),
    (convolution.Conv1d(w(4, 2, 3), window=Window((1, 3))), [(6, 2, 5)]),
    (pooling.AvgPool2d(), [(3, 2, 4, 4)]),
    (neurons.IF(at(500), at(1), at(0.1), STEP, v_init=w(3)), [(8, 3)]),
    (neurons.LIF(at(5e-3), at(3), at(0.2), at(1), at(0.1), LATE, sign=np.array([1.0, -1, 0])), [(8, 3)]),
    (neurons.LIF(at(5e-3, 2, 1, 1), at(3, 1, 4, 4), 0, 1, 0, STEP), [(5, 2, 4, 4)]),
    (neurons.CubaLIF(at(4e-3), at(8e-3), at(3), at(0.1), at(0.5), at(0.1), at(3), STEP), [(8, 3)]),
    (neurons.LI(at(5e-3), at(3), at(0.2), STEP), [(8, 3)]),
    (neurons.CubaLI(at(4e-3), at(8e-3), at(3), at(0.1), at(3), STEP), [(8, 3)]),
    (neurons.Integrator(at(300), STEP), [(8, 3)]),
    (neurons.AdaptiveLIF(at(5e-3), at(3), at(0.2), at(1), at(0.1), at(2e-2), at(0.3), STEP), [(8, 3)]),
    (neurons.Izhikevich(at(0.02), at(0.2), at(-65), at(8), at(30), STEP), [(8, 3)]),
    (neurons.Threshold(w(3), np.array([1.0, -1, 0])), [(8, 3)]),
    (
        synapses.SparseLinear(np.array([0, 2, 2, 3]), np.array([0, 3, 1]), w(3), 4, np.array([0, 2, 1]), w(4)),
        [(6, 3)],
    ),
    (synapses.DelayedLinear(w(4, 3), rng.integers(0, 4, (4, 3)), w(4), rng.random((4, 3)) < 0.6), [(6, 3)]),
    (synapses.Delay(np.array([0, 1e-3, 3e-3]), 1e-3), [(6, 3)]),
    (synapses.Scale(w(2, 1)), [(6, 2, 3)]),
    (stepped.ClipFloor(at(1.0, 2), 4), [(2, 3, 4)]),
    (stepped.HoyerStep(at(1.0, 2), np.array([0.4])), [(2, 3, 4)]),
    (synapses.SumPool2d(Window((2, 2), (2, 2), (1, 1, 0, 0))), [(2, 4, 4)]),
]

IDS = [f"{i}-{type(operator).__name__}" for i, (operator, _) in enumerate(EXAMPLES)]


def values_for(operator: Operator, x: torch.Tensor) -> torch.Tensor:
    """Random values that the operator takes: whole numbers for a table, positive ones for roots."""
    if isinstance(operator, attention.Embedding):
        return x.abs().mul(3).floor().clamp(0, operator.weight.shape[0] - 1)
    if isinstance(operator, mapped.Map):
        near = {"acosh": x.abs() + 1.1, "acos": x.clamp(-0.9, 0.9), "asin": x.clamp(-0.9, 0.9)}
        return {**near, "atanh": x.clamp(-0.9, 0.9)}.get(operator.function, x.abs() + 0.1)
    return x


def as_graph(operator: Operator, shapes: list[Shape]) -> Graph:
    """A graph of this operator alone, one input for each of its own."""
    names = [f"x{i}" for i in range(len(shapes))]
    node = Node("y", operator, tuple(names), "model.layer")
    return Graph("one", dict(zip(names, shapes, strict=True)), (node,), ("y",), {"origin": "example"})


def small_graph() -> Graph:
    """Convolution, residual addition, pooling, a masked int4 dense layer, two outputs."""
    mask = rng.random((5, 12)) < 0.4
    dense_weight = np.where(mask, on_grid((5, 12), INT4), 0.0)
    nodes = (
        Node("conv", convolution.Conv2d(w(3, 3, 3, 3), w(3), window=Window((3, 3), padding=(1, 1, 1, 1))), ("x",), "c"),
        Node("relu", activation.ReLU(), ("conv",), "r"),
        Node("add", arithmetic.Add(), ("relu", "x")),
        Node("pool", pooling.MaxPool2d(), ("add",)),
        Node("flat", wiring.Flatten(), ("pool",)),
        Node("fc", dense.Linear(dense_weight, w(5), mask=mask, weight_format=INT4), ("flat",), "head.fc"),
    )
    return Graph("small", {"x": (3, 4, 4)}, nodes, ("fc", "relu"))
