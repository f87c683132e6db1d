"""The command `neuromorph map`."""

import json

import pytest
from mapping_networks import CROSSBAR, cnn, crossbar, mlp

from neuromorph.cli import main
from neuromorph.devices.layered.place import load_placement
from neuromorph.importers.portable import save


@pytest.fixture
def files(tmp_path):
    text = CROSSBAR.format(
        tiles=64, cores=1, arrays=1, weight_bits=4, cell_bits=0, columns=32, topology="mesh", buffer="", memory=""
    )
    (tmp_path / "chip.yaml").write_text(text)
    save(cnn(), tmp_path / "cnn.nmg.json")
    save(mlp(200, 200, 200), tmp_path / "large.nmg.json")
    return tmp_path


def test_tables_name_layers_limits_and_orders(files, capsys):
    assert main(["map", str(files / "cnn.nmg.json"), str(files / "chip.yaml")]) == 0
    shown = capsys.readouterr().out
    for word in ("conv1", "depthwise", "6 of 9 x 1", "arrays", "random", "snake", "lower bound", "(binds)"):
        assert word in shown


def test_json_and_the_file_agree(files, capsys):
    out = files / "placement.json"
    arguments = ["map", str(files / "cnn.nmg.json"), str(files / "chip.yaml"), "--seed", "7", "--no-duplicate"]
    assert main([*arguments, "--json", "-o", str(out)]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert str(out) in shown.err
    assert found["seed"] == 7
    assert {row["copies"] for row in found["layers"]} == {1}
    assert json.loads(json.dumps(load_placement(out, cnn(), crossbar(64)).explain())) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["large.nmg.json", "chip.yaml"], "needs 338 arrays, the chip has 64"),
        (["missing.nmg.json", "chip.yaml"], "missing.nmg.json"),
        (["cnn.nmg.json", "missing.yaml"], "missing.yaml"),
        (["cnn.nmg.json", "chip.yaml", "--effort", "heroic"], "effort is 'heroic'"),
        (["cnn.nmg.json", "chip.yaml", "--seed", "-1"], "seed is -1"),
        (["cnn.nmg.json", "chip.yaml", "-o", "nowhere/p.json"], "nowhere"),
    ],
)
def test_faults_end_with_one_message_and_code_2(files, capsys, arguments, message, monkeypatch):
    monkeypatch.chdir(files)
    assert main(["map", *arguments]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
