"""Train a LeNet-5 whose activations are single spikes in a single step (one-step Hoyer network), from lenet-qcfs.

    python examples/mnist_snn/train_hoyer.py

Weights start from lenet-qcfs; every activation becomes 1 or 0, as its clipped input reaches the Hoyer extremum. After
each epoch the extrema are renewed on calibration images of the training set. No test image chooses anything.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from neuromorph.graph.model import Graph
from neuromorph.graph.operators.activation import ReLU
from neuromorph.graph.operators.stepped import ClipFloor
from neuromorph.graph.torch_module import GraphModule
from neuromorph.importers import read_graph, save_graph
from neuromorph.spiking.convert import answers_over_time, convert, hoyer_extrema, with_hoyer_steps

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mnist"))
EPOCHS, RATE, DECAY, BATCH = 10, 1e-3, 0.02, 128


def rectified(graph: Graph) -> Graph:
    """The network with ReLU in place of its clip-floor activations."""
    nodes = [dataclasses.replace(n, operator=ReLU()) if isinstance(n.operator, ClipFloor) else n for n in graph.nodes]
    return dataclasses.replace(graph, nodes=tuple(nodes), name="lenet-hoyer")


def epoch(module: GraphModule, images: torch.Tensor, labels: torch.Tensor, number: int) -> float:
    """One pass with AdamW; returns the mean loss."""
    from training import distort

    optimizer = torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=DECAY)
    steps, total = len(images) // BATCH, 0.0
    order = torch.randperm(len(images))
    for k in range(steps):
        progress = (number + k / steps) / EPOCHS
        optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * progress)) / 2 * min(1.0, (k + 1) / 50)
        chosen = order[k * BATCH : (k + 1) * BATCH]
        out = module(distort(images[chosen], 2.0, 10.0, 0.1))
        assert isinstance(out, torch.Tensor)
        loss = F.cross_entropy(out, labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / steps


def main() -> None:
    from data import CALIBRATION, official, read_npz, shipped, training
    from training import pixels, round_to_half, start

    start(seed=6)
    x, y = training()
    calibration = read_npz(CALIBRATION)[0].astype(np.float32) / 255
    graph = with_hoyer_steps(rectified(read_graph(HERE / "lenet-qcfs.nmg.json")), calibration, per_channel=True)
    images, labels = pixels(x), torch.from_numpy(y.astype(np.int64))
    began = time.perf_counter()
    for number in range(EPOCHS):
        module = GraphModule(graph)
        loss = epoch(module, images, labels, number)
        if number == EPOCHS - 1:
            round_to_half(module)
            graph = module.to_graph()
        else:
            graph = hoyer_extrema(module.to_graph(), calibration, momentum=0.5)
        print(f"epoch {number + 1}/{EPOCHS}: mean loss {loss:.4f}, {time.perf_counter() - began:.0f} s", flush=True)
    spiking = convert(graph, method="hoyer")
    found = {}
    for name, (test, answers) in (("official", official()), ("shipped", shipped())):
        outputs = answers_over_time(spiking, test.astype(np.float32) / 255)
        found[name] = float((outputs[:, -1].argmax(-1) == answers).mean())
    print(found)
    save_graph(graph, HERE / "lenet-hoyer.nmg.json")
    path = HERE / "accuracy.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps({**known, "lenet-hoyer": found}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
