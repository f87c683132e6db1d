"""Operators whose node tests say little, and shapes that both importers read alike, against onnxruntime and torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from neuromorph import read_graph
from neuromorph.errors import InputError
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.operators.recurrent import GRU, LSTM
from neuromorph.importers.torch_import import from_torch

runtime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)


def made(
    nodes: list[Any],
    held: dict[str, np.ndarray],
    shape: list[Any],
    kind: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 17,
    out: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, out, None) for name in outputs],
        [numpy_helper.from_array(v, n) for n, v in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def both(tmp_path: Path, model: onnx.ModelProto, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """(ours, onnxruntime's) of every output; ours has the batch axis first."""
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    wanted = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})
    found = evaluate(read_graph(path), [torch.tensor(x, dtype=torch.float32)])
    several = [found] if isinstance(found, torch.Tensor) else list(found)
    return [(np.asarray(a), b) for a, b in zip(several, wanted, strict=True)]


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


node = helper.make_node
CASES: dict[str, tuple[list[Any], dict[str, np.ndarray], tuple[int, ...]]] = {
    "heads": ([node("MatMul", ["x", "w"], ["y"])], {"w": normal(2, 3, 4, 5)}, (2, 3, 6, 4)),
    "one axis of heads": ([node("MatMul", ["x", "w"], ["y"])], {"w": normal(3, 4, 5)}, (2, 3, 6, 4)),
    "einsum": ([node("Einsum", ["x", "w"], ["y"], equation="bthd,hde->bte")], {"w": normal(3, 4, 5)}, (6, 3, 4)),
    "einsum of values": ([node("Einsum", ["x", "x"], ["y"], equation="bthd,bshd->bhts")], {}, (6, 3, 4)),
    "depth": (
        [node("Conv", ["x", "w", "b"], ["y"], pads=[1, 0, 1, 2, 0, 1], strides=[2, 1, 1], dilations=[1, 2, 1])],
        {"w": normal(4, 2, 3, 2, 3), "b": normal(4)},
        (2, 5, 6, 7),
    ),
    "largest in depth": ([node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2, 3], strides=[2, 1, 2])], {}, (2, 5, 6, 7)),
    "transposed": (
        [
            node("Relu", ["x"], ["r"]),
            node("ConvTranspose", ["r", "w"], ["y"], strides=[3, 2], pads=[1, 0, 2, 1], group=2, output_padding=[1, 1]),
        ],
        {"w": normal(4, 3, 4, 3)},
        (4, 3, 5),
    ),
    "cubic": (
        [node("Resize", ["x", "", "s"], ["y"], mode="cubic")],
        {"s": np.array([1, 1, 1.7, 0.6], np.float32)},
        (2, 6, 7),
    ),
    "mask of infinities": (
        [node("Add", ["x", "m"], ["a"]), node("Softmax", ["a"], ["y"], axis=-1)],
        {"m": np.where(np.tril(np.ones((4, 4))) > 0, 0, -np.inf).astype(np.float32)},
        (2, 4, 4),
    ),
    "quotient": ([node("Exp", ["x"], ["e"]), node("Div", ["x", "e"], ["y"])], {}, (4,)),
    "local response": ([node("LRN", ["x"], ["y"], size=3, alpha=0.5, beta=0.6, bias=2.0)], {}, (7, 3, 3)),
    "cumulated": (
        [node("CumSum", ["x", "a"], ["y"], exclusive=1, reverse=1)],
        {"a": np.array(-1, np.int64)},
        (3, 5),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_operators_equal_onnxruntime(tmp_path: Path, name: str) -> None:
    nodes, held, shape = CASES[name]
    if name == "heads":  # a matrix per sample is none
        held = {"w": held["w"][:1]}
    ((found, wanted),) = both(tmp_path, made(nodes, held, ["n", *shape]), normal(3, *shape))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_table_is_read_by_the_indices_of_the_input(tmp_path: Path) -> None:
    nodes = [node("Gather", ["t", "x"], ["g"]), node("MatMul", ["g", "w"], ["y"])]
    model = made(nodes, {"t": normal(9, 4), "w": normal(4, 2)}, ["n", 5], TensorProto.INT64)
    ((found, wanted),) = both(tmp_path, model, RNG.integers(0, 9, (3, 5)))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize(("op", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_recurrent_layers_start_from_constants_and_give_their_last_states(
    tmp_path: Path, op: str, gates: int, direction: str
) -> None:
    h, c = normal(1, 1, 6), normal(1, 1, 6)
    held = {"w": normal(1, gates * 6, 4), "r": normal(1, gates * 6, 6), "b": normal(1, gates * 12)}
    held |= {"h": h} | ({"c": c} if op == "LSTM" else {})
    inputs = ["x", "w", "r", "b", "", "h", *(["c"] if op == "LSTM" else [])]
    outputs = ("ys", "yh", "yc") if op == "LSTM" else ("ys", "yh")
    model = made(
        [node(op, inputs, list(outputs), hidden_size=6, direction=direction)], held, [5, 1, 4], outputs=outputs
    )
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    x = normal(5, 1, 4)
    wanted = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})
    graph = read_graph(path)
    found = evaluate(graph, [torch.tensor(x).movedim(1, 0)])
    assert isinstance(found, tuple)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(a).reshape(b.shape), b, rtol=1e-5, atol=1e-5)
    assert [m.weight.shape[1:] for _, m in graph.matrices()] == {
        "LSTM": [(10, 24)],
        "GRU": [(4, 18), (6, 12), (6, 6)],  # the candidate multiplies another vector: a matrix of its own
        "RNN": [(10, 6)],
    }[op]


