"""Every law of the cells against the published moments, at fixed seeds; tolerances are five standard errors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neuromorph.devices.layered.core import Draw
from neuromorph.devices.layered.crossbar.cells import CellPhysics
from neuromorph.errors import InputError
from neuromorph.hardware.catalog import load_datasheet
from neuromorph.hardware.component import Datasheet, Quantity

DAY = 86400.0
N = 200_000


def physics(part: str, *off: str) -> CellPhysics:
    return CellPhysics(load_datasheet(part), frozenset(off))


def with_values(part: str, **values: float) -> Datasheet:
    """The part with quantities replaced or added."""
    sheet = load_datasheet(part)
    changed = {k: Quantity(v, "", "assumed", "test") for k, v in values.items()}
    return dataclasses.replace(sheet, quantities={**sheet.quantities, **changed})


def states(cells: CellPhysics, u: float, time_s: float = 0.0, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Fresh and aged conductances of n devices written to level u, in microsiemens."""
    fresh, aged = cells.states(np.full(n, u), Draw(1, (0,), time_s, cells.off), [(0, f"cells/{u}")])
    return fresh[0] * 1e6, aged[0] * 1e6


def agree(sample: np.ndarray, mean: float, deviation: float, digits: float) -> None:
    """Mean and standard deviation within five standard errors and half the last printed digit of the reference."""
    n = sample.size
    assert abs(sample.mean() - mean) < 5 * deviation / np.sqrt(n) + digits
    kurtosis = ((sample - sample.mean()) ** 4).mean() / sample.var() ** 2
    assert abs(sample.std() - deviation) < 5 * deviation * np.sqrt((kurtosis - 1) / (4 * n)) + digits


# 200,000 samples of the published model at 25 uS: programmed, drift exponent, drifted for one day.
# The references are samples themselves, so their own standard errors are allowed for below.
PCM = [
    (0.1, (2.499, 0.449), (0.0601, 0.0228), (1.539, 0.430)),
    (0.25, (6.251, 0.680), (0.0490, 0.0114), (4.165, 0.610)),
    (0.5, (12.500, 0.948), (0.0490, 0.0080), (8.310, 0.810)),
    (1.0, (25.002, 1.057), (0.0490, 0.0080), (16.626, 1.340)),
]


@pytest.mark.parametrize(("u", "programmed", "exponent", "day"), PCM)
def test_pcm_meets_the_reference_moments(u, programmed, exponent, day) -> None:  # type: ignore[no-untyped-def]
    cells = physics("pcm-nandakumar", "flicker")
    fresh, aged = states(cells, u, DAY)
    agree(fresh, *programmed, digits=5 * programmed[1] / np.sqrt(N) + 5e-4)
    assert aged.mean() == pytest.approx(day[0], abs=10 * day[1] / np.sqrt(N) + 5e-4)
    # the quoted spreads after a day scatter by 6 % about what their own first two columns imply; ours meet those
    assert aged.std() == pytest.approx(day[1], rel=0.06)
    growth = np.log((DAY + 20) / 20)
    relative = (1 + (programmed[1] / programmed[0]) ** 2) * np.exp((growth * exponent[1]) ** 2) - 1
    assert aged.std() == pytest.approx(aged.mean() * np.sqrt(relative), rel=0.015)
    nu = np.log(fresh / aged) / np.log((DAY + 20) / 20)
    agree(nu, *exponent, digits=5 * exponent[1] / np.sqrt(N) + 5e-5)


def test_pcm_at_level_zero_is_a_clipped_normal() -> None:
    fresh, _ = states(physics("pcm-nandakumar"), 0.0)
    s = 0.26348
    agree(fresh, s / np.sqrt(2 * np.pi), s * np.sqrt(0.5 - 1 / (2 * np.pi)), 0.0)  # mean 0.105 uS
    assert fresh.min() == 0.0


# evaluated by hand from the published polynomials and clipped logarithms: nu, sd of nu, Q
HERMES_1 = [
    (0.05, 0.0977348, 0.0336488, 0.0271667),  # all three still logarithmic
    (0.2, 0.0693360, 0.0170133, 0.0192832),
    (0.35, 0.0638490, 0.0124388, 0.0219649),
    (1.0, 0.0174000, 0.0055000, 0.0168000),
]
HERMES_2 = [
    (0.05, 0.0293500, 0.0281501),  # both still logarithmic
    (0.25, 0.0105196, 0.0159328),
    (0.35, 0.0091095, 0.0165508),
    (1.0, 0.0048000, 0.0123000),
]


