"""Number grids against torch's fake quantization, brute force, and their stated properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuromorph.compress import grid
from neuromorph.errors import InputError
from neuromorph.graph.formats.floating import Float
from neuromorph.graph.formats.uniform import Binary, Int

values_2d = hnp.arrays(
    float, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-100, 100, allow_subnormal=False)
)
seeds = st.integers(0, 2**32 - 1)
fits = st.fixed_dictionaries(
    {
        "bits": st.integers(2, 16),
        "scheme": st.sampled_from(grid.SCHEMES),
        "method": st.sampled_from(grid.METHODS),
        "axis": st.sampled_from([None, 0, 1]),
    }
)


@given(values_2d, fits)
@settings(deadline=None, max_examples=80)
def test_snapped_values_are_on_the_grid_and_nearest(values: np.ndarray, how: dict) -> None:
    number_format = grid.fit(values, **how)
    codes = grid.to_codes(values, number_format)
    low, high = grid.code_range(number_format)
    assert codes.min() >= low
    assert codes.max() <= high
    snapped = grid.snap(values, number_format)
    assert grid.on_grid(snapped, number_format)
    assert np.array_equal(grid.to_codes(snapped, number_format), codes)
    assert np.array_equal(grid.snap(snapped, number_format), snapped)
    assert grid.snap(np.zeros_like(values), number_format).any() == False  # noqa: E712  zero is a grid point
    if how["bits"] <= 5:
        points = np.stack([grid.from_codes(np.full(values.shape, c), number_format) for c in range(low, high + 1)])
        nearest = np.abs(points - values).min(axis=0)
        assert np.abs(snapped - values) == pytest.approx(nearest, rel=1e-9, abs=1e-12)


@given(values_2d, st.integers(2, 8), st.sampled_from(grid.SCHEMES), st.sampled_from([None, 0]))
@settings(deadline=None, max_examples=60)
def test_mse_search_is_never_worse_than_minmax(values: np.ndarray, bits: int, scheme: str, axis: int | None) -> None:
    by_range = grid.fit(values, bits, scheme=scheme, axis=axis)
    by_error = grid.fit(values, bits, scheme=scheme, axis=axis, method="mse")
    assert grid.squared_error(values, by_error) <= grid.squared_error(values, by_range) * (1 + 1e-9) + 1e-300


@given(values_2d, st.integers(2, 15), st.sampled_from([None, 0]))
@settings(deadline=None, max_examples=60)
def test_squared_error_never_grows_with_bits(values: np.ndarray, bits: int, axis: int | None) -> None:
    errors = [grid.squared_error(values, grid.fit(values, b, method="mse", axis=axis)) for b in (bits, bits + 1)]
    assert errors[1] <= errors[0] * (1 + 1e-9) + 1e-18 * float(np.sum(values**2))


@given(seeds, st.integers(2, 4))
@settings(deadline=None, max_examples=15)
def test_mse_search_comes_close_to_the_best_scale_of_a_fine_scan(seed: int, bits: int) -> None:
    values = np.random.default_rng(seed).standard_t(4, size=200)
    found = grid.squared_error(values, grid.fit(values, bits, method="mse"))
    scales = np.linspace(0.02, 1.0, 2000) * np.abs(values).max()
    best = min(grid.squared_error(values, Int(bits, scale=s)) for s in scales)
    assert found <= 1.03 * best


def test_mse_beats_minmax_clearly_with_an_outlier() -> None:
    values = np.append(np.random.default_rng(1).normal(size=10_000), 12.0)
    by_range, by_error = (grid.squared_error(values, grid.fit(values, 3, method=m)) for m in ("minmax", "mse"))
    assert by_error < 0.5 * by_range


@pytest.mark.parametrize("bits", [2, 3, 8])
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("scheme", grid.SCHEMES)
def test_grids_equal_torch_fake_quantize(bits: int, axis: int | None, scheme: str) -> None:
    import torch

    values = np.random.default_rng(bits).normal(0.3, 1.0, size=(6, 9)).astype(np.float32).astype(float)
    number_format = grid.fit(values, bits, scheme=scheme, axis=axis, method="percentile", percentile=95.0)
    # a scale torch holds exactly, so that both round the same quotient
    scale = np.exp2(np.rint(np.log2(number_format.scale)))
    number_format = Int(bits, number_format.signed, scale=scale, zero_point=number_format.zero_point, axis=axis)
    low, high = grid.code_range(number_format)
    zero = np.zeros_like(scale) if number_format.zero_point is None else number_format.zero_point
    x = torch.tensor(values, dtype=torch.float32)
    if axis is None:
        expected = torch.fake_quantize_per_tensor_affine(x, float(scale), int(zero), low, high)
    else:
        arguments = torch.tensor(scale, dtype=torch.float32), torch.tensor(zero, dtype=torch.int32), axis, low, high
        expected = torch.fake_quantize_per_channel_affine(x, *arguments)
    assert np.array_equal(grid.snap(values, number_format), expected.numpy().astype(float))


def test_symmetric_range_is_restricted_and_spans_the_values() -> None:
    number_format = grid.fit(np.array([-4.0, 1.0, 3.0]), 8)
    assert grid.code_range(number_format) == (-127, 127)
    assert float(number_format.scale) == pytest.approx(4.0 / 127)
    assert number_format.zero_point is None
    assert grid.to_codes(np.array([-1e9, 4.0]), number_format).tolist() == [-127, 127]


def test_affine_range_spans_the_values_with_an_integer_zero() -> None:
    values = np.array([-1.0, 0.0, 4.1])
    number_format = grid.fit(values, 8, scheme="affine")
    assert not number_format.signed
    assert float(number_format.scale) == pytest.approx(5.1 / 255)
    assert float(number_format.zero_point) == 50
    positive = grid.fit(np.array([2.0, 3.0]), 4, scheme="affine")
    assert float(positive.zero_point) == 0
    assert float(positive.scale) == pytest.approx(3.0 / 15)


def test_percentile_clips_at_that_percentile() -> None:
    values = np.arange(1001.0)
    assert float(grid.fit(values, 8, method="percentile", percentile=99.0).scale) == pytest.approx(990 / 127)
    affine = grid.fit(values - 500, 8, scheme="affine", method="percentile", percentile=98.0)
    assert float(affine.scale) == pytest.approx(980 / 255)
    full = grid.fit(values, 8, method="percentile", percentile=100.0)
    assert float(full.scale) == float(grid.fit(values, 8).scale)


def test_pruned_entries_do_not_count_and_come_out_as_zero() -> None:
    values = np.array([[1.0, 100.0], [2.0, -3.0]])
    mask = np.array([[True, False], [True, True]])
    for method in grid.METHODS:
        number_format = grid.fit(values, 8, method=method, mask=mask, percentile=100.0)
        assert number_format == grid.fit(values[mask], 8, method=method, percentile=100.0)
        assert grid.snap(values, number_format, mask)[0, 1] == 0.0


def test_channels_of_zeros_get_scale_one() -> None:
    values = np.array([[0.0, 0.0], [1.0, -2.0], [1e-310, 0.0]])
    for method in grid.METHODS:
        number_format = grid.fit(values, 8, axis=0, method=method)
        assert number_format.scale[0] == 1.0
        assert np.isfinite(grid.snap(values, number_format)).all()
    assert grid.fit_binary(values).scale[0] == 1.0
    assert grid.fit_ternary(values)[0].scale[0] == 1.0


@given(hnp.arrays(float, st.tuples(st.integers(1, 3), st.integers(1, 6)), elements=st.integers(-5, 5)))
@settings(deadline=None, max_examples=40)
def test_binary_scale_is_the_least_squares_one(values: np.ndarray) -> None:
    assume((np.abs(values).sum(axis=1) > 0).all())
    number_format = grid.fit_binary(values)
    assert number_format.scale == pytest.approx(np.abs(values).mean(axis=1))
    best = grid.squared_error(values, number_format)
    for factor in (0.9, 1.1):
        worse = Binary(scale=number_format.scale * factor, axis=0)
        assert grid.squared_error(values, worse) > best
    signs = np.sign(grid.snap(values, number_format))
    assert np.array_equal(signs, np.where(values >= 0, 1, -1))


def test_binary_scale_counts_unpruned_weights_only() -> None:
    mask = np.array([[True, False, True]])
    number_format = grid.fit_binary(np.array([[1.0, 50.0, -3.0]]), mask=mask)
    assert number_format.scale.tolist() == [2.0]
    assert grid.snap(np.array([[1.0, 50.0, -3.0]]), number_format, mask).tolist() == [[2.0, 0.0, -2.0]]


def test_ternary_follows_the_threshold_rule() -> None:
    number_format, codes = grid.fit_ternary(np.array([[0.1, -0.2, 1.0, -3.0]]))  # mean |w| 1.075, threshold 0.7525
    assert codes.tolist() == [[0, 0, 1, -1]]
    assert number_format.scale.tolist() == [2.0]
    all_in, codes = grid.fit_ternary(np.array([[0.1, -0.2, 1.0, -3.0]]), threshold=0.0)
    assert codes.tolist() == [[1, -1, 1, -1]]
    assert all_in.scale == pytest.approx([1.075])


@given(seeds)
@settings(deadline=None, max_examples=15)
def test_ternary_rule_comes_close_to_the_best_of_all_thresholds(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(1, 400))
    number_format, codes = grid.fit_ternary(values)
    found = float(np.sum((grid.from_codes(codes, number_format) - values) ** 2))
    ordered = np.sort(np.abs(values[0]))[::-1]
    kept = np.cumsum(ordered) ** 2 / np.arange(1, 401)  # best k: error = sum w^2 - (sum of k largest)^2 / k
    assert found <= 1.1 * (float(np.sum(values**2)) - kept.max())


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_ternary_codes_have_the_shape_of_the_weights_along_any_axis(axis: int | None) -> None:
    values = np.random.default_rng(5).normal(size=(3, 4, 2))
    number_format, codes = grid.fit_ternary(values, axis=axis)
    expected = np.zeros(values.shape, dtype=int)
    lanes = [slice(None)] if axis is None else range(values.shape[axis])
    for lane in lanes:
        index = (...,) if axis is None else tuple(lane if i == axis else slice(None) for i in range(3))
        w = values[index]
        expected[index] = np.sign(w) * (np.abs(w) > 0.7 * np.abs(w).mean())
    assert np.array_equal(codes, expected)
    assert np.array_equal(grid.to_codes(grid.from_codes(codes, number_format), number_format), codes)


def test_unsigned_grid_needs_values_that_are_never_negative() -> None:
    number_format = grid.fit(np.array([0.0, 3.0]), 1, signed=False)
    assert grid.code_range(number_format) == (0, 1)
    assert grid.snap(np.array([0.0, 3.0]), number_format).tolist() == [0.0, 3.0]
    with pytest.raises(InputError, match="negative"):
        grid.fit(np.array([-1.0, 3.0]), 4, signed=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 0}, "from 2 to 16"),
        ({"bits": 17}, "from 2 to 16"),
        ({"bits": 1}, "1 bit means binarization"),
        ({"bits": 8.0}, "not an integer"),
        ({"bits": True}, "not an integer"),
        ({"bits": 8, "scheme": "asymmetric"}, "symmetric, affine"),
        ({"bits": 8, "method": "kl"}, "minmax, percentile, mse"),
        ({"bits": 8, "percentile": 101}, "between 50 and 100"),
        ({"bits": 8, "percentile": float("nan")}, "between 50 and 100"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        grid.fit(np.ones(3), **arguments)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="finite"):
        grid.fit(np.array([1.0, bad]), 8)


def test_float_formats_have_no_codes() -> None:
    with pytest.raises(InputError, match="no codes"):
        grid.code_range(Float())


def test_int_codes_of_every_width_are_consecutive_integers() -> None:
    for bits, signed in itertools.product(range(2, 17), (True, False)):
        low, high = grid.code_range(Int(bits, signed))
        assert high - low + 1 == 2**bits - (1 if signed else 0)
