"""Maps trained networks onto architectures, runs them there and writes the reports.

    python examples/demo.py --output demo-output

Eight MNIST networks (an MLP and LeNet-5, each in float, 8 bit, 4 bit and 90 % pruned) times five architectures, ten
chips each. Then three spiking networks (LeNet-5 converted to eight time steps, event-camera digits, spoken digits with
a delay per synapse) on many-core chips and, where they have what it takes, on a crossbar and a digital chip. Then two
transformers (characters, Fashion-MNIST; float, 8 and 4 bits) on a PCM chip, a MAC array and ISAAC-like crossbars.
Networks and data are in examples/. Results do not depend on the number of workers. Interrupted, the same command goes
on with what is missing.
"""

from __future__ import annotations

import argparse
import dataclasses
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
EXAMPLES = Path(__file__).parent
SPIKING = {
    "lenet-snn": ("mnist_snn/lenet-snn.nmg.json", "mnist/mnist5k.npz"),
    "nmnist-conv": ("nmnist/nmnist-conv.nmg.json", "nmnist/nmnist-test.npz"),
    "digits-delays": ("spoken_digits/digits-delays.nmg.json", "spoken_digits/digits-test.npz"),
}
# Networks that an architecture of the demo does not take: integer cores take spikes, the converted LeNet gets values;
# delays per synapse are of many-core chips.
LEFT_OUT = {
    ("lenet-snn", "spinnaker1"), ("lenet-snn", "loihi-like"),
    ("digits-delays", "digital-int8"), ("digits-delays", "hermes-like"),
}  # fmt: skip
# Samples per architecture, and chips drawn where chips differ.
MANYCORE = {"spinnaker1": (100, 1), "spinnaker2": (100, 1), "loihi-like": (100, 1)}
LAYERED = {"digital-int8": (100, 1), "hermes-like": (50, 4)}


# Rows of 64 characters, and images, per architecture; a row is 64 products of every matrix.
TRANSFORMERS = {"hermes-like": (6, 60, 2), "digital-int8": (6, 60, 1), "isaac-like": (1, 10, 1)}
WIDTHS = {"": "", "-int8": "quantize:8,activations=8", "-int4": "quantize:4,activations=8,granularity=channel"}
TRANSFORMER_CHANGES = {"digital-int8": {"chip.tile.count": 8}, **CHANGES}  # so that the larger network fits


def share(value: float | None) -> str:
    """An accuracy; unknown where packets are lost or late, so that the chip would compute something else."""
    return "unknown" if value is None else f"{value:7.2%}"


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
        f"{network:15} on {architecture:13} accuracy {share(accuracy.value)}  "
        f"energy {energy.value * 1e9:10.4g} nJ  latency {latency.value * 1e6:9.4g} us"
    )


def run_spiking(network: str, architecture: str, folder: str, samples: int) -> str:
    """Runs one spiking network on one architecture and writes its report; returns a line of text."""
    import torch

    import neuromorph as nm
    from neuromorph.events.inputs import read_inputs
    from neuromorph.spiking.steps import with_steps

    torch.set_num_threads(1)
    model, data = (EXAMPLES / name for name in SPIKING[network])
    graph = nm.read_graph(model)
    inputs, labels = read_inputs(data, graph, limit=samples)
    graph = with_steps(graph, inputs.steps)
    chips = {**MANYCORE, **LAYERED}[architecture][1]
    provenance = {"model_file": model.name, "data_file": data.name}
    report = nm.run(graph, nm.load_architecture(architecture), inputs, labels, trials=chips, seed=SEED, batch=25,
                    provenance=provenance)  # fmt: skip
    nm.write_report(report, folder)
    accuracy, energy, latency = report["accuracy"], report["energy"], report["latency"]
    return (
        f"{network:15} on {architecture:13} accuracy {share(accuracy.value)}  "
        f"energy {energy.value * 1e9:10.4g} nJ  latency {latency.value * 1e6:9.4g} us"
    )


