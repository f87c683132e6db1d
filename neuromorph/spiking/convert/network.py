"""Trained networks with values turned into spiking networks whose rates stand for the values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from neuromorph.errors import InputError, Place, Problem, suggest
from neuromorph.graph.model import Graph, Node, NumberFormat, Operator, Shape
from neuromorph.graph.operators.activation import Softmax
from neuromorph.graph.operators.arithmetic import Add, BatchNorm
from neuromorph.graph.operators.dense import Weighted
from neuromorph.graph.operators.neurons import IF, Integrator
from neuromorph.graph.operators.pooling import AvgPool1d, AvgPool2d, GlobalAvgPool, GlobalMaxPool, MaxPool1d, MaxPool2d
from neuromorph.graph.operators.stepped import ClipFloor, HoyerStep
from neuromorph.graph.operators.synapses import Scale, SumPool2d
from neuromorph.graph.operators.wiring import Reshape, Wiring
from neuromorph.graph.semantics import Semantics
from neuromorph.graph.simplify import simplify
from neuromorph.progress import Progress
from neuromorph.spiking.convert.activations import channel_axes, limits, rectifies

METHODS = ("percentile", "max", "qcfs", "hoyer")
_MEANS = (AvgPool1d, AvgPool2d, GlobalAvgPool, SumPool2d)
_MAXIMA = (MaxPool1d, MaxPool2d, GlobalMaxPool)


def convert(
    graph: Graph,
    calibration: np.ndarray | None = None,
    method: str = "percentile",
    *,
    steps: int = 8,
    percentile: float = 99.9,
    per_channel: bool = False,
    initial: float = 0.5,
    dt_s: float = 1e-3,
    progress: Progress | None = None,
) -> Graph:
    """A spiking network over `steps` steps whose rates stand for the activations of a trained network.

    Every rectifier becomes integrate-and-fire neurons that fire at v >= threshold, at most once a step, and subtract
    the threshold. Threshold times rate is then the activation, which the layers behind take over in their weights: the
    published w_l th_(l-1) / th_l with thresholds of 1 is the same in another unit of the membrane. Biases act in every
    step. An input value acts as a constant current, so the first layer multiplies values (encode it as spikes and its
    products are additions). The read-out is an integrator: its last value is the sum of the outputs over all steps.

    method: how thresholds are found. "max" and "percentile" (of the activations above zero) on calibration inputs
    (samples, *shape), a layer at a time or per_channel (Diehl et al. 2015, Rueckauer et al. 2017). "qcfs": those of the
    network's `ClipFloor` activations, see `with_clip_floor`; a rate equals the activation where steps = levels and no
    unevenness error occurs, that is where a neuron's residue stays in [0, threshold) or it never or always fires (Bu et
    al. 2022). "hoyer": `HoyerStep` activations in one step. initial: membrane before the first step, in thresholds; a
    half rounds to the nearest spike. dt_s: length of a step.

    Samples of the result are (steps, *shape). Raises InputError with every operator that has no counterpart, such as
    maxima, for layers that are silent on the calibration data, and for activations that do not fit the method.
    """
    graph.need_values("conversion")
    if method not in METHODS:
        raise InputError(f"method is {method!r}", hint=suggest(method, METHODS))
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError(f"steps is {steps!r}", hint="a whole number, 1 or more")
    if not 0 <= initial < 1:
        raise InputError(f"initial is {initial}", hint="a part of the threshold: 0 or more, below 1")
    if method == "hoyer":
        steps, initial = 1, 0.0
    graph = simplify(graph)
    shapes = graph.shapes
    _check(graph, method)
    thresholds = _thresholds(graph, shapes, calibration, method, percentile, per_channel, progress)
    work = _Conversion(graph, shapes, thresholds, steps, initial, Semantics(dt_s, reset="subtract", compare=">="))
    return work.run({**graph.metadata, "decode": "last", "converted": method})


def _check(graph: Graph, method: str) -> None:
    wanted = {"qcfs": ClipFloor, "hoyer": HoyerStep}.get(method)
    activations = [n for n in graph.nodes if rectifies(n.operator) or isinstance(n.operator, ClipFloor | HoyerStep)]
    problems = []
    if not activations:
        problems.append(Problem(f"{graph.name} has no ReLU to convert", hint="train it with ReLU"))
    for node in graph.nodes:
        operator, place = node.operator, Place(key=node.label)
        kind = type(operator).__name__
        if isinstance(operator, _MAXIMA):
            hint = "train the network with average pooling: a mean of spikes is linear, a maximum is not"
            problems.append(Problem(f"{kind} of spikes has no counterpart", place, hint))
        elif node in activations:
            fits = isinstance(operator, wanted) if wanted else rectifies(operator)
            if not fits:
                made = {"qcfs": "with_clip_floor", "hoyer": "with_hoyer_steps"}.get(method, "")
                hint = (
                    f"replace it with {made} and train"
                    if made
                    else f"use method {'qcfs' if kind == 'ClipFloor' else 'hoyer'}"
                )
                problems.append(Problem(f"{kind} does not fit method {method!r}", place, hint))
        elif isinstance(operator, Softmax):
            if node.name not in graph.outputs:
                problems.append(Problem("Softmax inside the network has no counterpart", place))
        elif not isinstance(operator, (Weighted, Add, BatchNorm, *_MEANS, Wiring)):
            problems.append(
                Problem(f"{kind} has no counterpart in spikes", place, "legal: weighted layers, ReLU, means, sums")
            )
    if len(graph.outputs) != 1 or len(graph.input_shapes) != 1:
        problems.append(
            Problem(f"{len(graph.input_shapes)} inputs and {len(graph.outputs)} outputs, expected one each")
        )
    if problems:
        raise InputError(problems)


def _thresholds(
    graph: Graph,
    shapes: Mapping[str, Shape],
    calibration: np.ndarray | None,
    method: str,
    percentile: float,
    per_channel: bool,
    progress: Progress | None,
) -> dict[str, np.ndarray]:
    """Threshold of every neuron by node, an array of the layer's shape."""
    found: dict[str, tuple[np.ndarray, int]] = {}
    if method in ("max", "percentile"):
        if calibration is None:
            raise InputError(f"method {method!r} needs calibration inputs", hint="a few hundred training inputs")
        axes = channel_axes(graph)
        nodes = {n.name: axes[n.name] for n in graph.nodes if rectifies(n.operator)}
        chosen = {name: axis if per_channel else None for name, axis in nodes.items()}
        for name, values in limits(graph, calibration, chosen, method, percentile, progress).items():
            found[name] = (values, nodes[name])
    for node in graph.nodes:
        if isinstance(node.operator, ClipFloor):
            found[node.name] = (node.operator.threshold, node.operator.axis)
        elif isinstance(node.operator, HoyerStep):
            found[node.name] = (node.operator.threshold * node.operator.extremum, node.operator.axis)
    return {
        name: np.broadcast_to(values.reshape(-1, *(1,) * (-axis - 1)), shapes[name]).copy()
        for name, (values, axis) in found.items()
    }


