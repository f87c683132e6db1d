"""The node tests that package onnx generates, through the importer: other inputs than the first are constants."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from neuromorph.errors import InputError
from neuromorph.graph.evaluate import evaluate
from neuromorph.importers.onnx_files.build import build, claimed


@cache
def cases() -> dict[str, Any]:
    """Test cases by name whose nodes are all claimed."""
    known = {name for names in claimed().values() for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        found = load_model_tests(kind="node")
    chosen = {}
    for case in found:
        nodes = case.model.graph.node
        opset = next((o.version for o in case.model.opset_import if o.domain in ("", "ai.onnx")), 0)
        if nodes and opset >= 9 and len(nodes) == 1 and nodes[0].op_type in known and case.model.graph.input:
            chosen[case.name] = case
    return chosen


def arrays(values: Any) -> list[np.ndarray]:
    return [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else np.asarray(v) for v in values]


_MOVING = ("Cast", "CastLike", "Identity", "Dropout", "Clip", "Max", "Min", "Sum", "ReduceSum", "Transpose")
"""Operators of which some case gives the input as it is; a node after them makes the graph compute something."""


def _negated(model: onnx.ModelProto, outputs: list[np.ndarray]) -> list[np.ndarray]:
    name = model.graph.output[0].name
    model.graph.node.append(onnx.helper.make_node("Neg", [name], ["negated"]))
    model.graph.output[0].name = "negated"
    return [-outputs[0].astype(np.float64), *outputs[1:]]


def run(case: Any, kept: Sequence[int]) -> str:
    """ "" where the graph gives what the case says, else what differs; InputError where it is refused."""
    given, wanted = case.data_sets[0]
    inputs, outputs = arrays(given), arrays(wanted)
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    names = [value.name for value in model.graph.input]
    outputs = _negated(model, outputs) if case.model.graph.node[0].op_type in _MOVING else outputs
    for i, (name, array) in enumerate(zip(names, inputs, strict=True)):
        if i not in kept:
            model.graph.initializer.append(numpy_helper.from_array(array, name))
    first: InputError | None = None
    for axis in (0, 1, None):
        if axis is not None and any(inputs[i].ndim <= axis for i in kept):
            continue
        try:
            graph = build(model, Path("case.onnx"), [axis] * len(kept))
        except InputError as error:
            first = first or error
            continue
        single = "Quant" in case.model.graph.node[0].op_type  # rounds where single precision does
        fed = [torch.tensor(inputs[i].astype(np.float32 if single else np.float64)) for i in kept]
        fed = [x.movedim(axis, 0) if axis is not None else x for x in fed]
        found = evaluate(graph, fed)
        results = [found] if isinstance(found, torch.Tensor) else list(found)
        wide = [w for w, o in zip(outputs, model.graph.output, strict=True) if o.name]
        if len(results) != len(wide):
            wide = wide[:1] * len(results)  # one node gives several outputs of one value
        return "; ".join(filter(None, (differs(r.numpy(), w, case) for r, w in zip(results, wide, strict=True))))
    assert first is not None
    raise first


def differs(found: np.ndarray, wanted: np.ndarray, case: Any) -> str:
    """How a result differs; the batch axis may stand anywhere."""
    coarse = wanted.dtype.itemsize < 4 or "FLOAT16" in case.name
    wanted = wanted.astype(np.float64)
    candidates = [np.moveaxis(found, 0, k) for k in range(found.ndim)] if found.ndim else [found]
    fitting = [c for c in [found, *candidates] if c.shape == wanted.shape]
    if not fitting and found.size == wanted.size:
        fitting = [found.reshape(wanted.shape)] if found.size == 1 else []
    if not fitting:
        return f"shape {found.shape}, expected {wanted.shape}"
    if any(
        np.allclose(c, wanted, rtol=1e-2 if coarse else max(case.rtol, 1e-5), atol=max(case.atol, 1e-6), equal_nan=True)
        for c in fitting
    ):
        return ""
    return f"off by {min(np.nanmax(np.abs(c - wanted)) for c in fitting):.3g}"


def ways(case: Any) -> Iterator[tuple[int, ...]]:
    """Which inputs depend on the model's input: the first, the second, all that are activations."""
    yield (0,)
    if case.model.graph.node[0].op_type in (
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Pow",
        "Max",
        "Min",
        "Sum",
        "Mean",
        "MatMul",
        "Gemm",
    ):
        count = len(case.model.graph.input)
        if count > 1:
            yield (1,)
            yield tuple(range(count))
