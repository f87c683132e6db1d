"""Synapses over time: sparse and delayed connections, delays, scales and sums over windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Host, Matrix, NumberFormat, Operator, Shape, WeightSlot, Window, frozen_array
from neuromorph.graph.operators.dense import (
    check_format,
    check_input_format,
    freeze_vector,
    freeze_weight,
    positive_size,
    single,
)
from neuromorph.graph.operators.over_time import OverTime, freeze_features, require, time_first
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.graph.operators.pooling import _Pooling

if TYPE_CHECKING:
    import torch

MAX_DELAY = 2**16 - 1
"""Steps that fit into the delay of a synapse."""


def freeze_delay(delay: Any, shape: tuple[int, ...], hint: str) -> np.ndarray:
    """Delays in steps as the smallest unsigned type that holds them; shape, or (1,) where all are alike."""
    given = np.asarray(delay)
    if given.shape not in ((1,), shape):
        raise InputError(f"delay has shape {given.shape}, expected {shape} or (1,)", hint=hint)
    if (
        given.size
        and given.dtype.kind not in "ui"
        and not (np.isfinite(given).all() and (given == np.rint(given)).all())
    ):
        raise InputError("delay holds values that are no whole numbers of steps", hint=hint)
    if given.size and (given.min() < 0 or given.max() > MAX_DELAY):
        wrong = given.min() if given.min() < 0 else given.max()
        raise InputError(f"delay holds {int(wrong)}", hint=f"0 to {MAX_DELAY} steps")
    small = np.uint8 if given.max(initial=0) < 256 else np.uint16
    return frozen_array(given, small)


@final
@dataclass(frozen=True, eq=False)
class SparseLinear(OverTime):
    """y_j(t) = b_j + sum over the synapses i -> j of w_ij x_i(t - d_ij), held by source and never made dense.

    The synapses of input i are indptr[i]..indptr[i + 1] of index (output, int32, rising), weight (float32) and delay
    (steps, uint8 or uint16; shape (1,) where all are alike). outputs: number of outputs. Input (steps, inputs), output
    (steps, outputs). A vector unit sums it up: a multiply and an add per synapse and step. Plastic synapses change
    while events are executed and have no value here.
    """

    fixed: ClassVar[tuple[str, ...]] = ("indptr", "index", "weight", "delay", "bias")

    indptr: np.ndarray
    index: np.ndarray
    weight: np.ndarray
    outputs: int
    delay: np.ndarray
    bias: np.ndarray | None = None
    plasticity: Plasticity | None = None

    def __post_init__(self) -> None:
        for name, dtype in (("indptr", np.int64), ("index", np.int32), ("weight", np.float32)):
            object.__setattr__(self, name, frozen_array(getattr(self, name), dtype))
        size = self.index.size
        if self.indptr.ndim != 1 or self.indptr.size < 2 or self.indptr[0] != 0 or self.indptr[-1] != size:
            raise InputError(f"indptr ends at {self.indptr[-1:].tolist()}, there are {size} synapses")
        if self.index.shape != (size,) or self.weight.shape != (size,) or (np.diff(self.indptr) < 0).any():
            raise InputError(f"{size} targets and {self.weight.size} weights in rows {self.indptr.shape}")
        if self.outputs < 1 or (size and (int(self.index.min()) < 0 or int(self.index.max()) >= self.outputs)):
            raise InputError(f"targets lie outside the {self.outputs} outputs")
        falls = np.flatnonzero(np.diff(self.index) < 0) + 1
        if not np.isin(falls, self.indptr).all():
            raise InputError("the targets of a row do not rise", hint="sort the synapses of each source by target")
        if not np.isfinite(self.weight).all():
            raise InputError("weight holds NaN or Inf")
        object.__setattr__(self, "delay", freeze_delay(self.delay, (size,), "one delay per synapse, or one for all"))
        freeze_vector(self, "bias", self.outputs)

    @property
    def rank(self) -> int:
        return 1

    @property
    def inputs(self) -> int:
        return int(self.indptr.size - 1)

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        (size,) = time_first(shape, 1)
        if size != self.inputs:
            raise InputError(f"input has shape {shape}, expected (steps, {self.inputs})")
        return (shape[0], self.outputs)

    def of_delay(self) -> dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The synapses of each delay: (indptr, index, weight) by source."""
        if self.delay.shape == (1,) or not self.index.size or self.delay.min() == self.delay.max():
            return {int(self.delay[0]) if self.delay.size else 0: (self.indptr, self.index, self.weight)}
        found = {}
        for d in np.unique(self.delay):
            here = self.delay == d
            total = np.concatenate(([0], np.cumsum(here)))
            found[int(d)] = (total[self.indptr], self.index[here], self.weight[here])
        return found

    def _matrices(self, like: torch.Tensor) -> dict[int, torch.Tensor]:
        """(outputs, inputs) of each delay as torch's compressed rows; kept with the operator."""
        import torch
        from scipy.sparse import csr_matrix

        known: dict[Any, dict[int, torch.Tensor]] = self.__dict__.setdefault("_by_type", {})
        key = (like.dtype, like.device)
        if key not in known:
            known[key] = {}
            for d, (indptr, index, weight) in self.of_delay().items():
                rows = csr_matrix((weight, index, indptr), shape=(self.inputs, self.outputs)).T.tocsr()
                parts = (torch.from_numpy(rows.indptr), torch.from_numpy(rows.indices), torch.from_numpy(rows.data))
                known[key][d] = _quiet_csr(*parts, rows.shape).to(like)
        return known[key]

    def _product(self, matrix: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """x (..., inputs) -> (..., outputs)."""
        flat = x.reshape(-1, x.shape[-1])
        return (matrix @ flat.T).T.reshape(*x.shape[:-1], self.outputs)

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        (x,) = inputs
        self._refuse_plastic()
        y = x.new_zeros((*x.shape[:-1], self.outputs))
        for d, matrix in self._matrices(x).items():
            y = y + delayed(self._product(matrix, x), d, -2)
        return y if self.bias is None else y + self._bias(x, host)

    def begin(self, like: torch.Tensor) -> list[torch.Tensor]:
        self._refuse_plastic()
        return []

    def advance(self, x: torch.Tensor, state: list[torch.Tensor], host: Host) -> torch.Tensor:
        matrices = self._matrices(x)
        remember(state, x, max(matrices, default=0))
        y = x.new_zeros((*x.shape[:-1], self.outputs))
        for d, matrix in matrices.items():
            if d < len(state):
                y = y + self._product(matrix, state[-1 - d])
        return y if self.bias is None else y + self._bias(x, host)

    def _bias(self, like: torch.Tensor, host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import parameter

        return parameter(self, "bias", host, like)

    def _refuse_plastic(self) -> None:
        if self.plasticity is not None:
            raise InputError(
                "plastic synapses change while they run and cannot be evaluated as a fixed matrix",
                hint="run the network on an event-driven architecture",
            )

    def operations(self, shapes: Sequence[Shape]) -> int:
        """A multiply and an add per synapse and step, and an add per output where there is a bias."""
        steps, outputs = self.output_shape(shapes)
        return steps * (2 * int(self.index.size) + (0 if self.bias is None else outputs))


def _quiet_csr(
    indptr: torch.Tensor, index: torch.Tensor, value: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:  # fmt: skip
    """torch announces its compressed rows as beta with a warning on every first use."""
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(indptr, index, value, shape)


def delayed(x: torch.Tensor, steps: int, axis: int) -> torch.Tensor:
    """x moved later along a (negative) axis, zeros before."""
    import torch

    if not steps:
        return x
    late = torch.zeros_like(x)
    kept = x.shape[axis] - steps
    if kept > 0:
        late.narrow(axis, steps, kept).copy_(x.narrow(axis, 0, kept))
    return late


def remember(state: list[torch.Tensor], x: torch.Tensor, steps: int) -> None:
    """Appends x and forgets what is more than `steps` old."""
    state.append(x)
    if len(state) > steps + 1:
        del state[0]


@final
@dataclass(frozen=True, eq=False)
class DelayedLinear(OverTime):
    """y_j(t) = b_j + sum over i of w_ji x_i(t - d_ji): every synapse has a delay (learned with dilated convolutions).

    weight: (out, in); delay: (out, in) whole steps; bias: (out,) or None. Input (steps, in), output (steps, out). A
    host multiplies by one matrix whose rows are the inputs of every delay that occurs, those of the same delay
    together, earliest input last: y(t) = M [x(t - d_0), x(t - d_1), ...].
    """

    role: ClassVar[str] = "matrix"
    weight_slots: ClassVar[tuple[WeightSlot, ...]] = (WeightSlot("weight", "mask", "weight_format"),)
    fixed: ClassVar[tuple[str, ...]] = ("delay",)

    weight: np.ndarray
    delay: np.ndarray
    bias: np.ndarray | None = None
    mask: np.ndarray | None = None
    weight_format: NumberFormat | None = None
    input_format: NumberFormat | None = None

    def __post_init__(self) -> None:
        freeze_weight(self, "weight", "mask")
        if self.weight.ndim != 2 or 0 in self.weight.shape:
            raise InputError(f"weight has shape {self.weight.shape}, expected (outputs, inputs)")
        given = np.asarray(self.delay)
        if given.shape == (1,):
            given = np.broadcast_to(given, self.weight.shape).copy()
        object.__setattr__(self, "delay", freeze_delay(given, self.weight.shape, "whole steps, one per weight"))
        freeze_vector(self, "bias", self.weight.shape[0])
        check_format(self.weight_format, "weight_format", self.weight.shape)
        check_input_format(self.input_format, "input_format")

    @property
    def rank(self) -> int:
        return 1

    @cached_property
    def taps(self) -> tuple[int, ...]:
        """The delays that occur, rising."""
        return tuple(int(d) for d in np.unique(self.delay))

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        (size,) = time_first(shape, 1)
        if size != self.weight.shape[1]:
            raise InputError(f"input has shape {shape}, expected (steps, {self.weight.shape[1]})")
        return (shape[0], self.weight.shape[0])

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        from neuromorph.graph.tensors import fake_quantize

        x = fake_quantize(inputs[0], self.input_format)
        return self._multiply(torch.cat([delayed(x, d, -2) for d in self.taps], dim=-1), host)

    def begin(self, like: torch.Tensor) -> list[torch.Tensor]:
        return []

    def advance(self, x: torch.Tensor, state: list[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        from neuromorph.graph.tensors import fake_quantize

        remember(state, fake_quantize(x, self.input_format), self.taps[-1])
        known = [state[-1 - d] if d < len(state) else torch.zeros_like(x) for d in self.taps]
        return self._multiply(torch.cat(known, dim=-1), host)

    def _multiply(self, x: torch.Tensor, host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import add_bias, parameter

        y = host.linear("weight", x)
        return y if self.bias is None else add_bias(y, parameter(self, "bias", host, y))

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
        steps = self.output_shape(shapes)[0]
        kept = np.ones(self.weight.shape, bool) if self.mask is None else self.mask
        mask = self.weight_matrices({"weight": kept})["weight"]
        return (
            Matrix(
                name="weight",
                weight=self.weight_matrices({"weight": self.weight})["weight"],
                products=steps,
                mask=None if mask.all() else mask,
                weight_format=self.weight_format,
                input_format=self.input_format,
                input_shape=(steps, mask.shape[1]),
                taps=len(self.taps),
            ),
        )

    def weight_matrices(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        weight = weights["weight"]
        here = [self.delay == d for d in self.taps]
        if isinstance(weight, np.ndarray):
            return {"weight": np.concatenate([(weight * h).T for h in here])[None].astype(weight.dtype)}
        import torch

        masks = [torch.from_numpy(h).to(weight.device) for h in here]
        return {"weight": torch.cat([(weight * m).T for m in masks])[None]}

    def operations(self, shapes: Sequence[Shape]) -> int:
        """One add per output where there is a bias."""
        return 0 if self.bias is None else positive_size(self.output_shape(shapes))


@final
@dataclass(frozen=True, eq=False)
class Delay(OverTime):
    """y(t) = x(t - delay), an own delay for each element, rounded to whole steps of dt_s. Moves data only.

    delay_s: seconds, of the feature shape. Input (steps, *features).
    """

    role: ClassVar[str] = "wiring"
    fixed: ClassVar[tuple[str, ...]] = ("delay_s",)

    delay_s: np.ndarray
    dt_s: float

    def __post_init__(self) -> None:
        freeze_features(self, ("delay_s",))
        require(self, ("delay_s",))
        if not (np.isfinite(self.dt_s) and self.dt_s > 0):
            raise InputError(f"dt is {self.dt_s!r} s", hint="a finite time step above 0, e.g. 1 ms")
        if (self.delay_s < 0).any() or (self.delay_s > MAX_DELAY * self.dt_s).any():
            bad = self.delay_s[(self.delay_s < 0) | (self.delay_s > MAX_DELAY * self.dt_s)][0]
            raise InputError(f"delay is {bad} s", hint=f"0 to {MAX_DELAY} steps of {self.dt_s} s")

    @property
    def rank(self) -> int:
        return self.delay_s.ndim

    @cached_property
    def steps(self) -> np.ndarray:
        """Delays in steps, of the feature shape."""
        return np.rint(self.delay_s / self.dt_s).astype(np.int64)

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        features = time_first(shape, self.rank)
        if any(own not in (1, n) for own, n in zip(self.delay_s.shape, features, strict=True)):
            raise InputError(f"input has shape {shape}, the delays are for features {self.delay_s.shape}")
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        (x,) = inputs
        return self._chosen(x, lambda d: delayed(x, d, -self.rank - 1))

    def begin(self, like: torch.Tensor) -> list[torch.Tensor]:
        return []

    def advance(self, x: torch.Tensor, state: list[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        remember(state, x, int(self.steps.max()))
        return self._chosen(x, lambda d: state[-1 - d] if d < len(state) else torch.zeros_like(x))

    def _chosen(self, x: torch.Tensor, of_delay: Any) -> torch.Tensor:
        """Each element from what its delay gives."""
        import torch

        first, *others = np.unique(self.steps).tolist()
        y: torch.Tensor = of_delay(first)
        for d in others:
            y = torch.where(torch.from_numpy(self.steps == d).to(x.device), of_delay(d), y)
        return y


@final
@dataclass(frozen=True, eq=False)
class Scale(Operator):
    """y = scale x elementwise; scale is repeated over leading axes (time). One multiply per element."""

    scale: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", frozen_array(self.scale))
        require(self, ("scale",))

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        shape = single(shapes)
        own = self.scale.shape
        tail = shape[len(shape) - len(own) :]
        if len(own) > len(shape) or any(a not in (1, n) for a, n in zip(own, tail, strict=True)):
            raise InputError(f"input has shape {shape}, the scales are for features {own}")
        return shape

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import parameter

        return inputs[0] * parameter(self, "scale", host, inputs[0])

    def operations(self, shapes: Sequence[Shape]) -> int:
        """One multiply per element."""
        return positive_size(single(shapes))


@final
@dataclass(frozen=True, eq=False)
class SumPool2d(_Pooling):
    """y[c, i, j] = sum over the window of x[c]; padding is zero."""

    axes = 3
    window: Window = Window((2, 2), (2, 2))

    def pool(self, x: torch.Tensor) -> torch.Tensor:
        from neuromorph.graph.evaluate import convolve

        channels = x.shape[1]
        return convolve(x, x.new_ones((channels, 1, *self.window.kernel)), self.window, channels)

    def operations(self, shapes: Sequence[Shape]) -> int:
        """An add per window element but the first, per output."""
        return positive_size(self.output_shape(shapes)) * (self.window.kernel[0] * self.window.kernel[1] - 1)
