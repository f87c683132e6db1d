"""Sweeps that are killed, interrupted and started twice, each as a program of its own.

Points that wait for a file hold a sweep where a test wants it, however fast or slow the machine is.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import process as process_pool
from pathlib import Path

import pytest
import sweep_toys as toys
from child_processes import PATIENCE_S, end, read_until, started

from neuromorph.sweep.engine import SweepInterrupted, run_points
from neuromorph.sweep.space import make_points, parse_axes
from neuromorph.sweep.store import Store
from neuromorph.sweep.worker import PointFunction

CHILD = Path(__file__).with_name("sweep_child.py")
posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def sweep_of(folder, number, workers, free, **options):
    """A sweep of x = 1..number into the folder's s.sqlite; points above `free` wait for its file `gate`."""
    arguments = [folder / "s.sqlite", number, workers, free, folder / "gate"]
    return started(CHILD, [str(a) for a in arguments], **options)


def members(group: int) -> list[int]:
    """Processes of a process group that still live."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


@posix
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_sweep_resumes_with_what_it_had(tmp_path, workers):
    with sweep_of(tmp_path, 60, workers, free=10) as process:
        read_until(process, "10 done")
        process.kill()
        end(process)
    with Store(tmp_path / "s.sqlite") as store:  # the lock of the dead process does not hold
        begun = store.begin({"what": "toy"})
        assert begun.resumed
        kept = store.outcomes()
        assert len(kept) == 10
        points = make_points(parse_axes(["x=1..60"]))
        outcomes = run_points(points, PointFunction(toys.square), store, workers=0)
    with Store(None) as store:
        store.begin({"what": "toy"})
        fresh = run_points(points, PointFunction(toys.square), store, workers=0)
    assert [(o.key, o.status, o.metrics) for o in outcomes] == [(o.key, o.status, o.metrics) for o in fresh]
    assert all(o == kept[o.key] for o in outcomes if o.key in kept)  # nothing stored was run again


@posix
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_workers_do_not_outlive_a_killed_sweep(tmp_path):
    with sweep_of(tmp_path, 200, 2, free=4) as process:
        read_until(process, "4 done")
        assert len(members(process.pid)) >= 3
        process.kill()
        end(process)  # every worker has let go of the output
        asked = time.monotonic()
        while members(process.pid) and time.monotonic() < asked + PATIENCE_S:
            time.sleep(0.01)
        assert members(process.pid) == []


@posix
@pytest.mark.parametrize("workers", [0, 2])
def test_control_c_stops_at_once_without_traceback(tmp_path, workers):
    """At once: points that would never end are not waited for."""
    with sweep_of(tmp_path, 200, workers, free=6) as process:
        read_until(process, "6 done")
        os.killpg(process.pid, signal.SIGINT)  # what a terminal sends: to workers as well
        output = end(process)
        assert process.returncode == 130, output
    kept = f"they are kept in {tmp_path / 's.sqlite'}, the same command resumes"
    assert output.splitlines()[-1] == f"stopped: 6 of 200 points are done; {kept}"
    assert "Traceback" not in output
    with Store(tmp_path / "s.sqlite") as store:
        store.begin({"what": "toy"})
        assert len(store.outcomes()) == 6


@posix
def test_control_c_does_not_wait_for_workers_that_start(tmp_path):
    with sweep_of(tmp_path, 200, 2, free="start") as process:
        read_until(process, "worker starts")
        os.killpg(process.pid, signal.SIGINT)
        output = end(process)
        assert process.returncode == 130, output
    assert output.startswith("stopped: 0 of 200 points are done"), output


def test_control_c_waits_until_the_pool_s_own_thread_has_started(monkeypatch):
    """A thread that was made and never started cannot be joined, so the sweep would end with that error instead."""
    thread = process_pool._ExecutorManagerThread
    start = thread.start

    def interrupted(self):
        signal.raise_signal(signal.SIGINT)
        start(self)

    monkeypatch.setattr(thread, "start", interrupted)
    with Store(None) as store:
        store.begin({"what": "toy"})
        with pytest.raises(SweepInterrupted, match="0 of 3 points are done"):
            run_points(make_points(parse_axes(["x=1..3"])), PointFunction(toys.square), store, workers=1)


@posix
def test_workers_are_deaf_to_control_c_from_their_first_moment(tmp_path):
    """So that none shows a traceback: the sweep itself is told as well."""
    with sweep_of(tmp_path, 20, 1, free="start") as process:
        worker = int(read_until(process, "worker starts").split()[-1])
        os.kill(worker, signal.SIGINT)
        (tmp_path / "gate").touch()
        output = end(process)
        assert process.returncode == 0, output
    assert output.splitlines()[-1] == "20 done"


@posix
def test_a_sweep_started_deaf_to_control_c_goes_on(tmp_path):
    """As what a script puts in the background is: a Ctrl-C at the terminal is meant for what runs in front."""
    with sweep_of(tmp_path, 20, 2, free=6, ignores_interrupts=True) as process:
        read_until(process, "6 done")
        os.killpg(process.pid, signal.SIGINT)
        (tmp_path / "gate").touch()
        output = end(process)
        assert process.returncode == 0, output
    assert output.splitlines()[-1] == "20 done"


def test_second_sweep_on_one_store_is_refused(tmp_path):
    with sweep_of(tmp_path, 20, 0, free=2) as first:
        read_until(first, "2 done")
        with sweep_of(tmp_path, 20, 0, free=2) as second:
            output = end(second)
            assert second.returncode == 2
        assert f"{tmp_path / 's.sqlite'}: another sweep is writing to it (process {first.pid} on " in output
        assert "Traceback" not in output
        (tmp_path / "gate").touch()
        assert end(first).splitlines()[-1] == "20 done"  # the first goes on undisturbed


@posix
def test_full_disk_ends_with_a_message_and_keeps_what_was_stored(tmp_path):
    """A limit on the size of files stands for the full disk."""
    path = tmp_path / "s.sqlite"
    arguments = ["child", str(path), "3000", "0", "3000", "none"]
    code = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000)); "
        f"sys.path.insert(0, {str(CHILD.parent)!r}); sys.argv = {arguments}; "
        f"runpy.run_path({str(CHILD)!r}, run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.returncode == 2, ended.stderr
    last = ended.stdout.splitlines()[-1]
    assert str(path) in last
    assert "disk" in last
    assert "finished points are kept" in last
    assert "Traceback" not in ended.stdout + ended.stderr
    told = int(ended.stdout.splitlines()[-2].split()[0])
    with Store(path) as store:
        store.begin({"what": "toy"})
        assert len(store.outcomes()) == told > 20
        points = make_points(parse_axes(["x=1..3000"]))
        assert len(run_points(points, PointFunction(toys.square), store, workers=0)) == 3000
