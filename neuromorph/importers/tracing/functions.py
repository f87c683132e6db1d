"""Conversions of functions that compute without weights: activations, reductions, arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import torch

from neuromorph.graph.model import Operator
from neuromorph.graph.operators import activation, pooling
from neuromorph.graph.operators.arithmetic import Add, Multiply
from neuromorph.graph.operators.mapped import MAPS, Map, PReLU
from neuromorph.graph.operators.pairwise import Pairwise
from neuromorph.graph.operators.reducing import Reduce
from neuromorph.importers.maps import LOWEST, collapsed, power
from neuromorph.importers.maps import affine as affine_operator
from neuromorph.importers.tracing.layers import Unavailable
from neuromorph.importers.tracing.values import Builder, Conversion, Refused, Value, array, converts


@converts("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout")
def _dropout(b: Builder, x: Value, p: float = 0.5, training: bool = True, inplace: bool = False) -> Value:
    if training and p > 0:
        raise Refused("drops values in eval mode too", "pass training=self.training, or use a Dropout layer")
    return x


@converts(
    "identity",
    "contiguous",
    "clone",
    "requires_grad",
    "half",
    "bfloat16",
    "cpu",
    "cuda",
    "dequantize",
    "detach",
    "to",
    "type",
    "type_as",
    "float",
    "double",
    "alias",
    "_to_copy",
    "lift_fresh_copy",
)
def _same(b: Builder, x: Value, *_: Any, **__: Any) -> Value:
    return x


def _activation(operator: Operator) -> Conversion:
    def convert(b: Builder, x: Value, inplace: bool = False) -> Value:
        return b.emit(operator, [x])

    return convert


for _name, _operator in {
    "relu": activation.ReLU(),
    "relu6": activation.ReLU6(),
    "sigmoid": activation.Sigmoid(),
    "tanh": activation.Tanh(),
    "hardsigmoid": activation.HardSigmoid(),
    "hardswish": activation.HardSwish(),
    "silu": activation.SiLU(),
}.items():
    converts(_name)(_activation(_operator))


for _name, _alias in (*zip(MAPS, MAPS, strict=True), ("log_sigmoid", "logsigmoid"), ("threshold", "step")):

    def _mapped(b: Builder, x: Value, *given: Any, _name: str = _alias, **named: Any) -> Value:
        defaults = {"alpha": 1.0, "beta": 1.0, "threshold": 20.0, "lambd": 0.5}
        names = MAPS[_name].parameters
        values: Iterable[Any] = (
            given[i] if i < len(given) else named.get(n, defaults.get(n)) for i, n in enumerate(names)
        )
        return b.emit(Map(_name, tuple(float(v) for v in values)), [x])

    if _name not in ("pow", "round"):
        converts(_name)(_mapped)


@converts("round")
def _round(b: Builder, x: Value, decimals: int = 0) -> Value:
    return _affine(b, b.emit(Map("round"), [_affine(b, x, 10.0**decimals)]), 10.0**-decimals)


@converts("pow", "ipow")
def _pow(b: Builder, x: Any, exponent: Any) -> Value:
    if not isinstance(x, Value) or not isinstance(exponent, int | float):
        raise Refused("has an exponent that is no number", "give a number")
    operator = power(exponent)
    return x if operator is None else b.emit(operator, [x])


@converts("rrelu")
def _rrelu(b: Builder, x: Value, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *_: Any) -> Value:
    if training:
        raise Refused("draws slopes in eval mode too", "pass training=self.training")
    return b.emit(activation.LeakyReLU((lower + upper) / 2), [x])


@converts("prelu")
def _prelu(b: Builder, x: Value, weight: Any) -> Value:
    slope = array(weight, "weight").reshape(-1)
    return b.emit(PReLU(slope, x.axis(1) if slope.size > 1 else -1), [x])


@converts("glu")
def _glu(b: Builder, x: Value, dim: int = -1) -> Value:
    half = x.full[dim] // 2
    at = dim % len(x.full)
    gate = b.emit(activation.Sigmoid(), [b.sliced(x, at, half, 2 * half)])
    return b.emit(Multiply(), [b.sliced(x, at, 0, half), gate])


@converts("softmin")
def _softmin(b: Builder, x: Value, dim: int | None = None, *_: Any, **__: Any) -> Value:
    return _softmax(b, _neg(b, x), dim)


@converts("leaky_relu")
def _leaky(b: Builder, x: Value, negative_slope: float = 0.01, inplace: bool = False) -> Value:
    return b.emit(activation.LeakyReLU(float(negative_slope)), [x])


@converts("elu")
def _elu(
    b: Builder, x: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0, inplace: bool = False
) -> Value:
    y = b.emit(activation.ELU(float(alpha)), [_affine(b, x, float(input_scale))])
    return _affine(b, y, 1.0 if scale in (True, False) else float(scale))


@converts("gelu")
def _gelu(b: Builder, x: Value, approximate: str = "none") -> Value:
    return b.emit(activation.GELU(approximate == "tanh"), [x])


@converts("hardtanh")
def _hardtanh(b: Builder, x: Value, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Value:
    return _clip(b, x, min_val, max_val)


@converts("clamp", "clip", "clamp_min")
def _clip(b: Builder, x: Value, min: Any = None, max: Any = None) -> Value:
    if any(isinstance(limit, Value | torch.Tensor) for limit in (min, max)):
        raise Refused("has limits that are tensors", "give numbers")
    if (min, max) == (0, None):
        return b.emit(activation.ReLU(), [x])
    if (min, max) == (0, 6):
        return b.emit(activation.ReLU6(), [x])
    return b.emit(activation.Clip(*(None if v is None else float(v) for v in (min, max))), [x])


@converts("clamp_max")
def _clamp_max(b: Builder, x: Value, max: float) -> Value:
    return _clip(b, x, None, max)


@converts("softmax")
def _softmax(b: Builder, x: Value, dim: int | None = None, *_: Any, **__: Any) -> Value:
    return b.emit(activation.Softmax(x.axis(_softmax_dim(dim, x))), [x])


@converts("log_softmax")
def _log_softmax(b: Builder, x: Value, dim: int | None = None, *_: Any, **__: Any) -> Value:
    return b.emit(activation.Softmax(x.axis(_softmax_dim(dim, x)), log=True), [x])


def _softmax_dim(dim: int | None, x: Value) -> int:
    """torch's rule for a dim left out: 0 on 1 or 3 axes, else 1."""
    return dim if dim is not None else (0 if len(x.full) in (1, 3) else 1)


