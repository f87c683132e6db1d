"""Counts of actions per sample: the only bridge between what was computed and what it costs."""

from neuromorph.activity.layers import (
    Activity,
    ActivityRow,
    assume,
    core_of,
    gather,
    hosted,
    tile_values,
    vector_counts,
)
from neuromorph.activity.manycore import gather_network

__all__ = [
    "Activity",
    "ActivityRow",
    "assume",
    "core_of",
    "gather",
    "gather_network",
    "hosted",
    "tile_values",
    "vector_counts",
]
