"""Traced torch models compute what they did, and what cannot be hosted is named."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune
from torch_examples import Of

from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph
from neuromorph.importers.torch_import import from_torch
from neuromorph.importers.tracing.reading import _trace


def kinds(graph: Graph) -> list[str]:
    return [type(node.operator).__name__ for node in graph.nodes]


def stirred(module: nn.Module) -> nn.Module:
    """Batch normalizations with statistics that are not 0 and 1."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
            if part.affine:
                nn.init.normal_(part.weight)
                nn.init.normal_(part.bias)
    return module


def check(module: nn.Module, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Graph:
    """Imports, and compares at another batch size in that precision."""
    module = stirred(module).to(dtype)
    graph = from_torch(module, shape)
    module.eval()
    x = torch.randn(5, *shape, dtype=dtype)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    with torch.no_grad():
        torch.testing.assert_close(evaluate(graph, x), module(x.clone()), rtol=tolerance, atol=tolerance)
    return graph


class Block(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out)
        self.conv2, self.bn2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out)) if stride > 1 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x if self.down is None else self.down(x)
        return self.relu(y)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(3, 4, 3, padding="same"), nn.BatchNorm2d(4)
        self.blocks = nn.Sequential(Block(4, 4), Block(4, 8, 2))
        self.dropout, self.head = nn.Dropout(0.5), nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(F.relu(self.bn(self.stem(x))))
        x = F.adaptive_avg_pool2d(x, (1, 1))
        return F.log_softmax(self.head(self.dropout(x.view(x.size(0), -1))), dim=1)


def lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_networks(dtype: torch.dtype) -> None:
    graph = check(lenet(), (1, 28, 28), dtype)
    assert graph.macs == 416_520  # 6*28*28*25 + 16*10*10*150 + 400*120 + 120*84 + 84*10
    residual = check(Residual(), (3, 8, 8), dtype)
    assert "BatchNorm" not in kinds(residual)
    assert kinds(residual).count("Add") == 2
    assert residual["blocks_1_down_0"].module == "blocks.1.down.0"
    assert residual["head"].label == "head"


SHAPES: dict[str, tuple[int, ...]] = {"map": (4, 6, 8), "sequence": (4, 10), "vector": (8,)}

