"""One network, many energies: NeuroBench's counts, the accountings papers use, chips, and the break-even.

    python examples/accounting/run.py [--samples 10]

`nmnist-conv` (../nmnist) hears events and adds weights of spikes alone. `lenet-snn` (../mnist_snn) is a LeNet in 8
steps whose image is a constant current; its partner of equal accuracy is lenet-qcfs, the network without spikes that it
was converted from, on the same images. Numbers are of one inference.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[1]
PARTNER = EXAMPLES / "mnist_snn" / "lenet-qcfs.nmg.json"
IMAGES = EXAMPLES / "mnist" / "mnist5k.npz"

NETWORKS: dict[str, tuple[Path, Path, tuple[str, ...]]] = {
    "nmnist-conv": (
        EXAMPLES / "nmnist" / "nmnist-conv.nmg.json", EXAMPLES / "nmnist" / "nmnist-test.npz",
        ("spinnaker2", "loihi-like", "spinnaker1"),
    ),
    "lenet-snn": (EXAMPLES / "mnist_snn" / "lenet-snn.nmg.json", IMAGES, ("spinnaker2",)),
}  # fmt: skip
"""Network, data, and chips that take them; those in whole numbers take no currents from outside."""


def read(name: str, samples: int) -> tuple[Any, Any, Any]:
    """Graph, events and labels of a spiking network."""
    from neuromorph.events.inputs import read_inputs
    from neuromorph.importers import read_graph

    model, data, _ = NETWORKS[name]
    graph = read_graph(model)
    return (graph, *read_inputs(data, graph, limit=samples))


def on_chip(graph: Any, events: Any, labels: Any, name: str) -> tuple[float, float | None, str]:
    """Energy, the static part of it (None: no source gives it) and the boundary of both."""
    import neuromorph as nm

    chip = nm.load_architecture(name)
    report = nm.run(graph, chip, events, labels, workload=False)
    return report["energy"].value, report["static_energy"].value, chip.boundary


def joule(energy_j: float) -> str:
    return f"{energy_j * 1e6:12.4f} uJ"


def counts(works: dict[str, Any]) -> Iterator[str]:
    """NeuroBench's counts, a column per network."""
    yield f"{'NeuroBench, per sample':24s}" + "".join(f"{name:>14s}" for name in works)
    for name, what in (
        ("footprint (B)", "footprint_bytes"), ("connection sparsity", "connection_sparsity"),
        ("activation sparsity", "activation_sparsity"), ("dense operations", "dense"),
        ("effective MACs", "effective_macs"), ("effective ACs", "effective_acs"),
    ):  # fmt: skip
        yield f"{name:24s}" + "".join(f"{getattr(w, what):14.6g}" for w in works.values())


def energies(name: str, found: Any, priced: dict[str, tuple[float, float | None, str]]) -> Iterator[str]:
    """Accountings and chips for one network, and how far they are apart."""
    from neuromorph.costing.accounting import accounts

    yield f"{name}:"
    all_of = {f"{a.scheme} ({a.precision})": a.energy_j for a in accounts(found)}
    apart = max(all_of.values()) / min(all_of.values())
    for scheme, energy in all_of.items():
        yield f"  {scheme:20s} {joule(energy)}"
    for chip, (energy, static, boundary) in priced.items():
        part = "static power not modelled" if static is None else f"{static / energy:.0%} static"
        yield f"  {chip:20s} {joule(energy)}   {boundary}, {part}"
        all_of[chip] = energy
    low, high = min(all_of, key=all_of.__getitem__), max(all_of, key=all_of.__getitem__)
    yield f"  accountings alone are {apart:.3g} times apart; {high} is {all_of[high] / all_of[low]:.3g} times {low}"


def lines(samples: int, chips: bool = True) -> Iterator[str]:
    """What is printed."""
    from neuromorph.costing.accounting import accounts, break_even
    from neuromorph.graph.data import read_data
    from neuromorph.graph.workload import count_work
    from neuromorph.importers import read_graph

    runs = {name: read(name, samples) for name in NETWORKS}
    works = {name: count_work(graph, events) for name, (graph, events, _) in runs.items()}
    partner = count_work(read_graph(PARTNER), read_data(IMAGES, limit=samples)[0])
    yield from counts({**works, "lenet-qcfs": partner})
    for name, found in works.items():
        priced = {chip: on_chip(*runs[name], chip) for chip in NETWORKS[name][2]} if chips else {}
        yield from energies(name, found, priced)
    yield "lenet-snn over lenet-qcfs: " + ", ".join(
        f"{a.scheme} ({a.precision}) {a.energy_j / b.energy_j:.2f}"
        for a, b in zip(accounts(works["lenet-snn"]), accounts(partner), strict=True)
    )
    yield fair("lenet-snn, measured", break_even(works["lenet-snn"], partner=partner))
    yield fair("lenet-snn, assumed", break_even(works["lenet-snn"]))
    yield fair("nmnist-conv, assumed", break_even(works["nmnist-conv"]))


def fair(name: str, b: Any) -> str:
    """A spiking network against a partner in one pass with fewer bits, in one scheme."""
    at = "at no rate: what does not spike costs more" if b.break_even is None else f"at {b.break_even:.3f} spikes"
    return (
        f"{name} density {b.ann_density:.3f}: {b.snn_j * 1e6:.4f} uJ at {b.spikes:.3f} spikes per neuron against "
        f"{b.ann_j * 1e6:.4f} uJ in one pass of {b.bits} bits; alike {at}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--samples", type=int, default=10, help="recordings and images")
    parser.add_argument("--no-chips", action="store_true", help="accountings alone")
    options = parser.parse_args(argv)
    for line in lines(options.samples, not options.no_chips):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