@dataclass
class _Conversion:
    """One pass over the nodes. scale: what a spike of a value stands for, of its shape; None for plain values."""

    graph: Graph
    shapes: Mapping[str, Shape]
    thresholds: Mapping[str, np.ndarray]
    steps: int
    initial: float
    semantics: Semantics
    nodes: list[Node] = field(default_factory=list)
    scale: dict[str, np.ndarray | None] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)

    def run(self, metadata: Mapping[str, str]) -> Graph:
        inputs = {name: (self.steps, *shape) for name, shape in self.graph.input_shapes.items()}
        for name in inputs:
            self.scale[name], self.named[name] = None, name
        for node in self.graph.nodes:
            self._node(node)
        (out,) = self.graph.outputs
        last = self._plain(out)
        read = Integrator(np.full((1,) * len(self.shapes[out]), 1 / self.semantics.dt_s), self.semantics)
        self._append(Node("readout", read, (last,), "readout"))
        result = Graph(self.graph.name, inputs, tuple(self.nodes), (self.nodes[-1].name,), dict(metadata))
        _ = result.shapes
        return result

    def _append(self, node: Node) -> str:
        taken = {n.name for n in self.nodes} | set(self.graph.input_shapes)
        name = node.name
        while name in taken:
            name += "_"
        self.nodes.append(dataclasses.replace(node, name=name))
        return name

    def _plain(self, value: str) -> str:
        """The name of this value in its own unit; a spike's worth is multiplied in where nothing can take it over."""
        scale, name = self.scale[value], self.named[value]
        if scale is None or bool((scale == 1).all()):
            return name
        made = self._append(Node(f"{name}.worth", Scale(scale), (name,)))
        self.scale[value], self.named[value] = None, made
        return made

    def _node(self, node: Node) -> None:
        operator = node.operator
        if node.name in self.thresholds:
            source = self._plain(node.inputs[0])
            threshold = self.thresholds[node.name]
            own = _compact(threshold)
            v_init = None if self.initial == 0 else self.initial * own
            r = np.full(own.shape, 1 / self.semantics.dt_s)
            neurons = IF(r, own, np.zeros_like(own), self.semantics, v_init=v_init)
            worth = None if isinstance(operator, HoyerStep) else threshold
            self._keep(node, neurons, (source,), worth)
        elif isinstance(operator, Softmax):
            self.scale[node.name], self.named[node.name] = self.scale[node.inputs[0]], self.named[node.inputs[0]]
        elif isinstance(operator, Weighted):
            scale = self.scale[node.inputs[0]]
            folded = operator if scale is None else _folded(operator, scale, node)
            if folded is None:
                self._keep(node, operator, (self._plain(node.inputs[0]),), None)
            else:
                self._keep(node, folded, (self.named[node.inputs[0]],), None)
        elif isinstance(operator, Add | BatchNorm):
            self._keep(node, operator, tuple(self._plain(i) for i in node.inputs), None)
        else:
            self._linear(node)

    def _keep(self, node: Node, operator: Operator, inputs: tuple[str, ...], scale: np.ndarray | None) -> None:
        made = self._append(dataclasses.replace(node, operator=operator, inputs=inputs))
        self.scale[node.name], self.named[node.name] = scale, made

    def _linear(self, node: Node) -> None:
        """Means and wiring: what a spike is worth goes through them, unless it varies inside a window."""
        operator = node.operator
        if isinstance(operator, Reshape):
            operator = Reshape((self.steps, *operator.source), (self.steps, *operator.target))
        scales = [self.scale[i] for i in node.inputs]
        if all(s is None for s in scales):
            self._keep(node, operator, tuple(self.named[i] for i in node.inputs), None)
            return
        worth = None
        if isinstance(operator, _MEANS):
            worth = None if scales[0] is None else _averaged(operator, scales[0], self.shapes[node.name])
        elif all(s is not None for s in scales):
            worth = _through(node.operator, [s for s in scales if s is not None])
        if worth is None:
            self._keep(node, operator, tuple(self._plain(i) for i in node.inputs), None)
        else:
            self._keep(node, operator, tuple(self.named[i] for i in node.inputs), worth)


