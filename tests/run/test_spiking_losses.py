"""What a run did not lose and its chip would, ranges that are none, and steps of two lengths."""

from __future__ import annotations

import dataclasses
import io
from functools import cache
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from spiking_run_network import events, network

import neuromorph as nm
from neuromorph.graph.operators.dense import Linear
from neuromorph.hardware.paths import replace
from neuromorph.report import Report
from neuromorph.report.terminal import summary
from neuromorph.sweep.metrics import columns


@cache
def report(name: str, samples: int | None = None, **changes: Any) -> Report:
    x, y = events()
    x, y = (x, y) if samples is None else (x.part(0, samples), y[:samples])
    paths = {k.replace("__", "."): v for k, v in changes.items()}
    return nm.run(network(), replace(nm.load_architecture(name), paths), x, y)


def test_accuracy_of_a_run_whose_packets_come_too_late_is_not_that_of_the_chip() -> None:
    found, whole = report("spinnaker1", chip__step="20 us"), report("spinnaker1")
    assert whole["accuracy"].value is not None
    assert found["accuracy"].value is None
    assert found["accuracy"].low is None
    assert "not what this chip would compute" in found["accuracy"].note
    assert "too late for their step" in found["accuracy"].note
    assert f"without these losses {whole['accuracy'].value:.2%}" in found["accuracy"].note
    assert found["output_error"].value is None
    assert found["float_accuracy"].value == whole["float_accuracy"].value
    console = Console(width=400, record=True, file=io.StringIO())
    console.print(summary(found))
    assert "not what this chip would compute" in " ".join(console.export_text().split())
    assert columns(found.metrics, None)["accuracy"] is None


def test_a_range_of_no_width_is_not_printed() -> None:
    for found in (report("loihi-like", 1), report("spinnaker2"), nm.run(network(), nm.load_architecture("loihi-like"))):
        assert found["latency"].value
        low, high = found["latency"].low, found["latency"].high
        assert low is high is None if not found["latency"].ranged else low < high  # that of constants, not of samples
        assert "95th percentile" not in found["latency"].note
    several = report("loihi-like")["latency"]
    assert several.low is not None
    assert several.high is not None
    assert several.low < several.high


@pytest.mark.parametrize(
    ("step", "words"),
    [("10 ms", "10x slower than real time"), ("0.5 ms", "2x faster than real time"), ("1 ms", None)],
)
def test_a_chip_whose_step_is_not_the_networks_says_how_fast_it_runs(step: str, words: str | None) -> None:
    found = report("spinnaker2", chip__step=step)
    told = [note for note in found.notes if "real time" in note and "than" in note]
    assert bool(told) == (words is not None)
    for note in told:
        assert words is not None
        assert words in note
        assert "set chip.step to 1 ms" in note


def test_steps_without_a_real_time_are_not_compared() -> None:
    assert not any("than real time" in note for note in report("loihi-like").notes)


def test_a_sample_that_waits_for_its_input_says_so() -> None:
    told = "enter one by one through the port of tile 0"
    graph, chip = network(), replace(nm.load_architecture("loihi-like"), {"chip.tile.router.port_rate": "1 MHz"})
    first = graph.nodes[0].operator
    assert isinstance(first, Linear)
    quiet = dataclasses.replace(graph.nodes[0], operator=Linear(0.01 * np.asarray(first.weight)))  # nobody answers
    waiting = nm.run(dataclasses.replace(graph, nodes=(quiet, *graph.nodes[1:])), chip, *events())
    assert waiting["spikes"].value == pytest.approx(49.625)  # of inputs alone, a microsecond each
    (note,) = (note for note in waiting.notes if told in note)
    assert "49.6" in note
    assert not any(told in note for note in nm.run(graph, chip, *events()).notes)  # its own spikes take longer
    assert not any(told in note for note in report("loihi-like").notes)
    assert not any(told in note for note in report("spinnaker1").notes)


def test_energy_without_any_published_range_has_none() -> None:
    """ODIN's power law gives no range."""
    assert (report("odin-like")["energy"].low, report("odin-like")["energy"].high) == (None, None)
    for name in ("odin-like", "spinnaker1", "loihi-like", "truenorth-like", "spinnaker2"):
        energy = report(name)["energy"]
        assert (energy.low is None) == (energy.high is None)
        assert energy.low is None or energy.low < energy.high  # type: ignore[operator]
