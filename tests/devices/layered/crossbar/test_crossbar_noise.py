"""Noise in products: closed-form variances, independence between everything that should differ, drift compensation."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from emulated import NOISES, Layer, crossbar, rng

from neuromorph.graph.model import Window
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.recurrent import LSTM

ANALOG = frozenset({"adc", "dac"})
READ_ONLY = ANALOG | (frozenset(NOISES) - {"read"})
LAW = (0.0175 * 25e-6) ** 2  # variance of pcm-nandakumar at full conductance, proportional to u, S^2
G_MAX = 25e-6

CODINGS: dict[str, dict[str, Any]] = {
    "differential": {},
    "offset": {"signed_weights": "offset"},
    "serial": {"input_coding": "bit_serial", "dac__bits": 1, "input_bits": 6},
    "sliced": {"array__cell__bits": 2, "weight_bits": 7},
    "sliced offset": {"array__cell__bits": 2, "weight_bits": 6, "signed_weights": "offset"},
}


def core(**changes: Any) -> Any:
    return crossbar(**({"array__cell__part": "pcm-nandakumar", "array__rows": 16} | changes))


def expected_variance(layer: Layer, x: np.ndarray, off: frozenset[str]) -> np.ndarray:
    """Variance of each output of each sample: sum over reads of weight^2 drive^2 variance, from the levels alone."""
    p = layer.program(off=off)
    effective, coding = p.copies["weight"][0], p.codings["weight"]
    levels = effective.coding.levels[:, :, 0]  # (slices, devices, rows, cols)
    code = np.clip(np.floor(x / coding.full_scale * coding.top + 0.5), -coding.top if coding.signed else 0, coding.top)
    if coding.serial:
        planes = [
            np.maximum(s * code, 0).astype(int) >> k & 1 for s in (1, -1)[: coding.phases] for k in range(coding.planes)
        ]
    else:
        planes = [x / coding.full_scale]
    total = np.zeros((len(x), levels.shape[-1]))
    blocks = [(b.row0, b.row1) for b in effective.blocks]
    for weight, v in zip(coding.weights(), planes, strict=True):
        squared = np.asarray(v, float) ** 2
        for s, slice_weight in enumerate(effective.coding.weights):
            total += (weight * slice_weight) ** 2 * (squared @ levels[s].sum(0))
        if effective.coding.reference is not None:  # one unit column per array, worth the middle of the codes
            unit = effective.coding.reference.max()
            for a, b in blocks:
                total += (weight * effective.coding.middle / unit) ** 2 * (squared[:, a:b].sum(1) * unit)[:, None]
    return total * LAW / G_MAX**2 * (effective.scale[0] * coding.full_scale) ** 2


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_read_noise_variance_of_a_dense_layer(name: str, signed: bool) -> None:
    weight = rng(1).normal(size=(5, 40))
    one = rng(2).normal(size=40)
    one = one if signed else np.abs(one)
    unit = core(**CODINGS[name])
    layer = Layer(Linear(weight), (40,), unit, np.stack([one, -one] if signed else [one]))
    off = READ_ONLY - {"dac"} if name == "serial" else READ_ONLY
    n = 6000
    found = layer.run(np.repeat(one[None], n, axis=0), off=off)[0].astype(float)
    quiet = layer.run(one[None], off=off | {"read"})[0, 0]
    expected = expected_variance(layer, one[None], off)[0]
    assert np.abs(found.mean(0) - quiet).max() < 5 * np.sqrt(expected / n).max()
    assert np.abs(found.var(0) / expected - 1).max() < 5 * np.sqrt(2 / n)
    if name in ("differential", "serial"):  # an offset code shares the noise of its reference column
        off_diagonal = np.corrcoef(found.T)[np.triu_indices(5, 1)]
        assert np.abs(off_diagonal).max() < 5 / np.sqrt(n)


@pytest.mark.parametrize("groups", [1, 2])
def test_read_noise_variance_of_a_convolution(groups: int) -> None:
    """Every window position draws its own: variance sum over the window of x^2 times the devices' variance."""
    r = rng(3)
    conv = Conv2d(r.normal(size=(4, 4 // groups, 3, 3)), window=Window((3, 3), (2, 1), (1, 0, 1, 1)), groups=groups)
    one = r.normal(size=(4, 6, 5))
    layer = Layer(conv, (4, 6, 5), core(), one[None])
    n = 4000
    found = layer.run(np.repeat(one[None], n, axis=0), off=READ_ONLY)[0].astype(float)
    squares = Conv2d(np.abs(conv.weight), window=conv.window, groups=groups)  # |G+| + |G-| = |w| per unit of scale
    scale = np.abs(conv.weight).reshape(4, -1).max(1)
    import torch

    from neuromorph.graph.evaluate import FloatHost

    power = squares.evaluate([torch.tensor(one[None] ** 2)], FloatHost(squares)).numpy()[0]
    expected = power * scale[:, None, None] * LAW / G_MAX**2
    assert np.abs(found.var(0) / expected - 1).max() < 6 * np.sqrt(2 / n)
    flat = found.reshape(n, -1)
    assert np.abs(np.corrcoef(flat.T)[np.triu_indices(flat.shape[1], 1)]).max() < 6 / np.sqrt(n)


def residues(layer: Layer, x: np.ndarray, **options: Any) -> np.ndarray:
    """What read noise alone adds, (trials, samples, ...)."""
    quiet = layer.run(x, off=ANALOG | frozenset(NOISES), **{k: v for k, v in options.items() if k != "first"})
    return layer.run(x, off=READ_ONLY, **options) - quiet


def test_a_sample_draws_the_same_whatever_its_batch() -> None:
    weight, x = rng(4).normal(size=(6, 40)), rng(5).normal(size=(33, 40))
    layer = Layer(Linear(weight), (40,), core(), x)
    whole = layer.run(x, off=ANALOG, trials=(0, 1))
    for first, last in ((0, 1), (5, 6), (7, 20), (20, 33)):
        assert np.array_equal(layer.run(x[first:last], first, off=ANALOG, trials=(0, 1)), whole[:, first:last])
    r = rng(6)
    conv = Conv2d(r.normal(size=(5, 3, 3, 3)), window=Window((3, 3)))
    maps = r.normal(size=(9, 3, 7, 7))
    layer = Layer(conv, (3, 7, 7), core(), maps)
    whole = layer.run(maps, off=ANALOG)
    for first, last in ((0, 1), (1, 4), (4, 9)):
        assert np.array_equal(layer.run(maps[first:last], first, off=ANALOG), whole[:, first:last])


def test_a_value_used_over_time_draws_once_per_step() -> None:
    """A dense layer on (time, features): rows of one sample are different reads, and no batch size changes them."""
    weight, x = rng(7).normal(size=(3, 8)), np.repeat(rng(8).normal(size=(1, 1, 8)), 12, axis=0).repeat(7, axis=1)
    layer = Layer(Linear(weight), (7, 8), core(), x)
    noise = residues(layer, x)[0]
    assert len(np.unique(noise[..., 0])) == noise[..., 0].size
    assert np.array_equal(layer.run(x[5:9], 5, off=ANALOG)[0], layer.run(x, off=ANALOG)[0, 5:9])


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(abs(np.corrcoef(a.ravel(), b.ravel())[0, 1])) * np.sqrt(a.size)


def test_noise_is_independent_between_chips_samples_tiles_and_seeds() -> None:
    weight = np.tile(rng(9).normal(size=(4, 16)), (1, 2))  # two equal row tiles of 16
    x = np.tile(np.ones((3000, 16)), (1, 2))
    layer = Layer(Linear(weight), (32,), core(), x)
    noise = residues(layer, x, trials=(0, 1))
    assert correlation(noise[0], noise[1]) < 5
    assert correlation(noise[0, :-1], noise[0, 1:]) < 5
    assert correlation(noise[0], residues(layer, x, seed=1)[0]) < 5
    half = [x * (np.arange(32) // 16 == k) for k in (0, 1)]
    tiles = [residues(layer, h)[0] for h in half]
    assert correlation(*tiles) < 5
    assert tiles[0].std() == pytest.approx(tiles[1].std(), rel=0.05)


def test_time_steps_of_a_recurrent_cell_draw_anew() -> None:
    """Forget and input gates shut by their biases: every step sees the same input, its noise must differ."""
    bias = np.concatenate([np.full(3, -30.0), np.full(3, -30.0), np.zeros(3), np.zeros(3)])
    cell = LSTM(rng(10).normal(size=(12, 4)), np.zeros((12, 3)), bias)
    x = np.ones((2000, 5, 4))
    layer = Layer(cell, (5, 4), core(), x)
    from neuromorph.devices.layered.crossbar import programmed

    p: programmed.ProgrammedCrossbar = layer.program(off=READ_ONLY)
    keys = {p.keys("gates", call)[0][0] for call in range(5)}
    assert len(keys) == 5


def test_programming_error_is_drawn_once_for_all_samples() -> None:
    weight, x = rng(11).normal(size=(3, 20)), rng(12).normal(size=(50, 20))
    layer = Layer(Linear(weight), (20,), core(), x)
    found = layer.run(x, off=ANALOG | {"read"}, trials=(0, 1))
    for chip in found:  # one linear map explains all samples of a chip
        matrix, *_ = np.linalg.lstsq(x, chip, rcond=None)
        assert np.allclose(x @ matrix, chip, atol=1e-4)
    assert not np.allclose(found[0], found[1], atol=1e-2)


def test_programming_error_of_the_output_has_its_variance_over_chips() -> None:
    """Differential cells, no clipping at zero: var y = sum x^2 (s(u)^2 + s(0)^2 of the clipped zero device)."""
    weight = np.full((2, 16), 1.0)
    x = rng(13).normal(size=(1, 16))
    layer = Layer(Linear(weight), (16,), core(), x)
    chips = tuple(range(1500))
    noisy = layer.run(x, off=(READ_ONLY | {"read"}) - {"programming"}, trials=chips)[:, 0]
    s = 0.26348e-6
    zero = s**2 * (0.5 - 1 / (2 * np.pi))
    one = (0.26348 + 1.9650 - 1.1731) ** 2 * 1e-12
    expected = (x**2).sum() * (one + zero) / G_MAX**2
    assert np.abs(noisy.var(0) / expected - 1).max() < 5 * np.sqrt(2 / 1500)


@pytest.mark.parametrize("name", ["differential", "offset"])
def test_global_compensation_restores_the_mean_of_a_drifted_array(name: str) -> None:
    weight, x = np.abs(rng(14).normal(size=(8, 16))), np.ones((1, 16))
    results = {}
    for compensation in ("none", "global"):
        unit = core(drift_compensation=compensation, **CODINGS[name])
        layer = Layer(Linear(weight), (16,), unit, x)
        off = ANALOG | {"read", "flicker"}
        chips = tuple(range(40))
        fresh = layer.run(x, off=off, trials=chips).mean()
        aged = layer.run(x, off=off, trials=chips, time_s=86400.0).mean()
        results[compensation] = aged / fresh
    # exp(-0.049 ln(4321)) = 0.66 of the conductance is left after a day
    assert results["none"] == pytest.approx(0.665, abs=0.02)
    assert results["global"] == pytest.approx(1.0, abs=0.02)


def test_compensation_is_exact_for_uniform_drift() -> None:
    """One exponent for all devices: the array after drift is the array before, times one number."""
    from neuromorph.hardware.component import Quantity
    from neuromorph.hardware.curve import Curve

    unit = core(drift_compensation="global", array__rows=16)
    part = unit["array"]["cell"].part
    uniform = {
        "drift_exponent_mean": Quantity(Curve(((None, "polynomial", (0.05,), None),)), "1", "assumed", ""),
        "drift_exponent_deviation": Quantity(Curve(((None, "polynomial", (0.0,), None),)), "1", "assumed", ""),
    }
    cell = unit["array"]["cell"]
    cell = dataclasses.replace(cell, part=dataclasses.replace(part, quantities={**part.quantities, **uniform}))
    array = dataclasses.replace(unit["array"], children={"cell": cell})
    unit = dataclasses.replace(unit, children={**unit.children, "array": array})
    weight, x = rng(15).normal(size=(6, 30)), rng(16).normal(size=(20, 30))
    layer = Layer(Linear(weight), (30,), unit, x)
    off = ANALOG | {"read", "flicker"}
    assert np.allclose(layer.run(x, off=off, time_s=1e6), layer.run(x, off=off), atol=1e-5)


def test_noise_switched_off_is_the_float_layer() -> None:
    weight, x = rng(17).normal(size=(6, 30)), rng(18).normal(size=(20, 30))
    for part in ("pcm-nandakumar", "pcm-hermes-1", "reram-wan2022", "reram-milo2021", "reram-cmo-2", "sonos-40nm"):
        layer = Layer(Linear(weight), (30,), core(array__cell__part=part), x)
        found = layer.run(x, off=ANALOG | frozenset(NOISES), time_s=3600.0)[0]
        assert np.abs(found - layer.exact(x)).max() < 1e-5 * np.abs(found).max()


@pytest.mark.parametrize("name", CODINGS)
def test_tiles_that_are_left_out_add_no_noise(name: str) -> None:
    """A pruned group has no arrays: its outputs are exactly zero."""
    r = rng(19)
    weight = r.normal(size=(4, 2, 3, 3))
    mask = np.ones(weight.shape, bool)
    mask[2:] = False
    conv = Conv2d(weight, mask=mask, window=Window((3, 3)), groups=2)
    x = r.normal(size=(5, 4, 6, 6))
    layer = Layer(conv, (4, 6, 6), core(**CODINGS[name]), x)
    (tiling,) = layer.layout.tilings
    kept = ~tiling.empty
    assert kept.sum() < len(tiling)
    columns = {f.name: getattr(tiling, f.name) for f in dataclasses.fields(tiling) if f.name != "item"}
    smaller = dataclasses.replace(tiling, **{k: v[kept] for k, v in columns.items()})
    layer.layout = dataclasses.replace(layer.layout, tilings=(smaller,))
    found = layer.run(x)[0]
    assert np.all(found[:, 2:] == 0.0)
    assert np.abs(found[:, :2]).min() > 0
