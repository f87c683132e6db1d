"""The shipped NIR file and its events: what they hold, and that the README's command gives what is recorded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from examples_rerun import EXAMPLES, example

from neuromorph.cli import main
from neuromorph.events import read_events
from neuromorph.importers import read_graph

HERE = EXAMPLES / "nir"
README = EXAMPLES.parent / "README.md"


def command(architecture: str) -> list[str]:
    """The arguments of the repository's README, with another architecture."""
    text = README.read_text(encoding="utf-8")
    line = re.search(r"^neuromorph (run examples/nir/network\.nir .*?)(?: +#.*)?$", text, re.MULTILINE)
    assert line is not None
    words = line.group(1).replace("examples/", f"{EXAMPLES}/").split()
    assert words[words.index("--dt") + 1] == "1ms"
    words[words.index("--arch") + 1] = architecture
    return words


@pytest.mark.parametrize("architecture", ["spinnaker2", "spinnaker1", "loihi-like"])
def test_the_readmes_command_gives_what_is_recorded(architecture: str, tmp_path: Path) -> None:
    assert main([*command(architecture), "--samples", "3", "-o", str(tmp_path)]) == 0
    found = {m["name"]: m["value"] for m in json.loads((tmp_path / "report.json").read_text())["metrics"]}
    expected: dict[str, Any] = json.loads((HERE / "reports.json").read_text())[f"{architecture}, 3 recordings"]
    assert found["accuracy"] == expected["accuracy"]
    for name, value in expected.items():
        if value is None:  # lost and late packets contradict the accuracy
            assert found[name] is None
            continue
        assert found[name] == pytest.approx(value, rel=0.1 if name == "latency" else 0.01), name


def test_files_are_small() -> None:
    assert sum(p.stat().st_size for p in HERE.iterdir()) < 1_000_000


def test_the_network_is_that_of_the_other_example() -> None:
    made, read = example("nir", "make").network(), read_graph(HERE / "network.nir", dt="1 ms")
    assert read.input_shapes["events"] == made.input_shapes["events"] == (300, 2, 34, 34)
    x = torch.as_tensor(read_events(HERE / "events.h5", limit=2)[0].dense()[:, :60], dtype=torch.float64)
    from neuromorph.graph.evaluate import evaluate
    from neuromorph.spiking.steps import with_steps

    y, z = (evaluate(with_steps(g, 60), x) for g in (made, read))
    assert isinstance(y, torch.Tensor)
    assert isinstance(z, torch.Tensor)
    assert float(y.abs().max()) > 0.1
    np.testing.assert_allclose(z.numpy(), y.numpy(), rtol=1e-9, atol=1e-9)


def test_the_events_are_those_of_the_other_example() -> None:
    """Ten steps together are a step of ../nmnist, where events of one pixel count once."""
    events, labels = read_events(HERE / "events.h5")
    slow, every = read_events(EXAMPLES / "nmnist" / "nmnist-test.npz")
    assert labels is not None
    assert every is not None
    assert (events.steps, events.dt_s, slow.steps) == (300, 1e-3, 30)
    assert np.bincount(labels).tolist() == [2] * 10
    chosen = example("nir", "make").chosen(every)
    assert np.array_equal(labels, every[chosen])
    fast = events.dense().reshape(20, 30, 10, -1).max(axis=2)
    np.testing.assert_array_equal(fast, slow.take(chosen).dense().reshape(20, 30, -1))


def test_without_its_semantics_the_file_means_another_network(tmp_path: Path) -> None:
    alone = tmp_path / "network.nir"
    alone.write_bytes((HERE / "network.nir").read_bytes())
    graph, full = read_graph(alone, dt="1 ms"), read_graph(HERE / "network.nir", dt="1 ms")
    resets = [{n.operator.semantics.reset for n in g.nodes if n.name == "lif1"} for g in (graph, full)]  # type: ignore[attr-defined]
    assert resets == [{"value"}, {"subtract"}]