@converts("mean")
def _mean(b: Builder, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    return _reduced(b, x, dim, keepdim, pooling.GlobalAvgPool)


@converts("amax")
def _amax(b: Builder, x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    return _reduced(b, x, dim, keepdim, pooling.GlobalMaxPool)


@converts("amin")
def _amin(b: Builder, x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    return _reduced(b, x, dim, keepdim, partial(Reduce, "minimum"))


@converts("max")
def _maximum_along(b: Builder, x: Value, dim: Any = None, keepdim: bool = False) -> Any:
    if isinstance(dim, Value):
        return _joined(b, Pairwise("maximum"), x, dim)
    return _amax(b, x, dim, keepdim), Unavailable("the places of the maxima")


@converts("min")
def _minimum_along(b: Builder, x: Value, dim: Any = None, keepdim: bool = False) -> Any:
    if isinstance(dim, Value):
        return _minimum(b, x, dim)
    return _amin(b, x, dim, keepdim), Unavailable("the places of the minima")


@converts("maximum")
def _maximum(b: Builder, x: Any, other: Any) -> Value:
    if isinstance(x, Value) and isinstance(other, Value):
        return _joined(b, Pairwise("maximum"), x, other)
    return _neg(b, _minimum(b, _negated(b, x), _negated(b, other)))


@converts("minimum")
def _minimum(b: Builder, x: Any, other: Any) -> Value:
    if isinstance(x, Value) and isinstance(other, Value):
        return _joined(b, Pairwise("minimum"), x, other)
    raise Refused("compares with a constant tensor", "use clamp with numbers")


def _negated(b: Builder, x: Any) -> Any:
    return _neg(b, x) if isinstance(x, Value) else -x


@converts("sum")
def _sum(b: Builder, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    mean = _mean(b, x, dim, keepdim)
    dims = [dim] if isinstance(dim, int) else dim
    return _affine(b, mean, float(np.prod([x.full[d] for d in dims])))


@converts("var")
def _var(
    b: Builder, x: Value, dim: Any = None, unbiased: bool = True, keepdim: bool = False, correction: Any = None
) -> Value:
    dims = [dim] if isinstance(dim, int) else dim
    square = b.emit(Map("square"), [_sub(b, x, _mean(b, x, dim, True))])
    n = float(np.prod([x.full[d] for d in dims or ()]))
    less = float(unbiased) if correction is None else float(correction)
    return _affine(b, _mean(b, square, dim, keepdim), n / (n - less))


@converts("std")
def _std(b: Builder, x: Value, *args: Any, **named: Any) -> Value:
    return b.emit(Map("sqrt"), [_var(b, x, *args, **named)])


def _reduced(b: Builder, x: Value, dim: Any, keepdim: bool, cls: Any) -> Value:
    if dim is None or dim in ([], ()):
        raise Refused("reduces all axes, the batch axis too", "name the axes")
    dims = [int(d) % len(x.full) for d in ([dim] if isinstance(dim, int) else dim)]
    axes = tuple(sorted(x.axis(d) for d in dims))
    if len(axes) == len(x.shape) and not keepdim:
        raise Refused("leaves one number per sample without an axis", "use keepdim=True")
    batch = x.batch if keepdim else x.batch - sum(d < x.batch for d in dims)
    return b.emit(cls(axes, bool(keepdim)), [x], batch)


@converts("add", "iadd", "radd")
def _add(b: Builder, x: Any, other: Any, alpha: float = 1) -> Value:
    if isinstance(x, Value) and isinstance(other, Value):
        if alpha != 1:
            raise Refused(f"has alpha={alpha}", "scale before")
        return _joined(b, Add(), x, other)
    return _affine(b, x, shift=other, factor=alpha) if isinstance(x, Value) else _affine(b, other, shift=x)


@converts("sub", "isub", "subtract")
def _sub(b: Builder, x: Any, other: Any, alpha: float = 1) -> Value:
    if isinstance(x, Value) and isinstance(other, Value):
        return _joined(b, Add(), x, _affine(b, other, scale=-alpha))
    if isinstance(x, Value):
        return _affine(b, x, shift=other, factor=-alpha)
    return _affine(b, other, scale=-alpha, shift=x)


@converts("rsub")
def _rsub(b: Builder, x: Any, other: Any, alpha: float = 1) -> Value:
    return _sub(b, other, x, alpha)


@converts("mul", "imul", "multiply")
def _mul(b: Builder, x: Any, other: Any) -> Value:
    if isinstance(x, Value) and isinstance(other, Value):
        return _joined(b, Multiply(), x, other)
    return _affine(b, x, scale=other) if isinstance(x, Value) else _affine(b, other, scale=x)


@converts("div", "truediv", "itruediv", "true_divide", "divide")
def _div(b: Builder, x: Any, other: Any, rounding_mode: str | None = None) -> Value:
    if rounding_mode is not None:
        raise Refused(f"rounds the quotient ({rounding_mode})", "divide, then use floor")
    if isinstance(other, Value):
        if isinstance(x, Value):
            return _joined(b, Pairwise("divide"), x, other)
        return _mul(b, x, b.emit(Map("reciprocal"), [other]))
    return _affine(b, x, scale=1.0 / other)


@converts("neg")
def _neg(b: Builder, x: Value) -> Value:
    return _affine(b, x, scale=-1.0)


@converts("masked_fill")
def _masked_fill(b: Builder, x: Value, mask: Any, value: Any) -> Value:
    if isinstance(mask, Value) or isinstance(value, Value):
        raise Refused("has a mask or a value that depends on the input", "give constants")
    keep = (~mask).to(torch.float64)
    return _affine(b, x, keep, torch.zeros_like(keep).masked_fill(mask, float(value)))


@converts("where")
def _where(b: Builder, mask: Any, x: Any, other: Any) -> Value:
    if isinstance(mask, Value):
        raise Refused("chooses by values of the input", "use a ReLU, a clamp or a product with a gate")
    parts = [(x, mask), (other, ~mask)]
    values = [_affine(b, v, keep.to(torch.float64)) for v, keep in parts if isinstance(v, Value)]
    if len(values) == 2:
        return _joined(b, Add(), *values)
    constant, keep = next((v, keep) for v, keep in parts if not isinstance(v, Value))
    return _affine(b, values[0], 1.0, torch.where(keep, torch.as_tensor(constant, dtype=torch.float64), 0.0))


def _joined(b: Builder, operator: Operator, x: Value, other: Value) -> Value:
    if len(x.full) != len(other.full):
        raise Refused(f"joins shapes {x.full} and {other.full}, whose batch axes do not meet", "insert axes of size 1")
    if x.batch != other.batch or x.folded != other.folded:
        raise Refused(f"joins shapes {x.full} and {other.full} with the batch axis in different places", "align them")
    return b.emit(operator, [x, other])


def affine(b: Builder, x: Value, scale: Any = 1.0, shift: Any = 0.0, factor: float = 1) -> Value:
    """scale * x + factor * shift with constants that broadcast with the traced tensor, the same for every sample."""
    scales, shifts = (_per_axis(x, constant) for constant in (scale, shift))
    shifts = np.maximum(shifts * factor, LOWEST)
    operator = affine_operator(x.shape, scales, shifts)
    return x if operator is None else b.emit(operator, [x])


_affine = affine


def _per_axis(x: Value, constant: Any) -> np.ndarray:
    """A constant with one axis per sample axis, 1 where it does not vary; minus infinity becomes -1e30."""
    tensor = torch.as_tensor(constant).to(torch.float64)
    tensor = torch.where(tensor == -torch.inf, torch.full_like(tensor, LOWEST), tensor)
    values = collapsed(array(tensor, "constant"))
    if values.ndim > len(x.full):
        values = values.reshape(values.shape[values.ndim - len(x.full) :]) if values.size == 1 else values
    if values.ndim > len(x.full):
        raise Refused(f"has a constant of shape {values.shape}", f"it must fit on {x.full}")
    values = values.reshape((1,) * (len(x.full) - values.ndim) + values.shape)
    if values.shape[x.batch] != 1:
        raise Refused("has another constant for each sample", "samples must be treated alike")
    sample = (*values.shape[: x.batch], *(1,) * x.folded, *values.shape[x.batch + 1 :])
    return values.reshape(sample)
