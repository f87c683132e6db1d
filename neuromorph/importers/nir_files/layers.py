"""Nodes of a NIR file without a membrane as operators: products, convolutions, pools, wiring, delays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from neuromorph.graph.model import Operator, Shape, Window
from neuromorph.graph.operators.convolution import Conv1d, Conv2d
from neuromorph.graph.operators.dense import Linear
from neuromorph.graph.operators.pooling import AvgPool2d
from neuromorph.graph.operators.synapses import Delay, Scale, SumPool2d
from neuromorph.graph.operators.wiring import Flatten, Transpose
from neuromorph.importers.nir_files.fields import Fields, spread
from neuromorph.importers.nir_files.settings import Settings

Operators = Sequence[Operator] | None


@dataclass(frozen=True)
class Plan:
    """A node whose fields are checked. expects: the feature shape it takes where its fields tell; rank: its axes.

    make gives its operators in order for the features that arrive, or None with a problem noted.
    """

    make: Callable[[Shape], Operators]
    expects: Shape | None = None
    rank: int | None = None


def linear(f: Fields, settings: Settings) -> Plan | None:
    """Linear and Affine: weight (out, in), on the last axis; leading axes of size 1 are left out."""
    weight = f.array("weight")
    if weight is None:
        return None
    while weight.ndim > 2 and weight.shape[0] == 1:
        weight = weight[0]
    if weight.ndim != 2:
        f.add("weight", f"has shape {weight.shape}", "legal: (outputs, inputs)")
        return None
    bias = _bias(f, weight.shape[0]) if f.given("bias") else None
    outputs, inputs = weight.shape

    def make(features: Shape) -> Operators:
        if features[-1:] != (inputs,):
            hint = f"legal: a last axis of {inputs}"
            if math.prod(features) == inputs:
                hint = "a Flatten is missing before it, or its start_dim counts a batch axis"
            f.add("weight", f"gets features {features}, but has shape ({outputs}, {inputs})", hint)
            return None
        return [Linear(weight=weight, bias=bias)]

    return Plan(make, (inputs,))


def _bias(f: Fields, outputs: int) -> np.ndarray | None:
    """A bias per output. One of zeros, which a convolution must have in a file, is left out."""
    bias = f.array("bias")
    if bias is None:
        return None
    full = spread(bias.reshape(-1) if bias.size == outputs else bias, (outputs,))
    if full is None:
        f.add("bias", f"has shape {bias.shape}", f"legal: ({outputs},), one per output")
        return None
    return full if f.raw.kind == "Affine" or np.any(full) else None


def convolution(f: Fields, settings: Settings) -> Plan | None:
    """Conv1d and Conv2d: weight (out, in / groups, *kernel); shapes are recomputed from the features that arrive."""
    axes = 1 if f.raw.kind == "Conv1d" else 2
    weight, groups = f.array("weight"), f.whole("groups", 1)
    stride, dilation = f.pair("stride", axes, 1), f.pair("dilation", axes, 1)
    if weight is None:
        return None
    if weight.ndim != axes + 2:
        kernel = "k" if axes == 1 else "kh, kw"
        f.add("weight", f"has shape {weight.shape}", f"legal: (outputs, inputs / groups, {kernel})")
        return None
    padding = _padding(f, axes, weight.shape[2:], stride, dilation)
    bias = _bias(f, weight.shape[0]) if f.given("bias") else None
    size = f.pair("input_shape", axes, 1) if f.given("input_shape") else None
    if groups is None or stride is None or dilation is None or padding is None:
        return None
    if len(groups) != 1 or weight.shape[0] % groups[0]:
        f.add("groups", f"is {list(groups)}", f"legal: a divisor of the {weight.shape[0]} outputs")
        return None
    channels = weight.shape[1] * groups[0]
    window = _window(weight.shape[2:], stride, padding, dilation)

    def make(features: Shape) -> Operators:
        if len(features) != axes + 1 or features[0] != channels:
            names = "(channels, length)" if axes == 1 else "(channels, height, width)"
            f.add(
                "weight", f"gets features {features}", f"legal: {names} with {channels} channels in {groups[0]} groups"
            )
            return None
        if size is not None and features[1:] != size:
            f.add("input_shape", f"is {size}, but maps of {features[1:]} arrive", "correct it, or leave it out")
            return None
        height, width = (*(1,) * (2 - axes), *features[1:])
        if min(window.output(height, width)) < 1:
            f.add("weight", f"a kernel of {weight.shape[2:]} does not fit on {features[1:]}", "a smaller kernel")
            return None
        operator = Conv1d if axes == 1 else Conv2d
        return [operator(weight=weight, bias=bias, window=window, groups=groups[0])]

    return Plan(make, None if size is None else (channels, *size), axes + 1)


def _window(kernel: Shape, stride: Shape, padding: Shape, dilation: Shape) -> Window:
    """The window of a map, of height 1 for a sequence."""
    one, none = (1,) * (2 - len(kernel)), (0, 0) * (2 - len(kernel))
    (kh, kw), (sh, sw), (dh, dw) = (*one, *kernel), (*one, *stride), (*one, *dilation)
    top, bottom, left, right = (*none, *padding)
    return Window((kh, kw), (sh, sw), (top, bottom, left, right), (dh, dw))


def _padding(
    f: Fields, axes: int, kernel: Shape, stride: Shape | None, dilation: Shape | None
) -> tuple[int, ...] | None:
    """(before, after) of each axis. "same" pads d (k - 1), the odd one after, as torch does, with stride 1 only."""
    text = f.text("padding")
    if text == "valid":
        return (0, 0) * axes
    if text == "same":
        if stride is None or dilation is None:
            return None
        if any(s != 1 for s in stride):
            f.add("padding", f"is 'same' with stride {stride}", "legal with stride 1; else give numbers")
            return None
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple(n for t in total for n in (t // 2, t - t // 2))
    if text is not None:
        f.add("padding", f"is {text!r}", "legal: 'same', 'valid', or numbers of 0 or more")
        return None
    numbers = f.pair("padding", axes, 0)
    return None if numbers is None else tuple(n for p in numbers for n in (p, p))


def pool(f: Fields, settings: Settings) -> Plan | None:
    """SumPool2d and AvgPool2d; zeros of the padding count in the mean."""
    kernel, stride, padding = f.pair("kernel_size", 2, 1), f.pair("stride", 2, 1), f.pair("padding", 2, 0)
    if kernel is None or stride is None or padding is None:
        return None
    window = Window(
        (kernel[0], kernel[1]), (stride[0], stride[1]), (padding[0], padding[0], padding[1], padding[1])
    )  # fmt: skip

    def make(features: Shape) -> Operators:
        if len(features) != 3:
            f.add("", f"gets features {features}", "legal: (channels, height, width)")
            return None
        if min(window.output(*features[1:])) < 1:
            f.add("kernel_size", f"{kernel} does not fit on {features[1:]}", "a smaller window")
            return None
        return [SumPool2d(window) if f.raw.kind == "SumPool2d" else AvgPool2d(window)]

    return Plan(make, None, 3)


def flatten(f: Fields, settings: Settings) -> Plan | None:
    """Axes start_dim to end_dim as one; both count the features alone, without batch and time."""
    first, last = f.whole("start_dim"), f.whole("end_dim")
    if first is None or last is None:
        return None
    declared = f.shape("input_type") if f.given("input_type") else None

    def make(features: Shape) -> Operators:
        n = len(features)
        start, end = (i[0] + n if i[0] < 0 else i[0] for i in (first, last))
        if not (0 <= start < n and 0 <= end < n and start <= end):
            hint = f"legal: axes -{n} to {n - 1} in rising order, counted without the batch axis"
            f.add("start_dim", f"joins axes {first[0]} to {last[0]} of features {features}", hint)
            return None
        if end == n - 1:
            return [Flatten(axes=n - start)]
        order = (*range(start), *range(end + 1, n), *range(start, end + 1))
        kept = n - (end - start)
        back = (*range(start), kept - 1, *range(start, kept - 1))
        return [Transpose(order), Flatten(axes=end - start + 1), Transpose(back)]

    return Plan(make, declared)


def scale(f: Fields, settings: Settings) -> Plan | None:
    """Scale: elementwise product."""
    values = f.array("scale")
    if values is None:
        return None

    def make(features: Shape) -> Operators:
        full = fitted(f, "scale", values, features)
        return None if full is None else [Scale(scale=full)]

    return Plan(make, own_shape(values))


def delay(f: Fields, settings: Settings, *, shorter: bool = False) -> Plan | None:
    """Delay: seconds per element, to whole steps. shorter: one step less, since a cut cycle adds one."""
    values = f.times("delay", settings.time_scale, "0 or more")
    if values is None:
        return None
    steps = values / settings.step_s
    if np.any(np.abs(steps - np.rint(steps)) > 1e-3):
        worst = float(steps.reshape(-1)[np.argmax(np.abs(steps - np.rint(steps)))])
        f.faults.note(f"{f.raw.name}: delays are rounded to whole steps of {settings.step_s:g} s, one of {worst:g}")
    if shorter:
        if np.any(np.rint(steps) < 1):
            f.add(
                "delay", "is shorter than a step, in a cycle without neurons", f"legal: {settings.step_s:g} s or more"
            )
            return None
        values = values - settings.step_s

    def make(features: Shape) -> Operators:
        full = fitted(f, "delay", values, features)
        return None if full is None else [Delay(delay_s=np.maximum(full, 0.0), dt_s=settings.step_s)]

    return Plan(make, own_shape(values))


def own_shape(values: np.ndarray) -> Shape | None:
    """The feature shape a parameter speaks for; None for a single value that may stand for any."""
    return tuple(int(n) for n in values.shape) if values.ndim else None


def fitted(f: Fields, name: str, values: np.ndarray, features: Shape) -> np.ndarray | None:
    """A parameter over all features; a problem where its shape does not fit."""
    full = spread(values, features)
    if full is None:
        f.add(name, f"has shape {values.shape}, but features {features} arrive", "one value, or one per feature")
    return full
