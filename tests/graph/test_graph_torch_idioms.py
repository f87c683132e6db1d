"""Idioms of torch modules, each against torch itself on other samples than the ones it was traced with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch_examples import Of

from neuromorph.errors import InputError
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.formats.uniform import Int
from neuromorph.graph.model import Graph
from neuromorph.importers.torch_import import from_torch


def same(module: nn.Module, shape: Any, tolerance: float = 1e-5) -> Graph:
    """The graph of a module, after comparing it with the module on three samples."""
    module = module.eval()
    graph = from_torch(module, shape)
    shapes = [shape] if isinstance(shape[0], int) else shape
    inputs = [2 * torch.randn(3, *s, generator=torch.Generator().manual_seed(5)) for s in shapes]
    with torch.no_grad():
        wanted = module(*inputs)
    found = evaluate(graph, inputs)
    wanted = [v for v in wanted.values() if v is not None] if isinstance(wanted, dict) else wanted
    wanted = list(wanted) if isinstance(wanted, tuple | list) else [wanted]
    found = list(found) if isinstance(found, tuple) else [found]
    for w, f in zip(wanted, found, strict=True):
        assert f.shape == w.shape
        assert float((f - w).abs().max()) <= tolerance * float(w.abs().max())
    return graph


def of(expression: Callable[..., Any], **layers: nn.Module) -> Callable[[], nn.Module]:
    return lambda: Of(expression, **layers)


class Weights(nn.Module):
    """A function of an input and parameters."""

    def __init__(self, expression: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.w = nn.ParameterList([nn.Parameter(torch.randn(s)) for s in shapes])
        self.expression = expression

    def forward(self, x: torch.Tensor) -> Any:
        return self.expression(x, *self.w)


class Cells(nn.Module):
    """A recurrent cell in a loop over time."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, outputs = None, []
        for t in range(4):
            state = self.cell(x[:, t], state)
            if isinstance(self.cell, nn.LSTMCell):
                state = (state[0], state[1])
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs, 1)


class Rotary(nn.Module):
    """Attention with rotary positions, shared key heads and a causal mask, as in Llama."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Linear(16, 16, False), nn.Linear(16, 8, False), nn.Linear(16, 8, False)
        angle = torch.arange(6)[:, None] / 100 ** (torch.arange(0, 4, 2) / 4)
        angle = torch.cat([angle, angle], -1)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def turned(self, x: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, -1)
        return x * self.cos + torch.cat([-second, first], -1) * self.sin

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (f(x).unflatten(-1, (-1, 4)).transpose(1, 2) for f in (self.q, self.k, self.v))
        q, k = self.turned(q), self.turned(k)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return y.transpose(1, 2).flatten(2)


class Masked(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = x.size(1)
        scores = torch.einsum("bid,bjd->bij", x, x) / 4
        scores = scores.masked_fill(torch.triu(torch.ones(n, n, dtype=torch.bool), 1), float("-inf"))
        return torch.einsum("bij,bjd->bid", scores.softmax(-1), x)


class Frames(nn.Module):
    """Frames of a video read as samples."""

    def __init__(self) -> None:
        super().__init__()
        self.c, self.f = nn.Conv2d(2, 3, 3), nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t = x.shape[:2]
        y = self.c(x.flatten(0, 1)).relu().mean((2, 3))
        return self.f(y).view(b, t, -1).mean(1)


class Classed(nn.Module):
    """A class token before the patches, and learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 8, 4, 4)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.block = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True),
            2,
            nn.LayerNorm(8),
            False,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.patch(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.token.expand(x.size(0), -1, -1), y], 1) + self.places
        return self.block(y)[:, 0]


def gate(m: Any, x: torch.Tensor) -> torch.Tensor:
    """A squeeze-and-excitation block."""
    y = m.c(x)
    return y * torch.sigmoid(m.f(y.mean((2, 3))))[:, :, None, None]


