"""Whole networks: without noise and with fine converters they are the float network, on every architecture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from emulated import CROSSBARS, NETWORKS, NOISES, SHIPPED, altered, core_of, inputs_of, noisy, placed, shipped

from neuromorph.devices.layered.core import core_kind
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.errors import InputError
from neuromorph.graph.evaluate import evaluate
from neuromorph.run import attribute

SMALL = {"chip.tile.core.array.rows": 16, "chip.tile.core.array.columns": 24}
"""Arrays so small that every layer is cut in both directions."""


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", SHIPPED)
def test_all_effects_off_is_the_float_network(name: str, network: str) -> None:
    graph, architecture = NETWORKS[network](), shipped(name)
    if name in ("hermes-like", "sonos-like", "neurram-like"):
        architecture = altered(name, SMALL)
    placement, x = placed(graph, architecture), inputs_of(graph, 12)
    effects = core_kind(core_of(architecture).kind.name).effects
    run = execute(placement, 2 * x, trials=2, off=effects, calibration=calibrate(placement, x))
    assert run.error.max() < 1e-5
    assert run.outputs is not None
    exact = evaluate(graph, 2 * x)
    assert np.abs(run.outputs - exact.numpy()).max() < 1e-5 * np.abs(exact.numpy()).max()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("coding", ["amplitude", "bit_serial"])
def test_fine_converters_without_noise_are_the_float_network(network: str, coding: str) -> None:
    core = "chip.tile.core."
    changes: dict[str, Any] = {f"{core}{k}": 16 for k in ("adc.bits", "input_bits")}
    changes[core + "output_percentile"] = 100.0  # nothing is clipped
    changes |= {core + "input_coding": coding, core + "dac.bits": 16 if coding == "amplitude" else 1}
    graph = NETWORKS[network]()
    placement, x = placed(graph, altered("hermes-like", changes | SMALL)), inputs_of(graph, 40)
    run = execute(placement, x, trials=1, off=NOISES, calibration=calibrate(placement, x))
    assert run.error[0] < 2e-4


@pytest.mark.parametrize("network", ["mlp", "lenet", "gru"])
def test_error_halves_with_every_bit(network: str) -> None:
    graph, errors = NETWORKS[network](), []
    x = inputs_of(graph, 60)
    for bits in (6, 8, 10):
        changes = {f"chip.tile.core.{k}": bits for k in ("adc.bits", "input_bits", "dac.bits")}
        placement = placed(graph, altered("hermes-like", changes))
        errors.append(execute(placement, x, trials=1, off=NOISES, calibration=calibrate(placement, x)).error[0])
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.35)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.35)


@pytest.mark.parametrize("name", ["isaac-like", "digital-int8"])
def test_a_quantized_network_loses_nothing_to_the_hardware_codes(name: str) -> None:
    from neuromorph.compress.quantization import quantize

    for network in ("mlp", "lenet", "depthwise"):
        graph = NETWORKS[network]()
        x = inputs_of(graph, 30)
        quantized = quantize(graph, 4, activations=4, activation_scheme="symmetric", data=x)
        placement = placed(quantized, shipped(name))
        off = () if name == "digital-int8" else (*NOISES, "adc")
        run = execute(placement, x, trials=1, off=off, calibration=calibrate(placement, x))
        assert run.error[0] < 1e-5


def test_an_absent_effect_changes_nothing_when_it_is_left_out() -> None:
    """NeuRRAM's cells have no drift law beyond their spread, no 1/f law and no faults."""
    graph = NETWORKS["mlp"]()
    placement, x = placed(graph, shipped("neurram-like")), inputs_of(graph, 30)
    calibration = calibrate(placement, x)
    base = execute(placement, x, trials=2, calibration=calibration).outputs
    for effect in ("faults", "flicker", "drift", "on_off"):
        assert np.array_equal(execute(placement, x, trials=2, calibration=calibration, off=(effect,)).outputs, base)
    for effect in ("programming", "read", "dac", "adc"):
        other = execute(placement, x, trials=2, calibration=calibration, off=(effect,)).outputs
        assert not np.array_equal(other, base)


@pytest.mark.parametrize("name", [*CROSSBARS, "digital-int8"])
def test_attribution_recovers_the_float_accuracy(name: str) -> None:
    graph = NETWORKS["mlp"]()
    placement, x = placed(graph, noisy(name)), inputs_of(graph, 200)
    labels = evaluate(graph, x).argmax(-1).numpy()
    options = {"trials": 3, "calibration": calibrate(placement, x)}
    costs = {c.effect: c for c in attribute(placement, x, labels, **options)}
    effects = core_kind(core_of(shipped(name)).kind.name).effects
    assert list(costs) == [*effects, "all"]
    assert costs["all"].accuracy == 1.0
    base = execute(placement, x, labels, **options).accuracy
    assert base is not None
    assert base.mean() < (1.0 if name in CROSSBARS else 1.001)
    for effect, cost in costs.items():
        assert cost.gain == pytest.approx(cost.accuracy - base.mean())
        without = execute(placement, x, labels, off=effects if effect == "all" else (effect,), **options)
        assert without.accuracy is not None
        difference = without.accuracy - base
        assert cost.chips_error == pytest.approx(difference.std(ddof=1) / np.sqrt(3))
        assert cost.error == pytest.approx(np.hypot(cost.chips_error, cost.samples_error))
    if name == "neurram-like":
        assert costs["faults"].gain == costs["faults"].error == 0


