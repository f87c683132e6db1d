"""Recurrent layers, unrolled over time with state zero at the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Host, Matrix, NumberFormat, Operator, Shape, WeightSlot
from neuromorph.graph.operators.dense import check_format, check_input_format, freeze_vector, freeze_weight, single

if TYPE_CHECKING:
    import torch


def _side_by_side(parts: Sequence[Any]) -> Any:
    """Concatenation along axis 1, numpy or torch."""
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=1)
    import torch

    return torch.cat(list(parts), dim=1)


def _gate_rows(weight_ih: np.ndarray, weight_hh: np.ndarray, gates: int) -> int:
    """The hidden size, after checking that both weights belong to a cell with this many gates."""
    if weight_ih.ndim != 2 or weight_hh.ndim != 2:
        raise InputError(f"weight_ih {weight_ih.shape} and weight_hh {weight_hh.shape} must have two axes")
    hidden = weight_hh.shape[1]
    if not hidden or weight_hh.shape[0] != gates * hidden or weight_ih.shape[0] != gates * hidden:
        raise InputError(
            f"weight_ih {weight_ih.shape} and weight_hh {weight_hh.shape} must have {gates} x hidden rows, "
            "weight_hh hidden columns"
        )
    return hidden


def _sequence(shapes: Sequence[Shape], features: int) -> tuple[int, int]:
    shape = single(shapes)
    if len(shape) != 2 or shape[1] != features or shape[0] < 1:
        raise InputError(f"input has shape {shape}, expected (time, {features})")
    return shape[0], shape[1]


def _start(operator: Operator, name: str, host: Host, like: torch.Tensor, lead: Sequence[int]) -> torch.Tensor:
    """The state before the first step: zeros, or the constant that the operator begins with."""
    from neuromorph.graph.tensors import parameter

    hidden = operator.hidden  # type: ignore[attr-defined]
    if getattr(operator, name) is None:
        return like.new_zeros((*lead, hidden))
    return parameter(operator, name, host, like).expand(*lead, hidden)


class _Recurrent(Operator):
    """Base of the layers here: weight_hh has the hidden states as columns."""

    role: ClassVar[str] = "matrix"
    weight_ih: np.ndarray
    weight_hh: np.ndarray
    return_sequences: bool
    reverse: bool

    @property
    def hidden(self) -> int:
        return int(self.weight_hh.shape[1])

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        time, _ = _sequence(shapes, self.weight_ih.shape[1])
        return (time, self.hidden) if self.return_sequences else (self.hidden,)

    def _steps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The steps of x (..., time, features) in the order in which they are run."""
        steps = list(x.unbind(-2))
        return steps[::-1] if self.reverse else steps

    def _outputs(self, states: list[torch.Tensor], last: Sequence[torch.Tensor] = ()) -> torch.Tensor:
        """The output, of the states in the order in which they were run; `last`: rows that follow the sequence."""
        import torch

        if not self.return_sequences:
            return states[-1]
        return torch.stack([*(states[::-1] if self.reverse else states), *last], dim=-2)


