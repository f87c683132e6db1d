"""Activations, arithmetic, normalization and reductions."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from neuromorph.graph.model import Operator
from neuromorph.graph.operators import activation as act
from neuromorph.graph.operators.arithmetic import Add, BatchNorm
from neuromorph.graph.operators.attention import Normalize, Product
from neuromorph.graph.operators.mapped import Map, PReLU
from neuromorph.graph.operators.pairwise import Pairwise
from neuromorph.graph.operators.pooling import GlobalAvgPool, GlobalMaxPool
from neuromorph.graph.operators.reducing import Reduce
from neuromorph.importers.maps import LOWEST, collapsed, local_response, power
from neuromorph.importers.onnx_files.values import Builder, Call, Const, Refused, Result, Value, finite, folds, reads

_UNARY = (
    *("Abs", "Ceil", "Floor", "Round", "Sign", "Exp", "Log", "Sqrt", "Erf", "Reciprocal", "Sin", "Cos", "Tan", "Asin"),
    *("Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Softplus", "Softsign", "Mish"),
)
_PLAIN: dict[str, Operator] = {
    "Relu": act.ReLU(),
    "Sigmoid": act.Sigmoid(),
    "Tanh": act.Tanh(),
    "HardSwish": act.HardSwish(),
    **{name: Map(name.lower(), (1.0, 20.0) if name == "Softplus" else ()) for name in _UNARY},
}


@reads(*_PLAIN)
def _plain(call: Call) -> Result:
    return call.builder.emit(_PLAIN[call.op], [call.value()])


@reads("Identity", "Dropout", moves=True)
def _same(call: Call) -> Result:
    """Dropout in inference; its mask output is constant true and refused by not being given."""
    if call.op == "Dropout" and call.has(2) and bool(np.any(call.const(2, "training_mode"))):
        raise Refused("is in training mode", "export the model in eval mode")
    return call.raw()


@reads("LeakyRelu")
def _leaky(call: Call) -> Result:
    return call.builder.emit(act.LeakyReLU(float(call.attr("alpha", 0.01))), [call.value()])


@reads("Elu")
def _elu(call: Call) -> Result:
    return call.builder.emit(act.ELU(float(call.attr("alpha", 1.0))), [call.value()])


@reads("Celu")
def _celu(call: Call) -> Result:
    return call.builder.emit(Map("celu", (float(call.attr("alpha", 1.0)),)), [call.value()])


@reads("Selu")
def _selu(call: Call) -> Result:
    """gamma ELU(x; alpha), torch's where they are its numbers."""
    alpha, gamma = call.attr("alpha", 1.6732632423543772), call.attr("gamma", 1.0507009873554805)
    if abs(alpha - 1.67326324) < 1e-6 and abs(gamma - 1.050701) < 1e-6:
        return call.builder.emit(Map("selu"), [call.value()])
    y = call.builder.emit(act.ELU(float(alpha)), [call.value()])
    return call.builder.arithmetic("multiply", y, np.asarray(gamma))


