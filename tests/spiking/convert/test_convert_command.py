"""The command that converts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from convert_networks import conv_net, dense_net, inputs, values

from neuromorph.cli import main
from neuromorph.importers import read_graph, save_graph
from neuromorph.spiking.convert import answers_over_time, convert, with_clip_floor


def test_a_converted_file_is_the_converted_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = conv_net()
    x = inputs(graph, 80)
    labels = values(graph, x)["fc"].argmax(1)
    np.savez(tmp_path / "c.npz", x=x, y=labels)
    model = save_graph(graph, tmp_path / "m.nmg.json")
    out = tmp_path / "s.nmg.json"
    options = ["--data", str(tmp_path / "c.npz"), "--method", "max", "--steps", "24", "--dt", "2 ms"]
    assert main(["convert", str(model), "-o", str(out), *options]) == 0
    text = capsys.readouterr().out
    assert "100.00% with values" in text
    again = read_graph(out)
    wanted = convert(graph, x, "max", steps=24, dt_s=2e-3)
    assert again.input_shapes == {"x": (24, 2, 6, 6)}
    assert again.metadata["decode"] == "last"
    assert np.allclose(answers_over_time(again, x), answers_over_time(wanted, x))
    share = (answers_over_time(again, x)[:, -1].argmax(1) == labels).mean()
    assert f"24: {share:.2%}" in text
    assert share > 0.8


def test_clip_floor_networks_need_no_data(tmp_path: Path) -> None:
    graph = with_clip_floor(dense_net(), inputs(dense_net()))
    model = save_graph(graph, tmp_path / "m.nmg.json")
    assert main(["convert", str(model), "-o", str(tmp_path / "s.nmg.json"), "--method", "qcfs"]) == 0
    assert read_graph(tmp_path / "s.nmg.json").input_shapes == {"x": (8, 6)}


def test_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_graph(dense_net(), tmp_path / "m.nmg.json")
    out = tmp_path / "s.nmg.json"
    for arguments, text in (
        ([model, "-o", out], "needs data"),
        ([model, "-o", out, "--method", "guess"], "legal: percentile, max, qcfs, hoyer"),
        ([model, "-o", model, "--method", "qcfs"], "would replace"),
        ([model, "-o", tmp_path / "none" / "s.nmg.json", "--method", "qcfs"], "does not exist"),
        ([model, "-o", out, "--method", "qcfs"], "with_clip_floor"),
        ([tmp_path / "none.nmg.json", "-o", out, "--method", "qcfs"], "does not exist"),
    ):
        assert main(["convert", *map(str, arguments)]) == 2
        message = capsys.readouterr().err
        assert text in message
        assert "Traceback" not in message
