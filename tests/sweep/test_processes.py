"""Sweeps that are killed, interrupted and started twice, each as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sweep_toys as toys

from neuromorph.sweep.engine import run_points
from neuromorph.sweep.space import make_points, parse_axes
from neuromorph.sweep.store import Store
from neuromorph.sweep.worker import PointFunction

CHILD = Path(__file__).with_name("sweep_child.py")
posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def start(store: Path, number: int, workers: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(store), str(number), str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], done: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= done:
            return
    raise AssertionError("the sweep ended early")


def members(group: int) -> list[int]:
    """Processes of a process group that still live."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(entry.name))
    return found


@posix
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_sweep_resumes_with_what_it_had(tmp_path, workers):
    path = tmp_path / "s.sqlite"
    process = start(path, 60, workers)
    read_until(process, 10)
    process.kill()
    process.communicate()
    with Store(path) as store:  # the lock of the dead process does not hold
        begun = store.begin({"what": "toy"})
        assert begun.resumed
        kept = store.outcomes()
        assert 10 <= len(kept) < 60
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
    process = start(tmp_path / "s.sqlite", 200, 2)
    read_until(process, 4)
    assert len(members(process.pid)) >= 3
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(process.pid) == []


@posix
@pytest.mark.parametrize("workers", [0, 2])
def test_control_c_stops_at_once_without_traceback(tmp_path, workers):
    path = tmp_path / "s.sqlite"
    process = start(path, 200, workers)
    read_until(process, 6)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # what a terminal sends: to workers as well
    output, _ = process.communicate(timeout=20)
    assert time.monotonic() - begun < 5
    assert process.returncode == 130
    last = output.splitlines()[-1]
    assert last.startswith("stopped: ")
    assert f"of 200 points are done; they are kept in {path}, the same command resumes" in last
    assert "Traceback" not in output
    with Store(path) as store:
        store.begin({"what": "toy"})
        assert f"stopped: {len(store.outcomes())} of" in last


def test_second_sweep_on_one_store_is_refused(tmp_path):
    path = tmp_path / "s.sqlite"
    first = start(path, 200, 0)
    try:
        read_until(first, 2)
        second = start(path, 200, 0)
        output, _ = second.communicate(timeout=20)
        assert second.returncode == 2
        assert f"{path}: another sweep is writing to it (process {first.pid} on " in output
        assert "Traceback" not in output
        read_until(first, 6)  # the first goes on undisturbed
    finally:
        first.kill()
        first.communicate()


@posix
def test_full_disk_ends_with_a_message_and_keeps_what_was_stored(tmp_path):
    """A limit on the size of files stands for the full disk."""
    path = tmp_path / "s.sqlite"
    code = (
        "import resource, runpy, sys, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000)); "
        f"sys.path.insert(0, {str(CHILD.parent)!r}); import sweep_toys; sweep_toys.slow_square = sweep_toys.square; "
        f"sys.argv = ['child', {str(path)!r}, '3000', '0']; runpy.run_path({str(CHILD)!r}, run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2, ended.stderr
    last = ended.stdout.splitlines()[-1]
    assert str(path) in last
    assert "disk" in last
    assert "finished points are kept" in last
    assert "Traceback" not in ended.stdout + ended.stderr
    told = int(ended.stdout.splitlines()[-2])
    with Store(path) as store:
        store.begin({"what": "toy"})
        assert len(store.outcomes()) == told > 20
        points = make_points(parse_axes(["x=1..3000"]))
        assert len(run_points(points, PointFunction(toys.square), store, workers=0)) == 3000
