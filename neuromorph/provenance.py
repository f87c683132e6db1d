"""What every report says about how it was made, and the sections about the network's own work."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import neuromorph

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.devices.layered.execute import Execution
    from neuromorph.events import Raster
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture

WORK_SAMPLES = 256
"""Samples the network's own work is counted on: the counts are means, and this many fix them to a few per mille."""


def provenance_of(
    graph: Graph, architecture: Architecture, seed: int, time_s: float, execution: Execution | None, off: list[str]
) -> dict[str, Any]:
    """Versions, names, hashes, seed and sizes of a run."""
    return {
        "neuromorph": neuromorph.__version__,
        "python": platform.python_version(),
        "network": graph.name,
        "network_hash": graph_digest(graph),
        "architecture": architecture.name,
        "architecture_title": architecture.title,
        "boundary": architecture.boundary,
        "seed": seed,
        "time_s": time_s,
        "effects_off": off,
        "chips": 0 if execution is None else len(execution.trials),
        "samples": 0 if execution is None else execution.samples,
    }


def graph_digest(graph: Graph) -> str:
    """Hash of a graph's weights and structure."""
    h = hashlib.blake2b(digest_size=8)
    for node in graph.nodes:
        # what networks over time have besides, so that the hash of others stays what it was
        timed = [node.feedback, getattr(node.operator, "semantics", None), getattr(node.operator, "plasticity", None)]
        more = "|".join(repr(v) for v in timed if v)
        h.update(f"{node.name}|{type(node.operator).__name__}|{node.inputs}{more}".encode())
        for name, array in sorted(node.operator.arrays().items()):
            h.update(name.encode() + array.tobytes())
    return h.hexdigest()


def work_sections(
    graph: Graph,
    inputs: np.ndarray | Raster,
    partner: Graph | None,
    physical_j: float | None,
    boundary: str,
    rate_hz: float | None,
) -> list[Mapping[str, Any]]:
    """Sections with NeuroBench's counts, the accountings and the break-even, on the first samples."""
    from neuromorph.graph.workload import count_work
    from neuromorph.report.workload import workload_sections

    some = inputs.part(0, WORK_SAMPLES) if hasattr(inputs, "part") else inputs[:WORK_SAMPLES]
    own = count_work(graph, some)
    theirs = None
    if partner is not None:
        dense = some.dense() if hasattr(some, "dense") else some
        theirs = count_work(partner, _static(partner, dense))
    return workload_sections(own, physical_j, boundary, rate_hz=rate_hz, partner=theirs)


def _static(partner: Graph, inputs: np.ndarray) -> np.ndarray:
    """Inputs as a network without time takes them: the mean over steps where the shapes ask for it."""
    (shape,) = partner.input_shapes.values()
    return inputs if tuple(inputs.shape[1:]) == tuple(shape) else inputs.mean(axis=1)
