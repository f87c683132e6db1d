"""What cannot be hosted is refused by operator and module path, all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch_examples import Of

from neuromorph.errors import InputError
from neuromorph.importers.torch_import import from_torch


class Strange(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LocalResponseNorm(2)
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.LPPool1d(2, 1))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True, add_zero_attn=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(self.norm(x))
        return torch.cumprod(self.attention(y, y, y)[0], 1)


def test_everything_that_cannot_be_hosted_is_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        from_torch(Strange(), (3, 4))
    found = {(p.place.key, p.message.split()[0]) for p in caught.value.problems}
    assert found == {
        ("norm", "LocalResponseNorm"),
        ("inner.1", "LPPool1d"),
        ("attention", "MultiheadAttention"),
        ("cumprod", "cumprod"),
    }


class Self(nn.Module):
    """Attention of a sequence to itself."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x)[0]


def nan_layer() -> nn.Linear:
    layer = nn.Linear(8, 2)
    with torch.no_grad():
        layer.weight[0, 0] = float("nan")
    return layer


def blowing_up() -> nn.Module:
    return nn.Sequential(nn.Sequential(nan_layer()))


REFUSED: list[tuple[str, Callable[[], nn.Module], Any, str]] = [
    ("statistics of the batch", lambda: nn.BatchNorm2d(4, track_running_stats=False), (4, 6, 8), "statistics of"),
    ("an LSTM with projection", lambda: nn.LSTM(4, 6, proj_size=2, batch_first=True), (6, 4), "proj_size"),
    ("transposed convolution of three axes", lambda: nn.ConvTranspose3d(4, 2, 3), (4, 6, 8, 5), "three axes"),
    ("running statistics", lambda: nn.InstanceNorm1d(4, track_running_stats=True), (4, 6), "running statistics"),
    ("norm over samples", lambda: Of(lambda m, x: F.layer_norm(x, (2, 8))), (8,), "over the batch axis"),
    ("a mask from values", lambda: Of(lambda m, x: x.masked_fill(x > 0, 0.0)), (8,), "gt cannot be hosted"),
    ("attention with own keys", lambda: Self(nn.MultiheadAttention(4, 2, add_bias_kv=True)), (3, 4), "add_bias_kv"),
    ("outer products", lambda: Of(lambda m, x: torch.einsum("bi,bj->bij", x, x.relu())), (4,), "sum over shared"),
    ("a pad mode", lambda: Of(lambda m, x: F.interpolate(x, 4, mode="area")), (2, 8), "mode 'area'"),
    ("lists on two axes", lambda: Of(lambda m, x: x[:, [0, 1], [0, 1]]), (3, 3), "two lists"),
    ("a state", lambda: Of(lambda m, x: m.r(x, torch.ones(1, 2, 4)), r=nn.GRU(4, 4, 1, True, True)), (6, 4), "state"),
    ("batch axis elsewhere", lambda: Of(lambda m, x: m.r(x)[0], r=nn.LSTM(4, 6)), (6, 4), "check batch_first"),
    ("pooling with indices", lambda: nn.MaxPool2d(2, return_indices=True), (4, 6, 8), "returns indices"),
    ("mean over samples", lambda: Of(lambda m, x: x - x.mean(0, keepdim=True)), (8,), "batch axis"),
    ("mean of all", lambda: Of(lambda m, x: x / 2 * x.mean()), (8,), "reduces all axes"),
    ("softmax over samples", lambda: nn.Softmax(0), (8,), "batch axis"),
    ("a number per sample", lambda: Of(lambda m, x: x.mean(1)), (8,), "keepdim=True"),
    ("samples joined", lambda: Of(lambda m, x: x.view(-1)), (8,), "across the batch axis"),
    ("one sample taken", lambda: Of(lambda m, x: x[0]), (8,), "batch axis"),
    ("batch size fixed", lambda: Of(lambda m, x: x.relu().view(2, 2, 4)), (8,), "batch of 3"),
    ("weights from values", lambda: Of(lambda m, x: F.linear(x, x)), (2,), "depends on the input"),
    ("control flow on values", lambda: Of(lambda m, x: x if x.sum() > 0 else -x), (8,), "cannot be traced"),
    ("NaN weights", blowing_up, (8,), r"0.0: Linear has a weight with 1 of 16 values NaN or Inf"),
    ("a constant output", lambda: Of(lambda m, x: torch.ones(3)), (8,), "not computed from its input"),
    ("the input as output", lambda: nn.Identity(), (8,), "returns its input"),
    ("another shape", lambda: nn.Linear(8, 3), (7,), "check the shape"),
    ("no shape", lambda: nn.Linear(8, 3), (), "give a shape"),
    ("a negative shape", lambda: nn.Linear(8, 3), (-8,), "positive"),
    ("no batch axis", lambda: nn.Linear(8, 3), torch.zeros(8), "batch axis"),
    ("dropout left on", lambda: Of(lambda m, x: F.dropout(x)), (8,), "in eval mode"),
    ("random in eval mode", lambda: Of(lambda m, x: x.relu() * torch.rand_like(x)), (8,), "rand_like cannot"),
    ("views changed in place", lambda: Of(lambda m, x: view_changed(x * 1.5)), (8,), "differs from the model"),
]  # fmt: skip


def view_changed(x: torch.Tensor) -> torch.Tensor:
    x[:, :2].mul_(5)
    return x.relu()


@pytest.mark.parametrize(("make", "shape", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_cannot_be_hosted_is_refused(make: Callable[[], nn.Module], shape: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_torch(make(), shape)
