"""How often inputs are fetched, against values counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from emulated import rng, shipped
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.devices.layered.tiling import cut_matrix, dense_extent, dense_shared_rows, shared_rows
from neuromorph.devices.layered.windows import distinct_values, fetched_bits, held_values
from neuromorph.graph.model import Matrix, Window
from neuromorph.hardware.paths import replace

LINES = Window((3, 2), (1, 1), (0, 0, 0, 0), (2, 1))


@pytest.mark.parametrize("steps", [(), (7,)])
def test_lines_of_a_window_are_held_step_by_step(steps: tuple[int, ...]) -> None:
    """Rows 0, 2 and 4 of a dilated kernel cover 5 lines of 6 values of 4 channels, at every time step."""
    matrix = Matrix("weight", rng(0).normal(size=(1, 24, 3)), 10, window=LINES, input_shape=(*steps, 4, 9, 6))
    assert held_values(matrix) == 4 * 5 * 6
    assert distinct_values(matrix) == np.prod(steps) * 4 * 9 * 6


def test_a_vector_is_held_whole() -> None:
    matrix = Matrix("weight", rng(0).normal(size=(1, 24, 3)), 10)
    assert held_values(matrix) == 24
    assert distinct_values(matrix) == 240


def test_held_windows_need_room() -> None:
    unit = shipped("digital-int8").chip["tile"]["core"]
    assert unit.settings.windows == "held"
    assert fetched_bits(unit, 48, 10, 216, 120, 8) == 216 * 8
    for change in ({"core.windows": "reread"}, {"core.input_buffer.capacity": "959 bit"}):
        other = replace(shipped("digital-int8"), change).chip["tile"]["core"]
        assert fetched_bits(other, 48, 10, 216, 120, 8) == 48 * 10 * 8
    exact = replace(shipped("digital-int8"), {"core.input_buffer.capacity": "960 bit"}).chip["tile"]["core"]
    assert fetched_bits(exact, 48, 10, 216, 120, 8) == 216 * 8


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.integers(1, 12)
)
def test_arrays_of_a_core_share_their_rows(
    groups: int, rows: int, columns: int, most_rows: int, most_columns: int, arrays: int
) -> None:
    """What the cores of a matrix take in is counted tile by tile, and in closed form alike."""
    matrix = Matrix("m", np.ones((groups, rows, columns)), 1)
    tiling = cut_matrix("m", matrix, most_rows, most_columns, height=abs, width=abs, bits_per_weight=1)
    seen: set[tuple[int, int, int]] = set()
    for tile, (group, row0, row1) in enumerate(zip(tiling.group, tiling.row0, tiling.row1, strict=True)):
        seen |= {(tile // arrays, int(group), row) for row in range(row0, row1)}
    assert shared_rows(tiling, arrays) == len(seen)
    extent = dense_extent(np.array([groups]), np.array([rows]), np.array([columns]), most_rows, most_columns)
    assert dense_shared_rows(np.array([groups]), np.array([rows]), extent, arrays) == [len(seen)]
    assert groups * rows <= len(seen) <= extent.rows[0]
