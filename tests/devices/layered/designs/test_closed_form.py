"""Estimates in closed form against the ledger of a placement, and the functions they are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.devices.layered.core import Assumption
from neuromorph.devices.layered.designs import Estimates, Workload, _undominated, estimate
from neuromorph.devices.layered.place.placement import place
from neuromorph.devices.layered.place.views import routes
from neuromorph.devices.layered.tally.counts import assume
from neuromorph.errors import InputError
from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.activation import ReLU
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.pooling import MaxPool2d
from neuromorph.graph.operators.wiring import Flatten
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.paths import replace

CROSSBARS = ("hermes-like", "isaac-like", "neurram-like", "puma-like", "sonos-like")
OUTSIDE = ("chip.tile.router", "chip.link", "chip.io")


def network(seed: int = 0) -> Graph:
    """A convolution, pooling and two dense layers, sizes that fill no array exactly."""
    r = np.random.default_rng(seed)
    window = Window((3, 3), (1, 1), (1, 1, 1, 1))
    nodes = (
        Node("conv", Conv2d(weight=r.standard_normal((33, 17, 3, 3)), window=window), ("image",)),
        Node("relu", ReLU(), ("conv",)),
        Node("pool", MaxPool2d(window=Window((2, 2), (2, 2), (0, 0, 0, 0))), ("relu",)),
        Node("flatten", Flatten(), ("pool",)),
        Node("fc1", Linear(weight=r.standard_normal((150, 528))), ("flatten",)),
        Node("fc2", Linear(weight=r.standard_normal((70, 150))), ("fc1",)),
    )
    return Graph("small", {"image": (17, 8, 8)}, nodes, ("fc2",))


def ledger_by(graph: Graph, architecture: Architecture, density: float = 0.5) -> dict[str, float]:
    """Joules by component, without what tile buffers pass between tiles and over the chip's boundary."""
    placement = place(graph, architecture, effort="none", duplicate=False)
    found = price(assume(placement, Assumption(density)), architecture).by("component")
    buffer = architecture.chip["tile"]["buffer"]
    prices = {action: cost.energy_j for action, cost in buffer.kind.costs(buffer).items()}
    leaving = float(placement.flows.bits[placement.flows.node == len(graph.nodes)].sum())
    read = leaving + sum(r.value_bits for r in routes(placement))
    written = sum(r.value_bits + r.outside_bits for r in routes(placement))
    found[buffer.path] -= read * prices["read_bit"] + written * prices["write_bit"]
    return found


def agrees(found: Estimates, index: int, by: dict[str, float]) -> None:
    """Every component but those whose traffic hangs on the placement."""
    inside = {path: joules for path, joules in by.items() if path not in OUTSIDE}
    assert {p for p, v in found.energy_by.items() if v[index] > 0} == {p for p, v in inside.items() if v > 0}
    for path, joules in inside.items():
        assert math.isclose(found.energy_by[path][index], joules, rel_tol=1e-9), path


@pytest.mark.parametrize("name", [*CROSSBARS, "digital-int8"])
def test_a_shipped_architecture_costs_what_its_placement_does(name: str) -> None:
    architecture, graph = load_architecture(name), network()
    found = estimate(graph, architecture, density=0.3)
    agrees(found, 0, ledger_by(graph, architecture, 0.3))
    area = chip_area(architecture)
    assert math.isclose(found.area_m2[0], area.total_m2, rel_tol=1e-12)
    assert math.isclose(found.leakage_w[0], area.leakage_w, rel_tol=1e-12, abs_tol=1e-30)
    assert found.feasible[0]


