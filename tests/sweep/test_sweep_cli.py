"""The command `neuromorph sweep`: what it writes, how it resumes, and what it says to wrong input."""

import csv
import os
import signal

import numpy as np
import pytest
import sweep_nets as nets
from child_processes import end, read_until, started

from neuromorph.cli import main
from neuromorph.importers.portable import save


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A model and data in the working folder."""
    monkeypatch.chdir(tmp_path)
    save(nets.small(), tmp_path / "net.nmg.json")
    x, y = nets.data()
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return tmp_path


BASE = ["sweep", "net.nmg.json", "hermes-like", "--data", "data.npz", "--trials", "2", "--workers", "0"]


def test_sweep_writes_table_and_plots_and_resumes(files, capsys):
    more = ["--vary", "core.adc.bits=4..6", "--vary", "cell.programming_noise=0x,4x", "-o", "out/a"]
    assert main([*BASE, *more]) == 0
    first = capsys.readouterr()
    assert "6 points, kept in out/a/sweep.sqlite" in first.err
    assert "6/6 points" in first.err
    assert "written: out/a/sweep.csv and" in first.out
    table = (files / "out/a/sweep.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    assert [(r["core.adc.bits"], r["cell.programming_noise"]) for r in rows] == [
        (b, n) for b in "456" for n in ("0x", "4x")
    ]
    assert all(r["status"] == "done" and 0 <= float(r["accuracy"]) <= 1 for r in rows)
    assert (files / "out/a/pareto_energy_j.png").stat().st_size > 5000
    assert main([*BASE, *more, "--plots", "none", "--quiet"]) == 0
    assert "6 points, going on with what out/a/sweep.sqlite holds" in capsys.readouterr().err
    assert (files / "out/a/sweep.csv").read_text() == table
    assert main([*BASE, *more, "--plots", "none", "--seed", "5"]) == 0
    assert "6 points, all new: options changed since the last sweep" in capsys.readouterr().err


def test_sampling_and_misfits_are_told(files, capsys):
    options = ["--vary", "adc.area=uniform(0.5x, 2x)", "--method", "sobol", "--points", "5", "--plots", "none"]
    assert main([*BASE, *options]) == 0
    assert len((files / "sweep/sweep.csv").read_text().splitlines()) == 6
    save(nets.small(hidden=3000), files / "net.nmg.json")
    assert main([*BASE, "--vary", "tile.count=8,64", "--plots", "none"]) == 0
    assert "1 of 2 points do not fit, the first: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vary", "adc.bits"], "not of the form path=values"),
        (["--vary", "adc.bitz=4"], "did you mean"),
        (["--vary", "adc.bits=40"], "highest legal value"),
        (["--vary", "adc.bits=4..8", "--points", "3"], "leave --points out"),
        (["--vary", "adc.bits=4..8", "--method", "gird"], "legal: grid, random, lhs, sobol"),
        (["--vary", "adc.bits=4..8", "--plots", "gif"], "legal: png, svg, pdf, none"),
        (["--vary", "adc.bits=4..8", "--time", "1"], "no unit"),
        (["--vary", "adc.bits=4..8", "--off", "gravity"], "no effect gravity"),
        (["--vary", "adc.bits=4..8", "--store", "none/s.sqlite"], "its folder does not exist"),
        (["--vary", "adc.bits=4..8", "--store", "data.npz"], "is no sweep file"),
        (["--vary", "adc.bits=4..8", "-o", "data.npz"], "data.npz"),
        (["--vary", "adc.bits=4..8", "-o", "/proc/self/sweep"], "/proc/self/sweep"),
        (["--vary", "model=net.nmg.json,none.nmg.json"], "none.nmg.json"),
        ([], "vary"),
    ],
)
def test_wrong_input_is_answered_with_a_message_and_exit_code_2(files, capsys, options, message):
    assert main([*BASE, *options]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told


def test_unreadable_data_and_models(files, capsys):
    (files / "data.npz").write_bytes(b"PK broken")
    assert main([*BASE, "--vary", "adc.bits=4"]) == 2
    assert "data.npz" in capsys.readouterr().err
    assert main(["sweep", "none.nmg.json", "hermes-like", "--vary", "adc.bits=4"]) == 2
    assert "none.nmg.json" in capsys.readouterr().err
    assert main(["sweep", "net.nmg.json", "hermes-lik", "--vary", "adc.bits=4"]) == 2
    assert "hermes-like" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_control_c_says_how_to_resume(files):
    np.savez(files / "data.npz", x=np.zeros((4000, 20), np.float32), y=np.zeros(4000, np.int64))
    script = files / "command.py"
    script.write_text("import sys; from neuromorph.cli import main; sys.exit(main(sys.argv[1:]))")
    with started(script, [*BASE, "--vary", "seed=0..5000", "--store", "s.sqlite"], cwd=files) as process:
        read_until(process, "/5001 points")
        os.killpg(process.pid, signal.SIGINT)
        told = end(process)
        assert process.returncode == 130, told
    assert "of 5001 points are done; they are kept in s.sqlite, the same command resumes" in told
    assert "Traceback" not in told
