"""Both engines on the same pipelines, on random graphs too."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.timeline import (
    Edge,
    Pipeline,
    Stage,
    all_at_once,
    one_to_one,
    simulate,
    smallest_capacities,
    tandem,
    window_need,
    window_need_2d,
)

TOLERANCE = 1e-9


def assert_same(pipeline: Pipeline, samples: int, arrivals=None) -> None:
    a = simulate(pipeline, samples, arrivals)
    b = simulate(pipeline, samples, arrivals, engine="simpy")
    for name in ("start_s", "finish_s", "depart_s"):
        np.testing.assert_allclose(getattr(a, name).flat, getattr(b, name).flat, rtol=TOLERANCE, atol=0, err_msg=name)


def counts(draw, target: int, source: int, least_first: int) -> tuple[np.ndarray, np.ndarray]:
    """Random cumulative counts: need from least_first on, keep never more than the next token's need allows."""
    need = sorted(draw(st.lists(st.integers(least_first, source), min_size=target, max_size=target)))
    keep = sorted(draw(st.lists(st.integers(0, source), min_size=target, max_size=target)))
    keep[-1] = source
    return np.array(need), np.array(keep)


@st.composite
def pipelines(draw) -> Pipeline:
    """Graphs of up to 7 stages with forks, joins, windows, finite buffers, lags, and shared servers in static order."""
    count = draw(st.integers(1, 7))
    times = st.floats(0, 4, allow_subnormal=False)
    stages, edges = [], []
    samples = 4
    for k in range(count):
        tokens = draw(st.integers(1, 5))
        shape = draw(st.sampled_from([(), (tokens,), (samples, tokens)]))
        size = math.prod(shape)
        service = np.array(draw(st.lists(times, min_size=size, max_size=size))).reshape(shape)
        depth = draw(st.sampled_from([0.0, 0.0, 0.7]))
        stages.append(Stage(f"s{k}", service, tokens, depth, draw(st.sampled_from(["", "", "", "core"]))))
    for t in range(1, count):
        sources = draw(st.lists(st.integers(0, t - 1), max_size=3, unique=draw(st.booleans())))
        for position, s in enumerate(sources):
            source, target = stages[s], stages[t]
            kinds = ["window", "all", "random"] + (["one"] if source.tokens == target.tokens else [])
            kind = draw(st.sampled_from(kinds))
            if kind == "window" and (target.tokens - 1) * 2 - 1 < source.tokens:
                need, keep = window_need(target.tokens, draw(st.integers(1, 3)), 2, 1, in_rows=source.tokens)
            elif kind == "one":
                need, keep = one_to_one(target.tokens)
            elif kind == "random":
                need, keep = counts(draw, target.tokens, source.tokens, 1 if position == 0 else 0)
            else:
                need, keep = all_at_once(target.tokens, source.tokens)
            capacity = draw(st.sampled_from([math.inf, math.inf, 1, 2, 3, 5, 9]))
            lag = draw(st.sampled_from([0.0, 0.0, 0.3]))
            release = draw(st.sampled_from(["start", "finish", "depart"]))
            edges.append(Edge(source.name, target.name, need, keep, capacity, lag, release))
    members = [s.name for s in stages if s.server == "core"]
    return Pipeline(stages, edges, {"core": members} if members else {})


def open_up(pipeline: Pipeline, least: dict[str, int]) -> Pipeline:
    """The same pipeline with the capacities that an error named (parallel edges get the same)."""
    edges = [
        Edge(e.source, e.target, e.need, e.keep, max(e.capacity, least.get(e.label, 1)), e.delay_s, e.release)
        for e in pipeline.edges
    ]
    return Pipeline(pipeline.stages, edges, pipeline.orders)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pipeline=pipelines(), period=st.sampled_from([None, 0.0, 1.0, 7.0]))
