"""Deterministic training on one thread: augmentation, loop with cosine learning rate, evaluation."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CLIP_DEVIATIONS = 2.5
"""Weights stay within this many standard deviations of their layer: conductances and integer codes span the
largest weight of a matrix, so a few outliers would leave the rest to the lowest levels, in the noise."""


def pixels(x: np.ndarray) -> torch.Tensor:
    """uint8 images (samples, 1, 28, 28) as float32 in [0, 1]."""
    return torch.from_numpy(x.astype(np.float32) / 255.0)


def start(seed: int) -> None:
    """One thread, fixed seed, deterministic kernels: the same weights again on the same kind of machine."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


def distort(x: torch.Tensor, shift: float, degrees: float, scale: float) -> torch.Tensor:
    """Each image (samples, 1, h, w) moved by up to `shift` pixels, turned by up to `degrees`, sized by 1 +- `scale`.

    Amounts are uniform, one draw for each image; pixels are interpolated bilinearly, outside is black.
    """
    n = len(x)
    r = torch.rand(4, n) * 2 - 1
    angle, size = r[0] * (degrees * torch.pi / 180), 1 + r[1] * scale
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    move = r[2:] * (2 * shift / x.shape[-1])
    theta = torch.stack([torch.stack([cos, -sin, move[0]], -1), torch.stack([sin, cos, move[1]], -1)], 1)
    return F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)


def accuracy(model: nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """Share of images whose largest output is the right class."""
    model.eval()
    with torch.no_grad():
        right = sum(
            int((model(pixels(x[i : i + 500])).argmax(1).numpy() == y[i : i + 500]).sum())
            for i in range(0, len(x), 500)
        )
    return right / len(x)


def clip(weights: list[torch.Tensor]) -> None:
    """Limit each weight array to CLIP_DEVIATIONS standard deviations of its weights that are not zero."""
    with torch.no_grad():
        for w in weights:
            bound = CLIP_DEVIATIONS * w[w != 0].std()
            w.clamp_(-bound, bound)


def fit(
    model: nn.Module,
    x: np.ndarray,
    y: np.ndarray,
    epochs: int,
    rate: float,
    decay: float,
    batch: int = 128,
    shift: float = 2.0,
    degrees: float = 10.0,
    scale: float = 0.1,
    first_epoch: int = 0,
) -> None:
    """Train with AdamW (`rate` falls to zero along a cosine, `decay` is the weight decay) on distorted images.

    first_epoch: start there in the schedule (learning-rate rewinding). After every update the weights (arrays
    of two and more axes) are clipped.
    """
    weights = [p for p in model.parameters() if p.ndim > 1]
    images, labels = pixels(x), torch.from_numpy(y.astype(np.int64))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    steps = len(x) // batch
    began = time.perf_counter()
    for epoch in range(first_epoch, epochs):
        model.train()
        total = 0.0
        order = torch.randperm(len(x))
        for k in range(steps):
            progress = (epoch * steps + k) / (epochs * steps)
            optimizer.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * progress)) / 2
            chosen = order[k * batch : (k + 1) * batch]
            loss = F.cross_entropy(model(distort(images[chosen], shift, degrees, scale)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            clip(weights)
            total += loss.item()
        seconds = time.perf_counter() - began
        print(f"epoch {epoch + 1}/{epochs}: mean loss {total / steps:.4f}, {seconds:.0f} s", flush=True)


def round_to_half(model: nn.Module) -> None:
    """Round the parameters to float16, the type in which they are stored."""
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.half())