IDIOMS: list[tuple[str, Callable[[], nn.Module], Any]] = [
    *((f"norm {n}", lambda n=n: n, s) for n, s in (
        (nn.LayerNorm((3, 4)), (5, 3, 4)), (nn.RMSNorm(6), (5, 6)), (nn.GroupNorm(2, 4), (4, 5, 3)),
        (nn.InstanceNorm1d(4, affine=True), (4, 9)), (nn.LayerNorm(6, elementwise_affine=False), (6,)))),
    ("l2 norm", of(lambda m, x: F.normalize(x, dim=-1)), (3, 5)),
    ("spread", of(lambda m, x: x.std(-1, keepdim=True) + x.var(1, unbiased=False, keepdim=True)), (3, 5)),
    ("rotary attention", Rotary, (6, 16)),
    ("causal mask", Masked, (5, 4)),
    ("cross attention", of(lambda m, x: m.a(x[:, :2], x, x)[0], a=nn.MultiheadAttention(8, 2, batch_first=True)),
     (5, 8)),
    ("attention weights", of(lambda m, x: m.a(x, x, x)[1], a=nn.MultiheadAttention(8, 4, batch_first=True)), (5, 8)),
    ("other widths", of(lambda m, x: m.a(x, x[..., :6], x[..., :4], need_weights=False)[0],
                        a=nn.MultiheadAttention(8, 2, kdim=6, vdim=4, batch_first=True, bias=False)), (5, 8)),
    ("sequence first", of(lambda m, x: m.a(*[x.transpose(0, 1)] * 3)[0].transpose(0, 1), a=nn.MultiheadAttention(8, 2)),
     (5, 8)),
    ("decoder", of(lambda m, x: m.d(x, x[:, :3], tgt_mask=nn.Transformer.generate_square_subsequent_mask(5)),
                   d=nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 1)), (5, 8)),
    ("transformer", of(lambda m, x: m.t(x, x[:, 1:]), t=nn.Transformer(8, 2, 1, 1, 16, batch_first=True)), (5, 8)),
    ("vision transformer", Classed, (1, 8, 8)),
    ("frames as samples", Frames, (3, 2, 6, 6)),
    ("squeeze and excite", of(gate, c=nn.Conv2d(2, 3, 3), f=nn.Linear(3, 3)), (2, 5, 5)),
    ("matmul from the left", lambda: Weights(lambda x, w: w @ x, (4, 5)), (5, 3)),
    ("vector of weights", lambda: Weights(lambda x, w: x @ w, (5,)), (3, 5)),
    ("einsum by heads", lambda: Weights(lambda x, w: torch.einsum("bld,hdk->blhk", x, w), (2, 5, 3)), (4, 5)),
    ("two activations by heads", of(lambda m, x: torch.einsum("bhid,bhjd->bhij", x, x.relu())), (2, 4, 3)),
    ("matmul of activations", of(lambda m, x: x @ x.mT), (4, 10)),
    ("division by values", of(lambda m, x: x / (1 + x.abs())), (8,)),
    ("constant of two axes", of(lambda m, x: x + torch.arange(4.0).reshape(2, 2)), (2, 2)),
    ("where", of(lambda m, x: torch.where(torch.arange(4) > 1, x, 2 * x) + torch.where(torch.arange(4) > 2, x, 7.0)),
     (4,)),
    ("powers", of(lambda m, x: x**2 + (x.abs() + 1) ** 0.5 + (x.abs() + 1).rsqrt() + (x.abs() + 1) ** -1.5), (4,)),
    ("functions", of(lambda m, x: x.exp().log() + x.sin() * x.cos() + torch.erf(x) + x.floor() + x.ceil()), (4,)),
    ("extremes", of(lambda m, x: torch.maximum(x[:, :2], x[:, 2:]) - torch.minimum(x[:, :2], x[:, 2:])), (4,)),
    ("extremes along", of(lambda m, x: x.max(1)[0] - x.min(1)[0] + x.amin(1)), (4, 3)),
    ("sums", of(lambda m, x: x.sum(1) / x.sum((1, 2), keepdim=True)[:, 0]), (4, 3)),
    ("wiring", of(lambda m, x: torch.roll(x.flip(1).repeat(1, 2, 1), 1, 2)[:, [0, 3, 3]].expand(-1, -1, -1)), (2, 3)),
    ("repeats", of(lambda m, x: x.repeat_interleave(2, 1) + x[:, :1].expand(-1, 4, -1)), (2, 3)),
    ("stack and split", of(lambda m, x: torch.stack(x.split([1, 2], 1)[1].unbind(1), -1)), (3, 2)),
    ("constants joined", of(lambda m, x: torch.cat([x, torch.ones(x.size(0), 1)], 1)), (3,)),
    ("edges of every kind", of(lambda m, x: F.pad(F.pad(x, (1, 2), mode="reflect"), (1, 0), value=1.5)), (2, 5)),
    ("circular convolution", lambda: nn.Conv1d(2, 3, 5, padding=2, padding_mode="circular"), (2, 7)),
    ("3-d convolution", lambda: nn.Conv3d(2, 3, (2, 3, 2), (2, 1, 1), (1, 1, 0), (1, 2, 1)), (2, 5, 6, 4)),
    ("bicubic", of(lambda m, x: F.interpolate(x, scale_factor=1.7, mode="bicubic")), (2, 5, 4)),
    ("aligned corners", lambda: nn.UpsamplingBilinear2d(scale_factor=2), (2, 3, 4)),
    ("linear", of(lambda m, x: F.interpolate(x, 11, mode="linear")), (2, 5)),
    ("nearest exact", of(lambda m, x: F.interpolate(x, (7, 3), mode="nearest-exact")), (2, 5, 5)),
    ("pixel unshuffle", lambda: nn.Sequential(nn.PixelUnshuffle(2), nn.ChannelShuffle(2)), (2, 4, 6)),
    ("average past the end", lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), (2, 6, 9)),
    ("average past the end, inside", lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 6, 9)),
    ("divisor", lambda: nn.AvgPool2d(2, divisor_override=3), (2, 6, 4)),
    ("adaptive averages", lambda: nn.AdaptiveAvgPool2d((5, 3)), (2, 7, 8)),
    ("adaptive maxima", lambda: nn.AdaptiveMaxPool2d((5, 3)), (2, 7, 8)),
    ("shrinking", lambda: nn.Sequential(nn.Hardshrink(), nn.Softshrink(0.2), nn.Tanhshrink(), nn.Threshold(0.1, 2)),
     (9,)),
    ("gated", lambda: nn.Sequential(nn.GLU(1), nn.RReLU(), nn.CELU(0.5), nn.Softplus(2, 1)), (4, 3)),
    ("LSTM cells", lambda: Cells(nn.LSTMCell(3, 4)), (4, 3)),
    ("GRU cells", lambda: Cells(nn.GRUCell(3, 4, bias=False)), (4, 3)),
    ("RNN cells", lambda: Cells(nn.RNNCell(3, 4, nonlinearity="relu")), (4, 3)),
    ("two-way RNN", of(lambda m, x: m.r(x)[1].transpose(0, 1).flatten(1), r=nn.RNN(3, 4, 2, batch_first=True,
                                                                                   bidirectional=True)), (5, 3)),
    ("all of an LSTM", of(lambda m, x: torch.cat([m.r(x)[0].mean(1), *m.r(x)[1][0], *m.r(x)[1][1]], 1),
                          r=nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)), (5, 3)),
    ("stochastic depth", of(lambda m, x: x + (m.f(x) if not m.training else 0), f=nn.Linear(4, 4)), (4,)),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape"), [row[1:] for row in IDIOMS], ids=[row[0] for row in IDIOMS])
