"""What the ONNX importer knows of a tensor while it walks the nodes, and how it adds operators."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.formats.uniform import Int
from neuromorph.graph.model import Node, NumberFormat, Operator, Shape
from neuromorph.graph.operators.arithmetic import Add, BatchNorm, Multiply, Quantize
from neuromorph.graph.operators.pairwise import Pairwise
from neuromorph.graph.operators.wiring import Flatten, Reshape, Transpose
from neuromorph.importers.maps import LOWEST, Refused, affine, collapsed

SAMPLES = 61
"""Samples that stand for a symbolic batch axis while shapes are computed: a number that no layer has."""


@dataclass(frozen=True, eq=False)
class Codes:
    """How an integer tensor is held: its codes are node + zero, or node / scale + zero where there is a scale.

    scale, zero: 0-d, or 1-d along `axis` (counted from the end of a sample).
    """

    zero: np.ndarray
    dtype: np.dtype
    scale: np.ndarray | None = None
    axis: int | None = None

    def agrees(self, scale: np.ndarray, zero: np.ndarray) -> bool:
        return self.scale is not None and np.array_equal(self.scale, scale) and np.array_equal(self.zero, zero)


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the input: the node that makes it, its per-sample shape, where its batch axis stands.

    batch: None where the tensor has no batch axis (a sample is the whole of it, or one number per sample).
    """

    name: str
    shape: Shape
    batch: int | None
    samples: int
    codes: Codes | None = None
    fold: int = 0
    """Sample axes behind the batch axis that the tensor has joined to it (samples x heads, samples x frames)."""
    late: bool = False
    """Whether the tensor has these axes before the samples (frames x samples)."""

    @property
    def full(self) -> Shape:
        """Shape of the ONNX tensor."""
        if self.batch is None:
            return self.shape
        rest = self.batch + self.fold
        return (*self.shape[: self.batch], self.samples * prod(self.shape[self.batch : rest]), *self.shape[rest:])

    def axis(self, dim: int) -> int:
        """A tensor axis as a sample axis counted from the end."""
        rank = len(self.full)
        if not -rank <= dim < rank:
            raise Refused(f"names axis {dim} of {rank}", f"legal: {-rank} to {rank - 1}")
        dim %= rank
        if self.batch is None:
            return dim - rank
        if dim == self.batch:
            raise Refused("works along the batch axis", "samples must not mix")
        return dim - (rank if dim > self.batch else len(self.shape))


@dataclass(frozen=True, eq=False)
class Const:
    """A tensor that depends on no input, and the number format that its values are known to be in."""

    array: np.ndarray
    format: NumberFormat | None = None


