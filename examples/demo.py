"""Maps trained MNIST networks onto five architectures, runs them on ten chips each and writes the reports.

    python examples/demo.py --output demo-output

Eight networks (an MLP and LeNet-5, each in float, 8 bit, 4 bit and 90 % pruned) times five architectures; the
networks, the 5,000 test images and 512 calibration images are in examples/mnist. Results do not depend on the number
of workers. Interrupted, the same command goes on with what is missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

MNIST = Path(__file__).parent / "mnist"
NETWORKS = tuple(f"{name}{version}" for name in ("mlp", "lenet") for version in ("", "-int8", "-int4", "-pruned90"))
# Test images per architecture; the bit-serial ones compute every product once per input bit and weight slice.
SAMPLES = {"isaac-like": 200, "hermes-like": 1000, "neurram-like": 1000, "sonos-like": 500, "digital-int8": 1000}
# ISAAC as published computes 16 x 16 bits; the networks here have no more than 8.
CHANGES = {"isaac-like": {"core.input_bits": 8, "core.weight_bits": 8}}
CALIBRATION_IMAGES = 128
SEED = 2026


def run_one(network: str, architecture: str, folder: str, chips: int, samples: int) -> str:
    """Runs one network on one architecture and writes its report; returns a line of text."""
    import torch

    import neuromorph as nm
    from neuromorph.hardware.paths import replace

    torch.set_num_threads(1)
    graph = nm.read_graph(MNIST / f"{network}.nmg.json")
    inputs, labels = nm.read_data(MNIST / "mnist5k.npz", limit=samples)
    calibration, _ = nm.read_data(MNIST / "calibration.npz", limit=CALIBRATION_IMAGES)
    chip = replace(nm.load_architecture(architecture), CHANGES.get(architecture, {}))
    report = nm.run(
        graph,
        chip,
        inputs,
        labels,
        calibration_inputs=calibration,
        trials=chips,
        seed=SEED,
        provenance={
            "model_file": f"{network}.nmg.json",
            "data_file": "mnist5k.npz",
            "changes": [f"{path}={value}" for path, value in CHANGES.get(architecture, {}).items()],
        },
    )
    nm.write_report(report, folder)
    accuracy, energy, latency = report["accuracy"], report["energy"], report["latency"]
    return (
        f"{network:15} on {architecture:13} accuracy {accuracy.value:7.2%}  "
        f"energy {energy.value * 1e9:10.4g} nJ  latency {latency.value * 1e6:9.4g} us"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="demo-output", type=Path, help="folder for the reports")
    parser.add_argument("--chips", default=10, type=int, help="chips drawn per architecture")
    parser.add_argument("--workers", default=min(2, os.cpu_count() or 1), type=int, help="processes")
    parser.add_argument("--samples", type=int, help="test images, instead of each architecture's own number")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    jobs = [(n, a, options.samples or SAMPLES[a]) for a in SAMPLES for n in NETWORKS]
    folders = {(n, a): options.output / a / n for n, a, _ in jobs}
    missing = [job for job in jobs if not (folders[job[:2]] / "report.json").exists()]
    if len(missing) < len(jobs):
        print(f"{len(jobs) - len(missing)} of {len(jobs)} reports exist in {options.output} and are kept")
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run_one, n, a, str(folders[n, a]), options.chips, samples) for n, a, samples in missing]
        for done, future in enumerate(as_completed(futures), 1):
            print(f"[{done}/{len(missing)} {time.perf_counter() - started:5.0f} s] {future.result()}", flush=True)
    compare_all(options.output, [folders[n, a] for n, a, _ in jobs])
    print(f"done in {time.perf_counter() - started:.0f} s: open {options.output / 'compare.html'} or a report, e.g.")
    print(f"  {options.output / 'hermes-like' / 'lenet' / 'report.html'}")
    return 0


def compare_all(output: Path, folders: list[Path]) -> None:
    """Writes the comparison of all reports."""
    import neuromorph as nm
    from neuromorph.report import read_report

    nm.compare([read_report(folder) for folder in folders], output)


if __name__ == "__main__":
    sys.exit(main())
