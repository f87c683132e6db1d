"""The integer core against 64-bit integer arithmetic: exact codes, exact sums, saturation, its own statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from emulated import NETWORKS, Layer, digital, inputs_of, placed, rng, shipped

from neuromorph.graph.model import Window
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.recurrent import LSTM


def core(weight_bits: int = 8, input_bits: int = 8, accumulator_bits: int = 32, **more: Any) -> Any:
    mac = {"mac.weight_bits": weight_bits, "mac.input_bits": input_bits, "mac.accumulator_bits": accumulator_bits}
    return digital(
        weight_bits=weight_bits, input_bits=input_bits, accumulator_bits=accumulator_bits, **more, **mac
    )  # fmt: skip


def codes_of(x: np.ndarray, bits: int, top: float, signed: bool) -> np.ndarray:
    limit = max(1, 2 ** (bits - 1) - 1) if signed else 2**bits - 1
    code = np.rint((x.astype(np.float32) / np.float32(top / limit)).astype(np.float64))
    return np.clip(code, -limit if signed else 0, limit).astype(np.int64)


def saturated(total: np.ndarray, bits: int) -> np.ndarray:
    return np.clip(total, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8, 11, 16])
@pytest.mark.parametrize("scaling", ["layer", "column"])
def test_dense_products_are_exact_integers(bits: int, signed: bool, scaling: str) -> None:
    weight, x = rng(1).normal(size=(7, 90)), rng(2).normal(size=(40, 90))
    x = x if signed else np.abs(x)
    layer = Layer(Linear(weight), (90,), core(bits, bits, 48, weight_scaling=scaling), x)
    found = layer.run(x)[0]
    limit = max(1, 2 ** (bits - 1) - 1)
    top = np.abs(weight).max(axis=1) if scaling == "column" else np.full(7, np.abs(weight).max())
    w = np.rint(weight / (top / limit)[:, None]).astype(np.int64)
    q = codes_of(x, bits, float(np.float32(np.abs(x.astype(np.float32)).max())), signed)
    input_limit = limit if signed else 2**bits - 1
    step = top / limit * np.abs(x.astype(np.float32)).max() / input_limit
    total = q @ w.T
    assert np.array_equal(np.rint(found / step) if bits < 11 else total, total)
    assert np.allclose(found, total * step, rtol=1e-6, atol=0)
    assert np.abs(w).max() == limit
    assert np.abs(q).max() == input_limit


@pytest.mark.parametrize("bits", [2, 8, 16])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolutions_are_exact_integers(bits: int, groups: int) -> None:
    r = rng(3)
    window = Window((3, 2), (2, 1), (1, 0, 0, 1), (1, 2))
    conv = Conv2d(r.normal(size=(8, 4 // groups, 3, 2)), window=window, groups=groups)
    x = r.normal(size=(6, 4, 7, 6))
    layer = Layer(conv, (4, 7, 6), core(bits, bits, 48), x)
    found = layer.run(x)[0]
    limit = max(1, 2 ** (bits - 1) - 1)
    flat = conv.weight.reshape(8, -1)
    w = np.rint(flat / (np.abs(flat).max(1) / limit)[:, None]).astype(np.int64).reshape(conv.weight.shape)
    q = codes_of(x, bits, float(np.abs(x.astype(np.float32)).max()), True)
    padded = np.pad(q, ((0, 0), (0, 0), (1, 0), (0, 1)))
    rows, cols = window.output(7, 6)
    total = np.zeros((6, 8, rows, cols), np.int64)
    for o in range(8):
        first = o // (8 // groups) * (4 // groups)
        for c in range(4 // groups):
            for u in range(3):
                for v in range(2):
                    piece = padded[:, first + c, u : u + 2 * rows - 1 : 2, 2 * v : 2 * v + cols]
                    total[:, o] += w[o, c, u, v] * piece
    step = np.abs(flat).max(1) / limit * np.abs(x.astype(np.float32)).max() / limit
    assert np.allclose(found, total * step[:, None, None], rtol=1e-6, atol=0)


@pytest.mark.parametrize("accumulator", [8, 12, 16])
def test_accumulators_saturate(accumulator: int) -> None:
    weight, x = rng(4).normal(size=(5, 60)), rng(5).normal(size=(200, 60))
    layer = Layer(Linear(weight), (60,), core(8, 8, accumulator), x)
    programmed = layer.program()
    m = programmed.matrices["weight"]
    found = layer.operator.evaluate([torch.tensor(x, dtype=torch.float32)[None]], programmed.host(0)).numpy()[0]
    q = codes_of(x, 8, float(np.abs(x.astype(np.float32)).max()), True)
    total = q @ m.codes[0].astype(np.int64)
    expected = saturated(total, accumulator)
    assert np.allclose(found, expected * m.weight_step[0] * m.input_step, rtol=1e-6, atol=0)
    share = float((expected != total).mean())
    assert programmed.statistics().values["weight.clipped"] == pytest.approx(share)
    assert (share > 0) == (accumulator < 20 and np.abs(total).max() >= 2 ** (accumulator - 1))
    wide = layer.run(x, off=("accumulator",))[0]
    assert np.allclose(wide, total * m.weight_step[0] * m.input_step, rtol=1e-6, atol=0)


def test_inputs_beyond_the_range_saturate() -> None:
    weight, x = rng(6).normal(size=(3, 10)), np.abs(rng(7).normal(size=(20, 10)))
    layer = Layer(Linear(weight), (10,), core(), x)
    top = x.max()
    clipped = layer.run(np.clip(3 * x, 0, top))
    assert np.array_equal(layer.run(3 * x), clipped)
    assert np.array_equal(layer.run(-x), np.zeros_like(clipped))


def test_effects_switched_off_are_the_float_layer() -> None:
    weight, x = rng(8).normal(size=(6, 50)), rng(9).normal(size=(30, 50))
    layer = Layer(Linear(weight), (50,), core(3, 3, 8), x)
    found = layer.run(3 * x, off=("weight_quantization", "input_quantization", "accumulator"))[0]
    assert np.allclose(found, 3 * x @ weight.T, rtol=1e-5, atol=1e-5)


def test_every_chip_computes_the_same() -> None:
    graph = NETWORKS["lenet"]()
    from neuromorph.devices.layered.execute import execute

    run = execute(placed(graph, shipped("digital-int8")), inputs_of(graph, 5), np.zeros(5, int), trials=3)
    assert run.outputs is not None
    assert run.outputs.shape[0] == 3
    assert all(np.array_equal(run.outputs[0], o) for o in run.outputs)


def test_statistics_count_live_inputs() -> None:
    r = rng(10)
    x = np.maximum(r.normal(size=(11, 20)), 0)
    layer = Layer(Linear(r.normal(size=(4, 20))), (20,), core(), x)
    programmed = layer.program()
    host = programmed.host(0)
    layer.operator.evaluate([torch.tensor(x[:5], dtype=torch.float32)[None]], host)
    layer.operator.evaluate([torch.tensor(x[5:], dtype=torch.float32)[None]], programmed.host(5))
    stats = programmed.statistics()
    live = codes_of(x, 8, float(np.float32(x.max())), False) != 0
    assert np.allclose(stats.values["weight.active"][0], live.mean(0))
    count = live.sum(1)
    assert stats.spread == pytest.approx(count.std() / count.mean())


def test_statistics_of_a_recurrent_cell_cover_all_steps() -> None:
    r = rng(11)
    cell = LSTM(r.normal(size=(8, 3)), r.normal(size=(8, 2)))
    x = r.normal(size=(9, 4, 3))
    layer = Layer(cell, (4, 3), core(), x)
    programmed = layer.program()
    layer.operator.evaluate([torch.tensor(x, dtype=torch.float32)[None]], programmed.host(0))
    active = programmed.statistics().values["gates.active"][0]
    # inputs are live in (nearly) all 4 steps, the state is zero in the first
    assert np.all((active[:3] > 3.5) & (active[:3] <= 4))
    assert np.all((active[3:] > 2.5) & (active[3:] <= 3))


@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantized_network_is_computed_exactly(bits: int) -> None:
    """Weights and inputs on grids of their own lose nothing to the core's codes."""
    from neuromorph.compress.quantization import quantize
    from neuromorph.graph.evaluate import evaluate

    for name in ("mlp", "lenet"):
        graph = NETWORKS[name]()
        x = inputs_of(graph, 30)
        quantized = quantize(graph, bits, activations=bits, activation_scheme="symmetric", data=x)
        exact = evaluate(quantized, x).numpy()
        from neuromorph.devices.layered.execute import calibrate, execute

        placement = placed(quantized, shipped("digital-int8"))
        run = execute(placement, x, trials=1, calibration=calibrate(placement, x))
        assert run.outputs is not None
        assert np.allclose(run.outputs[0], exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())
