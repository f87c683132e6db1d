"""Activation functions by the name that an operator asks its host for: what the float host computes, in torch.

A core whose converters or cells are the activation answers `Host.function` itself; their names and settings are these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional

from neuromorph.graph.operators.dynamics import fired
from neuromorph.graph.operators.mapped import TRIGONOMETRIC


def gelu(x: torch.Tensor, tanh_form: bool = False) -> torch.Tensor:
    """x Phi(x); tanh_form: Phi from the hyperbolic tangent."""
    return functional.gelu(x, approximate="tanh" if tanh_form else "none")


def softmax(x: torch.Tensor, axis: int, log: bool = False) -> torch.Tensor:
    """exp(x) / sum exp(x) along an axis, or its logarithm."""
    return x.log_softmax(axis) if log else x.softmax(axis)


def clip_floor(x: torch.Tensor, threshold: torch.Tensor, levels: int) -> torch.Tensor:
    """threshold clip(floor(x levels / threshold + 1/2) / levels, 0, 1); gradients pass straight through the floor."""
    shifted = x * (levels / threshold) + 0.5
    whole = shifted + (shifted.floor() - shifted).detach() if shifted.requires_grad else shifted.floor()
    return whole.clamp(0, levels) * (threshold / levels)


def hoyer_step(x: torch.Tensor, threshold: torch.Tensor, extremum: torch.Tensor) -> torch.Tensor:
    """1 where clip(x / threshold, 0, 1) >= extremum, else 0; gradients pass where 0 < x < threshold."""
    clipped = (x / threshold).clamp(0, 1)
    fires = (clipped >= extremum).to(clipped.dtype)
    return clipped + (fires - clipped).detach() if clipped.requires_grad else fires


def threshold(x: torch.Tensor, threshold: torch.Tensor, sign: torch.Tensor | None = None) -> torch.Tensor:
    """1 where sign (x - threshold) > 0, else 0, with the surrogate derivative of `dynamics.fired`."""
    return fired(x, threshold, sign, strict=True)


FUNCTIONS: Mapping[str, Callable[..., torch.Tensor]] = {
    "relu": torch.Tensor.relu,
    "sigmoid": torch.Tensor.sigmoid,
    "tanh": torch.Tensor.tanh,
    "clip": torch.Tensor.clamp,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "silu": functional.silu,
    "gelu": gelu,
    "softmax": softmax,
    "clip_floor": clip_floor,
    "hoyer_step": hoyer_step,
    "threshold": threshold,
    "abs": torch.abs,
    "ceil": torch.ceil,
    "celu": functional.celu,
    "cos": torch.cos,
    "erf": torch.erf,
    "exp": torch.exp,
    "floor": torch.floor,
    "hardshrink": functional.hardshrink,
    "log": torch.log,
    "logsigmoid": functional.logsigmoid,
    "mish": functional.mish,
    "pow": torch.pow,
    "reciprocal": torch.reciprocal,
    "round": torch.round,
    "rsqrt": torch.rsqrt,
    "selu": functional.selu,
    "sign": torch.sign,
    "sin": torch.sin,
    "softplus": functional.softplus,
    "softshrink": functional.softshrink,
    "softsign": functional.softsign,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "step": functional.threshold,
    **{name: getattr(torch, name) for name in TRIGONOMETRIC},
    "tanhshrink": functional.tanhshrink,
}
"""x (..., *shape) and the function's settings by name to a tensor of the same shape. Methods of tensors are called a
fifth faster than torch's functions, which counts where a recurrent cell asks five times a step."""


class ExactFunctions:
    """What a host answers that changes no parameter and no function; base of hosts that only multiply."""

    def parameter(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """The value as it is."""
        return value

    def function(self, name: str, x: torch.Tensor, **settings: Any) -> torch.Tensor:
        """The function of this name in `FUNCTIONS`."""
        return FUNCTIONS[name](x, **settings)
