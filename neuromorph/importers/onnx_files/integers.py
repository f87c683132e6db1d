"""Integer models: quantizers, and layers on codes (QOperator), computed with whole numbers.

A float holds integers up to 2^24 (double precision: 2^53) exactly; sums of products of 8-bit codes stay below that in
layers of usual size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neuromorph.graph.formats.uniform import Int
from neuromorph.graph.operators.activation import Clip, LeakyReLU, Sigmoid
from neuromorph.graph.operators.arithmetic import Quantize
from neuromorph.graph.operators.mapped import Map
from neuromorph.graph.operators.pairwise import Pairwise
from neuromorph.graph.operators.pooling import GlobalAvgPool, GlobalMaxPool
from neuromorph.graph.operators.reducing import Reduce
from neuromorph.graph.operators.wiring import Concat, Reshape
from neuromorph.importers.onnx_files.elementwise import joined, product
from neuromorph.importers.onnx_files.layers import average_pool, convolve, matmul, vector_bias
from neuromorph.importers.onnx_files.values import (
    SAMPLES,
    Builder,
    Call,
    Codes,
    Const,
    Refused,
    Result,
    Value,
    finite,
    folds,
    integers,
    reads,
    width,
)

_MICROSOFT = ("com.microsoft",)


def _type(call: Call, index: int, zero: np.ndarray | None) -> np.dtype:
    """The integer type of a quantizer: that of its zero point, or of its attribute, else uint8."""
    from onnx import helper

    if zero is not None:
        return zero.dtype
    given = int(call.attr("output_dtype", 0))
    return np.dtype(helper.tensor_dtype_to_np_dtype(given)) if given else np.dtype(np.uint8)


def _positive(scale: np.ndarray) -> np.ndarray:
    values = finite(scale)
    if np.any(values <= 0):
        raise Refused("has a scale that is not positive", "quantize it again")
    return values.reshape(()) if values.size == 1 else values.reshape(-1)


def _vector(zero: np.ndarray | None) -> np.ndarray:
    values = finite(np.zeros(()) if zero is None else zero)
    return values.reshape(()) if values.size == 1 else values.reshape(-1)


@reads("QuantizeLinear")
def _quantize(call: Call) -> Result:
    x, scale, zero = call.value(), _positive(call.const(1, "scale")), call.optional(2, "zero point")
    if call.attr("block_size", 0):
        raise Refused("has a scale per block", "legal: per tensor or axis")
    return quantized(call.builder, x, scale, _vector(zero), _type(call, 2, zero), int(call.attr("axis", 1)))


def quantized(b: Builder, x: Value, scale: np.ndarray, zero: np.ndarray, dtype: np.dtype, axis: int = 1) -> Value:
    """saturate(round(x / scale) + zero), held as scale (code - zero)."""
    at = x.axis(axis) if scale.ndim or zero.ndim else None
    y = b.emit(Quantize(integers(dtype, zero, scale, at)), [x])
    return replace(y, codes=Codes(zero, dtype, scale, at))


@reads("DequantizeLinear")
def _dequantize(call: Call) -> Result:
    b, x = call.builder, call.raw()
    scale, zero = _positive(call.const(1, "scale")), _vector(call.optional(2, "zero point"))
    if call.attr("block_size", 0):
        raise Refused("has a scale per block", "legal: per tensor or axis")
    return dequantized(b, x, scale, zero, int(call.attr("axis", 1)))


def dequantized(b: Builder, x: Value, scale: np.ndarray, zero: np.ndarray, axis: int = 1) -> Value:
    """(code - zero) scale."""
    if x.codes is not None and x.codes.agrees(scale, zero):
        return replace(x, codes=None)
    if scale.ndim or zero.ndim:
        trailing = (1,) * (len(x.full) - 1 - axis % len(x.full))
        y = b.centred(x)
        if np.any(zero):
            y = b.arithmetic("subtract", y, zero.reshape(-1, *trailing))
        return b.arithmetic("multiply", y, scale.reshape(-1, *trailing))
    return b.arithmetic("multiply", b.centred(x, zero), scale)


@folds("DequantizeLinear")
def _dequantize_constant(call: Call) -> Result:
    """Weights: the real values, and the format of their codes."""
    from neuromorph.importers.onnx_files.constants import folded

    codes = call.const(0)
    scale, zero = call.const(1, "scale"), call.optional(2, "zero point")
    if call.attr("block_size", 0):
        from onnx import helper

        node = helper.make_node(call.op, ["x"] * len(call.inputs), ["y"], **call.attributes)
        return folded(call, node, ("", call.op), {"": call.opset})
    axis = int(call.attr("axis", 1)) % max(codes.ndim, 1)
    shape = (-1, *(1,) * (codes.ndim - 1 - axis)) if scale.size > 1 else ()
    shift = np.zeros(scale.shape, np.int64) if zero is None else zero
    if not np.all(np.isfinite(scale.astype(np.float64))) or np.any(scale.astype(np.float64) <= 0):
        raise Refused("has a scale that is not positive and finite", "quantize it again")
    centred = codes.astype(np.int64) - shift.astype(np.int64).reshape(shape)
    array = centred.astype(np.float32) * scale.astype(np.float32).reshape(shape)
    made = None
    if codes.dtype.kind in "iu" or "int" in codes.dtype.name:
        made = integers(codes.dtype, _vector(zero), _positive(scale), axis if scale.size > 1 else None)
    return Const(array, made)


@reads("DynamicQuantizeLinear")
def _dynamic(call: Call) -> Result:
    """scale = (max(x, 0) - min(x, 0)) / 255, zero = round(clip(-min / scale)); each sample by its own range."""
    b, x = call.builder, call.value()
    if x.batch is not None and x.samples not in (1, SAMPLES):
        raise Refused("takes one range of all samples", "export it with a symbolic batch axis, or with one sample")
    axes = tuple(range(-len(x.shape), 0))

    def edge(pooled: Value, function: str) -> Value:
        flat = b.emit(Reshape((1,) * len(axes), (1,)), [pooled], None)
        return b.emit(Pairwise(function, np.zeros(1)), [flat])

    high = edge(b.emit(GlobalMaxPool(axes), [x]), "maximum")
    low = edge(b.emit(Reduce("minimum", axes, True), [x]), "minimum")
    scale = b.arithmetic("divide", b.pairwise("subtract", high, low), np.asarray(255.0))
    less = b.arithmetic("multiply", b.emit(Pairwise("divide"), [low, scale]), np.asarray(-1.0))
    zero = b.emit(Map("round"), [b.emit(Clip(0.0, 255.0), [less])])
    steps = b.emit(Map("round"), [b.pair(Pairwise("divide"), x, scale)])
    code = b.emit(Clip(0.0, 255.0), [b.pairwise("add", steps, zero)])
    format_ = Quantize(Int(8, False, scale=np.asarray(1.0)))
    return b.emit(format_, [code]), scale, zero


def _centred_weight(held: Const, zero: np.ndarray | None, outputs: int) -> Const:
    """Codes minus their zero point as whole numbers, with the format that says so."""
    shift = _vector(zero)
    bits, signed = width(held.array.dtype)
    trailing = (1,) * (held.array.ndim - 1 - outputs) if shift.ndim else ()
    values = held.array.astype(np.float64) - shift.reshape((*shift.shape, *trailing))
    axis = outputs if shift.ndim else None
    return Const(values, Int(bits, signed, scale=np.asarray(1.0), axis=axis, zero_point=shift if shift.any() else None))


def _requantized(call: Call, y: Value, ratio: np.ndarray, axis: int, scale_at: int) -> Value:
    """round(y ratio) + zero with the output's zero point, held as code - zero."""
    b, zero = call.builder, call.const(scale_at + 1, "zero point")
    trailing = (1,) * (-axis - 1) if ratio.size > 1 else ()
    y = b.arithmetic("multiply", y, ratio.reshape(-1, *trailing) if ratio.size > 1 else ratio.reshape(()))
    y = b.emit(Quantize(integers(zero.dtype, _vector(zero))), [y])
    return replace(y, codes=Codes(_vector(zero), zero.dtype))


