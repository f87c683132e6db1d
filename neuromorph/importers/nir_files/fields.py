"""The node types of NIR with their fields, and the fields of one node as checked numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.errors import suggest
from neuromorph.graph.model import Shape
from neuromorph.importers.nir_files.faults import Faults

if TYPE_CHECKING:
    from neuromorph.importers.nir_files.records import RawNode

_CONV = (("weight", "stride", "padding", "dilation", "groups"), ("bias", "input_shape"))
_POOL: tuple[tuple[str, ...], tuple[str, ...]] = (("kernel_size", "stride", "padding"), ())

TYPES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Input": (("shape",), ()),
    "Output": (("shape",), ()),
    "NIRGraph": (("nodes", "edges"), ()),
    "Linear": (("weight",), ()),
    "Affine": (("weight", "bias"), ()),
    "Scale": (("scale",), ()),
    "Conv1d": _CONV,
    "Conv2d": _CONV,
    "SumPool2d": _POOL,
    "AvgPool2d": _POOL,
    "Flatten": (("start_dim", "end_dim"), ()),
    "Delay": (("delay",), ()),
    "Threshold": (("threshold",), ()),
    "I": (("r",), ()),
    "LI": (("tau", "r", "v_leak"), ()),
    "IF": (("r", "v_threshold"), ("v_reset",)),
    "LIF": (("tau", "r", "v_leak", "v_threshold"), ("v_reset",)),
    "CubaLI": (("tau_syn", "tau_mem", "r", "v_leak"), ("w_in",)),
    "CubaLIF": (("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"), ("v_reset", "w_in")),
}
"""Needed and optional fields of each type of node."""

IGNORED = ("type", "metadata", "input_type", "output_type")
"""Fields that any node may have: what they say is found out again."""

NEURONS = ("I", "LI", "IF", "LIF", "CubaLI", "CubaLIF", "Threshold")
"""Types at which a cycle is cut."""

TIMES = ("tau", "tau_syn", "tau_mem", "delay")


class Fields:
    """Reads one node's fields; faults are noted, and None returned for what is not usable."""

    def __init__(self, raw: RawNode, faults: Faults) -> None:
        self.raw, self.faults = raw, faults
        self.values = raw.item.values
        needed, optional = TYPES[raw.kind]
        for name in self.values:
            if name not in needed and name not in optional and name not in IGNORED:
                hint = suggest(name, (*needed, *optional)) + "; what it means is unknown, so it is not dropped"
                self.add(name, f"unknown field {name!r} of a {raw.kind}", hint)
        for name in raw.item.items:
            if name not in IGNORED:
                self.add(name, f"is a group inside a {raw.kind}", "legal: arrays, and a group 'metadata'")
        for name in needed:
            if name not in self.values:
                self.add("", f"{raw.kind} has no {name!r}", f"needed: {', '.join(needed)}")

    def add(self, name: str, message: str, hint: str = "") -> None:
        self.faults.add(f"{self.raw.path}/{name}", message, hint)

    def check(self) -> None:
        """Says what is wrong with the numbers of the node whatever its place in the network."""
        for name in (*TYPES[self.raw.kind][0], *TYPES[self.raw.kind][1]):
            if name in TIMES:
                self.times(name, 1.0, "0 or more" if name == "delay" else "above 0")
            elif name != "padding":
                self.array(name)

    def given(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self.values

    def array(self, name: str) -> np.ndarray | None:
        """A finite float64 array of any shape."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, str) or value.dtype.kind not in "biuf":
            self.add(name, f"is {value!r}" if isinstance(value, str) else "is a list of texts", "expected numbers")
            return None
        array = value.astype(np.float64)
        bad = ~np.isfinite(array)
        if bad.any():
            first = f"{float(array[bad][0])} at {_index(bad)}" if array.ndim else f"{float(array)}"
            self.add(name, f"{int(bad.sum())} of {array.size} values are NaN or Inf: {first}", "finite numbers")
            return None
        if not array.size:
            self.add(name, f"has shape {array.shape}: no values", "an array of the layer's shape")
            return None
        return array

    def times(self, name: str, scale: float, least: str = "above 0") -> np.ndarray | None:
        """Times in seconds: above 0, or ("0 or more") not negative."""
        array = self.array(name)
        if array is None:
            return None
        bad = array < 0 if least == "0 or more" else array <= 0
        if bad.any():
            at = f" at {_index(bad)}" if array.ndim else ""
            self.add(name, f"is {float(array[bad][0] if array.ndim else array):g}{at}", f"legal: {least}")
            return None
        return array * scale

    def whole(self, name: str, least: int | None = None) -> tuple[int, ...] | None:
        """Whole numbers, a single one as a tuple of one; least: what each must reach."""
        array = self.array(name)
        if array is None:
            return None
        if array.ndim > 1 or array.size > 8 or np.any(array != np.round(array)) or np.any(np.abs(array) > 2**40):
            self.add(name, f"is {_shown(array)}", "expected whole numbers")
            return None
        numbers = tuple(int(n) for n in array.reshape(-1))
        if least is not None and min(numbers) < least:
            self.add(name, f"is {_shown(array)}", f"legal: {least} or more")
            return None
        return numbers

    def pair(self, name: str, axes: int, least: int) -> tuple[int, ...] | None:
        """A whole number for each of `axes` axes; one number stands for all."""
        numbers = self.whole(name, least)
        if numbers is None:
            return None
        if len(numbers) not in (1, axes):
            self.add(name, f"has {len(numbers)} numbers", f"legal: 1 or {axes}")
            return None
        return numbers * axes if len(numbers) == 1 else numbers

    def shape(self, name: str) -> Shape | None:
        """A shape without batch or time axis; a single number is a shape of one axis."""
        return self.whole(name, 1)

    def text(self, name: str) -> str | None:
        """The field where it is a text."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None


def _index(bad: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(bad)[0])


def _shown(array: np.ndarray) -> str:
    text = np.array2string(array, threshold=6, separator=", ")
    return " ".join(text.split())[:60]


def spread(array: np.ndarray, features: Shape) -> np.ndarray | None:
    """A parameter over the whole feature shape, or None where it does not fit.

    Single values are repeated, and axes of size 1 where the number of axes agrees (one value per channel).
    """
    if array.size == 1:
        return np.full(features, float(array.reshape(())))
    while array.ndim > len(features) and array.shape[0] == 1:
        array = array[0]
    if array.ndim != len(features) or any(a not in (1, n) for a, n in zip(array.shape, features, strict=True)):
        return None
    return np.broadcast_to(array, features)
