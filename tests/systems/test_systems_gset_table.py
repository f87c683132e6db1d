"""The recorded table of the MAX-CUT example."""

from __future__ import annotations

import csv

import pytest
from systems_data import shared_data
from systems_examples import EXAMPLES, example


@pytest.fixture(scope="module")
def recorded() -> dict[str, dict[str, str]]:
    with open(EXAMPLES / "maxcut" / "results.csv", encoding="utf-8") as file:
        return {row["graph"]: row for row in csv.DictReader(file)}


def test_the_table_holds_every_graph_up_to_2000_vertices(recorded):
    assert list(recorded) == [f"G{n}" for n in (*range(1, 48), *range(51, 55))]
    for name in ("G1", "G4", "G43"):
        assert float(recorded[name]["mean"]) >= 0.995 * float(recorded[name]["best_known"])
    for row in recorded.values():
        assert 0.98 * float(row["best_known"]) < float(row["mean"]) <= float(row["best"]) <= float(row["best_known"])


@pytest.mark.parametrize("name", ["G1", "G11", "G51"])
def test_the_script_writes_the_recorded_rows(recorded, name):
    table = example("maxcut", "table")
    ((path, known),) = [(p, table.row(p, k, 1000, 20)) for p, k in table.graphs(shared_data("gset"), [name])]
    assert path.stem == name
    assert known == recorded[name]
