"""Train the two transformers on one thread.

    python examples/transformers/train.py characters
    python examples/transformers/train.py fashion && python examples/transformers/train.py fashion --again

Writes NAME.safetensors with the weights in half precision. --again goes on from them for a second round at half the
rate.
"""

from __future__ import annotations

import math
import sys
import time

import numpy as np
import torch
from data import HERE, fashion, text
from models import CONTEXT, CharacterModel, VisionTransformer
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

SEED = 1
RATE = 2e-3
STEPS = {"characters": 2400, "fashion": 4700}
AGAIN = 7000
BATCH = {"characters": 32, "fashion": 64}


def batches(name: str, again: bool):
    """Endless (inputs, targets)."""
    rng = np.random.default_rng(SEED + again)
    if name == "characters":
        numbers = torch.from_numpy(text()[0])
        while True:
            at = rng.integers(0, len(numbers) - CONTEXT - 1, BATCH[name])
            cut = torch.stack([numbers[i : i + CONTEXT + 1] for i in at])
            yield cut[:, :-1], cut[:, 1:]
    x, y = fashion("train")
    images, labels = torch.from_numpy(x.copy()), torch.from_numpy(y)
    while True:
        at = torch.from_numpy(rng.integers(0, len(x), BATCH[name]))
        shift = rng.integers(-2, 3, 2)
        batch = torch.roll(images[at].float() / 255, tuple(int(s) for s in shift), (2, 3))
        flip = torch.from_numpy(rng.random(len(at)) < 0.5)
        yield torch.where(flip[:, None, None, None], batch.flip(3), batch), labels[at]


def loss_of(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    return F.cross_entropy(model(x).flatten(0, -2), y.flatten(), label_smoothing=smoothing)


@torch.no_grad()
def tested(name: str, model: torch.nn.Module) -> str:
    """Bits per character on the held-out text, or accuracy on the 10,000 test images."""
    model.eval()
    if name == "characters":
        numbers = torch.from_numpy(text()[1])
        rows = numbers[: (len(numbers) - 1) // CONTEXT * CONTEXT].reshape(-1, CONTEXT)
        after = numbers[1 : rows.numel() + 1].reshape(-1, CONTEXT)
        losses = [float(loss_of(model, a, b)) for a, b in zip(rows.split(200), after.split(200), strict=True)]
        return f"{np.mean(losses[:-1] or losses) / math.log(2):.3f} bits per character"
    x, y = fashion("t10k")
    right = [
        int((model(torch.from_numpy(x[i : i + 500].copy()).float() / 255).argmax(1).numpy() == y[i : i + 500]).sum())
        for i in range(0, len(x), 500)
    ]
    return f"{sum(right) / len(x):.4f} right"


def main(name: str, again: bool) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED + again)
    model = CharacterModel(len(text()[2])) if name == "characters" else VisionTransformer()
    if again:
        model.load_state_dict({k: v.float() for k, v in load_file(HERE / f"{name}.safetensors").items()})
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05, betas=(0.9, 0.98))
    began, given, steps = time.perf_counter(), batches(name, again), AGAIN if again else STEPS[name]
    for step in range(steps):
        rate = (RATE / 2 if again else RATE) * min(
            (step + 1) / 100, 0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(model, *next(given), smoothing=0.05 if name == "fashion" else 0.0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.3f}, {time.perf_counter() - began:.0f} s", flush=True)
        if step % 600 == 599:
            save_file({k: v.half() for k, v in model.state_dict().items()}, HERE / f"{name}.safetensors")
    save_file({k: v.half() for k, v in model.state_dict().items()}, HERE / f"{name}.safetensors")
    model.load_state_dict({k: v.half().float() for k, v in model.state_dict().items()})
    print(tested(name, model), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], "--again" in sys.argv)
