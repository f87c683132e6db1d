"""Whole models against onnxruntime and qonnx: exports of torch, integer models, files that are refused."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from neuromorph import load_architecture, read_graph, run
from neuromorph.errors import InputError
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.formats.uniform import Binary, Int, Ternary
from neuromorph.graph.model import Graph

runtime = pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Exporters warn of their own parts, and log."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


class Maps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.up = nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.ConvTranspose2d(8, 8, 2, 2)
        self.pool, self.last = nn.AvgPool2d(3, 2, 1, ceil_mode=True), nn.Linear(8 * 16, 10)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = self.up(self.pool(x + nn.functional.hardswish(self.second(x))))
        x = nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
        return torch.log_softmax(self.last(nn.functional.adaptive_avg_pool2d(x, (4, 4)).flatten(1)), 1)


class Steps(nn.Module):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.cells, self.last = kind(5, 6, num_layers=2, bidirectional=True, batch_first=True), nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.cells(x)[0][:, -1])


class Patches(nn.Module):
    """A small vision transformer: patches, a class token, learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.cut, self.last = nn.Conv2d(1, 8, 4, 4), nn.Linear(8, 3)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.cut(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.token.expand(y.shape[0], -1, -1), y], 1) + self.places
        return self.last(self.layer(y)[:, 0])


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "maps": (Maps, (3, 8, 8)),
    "lstm": (lambda: Steps(nn.LSTM), (7, 5)),
    "gru": (lambda: Steps(nn.GRU), (7, 5)),
    "patches": (Patches, (1, 8, 8)),
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (5, 8)),
}


