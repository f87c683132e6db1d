"""The README's command lines name only what is shipped or what an earlier line wrote; traps say what is wrong."""

from __future__ import annotations

import itertools
import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest

from neuromorph.cli import main

ROOT = Path(__file__).resolve().parents[2]
MLP = "examples/mnist/mlp.nmg.json"


def command_lines() -> list[list[str]]:
    """All lines of the README that begin with `neuromorph`, as words."""
    blocks = re.findall(r"```\n(neuromorph.*?)```", (ROOT / "README.md").read_text(), re.S)
    joined = "".join(blocks).replace("\\\n", " ")
    return [shlex.split(line, comments=True)[1:] for line in joined.splitlines() if line.startswith("neuromorph")]


def test_every_line_reads_what_is_there() -> None:
    written: set[str] = set()
    lines = command_lines()
    assert len(lines) > 15
    for words in lines:
        files = {w for w in words if re.search(r"\.(json|npz|nir|h5|txt|yaml)$", w) or w.startswith("examples/")}
        for option, value in itertools.pairwise(words):
            if option in ("-o", "--output"):
                written.add(value)
        assert [f for f in files if f not in written and not (ROOT / f).exists()] == [], words


def test_the_line_on_cuts_runs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (words,) = [words for words in command_lines() if words[0] == "maxcut"]
    assert main(words) == 0
    assert "spinnaker2" in capsys.readouterr().out
    made = runpy.run_path(str(ROOT / "examples/maxcut/torus.py"))["torus"]()
    assert (ROOT / "examples/maxcut/torus.txt").read_text() == made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (f"run {MLP} hermes-like --off adc", "off would change nothing"),
        (f"run {MLP} hermes-like --samples 5", "--samples: nothing is run without data"),
        (f"run {MLP} hermes-like --trials 3", "trials would change nothing"),
        (f"run {MLP} hermes-like --temperature 3", "without --confidence"),
        (f"run {MLP} hermes-like --density 0.3 --data examples/mnist/mnist5k.npz --samples 2", "would change nothing"),
        (f"run hermes-like {MLP}", "the model comes first"),
        ("run hermes-like isaac-like", "is an architecture, not a network"),
        (f"run {MLP} hermes-like -o README.md", "README.md: cannot be written"),
    ],
)
def test_what_would_be_ignored_or_is_swapped_is_refused(
    words: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(words.split()) == 2
    assert said in capsys.readouterr().err


def test_data_without_labels_and_at_chance_say_so_and_a_folder_stands_for_its_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    noise = np.random.default_rng(0).random((40, 1, 28, 28), dtype=np.float32)
    np.savez(tmp_path / "plain.npz", x=noise)
    np.savez(tmp_path / "chance.npz", x=noise, y=np.arange(40) % 10)
    for name, said in (("plain", "have no labels"), ("chance", "float network itself is at chance")):
        given = [
            "run",
            MLP,
            "digital-int8",
            "--data",
            str(tmp_path / f"{name}.npz"),
            "-o",
            str(tmp_path / "runs" / name),
        ]
        assert main(given) == 0
        assert said in " ".join(capsys.readouterr().out.split())
    assert main(["compare", str(tmp_path / "runs")]) == 0
    assert "chance" in capsys.readouterr().out
