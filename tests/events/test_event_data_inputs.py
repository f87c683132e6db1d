"""Inputs of networks over time from any file, and the command that encodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuromorph.cli import main
from neuromorph.errors import InputError
from neuromorph.events import Raster, read_events, write_events
from neuromorph.events.formats import nmnist
from neuromorph.events.inputs import read_inputs
from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators.neurons import IF
from neuromorph.graph.semantics import Semantics

DT = 2e-3


def neurons(steps: int, *features: int) -> Graph:
    one = np.ones((1,) * len(features))
    layer = IF(one / DT, one, 0 * one, Semantics(DT))
    return Graph("net", {"x": (steps, *features)}, (Node("if", layer, ("x",)),), ("if",))


def test_values_become_a_constant_current_and_signals_stay(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((5, 3, 4)).astype(np.float32)
    path = tmp_path / "x.npz"
    np.savez(path, x=x, y=np.arange(5))
    found, labels = read_inputs(path, neurons(6, 3, 4))
    assert isinstance(found, Raster)
    assert labels is not None
    assert labels.tolist() == [0, 1, 2, 3, 4]
    assert (found.steps, found.dt_s) == (6, DT)
    assert np.allclose(found.dense(), np.repeat(x[:, None], 6, 1))
    assert read_inputs(path, neurons(6, 3, 4), steps=2, limit=3)[0].steps == 2  # type: ignore[union-attr]
    signals, _ = read_inputs(path, neurons(3, 4))
    assert isinstance(signals, np.ndarray)
    assert np.array_equal(signals, x)
    longer, _ = read_inputs(path, neurons(3, 4), steps=5)
    assert isinstance(longer, np.ndarray)
    assert longer.shape == (5, 5, 4)
    assert not longer[:, 3:].any()
    with pytest.raises(InputError, match=r"takes \(steps, 7\)"):
        read_inputs(path, neurons(3, 7))


def test_events_take_step_and_shape_from_the_graph(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 30_000, 400))
    path = tmp_path / "a.bin"
    path.write_bytes(nmnist.encode(t, rng.integers(0, 34, 400), rng.integers(0, 34, 400), rng.integers(0, 2, 400)))
    found, _ = read_inputs(path, neurons(9, 2, 34, 34))
    assert isinstance(found, Raster)
    expected, _ = read_events(path, dt=DT)
    assert (found.shape, found.dt_s) == ((2, 34, 34), DT)
    assert np.array_equal(found.dense(), expected.dense())
    flat, _ = read_inputs(path, neurons(9, 2 * 34 * 34), steps=9)
    assert isinstance(flat, Raster)
    assert np.array_equal(flat.dense().reshape(1, 9, 2, 34, 34), expected.dense()[:, :9])
    with pytest.raises(InputError, match=r"the neurons of net compute in steps of 0\.002 s"):
        read_inputs(path, neurons(9, 2, 34, 34), dt="1 ms")
    with pytest.raises(InputError, match=r"net takes \(5,\)"):
        read_inputs(path, neurons(9, 5))
    raster = expected.part(0, 1)
    other = Raster(1, raster.steps, raster.shape, raster.indptr, raster.index, None, 1e-3)
    write_events(tmp_path / "a.h5", other)
    with pytest.raises(InputError, match="encode the data again"):
        read_inputs(tmp_path / "a.h5", neurons(9, 2, 34, 34))


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def test_the_command_encodes_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(2)
    np.savez(tmp_path / "x.npz", x=rng.random((4, 12, 3)), y=np.arange(4))
    for encoder, options, shape in (
        ("poisson", ("--steps", 9, "--max-rate", "200 Hz"), (12, 3)),
        ("latency", ("--steps", 9, "--law", "log"), (12, 3)),
        ("direct", ("--steps", 9), (12, 3)),
        ("delta", ("--threshold", 0.2, "--count"), (2, 3)),
        ("stal", (), (3,)),
    ):
        for suffix in (".npz", ".h5"):
            out = tmp_path / f"{encoder}{suffix}"
            assert run("encode", tmp_path / "x.npz", "-o", out, "--encoder", encoder, "--dt", "2 ms", *options) == 0
            raster, labels = read_events(out)
            assert labels is not None
            assert (raster.samples, raster.shape, raster.dt_s, labels.tolist()) == (4, shape, DT, [0, 1, 2, 3])
            assert raster.steps == (9 if "--steps" in options else 12)
            assert raster.events
    assert "events a sample" in capsys.readouterr().out
    assert run("encode", tmp_path / "direct.h5", "-o", tmp_path / "b.npz", "-e", "events", "--dt", "2 ms") == 0
    assert np.allclose(read_events(tmp_path / "b.npz")[0].dense(), read_events(tmp_path / "direct.npz")[0].dense())


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(2).random((4, 3)), y=np.arange(4))
    x, out = tmp_path / "x.npz", tmp_path / "o.npz"
    for arguments, text in (
        ((x, "-o", out, "-e", "morse"), "no encoder 'morse'"),
        ((x, "-o", out), "needs the number of steps"),
        ((x, "-o", x, "--steps", 5), "would replace"),
        ((x, "-o", tmp_path / "o.txt", "--steps", 5), "suffix is '.txt'"),
        ((x, "-o", out, "-e", "delta"), "signals over time"),
        ((x, "-o", out, "--steps", 5, "--dt", "5 m"), "error"),
        ((tmp_path / "none.npz", "-o", out, "--steps", 5), "does not exist"),
        ((x, "-o", out, "-e", "events"), "encode it into events"),
        ((x, "-o", out, "--steps", 5, "--shape", "2,4,4"), "--shape: the encoder poisson does not read it"),
        ((x, "-o", out, "-e", "direct", "--steps", 5, "--law", "log"), "it is for: latency"),
        ((x, "-o", out, "-e", "events", "--shape", "2,,4"), "--shape: shape is '2,,4'"),
    ):
        assert run("encode", *arguments) == 2
        message = capsys.readouterr().err
        assert text in message
        assert "Traceback" not in message