def exported(path: Path, name: str, dynamo: bool, symbolic: bool) -> tuple[int, ...]:
    make, shape = MODELS[name]
    torch.manual_seed(0)
    model, x = make().eval(), torch.randn(2 if symbolic else 1, *shape)
    if dynamo:
        sizes = {"dynamic_shapes": ({0: torch.export.Dim("batch", min=1, max=64)},)} if symbolic else {}
        torch.onnx.export(model, (x,), path, dynamo=True, verbose=False, **sizes)
    else:
        axes = {"dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}} if symbolic else {}
        torch.onnx.export(
            model, (x,), path, dynamo=False, opset_version=14, input_names=["x"], output_names=["y"], **axes
        )
    return shape


def compared(path: Path, x: torch.Tensor) -> float:
    options = runtime.SessionOptions()  # beyond basic, onnxruntime rounds the inputs of products to 8 bits anew
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    wanted = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    found = evaluate(read_graph(path), [x])
    assert isinstance(found, torch.Tensor)
    assert found.shape == wanted.shape
    return float(np.abs(found.numpy() - wanted).max())


@pytest.mark.parametrize(
    ("name", "dynamo", "symbolic"),
    [
        ("maps", True, True),
        ("maps", False, False),
        ("lstm", False, True),
        ("gru", False, False),
        ("patches", True, True),
        ("patches", False, True),
        ("encoder", True, True),
    ],
)
def test_both_exporters_of_torch(tmp_path: Path, name: str, dynamo: bool, symbolic: bool) -> None:
    if dynamo:
        pytest.importorskip("onnxscript")
    path = tmp_path / "m.onnx"
    shape = exported(path, name, dynamo, symbolic)
    assert compared(path, torch.randn(3 if symbolic else 1, *shape)) < 1e-5


def quantizing(op: str, rng: np.random.Generator, zero: int = 3) -> onnx.ModelProto:
    """Two convolutions and a matrix on integers, as runtimes write them: QOperator, or QDQ of the same numbers."""
    held: list[Any] = []

    def const(values: Any, dtype: Any) -> str:
        held.append(numpy_helper.from_array(np.asarray(values, dtype), f"c{len(held)}"))
        return str(held[-1].name)

    def codes(*shape: int) -> str:
        return const(rng.integers(-127, 128, shape), np.int8)

    xs, xz = const(0.0497, np.float32), const(zero, np.uint8)
    ws, wz = const([0.0101, 0.0203, 0.00499, 0.0307], np.float32), const(np.zeros(4), np.int8)
    ys, yz = const(0.1103, np.float32), const(5, np.uint8)
    ms, mz = const(0.02, np.float32), const(0, np.int8)
    w, m = codes(4, 2, 3, 3), codes(4 * 36, 3)
    node = helper.make_node
    nodes = [node("QuantizeLinear", ["x", xs, xz], ["q"])]
    if op == "QOperator":
        bias = const(rng.integers(-500, 500, 4), np.int32)
        nodes += [
            node("QLinearConv", ["q", xs, xz, w, ws, wz, ys, yz, bias], ["c"], pads=[1] * 4),
            node("Flatten", ["c"], ["f"]),
            node("QLinearMatMul", ["f", ys, yz, m, ms, mz, const(1.7, np.float32), const(128, np.uint8)], ["y"]),
        ]
    else:
        nodes += [
            node("DequantizeLinear", ["q", xs, xz], ["d"]),
            node("DequantizeLinear", [w, ws, wz], ["e"], axis=0),
            node("Conv", ["d", "e"], ["c"], pads=[1] * 4),
            node("QuantizeLinear", ["c", ys, yz], ["g"]),
            node("DequantizeLinear", ["g", ys, yz], ["h"]),
            node("Flatten", ["h"], ["f"]),
            node("DequantizeLinear", [m, ms, mz], ["n"]),
            node("MatMul", ["f", "n"], ["y"]),
        ]
    kind = TensorProto.UINT8 if op == "QOperator" else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        op,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 6, 6])],
        [helper.make_tensor_value_info("y", kind, ["n", 3])],
        held,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_integer_models_are_computed_with_the_runtime_s_integers(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(quantizing("QOperator", np.random.default_rng(1)), path)
    assert compared(path, torch.randn(400, 2, 6, 6) * 3) == 0


def test_quantizers_become_the_formats_that_hardware_sees(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(quantizing("QDQ", np.random.default_rng(1)), path)
    assert compared(path, torch.randn(50, 2, 6, 6)) < 1e-5
    formats = [(m.weight_format, m.input_format) for _, m in read_graph(path).matrices()]
    assert [(w.stored_bits, w.per_channel) for w, _ in formats if w] == [(8, True), (8, False)]
    assert [f.zero_point.tolist() for _, f in formats if isinstance(f, Int) and f.zero_point is not None] == [3, 5]
    assert run(read_graph(path), load_architecture("digital-int8"))["energy"].value > 0


@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize("groups", [1, 2])
def test_an_enlarging_convolution_keeps_the_format_of_its_weight(tmp_path: Path, axis: int | None, groups: int) -> None:
    rng = np.random.default_rng(2)
    scales = np.float32(0.0101) if axis is None else np.array([0.0101, 0.0203, 0.0307], np.float32)
    held = [
        numpy_helper.from_array(rng.integers(-127, 128, (2, 3, 3, 3)).astype(np.int8), "w"),
        numpy_helper.from_array(np.asarray(scales), "s"),
        numpy_helper.from_array(np.zeros(np.shape(scales), np.int8), "z"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["v"], **({} if axis is None else {"axis": axis})),
        helper.make_node("ConvTranspose", ["x", "v"], ["y"], strides=[2, 2], group=groups),
    ]
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)  # noqa: E731
    graph = helper.make_graph(nodes, "up", [value("x", ["n", 2, 4, 4])], [value("y", ["n", 3 * groups, 9, 9])], held)
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    assert compared(path, torch.randn(5, 2, 4, 4)) < 1e-5
    (operator,) = [n.operator for n in read_graph(path).nodes if n.operator.role == "matrix"]
    found = operator.weight_format
    assert (found.stored_bits, found.per_channel) == (8, axis is not None)
    assert found.holds(operator.weight).all()


def test_ties_go_as_onnx_rounds_them_where_the_zero_point_is_odd() -> None:
    """x / scale = 0.5 with zero point 3: round(0.5) + 3 = 3, and round(0.5 + 3) = 4 in QONNX."""
    x = torch.tensor([0.5, 1.5, -0.5])
    onnx_way = Int(8, False, scale=np.array(1.0), zero_point=np.array(3.0))
    qonnx_way = Int(8, False, scale=np.array(1.0), zero_point=np.array(3.0), zero_first=True)
    assert onnx_way.apply(x).tolist() == [0.0, 2.0, 0.0]
    assert qonnx_way.apply(x).tolist() == [1.0, 1.0, -1.0]
    np.testing.assert_array_equal(onnx_way.quantize(x.numpy()), onnx_way.apply(x))
    np.testing.assert_array_equal(qonnx_way.quantize(x.numpy()), qonnx_way.apply(x))


QONNX = "qonnx.custom_op.general"


def small(nodes: list[Any], held: dict[str, Any], shape: list[Any], domains: tuple[str, ...] = ()) -> onnx.ModelProto:
    """A model of one float input x and output y."""
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.asarray(v, np.float32) if not isinstance(v, np.ndarray) else v, n)
            for n, v in held.items()
        ],
    )
    sets = [helper.make_opsetid("", 17), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(made, opset_imports=sets, ir_version=9)


def of(tmp_path: Path, model: onnx.ModelProto) -> Graph:
    path = tmp_path / "small.onnx"
    onnx.save(model, path)
    return read_graph(path)


def test_qonnx_numbers_are_those_of_its_definition(tmp_path: Path) -> None:
    """Quant of 3 bits, narrow and wide, ternary and binary weights, MultiThreshold; y = s clip(round(x / s))."""
    rng = np.random.default_rng(3)
    w = rng.normal(size=(5, 4)).astype(np.float32)
    node = helper.make_node
    for bits, narrow, kind in ((2.0, 1, Ternary), (4.0, 0, Int), (4.0, 1, Int), (1.0, 0, Binary)):
        weight = (
            node("BipolarQuant", ["w", "s"], ["q"], domain=QONNX)
            if kind is Binary
            else node("Quant", ["w", "s", "z", "b"], ["q"], domain=QONNX, signed=1, narrow=narrow)
        )
        act = node("Quant", ["x", "t", "z", "c"], ["a"], domain=QONNX, signed=1, narrow=1)
        model = small(
            [weight, act, node("MatMul", ["a", "q"], ["y"])],
            {"w": w, "s": 0.3, "z": 0.0, "b": bits, "t": 0.25, "c": 3.0},
            ["n", 5],
            (QONNX,),
        )
        graph = of(tmp_path, model)
        x = torch.tensor(rng.normal(size=(50, 5)), dtype=torch.float32)
        low, high = -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
        codes = np.where(w >= 0, 1, -1) if kind is Binary else np.clip(np.rint(w / np.float32(0.3)), low, high)
        inputs = np.clip(np.rint(x.numpy() / 0.25), -3, 3) * 0.25
        found = evaluate(graph, [x])
        np.testing.assert_allclose(np.asarray(found), inputs @ (codes * 0.3), rtol=1e-5, atol=1e-6)
        ((_, matrix),) = graph.matrices()
        assert isinstance(matrix.weight_format, kind)
        assert matrix.input_format is not None


def test_multithreshold_counts_thresholds(tmp_path: Path) -> None:
    steps = np.sort(np.random.default_rng(0).normal(size=(3, 4)), 1).astype(np.float32)
    node = helper.make_node("MultiThreshold", ["x", "t"], ["y"], domain=QONNX, out_scale=0.5, out_bias=-1.0)
    x = torch.randn(4, 3, 2, 2)
    found = evaluate(of(tmp_path, small([node], {"t": steps}, ["n", 3, 2, 2], (QONNX,))), [x])
    wanted = (x.numpy()[..., None] >= steps[None, :, None, None, :]).sum(-1) * 0.5 - 1
    np.testing.assert_array_equal(np.asarray(found), wanted)


@pytest.mark.parametrize("weights", ["int4", "channels", "ternary", "binary"])
def test_exports_of_brevitas_equal_the_qonnx_executor(tmp_path: Path, weights: str, monkeypatch: Any) -> None:
    pytest.importorskip("qonnx")
    pytest.importorskip("onnxoptimizer")
    monkeypatch.setattr(torch.Tensor, "rename", lambda self, *_: self, raising=False)  # gone from torch 2.13
    qnn = pytest.importorskip("brevitas.nn")
    from brevitas import quant
    from brevitas.export import export_qonnx
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    chosen, bits = {
        "int4": (quant.Int8WeightPerTensorFloat, {"weight_bit_width": 4}),
        "channels": (quant.Int8WeightPerChannelFloat, {}),
        "ternary": (quant.SignedTernaryWeightPerTensorConst, {}),
        "binary": (quant.SignedBinaryWeightPerTensorConst, {}),
    }[weights]
    torch.manual_seed(0)
    model = nn.Sequential(
        qnn.QuantIdentity(act_quant=quant.Int8ActPerTensorFloat),
        qnn.QuantConv2d(3, 4, 3, padding=1, bias=False, weight_quant=chosen, **bits),
        nn.BatchNorm2d(4),
        qnn.QuantReLU(act_quant=quant.Uint8ActPerTensorFloat, bit_width=4),
        nn.MaxPool2d(2),
        nn.Flatten(),
        qnn.QuantLinear(36, 5, bias=True, weight_quant=chosen, **bits),
    )
    model(torch.randn(16, 3, 6, 6))
    path = tmp_path / "m.onnx"
    export_qonnx(model.eval(), args=(torch.randn(1, 3, 6, 6),), export_path=str(path))
    graph, wrapped = read_graph(path), ModelWrapper(str(path))
    for _ in range(5):
        x = torch.randn(1, 3, 6, 6)
        wanted = execute_onnx(wrapped, {wrapped.graph.input[0].name: x.numpy()})[wrapped.graph.output[0].name]
        np.testing.assert_allclose(np.asarray(evaluate(graph, [x])), wanted, atol=1e-5)
    assert all(m.weight_format is not None and m.input_format is not None for _, m in graph.matrices())


def linear(weight: Any = None, **changes: Any) -> onnx.ModelProto:
    model = small(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")], {"w": np.eye(3, dtype=np.float32)}, ["n", 3]
    )
    if weight is not None:
        model.graph.initializer[0].CopyFrom(weight)
    return model


def stored(location: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3, 3], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return linear(tensor)


def test_external_data_are_read_beside_the_file_alone(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    for place in (tmp_path, folder):
        (place / "w.bin").write_bytes(np.full((3, 3), 2, np.float32).tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    (folder / "short.bin").write_bytes(b"1234")
    found = evaluate(of(folder, stored("w.bin")), [torch.ones(1, 3)])
    assert np.asarray(found).tolist() == [[6, 6, 6]]
    for bad in ("../w.bin", str(tmp_path / "w.bin"), "link.bin", "a/../../w.bin"):
        with pytest.raises(InputError, match="own folder"):
            of(folder, stored(bad))
    with pytest.raises(InputError, match="short"):
        of(folder, stored("short.bin"))


def test_initializers_that_are_listed_as_inputs_stay_weights(tmp_path: Path) -> None:
    model = linear()
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 3]))
    assert list(of(tmp_path, model).input_shapes) == ["x"]


