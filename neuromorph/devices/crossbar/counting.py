"""Counts of actions on crossbar arrays as plain arithmetic: works on numbers and on arrays of designs alike.

One step drives the rows once and converts the columns once. A product is one vector through a matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Geometry:
    """Physical extent of logical rows and columns: lines per weight and weights per array."""

    rows_per_weight: Any
    columns_per_weight: Any
    outputs_per_weight: Any
    weight_rows: Any
    weight_columns: Any
    reference_columns: Any


def geometry(
    array_rows: Any, array_columns: Any, slices: Any, differential: Any, pair: str, cells_bits: Any = 0
) -> Geometry:
    """How many weights one array holds. differential: True for pairs, False for offset columns.

    A pair on rows doubles the lines of a weight, on columns its columns, in a crosspoint neither. An
    offset code keeps one reference column per slice in every array.
    """
    rows_per = np.where(differential & (pair == "rows"), 2, 1)
    columns_per = np.where(differential & (pair == "columns"), 2, 1) * slices
    reference = np.where(differential, 0, slices)
    return Geometry(
        rows_per_weight=rows_per,
        columns_per_weight=columns_per,
        outputs_per_weight=slices,
        weight_rows=array_rows // rows_per,
        weight_columns=np.maximum((array_columns - reference) // columns_per, 0),
        reference_columns=reference,
    )


def array_steps(products: Any, steps: Any, row_tiles: Any, column_tiles: Any) -> Any:
    """Array activations per sample: every tile, every step of every product."""
    return products * steps * row_tiles * column_tiles


def driven_rows(products: Any, steps: Any, rows: Any, rows_per_weight: Any, column_tiles: Any) -> Any:
    """Row drives per sample: each column tile has drivers of its own."""
    return products * steps * rows * rows_per_weight * column_tiles


def conversions(
    products: Any, steps: Any, columns: Any, slices: Any, row_tiles: Any, column_tiles: Any, references: Any
) -> Any:
    """Analog-to-digital conversions per sample: each row tile converts its own partial sums and reference columns."""
    return products * steps * row_tiles * (columns * slices + references * column_tiles)


def step_time(
    read_s: Any, conversions_per_step: Any, converters: Any, conversion_s: Any, sequential: Any = False
) -> Any:
    """Duration of one step: the longer of reading and converting where they overlap, else their sum."""
    converting = np.ceil(conversions_per_step / converters) * conversion_s
    return np.where(sequential, read_s + converting, np.maximum(read_s, converting))
