"""How a core is laid out, and the steps that its bit-serial products take."""

from __future__ import annotations

from neuromorph.devices.layered.codes import for_matrix
from neuromorph.devices.layered.core import (
    Layout,
    Tiling,
)
from neuromorph.devices.layered.crossbar import counting
from neuromorph.devices.layered.crossbar.coding import least_bits, slices_needed
from neuromorph.graph.model import Matrix
from neuromorph.hardware.component import Component
from neuromorph.hardware.extrapolated import settled_quantity

EFFECTS = (
    "weight_quantization", "programming", "faults", "drift", "flicker", "read", "on_off", "dac", "adc",
)  # fmt: skip
"""What a chip differs by from exact products of the stored weights, each of which can be left out."""


def geometry_of(unit: Component) -> counting.Geometry:
    s, array = unit.settings, unit["array"].settings
    slices = slices_needed(s.weight_bits, unit["array"]["cell"].settings.bits, s.signed_weights)
    return counting.geometry(array.rows, array.columns, slices, s.signed_weights == "differential", array.pair)


def used(unit: Component, matrix: Matrix) -> Component:
    """The core with the bits this matrix uses on it: as many slices and bit steps as its number formats need."""
    return for_matrix(unit, matrix, least_bits(unit))


def step_count(unit: Component, signed: bool) -> int:
    """Steps of one product (bit planes, phases)."""
    from neuromorph.devices.layered.crossbar.inputs import input_coding

    return input_coding(unit, 1.0, signed).step_count


def product_seconds(unit: Component, layout: Layout, tiling: Tiling, steps: float) -> tuple[float, float]:
    """(duration of one product of so many steps, of what comes to one conversion of it) on the arrays of this item, s.

    Converters are shared by the arrays of a core; the fullest core sets the pace.
    """
    g, slices = geometry_of(unit), slices_needed_of(unit)
    adc, s = unit["adc"], unit.settings
    read = read_seconds(unit)
    times = adc.kind.times(adc) if adc.kind.times else {}
    per_core = counting.sharing_arrays(len(tiling), layout.arrays, layout.cores)
    widest = int((tiling.col1 - tiling.col0).max(initial=0))
    busiest = (widest * slices + int(g.reference_columns)) * per_core
    sequential = s.conversion == "sequential"
    conversion = times.get("conversion", 0.0)
    converted = float(counting.converted_steps(s, s.input_bits, steps))
    pace = counting.pace(unit) | {"reads": counting.reads(s, s.input_bits, steps) / converted}
    step = float(counting.step_time(read, busiest, adc.count, conversion, sequential, **pace))
    return step * converted, step


def read_seconds(unit: Component) -> float:
    """Duration of one read of an array of this size; 0 where none is known, see `untimed`."""
    array = unit["array"]
    found = None if array["cell"].part is None else array["cell"].part.get("read_time")
    return 0.0 if found is None else float(settled_quantity(found, array["cell"], array).value)


def untimed(unit: Component) -> tuple[str, ...]:
    """What a product waits for without a stated duration: it is not modelled, not immediate."""
    adc, array = unit["adc"], unit["array"]
    missing = []
    if adc.kind.times is None or "conversion" not in adc.kind.times(adc):
        missing.append(f"{adc.path}: duration of a conversion")
    cell = array["cell"].part
    if cell is not None and cell.value("read_time") is None:
        missing.append(f"{array.path}: duration of a read")
    return tuple(missing)


def slices_needed_of(unit: Component) -> int:
    return slices_needed(unit.settings.weight_bits, unit["array"]["cell"].settings.bits, unit.settings.signed_weights)
