"""A graph as a torch module, so that any training loop can train it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from neuromorph.graph.evaluate import Evaluator, FloatHost, Hosts, Record
from neuromorph.graph.model import Graph, GroupHost, Host, Node, Operator
from neuromorph.graph.tensors import fake_quantize


class _Arrays(nn.Module):
    """The trainable arrays of one operator, and its masks as buffers."""

    def __init__(self, operator: Operator, dtype: torch.dtype) -> None:
        super().__init__()
        self.operator = operator
        masks = {slot.mask for slot in operator.weight_slots}
        for name, array in operator.arrays().items():
            if name in masks:
                self.register_buffer(name, torch.tensor(array))
            elif name not in operator.fixed:
                self.register_parameter(name, nn.Parameter(torch.tensor(array, dtype=dtype)))

    def values(self, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
        """Every array as the operator uses it: masked, and rounded to its number format."""
        found = {name: p if dtype is None else p.to(dtype) for name, p in self.named_parameters()}
        for slot in self.operator.weight_slots:
            if getattr(self.operator, slot.mask) is not None:
                found[slot.weight] = found[slot.weight] * getattr(self, slot.mask)
            found[slot.weight] = fake_quantize(found[slot.weight], getattr(self.operator, slot.format))
            if getattr(self.operator, slot.mask) is not None and getattr(self.operator, slot.format) is not None:
                found[slot.weight] = found[slot.weight] * getattr(self, slot.mask)
        return found


class _TrainedHost:
    """A host of someone else's, with the module's own biases and scales."""

    def __init__(self, host: Host, values: Mapping[str, torch.Tensor]) -> None:
        self.host, self.values = host, values

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self.host.linear(matrix, x)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self.host.conv(matrix, x)

    def parameter(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """The host's value of what is trained, and of what is not."""
        return self.host.parameter(name, self.values[name].to(value) if name in self.values else value)

    def function(self, name: str, x: torch.Tensor, **settings: Any) -> torch.Tensor:
        return self.host.function(name, x, **settings)


class GraphModule(nn.Module):
    """The graph with its weights, biases, scales and shifts as parameters named `node.field`.

    In every forward pass pruned weights are zeroed by their mask and weights with a number format are rounded
    to its grid; gradients pass straight through the rounding. Nodes that share one operator share parameters.
    """

    def __init__(self, graph: Graph, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.graph = graph
        self._evaluator = Evaluator(graph)
        self._owner: dict[str, str] = {}
        owners: dict[int, str] = {}
        taken = set(dir(nn.Module)) | {"graph", "matrices", "to_graph"}
        for node in graph.nodes:
            key = id(node.operator)
            if key not in owners:
                arrays = _Arrays(node.operator, dtype)
                if not list(arrays.parameters()):
                    continue
                name = node.name.replace(".", "_")
                while name in taken:
                    name += "_"
                taken.add(name)
                self.add_module(name, arrays)
                owners[key] = name
            self._owner[node.name] = owners[key]

    def values(self, node: str, dtype: torch.dtype | None = None) -> dict[str, torch.Tensor]:
        """The node's arrays by field name as used in a forward pass, differentiable; {} where it has none."""
        owner = self._owner.get(node)
        return {} if owner is None else self.get_submodule(owner).values(dtype)  # type: ignore[operator]

    def matrices(self, node: str) -> dict[str, torch.Tensor]:
        """The node's weight matrices (groups, rows, cols) by name, differentiable: what a device host programs."""
        return self.graph[node].operator.weight_matrices(self.values(node))

    def forward(
        self, x: Any, hosts: Hosts | None = None, record: Record | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """x as for `evaluate`. hosts(node) may give a host of one's own; None multiplies exactly. A host that computes
        several nodes at once answers for their parameters itself (see `values`)."""
        by_owner: dict[str, dict[str, torch.Tensor]] = {}
        chosen: dict[str, Host | GroupHost] = {}
        for node in self.graph.nodes:
            owner = self._owner.get(node.name)
            if owner is not None and owner not in by_owner:
                by_owner[owner] = self.values(node.name)
            values = {} if owner is None else by_owner[owner]
            host = None if hosts is None else hosts(node)
            if isinstance(host, GroupHost):
                chosen[node.name] = host
            else:
                chosen[node.name] = FloatHost(node.operator, values) if host is None else _TrainedHost(host, values)
        return self._evaluator(x, record=record, hosts=chosen)

    @torch.no_grad()
    def to_graph(self) -> Graph:
        """The graph with the parameters' present values, weights masked and on their formats' grids."""
        made: dict[str, Operator] = {}
        nodes: list[Node] = []
        for node in self.graph.nodes:
            owner = self._owner.get(node.name)
            if owner is None:
                nodes.append(node)
                continue
            if owner not in made:
                arrays = {k: v.cpu().numpy() for k, v in self.values(node.name, torch.float64).items()}
                made[owner] = dataclasses.replace(node.operator, **arrays)
            nodes.append(dataclasses.replace(node, operator=made[owner]))
        return dataclasses.replace(self.graph, nodes=tuple(nodes))