def _ratio(call: Call, *indices: int) -> np.ndarray:
    """x scale times w scale over y scale, in single precision as runtimes compute it."""
    x, w, y = (_positive(call.const(i, "scale")).astype(np.float32) for i in indices)
    return np.asarray(x * w / y)


@reads("QLinearConv")
def _qlinear_conv(call: Call) -> Result:
    b = call.builder
    x = b.centred(call.raw(), _vector(call.const(2, "zero point")))
    held = _centred_weight(call.held(3, "weight"), call.const(5, "zero point"), 0)
    y = convolve(call, x, held, None if not call.has(8) else finite(call.const(8, "bias")))
    return _requantized(call, y, _ratio(call, 1, 4, 6), 1 - len(x.full), 6)


@reads("ConvInteger")
def _conv_integer(call: Call) -> Result:
    x = _shifted(call, 0, 2)
    return convolve(call, x, _centred_weight(call.held(1, "weight"), call.optional(3, "zero point"), 0), None)


def _shifted(call: Call, index: int, zero: int) -> Value:
    """Codes minus their zero point, which may depend on the input (dynamic quantization)."""
    b = call.builder
    if call.has(zero) and isinstance(call.inputs[zero], Value):
        return b.pairwise("subtract", call.value(index), call.value(zero))
    return b.centred(call.raw(index), _vector(call.optional(zero, "zero point")))


