"""Replication against exhaustive search."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.devices.layered.place.replicate import replicate, spread
from neuromorph.errors import FitError, InputError


def exhaustive(positions, arrays, budget, most):
    best = None
    for copies in itertools.product(*(range(1, m + 1) for m in most)):
        if sum(r * x for r, x in zip(copies, arrays, strict=True)) <= budget:
            top = max(Fraction(p, r) for p, r in zip(positions, copies, strict=True))
            best = top if best is None else min(best, top)
    return best


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 6)), min_size=1, max_size=4),
    st.integers(0, 40),
)
@settings(max_examples=150, deadline=None)
def test_equals_exhaustive_search(layers, spare):
    positions, arrays, most = (list(x) for x in zip(*layers, strict=True))
    budget = sum(arrays) + spare
    most = [min(m, p) for m, p in zip(most, positions, strict=True)]
    found = replicate(np.array(positions), np.array(arrays), budget, np.array(most))
    top = max(Fraction(p, int(r)) for p, r in zip(positions, found.copies, strict=True))
    assert top == exhaustive(positions, arrays, budget, most)
    assert found.used == int((found.copies * arrays).sum()) <= budget
    assert np.all(found.copies <= most)
    assert found.before == max(positions)


def test_uses_no_more_copies_than_the_bottleneck_asks_for():
    found = replicate(np.array([100, 10, 1]), np.array([1, 1, 1]), 1000, maximum=np.array([10, 10, 1]))
    assert found.copies.tolist() == [10, 1, 1]
    assert found.bottleneck == 10.0


def test_more_budget_never_slows_the_pipeline():
    positions, arrays = np.array([12544, 3136, 784, 196, 49, 1]), np.array([2, 10, 40, 160, 640, 32])
    tops = [replicate(positions, arrays, int(arrays.sum() * f)).bottleneck for f in (1, 1.2, 1.5, 2, 4, 8, 1000)]
    assert tops == sorted(tops, reverse=True)
    assert tops[0] == 12544
    assert tops[-1] == 1.0


def test_one_copy_each_must_fit():
    with pytest.raises(FitError, match="takes 7 arrays, the budget is 6"):
        replicate(np.array([1, 1]), np.array([3, 4]), 6)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="positions must be at least 1"):
        replicate(np.array([0]), np.array([1]), 5)
    with pytest.raises(InputError, match="shape"):
        replicate(np.array([1, 2]), np.array([1]), 5)
    with pytest.raises(InputError, match="most copies"):
        replicate(np.array([2]), np.array([1]), 5, maximum=0)


def test_no_layers():
    assert replicate(np.zeros(0, int), np.zeros(0, int), 5).bottleneck == 0.0


def exhaustive_spread(layers, budget):
    """Least bottleneck over all ways to give layers cores: whole tiles shared out, then copies."""
    options = []
    for products, tiles, room, most in layers:
        ways = [(-(-tiles // s), Fraction(products * -(-tiles // -(-tiles // s)))) for s in range(1, room + 1)]
        ways += [(tiles * r, Fraction(products, r)) for r in range(2, most + 1)]
        options.append(ways)
    found = [max(w[1] for w in ways) for ways in itertools.product(*options) if sum(w[0] for w in ways) <= budget]
    return min(found, default=None)


@given(
    st.lists(
        st.tuples(st.integers(1, 8), st.integers(1, 6), st.integers(1, 6), st.integers(1, 5)), min_size=1, max_size=3
    ),
    st.integers(1, 30),
)
@settings(max_examples=150, deadline=None)
def test_spreading_over_memory_cores_equals_exhaustive_search(layers, budget):
    layers = [(p, t, min(room, t), min(most, p)) for p, t, room, most in layers]
    products, tiles, room, most = (np.array(x) for x in zip(*layers, strict=True))
    best = exhaustive_spread(layers, budget)
    if best is None:
        with pytest.raises(FitError, match="take at least"):
            spread(products, tiles, room, budget, most, np.ones_like(tiles))
        return
    found = spread(products, tiles, room, budget, most, np.ones_like(tiles))
    assert found.bottleneck == pytest.approx(float(best))
    assert (found.cores * found.copies).sum() <= budget
    assert np.all(-(-tiles // found.cores) <= room)
    assert np.all(found.copies <= most)


def test_spreading_keeps_copies_that_are_given():
    found = spread(np.array([8, 8]), np.array([4, 4]), np.array([4, 4]), 12, None, np.array([2, 1]))
    assert found.copies.tolist() == [2, 1]
    assert (found.cores * found.copies).sum() <= 12
    assert found.bottleneck == 8 * 1


def test_layers_that_share_cores_are_dealt_by_work() -> None:
    """Where one layer has the work and another the weights, both are spread over all cores."""
    from neuromorph.devices.layered.place.memory import _spread_out

    bits, products = [np.full(8, 10.0), np.full(37, 10.0)], np.array([1000, 3])
    core = _spread_out(bits, products, 4)
    work = np.bincount(core, weights=np.repeat(products, [8, 37]))
    assert work.max() - work.min() <= 3
    assert np.ptp(np.bincount(core)) <= 1
