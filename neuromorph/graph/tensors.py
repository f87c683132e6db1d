"""Arrays of operators as torch tensors: conversion that is done once, number formats, leading axes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuromorph.graph.arrays import ShapeOnly, no_values

if TYPE_CHECKING:
    from neuromorph.graph.model import Host, NumberFormat, Operator

_converted: dict[int, dict[tuple[torch.dtype, torch.device], torch.Tensor]] = {}


def tensor_of(array: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """The array as a tensor of `like`'s dtype and device; converted once for as long as the array lives.

    Only read-only arrays are remembered: a writable one could change under its copy.
    """
    if isinstance(array, ShapeOnly):
        raise no_values("execution")
    if array.flags.writeable:
        return torch.tensor(array, dtype=like.dtype, device=like.device)
    known = _converted.get(id(array))
    if known is None:
        known = _converted[id(array)] = {}
        weakref.finalize(array, _converted.pop, id(array), None).atexit = False
    key = (like.dtype, like.device)
    if key not in known:
        with torch.inference_mode(False):  # what an execution converts first, training may use after it
            known[key] = torch.tensor(array, dtype=like.dtype, device=like.device)
    return known[key]


def parameter(operator: Operator, name: str, host: Host, like: torch.Tensor) -> torch.Tensor:
    """An array field as a tensor of `like`'s dtype and device: the host's value of it (trained, or as it is stored)."""
    return host.parameter(name, tensor_of(getattr(operator, name), like))


def add_bias(products: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """products + bias; in place where no gradient is asked for, since a host's products are nobody else's."""
    if products.requires_grad or bias.requires_grad:
        return products + bias
    return products.add_(bias)


def with_leading(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, sample_axes: int) -> torch.Tensor:
    """Applies a function of (batch, *sample) to (..., *sample) with any leading axes."""
    lead = x.shape[: x.dim() - sample_axes]
    if len(lead) == 1:
        return function(x)
    y = function(x.reshape(-1, *x.shape[x.dim() - sample_axes :]))
    return y.reshape(*lead, *y.shape[1:])


def along(values: np.ndarray, axis: int | None, dim: int) -> np.ndarray:
    """A scalar or 1-d array of scales shaped to broadcast along `axis` of an array with `dim` axes."""
    if values.ndim == 0 or values.size == 1:
        return values.reshape(())
    shape = [1] * dim
    shape[0 if axis is None else axis] = -1
    return values.reshape(shape)


class _RoundStraightThrough(torch.autograd.Function):
    """round() whose gradient is that of the identity (straight-through estimator)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


class _SignStraightThrough(torch.autograd.Function):
    """+1 for x >= 0, else -1; the gradient passes where |x| <= 1 (hard-tanh estimator)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, torch.ones_like(x), -torch.ones_like(x))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


class _StraightThrough(torch.autograd.Function):
    """x on its way forward replaced by other values of its shape; the gradient is that of the identity."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return value

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient, None


def straight_through(x: torch.Tensor, function: Callable[[np.ndarray], np.ndarray]) -> torch.Tensor:
    """A function of float64 arrays, applied to a tensor; gradients pass as if it changed nothing."""
    value = torch.from_numpy(np.ascontiguousarray(function(x.detach().cpu().double().numpy())))
    return _StraightThrough.apply(x, value.to(x))


def straight_round(x: torch.Tensor) -> torch.Tensor:
    """x rounded half to even; gradients pass."""
    rounded: torch.Tensor = _RoundStraightThrough.apply(x)
    return rounded


def clamped_round(x: torch.Tensor, limits: tuple[int, int]) -> torch.Tensor:
    """x rounded half to even, within limits; gradients pass the rounding and vanish beyond the limits."""
    return torch.clamp(_RoundStraightThrough.apply(x), *limits)


def straight_sign(x: torch.Tensor) -> torch.Tensor:
    """+1 for x >= 0, else -1; the gradient passes where |x| <= 1."""
    return _SignStraightThrough.apply(x)


def fake_quantize(x: torch.Tensor, number_format: NumberFormat | None) -> torch.Tensor:
    """The format's numbers nearest to x; None and floats of 32 bits and more leave x as it is.

    Gradients pass straight through the rounding; see the formats for where they vanish.
    """
    return x if number_format is None else number_format.apply(x)


def vector_of(values: np.ndarray, axis: int | None, x: torch.Tensor) -> torch.Tensor:
    """Scales as a tensor that broadcasts along `axis` of x."""
    converted = tensor_of(values, x)
    if values.size == 1:
        return converted.reshape(())
    return converted.reshape(along(values, axis, x.dim()).shape)
