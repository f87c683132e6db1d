"""Evaluation of a graph in floating point, or with any operator's products on a host of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from neuromorph.errors import InputError
from neuromorph.graph.model import Graph, Host, Node, Operator, Window
from neuromorph.graph.tensors import tensor_of, with_leading

Hosts = Callable[[Node], Host | None]
Record = Callable[[str, torch.Tensor], None]


class FloatHost:
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

    def parameter(self, name: str, like: torch.Tensor) -> torch.Tensor:
        """An array field of the operator (a bias) as a tensor."""
        if self.weights is not None and name in self.weights:
            return self.weights[name].to(like)
        return tensor_of(getattr(self.operator, name), like)

    def _matrix(self, name: str, like: torch.Tensor) -> torch.Tensor:
        """The matrix as torch's products take it: (cols, rows), or (cols, rows per group, kh, kw) for windows."""
        key = (like.dtype, like.device)
        known = self._matrices.get(key)
        if known is None:
            slots = self.operator.weight_slots
            known = self._matrices[key] = self._arranged({s.weight: self.parameter(s.weight, like) for s in slots})
        return known[name]

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


class Evaluator:
    """A graph ready to be evaluated many times: hosts are made once, their weights converted once.

    hosts: gives the host of a node, or None for the exact one. Values that no later node and no output needs
    are dropped as soon as they are used.
    """

    def __init__(self, graph: Graph, hosts: Hosts | None = None) -> None:
        self.graph = graph
        self.shapes = graph.shapes
        self.hosts: dict[str, Host] = {}
        self._spent: dict[str, tuple[str, ...]] = {}
        last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
        for i, node in enumerate(graph.nodes):
            chosen = hosts(node) if hosts is not None else None
            self.hosts[node.name] = FloatHost(node.operator) if chosen is None else chosen
            spent = {name for name in (*node.inputs, node.name) if last_use.get(name, -1) <= i}
            self._spent[node.name] = tuple(spent - set(graph.outputs))

    def __call__(
        self, inputs: Any, *, record: Record | None = None, hosts: Mapping[str, Host] | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """inputs: a tensor or array (..., *shape), or one per graph input in order or by name.

        hosts: by node name, in place of those the evaluator was made with. A tuple is returned for several outputs.
        """
        values = self._named(inputs)
        hosts = self.hosts if hosts is None else hosts
        for node in self.graph.nodes:
            result = node.operator.evaluate([values[name] for name in node.inputs], hosts[node.name])
            if record is not None:
                record(node.name, result)
            values[node.name] = result
            for name in self._spent[node.name]:
                values.pop(name, None)
        outputs = tuple(values[name] for name in self.graph.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _named(self, inputs: Any) -> dict[str, torch.Tensor]:
        expected = self.graph.input_shapes
        if not isinstance(inputs, Mapping):
            given = [inputs] if isinstance(inputs, torch.Tensor | np.ndarray) else list(inputs)
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
