"""The maxcut command: search, report on a chip, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from systems_data import random_graph

from neuromorph.cli import main
from neuromorph.errors import FitError
from neuromorph.hardware.catalog import load_architecture
from neuromorph.systems.annealing import couplings, maxcut
from neuromorph.systems.annealing.chip import chip_report, on_chip, repeats


@pytest.fixture
def graph_file(tmp_path):
    graph = random_graph(60, 3, 0.2)
    once = graph.rows < graph.index
    edges = zip(graph.rows[once] + 1, graph.index[once].astype(int) + 1, graph.weight[once], strict=True)
    path = tmp_path / "small.txt"
    path.write_text("\n".join([f"60 {graph.edges}", *(f"{i} {j} {w}" for i, j, w in edges), ""]))
    return path


def test_searches_and_saves_the_solution(graph_file, tmp_path, capsys):
    assert main(["maxcut", str(graph_file), "--sweeps", "100", "--runs", "4", "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    with np.load(tmp_path / "out" / "solution.npz") as saved:
        found = random_graph(60, 3, 0.2).cut(saved["spins"])
        np.testing.assert_array_equal(found, saved["cuts"])
    assert f"best {found.max():g} of 4 runs" in said
    assert "6000 visits" in said


def test_reports_energy_and_time_to_solution(graph_file, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--sweeps", "50", "--runs", "4", "--arch", "spinnaker2", "-o", str(out)]
    assert main(["maxcut", str(graph_file), *arguments]) == 0
    assert "time to solution" in capsys.readouterr().out
    report = json.loads((out / "report.json").read_text())
    metrics = {m["name"]: m for m in report["metrics"]}
    groups = int(report["sections"][-2]["rows"][0][1].split(", ")[2].split()[0])
    assert metrics["best_cut"]["value"] >= metrics["cut"]["value"]
    assert metrics["latency"]["value"] == pytest.approx(50 * groups * 1e-3, rel=0.01)
    assert metrics["time_to_solution"]["value"] >= metrics["latency"]["value"]
    assert any("random" in what for what in report["unmodelled"])


def test_the_chip_counts_what_the_flips_cause():
    graph = random_graph(60, 3, 0.2)
    result = maxcut(graph, 50, 2, seed=4)
    hosted = on_chip(result, load_architecture("spinnaker2"))
    flips = int(result.flips[result.best].sum())
    assert hosted.traffic.spikes.sum() == flips
    # a flip changes the fields of the neighbours' two neurons, and the gates of its own pair
    degree = np.diff(graph.indptr)
    fired = hosted.traffic.events.sum()
    assert 2 * flips * (degree.min() + 1) <= fired <= 2 * flips * (degree.max() + 1)
    draws = [row for row in hosted.ledger.unmodelled if "random" in row]
    assert len(draws) == 1


def test_a_target_that_no_run_reaches_has_no_time_to_solution():
    result = maxcut(random_graph(30, 1), 20, 2)
    report = chip_report(result, load_architecture("spinnaker2"), target=1e6)
    assert report["time_to_solution"].value is None
    assert report["energy"].value > 0
    assert repeats(0.5) == pytest.approx(6.64, abs=0.01)
    assert repeats(1.0) == 1.0


def test_couplings_wider_than_a_weight_are_refused():
    graph = couplings("wide", 3, np.array([0, 1]), np.array([1, 2]), np.array([1, 1000]))
    with pytest.raises(FitError, match="1000 times the common divisor"):
        on_chip(maxcut(graph, 5, 1), load_architecture("spinnaker2"))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("3 2\n1 2 1\n", [], "announces 2"),
        ("3 1\n1 2 1\n", ["--arch", "isaac-like"], "no many-core chip"),
        ("3 1\n1 2 1\n", ["--arch", "nothing"], "nothing"),
    ],
)
def test_refuses_with_one_message(tmp_path, capsys, text, options, words):
    path = tmp_path / "g.txt"
    path.write_text(text)
    assert main(["maxcut", str(path), *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_missing_file_is_told(tmp_path, capsys):
    assert main(["maxcut", str(tmp_path / "none.txt")]) == 2
    assert "none.txt" in capsys.readouterr().err
