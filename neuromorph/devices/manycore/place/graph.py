"""From a graph over time to its flat form on a many-core chip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuromorph.devices.manycore import read_machine
from neuromorph.errors import InputError
from neuromorph.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.spiking import SpikingNetwork


def flat(graph: Graph, architecture: Architecture) -> SpikingNetwork:
    """The network as the chip runs it, with the delays its hops add. Raises InputError for a graph without time."""
    from neuromorph.graph.decode import over_time
    from neuromorph.spiking.lower import lower, with_min_delay

    if not over_time(graph):
        raise InputError(
            f"{graph.name} has no neurons that work in time, {architecture.name} runs spiking networks",
            hint="convert it first: neuromorph convert",
        )
    return with_min_delay(lower(graph), read_machine(architecture).min_delay)


def place_graph(
    graph: Graph,
    architecture: Architecture,
    *,
    network: SpikingNetwork | None = None,
    rates: np.ndarray | None = None,
    seed: int = 0,
    effort: str = "normal",
    progress: Progress | None = None,
) -> CorePlacement:
    """Place a graph on a many-core chip. network: its flat form where that is known already; rates: expected spikes per
    neuron and sample, (neurons,), equal ones where left out. Raises FitError with every limit that is exceeded."""
    from neuromorph.devices.manycore.place import place_network

    network = flat(graph, architecture) if network is None else network
    return place_network(
        network, architecture, read_machine(architecture), graph=graph, rates=rates, seed=seed, effort=effort,
        progress=progress,
    )  # fmt: skip
