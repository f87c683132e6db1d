"""What the torch importer knows of a value while it walks a traced model, and how it adds nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch

from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.arrays import shape_only
from neuromorph.graph.model import Node, Operator, Shape
from neuromorph.graph.operators.wiring import Flatten, Reshape, Select, Slice, Transpose
from neuromorph.importers.maps import Refused

BATCH = 2
"""Samples in the batch that a model is traced with."""


Conversion = Callable[..., Any]
FUNCTIONS: dict[str, Conversion] = {}
"""Conversions of functions by the name that torch functions, tensor methods and ATen operators share.

A conversion takes the builder and the call's arguments, with a `Value` in place of each tensor that depends on the
input, and returns a `Value` or a tuple of them.
"""


def converts(*names: str) -> Callable[[Conversion], Conversion]:
    """Registers a conversion under these names."""

    def register(function: Conversion) -> Conversion:
        FUNCTIONS.update(dict.fromkeys(names, function))
        return function

    return register


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the graph: the node that makes it, its per-sample shape, and where the batch axis stands.

    folded: so many sample axes after the batch axis are one tensor axis with it, as where a model reads the frames of
    a video, or the heads of attention, as samples.
    """

    name: str
    shape: Shape
    batch: int = 0
    folded: int = 0

    @property
    def full(self) -> Shape:
        """Shape of the traced tensor."""
        ends = self.batch + self.folded
        return (*self.shape[: self.batch], BATCH * prod(self.shape[self.batch : ends]), *self.shape[ends:])

    def axis(self, dim: int) -> int:
        """A tensor dimension as a sample axis counted from the end."""
        rank = len(self.full)
        dim = dim + rank if dim < 0 else dim
        if dim == self.batch:
            raise Refused("works along the batch axis", "samples must not mix")
        return dim - rank if dim > self.batch else dim - len(self.shape)

    def behind(self, dim: int) -> tuple[int, ...]:
        """The sample axes, from the front, that a tensor dimension stands for."""
        if dim == self.batch:
            return tuple(range(self.batch, self.batch + self.folded))
        return (dim if dim < self.batch else dim - 1 + self.folded,)


