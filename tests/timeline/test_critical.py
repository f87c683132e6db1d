"""The critical path adds up to the makespan, and lies where it must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.timeline import Edge, Pipeline, Stage, all_at_once, critical_path, simulate, tandem, window_need


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    capacity=st.sampled_from([3, 4, np.inf]),
    release=st.sampled_from(["start", "finish", "depart"]),
    period=st.sampled_from([0.0, 4.0]),
    shared=st.booleans(),
)
def test_path_adds_up_to_the_makespan(seed, capacity, release, period, shared):
    rng = np.random.default_rng(seed)
    rows, samples = 5, 4
    server = "core" if shared else ""
    stages = [Stage("in", rng.exponential(0.5, (samples, rows)), rows, depth_s=0.3)]
    stages += [Stage("a", rng.exponential(1, (samples, rows)), rows, server=server)]
    stages += [Stage("b", rng.exponential(1, (samples, rows)), rows), Stage("c", 0.7, server=server, depth_s=2.0)]
    window = window_need(rows, 3, 1, 1, in_rows=rows)
    edges = [
        Edge("in", "a", *window, capacity, 0.1, release),
        Edge("in", "b", capacity=2 * capacity, release=release),
        Edge("a", "b", capacity=capacity, release=release),
        Edge("b", "c", *all_at_once(1, rows), capacity=2 * capacity, release=release),
    ]
    line = simulate(Pipeline(stages, edges, {"core": ("a", "c")} if shared else {}), samples, period)
    path = critical_path(line)
    assert path.end_s == line.end_s[-1]
    parts = sum(path.service_s.values()) + sum(path.link_s.values()) + path.depth_s
    assert parts == pytest.approx(path.end_s - path.begin_s, rel=1e-9)
    assert np.abs(line.arrival_s - path.begin_s).min() < 1e-9  # begins at an arrival
    # Slowing a stage down delays the last output by its seconds on the path times the step, if that is tiny.
    step = 1e-9
    slower = [Stage(s.name, np.asarray(s.service_s) * (1 + step), s.tokens, s.depth_s, s.server) for s in stages]
    for k, stage in enumerate(stages):
        changed = Pipeline([*stages[:k], slower[k], *stages[k + 1 :]], edges, line.pipeline.orders)
        rise = simulate(changed, samples, period).end_s[-1] - line.end_s[-1]
        assert rise == pytest.approx(step * path.service_s[stage.name], abs=1e-12)


def test_path_stays_on_the_slowest_stage():
    path = critical_path(simulate(tandem([1.0, 5.0, 2.0]), 10))
    assert path.service_s == {"0": 1.0, "1": 50.0, "2": 2.0}
    assert path.stage == "1"
    assert path.steps[0] == ("2", 9, 0)
    assert path.steps[-1] == ("0", 0, 0)


def test_path_from_a_given_time_on():
    line = simulate(tandem([1.0, 5.0, 2.0]), 10)
    path = critical_path(line, since_s=30.0)
    assert path.begin_s == 26.0  # the first event before it: a service of stage 1 from 26 s on
    assert sum(path.service_s.values()) == path.end_s - path.begin_s


def test_path_through_a_full_buffer():
    # The dense layer and the rows that its only buffer holds up alternate: 3 s there, 3 s of rows.
    stages = [Stage("in", 1.0, 4), Stage("dense", 3.0)]
    line = simulate(Pipeline(stages, [Edge("in", "dense", *all_at_once(1, 4), capacity=4)]), 20)
    path = critical_path(line)
    assert path.service_s == {"in": 4 + 19 * 3.0, "dense": 20 * 3.0}


def test_arbitrated_servers_have_no_path():
    pipeline = Pipeline([Stage("a", 1.0, server="bus"), Stage("b", 1.0, server="bus")], [Edge("a", "b")])
    with pytest.raises(InputError, match="static order"):
        critical_path(simulate(pipeline, engine="simpy"))
