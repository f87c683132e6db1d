"""Which spikes of which neuron a core misses, from the packets that timing saw lost or late."""

from __future__ import annotations

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.devices.manycore.losses import Losses
from neuromorph.devices.manycore.tally.noc.recursion import LATE_ROW, LOST_BELOW
from neuromorph.devices.manycore.tally.noc.steps import StepTimes


def missing(times: StepTimes, late_comes: bool) -> Losses:
    """Losses of a run. late_comes: late packets are served in the next step; else they are lost too."""
    r, gone = times.fabric.routes, times.gone
    below = gone[:, 1] == LOST_BELOW
    single, many = gone[~below], gone[below]
    pairs, where = np.unique(many[:, 2:], axis=0, return_inverse=True)
    ends, found = _rows_below(pairs, r.row_ptr, r.row_target, r.target_node.astype(np.int64), r.node_parent)
    count = np.diff(ends)[where.ravel()]
    offset = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    rows = np.concatenate([single[:, 2], found[np.repeat(ends[:-1][where.ravel()], count) + offset]])
    step = np.concatenate([single[:, 0], np.repeat(many[:, 0], count)])
    late = np.concatenate([(single[:, 1] == LATE_ROW) & late_comes, np.zeros(offset.size, np.bool_)])
    neuron = np.searchsorted(r.row_ptr, rows, side="right") - 1
    return Losses.of(times.makespan_s.size, step, neuron, r.target_core[r.row_target[rows]], late, r.cores)


@compiled
def _rows_below(
    pairs: np.ndarray, row_ptr: np.ndarray, row_target: np.ndarray, node_of: np.ndarray, parent: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(ends, rows): the synaptic rows of each neuron in pairs (n, 2) of (node, neuron) that lie at or below it."""
    ends, found = np.zeros(pairs.shape[0] + 1, np.int64), np.zeros(0, np.int64)
    for turn in range(2):
        k = 0
        for n in range(pairs.shape[0]):
            node, neuron = pairs[n, 0], pairs[n, 1]
            for row in range(row_ptr[neuron], row_ptr[neuron + 1]):
                at = node_of[row_target[row]]
                while at >= 0 and at != node:
                    at = parent[at]
                if at == node:
                    if turn:
                        found[k] = row
                    k += 1
            ends[n + 1] = k
        if turn == 0:
            found = np.zeros(k, np.int64)
    return ends, found