def _integer_product(call: Call, places: Sequence[int]) -> Value:
    """The product of two tensors of codes, each minus its zero point; places: a, its zero, b, its zero."""
    sides: list[Value | Const] = []
    for side, (at, zero) in enumerate((places[:2], places[2:])):
        held = call.inputs[at]
        if isinstance(held, Const):
            outputs = held.array.ndim - 1 if side else max(held.array.ndim - 2, 0)
            sides.append(_centred_weight(held, call.optional(zero, "zero point"), outputs))
        else:
            sides.append(_shifted(call, at, zero))
    x, y = sides
    if isinstance(x, Value) and isinstance(y, Value):
        return product(call, x, y)
    return matmul(call.builder, x, y)


@reads("MatMulInteger")
def _matmul_integer(call: Call) -> Result:
    return _integer_product(call, (0, 2, 1, 3))


@reads("QLinearMatMul")
def _qlinear_matmul(call: Call) -> Result:
    return _requantized(call, _integer_product(call, (0, 2, 3, 5)), _ratio(call, 1, 4, 6), -1, 6)


@reads("QGemm", domains=_MICROSOFT)
def _qgemm(call: Call) -> Result:
    """A as, az, B bs, bz, C, y scale, y zero; C holds whole numbers of as bs."""
    if call.attr("transA", 0) or float(call.attr("alpha", 1.0)) != 1:
        raise Refused("has transA or alpha", "leave them out")
    held = call.held(3, "weight")
    if call.attr("transB", 0):
        call.inputs[3] = Const(held.array.T)
    y = _integer_product(call, (0, 2, 3, 5))
    if call.has(6):
        bias = finite(call.const(6, "bias"))
        vector = vector_bias(bias, y.shape[-1])
        y = call.builder.arithmetic("add", y, bias if vector is None else vector)
    if not call.has(7):
        scale = _positive(call.const(1)).astype(np.float32) * _positive(call.const(4)).astype(np.float32)
        return call.builder.arithmetic("multiply", y, np.asarray(scale))
    return _requantized(call, y, _ratio(call, 1, 4, 7), -1, 7)


def _real(call: Call, at: int) -> Value | Const:
    """The numbers of codes at `at`, with scale and zero point after them."""
    scale, zero = _positive(call.const(at + 1, "scale")), _vector(call.optional(at + 2, "zero point"))
    held = call.inputs[at]
    if isinstance(held, Const):
        return Const((held.array.astype(np.float64) - zero) * scale)
    return dequantized(call.builder, call.raw(at), scale, zero)


def _back(call: Call, y: Value, at: int) -> Value:
    zero = call.optional(at + 1, "zero point")
    scale = _positive(call.const(at, "scale"))
    return quantized(call.builder, y, scale, _vector(zero), np.dtype(np.uint8) if zero is None else zero.dtype)


@reads("QLinearAdd", "QLinearMul", domains=_MICROSOFT)
def _qlinear_pair(call: Call) -> Result:
    function = "add" if call.op == "QLinearAdd" else "multiply"
    return _back(call, joined(call, function, _real(call, 0), _real(call, 3)), 6)


@reads("QLinearSigmoid", "QLinearLeakyRelu", "QLinearGlobalAveragePool", "QLinearAveragePool", domains=_MICROSOFT)
def _qlinear_one(call: Call) -> Result:
    x = _real(call, 0)
    if not isinstance(x, Value) or call.attr("channels_last", 0):
        raise Refused("has channels_last, or a constant input", "channels come after the batch axis")
    if call.op == "QLinearAveragePool":
        return _back(call, average_pool(call, x), 3)
    operator = {
        "QLinearSigmoid": Sigmoid(),
        "QLinearLeakyRelu": LeakyReLU(float(call.attr("alpha", 0.01))),
        "QLinearGlobalAveragePool": GlobalAvgPool(tuple(range(2 - len(x.full), 0))),
    }[call.op]
    return _back(call, call.builder.emit(operator, [x]), 3)


@reads("QLinearConcat", domains=_MICROSOFT)
def _qlinear_concat(call: Call) -> Result:
    values = [_real(call, at) for at in range(2, len(call.inputs), 3)]
    parts = [v for v in values if isinstance(v, Value)]
    if len(parts) != len(values) or len({v.batch for v in parts}) != 1:
        raise Refused("joins constants, or values with the batch axis in different places", "align them")
    y = call.builder.emit(Concat(parts[0].axis(int(call.attr("axis", 1)))), parts)
    return _back(call, y, 0)
