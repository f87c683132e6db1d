"""Number formats defined in tests alone go all the way: compression, training, files, placement, execution."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from toy_formats import ToyCodebook, ToyE4M3, ToyPowerOfTwo

from neuromorph.compress import apply_steps, cast, prune, remove_channels, summary
from neuromorph.compress.grid import code_range
from neuromorph.devices.layered.execute import execute
from neuromorph.devices.layered.place.placement import place
from neuromorph.errors import InputError
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.formats.base import NumberFormat
from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.activation import ReLU
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.wiring import Flatten
from neuromorph.graph.torch_module import GraphModule
from neuromorph.hardware.catalog import load_architecture
from neuromorph.hardware.paths import replace
from neuromorph.importers import read_graph, save_graph
from neuromorph.importers.portable_fields import Fault, decoded
from neuromorph.spiking.lower import lower

TOYS = [ToyE4M3, ToyPowerOfTwo, ToyCodebook]


def network() -> Graph:
    draw = np.random.default_rng(3)
    kernel, dense = draw.normal(size=(6, 2, 3, 3)) * 0.3, draw.normal(size=(5, 216)) * 0.1
    nodes = (
        Node("conv", Conv2d(weight=kernel, window=Window((3, 3))), ("image",)),
        Node("relu", ReLU(), ("conv",)),
        Node("flatten", Flatten(), ("relu",)),
        Node("fc", Linear(weight=dense), ("flatten",)),
    )
    return Graph("toy", {"image": (2, 8, 8)}, nodes, ("fc",))


def images(samples: int = 12) -> np.ndarray:
    return np.random.default_rng(4).random((samples, 2, 8, 8)).astype(np.float32)


def weights(graph: Graph) -> list[tuple[np.ndarray, Any]]:
    return [(n.operator.weight, n.operator.weight_format) for n in graph.nodes if n.operator.weight_slots]


@pytest.mark.parametrize("toy", TOYS)
def test_compression_casts_to_a_format_by_name(toy: type[NumberFormat]) -> None:
    graph = apply_steps(network(), f"prune:0.3;cast:{toy.name}")
    for weight, number_format in weights(graph):
        assert type(number_format) is toy
        assert not number_format.missing
        np.testing.assert_array_equal(weight, np.where(weight == 0, 0, number_format.quantize(weight)))
        assert len(np.unique(weight)) <= 2**number_format.stored_bits
    rows = summary(graph).rows
    bits = {ToyE4M3: 8, ToyPowerOfTwo: 3, ToyCodebook: 4}[toy]
    assert [r.bits for r in rows] == [bits, bits]
    assert [r.format for r in rows] == [toy.name] * 2
    assert [r.dense_bytes for r in rows] == [-(-r.weights * bits // 8) for r in rows]


def test_known_values_of_the_minifloat() -> None:
    values = np.array([0.0, 2.0**-9, 1.0, 1.0625, 17.0, 448.0, 1e6, -0.3])
    assert ToyE4M3().quantize(values).tolist() == [0, 2.0**-9, 1, 1, 16, 448, 448, -0.3125]


@pytest.mark.parametrize("toy", TOYS)
def test_portable_files_hold_a_format(toy: type[NumberFormat], tmp_path: Path) -> None:
    graph = apply_steps(network(), f"prune:0.5;cast:{toy.name},inputs={toy.name}", images())
    path = save_graph(graph, tmp_path / "m")
    assert read_graph(path) == graph
    fields = json.loads(path.read_text())["nodes"][3]["fields"]
    assert fields["weight_format"]["kind"] == fields["input_format"]["kind"] == toy.name
    stored = {ToyE4M3: "uint8", ToyPowerOfTwo: "packed4", ToyCodebook: "packed4"}[toy]
    assert fields["weight"]["encoding"] == stored


@pytest.mark.parametrize("chip", ["digital-int8", "isaac-like"])
@pytest.mark.parametrize("toy", TOYS)
def test_cores_place_and_run_a_format(toy: type[NumberFormat], chip: str) -> None:
    """An integer core keeps whole multiples: fewer bits where the format lies on a narrow grid, its own bits else."""
    wide = {"core.weight_bits": 8, "core.input_bits": 8} if chip == "isaac-like" else {}
    architecture = replace(load_architecture(chip), wide)
    graph = cast(network(), toy(), granularity="channel" if toy is ToyPowerOfTwo else "tensor")
    placed = place(graph, architecture, effort="none", duplicate=False)
    bits = {ToyE4M3: 8, ToyPowerOfTwo: 4, ToyCodebook: 8}[toy]
    for name, layout in placed.layouts.items():
        operator = graph[name].operator
        if chip == "digital-int8":
            assert sum(float(t.bits.sum()) for t in layout.tilings) == bits * operator.weight.size  # type: ignore[attr-defined]
    x = images()
    off = ("programming", "faults", "drift", "flicker", "read", "adc") if chip == "isaac-like" else ()
    found = execute(placed, x, trials=1, off=off).outputs
    assert found is not None
    exact = evaluate(graph, torch.from_numpy(x)).numpy()
    error = np.abs(found[0] - exact).max() / np.abs(exact).max()
    assert error < 0.02
    if toy is ToyPowerOfTwo and chip == "digital-int8":  # weights are whole codes: only inputs are rounded
        unrounded = execute(placed, x, trials=1, off=("input_quantization",)).outputs
        np.testing.assert_allclose(unrounded[0], exact, rtol=1e-4, atol=1e-5)  # type: ignore[index]


def test_a_chip_needs_fewer_cells_for_a_narrow_format() -> None:
    architecture = replace(load_architecture("isaac-like"), {"core.weight_bits": 8})
    cells = []
    for toy in (ToyPowerOfTwo(), ToyE4M3()):
        layouts = place(cast(network(), toy), architecture, effort="none", duplicate=False).layouts
        cells.append(sum(float((t.height * t.width).sum()) for x in layouts.values() for t in x.tilings))
    assert cells[1] / 2 <= cells[0] < 0.53 * cells[1]  # the unit column of each array stays


@pytest.mark.parametrize("toy", TOYS)
def test_training_passes_through_a_format(toy: type[NumberFormat]) -> None:
    module = GraphModule(cast(network(), toy(), inputs=toy() if toy is ToyE4M3 else None), torch.float64)
    module(torch.from_numpy(images()).double()).square().sum().backward()
    gradient = module.get_submodule("fc").weight.grad
    assert gradient is not None
    assert torch.count_nonzero(gradient) > 0.5 * gradient.numel()
    with torch.no_grad():
        module.get_submodule("fc").weight -= 0.01 * gradient.sign()  # type: ignore[operator]
    weight, number_format = weights(module.to_graph())[1]
    np.testing.assert_array_equal(weight, number_format.quantize(weight))


def test_removed_channels_leave_a_format() -> None:
    graph = cast(network(), ToyPowerOfTwo(), granularity="channel")
    small = remove_channels(prune(graph, 0.5, structure="channel", layers="conv"))
    weight, number_format = weights(small)[0]
    assert number_format.scale.shape == (len(weight),) == (3,)
    np.testing.assert_array_equal(weight, number_format.quantize(weight))


def test_spikes_must_be_numbers_of_an_input_format() -> None:
    layer = Linear(weight=np.eye(2), input_format=ToyPowerOfTwo(scale=np.array(0.75)))
    with pytest.raises(InputError, match=r"toy_power_of_two: 0 becomes 0, 1 .a spike. 0.75"):
        lower(Graph("s", {"x": (4, 2)}, (Node("y", layer, ("x",)),), ("y",)))


def test_what_a_format_cannot_do_is_said() -> None:
    with pytest.raises(InputError, match=r"'toy' is not known .one of .*binary.*toy_codebook"):
        apply_steps(network(), "cast:toy")
    with pytest.raises(InputError, match="binarize"):
        apply_steps(network(), "cast:binary")
    with pytest.raises(InputError, match=r"number_format is missing .such as cast:float"):
        apply_steps(network(), "cast")
    with pytest.raises(InputError, match="no codes on a uniform grid"):
        code_range(ToyE4M3())
    with pytest.raises(TypeError, match="two number formats are named 'toy_e4m3'"):

        @dataclass(frozen=True, eq=False)
        class Other(NumberFormat):
            name: ClassVar[str] = "toy_e4m3"


OLDER = [
    ({}, "float32", 32),
    ({"bits": 16}, "float16", 16),
    ({"kind": "int", "bits": 4, "scale": [0.5, 0.25], "axis": 0}, "int4 per channel", 4),
    ({"kind": "int", "bits": 8, "signed": False, "scale": 0.5, "zero_point": 3.0}, "uint8 affine", 8),
    ({"kind": "int", "scale": 0.5}, "int32", 32),
    ({"kind": "binary", "bits": 1, "scale": 0.5}, "binary", 1),
    ({"kind": "ternary", "bits": 2, "scale": [0.5], "axis": 0}, "ternary per channel", 2),
]


@pytest.mark.parametrize(("fields", "title", "bits"), OLDER)
def test_formats_of_older_files_are_read(fields: dict[str, Any], title: str, bits: int) -> None:
    found = decoded(fields, (NumberFormat, type(None)), "weight_format")
    assert (found.title, found.stored_bits) == (title, bits)


def test_bits_that_contradict_a_format_are_refused() -> None:
    for fields, key in (
        ({"kind": "binary", "bits": 3, "scale": 1.0}, "f.bits"),
        ({"kind": "toy_codebook", "book": [1.0, [2.0]]}, "f.book"),
        ({"kind": "toy_codebook", "book": [1.0, "x"]}, "f.book"),
        ({"kind": "toy_power_of_two"}, "f.scale"),
        ({"kind": "int", "bits": 4, "scale": [1.0, -1.0]}, "f.scale"),
    ):
        with pytest.raises(Fault) as caught:
            decoded(fields, (NumberFormat,), "f")
        assert caught.value.key == key