def drawn(name: str, count: int) -> dict[str, np.ndarray]:
    """Random parameters that the architecture's core admits."""
    r = np.random.default_rng(sum(map(ord, name)))
    if name == "digital-int8":
        return {
            "core.rows": r.integers(5, 33, count),
            "core.columns": r.integers(5, 33, count),
            "core.weight_bits": r.integers(1, 9, count),
            "core.input_bits": r.integers(1, 9, count),
            "core.weight_buffer.capacity": r.uniform(2e5, 4e6, count),
        }
    values = {
        "core.array.rows": r.integers(100, 700, count),
        "core.array.columns": r.integers(100, 700, count),
        "core.adc.bits": r.integers(4, 13, count),
        "core.array.count": r.integers(1, 9, count),
        "core.array.cell.conductance_max": r.uniform(2e-5, 9e-5, count),
        "tile.buffer.capacity": r.uniform(1e6, 8e6, count),
    }
    if name in ("isaac-like", "puma-like"):
        values |= {
            # arrays are priced by the time they are read, which depends on who shares the converters: equal where
            # no two tiles share an array (few rows) and no two layers share a core
            "core.array.rows": r.integers(60, 150, count),
            "core.array.count": np.ones(count, int),
            "core.weight_bits": r.integers(4, 17, count),
            "core.input_bits": r.integers(1, 17, count),
            "cell.bits": r.integers(1, 4, count),
        }
    if name == "neurram-like":  # its neurons are priced by the time of a product
        values |= {"core.array.rows": r.integers(60, 150, count), "core.array.count": np.ones(count, int)}
    if name == "puma-like":  # two's complement, as in isaac-like, needs drivers of 1 bit
        values["core.dac.bits"] = r.integers(1, 5, count)
    return values


@pytest.mark.parametrize("name", [*CROSSBARS, "digital-int8"])
def test_changed_parameters_cost_what_their_placements_do(name: str) -> None:
    graph, count = network(), 4
    architecture = replace(load_architecture(name), {"chip.tile.count": 4000})
    values = drawn(name, count)
    found = estimate(graph, architecture, values)
    for i in range(count):
        one = replace(architecture, {q: _written(q, v[i]) for q, v in values.items()})
        agrees(found, i, ledger_by(graph, one))
        assert math.isclose(found.area_m2[i], chip_area(one).total_m2, rel_tol=1e-9)


def _written(query: str, value: np.generic) -> object:
    unit = {"capacity": "bit", "conductance_max": "S"}.get(query.rsplit(".", 1)[-1])
    return value.item() if unit is None else f"{value.item()!r} {unit}"


@pytest.mark.parametrize("signed", ["offset", "differential"])
@pytest.mark.parametrize("scaling", ["layer", "column"])
def test_level_sums_are_those_of_the_encoded_matrix(signed: str, scaling: str) -> None:
    from neuromorph.devices.layered.crossbar.coding import encode
    from neuromorph.devices.layered.crossbar.levels import LevelSums
    from neuromorph.graph.model import Matrix

    weight = np.random.default_rng(2).standard_normal((2, 19, 7))
    weight[1, :, 3] = 0
    matrix = Matrix("weight", weight, 1)
    sums = LevelSums(matrix, signed, scaling)
    base = load_architecture("isaac-like")
    for bits, cells in ((1, 1), (2, 1), (5, 2), (8, 3), (8, 0), (12, 4), (16, 2)):
        changes = {"core.weight_bits": bits, "cell.bits": cells}
        changes |= {"core.signed_weights": signed, "core.weight_scaling": scaling}
        coding = encode(matrix, replace(base, changes).chip["tile"]["core"])
        levels, reference = sums(bits, cells)
        assert math.isclose(levels, coding.levels.sum(), rel_tol=1e-12)
        assert reference == (0.0 if coding.reference is None else coding.reference.sum())


def test_isaac_at_full_use_reproduces_its_table() -> None:
    """2.208 pJ per multiply-accumulate of 16 bits, part by part."""
    graph = Graph("full", {"x": (1024,)}, (Node("fc", Linear(weight=np.ones((16 * 8, 1024))), ("x",)),), ("fc",))
    found = estimate(graph, load_architecture("isaac-like"))
    table = {"adc": 1.5625, "dac": 0.390625, "array": 0.234375, "adder": 0.01953125, "sample_hold": 0.0009765625}
    for part, picojoules in table.items():
        ours = found.energy_by[f"chip.tile.core.{part}"][0] / graph["fc"].operator.matrices([(1024,)])[0].macs * 1e12
        assert math.isclose(ours, picojoules, rel_tol=2e-3), part


