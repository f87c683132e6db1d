"""The command line with spiking networks: NIR files, events, presets, both kinds of chips, wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from spiking_run_network import events, network

import neuromorph as nm
from neuromorph.cli import main
from neuromorph.events import write_events


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """network.nir with its semantics, network.nmg.json and events.h5."""
    nm.save_graph(network(), tmp_path / "network.nir")
    nm.save_graph(network(), tmp_path / "network.nmg.json")
    write_events(tmp_path / "events.h5", *events())
    return tmp_path


def test_a_nir_file_runs_on_spinnaker_2_with_events(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "out"
    arguments = ["run", str(folder / "network.nir"), "--arch", "spinnaker2", "--data", str(folder / "events.h5")]
    assert main([*arguments, "--dt", "1ms", "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Accuracy" in said
    assert "NeuroBench counts" in said
    found = json.loads((out / "report.json").read_text())
    metrics = {m["name"]: m["value"] for m in found["metrics"]}
    assert metrics["accuracy"] >= 0.75
    assert metrics["energy"] > 0
    assert any("leakage" in u for u in found["unmodelled"])
    assert (out / "report.html").exists()


def test_the_same_file_runs_on_a_crossbar(folder: Path) -> None:
    out = folder / "out"
    arguments = ["run", str(folder / "network.nir"), "hermes-like", "--data", str(folder / "events.h5")]
    assert main([*arguments, "--trials", "2", "-o", str(out)]) == 0
    metrics = {m["name"]: m["value"] for m in json.loads((out / "report.json").read_text())["metrics"]}
    assert metrics["accuracy"] >= 0.75


def test_a_placement_is_saved_and_fed_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, saved = str(folder / "network.nmg.json"), str(folder / "placement.json")
    data = str(folder / "events.h5")
    assert main(["map", model, "loihi-like", "--data", data, "-o", saved]) == 0
    assert "optimised" in capsys.readouterr().out
    assert main(["map", model, "loihi-like", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["architecture"] == "loihi-like"
    one, two = folder / "one", folder / "two"
    assert main(["run", model, "loihi-like", "--data", data, "-o", str(one)]) == 0
    assert main(["run", model, "loihi-like", "--data", data, "--placement", saved, "-o", str(two)]) == 0
    energies = [
        next(m["value"] for m in json.loads((f / "report.json").read_text())["metrics"] if m["name"] == "energy")
        for f in (one, two)
    ]
    assert energies[0] == pytest.approx(energies[1])


def test_a_sweep_prices_spikes_again(folder: Path) -> None:
    out = folder / "sweep"
    vary = ["--vary", "core.synapse_energy=1x,2x", "--vary", "core.weight_bits=3,8"]
    arguments = ["sweep", str(folder / "network.nmg.json"), "loihi-like", "--data", str(folder / "events.h5")]
    assert main([*arguments, *vary, "-o", str(out), "--plots", "none"]) == 0
    rows = [line.split(",") for line in (out / "sweep.csv").read_text().splitlines()]
    head, rows = rows[0], rows[1:]
    energy, bits = head.index("energy_j"), head.index("core.weight_bits")
    assert len(rows) == 4
    for b in ("3", "8"):
        pair = sorted(float(r[energy]) for r in rows if r[bits] == b)
        assert pair[0] < pair[1]


def test_an_early_exit_on_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(folder / "network.nmg.json"), "loihi-like", "--data", str(folder / "events.h5")]
    assert main([*arguments, "--confidence", "0.6", "--temperature", "0.5"]) == 0
    assert "Latency" in capsys.readouterr().out


WRONG = {
    "no architecture": (["network.nir"], "no architecture is named"),
    "two architectures": (["network.nir", "spinnaker1", "--arch", "spinnaker2"], "two architectures"),
    "unknown architecture": (["network.nir", "--arch", "spinaker2"], "spinnaker2"),
    "unknown preset": (["network.nir", "spinnaker2", "--preset", "snntroch"], "snntorch"),
    "dt without unit": (["network.nir", "spinnaker2", "--dt", "1"], "dt"),
    "dt of zero": (["network.nir", "spinnaker2", "--dt", "0 ms"], "dt"),
    "dt for a portable graph": (["network.nmg.json", "spinnaker2", "--dt", "1 ms"], "dt"),
    "steps of a network without time": (["mlp", "digital-int8", "--steps", "3"], "no time steps"),
    "a network without time": (["mlp", "spinnaker2"], "convert"),
    "events of another network": (["network.nir", "spinnaker2", "--data", "other.h5"], "takes"),
    "no such data": (["network.nir", "spinnaker2", "--data", "none.h5"], "does not exist"),
    "data that are no events": (["network.nir", "spinnaker2", "--data", "broken.h5"], "broken.h5"),
    "a broken model": (["broken.nir", "spinnaker2"], "broken.nir"),
    "an unknown effect": (["network.nir", "spinnaker2", "--data", "events.h5", "--off", "drift"], "arithmetic"),
    "early exit on layers": (
        ["network.nir", "digital-int8", "--data", "events.h5", "--confidence", "0.5"], "many-core chip",
    ),
    "a limit": (["network.nir", "loihi-like", "--set", "core.fan_in=8"], "fan_in"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_gets_one_clear_message(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, expected = WRONG[case]
    import dataclasses

    (folder / "broken.nir").write_bytes(b"\x89HDF\r\n\x1a\n and nothing more")
    (folder / "broken.h5").write_bytes(b"not a file of events")
    raster, labels = events()
    write_events(folder / "other.h5", dataclasses.replace(raster, shape=(31,)), labels)
    mlp = str(Path(__file__).parents[2] / "examples/mnist/mlp.nmg.json")
    files = ("network.nir", "network.nmg.json", "broken.nir", "events.h5", "other.h5", "none.h5", "broken.h5")
    given = [mlp if a == "mlp" else str(folder / a) if a in files else a for a in arguments]
    assert main(["run", *given]) == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert said.err.startswith("error: ")
    assert "Traceback" not in said.err + said.out
    assert "unexpected" not in said.err
