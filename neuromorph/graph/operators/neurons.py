"""Neurons: operators with a membrane, advanced step by step along the time axis.

Samples are (steps, *features). Every parameter is a float64 array of the feature shape (scalars are repeated; an axis
of size 1 is repeated over the layer's). The step itself, with all its variants, is stated in
`neuromorph.graph.semantics`; here an operator gives the coefficients of its step. Equations of the continuous neurons:
NIR (Pedersen et al., Nature Communications 15, 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Host, Operator, Shape
from neuromorph.graph.operators.dense import positive_size, single
from neuromorph.graph.operators.over_time import OverTime, freeze_features, require, time_first
from neuromorph.graph.semantics import Semantics

if TYPE_CHECKING:
    import torch


def decay(tau: np.ndarray, semantics: Semantics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(what is kept, gain of the input, gain of the leak potential) of one step of tau dv/dt = (v_leak - v) + input."""
    x = semantics.dt_s / tau
    if semantics.integration == "euler":
        return 1 - x, x, x
    kept = np.exp(-x)
    gone = -np.expm1(-x)
    return kept, (gone if semantics.integration == "exponential" else x), gone


class Neuron(OverTime):
    """Base of neurons with a membrane. `arrays_of` names the parameters, `times_of` those that are time constants."""

    arrays_of: ClassVar[tuple[str, ...]]
    times_of: ClassVar[tuple[str, ...]] = ()
    model: ClassVar[str] = "linear"
    work: ClassVar[int]
    semantics: Semantics

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.fixed = cls.arrays_of

    def __post_init__(self) -> None:
        freeze_features(self, self.arrays_of)
        require(self, self.times_of, positive=True)
        finite = [n for n in self.arrays_of if n not in ("v_threshold", *self.times_of)]
        require(self, finite)
        sign = getattr(self, "sign", None)
        if sign is not None and not np.isin(sign, (-1.0, 0.0, 1.0)).all():
            raise InputError("sign holds other values than -1, 0, 1", hint="1 fires above the threshold, -1 below")

    @property
    def features(self) -> Shape:
        """Shape of the parameters."""
        return tuple(getattr(self, self.arrays_of[0]).shape)

    @property
    def rank(self) -> int:
        return len(self.features)

    @property
    def fires(self) -> bool:
        """Whether the output is spikes; otherwise it is the membrane."""
        return "v_threshold" in self.arrays_of

    @cached_property
    def coefficients(self) -> Mapping[str, np.ndarray]:
        """The parameters of one step by the names of `neuromorph.spiking.network.MODELS`, in feature shape."""
        raise TypeError(f"{type(self).__name__} defines no coefficients")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        features = time_first(shape, self.rank)
        if any(own not in (1, n) for own, n in zip(self.features, features, strict=True)):
            raise InputError(f"input has shape {shape}, the parameters are for features {self.features}")
        return shape

    def begin(self, like: torch.Tensor) -> Any:
        from neuromorph.graph.operators.dynamics import begin

        return begin(self, like)

    def advance(self, x: torch.Tensor, state: Any, host: Host) -> torch.Tensor:
        from neuromorph.graph.operators.dynamics import advance

        return advance(x, state)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """`work` per neuron and step: multiplies and adds of the state, the compare, and the reset's select."""
        return self.work * positive_size(self.output_shape(shapes))

    def _linear(
        self,
        membrane: tuple[np.ndarray, np.ndarray, np.ndarray],
        synapse: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """Parameters of the model "linear" from (a, b, c) of the membrane and (a, b) of the synapse."""
        a, b, c = membrane
        zero = np.zeros(self.features)
        fires = self.fires
        given = getattr(self, "sign", None)
        start = getattr(self, "v_init", None)
        found = {
            "a_syn": zero if synapse is None else synapse[0],
            "b_syn": zero + 1 if synapse is None else synapse[1],
            "a_mem": a,
            "b_mem": b,
            "c_mem": c,
            "threshold": getattr(self, "v_threshold") if fires else np.full(self.features, np.inf),  # noqa: B009
            "v_reset": getattr(self, "v_reset") if fires else zero,  # noqa: B009
            "sign": zero + 1 if given is None else given,
            "v_init": zero if start is None else start,
        }
        return {name: np.broadcast_to(value, self.features) for name, value in found.items()}

    def _leaky(self, tau: np.ndarray, r: np.ndarray, v_leak: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        kept, gain, leak = decay(tau, self.semantics)
        return kept, gain * r, leak * v_leak

    def _synapse(self, tau: np.ndarray, w_in: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept, gain, _ = decay(tau, self.semantics)
        return kept, gain * w_in


@final
@dataclass(frozen=True, eq=False)
class IF(Neuron):
    """Integrate and fire: dv/dt = r i; a step adds dt r i. 4 operations: multiply, add, compare, reset.

    sign: 1 fires above the threshold, -1 below, 0 never; None: 1 everywhere. v_init: membrane before the first step,
    None: 0.
    """

    arrays_of = ("r", "v_threshold", "v_reset", "sign", "v_init")
    work = 4

    r: np.ndarray
    v_threshold: np.ndarray
    v_reset: np.ndarray
    semantics: Semantics
    sign: np.ndarray | None = None
    v_init: np.ndarray | None = None

    @cached_property
    def coefficients(self) -> Mapping[str, np.ndarray]:
        one = np.ones(self.features)
        return self._linear((one, self.semantics.dt_s * self.r, 0 * one))


@final
@dataclass(frozen=True, eq=False)
class LIF(Neuron):
    """Leaky integrate and fire: tau dv/dt = (v_leak - v) + r i. tau in seconds; sign and v_init as for IF.

    6 operations: two multiplies and two adds of the membrane, compare, reset.
    """

    arrays_of = ("tau", "r", "v_leak", "v_threshold", "v_reset", "sign", "v_init")
    times_of = ("tau",)
    work = 6

    tau: np.ndarray
    r: np.ndarray
    v_leak: np.ndarray
    v_threshold: np.ndarray
    v_reset: np.ndarray
    semantics: Semantics
    sign: np.ndarray | None = None
    v_init: np.ndarray | None = None

    @cached_property
    def coefficients(self) -> Mapping[str, np.ndarray]:
        return self._linear(self._leaky(self.tau, self.r, self.v_leak))


@final
@dataclass(frozen=True, eq=False)
class CubaLIF(Neuron):
    """Current-based LIF: tau_syn di/dt = -i + w_in s, tau_mem dv/dt = (v_leak - v) + r i. Times in seconds.

    9 operations: those of the LIF, and two multiplies and an add of the current.
    """

    arrays_of = ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in", "sign", "v_init")
    times_of = ("tau_syn", "tau_mem")
    work = 9

    tau_syn: np.ndarray
    tau_mem: np.ndarray
    r: np.ndarray
    v_leak: np.ndarray
    v_threshold: np.ndarray
    v_reset: np.ndarray
    w_in: np.ndarray
    semantics: Semantics
    sign: np.ndarray | None = None
    v_init: np.ndarray | None = None

    @cached_property
    def coefficients(self) -> Mapping[str, np.ndarray]:
        return self._linear(self._leaky(self.tau_mem, self.r, self.v_leak), self._synapse(self.tau_syn, self.w_in))


@final
@dataclass(frozen=True, eq=False)
class LI(Neuron):
    """Leaky integrator: tau dv/dt = (v_leak - v) + r i; its output is v. tau in seconds. 4 operations."""

    arrays_of = ("tau", "r", "v_leak")
    times_of = ("tau",)
    work = 4

    tau: np.ndarray
    r: np.ndarray
    v_leak: np.ndarray
    semantics: Semantics

    @cached_property
    def coefficients(self) -> Mapping[str, np.ndarray]:
        return self._linear(self._leaky(self.tau, self.r, self.v_leak))


@final
@dataclass(frozen=True, eq=False)
class CubaLI(Neuron):
    """Current-based leaky integrator: as CubaLIF without threshold; its output is v. 7 operations."""

    arrays_of = ("tau_syn", "tau_mem", "r", "v_leak", "w_in")
    times_of = ("tau_syn", "tau_mem")
    work = 7

    tau_syn: np.ndarray
    tau_mem: np.ndarray
    r: np.ndarray
    v_leak: np.ndarray
    w_in: np.ndarray
    semantics: Semantics

    @cached_property
    def coefficients(self) -> Mapping[str, np.ndarray]:
        return self._linear(self._leaky(self.tau_mem, self.r, self.v_leak), self._synapse(self.tau_syn, self.w_in))


@final
@dataclass(frozen=True, eq=False)
class Integrator(Neuron):
    """dv/dt = r i; its output is v. A step adds dt r i. 2 operations."""

    arrays_of = ("r",)
    work = 2

    r: np.ndarray
    semantics: Semantics

    @cached_property
    def coefficients(self) -> Mapping[str, np.ndarray]:
        one = np.ones(self.features)
        return self._linear((one, self.semantics.dt_s * self.r, 0 * one))


@final
@dataclass(frozen=True, eq=False)
class AdaptiveLIF(Neuron):
    """LIF whose threshold is v_threshold + beta h; h = e^(-dt/tau_adapt) h + (1 where it fired), h = 0 at first.

    Bellec et al., Nature Communications 11 (2020): a spike raises the threshold from the next step on, a subtracting
    reset takes away v_threshold alone. 10 operations: those of the LIF, two multiplies and two adds of the threshold.
    """

    arrays_of = ("tau", "r", "v_leak", "v_threshold", "v_reset", "tau_adapt", "beta", "sign", "v_init")
    times_of = ("tau", "tau_adapt")
    model = "adaptive"
    work = 10

    tau: np.ndarray
    r: np.ndarray
    v_leak: np.ndarray
    v_threshold: np.ndarray
    v_reset: np.ndarray
    tau_adapt: np.ndarray
    beta: np.ndarray
    semantics: Semantics
    sign: np.ndarray | None = None
    v_init: np.ndarray | None = None

    @cached_property
    def coefficients(self) -> Mapping[str, np.ndarray]:
        linear = self._linear(self._leaky(self.tau, self.r, self.v_leak))
        return {**linear, "a_adapt": np.exp(-self.semantics.dt_s / self.tau_adapt), "b_adapt": self.beta}


@final
@dataclass(frozen=True, eq=False)
class Izhikevich(Neuron):
    """v' = 0.04 v^2 + 5 v + 140 - u + i, u' = a (b v - u), v in mV and time in ms; v >= v_peak: v = c, u += d.

    Izhikevich, IEEE Trans. Neural Networks 14 (2003), with its numerics: v in two half steps, then u, then the test
    for a spike. v_init: None: c; u_init: None: b v_init. Of the semantics dt, refractory and output shift count.
    18 operations: twice 6 for v, 4 for u, compare, reset.
    """

    arrays_of = ("a", "b", "c", "d", "v_peak", "v_init", "u_init")
    model = "izhikevich"
    work = 18

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    v_peak: np.ndarray
    semantics: Semantics
    v_init: np.ndarray | None = None
    u_init: np.ndarray | None = None

    @property
    def fires(self) -> bool:
        return True

    @cached_property
    def coefficients(self) -> Mapping[str, np.ndarray]:
        v = self.c if self.v_init is None else self.v_init
        u = self.b * v if self.u_init is None else self.u_init
        return {"a": self.a, "b": self.b, "c": self.c, "d": self.d, "v_peak": self.v_peak, "v_init": v, "u_init": u}


@final
@dataclass(frozen=True, eq=False)
class Threshold(Operator):
    """y = 1 where sign (x - threshold) > 0, else 0: a unit without memory. sign as for IF. 1 operation."""

    fixed: ClassVar[tuple[str, ...]] = ("threshold", "sign")

    threshold: np.ndarray
    sign: np.ndarray | None = None

    def __post_init__(self) -> None:
        freeze_features(self, ("threshold", "sign"))
        if self.sign is not None and not np.isin(self.sign, (-1.0, 0.0, 1.0)).all():
            raise InputError("sign holds other values than -1, 0, 1", hint="1 fires above the threshold, -1 below")

    @property
    def features(self) -> Shape:
        """Shape of the parameters."""
        return tuple(self.threshold.shape)

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        tail = shape[len(shape) - len(self.features) :]
        if len(tail) != len(self.features) or any(a not in (1, n) for a, n in zip(self.features, tail, strict=True)):
            raise InputError(f"input has shape {shape}, the thresholds are for features {self.features}")
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import parameter

        x = inputs[0]
        sign = None if self.sign is None else parameter(self, "sign", host, x)
        return host.function("threshold", x, threshold=parameter(self, "threshold", host, x), sign=sign)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """One compare per element."""
        return positive_size(single(shapes))
