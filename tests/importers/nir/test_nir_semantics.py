"""The semantics file, the dialects as recurrences, published traces of ten platforms, the export command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nir_files_by_hand import chain, node, small, write

from neuromorph.cli import main
from neuromorph.errors import InputError
from neuromorph.graph.evaluate import Evaluator
from neuromorph.graph.model import Graph
from neuromorph.graph.semantics import Semantics
from neuromorph.importers import read_graph, save_graph
from neuromorph.importers.nir import read
from neuromorph.importers.nir_files.sidecar import Sidecar, read_sidecar, sidecar_text
from neuromorph.importers.presets import DIALECTS, preset


def trace(graph: Graph, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and membranes (steps,) of a matrix and a neuron."""
    first, neuron = (n.operator for n in graph.nodes)
    state = neuron.begin(torch.zeros(1, dtype=torch.float64))  # type: ignore[attr-defined]
    weight = float(first.weight[0, 0])  # type: ignore[attr-defined]
    spikes, membrane = [], []
    for value in x:
        z = neuron.advance(torch.tensor([weight * value], dtype=torch.float64), state, None)  # type: ignore[attr-defined]
        spikes.append(float(z[0]))
        membrane.append(float(state.v[0]))
    return np.array(spikes), np.array(membrane)


def lif_traces() -> Path:
    beside = Path(__file__).resolve().parents[3].parent / "shared" / "data"
    for root in (os.environ.get("NEUROMORPH_DATA"), beside):
        if root is not None and (Path(root) / "lif_traces").is_dir():
            return Path(root) / "lif_traces"
    pytest.skip("the data lif_traces is not here: set NEUROMORPH_DATA to the folder it lies in")


