"""Training against the target's noise: what it wins back, what it leaves alone, and the gradient it follows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from emulated import Graph, Node, activation, altered, dense, inputs_of, mlp, noisy, placed, rng

from neuromorph.devices.layered.core import core_kind
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.devices.layered.execute.finetune import StraightThrough, _Target, finetune
from neuromorph.errors import InputError
from neuromorph.graph.evaluate import FloatHost
from neuromorph.graph.functions import ExactFunctions
from neuromorph.graph.torch_module import GraphModule

NOISY = {"chip.tile.core.array.cell.programming_noise": "6x"}


def task(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Four clouds of points around corners of a ten-dimensional cube, two corners a class."""
    corners = rng(0).choice([-1.0, 1.0], (8, 10))
    r = rng(seed)
    which = r.integers(0, 8, samples)
    return (corners[which] + 0.6 * r.normal(size=(samples, 10))).astype(np.float32), which // 2


def network(mask: np.ndarray | None = None) -> Graph:
    r = rng(3)
    nodes = (
        Node("fc0", dense.Linear(r.normal(size=(24, 10)) / 3, np.zeros(24), mask=mask), ("x",)),
        Node("relu", activation.ReLU(), ("fc0",)),
        Node("fc1", dense.Linear(r.normal(size=(4, 24)) / 5, np.zeros(4)), ("relu",)),
    )
    return Graph("task", {"x": (10,)}, nodes, ("fc1",))


def trained(graph: Graph) -> Graph:
    """The graph after float training."""
    x, y = (torch.tensor(a) for a in task(1500, 1))
    torch.manual_seed(0)
    module = GraphModule(graph)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(x), y).backward()
        optimizer.step()
    return module.to_graph()


def accuracy(graph: Graph, chips: int = 12) -> tuple[np.ndarray, float]:
    x, y = task(600, 2)
    placement = placed(graph, altered("hermes-like", NOISY))
    calibration = calibrate(placement, task(300, 1)[0])
    run = execute(placement, x, y, trials=chips, calibration=calibration)
    assert run.accuracy is not None
    assert run.float_accuracy is not None
    return run.accuracy, run.float_accuracy


def test_finetuning_wins_accuracy_back() -> None:
    before = trained(network())
    lossy, exact = accuracy(before)
    x, y = task(1500, 1)
    after, tuning = finetune(placed(before, altered("hermes-like", NOISY)), x, y, epochs=12, learning_rate=0.01)
    robust, _ = accuracy(after)
    assert exact > 0.95
    assert exact - lossy.mean() > 0.05  # strong noise: there is something to win
    gain = robust - lossy  # the same chips: paired
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert gain.mean() > (exact - lossy.mean()) / 3
    assert len(tuning.losses) == 12
    assert tuning.losses[-1] < tuning.losses[0]
    assert tuning.steps == 12 * 12


def test_finetuning_is_a_function_of_its_seed() -> None:
    x, y = task(120, 1)
    placement = placed(network(), altered("hermes-like", NOISY))
    first, again, other = (finetune(placement, x, y, epochs=1, seed=s)[0] for s in (0, 0, 1))
    assert np.array_equal(first["fc0"].operator.weight, again["fc0"].operator.weight)
    assert not np.array_equal(first["fc0"].operator.weight, other["fc0"].operator.weight)


def test_masks_stay_and_the_given_network_is_untouched() -> None:
    mask = rng(4).random((24, 10)) < 0.4
    graph = network(mask)
    before = graph["fc0"].operator.weight.copy()
    x, y = task(200, 1)
    tuned, _ = finetune(placed(graph, noisy("isaac-like")), x, y, epochs=2, learning_rate=0.01, redraw=3)
    weight = tuned["fc0"].operator.weight
    assert np.all(weight[~mask] == 0)
    assert np.abs(weight[mask] - before[mask]).max() > 1e-3
    assert np.array_equal(tuned["fc0"].operator.mask, mask)
    assert np.array_equal(graph["fc0"].operator.weight, before)


def test_finetuning_works_on_every_kind_of_core() -> None:
    x, y = task(200, 1)
    for name in ("digital-int8", "sonos-like"):
        _, tuning = finetune(placed(network(), altered(name)), x, y, epochs=6, learning_rate=0.02)
        assert tuning.losses[-1] < 0.8 * tuning.losses[0]