@dataclass
class Builder:
    """The operators made so far."""

    nodes: list[Node] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    label: str = ""
    shared: dict[Any, Operator] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)

    def emit(self, operator: Operator, inputs: Sequence[Value], batch: int | str | None = "same") -> Value:
        """Adds a node; the batch axis stays where the first input has it unless said."""
        try:
            shape = operator.output_shape([self.shapes[v.name] for v in inputs])
        except InputError as error:
            raise Refused(error.problems[0].message, error.problems[0].hint) from None
        base = re.sub(r"\W+", "_", self.label).strip("_") or type(operator).__name__.lower()
        name, n = base, 1
        while name in self.shapes:
            name, n = f"{base}_{n}", n + 1
        self.nodes.append(Node(name, operator, tuple(v.name for v in inputs), self.label))
        self.shapes[name] = shape
        first = inputs[0]
        return Value(
            name, shape, first.batch if isinstance(batch, str) else batch, first.samples, None, first.fold, first.late
        )

    def reshaped(self, x: Value, full: Sequence[int]) -> Value:
        """The value read in another shape, the batch axis an axis of its own."""
        target = tuple(int(n) for n in full)
        if x.full == target:
            return x
        if prod(x.full) != prod(target):
            raise Refused(f"reads {x.full} as {target}: the element counts differ")
        batch: int | None = None
        if x.batch is not None and x.fold:
            x = replace(x, fold=0, late=False, batch=x.batch + x.fold * x.late)
        if x.batch is not None:
            before = prod(x.full[: x.batch])
            fits = [j for j, n in enumerate(target) if n == x.samples and prod(target[:j]) == before]
            if not fits:
                wide = [j for j, n in enumerate(target) if n % x.samples == 0 and prod(target[:j]) == before]
                joined = [j for j, n in enumerate(target) if prod(target[:j]) * n == before * x.samples]
                if not wide and joined:
                    at = joined[0]
                    split = (*target[:at], target[at] // x.samples, x.samples, *target[at + 1 :])
                    return replace(self.reshaped(x, split), batch=at, fold=1, late=True)
                if not wide:
                    shown = ["batch" if i == x.batch else n for i, n in enumerate(x.full)]
                    raise Refused(f"reshapes {shown} to {list(target)} across the batch axis", "keep it whole")
                at = wide[0]
                split = (*target[:at], x.samples, target[at] // x.samples, *target[at + 1 :])
                return replace(self.reshaped(x, split), fold=1)
            batch = x.batch if x.batch in fits else fits[0]
            target = (*target[:batch], *target[batch + 1 :])
        if target == x.shape:
            return replace(x, batch=batch)
        return self.emit(
            Flatten(len(x.shape)) if len(target) == 1 and x.shape else Reshape(x.shape, target), [x], batch
        )

    def permuted(self, x: Value, order: Sequence[int]) -> Value:
        """Tensor axes in another order; output axis k is input axis order[k]."""
        rank = len(x.full)
        order = [k % rank for k in order]
        if sorted(order) != list(range(rank)):
            raise Refused(f"has perm {order} for {rank} axes", "a permutation of all axes")
        if x.batch is None:
            sample, batch = tuple(order), None
        else:
            at, fold = x.batch, x.fold
            moved = [[k] if k < at else [k - 1 + fold] if k > at else list(range(at, at + fold)) for k in order]
            batch = order.index(at)
            sample = tuple(k for group in moved for k in group)
        if sample == tuple(range(len(sample))):
            return replace(x, batch=batch)
        return self.emit(Transpose(sample), [x], batch)

    def constant_of(self, x: Value, array: np.ndarray) -> np.ndarray:
        """A constant that meets x elementwise, without the batch axis (along which it must not change)."""
        if x.batch is None:
            return array
        at = x.batch - len(x.full)
        if -at > array.ndim:
            return array
        lead = array.take([0], at)
        if array.shape[at] not in (1, x.samples) or not np.array_equal(np.broadcast_to(lead, array.shape), array):
            raise Refused("has a constant that differs from sample to sample", "samples must not mix")
        return lead.reshape((*lead.shape[:at], *(1,) * x.fold, *lead.shape[array.ndim + at + 1 :]))

    @staticmethod
    def as_tensor(x: Value, array: np.ndarray) -> np.ndarray:
        """A constant of x's sample as one of its tensor, the batch axis of size 1."""
        return array if x.batch is None else np.expand_dims(array, x.batch)

    def arithmetic(self, function: str, x: Value, array: np.ndarray, first: bool = False) -> Value:
        """x with a constant; `first` puts the constant in front."""
        if (missing := np.ndim(array) - len(x.full)) > 0:
            batch = None if x.batch is None else x.batch + missing
            x = self.emit(Reshape(x.shape, (1,) * missing + x.shape), [x], batch)
        array = np.asarray(array)
        if function == "add" and array.dtype.kind == "f":  # a mask before a softmax
            array = np.where(array == -np.inf, LOWEST, array)
        values = collapsed(self.constant_of(x, np.asarray(finite(array), np.float64)))
        if function not in ("add", "subtract", "multiply"):
            return self.emit(Pairwise(function, values, first), [x])
        one = np.ones((1,) * values.ndim)
        scale = values if function == "multiply" else -one if function == "subtract" and first else one
        shift = 0 * one if function == "multiply" else -values if function == "subtract" and not first else values
        operator = affine(x.shape, scale, shift)
        return x if operator is None else self.emit(operator, [x])

    def pairwise(self, function: str, x: Value, y: Value) -> Value:
        """Two values joined by one of the functions of `arithmetic`."""
        if function == "subtract":
            return self.pair(Add(), x, self.arithmetic("multiply", y, np.asarray(-1.0)))
        known = {"add": Add(), "multiply": Multiply()}
        return self.pair(known[function] if function in known else Pairwise(function), x, y)

    def once(self, key: Any, make: Callable[[], Operator], *keep: Any) -> Operator:
        """One operator for all uses of the same constants (`keep`) with the same settings."""
        full = (key, *map(id, keep))
        if full not in self.shared:
            self.shared[full], self.kept = make(), [*self.kept, *keep]  # an id stays unique while its object lives
        return self.shared[full]

    def pair(self, operator: Operator, x: Value, y: Value) -> Value:
        """Two values elementwise, axes of the shorter one counted from the end."""
        values = [x, y]
        rank = max(len(v.full) for v in values)
        batched = [v for v in values if v.batch is not None]
        if batched:
            places = {(v.batch - len(v.full), v.fold, v.late) for v in batched if v.batch is not None}
            if len(places) != 1:
                raise Refused(f"joins {x.full} and {y.full} with the batch axis in different places", "align them")
            longest = max(batched, key=lambda v: len(v.full))
            batch = None if longest.batch is None else longest.batch + rank - len(longest.full)
            for i, v in enumerate(values):
                missing = rank - (len(v.full) if v.batch is not None else len(v.full) + 1)
                if missing > 0:
                    if v.batch is None and prod(v.shape) != 1:
                        raise Refused(f"joins {x.full} and {y.full}, of which one has no batch axis")
                    values[i] = self.emit(Reshape(v.shape, (1,) * missing + v.shape), [v])
            return self.emit(operator, values, batch)
        for i, v in enumerate(values):
            if len(v.shape) < rank:
                values[i] = self.emit(Reshape(v.shape, (1,) * (rank - len(v.shape)) + v.shape), [v])
        return self.emit(operator, values)

    def centred(self, x: Value, zero: np.ndarray | float = 0.0) -> Value:
        """A value whose node is the integer tensor minus zero; of a float tensor the tensor minus zero."""
        codes = x.codes
        y = replace(x, codes=None)
        zero = np.asarray(zero, np.float64)
        if codes is None:
            return self.arithmetic("subtract", y, zero) if np.any(zero) else y
        if codes.scale is not None:
            trailing = (1,) * (0 if codes.axis is None else -codes.axis - 1)
            y = self.emit(Pairwise("divide", codes.scale.reshape((*codes.scale.shape, *trailing))), [y])
            y = self.emit(Quantize(integers(codes.dtype, codes.zero, axis=codes.axis)), [y])
        off = codes.zero - zero
        if not np.any(off):
            return y
        if off.ndim == 0 or codes.axis is None:
            return self.arithmetic("add", y, off.reshape(()))
        return self.emit(BatchNorm(np.ones(off.size), off.reshape(-1), codes.axis), [y])


def integers(dtype: np.dtype, zero: np.ndarray, scale: Any = 1.0, axis: int | None = None) -> Int:
    """The format of scale (code - zero) with codes of an integer type."""
    bits, signed = width(dtype)
    affine = np.asarray(zero, np.float64)
    return Int(
        bits, signed, scale=np.asarray(scale, np.float64), axis=axis, zero_point=affine if affine.any() else None
    )


def width(dtype: np.dtype) -> tuple[int, bool]:
    """Bits and sign of an integer type, those of ml_dtypes included."""
    found = re.fullmatch(r"(u?)int(\d+)", np.dtype(dtype).name)
    if found is None or int(found[2]) > 32:
        raise Refused(f"quantizes to {np.dtype(dtype).name}", "legal: int and uint of 2 to 32 bits")
    return int(found[2]), not found[1]


def finite(array: np.ndarray) -> np.ndarray:
    """The array as float64; refused where it holds NaN or Inf or no number."""
    try:
        values = np.asarray(array).astype(np.float64)
    except (TypeError, ValueError):
        raise Refused(f"has a constant of type {array.dtype}", "give numbers") from None
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise Refused(f"has a constant with {bad} of {values.size} values NaN or Inf", "train or export it again")
    return values


@dataclass
class Call:
    """One node of the file with what its inputs are; handlers ask it for values, constants and attributes."""

    op: str
    inputs: list[Value | Const | None]
    attributes: Mapping[str, Any]
    opset: int
    builder: Builder
    outputs: list[str]

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def raw(self, index: int = 0) -> Value:
        """An input that depends on the graph's inputs, integer codes as they are held."""
        value = self.inputs[index] if self.has(index) else None
        if not isinstance(value, Value):
            raise Refused(f"has no input {index} that depends on the model's input", "give one")
        return value

    def value(self, index: int = 0) -> Value:
        """An input that depends on the graph's inputs, its numbers those of the tensor."""
        return self.builder.centred(self.raw(index))

    def const(self, index: int, what: str = "input") -> np.ndarray:
        return self.held(index, what).array

    def held(self, index: int, what: str = "input") -> Const:
        value = self.inputs[index] if self.has(index) else None
        if not isinstance(value, Const):
            raise Refused(f"has a {what} that depends on the model's input", "it must be constant")
        return value

    def optional(self, index: int, what: str = "input") -> np.ndarray | None:
        return self.const(index, what) if self.has(index) else None

    def attr(self, name: str, default: Any = None) -> Any:
        value = self.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def ints(self, name: str, index: int, default: Sequence[int] | None = None) -> list[int] | None:
        """Whole numbers that older opsets hold in an attribute and newer ones in an input."""
        if name in self.attributes:
            found = self.attributes[name]
            return [int(n) for n in found] if isinstance(found, Sequence) else [int(found)]
        if index >= 0 and self.has(index):
            return [int(n) for n in np.asarray(self.const(index, name)).reshape(-1)]
        return None if default is None else list(default)

    def wants(self, output: int) -> bool:
        """Whether the file names this output."""
        return output < len(self.outputs) and bool(self.outputs[output])


Result = Value | Const | tuple[Value | Const | None, ...]
Handler = Callable[[Call], Result]
OPERATORS: dict[tuple[str, str], Handler] = {}
"""What each operator becomes, by domain and name; "" is ONNX's own domain."""
FOLDS: dict[tuple[str, str], Handler] = {}
"""Operators on constants alone that keep a number format or that onnx has no evaluator of."""
TRANSPARENT: set[str] = set()
"""Operators that move values or choose among them, so that integers stay held as they are."""


def reads(*names: str, domains: Sequence[str] = ("",), moves: bool = False) -> Callable[[Handler], Handler]:
    """Registers a handler."""

    def register(handler: Handler) -> Handler:
        OPERATORS.update({(domain, name): handler for domain in domains for name in names})
        TRANSPARENT.update(names if moves else ())
        return handler

    return register


def folds(*names: str, domains: Sequence[str] = ("",)) -> Callable[[Handler], Handler]:
    """Registers what constants become."""

    def register(handler: Handler) -> Handler:
        FOLDS.update({(domain, name): handler for domain in domains for name in names})
        return handler

    return register
