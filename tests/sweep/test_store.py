import itertools
import sqlite3
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.sweep import store as store_module
from neuromorph.sweep.owner import STALE_S, Owner
from neuromorph.sweep.space import Point
from neuromorph.sweep.store import Outcome, Store


def point(i, **parameters):
    return Point(i, parameters or {"x": i})


def test_points_states_and_runs_come_back(tmp_path):
    path = tmp_path / "s.sqlite"
    p = point(0, bits=4, v="0.1 V")
    o = Outcome(p.key, "done", {"energy_j": 1.25e-12, "accuracy": None}, seconds=0.5, attempt=2)
    with Store(path) as store:
        assert not store.begin({"model": "a", "seed": 1}).resumed
        store.record([(p, o)])
        store.keep_state("g", b"\x00\x01")
    with Store(path) as store:
        assert store.begin({"seed": 1, "model": "a"}).resumed
        assert store.outcomes() == {p.key: o}
        assert store.parameters() == {p.key: {"bits": 4, "v": "0.1 V"}}
        assert store.state("g") == b"\x00\x01"
        assert store.state("h") is None
        assert store.state_keys() == {"g"}


def test_a_changed_thing_is_another_run_and_the_old_one_stays(tmp_path):
    path = tmp_path / "s.sqlite"
    p = point(0)
    with Store(path) as store:
        store.begin({"model": "a", "data": "d"})
        store.record([(p, Outcome(p.key, "done", {"y": 1.0}))])
        begun = store.begin({"model": "b", "data": "d"})
        assert not begun.resumed
        assert begun.changed == ("model",)
        assert store.outcomes() == {}
        assert store.begin({"model": "a", "data": "d"}).resumed
        assert len(store.outcomes()) == 1


@settings(max_examples=25)
@given(st.dictionaries(st.text(min_size=1, max_size=5), st.none() | st.floats(allow_nan=False), max_size=4))
def test_metrics_keep_every_digit(metrics):
    with Store(None) as store:
        store.begin({})
        store.record([(point(1), Outcome(point(1).key, "done", metrics))])
        assert store.outcomes()[point(1).key].metrics == metrics


def test_a_call_of_record_is_stored_whole_or_not_at_all(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store.begin({})
        store.record([(point(0), Outcome(point(0).key, "done", {}))])
        store._db.execute(f"PRAGMA max_page_count = {store._db.execute('PRAGMA page_count').fetchone()[0] + 2}")
        many = [(point(i), Outcome(point(i).key, "done", {"y": 1.0}, "e" * 1000)) for i in range(1, 200)]
        with pytest.raises(InputError, match="the disk is full"):
            store.record(many)
        assert list(store.outcomes()) == [point(0).key]
    with Store(path) as store:
        store.begin({})
        store.record(many)
        assert len(store.outcomes()) == 200


def damaged(path: Path) -> None:
    with Store(path) as store:
        store.begin({})
        store.record([(point(i), Outcome(point(i).key, "error", {}, "e" * 500)) for i in range(200)])
    data = bytearray(path.read_bytes())
    data[100 : len(data)] = b"\xff" * (len(data) - 100)
    path.write_bytes(data)


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE diary (day TEXT)")
    db.close()


def newer(path: Path) -> None:
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.write_text("accuracy,energy\n" * 100), "is no sweep file"),
        (lambda p: p.mkdir(), "is a folder"),
        (foreign, "is a database of another program"),
        (newer, "has sweep format 99, this version reads 1"),
        (damaged, "is damaged"),
    ],
)
def test_unusable_files_are_refused_and_left_alone(tmp_path, make, message):
    path = tmp_path / "s.sqlite"
    make(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(InputError, match=message) as e:
        Store(path)
    assert str(path) in str(e.value)
    assert e.value.problems[0].hint
    assert before is None or path.read_bytes() == before


def test_a_missing_and_a_read_only_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="its folder does not exist"):
        Store(tmp_path / "none" / "s.sqlite")
    if not Path("/proc/self").is_dir():
        pytest.skip("no folder here that nobody can write to")
    with pytest.raises(InputError, match="cannot be opened for writing"):
        Store("/proc/s.sqlite")


def test_a_file_that_turns_read_only_under_way_is_reported(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        store.begin({})
        store._db.execute("PRAGMA query_only = 1")
        with pytest.raises(InputError, match="cannot be written"):
            store.record([(point(0), Outcome(point(0).key, "done", {}))])


def test_two_stores_on_one_file_and_the_lock_given_free(tmp_path):
    path = tmp_path / "s.sqlite"
    first = Store(path)
    with pytest.raises(InputError, match=r"another sweep is writing to it \(process"):
        Store(path)
    first.close()
    first.close()
    Store(path).close()


def with_owner(path: Path, owner: Owner, beat: float) -> None:
    Store(path).close()
    with sqlite3.connect(path) as db:
        row = (1, owner.token, owner.pid, owner.started, owner.host, beat)
        db.execute("INSERT OR REPLACE INTO lock VALUES (?, ?, ?, ?, ?, ?)", row)
    db.close()


def test_stale_locks_are_taken_over(tmp_path):
    path = tmp_path / "s.sqlite"
    me = Owner.current()
    now = time.time()
    if me.started:  # a later process has the number of the dead one
        with_owner(path, Owner("t", me.pid, "1", me.host), now)
        Store(path).close()
    with_owner(path, Owner("t", me.pid, "1", "elsewhere"), now - STALE_S - 1)
    Store(path).close()
    with_owner(path, Owner("t", me.pid, "1", "elsewhere"), now - STALE_S / 2)
    with pytest.raises(InputError, match="on elsewhere"):
        Store(path)


def test_a_sweep_that_lost_its_lock_writes_nothing_more(tmp_path):
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        store.begin({})
        with sqlite3.connect(path) as db:
            db.execute("UPDATE lock SET token = 'other', pid = 77, host = 'elsewhere'")
        db.close()
        with pytest.raises(InputError, match="process 77 on elsewhere took the file over"):
            store.record([(point(0), Outcome(point(0).key, "done", {}))])
        assert store.outcomes() == {}


def test_heartbeat_is_renewed(tmp_path):
    """Each beat is the clock's; the clock's third reading comes with the second beat."""
    beats = itertools.count(1.0)
    renewed = threading.Event()

    def clock():
        now = next(beats)
        if now == 3.0:
            renewed.set()
        return now

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "time", SimpleNamespace(time=clock))
        with Store(tmp_path / "s.sqlite", beat_s=0.02) as store:
            assert renewed.wait(60)
            assert store._db.execute("SELECT beat FROM lock").fetchone()[0] >= 2.0
