"""What depends on no input of the model: evaluated by onnx's reference implementation, within limits of size."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from math import prod

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from neuromorph.importers.onnx_files.values import Call, Const, Refused, Result, folds, reads

MAX_ELEMENTS = 2**28
"""Elements of a folded constant beyond which a file is taken for damaged."""
_GROWING = ("Expand", "Tile", "Range", "Pad", "Resize", "Upsample", "OneHot", "ConstantOfShape")
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")


def folded(call: Call, node: onnx.NodeProto, key: tuple[str, str], opsets: Mapping[str, int]) -> Result:
    """The outputs of a node whose inputs are all constant."""
    if key[0] or key[1] in _RANDOM or any(a.type == onnx.AttributeProto.GRAPH for a in node.attribute):
        raise Refused("of constants cannot be evaluated", "fold it before export")
    arrays = [v.array if isinstance(v, Const) else None for v in call.inputs]
    if node.op_type in _GROWING:
        _check_size(node.op_type, [a for a in arrays if a is not None])
    names = [f"i{k}" if a is not None else "" for k, a in enumerate(arrays)]
    outputs = [f"o{k}" if name else "" for k, name in enumerate(node.output)]
    inner = onnx.NodeProto()
    inner.CopyFrom(node)
    del inner.input[:], inner.output[:]
    inner.input.extend(names)
    inner.output.extend(outputs)
    graph = helper.make_graph(
        [inner],
        "folded",
        [helper.make_value_info(n, onnx.TypeProto()) for n in names if n],
        [helper.make_value_info(n, onnx.TypeProto()) for n in outputs if n],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opsets[""])])
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = ReferenceEvaluator(model).run(None, {n: a for n, a in zip(names, arrays, strict=True) if n})
    except Exception as error:
        text = (str(error).splitlines() or [""])[0][:200]
        raise Refused(f"of constants fails: {type(error).__name__}: {text}", "check it with onnx.checker") from None
    values = iter(found)
    return tuple(Const(np.asarray(next(values))) if name else None for name in outputs)


def _check_size(op: str, arrays: list[np.ndarray]) -> None:
    """Refuses what would grow a small file into gigabytes."""
    size = max((a.size for a in arrays), default=1)
    if op == "Range" and len(arrays) == 3:
        start, stop, step = (float(np.asarray(a).reshape(-1)[0]) for a in arrays)
        sizes = [abs(stop - start) / abs(step or 1)]
    else:
        whole = [np.abs(a.astype(np.float64)) for a in arrays if a.ndim == 1 and a.size <= 16]
        sizes = [float(np.prod(np.maximum(a, 1))) for a in whole]
        if op in ("Tile", "Resize", "Upsample"):
            sizes = [n * size for n in sizes]
        if op == "Pad":
            sizes = [
                float(prod(arrays[0].shape[k] + a[k] + a[k + a.size // 2] for k in range(a.size // 2)))
                for a in whole
                if a.size == 2 * arrays[0].ndim
            ]
        if op == "OneHot":
            sizes = [float(arrays[0].size * np.max(np.abs(arrays[1].astype(np.float64)), initial=1))]
    if not max(sizes, default=1.0) <= MAX_ELEMENTS:
        raise Refused(f"makes a constant of {max(sizes):.3g} elements", f"at most {MAX_ELEMENTS}")


@folds("Constant")
def _constant(call: Call) -> Result:
    for name, value in call.attributes.items():
        if name == "value":
            return Const(numpy_helper.to_array(value))
        if name in ("value_float", "value_floats"):
            return Const(np.asarray(value, np.float32))
        if name in ("value_int", "value_ints"):
            return Const(np.asarray(value, np.int64))
    raise Refused("has no value that is a tensor of numbers", "legal: value, value_float(s), value_int(s)")


@folds("ConstantOfShape")
def _filled(call: Call) -> Result:
    shape = [int(n) for n in call.const(0, "shape").reshape(-1)]
    if min(shape, default=1) < 0 or prod(shape) > MAX_ELEMENTS:
        raise Refused(f"has shape {shape}", f"at most {MAX_ELEMENTS} elements")
    value = call.attributes.get("value")
    array = np.zeros(1, np.float32) if value is None else numpy_helper.to_array(value)
    return Const(np.full(shape, array.reshape(-1)[0], array.dtype))


@folds("Identity", "Dropout")
def _same(call: Call) -> Result:
    return call.held(0)


@folds("Shape")
@reads("Shape")
def _shape(call: Call) -> Result:
    value = call.inputs[0]
    if value is None:
        raise Refused("has no input")
    full = value.array.shape if isinstance(value, Const) else value.full
    return Const(np.asarray(full[slice(call.attr("start", 0), call.attr("end"))], np.int64))


@reads("Size")
def _size(call: Call) -> Result:
    return Const(np.asarray(prod(call.raw().full), np.int64))
