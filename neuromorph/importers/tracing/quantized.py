"""Conversions of modules that torch has quantized, or prepared for it: integers and scales become number formats."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from neuromorph.graph.formats.uniform import Int
from neuromorph.graph.operators.arithmetic import DynamicQuantize, Quantize
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.importers.tracing.layers import conv_window
from neuromorph.importers.tracing.values import FUNCTIONS, Builder, Refused, Value, converts, optional_array

ROOTS = ("torch.ao.nn.", "torch.nn.quantized", "torch.nn.qat", "torch.nn.intrinsic", "torch.ao.quantization.")
"""Where torch keeps quantized layers and the modules that imitate them."""


def known(module: nn.Module) -> bool:
    """Whether it is a quantized or fake-quantized layer, or an observer."""
    return type(module).__module__.startswith(ROOTS)


def number_format(scale: Any, zero_point: Any, low: int, high: int, axis: int | None = None) -> Int:
    """The integers low ... high times a scale, as torch.quantize_per_tensor and _per_channel have them."""
    scales, zeros = (np.asarray(torch.as_tensor(v).detach().double().cpu().numpy()) for v in (scale, zero_point))
    if low not in (0, -(high + 1), -high):
        raise Refused(f"quantizes to {low} ... {high}", "use the whole range of an integer")
    bits = int(high - low).bit_length()
    if low < 0 and np.all(zeros == 0):
        return Int(bits, True, scale=scales, axis=axis)
    return Int(bits, False, scale=scales, zero_point=zeros - low, axis=axis)


@converts("quantize_per_tensor")
def _quantize(b: Builder, x: Value, scale: Any, zero_point: Any, dtype: torch.dtype) -> Value:
    info = torch.iinfo(dtype)
    return b.emit(Quantize(number_format(scale, zero_point, info.min, info.max)), [x])


@converts("fake_quantize_per_tensor_affine")
def _fake_quantize(b: Builder, x: Value, scale: Any, zero_point: Any, low: int, high: int) -> Value:
    return b.emit(Quantize(number_format(scale, zero_point, low, high)), [x])


def layer(b: Builder, module: Any, x: Any, actual: Any) -> Value:
    """A layer of torch.ao.nn: its weight as integers, what follows in it, and the format of its result."""
    name = type(module).__name__
    if hasattr(module, "fake_quant_enabled"):
        return x if not bool(module.fake_quant_enabled[0]) else _fake(b, module, x)
    if type(module).__module__.startswith("torch.ao.quantization."):
        return x  # an observer looks and changes nothing
    if "dynamic" in type(module).__module__:
        if name not in ("Linear", "LinearReLU"):
            raise Refused(f"is a dynamically quantized {name}", "quantize its Linear layers alone, or use QONNX")
        levels = 127 if torch.backends.quantized.engine in ("x86", "fbgemm") else 255  # those keep a bit free
        x = b.emit(DynamicQuantize(len(x.shape), levels), [x])
        y = _multiplied(b, module, x, *_stored(module.weight()), bias=module.bias())
        return FUNCTIONS["relu"](b, y) if "ReLU" in name else y
    if name in ("Quantize", "DeQuantize"):
        return x if name == "DeQuantize" else _quantize(b, x, module.scale[0], int(module.zero_point[0]), module.dtype)
    integer = isinstance(getattr(module, "weight", None), torch.Tensor) is False and callable(module.weight)
    if not integer and hasattr(module, "weight_fake_quant"):
        y = _multiplied(b, module, x, *_imitated(module))
    elif integer:
        y = _multiplied(b, module, x, *_stored(module.weight()), bias=module.bias())
    else:
        raise Refused("is a quantized layer that is not read", "quantize Linear, Conv1d and Conv2d, or use QONNX")
    if "ReLU" in name:
        y = FUNCTIONS["relu"](b, y)
    if not integer:
        return y
    info = torch.iinfo(actual.dtype if actual.is_quantized else torch.quint8)
    return b.emit(Quantize(number_format(module.scale, module.zero_point, info.min, info.max)), [y])


def _fake(b: Builder, module: Any, x: Value) -> Value:
    scale, zero = module.calculate_qparams()
    if scale.numel() != 1:
        raise Refused("has a scale per channel for activations", "use one scale")
    low, high = int(module.activation_post_process.quant_min), int(module.activation_post_process.quant_max)
    scale, zero = (module.scale, module.zero_point) if hasattr(module, "scale") else (scale, zero)
    return b.emit(Quantize(number_format(scale.reshape(()), zero.reshape(()), low, high)), [x])


def _imitated(module: Any) -> tuple[np.ndarray, Int]:
    fake = module.weight_fake_quant
    weight = fake(module.weight).detach().double().numpy()
    channels = fake.scale.numel() > 1
    scale, zero = (v if channels else v.reshape(()) for v in (fake.scale, fake.zero_point))
    low, high = int(fake.activation_post_process.quant_min), int(fake.activation_post_process.quant_max)
    return weight, number_format(scale, zero, low, high, 0 if channels else None)


def _stored(weight: torch.Tensor) -> tuple[np.ndarray, Int]:
    values = weight.dequantize().double().numpy()
    if weight.qscheme() in (torch.per_channel_affine, torch.per_channel_symmetric):
        scale, zero, axis = (
            weight.q_per_channel_scales(),
            weight.q_per_channel_zero_points(),
            weight.q_per_channel_axis(),
        )
    else:
        scale, zero, axis = torch.tensor(weight.q_scale()), torch.tensor(weight.q_zero_point()), None
    return values, number_format(scale, zero, -128, 127, axis)


def _multiplied(b: Builder, m: Any, x: Value, weight: np.ndarray, format: Int, bias: Any = None) -> Value:
    shift = optional_array(m.bias if bias is None and not callable(m.bias) else bias, "bias")
    if weight.ndim == 2:
        return b.emit(b.shared((m,), "quantized", lambda: Linear(weight, shift, weight_format=format)), [x])
    if weight.ndim > 4:
        raise Refused("has three axes", "use Conv1d or Conv2d")
    window = conv_window(weight.shape[2:], m.stride, m.padding, m.dilation)
    cls = Conv2d if weight.ndim == 4 else Conv1d
    make = lambda: cls(weight, shift, weight_format=format, window=window, groups=m.groups)  # noqa: E731
    return b.emit(b.shared((m,), "quantized", make), [x])
