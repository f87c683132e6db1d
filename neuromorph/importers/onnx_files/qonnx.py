"""QONNX (Pappalardo et al., arXiv:2206.07527) as Brevitas and FINN write it: numbers of any width as float tensors."""

from __future__ import annotations

import numpy as np

from neuromorph.graph.formats.base import NumberFormat
from neuromorph.graph.formats.uniform import Binary, Int, Ternary
from neuromorph.graph.operators.arithmetic import Quantize
from neuromorph.graph.operators.mapped import Map
from neuromorph.graph.operators.pairwise import Staircase
from neuromorph.importers.onnx_files.values import Builder, Call, Const, Refused, Result, Value, finite, folds, reads

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")

_ROUNDING = {"ROUND": "round", "HALF_EVEN": "round", "FLOOR": "floor", "CEIL": "ceil"}


def limits(bits: int, signed: bool, narrow: bool) -> tuple[float, float]:
    """Smallest and largest code."""
    if signed:
        return -(2.0 ** (bits - 1)) + narrow, 2.0 ** (bits - 1) - 1
    return 0.0, 2.0**bits - 1 - narrow


class _Said:
    """What a Quant node says of its numbers."""

    def __init__(self, call: Call) -> None:
        self.scale, self.zero = finite(call.const(1, "scale")), finite(call.const(2, "zero point"))
        width = finite(call.const(3, "bit width"))
        if (
            width.size != 1
            or width.reshape(-1)[0] != int(width.reshape(-1)[0])
            or not 1 <= int(width.reshape(-1)[0]) <= 32
        ):
            raise Refused(f"has bit width {width.reshape(-1)[:4].tolist()}", "one whole number of 1 to 32")
        if np.any(self.scale <= 0):
            raise Refused("has a scale that is not positive", "train or export it again")
        self.bits = int(width.reshape(-1)[0])
        self.signed, self.narrow = bool(call.attr("signed", 1)), bool(call.attr("narrow", 0))
        self.mode = str(call.attr("rounding_mode", "ROUND")).upper()
        if self.mode not in _ROUNDING:
            raise Refused(f"has rounding_mode {self.mode!r}", f"legal: {', '.join(_ROUNDING)}")
        self.limits = limits(self.bits, self.signed, self.narrow)

    def format(self, scale: np.ndarray, zero: np.ndarray, axis: int | None) -> NumberFormat:
        if self.bits == 2 and self.signed and self.narrow and not zero.any():
            return Ternary(scale=scale, axis=axis)
        affine = zero if zero.any() else None
        return Int(self.bits, self.signed, scale=scale, axis=axis, zero_point=affine, zero_first=affine is not None)


def _axis(array: np.ndarray, what: str) -> int | None:
    """The only axis, counted from the end, along which an array changes."""
    wide = [k - array.ndim for k, n in enumerate(array.shape) if n != 1]
    if len(wide) > 1:
        raise Refused(f"has a {what} of shape {array.shape}", "one number, or one per channel")
    return wide[0] if wide else None


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(()) if array.size == 1 else array.reshape(-1)


@reads("Quant", "IntQuant", domains=DOMAINS)
def _quant(call: Call) -> Result:
    b, x, said = call.builder, call.value(), _Said(call)
    scale, zero = b.constant_of(x, said.scale), b.constant_of(x, said.zero)
    axis = _axis(scale, "scale") if scale.size > 1 else _axis(zero, "zero point")
    made = Quantize(said.format(_flat(scale), _flat(zero), axis))
    low, high = said.limits
    if _ROUNDING[said.mode] != "round":
        x = b.arithmetic("add", b.arithmetic("divide", x, said.scale), said.zero)
        x = _clipped(b, x, low, high)
        x = b.emit(Map(_ROUNDING[said.mode]), [x])
        x = b.arithmetic("multiply", b.arithmetic("subtract", x, said.zero), said.scale)
    elif said.narrow and not isinstance(made.format, Ternary):
        edge, function = (low, "maximum") if said.signed else (high, "minimum")
        x = b.arithmetic(function, x, (edge - said.zero) * said.scale)
    return b.emit(made, [x])


