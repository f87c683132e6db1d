import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
import sweep_toys as toys

from neuromorph.errors import InputError
from neuromorph.sweep import engine, worker
from neuromorph.sweep.engine import SweepInterrupted, run_points
from neuromorph.sweep.progress import Progress
from neuromorph.sweep.space import make_points, parse_axes
from neuromorph.sweep.store import Store
from neuromorph.sweep.worker import PointFunction


def opened(path=None):
    store = Store(path)
    store.begin({"what": "toy"})
    return store


def strip(outcomes):
    return [(o.key, o.status, dict(o.metrics), o.error) for o in outcomes]


def test_same_results_in_this_process_one_worker_two_workers_and_threads():
    points = make_points(parse_axes(["x=1..9"]))
    results = []
    for options in ({"workers": 0}, {"workers": 1}, {"workers": 2}, {"executor": ThreadPoolExecutor(3)}):
        with opened() as store:
            results.append(strip(run_points(points, PointFunction(toys.square), store, **options)))
    assert results[0] == results[1] == results[2] == results[3]
    assert [r[2] for r in results[0]] == [{"square": x**2, "third": x / 3} for x in range(1, 10)]


def test_a_dead_worker_costs_only_its_point():
    points = make_points(parse_axes(["x=1..12"]))
    with opened() as store:
        outcomes = run_points(points, PointFunction(toys.troubled), store, workers=2)
        again = run_points(points, PointFunction(toys.square), store, workers=0)
    by_x = {p.parameters["x"]: o for p, o in zip(points, outcomes, strict=True)}
    assert {x for x, o in by_x.items() if o.status == "done"} == {1, 2, 4, 6, 8, 9, 10, 11, 12}
    assert by_x[3].status == "died"
    assert "lost 2 times" in by_x[3].error
    assert by_x[5].status == "error"
    assert by_x[5].error.startswith("ValueError: five is out (in troubled, sweep_toys.py:")
    assert by_x[7].status == "misfit"
    assert "needs 7 arrays" in by_x[7].error
    # A later command runs the failures again and keeps what is final.
    assert {p.parameters["x"]: o.status for p, o in zip(points, again, strict=True)} == dict.fromkeys(
        range(1, 13), "done"
    ) | {7: "misfit"}


def test_a_made_executor_is_replaced_when_it_breaks_and_a_given_one_is_reported():
    def make():
        return ProcessPoolExecutor(2, get_context("forkserver"))

    points = make_points(parse_axes(["x=1..5"]))
    with opened() as store:
        outcomes = run_points(points, PointFunction(toys.troubled), store, executor=make, retries=0)
    assert [o.status for o in outcomes] == ["done", "done", "died", "done", "error"]
    given = make()
    with opened() as store, pytest.raises(InputError, match="executor given has broken"):
        run_points(points, PointFunction(toys.troubled), store, executor=given)
    given.shutdown()


def test_what_cannot_be_sent_to_workers_is_said():
    points = make_points(parse_axes(["x=1"]))
    with opened() as store, pytest.raises(InputError, match="workers=0"):
        run_points(points, PointFunction(lambda p: {}), store, workers=1)
    with opened() as store:
        assert run_points(points, PointFunction(lambda p: {"y": 1}), store, workers=0)[0].metrics == {"y": 1.0}
    with opened() as store, pytest.raises(InputError, match="-1 workers"):
        run_points(points, PointFunction(toys.square), store, workers=-1)


@pytest.mark.parametrize("workers", [0, 2])
def test_points_that_differ_in_price_share_one_execution(tmp_path, workers):
    points = make_points(parse_axes(["p=1..40", "f=1..3"]))
    log = tmp_path / "log"
    with opened(tmp_path / "s.sqlite") as store:
        outcomes = run_points(points, toys.TwoStep(str(log)), store, workers=workers)
    assert Counter(log.read_text().split()) == {"1": 1, "2": 1, "3": 1}
    for p, o in zip(points, outcomes, strict=True):
        assert o.metrics == {"energy_j": p.parameters["f"] ** 2 * p.parameters["p"], "unknown": None}
    # More prices later: the stored executions serve them.
    with opened(tmp_path / "s.sqlite") as store:
        more = make_points(parse_axes(["p=1..60", "f=1..3"]))
        outcomes = run_points(more, toys.TwoStep(str(log)), store, workers=0)
    assert len(log.read_text().split()) == 3
    assert [o.metrics["energy_j"] for o in outcomes] == [q.parameters["f"] ** 2 * q.parameters["p"] for q in more]


def test_a_failed_execution_fails_its_points_once(tmp_path):
    points = make_points(parse_axes(["f=1..3", "p=1..5"]))
    log = tmp_path / "log"
    with opened() as store:
        outcomes = run_points(points, toys.TwoStep(str(log), fatal=2.0), store, workers=0)
    assert Counter(log.read_text().split())["2"] == 1
    assert [o.status for o in outcomes] == ["done"] * 5 + ["error"] * 5 + ["done"] * 5
    assert all("f=2 cannot be executed" in o.error for o in outcomes[5:10])


def test_progress_counts_up_and_tells_the_time_left(monkeypatch):
    """On a clock that only the evaluation moves."""
    clock = [0.0]
    for module in (engine, worker):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0], perf_counter=lambda: clock[0]))

    def ticking(parameters):
        clock[0] += 0.05
        return toys.square(parameters)

    seen: list[Progress] = []
    points = make_points(parse_axes(["x=1..6"]))
    with opened() as store:
        run_points(points[:2], PointFunction(ticking), store, workers=0)
        run_points(points, PointFunction(ticking), store, workers=0, progress=seen.append)
    assert [p.done for p in seen] == [2, 3, 4, 5, 6]
    assert all(p.total == 6 and p.before == 2 for p in seen)
    assert seen[0].left_s is None
    # Three, two and one wait, and one more is taken to be on its way.
    assert [p.left_s for p in seen[1:]] == pytest.approx([0.2, 0.15, 0.1, 0.0])
    assert str(seen[1]) == "3/6 points, 0.2 s left"


def test_interrupt_keeps_what_is_done_and_says_how_to_resume(tmp_path):
    points = make_points(parse_axes(["x=1..50"]))
    begun = []

    def counted(parameters):
        begun.append(parameters["x"])
        return toys.square(parameters)

    def stop_at_four(p: Progress) -> None:
        if p.done == 4:
            raise KeyboardInterrupt

    with opened(tmp_path / "s.sqlite") as store:
        with pytest.raises(SweepInterrupted, match=r"4 of 50 points are done.*resumes"):
            run_points(points, PointFunction(counted), store, workers=0, progress=stop_at_four)
        assert begun == [1, 2, 3, 4]
        assert len(store.outcomes()) == 4
        outcomes = run_points(points, PointFunction(toys.square), store, workers=0)
    assert [o.metrics["square"] for o in outcomes] == [x**2 for x in range(1, 51)]


def test_no_thread_is_left():
    before = threading.active_count()
    with opened() as store:
        run_points(make_points(parse_axes(["x=1..3"])), PointFunction(toys.square), store, workers=2)
    assert threading.active_count() <= before
