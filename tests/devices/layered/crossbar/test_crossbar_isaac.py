"""What ISAAC's paper says of its units: exact products, two's complement in 16 steps, 22 cycles of depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from emulated import Graph, Node, dense, placed, rng, shipped

from neuromorph.devices.layered.crossbar.drives import drive
from neuromorph.devices.layered.crossbar.geometry import EFFECTS
from neuromorph.devices.layered.crossbar.inputs import InputCoding
from neuromorph.devices.layered.execute import execute
from neuromorph.devices.layered.tally.counts import assume
from neuromorph.devices.layered.tally.times import schedule
from neuromorph.errors import InputError
from neuromorph.hardware.paths import replace


@pytest.mark.parametrize("bits", [2, 3, 8, 16])
def test_twos_complement_adds_up_to_the_code(bits: int) -> None:
    coding = InputCoding(1.0, True, bits, 1, serial=True, two_phase=False, twos_complement=True)
    assert coding.step_count == bits
    codes = np.unique(np.r_[-coding.top, -1, 0, 1, coding.top, rng(1).integers(-coding.top, coding.top + 1, 50)])
    found = drive(coding, torch.tensor(codes / coding.top, dtype=torch.float32)[None], 1, True)
    assert set(np.unique(found.v.numpy())) <= {0.0, 1.0}
    back = np.tensordot(np.asarray(coding.weights()), found.v.numpy().astype(float), 1)[0] * coding.top
    np.testing.assert_allclose(back, codes, atol=1e-9 * coding.top)


def test_twos_complement_needs_one_bit_drivers() -> None:
    with pytest.raises(InputError, match="dac bits 1"):
        replace(shipped("isaac-like"), {"core.dac.bits": 2})


def graph(rows: int) -> Graph:
    return Graph("one", {"x": (rows,)}, (Node("fc", dense.Linear(rng(3).normal(size=(10, rows))), ("x",)),), ("fc",))


def test_signed_inputs_take_sixteen_steps_and_products_are_exact() -> None:
    """Converters of 8 bits over 32 rows of cells of 2 bits never round: what is left is the codes' own rounding."""
    placement = placed(graph(32), shipped("isaac-like"))
    x = rng(4).normal(size=(20, 32))
    run = execute(placement, x, trials=2)
    assert float(run.statistics["fc"].values["weight.steps"]) == 16
    exact = x @ placement.graph["fc"].operator.matrices([(32,)])[0].weight[0]
    assert np.abs(run.outputs - exact).max() < 1e-3
    np.testing.assert_array_equal(run.outputs[0], run.outputs[1])


def test_a_layer_is_22_cycles_deep() -> None:
    placement = placed(graph(100), shipped("isaac-like"))
    assert schedule(placement, assume(placement)).latency_s == pytest.approx(22 * 100e-9 + 3.65e-9)
    noisy = replace(shipped("isaac-like"), {"core.array.cell.part": "reram-wan2022"})
    outputs = execute(placed(graph(100), noisy), rng(5).normal(size=(4, 100)), trials=2).outputs
    assert np.abs(outputs[0] - outputs[1]).max() > 0


def layer(outputs: int) -> tuple[Graph, np.ndarray]:
    weight = rng(7).normal(size=(outputs, 32))
    return Graph("one", {"x": (32,)}, (Node("fc", dense.Linear(weight), ("x",)),), ("fc",)), weight


def test_one_unit_column_serves_all_weights_and_slices_of_an_array() -> None:
    """128 columns hold 16 weights of 8 slices, and the 129th the inputs' sum, which restores negative weights."""
    graph, weight = layer(17)
    placement = placed(graph, shipped("isaac-like"))
    assert placement.layouts["fc"].tilings[0].width.tolist() == [8 * 8 + 1, 9 * 8 + 1]
    assert placement.layouts["fc"].arrays == 2
    x = np.abs(rng(6).normal(size=(5, 32)))
    outputs = execute(placement, x, trials=1).outputs[0]
    assert np.abs(outputs - x @ weight.T).max() < 1e-3 * np.abs(outputs).max()


def test_the_unit_column_takes_off_the_lowest_conductance_too() -> None:
    """With the on/off ratio of real cells and no other effect, products stay those of the weights."""
    graph, weight = layer(4)
    placement = placed(graph, replace(shipped("isaac-like"), {"core.array.cell.part": "reram-milo2021"}))
    x = np.abs(rng(8).normal(size=(5, 32)))
    outputs = execute(placement, x, trials=1, off=set(EFFECTS) - {"on_off", "weight_quantization"}).outputs[0]
    assert np.abs(outputs - x @ weight.T).max() < 1e-3 * np.abs(outputs).max()
