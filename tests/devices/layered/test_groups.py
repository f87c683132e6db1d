"""Groups of nodes that a core computes whole: placed as one, computed as one, counted and timed as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from emulated import NETWORKS, Graph, Node, activation, altered, dense, inputs_of, mlp, placed, rng, shipped

from neuromorph.costing.ledger import price
from neuromorph.devices.layered.codes import InputRange
from neuromorph.devices.layered.core import (
    CoreKind,
    Count,
    Draw,
    Group,
    Layout,
    core_kind,
    core_kinds,
    matrix_groups,
)
from neuromorph.devices.layered.designs import estimate
from neuromorph.devices.layered.digital.kind import DigitalKind
from neuromorph.devices.layered.digital.programmed import ProgrammedDigital
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.devices.layered.execute.finetune import finetune
from neuromorph.devices.layered.place.demand import check_groups
from neuromorph.devices.layered.place.loading import load as load_placement
from neuromorph.devices.layered.place.placement import Placement
from neuromorph.devices.layered.place.views import routes
from neuromorph.devices.layered.tally.counts import assume, gather
from neuromorph.devices.layered.tally.times import pipeline_of, schedule
from neuromorph.errors import InputError
from neuromorph.graph.evaluate import FloatHost
from neuromorph.graph.functions import ExactFunctions
from neuromorph.graph.model import GroupHost, Host, Window
from neuromorph.graph.operators import convolution, pooling
from neuromorph.hardware.component import Component

ACTIVATION = (activation.ReLU, pooling.MaxPool2d)


def chains(graph: Graph, absorbed: tuple[type, ...]) -> tuple[Group, ...]:
    """Every node with a matrix, and what follows it of these operators where nobody else uses it; computed whole."""
    users = {n.name: [m for m in graph.nodes if n.name in m.inputs] for n in graph.nodes}
    taken: set[str] = set()
    found = []
    for node in graph.nodes:
        if node.operator.role != "matrix" or node.name in taken:
            continue
        names = [node.name]
        while len(users[names[-1]]) == 1 and isinstance(users[names[-1]][0].operator, absorbed):
            names.append(users[names[-1]][0].name)
        taken |= set(names)
        found.append(Group.of(graph, *names, whole=True))
    return tuple(found)


class Named(ExactFunctions):
    """A host of the group's items for one node, whose matrices have names of their own."""

    def __init__(self, host: Host, items: Mapping[str, str]) -> None:
        self.host, self.items = host, items

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self.host.linear(self.items[matrix], x)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self.host.conv(self.items[matrix], x)


