"""Operators with one weight array, and the fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.arrays import ShapeOnly
from neuromorph.graph.model import Host, Matrix, NumberFormat, Operator, Shape, WeightSlot, frozen_array

if TYPE_CHECKING:
    import torch


def single(shapes: Sequence[Shape]) -> Shape:
    """The shape of an operator's only input."""
    if len(shapes) != 1:
        raise InputError(f"takes one input, got {len(shapes)}")
    return shapes[0]


def positive_size(shape: Shape) -> int:
    """Number of elements of one sample."""
    return int(np.prod(shape, dtype=np.int64))


def freeze_weight(operator: Operator, weight: str, mask: str) -> None:
    """Makes a weight and its mask read-only, checks that their shapes agree, and zeroes what is pruned."""
    values = getattr(operator, weight)
    if not isinstance(values, ShapeOnly):
        values = np.asarray(values, dtype=np.float64)
    kept = getattr(operator, mask)
    if kept is not None:
        kept = frozen_array(kept, np.bool_)
        if kept.shape != values.shape:
            raise InputError(f"{mask} has shape {kept.shape}, {weight} has {values.shape}", hint="give both one shape")
        if not isinstance(values, ShapeOnly) and np.any(values[~kept]):
            values = np.where(kept, values, 0.0)
        object.__setattr__(operator, mask, kept)
    object.__setattr__(operator, weight, frozen_array(values))


def check_format(number_format: NumberFormat | None, name: str, shape: Shape) -> None:
    """What a format has per channel must run along an axis of the array that is as long."""
    if number_format is not None:
        number_format.check(name, shape)


def check_input_format(number_format: NumberFormat | None, name: str) -> None:
    """Inputs share one scale: a matrix product cannot take scales that vary along what it sums over."""
    check_format(number_format, name, ())


def freeze_vector(operator: Operator, name: str, size: int) -> None:
    """Makes an optional vector field read-only and checks its length."""
    values = getattr(operator, name)
    if values is None:
        return
    values = frozen_array(values)
    if values.shape != (size,):
        raise InputError(f"{name} has shape {values.shape}, expected ({size},): one value per output")
    object.__setattr__(operator, name, values)


@dataclass(frozen=True, eq=False)
class Weighted(Operator):
    """Base of operators with one weight array, outputs along its axis 0.

    weight: float64, zero where mask is False, on the grid of weight_format where that is set.
    bias: (outputs,) or None. mask: bool, shape of weight, False where pruned.
    input_format: the input is rounded to it before the product, whoever multiplies.
    """

    role: ClassVar[str] = "matrix"
    weight_slots: ClassVar[tuple[WeightSlot, ...]] = (WeightSlot("weight", "mask", "weight_format"),)
    weight_axes: ClassVar[int] = 2

    weight: np.ndarray
    bias: np.ndarray | None = None
    mask: np.ndarray | None = None
    weight_format: NumberFormat | None = None
    input_format: NumberFormat | None = None

    def __post_init__(self) -> None:
        freeze_weight(self, "weight", "mask")
        if self.weight.ndim != self.weight_axes or 0 in self.weight.shape:
            raise InputError(f"weight has shape {self.weight.shape}, expected {self.weight_axes} non-empty axes")
        freeze_vector(self, "bias", self.weight.shape[0])
        check_format(self.weight_format, "weight_format", self.weight.shape)
        check_input_format(self.input_format, "input_format")

    def matrix(self, **geometry: Any) -> Matrix:
        """The operator's only matrix, named "weight"."""
        arrays = self.weight_matrices({"weight": self.weight})
        mask = None if self.mask is None else self.weight_matrices({"weight": self.mask})["weight"]
        return Matrix(
            name="weight",
            weight=arrays["weight"],
            mask=mask,
            weight_format=self.weight_format,
            input_format=self.input_format,
            **geometry,
        )

    def operations(self, shapes: Sequence[Shape]) -> int:
        """One add per output where there is a bias."""
        return 0 if self.bias is None else positive_size(self.output_shape(shapes))


@final
@dataclass(frozen=True, eq=False)
class Linear(Weighted):
    """y = x W^T + b along the last axis.

    weight: (out, in). Input (in,) or (time, in), output (out,) or (time, out).
    """

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        if not shape or shape[-1] != self.weight.shape[1]:
            raise InputError(f"input has shape {shape}, the last axis must have {self.weight.shape[1]} elements")
        return (*shape[:-1], self.weight.shape[0])

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import add_bias, fake_quantize, parameter

        x = fake_quantize(inputs[0], self.input_format)
        y = host.linear("weight", x)
        return y if self.bias is None else add_bias(y, parameter(self, "bias", host, y))

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
        shape = single(shapes)
        return (self.matrix(products=positive_size(shape[:-1]), input_shape=shape),)

    def weight_matrices(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        return {"weight": weights["weight"].swapaxes(0, 1)[None]}
