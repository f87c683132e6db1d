"""Reading torch modules: traced by torch.fx, or by torch.export where their control flow cannot be traced.

The model runs once on a small batch; every traced operation becomes an operator of the graph, and the finished graph
is run against the model on other inputs before it is returned.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph, Shape
from neuromorph.graph.operators.arithmetic import DynamicQuantize
from neuromorph.graph.simplify import rounded, simplify
from neuromorph.importers.tracing.converter import Converter
from neuromorph.importers.tracing.quantized import known
from neuromorph.importers.tracing.values import BATCH, Builder, Value

CHECK_TOLERANCE = 1e-4
"""Largest deviation of graph from model, relative to the largest output, that rounding in float32 explains."""

CHECK_ROUNDINGS = 16
"""The same in roundings of narrower types."""


def read_module(module: nn.Module, example: Any, name: str, batch_axis: int, check: bool) -> Graph:
    """See `torch_import.from_torch`."""
    shapes = _sample_shapes(example, batch_axis)
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    generator = torch.Generator().manual_seed(0)
    with _evaluating(module), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pools = _whole_numbers(example, len(shapes))
        inputs = _random(shapes, pools, BATCH, batch_axis, dtype, generator)
        shapes_only = any(p.is_meta for p in module.parameters())
        if shapes_only:
            inputs = [x.to("meta") for x in inputs]
        _check_modules(module)
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
        keys = result.items() if isinstance(result, Mapping) else ()
        graph = _renamed(graph, [str(k) for k, v in keys if v is not None])
        if dtype == torch.float32:
            graph = rounded(graph, np.float32)  # folding worked in float64; the weights stay as wide as they were
        if check and not shapes_only:
            _compare(graph, module, _random(shapes, pools, BATCH + 1, batch_axis, dtype, generator), batch_axis, axes)
    return graph


def _sample_shapes(example: Any, batch_axis: int) -> list[Shape]:
    """Per-sample shapes of one or several inputs."""
    if isinstance(example, torch.Tensor):
        if example.dim() < 2:
            raise InputError(f"example has shape {tuple(example.shape)}", hint="give it a batch axis")
        return [tuple(n for i, n in enumerate(example.shape) if i != batch_axis)]
    if not isinstance(example, Sequence) or isinstance(example, str | bytes) or not example:
        raise InputError(f"example is {example!r}", hint="give a shape without batch axis, a tensor, or a list")
    if all(isinstance(n, int) for n in example):
        if min(example) < 1:
            raise InputError(f"shape {tuple(example)} must be positive")
        return [tuple(example)]
    return [shape for part in example for shape in _sample_shapes(part, batch_axis)]


def _whole_numbers(example: Any, inputs: int) -> list[torch.Tensor | None]:
    """For each input the values of its example where these are whole numbers (tokens), else None."""
    parts = [example] if inputs == 1 and isinstance(example, torch.Tensor) else example
    found = [p if isinstance(p, torch.Tensor) and not p.is_floating_point() else None for p in parts]
    return found if len(found) == inputs else [None] * inputs


def _random(
    shapes: Sequence[Shape],
    pools: Sequence[torch.Tensor | None],
    batch: int,
    axis: int,
    dtype: torch.dtype,
    generator: torch.Generator,
) -> list[torch.Tensor]:
    made = []
    for shape, pool in zip(shapes, pools, strict=True):
        full = (*shape[:axis], batch, *shape[axis:])
        if pool is None:
            made.append(torch.rand(full, generator=generator, dtype=dtype))
        else:
            made.append(pool.flatten()[torch.randint(pool.numel(), full, generator=generator)])
    return made


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode for a while; every submodule gets its own mode back."""
    modes = {part: part.training for part in module.modules()}
    switches = [v for n, v in module.named_buffers() if n.rpartition(".")[2] == "observer_enabled"]
    observing = [switch.clone() for switch in switches]
    module.eval()
    for switch in switches:
        switch.zero_()  # a look at the values would move their ranges
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        for switch, before in zip(switches, observing, strict=True):
            switch.copy_(before)


SPIKING = ("snntorch", "norse", "sinabs", "spikingjelly", "slayer", "lava", "rockpool")
"""Packages whose neurons keep state between calls, which a traced module does not show."""


def _check_modules(module: nn.Module) -> None:
    problems = []
    for path, part in module.named_modules():
        package = type(part).__module__.partition(".")[0]
        if package in SPIKING and not any(True for _ in part.children()):
            hint = f"export it to NIR ({package}.export_to_nir or nirtorch) and give the .nir file"
            problems.append(Problem(f"{type(part).__name__} of {package} is a spiking neuron", Place(key=path), hint))
    if problems:
        raise InputError(problems)


