"""A kind of hardware in three files of tests/contract/toy goes through every verb: no shared code knows a kind."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import neuromorph as nm
from neuromorph.devices import protocol
from neuromorph.errors import InputError
from neuromorph.hardware.registry import registered

TOY = Path(__file__).parent / "toy"
sys.path.insert(0, str(TOY))
import toy_kind  # noqa: E402
import toy_parts  # noqa: E402

CHIP = str(TOY / "toy-pipeline.yaml")
MLP = "examples/mnist/mlp.nmg.json"


@pytest.fixture(autouse=True)
def toy() -> Iterator[None]:
    """The toy known for one test."""
    protocol.kinds()
    with registered(toy_parts.PIPELINE, toy_parts.MULTIPLIER):
        protocol.add_kind(toy_kind.KIND)
        yield
        del protocol._found["toy_pipeline"]


def digits() -> tuple[np.ndarray, np.ndarray]:
    x, y = nm.read_data("examples/mnist/mnist5k.npz", limit=50)
    assert y is not None
    return x, y


def test_it_runs_with_its_own_tables_and_costs(tmp_path: Path) -> None:
    x, y = digits()
    graph, chip = nm.read_graph(MLP), nm.load_architecture(CHIP)
    report = nm.run(graph, chip, x, y, effects=True, folding=8)
    macs = sum(row["macs"] for row in report.layers)
    layers = len(report.layers)
    assert report["dynamic_energy"].value == pytest.approx(1e-12 * macs)
    seconds = sum(-(-row["macs"] // 8) for row in report.layers) / 1e8
    assert report["latency"].value == pytest.approx(seconds)
    assert report["static_energy"].value == pytest.approx(64e-6 * seconds)
    assert report["area"].value == pytest.approx(64e-9)
    assert report["energy"].low == pytest.approx(0.5e-12 * macs + 64e-6 * seconds)
    assert report["multipliers_used"].value == 8 * layers
    assert report["output_error"].value > 0.01
    assert [e["effect"] for e in report.effects] == ["rounding", "all"]
    assert report.effects[0]["accuracy"] == pytest.approx(report["float_accuracy"].value)
    assert [s["key"] for s in report.sections] == ["stages"]
    written = nm.write_report(report, tmp_path / "out")
    page = written["report.html"].read_text()
    assert "Stages" in page
    assert "toy-pipeline" in page


def test_it_is_assumed_placed_saved_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from neuromorph.cli import main

    graph, chip = nm.read_graph(MLP), nm.load_architecture(CHIP)
    assert nm.run(graph, chip).notes[0] == "nothing was run: activity is assumed"
    placement = nm.place(graph, chip, folding=2)
    placement.save(tmp_path / "p.json")
    assert nm.load_placement(tmp_path / "p.json", graph, chip).explain() == placement.explain()
    other = nm.load_architecture("hermes-like")
    with pytest.raises(InputError, match="a placement on a root of kind 'toy_pipeline'"):
        nm.load_placement(tmp_path / "p.json", graph, other)
    assert main(["map", MLP, CHIP]) == 0
    assert "multipliers (binds)" in capsys.readouterr().out
    assert main(["map", MLP, CHIP, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["order"] == "as given"
    assert main(["run", MLP, CHIP, "--data", "examples/mnist/mnist5k.npz", "--samples", "20", "--off", "rounding"]) == 0


def test_it_is_swept_and_compared_beside_other_kinds(tmp_path: Path) -> None:
    x, y = digits()
    graph = nm.read_graph(MLP)
    vary = {"architecture": [CHIP, "digital-int8"]}
    found = nm.sweep(graph, CHIP, vary=vary, data=(x, y), trials=2, workers=0)
    assert [r["status"] for r in found.rows] == ["done", "done"]
    assert all(r["energy_j"] > 0 and r["accuracy"] > 0.5 for r in found.rows)
    bits = nm.sweep(graph, CHIP, vary={"bits": [2, 8], "multiplier.energy": "1x,2x"}, data=(x, y), workers=0)
    error, energy = bits.column("output_error"), bits.column("dynamic_energy_j")
    assert error[0] > 2 * error[2]
    assert energy[1] == pytest.approx(2 * energy[0])
    reports = [nm.run(graph, nm.load_architecture(a), x, y) for a in (CHIP, "digital-int8")]
    compared = nm.compare(reports, tmp_path)
    assert (tmp_path / "compare.html").exists()
    assert len(compared.reports) == 2


def test_its_options_and_refusals_are_those_of_every_kind() -> None:
    x, y = digits()
    graph, chip = nm.read_graph(MLP), nm.load_architecture(CHIP)
    with pytest.raises(InputError, match="multipliers, the chip has 64"):
        nm.run(graph, chip, folding=1000)
    with pytest.raises(InputError, match=r"copies has no meaning.*toy-pipeline.*legal here: seed, off, folding"):
        nm.run(graph, chip, copies={})
    with pytest.raises(InputError, match=r"run has no option 'foldng'.*did you mean 'folding'"):
        nm.run(graph, chip, foldng=2)
    with pytest.raises(InputError, match="no effect drift on toy-pipeline"):
        nm.run(graph, chip, x, y, off="drift")
    with pytest.raises(InputError, match="toy-pipeline has no closed form"):
        nm.estimate(graph, chip)
