"""What every report says about how it was made."""

from __future__ import annotations

import hashlib
import platform
from typing import TYPE_CHECKING, Any

from neuromorph.graph.arrays import ShapeOnly
from neuromorph.version import __version__

if TYPE_CHECKING:
    from neuromorph.devices.result import Execution
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture


def provenance_of(
    graph: Graph, architecture: Architecture, seed: int, time_s: float, execution: Execution | None, off: list[str]
) -> dict[str, Any]:
    """Versions, names, hashes, seed and sizes of a run."""
    return {
        "neuromorph": __version__,
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
            known = not isinstance(array, ShapeOnly)
            h.update(name.encode() + (array.tobytes() if known else f"{array.dtype.str}{array.shape}".encode()))
    return h.hexdigest()
