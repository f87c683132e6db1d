"""Evaluation of a graph in floating point, or with any operator's products on a host of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from neuromorph.errors import InputError
from neuromorph.graph.cycles import acting_at_start, check_steps, is_cycle, stages
from neuromorph.graph.functions import ExactFunctions
from neuromorph.graph.model import Graph, GroupHost, Host, Node, Operator, Shape, Window
from neuromorph.graph.operators.neurons import Neuron
from neuromorph.graph.operators.over_time import OverTime
from neuromorph.graph.tensors import tensor_of, with_leading

Hosts = Callable[[Node], Host | GroupHost | None]
Record = Callable[[str, torch.Tensor], None]


class FloatHost(ExactFunctions):
    """Exact products in the dtype and on the device of the input.

    Weights are converted once per dtype and device. `weights` replaces array fields of the operator by
    tensors (by field name), through which gradients then flow; such a host serves one forward pass.
    """

    def __init__(self, operator: Operator, weights: Mapping[str, torch.Tensor] | None = None) -> None:
        self.operator = operator
        self.weights = weights
        self._matrices: dict[tuple[torch.dtype, torch.device], dict[str, torch.Tensor]] = {}

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        """x (..., rows) -> (..., cols) without bias."""
        return functional.linear(x, self._matrix(matrix, x))

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        """x (..., channels, height, width) -> (..., outputs, out height, out width) without bias."""
        window: Window = self.operator.window  # type: ignore[attr-defined]
        groups: int = self.operator.groups  # type: ignore[attr-defined]
        weight = self._matrix(matrix, x)
        return with_leading(lambda maps: convolve(maps, weight, window, groups), x, 3)

    def parameter(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """The value in `weights` where there is one, else as it is."""
        return value if self.weights is None or name not in self.weights else self.weights[name].to(value)

    def _matrix(self, name: str, like: torch.Tensor) -> torch.Tensor:
        """The matrix as torch's products take it: (cols, rows), or (cols, rows per group, kh, kw) for windows."""
        key = (like.dtype, like.device)
        known = self._matrices.get(key)
        if known is None:
            slots = self.operator.weight_slots
            known = self._matrices[key] = self._arranged({s.weight: self._array(s.weight, like) for s in slots})
        return known[name]

    def _array(self, name: str, like: torch.Tensor) -> torch.Tensor:
        if self.weights is not None and name in self.weights:
            return self.weights[name].to(like)
        return tensor_of(getattr(self.operator, name), like)

    def _arranged(self, fields: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        window: Window | None = getattr(self.operator, "window", None)
        if window is not None:
            weight = fields["weight"]
            return {"weight": weight.reshape(*weight.shape[:2], *window.kernel)}
        matrices = self.operator.weight_matrices(fields)
        return {name: matrix[0].swapaxes(0, 1).contiguous() for name, matrix in matrices.items()}


def convolve(x: torch.Tensor, weight: torch.Tensor, window: Window, groups: int = 1) -> torch.Tensor:
    """x (batch, channels, height, width), weight (outputs, channels/groups, kh, kw) -> (batch, outputs, rows, cols)."""
    top, bottom, left, right = window.padding
    if (top, left) == (bottom, right):
        return functional.conv2d(x, weight, None, window.stride, (top, left), window.dilation, groups)
    x = functional.pad(x, (left, right, top, bottom))
    return functional.conv2d(x, weight, None, window.stride, 0, window.dilation, groups)


class _Silent:
    """Multiplies by exact zeros: what a layer gives where nothing arrives is its bias, without a read of hardware.

    Parameters and functions are those of the node's host.
    """

    def __init__(self, node: Node, host: Host) -> None:
        self.exact, self.host = FloatHost(node.operator), host

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self.exact.linear(matrix, x)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self.exact.conv(matrix, x)

    def parameter(self, name: str, value: torch.Tensor) -> torch.Tensor:
        return self.host.parameter(name, value)

    def function(self, name: str, x: torch.Tensor, **settings: Any) -> torch.Tensor:
        return self.host.function(name, x, **settings)


class _Cycle:
    """Nodes that feed back into themselves, run one step after the other.

    A feedback is added to the first input of its node, one step late. Before the first step it is zero; where the
    semantics say `bias_at_start`, it is what the layers on its path give for silent neurons: their biases.
    """

    def __init__(self, graph: Graph, nodes: Sequence[Node], shapes: Mapping[str, Shape]) -> None:
        check_steps(graph, nodes)
        self.nodes, self.shapes = nodes, shapes
        self.names = {node.name for node in nodes}
        self.by_name = {node.name: node for node in nodes}
        self.steps = shapes[nodes[0].name][0]
        self.starts = acting_at_start(nodes)

    def run(self, values: Mapping[str, torch.Tensor], hosts: Mapping[str, Host]) -> dict[str, torch.Tensor]:
        """The outputs of all nodes over all steps; values: by name, of everything outside."""
        like = next(values[i] for node in self.nodes for i in node.inputs if i not in self.names)
        states = {n.name: n.operator.begin(like) for n in self.nodes if isinstance(n.operator, OverTime)}
        made: dict[str, list[torch.Tensor]] = {node.name: [] for node in self.nodes}
        before = {name: self._start(name, like, hosts) for name in self.starts}
        for t in range(self.steps):
            now: dict[str, torch.Tensor] = {}
            for node in self.nodes:
                given = [now[i] if i in self.names else self._part(values[i], i, t) for i in node.inputs]
                for name in node.feedback:
                    if (late := before.get(name)) is not None:
                        given[0] = given[0] + late
                    elif name not in self.names:
                        given[0] = given[0] + self._part(values[name], name, t - 1) if t else given[0]
                now[node.name] = self._step(node, given, states, hosts)
            before = now
            for name, value in now.items():
                made[name].append(value)
        return {name: _joined(parts, len(self.shapes[name])) for name, parts in made.items()}

    def _step(
        self, node: Node, given: list[torch.Tensor], states: Mapping[str, Any], hosts: Mapping[str, Host]
    ) -> torch.Tensor:
        operator = node.operator
        if not isinstance(operator, OverTime):
            return operator.evaluate(given, hosts[node.name])
        axis = given[0].dim() - len(self.shapes[node.inputs[0]])
        y = operator.advance(given[0].squeeze(axis), states[node.name], hosts[node.name])
        return y.unsqueeze(y.dim() - len(self.shapes[node.name]) + 1)

    def _part(self, value: torch.Tensor, name: str, t: int) -> torch.Tensor:
        return value.narrow(value.dim() - len(self.shapes[name]), t, 1)

    def _start(self, name: str, like: torch.Tensor, hosts: Mapping[str, Host]) -> torch.Tensor:
        """What a node gives before the first step: neurons nothing, layers what their biases make of that."""
        node = self.by_name.get(name)
        if node is None or isinstance(node.operator, Neuron):
            return like.new_zeros((1, *self.shapes[name][1:]))
        given = [self._start(i, like, hosts) for i in node.inputs]
        return node.operator.evaluate(given, _Silent(node, hosts[name]))


def _joined(parts: Sequence[torch.Tensor], rank: int) -> torch.Tensor:
    """Steps (..., 1, *features) as one tensor (..., steps, *features); leading axes are repeated where they differ."""
    lead = torch.broadcast_shapes(*(p.shape[: p.dim() - rank] for p in parts))
    return torch.cat([p.expand(*lead, *p.shape[p.dim() - rank :]) for p in parts], dim=-rank)


class Evaluator:
    """A graph ready to be evaluated many times: hosts are made once, their weights converted once.

    hosts: gives the host of a node, or None for the exact one; nodes that are given a `GroupHost` are computed by it at
    once, where the first of them is. Values that no later node and no output needs are dropped as soon as they are
    used. The nodes of a cycle run step by step, everything else a layer at a time.
    """

    def __init__(self, graph: Graph, hosts: Hosts | None = None) -> None:
        self.graph = graph
        self.shapes = graph.shapes
        self.hosts: dict[str, Host | GroupHost] = {}
        self._stages: list[tuple[tuple[Node, ...], _Cycle | None]] = []
        self._spent: list[tuple[str, ...]] = []
        groups = stages(graph)
        last_use = {name: i for i, group in enumerate(groups) for n in group for name in (*n.inputs, *n.feedback)}
        for i, group in enumerate(groups):
            self._stages.append((group, _Cycle(graph, group, self.shapes) if is_cycle(group) else None))
            touched = {name for n in group for name in (*n.inputs, *n.feedback, n.name)}
            self._spent.append(tuple({n for n in touched if last_use.get(n, -1) <= i} - set(graph.outputs)))
        for node in graph.nodes:
            chosen = hosts(node) if hosts is not None else None
            self.hosts[node.name] = FloatHost(node.operator) if chosen is None else chosen

    def __call__(
        self, inputs: Any, *, record: Record | None = None, hosts: Mapping[str, Host | GroupHost] | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """inputs: a tensor or array (..., *shape), or one per graph input in order or by name (or flat side by side).

        hosts: by node name, in place of those the evaluator was made with. A tuple is returned for several outputs.
        record: called with what each node gives; inside a group that is computed at once nothing is to be seen.
        """
        values = self._named(inputs)
        hosts = self.hosts if hosts is None else hosts
        for (group, cycle), spent in zip(self._stages, self._spent, strict=True):
            found = self._single(group[0], values, hosts) if cycle is None else cycle.run(values, _each(group, hosts))
            if record is not None:
                for name, value in found.items():
                    record(name, value)
            values.update(found)
            for name in spent:
                values.pop(name, None)
        outputs = tuple(values[name] for name in self.graph.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _single(
        self, node: Node, values: Mapping[str, torch.Tensor], hosts: Mapping[str, Host | GroupHost]
    ) -> dict[str, torch.Tensor]:
        host = hosts[node.name]
        if isinstance(host, GroupHost) and node.name != host.nodes[0].name:
            return {}  # computed with the first
        given = [values[name] for name in node.inputs]
        for name in node.feedback:  # from outside any cycle: a value one step late
            late = values[name]
            axis = late.dim() - len(self.shapes[name])
            late = torch.cat(
                [torch.zeros_like(late.narrow(axis, 0, 1)), late.narrow(axis, 0, late.shape[axis] - 1)], axis
            )
            given[0] = given[0] + late
        if isinstance(host, GroupHost):
            return {host.nodes[-1].name: host.compute(given)}
        return {node.name: node.operator.evaluate(given, host)}

    def _named(self, inputs: Any) -> dict[str, torch.Tensor]:
        expected = self.graph.input_shapes
        if not isinstance(inputs, Mapping):
            given = [inputs] if isinstance(inputs, torch.Tensor | np.ndarray) else list(inputs)
            if len(given) == 1 and len(expected) > 1:
                given = list(_apart(torch.as_tensor(given[0]), list(expected.values())))
            if len(given) != len(expected):
                raise InputError(f"{self.graph.name} takes {len(expected)} inputs, got {len(given)}")
            inputs = dict(zip(expected, given, strict=True))
        if set(inputs) != set(expected):
            raise InputError(f"inputs are {sorted(inputs)}, expected {sorted(expected)}")
        values: dict[str, torch.Tensor] = {}
        for name, shape in expected.items():
            value = torch.as_tensor(inputs[name])
            if not value.is_floating_point():
                raise InputError(f"input {name} has dtype {value.dtype}, expected floating point")
            if tuple(value.shape[value.dim() - len(shape) :]) != tuple(shape) or value.dim() < len(shape):
                raise InputError(f"input {name} has shape {tuple(value.shape)}, expected (..., {_listed(shape)})")
            values[name] = value
        return values


def _apart(joined: torch.Tensor, shapes: Sequence[Shape]) -> list[torch.Tensor]:
    """Several inputs that lie flat side by side along the last axis (`events.inputs.as_inputs`); else as it is."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    if joined.shape[-1] != sum(sizes):
        return [joined]
    return [v.reshape(*v.shape[:-1], *s) for v, s in zip(joined.split(sizes, -1), shapes, strict=True)]


def _each(cycle: Sequence[Node], hosts: Mapping[str, Host | GroupHost]) -> dict[str, Host]:
    """The hosts of a cycle's nodes; a step of a cycle has no place for a group that is computed at once."""
    found: dict[str, Host] = {}
    for node in cycle:
        host = hosts[node.name]
        if isinstance(host, GroupHost):
            raise InputError(f"{node.label} is part of a cycle and cannot be computed at once with other nodes")
        found[node.name] = host
    return found


def _listed(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))


def evaluate(
    graph: Graph, inputs: Any, *, hosts: Hosts | None = None, record: Record | None = None
) -> torch.Tensor | tuple[torch.Tensor, ...]:
    """The graph's output for inputs (..., *shape) with any leading axes; differentiable with respect to them.

    hosts(node) gives the host that multiplies for a node (None: exactly). record(name, value) is called with the
    output of each node in order. To evaluate often, keep an `Evaluator`.
    """
    return Evaluator(graph, hosts)(inputs, record=record)
