"""Training against the noise of the target hardware, with straight-through gradients.

Forward values are the hardware's; gradients are those of the float operator:

    y = f(x, w) + stop_gradient(h(x, w) - f(x, w))

with f the operator's equation and h the same operator on freshly programmed chips. New chips are drawn
every `redraw` batches, so the network learns to work on any chip (noise-aware training, Joshi et al.,
Nat. Commun. 11:2473, 2020; Rasch et al., 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuromorph.devices.layered.core import Draw, Layout
from neuromorph.devices.layered.execute.calibration import CHUNK, Calibration, by_node, calibrate
from neuromorph.devices.layered.execute.engine import checked
from neuromorph.errors import InputError, Place
from neuromorph.graph.decode import decode_of, decoded, over_time
from neuromorph.graph.evaluate import FloatHost
from neuromorph.graph.model import GroupHost
from neuromorph.graph.torch_module import GraphModule
from neuromorph.progress import Progress

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.devices.protocol import Inputs
    from neuromorph.graph.model import Graph, Host, Node

TRAINING_TRIALS = 1 << 20
"""Chips drawn in training have trial numbers from here on, so they never meet those of an evaluation."""


@dataclass(frozen=True)
class Tuning:
    """Losses of a finetuning: mean cross-entropy per epoch, and the learning rate it ended with."""

    losses: tuple[float, ...]
    steps: int


def finetune(
    placement: Placement,
    inputs: Inputs,
    labels: np.ndarray,
    *,
    epochs: int = 3,
    learning_rate: float = 1e-3,
    batch: int = 128,
    redraw: int = 1,
    seed: int = 0,
    time_s: float = 0.0,
    off: Sequence[str] = (),
    torch_device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[Graph, Tuning]:
    """Trains the placement's network on (samples, *shape) inputs with class labels against its hardware.

    Adam with a cosine schedule; masks stay enforced and formats are applied straight-through. Returns the
    trained graph (place it anew: weights changed, tiles may too) and the losses. Raises InputError when
    there is nothing to train on.
    """
    from torch.nn import functional

    if labels is None:
        raise InputError("finetuning needs labels", Place(key="labels"), "give the class of every sample")
    inputs, truths = checked(placement.graph, inputs, labels)
    assert truths is not None
    if epochs < 1 or batch < 1 or redraw < 1 or learning_rate <= 0:
        raise InputError("epochs, batch and redraw must be at least 1 and the learning rate above 0")
    torch.manual_seed(seed)
    module = GraphModule(placement.graph).to(torch_device)
    decode = decode_of(placement.graph) if over_time(placement.graph) else None
    order = np.random.default_rng(seed)
    steps_per_epoch = -(-len(inputs) // batch)
    optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps_per_epoch)
    calibration = calibrate(placement, inputs[:CHUNK], torch_device=torch_device)
    target = _Target(placement, module, calibration, seed, time_s, frozenset(off), torch_device)
    losses, step = [], 0
    for epoch in range(epochs):
        total, permutation = 0.0, order.permutation(len(inputs))
        for start in range(0, len(inputs), batch):
            index = permutation[start : start + batch]
            x = torch.as_tensor(inputs[index], dtype=torch.float32, device=torch_device)
            truth = torch.as_tensor(truths[index], device=torch_device)
            if step % redraw == 0:
                target.draw(step // redraw)
            logits = module(x[None], hosts=target.hosts(step * batch))[0]
            if decode is not None:
                logits = decoded(logits, decode)
            loss = functional.cross_entropy(logits, truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(index)
            step += 1
            if progress is not None:
                progress(step / (epochs * steps_per_epoch), f"epoch {epoch + 1} of {epochs}, loss {float(loss):.3f}")
        losses.append(total / len(inputs))
        target.recalibrate(inputs[:CHUNK])
    return module.to_graph(), Tuning(tuple(losses), step)


class _Target:
    """The hardware as the training sees it: programs the module's present weights on a new chip."""

    def __init__(
        self, placement: Placement, module: GraphModule, calibration: Calibration, seed: int, time_s: float,
        off: frozenset[str], torch_device: str,
    ) -> None:  # fmt: skip
        self.placement, self.module, self.calibration = placement, module, calibration
        self.seed, self.time_s, self.off, self.torch_device = seed, time_s, off, torch_device
        self.programmed: dict[str, Any] = {}

    def _layouts(self, graph: Graph) -> dict[str, Layout]:
        """The placement's with the operators of this graph."""
        found = {}
        for name, layout in self.placement.layouts.items():
            nodes = tuple(replace(n, operator=graph[n.name].operator) for n in layout.group.nodes)
            found[name] = replace(layout, group=replace(layout.group, nodes=nodes))
        return found

    def draw(self, chip: int) -> None:
        draw = Draw(self.seed, (TRAINING_TRIALS + chip,), self.time_s, self.off, self.torch_device)
        self.programmed = {
            name: layout.kind.program(layout, self.calibration.ranges[name], draw)
            for name, layout in self._layouts(self.module.to_graph()).items()
        }

    def recalibrate(self, inputs: np.ndarray) -> None:
        """Ranges for the weights as they are now."""
        graph = self.module.to_graph()
        present = replace(self.placement, graph=graph, layouts=self._layouts(graph))
        self.calibration = calibrate(present, inputs, torch_device=self.torch_device)

    def hosts(self, first_sample: int) -> Callable[[Node], Host | GroupHost | None]:
        """A straight-through host for each hosted node, the exact one elsewhere."""
        made = {name: programmed.host(first_sample) for name, programmed in self.programmed.items()}
        of_node = by_node(self.placement.layouts, made)

        def choose(node: Node) -> Host | GroupHost | None:
            hardware = of_node.get(node.name)
            if isinstance(hardware, GroupHost):
                return _ThroughGroup(hardware, self.module)
            if hardware is None:
                return None
            return StraightThrough(FloatHost(node.operator, self.module.values(node.name)), hardware)

        return choose


class StraightThrough:
    """Values of `hardware`, gradients of `exact`."""

    def __init__(self, exact: Host, hardware: Host) -> None:
        self.exact, self.hardware = exact, hardware

    def _through(self, method: str, name: str, x: torch.Tensor, **settings: Any) -> torch.Tensor:
        smooth = getattr(self.exact, method)(name, x, **settings)
        with torch.no_grad():
            value = getattr(self.hardware, method)(name, x.detach(), **settings)
        return smooth + (value - smooth).detach()

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self._through("linear", matrix, x)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self._through("conv", matrix, x)

    def parameter(self, name: str, value: torch.Tensor) -> torch.Tensor:
        return self._through("parameter", name, self.exact.parameter(name, value))

    def function(self, name: str, x: torch.Tensor, **settings: Any) -> torch.Tensor:
        return self._through("function", name, x, **settings)


class _ThroughGroup(GroupHost):
    """The same for nodes that the hardware computes at once."""

    def __init__(self, hardware: GroupHost, module: GraphModule) -> None:
        super().__init__(hardware.nodes)
        self.hardware, self.module = hardware, module

    def compute(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            value = self.hardware.compute([x.detach() for x in inputs])
        made: dict[str, torch.Tensor] = {}
        for node in self.nodes:
            given = [made[name] for name in node.inputs] if made else list(inputs)
            made[node.name] = node.operator.evaluate(given, FloatHost(node.operator, self.module.values(node.name)))
        smooth = made[self.nodes[-1].name]
        return smooth + (value - smooth).detach()
