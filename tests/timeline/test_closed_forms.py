"""Timelines against closed forms and figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.timeline import (
    Edge,
    Pipeline,
    Stage,
    all_at_once,
    closed_form,
    simulate,
    tandem,
    tandem_departures,
    tandem_latency,
    window_need,
    window_need_2d,
)

ENGINES = ("recursion", "simpy")


def blocking_line(service: np.ndarray, waiting: int) -> np.ndarray:
    """d(n,k) = max(max(d(n,k-1), d(n-1,k)) + s(n,k), d(n-b-1,k+1)), term by term. service: (samples, stages)."""
    samples, stages = service.shape
    d = np.zeros((samples, stages))
    for n in range(samples):
        for k in range(stages):
            ready = max(d[n, k - 1] if k else 0.0, d[n - 1, k] if n else 0.0)
            room = d[n - waiting - 1, k + 1] if k + 1 < stages and n > waiting else 0.0
            d[n, k] = max(ready + service[n, k], room)
    return d


@pytest.mark.parametrize("waiting", [0, 1, 3])
def test_blocking_line_follows_the_textbook_recursion(waiting):
    service = np.random.default_rng(1).exponential(1.0, (80, 6))
    line = simulate(tandem(service, capacity=waiting + 1), 80)
    got = np.stack([line.depart_s[str(k)][:, 0] for k in range(6)], axis=1)
    np.testing.assert_allclose(got, blocking_line(service, waiting), rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    service=st.lists(st.floats(0, 10, allow_subnormal=False), min_size=1, max_size=6),
    samples=st.integers(1, 20),
    period=st.floats(0, 12, allow_subnormal=False),
)
def test_deterministic_line(service, samples, period):
    expected = sum(service) + (samples - 1) * max(*service, period)
    line = simulate(tandem(service), samples, period)
    assert line.makespan_s == pytest.approx(expected, rel=1e-9)
    assert tandem_latency([service, service], samples, period) == pytest.approx([expected] * 2, rel=1e-12)


def test_blocking_does_not_slow_a_deterministic_line_with_one_place():
    # With equal services everywhere, and with any deterministic services, one place already keeps the bottleneck busy.
    service = np.random.default_rng(2).uniform(1, 3, 12)
    line = simulate(tandem(service, capacity=1), 50)
    assert line.makespan_s == pytest.approx(service.sum() + 49 * service.max(), rel=1e-12)


def test_max_plus_scan_equals_the_recursion():
    rng = np.random.default_rng(3)
    service = rng.exponential(1.0, (3, 200, 7))
    arrivals = np.cumsum(rng.exponential(1.3, (3, 200)), axis=1)
    got = tandem_departures(service, arrivals)
    for design in range(3):
        line = simulate(tandem(service[design]), 200, arrivals[design])
        expected = np.stack([line.depart_s[str(k)][:, 0] for k in range(7)], axis=1)
        np.testing.assert_allclose(got[design], expected, rtol=1e-9)


def test_jackson_tandem_mean_sojourn():
    """Five M/M/1 queues at utilisation 0.8: mean sojourn 5 / (1 - 0.8) = 25 (Jackson).

    Busy periods correlate the samples; over 400,000 of them the mean scatters by about 0.3 (1 %), so 4 % is 3 to 4
    standard deviations, and the seed is fixed.
    """
    rng = np.random.default_rng(7)
    samples = 400_000
    arrivals = np.cumsum(rng.exponential(1 / 0.8, samples))
    line = simulate(tandem(rng.exponential(1.0, (samples, 5))), samples, arrivals)
    assert line.sojourn_s[samples // 20 :].mean() == pytest.approx(25.0, rel=0.04)
    shares = line.shares()
    assert all(share.busy == pytest.approx(0.8, rel=0.02) for share in shares)


@pytest.mark.parametrize("engine", ENGINES)
def test_conv_rows_by_hand(engine):
    # 5 input rows, one a second; 3x3 kernel, padding 1: row n needs rows up to n + 1; an output row takes 0.25 s.
    need, keep = window_need(5, 3, 1, 1, in_rows=5)
    assert need.tolist() == [2, 3, 4, 5, 5]
    assert keep.tolist() == [0, 1, 2, 3, 5]
    pipeline = Pipeline([Stage("in", 1.0, 5), Stage("conv", 0.25, 5)], [Edge("in", "conv", need, keep)])
    line = simulate(pipeline, 1, engine=engine)
    assert line.start_s["conv"][0].tolist() == [2, 3, 4, 5, 5.25]
    assert line.latency_s.tolist() == [5.5]


@pytest.mark.parametrize("engine", ENGINES)
def test_line_buffer_blocks_by_hand(engine):
    # As above, with output rows of 2 s and 3 buffer places. Row n starts at 2 + 2n: 2, 4, 6, 8, 10. The first output
    # row gives nothing back (4 s), the second gives back row 0 (6 s), then rows 1 (8 s) and 2 (10 s).
    # So input rows 0, 1, 2 leave at 1, 2, 3; row 3, done at 4, leaves at 6; row 4, from 6 to 7 in service, at 8.
    need, keep = window_need(5, 3, 1, 1, in_rows=5)
    pipeline = Pipeline([Stage("in", 1.0, 5), Stage("conv", 2.0, 5)], [Edge("in", "conv", need, keep, capacity=3)])
    line = simulate(pipeline, 1, engine=engine)
    assert line.depart_s["in"][0].tolist() == [1, 2, 3, 6, 8]
    assert line.start_s["conv"][0].tolist() == [2, 4, 6, 8, 10]
    source, conv = line.shares()
    assert (source.busy, source.blocked, source.starved) == pytest.approx((5 / 12, 3 / 12, 4 / 12))
    assert (conv.busy, conv.blocked, conv.starved) == pytest.approx((10 / 12, 0, 2 / 12))


@pytest.mark.parametrize("engine", ENGINES)
def test_blocking_after_service_by_hand(engine):
    # Services 1 and 3 s, one place that is released at the start, at the end, or with the result.
    expected = {"start": [1, 2, 4, 7], "finish": [1, 4, 7, 10], "depart": [1, 4, 7, 10]}
    for release, departures in expected.items():
        pipeline = Pipeline([Stage("a", 1.0), Stage("b", 3.0)], [Edge("a", "b", capacity=1, release=release)])
        line = simulate(pipeline, 4, engine=engine)
        assert line.depart_s["a"][:, 0].tolist() == departures, release
    # "depart" differs from "finish" where b itself is held up: b's token 1, done at 3, leaves when c is done at 7,
    # its token 2 (7 to 8) when c is done at 12. So a's token 2 finds room at 3 or 7, its token 3 at 8 or 12.
    for release, departures in (("finish", [1, 2, 3, 8]), ("depart", [1, 2, 7, 12])):
        edges = [Edge("a", "b", capacity=1, release=release), Edge("b", "c", capacity=1, release="finish")]
        pipeline = Pipeline([Stage("a", 1.0), Stage("b", 1.0), Stage("c", 5.0)], edges)
        assert simulate(pipeline, 4, engine=engine).depart_s["a"][:, 0].tolist() == departures, release


@pytest.mark.parametrize("engine", ENGINES)
def test_depth_and_delay_add_latency_but_no_interval(engine):
    stages = [Stage("a", 1.0, depth_s=10.0), Stage("b", 2.0, depth_s=100.0)]
    line = simulate(Pipeline(stages, [Edge("a", "b", delay_s=5.0)]), 6, engine=engine)
    assert line.latency_s[0] == 1 + 10 + 5 + 2 + 100
    assert line.interval_s == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_time_multiplexed_layers_take_turns(engine):
    # Two layers on one core: no overlap between them, so a sample takes the sum of both and so does the interval.
    stages = [Stage("a", 1.0, 3, server="core"), Stage("b", 2.0, 2, server="core")]
    pipeline = Pipeline(stages, [Edge("a", "b", *all_at_once(2, 3))], {"core": ("a", "b")})
    line = simulate(pipeline, 8, engine=engine)
    assert line.latency_s[0] == 7
    assert line.interval_s == 7 == closed_form(pipeline).interval_bound_s
    a, b = line.shares()
    assert (a.busy, a.elsewhere, a.starved) == pytest.approx((3 / 7, 4 / 7, 0))
    assert (b.busy, b.elsewhere, b.starved) == pytest.approx((4 / 7, 3 / 7, 0))


@settings(max_examples=100, deadline=None)
@given(
    size=st.integers(1, 14),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
)
def test_windows_count_what_they_read(size, kernel, stride, padding, dilation):
    """Against the sets of rows and pixels that each window reads."""
    out = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    if out < 1 or (out - 1) * stride - padding >= size:
        return
    reads = [{r for k in range(kernel) if 0 <= (r := n * stride - padding + k * dilation) < size} for n in range(out)]
    need, keep = window_need(out, kernel, stride, padding, dilation, in_rows=size)
    for n in range(out):
        assert all(r < need[n] for m in range(n + 1) for r in reads[m])
        assert all(r >= keep[n] for m in range(n + 1, out) for r in reads[m])
        if reads[n] and (dilation == 1 or padding == 0):  # tight where no gap of the window falls on the map's edge
            assert need[n] == max(max(r, default=0) for r in reads[: n + 1]) + 1
    assert keep[-1] == size
    width = 5
    cols = (width + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    if cols < 1 or (cols - 1) * stride - padding >= width:
        return
    need2, keep2 = window_need_2d(
        (out, cols), (kernel, kernel), (stride, stride), (padding, padding), (dilation, dilation), source=(size, width)
    )
    across = [
        {c for k in range(kernel) if 0 <= (c := n * stride - padding + k * dilation) < width} for n in range(cols)
    ]
    pixels = [{r * width + c for r in rows for c in columns} for rows in reads for columns in across]
    for n, mine in enumerate(pixels):
        assert all(p < need2[n] for p in mine)
        assert all(p >= keep2[n] for later in pixels[n + 1 :] for p in later)


def cnv_w1a1(hz: float) -> Pipeline:
    """FINN's CNV with the folding of its notebooks: a token per pixel, max pools wait for their 2x2 windows.

    Cycles per frame of the matrix-vector units as FINN's formula gives them. A dense layer takes its first group of
    outputs as inputs arrive, a token per arriving pixel or group; each later group is another pass over its inputs.
    """
    stages = [Stage("in", 0.0, 32 * 32)]
    edges = []

    def add(name: str, cycles: float, size: int, source: int, kernel: int, stride: int = 1) -> None:
        need, keep = window_need_2d((size, size), (kernel, kernel), (stride, stride), source=(source, source))
        edges.append(Edge(stages[-1].name, name, need, keep))
        stages.append(Stage(name, cycles / size**2 / hz, size**2))

    add("conv0", 32400, 30, 32, 3)
    add("conv1", 28224, 28, 30, 3)
    add("pool1", 0, 14, 28, 2, 2)
    add("conv2", 20736, 12, 14, 3)
    add("conv3", 28800, 10, 12, 3)
    add("pool3", 0, 5, 10, 2, 2)
    add("conv4", 20736, 3, 5, 3)
    add("conv5", 18432, 1, 3, 3)
    for name, cycles, groups in (("fc6", 32768, 512), ("fc7", 32768, 512), ("fc8", 1024, 2)):
        source = stages[-1]
        # The first group paces with the arrivals: a token per source token, then a token per further group.
        tokens = source.tokens + groups - 1
        each = cycles / groups
        service = np.r_[np.full(source.tokens, each / source.tokens), np.full(groups - 1, each)] / hz
        need = np.minimum(np.arange(1, tokens + 1), source.tokens)
        keep = np.where(np.arange(tokens) < tokens - 1, 0, source.tokens)
        edges.append(Edge(source.name, name, need, keep))
        stages.append(Stage(name, service, tokens))
    return Pipeline(stages, edges)


def test_finn_cnv_interval_and_latency():
    """Steady 109.23 us an image, 109.28 measured on an Ultra96 at 300 MHz.

    A single image takes 527 us there; FINN's sum over layers gives 744, an overlap-aware sketch of the same kind as
    this pipeline 471. Both leave out window generators, FIFOs and the host, so they stay below the measurement.
    """
    form = closed_form(cnv_w1a1(300e6))
    assert form.interval_bound_s == pytest.approx(109.227e-6, rel=1e-4)
    assert form.interval_bound_s == pytest.approx(109.28e-6, rel=1e-3)
    assert form.bottleneck in ("fc6", "fc7")
    assert form.latency_s == pytest.approx(471e-6, rel=0.06)
    assert 0.8 * 527e-6 < form.latency_s < 527e-6
    line = simulate(cnv_w1a1(300e6), 12)
    assert line.interval_s == pytest.approx(form.interval_bound_s, rel=1e-9)
    assert math.isclose(line.throughput_hz, 1 / form.interval_bound_s, rel_tol=1e-9)
