"""Reading torch modules: traced by torch.fx, or by torch.export where their control flow cannot be traced.

The model runs once on a small batch; every traced operation becomes an operator of the graph, and the finished graph
is run against the model on other inputs before it is returned.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph, Shape
from neuromorph.graph.simplify import rounded, simplify
from neuromorph.importers.tracing.converter import Converter
from neuromorph.importers.tracing.values import BATCH, Builder, Value

CHECK_TOLERANCE = 1e-4
"""Largest deviation of graph from model, relative to the largest output, that rounding in float32 explains."""


def read_module(module: nn.Module, example: Any, name: str, batch_axis: int, check: bool) -> Graph:
    """See `torch_import.from_torch`."""
    shapes = _sample_shapes(example, batch_axis)
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    generator = torch.Generator().manual_seed(0)
    with _evaluating(module), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = _random(shapes, BATCH, batch_axis, dtype, generator)
        traced = _trace(module, inputs)
        builder = Builder()
        converter = Converter(traced, module, builder)
        names = [n.name for n in traced.graph.nodes if n.op == "placeholder"]
        values = [builder.input(n, s, batch_axis) for n, s in zip(names, shapes, strict=False)]
        if len(names) > len(values) and any(not n.args for n in list(traced.graph.nodes)[len(values) : len(names)]):
            raise InputError(f"model takes {len(names)} inputs, the example gives {len(values)}", hint="give all")
        result = converter.convert(values, inputs)
        outputs = _outputs(result, builder)
        axes = [value.batch for value in outputs]
        if builder.problems:
            raise InputError(builder.problems)
        given = dict(zip(names, shapes, strict=False))
        graph = simplify(
            Graph(name or type(module).__name__, given, tuple(builder.nodes), tuple(v.name for v in outputs))
        )
        if dtype == torch.float32:
            graph = rounded(graph, np.float32)  # folding worked in float64; the weights stay as wide as they were
        if check:
            _compare(graph, module, _random(shapes, BATCH + 1, batch_axis, dtype, generator), batch_axis, axes)
    return graph


def _sample_shapes(example: Any, batch_axis: int) -> list[Shape]:
    """Per-sample shapes of one or several inputs."""
    if isinstance(example, torch.Tensor):
        if example.dim() < 2:
            raise InputError(f"example has shape {tuple(example.shape)}", hint="give it a batch axis")
        return [tuple(n for i, n in enumerate(example.shape) if i != batch_axis)]
    if not isinstance(example, Sequence) or not example:
        raise InputError(f"example is {example!r}", hint="give a shape without batch axis, a tensor, or a list")
    if all(isinstance(n, int) for n in example):
        if min(example) < 1:
            raise InputError(f"shape {tuple(example)} must be positive")
        return [tuple(example)]
    return [shape for part in example for shape in _sample_shapes(part, batch_axis)]


def _random(
    shapes: Sequence[Shape], batch: int, axis: int, dtype: torch.dtype, generator: torch.Generator
) -> list[torch.Tensor]:
    return [torch.rand((*s[:axis], batch, *s[axis:]), generator=generator, dtype=dtype) for s in shapes]


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode for a while; every submodule gets its own mode back."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def _trace(module: nn.Module, inputs: Sequence[torch.Tensor]) -> fx.GraphModule:
    """fx keeps layers whole and is quick; export follows control flow that depends on shapes, and unrolls loops."""
    if type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.Sequential):
        module = nn.Sequential(module)  # a layer alone would be traced into its insides
    try:
        return fx.symbolic_trace(module)
    except Exception as first:
        try:
            return torch.export.export(module, tuple(inputs)).module()
        except Exception as second:
            raise InputError(
                Problem(
                    f"model cannot be traced: torch.fx says {_first_line(first)!r}, "
                    f"torch.export says {_first_line(second)!r}",
                    Place(key=type(module).__name__),
                    "control flow must not depend on the values of tensors; check the example's shape",
                )
            ) from None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]


def _outputs(result: Any, builder: Builder) -> list[Value]:
    """The output values."""
    if isinstance(result, Mapping):
        result = list(result.values())
    results = list(result) if isinstance(result, tuple | list) else [result]
    made = {node.name for node in builder.nodes}
    for value in results:
        if not isinstance(value, Value):
            builder.module = builder.label = ""
            builder.refuse("model", "returns something that is not computed from its input", "return tensors")
        elif value.name not in made and not builder.problems:
            builder.refuse("model", "returns its input", "it has no layer to host")
    return [value for value in results if isinstance(value, Value)]


def _compare(
    graph: Graph, module: nn.Module, inputs: Sequence[torch.Tensor], batch_axis: int, output_axes: Sequence[int]
) -> None:
    """Refuses a graph that does not compute what the module does."""
    place = Place(key=graph.name)
    try:
        wanted = module(*inputs)
    except Exception as error:
        raise InputError(
            f"model fails on a batch of {BATCH + 1} samples: {_first_line(error)}", place, "do not fix the batch size"
        ) from None
    wanted = list(wanted.values()) if isinstance(wanted, Mapping) else wanted
    wanted = list(wanted) if isinstance(wanted, tuple | list) else [wanted]
    found = evaluate(graph, [x.movedim(batch_axis, 0) for x in inputs])
    results = [found] if isinstance(found, torch.Tensor) else found
    for reference, value, axis in zip(wanted, results, output_axes, strict=True):
        reference = reference.movedim(axis, 0)
        largest = float(reference.abs().max()) if reference.numel() else 0.0
        off = float((value - reference).abs().max()) if value.shape == reference.shape else float("inf")
        if not off <= CHECK_TOLERANCE * max(largest, 1e-30):
            raise InputError(
                f"graph differs from the model by {off:.2g} where outputs reach {largest:.2g}",
                place,
                "the model mixes samples, is random in eval mode, or changes tensors in place through views",
            )
