"""Time and memory of mapping spiking networks onto many-core chips.

Networks of excitatory and inhibitory neurons on a sheet: most synapses go to neighbours, the others anywhere. A row
gives seconds of the whole mapping (cut, place, route, merge tables, check every limit), the peak of memory above the
network's own, and the weighted hops of random, greedy and optimised placements. Each case runs in a process of its own.

    python -m benchmarks.bench_manycore_mapping [--quick]
"""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.timing import parse, show
from neuromorph.devices.manycore.machine import CoreTimes, Machine, NetworkTimes
from neuromorph.hardware.component import Architecture, Component, ComponentKind
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import MODELS, Population, Projection, SpikingNetwork

KIB = 8192.0

SPINNAKER = Machine(
    name="spinnaker", columns=10, rows=8, tiles=80, cores_per_tile=16, topology="triangular", die_columns=1, die_rows=1,
    multicast=True, router_entries=1023, step_s=1e-3, neurons=90, axons_in=None, axons_out=None, fan_in=None,
    min_delay=1, max_delay=16, delay_extension=True, weight_bits=16, core_memory=64 * KIB, core_reserved=16 * KIB,
    synapse_bits=32, row_bits=96, state_bits=512, buffer_bits=32, rows_in_tile=True, tile_memory=123e6 * 8,
    input_source="core", source_neurons=90, packet_bits=40, arithmetic=Arithmetic("spinnaker"),
    times=CoreTimes(*[math.nan] * 6), network=NetworkTimes(*[math.nan] * 7, queue=4),
)  # fmt: skip
"""As large as it takes: triangular torus of 18-core chips, of which 16 run the network."""

LOIHI = dataclasses.replace(
    SPINNAKER, name="loihi", columns=40, rows=40, tiles=1600, cores_per_tile=4, topology="mesh", die_columns=8,
    die_rows=4, multicast=False, router_entries=None, step_s=None, neurons=1024, axons_in=4096, axons_out=4096,
    max_delay=62, delay_extension=False, core_memory=128 * KIB, core_reserved=0.0, synapse_bits=16, row_bits=32,
    state_bits=0.0, buffer_bits=0.0, rows_in_tile=False, tile_memory=None, input_source="host", shares_cores=True,
)  # fmt: skip

LARGE = dataclasses.replace(SPINNAKER, columns=25, rows=24, tiles=600, neurons=128, router_entries=16384)
"""Random networks at this size leave no two routes alike, which longer tables alone can hold."""

CASES: dict[str, tuple[Machine, int, int, float, float]] = {
    "100k neurons, 10 M synapses, multicast": (SPINNAKER, 100_000, 100, 1.0, 60.0),
    "100k neurons, 10 M synapses at random, multicast": (SPINNAKER, 100_000, 100, 0.0, 60.0),
    "100k neurons, 10 M synapses, unicast": (LOIHI, 100_000, 100, 1.0, 60.0),
    "1 M neurons, 10 M synapses, multicast": (
        dataclasses.replace(SPINNAKER, columns=28, rows=28, tiles=784), 1_000_000, 10, 1.0, 600.0,
    ),
    "1 M neurons, 50 M synapses, multicast": (
        dataclasses.replace(SPINNAKER, columns=28, rows=28, tiles=784), 1_000_000, 50, 1.0, 600.0,
    ),
    "1 M neurons, 50 M synapses at random, multicast": (LARGE, 1_000_000, 50, 0.0, 600.0),
}  # fmt: skip
"""Machine, neurons, synapses of each, share of them near by, seconds to stay under."""

QUICK = {"10k neurons, 200k synapses, multicast": (SPINNAKER, 10_000, 20, 0.8, 60.0)}


def sheet(neurons: int, fan: int, near: float, seed: int = 0) -> SpikingNetwork:
    """A tenth input, the rest 4:1 excitatory and inhibitory on a line that winds over a sheet, `fan` targets each."""
    rng = np.random.default_rng(seed)
    excitatory = int(0.72 * neurons)
    sizes = (neurons // 10, excitatory, neurons - neurons // 10 - excitatory)
    names = MODELS["linear"]
    populations = [Population("input", (sizes[0],), "input")]
    for name, size in zip(("excitatory", "inhibitory"), sizes[1:], strict=True):
        populations.append(Population(name, (size,), "linear", dict.fromkeys(names, np.ones(size))))
    projections = []
    for source in range(3):
        for target, share in ((1, 0.8), (2, 0.2)):
            count = round(fan * share)
            rows = np.empty((sizes[source], count), np.int32)
            reach = max(2 * fan, sizes[target] // 200)
            for a in range(0, sizes[source], 100_000):  # in parts: the builder must not need more than the network
                own = np.arange(a, min(a + 100_000, sizes[source]))
                centre = own * sizes[target] // sizes[source]
                close = (centre[:, None] + rng.integers(-reach, reach + 1, (own.size, count))) % sizes[target]
                far = rng.integers(0, sizes[target], close.shape)
                rows[own] = np.sort(np.where(rng.random(close.shape) < near, close, far), axis=1)
            index = rows.ravel()
            indptr = np.arange(sizes[source] + 1, dtype=np.int64) * count
            weight = np.ones(index.size, np.float32)
            delay = rng.integers(1, 17, index.size, np.uint8)
            name = f"{populations[source].name} to {populations[target].name}"
            projections.append(Projection(name, source, target, indptr, index, weight, delay))
    return SpikingNetwork("sheet", tuple(populations), tuple(projections), (0,), (1,), 1e-3)


def components() -> Architecture:
    kind = ComponentKind("plain", "names only")
    core = Component("chip.tile.core", kind, 16, None, None, {})
    return Architecture("chip", "", Component("chip", kind, 1, None, None, {"core": core}), "chip")


def peak_mib() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def case(name: str) -> dict[str, Any]:
    from neuromorph.devices.manycore.place import place_network

    machine, neurons, fan, near, reach = (CASES | QUICK)[name]
    place_network(sheet(2000, 20, near), components(), machine)  # compiles
    network = sheet(neurons, fan, near)
    before = peak_mib()
    stages: dict[str, float] = {}
    begin = last = time.perf_counter()
    stage = ""

    def note(done: float, what: str) -> None:
        nonlocal last, stage
        now = time.perf_counter()
        if stage:
            stages[stage] = round(now - last, 2)
        last, stage = now, what

    placement = place_network(network, components(), machine, progress=note)
    seconds = time.perf_counter() - begin
    return {
        "name": name,
        "seconds": seconds,
        "value": seconds,
        "unit": "s",
        "reach": reach,
        "better": "lower",
        "synapses": network.synapses,
        "cores": placement.explain()["summary"]["cores"],
        "slices": len(placement.slices),
        "hops": dict(placement.costs),
        "router_entries": int(placement.routing.entries.max()),
        "router_entries_raw": int(placement.routing.entries_raw.max()),
        "peak_mib": peak_mib(),
        "peak_before_mib": before,
        "stages_s": stages,
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if len(arguments) == 2 and arguments[0] == "--case":
        show([case(arguments[1])])
        return 0
    options = parse(__doc__, arguments)
    for name in QUICK if options.quick else CASES:
        command = [sys.executable, "-m", "benchmarks.bench_manycore_mapping", "--case", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return 1
        show([json.loads(done.stdout.splitlines()[-1])])
    return 0


if __name__ == "__main__":
    sys.exit(main())
