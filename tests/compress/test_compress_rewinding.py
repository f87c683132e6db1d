"""Iterative pruning: schedules, rewinding, and pruned weights that stay exactly 0 through training."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from compress_networks import cnn, mlp, same_weights

from neuromorph.compress import iterative_prune, prune, quantize, remove_channels, schedule, summary
from neuromorph.errors import InputError
from neuromorph.graph import operators as op
from neuromorph.graph.model import Graph
from neuromorph.graph.torch_module import GraphModule


class Recorder:
    """A trainer that notes what it is given and moves every parameter with momentum and weight decay."""

    def __init__(self, steps: int = 3) -> None:
        self.steps, self.calls, self.starts = steps, [], []

    def __call__(self, module: GraphModule, round: int, start_epoch: int | None) -> None:
        import torch

        self.calls.append((round, start_epoch))
        self.starts.append(module.to_graph())
        x = torch.randn(8, *module.graph.input_shapes["x"], generator=torch.Generator().manual_seed(round))
        optimizer = torch.optim.SGD(module.parameters(), lr=0.001, momentum=0.9, weight_decay=0.1)
        for _ in range(self.steps):
            optimizer.zero_grad()
            (module(x) ** 2).mean().backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()


def masks(graph: Graph) -> dict[str, np.ndarray]:
    return {n.name: n.operator.mask for n in graph.nodes if getattr(n.operator, "mask", None) is not None}


def test_every_round_prunes_the_same_share_of_what_is_left() -> None:
    assert schedule(1 - 0.8**3, 3) == pytest.approx((0.2, 0.36, 0.488))
    assert schedule(0.9, 1) == (0.9,)
    assert schedule(0.75, 1, present=0.5) == (0.75,)
    assert schedule(0.875, 2, present=0.5) == pytest.approx((0.75, 0.875))
    assert schedule(0.3, 2, present=0.6) == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize(("rewind", "start"), [("weights", 4), ("learning_rate", 4), (None, None)])
def test_pruned_weights_stay_zero_and_the_counts_are_exact(rewind: str | None, start: int | None) -> None:
    graph, early = mlp(0), mlp(9)
    total = summary(graph).weights
    train, seen = Recorder(), []

    def on_round(number: int, sparsity: float, current: Graph) -> None:
        seen.append(current)
        assert sum(int((~m).sum()) for m in masks(current).values()) == round(sparsity * total)
        for name, mask in masks(current).items():
            assert not current[name].operator.weight[~mask].any()
            assert current[name].operator.weight[mask].all()

    result = iterative_prune(graph, 0.8, 3, train, rewind=rewind, rewind_to=early, rewind_epoch=4, on_round=on_round)
    assert train.calls == [(1, start), (2, start), (3, start)]
    assert same_weights(seen[-1], result)
    assert len(seen) == 3
    for earlier, later in pairwise(seen):
        for name, mask in masks(earlier).items():
            assert not (masks(later)[name] & ~mask).any()
    # training has moved what is left
    assert not same_weights(train.starts[-1], result)


def test_weight_rewinding_starts_every_round_at_the_early_weights() -> None:
    graph, early = mlp(0), mlp(9)
    train = Recorder()
    iterative_prune(graph, 0.5, 2, train, rewind_to=early)
    for start in train.starts:
        for name in ("fc1", "fc2", "fc3"):
            o, was = start[name].operator, early[name].operator
            assert o.weight == pytest.approx(np.where(o.mask, was.weight, 0.0), rel=1e-6)
            assert o.bias == pytest.approx(was.bias, rel=1e-6)
    # the first mask comes from the trained weights, not from the early ones
    assert np.array_equal(masks(train.starts[0])["fc2"], masks(prune(graph, schedule(0.5, 2)[0]))["fc2"])


def test_learning_rate_rewinding_and_fine_tuning_keep_the_trained_weights() -> None:
    graph = mlp(0)
    for rewind in ("learning_rate", None):
        train = Recorder()
        iterative_prune(graph, 0.5, 2, train, rewind=rewind)
        start = train.starts[0]["fc2"].operator
        assert start.weight == pytest.approx(np.where(start.mask, graph["fc2"].operator.weight, 0.0), rel=1e-6)


def test_one_round_without_training_equals_pruning() -> None:
    def idle(module: GraphModule, round: int, start_epoch: int | None) -> None:
        assert round == 1

    result = iterative_prune(mlp(), 0.6, 1, idle, rewind=None, scope="layer")
    expected = prune(mlp(), 0.6, scope="layer")
    for name, mask in masks(expected).items():
        assert np.array_equal(masks(result)[name], mask)
        assert result[name].operator.weight == pytest.approx(expected[name].operator.weight, rel=1e-6)


@pytest.mark.parametrize("rewind", ["weights", "learning_rate"])
def test_pruned_channels_stay_dead_through_training_and_can_be_removed(rewind: str) -> None:
    graph = cnn()
    result = iterative_prune(graph, 0.5, 2, Recorder(), rewind=rewind, rewind_to=cnn(7), structure="channel")
    dead = ~result["conv1"].operator.mask.any(axis=(1, 2, 3))
    assert dead.any()
    for values in (result["conv1"].operator.bias, result["bn"].operator.scale, result["bn"].operator.shift):
        assert not values[dead].any()
        assert values[~dead].all()
    small = remove_channels(result, ["conv1", "conv2", "fc1"])
    assert small["conv1"].operator.weight.shape[0] == 6 - dead.sum()


def test_formats_survive_and_trained_weights_return_to_their_grid() -> None:
    from neuromorph.compress import grid

    graph = quantize(mlp(), 6)
    result = iterative_prune(graph, 0.5, 2, Recorder(), rewind=None)
    for name in ("fc1", "fc2", "fc3"):
        o = result[name].operator
        assert o.weight_format == graph[name].operator.weight_format
        codes = o.weight / float(o.weight_format.scale)
        assert codes == pytest.approx(np.rint(codes), abs=1e-6)
        assert not o.weight[~o.mask].any()
        assert grid.squared_error(o.weight, o.weight_format, o.mask) < 1e-20


def test_a_training_that_diverges_is_reported_with_its_round_and_layer() -> None:
    def diverge(module: GraphModule, round: int, start_epoch: int | None) -> None:
        import torch

        with torch.no_grad():
            module.fc2.weight.fill_(float("nan"))

    with pytest.raises(InputError, match="fc2: training of round 1 diverged"):
        iterative_prune(mlp(), 0.5, 2, diverge, rewind=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sparsity": 1.0}, r"\[0, 1\)"),
        ({"rounds": 0}, "rounds"),
        ({"rounds": 2.5}, "rounds"),
        ({"rewind": "lr"}, "learning_rate"),
        ({"rewind": "weights"}, "early weights"),
        ({"rewind": "weights", "rewind_to": cnn()}, "not the same network"),
        ({"rewind": "weights", "rewind_to": mlp(sizes=(8, 13, 10, 4))}, "other shapes"),
        ({"rewind_epoch": -1}, "not an epoch"),
        ({"structure": "2:4"}, "unstructured, channel"),
        ({"layers": "fc7"}, "no layer is named"),
    ],
)
def test_bad_arguments_are_refused_before_any_training(arguments: dict, message: str) -> None:
    def never(module: GraphModule, round: int, start_epoch: int | None) -> None:
        raise AssertionError("trained although an argument is wrong")

    with pytest.raises(InputError, match=message):
        iterative_prune(mlp(), **{"sparsity": 0.5, "rounds": 2, "train": never, "rewind": None, **arguments})


def test_early_weights_that_are_not_finite_are_refused() -> None:
    graph = mlp()
    bad = op.Linear(np.full((12, 8), np.nan))
    early = replace(graph, nodes=(replace(graph.nodes[0], operator=bad), *graph.nodes[1:]))
    with pytest.raises(InputError):
        iterative_prune(graph, 0.5, 1, Recorder(), rewind_to=early)
