"""A real run's report: what the verbs gave is what the files and pages hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuromorph.devices.layered import describe
from neuromorph.report import read_report, write_report


@pytest.fixture(scope="module")
def report():
    from neuromorph.graph.model import Graph, Node
    from neuromorph.graph.operators.activation import ReLU
    from neuromorph.graph.operators.dense import Linear
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.run import run

    rng = np.random.default_rng(0)
    graph = Graph(
        "small",
        {"x": (24,)},
        (
            Node("first", Linear(rng.normal(size=(16, 24)) / 5, np.zeros(16)), ("x",)),
            Node("relu", ReLU(), ("first",)),
            Node("second", Linear(rng.normal(size=(4, 16)) / 4, np.zeros(4)), ("relu",)),
        ),
        ("second",),
    )
    x, y = rng.normal(size=(20, 24)).astype(np.float32), rng.integers(0, 4, 20)
    return run(graph, load_architecture("hermes-like"), x, y, calibration_inputs=x, trials=2, effects=True)


def test_a_run_reads_back_as_it_was(report, tmp_path):
    back = read_report(write_report(report, tmp_path)["report.json"])
    assert back.to_dict() == report.to_dict()
    assert write_report(back, tmp_path / "again")["report.html"].read_text() == (tmp_path / "report.html").read_text()


def test_headline_layers_and_ledger_agree(report):
    energies = [row["energy_j"] for row in report.ledger if row["energy_j"] is not None]
    assert report["energy"].value == pytest.approx(math.fsum(energies))
    layers = math.fsum(row["energy_j"] for row in report.layers if row["energy_j"] is not None)
    chip = math.fsum(row["energy_j"] for row in report.ledger if row["layer"] == "(chip)" and row["energy_j"])
    assert layers + chip == pytest.approx(report["energy"].value)
    assert report["accuracy"].value == pytest.approx(np.mean(report.chips["accuracy"]))
    assert {row["stage"] for row in report.gantt} >= {"first", "second"}
    assert {name for tile in report.floor["tiles"] for name in tile["layers"]} == {"first", "second"}


def test_static_energy_without_a_figure_is_not_zero(report):
    known = any(row["kind"] == "static" for row in report.ledger)
    assert (report["static_energy"].value is None) != known


def test_a_timeline_of_many_bars_keeps_every_layer(monkeypatch):
    from neuromorph.timeline.result import GanttRow

    class Timeline:
        samples = 9

        def gantt(self, samples, shortest_s=0.0):
            bars = 100 if shortest_s < 1e-7 else 1
            return [
                GanttRow(stage, s, k * 1e-6 / bars, (k + 1) * 1e-6 / bars, "busy")
                for stage in ("a", "b", "c") for s in samples for k in range(bars)
            ]  # fmt: skip

    class Schedule:
        timeline = Timeline()

    def bars(most: int) -> list[tuple[str, int]]:
        monkeypatch.setattr(describe, "GANTT_ROWS", most)
        return [(row["stage"], row["sample"]) for row in describe._gantt(Schedule())]

    assert len(bars(1200)) == 1200
    assert bars(100) == [(stage, s) for stage in "abc" for s in range(4)]
    assert bars(7) == [(stage, s) for stage in "abc" for s in range(2)]
    assert bars(3) == [(stage, 0) for stage in "abc"]
