"""Bit-serial inputs whose column results are added up in analogue: one conversion per product."""

from __future__ import annotations

import numpy as np
import pytest
from emulated import lenet
from published.full_product import full_product

import neuromorph as nm
from neuromorph.devices.layered.execute.engine import execute
from neuromorph.hardware import catalog
from neuromorph.hardware.paths import replace

GRAPH = lenet()
X = np.random.default_rng(0).random((8, 1, 8, 8)).astype(np.float32)
CODINGS = ("bit_serial_analog", "bit_serial")


@pytest.mark.parametrize("name", ["sonos-like", "isaac-like", "puma-like"])
def test_one_conversion_stands_for_all_bits(name: str) -> None:
    cores = [replace(catalog.load_architecture(name), {"core.input_coding": c}).chip["tile"]["core"] for c in CODINGS]
    once, each = (full_product(core, 0.5, 0.25) for core in cores)
    bits = cores[0].settings.input_bits
    assert each.energies_j["adc.conversion"] == pytest.approx(bits * once.energies_j["adc.conversion"])
    assert each.energies_j["dac.conversion"] == pytest.approx(once.energies_j["dac.conversion"])
    assert once.time_s <= each.time_s


@pytest.mark.parametrize("name", ["sonos-like", "isaac-like"])
def test_counts_of_a_network(name: str) -> None:
    found = {}
    for coding in CODINGS:
        report = nm.run(GRAPH, replace(catalog.load_architecture(name), {"core.input_coding": coding}))
        counts: dict[tuple[str, str], float] = {}
        for row in report.ledger:
            key = row["component"], row["action"]
            counts[key] = counts.get(key, 0.0) + row["count"]
        found[coding] = counts
    core = "chip.tile.core"
    bits = catalog.load_architecture(name).chip["tile"]["core"].settings.input_bits
    once, each = (found[c] for c in CODINGS)
    assert each[f"{core}.adc", "conversion"] == pytest.approx(bits * once[f"{core}.adc", "conversion"])
    assert each[f"{core}.dac", "conversion"] == once[f"{core}.dac", "conversion"]


@pytest.mark.parametrize("name", ["sonos-like", "isaac-like"])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_both_compute_the_same_product(name: str, shift: float) -> None:
    """Without converter steps and noise; signed inputs (shift) take two phases."""
    outputs = []
    for coding in CODINGS:
        architecture = replace(catalog.load_architecture(name), {"core.input_coding": coding})
        placement = nm.place(GRAPH, architecture, duplicate=False)
        off = ("programming", "faults", "drift", "flicker", "read", "adc")
        x = X - np.float32(shift)
        outputs.append(execute(placement, x, trials=1, off=off, calibration=nm.calibrate(placement, x)).outputs)
    assert np.abs(outputs[0] - outputs[1]).max() < 1e-4 * np.abs(outputs[0]).max()
