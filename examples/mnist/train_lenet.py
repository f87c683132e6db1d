"""Train the LeNet-5 on the 55,000 training images and write `lenet.safetensors` (minutes on one core)."""

from __future__ import annotations

from data import official, shipped, training
from models import HERE, lenet
from safetensors.torch import save_file
from training import accuracy, fit, round_to_half, start

EPOCHS, RATE, DECAY = 25, 2e-3, 0.02
GOAL = 0.989


def main() -> None:
    start(seed=2)
    model = lenet()
    fit(model, *training(), EPOCHS, RATE, DECAY)
    round_to_half(model)
    reached = accuracy(model, *official())
    print(f"official 10,000 test images: {reached:.2%}; shipped 5,000: {accuracy(model, *shipped()):.2%}")
    if reached < GOAL:
        raise SystemExit(f"below the goal of {GOAL:.1%}, weights not written")
    save_file({name: p.half() for name, p in model.state_dict().items()}, HERE / "lenet.safetensors")


if __name__ == "__main__":
    main()