def _compact(values: np.ndarray) -> np.ndarray:
    """The array with size 1 along every axis on which it does not change."""
    for axis in range(values.ndim):
        first = values.take([0], axis)
        if bool((values == first).all()):
            values = first
    return values


def _averaged(operator: Operator, worth: np.ndarray, shape: Shape) -> np.ndarray | None:
    """What a spike of a mean's output is worth; None where it varies along an axis that the mean runs over."""
    windows = (-1,) if isinstance(operator, AvgPool1d) else (-2, -1)
    axes: tuple[int, ...] = operator.axes if isinstance(operator, GlobalAvgPool) else windows
    one = worth.max(axes, keepdims=True)
    if not bool((worth == one).all()):
        return None
    if isinstance(operator, GlobalAvgPool) and not operator.keep:
        one = one.squeeze(axes)
    return np.broadcast_to(one, shape).copy()


def _through(operator: Operator, values: Sequence[np.ndarray]) -> np.ndarray:
    import torch

    from neuromorph.graph.evaluate import FloatHost

    result = operator.evaluate([torch.from_numpy(v) for v in values], FloatHost(operator))
    return result.numpy().copy()


def _folded(operator: Weighted, scale: np.ndarray, node: Node) -> Weighted | None:
    """The layer with the worth of its input's spikes in its weights; None where a kernel's worth varies by place.

    A number format follows: one worth for all inputs multiplies its scales. Inputs are spikes, so their format goes.
    """
    one = scale.reshape(-1)[0]
    if bool((scale == one).all()):
        number_format = _scaled(operator.weight_format, float(one), node)
        return dataclasses.replace(
            operator, weight=operator.weight * one, weight_format=number_format, input_format=None
        )
    if operator.weight_format is not None and not operator.weight_format.any_value:
        message = f"weights in {operator.weight_format.title} cannot take over thresholds that differ by channel"
        raise InputError(
            message, Place(key=node.label), "convert with one threshold per layer, or convert the float network"
        )
    channel = scale.ndim - max(operator.weight.ndim - 1, 1)
    axes = tuple(axis for axis in range(scale.ndim) if axis != channel)
    if not bool((scale == scale.max(axes, keepdims=True)).all()):
        return None
    groups = getattr(operator, "groups", 1)
    rows = np.repeat(scale.max(axes).reshape(groups, -1), operator.weight.shape[0] // groups, axis=0)
    factor = rows.reshape(*rows.shape, *(1,) * (operator.weight.ndim - 2))
    return dataclasses.replace(operator, weight=operator.weight * factor, input_format=None)


def _scaled(number_format: NumberFormat | None, factor: float, node: Node) -> NumberFormat | None:
    if number_format is None or factor == 1:
        return number_format
    scaled = number_format.scaled(factor) if factor else None
    if scaled is None:
        message = f"weights in {number_format.title} cannot take over a threshold of {factor:g}"
        raise InputError(message, Place(key=node.label), "convert the float network")
    return scaled
