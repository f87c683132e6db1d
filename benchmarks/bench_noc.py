"""Synaptic events per second with network-on-chip timing on 128 cores: execution, counts and times of every step.

    python -m benchmarks.bench_noc [--quick]

The networks of bench_events, spread over 8 x 4 tiles of 4 cores. Baseline: SANA-FE with its detailed timing, where
NEUROMORPH_SANAFE names it (see bench_events); without it only the speed is printed. Spikes go out as one packet per
target core, as SANA-FE's do (unicast), or as one packet that is copied on its way (multicast); "hold" computes what a
full queue of 16 holds up, "grow" lets queues grow. A row at the end tells how far queues that grow are off; the tests
hold those that hold to a simulation.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from benchmarks.bench_events import CASES, GRID, QUICK, Case, case, checksum, network
from benchmarks.timing import Times, parse, show
from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.devices.manycore.machine import CoreTimes, Machine, NetworkTimes
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.place.shapes import Grid, Lists, Routing, Slices
from neuromorph.devices.manycore.tally.noc import fabric_of, step_times
from neuromorph.devices.manycore.tally.routes import routes_of
from neuromorph.devices.manycore.tally.spikes import count_traffic
from neuromorph.events.raster import Raster
from neuromorph.spiking.arithmetic import Arithmetic

TILES = Grid(8, 4, 32, 4, "mesh", 8, 4)
CORES = 128
TIMES = CoreTimes(step_s=0.0, neuron_s=9.7e-9, packet_s=16e-9, synapse_s=3.8e-9, spike_s=30e-9, plastic_s=0.0)
"""Of the chip file that the baseline runs with."""
LINKS = NetworkTimes(
    hop_s=5.3e-9, link_s=4.1e-9, bridge_hop_s=0.0, bridge_link_s=0.0, inject_s=5.1e-9, eject_s=4.1e-9, barrier_s=1e-6,
    queue=16,
)  # fmt: skip
"""Hops, ports, barrier and queue as there (the mean of both directions); its links take no time, these the faster's."""


def machine(multicast: bool) -> Machine:
    """Without limits: only times matter here."""
    return Machine(
        name="bench", columns=8, rows=4, tiles=32, cores_per_tile=4, topology="mesh", die_columns=8, die_rows=4,
        multicast=multicast, router_entries=None, step_s=None, neurons=None, axons_in=None, axons_out=None,
        fan_in=None, min_delay=1, max_delay=62, delay_extension=False, weight_bits=9, core_memory=0.0,
        core_reserved=0.0, synapse_bits=0.0, row_bits=0.0, state_bits=0.0, buffer_bits=0.0, rows_in_tile=False,
        tile_memory=None, input_source="core", source_neurons=0, packet_bits=0.0, arithmetic=Arithmetic(),
        times=TIMES, network=LINKS,
    )  # fmt: skip


def lists(rows: Sequence[Sequence[int]]) -> Lists:
    indptr = np.concatenate(([0], np.cumsum([len(r) for r in rows]))).astype(np.int64)
    return Lists(indptr, np.array([v for r in rows for v in r], np.int32))


