"""Counts of many crossbar designs at once, with the arithmetic of `counting` on (design, matrix) arrays.

Every tile has an array of its own and a layer fills cores of its own one after the other. A placement may let small
tiles share an array and layers share a core; that changes how many share converters, so the time of a step, and nothing
else. Energies differ only where parts are priced by their busy time and conversions take longer than reading.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromorph.devices.layered.codes import layer_bits
from neuromorph.devices.layered.core import Assumption
from neuromorph.devices.layered.crossbar import counting
from neuromorph.devices.layered.crossbar.coding import devices_per_slice
from neuromorph.devices.layered.crossbar.levels import LevelSums
from neuromorph.devices.layered.design_counts import DenseLayers, DesignCounts, column
from neuromorph.devices.layered.tiling import Extent, dense_extent, dense_shared_rows, whole_parts
from neuromorph.devices.layered.windows import fetched_bits
from neuromorph.hardware.component import Component


def design_counts(layers: DenseLayers, unit: Component, assumption: Assumption) -> DesignCounts:
    """Counts of a dense network with assumed activity, one copy of each layer."""
    s, array = unit.settings, unit["array"]
    cell_bits, converter_bits = array["cell"].settings.bits, unit["adc"].settings.bits
    offset = s.signed_weights == "offset"
    least = counting.least_bits(column(cell_bits), offset)
    weight_bits = layer_bits(column(s.weight_bits), layers.weight_bits, least, s.precision)
    input_bits = layer_bits(column(s.input_bits), layers.input_bits, 1, s.precision)
    slice_count = counting.slices(weight_bits, column(cell_bits), offset)
    lines = array.settings
    g = counting.geometry(column(lines.rows), column(lines.columns), slice_count, not offset, lines.pair)
    extent = dense_extent(
        layers.groups, layers.rows, layers.columns, np.maximum(g.weight_rows, 1), np.maximum(g.weight_columns, 1)
    )
    steps = counting.unsigned_steps(s.input_coding, input_bits, column(unit["dac"].settings.bits))
    active, power = counting.assumed_drives(s.input_coding, unit["dac"].settings.bits, assumption)
    drives = layers.products * steps
    rows = dense_shared_rows(layers.groups, layers.rows, extent, column(array.count))
    distinct = layers.distinct * rows / (layers.groups * layers.rows)
    fetched = fetched_bits(unit, rows, layers.products, distinct, layers.held, input_bits)
    converted = counting.converted_steps(s, input_bits, steps)
    row_reads = counting.row_reads(s, input_bits, steps)
    given = counting.given_bits(extent, layers.products, converted, slice_count, column(converter_bits))
    counts = counting.actions(
        extent,
        g,
        products=layers.products,
        steps=counting.drives(s, steps),
        converted=converted,
        row_reads=row_reads,
        slice_count=slice_count,
        active=extent.rows * drives * column(active),
        code=column(counting.assumed_code(converter_bits, assumption)),
        input_bits=input_bits,
        fetched=fetched,
        converter_bits=column(converter_bits),
    )
    if array["cell"].part is not None and "read" in (array.kind.costs or _nothing)(array):
        counts["array", "read"] = _siemens(layers, unit, extent, slice_count) * drives * column(power)
        counts["array", "read"] = counts["array", "read"] * (1 if s.read_phases == "four" else row_reads)
    busy, service, depth, cores = _times(layers, unit, extent, g, slice_count, steps, input_bits)
    totals = {key: value.sum(axis=-1) for key, value in (counts | busy).items()}
    feasible = ((g.weight_rows >= 1) & (g.weight_columns >= 1)).all(axis=-1)
    joined = (extent.columns - layers.groups * layers.columns) * layers.products
    return DesignCounts(
        counts=totals,
        carried=(fetched + given).sum(axis=-1),
        fetched=np.sum(fetched, axis=-1),
        service_s=service,
        depth_s=depth,
        partial_sums=joined.sum(axis=-1),
        arrays=extent.tiles.sum(axis=-1),
        cores=cores.sum(axis=-1),
        feasible=np.reshape(feasible, -1) & ~counting.contradicts(s, cell_bits, unit["dac"].settings.bits),
    )


def _nothing(_: Component) -> dict[str, Any]:
    return {}


def _siemens(layers: DenseLayers, unit: Component, extent: Extent, slice_count: Any) -> Any:
    """Conductance of all cells of each matrix at their targets, every tile's reference columns included."""
    s, cell = unit.settings, unit["array"]["cell"]
    assert cell.part is not None
    levels, reference = _level_sums(layers, unit)
    offset = s.signed_weights == "offset"
    devices = slice_count * devices_per_slice(s.signed_weights)
    references = extent.rows if offset else 0
    low, high = (column(cell.part.value(f"conductance_{end}")) for end in ("min", "max"))
    return counting.conductance(low, high, devices * extent.weights, levels, references, reference * extent.rows)


