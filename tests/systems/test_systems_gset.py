"""The G-set format, its errors, and the quality on the published graphs."""

from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest
from systems_data import random_graph, shared_data

from neuromorph.errors import InputError
from neuromorph.systems.annealing import maxcut, read_gset


def test_reads_what_was_written(tmp_path):
    graph = random_graph(20, 1)
    rows, index = graph.rows, graph.index
    once = rows < index
    lines = [f"{i + 1} {j + 1} {w}" for i, j, w in zip(rows[once], index[once], graph.weight[once], strict=True)]
    (tmp_path / "g.txt").write_text("\n".join([f"20 {len(lines)}", *lines, ""]))
    found = read_gset(tmp_path / "g.txt")
    np.testing.assert_array_equal(found.matrix(), graph.matrix())
    assert found.name == "g"
    assert found.whole
    assert found.edges == graph.edges


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("3", "1 words, expected vertices and edges"),
        ("x 2", "'x 2' is not vertices and edges"),
        ("0 0", "0, 0"),
        ("3 2\n1 2 1\n", "1 edges, the first line announces 2.*cut off"),
        ("3 1\n1 2 1\n2 3 1\n", "2 edges, the first line announces 1"),
        ("3 1\n1 4 1\n", r"g.txt:2: edge 1 - 4 leaves the 3 vertices \(vertices are numbered 1 to 3\)"),
        ("3 1\n0 2 1\n", "edge 0 - 2 leaves"),
        ("3 1\n2 2 1\n", "vertex 2 has an edge to itself"),
        ("3 2\n1 2 1\n2 1 1\n", r"g.txt:3: edge 2 - 1 is given twice \(first in line 2\)"),
        ("3 1\n1 2 one\n", "'1 2 one' is not an edge"),
        ("3 1\n1 2\n", "2 words, expected an edge"),
        ("3 1\n1 2 nan\n", "weight nan"),
        ("3 1\n1.5 2 1\n", "is not an edge"),
        ("3 1\n1 2 \xe9\n", "is not text"),
    ],
)
def test_faulty_files_are_refused_by_line(tmp_path, text, words):
    path = tmp_path / "g.txt"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=words):
        read_gset(path)


def test_all_faults_are_told_at_once(tmp_path):
    (tmp_path / "g.txt").write_text("3 4\n1 1 1\n1 9 1\n1 2 x\n")
    with pytest.raises(InputError) as caught:
        read_gset(tmp_path / "g.txt")
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("name", ["G1", "G4", "G43"])
def test_mean_of_20_runs_reaches_99_5_percent_of_the_best_known_cut(name, tmp_path):
    folder = shared_data("gset")
    with zipfile.ZipFile(folder / "gset.zip") as archive:
        inside = next(n for n in archive.namelist() if n.split("/")[-1].split(".")[0] == name)
        (tmp_path / name).write_bytes(archive.read(inside))
    with open(folder / "best_known.csv") as file:
        best = {row["graph"]: float(row["best_known_cut"]) for row in csv.DictReader(file)}[name]
    result = maxcut(read_gset(tmp_path / name), sweeps=1000, runs=20, seed=0)
    assert result.cuts.mean() >= 0.995 * best
    assert result.cuts.max() <= best