@final
@dataclass(frozen=True, eq=False)
class LSTM(_Recurrent):
    """Long short-term memory, gates in torch's order i, f, g, o.

    [i f g o] = [x_t h_(t-1)] G + b with one matrix "gates" G of features + hidden rows and 4 hidden columns;
    c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g); h_t = sigmoid(o) tanh(c_t).
    weight_ih: (4 hidden, features), weight_hh: (4 hidden, hidden), bias: (4 hidden,), the sum of torch's two.
    Input (time, features), output (time, hidden), or (hidden,) of the last step unless return_sequences.
    reverse runs from the last step to the first; outputs keep the order of the inputs, and the last state
    is then that of the first step. return_cell adds the last c as one row more after the sequence.
    initial, initial_cell: (hidden,), h_0 and c_0 of every sample, zero where left out.
    """

    weight_slots: ClassVar[tuple[WeightSlot, ...]] = (
        WeightSlot("weight_ih", "mask_ih", "weight_format"),
        WeightSlot("weight_hh", "mask_hh", "weight_format"),
    )

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias: np.ndarray | None = None
    mask_ih: np.ndarray | None = None
    mask_hh: np.ndarray | None = None
    weight_format: NumberFormat | None = None
    input_format: NumberFormat | None = None
    return_sequences: bool = True
    reverse: bool = False
    return_cell: bool = False
    initial: np.ndarray | None = None
    initial_cell: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.return_cell and not self.return_sequences:
            raise InputError("return_cell needs return_sequences")
        freeze_weight(self, "weight_ih", "mask_ih")
        freeze_weight(self, "weight_hh", "mask_hh")
        freeze_vector(self, "bias", 4 * _gate_rows(self.weight_ih, self.weight_hh, 4))
        freeze_vector(self, "initial", self.hidden)
        freeze_vector(self, "initial_cell", self.hidden)
        check_format(self.weight_format, "weight_format", (self.weight_ih.shape[0],))
        check_input_format(self.input_format, "input_format")

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        time, _ = _sequence(shapes, self.weight_ih.shape[1])
        return (time + self.return_cell, self.hidden) if self.return_sequences else (self.hidden,)

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        from neuromorph.graph.tensors import fake_quantize, parameter

        x = inputs[0]
        h, c = (_start(self, name, host, x, x.shape[:-2]) for name in ("initial", "initial_cell"))
        bias = None if self.bias is None else parameter(self, "bias", host, x)
        hidden, features, function = self.hidden, x.shape[-1], host.function
        outputs = []
        for x_t in self._steps(x):
            # a host may add a trial axis; comparing shapes takes as long as an activation of a small cell
            if x_t.dim() != h.dim() or x_t.numel() * hidden != h.numel() * features:
                x_t = x_t.expand(*torch.broadcast_shapes(x_t.shape[:-1], h.shape[:-1]), -1)
            joined = torch.cat([x_t, h], dim=-1)
            gates = host.linear("gates", fake_quantize(joined, self.input_format))
            i, f, g, o = (gates if bias is None else gates + bias).chunk(4, dim=-1)
            c = function("sigmoid", f) * c + function("sigmoid", i) * function("tanh", g)
            h = function("sigmoid", o) * function("tanh", c)
            outputs.append(h)
        return self._outputs(outputs, [c] if self.return_cell else [])

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
        time, features = _sequence(shapes, self.weight_ih.shape[1])
        weights = self.weight_matrices({"weight_ih": self.weight_ih, "weight_hh": self.weight_hh})
        mask = None
        if self.mask_ih is not None or self.mask_hh is not None:
            mask = self.weight_matrices(
                {
                    "weight_ih": np.ones(self.weight_ih.shape, bool) if self.mask_ih is None else self.mask_ih,
                    "weight_hh": np.ones(self.weight_hh.shape, bool) if self.mask_hh is None else self.mask_hh,
                }
            )["gates"]
        return (
            Matrix(
                name="gates",
                weight=weights["gates"],
                products=time,
                mask=mask,
                weight_format=self.weight_format,
                input_format=self.input_format,
                input_shape=(features + self.hidden,),
            ),
        )

    def weight_matrices(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        return {"gates": _side_by_side([weights["weight_ih"], weights["weight_hh"]]).swapaxes(0, 1)[None]}

    def operations(self, shapes: Sequence[Shape]) -> int:
        """Per step and hidden unit: 5 look-ups, 3 multiplies, 1 add, and 4 adds where there is a bias."""
        time, _ = _sequence(shapes, self.weight_ih.shape[1])
        return time * self.hidden * (9 + (0 if self.bias is None else 4))


@final
@dataclass(frozen=True, eq=False)
class RNN(_Recurrent):
    """Elman's recurrent layer: h_t = f([x_t h_(t-1)] G + b), f tanh or relu.

    One matrix "gates" G of features + hidden rows and hidden columns. weight_ih: (hidden, features), weight_hh:
    (hidden, hidden), bias: (hidden,), the sum of torch's two. Input (time, features), output (time, hidden), or
    (hidden,) of the last step unless return_sequences; reverse and initial as for LSTM.
    """

    weight_slots: ClassVar[tuple[WeightSlot, ...]] = LSTM.weight_slots

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias: np.ndarray | None = None
    mask_ih: np.ndarray | None = None
    mask_hh: np.ndarray | None = None
    weight_format: NumberFormat | None = None
    input_format: NumberFormat | None = None
    return_sequences: bool = True
    reverse: bool = False
    function: str = "tanh"
    initial: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.function not in ("tanh", "relu"):
            raise InputError(f"function is {self.function!r}", hint="legal: tanh, relu")
        freeze_weight(self, "weight_ih", "mask_ih")
        freeze_weight(self, "weight_hh", "mask_hh")
        freeze_vector(self, "bias", _gate_rows(self.weight_ih, self.weight_hh, 1))
        freeze_vector(self, "initial", self.hidden)
        check_format(self.weight_format, "weight_format", (self.weight_ih.shape[0],))
        check_input_format(self.input_format, "input_format")

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        import torch

        from neuromorph.graph.tensors import fake_quantize, parameter

        x = inputs[0]
        h = _start(self, "initial", host, x, x.shape[:-2])
        bias = None if self.bias is None else parameter(self, "bias", host, x)
        outputs = []
        for x_t in self._steps(x):
            lead = torch.broadcast_shapes(x_t.shape[:-1], h.shape[:-1])
            joined = torch.cat([x_t.expand(*lead, -1), h.expand(*lead, -1)], dim=-1)
            k = host.linear("gates", fake_quantize(joined, self.input_format))
            h = host.function(self.function, k if bias is None else k + bias)
            outputs.append(h)
        return self._outputs(outputs)

    matrices = LSTM.matrices
    weight_matrices = LSTM.weight_matrices

    def operations(self, shapes: Sequence[Shape]) -> int:
        """Per step and hidden unit a look-up, and an add where there is a bias."""
        time, _ = _sequence(shapes, self.weight_ih.shape[1])
        return time * self.hidden * (1 + (self.bias is not None))


@final
@dataclass(frozen=True, eq=False)
class GRU(_Recurrent):
    """Gated recurrent unit as torch defines it (reset after the product), gates in the order r, z, n.

    [a_r a_z a_n] = x_t A + b_ih with matrix "input" A; [k_r k_z k_n] = h_(t-1) K + b_hh with matrix "hidden" K;
    r = sigmoid(a_r + k_r); z = sigmoid(a_z + k_z); n = tanh(a_n + r k_n); h_t = (1 - z) n + z h_(t-1).
    The candidate n needs the hidden product apart from the input product: two matrices.
    weight_ih: (3 hidden, features), weight_hh: (3 hidden, hidden), bias_ih, bias_hh: (3 hidden,).
    Input (time, features), output (time, hidden), or (hidden,) of the last step unless return_sequences;
    reverse and initial as for LSTM. The input product of all steps is handed to the host at once.
    reset_first: n = tanh(a_n + (r h_(t-1)) K_n + b_n) as Cho et al. (EMNLP 2014) define it (Keras: reset_after off);
    K_n is then a matrix "candidate" of its own, since it multiplies another vector.
    """

    weight_slots: ClassVar[tuple[WeightSlot, ...]] = (
        WeightSlot("weight_ih", "mask_ih", "weight_format"),
        WeightSlot("weight_hh", "mask_hh", "hidden_weight_format"),
    )

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias_ih: np.ndarray | None = None
    bias_hh: np.ndarray | None = None
    mask_ih: np.ndarray | None = None
    mask_hh: np.ndarray | None = None
    weight_format: NumberFormat | None = None
    hidden_weight_format: NumberFormat | None = None
    input_format: NumberFormat | None = None
    hidden_format: NumberFormat | None = None
    return_sequences: bool = True
    reverse: bool = False
    initial: np.ndarray | None = None
    reset_first: bool = False

    def __post_init__(self) -> None:
        freeze_weight(self, "weight_ih", "mask_ih")
        freeze_weight(self, "weight_hh", "mask_hh")
        hidden = _gate_rows(self.weight_ih, self.weight_hh, 3)
        freeze_vector(self, "bias_ih", 3 * hidden)
        freeze_vector(self, "bias_hh", 3 * hidden)
        freeze_vector(self, "initial", hidden)
        if self.reset_first and self.hidden_weight_format is not None and self.hidden_weight_format.per_channel:
            raise InputError("hidden_weight_format has a scale per channel", hint="reset_first: one scale for K")
        check_format(self.weight_format, "weight_format", self.weight_ih.shape)
        check_format(self.hidden_weight_format, "hidden_weight_format", self.weight_hh.shape)
        check_input_format(self.input_format, "input_format")
        check_input_format(self.hidden_format, "hidden_format")

    def evaluate(self, inputs: Sequence[torch.Tensor], host: Host) -> torch.Tensor:
        from neuromorph.graph.tensors import fake_quantize, parameter

        products = host.linear("input", fake_quantize(inputs[0], self.input_format))
        if self.bias_ih is not None:
            products = products + parameter(self, "bias_ih", host, products)
        bias = None if self.bias_hh is None else parameter(self, "bias_hh", host, products)
        function = host.function
        h = _start(self, "initial", host, products, products.shape[:-2])
        parts = None if bias is None else bias.split((2 * self.hidden, self.hidden), -1)
        outputs = []
        for a in self._steps(products):
            a_r, a_z, a_n = a.chunk(3, dim=-1)
            k = host.linear("hidden", fake_quantize(h, self.hidden_format))
            if self.reset_first:
                k_r, k_z = (k if parts is None else k + parts[0]).chunk(2, dim=-1)
                reset = function("sigmoid", a_r + k_r) * h
                k_n = host.linear("candidate", fake_quantize(reset, self.hidden_format))
                k_n = k_n if parts is None else k_n + parts[1]
            else:
                k_r, k_z, k_n = (k if bias is None else k + bias).chunk(3, dim=-1)
                k_n = function("sigmoid", a_r + k_r) * k_n
            z = function("sigmoid", a_z + k_z)
            n = function("tanh", a_n + k_n)
            h = n + z * (h - n)
            outputs.append(h)
        return self._outputs(outputs)

    def matrices(self, shapes: Sequence[Shape]) -> tuple[Matrix, ...]:
        time, features = _sequence(shapes, self.weight_ih.shape[1])
        weights = self.weight_matrices({"weight_ih": self.weight_ih, "weight_hh": self.weight_hh})
        ones = {"weight_ih": self.mask_ih, "weight_hh": self.mask_hh}
        kept = {slot: np.ones(getattr(self, slot).shape, bool) if mask is None else mask for slot, mask in ones.items()}
        masks = self.weight_matrices(kept)
        formats = {
            "input": (self.weight_format, self.input_format, (time, features), self.mask_ih),
            **dict.fromkeys(
                [name for name in weights if name != "input"],
                (self.hidden_weight_format, self.hidden_format, (self.hidden,), self.mask_hh),
            ),
        }
        return tuple(
            Matrix(
                name=name,
                weight=weights[name],
                products=time,
                mask=None if mask is None else masks[name],
                weight_format=weight_format,
                input_format=input_format,
                input_shape=shape,
            )
            for name, (weight_format, input_format, shape, mask) in formats.items()
        )

    def weight_matrices(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        hidden = {"hidden": weights["weight_hh"]}
        if self.reset_first:
            hidden = {"hidden": hidden["hidden"][: 2 * self.hidden], "candidate": hidden["hidden"][2 * self.hidden :]}
        parts = {"input": weights["weight_ih"], **hidden}
        return {name: weight.swapaxes(0, 1)[None] for name, weight in parts.items()}

    def operations(self, shapes: Sequence[Shape]) -> int:
        """Per step and hidden unit: 3 look-ups, 5 adds, 2 multiplies (10), and 3 adds for each bias."""
        time, _ = _sequence(shapes, self.weight_ih.shape[1])
        biases = sum(bias is not None for bias in (self.bias_ih, self.bias_hh))
        return time * self.hidden * (10 + 3 * biases)
