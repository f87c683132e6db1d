"""Sweeps of networks on architectures: equal to running each point, whatever was shared between points."""

import dataclasses

import numpy as np
import pytest
import sweep_nets as nets

import neuromorph
from neuromorph.errors import InputError
from neuromorph.fingerprint import fingerprint
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.paths import parameters, replace
from neuromorph.sweep import SweepResult, sweep
from neuromorph.sweep.hardware import HardwareEvaluator
from neuromorph.sweep.space import Point
from neuromorph.sweep.state import State

X, Y = nets.data()


def evaluator(architecture, graph=None, **options):
    chosen = {"trials": 2, **options}
    return HardwareEvaluator({"": graph or nets.small()}, {"": architecture}, X, Y, **chosen)


def evaluate(e, **given):
    point = Point(0, given)
    return e.price(point, e.run(point))


def changed(p):
    """Another legal value of a parameter."""
    if p.declaration.choices:
        return next((c for c in p.declaration.choices if c != p.value), None)
    if isinstance(p.value, bool):
        return not p.value
    if p.value is None or isinstance(p.value, str):
        return None
    return "2x" if isinstance(p.value, int) else "1.5x"


@pytest.mark.parametrize("name", ["isaac-like", "hermes-like", "digital-int8"])
def test_every_parameter_priced_from_a_shared_execution_equals_running_it(name):
    architecture = load_architecture(name)
    few = {"inputs": X[:3], "labels": Y[:3], "trials": 1}
    shared = dataclasses.replace(evaluator(architecture), **few)
    base = Point(0, {})
    state = shared.unpack(shared.pack(shared.run(base)))
    before = shared.price(base, state)
    looked, moved = 0, 0
    # isaac-like has the kinds of parts the others lack, and its reads are slow: every third will do
    every = parameters(architecture, ("setting", "quantity", "count"))
    for p in every[:: 3 if name == "isaac-like" else 1]:
        value = changed(p)
        if value is None or "function" in p.affects:
            continue
        try:
            alone = replace(architecture, {p.path: value})
        except InputError:
            continue  # twice this much is not legal
        point = Point(0, {p.path: value})
        if shared.function_key(point) != shared.function_key(base):
            continue
        priced = shared.price(point, state)
        assert priced == evaluate(dataclasses.replace(shared, architectures={"": alone}, _kept={})), p.path
        looked += 1
        moved += priced != before
    assert looked > 12
    assert moved > looked / 2


def test_function_keys_tell_what_is_executed_once():
    architecture = load_architecture("hermes-like")
    e = evaluator(architecture)

    def key(**given):
        return e.function_key(Point(0, {k.replace("__", "."): v for k, v in given.items()}))

    assert key(adc__energy_per_conversion="2x") == key(adc__energy_per_conversion="3x") == key(vector_unit__area="2x")
    different = [
        key(),
        key(adc__bits=6),
        key(cell__programming_noise="2x"),
        key(seed=1),
        key(trials=3),
        key(time="1 h"),
    ]
    different.append(key(tile__count="2x"))  # decides the placement
    assert len(set(different)) == len(different)
    assert key(seed=0) == key(trials=2) == key(time="0 s") == key()  # the values they have anyway
    assumed = dataclasses.replace(e, inputs=None, labels=None)
    assert assumed.function_key(Point(0, {"trials": 3})) == assumed.function_key(Point(0, {"time": "1 h"}))


def test_state_comes_back_bit_for_bit():
    e = evaluator(load_architecture("hermes-like"))
    state = e.run(Point(0, {}))
    back = State.unpack(state.pack())
    for node, s in state.trace.statistics.items():
        arrays = {k: np.asarray(v) for k, v in s.values.items()}
        assert fingerprint(back.trace.statistics[node]) == fingerprint(dataclasses.replace(s, values=arrays))
    assert fingerprint(dataclasses.replace(back.execution, statistics={})) == fingerprint(
        dataclasses.replace(state.execution, statistics={})
    )
    assert back.signature == state.signature
    assert b"pickle" not in state.pack()
    assumed = HardwareEvaluator({"": nets.small()}, {"": load_architecture("hermes-like")})
    assert State.unpack(assumed.run(Point(0, {})).pack()).execution is None


