"""Train the convolutional spiking network on 1,000 N-MNIST recordings with surrogate gradients.

    python examples/nmnist/train.py

Writes the network, its accuracies, and the 100 test recordings as rasters. Neurons are leaky with subtractive reset;
the read-out adds up its inputs. Backwards, the step of a spike is replaced by 1 / (1 + (pi (v - 1))^2).
"""

from __future__ import annotations

import json
import math
import time

import numpy as np
import torch
from data import DT_S, HERE, SHIPPED, STEPS, subset
from torch import nn
from torch.nn import functional as F

from neuromorph.events import write_events
from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import LIF, Integrator
from neuromorph.graph.operators.wiring import Flatten
from neuromorph.graph.semantics import Semantics
from neuromorph.importers.portable import save

SEED, EPOCHS, BATCH, RATE, DECAY = 4, 60, 40, 3e-3, 0.02
TAU_S = 40e-3
CHANNELS = (12, 24)


class Spike(torch.autograd.Function):
    """1 where v > 0; the derivative of arctan(pi v) / pi backwards."""

    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (v,) = ctx.saved_tensors
        return gradient / (1 + (math.pi * v) ** 2)


def lif(current: torch.Tensor) -> torch.Tensor:
    """Spikes (batch, steps, ...) of neurons v = (1 - dt/tau) v + current, threshold 1 subtracted after a spike."""
    decay = 1 - DT_S / TAU_S
    v = torch.zeros_like(current[:, 0])
    spikes = []
    for t in range(current.shape[1]):
        v = v * decay + current[:, t]
        s = Spike.apply(v - 1)
        v = v - s.detach()
        spikes.append(s)
    return torch.stack(spikes, 1)


class Network(nn.Module):
    """Two strided convolutions and a dense layer; (batch, steps, 2, 34, 34) to sums of currents (batch, 10)."""

    def __init__(self) -> None:
        super().__init__()
        a, b = CHANNELS
        self.conv1 = nn.Conv2d(2, a, 5, 2, 2)
        self.conv2 = nn.Conv2d(a, b, 3, 2, 1)
        self.fc = nn.Linear(b * 81, 10)
        with torch.no_grad():
            self.conv1.weight *= 2
            self.conv2.weight *= 2
        self.rates: tuple[float, ...] = ()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, steps = x.shape[:2]
        s1 = lif(self.conv1(x.flatten(0, 1)).unflatten(0, (batch, steps)))
        s2 = lif(self.conv2(s1.flatten(0, 1)).unflatten(0, (batch, steps)))
        self.rates = (s1.mean().item(), s2.mean().item())
        kept = F.dropout(s2.flatten(2), 0.3, self.training)
        return self.fc(kept).mean(1)


def shifted(x: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """Every recording moved by up to 2 pixels; pixels that come in are silent."""
    out = torch.zeros_like(x)
    for i, (dy, dx) in enumerate(generator.integers(-2, 3, (len(x), 2))):
        rows, cols = (slice(max(0, d), 34 + min(0, d)) for d in (dy, dx))
        from_rows, from_cols = (slice(max(0, -d), 34 + min(0, -d)) for d in (dy, dx))
        out[i, ..., rows, cols] = x[i, ..., from_rows, from_cols]
    return out


def accuracy(model: Network, x: np.ndarray, y: np.ndarray) -> float:
    model.eval()
    with torch.no_grad():
        parts = [model(torch.from_numpy(x[i : i + 50]).float()).argmax(1).numpy() for i in range(0, len(x), 50)]
    return float((np.concatenate(parts) == y).mean())


def fit(model: Network, x: np.ndarray, y: np.ndarray) -> None:
    rng = np.random.default_rng(SEED)
    labels = torch.from_numpy(y)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    began, steps = time.perf_counter(), len(x) // BATCH
    for epoch in range(EPOCHS):
        model.train()
        order, total = rng.permutation(len(x)), 0.0
        for k in range(steps):
            progress = (epoch + k / steps) / EPOCHS
            optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * progress)) / 2
            chosen = order[k * BATCH : (k + 1) * BATCH]
            loss = F.cross_entropy(model(shifted(torch.from_numpy(x[chosen]).float(), rng)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        rates = ", ".join(f"{r:.3f}" for r in model.rates)
        print(
            f"epoch {epoch + 1}: loss {total / steps:.4f}, rates {rates}, {time.perf_counter() - began:.0f} s",
            flush=True,
        )


def spiking_graph(model: Network) -> Graph:
    """The trained network as a graph over time. With r = tau / dt an input is added to the membrane in full."""
    semantics = Semantics(DT_S, reset="subtract", compare=">")
    one = np.ones((1, 1, 1))
    neurons = LIF(TAU_S * one, TAU_S / DT_S * one, 0 * one, one, 0 * one, semantics)
    w = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    nodes = (
        Node("conv1", Conv2d(w["conv1.weight"], w["conv1.bias"], window=Window((5, 5), (2, 2), (2,) * 4)), ("events",)),
        Node("lif1", neurons, ("conv1",)),
        Node("conv2", Conv2d(w["conv2.weight"], w["conv2.bias"], window=Window((3, 3), (2, 2), (1,) * 4)), ("lif1",)),
        Node("lif2", neurons, ("conv2",)),
        Node("flatten", Flatten(3), ("lif2",)),
        Node("fc", Linear(w["fc.weight"], w["fc.bias"]), ("flatten",)),
        Node("readout", Integrator(np.full(1, 1 / DT_S), semantics), ("fc",)),
    )
    metadata = {"decode": "last", "data": "N-MNIST subset, CC BY-SA 4.0"}
    return Graph("nmnist-conv", {"events": (STEPS, 2, 34, 34)}, nodes, ("readout",), metadata)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    (train, y), (test, test_y) = subset(False), subset(True)
    model = Network()
    fit(model, train.dense().astype(np.uint8), y)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.half())
    reached = accuracy(model, test.dense().astype(np.uint8), test_y)
    print(f"test: {reached:.1%}")
    save(spiking_graph(model), HERE / "nmnist-conv.nmg.json")
    write_events(SHIPPED, test, test_y)
    (HERE / "accuracy.json").write_text(json.dumps({"nmnist-conv": {"test": reached}}, indent=2) + "\n")


if __name__ == "__main__":
    main()