@pytest.mark.parametrize(("u", "mean", "deviation", "flicker"), HERMES_1)
def test_hermes_curves_at_points_worked_by_hand(u: float, mean: float, deviation: float, flicker: float) -> None:
    part = load_datasheet("pcm-hermes-1")
    assert part.value("drift_exponent_mean")(u) == pytest.approx(mean, abs=1e-6)
    assert part.value("drift_exponent_deviation")(u) == pytest.approx(deviation, abs=1e-6)
    assert part.value("flicker_noise")(u) == pytest.approx(flicker, abs=1e-6)


@pytest.mark.parametrize(("u", "deviation", "flicker"), HERMES_2)
def test_hermes_pairs_have_laws_of_their_own(u: float, deviation: float, flicker: float) -> None:
    part = load_datasheet("pcm-hermes-2")
    assert part.value("drift_exponent_deviation")(u) == pytest.approx(deviation, abs=1e-6)
    assert part.value("flicker_noise")(u) == pytest.approx(flicker, abs=1e-6)


@pytest.mark.parametrize(
    ("part", "coefficients"),
    [
        ("pcm-hermes-2", (0.16603, 4.71806, -8.48101, 4.68961)),
        ("pcm-hermes-1", (0.15782, 2.32444, -2.16311, 0.68842)),
    ],
)
def test_hermes_programming_noise(part: str, coefficients: tuple[float, ...]) -> None:
    for u in (0.2, 0.6, 1.0):
        sigma = sum(c * u**k for k, c in enumerate(coefficients))
        cells = physics(part)
        fresh, _ = states(cells, u, n=40_000)
        agree(fresh, u * cells.g_max * 1e6, sigma, 0.0)


def test_wan_fits_give_the_quoted_deviations() -> None:
    """0.35 / 1.05 uS at 0 uS, 2.26 / 2.41 at 10, 2.02 / 2.36 at 20, 1.10 / 1.71 at 40: the two fits to one figure."""
    ours, other = physics("reram-wan2022"), physics("reram-wan2022-crosssim")
    for g, first, second in ((0, 0.35, 1.05), (10, 2.26, 2.41), (20, 2.02, 2.36), (40, 1.10, 1.71)):
        for cells, expected in ((ours, first), (other, second)):
            sigma = cells.write_deviation(np.array([g / (cells.g_max * 1e6)]), 0.0)
            assert sigma is not None
            assert sigma[0] * 1e6 == pytest.approx(expected, abs=0.0051)


def test_wan_spreads_around_the_target_at_the_measured_times() -> None:
    u = 0.25
    one_day = 0.701 + 22.086 * u - 50.773 * u**2 + 47.095 * u**3 - 16.458 * u**4
    two_days = 0.782 + 20.274 * u - 43.507 * u**2 + 37.062 * u**3 - 11.934 * u**4
    for time_s, sigma in ((DAY, one_day), (2 * DAY, two_days)):
        fresh, aged = states(physics("reram-wan2022"), u, time_s)
        agree(aged, 10.0, sigma, 0.0)
        assert np.array_equal(fresh, aged)


def test_retention_is_interpolated_in_logarithmic_time() -> None:
    cells, u = physics("reram-wan2022"), np.array([0.1, 0.6])
    at = {t: cells.write_deviation(u, t) for t in (1.0, DAY**0.5, DAY, np.sqrt(2) * DAY, 2 * DAY, 0.0)}
    middle = (at[1.0] + at[DAY]) / 2  # half way in ln t between 1 s and a day
    assert np.allclose(at[DAY**0.5], middle, rtol=1e-12)
    assert np.allclose(at[np.sqrt(2) * DAY], (at[DAY] + at[2 * DAY]) / 2, rtol=1e-12)
    assert np.array_equal(at[0.0], at[1.0])
    frozen = physics("reram-wan2022", "drift").write_deviation(u, DAY)
    assert np.array_equal(frozen, at[0.0])


def test_times_beyond_the_data_are_refused() -> None:
    cells = physics("reram-wan2022")
    cells.check_time(2 * DAY)
    with pytest.raises(InputError, match="172800 s after programming"):
        cells.check_time(2 * DAY + 1)
    physics("pcm-nandakumar").check_time(1e9)


def test_sonos_spread_saturates_with_the_current() -> None:
    """sigma_I = A (1 - exp(-I/B)) in nA, read at 0.112 V, on day 0, 3 and 5 and from read to read."""
    cells = physics("sonos-40nm")
    for current in (20.0, 200.0, 1800.0):
        g = np.array([current * 1e-9 / 0.112])
        for time_s, a, b in ((0.0, 19.887, 176.31), (3 * DAY, 31.043, 198.90), (5 * DAY, 34.579, 207.34)):
            sigma = cells.write_deviation(g / cells.g_max, time_s)
            assert sigma is not None
            assert sigma[0] * 0.112e9 == pytest.approx(a * (1 - np.exp(-current / b)), rel=1e-4)
        variance = cells.read_variance(g)
        assert variance is not None
        assert np.sqrt(variance[0]) * 0.112e9 == pytest.approx(12.580 * (1 - np.exp(-current / 215.37)), rel=1e-4)


