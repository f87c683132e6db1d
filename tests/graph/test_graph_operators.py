"""Every operator: shapes, leading axes, matrices as the product that they are, and refusals."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from graph_examples import EXAMPLES, IDS, as_graph, values_for, w
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from neuromorph.errors import InputError
from neuromorph.graph.evaluate import FloatHost, evaluate
from neuromorph.graph.formats.floating import Float
from neuromorph.graph.formats.uniform import Binary, Int, Ternary
from neuromorph.graph.functions import FUNCTIONS, ExactFunctions
from neuromorph.graph.model import Matrix, Operator, Window
from neuromorph.graph.operators import (
    activation,
    arithmetic,
    attention,
    convolution,
    dense,
    load,
    mapped,
    pooling,
    recurrent,
    wiring,
)
from neuromorph.graph.tensors import fake_quantize

REFUSED = [
    (lambda: dense.Linear(w(3)), "2 non-empty axes"),
    (lambda: dense.Linear(w(3, 0)), "non-empty"),
    (lambda: dense.Linear(w(3, 2), w(2)), "expected \\(3,\\)"),
    (lambda: dense.Linear(w(3, 2), mask=np.ones((2, 3), bool)), "one shape"),
    (lambda: dense.Linear(w(3, 2), weight_format=Int(4)), "no scale"),
    (lambda: dense.Linear(w(3, 2), weight_format=Int(4, scale=np.ones(2), axis=0)), "per row"),
    (lambda: dense.Linear(w(3, 2), input_format=Int(4, scale=np.ones(2), axis=0)), "one value"),
    (lambda: convolution.Conv2d(w(3, 2, 3, 3), window=Window((2, 2))), "kernel"),
    (lambda: convolution.Conv2d(w(3, 2, 1, 1), groups=2), "divide"),
    (lambda: recurrent.LSTM(w(8, 3), w(8, 3)), "4 x hidden"),
    (lambda: recurrent.GRU(w(6, 3), w(6, 2), w(5)), "expected \\(6,\\)"),
    (lambda: activation.Clip(1.0, 0.0), "above"),
    (lambda: activation.Clip(None, None), "neither"),
    (lambda: activation.Softmax(1), "front"),
    (lambda: pooling.AvgPool2d(Window((2, 2), dilation=(2, 2))), "dilation"),
    (lambda: pooling.GlobalAvgPool(()), "at least one"),
    (lambda: arithmetic.BatchNorm(w(2), w(3)), "one length"),
    (lambda: wiring.Flatten(0), "1 or more"),
    (lambda: wiring.Reshape((2, 3), (5,)), "counts differ"),
    (lambda: wiring.Transpose((0, 2)), "permutation"),
    (lambda: wiring.Slice(-1, 3, 3), "empty"),
    (lambda: wiring.Pad(-1, -1), "0 or more"),
    (lambda: wiring.Take(-1, ()), "empty"),
    (lambda: mapped.Map("mishh"), "mish"),
    (lambda: mapped.Map("celu"), "parameters"),
    (lambda: mapped.Affine(), "neither"),
    (lambda: mapped.PReLU(w(2, 2)), "a vector"),
    (lambda: attention.Embedding(w(2)), "entries"),
    (lambda: attention.Resample(w(2, 2), w(2, 3)), "taps"),
    (lambda: attention.Normalize(-1, -1.0), "0 or more"),
    (lambda: arithmetic.DynamicQuantize(0), "at least 1"),
    (lambda: recurrent.RNN(w(2, 3), w(2, 2), function="gelu"), "tanh, relu"),
    (lambda: recurrent.LSTM(w(8, 3), w(8, 2), return_sequences=False, return_cell=True), "return_sequences"),
]

MISFITS = [
    (dense.Linear(w(3, 2)), [(3,)]),
    (dense.Linear(w(3, 2)), [(2,), (2,)]),
    (dense.Linear(w(3, 2)), [()]),
    (convolution.Conv2d(w(3, 2, 1, 1)), [(3, 4, 4)]),
    (convolution.Conv2d(w(3, 2, 3, 3), window=Window((3, 3))), [(2, 2, 4)]),
    (convolution.Conv1d(w(3, 2, 1)), [(2, 3, 4)]),
    (convolution.Conv2d(w(3, 2, 1, 1)), [(1, 5, 2, 4, 4)]),
    (recurrent.LSTM(w(8, 3), w(8, 2)), [(5, 4)]),
    (pooling.MaxPool2d(), [(4, 4)]),
    (pooling.MaxPool1d(Window((2, 2))), [(4, 4)]),
    (pooling.GlobalAvgPool((-3,)), [(4, 4)]),
    (arithmetic.Add(), [(2, 3)]),
    (arithmetic.Add(), [(2, 3), (3,)]),
    (arithmetic.Add(), [(2, 3), (2, 2)]),
    (arithmetic.BatchNorm(w(3), w(3)), [(2, 3, 3)]),
    (wiring.Flatten(3), [(2, 3)]),
    (wiring.Reshape((2, 3), (6,)), [(3, 2)]),
    (wiring.Select(-2, 5), [(5, 3)]),
    (wiring.Slice(-1, 0, 4), [(3,)]),
    (wiring.Concat(-1), [(2, 3), (3, 3)]),
    (wiring.Concat(-1), []),
    (wiring.Take(-1, (3,)), [(3,)]),
    (wiring.Constant(w(2), 2), [(3,)]),
    (mapped.Affine(w(2)), [(3,)]),
    (mapped.Affine(w(2, 3)), [(3,)]),
    (mapped.PReLU(w(2)), [(3,)]),
    (attention.Product(), [(2, 3), (2, 3)]),
    (attention.Product(True), [(2, 3), (3, 3, 3)]),
    (attention.Resample(w(2, 2) * 0 + 3, w(2, 2)), [(3,)]),
    (attention.Normalize(-2), [(3,)]),
    (arithmetic.DynamicQuantize(2), [(3,)]),
]


def test_every_operator_has_an_example_and_states_its_equation() -> None:
    known = load()
    assert {type(operator).__name__ for operator, _ in EXAMPLES} == set(known)
    assert all(cls.__doc__ and dataclasses.is_dataclass(cls) for cls in known.values())
    assert "Weighted" not in known


@pytest.mark.parametrize(("operator", "shapes"), EXAMPLES, ids=IDS)
def test_output_shape_and_leading_axes(operator: Operator, shapes: list[tuple[int, ...]]) -> None:
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randn(2, 3, *s, generator=generator, dtype=torch.float64) for s in shapes]
    inputs = [values_for(operator, x) for x in drawn]
    host = FloatHost(operator)
    together = operator.evaluate(inputs, host)
    assert tuple(together.shape) == (2, 3, *operator.output_shape(shapes))
    for i in range(2):
        torch.testing.assert_close(
            operator.evaluate([x[i] for x in inputs], host), together[i], rtol=1e-12, atol=1e-12, equal_nan=True
        )
        single = operator.evaluate([x[i, 0] for x in inputs], host)
        torch.testing.assert_close(single, together[i, 0], rtol=1e-12, atol=1e-12, equal_nan=True)


class MatrixHost(ExactFunctions):
    """Multiplies by the matrices as they are documented: windows cut out one by one, groups as blocks."""

    def __init__(self, matrices: tuple[Matrix, ...]) -> None:
        self.matrices = {m.name: m for m in matrices}
        self.products = dict.fromkeys(self.matrices, 0)

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        m = self.matrices[matrix]
        self.products[matrix] += x.numel() // (m.groups * m.rows)
        blocks = x.reshape(*x.shape[:-1], m.groups, 1, m.rows)
        return (blocks @ torch.tensor(m.weight)).reshape(*x.shape[:-1], m.groups * m.cols)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        window = self.matrices[matrix].window
        assert window is not None
        top, bottom, left, right = window.padding
        x = functional.pad(x, (left, right, top, bottom))
        (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.stride, window.dilation
        height, width = (
            (n - d * (k - 1) - 1) // s + 1
            for n, k, s, d in zip(x.shape[-2:], window.kernel, window.stride, window.dilation, strict=True)
        )
        rows = []
        for i in range(height):
            for j in range(width):
                cut = x[..., i * sh : i * sh + dh * kh : dh, j * sw : j * sw + dw * kw : dw][..., :kh, :kw]
                rows.append(self.linear(matrix, cut.reshape(*cut.shape[:-3], -1)))
        return torch.stack(rows, -1).reshape(*rows[0].shape, height, width)


@pytest.mark.parametrize(("operator", "shapes"), EXAMPLES, ids=IDS)
def test_matrices_are_the_products(operator: Operator, shapes: list[tuple[int, ...]]) -> None:
    """With the matrices alone a host computes what the exact one does, in as many products as they state."""
    drawn = [torch.randn(*s, generator=torch.Generator().manual_seed(2), dtype=torch.float64) for s in shapes]
    inputs = [values_for(operator, x) for x in drawn]
    matrices = operator.matrices(shapes)
    assert bool(matrices) == (operator.role == "matrix")
    host = MatrixHost(matrices)
    found, wanted = operator.evaluate(inputs, host), operator.evaluate(inputs, FloatHost(operator))
    torch.testing.assert_close(found, wanted, equal_nan=True)  # NaN: a logarithm of what is negative
    assert host.products == {m.name: m.products for m in matrices}
    for m in matrices:
        assert m.weight.dtype == np.float64
        assert m.mask is None or (m.mask.shape == m.weight.shape and not m.weight[~m.mask].any())
    assert operator.operations(shapes) >= 0
    if operator.role in ("wiring", "memory"):
        assert operator.operations(shapes) == 0
    fetches = operator.role == "memory"
    assert (operator.fetched(shapes) > 0, operator.table_size > 0) == (fetches, fetches)
    if operator.role == "vector":
        assert operator.operations(shapes) >= np.prod(operator.output_shape(shapes))


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_impossible_operators_are_refused(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(("operator", "shapes"), MISFITS)
def test_inputs_that_do_not_fit_are_refused(operator: Operator, shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(InputError):
        operator.output_shape(shapes)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_convolutions_equal_torch(data: st.DataObject) -> None:
    """Any geometry: groups, strides, dilation, padding, in both precisions."""
    draw = data.draw
    axes = draw(st.sampled_from([1, 2]))
    groups = draw(st.integers(1, 3))
    c_in, c_out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    dilation = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    padding = tuple(draw(st.integers(0, 3)) for _ in range(axes))
    size = tuple(d * (k - 1) + 1 + draw(st.integers(0, 5)) for k, d in zip(kernel, dilation, strict=True))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    torch.manual_seed(draw(st.integers(0, 1000)))
    layer_type = nn.Conv1d if axes == 1 else nn.Conv2d
    layer = layer_type(c_in, c_out, kernel, stride, padding, dilation, groups, bias=draw(st.booleans()), dtype=dtype)
    two = [(1, *v) if axes == 1 else v for v in (kernel, stride, dilation)]
    high, wide = (0, padding[0]) if axes == 1 else padding
    window = Window(two[0], two[1], (high, high, wide, wide), two[2])
    bias = None if layer.bias is None else layer.bias.detach().numpy()
    operator_type = convolution.Conv1d if axes == 1 else convolution.Conv2d
    operator = operator_type(layer.weight.detach().numpy(), bias, window=window, groups=groups)
    x = torch.randn(2, c_in, *size, dtype=dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-10
    found = evaluate(as_graph(operator, [tuple(x.shape[1:])]), x)
    torch.testing.assert_close(found, layer(x), rtol=tolerance, atol=tolerance)


@settings(max_examples=25, deadline=None)
@given(
    features=st.integers(1, 6),
    hidden=st.integers(1, 5),
    time=st.integers(1, 6),
    bias=st.booleans(),
    double=st.booleans(),
    kind=st.sampled_from(["LSTM", "GRU"]),
)
def test_recurrent_layers_equal_torch(
    features: int, hidden: int, time: int, bias: bool, double: bool, kind: str
) -> None:
    dtype = torch.float64 if double else torch.float32
    layer = getattr(nn, kind)(features, hidden, bias=bias, batch_first=True, dtype=dtype)
    values = [p.detach().numpy() for p in layer.parameters()]
    if kind == "LSTM":
        operator: Operator = recurrent.LSTM(*values[:2], values[2] + values[3] if bias else None)
    else:
        operator = recurrent.GRU(*values)
    x = torch.randn(3, time, features, dtype=dtype)
    tolerance = 1e-10 if double else 1e-5
    found = evaluate(as_graph(operator, [(time, features)]), x)
    torch.testing.assert_close(found, layer(x)[0], rtol=tolerance, atol=tolerance)
    last = dataclasses.replace(operator, return_sequences=False)  # type: ignore[call-arg]
    torch.testing.assert_close(evaluate(as_graph(last, [(time, features)]), x), found[:, -1])
    reverse = dataclasses.replace(operator, reverse=True)  # type: ignore[call-arg]
    torch.testing.assert_close(evaluate(as_graph(reverse, [(time, features)]), x.flip(1)).flip(1), found)


def test_max_pool_never_takes_padding_and_average_divides_by_what_is_inside() -> None:
    x = -torch.ones(1, 1, 3, 3, dtype=torch.float64)
    window = Window((2, 2), (2, 2), (1, 0, 0, 1))
    for operator in (pooling.MaxPool2d(window), pooling.AvgPool2d(window, count_padding=False)):
        assert torch.equal(evaluate(as_graph(operator, [(1, 3, 3)]), x), -torch.ones(1, 1, 2, 2, dtype=torch.float64))
    halves = evaluate(as_graph(pooling.AvgPool2d(window), [(1, 3, 3)]), x)
    assert halves.flatten().tolist() == [-0.5, -0.25, -1.0, -0.5]


def test_pruned_weights_are_zero_and_arrays_cannot_be_changed() -> None:
    weight = np.ones((2, 2))
    layer = dense.Linear(weight, mask=np.array([[True, False], [True, True]]))
    weight[:] = 5
    assert layer.weight.tolist() == [[1, 0], [1, 1]]
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 2


def test_equality_compares_values() -> None:
    weight = w(2, 3)
    assert dense.Linear(weight) == dense.Linear(weight.copy())
    assert hash(dense.Linear(weight)) == hash(dense.Linear(weight.copy()))
    assert dense.Linear(weight) != dense.Linear(weight + 1)
    assert dense.Linear(weight) != dense.Linear(weight, np.zeros(2))
    assert activation.ReLU() == activation.ReLU() != activation.Tanh()
    assert Int(scale=np.ones(2)) == Int(scale=np.ones(2))
    assert Int(scale=np.ones(2)) != Int(scale=np.ones(3))


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(1, 16),
    signed=st.booleans(),
    zero=st.integers(-3, 3),
    scale=st.floats(1e-3, 10),
    values=st.lists(st.floats(-100, 100), min_size=1, max_size=20),
)
def test_fake_quantization_finds_the_nearest_code(
    bits: int, signed: bool, zero: int, scale: float, values: list[float]
) -> None:
    number_format = Int(bits, signed, scale=scale, zero_point=float(zero))
    x = torch.tensor(values, dtype=torch.float64)
    q = fake_quantize(x, number_format)
    low = -(2 ** (bits - 1)) if signed else 0
    grid = (torch.tensor([low, low + 2**bits - 1], dtype=torch.float64) - zero) * scale
    assert torch.all((q >= grid[0] - 1e-9) & (q <= grid[1] + 1e-9))
    inside = (x >= grid[0]) & (x <= grid[1])
    assert torch.all((q - x).abs()[inside] <= scale / 2 + 1e-9)
    torch.testing.assert_close(fake_quantize(q, number_format), q)
    codes = q / scale + zero
    torch.testing.assert_close(codes, codes.round(), rtol=0, atol=1e-6)


def test_fake_quantization_of_other_kinds_and_its_gradient() -> None:
    x = torch.tensor([-3.0, -0.2, 0.0, 0.3, 5.0], dtype=torch.float64, requires_grad=True)
    assert fake_quantize(x, Binary(scale=0.5)).tolist() == [-0.5, -0.5, 0.5, 0.5, 0.5]
    assert fake_quantize(x, Ternary(scale=0.5)).tolist() == [-0.5, 0, 0, 0.5, 0.5]
    assert fake_quantize(x, Float(16)).tolist() == x.detach().half().double().tolist()
    assert fake_quantize(x, Float()) is x
    (gradient,) = torch.autograd.grad(fake_quantize(x, Int(3, scale=1.0)).sum(), x)
    assert gradient.tolist() == [1, 1, 1, 1, 0]
    with pytest.raises(ValueError, match="scale"):
        fake_quantize(x, Int(4))


def test_input_format_rounds_the_input_before_the_product() -> None:
    layer = dense.Linear(np.eye(2), input_format=Int(4, scale=0.5))
    found = evaluate(as_graph(layer, [(2,)]), torch.tensor([0.3, 9.0]))
    assert found.tolist() == [0.5, 3.5]


class Asked(FloatHost):
    """Remembers the functions and parameters that were asked for; sigmoids are hard ones, biases are shifted by 1."""

    def __init__(self, operator: Operator) -> None:
        super().__init__(operator)
        self.functions: set[str] = set()
        self.parameters: set[str] = set()

    def parameter(self, name: str, value: torch.Tensor) -> torch.Tensor:
        self.parameters.add(name)
        return value + 1 if name == "bias" else value

    def function(self, name: str, x: torch.Tensor, **settings: Any) -> torch.Tensor:
        self.functions.add(name)
        return functional.hardsigmoid(x) if name == "sigmoid" else super().function(name, x, **settings)


def test_every_activation_function_is_asked_of_the_host() -> None:
    asked: set[str] = set()
    for operator, shapes in EXAMPLES:
        host = Asked(operator)
        operator.evaluate([values_for(operator, torch.randn(2, *s, dtype=torch.float64)) for s in shapes], host)
        asked |= host.functions
        if isinstance(operator, activation.Elementwise) and type(operator).__name__ not in (
            "Quantize",
            "DynamicQuantize",
            "PReLU",
        ):
            assert host.functions, operator
        given = {"bias", "bias_ih", "bias_hh", "scale", "shift"} & set(operator.arrays())
        assert given <= host.parameters
    assert asked == set(FUNCTIONS)


def test_a_host_may_be_the_activation_of_a_cell_and_store_other_parameters() -> None:
    cell, x = recurrent.LSTM(w(8, 3), w(8, 2), w(8)), torch.randn(2, 5, 3, dtype=torch.float64)
    found = cell.evaluate([x], Asked(cell))
    gates, h, c = torch.tensor(cell.weight_matrices(cell.arrays())["gates"][0]), torch.zeros(2, 2), torch.zeros(2, 2)
    for t in range(5):
        y = torch.cat([x[:, t], h.double()], -1) @ gates + torch.tensor(cell.bias) + 1
        i, f, g, o = y.chunk(4, -1)
        c = functional.hardsigmoid(f) * c + functional.hardsigmoid(i) * g.tanh()
        h = functional.hardsigmoid(o) * c.tanh()
        torch.testing.assert_close(found[:, t], h)
