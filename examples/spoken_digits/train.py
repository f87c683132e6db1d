"""Train spiking networks on spoken digits, with a delay per synapse and without.

    python examples/spoken_digits/train.py

Two layers of leaky neurons and a read-out. A synapse has a weight and a delay; while training its spikes arrive spread
over a Gaussian around the delay, whose width shrinks to a fraction of a step in the first half, after which the delays
are rounded: one tap per synapse (dilated convolutions with learnable spacings). The networks without delays have the
same sizes. No test recording chooses anything; the network after the last epoch is written.
"""

from __future__ import annotations

import argparse
import json
import math
import time

import numpy as np
import torch
from data import CHANNELS, DT_S, HERE, SHIPPED, STEPS, recordings, spikes
from torch import nn
from torch.nn import functional as F

from neuromorph.events import Raster, write_events
from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import LIF, Integrator
from neuromorph.graph.operators.synapses import DelayedLinear
from neuromorph.graph.operators.wiring import Flatten
from neuromorph.graph.semantics import Semantics
from neuromorph.importers.portable import save
from neuromorph.spiking.convert import answers_over_time

SEED, EPOCHS, BATCH, RATE, DECAY = 5, 40, 50, 3e-3, 0.01
HIDDEN, TAPS = 96, 25
WIDTH = (8.0, 0.23)
NETWORKS = {"delays": (True, 20e-3), "plain": (False, 20e-3), "plain-slow": (False, 80e-3)}
"""Whether synapses have delays, and the membrane's time constant."""


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


def lif(current: torch.Tensor, tau_s: float) -> torch.Tensor:
    """Spikes (batch, steps, n) of neurons v = (1 - dt/tau) v + current, threshold 1 subtracted after a spike."""
    decay = 1 - DT_S / tau_s
    v = torch.zeros_like(current[:, 0])
    out = []
    for t in range(current.shape[1]):
        v = v * decay + current[:, t]
        s = Spike.apply(v - 1)
        v = v - s.detach()
        out.append(s)
    return torch.stack(out, 1)


