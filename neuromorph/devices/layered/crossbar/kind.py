"""The crossbar as a kind of core: what fits, how it is cut, programmed, read, counted and timed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.layered.core import (
    Assumption,
    CoreKind,
    Count,
    Draw,
    Group,
    Handover,
    Layout,
    Misfit,
    Occupancy,
    Ranges,
    Resources,
    Statistics,
    Tiling,
)
from neuromorph.devices.layered.crossbar import counting
from neuromorph.devices.layered.crossbar.coding import devices_per_slice, encode, mean_levels
from neuromorph.devices.layered.crossbar.geometry import (
    EFFECTS,
    geometry_of,
    product_seconds,
    slices_needed_of,
    step_count,
    untimed,
    used,
)
from neuromorph.devices.layered.crossbar.spec import SPEC
from neuromorph.devices.layered.place.arrays import DIAGONAL
from neuromorph.devices.layered.tiling import cut_matrix, extent_of, over_rows, shared_rows
from neuromorph.devices.layered.windows import distinct_values, fetched_bits, held_values
from neuromorph.devices.physics import spared_of
from neuromorph.graph.arrays import ShapeOnly
from neuromorph.graph.model import Matrix
from neuromorph.hardware.component import Component

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuromorph.devices.layered.core import Calibrator, Programmed
    from neuromorph.devices.layered.design_counts import DenseLayers, DesignCounts
    from neuromorph.devices.physics import Physics


VALUE_DEPENDENT = {("array", "row"), ("adc", "count")}
"""Counts that follow the values of a sample."""


class CrossbarKind(CoreKind):
    """Resistive crossbar arrays with converters. Equations: cells.py, coding.py, inputs.py, converters.py."""

    spec = SPEC
    effects = EFFECTS

    def resources(self, unit: Component) -> Resources:
        s = unit["array"].settings
        room = {"arrays": unit["array"].count, "rows": s.rows, "cols": s.columns}
        return Resources(DIAGONAL, room, signal_bits=unit.settings.input_bits)

    def admits(self, group: Group, unit: Component) -> Misfit | None:
        if not group.matrices:
            return Misfit(f"{group.operators} has no weight matrix", "operators with weight matrices")
        if unit["array"]["cell"].part is None:
            return Misfit("the cell has no part", "set core.array.cell.part to a crossbar_cell datasheet")
        g = geometry_of(unit)
        if g.weight_columns < 1 or g.weight_rows < 1:
            return Misfit(
                f"one weight takes {g.columns_per_weight} columns and {g.rows_per_weight} rows with "
                f"{g.reference_columns} reference columns; the array has too few",
                "larger arrays, more bits per cell or fewer weight bits",
            )
        for matrix in group.matrices.values():
            if matrix.groups > 1 and matrix.window is None:
                return Misfit(
                    f"{matrix.name} is a grouped matrix without windows", "grouped convolutions, plain matrices"
                )
        return None

    def cut(self, group: Group, unit: Component) -> tuple[Tiling, ...]:
        return tuple(_cut(item, matrix, used(unit, matrix)) for item, matrix in group.matrices.items())

    def calibrate(self, layout: Layout, torch_device: str = "cpu") -> Calibrator:
        from neuromorph.devices.layered.crossbar.programmed import CrossbarCalibrator

        return CrossbarCalibrator(layout, torch_device)

    def program(self, layout: Layout, ranges: Ranges, draw: Draw) -> Programmed:
        from neuromorph.devices.layered.crossbar.programmed import ProgrammedCrossbar

        return ProgrammedCrossbar(layout, ranges, draw)

    def assume(self, layout: Layout, assumption: Assumption) -> Statistics:
        """Unsigned inputs, independent of the weights. Of the bits of a non-zero input half are 1."""
        values: dict[str, np.ndarray] = {}
        unit = layout.unit
        active, power = counting.assumed_drives(unit.settings.input_coding, unit["dac"].settings.bits, assumption)
        for tiling in layout.tilings:
            matrix = layout.matrix(tiling.item)
            shape, steps = (matrix.groups, matrix.rows), step_count(used(unit, matrix), signed=False)
            drives = matrix.products * steps
            values[f"{tiling.item}.power"] = np.full(shape, drives * power)
            values[f"{tiling.item}.active"] = np.full(shape, drives * active)
            values[f"{tiling.item}.steps"] = np.asarray(float(steps))
            values[f"{tiling.item}.code"] = np.asarray(counting.assumed_code(unit["adc"].settings.bits, assumption))
        return Statistics(values, "assumed")

    def count(self, layout: Layout, statistics: Statistics) -> list[Count]:
        counts: list[Count] = []
        for tiling in (t for t in layout.tilings if len(t)):
            matrix = layout.matrix(tiling.item)
            per_sample = partial(_add, counts, statistics.spread)
            _count_matrix(per_sample, matrix, tiling, layout, used(layout.unit, matrix), statistics)
        return counts

    def physics(self, unit: Component) -> tuple[Physics, ...]:
        from neuromorph.devices.layered.crossbar.physics import physics_of

        return physics_of(unit)

    def spared(self, unit: Component) -> Mapping[str, str]:
        """Converters of their own need no held samples; products of one step and one slice are not added up."""
        s, reasons, columns = unit.settings, dict[str, str](), unit["array"].count * unit["array"].settings.columns
        if unit["adc"].count >= columns or s.conversion == "sequential":
            reasons["sample_hold"] = "every column has its converter, or is held by the array until it is converted"
        if slices_needed_of(unit) == 1 and s.input_coding != "bit_serial" and s.signed_weights != "offset":
            reasons["adder"] = "one conversion is the whole result of a column"
        return spared_of(unit, reasons)

    def unhoused(self, unit: Component) -> tuple[str, ...]:
        return ("per-column rescaling of results", "circuits that program the cells")

    def shortages(self, unit: Component) -> tuple[str, ...]:
        """Rows of all arrays are driven in one step, their columns held in one; converters and adders take turns."""
        array = unit["array"]
        needs = {"dac": ("rows", array.settings.rows), "sample_hold": ("columns", array.settings.columns)}
        return tuple(
            f"{part.path}: {part.count} for {array.count * lines} {what} of {array.count} arrays, each of which is "
            f"counted as if it had its own; set the count to {array.count * lines}"
            for name, (what, lines) in needs.items()
            if (part := unit.get(name)) is not None and part.count < array.count * lines
        )

    def handover(self, layout: Layout, statistics: Statistics) -> Handover:
        fetched = given = 0.0
        for tiling in (t for t in layout.tilings if len(t)):
            matrix = layout.matrix(tiling.item)
            unit, steps = used(layout.unit, matrix), float(statistics.values[f"{tiling.item}.steps"])
            slices, bits = slices_needed_of(unit), unit["adc"].settings.bits
            fetched += _fetched(matrix, tiling, unit)
            converted = counting.converted_steps(unit.settings, unit.settings.input_bits, steps)
            given += float(counting.given_bits(extent_of(tiling), matrix.products, converted, slices, bits))
        return Handover(fetched, given)

    def designs(self, layers: DenseLayers, unit: Component, assumption: Assumption) -> DesignCounts:
        from neuromorph.devices.layered.crossbar.designs import design_counts

        return design_counts(layers, unit, assumption)

    def occupancy(self, layout: Layout, statistics: Statistics) -> Occupancy:
        """Arrays of one product work at the same time; several matrices of a node (a recurrent cell) in turn."""
        total, products, depth = 0.0, 1, 0.0
        for tiling in (t for t in layout.tilings if len(t)):  # a wholly pruned matrix has nothing to read
            matrix = layout.matrix(tiling.item)
            steps = float(statistics.values[f"{tiling.item}.steps"])
            product, step = product_seconds(used(layout.unit, matrix), layout, tiling, steps)
            total += product
            products = max(products, matrix.products)
            depth = max(depth, step * layout.unit.settings.pipeline_steps)
        return Occupancy(total, products, depth, unmodelled=untimed(layout.unit))


def _cut(item: str, matrix: Matrix, unit: Component) -> Tiling:
    g = geometry_of(unit)
    return cut_matrix(
        item,
        matrix,
        int(g.weight_rows),
        int(g.weight_columns),
        height=lambda r: r * int(g.rows_per_weight),
        width=lambda c: c * int(g.columns_per_weight) + int(g.reference_columns),
        bits_per_weight=unit.settings.weight_bits,
    )


def _add(counts: list[Count], spread: float, path: str, action: str, mean: float, *, varies: bool = False) -> None:
    counts.append(Count(path, action, float(mean), spread * float(mean) if varies else 0.0))


def _count_matrix(
    add: Any, matrix: Matrix, tiling: Tiling, layout: Layout, unit: Component, statistics: Statistics
) -> None:
    g, slices = geometry_of(unit), slices_needed_of(unit)
    steps = float(statistics.values[f"{tiling.item}.steps"])
    array, products = unit["array"], matrix.products
    tiles = len(tiling)
    siemens = _conductance_reads(matrix, tiling, unit, statistics) * _cell_reads(unit, steps)
    add(array.path, "read", siemens, varies=True)
    active = statistics.values[f"{tiling.item}.active"]
    counts = counting.actions(
        extent_of(tiling),
        g,
        products=products,
        steps=counting.drives(unit.settings, steps),
        converted=counting.converted_steps(unit.settings, unit.settings.input_bits, steps),
        row_reads=counting.row_reads(unit.settings, unit.settings.input_bits, steps),
        slice_count=slices,
        active=float(over_rows(active, tiling).sum()),
        code=float(statistics.values[f"{tiling.item}.code"]),
        input_bits=unit.settings.input_bits,
        fetched=_fetched(matrix, tiling, unit),
        converter_bits=unit["adc"].settings.bits,
    )
    for (name, action), mean in counts.items():
        if (owner := unit.get(name)) is not None:
            add(owner.path, action, mean, varies=(name, action) in VALUE_DEPENDENT)
    active_s = product_seconds(unit, layout, tiling, steps)[0] * products
    add(array.path, "busy", active_s * tiles)
    cores = max(1.0, min(layout.cores, tiles))
    for child in unit.parts.values():
        if child.path != array.path:
            add(child.path, "busy", active_s * cores * child.count)


def _cell_reads(unit: Component, steps: float) -> float:
    """Reads that a driven cell draws current in: each device of a pair in one of the two phases of its input's sign."""
    if unit.settings.read_phases == "four":
        return 1.0
    return float(counting.row_reads(unit.settings, unit.settings.input_bits, steps))