EXPRESSIONS: dict[str, tuple[str, Callable[..., Any], list[str]]] = {
    "relu method": ("vector", lambda m, x: x.relu(), ["ReLU"]),
    "relu function": ("vector", lambda m, x: torch.relu(x), ["ReLU"]),
    "relu in place": ("vector", lambda m, x: F.relu(x * 2, inplace=True), ["BatchNorm", "ReLU"]),
    "sigmoid tanh": ("vector", lambda m, x: torch.sigmoid(x) + x.tanh(), ["Sigmoid", "Tanh", "Add"]),
    "leaky relu": ("vector", lambda m, x: F.leaky_relu(x, 0.3), ["LeakyReLU"]),
    "elu": ("vector", lambda m, x: F.elu(x, 0.3), ["ELU"]),
    "gelu silu": ("vector", lambda m, x: F.gelu(x, approximate="tanh") + F.silu(x), ["GELU", "SiLU", "Add"]),
    "relu6 hardtanh": (
        "vector",
        lambda m, x: F.relu6(x * 9) + F.hardtanh(x, -0.5, 0.5),
        ["BatchNorm", "ReLU6", "Clip", "Add"],
    ),
    "hard": ("vector", lambda m, x: F.hardsigmoid(x) + F.hardswish(x), ["HardSigmoid", "HardSwish", "Add"]),
    "clamp": (
        "vector",
        lambda m, x: x.clamp(min=0) + torch.clamp(x, -1, 2) + x.clamp_max(0.5),
        ["ReLU", "Clip", "Add", "Clip", "Add"],
    ),
    "softmax": ("map", lambda m, x: F.softmax(x, dim=1) + x.log_softmax(-1), ["Softmax", "Softmax", "Add"]),
    "max pool": ("map", lambda m, x: F.max_pool2d(x, 3, 2, padding=1), ["MaxPool2d"]),
    "max pool, rounded up": ("map", lambda m, x: F.max_pool2d(x, (2, 3), 3, ceil_mode=True), ["MaxPool2d"]),
    "max pool, dilated": ("map", lambda m, x: F.max_pool2d(x, 2, 1, 0, 2), ["MaxPool2d"]),
    "average pool": ("map", lambda m, x: F.avg_pool2d(x, 2, padding=1, count_include_pad=False), ["AvgPool2d"]),
    "adaptive pool": ("map", lambda m, x: F.adaptive_avg_pool2d(x, (3, 4)), ["AvgPool2d"]),
    "adaptive max": ("map", lambda m, x: F.adaptive_max_pool2d(x, 1), ["GlobalMaxPool"]),
    "pools of sequences": (
        "sequence",
        lambda m, x: F.max_pool1d(x, 2) + F.avg_pool1d(x, 2) + F.adaptive_avg_pool1d(x, 5),
        ["MaxPool1d", "AvgPool1d", "Add", "AvgPool1d", "Add"],
    ),
    "mean over space": ("map", lambda m, x: x.mean((2, 3)), ["GlobalAvgPool"]),
    "mean kept": ("map", lambda m, x: torch.mean(x, dim=[-1, -2], keepdim=True), ["GlobalAvgPool"]),
    "largest over space": ("map", lambda m, x: x.amax((2, 3)), ["GlobalMaxPool"]),
    "added in place": ("vector", lambda m, x: operator.iadd(x.relu(), x.tanh()), ["ReLU", "Tanh", "Add"]),
    "torch.add": ("vector", lambda m, x: torch.add(x, x.relu()), ["ReLU", "Add"]),
    "difference": ("vector", lambda m, x: x - x.relu(), ["ReLU", "BatchNorm", "Add"]),
    "gate": ("map", lambda m, x: x * x.mean((2, 3), keepdim=True).sigmoid(), ["GlobalAvgPool", "Sigmoid", "Multiply"]),
    "constants": ("vector", lambda m, x: 3 - (x - 0.5) / 0.25, ["BatchNorm", "BatchNorm", "BatchNorm"]),
    "negated": ("vector", lambda m, x: -x, ["BatchNorm"]),
    "constant per channel": (
        "map",
        lambda m, x: (x - torch.arange(4.0).reshape(1, 4, 1, 1)) * torch.tensor(2.0),
        ["BatchNorm", "BatchNorm"],
    ),
    "constant of no effect": ("vector", lambda m, x: (x + torch.zeros(8)).relu(), ["ReLU"]),
    "cat channels": ("map", lambda m, x: torch.cat([x, x.relu()], 1), ["ReLU", "Concat"]),
    "cat columns": ("map", lambda m, x: torch.cat((x, x.relu()), dim=-1), ["ReLU", "Concat"]),
    "flattened": ("map", lambda m, x: x.flatten(1), ["Flatten"]),
    "flattened in part": ("map", lambda m, x: torch.flatten(x, 2), ["Reshape"]),
    "viewed": ("map", lambda m, x: x.view(x.shape[0], 2, -1), ["Reshape"]),
    "viewed by its size": ("map", lambda m, x: x.reshape(x.size(0), x.size(1) * x.size(2), x.size(3)), ["Reshape"]),
    "unsqueezed": ("vector", lambda m, x: x.unsqueeze(1).relu().squeeze(1), ["Reshape", "ReLU", "Flatten"]),
    "unflattened": ("vector", lambda m, x: x.unflatten(1, (2, 4)), ["Reshape"]),
    "permuted": ("map", lambda m, x: x.permute(0, 2, 3, 1), ["Transpose"]),
    "transposed there and back": ("map", lambda m, x: x.transpose(0, 1).relu().transpose(1, 0), ["ReLU"]),
    "matrix transposed": ("map", lambda m, x: x.mT.relu(), ["Transpose", "ReLU"]),
    "indexed": ("map", lambda m, x: x[:, 1, -1], ["Select", "Select"]),
    "indexed with dots": ("map", lambda m, x: x[..., 2], ["Select"]),
    "indexed with none": ("sequence", lambda m, x: x[:, None, 1:3], ["Reshape", "Slice"]),
    "sliced": ("map", lambda m, x: x[:, ::2, 1:], ["Slice", "Slice"]),
    "narrowed": ("map", lambda m, x: x.narrow(1, 1, 2), ["Slice"]),
    "chunks": ("map", lambda m, x: operator.mul(*x.chunk(2, 1)), ["Slice", "Slice", "Multiply"]),
    "split": ("map", lambda m, x: torch.split(x, [1, 3], 1)[1], ["Slice"]),
    "unbound": ("sequence", lambda m, x: x.unbind(1)[2], ["Select"]),
    "padded": ("map", lambda m, x: F.pad(x, (1, 2, 0, 1)), ["Pad", "Pad"]),
    "dropout": ("vector", lambda m, x: F.dropout(x, 0.5, m.training).relu().contiguous(), ["ReLU"]),
    "weights as arguments": ("vector", lambda m, x: F.linear(x, m.l.weight, m.l.bias), ["Linear"]),
    "weights masked in forward": ("vector", lambda m, x: F.linear(x, m.l.weight * (m.l.weight > 0)), ["Linear"]),
    "convolution as function": ("map", lambda m, x: F.conv2d(x, m.c.weight, padding=1, stride=2), ["Conv2d"]),
    "same layer twice": ("vector", lambda m, x: m.l(m.l(x).relu()), ["Linear", "ReLU", "Linear"]),
    "normalization as function": (
        "map",
        lambda m, x: F.batch_norm(x, m.b.running_mean, m.b.running_var, m.b.weight, m.b.bias, m.training),
        ["BatchNorm"],
    ),
    "normalization before": ("map", lambda m, x: m.c(m.b(x)), ["BatchNorm", "Conv2d"]),
    "linear over a sequence": ("sequence", lambda m, x: m.t(x).mean(1), ["Linear", "GlobalAvgPool"]),
    "in place through a name": ("map", lambda m, x: inplace_alias(m, x), ["Conv2d", "ReLU", "Add"]),
}