def test_idiom_computes_what_torch_does(make: Callable[[], nn.Module], shape: Any) -> None:
    torch.manual_seed(0)
    same(make(), shape, 2e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(0, 2), st.integers(1, 2), st.integers(1, 2),
    st.integers(3, 6),
)  # fmt: skip
def test_transposed_convolutions_of_any_geometry(
    kernel: int, stride: int, padding: int, extra: int, dilation: int, groups: int, size: int
) -> None:
    extra = min(extra, max(stride, dilation) - 1)
    layer = nn.ConvTranspose2d(2, 4, kernel, stride, padding, extra, groups, True, dilation)
    sides = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1
    if sides < 1:
        return
    graph = same(layer, (2, size, size + 1))
    conv = next(n.operator for n in graph.nodes if n.operator.role == "matrix")
    taps = -(-(dilation * (kernel - 1) + 1) // stride)
    assert conv.weight.shape == (4 * stride**2, 2 // groups, taps, taps)


def test_the_weights_of_a_stride_are_stored_without_the_zeros_between() -> None:
    graph = same(nn.ConvTranspose2d(8, 4, 2, 2), (8, 5, 5))
    assert graph.macs == 25 * 8 * 4 * 4


def test_every_step_of_a_cell_uses_the_same_operator() -> None:
    graph = same(Cells(nn.LSTMCell(3, 4)), (4, 3))
    layers = [n.operator for n in graph.nodes if n.operator.role == "matrix"]
    assert len(layers) == 4
    assert all(layer is layers[0] for layer in layers)


def test_tables_are_looked_up_by_whole_numbers() -> None:
    module = nn.Sequential(nn.Embedding(11, 6), nn.Flatten(), nn.Linear(30, 3)).eval()
    tokens = torch.randint(0, 11, (4, 5), generator=torch.Generator().manual_seed(0))
    graph = from_torch(module, tokens)
    torch.testing.assert_close(evaluate(graph, tokens.float()), module(tokens).detach())
    with pytest.raises(InputError, match=r"lies outside 0\.\.10"):
        evaluate(graph, torch.full((1, 5), 11.0))


def test_two_inputs_and_outputs_by_name() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits, self.other = nn.Linear(3, 2), nn.Linear(4, 2)

        def forward(self, a: torch.Tensor, b: torch.Tensor, mask: Any = None) -> dict[str, Any]:
            hidden = self.other(b).relu()
            return {"loss": None, "logits": self.logits(a) + hidden, "hidden": hidden}

    graph = same(Both(), [(3,), (4,)])
    assert graph.outputs == ("logits", "hidden")
    assert tuple(graph.input_shapes) == ("a", "b")
    a, b = torch.randn(5, 3), torch.randn(5, 4)
    for found, wanted in zip(evaluate(graph, torch.cat([a, b], 1)), evaluate(graph, {"a": a, "b": b}), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types(dtype: torch.dtype) -> None:
    net = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 2)).to(dtype)
    graph = from_torch(net, (6,))
    np.testing.assert_array_equal(graph.nodes[0].operator.weight, net[0].weight.detach().double().numpy())


def prepared(kind: str) -> nn.Module:
    import torch.ao.quantization as q
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx, prepare_qat_fx

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 2))
    example = (torch.zeros(1, 1, 6, 6),)
    if kind == "dynamic":
        return q.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)
    if kind == "static":
        made = prepare_fx(net.eval(), q.get_default_qconfig_mapping("x86"), example)
    else:
        made = prepare_qat_fx(net.train(), q.get_default_qat_qconfig_mapping("x86"), example)
    made(torch.randn(64, 1, 6, 6))
    return convert_fx(made) if kind == "static" else made.eval()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["dynamic", "static", "trained"])
def test_what_torch_quantized_is_read_as_integers(kind: str) -> None:
    module = prepared(kind)
    before = {k: v.clone() for k, v in module.state_dict().items() if isinstance(v, torch.Tensor)}
    graph = from_torch(module, (1, 6, 6))
    after = module.state_dict()
    assert all(torch.equal(v, after[k]) for k, v in before.items() if not v.is_quantized)
    layers = [n.operator for n in graph.nodes if n.operator.role == "matrix"]
    found = [layer.weight_format for layer in layers if layer.weight_format is not None]
    assert len(found) == (2 if kind == "dynamic" else 3)
    assert all(isinstance(f, Int) and f.bits == 8 for f in found)


@pytest.mark.filterwarnings("ignore")
def test_a_spiking_neuron_names_the_road_over_nir() -> None:
    snn = pytest.importorskip("snntorch")
    with pytest.raises(InputError, match="Leaky of snntorch is a spiking neuron") as caught:
        from_torch(nn.Sequential(nn.Linear(6, 4), snn.Leaky(beta=0.9, init_hidden=True)), (6,))
    assert "NIR" in str(caught.value)
