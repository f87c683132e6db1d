"""Encoders: statistics against closed forms, independence of batches, and what cannot be encoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from neuromorph.errors import InputError
from neuromorph.events import encoders
from neuromorph.events.adaptive import AdaptiveThreshold, fit_adaptive, trainable

DT = 1e-3


def test_poisson_counts_are_binomial() -> None:
    x = np.repeat(np.array([[0.0, 0.02, 0.3, 0.9, 1.0]]), 400, axis=0)
    counts = encoders.poisson(x, 500, DT).dense().sum(1)
    assert not counts[:, 0].any()
    assert (counts[:, 4] == 500).all()
    for k, p in ((1, 0.02), (2, 0.3), (3, 0.9)):
        mean, variance = 500 * p, 500 * p * (1 - p)
        # five standard errors of the mean and of the variance of 400 nearly normal numbers
        assert abs(counts[:, k].mean() - mean) < 5 * np.sqrt(variance / 400)
        assert abs(counts[:, k].var() - variance) < 5 * variance * np.sqrt(2 / 400)


def test_poisson_gaps_are_geometric_and_rates_follow_the_largest() -> None:
    steps = 200_000
    spikes = encoders.poisson(np.array([[0.5]]), steps, DT, max_rate_hz=200.0).dense()[0, :, 0]
    gaps = np.diff(np.flatnonzero(spikes))
    p = 0.5 * 200 * DT
    assert gaps.mean() == pytest.approx(1 / p, rel=5 / np.sqrt(steps * p))
    for k in (1, 2, 10):
        share = (gaps > k).mean()
        expected = (1 - p) ** k
        assert abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / len(gaps))
    # neighbouring steps are independent: the correlation is of the order of 1/sqrt(steps)
    assert abs(np.corrcoef(spikes[:-1], spikes[1:])[0, 1]) < 5 / np.sqrt(steps)


def test_poisson_depends_neither_on_batches_nor_on_later_steps() -> None:
    x = np.random.default_rng(0).random((6, 3, 4))
    whole = encoders.poisson(x, 20, DT, seed=3).dense()
    parts = [encoders.poisson(x[i : i + 2], 20, DT, seed=3, first=i).dense() for i in (0, 2, 4)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(encoders.poisson(x, 30, DT, seed=3).dense()[:, :20], whole)
    assert not np.array_equal(encoders.poisson(x, 20, DT, seed=4).dense(), whole)
    assert not np.array_equal(encoders.poisson(x, 20, DT, seed=3, trial=1).dense(), whole)


@given(hn.arrays(np.float64, (2, 5), elements=st.floats(0, 1)), st.integers(1, 40), st.sampled_from(["linear", "log"]))
def test_latency_gives_one_spike_each_the_earlier_the_larger(x: np.ndarray, steps: int, law: str) -> None:
    spikes = encoders.latency(x, steps, DT, law=law, threshold=0.1, tau_s=0.2 * steps * DT).dense()
    counts = spikes.sum(1)
    assert not counts[x <= 0.1].any()
    expected = x > 0.1
    if law == "log":
        over = np.where(expected, x - 0.1, 1.0)
        expected &= 0.2 * steps * np.log(np.where(expected, x, 1.0) / over) < steps
    assert np.array_equal(counts, expected)
    first = np.where(counts > 0, spikes.argmax(1), steps)
    for row, times in zip(x, first, strict=True):
        order = np.argsort(-row, kind="stable")
        assert (np.diff(times[order]) >= 0).all()


def test_latency_laws_are_those_of_a_line_and_of_a_charging_membrane() -> None:
    x = np.array([[1.0, 0.55, 0.1001]])
    linear = encoders.latency(x, 101, DT, threshold=0.1).dense()[0].argmax(0)
    assert linear.tolist() == [0, 50, 100]
    tau = 20e-3
    log = encoders.latency(x, 200, DT, law="log", threshold=0.1, tau_s=tau).dense()[0].argmax(0)
    assert log.tolist() == [int(tau / DT * np.log(v / (v - 0.1))) for v in x[0]]
    # the membrane tau dv/dt = x - v, integrated in fine steps, reaches the threshold in the same step
    for value, step in zip(x[0, :2], log[:2], strict=True):
        v, t, fine = 0.0, 0.0, 1e-6
        while v < 0.1:
            v += fine / tau * (value - v)
            t += fine
        assert abs(t / DT - step - 0.5) <= 0.51


def test_a_ramp_gives_slope_over_threshold_events() -> None:
    t = np.arange(1001)
    x = np.stack([0.3 * t, -0.2 * t, 0 * t], 1)[None]
    raster = encoders.delta(x, DT, threshold=1.5)
    off, on = raster.dense()[0].transpose(1, 0, 2).sum(1)
    assert on.tolist() == [200, 0, 0]
    assert off.tolist() == [0, 133, 0]
    first = np.flatnonzero(raster.dense()[0, :, 1, 0])
    assert first[:3].tolist() == [5, 10, 15]


@given(hn.arrays(np.float64, (2, 30, 3), elements=st.floats(-5, 5)), st.floats(0.2, 3))
def test_counted_deltas_rebuild_the_signal_to_within_a_threshold(x: np.ndarray, threshold: float) -> None:
    events = encoders.delta(x, DT, threshold=threshold, count=True).dense()
    rebuilt = x[:, :1] + threshold * np.cumsum(events[:, :, 1].astype(float) - events[:, :, 0], axis=1)
    assert np.abs(rebuilt - x).max() < threshold * (1 + 1e-6)
    once = encoders.delta(x, DT, threshold=threshold).dense()
    assert set(np.unique(once)) <= {0.0, 1.0}
    assert not (once[:, :, 0] * once[:, :, 1]).any()


def test_direct_repeats_the_values() -> None:
    x = np.random.default_rng(1).normal(size=(4, 3, 5)) * (np.arange(5) > 1)
    raster = encoders.direct(x, 6, DT)
    assert np.allclose(raster.dense(), np.repeat(x[:, None], 6, axis=1))
    assert raster.events == 6 * np.count_nonzero(x)


def wave(samples: int = 24, seed: int = 0) -> np.ndarray:
    """Positive sines of three amplitudes, (samples, 50, 3)."""
    rng = np.random.default_rng(seed)
    t = np.arange(50)[:, None]
    phase = rng.random((samples, 1, 3))
    return (1 + np.sin(2 * np.pi * (t / np.array([17.0, 23.0, 31.0]) + phase))) * np.array([1.0, 100.0, 0.01])


def test_adapting_thresholds_follow_their_equations() -> None:
    encoder = AdaptiveThreshold(np.array([1.0]), np.array([0.5]), np.array([4.0]), np.array([8.0]))
    x = np.full((1, 40, 1), 0.6)
    v = h = 0.0
    expected = []
    for _ in range(40):
        v = v * np.exp(-1 / 8) + 0.6
        fires = v >= 1.0 + 0.5 * h
        v -= fires
        h = h * np.exp(-1 / 4) + fires
        expected.append(float(fires))
    found = encoder.encode(x, DT).dense()[0, :, 0]
    assert found.tolist() == expected
    assert encoder.encode(x[:, 0], DT, 40).dense()[0, :, 0].tolist() == expected
    spikes = trainable(encoder)(torch.tensor(x, dtype=torch.float32))
    assert np.abs(spikes.detach().numpy()[0, :, 0] - expected).sum() <= 1  # float32 may decide a tie differently
    # without adaptation it fires more often
    plain = AdaptiveThreshold(np.array([1.0]), np.array([0.0]), np.array([4.0]), np.array([8.0]))
    assert plain.encode(x, DT).events > found.sum()


def rebuilt_error(encoder: AdaptiveThreshold, train: np.ndarray, test: np.ndarray) -> float:
    """Error of the best linear decoder (trace of the spikes, gain, offset per feature) in parts of the variance."""

    def traces(x: np.ndarray) -> np.ndarray:
        spikes, trace, out = encoder.encode(x, DT).dense(), 0.0, []
        for t in range(x.shape[1]):
            trace = trace * np.exp(-1 / encoder.leak_steps) + spikes[:, t]
            out.append(trace)
        return np.stack(out, 1)

    total = 0.0
    a, b = traces(train), traces(test)
    for k in range(train.shape[2]):
        gain, offset = np.polyfit(a[..., k].ravel(), train[..., k].ravel(), 1)
        total += ((gain * b[..., k] + offset - test[..., k]) ** 2).mean() / test[..., k].var()
    return total / train.shape[2]


def test_learning_lowers_the_error_at_fewer_spikes_and_does_not_depend_on_units() -> None:
    from neuromorph.events.adaptive import _initial

    train, test = wave(), wave(seed=1)
    start, learned = _initial(train, False), fit_adaptive(train, epochs=25)
    assert rebuilt_error(learned, train, test) < 0.8 * rebuilt_error(start, train, test)
    assert learned.encode(test, DT).events < start.encode(test, DT).events
    scaled = fit_adaptive(1000 * train, epochs=25)
    assert np.allclose(scaled.threshold, 1000 * learned.threshold, rtol=1e-3)
    frugal = fit_adaptive(train, epochs=25, price=0.5)
    assert frugal.encode(test, DT).events < learned.encode(test, DT).events


def test_signals_of_both_signs_are_split_and_encoders_saved(tmp_path: Path) -> None:
    x = wave(8) - wave(8).mean(1, keepdims=True)
    encoder = fit_adaptive(x, epochs=2)
    assert encoder.shape == (2, 3)
    raster = encoder.encode(x, DT)
    assert raster.shape == (2, 3)
    encoder.save(tmp_path / "e.npz")
    again = AdaptiveThreshold.load(tmp_path / "e.npz")
    assert np.array_equal(again.encode(x, DT).dense(), raster.dense())
    (tmp_path / "e.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="holds no encoder"):
        AdaptiveThreshold.load(tmp_path / "e.npz")


SIGNAL = np.ones((2, 5, 3))
REFUSED: list[tuple[Any, str]] = [
    (lambda: encoders.poisson(2 * SIGNAL, 5, DT), "0 to 1"),
    (lambda: encoders.poisson(SIGNAL, 5, DT, max_rate_hz=2000.0), "at most 1/dt"),
    (lambda: encoders.poisson(SIGNAL * np.nan, 5, DT), "NaN"),
    (lambda: encoders.poisson(SIGNAL, 0, DT), "steps is 0"),
    (lambda: encoders.poisson(SIGNAL, 5, 0.0), "dt is 0.0"),
    (lambda: encoders.latency(-SIGNAL, 5, DT), "0 to 1"),
    (lambda: encoders.latency(SIGNAL, 5, DT, law="cubic"), "law is 'cubic'"),
    (lambda: encoders.latency(SIGNAL, 5, DT, threshold=1.0), "threshold is 1.0"),
    (lambda: encoders.latency(SIGNAL, 5, DT, law="log", tau_s=-1.0), "tau is -1.0"),
    (lambda: encoders.delta(SIGNAL[0], DT, threshold=1.0), "signals over time"),
    (lambda: encoders.delta(SIGNAL, DT, threshold=0.0), "above 0"),
    (lambda: encoders.direct(SIGNAL[:0], 5), "nothing empty"),
    (lambda: fit_adaptive(SIGNAL), "alike"),
    (lambda: fit_adaptive(SIGNAL[0]), "samples, steps"),
    (lambda: AdaptiveThreshold(np.ones(2), np.ones(1), np.ones(2), np.ones(2)), "shapes"),
    (lambda: AdaptiveThreshold(np.zeros(1), np.ones(1), np.ones(1), np.ones(1)), "threshold has values"),
    (lambda: AdaptiveThreshold(*[np.ones(2)] * 4).encode(SIGNAL, DT), "expected (samples, steps, 2)"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "text"), REFUSED)
def test_what_cannot_be_encoded_is_refused(action: Any, text: str) -> None:
    with pytest.raises(InputError) as error:
        action()
    assert text in str(error.value)
