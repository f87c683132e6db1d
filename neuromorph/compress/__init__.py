"""Compression, graph to graph: pruning, quantization, binarization, ternarization, any other number format.

Every function returns a new graph and keeps masks, scales and formats on the operators, where mapping,
execution and cost read them. Nothing here imports torch before it is used.
"""

from neuromorph.compress.casting import cast
from neuromorph.compress.pruning import prune
from neuromorph.compress.quantization import binarize, calibrate, quantize, ternarize
from neuromorph.compress.removal import remove_channels
from neuromorph.compress.rewinding import Trainer, iterative_prune, schedule
from neuromorph.compress.sizes import Compression, LayerSize, summary
from neuromorph.compress.steps import Step, apply_steps, needs_data, parse_steps

__all__ = [
    "Compression",
    "LayerSize",
    "Step",
    "Trainer",
    "apply_steps",
    "binarize",
    "calibrate",
    "cast",
    "iterative_prune",
    "needs_data",
    "parse_steps",
    "prune",
    "quantize",
    "remove_channels",
    "schedule",
    "summary",
    "ternarize",
]
