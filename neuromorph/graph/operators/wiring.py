"""Operators that move or reinterpret data and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Host, Operator, Shape, frozen_array
from neuromorph.graph.operators.activation import check_axes
from neuromorph.graph.operators.dense import positive_size, single

if TYPE_CHECKING:
    import torch


class Wiring(Operator):
    """Base of operators without arithmetic."""

    role: ClassVar[str] = "wiring"


@final
@dataclass(frozen=True, eq=False)
class Flatten(Wiring):
    """Joins the last `axes` axes into one, the last running fastest."""

    axes: int = 3

    def __post_init__(self) -> None:
        if self.axes < 1:
            raise InputError(f"axes is {self.axes}, expected 1 or more")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        if len(shape) < self.axes:
            raise InputError(f"input has shape {shape}, expected {self.axes} axes or more")
        kept = len(shape) - self.axes
        return (*shape[:kept], positive_size(shape[kept:]))

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return inputs[0].flatten(-self.axes) if self.axes > 1 else inputs[0]


@final
@dataclass(frozen=True, eq=False)
class Reshape(Wiring):
    """Reads a sample of shape `source` as one of shape `target`, in row-major order."""

    source: Shape
    target: Shape

    def __post_init__(self) -> None:
        if positive_size(self.source) != positive_size(self.target) or min(self.source + self.target, default=1) < 1:
            raise InputError(f"{self.source} cannot be read as {self.target}: the element counts differ")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if single(shapes) != self.source:
            raise InputError(f"input has shape {shapes[0]}, expected {self.source}")
        return self.target

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        x = inputs[0]
        return x.reshape((*x.shape[: x.dim() - len(self.source)], *self.target))


@final
@dataclass(frozen=True, eq=False)
class Transpose(Wiring):
    """Permutes the last n axes: output axis k of these is input axis order[k], a permutation of 0..n-1."""

    order: tuple[int, ...] = (1, 0)

    def __post_init__(self) -> None:
        if sorted(self.order) != list(range(len(self.order))) or not self.order:
            raise InputError(f"order {self.order} is not a permutation of 0..{len(self.order) - 1}")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        n = len(self.order)
        if len(shape) < n:
            raise InputError(f"input has shape {shape}, expected {n} axes or more")
        kept = len(shape) - n
        return (*shape[:kept], *(shape[kept + k] for k in self.order))

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        x = inputs[0]
        kept = x.dim() - len(self.order)
        return x.permute(*range(kept), *(kept + k for k in self.order))


@final
@dataclass(frozen=True, eq=False)
class Select(Wiring):
    """One slice along an axis, which disappears; by default the last time step of (time, features)."""

    axis: int = -2
    index: int = -1

    def __post_init__(self) -> None:
        check_axes(self.axis)

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(self.axis, rank=len(shape))
        if not -shape[self.axis] <= self.index < shape[self.axis]:
            raise InputError(f"index {self.index} lies outside axis {self.axis} of {shape}")
        dropped = len(shape) + self.axis
        return shape[:dropped] + shape[dropped + 1 :]

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        return inputs[0].select(self.axis, self.index)


@final
@dataclass(frozen=True, eq=False)
class Slice(Wiring):
    """The elements start, start + step, ... below stop along an axis."""

    axis: int
    start: int
    stop: int
    step: int = 1

    def __post_init__(self) -> None:
        check_axes(self.axis)
        if self.start < 0 or self.stop <= self.start or self.step < 1:
            raise InputError(f"slice {self.start}:{self.stop}:{self.step} is empty or counts from the end")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(self.axis, rank=len(shape))
        if self.stop > shape[self.axis]:
            raise InputError(f"slice ends at {self.stop}, axis {self.axis} of {shape} ends before")
        cut = len(shape) + self.axis
        return (*shape[:cut], len(range(self.start, self.stop, self.step)), *shape[cut + 1 :])

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        kept = inputs[0].movedim(self.axis, 0)[self.start : self.stop : self.step]
        return kept.movedim(0, self.axis)


@final
@dataclass(frozen=True, eq=False)
class Pad(Wiring):
    """Zeros, or another value, before and after the elements of an axis."""

    axis: int
    before: int = 0
    after: int = 0
    value: float = 0.0

    def __post_init__(self) -> None:
        check_axes(self.axis)
        if self.before < 0 or self.after < 0:
            raise InputError(f"pads by {self.before} and {self.after}, expected 0 or more")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(self.axis, rank=len(shape))
        at = len(shape) + self.axis
        return (*shape[:at], shape[at] + self.before + self.after, *shape[at + 1 :])

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from torch.nn.functional import pad

        return pad(inputs[0], (*(0, 0) * (-self.axis - 1), self.before, self.after), value=self.value)


@final
@dataclass(frozen=True, eq=False)
class Concat(Wiring):
    """The inputs one after the other along an axis; -3 joins channels of maps, -1 vectors."""

    axis: int = -3

    def __post_init__(self) -> None:
        check_axes(self.axis)

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if not shapes:
            raise InputError("takes one or more inputs, got none")
        check_axes(self.axis, rank=len(shapes[0]))
        cut = len(shapes[0]) + self.axis
        rest = {(shape[:cut], shape[cut + 1 :]) for shape in shapes}
        if len(rest) != 1 or len({len(shape) for shape in shapes}) != 1:
            raise InputError(f"inputs have shapes {', '.join(map(str, shapes))}: only axis {self.axis} may differ")
        return (*shapes[0][:cut], sum(shape[cut] for shape in shapes), *shapes[0][cut + 1 :])

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        rank = -self.axis
        lead = torch.broadcast_shapes(*(x.shape[: x.dim() - rank] for x in inputs))
        return torch.cat([x.expand(*lead, *x.shape[x.dim() - rank :]) for x in inputs], dim=self.axis)


@final
@dataclass(frozen=True, eq=False)
class Take(Wiring):
    """The elements indices[0], indices[1] ... along an axis: repeats, mirrored or wrapped borders, enlarged maps."""

    axis: int
    indices: tuple[int, ...]

    def __post_init__(self) -> None:
        check_axes(self.axis)
        if not self.indices or min(self.indices) < 0:
            raise InputError(f"indices {self.indices[:8]} are empty or count from the end")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(self.axis, rank=len(shape))
        if max(self.indices) >= shape[self.axis]:
            raise InputError(f"index {max(self.indices)} lies outside axis {self.axis} of {shape}")
        at = len(shape) + self.axis
        return (*shape[:at], len(self.indices), *shape[at + 1 :])

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        return inputs[0].index_select(
            inputs[0].dim() + self.axis, torch.as_tensor(self.indices, device=inputs[0].device)
        )


@final
@dataclass(frozen=True, eq=False)
class Constant(Wiring):
    """The same values for every sample, whatever its input of `axes` axes, which only says how many there are."""

    content: np.ndarray
    axes: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", frozen_array(self.content))

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        if len(single(shapes)) != self.axes:
            raise InputError(f"input has shape {shapes[0]}, expected {self.axes} axes")
        return tuple(self.content.shape)

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import parameter

        x = inputs[0]
        return parameter(self, "content", host, x).expand(*x.shape[: x.dim() - self.axes], *self.content.shape)