def test_initial_states_are_vectors_of_the_hidden_size() -> None:
    w, r = np.ones((4, 2)), np.ones((4, 1))
    with pytest.raises(InputError, match="initial"):
        LSTM(w, r, initial=np.ones(2))
    with pytest.raises(InputError, match="initial"):
        GRU(w[:3], r[:3], initial=np.ones(3))


def test_what_an_argmax_chooses_from_is_the_output_and_dead_nodes_are_left_out(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["s"]),
        node("NonZero", ["s"], ["unused"]),
        node("ArgMax", ["s"], ["a"], axis=1, keepdims=0),
        node("Cast", ["a"], ["y"], to=TensorProto.INT32),
    ]
    model = made(nodes, {"w": normal(4, 3)}, ["n", 4], out=TensorProto.INT32)
    ((found, wanted),) = both(tmp_path, model, normal(20, 4))
    np.testing.assert_array_equal(found.argmax(1), wanted)


@pytest.mark.parametrize("condition", [True, False])
def test_a_branch_that_a_constant_chooses_is_read(tmp_path: Path, condition: bool) -> None:
    """The branch reads names of the graph around it; the branch not taken may hold what cannot be hosted."""

    def branch(name: str, op: str) -> onnx.GraphProto:
        inner = [node(op, ["r"], ["i"]), node("Mul", ["i", "two"], [name])]
        two = numpy_helper.from_array(np.array(2, np.float32), "two")
        return helper.make_graph(inner, name, [], [helper.make_tensor_value_info(name, 1, None)], [two])

    then, other = branch("t", "Tanh"), branch("e", "Sigmoid")
    chosen = node("If", ["c"], ["b"], then_branch=then, else_branch=other)
    model = made([node("Relu", ["x"], ["r"]), chosen, node("Neg", ["b"], ["y"])], {"c": np.array(condition)}, ["n", 4])
    ((found, wanted),) = both(tmp_path, model, normal(3, 4))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    other.node[0].op_type = then.node[0].op_type = "NonZero"
    unknown = [node("Relu", ["x"], ["r"]), node("If", ["c"], ["y"], then_branch=then, else_branch=other)]
    onnx.save(made(unknown, {"c": np.array(condition)}, ["n", 4]), tmp_path / "unknown.onnx")
    with pytest.raises(InputError, match="NonZero cannot be hosted"):
        read_graph(tmp_path / "unknown.onnx")


class Sizes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.ConvTranspose2d(3, 4, 3, 2, 1, output_padding=1), nn.Conv2d(4, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.interpolate(self.up(x), scale_factor=1.5, mode="bicubic")
        y = nn.functional.avg_pool2d(self.down(y), 3, 2, 1, ceil_mode=True)
        return y / (1 + y.abs())


@pytest.mark.filterwarnings("ignore")
def test_both_importers_give_the_same_operators_and_counts(tmp_path: Path) -> None:
    """The same model through torch and through ONNX: operators and operations by kind are equal."""
    torch.manual_seed(0)
    model, path, x = Sizes().eval(), tmp_path / "m.onnx", torch.randn(1, 3, 6, 6)
    torch.onnx.export(model, (x,), path, dynamo=False, opset_version=17)
    first, second = from_torch(model, (3, 6, 6)), read_graph(path)
    torch.testing.assert_close(evaluate(first, [x]), evaluate(second, [x]), rtol=1e-5, atol=1e-5)
    kinds = [sorted(type(n.operator).__name__ for n in g.nodes) for g in (first, second)]
    assert kinds[0] == kinds[1]
    assert [m.products for _, m in first.matrices()] == [m.products for _, m in second.matrices()]
