"""Products on crossbars without noise: codings of weights and inputs, slices, pairs, references, converters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from emulated import NOISES, Layer, crossbar, layout_of, rng

from neuromorph.devices.layered.crossbar.coding import encode, slices_needed
from neuromorph.graph.model import Window
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear

QUIET = frozenset(NOISES)
IDEAL = QUIET | {"adc", "dac"}

SLICED = {"array.cell.bits": 2, "weight_bits": 8}
SERIAL = {"input_coding": "bit_serial", "dac.bits": 1, "input_bits": 8}


def core(*parts: dict[str, Any], **more: Any) -> Any:
    changes = {k: v for part in (*parts, more) for k, v in part.items()}
    return crossbar(**{k.replace(".", "__"): v for k, v in changes.items()})


def integers(low: int, high: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Random integers that reach both ends in every row."""
    drawn = rng(seed).integers(low, high + 1, shape).astype(float)
    drawn.reshape(len(drawn), -1)[:, 0], drawn.reshape(len(drawn), -1)[:, 1] = high, low
    return drawn


@pytest.mark.parametrize("signed", ["differential", "offset"])
@pytest.mark.parametrize(("bits", "cell_bits"), [(8, 1), (8, 2), (5, 3), (2, 1), (16, 4), (4, 4), (1, 1)])
def test_slices_carry_the_rounded_weight(signed: str, bits: int, cell_bits: int) -> None:
    changes = {"array.cell.bits": cell_bits, "weight_bits": bits, "signed_weights": signed, "array.columns": 256}
    unit = core(changes)
    weight = rng(1).normal(size=(6, 9))
    matrix = layout_of(Linear(weight), (9,), unit).matrix("weight")
    coding = encode(matrix, unit)
    magnitude = bits if signed == "offset" else bits - 1
    assert coding.slices == slices_needed(bits, cell_bits, signed) == max(1, -(-magnitude // cell_bits))
    digits = coding.levels * (2**cell_bits - 1)
    assert np.allclose(digits, np.rint(digits), atol=1e-9)  # every device holds one of 2^bits levels
    assert coding.levels.min() >= 0
    assert coding.levels.max() <= 1
    pairs = coding.levels[:, 0] - (coding.levels[:, 1] if signed == "differential" else 0.0)
    value = (np.einsum("s,sgrc->grc", coding.weights, pairs) - coding.middle) * coding.scale[:, None]
    if signed == "offset":
        assert (coding.reference > 0).sum() == 1  # one column for all slices
    top = np.abs(weight).max(axis=1)
    step = top / max(1, 2 ** (bits - 1) - 1)
    expected = np.where(weight.T < 0, -top, top) if (signed, bits) == ("offset", 1) else np.rint(weight.T / step) * step
    assert np.allclose(value[0], expected)


def test_continuous_cells_hold_any_weight() -> None:
    weight = rng(2).normal(size=(6, 9))
    for signed in ("differential", "offset"):
        for scaling in ("layer", "column"):
            unit = core(signed_weights=signed, weight_scaling=scaling)
            coding = encode(layout_of(Linear(weight), (9,), unit).matrix("weight"), unit)
            level = coding.levels[0, 0] - (coding.levels[0, 1] if signed == "differential" else coding.reference[0])
            assert np.allclose((level * coding.scale[:, None])[0], weight.T)
            top = np.abs(weight).max() if scaling == "layer" else np.abs(weight).max(axis=1)
            assert np.allclose(coding.scale, top * (2 if signed == "offset" else 1))


@pytest.mark.parametrize("signed", ["differential", "offset"])
@pytest.mark.parametrize("inputs", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("plane_bits", [1, 3])
def test_lossless_converters_give_the_exact_integer_product(signed: str, inputs: bool, plane_bits: int) -> None:
    """Integer converter steps that resolve one cell unit: nothing is lost between integer inputs and outputs."""
    unit = core(SLICED, SERIAL, {"signed_weights": signed, "converter_range": "integer", "adc.bits": 16})
    unit = core(
        SLICED, {**SERIAL, "dac.bits": plane_bits},
        {"signed_weights": signed, "converter_range": "integer", "adc.bits": 16, "array.rows": 16},
    )  # fmt: skip
    weight = integers(-127, 127, 5, 40)
    x = integers(-127, 127, 9, 40, seed=1) if inputs else integers(0, 255, 9, 40, seed=1)
    found = Layer(Linear(weight), (40,), unit, x).run(x, off=QUIET)[0]
    assert np.array_equal(np.rint(found), x @ weight.T)
    assert np.allclose(found, x @ weight.T, rtol=1e-6)


@pytest.mark.parametrize("part", ["pcm-nandakumar", "reram-milo2021", "reram-cmo-02"])
@pytest.mark.parametrize("signed", ["differential", "offset"])
@pytest.mark.parametrize("sliced", [False, True], ids=["continuous", "sliced"])
def test_a_finite_on_off_ratio_cancels_without_noise(part: str, signed: str, sliced: bool) -> None:
    """The lowest conductance adds the same current to a device and to its partner or reference column."""
    changes: dict[str, Any] = {"array.cell.part": part, "signed_weights": signed, "array.rows": 32}
    if sliced:
        changes |= {"array.cell.bits": 4, "weight_bits": 16}
    weight, x = rng(3).normal(size=(7, 50)), rng(4).normal(size=(11, 50))
    layer = Layer(Linear(weight), (50,), core(changes), x)
    found = layer.run(x, off=QUIET | {"adc", "dac"})[0]
    assert np.abs(found - layer.exact(x)).max() < (2e-3 if sliced else 2e-5) * np.abs(found).max()


def test_bit_serial_equals_amplitude_without_noise_and_converters() -> None:
    weight = rng(5).normal(size=(6, 30))
    for signed in (False, True):
        x = rng(6).normal(size=(20, 30))
        x = x if signed else np.abs(x)
        results = []
        for plane_bits, coding in ((8, "amplitude"), (1, "bit_serial"), (3, "bit_serial"), (8, "bit_serial")):
            unit = core({"input_coding": coding, "dac.bits": plane_bits, "input_bits": 8})
            results.append(Layer(Linear(weight), (30,), unit, x).run(x, off=QUIET | {"adc"})[0])
        for other in results[1:]:
            assert np.allclose(results[0], other, atol=2e-5)


def test_pulse_width_equals_amplitude_without_noise() -> None:
    weight, x = rng(7).normal(size=(6, 30)), rng(8).normal(size=(20, 30))
    found = [
        Layer(Linear(weight), (30,), core(input_coding=c), x).run(x, off=QUIET) for c in ("amplitude", "pulse_width")
    ]
    assert np.array_equal(*found)


@pytest.mark.parametrize("signed", ["differential", "offset"])
def test_two_phases_equal_both_polarities(signed: str) -> None:
    weight, x = rng(9).normal(size=(6, 30)), rng(10).normal(size=(20, 30))
    found = []
    for phases in ("bipolar", "two_phase"):
        unit = core(signed_inputs=phases, signed_weights=signed)
        layer = Layer(Linear(weight), (30,), unit, x)
        assert layer.program().codings["weight"].step_count == (2 if phases == "two_phase" else 1)
        found.append(layer.run(x, off=QUIET | {"adc"}))
    assert np.allclose(*found, atol=2e-5)
    unsigned = Layer(Linear(weight), (30,), core(signed_inputs="two_phase"), np.abs(x))
    assert unsigned.program().codings["weight"].step_count == 1


@pytest.mark.parametrize("bits", [4, 6, 9])
def test_converter_error_is_that_of_a_uniform_quantizer(bits: int) -> None:
    """One array, differential: the result is the nearest multiple of top / (2^(b-1) - 1), clipped there."""
    unit = core({"adc.bits": bits, "output_percentile": 100.0})
    weight, x = rng(11).normal(size=(6, 30)), rng(12).normal(size=(400, 30))
    layer = Layer(Linear(weight), (30,), unit, x[:100])
    ideal = layer.run(x, off=QUIET | {"adc"})[0].astype(float)
    found = layer.run(x, off=QUIET)[0]
    matrix_top = np.abs(ideal[:100] / layer.program().copies["weight"][0].scale[0]).max()  # one range per array
    step = matrix_top * layer.program().copies["weight"][0].scale[0] / (2 ** (bits - 1) - 1)
    expected = np.clip(np.floor(ideal / step + 0.5), -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1) * step
    wrong = np.abs(found - expected) > 1e-4 * np.abs(ideal).max()
    assert wrong.mean() < 0.01  # float32 rounding at the edges of codes


def test_blocks_that_cut_through_channels_add_up() -> None:
    """Tiles of 7 rows: windows of 3 x 3 are cut inside a channel; 3 columns: outputs are cut as well."""
    r = rng(13)
    for groups, rows in ((1, 7), (2, 7), (1, 64)):
        conv = Conv2d(r.normal(size=(8, 4 // groups, 3, 3)), window=Window((3, 3), padding=(1, 1, 1, 1)), groups=groups)
        unit = core({"array.rows": rows, "array.columns": 3, "array.pair": "crosspoint"})
        x = r.normal(size=(5, 4, 6, 6))
        layer = Layer(conv, (4, 6, 6), unit, x)
        found = layer.run(x, off=IDEAL)[0]
        assert np.allclose(found, layer.exact(x), atol=1e-4)
        assert len(layer.program().copies["weight"][0].blocks) == -(-36 // groups // rows)


def test_pairs_on_rows_or_columns_take_their_lines() -> None:
    for pair, rows, columns in (("crosspoint", 64, 64), ("columns", 64, 32), ("rows", 32, 64)):
        layout = layout_of(Linear(np.ones((64, 64))), (64,), core({"array.pair": pair}))
        (tiling,) = layout.tilings
        assert (tiling.row1 - tiling.row0).max() == rows
        assert (tiling.col1 - tiling.col0).max() == columns
        assert tiling.height.max() <= 64
        assert tiling.width.max() <= 64


def test_offset_codes_keep_room_for_reference_columns() -> None:
    layout = layout_of(Linear(np.ones((64, 64))), (64,), core(SLICED, signed_weights="offset"))
    (tiling,) = layout.tilings
    assert (tiling.col1 - tiling.col0).max() <= (64 - 4) // 4  # four slices: four columns a weight, four references
    assert tiling.width.max() <= 64


def test_inputs_beyond_the_calibrated_range_are_clipped_by_the_converter_alone() -> None:
    weight, x = rng(14).normal(size=(4, 10)), rng(15).normal(size=(30, 10))
    layer = Layer(Linear(weight), (10,), core(), x)
    top = np.abs(x).max()
    found = layer.run(3 * x, off=QUIET | {"adc"})[0]
    assert np.allclose(found, np.clip(3 * x, -top, top) @ weight.T, atol=2e-3 * np.abs(found).max())
    ideal = layer.run(3 * x, off=IDEAL)[0]
    assert np.allclose(ideal, 3 * x @ weight.T, atol=1e-4)
    layer = Layer(Linear(weight), (10,), core(), np.abs(x))
    assert np.allclose(layer.run(-x, off=IDEAL)[0], -x @ weight.T, atol=1e-4)
