"""Counts of actions on crossbar arrays as plain arithmetic: works on numbers and on arrays of designs alike.

One step drives the rows once and converts the columns once. A product is one vector through a matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.layered.crossbar.spec import BIT_SERIAL, PULSE_TRAIN
from neuromorph.devices.layered.tiling import Extent, whole_parts

if TYPE_CHECKING:
    from neuromorph.devices.layered.core import Assumption
    from neuromorph.hardware.component import Component


@dataclass(frozen=True)
class Geometry:
    """Physical extent of logical rows and columns: lines per weight and weights per array."""

    rows_per_weight: Any
    columns_per_weight: Any
    weight_rows: Any
    weight_columns: Any
    reference_columns: Any


def geometry(array_rows: Any, array_columns: Any, slices: Any, differential: Any, pair: str) -> Geometry:
    """How many weights one array holds. differential: True for pairs, False for offset columns.

    A pair on rows doubles the lines of a weight, on columns its columns, in a crosspoint neither. An
    offset code keeps one reference column in every array, for all of its weights and slices.
    """
    rows_per = np.where(differential & (pair == "rows"), 2, 1)
    columns_per = np.where(differential & (pair == "columns"), 2, 1) * slices
    reference = np.where(differential, 0, 1)
    return Geometry(
        rows_per_weight=rows_per,
        columns_per_weight=columns_per,
        weight_rows=array_rows // rows_per,
        weight_columns=np.maximum((array_columns - reference) // columns_per, 0),
        reference_columns=reference,
    )


def slices(weight_bits: Any, cell_bits: Any, offset: Any) -> Any:
    """Cells per weight and polarity: ceil(magnitude bits / cell bits); 1 for continuous cells (0 bits).

    An offset code has all bits in its magnitude, a differential one has the sign in the choice of the device.
    """
    magnitude = weight_bits - (1 - offset)
    return whole_parts(magnitude, cell_bits + (cell_bits == 0) * (magnitude + 1))


def least_bits(cell_bits: Any, offset: Any) -> Any:
    """Weight bits that fill one cell of each polarity; a pair holds the sign besides."""
    return cell_bits + (1 - offset)


def unsigned_steps(input_coding: str, input_bits: Any, driver_bits: Any) -> Any:
    """Steps of one product of unsigned inputs: bit planes in sequence, else 1."""
    return whole_parts(input_bits, driver_bits) if input_coding in BIT_SERIAL else 1


def reads(settings: Any, input_bits: Any, steps: Any) -> Any:
    """How often the rows are read for one product: at every step and in every phase, or for every pulse of a train."""
    if settings.input_coding == PULSE_TRAIN:
        return steps * np.maximum(np.asarray(input_bits) - 1, 1)
    return 4 if settings.read_phases == "four" else steps


def converted_steps(settings: Any, input_bits: Any, steps: Any) -> Any:
    """How often a product's column results are converted: at every read, or once where reads add up in analogue."""
    if settings.input_coding == PULSE_TRAIN:
        pulses, limit = reads(settings, input_bits, steps), settings.train_bits
        return whole_parts(pulses, max(limit - 1, 1)) if limit else steps
    return 1 if settings.input_coding == "bit_serial_analog" else reads(settings, input_bits, steps)


def drives(settings: Any, steps: Any) -> Any:
    """How often each driver works in one product: once a train, and in two of four phases."""
    return 2 if settings.read_phases == "four" else steps


def row_reads(settings: Any, input_bits: Any, steps: Any) -> Any:
    """Reads in which one row that is driven at a step takes part: of four phases the two of its input's sign."""
    if settings.read_phases == "four":
        return 2
    return reads(settings, input_bits, steps) / steps


def outputs(extent: Extent, slice_count: Any, g: Geometry) -> Any:
    """Column results of all tiles of a matrix in one step; reference columns are converted too."""
    return extent.columns * slice_count + g.reference_columns * extent.tiles


def result_bits(converter_bits: Any, steps: Any, slice_count: Any) -> Any:
    """Width of a sum over steps and slices."""
    return converter_bits + np.ceil(np.log2(np.maximum(steps * slice_count, 1)))


def given_bits(extent: Extent, products: Any, converted: Any, slice_count: Any, converter_bits: Any) -> Any:
    """Bits per sample out of the cores: the sums of every tile; converted: as of `actions`."""
    return extent.columns * products * result_bits(converter_bits, converted, slice_count)