def test_what_cannot_be_read_is_refused_with_node_and_operator(tmp_path: Path) -> None:
    node = helper.make_node
    bad = np.full((3, 3), np.nan, np.float32)
    loop = node("If", ["x"], ["y"], name="branch", then_branch=helper.make_graph([], "t", [], []))
    old = linear()
    old.opset_import[0].version = 8
    new = linear()
    new.opset_import[0].version = 999
    for model, message in (
        (small([node("MatMul", ["x", "w"], ["y"], name="fc")], {"w": bad}, ["n", 3]), r"fc\]: MatMul .*9 of 9 .*NaN"),
        (small([node("NonZero", ["x"], ["y"], name="nz")], {}, ["n", 3]), r"nz\]: NonZero cannot be hosted"),
        (small([node("Own", ["x"], ["y"], name="o", domain="me")], {}, ["n", 3], ("me",)), r"o\]: me.Own cannot"),
        (small([loop], {}, ["n", 3]), r"branch\]: If chooses by values"),
        (small([node("Relu", ["x"], ["y"])], {}, ["n", "steps"]), "2 symbolic axes: n, steps"),
        (small([node("Transpose", ["x"], ["t"]), node("Softmax", ["t"], ["y"])], {}, ["n", 3]), "batch axis"),
        (old, "opset 8.*legal: 9 to"),
        (new, "opset 999.*legal: 9 to"),
    ):
        with pytest.raises(InputError, match=message):
            of(tmp_path, model)


def test_a_checkpoint_says_how_it_becomes_a_graph(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"w": torch.ones(2)}, path)
    with pytest.raises(InputError, match="from_torch"):
        read_graph(path)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_files_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    """Cut, changed and shortened bytes give a graph or one of the project's errors."""
    rng = random.Random(seed)
    data = bytearray(quantizing(rng.choice(("QDQ", "QOperator")), np.random.default_rng(0)).SerializeToString())
    if seed % 3 == 0:
        data = data[: rng.randrange(len(data))]
    for _ in range(rng.choice((1, 4, 20)) if seed % 3 else 0):
        at = rng.randrange(len(data))
        data[at : at + (rng.randrange(2, 8) if seed % 3 == 2 else 1)] = (
            b"" if seed % 3 == 2 else bytes([rng.randrange(256)])
        )
    path = tmp_path / "damaged.onnx"
    path.write_bytes(data)
    try:
        assert isinstance(read_graph(path), Graph)
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017 - either way is right
