"""Files of the nir package read here, files written here read by it with its type check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from oracle_frameworks import framework, simulate, spikes

from neuromorph.graph.evaluate import Evaluator
from neuromorph.graph.model import Graph, Node, Window
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import IF, LI, LIF, CubaLI, CubaLIF, Integrator, Threshold
from neuromorph.graph.operators.pooling import AvgPool2d
from neuromorph.graph.operators.synapses import Delay, DelayedLinear, Scale, SumPool2d
from neuromorph.graph.operators.wiring import Flatten
from neuromorph.graph.semantics import Semantics
from neuromorph.importers import read_graph, save_graph
from neuromorph.importers.nir import read
from neuromorph.importers.nir_files.fields import TYPES

nir = framework("nir")
pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)


def parameters(*names: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: RNG.uniform(0.5, 1.5, shape) for name in names}


def test_the_table_of_types_is_that_of_the_package() -> None:
    known = {n for n in nir.ir.__all__ if n[0].isupper() and n not in ("NIRNode",)}
    assert known == set(TYPES)
    assert len(TYPES) == 19


def test_a_file_with_every_type_of_node(tmp_path: Path) -> None:
    maps, flat = (4, 3, 3), (36,)
    nodes = {
        "input": nir.Input((2, 8, 8)),
        "conv": nir.Conv2d((8, 8), RNG.normal(size=(4, 2, 3, 3)), 1, 0, 1, 1, RNG.normal(size=4)),
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([1, 1]), np.array([0, 0])),
        "mean": nir.AvgPool2d(np.array([3, 3]), np.array([1, 1]), np.array([0, 0])),
        "if": nir.IF(**parameters("r", "v_threshold", shape=maps)),
        "scale": nir.Scale(RNG.normal(size=maps)),
        "flat": nir.Flatten(np.array(maps), 0, -1),
        "sub": nir.NIRGraph(
            {
                "in": nir.Input(flat),
                "lif": nir.LIF(**parameters("tau", "r", "v_leak", "v_threshold", shape=flat)),
                "rec": nir.Linear(RNG.normal(size=(36, 36))),
                "out": nir.Output(flat),
            },
            [("in", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "out")],
        ),
        "affine": nir.Affine(RNG.normal(size=(6, 36)), RNG.normal(size=6)),
        "delay": nir.Delay(RNG.integers(0, 4, 6) * 0.25),
        "cuba": nir.CubaLIF(**parameters("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", shape=(6,))),
        "li": nir.LI(**parameters("tau", "r", "v_leak", shape=(6,))),
        "i": nir.I(**parameters("r", shape=(6,))),
        "threshold": nir.Threshold(RNG.uniform(0, 1, 6)),
        "cubali": nir.CubaLI(**parameters("tau_syn", "tau_mem", "r", "v_leak", shape=(6,))),
        "output": nir.Output((6,)),
    }
    chain = [*nodes]
    nir.write(tmp_path / "all.nir", nir.NIRGraph(nodes, list(zip(chain, chain[1:], strict=False)), type_check=False))  # noqa: RUF007
    graph = read(tmp_path / "all.nir", dt="250 ms", steps=5)
    kinds = [type(node.operator).__name__ for node in graph.nodes]
    assert kinds == [
        "Conv2d", "SumPool2d", "AvgPool2d", "IF", "Scale", "Flatten", "LIF", "Linear", "Linear", "Delay",
        "CubaLIF", "LI", "Integrator", "Threshold", "CubaLI",
    ]  # fmt: skip
    assert graph["sub.lif"].feedback == ("sub.rec",)
    assert graph["sub.rec"].inputs == ("sub.lif",)
    assert graph.shapes["cubali"] == (5, 6)
    np.testing.assert_allclose(graph["cuba"].operator.w_in, np.ones(6))  # type: ignore[attr-defined]
    assert np.isfinite(Evaluator(graph)(torch.as_tensor(spikes((2, 5, 2, 8, 8)))).numpy()).all()


CONVOLUTIONS = {
    "kernel that is not square": {"kernel_size": (3, 5), "padding": (1, 2)},
    "groups": {"kernel_size": 3, "groups": 2},
    "one filter per channel": {"kernel_size": (5, 3), "groups": 4, "stride": (2, 1)},
    "dilated": {"kernel_size": (3, 2), "dilation": (2, 3), "stride": 2},
    "same": {"kernel_size": (4, 3), "padding": "same", "dilation": (1, 2)},
    "valid": {"kernel_size": (2, 3), "padding": "valid"},
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions_are_those_of_torch(tmp_path: Path, case: str) -> None:
    layer = torch.nn.Conv2d(4, 8, **CONVOLUTIONS[case]).double()
    node = nir.Conv2d(
        None,
        layer.weight.detach().numpy(),
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias.detach().numpy(),
    )
    node.input_shape = np.array([9, 11])  # the package cannot write a file without
    graph = nir.NIRGraph(
        {"in": nir.Input((4, 9, 11)), "c": node, "t": nir.Threshold(np.array([0.1]))},
        [("in", "c"), ("c", "t")],
        type_check=False,
    )
    nir.write(tmp_path / "c.nir", graph)
    x = torch.as_tensor(spikes((2, 3, 4, 9, 11)))
    ours = {}
    Evaluator(read(tmp_path / "c.nir", steps=3))(x, record=lambda name, value: ours.update({name: value}))
    theirs = layer(x.flatten(0, 1)).detach()
    np.testing.assert_allclose(ours["c"].flatten(0, 1).numpy(), theirs.numpy(), atol=1e-12)


def test_what_is_written_here_is_read_by_the_package_and_means_the_same(tmp_path: Path) -> None:
    s = Semantics(1e-3, reset="subtract", delayed_reset=True)
    late = Semantics(1e-3, integration="exponential", compare=">=")
    maps = (4, 8, 8)
    steps = 12
    graph = Graph(
        "net",
        {"x": (steps, 2, 8, 8)},
        (
            Node("c", Conv2d(RNG.normal(size=(4, 2, 3, 3)), window=Window((3, 3), padding=(1, 1, 1, 1))), ("x",)),
            Node("n", LIF(1e-2, 10.0 * np.ones(maps), 0.0, 0.7, 0.0, s, v_init=RNG.random(maps)), ("c",)),
            Node("p", SumPool2d(Window((2, 2), (2, 2))), ("n",)),
            Node("a", AvgPool2d(Window((2, 2), (2, 2))), ("p",)),
            Node("f", Flatten(3), ("a",)),
            Node(
                "l", DelayedLinear(RNG.normal(size=(10, 16)), RNG.integers(0, 4, (10, 16)), RNG.normal(size=10)), ("f",)
            ),
            Node("d", Delay(RNG.integers(0, 3, 10) * 1e-3, 1e-3), ("l",)),
            Node("s", Scale(RNG.uniform(1, 2, 10)), ("d",)),
            Node("m", CubaLIF(5e-3, 1e-2, 5 * np.ones(10), 0.0, 0.5, 0.0, 1.0, late), ("s",), "", ("rec", "m")),
            Node("rec", Linear(RNG.normal(size=(10, 10)), RNG.normal(size=10)), ("m",)),
            Node("if", IF(900 * np.ones(10), 1.0, -0.5, s, sign=np.where(RNG.random(10) < 0.2, -1.0, 1.0)), ("m",)),
            Node("i", Integrator(np.ones(10), s), ("if",)),
            Node("li", LI(1e-2, np.ones(10), 0.1, late), ("if",)),
            Node("cl", CubaLI(1e-2, 1e-2, np.ones(10), 0.1, 1.0, late), ("if",)),
            Node("t", Threshold(0.3 * np.ones(10)), ("cl",)),
        ),
        ("if", "i", "li", "t"),
    )
    path = save_graph(graph, tmp_path / "net.nir")
    theirs = nir.read(path, type_check=True)
    assert all(v.ndim for node in theirs.nodes.values() for v in vars(node).values() if isinstance(v, np.ndarray))
    again = read_graph(path)
    assert again["m"].feedback == ("m", "rec")
    x = spikes((3, steps, 2, 8, 8))
    for a, b in zip(Evaluator(graph)(torch.as_tensor(x)), Evaluator(again)(torch.as_tensor(x)), strict=True):
        assert a.abs().sum() > 0
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-12)
    nir.write(tmp_path / "copy.nir", theirs)
    (tmp_path / "copy.semantics.yaml").write_bytes((tmp_path / "net.semantics.yaml").read_bytes())
    copied, _ = simulate(read_graph(tmp_path / "copy.nir"), x)
    np.testing.assert_array_equal(copied, simulate(again, x)[0])


def test_sequences(tmp_path: Path) -> None:
    s = Semantics(1e-3)
    window = Window((1, 3), (1, 2), (0, 0, 1, 1))
    graph = Graph(
        "net",
        {"x": (4, 2, 9)},
        (
            Node("c", Conv1d(RNG.normal(size=(3, 2, 3)), RNG.normal(size=3), window=window), ("x",)),
            Node("n", IF(1e3 * np.ones((3, 5)), 1.0, 0.0, s), ("c",)),
        ),
        ("n",),
    )
    path = save_graph(graph, tmp_path / "net.nir")
    assert nir.read(path).nodes["c"].stride == 2
    x = spikes((2, 4, 2, 9))
    np.testing.assert_array_equal(simulate(graph, x)[0], simulate(read(path), x)[0])
