"""The two networks of the MNIST example, as plain torch modules. Input: (samples, 1, 28, 28) in [0, 1]."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from torch import nn

HERE = Path(__file__).resolve().parent


def mlp() -> nn.Sequential:
    """784-256-128-10 with ReLU: 234,752 multiply-accumulates, as many weights."""
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(784, 256),
            relu1=nn.ReLU(),
            fc2=nn.Linear(256, 128),
            relu2=nn.ReLU(),
            fc3=nn.Linear(128, 10),
        )
    )


def lenet() -> nn.Sequential:
    """LeNet-5 (LeCun et al. 1998) with ReLU and max pooling: 416,520 multiply-accumulates, 61,470 weights."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(400, 120),
            relu3=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc3=nn.Linear(84, 10),
        )
    )


MODELS = {"mlp": mlp, "lenet": lenet}


def trained(name: str) -> nn.Sequential:
    """The network of this name ("mlp" or "lenet") with its trained weights, in evaluation mode."""
    from safetensors.torch import load_file

    model = MODELS[name]()
    model.load_state_dict(load_file(HERE / f"{name}.safetensors"))
    return model.eval()