def test_random_graphs_agree(pipeline, period):
    least = smallest_capacities(pipeline)
    if least:
        for engine in ("recursion", "simpy"):
            with pytest.raises(InputError, match="deadlock") as caught:
                simulate(pipeline, 3, period, engine)
            # The engines may name different edges where several would do, but each names ones that suffice.
            named = {p.place.key.removeprefix("edges."): int(p.hint.split()[-1]) for p in caught.value.problems}
            assert smallest_capacities(open_up(pipeline, named)) == {}
        pipeline = open_up(pipeline, least)
    assert smallest_capacities(pipeline) == {}
    assert_same(pipeline, 3, period)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(1, 9), st.sampled_from([1, 3, 31, 32, 33, 100]),
    st.sampled_from([None, 0.0, 1.0, 7.0]),
)  # fmt: skip
def test_samples_side_by_side_are_timed_as_alone(seed, count, samples, period):
    """Stages of one token go through the kernel of their own; a stage of two tokens beside them brings the general one:
    the times are equal to the last bit, and those of the simulation."""
    rng = np.random.default_rng(seed)
    stages = [Stage(f"s{k}", rng.exponential(1.0, (samples, 1)), depth_s=rng.choice([0.0, 0.7])) for k in range(count)]
    edges = [
        Edge(
            f"s{source}", f"s{target}", [int(rng.random() < 0.8 or place == 0)], [1],
            rng.choice([1, 2, 3, 40, math.inf]), rng.choice([0.0, 0.3]), rng.choice(["start", "finish", "depart"]),
        )
        for target in range(1, count)
        for place, source in enumerate(rng.choice(target, rng.integers(0, min(target, 3) + 1), False))
    ]  # fmt: skip
    edges = [dataclasses.replace(e, need=np.array(e.need), keep=np.array(e.keep)) for e in edges]
    pipeline = Pipeline(stages, edges)
    assert_same(pipeline, samples, period)
    alone = simulate(pipeline, samples, period)
    general = simulate(Pipeline([*stages, Stage("two", 1.0, 2)], edges), samples, period)
    for name in ("start_s", "finish_s", "depart_s"):
        mine, theirs = getattr(alone, name), getattr(general, name)
        assert all(np.array_equal(mine[stage.name], theirs[stage.name]) for stage in stages)


@pytest.mark.parametrize("release", ["start", "finish", "depart"])
@pytest.mark.parametrize("capacity", [1, 2, 4, math.inf])
def test_tandem_with_random_services_agrees(capacity, release):
    service = np.random.default_rng(3).exponential(1.0, (60, 9))
    assert_same(tandem(service, capacity, release, depth_s=0.25), 60, arrivals=1.1)


def test_a_line_longer_than_a_block_of_the_sweep_agrees():
    service = np.random.default_rng(4).exponential(1.0, (40, 150))
    assert_same(tandem(service, 1), 40)


def test_stages_listed_in_any_order_agree():
    line = tandem(np.random.default_rng(5).exponential(1.0, (30, 40)), 2)
    shuffled = np.random.default_rng(6).permutation(40)
    mixed = Pipeline([line.stages[k] for k in shuffled], line.edges)
    a, b = simulate(line, 30), simulate(mixed, 30)
    for name in line.index:
        assert np.array_equal(a.depart_s[name], b.depart_s[name])
    assert_same(mixed, 30)


def residual(skip: float, main: float = 3) -> Pipeline:
    """Two 3-row convolutions beside a skip connection that joins them row by row."""
    rows = 12
    stages = [Stage(n, t, rows) for n, t in (("in", 1.0), ("a", 1.5), ("b", 0.5), ("add", 0.25))]
    window = window_need(rows, 3, 1, 1, in_rows=rows)
    edges = [
        Edge("in", "a", *window, capacity=main),
        Edge("a", "b", *window, capacity=main),
        Edge("b", "add", capacity=1),
        Edge("in", "add", capacity=skip),
    ]
    return Pipeline(stages, edges)


def test_fork_and_join_agree():
    for skip in (4, 5, 8, math.inf):
        assert_same(residual(skip), 5)


def test_pixel_streams_agree():
    first = window_need_2d((6, 5), (3, 3), (1, 1), (1, 1), source=(6, 5))
    pool = window_need_2d((3, 2), (2, 2), (2, 2), source=(6, 5))
    stages = [Stage("in", 1.0, 30), Stage("conv", 0.7, 30, depth_s=2.0), Stage("pool", 0.1, 6), Stage("dense", 3.0)]
    edges = [
        Edge("in", "conv", *first, capacity=13),
        Edge("conv", "pool", *pool, capacity=7),
        Edge("pool", "dense", *all_at_once(1, 6), capacity=6),
    ]
    assert_same(Pipeline(stages, edges), 6, arrivals=20.0)


def test_static_order_with_alternating_turns_agrees():
    stages = [Stage("a", 1.0, 4, server="core"), Stage("b", 0.5, 4, server="core"), Stage("c", [2, 1, 0, 3], 4)]
    edges = [Edge("a", "b", capacity=2), Edge("b", "c", capacity=1)]
    pipeline = Pipeline(stages, edges, {"core": (("a", 2), ("b", 2), ("a", 2), ("b", 2))})
    assert_same(pipeline, 5)
    assert simulate(pipeline).start_s["b"][0].tolist() == [2, 2.5, 6.5, 7]  # b waits for a's turns and c's places


