"""Write the demo's networks as portable graph files: float, 8 bits, 4 bits and 90 % pruned.

    python examples/mnist/compress.py          # both networks
    python examples/mnist/compress.py lenet

For each network `<name>.nmg.json`, `<name>-int8.nmg.json`, `<name>-int4.nmg.json` and `<name>-pruned90.nmg.json`
(with their weights beside them), and all accuracies into `accuracy.json`. Needs the full MNIST, see `data.py`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import train_lenet
import train_mlp
from data import CALIBRATION, official, shipped, training
from models import HERE, trained
from training import accuracy, fit, round_to_half, start

from neuromorph import from_torch, read_data, read_graph
from neuromorph.compress import iterative_prune, quantize, summary
from neuromorph.graph.model import Graph
from neuromorph.graph.torch_module import GraphModule
from neuromorph.importers.portable import save

SCHEDULES = {"mlp": train_mlp, "lenet": train_lenet}
"""The scripts that trained the networks, for the schedule that fine-tuning runs the end of again."""

SPARSITY = 0.9
ROUNDS = 4
"""Rounds of pruning and training: each leaves 0.1 ** (1 / 4) = 56 % of the weights that are left."""

REWOUND_SHARE = 0.3
"""Share of the training schedule, counted from its end, that learning-rate rewinding runs again after each pruning."""


def pruned(graph: Graph, schedule: ModuleType) -> Graph:
    """90 % of all weights pruned by magnitude over all layers, in rounds with learning-rate rewinding."""
    x, y = training()
    start(seed=3)

    def train(module: GraphModule, number: int, start_epoch: int | None) -> None:
        print(f"pruning round {number} of {ROUNDS}", flush=True)
        fit(module, x, y, schedule.EPOCHS, schedule.RATE, schedule.DECAY, first_epoch=start_epoch or 0)
        round_to_half(module)

    epoch = round(schedule.EPOCHS * (1 - REWOUND_SHARE))
    return iterative_prune(graph, SPARSITY, ROUNDS, train, rewind="learning_rate", rewind_epoch=epoch)


def integers(graph: Graph, bits: int) -> Graph:
    """Weights and inputs of all products on grids of this many bits, one scale per tensor, calibrated on 512 images.

    No training follows: with clipped weights (see `training.clip`) even 4 bits cost less than 0.1 %.
    """
    return quantize(graph, bits, activations=bits, method="mse", data=read_data(CALIBRATION)[0])


def measured(path: Path) -> dict[str, float]:
    """Accuracies of a graph file, read back as a user would; on both test sets."""
    model = GraphModule(read_graph(path))
    return {"official": accuracy(model, *official()), "shipped": accuracy(model, *shipped())}


def versions(name: str) -> Iterator[tuple[str, Graph]]:
    """The four versions of a network: the suffix of the file's name, and the graph."""
    graph = from_torch(trained(name), (1, 28, 28), name=name)
    yield "", graph
    yield "-int8", integers(graph, 8)
    yield "-int4", integers(graph, 4)
    yield "-pruned90", pruned(graph, SCHEDULES[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="|".join(SCHEDULES))
    names = parser.parse_args().networks or list(SCHEDULES)
    if unknown := set(names) - set(SCHEDULES):
        parser.error(f"unknown network {', '.join(unknown)}: {' or '.join(SCHEDULES)}")
    record = HERE / "accuracy.json"
    for name in names:
        for suffix, graph in versions(name):
            path = save(replace(graph, name=name + suffix), HERE / (name + suffix), dtype="float16")
            found = json.loads(record.read_text()) if record.is_file() else {}
            found[name + suffix] = measured(path)
            record.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
            sizes = summary(graph)
            print(f"{path.name}: {found[name + suffix]}, {sizes.nonzero} of {sizes.weights} weights", flush=True)


if __name__ == "__main__":
    main()