def inplace_alias(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The activation changes what `first` names."""
    first = m.c(x)
    second = F.relu_(first)
    return first + second


def layers() -> dict[str, nn.Module]:
    return {
        "l": nn.Linear(8, 8),
        "t": nn.Linear(10, 3),
        "c": nn.Conv2d(4, 4, 3, padding=1, bias=False),
        "b": nn.BatchNorm2d(4),
    }


EXPORTED = (
    "relu in place", "sigmoid tanh", "clamp", "softmax", "max pool, rounded up", "average pool", "adaptive pool",
    "adaptive max", "pools of sequences", "mean over space", "gate", "constants", "constant per channel", "cat columns",
    "flattened", "viewed", "unsqueezed", "matrix transposed", "indexed", "sliced", "split", "padded", "dropout",
    "normalization as function", "in place through a name",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "exported"), [*((name, False) for name in EXPRESSIONS), *((name, True) for name in EXPORTED)]
)
def test_expressions(name: str, exported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced by torch.fx, or by torch.export, which finds the same operators under ATen's names."""
    if exported:
        monkeypatch.setattr("neuromorph.importers.tracing.reading._traced", refuse)
    shape, expression, expected = EXPRESSIONS[name]
    assert kinds(check(Of(expression, **layers()), SHAPES[shape])) == expected


def refuse(module: nn.Module) -> None:
    raise RuntimeError("not traceable")


MODULES: list[tuple[nn.Module, tuple[int, ...], list[str]]] = [
    (nn.Linear(8, 3), (8,), ["Linear"]),
    (nn.Conv2d(4, 4, 3, padding="same", dilation=2, groups=4), (4, 6, 8), ["Conv2d"]),
    (nn.Conv2d(4, 2, (2, 4), padding="same"), (4, 6, 8), ["Conv2d"]),
    (nn.Conv1d(4, 6, 4, 2, 3, groups=2), (4, 10), ["Conv1d"]),
    (nn.Conv1d(4, 6, 4, padding="same"), (4, 10), ["Conv1d"]),
    (nn.Conv1d(4, 6, 4, padding="valid"), (4, 10), ["Conv1d"]),
    (nn.Sequential(nn.Conv1d(4, 3, 2), nn.BatchNorm1d(3), nn.ReLU()), (4, 10), ["Conv1d", "ReLU"]),
    (nn.Sequential(nn.Linear(8, 3), nn.BatchNorm1d(3, affine=False), nn.Tanh()), (8,), ["Linear", "Tanh"]),
    (nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)), (4, 6, 8), ["ReLU", "BatchNorm"]),
    (nn.Sequential(nn.ZeroPad2d((1, 2, 3, 0)), nn.AvgPool2d(2)), (4, 6, 8), ["Pad", "Pad", "AvgPool2d"]),
    (nn.Sequential(nn.Identity(), nn.Dropout2d(), nn.MaxPool2d(2)), (4, 6, 8), ["MaxPool2d"]),
    (nn.Sequential(nn.AdaptiveAvgPool2d((None, 4)), nn.Flatten()), (4, 6, 8), ["AvgPool2d", "Flatten"]),
    (nn.Sequential(nn.Hardtanh(), nn.ELU(0.4), nn.Softmax(1)), (8,), ["Clip", "ELU", "Softmax"]),
    (nn.Sequential(nn.Unflatten(1, (2, 4)), nn.LeakyReLU(0.2), nn.GELU()), (8,), ["Reshape", "LeakyReLU", "GELU"]),
    (nn.Sequential(nn.SiLU(), nn.Hardswish(), nn.Hardsigmoid()), (8,), ["SiLU", "HardSwish", "HardSigmoid"]),
    (nn.Sequential(nn.ReLU6(), nn.Sigmoid(), nn.LogSoftmax(-1)), (8,), ["ReLU6", "Sigmoid", "Softmax"]),
]


