"""Number formats in which event-driven cores compute."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuromorph.errors import InputError, suggest

SIGNS = ("synapse", "source")
KINDS = ("float64", "float32", "spinnaker", "loihi", "integer")


@dataclass(frozen=True)
class Arithmetic:
    """How a core holds weights and state.

    kind: "float64" and "float32" (no rounding but the type's own); "spinnaker": state and coefficients in signed 16.15
    fixed point, products rounded as its C library does, weights as `weight_bits` unsigned magnitudes with a shift per
    projection summed in saturating ring buffers; "loihi": 12-bit decays, signed weights of `weight_bits` with an
    exponent per projection, state saturating at `state_bits`; "integer": whole numbers of `state_bits` with a constant
    leak, a unit for each neuron (`devices.manycore.execute.whole`).
    weight_bits: bits of a stored weight; None: as exact as the type, in fixed point 16. In floating point
    and integers, signs says
    whether a sign is one of the "synapse" or of the "source" neuron, and axon_types how many different weights a neuron
    has, by type of the axon (0: each synapse its own); see `devices.manycore.execute.held`.
    ring_rate_hz, ring_deviations: "spinnaker" only, what the rings of inputs hold: the sums that all sources reach at
    this rate with so many standard deviations.
    skip_below: an update is skipped, and its input kept, while the input since the last one is smaller than this
    (0: never). state_grid: the decayed membrane is cut towards zero to multiples of this before input is added, in
    floating point only (0: no grid). scale: integer units per unit of the membrane, "loihi" only (0: chosen from the
    thresholds). Values are in units of the membrane.
    """

    kind: str = "float64"
    weight_bits: int | None = None
    state_bits: int = 32
    skip_below: float = 0.0
    state_grid: float = 0.0
    scale: float = 0.0
    signs: str = "synapse"
    axon_types: int = 0
    ring_rate_hz: float = 30.0
    ring_deviations: float = 5.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"no arithmetic {self.kind!r}", hint=suggest(self.kind, KINDS))
        if self.signs not in SIGNS:
            raise InputError(f"no signs {self.signs!r}", hint=suggest(self.signs, SIGNS))
        if not 1 <= self.fixed_weight_bits <= 32 or not 8 <= self.state_bits <= 64:
            raise InputError(f"{self.weight_bits} weight bits and {self.state_bits} state bits")
        if self.kind in ("spinnaker", "loihi") and (self.axon_types or self.signs != "synapse"):
            raise InputError(
                f"{self.kind} arithmetic with axon types or signs by source",
                hint="floating point and integers have them",
            )
        for name in ("skip_below", "state_grid", "scale", "ring_rate_hz", "ring_deviations"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise InputError(f"{name} is {value}", hint="a finite number, 0 or more")

    @property
    def fixed_weight_bits(self) -> int:
        """Bits of a stored weight in fixed point."""
        return 16 if self.weight_bits is None else self.weight_bits