def actions(
    extent: Extent,
    g: Geometry,
    *,
    products: Any,
    steps: Any,
    converted: Any,
    row_reads: Any,
    slice_count: Any,
    active: Any,
    code: Any,
    input_bits: Any,
    fetched: Any,
    converter_bits: Any,
) -> dict[tuple[str, str], Any]:
    """Counts per sample of one matrix by (part of the core, action), without reads and busy times.

    converted: conversions of a column in a product; active: drives that are not zero, summed over tiles; row_reads: how
    often each of them is read;
    fetched: bits into the core; code: mean |code| of a conversion.
    """
    columns = outputs(extent, slice_count, g) * products
    results = columns * converted
    bits_in = extent.rows * products * input_bits
    bits_out = given_bits(extent, products, converted, slice_count, converter_bits)
    return {
        ("array", "row"): active * g.rows_per_weight * row_reads,
        ("dac", "conversion"): extent.rows * products * steps * g.rows_per_weight,
        ("adc", "conversion"): results,
        ("adc", "count"): results * code,
        ("sample_hold", "sample"): columns * steps,
        ("adder", "add"): results,
        ("input_buffer", "read_bit"): bits_in,
        ("input_buffer", "write_bit"): fetched,
        ("output_buffer", "write_bit"): bits_out,
        ("output_buffer", "read_bit"): bits_out,
    }


def conductance(low: Any, high: Any, cells: Any, levels: Any, references: Any, reference_levels: Any) -> Any:
    """Siemens of all cells at their targets: `cells` devices whose levels add up to `levels`, and reference cells."""
    return low * (cells + references) + (high - low) * (levels + reference_levels)


def assumed_drives(input_coding: str, driver_bits: Any, assumption: Assumption) -> tuple[Any, Any]:
    """(probability that a drive is not zero, mean drive power) of inputs that were never seen."""
    power = assumption.mean_drive if input_coding in ("pulse_width", PULSE_TRAIN) else assumption.mean_square
    if input_coding not in BIT_SERIAL:
        return assumption.density, power
    binary = np.asarray(driver_bits) == 1
    one = assumption.density / 2  # of the bits of a non-zero input half are 1
    return np.where(binary, one, assumption.density), np.where(binary, one, power)


def assumed_code(converter_bits: Any, assumption: Assumption) -> Any:
    """Mean |code| of conversions that were never seen."""
    return np.exp2(np.asarray(converter_bits, float) - 1) * assumption.density / 2


def sharing_arrays(tiles: Any, arrays: Any, cores: Any) -> Any:
    """Tiles of one matrix that share the converters of a core."""
    return np.minimum(tiles, whole_parts(arrays, np.maximum(cores, 1)))


def step_time(
    read_s: Any,
    conversions_per_step: Any,
    converters: Any,
    conversion_s: Any,
    sequential: Any = False,
    drive_s: Any = 0.0,
    adders: Any = 1,
    add_s: Any = 0.0,
    reads: Any = 1,
) -> Any:
    """Duration of one step: the longer of reading and converting where they overlap, else their sum.

    drive_s: period of the drivers and sample-and-holds, which no read is shorter than. Shift-and-add units work
    beside all of it. reads: drives of the rows that one conversion adds up.
    """
    converting = np.ceil(conversions_per_step / converters) * conversion_s
    reading = np.maximum(read_s, drive_s) * reads
    step = np.where(sequential, reading + converting, np.maximum(reading, converting))
    return np.maximum(step, np.ceil(conversions_per_step / adders) * add_s)


def pace(unit: Component, line_up: Callable[[Any], Any] = lambda x: x) -> dict[str, Any]:
    """What else sets the step time of a core, as arguments of `step_time`; line_up shapes arrays of designs."""

    def period(name: str, action: str) -> Any:
        part = unit.get(name)
        return 0.0 if part is None or part.kind.times is None else line_up(part.kind.times(part).get(action, 0.0))

    adder = unit.get("adder")
    return {
        "drive_s": np.maximum(period("dac", "conversion"), period("sample_hold", "sample")),
        "adders": 1 if adder is None else line_up(adder.count),
        "add_s": period("adder", "add"),
    }


def contradicts(settings: Any, cell_bits: Any, driver_bits: Any) -> Any:
    """Whether cells hold more bits than a weight has, or drivers do not suit the input code."""
    wide = (cell_bits != 0) & (np.asarray(cell_bits) > settings.weight_bits)
    coarse = (settings.input_coding not in BIT_SERIAL) & (np.asarray(driver_bits) < settings.input_bits)
    fine = (settings.signed_inputs == "twos_complement") & (
        (settings.input_coding not in BIT_SERIAL) | (np.asarray(driver_bits) != 1)
    )
    return wide | coarse | fine