@pytest.mark.parametrize(("module", "shape", "expected"), MODULES)
def test_layers(module: nn.Module, shape: tuple[int, ...], expected: list[str]) -> None:
    assert kinds(check(module, shape)) == expected


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_random_convolution_stacks(data: st.DataObject) -> None:
    draw = data.draw
    torch.manual_seed(draw(st.integers(0, 1000)))
    channels, parts = 2, []
    for _ in range(draw(st.integers(1, 3))):
        groups = draw(st.sampled_from([1, channels]))
        out = groups * draw(st.integers(1, 2))
        kernel = draw(st.integers(1, 3))
        if draw(st.booleans()):
            same = nn.Conv2d(channels, out, kernel, padding="same", dilation=draw(st.integers(1, 2)), groups=groups)
            parts.append(same)
        else:
            parts.append(
                nn.Conv2d(channels, out, kernel, draw(st.integers(1, 2)), draw(st.integers(0, 2)), groups=groups)
            )
        channels = out
        extras = [nn.BatchNorm2d(channels), nn.ReLU(), nn.Dropout(), nn.Identity()]
        parts += draw(st.lists(st.sampled_from(extras), max_size=2, unique=True))
    check(nn.Sequential(*parts), (2, 12, 11))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("both", [False, True])
def test_recurrent_networks(kind: str, batch_first: bool, both: bool) -> None:
    """Two layers, one or both directions, all ways to read the result."""
    layer = getattr(nn, kind)(3, 4, 2, batch_first=batch_first, bidirectional=both, dropout=0.3)

    def forward(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        out, state = m.rnn(x if batch_first else x.transpose(0, 1))
        final = state[0] if kind == "LSTM" else state
        last = out[:, -1] if batch_first else out[-1]
        return torch.cat([last, final[-1], final[0], out.mean(1 if batch_first else 0)], 1)

    graph = check(Of(forward, rnn=layer), (5, 3))
    assert kinds(graph).count(kind) == (4 if both else 2)
    assert {node.module for node in graph.nodes if type(node.operator).__name__ == kind} == {"rnn"}


@pytest.mark.parametrize("exported", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_only_the_last_step_is_kept_where_only_it_is_read(
    kind: str, exported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if exported:
        monkeypatch.setattr("neuromorph.importers.tracing.reading._traced", refuse)

    def forward(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        state = m.rnn(x, None)[1]
        return m.head((state[0] if kind == "LSTM" else state).squeeze(0))

    graph = check(Of(forward, rnn=getattr(nn, kind)(3, 4, batch_first=True), head=nn.Linear(4, 2)), (5, 3))
    assert kinds(graph) == [kind, "Linear"]
    assert not graph.nodes[0].operator.return_sequences
    assert graph.macs == (5 * 4 * 4 * 7 if kind == "LSTM" else 5 * 3 * 4 * 7) + 8


def test_zero_states_and_sequence_first_inputs() -> None:
    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.rnn(x, torch.zeros(1, x.size(1), 4, dtype=x.dtype))[0]

    module = Sequence()
    graph = from_torch(module, torch.zeros(5, 2, 3), batch_axis=1)
    x = torch.randn(5, 4, 3)
    torch.testing.assert_close(evaluate(graph, x.transpose(0, 1)).transpose(0, 1), module(x))


def test_loops_and_conditions_go_through_export() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.norm = nn.Linear(3, 3), nn.BatchNorm1d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.zeros(x.shape[0], 3, dtype=x.dtype)
            for t in range(x.shape[1]):
                h = torch.tanh(self.cell(x[:, t]) + h)
            return self.norm(self.cell(h)) if x.shape[1] > 2 else h

    graph = check(Loop(), (3, 3))
    assert kinds(graph).count("Linear") == 4
    cells = [node.operator for node in graph.nodes if node.module == "cell"]
    assert cells[0] is cells[1] is cells[2]


def test_several_inputs_and_outputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(2, 4)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"sum": self.a(x) + self.b(y), "gate": self.a(x).sigmoid()}

    module = Two()
    graph = from_torch(module, [(3,), torch.zeros(1, 2)], name="two")
    assert (graph.name, dict(graph.input_shapes)) == ("two", {"x": (3,), "y": (2,)})
    x, y = torch.randn(4, 3), torch.randn(4, 2)
    for found, wanted in zip(evaluate(graph, [x, y]), module(x, y).values(), strict=True):
        torch.testing.assert_close(found, wanted)


def test_pruning_masks_come_along() -> None:
    module = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Conv1d(1, 2, 3))
    module = Of(lambda m, x: m.c(m.l(x).unsqueeze(1)), l=nn.Linear(8, 6), c=nn.Conv1d(1, 2, 3))
    prune.l1_unstructured(module.l, "weight", 0.5)
    prune.random_unstructured(module.c, "weight", 2)
    graph = check(module, (8,))
    mask = graph["l"].operator.mask
    assert mask.sum() == 24
    np.testing.assert_array_equal(mask, module.l.weight_mask.numpy() != 0)
    assert graph["c"].operator.mask.sum() == 4


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, groups=2), (2, 4, 5)),
        (nn.ConvTranspose1d(2, 3, 4, stride=3), (2, 5)),
        (nn.Conv3d(2, 3, 2), (2, 4, 5, 5)),
    ],
)
def test_pruning_masks_follow_a_kernel_that_is_arranged_anew(layer: nn.Module, shape: tuple[int, ...]) -> None:
    prune.random_unstructured(layer, "weight", 7)
    graph = check(nn.Sequential(layer), shape)
    (operator,) = [m for _, m in graph.matrices()]
    assert operator.mask.sum() == layer.weight_mask.sum()
    assert operator.mask.shape == operator.weight.shape
    assert not operator.weight[~operator.mask].any()


def test_parametrized_weights_are_read_as_they_are_used() -> None:
    check(nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(8, 3)), nn.ReLU()), (8,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_folded_weights_are_as_wide_as_the_model(dtype: torch.dtype) -> None:
    graph = check(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), (1, 6, 6), dtype)
    weight = graph.nodes[0].operator.weight
    assert np.array_equal(weight, weight.astype(np.float32)) == (dtype == torch.float32)


def test_the_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    module[1].eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    from_torch(module, torch.zeros(1, 1, 6, 6))
    assert [part.training for part in module] == [True, False, True]
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert all(p.requires_grad for p in module.parameters())


def test_fx_is_used_where_it_can() -> None:
    assert any(n.op == "call_module" for n in _trace(lenet(), [torch.zeros(2, 1, 28, 28)]).graph.nodes)