class Chain(GroupHost):
    """The nodes of a group one after the other, in the core."""

    def __init__(self, group: Group, hosts: Mapping[str, Host]) -> None:
        super().__init__(group.nodes)
        self.hosts = hosts

    def compute(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        (x,) = inputs
        for node in self.nodes:
            x = node.operator.evaluate([x], self.hosts.get(node.name) or FloatHost(node.operator))
        return x


class WholeProgrammed(ProgrammedDigital):
    def __init__(self, layout: Layout, ranges: Any, draw: Draw) -> None:
        super().__init__(layout, ranges, draw)
        self.group = layout.group

    def host(self, first_sample: int) -> Any:
        host = super().host(first_sample)
        names = {n.name: {m.name: item for item, m in own.items()} for n, _, own in self.group.products()}
        return Chain(self.group, {name: Named(host, items) for name, items in names.items()})


class Watching(FloatHost):
    def __init__(self, node: Node, items: Mapping[str, str], seen: Mapping[str, InputRange]) -> None:
        super().__init__(node.operator)
        self.items, self.seen = items, seen

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        self.seen[self.items[matrix]].see(x)
        return super().linear(matrix, x)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        self.seen[self.items[matrix]].see(x)
        return super().conv(matrix, x)


class WholeCalibrator:
    def __init__(self, layout: Layout) -> None:
        self.group = layout.group
        self.seen = {item: InputRange() for item in layout.group.matrices}

    def host(self) -> GroupHost:
        parts = self.group.products()
        return Chain(
            self.group, {n.name: Watching(n, {m.name: i for i, m in own.items()}, self.seen) for n, _, own in parts}
        )

    def ranges(self) -> dict[str, np.ndarray]:
        return {k: v for item, seen in self.seen.items() for k, v in seen.named(item).items()}


class WholeKind(DigitalKind):
    """An integer core that computes activations, pooling, or more layers behind its products as well.

    An activation costs an access of the output buffer per value.
    """

    absorbed: tuple[type, ...] = ACTIVATION

    def groups(self, graph: Graph, unit: Component) -> tuple[Group, ...]:
        return chains(graph, self.absorbed)

    def calibrate(self, layout: Layout, torch_device: str = "cpu") -> Any:
        return WholeCalibrator(layout)

    def program(self, layout: Layout, ranges: Any, draw: Draw) -> Any:
        return WholeProgrammed(layout, ranges, draw)

    def count(self, layout: Layout, statistics: Any) -> list[Count]:
        values = layout.group.nodes[-1].operator.output_shape(layout.group.shapes[-1])
        own = Count(layout.unit["output_buffer"].path, "read_bit", float(np.prod(values)) * 8)
        return [*super().count(layout, statistics), *([own] if len(layout.group.nodes) > 1 else [])]


class ConverterKind(WholeKind):
    """A core whose converters add the bias and clip below at zero: they are the activation, asked node by node."""

    absorbed = (activation.ReLU,)

    def calibrate(self, layout: Layout, torch_device: str = "cpu") -> Any:
        return DigitalKind.calibrate(self, layout, torch_device)

    def program(self, layout: Layout, ranges: Any, draw: Draw) -> Any:
        class Converters(ProgrammedDigital):
            def host(self, first_sample: int) -> Any:
                return Converter(layout.group, super().host(first_sample))

        return Converters(layout, ranges, draw)


class Converter(ExactFunctions):
    def __init__(self, group: Group, host: Host) -> None:
        self.operator: Any = group.nodes[0].operator
        self.last, self.host = len(group.nodes) == 1, host
        self.asked: list[str] = []

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        y = self.host.linear(matrix, x) + torch.tensor(self.operator.bias, dtype=x.dtype)
        return y if self.last else y.clamp(min=0)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def parameter(self, name: str, value: torch.Tensor) -> torch.Tensor:
        assert name == "bias"
        return torch.zeros_like(value)

    def function(self, name: str, x: torch.Tensor, **settings: Any) -> torch.Tensor:
        assert name == "relu"
        return x


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a kind in the place of the integer core's."""
    core_kinds()
    return lambda kind: monkeypatch.setitem(core_kinds(), "digital", kind)


def in_cores(activity: Any) -> dict[tuple[str, str, str], float]:
    rows = [r for r in activity if r.path.startswith("chip.tile.core.")]
    found: dict[tuple[str, str, str], float] = {}
    for r in rows:
        found[r.node, r.path, r.action] = found.get((r.node, r.path, r.action), 0.0) + r.mean
    return found


def total(activity: Any, path: str, action: str, node: str | None = None) -> float:
    return sum(r.mean for r in activity if (r.path, r.action) == (path, action) and node in (None, r.node))


@pytest.mark.parametrize(("network", "kind"), [("mlp", WholeKind), ("mlp", ConverterKind), ("lenet", WholeKind)])
def test_a_group_gives_what_its_nodes_give_and_costs_what_its_kind_says(use: Any, network: str, kind: type) -> None:
    graph, chip = NETWORKS[network](), shipped("digital-int8")
    x = inputs_of(graph, 6)
    plain = placed(graph, chip)
    apart = execute(plain, x, trials=1, calibration=calibrate(plain, x))
    separate = gather(plain, apart.statistics)
    use(kind())
    whole = placed(graph, chip)
    together = execute(whole, x, trials=1, calibration=calibrate(whole, x))
    np.testing.assert_array_equal(apart.outputs, together.outputs)
    assert list(whole.layouts) == list(plain.layouts)
    assert [q.node for q in together.layers] == list(whole.layouts)
    activity = gather(whole, together.statistics)
    grouped = {n.name: g.group for g in whole.layouts.values() for n in g.group.nodes}
    assert any(len(g.nodes) > 1 for g in grouped.values())
    # Cores: the same actions, and an access of the output buffer per value of every activation.
    before, after = in_cores(separate), in_cores(activity)
    for (node, path, action), mean in after.items():
        group = grouped[node]
        more = 0.0
        if (path, action) == ("chip.tile.core.output_buffer", "read_bit") and len(group.nodes) > 1:
            more = 8 * np.prod(graph.shapes[group.nodes[-1].name])
        assert mean == pytest.approx(before[node, path, action] + more)
    # Vector units: nothing is done for what lies in a group; every node in one has left them.
    vector, before_it = (
        {r.node for r in rows if r.action == "operation" and r.path.startswith("chip.tile.")}
        for rows in (activity, separate)
    )
    assert vector == before_it - set(grouped)
    assert before_it & set(grouped)
    # Buffers: the values between the nodes of a group are never written, what it gives is, beside what arrives.
    arriving = {r.node: r.value_bits + r.outside_bits for r in routes(whole)}
    written = {n.name: total(activity, "chip.tile.buffer", "write_bit", n.name) for n in graph.nodes}
    for name, group in ((n, g) for n, g in grouped.items() if n == g.name):
        given = np.prod(graph.shapes[group.nodes[-1].name]) * 8
        assert written[name] == pytest.approx(given + arriving.get(name, 0.0))
        assert all(written[n.name] == 0 for n in group.nodes[1:])
    # Beside the cores less is spent: nothing there computes or stores what is inside a group.
    spent = [
        sum(r.energy_j or 0.0 for r in price(rows, chip) if not r.component.startswith("chip.tile.core"))
        for rows in (activity, separate)
    ]
    assert spent[0] < spent[1]


@pytest.mark.parametrize("network", ["mlp", "lenet"])
def test_a_group_is_one_stage_of_the_timeline(use: Any, network: str) -> None:
    graph, chip = NETWORKS[network](), shipped("digital-int8")
    plain = placed(graph, chip)
    apart = schedule(plain, assume(plain))
    use(WholeKind())
    whole = placed(graph, chip)
    activity = assume(whole)
    pipeline, unmodelled = pipeline_of(whole, activity)
    inside = {n.name for g in whole.layouts.values() for n in g.group.nodes[1:]}
    assert inside
    stages = {s.name for s in pipeline.stages}
    assert stages == {*graph.input_shapes, *(n.name for n in graph.nodes)} - inside
    assert {e.source for e in pipeline.edges} | {e.target for e in pipeline.edges} <= stages
    assert not unmodelled
    found = schedule(whole, activity)
    assert 0 < found.latency_s <= apart.latency_s * (1 + 1e-9)


def test_traffic_goes_between_groups_as_between_layers(use: Any) -> None:
    graph, chip = mlp(sizes=(40, 40, 40, 10)), altered("digital-int8", {"chip.tile.core.rows": 16})
    plain = placed(graph, chip)
    use(WholeKind())
    whole = placed(graph, chip)
    assert {r.node: r for r in routes(whole)} == {r.node: r for r in routes(plain)}


def test_a_placement_of_groups_can_be_saved_and_explained(use: Any, tmp_path: Any) -> None:
    graph, chip = mlp(), shipped("digital-int8")
    plain = placed(graph, chip)
    plain.save(tmp_path / "plain.json")
    use(WholeKind())
    whole: Placement = placed(graph, chip)
    assert [row["operator"] for row in whole.explain()["layers"]] == ["Linear+ReLU", "Linear"]
    whole.save(tmp_path / "whole.json")
    back = load_placement(tmp_path / "whole.json", graph, chip)
    assert back.layouts["fc0"].group == whole.layouts["fc0"].group
    assert back.limits == whole.limits
    with pytest.raises(InputError, match=r"fc0 has operator 'Linear' in the placement, 'Linear\+ReLU' here"):
        load_placement(tmp_path / "plain.json", graph, chip)


class TwoLayers(WholeKind):
    absorbed = (dense.Linear, activation.ReLU)


def test_a_group_of_several_matrices_is_cut_programmed_and_counted_as_one(use: Any) -> None:
    graph, chip = mlp(), shipped("digital-int8")
    x = inputs_of(graph, 5)
    plain = placed(graph, chip)
    apart = execute(plain, x, trials=1, calibration=calibrate(plain, x))
    use(TwoLayers())
    whole = placed(graph, chip, duplicate=False)
    assert list(whole.layouts) == ["fc0"]
    layout = whole.layouts["fc0"]
    assert [t.item for t in layout.tilings] == ["fc0.weight", "fc1.weight"]
    assert [n.name for n in layout.group.nodes] == ["fc0", "relu0", "fc1"]
    together = execute(whole, x, trials=1, calibration=calibrate(whole, x))
    np.testing.assert_array_equal(apart.outputs, together.outputs)
    macs = total(gather(whole, together.statistics), "chip.tile.core.mac", "mac")
    assert macs == total(gather(plain, apart.statistics), "chip.tile.core.mac", "mac")
    # what goes in and comes out: the network's inputs to the first matrix, the outputs of the second
    (into,) = [r for r in routes(whole) if r.node == "fc0"]
    assert into.outside_bits == 12 * 8
    assert schedule(whole, assume(whole)).latency_s > 0


def test_training_reaches_through_a_group(use: Any) -> None:
    """Gradients are those of the exact chain, values those of the hardware: the loss falls, all weights move."""
    use(WholeKind())
    graph, r = mlp(sizes=(10, 16, 4)), rng(3)
    corners = r.choice([-1.0, 1.0], (4, 10))
    y = r.integers(0, 4, 200)
    x = (corners[y] + 0.4 * r.normal(size=(200, 10))).astype(np.float32)
    trained, tuning = finetune(placed(graph, shipped("digital-int8")), x, y, epochs=5, learning_rate=0.02)
    assert tuning.losses[-1] < 0.7 * tuning.losses[0]
    for name in ("fc0", "fc1"):
        old, new = graph[name].operator, trained[name].operator
        assert not np.allclose(old.weight, new.weight)  # type: ignore[attr-defined]
        assert not np.allclose(old.bias, new.bias)  # type: ignore[attr-defined]


def test_closed_forms_are_asked_only_of_kinds_that_have_one(use: Any) -> None:
    graph, chip = mlp(), shipped("digital-int8")
    plain = estimate(graph, chip)
    use(WholeKind())
    moved = estimate(graph, chip)
    assert "chip.tile.vector_unit" in plain.energy_by
    assert "chip.tile.vector_unit" not in moved.energy_by  # all of this network is inside groups
    assert moved.energy_by["chip.tile.core.mac"] == plain.energy_by["chip.tile.core.mac"]

    class Opaque(CoreKind):
        """As the integer core, without its closed form."""

        spec, effects = DigitalKind.spec, DigitalKind.effects

    for name in CoreKind.__abstractmethods__:
        setattr(Opaque, name, getattr(DigitalKind, name))
    Opaque.__abstractmethods__ = frozenset()
    use(Opaque())
    with pytest.raises(InputError, match="a core of kind digital has no closed form") as caught:
        estimate(graph, chip)
    assert "cores with one: crossbar" in str(caught.value)


def net(*nodes: Node, out: str, **inputs: tuple[int, ...]) -> Graph:
    return Graph("net", inputs or {"x": (4,)}, nodes, (out,))


A, B = (dense.Linear(rng(k).normal(size=(4, 4))) for k in range(2))
RELU = activation.ReLU()
LINE = net(Node("a", A, ("x",)), Node("r", RELU, ("a",)), Node("b", B, ("r",)), out="b")
FORK = net(Node("a", A, ("x",)), Node("r", RELU, ("a",)), Node("b", B, ("a",)), out="b")
LATE = net(Node("a", A, ("x",)), Node("r", RELU, ("x",)), out="r")


@pytest.mark.parametrize(
    ("graph", "groups", "stepwise", "message"),
    [
        (LINE, [("a", "r"), ("r",)], (), "r is in several groups"),
        (FORK, [("a", "r")], (), "a inside the group of a is used by b outside it"),
        (LATE, [("a", "r")], (), "r takes inputs from outside the group of a"),
        (LINE, [("a", "r")], ("r",), "the group of a joins nodes of a cycle"),
        (Graph("n", LINE.input_shapes, LINE.nodes, ("r", "b")), [("a", "r", "b")], (), "r inside .* is an output"),
    ],
)
def test_groups_that_cannot_be_one_are_refused(graph: Graph, groups: Any, stepwise: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_groups(graph, [Group.of(graph, *names, whole=True) for names in groups], stepwise)


def test_groups_that_can_are_not() -> None:
    check_groups(LINE, [Group.of(LINE, "a", "r", whole=True), Group.of(LINE, "b")], ())
    check_groups(FORK, matrix_groups(FORK), ("a", "b"))
    with pytest.raises(ValueError, match="must compute it whole"):
        Group.of(LINE, "a", "r")


def test_a_layer_that_no_group_takes_is_named(use: Any) -> None:
    class Choosy(DigitalKind):
        def groups(self, graph: Graph, unit: Component) -> tuple[Group, ...]:
            return tuple(g for g in matrix_groups(graph) if g.name != "fc1")

    use(Choosy())
    with pytest.raises(InputError, match="Linear has weights that a digital core does not take"):
        placed(mlp(), shipped("digital-int8"))


def test_a_convolution_and_its_pooling_wait_for_the_whole_map(use: Any) -> None:
    """Rows of a pooled map come later than the rows of the convolution under them: the stage waits for all of them."""
    weight = rng(0).normal(size=(3, 2, 3, 3))
    conv = convolution.Conv2d(weight, window=Window((3, 3), padding=(1, 1, 1, 1)))
    nodes = (Node("conv", conv, ("x",)), Node("pool", pooling.MaxPool2d(), ("conv",)))
    graph = net(*nodes, out="pool", x=(2, 8, 8))
    needs = {}
    for kind in (core_kind("digital"), WholeKind()):
        use(kind)
        placement = placed(graph, shipped("digital-int8"))
        (edge,) = [e for e in pipeline_of(placement, assume(placement))[0].edges if e.target == "conv"]
        needs[type(kind).__name__] = np.asarray(edge.need).tolist()
    assert needs["DigitalKind"] == [2, 3, 4, 5, 6, 7, 8, 8]
    assert needs["WholeKind"] == [8, 8, 8, 8]


def test_layouts_move_with_their_placement_to_another_architecture() -> None:
    placement = placed(mlp(), shipped("digital-int8"))
    there = altered("digital-int8", {"chip.tile.core.clock": "2x"})
    moved = placement.on(there)
    assert {id(layout.unit) for layout in moved.layouts.values()} == {id(there.chip["tile"]["core"])}
    assert schedule(moved, assume(moved)).latency_s < schedule(placement, assume(placement)).latency_s
