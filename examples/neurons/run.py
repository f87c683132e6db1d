"""Seven neurons under a step of current: when they fire, in floating point and in the s16.15 of SpiNNaker.

    python examples/neurons/run.py [--steps 1000] [--current 10] [-o folder]

A leaky integrate-and-fire neuron, one with an adaptive threshold, and five of Izhikevich's, one graph each kind, a
step of 1 ms. The current sets in after 100 ms. With -o a plot of all spikes is written to that folder.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

DT_S = 1e-3
ONSET = 100
TAU_S, THRESHOLD, DRIVE = 20e-3, 15.0, 20.0
TAU_ADAPT_S, BETA = 100e-3, 1.5

IZHIKEVICH = {
    "regular spiking": (0.02, 0.2, -65.0, 8.0),
    "intrinsically bursting": (0.02, 0.2, -55.0, 4.0),
    "chattering": (0.02, 0.2, -50.0, 2.0),
    "fast spiking": (0.1, 0.2, -65.0, 2.0),
    "low threshold": (0.02, 0.25, -65.0, 2.0),
}
"""a, b, c, d of Izhikevich, IEEE Trans. Neural Networks 14 (2003), figure 2; second hand, basis: assumed."""


def graphs(steps: int, current: float) -> dict[str, Any]:
    """One graph per kind of neuron: an input that is 1 while the current flows, its strength, the neurons."""
    from neuromorph.graph.model import Graph, Node
    from neuromorph.graph.operators.dense import Linear
    from neuromorph.graph.operators.neurons import LIF, AdaptiveLIF, Izhikevich
    from neuromorph.graph.semantics import Semantics

    exact = Semantics(DT_S, "exponential")
    one = np.ones(1)
    leaky = (TAU_S * one, one, 0 * one, THRESHOLD * one, 0 * one)
    a, b, c, d = np.array(list(IZHIKEVICH.values())).T
    kinds = {
        "leaky": (DRIVE, LIF(*leaky, exact)),
        "adaptive": (DRIVE, AdaptiveLIF(*leaky, TAU_ADAPT_S * one, BETA * one, exact)),
        "izhikevich": (current, Izhikevich(a, b, c, d, np.full(a.size, 30.0), Semantics(DT_S))),
    }
    return {
        name: Graph(
            name,
            {"on": (steps, 1)},
            (Node("current", Linear(np.full((neuron.features[0], 1), strength)), ("on",)),
             Node("neurons", neuron, ("current",))),
            ("neurons",),
        )
        for name, (strength, neuron) in kinds.items()
    }  # fmt: skip


def spikes(graph: Any, steps: int, arithmetic: Any = None) -> list[np.ndarray]:
    """Steps after the onset at which each neuron of the graph fires."""
    from neuromorph.devices.manycore.execute import EventEngine
    from neuromorph.events import Raster
    from neuromorph.spiking.lower import lower

    on = (np.arange(steps) >= ONSET).astype(np.float32)
    run = EventEngine(lower(graph), arithmetic).run(Raster.from_dense(on[None, :, None], DT_S))
    fired = run.outputs[0][0] > 0
    return [np.flatnonzero(column) - ONSET for column in fired.T]


def names(kind: str) -> list[str]:
    return list(IZHIKEVICH) if kind == "izhikevich" else [kind]


def closed_form_s() -> tuple[float, float]:
    """Intervals of the leaky neuron, and of the adaptive one once it has adapted, in continuous time.

    v = D (1 - e^(-T/tau)) reaches the threshold, raised by beta e^(-T/tau_adapt) / (1 - e^(-T/tau_adapt)): the sum
    over all spikes before, T apart.
    """
    leaky = TAU_S * math.log(DRIVE / (DRIVE - THRESHOLD))
    low, high = leaky, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        raised = THRESHOLD + BETA / math.expm1(middle / TAU_ADAPT_S)
        if DRIVE * -math.expm1(-middle / TAU_S) < raised:
            low = middle
        else:
            high = middle
    return leaky, high


def interval_text(at: np.ndarray) -> str:
    gaps = np.diff(at)
    return "no interval" if not gaps.size else f"intervals {' '.join(map(str, gaps[:6]))} ... {gaps[-1]} ms"


def lines(found: dict[str, tuple[list[np.ndarray], list[np.ndarray]]], steps: int) -> Iterator[str]:
    """What is printed: `found` holds spikes in float and in fixed point by kind."""
    leaky, adapted = closed_form_s()
    for kind, (exact, fixed) in found.items():
        for name, one, other in zip(names(kind), exact, fixed, strict=True):
            rate = one.size / ((steps - ONSET) * DT_S)
            yield f"{name}: {one.size} spikes, {rate:.1f} Hz, first after {one[0]} ms, {interval_text(one)}"
            shared = min(one.size, other.size)
            alike = int(np.cumprod(one[:shared] == other[:shared]).sum())
            rate = other.size / ((steps - ONSET) * DT_S)
            yield f"  in s16.15: {other.size} spikes, {rate:.1f} Hz, the first {alike} at the same ms"
    yield f"closed form: leaky every {leaky * 1e3:.2f} ms, adaptive in the end every {adapted * 1e3:.2f} ms"


def run(steps: int, current: float) -> dict[str, tuple[list[np.ndarray], list[np.ndarray]]]:
    """Spikes by kind, in float and in the arithmetic of SpiNNaker 1."""
    from neuromorph.devices.manycore import read_machine
    from neuromorph.hardware.catalog import load_architecture

    arithmetic = read_machine(load_architecture("spinnaker1")).arithmetic
    return {
        kind: (spikes(graph, steps), spikes(graph, steps, arithmetic)) for kind, graph in graphs(steps, current).items()
    }


def plot(found: dict[str, tuple[list[np.ndarray], list[np.ndarray]]], path: Path) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    labels = [name for kind in found for name in names(kind)]
    figure, axes = pyplot.subplots(figsize=(9, 4), layout="constrained")
    for side, (colour, offset) in enumerate((("tab:blue", 0.2), ("tab:orange", -0.2))):
        rows = [at for pair in found.values() for at in pair[side]]
        axes.eventplot(rows, lineoffsets=np.arange(len(rows)) + offset, linelengths=0.35, colors=colour)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("ms after the onset of the current; blue float, orange s16.15")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=1000, help="milliseconds, the first 100 of them without current")
    parser.add_argument("--current", type=float, default=10.0, help="of Izhikevich's neurons")
    parser.add_argument("-o", "--output", type=Path, help="folder a plot is written to")
    options = parser.parse_args(argv)
    found = run(options.steps, options.current)
    for line in lines(found, options.steps):
        print(line)
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
        print(f"written: {plot(found, options.output / 'spikes.png')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
