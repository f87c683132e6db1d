"""Activations that take a few levels, as a spiking neuron's count of spikes does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Host, Shape, frozen_array
from neuromorph.graph.operators.activation import Elementwise, check_axes
from neuromorph.graph.operators.dense import single

if TYPE_CHECKING:
    import torch


class _PerChannel(Elementwise):
    """Base of activations with one threshold for all elements, (1,), or one per channel on `axis`, (channels,)."""

    threshold: np.ndarray
    axis: int

    def __post_init__(self) -> None:
        check_axes(self.axis)
        object.__setattr__(self, "threshold", frozen_array(self.threshold))
        if self.threshold.ndim != 1 or not self.threshold.size:
            raise InputError(f"threshold has shape {self.threshold.shape}, expected (1,) or (channels,)")
        if not (np.all(np.isfinite(self.threshold)) and np.all(self.threshold > 0)):
            raise InputError("threshold has values that are not finite and above 0")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        check_axes(self.axis, rank=len(shape))
        if self.threshold.size not in (1, shape[self.axis]):
            raise InputError(f"input has shape {shape}, expected {self.threshold.size} channels on axis {self.axis}")
        return shape

    def _threshold(self, host: Host, like: torch.Tensor) -> torch.Tensor:
        from neuromorph.graph.tensors import parameter

        return parameter(self, "threshold", host, like).reshape(-1, *(1,) * (-self.axis - 1))


@final
@dataclass(frozen=True, eq=False)
class ClipFloor(_PerChannel):
    """y = threshold clip(floor(x levels / threshold + 1/2) / levels, 0, 1): quantization clip-floor-shift (QCFS).

    An integrate-and-fire neuron with subtractive reset, this threshold and half of it as initial membrane gives the
    same value (threshold times its rate) after `levels` steps of constant input. Equation and training with straight-
    through gradients: Bu et al., ICLR 2022. Multiply, add, floor and two compares per element.
    threshold: (1,) or (channels,) along `axis`, in the unit of x, trainable. levels: 1 or more.
    """

    threshold: np.ndarray
    levels: int = 8
    axis: int = -3

    steps = 5

    def __post_init__(self) -> None:
        _PerChannel.__post_init__(self)
        if isinstance(self.levels, bool) or not isinstance(self.levels, int) or self.levels < 1:
            raise InputError(f"levels is {self.levels!r}", hint="a whole number, 1 or more")

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        threshold = self._threshold(host, inputs[0])
        return host.function("clip_floor", inputs[0], threshold=threshold, levels=self.levels)


@final
@dataclass(frozen=True, eq=False)
class HoyerStep(_PerChannel):
    """y = 1 where clip(x / threshold, 0, 1) >= extremum, else 0: the activation of a one-step Hoyer network.

    The extremum is the running mean of E(z) = sum z^2 / sum |z| of z = clip(x / threshold, 0, 1) with the values of 1
    left out, times a factor s (Datta et al., "Hoyer regularizer is all you need"). threshold: (1,) or (channels,) along
    `axis`, in the unit of x, trainable. extremum: (1,) or (channels,) in (0, 1], a statistic that no gradient reaches.
    Gradients pass where 0 < x < threshold. Multiply and compare per element.
    """

    fixed: ClassVar[tuple[str, ...]] = ("extremum",)

    threshold: np.ndarray
    extremum: np.ndarray
    axis: int = -3

    steps = 2

    def __post_init__(self) -> None:
        _PerChannel.__post_init__(self)
        object.__setattr__(self, "extremum", frozen_array(self.extremum))
        if self.extremum.shape not in ((1,), self.threshold.shape):
            raise InputError(f"extremum has shape {self.extremum.shape}, expected (1,) or {self.threshold.shape}")
        if not (np.all(self.extremum > 0) and np.all(self.extremum <= 1)):
            raise InputError("extremum has values outside (0, 1]")

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import parameter

        threshold = self._threshold(host, inputs[0])
        extremum = parameter(self, "extremum", host, inputs[0]).detach().reshape(-1, *(1,) * (-self.axis - 1))
        return host.function("hoyer_step", inputs[0], threshold=threshold, extremum=extremum)