def spread(given: Case, multicast: bool) -> CorePlacement:
    """Equal shares of the neurons on all cores in order; trees go along x, then along y."""
    made = network(given)
    n = made.neurons
    share = -(-n // CORES)
    start = np.arange(0, n, share, dtype=np.int64)
    stop = np.minimum(start + share, n)
    core_of = np.arange(n) // share
    targets, trees = [], []
    for s, (a, b) in enumerate(zip(start, stop, strict=True)):
        mine = np.unique(core_of[given.index[given.indptr[a] : given.indptr[b]]]).tolist()
        links: list[int] = []
        reached = {s // 4}
        for tile in dict.fromkeys(c // 4 for c in mine):
            x, y = s // 4 % 8, s // 4 // 8
            while (x, y) != (tile % 8, tile // 8):
                dx, dy = np.sign(tile % 8 - x), np.sign(tile // 8 - y)
                move = (int(dx), 0) if dx else (0, int(dy))
                link = (y * 8 + x) * 4 + TILES.step.index(move)
                x, y = x + move[0], y + move[1]
                if y * 8 + x not in reached:
                    reached.add(y * 8 + x)
                    links.append(link)
        targets.append(mine)
        trees.append(links)
    none, zeros = np.zeros(start.size, np.int64), np.zeros(32)
    routing = Routing(multicast, lists(targets), lists(trees), None, none, none, zeros, zeros)
    slices = Slices(none, start, stop, np.arange(start.size))
    empty = np.zeros(CORES)
    return CorePlacement(
        None, made, cast(Any, None), TILES, slices, routing, empty, empty, zeros, (), {}, 0, "none"
    )  # fmt: skip


def sanafe(kind: str, neurons: int, fan_out: int, steps: int) -> dict[str, Any] | None:
    """What the peer measures of itself with detailed timing on all cores; None where it is not installed."""
    command = shlex.split(os.environ.get("NEUROMORPH_SANAFE", ""))
    if not command:
        return None
    options = {"net": kind, "neurons": neurons, "fanout": fan_out, "steps": steps, "mapping": "spread"}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [*command, *words, "--timing", "detailed"], capture_output=True, text=True, check=False, timeout=600
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(found[-1]) if found else None


def least(work: Callable[[], object], repeats: int) -> Times:
    work()
    times = Times()
    for _ in range(repeats):
        times.run(work)
    return times


def speed_rows(kind: str, neurons: int, fan_out: int, steps: int, repeats: int) -> list[dict[str, Any]]:
    """One network in all forms."""
    given = case(kind, neurons, fan_out)
    peer = sanafe(kind, neurons, fan_out, steps)
    engine = EventEngine(network(given), Arithmetic(state_grid=GRID))
    found = []
    for multicast in (True, False):
        placement, chip = spread(given, multicast), machine(multicast)
        routes = routes_of(placement)
        for full in ("hold", "grow"):
            fabric = fabric_of(placement, chip, full=full, routes=routes)

            def work() -> tuple[Raster, float]:
                spikes = engine.run([], steps=steps).spikes
                traffic = count_traffic(placement, spikes, routes)  # noqa: B023
                times = step_times(fabric, spikes)  # noqa: B023
                return spikes, float(traffic.events.sum() + 0 * times.makespan_s.sum())

            times = least(work, repeats)
            spikes, events = work()
            speed = events / min(times.wall_s)
            row = {
                "name": f"events with NoC timing, {given.name}, {'multicast' if multicast else 'unicast'}, {full}",
                "value": speed / 1e6, "unit": "M/s", "reach": 20, "better": "higher", "events": events,
                "wall_s": min(times.wall_s), "cpu_s": min(times.cpu_s),
                "million_events_per_cpu_s": events / min(times.cpu_s) / 1e6,
            }  # fmt: skip
            found.append(row)
            if peer is not None:
                assert peer["fired_checksum"] == checksum(np.diff(spikes.indptr)), given.name
                assert peer["synaptic_events"] == events, given.name
                theirs = events / peer["wall_sim_s"]
                found.append({
                    "name": f"{row['name']}, against the peer", "ratio": speed / theirs, "reach": 50,
                    "better": "higher", "baseline": "SANA-FE, detailed timing",
                    "baseline_million_events_per_s": theirs / 1e6,
                    "cpu_ratio": peer["cpu_sim_s"] / min(times.cpu_s),
                })  # fmt: skip
    return found


def growing_row() -> dict[str, Any]:
    """How far makespans are off where queues grow, in a few busy steps in which full queues hold their senders."""
    given = case("rec", 1024, 100)
    spikes = EventEngine(network(given), Arithmetic(state_grid=GRID)).run([], steps=24).spikes
    first, last = (int(v) for v in spikes.indptr[[20, 24]])
    busy = Raster(1, 4, spikes.shape, spikes.indptr[20:25] - first, spikes.index[first:last])
    off = []
    for multicast in (True, False):
        held, grown = (
            step_times(fabric_of(spread(given, multicast), machine(multicast), full=full), busy)
            for full in ("hold", "grow")
        )
        assert held.crowded.sum() > 0
        off.append(abs(float(grown.makespan_s.mean() / held.makespan_s.mean()) - 1))
    return {
        "name": "makespan of a step, queues that grow", "value": max(off), "unit": "1", "baseline": "queues that hold",
        "multicast": off[0], "unicast": off[1],
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    quick = parse(__doc__, argv).quick
    for given in QUICK if quick else CASES:
        show(speed_rows(*given, 2 if quick else 5))
    show([growing_row()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
