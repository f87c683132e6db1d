"""Layers with few bits use fewer slices, steps and stored bits: what they cost, and that they compute the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from test_closed_form import OUTSIDE, agrees, ledger_by, network

from neuromorph.compress import binarize, quantize
from neuromorph.devices.layered.codes import UNLIMITED, format_bits
from neuromorph.devices.layered.core import core_of
from neuromorph.devices.layered.crossbar.coding import slices_needed
from neuromorph.devices.layered.crossbar.geometry import used
from neuromorph.devices.layered.designs import estimate
from neuromorph.devices.layered.execute import execute
from neuromorph.devices.layered.place.placement import place
from neuromorph.graph.formats.floating import Float
from neuromorph.graph.formats.uniform import Int, Ternary
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.paths import replace


def data(samples: int = 3) -> np.ndarray:
    return np.random.default_rng(5).random((samples, 17, 8, 8))


def test_formats_say_how_many_bits_they_need() -> None:
    assert format_bits(None) == UNLIMITED
    assert format_bits(Float()) == UNLIMITED
    assert format_bits(Int(4, scale=np.array(0.1))) == 4
    assert format_bits(Ternary(scale=np.array(0.1))) == 2
    shifted = Int(4, False, scale=np.array(0.1), zero_point=np.array(3.0))
    assert format_bits(shifted) == UNLIMITED  # a shifted grid has no whole multiples of its scale around zero


def test_four_bit_weights_take_half_the_slices_of_eight() -> None:
    chip = replace(load_architecture("isaac-like"), {"core.weight_bits": 8, "core.input_bits": 8})
    graph = quantize(network(), 4, activations=4, data=data())
    placed = place(graph, chip, effort="none", duplicate=False)
    unit = core_of(chip)
    layout = placed.layouts["fc1"]
    mine = used(unit, layout.matrix("weight"))
    assert (mine.settings.weight_bits, mine.settings.input_bits) == (4, 4)
    assert slices_needed(4, 2, "offset") == 2
    fixed = replace(chip, {"core.precision": "fixed"})
    cells = []
    for variant in (chip, fixed):
        tilings = place(graph, variant, effort="none", duplicate=False).layouts["fc1"].tilings
        cells.append(sum(float((t.height * t.width).sum()) for t in tilings))
    assert cells[0] < 0.6 * cells[1]


@pytest.mark.parametrize("name", ["isaac-like", "digital-int8", "neurram-like"])
def test_few_bits_compute_what_many_bits_do(name: str) -> None:
    graph = quantize(network(), 4, activations=4, data=data())
    chip = load_architecture(name)
    found = []
    for precision in ("per_layer", "fixed"):
        placed = place(graph, replace(chip, {"core.precision": precision}), effort="none", duplicate=False)
        off = ("programming", "faults", "drift", "flicker", "read", "adc") if name != "digital-int8" else ()
        found.append(execute(placed, data(), trials=1, off=off).outputs)
    assert found[0] is not None
    np.testing.assert_allclose(found[0], found[1], rtol=2e-4, atol=2e-4 * np.abs(found[1]).max())


@pytest.mark.parametrize("name", ["isaac-like", "neurram-like", "sonos-like", "digital-int8"])
def test_closed_forms_know_the_formats(name: str) -> None:
    chip = load_architecture(name)
    for graph in (quantize(network(), 4, activations=3, data=data()), binarize(network())):
        agrees(estimate(graph, chip, {}), 0, ledger_by(graph, chip))


@pytest.mark.parametrize("name", ["isaac-like", "digital-int8"])
def test_fewer_bits_cost_less(name: str) -> None:
    chip = load_architecture(name)
    energy = []
    for bits in (8, 4, 2):
        by = ledger_by(quantize(network(), bits, activations=bits, data=data()), chip)
        energy.append(math.fsum(v for k, v in by.items() if k not in OUTSIDE))
    assert energy[0] > energy[1] > energy[2]
