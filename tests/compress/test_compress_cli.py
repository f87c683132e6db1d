"""The compress command: files in and out, its table, and every way it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from compress_networks import batch, cnn, outputs, same_weights

from neuromorph.cli import main
from neuromorph.compress import apply_steps, summary
from neuromorph.importers import read_graph
from neuromorph.importers.portable import save

STEPS = "prune:0.5,exclude=dw;quantize:4,activations=8,granularity=channel,method=mse"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    graph = cnn()
    save(graph, tmp_path / "net")
    np.savez_compressed(tmp_path / "data.npz", x=batch(graph, 20), y=np.zeros(20, dtype=int))
    return tmp_path


def compress(folder: Path, *arguments: str, steps: str = STEPS, output: str = "small") -> int:
    return main(["compress", str(folder / "net.nmg.json"), "-o", str(folder / output), "--steps", steps, *arguments])


def test_the_written_network_is_what_the_functions_make(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert compress(folder, "--data", str(folder / "data.npz"), "--samples", "12") == 0
    result = read_graph(folder / "small.nmg.json")
    x = batch(cnn(), 20)
    expected = apply_steps(cnn(), STEPS, x[:12].astype(np.float32))
    assert same_weights(result, expected)
    assert np.array_equal(outputs(result, x), outputs(expected, x))
    printed = capsys.readouterr().out
    for text in ("conv1", "int4 per channel", f"{summary(expected).nonzero:,}", "total", "smaller", "small.nmg.json"):
        assert text in printed


@pytest.mark.parametrize(
    "steps", ["binarize", "ternarize", "prune:structure=1:2,layers=conv2;quantize:1", "quantize:16"]
)
def test_every_grid_survives_the_file(folder: Path, steps: str) -> None:
    assert compress(folder, steps=steps) == 0
    assert same_weights(read_graph(folder / "small.nmg.json"), apply_steps(cnn(), steps))


def test_bytes_are_scaled_to_the_unit_interval(folder: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, size=(30, 2, 8, 8), dtype=np.uint8)
    np.savez(folder / "bytes.npz", x=levels)
    assert compress(folder, "--data", str(folder / "bytes.npz")) == 0
    seen = read_graph(folder / "small.nmg.json")["conv1"].operator.input_format
    assert not seen.signed
    assert seen == apply_steps(cnn(), STEPS, levels / np.float32(255))["conv1"].operator.input_format


def test_the_model_read_is_never_replaced(folder: Path, capsys: pytest.CaptureFixture) -> None:
    before = (folder / "net.nmg.json").read_bytes()
    os.symlink(folder / "net.nmg.json", folder / "link.nmg.json")
    os.symlink(folder, folder / "here")
    for output in ("net", "net.nmg.json", "here/net.nmg.json", "link.nmg.json"):
        assert compress(folder, steps="prune:0.5", output=output) == 2
        assert "replace the model" in capsys.readouterr().err
    assert (folder / "net.nmg.json").read_bytes() == before


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("prun:0.5", "did you mean 'prune'"),
        ("prune:1.5", "[0, 1)"),
        ("quantize:4,activations=8", "--data"),
        ("prune:0.5,layers=conv9", "did you mean 'conv"),
        ("prune:0.5,structure=2:4", "divisible by 4"),
    ],
)
def test_wrong_steps_write_nothing(folder: Path, capsys: pytest.CaptureFixture, steps: str, message: str) -> None:
    assert compress(folder, steps=steps) == 2
    assert message in capsys.readouterr().err
    assert not list(folder.glob("small*"))


def test_unusable_files_are_refused_in_one_line_each(folder: Path, capsys: pytest.CaptureFixture) -> None:
    whole = (folder / "data.npz").read_bytes()
    (folder / "short.npz").write_bytes(whole[: len(whole) // 2])
    np.savez(folder / "objects.npz", x=np.array([{"a": 1}], dtype=object))
    np.savez(folder / "other.npz", inputs=np.zeros((2, 2, 8, 8)))
    np.savez(folder / "shape.npz", x=np.zeros((4, 2, 9, 8)))
    expected = {
        "short.npz": "not an .npz file",
        "objects.npz": "pickled",
        "other.npz": "no array x",
        "shape.npz": "(2, 9, 8)",
        "absent.npz": "does not exist",
    }
    for name, message in expected.items():
        assert compress(folder, "--data", str(folder / name)) == 2, name
        printed = capsys.readouterr()
        assert message in printed.err, name
        assert len(printed.err.strip().splitlines()) == 1, printed.err
        assert printed.out == ""
    assert compress(folder, "--data", str(folder / "data.npz"), "--samples", "0") == 2
    capsys.readouterr()
    assert compress(folder, steps="prune:0.5", output="no/such/folder/net") == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["compress", str(folder / "gone.nmg.json"), "-o", str(folder / "a"), "--steps", "binarize"]) == 2
    assert not list(folder.glob("small*"))
