"""Rates of converted networks against the values that they stand for, whatever axes the operators have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import neuromorph as nm
from neuromorph.graph.evaluate import evaluate
from neuromorph.spiking.convert import rate_deviations


class Tokens(nn.Module):
    """Linear over tokens, ReLU, a mean along an axis, Linear."""

    def __init__(self, features: int, axis: int) -> None:
        super().__init__()
        self.a, self.b, self.axis = nn.Linear(5, features), nn.Linear(features if axis == 1 else 6, 4), axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.a(x).relu().mean(self.axis))


@pytest.mark.parametrize("features", [6, 16])
@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("per_channel", [False, True])
def test_means_over_tokens_and_features(features: int, axis: int, per_channel: bool) -> None:
    torch.manual_seed(1)
    net = Tokens(features, axis).eval()
    x = torch.randn(16, 6, 5) * torch.arange(1, 7)[None, :, None]
    graph = nm.from_torch(net, (6, 5))
    spiking = nm.convert(graph, x.numpy(), "max", steps=256, per_channel=per_channel)
    found = evaluate(spiking, x[:, None].expand(-1, 256, -1, -1).contiguous())[:, -1] / 256
    wanted = net(x).detach()
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 0.03
    (row,) = rate_deviations(graph, spiking, x.numpy())
    assert 0 < row.error < 0.02


def test_a_deviation_is_what_a_loop_over_neurons_gives() -> None:
    torch.manual_seed(0)
    graph = nm.from_torch(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), (3,))
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    spiking = nm.convert(graph, x, "percentile", steps=4, percentile=60)
    (row,) = rate_deviations(graph, spiking, x)
    layer, threshold = graph.nodes[0].operator, spiking.nodes[1].operator.v_threshold
    current = x @ layer.weight.T + layer.bias
    v, count = np.full(current.shape, 0.5) * threshold, np.zeros(current.shape)
    for _ in range(4):
        v = v + current
        fired = v >= threshold
        count, v = count + fired, v - fired * threshold
    wanted = np.maximum(current, 0)
    error = np.sqrt(((count / 4 * threshold - wanted) ** 2).mean() / (wanted**2).mean())
    assert row.error == pytest.approx(error, rel=1e-4)
    assert row.full == pytest.approx(((count == 4) & (wanted > 0)).sum() / (wanted > 0).sum())
    assert row.silent == pytest.approx(((count == 0) & (wanted > 0)).sum() / (wanted > 0).sum())
