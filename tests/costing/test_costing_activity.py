"""Counts of actions: statistics against brute force, assumed against executed, hand counts, ISAAC's published table."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from emulated import NETWORKS, Layer, altered, crossbar, digital, inputs_of, layout_of, placed, rng, shipped

from neuromorph.costing.ledger import price
from neuromorph.devices.layered import designs
from neuromorph.devices.layered.core import Assumption, Count, core_kind
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.devices.layered.tally.counts import assume, gather
from neuromorph.errors import FitError
from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.attention import Embedding
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.hardware.catalog import load_datasheet
from neuromorph.hardware.component import Architecture


def ran(layer: Layer, x: np.ndarray, **draw: Any) -> Any:
    """Statistics of a layer that x went through in two batches."""
    programmed = layer.program(**draw)
    for part, first in ((x[:3], 0), (x[3:], 3)):
        layer.operator.evaluate([torch.tensor(part, dtype=torch.float32)[None]], programmed.host(first))
    return programmed.statistics()


def counts(layer: Layer, statistics: Any) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for c in layer.kind.count(layer.layout, statistics):
        key = (c.path.removeprefix(layer.unit.path + "."), c.action)
        found[key] = found.get(key, 0.0) + c.mean
    return found


def drives(x: np.ndarray, bits: int) -> np.ndarray:
    """Row drives of symmetric codes with the largest magnitude at full scale."""
    top = 2 ** (bits - 1) - 1
    return np.floor(x / np.abs(x).max() * top + 0.5) / top


@pytest.mark.parametrize("coding", ["amplitude", "pulse_width"])
def test_conductance_reads_of_a_dense_layer(coding: str) -> None:
    """Sum over rows, columns and both devices of v^2 G (|v| G for pulse widths), from an explicit weight matrix."""
    weight, x = rng(1).normal(size=(9, 30)), rng(2).normal(size=(8, 30))
    unit = crossbar(array__rows=16, array__columns=8, input_coding=coding)
    layer = Layer(Linear(weight), (30,), unit, x)
    found = counts(layer, ran(layer, x, trials=(0, 1)))
    v = drives(x.astype(np.float32), 12)
    g = np.abs(weight).T / np.abs(weight).max(1) * 20.7e-6  # one of a pair is at its level, the other at zero
    power = np.abs(v) if coding == "pulse_width" else v**2
    assert found["array", "read"] == pytest.approx((power @ g).sum(1).mean(), rel=1e-4)
    column_tiles = 2  # 9 outputs on 8 columns of crosspoint pairs
    assert found["array", "row"] == pytest.approx((v != 0).sum(1).mean() * column_tiles)


def test_conductance_reads_of_a_sliced_offset_layer() -> None:
    """Every slice, the finite on/off ratio and the reference column of each array draw current."""
    weight, x = rng(3).normal(size=(5, 12)), np.abs(rng(4).normal(size=(6, 12)))
    changes: dict[str, Any] = {
        "array__cell__part": "reram-milo2021", "array__cell__bits": 2, "weight_bits": 4, "signed_weights": "offset",
        "array__rows": 8, "array__columns": 8, "input_coding": "bit_serial", "dac__bits": 1, "input_bits": 5,
    }  # fmt: skip
    unit = crossbar(**changes)
    layer = Layer(Linear(weight), (12,), unit, x)
    found = counts(layer, ran(layer, x))
    code = np.rint(weight / np.abs(weight).max(1)[:, None] * 7).astype(int) + 8
    digits = np.stack([code % 4, code // 4])
    g = (50e-6 + digits / 3 * 175e-6).sum(axis=(0, 1))  # per row, both slices, all five columns
    reference = 50e-6 + 1 / 3 * 175e-6
    arrays_per_row = 2  # (8 - 1 reference) / 2 slices = 3 weights a row of an array: 2 arrays for 5 outputs
    q = np.floor(x.astype(np.float32) / np.float32(x.max()) * 31 + 0.5).astype(int)
    ones = np.stack([(q >> k) & 1 for k in range(5)]).sum(0)
    expected = (ones * (g + arrays_per_row * reference)).sum(1).mean()
    assert found["array", "read"] == pytest.approx(expected, rel=1e-5)
    # (5 outputs x 2 slices + 2 arrays x 1 reference) x 2 row tiles x 5 bits
    assert found["adc", "conversion"] == (10 + 2) * 2 * 5


def test_conductance_reads_of_a_convolution() -> None:
    """im2col written out: every window position drives the rows again, zero padding drives nothing."""
    r = rng(5)
    window = Window((3, 2), (2, 1), (1, 0, 0, 1), (1, 1))
    conv = Conv2d(r.normal(size=(6, 2, 3, 2)), window=window, groups=2)
    x = np.maximum(r.normal(size=(7, 4, 5, 4)), 0)
    unit = crossbar(array__rows=8, array__columns=64, input_coding="amplitude")
    layer = Layer(conv, (4, 5, 4), unit, x)
    statistics = ran(layer, x)
    code = np.floor(x.astype(np.float32) / np.float32(x.max()) * 4095 + 0.5) / 4095
    padded = np.pad(code, ((0, 0), (0, 0), (1, 0), (0, 1)))
    rows, cols = window.output(5, 4)
    patches = np.stack(
        [padded[:, :, 2 * i : 2 * i + 3, j : j + 2] for i in range(rows) for j in range(cols)], axis=1
    ).reshape(7, rows * cols, 2, 12)
    assert np.allclose(statistics.values["weight.power"], (patches**2).sum(1).mean(0), rtol=1e-5)
    assert np.allclose(statistics.values["weight.active"], (patches != 0).sum(1).mean(0))
    flat = np.abs(conv.weight).reshape(2, 3, 12)
    g = (flat / flat.max(2, keepdims=True)).sum(1) * 20.7e-6
    found = counts(layer, statistics)
    assert found["array", "read"] == pytest.approx((patches**2 * g).sum((1, 2, 3)).mean(), rel=1e-4)
    each = (patches**2).sum((1, 2, 3))
    # per sample, every pixel counted once: what the spread is taken from
    pixels = (code**2).sum((1, 2, 3))
    assert statistics.spread == pytest.approx(pixels.std() / pixels.mean(), rel=1e-5)
    assert each.min() > 0


def test_recurrent_statistics_do_not_depend_on_the_number_of_chips() -> None:
    """The state differs between chips, the input does not: both must count once per chip."""
    graph = NETWORKS["lstm"]()
    quiet = {"chip.tile.core.array.cell.programming_noise": "0x", "chip.tile.core.array.cell.read_noise": "0x",
             "chip.tile.core.array.cell.flicker_noise": "0x"}  # fmt: skip
    placement, x = placed(graph, altered("hermes-like", quiet)), inputs_of(graph, 20)
    calibration = calibrate(placement, x)
    runs = [execute(placement, x, trials=t, calibration=calibration).statistics["lstm"] for t in (1, 5)]
    for key, value in runs[0].values.items():
        assert np.allclose(runs[1].values[key], value, rtol=1e-5), key
    assert runs[1].spread == pytest.approx(runs[0].spread, rel=1e-5)
    # features are driven in each of 6 steps, the state (zero at first) in 5 at most
    active = runs[0].values["gates.active"][0]
    assert np.all(active[:5] > 5.5)
    assert np.all((active[5:] > 2.5) & (active[5:] <= 5))


@pytest.mark.parametrize(("coding", "value"), [("amplitude", 3**-0.5), ("pulse_width", 0.5)])
def test_assumed_activity_is_what_matching_inputs_execute(coding: str, value: float) -> None:
    """Half of the inputs zero, the others with the mean square (pulse width: mean) of a uniform distribution."""
    weight = rng(6).normal(size=(6, 20))
    one = np.tile([0.0, value], 10)
    x = np.stack([one, value - one] * 4)
    unit = crossbar(array__rows=8, input_coding=coding, input_bits=16, dac__bits=16)
    layer = Layer(Linear(weight), (20,), unit, x)
    layer.ranges = dict(layer.ranges) | {"weight.input": np.asarray(1.0)}
    executed = counts(layer, ran(layer, x))
    assumed = counts(layer, layer.kind.assume(layer.layout, Assumption(0.5)))
    assert executed.keys() == assumed.keys()
    for key in executed:
        if key != ("adc", "count"):  # results of conversions are not assumed from the inputs
            assert executed[key] == pytest.approx(assumed[key], rel=2e-5), key


def test_assumed_bits_are_what_matching_bit_serial_inputs_execute() -> None:
    """Every other input zero, the bits of the rest one half of the time."""
    weight = rng(7).normal(size=(6, 20))
    code = np.tile([0.0, 0b10101010, 0.0, 0b01010101], 5)
    x = np.stack([code, np.roll(code, 1), np.roll(code, 2), np.roll(code, 3)] * 2)
    unit = crossbar(input_coding="bit_serial", dac__bits=1, input_bits=8)
    layer = Layer(Linear(weight), (20,), unit, x)
    layer.ranges = dict(layer.ranges) | {"weight.input": np.asarray(255.0)}
    executed = counts(layer, ran(layer, x))
    assumed = counts(layer, layer.kind.assume(layer.layout, Assumption(0.5)))
    for key in executed:
        if key != ("adc", "count"):
            assert executed[key] == pytest.approx(assumed[key], rel=1e-6), key


def test_assumed_digital_activity_follows_the_density() -> None:
    unit = digital(skip_zeros=True)
    layout = layout_of(Linear(np.ones((10, 40))), (40,), unit)
    kind = core_kind("digital")
    for density in (0.0, 0.25, 1.0):
        found = kind.count(layout, kind.assume(layout, Assumption(density)))
        assert next(c.mean for c in found if c.action == "mac") == pytest.approx(400 * density)


def by_action(found: list[Count], unit: Any) -> dict[tuple[str, str], float]:
    return {(c.path.removeprefix(unit.path + "."), c.action): c.mean for c in found}


def test_hand_counts_of_a_small_crossbar_layer() -> None:
    """12 outputs on pairs of columns of 16: 8 weights a row, 2 column tiles; 20 inputs on 16 rows: 2 row tiles."""
    unit = crossbar(array__rows=16, array__columns=16, array__pair="columns", adc__count=4)
    layout = layout_of(Linear(np.ones((12, 20))), (5, 20), unit)
    kind = core_kind("crossbar")
    statistics = kind.assume(layout, Assumption(0.5))
    found = by_action(kind.count(layout, statistics), unit)
    products = 5
    assert len(layout.tilings[0]) == 4
    assert found["dac", "conversion"] == products * 20 * 2
    assert found["adc", "conversion"] == products * 12 * 2
    assert found["array", "row"] == products * 20 * 2 * 0.5
    step = 4 * 6 / 4 * 4096 * 0.3e-9  # 6 results of each of 4 arrays of a core on 4 converters of 2^12 x 0.3 ns
    occupancy = kind.occupancy(layout, statistics)
    assert occupancy.products == 5
    assert occupancy.service_s == pytest.approx(step)
    assert found["array", "busy"] == pytest.approx(step * products * 4)
    assert found["adc", "busy"] == pytest.approx(step * products * 4)  # one core, four converters
    one = by_action(kind.count(layout_of(Linear(np.ones((12, 20))), (20,), unit), statistics), unit)
    assert one["adc", "conversion"] == 24


def test_pairs_on_rows_drive_two_lines() -> None:
    unit = crossbar(array__rows=16, array__columns=16, array__pair="rows")
    layout = layout_of(Linear(np.ones((12, 8))), (8,), unit)
    kind = core_kind("crossbar")
    found = by_action(kind.count(layout, kind.assume(layout, Assumption(1.0))), unit)
    assert found["dac", "conversion"] == 16
    assert found["array", "row"] == 16
    assert found["adc", "conversion"] == 12


def test_hand_counts_of_a_small_digital_layer() -> None:
    unit = digital(rows=8, columns=4)
    layout = layout_of(Linear(np.ones((6, 20))), (5, 20), unit)
    kind = core_kind("digital")
    found = by_action(kind.count(layout, kind.assume(layout, Assumption(0.3))), unit)
    tiles, products = 3 * 2, 5
    assert found["mac", "mac"] == 6 * 20 * products
    assert found["weight_buffer", "read_bit"] == 6 * 20 * 8
    assert found["input_buffer", "read_bit"] == 20 * 2 * products * 8  # each column tile reads all rows
    assert found["input_buffer", "write_bit"] == 20 * products * 8
    assert found["output_buffer", "write_bit"] == 6 * 3 * products * 32  # every row tile writes its partial sums
    assert found["output_buffer", "read_bit"] == 6 * 3 * products * 32  # partial sums and results, each once
    cycles = tiles * products + 2 * 20  # a cycle per tile and product, a cycle per row of a tile to load it
    occupancy = kind.occupancy(layout, kind.assume(layout, Assumption()))
    assert occupancy.service_s * occupancy.products == pytest.approx(cycles / 500e6)
    assert occupancy.depth_s == pytest.approx(12 / 500e6)
    two = layout_of(Linear(np.ones((6, 20))), (5, 20), unit, cores=2)
    assert kind.occupancy(two, kind.assume(two, Assumption())).service_s == pytest.approx(occupancy.service_s / 2)


# pJ per 16-bit multiply-accumulate, ISAAC's component table at 20.48 GOPS (2 operations) per unit
ISAAC_PJ = {
    "adc": 1.5625, "dac": 0.3906, "sample_hold": 0.0010, "array": 0.2344, "adder": 0.0195, "input_buffer": 0.1211,
}  # fmt: skip


def test_one_product_on_isaacs_unit_costs_its_published_table() -> None:
    """Eight full arrays, one 16-bit product of unsigned inputs: 8 x 128 x 16 multiply-accumulates. They take the same
    rows, so they share what the register receives, and each reads it."""
    graph = Graph("one", {"x": (128,)}, (Node("fc", Linear(np.ones((128, 128))), ("x",)),), ("fc",))
    architecture = shipped("isaac-like")
    from neuromorph.costing.ledger import price

    placement = placed(graph, architecture, copies={"fc": 1})
    assert placement.layouts["fc"].arrays == 8
    energy = price(assume(placement, Assumption(0.5)), architecture).by("component")
    macs = 8 * 128 * 16
    for part, picojoules in ISAAC_PJ.items():
        found = energy[f"chip.tile.core.{part}"] / macs * 1e12
        assert found == pytest.approx(picojoules, abs=5.1e-5), part
    # 128 outputs of 15 bits instead of 16
    output = energy["chip.tile.core.output_buffer"] / macs * 1e12
    assert output == pytest.approx(0.0225 * 15 / 16, abs=5.1e-5)
    occupancy = core_kind("crossbar").occupancy(placement.layouts["fc"], assume(placement).statistics["fc"])
    assert occupancy.service_s == pytest.approx(1.6e-6)  # 16 cycles of 100 ns


def test_copies_do_not_change_what_a_sample_costs_in_the_cores() -> None:
    graph, found = NETWORKS["lenet"](), []
    for copies in (1, 3):
        activity = assume(placed(graph, shipped("hermes-like"), copies={"conv0": copies}))
        in_cores = [r for r in activity if r.path.startswith("chip.tile.core.")]
        found.append({(r.node, r.path, r.action): r.mean for r in in_cores})
    assert found[0] == found[1]


def test_traffic_follows_routes_and_widths() -> None:
    """Values cross the tile's buffer at signal width, but for results that a unit takes as they come; what no vector
    unit can do is named under its missing path."""
    graph = NETWORKS["mlp"]()
    placement = placed(graph, shipped("hermes-like"))
    rows = {(r.node, r.path, r.action): r.mean for r in assume(placement)}
    assert rows["fc0", "chip.tile.buffer", "read_bit"] == 12 * 8
    assert rows["fc0", "chip.tile.buffer", "write_bit"] == 12 * 8  # from outside
    assert rows["relu0", "chip.tile.buffer", "write_bit"] == 9 * 8
    assert rows["relu0", "chip.tile.vector_unit", "operation"] == 9
    assert rows["fc0", "chip.tile.vector_unit", "operation"] == 9  # bias


def test_activity_says_where_it_is_from() -> None:
    graph = NETWORKS["mlp"]()
    placement, x = placed(graph, shipped("isaac-like")), inputs_of(graph, 5)
    assert assume(placement).origin == "assumed"
    assert gather(placement, execute(placement, x, trials=1).statistics).origin == "executed"


def with_memory(architecture: Architecture, bits: float) -> Architecture:
    """The architecture and a memory of the chip of so many bits."""
    buffer = architecture.chip["tile"]["buffer"]
    memory = dataclasses.replace(
        buffer,
        path="chip.memory",
        part=load_datasheet("dram-lpddr4"),
        settings=dataclasses.replace(buffer.settings, capacity=bits, model="datasheet"),
    )
    chip = dataclasses.replace(architecture.chip, children={**architecture.chip.children, "memory": memory})
    return dataclasses.replace(architecture, chip=chip)


def test_rows_of_a_table_come_from_the_chips_memory() -> None:
    """2 x 5 tokens fetch a row of 4 values each; without a memory the fetch has no price and is listed."""
    layers = (
        Node("table", Embedding(rng(1).normal(size=(50, 4))), ("x",)),
        Node("dense", Linear(rng(2).normal(size=(3, 4))), ("table",)),
    )
    graph = Graph("words", {"x": (2, 5)}, layers, ("dense",))
    without = altered("digital-int8", {})
    ledger = price(assume(placed(graph, without)), without)
    assert any(line.startswith("chip.memory") for line in ledger.unmodelled)
    assert "chip.memory" in designs.estimate(graph, without, {}).not_included

    architecture = with_memory(without, 1e9)
    activity = assume(placed(graph, architecture))
    fetched = [(r.node, r.action, r.mean) for r in activity if r.path == "chip.memory"]
    assert fetched == [("table", "read_bit", 2 * 5 * 4 * 8)]
    written = sum(r.mean for r in activity if (r.node, r.action, r.path) == ("table", "write_bit", "chip.tile.buffer"))
    assert written == 2 * 5 * 4 * 8
    by = price(activity, architecture).by("component")
    assert by["chip.memory"] > 0
    estimate = designs.estimate(graph, architecture, {})
    assert estimate.energy_by["chip.memory"][0] == pytest.approx(by["chip.memory"])
    with pytest.raises(FitError, match="tables in the chip's memory needs"):
        placed(graph, with_memory(without, 50 * 4 * 8 - 1))


def test_what_no_tile_can_hold_goes_through_the_chips_memory() -> None:
    """A memory of the chip takes the bits that wait beyond a tile's buffer, written and read once."""
    # the window rows of the first convolution are 10 columns wide and 3 rows high: 30 values of 8 bits wait
    architecture = with_memory(altered("hermes-like", {"chip.tile.buffer.capacity": "64 bit"}), 1e9)
    layer = Conv2d(rng(1).normal(size=(4, 1, 3, 3)), window=Window((3, 3)))
    graph = Graph("one", {"x": (1, 8, 10)}, (Node("conv", layer, ("x",)),), ("conv",))
    placement = placed(graph, architecture, copies={"conv": 1})
    activity = assume(placement)
    rows = {r.action: r.mean for r in activity if r.path == "chip.memory"}
    assert rows == {"write_bit": 3 * 10 * 8 - 64, "read_bit": 3 * 10 * 8 - 64}
    assert price(activity, architecture).by("component")["chip.memory"] > 0
