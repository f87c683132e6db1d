"""Files in the wild: old fields, nesting, cycles, sums, missing ends, shapes that must be found out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nir_files_by_hand import chain, lif, network, node, small, write

from neuromorph.cli import main
from neuromorph.errors import InputError
from neuromorph.graph.evaluate import Evaluator
from neuromorph.importers import read_graph
from neuromorph.importers.nir import read


def run(graph: Any, x: np.ndarray) -> np.ndarray:
    y = Evaluator(graph)(torch.as_tensor(x))
    assert isinstance(y, torch.Tensor)
    return y.numpy()


def spikes(*shape: int, rate: float = 0.5) -> np.ndarray:
    return (np.random.default_rng(0).random(shape) < rate).astype(np.float64)


def by_hand(w: np.ndarray, x: np.ndarray, rec: np.ndarray | None = None, bias: float = 0.0) -> np.ndarray:
    """Forward Euler, hard reset: LIF of `lif()` at 1 ms on x (steps, in)."""
    v, z, out = np.zeros(w.shape[0]), np.zeros(w.shape[0]), []
    for row in x:
        drive = w @ row + (0 if rec is None else rec @ z + bias)
        v = v + 0.1 * (-v + 10 * drive)
        z = (v > 0.8).astype(float)
        v = np.where(z > 0, 0, v)
        out.append(z)
    return np.array(out)


def test_a_small_network_does_what_its_equation_says(tmp_path: Path) -> None:
    x = spikes(1, 30, 2)
    graph = read_graph(write(tmp_path / "net.nir", small()), dt="1 ms", steps=30)
    expected = by_hand(np.arange(6.0).reshape(3, 2) / 10, x[0])
    assert expected.sum() > 5
    np.testing.assert_array_equal(run(graph, x)[0], expected)
    assert graph.name == "net"
    assert graph.input_shapes == {"input": (30, 2)}
    assert graph.metadata["dt_s"] == "0.001"


OLD = {
    "no v_reset": small(v_reset=None),
    "scalar parameters": small(**{k: np.float64(v) for k, v in (("tau", 0.01), ("r", 10), ("v_leak", 0))}),
    "single values": small(**{k: np.array([v]) for k, v in (("tau", 0.01), ("v_threshold", 0.8))}),
    "32-bit floats": small(v_threshold=np.full(3, 0.8, np.float32), r=np.full(3, 10, np.int32)),
}


@pytest.mark.parametrize("case", OLD)
def test_old_fields(tmp_path: Path, case: str) -> None:
    x = spikes(1, 30, 2)
    expected = run(read(write(tmp_path / "new.nir", small()), dt=1e-3, steps=30), x)
    np.testing.assert_array_equal(run(read(write(tmp_path / "old.nir", OLD[case]), dt=1e-3, steps=30), x), expected)


def test_missing_inputs_and_outputs_duplicated_and_shuffled_edges(tmp_path: Path) -> None:
    root = small()
    bare = network(
        {k: v for k, v in root["nodes"].items() if k not in ("input", "output")}, [("w", "lif"), ("w", "lif")]
    )
    shuffled = network(root["nodes"], [*reversed(root["edges"]), *root["edges"]])
    x = spikes(2, 20, 2)
    expected = run(read(write(tmp_path / "a.nir", root), dt=1e-3, steps=20), x)
    graph = read(write(tmp_path / "b.nir", bare), dt=1e-3, steps=20)
    assert graph.input_shapes == {"input": (20, 2)}
    assert "no Input node" in graph.metadata["notes"]
    np.testing.assert_array_equal(run(graph, x), expected)
    np.testing.assert_array_equal(run(read(write(tmp_path / "c.nir", shuffled), dt=1e-3, steps=20), x), expected)


def test_a_batch_axis_of_the_input_is_left_out(tmp_path: Path) -> None:
    root = small()
    root["nodes"]["input"]["shape"] = [1, 2]
    root["nodes"]["output"]["shape"] = [1, 1, 3]
    graph = read(write(tmp_path / "a.nir", root), dt=1e-3)
    assert graph.input_shapes == {"input": (1, 2)}
    assert "batch axis" in graph.metadata["notes"]


NESTED = {
    "whole graph": [("input", "sub"), ("sub", "output")],
    "dotted names": [("input", "sub.in"), ("sub.out", "output")],
    "inner nodes": [("input", "sub.lif"), ("sub.lif", "output")],
    "inner names alone": [("input", "lif"), ("lif", "output")],
}


@pytest.mark.parametrize("case", NESTED)
def test_nested_graphs_and_edges_with_inner_names(tmp_path: Path, case: str) -> None:
    rec = np.random.default_rng(1).normal(0, 0.3, (3, 3))
    inner = network(
        {"in": node("Input", shape=[3]), "lif": lif(), "rec": node("Affine", weight=rec, bias=np.full(3, 0.05)),
         "out": node("Output", shape=[3])},
        [("in", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "out")],
    )  # fmt: skip
    nodes = {"input": node("Input", shape=[3]), "sub": inner, "output": node("Output", shape=[3])}
    graph = read(write(tmp_path / "a.nir", network(nodes, NESTED[case])), dt=1e-3, steps=25)
    x = spikes(1, 25, 3, rate=0.3) * 0.5
    assert graph["sub.lif"].feedback == ("sub.rec",)
    expected = by_hand(np.eye(3), x[0], rec, 0.05)
    assert expected.sum() > 5
    np.testing.assert_array_equal(run(graph, x)[0], expected)


def test_edges_inside_a_graph_with_its_own_name_before_them(tmp_path: Path) -> None:
    names = {"rnn.lif": lif(), "rnn.input": node("Input", shape=[3]), "rnn.output": node("Output", shape=[3])}
    inner = network(names, [("rnn.input", "rnn.lif"), ("rnn.lif", "rnn.output")])
    nodes = {"input": node("Input", shape=[3]), "rnn": inner, "output": node("Output", shape=[3])}
    for edges in ([("input", "rnn"), ("rnn", "output")], [("input", "rnn.input"), ("rnn.output", "output")]):
        graph = read(write(tmp_path / "a.nir", network(nodes, edges)), dt=1e-3)
        assert [n.name for n in graph.nodes] == ["rnn.rnn.lif"]


def test_a_cycle_entered_at_its_weights_is_cut_there(tmp_path: Path) -> None:
    w = np.random.default_rng(1).normal(0.2, 0.4, (3, 3))
    nodes = {"input": node("Input", shape=[3]), "w": node("Linear", weight=w), "lif": lif(),
             "output": node("Output", shape=[3])}  # fmt: skip
    edges = [("input", "w"), ("w", "lif"), ("lif", "w"), ("lif", "output")]
    graph = read(write(tmp_path / "a.nir", network(nodes, edges)), dt=1e-3, steps=25)
    assert graph["w"].feedback == ("lif",)
    x = spikes(1, 25, 3)
    np.testing.assert_array_equal(run(graph, x)[0], by_hand(w, x[0], w))


def test_cycles_are_cut_at_the_neuron_nearest_to_the_input_whatever_the_order(tmp_path: Path) -> None:
    eye = node("Linear", weight=np.eye(3))
    nodes = {"in": node("Input", shape=[3]), "b": lif(), "a": lif(), "ab": eye, "ba": eye, "aa": eye,
             "out": node("Output", shape=[3])}  # fmt: skip
    edges = [("in", "b"), ("b", "ba"), ("ba", "a"), ("a", "ab"), ("ab", "b"), ("a", "aa"), ("aa", "a"), ("b", "b"),
             ("a", "out")]  # fmt: skip
    for order in (edges, edges[::-1], edges[4:] + edges[:4]):
        graph = read(write(tmp_path / "a.nir", network(nodes, order)), dt=1e-3)
        assert graph["b"].feedback == ("b", "ab")
        assert graph["a"].feedback == ("aa",)
        assert [n.name for n in graph.nodes][:3] == ["b", "ba", "a"]


def test_a_loop_with_a_delay_and_no_neuron_keeps_its_delay(tmp_path: Path) -> None:
    half = node("Linear", weight=[[0.5]])
    nodes = {
        "in": node("Input", shape=[1]),
        "w": half,
        "d": node("Delay", delay=[0.003]),
        "out": node("Output", shape=[1]),
    }
    edges = [("in", "w"), ("w", "d"), ("d", "w"), ("w", "out")]
    graph = read(write(tmp_path / "a.nir", network(nodes, edges)), dt=1e-3, steps=8)
    x = np.zeros((1, 8, 1))
    x[0, 0] = 1
    np.testing.assert_allclose(run(graph, x)[0, :, 0], [0.5, 0, 0, 0.25, 0, 0, 0.125, 0])


def test_edges_into_one_node_are_summed_and_residual_edges_too(tmp_path: Path) -> None:
    w = np.diag([1.0, 2.0, 3.0])
    three = {"shape": [3]}
    nodes = {
        **{name: node("Input", **three) for name in "ab"},
        **{name: node("Output", **three) for name in "xy"},
        "w": node("Linear", weight=w),
        "s": node("Scale", scale=[2.0, 2.0, 2.0]),
    }
    edges = [("a", "w"), ("b", "w"), ("w", "s"), ("s", "x"), ("a", "x"), ("w", "y")]
    graph = read(write(tmp_path / "a.nir", network(nodes, edges)), steps=2)
    a, b = spikes(1, 2, 3), spikes(1, 2, 3) * 0.25
    x, y = (t.numpy() for t in Evaluator(graph)({"a": torch.as_tensor(a), "b": torch.as_tensor(b)}))
    np.testing.assert_allclose(y, (a + b) @ w)
    np.testing.assert_allclose(x, 2 * y + a)
    assert "dt_s" not in graph.metadata  # nothing in it has a time


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 3), st.booleans()
)  # fmt: skip
def test_flatten_joins_the_axes_that_numpy_would(shape: list[int], start: int, end: int, negative: bool) -> None:
    import tempfile

    n = len(shape)
    start, end = sorted((start % n, end % n))
    root = chain(
        ("in", node("Input", shape=shape)),
        ("f", node("Flatten", start_dim=start - n if negative else start, end_dim=end - n if negative else end)),
        ("out", node("Output", shape=[*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :]])),
    )
    with tempfile.TemporaryDirectory() as folder:
        graph = read(write(Path(folder) / "a.nir", root), steps=2)
    x = np.arange(2.0 * np.prod(shape)).reshape(1, 2, *shape)
    joined = x.reshape(1, 2, *shape[:start], -1, *shape[end + 1 :])
    np.testing.assert_array_equal(run(graph, x), joined)


def test_what_leads_to_no_output_is_left_out_with_a_note(tmp_path: Path) -> None:
    root = small()
    root["nodes"]["idle"] = node("Linear", weight=np.eye(3))
    root["edges"].append(("lif", "idle"))
    graph = read(write(tmp_path / "a.nir", root), dt=1e-3)
    assert [n.name for n in graph.nodes] == ["w", "lif"]
    assert "idle" in graph.metadata["notes"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tau": np.full(3, 1e-5)}, "preset norse"),
        ({"tau": np.full(3, 1e-5)}, "forward Euler swings"),
        ({"tau": np.full(3, 500.0)}, "in steps"),
    ],
)
def test_absurd_time_constants_are_told_with_their_likely_cause(tmp_path: Path, changes: Any, said: str) -> None:
    assert said in read(write(tmp_path / "a.nir", small(**changes)), dt=1e-3).metadata["notes"]


def test_a_preset_for_times_in_steps_doubts_times_in_seconds(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", small())
    assert "look like seconds" in read(path, dt=1e-3, preset="sinabs").metadata["notes"]
    assert "notes" not in read(path, dt=1e-3, preset="sinabs", time_scale=1.0).metadata
    assert "look like seconds" in read(path, preset="norse").metadata["notes"]


def test_delays_are_rounded_with_a_note_and_scaled_with_the_times(tmp_path: Path) -> None:
    root = chain(
        ("in", node("Input", shape=[2])), ("d", node("Delay", delay=[2.0, 3.4])), ("o", node("Output", shape=[2]))
    )
    graph = read(write(tmp_path / "a.nir", root), dt=1e-3, preset="sinabs", steps=6)
    assert graph["d"].operator.steps.tolist() == [2, 3]  # type: ignore[attr-defined]
    assert "rounded to whole steps" in graph.metadata["notes"]


def test_options_that_an_importer_cannot_use_are_refused(tmp_path: Path) -> None:
    from neuromorph.importers import save_graph

    path = save_graph(read(write(tmp_path / "a.nir", small()), dt=1e-3), tmp_path / "a.nmg.json")
    assert read_graph(path, dt=None, preset=None).nodes
    with pytest.raises(InputError, match=r"dt, preset has no use for a \.nmg\.json file"):
        read_graph(path, dt=1e-3, preset="norse")
    with pytest.raises(InputError, match=r"option timestep has no use.*legal: dt, preset, semantics"):
        read_graph(tmp_path / "a.nir", timestep=1e-3)


def integrator(kind: str, r: float, threshold: float = 1.0) -> dict[str, Any]:
    root = small()
    fires = {"v_threshold": np.full(3, threshold), "v_reset": np.zeros(3)} if kind == "IF" else {}
    root["nodes"]["lif"] = node(kind, r=np.full(3, r), **fires)
    return root


@pytest.mark.parametrize("kind", ["IF", "I"])
def test_the_gain_of_integrators_is_per_unit_of_time(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.nir", integrator(kind, 0.5))
    for scale, want in ((None, 0.5), (1e-3, 500.0), (2.0, 0.25)):
        found = read(path, dt=1e-3, time_scale=scale).nodes[-1].operator
        np.testing.assert_allclose(found.r, want)
    per_step = read(path, dt=1e-3, preset="sinabs", time_scale=1e-3).nodes[-1].operator  # whatever the file says
    np.testing.assert_allclose(per_step.r, 1000.0)


def test_integrators_that_hardly_rise_are_told_with_the_time_scale_that_would_help(tmp_path: Path) -> None:
    silent = read(write(tmp_path / "a.nir", integrator("IF", 1.0)), dt=1e-3).metadata["notes"]
    assert "lif: an input of 1 adds r dt = 0.001" in silent
    assert "time_scale 0.001" in silent
    for root, more in (
        (integrator("IF", 1.0), {"time_scale": 1e-3}),
        (integrator("IF", 1.0, threshold=0.1), {}),
        (integrator("IF", 1.0), {"preset": "norse"}),
        (integrator("I", 1.0), {}),
    ):
        found = read(write(tmp_path / "a.nir", root), **{"dt": 1e-3, **more})
        assert "adds r dt" not in found.metadata.get("notes", "")


@pytest.mark.parametrize(
    "command",
    [
        ["run", "{}", "spinnaker2"],
        ["map", "{}", "spinnaker2"],
        ["sweep", "{}", "spinnaker2", "--vary", "core.clock=100e6,200e6"],
        ["compress", "{}", "--steps", "quantize:8", "-o", "{}.nmg.json"],
        ["export", "{}", "-o", "{}.out.nir"],
    ],
)
def test_commands_that_read_files_take_the_time_scale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    path = write(tmp_path / "a.nir", integrator("IF", 1.0))
    filled = [word.format(path) for word in command]
    assert main([*filled, "--dt", "1 ms", "--time-scale", "-1"]) == 2
    assert "time_scale is -1.0" in capsys.readouterr().err


def test_the_time_scale_of_a_command_reaches_the_reading(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", integrator("IF", 1.0))
    assert main(["export", str(path), "-o", str(tmp_path / "b.nir"), "--dt", "1 ms", "--time-scale", "0.001"]) == 0
    np.testing.assert_allclose(read(tmp_path / "b.nir").nodes[-1].operator.r, 1000.0)
