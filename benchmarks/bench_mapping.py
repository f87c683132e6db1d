"""Speed of mapping: ResNet-18 on an ISAAC-like chip, and time against the number of tiles from 1,000 to 100,000.

Prints a JSON line per row, times are the least over repeats in one process; the last row has the growth exponent of the
curve, log-log, which is 1 where time is proportional to tiles. A picture of the curve goes where --plot says.

    python benchmarks/bench_mapping.py [--quick] [--plot mapping.png]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterator

import numpy as np

from neuromorph.devices.layered.place.placement import Placement, place
from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.activation import ReLU
from neuromorph.graph.operators.arithmetic import Add
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.pooling import GlobalAvgPool, MaxPool2d
from neuromorph.graph.operators.wiring import Flatten
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.component import Architecture, Component

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Channels and stride of ResNet-18's four stages of two blocks (He et al., CVPR 2016)."""


class Builder:
    """Nodes of a network with random weights, batch normalization folded away."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.random = np.random.default_rng(0)

    def add(self, name: str, operator: object, *inputs: str) -> str:
        self.nodes.append(Node(name, operator, inputs))  # type: ignore[arg-type]
        return name

    def conv(self, name: str, channels: tuple[int, int], kernel: int, stride: int, x: str) -> str:
        weight = self.random.standard_normal((channels[1], channels[0], kernel, kernel))
        window = Window((kernel, kernel), (stride, stride), (kernel // 2,) * 4)
        return self.add(name, Conv2d(weight=weight, window=window), x)


def resnet18() -> Graph:
    """ResNet-18 for 224 x 224 images, 20 convolutions and one dense layer, 11.7 million weights."""
    b = Builder()
    x = b.add("relu", ReLU(), b.conv("conv1", (3, 64), 7, 2, "image"))
    x = b.add("maxpool", MaxPool2d(window=Window((3, 3), (2, 2), (1, 1, 1, 1))), x)
    before = 64
    for stage, (channels, stride) in enumerate(STAGES, 1):
        for block in range(2):
            name, step = f"layer{stage}.{block}", stride if block == 0 else 1
            y = b.add(f"{name}.relu1", ReLU(), b.conv(f"{name}.conv1", (before, channels), 3, step, x))
            y = b.conv(f"{name}.conv2", (channels, channels), 3, 1, y)
            if step != 1 or before != channels:
                x = b.conv(f"{name}.downsample", (before, channels), 1, step, x)
            x = b.add(f"{name}.relu2", ReLU(), b.add(f"{name}.add", Add(), y, x))
            before = channels
    x = b.add("flatten", Flatten(), b.add("avgpool", GlobalAvgPool(), x))
    b.add("fc", Linear(weight=b.random.standard_normal((1000, 512))), x)
    return Graph("resnet18", {"image": (3, 224, 224)}, tuple(b.nodes), ("fc",))


def dense(tiles: int, side: int) -> Graph:
    """A chain of dense layers that is cut into about this many side x side tiles."""
    b, x, blocks = Builder(), "x", 16
    layers = max(1, round(tiles / blocks**2))
    width = side * blocks
    weight = b.random.standard_normal((width, width))  # shared by all layers: only its zeros matter to mapping
    for k in range(layers):
        x = b.add(f"fc{k}", Linear(weight=weight), x)
    return Graph(f"dense-{tiles}", {"x": (width,)}, tuple(b.nodes), (x,))


def with_tiles(architecture: Architecture, tiles: int, **array: int) -> Architecture:
    """The architecture with another number of tiles; with `array`, one array of this size in each tile."""

    def changed(c: Component) -> Component:
        children = {name: changed(child) for name, child in c.children.items()}
        settings, count = c.settings, c.count
        if c.path == "chip.tile":
            count = tiles
        elif array and c.path in ("chip.tile.core", "chip.tile.core.array"):
            count = 1
        if array and c.path == "chip.tile.core.array":
            settings = dataclasses.replace(settings, **array)
        return dataclasses.replace(c, children=children, settings=settings, count=count)

    return dataclasses.replace(architecture, chip=changed(architecture.chip))


def least(graph: Graph, architecture: Architecture, repeats: int) -> tuple[float, Placement]:
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        placement = place(graph, architecture)
        best = min(best, time.perf_counter() - begin)
    return best, placement


def row(name: str, seconds: float, placement: Placement) -> dict[str, object]:
    found = placement.explain()
    summary, traffic = found["summary"], found["traffic"]
    return {
        "name": name,
        "seconds": seconds,
        "arrays": summary["arrays"],
        "tiles": summary["tiles"],
        "shards": summary["shards"],
        "flows": len(placement.flows),
        "mean_hops": traffic["mean_hops"],
        "bit_hops": {o["order"]: o["cost"] for o in found["orders"]},
    }


def curve(sizes: list[int], repeats: int) -> Iterator[dict[str, object]]:
    """Placement of growing networks on chips whose tiles hold one array each."""
    base = load_architecture("isaac-like")
    side = 4  # weights; a weight of 16 bits takes 8 cells and each array 8 columns more for the reference
    for tiles in sizes:
        architecture = with_tiles(base, tiles + 256, rows=side, columns=8 * side + 8)
        seconds, placement = least(dense(tiles, side), architecture, repeats)
        yield row(f"{tiles} tiles", seconds, placement)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, one repeat")
    parser.add_argument("--plot", default="", help="write the curve as a picture")
    options = parser.parse_args()
    place(dense(256, 4), with_tiles(load_architecture("isaac-like"), 512, rows=4, columns=40))  # compiles
    repeats = 1 if options.quick else 3
    seconds, placement = least(resnet18(), with_tiles(load_architecture("isaac-like"), 256), repeats)
    print(json.dumps(row("ResNet-18", seconds, placement) | {"reach": "seconds"}), flush=True)
    sizes = [1000, 3000, 10_000] if options.quick else [1000, 3000, 10_000, 30_000, 100_000]
    found = []
    for entry in curve(sizes, 1 if options.quick else 2):
        found.append(entry)
        print(json.dumps(entry), flush=True)
    x = np.log([float(str(e["tiles"])) for e in found])
    y = np.log([float(str(e["seconds"])) for e in found])
    slope = float(np.polyfit(x, y, 1)[0])
    per_tile = [float(str(e["seconds"])) / float(str(e["tiles"])) for e in found]
    print(json.dumps({"name": "growth exponent", "value": slope, "reach": 1.1, "seconds_per_tile": per_tile}))
    if options.plot:
        draw(found, slope, options.plot)


def draw(found: list[dict[str, object]], slope: float, path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    tiles = [float(str(e["tiles"])) for e in found]
    seconds = [float(str(e["seconds"])) for e in found]
    figure, axes = plt.subplots(figsize=(5.5, 4), layout="constrained")
    axes.loglog(tiles, seconds, "o-", label=f"measured, exponent {slope:.2f}")
    axes.loglog(tiles, [seconds[0] * t / tiles[0] for t in tiles], ":", color="gray", label="proportional")
    axes.set_xlabel("tiles")
    axes.set_ylabel("time to place (s)")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