def test_arbitrated_server_needs_the_event_simulation():
    stages = [
        Stage("a", 2.0, 3),
        Stage("b", 1.0, 3),
        Stage("x", 1.0, 3, server="bus"),
        Stage("y", 1.0, 3, server="bus"),
    ]
    pipeline = Pipeline(stages, [Edge("a", "x"), Edge("b", "y")])
    with pytest.raises(InputError, match="no static order"):
        simulate(pipeline)
    line = simulate(pipeline, engine="simpy")
    # b's tokens come at 1, 2, 3 and a's at 2, 4, 6; at 2 s both are ready, whoever is first delays the other by 1 s.
    assert line.start_s["y"][0, 0] == 1
    assert sorted([line.start_s["x"][0, 0], line.start_s["y"][0, 1]]) == [2, 3]
    starts, ends = (np.concatenate([times[name][0] for name in "xy"]) for times in (line.start_s, line.depart_s))
    assert (np.sort(ends)[:-1] <= np.sort(starts)[1:]).all()


def test_deadlock_names_the_skip_edge_and_the_least_capacity():
    with pytest.raises(InputError, match="deadlock") as caught:
        simulate(residual(2), 3)
    (problem,) = caught.value.problems
    assert problem.place.key == "edges.in -> add"
    least = int(re.search(r"is (\d+)", problem.hint)[1])
    assert smallest_capacities(residual(least)) == {}
    assert smallest_capacities(residual(least - 1)) == {"in -> add": least}
    with pytest.raises(InputError) as again:
        simulate(residual(2), 3, engine="simpy")
    assert str(again.value) == str(caught.value)


def test_deadlock_of_several_windows_names_all_of_them():
    least = smallest_capacities(residual(math.inf, main=2))
    assert least == {"in -> a": 3, "a -> b": 3}


def test_impossible_order_is_named():
    stages = [Stage("a", 1.0, server="core"), Stage("b", 1.0, server="core")]
    pipeline = Pipeline(stages, [Edge("a", "b")], {"core": ("b", "a")})
    for engine in ("recursion", "simpy"):
        with pytest.raises(InputError, match="waits for a later turn"):
            simulate(pipeline, engine=engine)


def test_arbitration_deadlock_names_an_edge():
    stages = [Stage("a", 1.0, 4, server="core"), Stage("b", 1.0, 1, server="core")]

    def pipeline(capacity: int) -> Pipeline:
        return Pipeline(stages, [Edge("a", "b", *all_at_once(1, 4), capacity=capacity)])

    # At 4 s the next sample's first token of a gets the server before b does, and needs a fifth place to give it back.
    with pytest.raises(InputError, match="the smallest capacity that would do is 5"):
        simulate(pipeline(3), 2, engine="simpy")
    assert simulate(pipeline(5), 2, engine="simpy").start_s["b"].ravel().tolist() == [5, 9]


LINE = tandem([1.0, 3.0, 2.0], 2)
KERNELS = [("evaluate", residual(5)), ("waves", LINE)]


@pytest.mark.parametrize(("name", "pipeline"), KERNELS)
def test_kernel_means_the_same_without_a_compiler(name, pipeline, monkeypatch):
    from neuromorph.timeline import kernel

    fast = simulate(pipeline, 3)
    monkeypatch.setattr(kernel, name, getattr(kernel, f"_{name}"))
    assert np.array_equal(simulate(pipeline, 3).depart_s.flat, fast.depart_s.flat)


def test_kernel_compiles_where_no_cache_folder_is_writable(monkeypatch):
    import numba
    from numba.core.caching import CacheImpl

    from neuromorph.timeline import kernel

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError):  # what the fall-back is for
        numba.njit(cache=True)(kernel._evaluate)
    assert kernel.compiled(kernel._evaluate).py_func is kernel._evaluate


@pytest.mark.parametrize(("name", "pipeline"), KERNELS)
def test_kernel_compiles_in_memory_when_the_cache_cannot_be_written(name, pipeline, monkeypatch):
    from neuromorph.timeline import kernel

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    expected = simulate(pipeline, 2)
    monkeypatch.setattr(kernel, name, full_disk)
    line = simulate(pipeline, 2)
    assert getattr(kernel, name) is not full_disk
    assert np.array_equal(line.depart_s.flat, expected.depart_s.flat)
