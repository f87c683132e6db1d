"""Write the network of ../nmnist as a NIR file in steps of 1 ms, and 20 of its test recordings in such steps.

    python examples/nir/make.py [--network-only]

The network is `../nmnist/nmnist-conv`, trained in steps of 10 ms, with nothing trained again: a spike is worth the same
to the membrane, a tenth of each bias is added in a tenth of the time, and the membranes leak with the same 40 ms. The
recordings need the subset that ../nmnist/data.py describes; --network-only does without it.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
NMNIST = HERE.parent / "nmnist"
DT_S, STEPS = 1e-3, 300
PER_CLASS = 2


def network() -> Any:
    """The graph over 300 steps of 1 ms."""
    from neuromorph.graph.operators.neurons import LIF, Integrator
    from neuromorph.importers import read_graph

    slow = read_graph(NMNIST / "nmnist-conv.nmg.json")
    nodes = []
    for node in slow.nodes:
        operator: Any = node.operator
        if isinstance(operator, LIF | Integrator):
            semantics = dataclasses.replace(operator.semantics, dt_s=DT_S)
            # euler: an input adds dt r / tau, for the integrator dt r, to the membrane
            r = operator.r * operator.semantics.dt_s / DT_S
            operator = dataclasses.replace(operator, r=r, semantics=semantics)
        elif getattr(operator, "bias", None) is not None:
            operator = dataclasses.replace(operator, bias=operator.bias / 10)
        nodes.append(dataclasses.replace(node, operator=operator))
    return dataclasses.replace(slow, name="network", input_shapes={"events": (STEPS, 2, 34, 34)}, nodes=tuple(nodes))


def chosen(labels: np.ndarray) -> np.ndarray:
    """The first recordings of each class, in the order of the data set."""
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:PER_CLASS] for c in range(10)]))


def recordings() -> tuple[Any, np.ndarray]:
    """20 test recordings in steps of 1 ms, and their labels."""
    sys.path.insert(0, str(NMNIST))
    import data  # type: ignore[import-not-found]

    raster, labels = data.subset(True, DT_S, STEPS)
    order = chosen(labels)
    return raster.take(order), labels[order]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--network-only", action="store_true", help="leave the recordings as they are")
    parser.add_argument("-o", "--output", type=Path, default=HERE, help="folder that is written to")
    options = parser.parse_args(argv)
    from neuromorph.events import write_events
    from neuromorph.importers import save_graph

    print(f"written: {save_graph(network(), options.output / 'network.nir')}")
    if not options.network_only:
        print(f"written: {write_events(options.output / 'events.h5', *recordings())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
