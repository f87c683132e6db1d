"""A content-addressable memory of 71 spiking neurons: learns, recalls from either side, forgets, learns anew.

    python examples/hippocampus/run.py [--arch spinnaker1-4chip] [-o report]

With --arch the session is placed on that chip, in its number format, and counted, timed and priced.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ORTHOGONAL = {0: [0, 1], 1: [2, 3], 2: [4, 5]}
OVERLAPPING = {3: [5, 6, 7], 4: [7, 8, 9]}


def numbers(chosen: np.ndarray) -> str:
    return ",".join(map(str, np.flatnonzero(chosen))) or "nothing"


def session(memory: Any) -> Iterator[str]:
    """Lines of what is done and found."""
    network = memory.network
    yield f"{network.neurons - 15} neurons, {network.synapses} synapses"
    for cue, bits in {**ORTHOGONAL, **OVERLAPPING}.items():
        memory.learn(cue, bits)
        yield f"learn  cue {cue} with {','.join(map(str, bits))}"
    yield from asked(memory, cues=range(5), bits=(0, 5, 7, 9))
    memory.forget(3)
    yield "forget cue 3"
    yield from asked(memory, cues=(2, 3, 4), bits=(5, 6, 7))
    memory.learn(3, [0, 9])
    yield "learn  cue 3 with 0,9"
    yield from asked(memory, cues=(0, 3, 4), bits=(0, 9, 6))
    whole = memory.complete([7])
    yield "complete 7: " + "; ".join(f"cue {c} holds {numbers(k)}" for c, k in whole.items())
    yield f"{memory.steps} ms, {memory.run().spikes.events} spikes"


def asked(memory: Any, cues: Sequence[int], bits: Sequence[int]) -> Iterator[str]:
    for cue in cues:
        found = memory.recall(cue=cue)
        yield f"recall by cue {cue}: content {numbers(found.contents)}{when(found)}"
    for bit in bits:
        found = memory.recall(content=[bit])
        yield f"recall by content {bit}: cue {numbers(found.cues)}{when(found)}"


def when(found: Any) -> str:
    return "" if found.found_after is None else f" after {found.found_after} ms"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--arch", help="many-core chip, e.g. spinnaker1-4chip")
    parser.add_argument("-o", "--output", type=Path, help="folder the report is written to")
    options = parser.parse_args(argv)
    chip = arithmetic = None
    if options.arch:
        from neuromorph.devices.manycore import read_machine
        from neuromorph.hardware.catalog import load_architecture

        chip = load_architecture(options.arch)
        arithmetic = read_machine(chip).arithmetic
    from neuromorph.systems.memory import ContentMemory

    memory = ContentMemory(5, 10, arithmetic=arithmetic)
    for line in session(memory):
        print(line)
    if chip is not None:
        from neuromorph.report import write_report
        from neuromorph.systems.hosting import host

        hosted = host(memory.network, memory.run().spikes, chip)
        report = hosted.report({"network": memory.network.name, "operations": len(memory.operations)})
        for name in ("energy", "static_energy", "latency"):
            metric = report[name]
            print(f"{name} {metric.value:.4g} {metric.unit} ({metric.note})")
        if options.output is not None:
            for path in write_report(report, options.output).values():
                print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