class Builder:
    """The nodes made so far. `place` names the part of the model being converted."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {}
        self.problems: list[Problem] = []
        self.module = ""
        self.label = ""
        self._operators: dict[Any, Operator] = {}
        self._kept: list[Any] = []
        self._derived: dict[Any, torch.Tensor] = {}

    def input(self, name: str, shape: Shape, batch: int) -> Value:
        """A graph input."""
        self.shapes[name] = shape
        return Value(name, shape, batch)

    def emit(self, operator: Operator, inputs: Sequence[Value], batch: int | None = None) -> Value:
        """Adds a node and returns its value; the batch axis stays where the first input has it unless said."""
        try:
            shape = operator.output_shape([v.shape for v in inputs])
        except InputError as error:
            raise Refused(error.problems[0].message, error.problems[0].hint) from None
        name = self._name(type(operator).__name__)
        self.nodes.append(Node(name, operator, tuple(v.name for v in inputs), self.module))
        self.shapes[name] = shape
        return Value(name, shape, inputs[0].batch if batch is None else batch, inputs[0].folded)

    def shared(self, tensors: Sequence[Any], settings: Any, make: Callable[[], Operator]) -> Operator:
        """One operator for all uses of the same weight tensors with the same settings."""
        key = (tuple(id(t) for t in tensors), settings)
        if key not in self._operators:
            self._operators[key] = make()
            self._kept.extend(tensors)  # an id stays unique while its object lives
        return self._operators[key]

    def derived(self, tensor: torch.Tensor, how: Any, make: Callable[[], torch.Tensor]) -> torch.Tensor:
        """What is made of a weight, the same object at every use, so that `shared` knows it again."""
        key = (id(tensor), how)
        if key not in self._derived:
            self._derived[key] = make()
            self._kept.append(tensor)
        return self._derived[key]

    def part(self, tensor: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Rows of a weight, the same object at every use."""
        return self.derived(tensor, (start, stop), lambda: tensor[start:stop])

    def refuse(self, operator: str, message: str, hint: str = "") -> None:
        place = Place(key=self.module or self.label)
        problem = Problem(f"{operator} {message}", place, hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def _name(self, kind: str) -> str:
        base = re.sub(r"\W+", "_", self.label or self.module or kind.lower()).strip("_") or kind.lower()
        name, n = base, 1
        while name in self.shapes:
            name, n = f"{base}_{n}", n + 1
        return name

    def reshaped(self, value: Value, full: Shape) -> Value:
        """The value read in another shape. The batch axis may move over axes of size 1 and take in axes after it."""
        if value.full == full:
            return value
        before = prod(value.shape[: value.batch])
        at = next((i for i, n in enumerate(full) if prod(full[:i]) == before and n != 1), None)
        if at is None or full[at] % BATCH:
            raise Refused("reshapes across the batch axis", "keep the samples apart")
        inside = full[at] // BATCH
        kept = value.shape[value.batch : value.batch + value.folded]
        if inside == prod(kept) and kept:
            target, folded = (*full[:at], *kept, *full[at + 1 :]), len(kept)
        else:
            target, folded = (*full[:at], *((inside,) if inside != 1 else ()), *full[at + 1 :]), int(inside != 1)
        if prod(target) != prod(value.shape):
            raise Refused("reshapes across the batch axis", "keep the samples apart")
        if target == value.shape:
            return replace(value, batch=at, folded=folded)
        if not target:
            raise Refused("leaves one number per sample without an axis", "keep a last axis of size 1")
        whole = len(target) == 1 and value.batch == 0
        made = self.emit(Flatten(len(value.shape)) if whole else Reshape(value.shape, target), [value])
        return replace(made, batch=at, folded=folded)

    def permuted(self, value: Value, order: Sequence[int]) -> Value:
        """Tensor axes in another order; output axis k is input axis order[k]."""
        rank = len(value.full)
        order = [k % rank for k in order]
        batch = order.index(value.batch)
        sample = tuple(axis for k in order for axis in value.behind(k))
        if sample == tuple(range(len(sample))):
            return replace(value, batch=batch)
        return replace(self.emit(Transpose(sample), [value]), batch=batch)

    def selected(self, value: Value, dim: int, index: int) -> Value:
        """One slice of an axis, which disappears."""
        dim %= len(value.full)
        axis = value.axis(dim)
        size = value.shape[axis]
        index = index if index < 0 else index - size if index == size - 1 else index
        return self.emit(Select(axis, index), [value], value.batch - (dim < value.batch))

    def sliced(self, value: Value, dim: int, start: int | None, stop: int | None, step: int | None = None) -> Value:
        """Part of an axis."""
        whole = start in (0, None) and (stop is None or stop >= value.full[dim]) and step in (1, None)
        if whole:
            return value
        axis = value.axis(dim)
        first, last, stride = slice(start, stop, step).indices(value.shape[axis])
        return self.emit(Slice(axis, first, last, stride), [value])


def optional_array(tensor: Any, what: str) -> np.ndarray | None:
    """As `array`; None stays None."""
    return None if tensor is None else array(tensor, what)


def array(tensor: Any, what: str) -> np.ndarray:
    """A parameter as float64; refused where it holds NaN or Inf."""
    if not isinstance(tensor, torch.Tensor):
        raise Refused(f"has a {what} that depends on the input", "weights must be constant")
    if not tensor.is_floating_point():
        raise Refused(f"has a {what} of dtype {tensor.dtype}", "give floating-point weights")
    if tensor.is_meta:
        return shape_only(tuple(tensor.shape))
    values = tensor.detach().cpu().to(torch.float64).numpy()
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise Refused(f"has a {what} with {bad} of {values.size} values NaN or Inf", "train or load it again")
    return values
