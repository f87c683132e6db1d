"""From outputs over time to one answer per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuromorph.errors import InputError, suggest
from neuromorph.graph.model import Graph

if TYPE_CHECKING:
    import torch

DECODES = ("sum", "last", "max")
"""How the outputs of all steps become one value per class: added up (spike counts, summed membranes), the last one (an
accumulated membrane), or the largest."""


def over_time(graph: Graph) -> bool:
    """Whether the first axis of a sample is time: some operator keeps state or remembers earlier steps."""
    return any(
        n.feedback or any(hasattr(n.operator, name) for name in ("semantics", "delay", "delay_s")) for n in graph.nodes
    )


def decode_of(graph: Graph) -> str:
    """The graph's own choice (metadata "decode"), else "sum". Raises InputError for an unknown one."""
    chosen = graph.metadata.get("decode", "sum")
    if chosen not in DECODES:
        raise InputError(f"{graph.name} asks for decoding {chosen!r}", hint=suggest(chosen, DECODES))
    return chosen


def decoded(outputs: Any, how: str) -> Any:
    """(..., steps, classes) -> (..., classes), numpy arrays and tensors alike."""
    if how == "sum":
        return outputs.sum(-2)
    if how == "last":
        return outputs[..., -1, :]
    found: torch.Tensor | Any = outputs.max(-2)
    return found.values if hasattr(found, "values") else found
