"""Counter-based normal numbers and keyed streams: distribution, independence, and that only the key matters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from neuromorph.counter import normal_rows, normal_rows_torch
from neuromorph.rng import key64, stream

KEY = key64(0, 0, "chip/layer", "read0")


def test_moments_are_those_of_the_standard_normal() -> None:
    z = normal_rows(KEY, 0, 4000, 250).astype(float).ravel()
    n = z.size
    # standard errors of the first four moments of n normals; five of them
    assert abs(z.mean()) < 5 / np.sqrt(n)
    assert abs(z.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs((z**3).mean()) < 5 * np.sqrt(15 / n)
    assert abs((z**4).mean() - 3) < 5 * np.sqrt(96 / n)
    assert np.abs(z).max() < 6.66


@pytest.mark.parametrize("width", [1, 2, 3, 128])
def test_distribution_is_normal_at_every_width(width: int) -> None:
    z = normal_rows(KEY + width, 7, 60_000 // width, width).ravel()
    assert stats.kstest(z, "norm").pvalue > 1e-3


def test_tails_have_their_share() -> None:
    z = np.abs(normal_rows(KEY, 1, 2000, 1000))
    for limit in (3.0, 4.0):
        expected = 2 * stats.norm.sf(limit) * z.size
        assert abs((z > limit).sum() - expected) < 5 * np.sqrt(expected)


def test_values_depend_on_the_row_index_alone() -> None:
    whole = normal_rows(KEY, 0, 50, 33)
    for first, rows in ((0, 1), (7, 5), (49, 1), (20, 30)):
        assert np.array_equal(normal_rows(KEY, first, rows, 33), whole[first : first + rows])


@pytest.mark.parametrize("width", [1, 2, 7, 64, 129])
def test_torch_gives_the_same_numbers(width: int) -> None:
    for key in (KEY, 0, 2**64 - 1):
        ours = normal_rows(key, 12_345, 200, width)
        theirs = normal_rows_torch(key, 12_345, 200, width, "cpu").numpy()
        assert theirs.shape == ours.shape
        assert np.abs(theirs - ours).max() < 2e-6


def test_rows_positions_and_keys_are_uncorrelated() -> None:
    z = normal_rows(KEY, 0, 20_000, 8)
    correlation = np.corrcoef(z.T)[np.triu_indices(8, 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(len(z))
    assert abs(np.corrcoef(z[:-1, 0], z[1:, 0])[0, 1]) < 5 / np.sqrt(len(z))
    # squares, too: the two numbers of a pair share their radius and must not share their size
    squares = np.corrcoef((z**2).T)[np.triu_indices(8, 1)]
    assert np.abs(squares).max() < 5 / np.sqrt(len(z))
    other = normal_rows(key64(0, 1, "chip/layer", "read0"), 0, 20_000, 8)
    assert abs(np.corrcoef(z[:, 0], other[:, 0])[0, 1]) < 5 / np.sqrt(len(z))


def test_every_part_of_the_key_makes_another_stream() -> None:
    base = (3, 1, "chip.core/fc", "programming")
    parts = [base, (4, *base[1:]), (3, 2, *base[2:]), (3, 1, "chip.core/fc2", "programming"), (*base[:3], "drift")]
    # parts that would collide if they were joined without separators
    parts += [(31, 1, *base[2:]), (3, 11, *base[2:])]
    keys = {key64(*p) for p in parts}
    assert len(keys) == len(parts)
    draws = [stream(*p).standard_normal(4000) for p in parts]
    for a, b in itertools.combinations(draws, 2):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(4000)


def test_a_stream_repeats_itself() -> None:
    again = [stream(1, 2, "p", "e").standard_normal(5) for _ in range(2)]
    assert np.array_equal(*again)
    assert key64(1, 2, "p", "e") == key64(1, 2, "p", "e")