@reads("LRN")
def _lrn(call: Call) -> Result:
    size, x = int(call.attr("size", 1)), call.value()
    alpha, beta, bias = (float(call.attr(n, d)) for n, d in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    if x.batch not in (0, None) or len(x.full) < 3 or size < 1:
        raise Refused(f"works on a tensor of shape {x.full} over {size} channels", "(batch, channels, ...)")
    return local_response(call.builder, x, size, (size - 1) // 2, alpha, beta, bias)


@reads("Gelu")
def _gelu(call: Call) -> Result:
    return call.builder.emit(act.GELU(call.attr("approximate", "none") == "tanh"), [call.value()])


@reads("Swish")
def _swish(call: Call) -> Result:
    """x sigmoid(alpha x) = SiLU(alpha x) / alpha."""
    b, alpha = call.builder, float(call.attr("alpha", 1.0))
    if alpha == 1:
        return b.emit(act.SiLU(), [call.value()])
    y = b.emit(act.SiLU(), [b.arithmetic("multiply", call.value(), np.asarray(alpha))])
    return b.arithmetic("divide", y, np.asarray(alpha))


@reads("HardSigmoid")
def _hard_sigmoid(call: Call) -> Result:
    b = call.builder
    alpha, beta = np.asarray(call.attr("alpha", 0.2)), np.asarray(call.attr("beta", 0.5))
    x = b.arithmetic("add", b.arithmetic("multiply", call.value(), alpha), beta)
    return b.emit(act.Clip(0.0, 1.0), [x])


@reads("PRelu")
def _prelu(call: Call) -> Result:
    """x where x > 0, else slope x, slopes per channel or element."""
    b, x, slope = call.builder, call.value(), call.const(1, "slope")
    if slope.size == 1:
        return b.emit(act.LeakyReLU(float(finite(slope).reshape(()))), [x])
    values = collapsed(b.constant_of(x, finite(slope)))
    wide = [k - values.ndim for k, n in enumerate(values.shape) if n != 1]
    if len(wide) == 1:
        return b.emit(PReLU(values.reshape(-1), wide[0]), [x])
    below = b.arithmetic("multiply", b.emit(act.Clip(None, 0.0), [x]), slope)
    return b.emit(Add(), [b.emit(act.ReLU(), [x]), below])


@reads("Clip", moves=False)
def _clip(call: Call) -> Result:
    low, high = (call.attr("min"), call.attr("max")) if call.opset < 11 else (call.optional(1), call.optional(2))
    limits = [None if v is None else float(np.asarray(v).reshape(())) for v in (low, high)]
    limits = [None if v is None or abs(v) >= 3.4e38 else v for v in limits]
    x = call.value()
    if limits == [0.0, None]:
        return call.builder.emit(act.ReLU(), [x])
    if limits == [None, None]:
        return x
    if limits[0] is not None and limits[1] is not None and limits[0] > limits[1]:
        limits[0] = limits[1]  # as ONNX defines it: the upper limit wins
    return call.builder.emit(act.Clip(*limits), [x])


@reads("Softmax", "LogSoftmax")
def _softmax(call: Call) -> Result:
    """Before opset 13 all axes from `axis` on are one."""
    b, x, log = call.builder, call.value(), call.op == "LogSoftmax"
    axis = int(call.attr("axis", 1 if call.opset < 13 else -1))
    if call.opset >= 13:
        return b.emit(act.Softmax(x.axis(axis), log), [x])
    axis %= max(len(x.full), 1)
    if axis == len(x.full) - 1:
        return b.emit(act.Softmax(x.axis(axis), log), [x])
    flat = b.reshaped(x, (*x.full[:axis], prod(x.full[axis:])))
    return b.reshaped(b.emit(act.Softmax(-1, log), [flat]), x.full)


_PAIRS = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide", "Pow": "power"}
_SEVERAL = {"Max": "maximum", "Min": "minimum", "Sum": "add", "Mean": "add"}


def joined(call: Call, function: str, x: Value | Const, y: Value | Const) -> Value:
    """Two tensors elementwise, of which one at least depends on the input."""
    b = call.builder
    if isinstance(x, Value) and isinstance(y, Value):
        return b.pairwise(function, x, y)
    if isinstance(x, Value) and isinstance(y, Const):
        return b.arithmetic(function, x, y.array)
    assert isinstance(x, Const)
    assert isinstance(y, Value)
    return b.arithmetic(function, y, x.array, first=True)


def _plain_inputs(call: Call) -> list[Value | Const]:
    return [call.value(i) if isinstance(v, Value) else v for i, v in enumerate(call.inputs) if v is not None]


@reads(*_PAIRS)
def _pair(call: Call) -> Result:
    if call.op == "Div" and any(isinstance(v, Value) and v.codes is not None for v in call.inputs):
        raise Refused("divides integers", "cast them to floats before")
    x, y = _plain_inputs(call)
    if call.op == "Pow" and isinstance(x, Value) and isinstance(y, Const) and y.array.size == 1:
        operator = power(float(finite(y.array).reshape(())))
        if y.array.ndim <= len(x.full):
            return x if operator is None else call.builder.emit(operator, [x])
    return joined(call, _PAIRS[call.op], x, y)


@reads(*_SEVERAL)
def _several(call: Call) -> Result:
    first, *others = _plain_inputs(call)
    result = first
    for other in others:
        if isinstance(result, Const) and isinstance(other, Const):
            made: Any = {"maximum": np.maximum, "minimum": np.minimum, "add": np.add}[_SEVERAL[call.op]]
            result = Const(made(result.array, other.array))
        else:
            result = joined(call, _SEVERAL[call.op], result, other)
    if call.op == "Mean" and isinstance(result, Value):
        result = call.builder.arithmetic("divide", result, np.asarray(float(len(call.inputs))))
    return result


@reads("Neg")
def _neg(call: Call) -> Result:
    return call.builder.arithmetic("multiply", call.value(), np.asarray(-1.0))


@reads("Cast", "CastLike")
def _cast(call: Call) -> Result:
    """Between floats, and from integers to floats; float16 and bfloat16 are computed in as float32 is."""
    from onnx import TensorProto, helper

    if call.op == "CastLike":
        like = call.inputs[1]
        name = like.array.dtype.name if isinstance(like, Const) else "float32"
    else:
        to = int(call.attr("to", 0))
        name = "string" if to == TensorProto.STRING else np.dtype(helper.tensor_dtype_to_np_dtype(to)).name
    if name not in ("float16", "bfloat16", "float32", "float64") and ("int" not in name or call.raw().codes is None):
        raise Refused(f"rounds the model's values to {name}", "legal: floats of 16 bits and more; use QuantizeLinear")
    return call.value()


@reads("Where")
def _where(call: Call) -> Result:
    """With a constant condition: c x + (1 - c) y."""
    b = call.builder
    keep = call.const(0, "condition").astype(np.float64)
    parts: list[Value | Const] = []
    for value, mask in zip(_plain_inputs(call)[1:], (keep, 1 - keep), strict=True):
        if isinstance(value, Const):
            array = value.array.astype(np.float64)
            part = np.where(mask != 0, array, 0.0)
            parts.append(Const(np.where(part == -np.inf, LOWEST, part)))
        else:
            parts.append(b.arithmetic("multiply", value, mask))
    return joined(call, "add", parts[0], parts[1])


@reads("BatchNormalization")
def _batch_norm(call: Call) -> Result:
    if call.attr("training_mode", 0):
        raise Refused("normalizes with the statistics of the batch", "export the model in eval mode")
    x = call.value()
    gamma, beta, mean, var = (finite(call.const(i, w)) for i, w in enumerate(("scale", "bias", "mean", "var"), 1))
    if np.any(var < 0):
        raise Refused("has a negative variance", "train or export it again")
    scale = gamma / np.sqrt(var + float(call.attr("epsilon", 1e-5)))
    return call.builder.emit(BatchNorm(scale, beta - mean * scale, x.axis(1)), [x])


def _affine(call: Call, x: Value, first: int) -> Value:
    """A scale and a shift after a normalization, aligned as their shapes say."""
    for index, function in ((first, "multiply"), (first + 1, "add")):
        if call.has(index):
            x = call.builder.arithmetic(function, x, call.const(index, "scale or bias"))
    return x


def normalized(b: Builder, x: Value, axes: int, eps: float, center: bool = True) -> Value:
    """The last axes, read as one, with mean 0 and mean square 1."""
    flat = b.reshaped(x, (*x.full[:-axes], prod(x.full[-axes:])))
    return b.reshaped(b.emit(Normalize(-1, eps, center), [flat]), x.full)


@reads("LayerNormalization", "RMSNormalization")
def _layer_norm(call: Call) -> Result:
    b, x = call.builder, call.value()
    rank, eps = len(x.full), float(call.attr("epsilon", 1e-5))
    axes = tuple(x.axis(a) for a in range(int(call.attr("axis", -1)) % rank, rank))
    centred = call.op == "LayerNormalization"
    y = _affine(call, normalized(b, x, len(axes), eps, centred), 1)
    if not (call.wants(1) or call.wants(2)):
        return y
    mean = b.emit(GlobalAvgPool(axes, True), [x])
    squares = b.emit(Reduce("sum_squares", axes, True), [b.pairwise("subtract", x, mean)])
    variance = b.arithmetic("divide", squares, np.asarray(float(prod(x.shape[a] for a in axes))))
    deviation = b.emit(Map("sqrt"), [b.arithmetic("add", variance, np.asarray(eps))])
    return y, mean, b.emit(Map("reciprocal"), [deviation])


@reads("InstanceNormalization", "GroupNormalization")
def _group_norm(call: Call) -> Result:
    """Over the channels of a group and all places; scale and bias per channel (GroupNormalization below 21: group)."""
    b, x = call.builder, call.value()
    channels = x.full[1]
    groups = channels if call.op == "InstanceNormalization" else int(call.attr("num_groups", 1))
    grouped = b.reshaped(x, (x.full[0], groups, channels // groups, *x.full[2:]))
    axes = tuple(range(2 - len(grouped.full), 0))
    y = b.reshaped(normalized(b, grouped, len(axes), float(call.attr("epsilon", 1e-5))), x.full)
    for index, function in ((1, "multiply"), (2, "add")):
        each = call.const(index, "scale or bias").reshape(-1)
        each = np.repeat(each, channels // each.size).reshape(-1, *(1,) * (len(x.full) - 2))
        y = b.arithmetic(function, y, each)
    return y


@reads("LpNormalization")
def _lp(call: Call) -> Result:
    b, x = call.builder, call.value()
    axis, p = x.axis(int(call.attr("axis", -1))), int(call.attr("p", 2))
    size = b.emit(Reduce("sum_abs" if p == 1 else "sum_squares", (axis,), True), [x])
    size = size if p == 1 else b.emit(Map("sqrt"), [size])
    least = np.asarray(np.finfo(np.float32).tiny)  # 0 / 0 is 0 here
    return b.pair(Pairwise("divide"), x, b.arithmetic("maximum", size, least))


_REDUCE: dict[str, Callable[[tuple[int, ...], bool], Operator]] = {
    "ReduceMean": GlobalAvgPool,
    "ReduceMax": GlobalMaxPool,
    "ReduceMin": lambda a, k: Reduce("minimum", a, k),
    "ReduceSum": lambda a, k: Reduce("sum", a, k),
    "ReduceProd": lambda a, k: Reduce("product", a, k),
    "ReduceL1": lambda a, k: Reduce("sum_abs", a, k),
    "ReduceL2": lambda a, k: Reduce("sum_squares", a, k),
    "ReduceSumSquare": lambda a, k: Reduce("sum_squares", a, k),
    "ReduceLogSum": lambda a, k: Reduce("sum", a, k),
    "ReduceLogSumExp": lambda a, k: Reduce("sum_exp", a, k),
}
_AFTER = {"ReduceL2": "sqrt", "ReduceLogSum": "log", "ReduceLogSumExp": "log"}


@reads(*_REDUCE)
def _reduce(call: Call) -> Result:
    b, x = call.builder, call.value()
    rank = len(x.full)
    dims = call.ints("axes", 1)
    if not dims:
        if call.attr("noop_with_empty_axes", 0):
            return x
        dims = list(range(rank))
    dims = [d % rank if -rank <= d < rank else d for d in dims]
    keep = bool(call.attr("keepdims", 1))
    axes = tuple(sorted(x.axis(d) for d in dims))
    batch = x.batch if keep or x.batch is None else x.batch - sum(d < x.batch for d in dims)
    y = b.emit(_REDUCE[call.op](axes, keep), [x], batch)
    return b.emit(Map(_AFTER[call.op]), [y]) if call.op in _AFTER else y


def product(call: Call, x: Value, y: Value) -> Value:
    """A matrix product of two values."""
    for value in (x, y):
        if len(value.full) < 2:
            raise Refused(f"multiplies a value of shape {value.full}", "values of two axes or more")
        if value.batch is not None and value.batch >= len(value.full) - 2:
            raise Refused("multiplies along the batch axis", "samples must not mix")
    return call.builder.pair(Product(), x, y)


@folds("Cast")
def _cast_constant(call: Call) -> Result:
    from onnx import helper

    held = call.held(0)
    dtype = helper.tensor_dtype_to_np_dtype(int(call.attr("to", 0)))
    return Const(held.array.astype(dtype), held.format if np.dtype(dtype).kind == "f" else None)