def _level_sums(layers: DenseLayers, unit: Component) -> tuple[np.ndarray, np.ndarray]:
    """Levels of all weights and of a reference cell in each slice, (designs or 1, matrices) each."""
    s = unit.settings
    sums = layers.cache.setdefault(
        ("levels", s.signed_weights, s.weight_scaling),
        [LevelSums(m, s.signed_weights, s.weight_scaling) for m in layers.matrices],
    )
    bits, cells = (np.atleast_1d(b) for b in np.broadcast_arrays(s.weight_bits, unit["array"]["cell"].settings.bits))
    # a pair of small numbers as one, so that each occurring combination is looked up once
    combined, index = np.unique(bits * 64 + cells, return_inverse=True)
    found = np.array([_levels_of(sums, layers, unit, int(c) // 64, int(c) % 64) for c in combined])
    return found[index, :, 0], found[index, :, 1]


def _levels_of(
    sums: list[LevelSums], layers: DenseLayers, unit: Component, bits: int, cell_bits: int
) -> list[tuple[float, float]]:
    """(weights, reference) of every matrix on cores of these weight and cell bits."""
    least = counting.least_bits(cell_bits, unit.settings.signed_weights == "offset")
    own = layer_bits(bits, layers.weight_bits, least, unit.settings.precision)
    return [one(int(b), cell_bits) for one, b in zip(sums, np.broadcast_to(own, len(sums)), strict=True)]


def _times(
    layers: DenseLayers,
    unit: Component,
    extent: Extent,
    g: counting.Geometry,
    slice_count: Any,
    steps: Any,
    input_bits: Any,
) -> tuple[dict[tuple[str, str], Any], np.ndarray, np.ndarray, Any]:
    """Busy times of parts by (part, "busy"), seconds per sample and depth of each node, cores of each matrix."""
    array, adc, part = unit["array"], unit["adc"], unit["array"]["cell"].part
    read = column(part.value("read_time", 0.0)) if part is not None else 0.0
    conversion = column(adc.kind.times(adc).get("conversion", 0.0)) if adc.kind.times else 0.0
    cores = whole_parts(extent.tiles, column(array.count))
    sharing = counting.sharing_arrays(extent.tiles, extent.tiles, cores)
    busiest = (extent.widest * slice_count + g.reference_columns) * sharing
    sequential, pace = unit.settings.conversion == "sequential", counting.pace(unit, column)
    converted = counting.converted_steps(unit.settings, input_bits, steps)
    pace["reads"] = counting.reads(unit.settings, input_bits, steps) / converted
    step = counting.step_time(read, busiest, column(adc.count), conversion, sequential, **pace)
    one = step * converted
    active = one * layers.products
    busy = {(name, "busy"): active * cores * column(c.count) for name, c in unit.parts.items() if name != "array"}
    busy["array", "busy"] = active * extent.tiles
    most = np.maximum.reduceat(layers.products, layers.first)
    depth = np.maximum.reduceat(
        np.broadcast_to(step * column(unit.settings.pipeline_steps), one.shape), layers.first, axis=-1
    )
    return busy, layers.per_node(one) * most, depth, cores