# platform: (file, preset, time_scale, factor of the input, factor of its membrane, lateness of its membrane, tolerance)
PLATFORMS: dict[str, tuple[str, str, float | None, float, float, int, float]] = {
    "norse": ("lif_norse", "norse-import", None, 1, 1, 0, 1e-6),
    "snntorch": ("lif_norse", "snntorch-import", None, 1, 0.04, 0, 1e-6),
    "nengo": ("lif_norse", "nengo", None, 1, 0.1, 0, 1e-6),
    "exact": ("lif_norse", "nengo", None, 1, 1, 0, 0.0063),  # resets inside a step
    "sinabs": ("lif_norse", "sinabs-import", 1.0, 1, 1, 0, 1e-6),  # its input is in the trace times dt / tau
    "rockpool": ("lif_rockpool", "rockpool", None, 1, 1, 0, 1e-6),
    "spyx": ("lif_norse", "spyx", 1.0, 0.04, 1, 0, 1e-6),  # dt / tau is in its weights
    "lava_cpu_float": ("lif_norse", "lava", None, 1, 1, 1, 1e-6),
    "spinnaker2": ("lif_norse", "spinnaker2", None, 1, 0.04, 0, 2.1e-5),  # its weight is 0.9998
    "lava_cpu_fixed": ("lif_norse", "lava", None, 1, 1 / 16000, 1, 9e-4),  # whole numbers, 16000 for 1
    "lava_loihi_fixed": ("lif_norse", "lava", None, 1, 1 / 16000, 1, 8.1e-3),
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_published_traces_of_one_neuron(platform: str) -> None:
    name, dialect, scale, factor, unit, late, tolerance = PLATFORMS[platform]
    folder = lif_traces()
    given, membrane, fired = np.loadtxt(folder / f"lif_{platform}.csv", delimiter=",").T
    graph = read(folder / f"{name}.nir", dt="0.1 ms", preset=dialect, time_scale=scale)
    spikes, v = trace(graph, given * factor)
    assert fired.sum() == 4
    np.testing.assert_array_equal(spikes, fired)
    assert np.abs(v[: 1000 - late] - membrane[late:] * unit).max() < tolerance


def test_the_two_neurons_of_another_file(tmp_path: Path) -> None:
    """Its first neuron is driven by its leak potential alone: it charges to 1.2 (1 - 0.9^n)."""
    root = chain(
        ("in", node("Input", shape=[1])), ("w", node("Linear", weight=[[1.0]])),
        ("lif", node("LIF", tau=[0.01], r=[1.0], v_leak=[1.2], v_threshold=[1.0])), ("out", node("Output", shape=[1])),
    )  # fmt: skip
    graph = read(write(tmp_path / "a.nir", root), dt="1 ms", steps=40)
    period = int(np.floor(np.log(1 - 1 / 1.2) / np.log(0.9))) + 1
    expected = np.zeros(40)
    expected[period - 1 :: period] = 1
    np.testing.assert_array_equal(Evaluator(graph)(torch.zeros(40, 1))[:, 0].numpy(), expected)  # type: ignore[index]


A, TH, DT, TAU = 0.04, 0.1, 1e-4, 2.5e-3


def recurrence(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The dialects' steps of one LIF, written out again; tau / dt = 25, r = 1."""
    kept = {"nengo": np.exp(-A), "sinabs": np.exp(-A), "rockpool": np.exp(-A)}.get(name, 1 - A)
    gain = {"nengo": 1 - np.exp(-A), "sinabs": 1 - np.exp(-A), "rockpool": 1.0, "spyx": 1.0}.get(name, A)
    v, last, spikes, membrane = 0.0, 0.0, [], []
    for value in x:
        if name in ("snntorch", "spyx"):
            v = kept * v + gain * value - last * TH
            z = float(v > TH)
            spikes.append(last if name == "spyx" else z)
            last = z
        else:
            v = kept * v + gain * value
            if name in ("sinabs", "rockpool"):
                z = float(np.floor(v / TH)) if v > 0 else 0.0
                v -= z * TH
            else:
                z = float(v >= TH if name == "spikingjelly" else v > TH)
                v = v * (1 - z)
            spikes.append(last if name == "lava" else z)
            last = z
        membrane.append(v)
    return np.array(spikes), np.array(membrane)


@pytest.mark.parametrize("name", sorted(set(DIALECTS) - {"sinabs-import"}))
def test_every_dialect_is_the_recurrence_it_says(tmp_path: Path, name: str) -> None:
    times = {"steps": TAU / DT, "dt s": TAU * DT}.get(DIALECTS[name].times, TAU)
    root = chain(
        ("in", node("Input", shape=[1])), ("w", node("Linear", weight=[[1.0]])),
        ("lif", node("LIF", tau=[times], r=[1.0], v_leak=[0.0], v_threshold=[TH])), ("out", node("Output", shape=[1])),
    )  # fmt: skip
    x = np.random.default_rng(0).uniform(-0.05, 1.0, 200) * (np.random.default_rng(1).random(200) < 0.4)
    x = x * 0.3 if DIALECTS[name].unit_gains and name in ("rockpool", "spyx") else x * 2
    spikes, membrane = trace(read(write(tmp_path / "a.nir", root), dt=DT, preset=name), x)
    expected, v = recurrence(name, x)
    assert expected.sum() > 5
    np.testing.assert_array_equal(spikes, expected)
    np.testing.assert_allclose(membrane, v, atol=1e-12)


def test_a_preset_alone() -> None:
    found = preset("snntorch")
    assert (found.dt_s, found.reset, found.delayed_reset, found.preset) == (1e-4, "subtract", True, "snntorch")
    assert preset("sinabs", 1e-3, v_min=-1.0).v_min == -1.0
    assert not preset("spyx", 1e-3, kind="CubaLIF").delayed_reset
    for wrong in ({"name": "snn"}, {"name": "sinabs"}, {"name": "nir", "dt_s": float("nan")}):
        with pytest.raises(InputError):
            preset(**wrong)
    assert all(d.docs and d.basis in ("executed", "read", "assumed") for d in DIALECTS.values())


SIDECAR = """schema: 1
dt: 0.5 ms
preset: sinabs
time_scale: 1
steps: 7
semantics: {reset: value, v_min: -1}
nodes:
  lif: {refractory: 2, spikes_per_step: null}
"""


def test_a_semantics_file_beside_the_network_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", small())
    (tmp_path / "net.semantics.yaml").write_text(SIDECAR)
    graph = read(path)
    assert graph.input_shapes == {"input": (7, 2)}
    expected = Semantics(
        5e-4, "exponential", "value", compare=">=", refractory=2, spikes_per_step=None, v_min=-1.0, preset="sinabs"
    )
    assert graph["lif"].operator.semantics == expected  # type: ignore[attr-defined]
    assert "net.semantics.yaml" in graph.metadata["notes"]
    assert read(path, dt="1 ms", steps=3)["lif"].operator.semantics.dt_s == 1e-3  # type: ignore[attr-defined]
    assert "not used" in read(path, preset="norse").metadata["notes"]
    elsewhere = tmp_path / "other.yaml"
    elsewhere.write_text("schema: 1\ndt: 2 ms\n")
    assert read(path, semantics=elsewhere).metadata["dt_s"] == "0.002"
    whole = Semantics(1e-3, reset="none")
    assert read(path, semantics=whole)["lif"].operator.semantics == whole  # type: ignore[attr-defined]


WRONG = {
    "schema: 2\n": (1, "schema is 2"),
    "dt: 1 ms\n": (1, "schema is None"),
    "schema: 1\ndt: 0.001\n": (2, "without a unit"),
    "schema: 1\ndt: 1 mV\n": (2, ""),
    "schema: 1\npreset: snntorhc\n": (2, "unknown preset 'snntorhc'"),
    "schema: 1\nsteps: 0\n": (2, "is 0"),
    "schema: 1\ntime_scale: -1\n": (2, "is -1"),
    "schema: 1\nsemantics: {reset: zero}\n": (2, "reset is 'zero'"),
    "schema: 1\nsemantics:\n  delayed_reset: 1\n": (3, "delayed_reset is 1"),
    "schema: 1\nsemantics:\n  refractory: -1\n": (3, "is -1"),
    "schema: 1\nsemantics:\n  v_min: .nan\n": (3, "v_min is '.nan'"),
    "schema: 1\nsemantics:\n  resett: value\n": (3, "unknown key 'resett'"),
    "schema: 1\nnodes: 3\n": (2, "is no mapping"),
    "schema: 1\nfeedback: [[a]]\n": (2, "is ['a']"),
    "schema: 1\ntimes: 3\n": (2, "unknown key 'times'"),
}


@pytest.mark.parametrize("text", WRONG)
def test_faults_of_a_semantics_file_have_line_and_column(tmp_path: Path, text: str) -> None:
    line, message = WRONG[text]
    path = tmp_path / "net.semantics.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read(write(tmp_path / "net.nir", small()))
    (problem,) = caught.value.problems
    assert (problem.place.file, problem.place.line) == (str(path), line)
    assert problem.place.column is not None
    assert message in problem.message


def test_a_semantics_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    full = Sidecar(
        1e-5 / 3, "norse", 0.5, 9, {"reset": "subtract", "spikes_per_step": None, "v_min": -0.25},
        {"0": {"output_shift": 1}, "on": {"bias_at_start": False}}, (("1", "0"), ("on", "a b")),
    )  # fmt: skip
    for sidecar in (full, Sidecar()):
        (tmp_path / "a.yaml").write_text(sidecar_text(sidecar), encoding="utf-8")
        assert read_sidecar(tmp_path / "a.yaml") == sidecar


def test_unknown_nodes_and_edges_of_a_semantics_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", small())
    (tmp_path / "net.semantics.yaml").write_text("schema: 1\ndt: 1 ms\nnodes: {liff: {reset: none}}\n")
    with pytest.raises(InputError, match="a node 'liff', which the network does not have"):
        read(path)
    (tmp_path / "net.semantics.yaml").write_text("schema: 1\ndt: 1 ms\nfeedback: [[lif, w]]\n")
    with pytest.raises(InputError, match="no edge from 'lif' to 'w'"):
        read(path)


def run(*arguments: Any) -> int:
    return main([str(a) for a in arguments])


def test_the_command_exports_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.nir", small())
    assert run("export", path, "-o", tmp_path / "b.nmg.json", "--dt", "1 ms", "--preset", "snntorch") == 0
    assert run("export", tmp_path / "b.nmg.json", "-o", tmp_path / "c.nir") == 0
    out = capsys.readouterr().out
    assert out.count("checked: 4 random samples give the same") == 2
    assert "c.semantics.yaml" in out
    first, last = read_graph(tmp_path / "b.nmg.json"), read_graph(tmp_path / "c.nir")
    assert last["lif"].operator.semantics.reset == "subtract"  # type: ignore[attr-defined]
    assert first["w"].operator == last["w"].operator
    portable, fresh = tmp_path / "b.nmg.json", tmp_path / "d.nir"
    for model, output, *more in (
        (path, path), (path, tmp_path), (path, tmp_path / "x" / "c"), (path, fresh), (portable, fresh, "--dt", "1 s")
    ):  # fmt: skip
        assert run("export", model, "-o", output, *more) == 2
        assert "error:" in capsys.readouterr().err


def test_what_has_no_word_in_the_format_is_refused_by_name_and_nothing_is_written(tmp_path: Path) -> None:
    from neuromorph.graph.model import Node
    from neuromorph.graph.operators.activation import ReLU
    from neuromorph.graph.operators.neurons import AdaptiveLIF, Izhikevich

    s = Semantics(1e-3)
    one = np.ones(2)
    graph = Graph(
        "net",
        {"x": (4, 2)},
        (
            Node("izh", Izhikevich(0.02 * one, 0.2 * one, -65 * one, 8 * one, 30 * one, s), ("x",)),
            Node("relu", ReLU(), ("izh",)),
            Node("alif", AdaptiveLIF(0.01 * one, one, 0 * one, one, 0 * one, 0.1 * one, one, s), ("relu",)),
        ),
        ("alif",),
    )
    with pytest.raises(InputError) as caught:
        save_graph(graph, tmp_path / "a.nir")
    assert [(p.place.key, p.message) for p in caught.value.problems] == [
        ("izh", "NIR has no node for Izhikevich"),
        ("relu", "NIR has no node for ReLU"),
        ("alif", "NIR has no node for AdaptiveLIF"),
    ]
    plain = Graph("net", {"x": (4, 2)}, (Node("relu", ReLU(), ("x",)),), ("relu",))
    with pytest.raises(InputError, match="neither neurons nor delays"):
        save_graph(plain, tmp_path / "a.nir")
    assert not list(tmp_path.iterdir())
