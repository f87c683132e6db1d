"""How each operator is said in NIR: the node types and fields of one node of a Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Operator, Shape, Window
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.neurons import Threshold
from neuromorph.graph.operators.pooling import AvgPool2d
from neuromorph.graph.operators.synapses import Delay, DelayedLinear, Scale, SparseLinear, SumPool2d
from neuromorph.graph.operators.wiring import Flatten, Reshape
from neuromorph.importers.nir_files.membranes import EXTRA, OPERATORS, PREFIX

MAX_DENSE = 1 << 27
"""Most weights that a sparse operator may have as a full matrix (NIR has no sparse one)."""


@dataclass(frozen=True)
class Said:
    """One node of a file: its type, its fields, what goes into its metadata."""

    kind: str
    values: Mapping[str, Any]
    metadata: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Branch:
    """A way through several nodes in a row, each with the end of its name."""

    nodes: tuple[tuple[str, Said], ...]


Saying = Said | tuple[Branch, ...] | None
"""One node; several branches whose ends are summed; or None for what changes nothing."""


def say(operator: Operator, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    """An operator with the features (no time axis) it gets and gives. Raises InputError where NIR has no such node."""
    for known, speak in _SPEAKERS.items():
        if isinstance(operator, known):
            return speak(operator, features, result, dt_s)
    name = type(operator).__name__
    raise InputError(f"NIR has no node for {name}", hint=_REMEDIES.get(name, "save it as .nmg.json instead"))


_REMEDIES = {
    "Izhikevich": "NIR knows I, LI, IF, LIF, CubaLI and CubaLIF; save it as .nmg.json instead",
    "AdaptiveLIF": "NIR knows I, LI, IF, LIF, CubaLI and CubaLIF; save it as .nmg.json instead",
    "MaxPool2d": "NIR knows SumPool2d and AvgPool2d",
    "BatchNorm": "fold it into the layer before it",
}


def _input_format(operator: Any) -> None:
    if operator.input_format is not None:
        raise InputError("its input is rounded to a number format, which NIR cannot say", hint="save it as .nmg.json")


def _linear(operator: Linear, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    _input_format(operator)
    if len(features) != 1:
        raise InputError(f"a Linear on features {features}", hint="in NIR it takes a vector; put a Flatten before it")
    return _affine(operator.weight, operator.bias)


def _affine(weight: np.ndarray, bias: np.ndarray | None) -> Said:
    return Said("Linear", {"weight": weight}) if bias is None else Said("Affine", {"weight": weight, "bias": bias})


def _convolution(operator: Conv1d | Conv2d, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    _input_format(operator)
    window, plain = operator.window, isinstance(operator, Conv1d)
    bias = np.zeros(operator.weight.shape[0]) if operator.bias is None else operator.bias
    axes = slice(1, 2) if plain else slice(0, 2)
    padding: Any = _symmetric(window)
    if padding is None and window.stride == (1, 1) and window.padding == _same(window):
        padding = "same"
    if padding is None:
        raise InputError(f"padding {window.padding} differs between two sides", hint="NIR pads both sides alike")
    numbers = {"stride": window.stride, "dilation": window.dilation}
    values: dict[str, Any] = {n: int(v[1]) if plain else np.asarray(v[axes], np.int64) for n, v in numbers.items()}
    values["padding"] = padding if padding == "same" else (int(padding[1]) if plain else np.asarray(padding, np.int64))
    size = int(features[1]) if plain else np.asarray(features[1:], np.int64)
    kind = "Conv1d" if plain else "Conv2d"
    return Said(
        kind, {"input_shape": size, "weight": operator.weight, "bias": bias, "groups": operator.groups, **values}
    )


def _symmetric(window: Window) -> tuple[int, int] | None:
    top, bottom, left, right = window.padding
    return (top, left) if (top, left) == (bottom, right) else None


def _same(window: Window) -> tuple[int, ...]:
    total = [d * (k - 1) for k, d in zip(window.kernel, window.dilation, strict=True)]
    return tuple(n for t in total for n in (t // 2, t - t // 2))


def _pool(operator: SumPool2d | AvgPool2d, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    window = operator.window
    padding = _symmetric(window)
    if padding is None or window.dilation != (1, 1):
        raise InputError(f"a pool with padding {window.padding}, dilation {window.dilation}", hint="NIR has neither")
    if isinstance(operator, AvgPool2d) and not operator.count_padding and any(padding):
        raise InputError("a mean that leaves the padding out", hint="in NIR the zeros of the padding count")
    numbers = {"kernel_size": window.kernel, "stride": window.stride, "padding": padding}
    kind = "AvgPool2d" if isinstance(operator, AvgPool2d) else "SumPool2d"
    return Said(kind, {n: np.asarray(v, np.int64) for n, v in numbers.items()})


def _flatten(operator: Flatten | Reshape, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    if features == result:
        return None
    start = next((i for i, (a, b) in enumerate(zip(features, result, strict=False)) if a != b), len(result))
    start = min(start, len(result) - 1)
    if len(result) != start + 1:
        raise InputError(f"features {features} become {result}", hint="NIR can only join axes (Flatten)")
    shape = np.asarray(features, np.int64)
    return Said("Flatten", {"start_dim": start, "end_dim": -1, "input_type": shape})


def _neuron(operator: Any, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    kind = next(k for k, cls in OPERATORS.items() if isinstance(operator, cls))
    given = {n: getattr(operator, n) for n in operator.arrays_of}
    bad = [n for n, v in given.items() if v is not None and not np.isfinite(v).all()]
    if bad:
        raise InputError(f"{', '.join(bad)} is infinite", hint="NIR has no neuron that never fires; use LI for it")
    full = {n: np.broadcast_to(v, features) for n, v in given.items() if v is not None}
    metadata = {PREFIX + n: full.pop(n) for n in EXTRA if n in full}
    return Said(kind, full, metadata)


def _threshold(operator: Threshold, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    if not np.isfinite(operator.threshold).all():
        raise InputError("threshold is infinite", hint="finite thresholds")
    metadata = {} if operator.sign is None else {PREFIX + "sign": np.broadcast_to(operator.sign, features)}
    return Said("Threshold", {"threshold": np.broadcast_to(operator.threshold, features)}, metadata)


def _scale(operator: Scale, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    return Said("Scale", {"scale": np.broadcast_to(operator.scale, features)})


def _delay(operator: Delay, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    return Said("Delay", {"delay": np.broadcast_to(operator.steps * operator.dt_s, features)})


def _delayed(operator: DelayedLinear, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    _input_format(operator)
    parts = {d: np.where(operator.delay == d, operator.weight, 0.0) for d in operator.taps}
    return _branches({d: w for d, w in parts.items() if w.any()}, operator.bias, result, features, dt_s)


def _sparse(operator: SparseLinear, features: Shape, result: Shape, dt_s: float | None) -> Saying:
    if operator.plasticity is not None:
        raise InputError("its synapses are plastic, which NIR cannot say", hint="save it as .nmg.json")
    if operator.inputs * operator.outputs > MAX_DENSE:
        raise InputError(
            f"{operator.inputs} x {operator.outputs} weights, and NIR has no sparse matrix",
            hint=f"at most {MAX_DENSE} weights; save it as .nmg.json",
        )
    parts = {}
    for d, (indptr, index, weight) in operator.of_delay().items():
        full = np.zeros((operator.outputs, operator.inputs))
        np.add.at(full, (index, np.repeat(np.arange(operator.inputs), np.diff(indptr))), weight)
        parts[d] = full
    return _branches(parts, operator.bias, result, features, dt_s)


def _branches(
    parts: Mapping[int, np.ndarray], bias: np.ndarray | None, result: Shape, features: Shape, dt_s: float | None
) -> tuple[Branch, ...]:
    """A Linear for each delay, with a Delay after it; the bias acts at once."""
    if any(parts) and dt_s is None:
        raise InputError("delays in steps, and no neuron says how long a step is", hint="a network with neurons")
    parts = dict(parts)
    if (bias is not None or not parts) and 0 not in parts:
        parts[0] = np.zeros((*result, *features))
    found = []
    for d, weight in sorted(parts.items()):
        nodes = [("" if len(parts) == 1 and not d else f"_{d}", _affine(weight, bias if d == 0 else None))]
        if d:
            nodes.append((f"_{d}_delay", Said("Delay", {"delay": np.full(result, d * (dt_s or 0.0))})))
        found.append(Branch(tuple(nodes)))
    return tuple(found)


_SPEAKERS: Mapping[Any, Callable[..., Saying]] = {
    Linear: _linear,
    (Conv1d, Conv2d): _convolution,
    (SumPool2d, AvgPool2d): _pool,
    (Flatten, Reshape): _flatten,
    tuple(OPERATORS.values()): _neuron,
    Threshold: _threshold,
    Scale: _scale,
    Delay: _delay,
    DelayedLinear: _delayed,
    SparseLinear: _sparse,
}
