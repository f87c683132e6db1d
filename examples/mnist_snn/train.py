"""Train a LeNet-5 with average pooling and 8-level activations on MNIST, and write it and its spiking version.

    python examples/mnist_snn/train.py

The 55,000 training images of examples/mnist (none of them among the 5,000 shipped) are used; no test image chooses
anything. First with ReLU, then every ReLU becomes a clip-floor activation (QCFS) whose threshold is trained as well.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mnist"))

LEVELS = 8
EXIT_IMAGES = 5000
RELU_EPOCHS, EPOCHS, RATE, DECAY = 3, 14, 2e-3, 0.02


def lenet() -> nn.Sequential:
    """LeNet-5 as in examples/mnist, with average pooling: a mean of spikes is linear, a maximum is not."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.AvgPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            relu2=nn.ReLU(),
            pool2=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(400, 120),
            relu3=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc3=nn.Linear(84, 10),
        )
    )


def main() -> None:
    from data import CALIBRATION, read_npz, training
    from training import fit, round_to_half, start

    from neuromorph.graph.torch_module import GraphModule
    from neuromorph.importers.torch_import import from_torch
    from neuromorph.spiking.convert import with_clip_floor

    start(seed=3)
    x, y = training()
    model = lenet()
    fit(model, x, y, RELU_EPOCHS, RATE, DECAY)
    calibration = read_npz(CALIBRATION)[0].astype(np.float32) / 255
    graph = from_torch(model.eval(), torch.zeros(1, 1, 28, 28), name="lenet-qcfs")
    trained = GraphModule(with_clip_floor(graph, calibration, LEVELS))
    fit(trained, x, y, EPOCHS, RATE, DECAY)
    round_to_half(trained)
    ship(trained.to_graph(), x, y)


def ship(graph: Graph, x: np.ndarray, y: np.ndarray) -> None:
    """Writes both networks and their accuracies; the stop rule is found on training images."""
    from data import official, shipped

    from neuromorph.importers.portable import save
    from neuromorph.spiking.convert import answers_over_time, calibrate_confidence, convert, exit_early

    spiking = dataclasses.replace(convert(graph, method="qcfs", steps=LEVELS), name="lenet-snn")
    rule = calibrate_confidence(answers_over_time(spiking, scaled(x[:EXIT_IMAGES])), y[:EXIT_IMAGES].astype(np.int64))
    found: dict[str, dict[str, float]] = {"lenet-qcfs": {}, "lenet-snn": {}, "lenet-snn-early": {}}
    found["lenet-snn-early"] |= {"temperature": round(rule.temperature, 4), "threshold": rule.threshold}
    for name, (images, labels) in (("official", official()), ("shipped", shipped())):
        with torch.no_grad():
            values = np.concatenate([evaluate(graph, scaled(part)).numpy() for part in np.array_split(images, 20)])
        answers = answers_over_time(spiking, scaled(images))
        early = exit_early(answers, labels, found["lenet-snn-early"]["temperature"], rule.threshold)
        found["lenet-qcfs"][name] = float((values.argmax(-1) == labels).mean())
        found["lenet-snn"][name] = float((answers[:, -1].argmax(-1) == labels).mean())
        found["lenet-snn-early"] |= {
            name: early.accuracy, f"{name} mean steps": early.mean_steps, f"{name} p95 steps": early.p95_steps
        }  # fmt: skip
    print(json.dumps(found, indent=2))
    save(graph, HERE / "lenet-qcfs.nmg.json", dtype="float16")
    save(spiking, HERE / "lenet-snn.nmg.json")
    (HERE / "accuracy.json").write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def scaled(x: np.ndarray) -> np.ndarray:
    """Images as the networks take them, in [0, 1]."""
    return x.astype(np.float32) / 255


if __name__ == "__main__":
    main()
