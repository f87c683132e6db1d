"""Number formats in which event-driven cores compute."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuromorph.errors import InputError, suggest

KINDS = ("float64", "float32", "spinnaker", "loihi")


@dataclass(frozen=True)
class Arithmetic:
    """How a core holds weights and state.

    kind: "float64" and "float32" (no rounding but the type's own); "spinnaker": state and coefficients in signed 16.15
    fixed point, products rounded as its C library does, weights as `weight_bits` unsigned magnitudes with a shift per
    projection summed in saturating ring buffers; "loihi": 12-bit decays, signed weights of `weight_bits` with an
    exponent per projection, state saturating at `state_bits`.
    skip_below: an update is skipped, and its input kept, while the input since the last one is smaller than this
    (0: never). state_grid: the decayed membrane is cut towards zero to multiples of this before input is added, in
    floating point only (0: no grid). scale: integer units per unit of the membrane, "loihi" only (0: chosen from the
    thresholds). Values are in units of the membrane.
    """

    kind: str = "float64"
    weight_bits: int = 16
    state_bits: int = 32
    skip_below: float = 0.0
    state_grid: float = 0.0
    scale: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"no arithmetic {self.kind!r}", hint=suggest(self.kind, KINDS))
        if not 1 <= self.weight_bits <= 32 or not 8 <= self.state_bits <= 64:
            raise InputError(f"{self.weight_bits} weight bits and {self.state_bits} state bits")
        for name in ("skip_below", "state_grid", "scale"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise InputError(f"{name} is {value}", hint="a finite number, 0 or more")