class _Tracer(fx.Tracer):
    """Keeps what imitates quantization whole, as torch's layers are."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return known(m) or super().is_leaf_module(m, module_qualified_name)


def _traced(module: nn.Module, given: int) -> fx.GraphModule:
    """By torch.fx; arguments that the example does not give keep their defaults."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    plain = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    left = {p.name: p.default for p in plain[given:] if p.default is not p.empty}
    tracer = _Tracer()
    graph = tracer.trace(module, concrete_args=left or None)
    for node in list(graph.nodes):
        if node.op == "placeholder" and node.name.removesuffix("_1") in left and not node.users:
            graph.erase_node(node)
    return fx.GraphModule(tracer.root, graph)


def _trace(module: nn.Module, inputs: Sequence[torch.Tensor]) -> fx.GraphModule:
    """fx keeps layers whole and is quick; export follows control flow that depends on shapes, and unrolls loops."""
    if type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.Sequential):
        module = nn.Sequential(module)  # a layer alone would be traced into its insides
    try:
        return _traced(module, len(inputs))
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
    """The output values; what is None is left out."""
    if isinstance(result, Mapping):
        result = list(result.values())
    results = [v for v in (result if isinstance(result, tuple | list) else [result]) if v is not None]
    made = {node.name for node in builder.nodes}
    for value in results:
        if not isinstance(value, Value):
            builder.module = builder.label = ""
            builder.refuse("model", "returns something that is not computed from its input", "return tensors")
        elif value.folded:
            builder.module = builder.label = ""
            builder.refuse(
                "model", "returns values that join samples across the batch axis", "give each sample its own"
            )
        elif value.name not in made and not builder.problems:
            builder.refuse("model", "returns its input", "it has no layer to host")
    return [value for value in results if isinstance(value, Value)]


def _renamed(graph: Graph, names: Sequence[str]) -> Graph:
    """The graph with its outputs called so; whatever else has one of these names gets another."""
    if not names or len(set(graph.outputs)) < len(names):
        return graph
    new = dict(zip(graph.outputs, names, strict=True))
    for name in (*graph.input_shapes, *(node.name for node in graph.nodes)):
        if name not in new and name in names:
            if name in graph.input_shapes:
                return graph
            new[name] = f"{name}_inside"
    nodes = [
        replace(n, name=new.get(n.name, n.name), inputs=tuple(new.get(i, i) for i in n.inputs)) for n in graph.nodes
    ]
    return replace(graph, nodes=tuple(nodes), outputs=tuple(names))


def _each_joined(each: Sequence[Any], axes: Sequence[int]) -> list[torch.Tensor]:
    """Outputs of one sample after the other as those of a batch."""
    lists = [
        list(y.values()) if isinstance(y, Mapping) else list(y) if isinstance(y, tuple | list) else [y] for y in each
    ]
    tensors = [[v for v in row if isinstance(v, torch.Tensor)] for row in lists]
    return [torch.cat(parts, axis) for parts, axis in zip(zip(*tensors, strict=True), axes, strict=True)]


def _compare(
    graph: Graph, module: nn.Module, inputs: Sequence[torch.Tensor], batch_axis: int, output_axes: Sequence[int]
) -> None:
    """Refuses a graph that does not compute what the module does."""
    place = Place(key=graph.name)
    alone = any(isinstance(node.operator, DynamicQuantize) for node in graph.nodes)
    try:
        if alone:
            each = [module(*(x.narrow(batch_axis, i, 1) for x in inputs)) for i in range(BATCH + 1)]
            wanted = _each_joined(each, output_axes)
        else:
            wanted = module(*inputs)
    except Exception as error:
        raise InputError(
            f"model fails on a batch of {BATCH + 1} samples: {_first_line(error)}", place, "do not fix the batch size"
        ) from None
    wanted = list(wanted.values()) if isinstance(wanted, Mapping) else wanted
    wanted = list(wanted) if isinstance(wanted, tuple | list) else [wanted]
    wanted = [v for v in wanted if isinstance(v, torch.Tensor)]
    dtype = wanted[0].dtype
    tolerance = (
        max(CHECK_TOLERANCE, CHECK_ROUNDINGS * torch.finfo(dtype).eps) if dtype.itemsize < 4 else CHECK_TOLERANCE
    )
    given = [x.movedim(batch_axis, 0) for x in inputs]
    wide = [
        x.to(torch.promote_types(x.dtype, torch.float32) if x.is_floating_point() else torch.float32) for x in given
    ]
    found = evaluate(graph, wide)
    results = [found] if isinstance(found, torch.Tensor) else found
    for reference, value, axis in zip(wanted, results, output_axes, strict=True):
        reference = reference.movedim(axis, 0)
        largest = float(reference.abs().max()) if reference.numel() else 0.0
        off = float((value - reference).abs().max()) if value.shape == reference.shape else float("inf")
        if not off <= tolerance * max(largest, 1e-30):
            raise InputError(
                f"graph differs from the model by {off:.2g} where outputs reach {largest:.2g}",
                place,
                "the model mixes samples, is random in eval mode, or changes tensors in place through views",
            )
