"""Labels of every token, real numbers as labels, and networks with several inputs and outputs, on hardware."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import neuromorph as nm
from neuromorph.errors import InputError

CHIP = "digital-int8"


class Heads(nn.Module):
    """Two inputs and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(5, 4), nn.Linear(3, 4)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.a(left).relu()
        return {"hidden": hidden, "logits": hidden + self.b(right)}


def test_tokens_are_scored_one_by_one() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 5)).eval()
    x = torch.randn(12, 7, 4)
    y = torch.randint(0, 5, (12, 7))
    graph = nm.from_torch(net, (7, 4))
    report = nm.run(graph, nm.load_architecture(CHIP), x.numpy(), y.numpy(), trials=1)
    with torch.no_grad():
        wanted = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten()).exp()
        right = (net(x).argmax(-1) == y).float().mean()
    assert report["float_accuracy"].value == pytest.approx(float(right))
    execution = nm.execute(nm.place(graph, nm.load_architecture(CHIP)), x.numpy(), y.numpy(), trials=1)
    assert execution.scores["perplexity"].float_value == pytest.approx(float(wanted), rel=1e-5)
    assert report["perplexity"].value == pytest.approx(float(wanted), rel=0.05)
    assert report["perplexity"].value == execution.scores["perplexity"].values.mean()


def test_real_labels_are_regressed_on() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)).astype(np.float32)
    weight = rng.normal(size=(2, 6))
    y = x @ weight.T + 0.3 * rng.normal(size=(200, 2))
    net = nn.Linear(6, 2, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.from_numpy(weight))
    graph = nm.from_torch(nn.Sequential(net), (6,))
    execution = nm.execute(nm.place(graph, nm.load_architecture("hermes-like")), x, y, trials=3)
    assert execution.accuracy is None
    error, r2 = execution.scores["mean_squared_error"], execution.scores["r2"]
    exact = ((x @ weight.T - y) ** 2).mean()
    assert error.float_value == pytest.approx(exact, rel=1e-4)
    assert r2.float_value == pytest.approx(1 - exact / y.var(axis=0).mean(), rel=1e-4)
    assert execution.outputs is not None
    np.testing.assert_allclose(error.values, ((execution.outputs - y) ** 2).mean((1, 2)), rtol=1e-4)
    assert (error.values > error.float_value).all()


def test_one_of_several_outputs_is_scored() -> None:
    torch.manual_seed(0)
    net = Heads().eval()
    graph = nm.from_torch(net, [(5,), (3,)])
    left, right = np.random.default_rng(1).normal(size=(2, 30, 5)).astype(np.float32)
    right = right[:, :3].copy()
    with torch.no_grad():
        outputs = net(torch.from_numpy(left), torch.from_numpy(right))
    chip = nm.load_architecture(CHIP)
    for name in ("hidden", "logits"):
        y = outputs[name].argmax(-1).numpy()
        execution = nm.execute(nm.place(graph, chip), {"left": left, "right": right}, y, trials=1, output=name)
        assert execution.float_accuracy == 1
        assert execution.accuracy is not None
        assert execution.accuracy[0] > 0.85
    with pytest.raises(InputError, match="choose with output=: hidden, logits"):
        nm.run(graph, chip, (left, right), y, trials=1)
    with pytest.raises(InputError, match="no output 'logit'"):
        nm.run(graph, chip, (left, right), y, trials=1, output="logit")
    together = nm.execute(nm.place(graph, chip), (left, right), trials=1)
    assert together.outputs is not None
    assert together.outputs.shape == (1, 30, 8)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (lambda a, b: a, "takes 2 inputs, one is given"),
        (lambda a, b: {"left": a}, r"give left \(5,\), right \(3,\)"),
        (lambda a, b: {"left": a, "right": b[:4]}, "30, 4 samples"),
        (lambda a, b: (b, a), "input left"),
    ],
)
def test_wrong_inputs_are_named(inputs: object, message: str) -> None:
    graph = nm.from_torch(Heads().eval(), [(5,), (3,)])
    a, b = np.zeros((30, 5), np.float32), np.zeros((30, 3), np.float32)
    with pytest.raises(InputError, match=message):
        nm.run(graph, nm.load_architecture(CHIP), inputs(a, b), trials=1)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(12), "labels.astype"),
        (np.zeros((12, 3, 5)), r"outputs \(12, 7, 5\)"),
        (np.zeros((12, 3), int), r"expected \(12, 7\)"),
        (np.full((12, 7), 5), "classes 0 to 4"),
        (np.full((12, 7, 5), np.nan), "NaN or Inf"),
    ],
)
def test_wrong_labels_are_named(y: np.ndarray, message: str) -> None:
    graph = nm.from_torch(nn.Sequential(nn.Linear(4, 5)), (7, 4))
    with pytest.raises(InputError, match=message):
        nm.run(graph, nm.load_architecture(CHIP), np.zeros((12, 7, 4), np.float32), y, trials=1)
