"""Reads of one product: pulse trains added up before a conversion, and four phases instead of one."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph.costing.ledger import price
from neuromorph.devices.layered.core import Assumption
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.devices.layered.place.placement import place
from neuromorph.devices.layered.tally.counts import assume
from neuromorph.errors import InputError
from neuromorph.graph.model import Graph, Node
from neuromorph.graph.operators.dense import Linear
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.paths import replace

QUIET = ("programming", "faults", "drift", "flicker", "read", "on_off")


def dense(rows: int = 64, columns: int = 48) -> Graph:
    weight = np.random.default_rng(3).standard_normal((columns, rows))
    return Graph("dense", {"in": (rows,)}, (Node("fc", Linear(weight), ("in",)),), ("fc",))


def counts(name: str, changes: dict[str, object]) -> dict[str, float]:
    architecture = replace(load_architecture(name), changes)
    activity = assume(place(dense(), architecture, effort="none"), Assumption(0.5))
    rows = price(activity, architecture).rows
    return {f"{r.component.rsplit('.', 1)[-1]}.{r.action}": r.count for r in rows if ".core." in r.component}


def test_four_phases_convert_four_times_and_drive_each_row_twice() -> None:
    one, four = counts("hermes-like", {}), counts("hermes-like", {"core.read_phases": "four"})
    assert four["adc.conversion"] == 4 * one["adc.conversion"]
    assert four["dac.conversion"] == 2 * one["dac.conversion"]
    assert four["array.read"] == pytest.approx(one["array.read"])  # each device draws its current once


def test_four_phases_give_the_same_products() -> None:
    graph, x = dense(), np.random.default_rng(4).standard_normal((20, 64))
    found = []
    for phases in ("one", "four"):
        placement = place(graph, replace(load_architecture("hermes-like"), {"core.read_phases": phases}), effort="none")
        run = execute(placement, x, trials=1, off=QUIET, calibration=calibrate(placement, x))
        found.append(run)
    assert found[0].error[0] < 0.05
    assert found[1].error[0] < 0.05
    assert not np.array_equal(found[0].outputs, found[1].outputs)


@pytest.mark.parametrize(("bits", "pulses"), [(1, 1), (2, 1), (3, 2), (4, 3), (6, 5)])
def test_trains_drive_rows_once_for_each_bit_of_the_magnitude(bits: int, pulses: int) -> None:
    base = counts("neurram-like", {"core.input_bits": 2, "core.dac.bits": 2})
    found = counts("neurram-like", {"core.input_bits": bits, "core.dac.bits": bits})
    assert found["array.row"] == pulses * base["array.row"]
    assert found["dac.conversion"] == base["dac.conversion"]


def test_settings_that_contradict_each_other_are_told() -> None:
    with pytest.raises(InputError, match="train_bits"):
        replace(load_architecture("hermes-like"), {"core.train_bits": 4})
    with pytest.raises(InputError, match="read_phases"):
        replace(load_architecture("neurram-like"), {"core.read_phases": "four"})