def test_metrics_are_those_of_a_run():
    architecture = load_architecture("digital-int8")
    report = neuromorph.run(nets.small(), architecture, X, Y, trials=2, seed=4)
    row = evaluate(evaluator(architecture, seed=4, intervals=True))
    suffix = {"J": "_j", "s": "_s", "W": "_w", "m^2": "_m2", "1/s": "_per_s", "1/J": "_per_j", "1": ""}
    compared = 0
    for metric in report.metrics:
        name = metric.name + suffix.get(metric.unit, "?")
        if name in row:
            assert row[name] == (metric.value if metric.value is None else pytest.approx(metric.value, rel=1e-12)), name
            compared += 1
            if metric.low is not None:
                assert row[f"{name}_low"] == pytest.approx(metric.low, rel=1e-12)
                assert row[f"{name}_high"] == pytest.approx(metric.high, rel=1e-12)
    assert compared >= 15


VARY = {"core.adc.bits": [4, 8], "cell.programming_noise": "0x,4x"}


def test_sweep_of_accuracy_is_the_same_with_two_workers_and_resumes(tmp_path):
    options = {"vary": VARY, "data": (X, Y), "trials": 2}
    alone = sweep(nets.small(), "hermes-like", workers=0, **options)
    assert isinstance(alone, SweepResult)
    assert len(alone) == 4
    assert alone.failed == []
    store = tmp_path / "s.sqlite"
    assert sweep(nets.small(), "hermes-like", workers=2, store=store, **options).rows == alone.rows
    told = []
    again = sweep(
        nets.small(), "hermes-like", workers=0, store=store, begun=lambda b, n: told.append((b.resumed, n)), **options
    )
    assert again.rows == alone.rows
    assert told == [(True, 4)]
    noise = [r["output_error"] for r in alone.rows if r["core.adc.bits"] == 8]
    assert noise[0] < noise[1]
    # the chip's fitted energy is known at 8 bits alone: other resolutions keep it, and say so
    assert {r["core.adc.bits"]: bool(r["extrapolated"]) for r in alone.rows} == {4: True, 8: False}
    assert {r["core.adc.bits"] for r in alone.pareto(minimise=["energy_j"])} == {8}


def test_a_change_of_model_architecture_or_data_starts_a_new_run(tmp_path):
    told = []

    def go(graph=None, architecture="hermes-like", data=(X, Y), **more):
        sweep(
            graph or nets.small(), architecture, vary={"adc.bits": [8]}, data=data, trials=1, workers=0,
            store=tmp_path / "s.sqlite", begun=lambda b, n: told.append((b.resumed, b.changed)), **more,
        )  # fmt: skip

    go()
    go()
    go(graph=nets.small(seed=4))
    go(graph=nets.small(seed=4), data=(X[:12], Y[:12]))
    go(graph=nets.small(seed=4), data=(X[:12], Y[:12]), seed=9)
    go(architecture=replace(load_architecture("hermes-like"), {"adc.area": "2x"}))
    assert [resumed for resumed, _ in told] == [False, True, False, False, False, False]
    assert [changed for _, changed in told[:5]] == [(), (), ("model",), ("data",), ("options",)]
    assert set(told[5][1]) == {"model", "architecture", "data", "options"}


def test_special_axes():
    result = sweep(
        nets.small(), "hermes-like", vary=["architecture=hermes-like,digital-int8", "seed=0..1", "trials=1..2"],
        data=(X, Y), workers=0,
    )  # fmt: skip
    assert [r["status"] for r in result.rows] == ["done"] * 8
    by = {(r["architecture"], r["seed"], r["trials"]): r for r in result.rows}
    assert by["hermes-like", 0, 1]["output_error"] != by["hermes-like", 1, 1]["output_error"]
    assert by["hermes-like", 0, 1]["area_m2"] != by["digital-int8", 0, 1]["area_m2"]
    times = sweep(nets.small(), "hermes-like", vary={"time": "0 s,1 h"}, data=(X, Y), trials=1, workers=0)
    assert times.rows[0]["output_error"] != times.rows[1]["output_error"]


