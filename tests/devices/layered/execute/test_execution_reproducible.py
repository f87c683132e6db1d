"""The same seed gives the same result whatever the batch, the workers and the other chips; another seed does not."""

from __future__ import annotations

import numpy as np
import pytest
from emulated import NETWORKS, altered, inputs_of, noisy, placed, shipped

from neuromorph.devices.layered.execute import calibrate, execute

NOISY = ("hermes-like", "isaac-like")


def outputs(placement, x, **options):  # type: ignore[no-untyped-def]
    found = execute(placement, x, **options).outputs
    assert found is not None
    return found


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", [*NOISY, "digital-int8"])
def test_batches_of_any_size_give_the_same_outputs(name: str, network: str) -> None:
    graph = NETWORKS[network]()
    placement, x = placed(graph, noisy(name)), inputs_of(graph, 23)
    options = {"trials": 2, "time_s": 3600.0, "calibration": calibrate(placement, x)}
    whole = outputs(placement, x, batch=1000, **options)
    for batch in (1, 7):
        assert np.array_equal(outputs(placement, x, batch=batch, **options), whole)


def test_statistics_and_quality_do_not_depend_on_the_batch() -> None:
    graph = NETWORKS["lstm"]()
    placement, x = placed(graph, shipped("hermes-like")), inputs_of(graph, 300)
    calibration = calibrate(placement, x[:50])
    runs = [execute(placement, x, trials=2, calibration=calibration, batch=b) for b in (60, 299, 1000)]
    for other in runs[1:]:
        assert other.error == pytest.approx(runs[0].error, rel=1e-6)
        for a, b in zip(runs[0].layers, other.layers, strict=True):
            assert a.snr_db == pytest.approx(b.snr_db, rel=1e-6)
            assert a.clipped == pytest.approx(b.clipped, abs=1e-12)
        for node, stats in runs[0].statistics.items():
            assert other.statistics[node].spread == pytest.approx(stats.spread, rel=1e-5)
            for key, value in stats.values.items():
                assert np.allclose(other.statistics[node].values[key], value, rtol=1e-5)


@pytest.mark.parametrize("network", ["lenet", "lstm"])
@pytest.mark.parametrize("name", NOISY)
def test_a_subset_of_the_chips_is_those_chips(name: str, network: str) -> None:
    graph = NETWORKS[network]()
    placement, x = placed(graph, noisy(name)), inputs_of(graph, 9)
    calibration = calibrate(placement, x)
    all_ = outputs(placement, x, trials=4, calibration=calibration)
    assert np.array_equal(outputs(placement, x, trials=(3, 1), calibration=calibration), all_[[3, 1]])
    assert not any(np.array_equal(all_[i], all_[j]) for i in range(4) for j in range(i))


def test_groups_of_chips_are_a_matter_of_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from neuromorph.devices.layered.execute import engine

    graph = NETWORKS["lenet"]()
    placement, x = placed(graph, shipped("hermes-like")), inputs_of(graph, 9)
    calibration = calibrate(placement, x)
    whole = execute(placement, x, np.zeros(9, int), trials=5, calibration=calibration)
    cells = sum(int((t.height * t.width).sum()) for k in placement.layouts.values() for t in k.tilings)
    for budget in (1, 2 * max(cells, 9 * 256)):
        monkeypatch.setattr(engine, "BUDGET", budget)
        parts = execute(placement, x, np.zeros(9, int), trials=5, calibration=calibration, batch=9)
        assert np.array_equal(parts.outputs, whole.outputs)
        assert np.array_equal(parts.accuracy, whole.accuracy)
        assert parts.float_accuracy == whole.float_accuracy
        assert [q.snr_db for q in parts.layers] == pytest.approx([q.snr_db for q in whole.layers])
        for node, stats in whole.statistics.items():
            for key, value in stats.values.items():
                assert np.allclose(parts.statistics[node].values[key], value, rtol=1e-6)


def test_two_workers_give_what_one_gives() -> None:
    graph = NETWORKS["mlp"]()
    placement, x = placed(graph, shipped("hermes-like")), inputs_of(graph, 9)
    labels = np.arange(9) % 4
    calibration = calibrate(placement, x)
    chips = (5, 0, 3)  # not in order: results stay in the order asked for
    one, two = (execute(placement, x, labels, trials=chips, calibration=calibration, workers=w) for w in (1, 2))
    assert one.outputs is not None
    assert two.outputs is not None
    assert np.array_equal(one.outputs, two.outputs)
    assert one.trials == two.trials == chips
    assert np.array_equal(one.accuracy, two.accuracy)
    assert np.allclose(one.error, two.error, rtol=1e-12)
    for a, b in zip(one.layers, two.layers, strict=True):
        assert a.snr_db == pytest.approx(b.snr_db)
    for node, stats in one.statistics.items():
        for key, value in stats.values.items():
            assert np.allclose(two.statistics[node].values[key], value, rtol=1e-6)


@pytest.mark.parametrize("network", ["mlp", "gru"])
def test_another_seed_gives_other_chips(network: str) -> None:
    graph = NETWORKS[network]()
    placement, x = placed(graph, shipped("hermes-like")), inputs_of(graph, 9)
    calibration = calibrate(placement, x)
    first = outputs(placement, x, trials=2, seed=0, calibration=calibration)
    assert np.array_equal(outputs(placement, x, trials=2, seed=0, calibration=calibration), first)
    second = outputs(placement, x, trials=2, seed=1, calibration=calibration)
    assert (second != first).mean() > 0.5


def test_equal_layers_and_equal_samples_draw_their_own_noise() -> None:
    """Two equal layers of a chip have different errors; equal samples are read with different noise."""
    from emulated import Graph, Node, dense

    nodes = tuple(Node(name, dense.Linear(np.ones((3, 4))), ("x",)) for name in ("a", "b"))
    shared = [Graph("one", {"x": (4,)}, nodes, (n,)) for n in ("a", "b")]
    x = np.ones((2, 4), np.float32)
    changes = {"chip.tile.core.adc.bits": 16}
    a, b = (
        outputs(placed(g, altered("hermes-like", changes)), x, trials=2, calibration=None, off=("read",))
        for g in shared
    )
    assert not np.allclose(a, b, atol=0.05)
    assert np.array_equal(a[:, 0], a[:, 1])
    noisy = outputs(placed(shared[0], altered("hermes-like", changes)), x, trials=1)
    assert (noisy[:, 0] != noisy[:, 1]).any()
