"""Packets that a chip loses and its answers lack, ranges that are none, and steps of two lengths."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
from spiking_run_network import events, network

import neuromorph as nm
from neuromorph.devices.protocol import Times
from neuromorph.graph.operators.dense import Linear
from neuromorph.hardware.paths import replace
from neuromorph.report import Report
from neuromorph.report.headline import _answers
from neuromorph.sweep import sweep
from neuromorph.sweep.metrics import columns


@cache
def report(name: str, samples: int | None = None, **changes: Any) -> Report:
    x, y = events()
    x, y = (x, y) if samples is None else (x.part(0, samples), y[:samples])
    paths = {k.replace("__", "."): v for k, v in changes.items()}
    return nm.run(network(), replace(nm.load_architecture(name), paths), x, y)


def test_accuracy_of_a_run_whose_packets_come_too_late_is_that_of_the_chip_without_them() -> None:
    found, whole = report("spinnaker1", chip__step="20 us"), report("spinnaker1")
    assert found["output_error"].value > whole["output_error"].value  # type: ignore[operator]
    assert any("left out of the answers" in note and "until spikes and losses agree" in note for note in found.notes)
    assert not any("left out of the answers" in note for note in whole.notes)
    assert columns(found.metrics, None)["accuracy"] == found["accuracy"].value


def test_a_sweep_over_times_executes_again_where_other_packets_are_lost() -> None:
    x, y = events()
    steps = ["1 ms", "20 us"]
    swept = sweep(network(), "spinnaker1", vary={"chip.step": steps}, data=(x.dense(), y), workers=0)
    expected = [report("spinnaker1", chip__step=s)["output_error"].value for s in steps]
    assert [row["output_error"] for row in swept.rows] == pytest.approx(expected)
    assert expected[0] != expected[1]


def test_answers_that_cannot_lack_what_is_lost_are_not_printed() -> None:
    times = Times(1.0, 1.0, "", losses="3 packets come too late for their step (why)")
    execution = nm.execute(nm.place(network(), nm.load_architecture("spinnaker1")), *events())
    accuracy, error = (m for m in _answers(execution, times.losses) if m.name in ("accuracy", "output_error"))
    assert (accuracy.value, accuracy.low, error.value) == (None, None, None)
    assert "not what this chip would compute: 3 packets" in accuracy.note
    assert f"without these losses {execution.accuracy.mean():.2%}" in accuracy.note


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
