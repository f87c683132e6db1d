"""The terminal summary shows what each effect costs."""

from __future__ import annotations

import dataclasses
import io

from rich.console import Console

from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators.dense import Linear
from neuromorph.hardware.catalog import load_architecture
from neuromorph.report.terminal import summary
from neuromorph.run import run


def test_effects_are_listed_with_their_gain() -> None:
    graph = Graph("tiny", {"x": (2,)}, (Node("fc", Linear(weight=[[1.0, -1.0]]), ("x",)),), ("fc",))
    report = run(graph, load_architecture("hermes-like"))
    rows = (
        {"effect": "read", "accuracy": 0.91, "gain": 0.01, "error": 0.002},
        {"effect": "all", "accuracy": 0.95, "gain": 0.05, "error": 0.004},
    )
    out = io.StringIO()
    Console(file=out, width=120).print(summary(dataclasses.replace(report, effects=rows)))
    text = out.getvalue()
    assert text.index("all effects") < text.index("\n read ")  # the largest gain first
    assert "+5.00 ± 0.40" in text
    assert "91.00%" in text
