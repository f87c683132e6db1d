"""The command `validate`: standings apart, a summary, JSON, a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neuromorph.cli import main


def test_tables_standing_by_standing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "hermes", "odin"]) == 0
    text = capsys.readouterr().out
    fitted, held_out, rest = (text.index(f"{head} ") for head in ("fitted", "held out", "deviations"))
    assert fitted < text.index("10.5 TOPS/W") < held_out < text.index("12.7 pJ") < rest
    assert "core.adc.energy_per_conversion was solved from it" in text
    assert "two operations" in text


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "hermes", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == 2
    row = data["comparisons"][0]
    assert {"published", "ours", "deviation", "standing", "fitted", "source", "conditions", "boundary"} <= set(row)
    whole = [r for r in data["summary"] if r["quantity"] == "all"]
    assert sum(r["number"] for r in whole) == len(data["comparisons"])


def test_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plot.svg"
    assert main(["validate", "hermes", "--plot", str(path)]) == 0
    assert path.read_text().lstrip().startswith("<?xml")
    assert main(["validate", "hermes", "--plot", str(tmp_path / "plot.doc")]) == 2
    assert "picture format" in capsys.readouterr().err


def test_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "nothing"]) == 2
    assert "no fixture 'nothing'" in capsys.readouterr().err