def test_the_gradient_is_that_of_the_float_operator() -> None:
    """Values come from a noisy host, gradients with respect to input and weight from the exact one."""
    operator = dense.Linear(rng(5).normal(size=(4, 6)))
    weight = torch.tensor(operator.weight, dtype=torch.float32, requires_grad=True)
    x = torch.tensor(rng(6).normal(size=(3, 6)), dtype=torch.float32, requires_grad=True)

    class Noisy(ExactFunctions):
        def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            return torch.round(x @ torch.tensor(operator.weight.T, dtype=torch.float32)) + 7

        def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            raise NotImplementedError

    def gradients(host: Any) -> tuple[torch.Tensor, torch.Tensor]:
        y = host.linear("weight", x)
        x.grad = weight.grad = None
        (y * torch.arange(12.0).reshape(3, 4)).sum().backward()
        assert x.grad is not None
        assert weight.grad is not None
        return x.grad, weight.grad

    exact = FloatHost(operator, {"weight": weight})
    through = StraightThrough(FloatHost(operator, {"weight": weight}), Noisy())
    assert torch.allclose(through.linear("weight", x), Noisy().linear("weight", x), atol=1e-5)
    for a, b in zip(gradients(through), gradients(exact), strict=True):
        assert torch.allclose(a, b)


def test_ranges_follow_the_trained_weights() -> None:
    """After recalibration the ranges are those of the present weights, not of the placed ones."""
    graph = mlp()
    placement, x = placed(graph, altered("hermes-like")), inputs_of(graph, 40)
    module = GraphModule(graph)
    target = _Target(placement, module, calibrate(placement, x), 0, 0.0, frozenset(), "cpu")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(3.0)
    target.recalibrate(x)
    expected = calibrate(placed(module.to_graph(), altered("hermes-like")), x)
    assert target.calibration.digest == expected.digest
    assert target.calibration.digest != calibrate(placement, x).digest


def test_chips_of_training_are_not_those_of_an_evaluation() -> None:
    graph = mlp()
    placement, x = placed(graph, altered("hermes-like")), inputs_of(graph, 40)
    target = _Target(placement, GraphModule(graph), calibrate(placement, x), 0, 0.0, frozenset(), "cpu")
    target.draw(0)
    trials = {p.draw.trials for p in target.programmed.values()}
    assert min(t for group in trials for t in group) >= 2**20


@pytest.mark.parametrize(
    "changes",
    [{"labels": None}, {"labels": np.zeros(3, int)}, {"inputs": np.zeros((0, 10), np.float32)}, {"epochs": 0},
     {"batch": 0}, {"redraw": 0}, {"learning_rate": 0.0}, {"labels": np.full(20, 7)}],
    ids=str,
)  # fmt: skip
def test_bad_arguments_are_refused(changes: dict[str, Any]) -> None:
    x, y = task(20, 1)
    arguments = {"inputs": x, "labels": y} | changes
    with pytest.raises(InputError):
        finetune(
            placed(network(), altered("hermes-like")), arguments.pop("inputs"), arguments.pop("labels"), **arguments
        )


def test_tunings_are_data() -> None:
    x, y = task(40, 1)
    _, tuning = finetune(placed(network(), altered("digital-int8")), x, y, epochs=1)
    assert dataclasses.asdict(tuning) == {"losses": tuning.losses, "steps": 1}
    assert core_kind("digital").effects


def test_functions_and_parameters_of_the_hardware_have_the_gradient_of_the_exact_ones() -> None:
    operator = dense.Linear(rng(5).normal(size=(4, 6)), rng(6).normal(size=4))
    bias = torch.tensor(operator.bias, dtype=torch.float32, requires_grad=True)
    x = torch.linspace(-1, 1, 4, requires_grad=True)

    class Coarse(ExactFunctions):
        def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            raise NotImplementedError

        def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            raise NotImplementedError

        def parameter(self, name: str, value: torch.Tensor) -> torch.Tensor:
            return value.round()

        def function(self, name: str, x: torch.Tensor, **settings: Any) -> torch.Tensor:
            return super().function(name, x, **settings).round()

    through = StraightThrough(FloatHost(operator, {"bias": bias}), Coarse())
    stored, y = through.parameter("bias", bias.detach()), through.function("tanh", x)
    assert torch.equal(stored, bias.detach().round())
    assert torch.allclose(y, x.detach().tanh().round())
    (stored * torch.arange(4.0)).sum().backward()
    y.sum().backward()
    assert torch.equal(bias.grad, torch.arange(4.0))
    assert torch.allclose(x.grad, 1 - x.detach().tanh() ** 2)
