"""Intervals of accuracies and of what effects cost: chips and test samples, against closed forms and resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from neuromorph.devices.result import Execution, effect_cost, interval


def executed(correct: np.ndarray, known: bool = True) -> Execution:
    trials, samples = correct.shape
    return Execution(
        tuple(range(trials)), samples, 0, 0.0, frozenset(), correct.mean(1), 1.0, np.zeros(trials), (), {},
        correct=correct if known else None,
    )  # fmt: skip


def drawn(seed: int, chips: int, samples: int, level: float = 0.9) -> np.ndarray:
    """Right answers: samples differ in difficulty, chips in quality."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(math.log(level / (1 - level)), 1.5, samples) + rng.normal(0, 0.3, (chips, 1))
    return rng.random((chips, samples)) < 1 / (1 + np.exp(-logit))


@pytest.mark.parametrize(("right", "samples"), [(0, 20), (17, 20), (20, 20), (500, 1000)])
def test_one_chip_has_wilsons_interval_over_samples_alone(right, samples):
    found = interval(np.array([right / samples]), samples)
    low, high = binomtest(right, samples).proportion_ci(0.95, "wilson")
    assert found.chips is None
    assert (found.low, found.high) == found.samples == pytest.approx((low, high), abs=1e-6)


def test_identical_chips_leave_the_part_of_samples():
    one = drawn(1, 1, 200)
    found = executed(np.repeat(one, 8, axis=0)).interval
    assert found.chips == (found.mean, found.mean)
    assert (found.low, found.high) == pytest.approx(interval(one.mean(1), 200).samples, rel=0.01)


def test_deviations_of_both_parts_are_those_of_two_way_resampling():
    correct = drawn(2, 12, 400)
    rng = np.random.default_rng(0)
    means = [
        correct[np.ix_(rng.integers(0, 12, 12), rng.integers(0, 400, 400))].mean() for _ in range(4000)
    ]  # fmt: skip
    found = executed(correct).interval
    low, high = np.percentile(means, [2.5, 97.5])
    assert found.high - found.low == pytest.approx(high - low, rel=0.15)
    assert found.low < found.chips[0] < found.mean < found.chips[1] < found.high


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(10, 60))
def test_intervals_hold_their_parts_and_answers_narrow_them(seed, chips, samples):
    correct = drawn(seed, chips, samples)
    with_answers, without = executed(correct).interval, executed(correct, known=False).interval
    for found in (with_answers, without):
        for part in (found.chips, found.samples):
            assert 0 <= found.low <= part[0] <= found.mean <= part[1] <= found.high <= 1
    assert without.samples[0] <= with_answers.samples[0] + 1e-12
    assert without.samples[1] >= with_answers.samples[1] - 1e-12


def test_a_gain_holds_both_errors_paired():
    base = drawn(3, 5, 300)
    better = base | (np.random.default_rng(1).random(base.shape) < 0.3)
    found = effect_cost("noise", executed(base), executed(better))
    change = better.astype(float) - base
    assert found.gain == pytest.approx(change.mean())
    assert found.chips_error == pytest.approx(change.mean(1).std(ddof=1) / math.sqrt(5))
    assert found.samples_error == pytest.approx(change.mean(0).std(ddof=1) / math.sqrt(300))
    assert found.error == pytest.approx(math.hypot(found.chips_error, found.samples_error))
    assert found.low < found.gain < found.high
    assert effect_cost("none", executed(base), executed(base)).high == 0.0


def test_without_single_answers_a_gain_is_no_surer():
    base, better = drawn(4, 1, 300), drawn(5, 1, 300, 0.95)
    known = effect_cost("x", executed(base), executed(better))
    unknown = effect_cost("x", executed(base, False), executed(better, False))
    assert known.chips_error is None
    assert unknown.samples_error >= 0.999 * known.samples_error
