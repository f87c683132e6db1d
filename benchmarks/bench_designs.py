"""Speed of closed-form estimates: designs of a crossbar chip per second for ResNet-18, on one core.

Every design differs from the others in rows and columns of the arrays and in bits of cells, drivers, converters,
weights and inputs; each gets its energy by component, interval, latency bounds, area, leakage and need of arrays. The
weights are encoded once per number of bits, which `prepare_s` times. `one_placement_s`: assumed activity and ledger of
one placement.

    python -m benchmarks.bench_designs [--quick]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.bench_mapping import resnet18, with_tiles
from benchmarks.timing import Times, parse, show


def drawn(count: int) -> dict[str, np.ndarray]:
    """Random designs."""
    r = np.random.default_rng(0)
    return {
        "core.array.rows": 2 ** r.integers(6, 11, count),
        "core.array.columns": 2 ** r.integers(6, 11, count),
        "core.array.cell.bits": r.integers(1, 5, count),
        "core.dac.bits": r.integers(1, 5, count),
        "core.adc.bits": r.integers(4, 11, count),
        "core.weight_bits": r.integers(4, 17, count),
        "core.input_bits": r.integers(4, 17, count),
    }


def row(name: str, architecture: Any, work: Any, count: int, repeats: int) -> dict[str, Any]:
    from neuromorph.devices.layered.designs import estimate

    values = drawn(count)
    begin = time.perf_counter()
    estimates = estimate(work, architecture, values)
    prepare = time.perf_counter() - begin
    times = Times()
    for _ in range(repeats):
        times.run(lambda: estimate(work, architecture, values))
    best = count / min(times.wall_s)
    return {
        "name": name,
        "value": best,
        "unit": "designs/s",
        "reach": 50_000,
        "met": best >= 50_000,
        "better": "higher",
        "baseline": "none",
        "cpu_value": count / min(times.cpu_s),
        "prepare_s": prepare,
        "designs": count,
        "feasible": float(estimates.feasible.mean()),
        "layers": len(work.layers.nodes),
        "repeats": repeats,
    }


def placed_seconds(graph: Any, architecture: Any) -> float:
    """Assumed activity and ledger of a given placement."""
    from neuromorph.costing.ledger import price
    from neuromorph.devices.layered.place.placement import place
    from neuromorph.devices.layered.tally.counts import assume

    placement = place(graph, architecture, effort="none", duplicate=False)
    begin = time.perf_counter()
    price(assume(placement), architecture)
    return time.perf_counter() - begin


def rows(quick: bool) -> list[dict[str, Any]]:
    """ISAAC-like (arrays priced by time) and the same with arrays priced by conductance."""
    from neuromorph.devices.layered.designs import Workload
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.hardware.paths import replace

    graph = resnet18()
    work = Workload.of(graph)
    isaac = load_architecture("isaac-like")
    priced_by_read = replace(isaac, {"cell.read_voltage": "0.2 V"})
    count, repeats = (8_000, 3) if quick else (60_000, 7)
    found = [
        row("closed form ResNet-18", isaac, work, count, repeats),
        row("closed form ResNet-18, reads by conductance", priced_by_read, work, count, repeats),
    ]
    found[0]["one_placement_s"] = placed_seconds(graph, with_tiles(isaac, 256))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    show(rows(parse(__doc__, argv).quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
