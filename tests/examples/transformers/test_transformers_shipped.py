"""The shipped transformers: what they reach in float, and that they run on hardware."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import neuromorph as nm
from neuromorph.graph.evaluate import evaluate

HERE = Path(__file__).resolve().parents[3] / "examples" / "transformers"


def loaded(name: str, limit: int) -> tuple[nm.Graph, np.ndarray, np.ndarray]:
    x, y = nm.read_data(HERE / f"{name}-test.npz", limit=limit)
    assert y is not None
    return nm.read_graph(HERE / f"{name}.nmg.json"), x.astype(np.float32), y


def test_characters_reach_their_bits_in_float() -> None:
    graph, x, y = loaded("characters", 20)
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(
            evaluate(graph, x).flatten(0, 1), torch.from_numpy(y.astype(int)).flatten()
        )
    assert float(loss) / np.log(2) < 2.3


def test_a_later_character_changes_no_answer_before_it() -> None:
    graph, x, _ = loaded("characters", 1)
    other = x.copy()
    other[:, 40] = (other[:, 40] + 1) % 65
    with torch.no_grad():
        first, second = evaluate(graph, x), evaluate(graph, other)
    torch.testing.assert_close(first[:, :40], second[:, :40])
    assert not torch.allclose(first[:, 40:], second[:, 40:])


def test_fashion_reaches_its_accuracy_in_float() -> None:
    graph, x, y = loaded("fashion", 200)
    with torch.no_grad():
        assert float((evaluate(graph, x).argmax(-1).numpy() == y).mean()) > 0.84


@pytest.mark.parametrize("chip", ["hermes-like", "digital-int8"])
def test_fashion_runs_on_hardware_in_eight_bits(chip: str) -> None:
    graph, x, y = loaded("fashion", 30)
    report = nm.run(nm.compress(graph, "quantize:8,activations=8", x), nm.load_architecture(chip), x, y, trials=1)
    assert report["accuracy"].value > 0.7
    assert report["energy"].value > 0


def test_the_script_prints_what_is_recorded() -> None:
    spec = importlib.util.spec_from_file_location("transformers_run", HERE / "run.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    recorded = (HERE / "results.txt").read_text(encoding="utf-8").splitlines()
    for name, limit in (("characters", 4), ("fashion", 40)):
        lines = script.rows(name, limit, 2)
        at = next(i for i, line in enumerate(recorded) if line.startswith(name))
        assert next(lines) == recorded[at]
        if name == "fashion":  # float on the PCM chip
            found, expected = (re.findall(r"[\d.]+(?= uJ| us)", line) for line in (next(lines), recorded[at + 1]))
            assert [float(v) for v in found] == pytest.approx([float(v) for v in expected], rel=0.02)
