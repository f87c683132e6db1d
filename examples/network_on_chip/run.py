"""How long the packets of a step take on three networks on chip, for three traffics.

    python examples/network_on_chip/run.py [--steps 3] [-o folder]

A recurrent network is placed on a mesh with unicast packets (Loihi-like) and on a triangular torus with multicast trees
and real-time steps (SpiNNaker 1), both cut down to 12 tiles, on the mesh also with links 20 times slower, where packets
wait for links and hold each other. Spikes come evenly, in bursts, or evenly with half of all synapses on the neurons of
two cores. With -o: a picture of the links' loads.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CHIPS = {
    "mesh": ("loihi-sanafe", 1.0),
    "mesh, slow links": ("loihi-sanafe", 20.0),
    "triangular torus": ("spinnaker1", 1.0),
}
"""Architectures, and by how much their links are slowed down."""

CORES, PER_CORE, FAN_OUT = 48, 16, 12
TRAFFICS = ("uniform", "bursty", "hot spot")


@dataclasses.dataclass(frozen=True)
class Row:
    """Mean makespan of a step and mean delay of a packet, in seconds; packets that were lost."""

    chip: str
    traffic: str
    packets: int
    lost: int
    makespan_s: float
    delay_s: float


def network(hot: bool, seed: int = 0) -> Any:
    """CORES x PER_CORE threshold units with FAN_OUT synapses each; hot: half of them to the first two cores."""
    from neuromorph.graph.semantics import Semantics
    from neuromorph.spiking.network import Population, Projection, SpikingNetwork

    rng = np.random.default_rng(seed)
    n, few = CORES * PER_CORE, 2 * PER_CORE
    if hot:
        half = FAN_OUT // 2
        rows = [(rng.choice(few, half, False), few + rng.choice(n - few, half, False)) for _ in range(n)]
        index = np.concatenate([np.sort(np.concatenate(row)) for row in rows])
    else:
        index = np.concatenate([np.sort(rng.choice(n, FAN_OUT, False)) for _ in range(n)])
    one = np.ones(n)
    cells = Population("cells", (n,), "threshold", {"threshold": one, "sign": one}, Semantics(1e-3))
    synapses = Projection(
        "synapses", 0, 0, np.arange(n + 1) * FAN_OUT, index.astype(np.int32), np.full(index.size, 0.1, np.float32),
        np.ones(1, np.uint8),
    )  # fmt: skip
    return SpikingNetwork("traffic", (cells,), (synapses,), (), (0,), 1e-3)


def firing(traffic: str, steps: int, seed: int = 0) -> Any:
    """Independent spikes: 25 % of the neurons a step, in bursts 80 % in every third step and 5 % in the others."""
    from neuromorph.events import Raster

    rates = np.full(steps, 0.25)
    if traffic == "bursty":
        rates = np.where(np.arange(steps) % 3 == 0, 0.8, 0.05)
    fires = np.random.default_rng(seed).random((1, steps, CORES * PER_CORE)) < rates[:, None]
    return Raster.from_dense(fires.astype(np.float32), 1e-3)


def fabric(chip: str, traffic: str) -> Any:
    """The network placed on the chip, with the chip's times."""
    from neuromorph.devices.manycore import read_machine
    from neuromorph.devices.manycore.place import place_network
    from neuromorph.devices.manycore.tally.noc import fabric_of
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.hardware.paths import replace

    name, slower = CHIPS[chip]
    changes = {"chip.tile.count": 12, "chip.columns": 4, "chip.tile.core.neurons": PER_CORE}
    architecture = replace(load_architecture(name), changes)
    machine = read_machine(architecture)
    placement = place_network(network(traffic == "hot spot"), architecture, machine, effort="quick")
    times = dataclasses.replace(machine.network, link_s=slower * machine.network.link_s)
    return fabric_of(placement, dataclasses.replace(machine, network=times))


def rows(steps: int) -> Iterator[Row]:
    """Every traffic on every chip."""
    from neuromorph.devices.manycore.tally.noc import step_times

    for chip in CHIPS:
        for traffic in TRAFFICS:
            t = step_times(fabric(chip, traffic), firing(traffic, steps))
            yield Row(
                chip, traffic, t.delays.packets, int(t.lost.sum()), float(t.makespan_s.mean()), t.delays.mean_s
            )  # fmt: skip


HEADER = "chip              traffic    packets  lost  makespan us  delay us"


def line(row: Row) -> str:
    return (
        f"{row.chip:16s}  {row.traffic:9s}  {row.packets:7d}  {row.lost:4d}  {row.makespan_s * 1e6:11.3f}  "
        f"{row.delay_s * 1e6:8.3f}"
    )


def loads(chip: str, traffic: str, steps: int) -> np.ndarray:
    """Packets on each link over all steps: (tiles, directions)."""
    from neuromorph.devices.manycore.tally.spikes import count_traffic

    placement = fabric(chip, traffic).placement
    counted = count_traffic(placement, firing(traffic, steps))
    found: np.ndarray = np.asarray(counted.link_packets).reshape(placement.grid.tiles, -1)
    return found


def picture(steps: int, path: Path) -> Path:
    """Packets that leave each tile, a field per chip and traffic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(CHIPS), len(TRAFFICS), figsize=(9, 5), layout="constrained")
    for fields, chip in zip(axes, CHIPS, strict=True):
        for field, traffic in zip(fields, TRAFFICS, strict=True):
            busiest = loads(chip, traffic, steps).max(axis=1).reshape(3, 4)
            image = field.imshow(busiest, cmap="viridis")
            figure.colorbar(image, ax=field, label="packets on the busiest link")
            field.set_title(f"{chip}, {traffic}")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, help="folder a picture is written to")
    options = parser.parse_args(argv)
    print(HEADER)
    for row in rows(options.steps):
        print(line(row), flush=True)
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        print(f"written: {picture(options.steps, options.output / 'links.png')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
