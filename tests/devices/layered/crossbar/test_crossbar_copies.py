"""Copies of a layer are devices of their own; products are dealt out over them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from emulated import lenet

import neuromorph as nm
from neuromorph.devices.layered.core import core_kind
from neuromorph.devices.layered.crossbar.dealt import runs
from neuromorph.devices.layered.crossbar.spec import SPEC
from neuromorph.devices.layered.execute.engine import execute
from neuromorph.devices.protocol import Draw
from neuromorph.hardware import catalog
from neuromorph.hardware.paths import replace

GRAPH = lenet()
X = np.random.default_rng(0).random((12, 1, 8, 8)).astype(np.float32)
EFFECTS = core_kind(SPEC.name).effects


def placed(name: str, copies: int):
    return nm.place(GRAPH, catalog.load_architecture(name), copies={"conv0": copies}, duplicate=False)


@pytest.mark.parametrize(("products", "copies"), [(64, 5), (7, 7), (10, 1), (9, 4)])
def test_products_are_dealt_out_in_equal_runs(products: int, copies: int) -> None:
    owner = [c for c, (a, b) in enumerate(runs(products, copies)) for _ in range(a, b)]
    assert owner == [p * copies // products for p in range(products)]


@pytest.mark.parametrize("name", ["hermes-like", "puma-like"])
def test_copies_compute_what_one_does_where_devices_do_not_vary(name: str) -> None:
    """Every step of the product over copies, with noise so small that it cannot be seen, against the one matrix."""
    quiet = replace(catalog.load_architecture(name), {"cell.programming_noise": "1e-9x", "cell.read_noise": "1e-9x"})
    off = frozenset(EFFECTS) - {"programming", "adc", "dac"}
    one, five = (nm.place(GRAPH, quiet, copies={"conv0": n}, duplicate=False) for n in (1, 5))
    ranges = nm.calibrate(one, X)
    a, b = (execute(p, X, trials=2, off=off, calibration=ranges, time_s=0.0).outputs for p in (one, five))
    assert np.abs(a - b).max() < 0.05 * np.abs(a).max()
    assert np.median(np.abs(a - b)) < 1e-4 * np.abs(a).max()


def mapped(copies: int, trials: int) -> np.ndarray:
    """conv0 of a map of one value with programming noise alone, inner windows: (trials, channels, 6, 6)."""
    placement = placed("hermes-like", copies)
    layout, ranges = placement.layouts["conv0"], nm.calibrate(placement, X).ranges["conv0"]
    draw = Draw(0, tuple(range(trials)), off=frozenset(EFFECTS) - {"programming"})
    host = layout.kind.program(layout, ranges, draw).host(0)
    return np.asarray(host.conv("weight", torch.full((1, 1, 1, 8, 8), 0.5))[:, 0, :, 1:-1, 1:-1])


@pytest.mark.parametrize("copies", [1, 4])
def test_each_copy_has_noise_of_its_own(copies: int) -> None:
    """All windows of a map of one value give one result on one copy, as many results as copies on several."""
    assert len(np.unique(np.round(mapped(copies, 1)[0, 0], 5))) == copies


def test_copies_average_what_single_devices_do_not() -> None:
    """The mean over a map spreads between chips as that of independent devices does: by 1/sqrt(copies)."""
    one, many = (mapped(copies, 200).mean(axis=(2, 3)).std(axis=0).mean() for copies in (1, 16))
    # 16 runs of 4 windows: the inner 36 windows are those of 12 copies, 3 of each
    assert many / one == pytest.approx(1 / np.sqrt(12), rel=0.1)


@pytest.mark.parametrize("batch", [1, 5])
def test_copies_do_not_depend_on_the_batch(batch: int) -> None:
    placement = placed("hermes-like", 5)
    ranges = nm.calibrate(placement, X)
    one, other = (execute(placement, X, trials=2, calibration=ranges, batch=b).outputs for b in (12, batch))
    assert np.array_equal(one, other)