def test_without_data_activity_is_assumed():
    result = sweep(nets.small(), "hermes-like", vary={"adc.bits": range(5, 8)}, workers=0)
    energy = result.column("energy_j")
    assert sorted(energy) == energy
    assert "accuracy" not in result.metrics


def test_a_network_that_does_not_fit_is_a_result():
    result = sweep(nets.small(hidden=3000), "hermes-like", vary={"tile.count": [8]}, workers=0)
    assert result.rows[0]["status"] == "misfit"
    assert result.rows[0]["error"]
    assert result.failed == []


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ({"core.adc.bitz": [4]}, "no parameter 'core.adc.bitz'"),
        ({"adc.bits": [4.5]}, "adc.bits"),
        ({"adc.bits": ["4 V"]}, "adc.bits"),
        ({"adc.energy_per_conversion": [3]}, "adc.energy_per_conversion"),
        ({"adc.energy_per_conversion": ["3 V"]}, "adc.energy_per_conversion"),
        ({"vector_unit.area": ["-1x"]}, "vector_unit.area"),
        ({"adc.bits": [4], "core.adc.bits": [5]}, "are the same parameter"),
        ({"time": ["-1 s"]}, "before programming"),
        ({"time": [5]}, "has no unit"),
        ({"seed": "uniform(0, 1)"}, "no continuous range"),
        ({"model": ["none.nmg.json"]}, "none.nmg.json"),
        ({"architecture": ["hermes-lik"]}, "hermes-like"),
    ],
)
def test_what_is_wrong_with_an_axis_is_said_before_anything_runs(vary, message, tmp_path):
    with pytest.raises(InputError) as e:
        sweep(nets.small(), "hermes-like", vary=vary, data=(X, Y), store=tmp_path / "s.sqlite", workers=0)
    assert message in str(e.value)
    assert not (tmp_path / "s.sqlite").exists()


def test_data_that_do_not_fit_the_network_are_refused():
    with pytest.raises(InputError, match="shape"):
        sweep(nets.small(), "hermes-like", vary={"adc.bits": [4]}, data=(np.zeros((3, 7)), None), workers=0)


def test_the_package_is_callable_under_its_own_name():
    assert len(neuromorph.sweep(nets.small(), "hermes-like", vary={"adc.bits": [4]}, workers=0)) == 1


def test_kinds_of_hardware_stand_in_one_table():
    """The comparison that sweeps exist for: the same network and events on a crossbar chip and on a many-core chip."""
    import neuromorph as nm

    graph = nm.read_graph("examples/nmnist/nmnist-conv.nmg.json")
    data = nm.read_events("examples/nmnist/nmnist-test.npz", limit=2)
    vary = {"architecture": ["digital-int8", "spinnaker2"]}
    found = nm.sweep(graph, "digital-int8", vary=vary, data=data, trials=1, workers=0)
    assert found.column("status") == ["done", "done"]
    assert all(v > 0 for v in [*found.column("energy_j"), *found.column("latency_s")])
    assert found.rows[0]["macs"] > 0
    assert found.rows[0].get("synaptic_events") is None
    assert found.rows[1]["synaptic_events"] > 0
    one = nm.run(graph, nm.load_architecture("spinnaker2"), *data)
    assert found.rows[1]["energy_j"] == pytest.approx(one["energy"].value, rel=1e-12)
    with pytest.raises(InputError, match="trials has no meaning"):
        nm.sweep(graph, "spinnaker2", vary={"seed": [0, 1]}, data=data, trials=3, workers=0)
    with pytest.raises(InputError, match="trials changes nothing on spinnaker2"):
        nm.sweep(graph, "spinnaker2", vary={"trials": [1, 2]}, data=data, workers=0)
    with pytest.raises(InputError, match="no effect adc"):
        nm.sweep(graph, "digital-int8", vary=vary, data=data, off="adc", workers=0)
