"""Train the multilayer perceptron on the 55,000 training images and write `mlp.safetensors` (minutes on one core)."""

from __future__ import annotations

from data import official, shipped, training
from models import HERE, mlp
from safetensors.torch import save_file
from training import accuracy, fit, round_to_half, start

EPOCHS, RATE, DECAY = 40, 2e-3, 0.02
GOAL = 0.980


def main() -> None:
    start(seed=1)
    model = mlp()
    fit(model, *training(), EPOCHS, RATE, DECAY)
    round_to_half(model)
    reached = accuracy(model, *official())
    print(f"official 10,000 test images: {reached:.2%}; shipped 5,000: {accuracy(model, *shipped()):.2%}")
    if reached < GOAL:
        raise SystemExit(f"below the goal of {GOAL:.1%}, weights not written")
    save_file({name: p.half() for name, p in model.state_dict().items()}, HERE / "mlp.safetensors")


if __name__ == "__main__":
    main()
