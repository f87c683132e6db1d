"""Early exit: the stop rule by hand, its calibration, and agreement with the event-driven engine."""

from __future__ import annotations

import numpy as np
import pytest
from convert_networks import conv_net, dense_net, inputs, over_steps
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.devices.manycore.execute import EventEngine, StopRule
from neuromorph.errors import InputError
from neuromorph.events.encoders import direct, poisson
from neuromorph.spiking.convert import answers_over_time, calibrate_confidence, convert, exit_early
from neuromorph.spiking.lower import lower


def growing(samples: int = 300, steps: int = 10, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Outputs so far of a noisy integrator: the right class gains 1 a step, all get noise; samples differ in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, samples)
    step = rng.normal(size=(samples, steps, classes)) * rng.uniform(0.2, 1.5, (samples, 1, 1))
    step[np.arange(samples), :, labels] += 1
    return np.cumsum(step, 1).astype(np.float32), labels


def test_a_sample_stops_when_its_largest_softmax_passes_the_threshold() -> None:
    outputs, labels = growing(40)
    found = exit_early(outputs, labels, 2.0, 0.8, least=2)
    for i in range(40):
        stop = 10
        for t in range(2, 10):
            e = np.exp(outputs[i, t - 1].astype(float) / 2)
            if e.max() / e.sum() > 0.8:
                stop = t
                break
        assert found.steps[i] == stop
        assert found.answers[i] == outputs[i, stop - 1].argmax()
    assert found.accuracy == (found.answers == labels).mean()
    assert found.mean_steps == found.steps.mean()
    assert (found.steps <= found.p95_steps).mean() >= 0.95
    assert (found.steps < found.p95_steps).mean() < 0.95


@given(st.floats(0.1, 50), st.floats(0.3, 0.99), st.floats(0.001, 0.3))
def test_a_higher_threshold_never_stops_earlier(temperature: float, threshold: float, more: float) -> None:
    outputs, labels = growing(50)
    early = exit_early(outputs, labels, temperature, threshold).steps
    late = exit_early(outputs, labels, temperature, min(threshold + more, 1.0)).steps
    assert (late >= early).all()
    assert (exit_early(outputs, labels, temperature, 1.0).steps == 10).mean() > 0.5


def test_calibration_takes_the_fewest_steps_within_the_tolerance_and_holds_on_other_data() -> None:
    outputs, labels = growing(2000)
    rule = calibrate_confidence(outputs, labels, tolerance=0.01)
    assert rule.full == (outputs[:, -1].argmax(1) == labels).mean()
    assert rule.point.accuracy >= rule.full - 0.01
    assert rule.point.mean_steps < 8
    steps = [p.mean_steps for p in rule.pareto]
    accuracies = [p.accuracy for p in rule.pareto]
    assert steps == sorted(steps)
    assert accuracies == sorted(set(accuracies))
    assert not any(p.mean_steps < rule.point.mean_steps and p.accuracy >= rule.full - 0.01 for p in rule.pareto)
    strict = calibrate_confidence(outputs, labels, tolerance=0.0)
    assert strict.point.mean_steps >= rule.point.mean_steps
    # on data it was not chosen on, the loss is that of the tolerance and of chance (four standard deviations)
    other, other_labels = growing(2000, seed=9)
    found = exit_early(other, other_labels, rule.temperature, rule.threshold)
    full = (other[:, -1].argmax(1) == other_labels).mean()
    assert found.accuracy > full - 0.01 - 4 * np.sqrt(0.05 / 2000)
    assert found.mean_steps == pytest.approx(rule.point.mean_steps, rel=0.1)


def test_answers_of_a_converted_network_come_from_values_and_rasters_alike() -> None:
    graph = dense_net()
    x = inputs(graph, 130)
    spiking = convert(graph, x, steps=6)
    found = answers_over_time(spiking, x)
    assert found.shape == (130, 6, 4)
    assert np.allclose(found, over_steps(spiking, x)["readout"], atol=1e-4)
    assert np.array_equal(found, answers_over_time(spiking, direct(x, 6), batch=40))
    assert np.array_equal(found, answers_over_time(spiking, np.repeat(x[:, None], 6, axis=1)))


@pytest.mark.parametrize("graph", [dense_net(), conv_net()], ids=["dense", "conv"])
def test_the_event_engine_runs_converted_networks_to_the_same_spikes(graph: object) -> None:
    x = inputs(graph, 20)  # type: ignore[arg-type]
    spiking = convert(graph, x, steps=8)  # type: ignore[arg-type]
    raster = poisson(x, 8, 1e-3, seed=1)
    dense = answers_over_time(spiking, raster)
    run = EventEngine(lower(spiking)).run(raster)
    assert np.allclose(run.outputs[0].reshape(dense.shape), dense, atol=1e-3)


def test_stop_rules_agree_with_the_engine() -> None:
    graph = dense_net()
    x = inputs(graph, 60)
    spiking = convert(graph, x, steps=12)
    raster = poisson(x, 12, 1e-3, seed=2)
    outputs = answers_over_time(spiking, raster)
    labels = np.zeros(60, np.int64)
    run = EventEngine(lower(spiking)).run(raster, stop=StopRule(20.0, 0.4))
    found = exit_early(outputs, labels, 20.0, 0.4)
    assert 1 < found.mean_steps < 12
    assert (run.steps_used == found.steps).mean() > 0.95  # float32 may decide a tie differently


def test_wrong_arguments_are_refused() -> None:
    outputs, labels = growing(10)
    for action, text in (
        (lambda: exit_early(outputs, labels[:5], 1.0, 0.5), "5 labels for 10 samples"),
        (lambda: exit_early(outputs[0], labels, 1.0, 0.5), "expected (samples, steps, classes)"),
        (lambda: exit_early(outputs, labels, 0.0, 0.5), "temperature is 0.0"),
        (lambda: exit_early(outputs, labels, 1.0, 1.5), "at most 1"),
        (lambda: calibrate_confidence(outputs, labels, tolerance=-1.0), "tolerance is -1.0"),
    ):
        with pytest.raises(InputError) as error:
            action()
        assert text in str(error.value)
