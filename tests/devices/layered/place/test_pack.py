"""Packing: geometry holds, the bound is below the optimum, the answer near it."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.devices.layered.place.firstfit import next_tile_when_full
from neuromorph.devices.layered.place.pack import lower_bound, one_each, pack
from neuromorph.errors import FitError, InputError

blocks = st.lists(st.tuples(st.integers(1, 16), st.integers(1, 16)), min_size=1, max_size=40)


def overlaps(a0, a1, b0, b1):
    return a0 < b1 and b0 < a1


def check_geometry(rows, cols, size, packing):
    r, c = size
    assert np.all(packing.row0 >= 0)
    assert np.all(packing.row0 + rows <= r)
    assert np.all(packing.col0 >= 0)
    assert np.all(packing.col0 + cols <= c)
    assert sorted(set(packing.array.tolist())) == list(range(packing.arrays))
    for i, j in itertools.combinations(range(len(rows)), 2):
        if packing.array[i] != packing.array[j]:
            continue
        same_rows = overlaps(packing.row0[i], packing.row0[i] + rows[i], packing.row0[j], packing.row0[j] + rows[j])
        same_cols = overlaps(packing.col0[i], packing.col0[i] + cols[i], packing.col0[j], packing.col0[j] + cols[j])
        assert not same_rows
        assert not same_cols


def optimum_diagonal(rows, cols, size):
    """Fewest bins by exhaustive assignment, bins opened in order."""
    best = len(rows)

    def assign(k, bins):
        nonlocal best
        if len(bins) >= best:
            return
        if k == len(rows):
            best = len(bins)
            return
        for b in bins:
            if b[0] + rows[k] <= size[0] and b[1] + cols[k] <= size[1]:
                b[0] += rows[k]
                b[1] += cols[k]
                assign(k + 1, bins)
                b[0] -= rows[k]
                b[1] -= cols[k]
        assign(k + 1, [*bins, [rows[k], cols[k]]])

    assign(0, [])
    return best


@given(blocks)
@settings(max_examples=60, deadline=None)
def test_blocks_lie_inside_and_apart_and_the_bound_is_below(sizes):
    rows, cols = np.array(sizes).T
    packing = pack(rows, cols, 16, 20)
    check_geometry(rows, cols, (16, 20), packing)
    assert 1 <= packing.lower_bound <= packing.arrays <= len(sizes)


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=7))
@settings(max_examples=80, deadline=None)
def test_diagonal_bound_and_answer_enclose_the_optimum(sizes):
    rows, cols = np.array(sizes).T
    packing = pack(rows, cols, 8, 8)
    best = optimum_diagonal(rows.tolist(), cols.tolist(), (8, 8))
    assert packing.lower_bound <= best <= packing.arrays <= best + 1


def test_the_matching_bound_sees_blocks_that_exclude_each_other():
    # Ten tall and ten broad blocks: each tall one could pair with a broad one by size of rows, none by columns.
    rows, cols = np.array([9] * 10 + [4] * 10), np.array([8] * 10 + [9] * 10)
    assert lower_bound(rows, cols, 16, 16) == 20
    assert pack(rows, cols, 16, 16).arrays == 20
    # With columns to spare every tall block takes a broad one.
    assert pack(rows, np.array([7] * 10 + [9] * 10), 16, 16).arrays == 10


def test_exclusive_gives_each_block_its_array():
    packing = one_each(np.array([3, 1, 2]))
    assert packing.array.tolist() == [0, 1, 2]
    assert packing.row0.tolist() == [0, 0, 0]
    assert packing.arrays == packing.lower_bound == 3


def test_fractions_that_add_up_to_an_array_fill_it():
    packing = pack(np.full(10, 0.1), np.full(10, 0.1), 1.0, 1.0)
    assert packing.arrays == 1
    assert packing.row0.max() == pytest.approx(0.9)


def test_resnet_like_square_tiles_cannot_share_but_depthwise_ones_do():
    depthwise = pack(np.full(480, 9), np.full(480, 1), 128, 128)
    assert depthwise.arrays == depthwise.lower_bound == 35  # 14 blocks of 9 rows in 128
    full = pack(np.full(50, 128), np.full(50, 128), 128, 128)
    assert full.arrays == 50


def test_a_hundred_thousand_random_blocks_come_within_five_percent_of_the_bound():
    rng = np.random.default_rng(1)
    packing = pack(rng.integers(1, 65, 100_000), rng.integers(1, 65, 100_000), 128, 128)
    assert packing.arrays <= 1.05 * packing.lower_bound


def test_nothing_to_pack():
    packing = pack(np.zeros(0, int), np.zeros(0, int), 8, 8)
    assert packing.arrays == packing.lower_bound == 0


@pytest.mark.parametrize(
    ("rows", "cols", "array_rows", "message"),
    [
        ([1, 2], [1], 8, "shape"),
        ([0], [1], 8, "positive"),
        ([1], [1], 0, "positive"),
    ],
)
def test_bad_input_is_named(rows, cols, array_rows, message):
    with pytest.raises(InputError, match=message):
        pack(np.array(rows), np.array(cols), array_rows, 8)


def test_a_block_larger_than_an_array_is_refused():
    with pytest.raises(FitError, match=r"block 1 of 9 x 2 cells is larger than an array of 8 x 8"):
        pack(np.array([1, 9]), np.array([1, 2]), 8, 8)


def test_tiles_are_left_when_arrays_or_buffer_run_out():
    # Arrays 0..5, two to a tile; shards of block 0 wait together.
    unit = np.array([0, 0, 1, 2, 3, 4, 5])
    block = np.array([0, 1, 0, 2, 3, 3, 4])
    bits = np.array([6.0, 2, 6, 5, 5, 5, 50])
    moved = next_tile_when_full(unit, block, bits, 5, 2, 9.0)
    # 0 and 1 share block 0 (8 bits in all); 2 and 3 would need 10; 3 and 4 share; 5 is alone although too large.
    assert moved.tolist() == [0, 0, 1, 2, 4, 5, 6]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), min_size=1, max_size=30), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_no_buffer_overflows_where_single_arrays_fit(shards, per_tile):
    unit = np.cumsum([step > 0 for step, _ in shards])
    unit = np.unique(unit, return_inverse=True)[1]
    block = np.array([b for _, b in shards])
    bits = 1.0 + block  # one size per block
    capacity = float(sum(range(1, 8)))  # any single array fits
    moved = next_tile_when_full(unit, block, bits, 7, per_tile, capacity)
    assert np.all((np.diff(moved) == 0) == (np.diff(unit) == 0))
    assert np.all(np.diff(moved) >= 0)
    for tile in np.unique(moved // per_tile):
        held = set(block[moved // per_tile == tile].tolist())
        assert sum(1 + b for b in held) <= capacity
    tight = next_tile_when_full(unit, block, bits, 7, per_tile, 7.0)
    for tile in np.unique(tight // per_tile):
        inside = moved[tight // per_tile == tile]
        held = set(block[tight // per_tile == tile].tolist())
        assert sum(1 + b for b in held) <= 7 or np.unique(inside).size == 1
