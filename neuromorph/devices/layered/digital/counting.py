"""Counts of actions of a digital core as plain arithmetic: works on numbers and on arrays of designs alike."""

from __future__ import annotations

from typing import Any

from neuromorph.devices.layered.core import Tiling
from neuromorph.devices.layered.tiling import Extent, extent_of
from neuromorph.graph.model import Matrix
from neuromorph.hardware.component import Component


def actions(
    extent: Extent, *, macs: Any, products: Any, fetched: Any, bits: tuple[Any, Any, Any]
) -> dict[tuple[str, str], Any]:
    """Counts per sample of one matrix by (part of the core, action), without busy times.

    macs: multiply-accumulates done; fetched: bits into the core; bits: of a weight, an input and an accumulator. Every
    sum that is written is read once: partial sums by later row tiles, results on their way out.
    """
    weight_bits, input_bits, accumulator_bits = bits
    return {
        ("mac", "mac"): macs,
        ("weight_buffer", "read_bit"): extent.weights * weight_bits,
        ("input_buffer", "read_bit"): extent.rows * products * input_bits,
        ("input_buffer", "write_bit"): fetched,
        ("output_buffer", "read_bit"): extent.columns * products * accumulator_bits,
        ("output_buffer", "write_bit"): extent.columns * products * accumulator_bits,
    }


def seconds(extent: Extent, products: Any, clock_hz: Any) -> Any:
    """Busy time of one core doing all tiles of a matrix for one sample: loading a tile takes one cycle a row."""
    return (extent.tiles * products + extent.rows) / clock_hz


def matrix_seconds(unit: Component, matrix: Matrix, tiling: Tiling) -> float:
    """Busy time of one core doing all tiles of a matrix for one sample."""
    return float(seconds(extent_of(tiling), matrix.products, float(unit.settings.clock)))
