"""Populations and compressed synaptic rows: the flat form of a spiking network.

`neuromorph.spiking.lower` makes it from a Graph: linear operators between neurons (convolutions, pools, scales,
their products) become synaptic rows, neurons become populations with the coefficients of their discrete step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Shape
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.graph.semantics import Semantics

MODELS: Mapping[str, tuple[str, ...]] = {
    "input": (),
    "linear": ("a_syn", "b_syn", "a_mem", "b_mem", "c_mem", "threshold", "v_reset", "sign", "v_init"),
    "adaptive": (
        "a_syn", "b_syn", "a_mem", "b_mem", "c_mem", "threshold", "v_reset", "sign", "v_init", "a_adapt", "b_adapt"
    ),
    "izhikevich": ("a", "b", "c", "d", "v_peak", "v_init", "u_init"),
    "threshold": ("threshold", "sign"),
    "readout": (),
}  # fmt: skip
"""Names of the parameters each neuron model has. With x the sum of weighted spikes that arrive in a step plus the bias:

linear     i = a_syn i + b_syn x; v = a_mem v + b_mem i + c_mem (order and reset as the semantics say); fires where
           sign (v - threshold) > 0. An infinite threshold makes a neuron that never fires: its output is v.
adaptive   as linear with the threshold raised by b_adapt h; h = a_adapt h + (1 where it fired).
izhikevich v' = 0.04 v^2 + 5 v + 140 - u + x, u' = a (b v - u), in ms, v in two half steps; v >= v_peak: v = c, u += d.
threshold  no state: fires where sign (x - threshold) > 0; sign 0 never fires.
readout    no state: its output is x.
input      fires as it is told.
"""


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one kind. parameters: by the names of MODELS, (size,) float64 each. bias: (size,), added to the input
    of every step, or None. start: first step at which it is updated (earlier ones leave it at its initial state)."""

    name: str
    shape: Shape
    model: str
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    semantics: Semantics | None = None
    bias: np.ndarray | None = None
    start: int = 0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise InputError(f"population {self.name}: no neuron model {self.model!r}", hint=", ".join(MODELS))
        if set(self.parameters) != set(MODELS[self.model]):
            raise InputError(
                f"population {self.name}: parameters {sorted(self.parameters)}, expected {sorted(MODELS[self.model])}"
            )
        for name, values in self.parameters.items():
            if values.shape != (self.size,):
                raise InputError(f"population {self.name}: {name} has shape {values.shape}, expected ({self.size},)")

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def spiking(self) -> bool:
        """Whether it can fire at all."""
        if self.model in ("linear", "adaptive"):
            return bool(np.isfinite(self.parameters["threshold"]).any())
        return self.model != "readout"


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population to another, by the source neuron.

    The synapses of source neuron i are indptr[i]..indptr[i + 1] of `index` (target neuron, int32, rising), `weight`
    (float32) and `delay` (uint8 or uint16 steps, or shape (1,) where all are alike). A spike at step t reaches its
    target at step t + delay; delay 0 reaches the same step and goes forward only.
    """

    name: str
    source: int
    target: int
    indptr: np.ndarray
    index: np.ndarray
    weight: np.ndarray
    delay: np.ndarray
    plasticity: Plasticity | None = None

    def __post_init__(self) -> None:
        if self.weight.shape != self.index.shape or self.delay.shape not in ((1,), self.index.shape):
            raise InputError(
                f"projection {self.name}: {self.index.size} targets, {self.weight.size} weights, {self.delay.size} "
                "delays"
            )

    @property
    def synapses(self) -> int:
        return int(self.index.size)

    @property
    def max_delay(self) -> int:
        return int(self.delay.max(initial=0))

    @property
    def fan_out(self) -> np.ndarray:
        """Synapses of each source neuron."""
        return np.diff(self.indptr)


@dataclass(frozen=True, eq=False)
class SpikingNetwork:
    """Populations in an order in which delay-0 projections go forward; neurons are numbered through all of them.

    inputs, outputs: indices of populations. dt_s: length of a step. latency: steps that the outputs come late (each
    hop of hardware that takes a step adds one). stretched: projections of cycles that such hops made longer than they
    are in the model, which changes what it computes.
    """

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    dt_s: float
    latency: int = 0
    stretched: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for p in self.projections:
            source, target = self.populations[p.source], self.populations[p.target]
            if p.indptr.shape != (source.size + 1,) or int(p.indptr[-1]) != p.index.size:
                raise InputError(f"projection {p.name}: {p.indptr.size - 1} rows for {source.size} neurons")
            if p.index.size and (int(p.index.min()) < 0 or int(p.index.max()) >= target.size):
                raise InputError(f"projection {p.name}: targets outside {target.name} of {target.size} neurons")
            if p.target <= p.source and p.synapses and int(p.delay.min()) < 1:
                raise InputError(f"projection {p.name} goes back without delay", hint="a delay of 1 step or more")

    @cached_property
    def first(self) -> np.ndarray:
        """Number of the first neuron of each population, and the total at the end: (populations + 1,) int64."""
        return np.concatenate(([0], np.cumsum([p.size for p in self.populations]))).astype(np.int64)

    @property
    def neurons(self) -> int:
        return int(self.first[-1])

    @property
    def synapses(self) -> int:
        return sum(p.synapses for p in self.projections)

    @property
    def max_delay(self) -> int:
        return max((p.max_delay for p in self.projections), default=0)