def test_accuracy_and_error_are_what_the_outputs_say() -> None:
    graph = NETWORKS["mlp"]()
    placement, x = placed(graph, shipped("hermes-like")), inputs_of(graph, 70)
    labels = evaluate(graph, x).argmax(-1).numpy()
    labels[::5] = (labels[::5] + 1) % 4  # the float network is wrong on a fifth
    run = execute(placement, x, labels, trials=3, batch=32)
    assert run.outputs is not None
    assert run.accuracy is not None
    assert run.accuracy == pytest.approx((run.outputs.argmax(-1) == labels).mean(1))
    assert run.float_accuracy == pytest.approx(0.8)
    exact = evaluate(graph, x).numpy()
    assert run.error == pytest.approx(np.sqrt(((run.outputs - exact) ** 2).sum((1, 2)) / (exact**2).sum()), rel=1e-5)
    last = run.layers[-1]
    noise = ((run.outputs - exact) ** 2).sum((1, 2)).mean()
    assert last.snr_db == pytest.approx(10 * np.log10((exact**2).sum() / noise), abs=1e-3)
    assert run.notes  # calibrated on the run itself
    assert run.interval is not None
    half = 4.302653 * run.accuracy.std(ddof=1) / np.sqrt(3)  # Student's t, two degrees of freedom
    assert run.interval.chips is not None
    low, high = run.interval.chips
    assert (high - low) / 2 == pytest.approx(half, rel=1e-5) or high == 1
    assert run.interval.high - run.interval.mean >= min(half, 1 - run.interval.mean)


def test_one_chip_gets_a_wilson_interval() -> None:
    from neuromorph.devices.result import interval

    found = interval(np.array([0.9]), 100)
    assert (found.low, found.high) == (pytest.approx(0.8256, abs=1e-4), pytest.approx(0.9448, abs=1e-4))
    perfect = interval(np.array([1.0]), 100)
    assert (perfect.low, perfect.high) == (pytest.approx(0.9630, abs=1e-4), 1.0)


def test_calibration_survives_a_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from neuromorph.devices.layered.execute import Calibration

    graph = NETWORKS["lenet"]()
    placement, x = placed(graph, shipped("isaac-like")), inputs_of(graph, 10)
    calibration = calibrate(placement, x)
    calibration.save(tmp_path / "c.json")
    loaded = Calibration.load(tmp_path / "c.json")
    assert loaded.digest == calibration.digest
    assert loaded.samples == 10
    a, b = (execute(placement, x, trials=1, calibration=c).outputs for c in (calibration, loaded))
    assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials"),
        ({"trials": ()}, "trials"),
        ({"trials": (1, 1)}, "twice"),
        ({"trials": (-1,)}, "trial"),
        ({"batch": 0}, "batch"),
        ({"time_s": -1.0}, "time"),
        ({"time_s": float("nan")}, "time"),
        ({"time_s": 1e9}, "172800 s"),
        ({"off": ("sparks",)}, "sparks"),
        ({"torch_device": "warp"}, "warp"),
        ({"labels": np.zeros(3, int)}, "labels"),
        ({"labels": np.full(4, 9)}, "class"),
        ({"labels": np.zeros(4)}, "label"),
        ({"inputs": np.zeros((0, 12), np.float32)}, "no sample"),
        ({"inputs": np.zeros((4, 11), np.float32)}, "shape"),
        ({"inputs": np.full((4, 12), np.nan, np.float32)}, "not finite"),
        ({"workers": 0}, "workers"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused_with_a_message(options: dict[str, Any], message: str) -> None:
    graph = NETWORKS["mlp"]()
    placement = placed(graph, shipped("neurram-like"))
    x = inputs_of(graph, 4)
    arguments = {"inputs": x, "labels": None, "calibration": calibrate(placement, x), "trials": 1} | options
    with pytest.raises(InputError, match=message):
        execute(placement, arguments.pop("inputs"), arguments.pop("labels"), **arguments)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"schema": 2, "samples": 1, "ranges": {}}', '{"schema": 1, "samples": 1, "ranges": {"a": 3}}'],
)
def test_damaged_calibration_files_are_refused(content: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from neuromorph.devices.layered.execute import Calibration

    (tmp_path / "c.json").write_text(content)
    with pytest.raises(InputError):
        Calibration.load(tmp_path / "c.json")


def test_a_calibration_of_another_network_is_refused() -> None:
    graphs = [NETWORKS[n]() for n in ("mlp", "lenet")]
    placements = [placed(g, shipped("hermes-like")) for g in graphs]
    other = calibrate(placements[1], inputs_of(graphs[1], 4))
    with pytest.raises(InputError, match="calibration"):
        execute(placements[0], inputs_of(graphs[0], 4), trials=1, calibration=other)


def test_calibration_needs_samples() -> None:
    graph = NETWORKS["mlp"]()
    with pytest.raises(InputError, match="at least one sample"):
        calibrate(placed(graph, shipped("hermes-like")), np.zeros((0, 12), np.float32))