def test_many_designs_equal_each_of_them_alone() -> None:
    work, architecture = Workload.of(network()), load_architecture("isaac-like")
    values = drawn("isaac-like", 6000)
    every = estimate(work, architecture, values)
    for i in (0, 4095, 4096, 5999):
        one = estimate(work, architecture, {q: v[i : i + 1] for q, v in values.items()})
        for name, column in every.columns().items():
            assert math.isclose(one.columns()[name][0], column[i], rel_tol=1e-14), name  # sums in another order


def test_parameters_without_array_laws_are_grouped() -> None:
    graph, architecture = network(), load_architecture("hermes-like")
    signed = ["offset", "differential", "offset"]
    rows = np.array([200, 300, 400])
    found = estimate(graph, architecture, {"core.signed_weights": signed, "core.array.rows": rows})
    for i in range(3):
        one = replace(architecture, {"core.signed_weights": signed[i], "core.array.rows": int(rows[i])})
        assert math.isclose(found.energy_j[i], estimate(graph, one).energy_j[0], rel_tol=1e-12)


def test_texts_are_read_as_a_file_is() -> None:
    graph, architecture = network(), load_architecture("hermes-like")
    found = estimate(graph, architecture, {"cell.read_voltage": ["1x", "2x", "0.1 V"]})
    read = found.energy_by["chip.tile.core.array"]
    assert math.isclose(read[1], 4 * read[0], rel_tol=1e-12)
    volts = architecture.chip["tile"]["core"]["array"]["cell"].part
    assert volts is not None
    assert math.isclose(read[2], read[0] * (0.1 / volts.value("read_voltage")) ** 2, rel_tol=1e-12)


def test_what_cannot_be_built_is_not_feasible() -> None:
    graph, architecture = network(), load_architecture("isaac-like")
    found = estimate(
        graph,
        architecture,
        {
            "core.array.columns": [8, 128, 128, 128],
            "core.weight_bits": [16, 2, 16, 16],
            "cell.bits": [2, 4, 2, 2],
            "chip.tile.count": [168, 168, 1, 168],
            "core.count": 1,
        },
    )
    assert found.feasible.tolist() == [False, False, False, True]


def test_pareto_keeps_what_nothing_beats() -> None:
    r = np.random.default_rng(5)
    points = np.concatenate([r.random((60, 3)), [[0.5, 0.5, 0.5]] * 2])
    allowed = r.random(62) < 0.8
    expected = [
        bool(allowed[i])
        and not any(allowed[j] and (points[j] <= points[i]).all() and (points[j] < points[i]).any() for j in range(62))
        for i in range(62)
    ]
    assert (_undominated(points, allowed) & allowed).tolist() == expected


@pytest.mark.parametrize(
    ("vary", "word"),
    [
        ({"core.adc.bit": [4]}, "did you mean"),
        ({"core.adc.bits": [0]}, "legal value 1"),
        ({"core.adc.bits": [4.5]}, "whole number"),
        ({"core.adc.bits": [4, 5], "core.array.rows": [64, 65, 66]}, "one value per design"),
        ({"core.adc.bits": []}, "list of values"),
        ({"cell.read_time": [math.nan]}, "finite"),
        ({"cell.read_voltage": ["2 A"]}, "read_voltage"),
    ],
)
def test_bad_values_are_refused(vary: dict, word: str) -> None:
    with pytest.raises(InputError, match=word):
        estimate(network(), load_architecture("hermes-like"), vary)


def test_a_network_without_weights_is_refused() -> None:
    graph = Graph("none", {"x": (4,)}, (Node("relu", ReLU(), ("x",)),), ("relu",))
    with pytest.raises(InputError, match="no operator with weights"):
        estimate(graph, load_architecture("isaac-like"))