class Delayed(nn.Module):
    """Linear layer with a delay per synapse, and batch normalization that the weights absorb in the end."""

    def __init__(self, inputs: int, outputs: int, delays: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * math.sqrt(2 / inputs))
        self.position = nn.Parameter(torch.rand(outputs, inputs) * (TAPS - 1)) if delays else None
        self.norm = nn.BatchNorm1d(outputs)
        nn.init.constant_(self.norm.weight, 0.7)
        self.width = WIDTH[0]

    def kernel(self) -> torch.Tensor:
        """(outputs, inputs, TAPS), the last tap for the present spike."""
        taps = torch.arange(TAPS - 1, -1, -1.0)
        bell = torch.exp(-(((taps - self.position[..., None]) / self.width) ** 2) / 2)
        return self.weight[..., None] * bell / (bell.sum(-1, keepdim=True) + 1e-7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.position is None:
            y = x @ self.weight.T
        else:
            y = F.conv1d(F.pad(x.transpose(1, 2), (TAPS - 1, 0)), self.kernel()).transpose(1, 2)
        return self.norm(y.flatten(0, 1)).unflatten(0, y.shape[:2])

    @torch.no_grad()
    def clamp(self) -> None:
        if self.position is not None:
            self.position.clamp_(0, TAPS - 1)

    @torch.no_grad()
    def arrays(self) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Weights and bias with the normalization in them (float16), delays in whole steps."""
        scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        weight = (self.weight * scale[:, None]).half().double().numpy()
        bias = (self.norm.bias - self.norm.running_mean * scale).half().double().numpy()
        return weight, None if self.position is None else self.position.round().long().numpy(), bias


class Network(nn.Module):
    def __init__(self, delays: bool, tau_s: float) -> None:
        super().__init__()
        self.tau_s = tau_s
        self.layer1 = Delayed(2 * CHANNELS, HIDDEN, delays)
        self.layer2 = Delayed(HIDDEN, HIDDEN, delays)
        self.out = nn.Linear(HIDDEN, 10)
        self.rates: tuple[float, ...] = ()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s1 = lif(self.layer1(x), self.tau_s)
        s2 = lif(self.layer2(F.dropout(s1, 0.3, self.training)), self.tau_s)
        self.rates = (s1.mean().item(), s2.mean().item())
        return self.out(F.dropout(s2, 0.3, self.training)).mean(1)

    def at(self, progress: float) -> None:
        """Width of the Gaussians at this part of the training; delays are whole in the last fifth."""
        width = max(WIDTH[1], WIDTH[0] * (WIDTH[1] / WIDTH[0]) ** min(1.0, progress / 0.5))
        for layer in (self.layer1, self.layer2):
            layer.width = width
            layer.clamp()
            if progress >= 0.8 and layer.position is not None and layer.position.requires_grad:
                layer.position.requires_grad_(False)
                layer.position.round_()


def disturbed(x: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """Each recording moved by up to 5 steps and one channel, a tenth of its spikes lost."""
    out = torch.zeros_like(x)
    for i, (d, c) in enumerate(zip(generator.integers(-5, 6, len(x)), generator.integers(-1, 2, len(x)), strict=True)):
        target = (slice(max(0, d), STEPS + min(0, d)), slice(None), slice(max(0, c), CHANNELS + min(0, c)))
        source = (slice(max(0, -d), STEPS + min(0, -d)), slice(None), slice(max(0, -c), CHANNELS + min(0, -c)))
        out[i][target] = x[i][source]
    return out * torch.from_numpy(generator.random(x.shape, dtype=np.float32) > 0.1)


def spiking_graph(model: Network, name: str) -> Graph:
    """The trained network as a graph over time. With r = tau / dt an input is added to the membrane in full."""
    semantics = Semantics(DT_S, reset="subtract", compare=">")
    one, tau = np.ones(1), model.tau_s
    neurons = LIF(tau * one, tau / DT_S * one, 0 * one, one, 0 * one, semantics)

    def layer(trained: Delayed) -> Linear | DelayedLinear:
        weight, delay, bias = trained.arrays()
        return Linear(weight, bias) if delay is None else DelayedLinear(weight, delay, bias)

    with torch.no_grad():
        out = Linear(model.out.weight.half().double().numpy(), model.out.bias.half().double().numpy())
    nodes = (
        Node("flatten", Flatten(2), ("spikes",)),
        Node("layer1", layer(model.layer1), ("flatten",)),
        Node("lif1", neurons, ("layer1",)),
        Node("layer2", layer(model.layer2), ("lif1",)),
        Node("lif2", neurons, ("layer2",)),
        Node("out", out, ("lif2",)),
        Node("readout", Integrator(np.full(1, 1 / DT_S), semantics), ("out",)),
    )
    metadata = {"decode": "last", "data": "Free Spoken Digit Dataset, CC BY-SA 4.0"}
    return Graph(f"digits-{name}", {"spikes": (STEPS, 2, CHANNELS)}, nodes, ("readout",), metadata)


def accuracy(graph: Graph, data: Raster, labels: np.ndarray) -> float:
    """Share of right answers after the last step, with float16 weights and whole delays."""
    return float((answers_over_time(graph, data)[:, -1].argmax(-1) == labels).mean())


def fit(model: Network, x: torch.Tensor, y: np.ndarray) -> None:
    rng = np.random.default_rng(SEED)
    labels = torch.from_numpy(y)
    places = [layer.position for layer in (model.layer1, model.layer2) if layer.position is not None]
    others = [p for p in model.parameters() if all(p is not q for q in places)]
    groups = [{"params": others, "weight_decay": DECAY}, {"params": places, "lr": 30 * RATE, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=RATE)
    initial = [g["lr"] for g in optimizer.param_groups]
    began, steps = time.perf_counter(), len(x) // BATCH
    for epoch in range(EPOCHS):
        model.train()
        order, total = rng.permutation(len(x)), 0.0
        for k in range(steps):
            progress = (epoch + k / steps) / EPOCHS
            model.at(progress)
            for group, rate in zip(optimizer.param_groups, initial, strict=True):
                group["lr"] = rate * (1 + math.cos(math.pi * progress)) / 2
            chosen = order[k * BATCH : (k + 1) * BATCH]
            loss = F.cross_entropy(model(disturbed(x[chosen], rng).flatten(2)), labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        rates = ", ".join(f"{r:.3f}" for r in model.rates)
        print(
            f"epoch {epoch + 1}: loss {total / steps:.4f}, rates {rates}, {time.perf_counter() - began:.0f} s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(NETWORKS))
    chosen = parser.parse_args().names
    torch.set_num_threads(1)
    (train, y), (test, test_y) = ((spikes(clips), labels) for clips, labels in (recordings(False), recordings(True)))
    print(f"{train.events / train.samples:.0f} spikes a recording")
    x = torch.from_numpy(train.dense())
    for name in chosen:
        torch.manual_seed(SEED)
        model = Network(*NETWORKS[name])
        fit(model, x, y)
        ship(spiking_graph(model.eval(), name), name, test, test_y)
    write_events(SHIPPED, test, test_y)


def ship(graph: Graph, name: str, test: Raster, labels: np.ndarray) -> None:
    """Writes the network and its accuracy."""
    reached = round(accuracy(graph, test, labels), 6)
    print(f"{name}: test {reached:.2%}", flush=True)
    save(graph, HERE / f"{graph.name}.nmg.json")
    path = HERE / "accuracy.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, graph.name: {"test": reached}}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
