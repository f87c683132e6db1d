"""A balanced random network of 100,000 neurons and 10 million synapses: built, run for a second, placed on a chip.

    python examples/scale/run.py [--neurons 100000] [--fan-out 100] [--steps 1000] [--arch spinnaker1] [-o report]

Prints how long each part takes, how much memory the process held, and how the network fires. With --arch the network
is placed on a machine of that kind with as many chips as are needed, and the last --chip-steps steps are counted, timed
and priced: every spike is delivered to a thousand cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SKIP = 200
"""Steps until the network has forgotten how it began."""

NEURONS_PER_CORE = 100


def machine(name: str, neurons: int) -> Any:
    """The architecture with as many tiles as the neurons need, and a fifth more, in a square."""
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.hardware.paths import replace

    chip = load_architecture(name)
    tile = chip.chip["tile"]
    cores = -(-neurons // NEURONS_PER_CORE)
    tiles = int(1.2 * cores / (tile["core"].count - tile.settings.system_cores)) + 1
    side = max(2, round(tiles**0.5 + 0.5))
    return replace(
        chip,
        {"chip.tile.count": side * side, "chip.columns": side, "chip.tile.core.neurons": NEURONS_PER_CORE},
    )


def last(raster: Any, steps: int) -> Any:
    """The last steps of a raster of one sample."""
    start = max(raster.steps - steps, 0)
    indptr = raster.indptr[start:] - raster.indptr[start]
    index = raster.index[raster.indptr[start] :]
    return dataclasses.replace(raster, steps=raster.steps - start, indptr=indptr, index=index)


def describe(network: Any, run: Any) -> list[str]:
    """What the network did, without anything that depends on the computer."""
    from neuromorph.systems.scale import dynamics

    first, steps = network.first, run.spikes.steps
    bytes_each = sum(p.index.nbytes + p.weight.nbytes + p.delay.nbytes + p.indptr.nbytes for p in network.projections)
    lines = [
        f"{network.neurons} neurons, {network.synapses} synapses, {bytes_each / network.synapses:.2f} bytes a synapse",
        f"{steps} steps, {run.spikes.events} spikes, {int(run.synaptic_events.sum())} synaptic events",
    ]
    for k, p in enumerate(network.populations):
        d = dynamics(run.spikes, int(first[k]), int(first[k + 1]), min(SKIP, steps // 2))
        lines.append(
            f"{p.name}: {d.rate_hz:.2f} Hz, {d.silent:.1%} silent, irregularity {d.irregularity:.3f}, "
            f"synchrony {d.synchrony:.2f}"
        )
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--fan-out", type=int, default=100)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arch", help="many-core chip, e.g. spinnaker1")
    parser.add_argument("--chip-steps", type=int, default=20, help="steps that are counted, timed and priced")
    parser.add_argument("-o", "--output", type=Path, help="folder the report is written to")
    options = parser.parse_args(argv)
    from neuromorph.devices.manycore.execute import EventEngine
    from neuromorph.systems.scale import balanced_network

    EventEngine(balanced_network(100, 10)).run([], steps=5)  # compiled before anything is timed
    started = time.perf_counter()
    network = balanced_network(options.neurons, options.fan_out, options.seed)
    built = time.perf_counter()
    run = EventEngine(network).run([], steps=options.steps)
    done = time.perf_counter()
    for line in describe(network, run):
        print(line)
    events = int(run.synaptic_events.sum())
    print(
        f"built in {built - started:.2f} s, run in {done - built:.2f} s, {events / (done - built) / 1e6:.0f} M events/s"
    )
    if options.arch:
        from neuromorph.systems.hosting import host

        hosted = host(
            network, last(run.spikes, options.chip_steps), machine(options.arch, options.neurons), effort="quick"
        )
        report = hosted.report({"network": network.name, "seed": options.seed, "steps": options.chip_steps})
        print(f"placed, counted and timed in {time.perf_counter() - done:.1f} s; {hosted.traffic.steps} steps:")
        for name in ("cores_used", "energy", "static_energy", "latency"):
            metric = report[name]
            print(f"{name} {'not modelled' if metric.value is None else f'{metric.value:.4g} {metric.unit}'}")
        if options.output is not None:
            from neuromorph.report import write_report

            for path in write_report(report, options.output).values():
                print(f"written: {path}")
    print(f"most memory held {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