def _fetched(matrix: Matrix, tiling: Tiling, unit: Component) -> float:
    """Bits into the input registers: arrays of a unit that take the same rows share what it receives."""
    rows, bits = shared_rows(tiling, unit["array"].count), unit.settings.input_bits
    distinct = distinct_values(matrix) * rows / (matrix.groups * matrix.rows)
    return float(fetched_bits(unit, rows, matrix.products, distinct, held_values(matrix), bits))


def _conductance_reads(matrix: Matrix, tiling: Tiling, unit: Component, statistics: Statistics) -> float:
    """Siemens read at full scale per sample: sum over driven rows of v^2 (of |v| where inputs are
    pulse widths: full voltage for a part of the time) times the row's conductance.

    Conductances are the targets, both devices of a pair and every slice; the reference column included. Weights of
    which only the shape is known are taken to be uniform between minus and plus full scale.
    """
    part = unit["array"]["cell"].part
    assert part is not None
    low, high = part.value("conductance_min"), part.value("conductance_max")
    power = statistics.values[f"{tiling.item}.power"]
    if isinstance(matrix.weight, ShapeOnly):
        level, reference_level = mean_levels(matrix, unit)
        devices = slices_needed_of(unit) * devices_per_slice(unit.settings.signed_weights)
        references = int(unit.settings.signed_weights == "offset")
        columns = tiling.col1 - tiling.col0
        cells = counting.conductance(low, high, devices * columns, level * columns, references, reference_level)
        return float(over_rows(power, tiling) @ cells)
    coding = encode(matrix, unit)
    levels = coding.levels.sum(axis=(0, 1))
    devices = coding.slices * devices_per_slice(unit.settings.signed_weights)
    references = 0 if coding.reference is None else 1
    reference_levels = 0.0 if coding.reference is None else float(coding.reference.sum())
    total = 0.0
    for k, r0, r1, c0, c1 in zip(tiling.group, tiling.row0, tiling.row1, tiling.col0, tiling.col1, strict=True):
        of_row = levels[k, r0:r1, c0:c1].sum(axis=1)
        siemens = counting.conductance(low, high, devices * (c1 - c0), of_row, references, reference_levels)
        total += float(power[k, r0:r1] @ siemens)
    return total


KIND = CrossbarKind()
