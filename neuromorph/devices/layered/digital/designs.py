"""Counts of many digital designs at once, with the arithmetic of `counting` on (design, matrix) arrays.

Each layer is on as many cores as its weights need memories; a core holds tiles of one layer only.
"""

from __future__ import annotations

import numpy as np

from neuromorph.devices.layered.codes import layer_bits
from neuromorph.devices.layered.core import Assumption
from neuromorph.devices.layered.design_counts import DenseLayers, DesignCounts, column
from neuromorph.devices.layered.digital import counting
from neuromorph.devices.layered.tiling import dense_extent, whole_parts
from neuromorph.devices.layered.windows import fetched_bits
from neuromorph.hardware.component import Component


def design_counts(layers: DenseLayers, unit: Component, assumption: Assumption) -> DesignCounts:
    """Counts of a dense network with assumed activity, one copy of each layer."""
    s, memory = unit.settings, unit["weight_buffer"]
    extent = dense_extent(layers.groups, layers.rows, layers.columns, column(s.rows), column(s.columns))
    weight_bits = layer_bits(column(s.weight_bits), layers.weight_bits, 1, s.precision)
    input_bits = layer_bits(column(s.input_bits), layers.input_bits, 1, s.precision)
    dense = extent.weights * layers.products
    fetched = fetched_bits(unit, extent.rows, layers.products, layers.distinct, layers.held, input_bits)
    given = layers.groups * layers.columns * layers.products * column(s.accumulator_bits)
    counts = counting.actions(
        extent,
        macs=dense * assumption.density if s.skip_zeros else dense,
        products=layers.products,
        fetched=fetched,
        bits=(weight_bits, input_bits, column(s.accumulator_bits)),
    )
    busy = counting.seconds(extent, layers.products, column(s.clock))
    counts |= {(name, "busy"): busy * column(child.count) for name, child in unit.parts.items()}
    stored = layers.per_node(extent.weights * weight_bits)
    capacity = column(memory.settings.capacity * memory.count)
    cores = np.ceil(stored / capacity)
    tiles = layers.per_node(extent.tiles)
    share = whole_parts(tiles, np.minimum(cores, tiles)) / tiles
    feasible = np.atleast_1d(np.asarray(s.rows) * np.asarray(s.columns) <= unit["mac"].count)
    for name in ("weight_bits", "input_bits", "accumulator_bits"):
        feasible = feasible & (np.asarray(getattr(s, name)) <= getattr(unit["mac"].settings, name))
    totals = {key: np.asarray(value).sum(axis=-1) for key, value in counts.items()}
    needed = np.ceil(stored.sum(axis=-1, keepdims=True) / capacity)[..., 0]  # layers may share a memory
    joined = ((extent.columns - layers.groups * layers.columns) * layers.products).sum(axis=-1)
    depth = (column(s.rows) + column(s.columns)) / column(s.clock)
    carried, taken = (fetched + given).sum(axis=-1), np.sum(fetched, axis=-1)
    return DesignCounts(
        totals, carried, taken, layers.per_node(busy) * share, np.atleast_2d(depth), joined, needed, needed, feasible
    )