def run_transformer(network: str, architecture: str, folder: str, samples: int) -> str:
    """Runs one transformer on one architecture and writes its report; returns a line of text."""
    import torch

    import neuromorph as nm
    from neuromorph.hardware.paths import replace

    torch.set_num_threads(1)
    name, _, width = network.partition("-")
    graph = nm.read_graph(EXAMPLES / "transformers" / f"{name}.nmg.json")
    inputs, labels = nm.read_data(EXAMPLES / "transformers" / f"{name}-test.npz", limit=samples)
    if width:
        graph = dataclasses.replace(nm.compress(graph, WIDTHS[f"-{width}"], inputs), name=network)
    changes = TRANSFORMER_CHANGES.get(architecture, {})
    report = nm.run(graph, replace(nm.load_architecture(architecture), changes), inputs, labels,
                    trials=TRANSFORMERS[architecture][2], seed=SEED, batch=16,
                    provenance={"model_file": f"{name}.nmg.json", "data_file": f"{name}-test.npz",
                                "changes": [f"{path}={value}" for path, value in changes.items()]})  # fmt: skip
    nm.write_report(report, folder)
    accuracy, energy, latency = report["accuracy"], report["energy"], report["latency"]
    return (
        f"{network:15} on {architecture:13} accuracy {share(accuracy.value)}  "
        f"energy {energy.value * 1e6:10.4g} uJ  latency {latency.value * 1e6:9.4g} us"
    )


def transformer_jobs(samples: int | None) -> list[tuple[str, str, int]]:
    """(network, architecture, samples) of the third part."""
    return [
        (f"{name}{width}", architecture, min(samples or count[k], count[k]))
        for architecture, count in TRANSFORMERS.items()
        for k, name in enumerate(("characters", "fashion"))
        for width in WIDTHS
    ]


def spiking_jobs(samples: int | None) -> list[tuple[str, str, int]]:
    """(network, architecture, samples) of the second part."""
    both = {**MANYCORE, **LAYERED}
    return [(n, a, samples or s) for a, (s, _) in both.items() for n in SPIKING if (n, a) not in LEFT_OUT]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="demo-output", type=Path, help="folder for the reports")
    parser.add_argument("--chips", default=10, type=int, help="chips drawn per architecture")
    parser.add_argument("--workers", default=min(2, os.cpu_count() or 1), type=int, help="processes")
    parser.add_argument("--samples", type=int, help="test images, instead of each architecture's own number")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    jobs = [(n, a, options.samples or SAMPLES[a]) for a in SAMPLES for n in NETWORKS]
    spiking, transformers = spiking_jobs(options.samples), transformer_jobs(options.samples)
    folders = {(n, a): options.output / a / n for n, a, _ in jobs}
    folders |= {(n, a): options.output / "spiking" / a / n for n, a, _ in spiking}
    folders |= {(n, a): options.output / "transformers" / a / n for n, a, _ in transformers}
    missing = [job for job in [*jobs, *spiking, *transformers] if not (folders[job[:2]] / "report.json").exists()]
    if len(missing) < len(folders):
        print(f"{len(folders) - len(missing)} of {len(folders)} reports exist in {options.output} and are kept")
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        futures = [
            pool.submit(run_spiking, n, a, str(folders[n, a]), samples)
            if n in SPIKING
            else pool.submit(run_transformer, n, a, str(folders[n, a]), samples)
            if n.startswith(("characters", "fashion"))
            else pool.submit(run_one, n, a, str(folders[n, a]), options.chips, samples)
            for n, a, samples in missing
        ]
        for done, future in enumerate(as_completed(futures), 1):
            print(f"[{done}/{len(missing)} {time.perf_counter() - started:5.0f} s] {future.result()}", flush=True)
    compare_all(options.output, [folders[n, a] for n, a, _ in jobs])
    compare_all(options.output / "spiking", [folders[n, a] for n, a, _ in spiking])
    compare_all(options.output / "transformers", [folders[n, a] for n, a, _ in transformers])
    print(f"done in {time.perf_counter() - started:.0f} s: open {options.output / 'compare.html'},")
    print(f"  {options.output / 'transformers' / 'compare.html'},")
    print(f"  {options.output / 'spiking' / 'compare.html'} or a report, e.g.")
    print(f"  {options.output / 'hermes-like' / 'lenet' / 'report.html'}")
    print(f"  {options.output / 'spiking' / 'spinnaker2' / 'nmnist-conv' / 'report.html'}")
    return 0


def compare_all(output: Path, folders: list[Path]) -> None:
    """Writes the comparison of all reports."""
    import neuromorph as nm
    from neuromorph.report import read_report

    nm.compare([read_report(folder) for folder in folders], output)


if __name__ == "__main__":
    sys.exit(main())
