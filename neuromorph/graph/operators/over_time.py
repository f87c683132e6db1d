"""Operators whose output at a step depends on the steps before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import InputError, Problem
from neuromorph.graph.model import Host, Operator, Shape, frozen_array

if TYPE_CHECKING:
    import torch


class OverTime(Operator):
    """Base of operators with state. Samples are (steps, *features); `rank` is the number of feature axes.

    `evaluate` runs all steps; `begin` and `advance` run one at a time, for the nodes of a cycle.
    """

    @property
    def rank(self) -> int:
        """Number of feature axes."""
        raise TypeError(f"{type(self).__name__} defines no rank")

    def begin(self, like: torch.Tensor) -> Any:
        """The state before the first step. like: a tensor of the dtype and device to compute in."""
        raise TypeError(f"{type(self).__name__} defines no begin")

    def advance(self, x: torch.Tensor, state: Any, host: Host) -> torch.Tensor:
        """One step: x (..., *features) to the output of this step; changes the state."""
        raise TypeError(f"{type(self).__name__} defines no advance")

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        (x,) = inputs
        axis = x.dim() - self.rank - 1
        state = self.begin(x)
        return torch.stack([self.advance(x_t, state, host) for x_t in x.unbind(axis)], dim=axis)


def time_first(shape: Shape, rank: int) -> Shape:
    """The feature axes of (steps, *features); InputError where there is no time axis."""
    if len(shape) != rank + 1:
        names = "(steps, features)" if rank == 1 else f"(steps, and {rank} axes of features)"
        raise InputError(f"input has shape {shape}, expected {names}", hint="samples over time: steps come first")
    return shape[1:]


def freeze_features(operator: Operator, names: Sequence[str]) -> Shape:
    """Makes parameters read-only float64 arrays of one shape, that of the features; scalars are repeated.

    Fields that are None stay so. Raises InputError with every field that does not fit or is not a number.
    """
    arrays = {n: np.asarray(getattr(operator, n), np.float64) for n in names if getattr(operator, n) is not None}
    problems = [f"{n} is not a number" for n, a in arrays.items() if np.isnan(a).any()]
    try:
        shape = np.broadcast_shapes(*(a.shape for a in arrays.values()))
    except ValueError:
        shape = ()
        problems.append("parameters have shapes " + ", ".join(f"{n} {a.shape}" for n, a in arrays.items()))
    if not problems and not shape:
        problems.append("parameters are scalars")
    if problems:
        raise InputError([Problem(p, hint="finite arrays of the layer's feature shape") for p in problems])
    for name, array in arrays.items():
        full = array if array.shape == shape else np.broadcast_to(array, shape).copy()
        object.__setattr__(operator, name, frozen_array(full))
    return tuple(int(n) for n in shape)


def require(operator: Operator, names: Sequence[str], *, positive: bool = False) -> None:
    """Raises InputError where one of these arrays is infinite, or (positive) not above zero."""
    problems: list[str] = []
    for name in names:
        array = getattr(operator, name)
        if array is None:
            continue
        bad = ~np.isfinite(array) | ((array <= 0) if positive else False)
        if bad.any():
            problems.append(f"{name} is {float(array[bad][0])!r} at {_first(bad)}")
    if problems:
        hint = "finite and above 0" if positive else "finite numbers"
        raise InputError([Problem(p, hint=hint) for p in problems])


def _first(bad: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(bad)[0])
