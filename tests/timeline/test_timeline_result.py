"""Figures read off a timeline."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.timeline import Edge, Pipeline, Stage, all_at_once, closed_form, simulate, tandem, window_need


def two_stages(capacity: float = 1) -> Pipeline:
    return Pipeline([Stage("a", 1.0), Stage("b", 3.0)], [Edge("a", "b", capacity=capacity)])


def test_times_by_stage_are_views_of_samples_and_tokens():
    pipeline = Pipeline([Stage("a", [1.0, 2.0], 2), Stage("b", 0.5)], [Edge("a", "b", *all_at_once(1, 2))])
    line = simulate(pipeline, 3)
    assert list(line.start_s) == ["a", "b"]
    assert len(line.start_s) == 2
    assert line.start_s["a"].tolist() == [[0, 1], [3, 4], [6, 7]]
    assert line.finish_s["b"].tolist() == [[3.5], [6.5], [9.5]]
    with pytest.raises(KeyError):
        line.start_s["c"]


def test_latency_sojourn_interval_and_percentiles():
    line = simulate(two_stages(np.inf), 5)  # a at 0, 1, 2, 3, 4; b done at 4, 7, 10, 13, 16
    assert line.end_s.tolist() == [4, 7, 10, 13, 16]
    assert line.latency_s.tolist() == [4, 6, 8, 10, 12]
    assert line.sojourn_s.tolist() == [4, 7, 10, 13, 16]
    assert line.makespan_s == 16
    assert line.interval_s == 3
    assert line.throughput_hz == pytest.approx(1 / 3)
    assert line.percentiles((0, 50, 100)) == {0: 4, 50: 10, 100: 16}
    assert line.percentiles((75,), of="latency") == {75: 10}
    assert line.steady_s == (10, 16)


def test_arrivals_are_counted_from_when_they_come():
    line = simulate(two_stages(), 3, [2.0, 2.5, 20.0])
    assert line.begin_s.tolist() == [2, 3, 20]
    assert line.sojourn_s.tolist() == [4, 6.5, 4]


def test_exit_depth_and_several_entries_and_exits():
    stages = [Stage("left", 1.0), Stage("right", 4.0), Stage("join", 1.0, depth_s=2.0), Stage("side", 0.5)]
    line = simulate(Pipeline(stages, [Edge("left", "join"), Edge("right", "join"), Edge("left", "side")]), 2)
    assert line.pipeline.entries == ("left", "right")
    assert line.pipeline.exits == ("join", "side")
    assert line.end_s.tolist() == [7, 11]
    assert line.begin_s.tolist() == [0, 1]


def test_shares_of_a_window():
    line = simulate(two_stages(), 4)  # a serves 0-1, 1-2, 4-5, 7-8, blocked until 4, 7, 10; b serves from 1 to 13
    a, b = line.shares()
    assert (a.busy, a.blocked, a.starved) == pytest.approx((4 / 13, 6 / 13, 3 / 13))
    assert (b.busy, b.blocked, b.starved) == pytest.approx((12 / 13, 0, 1 / 13))
    a, b = line.shares((1.5, 4.5))
    assert (a.busy, a.blocked, a.starved) == pytest.approx((1 / 3, 2 / 3, 0))
    assert b.busy == pytest.approx(1)
    with pytest.raises(InputError, match="empty"):
        line.shares((3.0, 3.0))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), capacity=st.sampled_from([1, 2, 5]))
def test_shares_add_up(seed, capacity):
    rng = np.random.default_rng(seed)
    line = simulate(tandem(rng.exponential(1.0, (20, 4)), capacity), 20, arrivals=0.9)
    for window in (None, line.steady_s):
        for share in line.shares(window):
            parts = (share.busy, share.blocked, share.elsewhere, share.starved)
            assert min(parts) >= 0
            assert sum(parts) == pytest.approx(1)


def test_bottleneck_is_the_stage_with_the_most_work():
    line = simulate(two_stages(), 20)
    found = line.bottleneck()
    assert (found.stage, found.server, found.work_s, found.limit) == ("b", "b", 3.0, "service")


def test_bottleneck_tells_arrivals_and_buffers_apart():
    assert simulate(two_stages(), 20, arrivals=5.0).bottleneck().limit == "arrivals"
    # A buffer that holds no second sample keeps the stages from overlapping: 4 + 3 s apart instead of 4.
    stages = [Stage("in", 1.0, 4), Stage("dense", 3.0)]
    held = Pipeline(stages, [Edge("in", "dense", *all_at_once(1, 4), capacity=4)])
    line = simulate(held, 20)
    found = line.bottleneck()
    assert found.limit == "buffers"
    assert line.interval_s == pytest.approx(6)  # the next sample's first row waits in its stage: 3 rows and 3 s
    free = Pipeline(stages, [Edge("in", "dense", *all_at_once(1, 4), capacity=8)])
    assert simulate(free, 20).bottleneck().limit == "service"


def test_bottleneck_of_a_shared_server():
    stages = [Stage("a", 2.0, server="core"), Stage("b", 3.0, server="core"), Stage("c", 4.0)]
    pipeline = Pipeline(stages, [Edge("a", "b"), Edge("b", "c")], {"core": ("a", "b")})
    found = simulate(pipeline, 10).bottleneck()
    assert (found.server, found.stage, found.work_s, found.limit) == ("core", "b", 5.0, "service")
    assert closed_form(pipeline).bottleneck == "b"
    assert closed_form(pipeline).interval_bound_s == pytest.approx(5.0)


def test_gantt_bars_by_hand():
    rows = simulate(two_stages(), 3).gantt()
    assert [(r.stage, r.sample, r.begin_s, r.end_s, r.state) for r in rows] == [
        ("a", 0, 0, 1, "busy"),
        ("a", 1, 1, 2, "busy"),
        ("a", 1, 2, 4, "blocked"),
        ("a", 2, 4, 5, "busy"),
        ("a", 2, 5, 7, "blocked"),
        ("b", 0, 1, 4, "busy"),
        ("b", 1, 4, 7, "busy"),
        ("b", 2, 7, 10, "busy"),
    ]


def test_gantt_merges_tokens_and_shows_waits():
    need, keep = window_need(5, 3, 1, 1, in_rows=5)
    line = simulate(Pipeline([Stage("in", 1.0, 5), Stage("conv", 0.25, 5)], [Edge("in", "conv", need, keep)]), 2)
    bars = [(r.begin_s, r.end_s, r.state) for r in line.gantt([0]) if r.stage == "conv"]
    waits = [(2.25, 3, "waiting"), (3.25, 4, "waiting"), (4.25, 5, "waiting")]
    assert [b for b in bars if b[2] == "waiting"] == waits
    assert bars[-1] == (5, 5.5, "busy")  # the last two rows, one after the other
    assert [(r.begin_s, r.end_s) for r in line.gantt([1]) if r.stage == "in"] == [(5, 10)]
    joined = [(r.begin_s, r.end_s, r.state) for r in line.gantt([0], shortest_s=0.8) if r.stage == "conv"]
    assert joined == [(2, 5.5, "busy")]
    with pytest.raises(InputError, match="0 to 1"):
        line.gantt([2])


def test_gantt_covers_the_busy_and_blocked_time():
    rng = np.random.default_rng(0)
    line = simulate(tandem(rng.exponential(1.0, (10, 3)), 1), 10)
    for name in line.start_s:
        for state, a, b in (("busy", line.start_s, line.finish_s), ("blocked", line.finish_s, line.depart_s)):
            bars = sum(r.end_s - r.begin_s for r in line.gantt() if r.stage == name and r.state == state)
            assert bars == pytest.approx((b[name] - a[name]).sum())


def test_work_is_the_mean_over_samples():
    pipeline = tandem([[1.0, 2.0], [3.0, 2.0], [2.0, 5.0]])
    assert pipeline.work_s == {"0": 2.0, "1": 3.0}
    assert closed_form(pipeline).interval_bound_s == 3.0
    assert closed_form(pipeline).latency_s == 3.0


def test_zero_times_are_legal():
    line = simulate(tandem([0.0, 0.0]), 4)
    assert line.throughput_hz == np.inf
    assert closed_form(line.pipeline).interval_bound_s == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda line: line.percentiles((50, 101)), "0 to 100"),
        (lambda line: line.percentiles(of="delay"), "sojourn or latency"),
        (lambda line: line.interval_s, "one sample"),
    ],
)
def test_bad_questions(call, message):
    with pytest.raises(InputError, match=message):
        call(simulate(two_stages(), 1))
