"""Runs of a spiking network from end to end on every shipped architecture."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from spiking_run_network import CLASSES, STEPS, events, network

import neuromorph as nm
from neuromorph.devices.layered.core import Assumption
from neuromorph.devices.manycore.execute import StopRule
from neuromorph.devices.manycore.execute.spiking import SpikingExecution
from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.protocol import kind_of
from neuromorph.errors import FitError, InputError
from neuromorph.hardware.catalog import architecture_names
from neuromorph.report import Report, read_report, write_report

MANYCORE = [n for n in architecture_names() if (kind_of(nm.load_architecture(n)).root == "manycore")]


@cache
def report(name: str) -> Report:
    x, y = events()
    return nm.run(network(), nm.load_architecture(name), x, y)


@pytest.mark.parametrize("name", MANYCORE)
def test_a_run_has_answers_costs_and_times(name: str) -> None:
    found = report(name)
    assert found["float_accuracy"].value is not None
    assert found["float_accuracy"].value >= 0.9
    assert found["accuracy"].value is not None
    assert found["accuracy"].value >= 0.75
    total = math.fsum(r["energy_j"] for r in found.ledger if r["energy_j"] is not None)
    assert found["energy"].value == pytest.approx(total, rel=1e-9)
    assert total > 0
    assert found["synaptic_events"].value > 0
    keys = [s["key"] for s in found.sections]
    assert keys[:2] == ["activity", "limits"]
    assert {"neurobench", "accounting", "break-even", "differences"} <= set(keys)
    activity = next(s for s in found.sections if s["key"] == "activity")
    assert [row[0] for row in activity["rows"]] == ["events", "hidden", "out"]
    assert found["spikes"].value == pytest.approx(sum(row[2] for row in activity["rows"]))


@pytest.mark.parametrize("name", MANYCORE)
def test_a_report_is_written_and_read_back(name: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    write_report(report(name), tmp_path)
    again = read_report(tmp_path)
    assert again.to_dict() == report(name).to_dict()
    page = (tmp_path / "report.html").read_text()
    for section in again.sections:
        assert f'id="{section["key"]}"' in page


@pytest.mark.parametrize("name", ["digital-int8", "hermes-like"])
def test_the_same_network_runs_layer_by_layer(name: str) -> None:
    x, y = events()
    found = nm.run(network(), nm.load_architecture(name), x, y, trials=2)
    assert found["float_accuracy"].value == report("loihi-like")["float_accuracy"].value
    assert found["accuracy"].value >= 0.75
    assert "accounting" in [s["key"] for s in found.sections]


def test_every_execution_is_float_without_its_effects() -> None:
    x, y = events()
    placement = nm.place(network(), nm.load_architecture("spinnaker1"))
    assert isinstance(placement, CorePlacement)
    found = nm.execute(placement, x, y, off=("arithmetic", "skipping"))
    assert isinstance(found, SpikingExecution)
    assert found.error[0] == 0
    assert all(d.step is None for d in found.differences)
    rounded = nm.execute(placement, x, y)
    assert rounded.error[0] < 0.3


def test_results_do_not_depend_on_workers_or_the_form_of_the_data() -> None:
    x, y = events()
    chip = nm.load_architecture("loihi-like")
    one = nm.run(network(), chip, x, y).to_dict()
    assert nm.run(network(), chip, x, y, workers=2).to_dict() == one
    assert nm.run(network(), chip, x.dense(), y).to_dict() == one


def test_an_early_exit_saves_steps_and_energy() -> None:
    x, y = events()
    chip = nm.load_architecture("loihi-like")
    whole, early = nm.run(network(), chip, x, y), nm.run(network(), chip, x, y, stop=StopRule(0.5, 0.6))
    assert early["latency"].value < whole["latency"].value
    assert early["dynamic_energy"].value < whole["dynamic_energy"].value
    assert early["latency"].low < early["latency"].high


def test_without_data_costs_follow_from_an_assumed_rate() -> None:
    chip = nm.load_architecture("loihi-like")
    few, many = (nm.run(network(), chip, assumption=Assumption(d)) for d in (0.01, 0.2))
    for found in (few, many):
        assert "nothing was run: activity is assumed" in found.notes
        assert found["accuracy" if "accuracy" in [m.name for m in found.metrics] else "energy"].value is not None
    assert few["dynamic_energy"].value < many["dynamic_energy"].value
    assert few["static_energy"].value > 0


def test_effects_in_turn_are_told() -> None:
    x, y = events()
    found = nm.run(network(), nm.load_architecture("loihi-like"), x, y, effects=True)
    assert [e["effect"] for e in found.effects] == ["arithmetic", "skipping", "all"]


def test_an_ann_partner_makes_the_break_even_measured() -> None:
    from neuromorph.graph.model import Graph, Node
    from neuromorph.graph.operators.activation import ReLU
    from neuromorph.graph.operators.dense import Linear

    graph = network()
    first, second = graph["fc1"].operator, graph["fc2"].operator
    assert isinstance(first, Linear)
    assert isinstance(second, Linear)
    partner = Graph(
        "ann", {"x": (first.weight.shape[1],)},
        (Node("fc1", first, ("x",)), Node("relu", ReLU(), ("fc1",)), Node("fc2", second, ("relu",))), ("fc2",),
    )  # fmt: skip
    x, y = events()
    found = nm.run(graph, nm.load_architecture("loihi-like"), x, y, partner=partner)
    rows = next(s for s in found.sections if s["key"] == "break-even")["rows"]
    assert "counted on the partner" in rows[1][2]


def test_what_does_not_fit_is_refused_before_it_runs() -> None:
    x, y = events()
    chip = nm.load_architecture("loihi-like")
    with pytest.raises(InputError, match=r"events are over \(31,\)"):
        nm.run(dataclasses.replace(network(), input_shapes={"events": (STEPS, 30)}), chip, wider(x), y)
    with pytest.raises(InputError, match=f"classes 0 to {CLASSES - 1}"):
        nm.run(network(), chip, x, y + 1)
    with pytest.raises(InputError, match="no effect drift"):
        nm.run(network(), chip, x, y, off=("drift",))
    with pytest.raises(InputError, match=r"steps of 0\.001 s"):
        nm.run(network(), chip, dataclasses.replace(x, dt_s=2e-3), y)
    with pytest.raises(InputError, match="no neurons that work in time"):
        nm.run(nm.read_graph("examples/mnist/mlp.nmg.json"), chip)
    with pytest.raises(InputError, match=r"stop has no meaning.*it is an option of many-core chips"):
        nm.run(network(), nm.load_architecture("digital-int8"), x, y, stop=StopRule(1.0, 0.5))


def wider(x):  # type: ignore[no-untyped-def]
    """The same events over 31 elements."""
    return dataclasses.replace(x, shape=(31,))


def test_a_network_beyond_a_limit_is_refused_with_the_change_that_would_fit() -> None:
    from neuromorph.hardware.paths import replace

    x, y = events()
    chip = replace(nm.load_architecture("loihi-like"), {"core.fan_in": "8"})
    with pytest.raises(FitError, match=r"hidden.*30.*8"):
        nm.run(network(), chip, x, y)


def test_times_that_nobody_knows_leave_energy_known_and_latency_open(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "architectures" / "odin-like.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.strip().startswith("step:")]
    assert len(lines) == len(text.splitlines()) - 1
    (tmp_path / "odin-free.yaml").write_text("\n".join(lines).replace("name: odin-like", "name: odin-free"))
    x, y = events()
    found = nm.run(network(), nm.load_architecture(tmp_path / "odin-free.yaml"), x, y)
    assert [found[n].value for n in ("latency", "interval", "throughput", "power", "static_energy")] == [None] * 5
    assert found["energy"].value > 0
    assert found["energy"].value == pytest.approx(found["dynamic_energy"].value)
    write_report(found, tmp_path / "out")
    assert read_report(tmp_path / "out")["latency"].value is None


def test_networks_with_a_cycle_run_on_both_kinds() -> None:
    graph = network()
    nodes = tuple(
        dataclasses.replace(n, feedback=("hidden",)) if n.name == "hidden" else n for n in graph.nodes
    )  # fmt: skip
    looped = dataclasses.replace(graph, nodes=nodes)
    x, y = events()
    many = nm.run(looped, nm.load_architecture("loihi-like"), x, y)
    layers = nm.run(looped, nm.load_architecture("digital-int8"), x, y, trials=1)
    assert many["spikes"].value > report("loihi-like")["spikes"].value
    assert layers["accuracy"].value > 0.5
    assert np.isfinite(many["energy"].value)
