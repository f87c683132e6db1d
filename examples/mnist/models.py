"""The two networks of the MNIST example, as plain torch modules. Input: (samples, 1, 28, 28) in [0, 1]."""

from __future__ import annotations

from pathlib import Path

from torch import nn

HERE = Path(__file__).resolve().parent


def mlp() -> nn.Sequential:
    """784-256-128-10 with ReLU: 234,752 multiply-accumulates, as many weights."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def lenet() -> nn.Sequential:
    """LeNet-5 with ReLU and max pooling (Lecun 1998's sizes): 416,520 multiply-accumulates, 61,470 weights."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


MODELS = {"mlp": mlp, "lenet": lenet}


def trained(name: str) -> nn.Sequential:
    """The network of this name ("mlp" or "lenet") with its trained weights, in evaluation mode."""
    from safetensors.torch import load_file

    model = MODELS[name]()
    model.load_state_dict(load_file(HERE / f"{name}.safetensors"))
    return model.eval()