def test_cmo_relaxes_with_the_logarithm_of_time() -> None:
    """Mean shift -0.0890 ln t, spread 0.4118 + 0.0420 ln t in uS, beside the programming noise."""
    cells, u = physics("reram-cmo-02"), 0.5
    target = 9 + u * (88.2 - 9)
    programming = 0.00081107 + 0.00106879 * target
    for time_s in (1.0, 3600.0):
        log = np.log(time_s)
        _, aged = states(cells, u, time_s)
        agree(aged, target - 0.0890 * log, np.hypot(programming, 0.4118 + 0.0420 * log), 0.0)
    fresh, aged = states(cells, u, 0.0)
    assert np.array_equal(fresh, aged)


def test_flicker_noise_grows_with_time_as_published() -> None:
    """sigma/G = Q sqrt(ln((t + t0 + tr)/(2 tr))), drift switched off."""
    cells = physics("pcm-nandakumar", "drift", "programming")
    for u in (0.25, 1.0):
        for time_s in (0.0, DAY):
            _, aged = states(cells, u, time_s)
            q = min(0.2, 0.0088 / u**0.65)
            sigma = q * np.sqrt(np.log((time_s + 20 + 250e-9) / (2 * 250e-9)))
            agree(aged / (25 * u), 1.0, sigma, 0.0)


def test_state_independent_drift_has_its_mean_and_spread() -> None:
    """nu 0.1 +- 0.05, folded at zero, as a constant curve of a part."""
    from neuromorph.hardware.curve import Curve

    part = with_values(
        "pcm-nandakumar",
        drift_exponent_mean=Curve(((None, "polynomial", (0.1,), None),)),
        drift_exponent_deviation=Curve(((None, "polynomial", (0.05,), None),)),
    )
    cells = CellPhysics(part, frozenset({"programming", "flicker"}))
    _, aged = states(cells, 0.5, 1000.0)
    nu = np.log(12.5 / aged) / np.log((1000 + 20) / 20)
    folded = np.abs(np.random.default_rng(0).normal(0.1, 0.05, 10**6))
    agree(nu, folded.mean(), folded.std(), 5 * 0.05e-3)
    assert nu.min() >= 0


def test_faults_have_their_fraction_and_hold_their_conductance() -> None:
    part = with_values("pcm-nandakumar", stuck_on=0.02, stuck_off=0.05)
    cells = CellPhysics(part)
    _, aged = states(cells, 0.5, DAY)
    for fraction, value in ((0.02, 25.0), (0.05, 0.0)):
        found = np.isclose(aged, value, rtol=1e-12, atol=0).sum()
        assert abs(found - fraction * N) < 5 * np.sqrt(N * fraction * (1 - fraction))
    _, aged = states(CellPhysics(part, frozenset({"faults"})), 0.5, DAY)
    assert not np.isin(aged, (0.0, 25.0)).any()


def test_fault_patterns_differ_between_chips_and_layers() -> None:
    cells = CellPhysics(with_values("pcm-nandakumar", stuck_on=0.5))
    patterns = []
    for trial, path in ((0, "a"), (1, "a"), (0, "b")):
        _, (g,) = cells.states(np.zeros(2000), Draw(0, (trial,)), [(trial, path)])
        patterns.append(g == cells.g_max)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs((patterns[a] & patterns[b]).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 2000)


def test_effects_switched_off_leave_the_target() -> None:
    off = {"programming", "drift", "flicker", "faults", "read"}
    cells = physics("pcm-nandakumar", *off)
    fresh, aged = states(cells, 0.3, DAY)
    assert np.allclose(fresh, 7.5, rtol=1e-12)
    assert np.array_equal(fresh, aged)
    assert cells.read_variance(np.array([1e-6])) is None


def test_finite_on_off_ratio_is_an_effect() -> None:
    cells, ideal = physics("reram-milo2021"), physics("reram-milo2021", "on_off")
    assert cells.target(np.array([0.0, 1.0])) == pytest.approx([50e-6, 225e-6])
    assert ideal.target(np.array([0.0, 1.0])) == pytest.approx([0.0, 225e-6])


def test_read_noise_variance_follows_its_law() -> None:
    """0.0175 of full scale times sqrt(u): variance (0.0175 x 25 uS)^2 u."""
    g = np.array([0.0, 5e-6, 25e-6])
    assert physics("pcm-nandakumar").read_variance(g) == pytest.approx((0.0175 * 25e-6) ** 2 * g / 25e-6)
