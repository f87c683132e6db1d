"""The examples print what is recorded beside them."""

from __future__ import annotations

import re

import pytest
from systems_examples import EXAMPLES, example

from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.systems.memory import ContentMemory
from neuromorph.systems.scale import balanced_network


def test_the_session_of_the_memory():
    recorded = (EXAMPLES / "hippocampus" / "session.txt").read_text(encoding="utf-8").splitlines()
    assert list(example("hippocampus", "run").session(ContentMemory(5, 10))) == recorded


def test_a_small_balanced_network():
    recorded = (EXAMPLES / "scale" / "small.txt").read_text(encoding="utf-8").splitlines()
    network = balanced_network(2000, 50)
    found = example("scale", "run").describe(network, EventEngine(network).run([], steps=500))
    assert found[0] == recorded[0]
    for line, other in zip(found[1:], recorded[1:], strict=True):  # chaos: another rounding gives other spikes
        assert numbers(line) == pytest.approx(numbers(other), rel=0.25)


def numbers(line: str) -> list[float]:
    return [float(n) for n in re.findall(r"[0-9.]+", line)]
