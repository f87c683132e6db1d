"""A sweep over 1,000 prices against running each of its points. Prints one JSON line.

The sweep executes once and prices 1,000 points (Latin hypercube over converter energy, link energy and cell read
time). Each point run by itself costs placement, calibration, execution and pricing; that is timed on some of the
points, as the least of the repeats, and multiplied by their number.

    python benchmarks/bench_sweep.py [--points 1000] [--samples 5000] [--trials 10] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "mnist"
VARY = {
    "adc.energy_per_conversion": "uniform(0.2x, 5x)",
    "link.energy_per_bit_length": "uniform(0.2x, 5x)",
    "cell.read_time": "uniform(0.5x, 2x)",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=str(EXAMPLES / "mlp.nmg.json"))
    parser.add_argument("--data", default=str(EXAMPLES / "mnist5k.npz"))
    parser.add_argument("--architecture", default="hermes-like")
    for name, value in (("points", 1000), ("samples", 5000), ("trials", 10), ("repeats", 3), ("workers", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    a = parser.parse_args()

    from neuromorph.graph.data import read_data
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.importers import read_graph
    from neuromorph.sweep import make_points, parse_axes, sweep
    from neuromorph.sweep.hardware import HardwareEvaluator

    graph, data = read_graph(a.model), read_data(a.data, limit=a.samples)
    architecture = load_architecture(a.architecture)
    points = make_points(parse_axes(VARY), method="lhs", points=a.points)

    def run_alone(point) -> tuple[float, dict]:
        begun = time.perf_counter()
        evaluator = HardwareEvaluator({"": graph}, {"": architecture}, *data, trials=a.trials)
        metrics = evaluator.price(point, evaluator.run(point))
        return time.perf_counter() - begun, metrics

    run_alone(points[0])  # compiles kernels
    alone = [run_alone(points[i * 97 % len(points)]) for i in range(a.repeats)]
    swept = []
    for _ in range(a.repeats):
        begun = time.perf_counter()
        result = sweep(
            graph, architecture, vary=VARY, data=data, trials=a.trials, method="lhs", points=a.points, workers=a.workers
        )
        swept.append(time.perf_counter() - begun)
    rows = [result.rows[i * 97 % len(points)] for i in range(a.repeats)]
    different = {k: (row[k], v) for row, (_, m) in zip(rows, alone, strict=True) for k, v in m.items() if row[k] != v}
    if different:
        raise SystemExit(f"the sweep and single runs differ: {different}")
    one, whole = min(t for t, _ in alone), min(swept)
    print(
        json.dumps(
            {
                "benchmark": "price sweep against running each",
                "model": graph.name,
                "architecture": architecture.name,
                "points": len(points),
                "trials": a.trials,
                "samples": a.samples,
                "workers": a.workers,
                "one_run_s": round(one, 4),
                "running_each_s": round(one * len(points), 2),
                "sweep_s": round(whole, 3),
                "ratio": round(one * len(points) / whole, 1),
                "target": 100,
            }
        )
    )


if __name__ == "__main__":
    main()