def _clipped(b: Builder, x: Value, low: float, high: float) -> Value:
    from neuromorph.graph.operators.activation import Clip

    return b.emit(Clip(low, high), [x])


@folds("Quant", "IntQuant", domains=DOMAINS)
def _quant_constant(call: Call) -> Result:
    """Weights, in single precision as the export computes them."""
    said, values = _Said(call), finite(call.const(0)).astype(np.float32)
    scale, zero = said.scale.astype(np.float32), said.zero.astype(np.float32)
    codes = np.clip(values / scale + zero, *said.limits)
    codes = {"round": np.rint, "floor": np.floor, "ceil": np.ceil}[_ROUNDING[said.mode]](codes)
    array = (codes - zero) * scale
    spread = np.broadcast_to(scale if said.scale.size > 1 else zero, np.broadcast_shapes(scale.shape, zero.shape))
    axis = _axis(spread, "scale")
    made = said.format(_flat(said.scale), _flat(said.zero), axis)
    return Const(array.astype(np.float32), made)


@reads("BipolarQuant", domains=DOMAINS)
def _bipolar(call: Call) -> Result:
    b, x = call.builder, call.value()
    scale = b.constant_of(x, finite(call.const(1, "scale")))
    return b.emit(Quantize(Binary(scale=_flat(scale), axis=_axis(scale, "scale"))), [x])


@folds("BipolarQuant", domains=DOMAINS)
def _bipolar_constant(call: Call) -> Result:
    values, scale = finite(call.const(0)), finite(call.const(1, "scale"))
    array = (np.where(values >= 0, 1.0, -1.0) * scale).astype(np.float32)
    return Const(array, Binary(scale=_flat(scale), axis=_axis(scale, "scale")))


@reads("Trunc", domains=DOMAINS)
def _trunc(call: Call) -> Result:
    """The low bits of a number dropped: version 1 by a difference of bit widths, version 2 by a new scale."""
    b, x = call.builder, call.value()
    scale, zero = finite(call.const(1, "scale")), finite(call.const(2, "zero point"))
    before = float(finite(call.const(3, "bit width")).reshape(()))
    mode = str(call.attr("rounding_mode", "FLOOR")).upper()
    if mode not in _ROUNDING or np.any(scale <= 0):
        raise Refused(f"has rounding_mode {mode!r} or a scale that is not positive", f"legal: {', '.join(_ROUNDING)}")
    newer = len(call.inputs) > 5
    after = int(finite(call.const(5 if newer else 4, "bit width")).reshape(()))
    out = finite(call.const(4, "output scale")) if newer else scale
    drop = 2.0 ** np.round(np.log2(out / scale)) if newer else np.asarray(2.0 ** (before - after))
    y = b.arithmetic("add", b.arithmetic("divide", x, scale), zero)
    y = b.arithmetic("divide", b.emit(Map("round"), [y]), drop)
    signed, narrow = bool(call.attr("signed", 1)), bool(call.attr("narrow", 0))
    if newer:
        y = _clipped(b, y, *limits(after, signed, narrow))
    y = b.emit(Map(_ROUNDING[mode]), [y])
    y = b.arithmetic("multiply", b.arithmetic("subtract", y, zero / drop if newer else zero), out)
    if not newer or np.any(zero) or out.size > 1:
        return y  # version 1 does not say whether numbers are signed
    return b.emit(Quantize(Int(after, signed, scale=out.reshape(()))), [y])


@reads("MultiThreshold", domains=DOMAINS)
def _thresholds(call: Call) -> Result:
    x, steps = call.value(), finite(call.const(1, "thresholds"))
    last = str(call.attr("data_layout", "")) in ("NHWC", "NWC")
    scale, shift = float(call.attr("out_scale", 1.0)), float(call.attr("out_bias", 0.0))
    return call.builder.emit(Staircase(steps, scale, shift, -1 if last else x.axis(1)), [x])
