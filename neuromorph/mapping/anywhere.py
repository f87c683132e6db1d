"""Placing on any architecture: tiles of a chip that hosts layers, or cores of a many-core chip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neuromorph.devices.manycore import is_manycore
from neuromorph.errors import InputError, Place

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.mapping.manycore.placement import CorePlacement
    from neuromorph.mapping.placement import Placement


def place_on(
    graph: Graph,
    architecture: Architecture,
    *,
    seed: int = 0,
    effort: str = "normal",
    copies: Mapping[str, int] | None = None,
    duplicate: bool = True,
    rates: np.ndarray | None = None,
) -> Placement | CorePlacement:
    """Place a network on an architecture; see `mapping.placement.place` and `mapping.manycore.graph.place_graph`.

    copies, duplicate: of layers, on chips that host them; rates: expected spikes per neuron, on many-core chips.
    """
    if is_manycore(architecture):
        from neuromorph.mapping.manycore.graph import place_graph

        if copies is not None:
            raise InputError("a many-core chip holds a network once", Place(key="copies"), "leave copies out")
        return place_graph(graph, architecture, rates=rates, seed=seed, effort=effort)
    from neuromorph.mapping.placement import place

    return place(graph, architecture, seed=seed, effort=effort, copies=copies, duplicate=duplicate)


def load_placement_on(path: str | Path, graph: Graph, architecture: Architecture) -> Placement | CorePlacement:
    """Read a placement of either kind back. Raises InputError naming the difference for another graph or chip."""
    if is_manycore(architecture):
        from neuromorph.mapping.manycore.graph import flat
        from neuromorph.mapping.manycore.storage import load_placement as load_cores

        return load_cores(path, flat(graph, architecture), architecture, graph=graph)
    from neuromorph.mapping.placement import load_placement

    return load_placement(path, graph, architecture)
