"""Thresholds from data, and networks whose activations are replaced by those a spiking neuron can reproduce."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.model import Graph, Node, Operator, Shape
from neuromorph.graph.operators.activation import Clip, ReLU, ReLU6
from neuromorph.graph.operators.arithmetic import BatchNorm
from neuromorph.graph.operators.dense import Weighted
from neuromorph.graph.operators.stepped import ClipFloor, HoyerStep
from neuromorph.graph.operators.wiring import Transpose
from neuromorph.progress import Progress

RECTIFIERS = (ReLU, ReLU6)
BATCH = 256


def rectifies(operator: Operator) -> bool:
    """Whether it is zero below zero and the identity above, up to a limit: what a rate of spikes can stand for."""
    return isinstance(operator, RECTIFIERS) or (isinstance(operator, Clip) and operator.low == 0.0)


def channel_axis(shape: Shape) -> int:
    """Where channels lie in a value of one sample: maps (channels, height, width), sequences (channels, length)."""
    return {1: -1, 2: -2}.get(len(shape), -3)


def channel_axes(graph: Graph) -> dict[str, int]:
    """The axis of every value on which the layer behind it has its outputs: the last one of a Linear, tokens or not."""
    shapes, found = graph.shapes, {name: channel_axis(shape) for name, shape in graph.input_shapes.items()}
    for node in graph.nodes:
        shape, operator = shapes[node.name], node.operator
        if isinstance(operator, Weighted):
            found[node.name] = -max(operator.weight.ndim - 1, 1)
        elif isinstance(operator, BatchNorm) and operator.scale.size > 1:
            found[node.name] = operator.axis
        elif node.inputs and len(shapes[node.inputs[0]]) == len(shape) and not isinstance(operator, Transpose):
            found[node.name] = found[node.inputs[0]]
        else:
            found[node.name] = channel_axis(shape)
    return found


def limits(
    graph: Graph, x: np.ndarray, nodes: Mapping[str, int | None], method: str = "percentile", percentile: float = 99.9,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """The largest activation of each of these nodes on data: (1,), or (channels,) where an axis is given.

    nodes: channel axis by node name, None for the whole layer. method "max": the largest value; "percentile": that
    percentile of the values above zero, which leaves out the outliers that would make all others fire seldom. A channel
    that is never above zero takes the largest value of its layer. Raises InputError for a layer that is silent on all
    of the data.
    """
    import torch

    from neuromorph.graph.evaluate import Evaluator

    if method not in ("max", "percentile"):
        raise InputError(f"method is {method!r}", hint="legal: max, percentile")
    if not 50 <= percentile <= 100:
        raise InputError(f"percentile is {percentile}", hint="between 50 and 100")
    if np.ndim(x) == 0 or len(x) == 0:
        raise InputError("the calibration data hold no sample", Place(key="calibration"), "a few hundred inputs")
    seen: dict[str, list[np.ndarray]] = {name: [] for name in nodes}

    def record(name: str, value: torch.Tensor) -> None:
        if name in seen:
            axis = nodes[name]
            flat = value.flatten() if axis is None else value.movedim(axis, 0).flatten(1)
            seen[name].append(np.atleast_2d(flat.numpy()))

    evaluator = Evaluator(graph)
    with torch.no_grad():
        for start in range(0, len(x), BATCH):
            if progress is not None:
                progress(start / len(x), f"finding thresholds, sample {start} of {len(x)}")
            evaluator(torch.from_numpy(np.ascontiguousarray(x[start : start + BATCH], dtype=np.float32)), record=record)
    found, problems = {}, []
    for name, parts in seen.items():
        rows = np.concatenate(parts, axis=1)
        if not np.isfinite(rows).all() or float(rows.max()) <= 0:
            message = (
                "gives no value above 0 on the calibration data" if np.isfinite(rows).all() else "gives NaN or Inf"
            )
            problems.append(Problem(message, Place(key=graph[name].label), "more or other calibration data"))
            continue
        found[name] = _row_limits(rows, method, percentile)
    if problems:
        raise InputError(problems)
    return found


def _row_limits(rows: np.ndarray, method: str, percentile: float) -> np.ndarray:
    largest = float(rows.max())
    result = np.empty(len(rows))
    for i, row in enumerate(rows):
        alive = row[row > 0]
        if not alive.size:
            result[i] = largest
        else:
            result[i] = alive.max() if method == "max" else np.percentile(alive, percentile)
    return result


def with_clip_floor(
    graph: Graph,
    calibration: np.ndarray,
    levels: int = 8,
    *,
    per_channel: bool = False,
    method: str = "percentile",
    percentile: float = 99.9,
) -> Graph:
    """The graph with every rectifier replaced by a `ClipFloor` of so many levels, thresholds found on data.

    Train it (for example through `GraphModule`) and `convert` it with method "qcfs".
    """

    def made(node: Node, limit: np.ndarray, axis: int) -> Operator:
        return ClipFloor(limit, levels, axis)

    return _replaced(graph, calibration, made, per_channel, method, percentile)


def with_hoyer_steps(
    graph: Graph, calibration: np.ndarray, *, factor: float = 1.0, per_channel: bool = False, percentile: float = 99.9
) -> Graph:
    """The graph with every rectifier replaced by a `HoyerStep`: binary activations in a single step.

    The threshold is the percentile of the activations; the extremum is factor * E(z) of the same data, which
    `hoyer_extrema` renews while the network trains. factor: the s of the method, 0 < s <= 1.
    """
    if not 0 < factor <= 1:
        raise InputError(f"factor is {factor}", hint="above 0, at most 1")

    def made(node: Node, limit: np.ndarray, axis: int) -> Operator:
        return HoyerStep(limit, np.ones(1), axis)

    stepped = _replaced(graph, calibration, made, per_channel, "percentile", percentile)
    return hoyer_extrema(stepped, calibration, factor=factor, momentum=0.0)


def hoyer_extrema(graph: Graph, x: np.ndarray, *, factor: float = 1.0, momentum: float = 0.9) -> Graph:
    """The graph with the extrema of its `HoyerStep`s renewed on data, layer after layer.

    E(z) = sum z^2 / sum |z| over z = clip(x / threshold, 0, 1) with values of 1 left out; new = momentum * old +
    (1 - momentum) * factor * E. A layer (channel) with nothing between 0 and 1 keeps its extremum.
    """
    import torch

    from neuromorph.graph.evaluate import Evaluator

    for node in graph.nodes:
        step = node.operator
        if not isinstance(step, HoyerStep):
            continue
        held: dict[str, torch.Tensor] = {}
        source = node.inputs[0]
        record: Callable[[str, Any], None] = lambda name, value: held.update({name: value}) if name == source else None  # noqa: E731, B023
        with torch.no_grad():
            Evaluator(graph)(torch.from_numpy(np.asarray(x, np.float32)), record=record)
        value = held[source] if source in held else torch.from_numpy(np.asarray(x, np.float32))
        old = np.broadcast_to(step.extremum, step.threshold.shape)
        extremum = momentum * old + (1 - momentum) * factor * _extremum(value.numpy(), step, old / factor)
        renewed = dataclasses.replace(step, extremum=np.clip(extremum, np.finfo(np.float32).tiny, 1.0))
        nodes = tuple(dataclasses.replace(n, operator=renewed) if n.name == node.name else n for n in graph.nodes)
        graph = dataclasses.replace(graph, nodes=nodes)
    return graph


def _extremum(x: np.ndarray, step: HoyerStep, default: np.ndarray) -> np.ndarray:
    z = np.moveaxis(x.astype(np.float64), step.axis, 0)
    z = z.reshape(1, -1) if step.threshold.size == 1 else z.reshape(len(z), -1)
    z = np.clip(z / step.threshold[:, None], 0, 1)
    z[z >= 1] = 0
    total = z.sum(1)
    return np.where(total > 0, (z**2).sum(1) / np.where(total > 0, total, 1), default)


def _replaced(
    graph: Graph,
    calibration: np.ndarray,
    made: Callable[[Node, np.ndarray, int], Operator],
    per_channel: bool,
    method: str,
    percentile: float,
) -> Graph:
    along = channel_axes(graph)
    axes = {n.name: along[n.name] for n in graph.nodes if rectifies(n.operator)}
    if not axes:
        raise InputError(f"{graph.name} has no ReLU to replace", hint="train it with ReLU, ReLU6 or a clip from 0")
    found = limits(graph, calibration, {k: a if per_channel else None for k, a in axes.items()}, method, percentile)
    nodes = tuple(
        dataclasses.replace(n, operator=made(n, found[n.name], axes[n.name])) if n.name in axes else n
        for n in graph.nodes
    )
    return dataclasses.replace(graph, nodes=nodes)
