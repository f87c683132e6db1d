"""Walks a traced model: runs every operation on real tensors and converts it to operators at the same time."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from neuromorph.errors import InputError
from neuromorph.importers import tracing
from neuromorph.importers.tracing import attention, quantized, wiring
from neuromorph.importers.tracing.layers import (
    States,
    Unavailable,
    batch_norm,
    cell_step,
    convolution,
    linear,
    recurrent,
    recurrent_module,
)
from neuromorph.importers.tracing.resizing import convolve_3d, convolve_transposed, mode_padded
from neuromorph.importers.tracing.values import BATCH, FUNCTIONS, Builder, Refused, Value

_CONCRETE = frozenset(("size", "dim", "numel", "ndimension", "get_device", "is_floating_point", "sym_size", "stride"))
_ATTRIBUTES = frozenset(("shape", "ndim", "device", "dtype", "requires_grad", "is_cuda", "layout"))
_NO_EFFECT = frozenset(("_assert", "_assert_tensor_metadata", "_assert_async", "manual_seed", "_guards_fn"))

# layers without weights: the function they call, and their attributes in the function's order
_PLAIN: Mapping[type[nn.Module], tuple[str, tuple[str, ...]]] = {
    nn.ReLU: ("relu", ()),
    nn.ReLU6: ("relu6", ()),
    nn.Sigmoid: ("sigmoid", ()),
    nn.Tanh: ("tanh", ()),
    nn.Hardsigmoid: ("hardsigmoid", ()),
    nn.Hardswish: ("hardswish", ()),
    nn.SiLU: ("silu", ()),
    nn.GELU: ("gelu", ("approximate",)),
    nn.ELU: ("elu", ("alpha",)),
    nn.LeakyReLU: ("leaky_relu", ("negative_slope",)),
    nn.PReLU: ("prelu", ("weight",)),
    nn.RReLU: ("rrelu", ("lower", "upper")),
    nn.Softplus: ("softplus", ("beta", "threshold")),
    nn.SELU: ("selu", ()),
    nn.CELU: ("celu", ("alpha",)),
    nn.Mish: ("mish", ()),
    nn.LogSigmoid: ("logsigmoid", ()),
    nn.Softsign: ("softsign", ()),
    nn.Tanhshrink: ("tanhshrink", ()),
    nn.Hardshrink: ("hardshrink", ("lambd",)),
    nn.Softshrink: ("softshrink", ("lambd",)),
    nn.Threshold: ("threshold", ("threshold", "value")),
    nn.GLU: ("glu", ("dim",)),
    nn.Softmin: ("softmin", ("dim",)),
    nn.Hardtanh: ("hardtanh", ("min_val", "max_val")),
    nn.Softmax: ("softmax", ("dim",)),
    nn.LogSoftmax: ("log_softmax", ("dim",)),
    nn.MaxPool1d: ("max_pool1d", ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")),
    nn.MaxPool2d: ("max_pool2d", ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")),
    nn.AvgPool1d: ("avg_pool1d", ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")),
    nn.AvgPool2d: (
        "avg_pool2d",
        ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    ),
    nn.AdaptiveAvgPool1d: ("adaptive_avg_pool1d", ("output_size",)),
    nn.AdaptiveAvgPool2d: ("adaptive_avg_pool2d", ("output_size",)),
    nn.AdaptiveMaxPool1d: ("adaptive_max_pool1d", ("output_size", "return_indices")),
    nn.AdaptiveMaxPool2d: ("adaptive_max_pool2d", ("output_size", "return_indices")),
    nn.Dropout: ("identity", ()),
    nn.Dropout1d: ("identity", ()),
    nn.Dropout2d: ("identity", ()),
    nn.Dropout3d: ("identity", ()),
    nn.AlphaDropout: ("identity", ()),
    nn.FeatureAlphaDropout: ("identity", ()),
    nn.Identity: ("identity", ()),
    nn.Flatten: ("flatten", ()),
    nn.Unflatten: ("unflatten", ()),
    nn.ZeroPad1d: ("pad", ("padding",)),
    nn.ZeroPad2d: ("pad", ("padding",)),
    nn.ConstantPad1d: ("constant_pad_nd", ("padding", "value")),
    nn.ConstantPad2d: ("constant_pad_nd", ("padding", "value")),
    nn.ReflectionPad1d: ("reflection_pad1d", ("padding",)),
    nn.ReflectionPad2d: ("reflection_pad2d", ("padding",)),
    nn.ReplicationPad1d: ("replication_pad1d", ("padding",)),
    nn.ReplicationPad2d: ("replication_pad2d", ("padding",)),
    nn.CircularPad1d: ("circular_pad1d", ("padding",)),
    nn.CircularPad2d: ("circular_pad2d", ("padding",)),
    nn.Upsample: ("interpolate", ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor")),
    nn.UpsamplingNearest2d: ("interpolate", ("size", "scale_factor", "mode")),
    nn.UpsamplingBilinear2d: ("interpolate", ("size", "scale_factor", "mode", "align_corners")),
    nn.PixelShuffle: ("pixel_shuffle", ("upscale_factor",)),
    nn.PixelUnshuffle: ("pixel_unshuffle", ("downscale_factor",)),
    nn.ChannelShuffle: ("channel_shuffle", ("groups",)),
}


def load_conversions() -> None:
    """Imports every module of this package, so that `FUNCTIONS` is whole."""
    for module in pkgutil.iter_modules(tracing.__path__):
        importlib.import_module(f"{tracing.__name__}.{module.name}")


class Converter(fx.Interpreter):
    """Runs the traced module; beside each result keeps its `Value`, or the result itself where it is constant."""

    def __init__(self, traced: fx.GraphModule, source: nn.Module, builder: Builder) -> None:
        super().__init__(traced)
        load_conversions()
        self.builder = builder
        self.known: dict[fx.Node, Any] = {}
        self.paths = {id(part): path for path, part in source.named_modules()}
        self._weights: dict[nn.Module, tuple[Any, Any]] = {}
        self._inputs: list[Value] = []
        self._result: Any = None

    def convert(self, inputs: Sequence[Value], tensors: Sequence[torch.Tensor]) -> Any:
        """The output's values; problems are left with the builder."""
        self._inputs = list(inputs)
        self.run(*tensors)
        return self._result

    def run_node(self, n: fx.Node) -> Any:
        try:
            actual = super().run_node(n)
        except InputError:
            raise
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise InputError(
                f"{self._operator_name(n)} fails on a sample of the example's shape: {first}",
                hint="give whole numbers as the example: torch.zeros(1, tokens, dtype=torch.long)"
                if "Long" in first
                else "check the shape without batch axis",
            ) from None
        self.known[n] = self._convert_node(n, actual)
        return actual

    def _convert_node(self, n: fx.Node, actual: Any) -> Any:
        if n.op == "placeholder":
            return self._inputs.pop(0) if self._inputs else actual
        args = fx.map_arg(n.args, lambda a: self.known[a])
        kwargs = fx.map_arg(n.kwargs, lambda a: self.known[a])
        if n.op == "output":
            self._result = args[0]
            return args[0]
        if n.op == "get_attr" or (not _depends(args) and not _depends(kwargs)):
            return actual
        self.builder.module, self.builder.label = self._module_path(n), n.name
        try:
            if _function_name(n) not in (*wiring.RESHAPING, "getitem") and n.op != "call_module":
                args, kwargs = (_stacked(self.builder, part) for part in (args, kwargs))
            result = self._call(n, args, dict(kwargs), actual)
        except Refused as refused:
            self.builder.refuse(self._operator_name(n), refused.message, refused.hint)
            return _placeholder(actual)
        except TypeError as error:
            self.builder.refuse(self._operator_name(n), f"is called in a way that is not known: {error}")
            return _placeholder(actual)
        if self._in_place(n) and isinstance(result, Value) and args and isinstance(args[0], Value):
            old = args[0]
            self.known.update({node: result for node, value in self.known.items() if value is old})
        return result

    def _call(self, n: fx.Node, args: Any, kwargs: dict[str, Any], actual: Any) -> Any:
        if n.op == "call_module" and n.target not in _NO_EFFECT:
            return self._layer(self.fetch_attr(str(n.target)), args, kwargs, actual)
        name = _function_name(n)
        if name in _CONCRETE or name in _NO_EFFECT or (name == "getattr" and args[1] in _ATTRIBUTES):
            return actual
        if name == "getattr" and args[1] == "mT":
            name, args = "mT", args[:1]
        if name in ("lt", "gt", "eq", "ne", "le", "ge") and not isinstance(actual, torch.Tensor):
            return actual
        return self._function(name, n, args, kwargs, actual)

    def _function(self, name: str, n: fx.Node, args: Any, kwargs: dict[str, Any], actual: Any) -> Any:
        b = self.builder
        if name in wiring.RESHAPING:
            return self._reshape(args[0], actual)
        if name == "linear":
            return linear(b, *args, **_renamed(kwargs, input="x"))
        if name == "convolution":
            return self._aten_convolution(*args)
        if name in ("conv1d", "conv2d"):
            return convolution(b, int(name[4]), *args, **_renamed(kwargs, input="x"))
        if name == "batch_norm":
            return self._batch_norm_function(n, args, kwargs)
        if name in ("lstm", "gru", "rnn_tanh", "rnn_relu") and len(args) == 9:
            return self._recurrent_function(name, args)
        if name not in FUNCTIONS:
            raise Refused("cannot be hosted", "replace it by layers and activations that can, or split the model")
        result = FUNCTIONS[name](b, *args, **_renamed(kwargs, input="x"))
        if isinstance(actual, tuple) and isinstance(result, Value):
            return result, Unavailable("the places of the maxima")
        return result

    def _reshape(self, x: Any, actual: Any) -> Value:
        if isinstance(x, States):
            x = x[0] if len(x) == 1 and actual.shape[0] == BATCH else x.stacked(self.builder)
        if not isinstance(x, Value):
            raise Refused("reshapes what a layer does not give", "use its output sequence")
        return self.builder.reshaped(x, tuple(actual.shape))

    def _batch_norm_function(self, n: fx.Node, args: Any, kwargs: dict[str, Any]) -> Value:
        functional = n.target is torch.nn.functional.batch_norm
        order = ("running_mean", "running_var", "weight", "bias") if functional else _ATEN_NORM
        given = dict(zip(("x", *order, "training", "momentum", "eps"), args, strict=False)) | kwargs
        given.update(_renamed(kwargs, input="x"))
        if given.get("training"):
            given["running_mean"] = None
        mean, var, weight, bias = (given.get(k) for k in ("running_mean", "running_var", "weight", "bias"))
        return batch_norm(self.builder, given["x"], mean, var, weight, bias, float(given.get("eps", 1e-5)))

    def _recurrent_function(self, name: str, args: Any) -> Any:
        x, state, tensors, has_bias, layers, _, _, both, batch_first = args
        each = len(tensors) // (layers * (2 if both else 1))
        if each != (4 if has_bias else 2):
            raise Refused("has a projection (proj_size)", "use a Linear layer after it")
        parts = [tensors[i : i + each] for i in range(0, len(tensors), each)]
        result = recurrent(self.builder, name.upper(), x, parts, has_bias, both, batch_first, state)
        if name != "lstm":
            return result
        sequence, (final, cell) = result
        return sequence, final, cell

    def _layer(self, module: nn.Module, args: Any, kwargs: dict[str, Any], actual: Any) -> Any:
        b = self.builder
        if kwargs:
            bound = inspect.signature(module.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        if isinstance(module, nn.LSTM | nn.GRU | nn.RNN):
            return recurrent_module(b, module, *args)
        if isinstance(module, nn.LSTMCell | nn.GRUCell | nn.RNNCell):
            return cell_step(b, module, *args)
        if quantized.known(module):
            return quantized.layer(b, module, args[0], actual)
        if isinstance(module, nn.Linear):
            weight, mask = self._weight(module)
            return linear(b, args[0], weight, module.bias, mask)
        if isinstance(module, nn.modules.conv._ConvNd):
            return self._convolution_layer(module, args[0])
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            statistics = (module.running_mean, module.running_var)
            return batch_norm(b, args[0], *statistics, module.weight, module.bias, module.eps)
        if isinstance(module, nn.Softmax2d):
            return FUNCTIONS["softmax"](b, args[0], -3)
        if (convert := attention.LAYERS.get(type(module))) is not None:
            return convert(b, module, *args)
        if type(module) in _PLAIN:
            name, attributes = _PLAIN[type(module)]
            if name in wiring.RESHAPING:
                return self._reshape(args[0], actual)
            result = FUNCTIONS[name](b, args[0], *(getattr(module, a) for a in attributes))
            wanted = isinstance(actual, tuple) and isinstance(result, Value)
            return (result, Unavailable("the places of the maxima")) if wanted else result
        raise Refused("cannot be hosted", "replace it by layers that can, or split the model")

    def _convolution_layer(self, module: Any, x: Value) -> Value:
        b, axes = self.builder, len(module.kernel_size)
        weight, mask = self._weight(module)
        if module.transposed:
            if axes == 3:
                raise Refused("has three axes", "use ConvTranspose1d or ConvTranspose2d")
            enlarged = (module.stride, module.padding, module.output_padding, module.groups, module.dilation)
            return convolve_transposed(b, x, weight, module.bias, *enlarged, mask)
        x, padding = mode_padded(b, x, module)
        stride, dilation, groups = module.stride, module.dilation, module.groups
        if axes == 3:
            return convolve_3d(b, x, weight, module.bias, stride, padding, dilation, groups, mask)
        return convolution(b, axes, x, weight, module.bias, stride, padding, dilation, groups, mask)

    def _aten_convolution(
        self,
        x: Any,
        weight: Any,
        bias: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        transposed: bool,
        extra: Any,
        groups: int,
    ) -> Value:
        """The one operation that ATen has for all convolutions."""
        axes = len(stride)
        if transposed:
            return convolve_transposed(self.builder, x, weight, bias, stride, padding, extra, groups, dilation)
        if axes == 3:
            return convolve_3d(self.builder, x, weight, bias, stride, padding, dilation, groups)
        return convolution(self.builder, axes, x, weight, bias, stride, padding, dilation, groups)

    def _weight(self, module: nn.Module) -> tuple[Any, Any]:
        """The weight and the mask that torch.nn.utils.prune left on the layer; the same tensors at every call."""
        if module not in self._weights:
            mask = getattr(module, "weight_mask", None)
            weight = module.weight if mask is None else module.weight_orig * mask
            self._weights[module] = (weight, mask)
        return self._weights[module]

    def _in_place(self, n: fx.Node) -> bool:
        if n.op == "call_module":
            return bool(getattr(self.fetch_attr(str(n.target)), "inplace", False))
        if n.kwargs.get("inplace") is True:
            return True
        name = _raw_name(n)
        return (name.endswith("_") and not name.endswith("__")) or name in ("iadd", "isub", "imul", "itruediv")

    def _operator_name(self, n: fx.Node) -> str:
        if n.op == "call_module":
            return type(self.fetch_attr(str(n.target))).__name__
        return _raw_name(n)

    def _module_path(self, n: fx.Node) -> str:
        """Path in the source model of the module that calls this operation."""
        if n.op == "call_module":
            return self.paths.get(id(self.fetch_attr(str(n.target))), str(n.target))
        stack = list((n.meta.get("nn_module_stack") or {}).values())
        path = stack[-1][0] if stack else ""
        path = path if isinstance(path, str) else ""
        return path.removeprefix("L['self'].").removeprefix("L['self']")


_ATEN_NORM = ("weight", "bias", "running_mean", "running_var")


def _raw_name(n: fx.Node) -> str:
    target = n.target
    if isinstance(target, str):
        return target.rsplit(".", 1)[-1]
    if isinstance(target, torch._ops.OpOverload):
        return str(target._schema.name).rsplit("::", 1)[-1]
    return getattr(target, "__name__", str(target))


def _function_name(n: fx.Node) -> str:
    name = _raw_name(n)
    return name if name.endswith("__") else name.removesuffix("_")


def _depends(tree: Any) -> bool:
    """Whether a value that depends on the input is somewhere in these arguments."""
    if isinstance(tree, Value | States | Unavailable):
        return True
    if isinstance(tree, Mapping):
        return any(_depends(v) for v in tree.values())
    return isinstance(tree, tuple | list) and any(_depends(v) for v in tree)


def _stacked(b: Builder, tree: Any) -> Any:
    """Final states as the one tensor that torch has them in, where anything but an index asks for them."""
    if isinstance(tree, States):
        return tree.stacked(b)
    if isinstance(tree, Mapping):
        return {k: _stacked(b, v) for k, v in tree.items()}
    if isinstance(tree, tuple | list) and not isinstance(tree, torch.Size):
        return type(tree)(_stacked(b, v) for v in tree)
    return tree


def _placeholder(actual: Any) -> Any:
    """Stands for the result of a refused operation, so that the rest of the model is checked too."""
    if isinstance(actual, torch.Tensor):
        shape = tuple(actual.shape)
        batch = shape.index(BATCH) if BATCH in shape else 0
        return Value("refused", shape[:batch] + shape[batch + 1 :], batch)
    if isinstance(actual, tuple | list):
        return tuple(_placeholder(v) for v in actual)
    return actual


def _renamed(kwargs: Mapping[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(k, k): v for k, v in kwargs.items()}
