"""How often inputs are fetched, against values counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from emulated import rng, shipped

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
