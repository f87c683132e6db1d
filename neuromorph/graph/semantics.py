"""What a spiking network means in discrete time: everything that exchange formats are silent about, made explicit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuromorph.errors import InputError, suggest

INTEGRATIONS = ("euler", "exponential", "impulse")
RESETS = ("value", "subtract", "subtract_guarded", "none")
COMPARES = (">", ">=")
ORDERS = ("current_first", "membrane_first")


@dataclass(frozen=True)
class Semantics:
    """How a neuron advances by one time step.

    dt_s: length of a step. integration of tau dv/dt = (v_leak - v) + r i, with x = dt/tau:
    "euler": v += x ((v_leak - v) + r i); "exponential" (exact for constant input):
    v = v e^-x + (1 - e^-x)(v_leak + r i); "impulse" (the input arrives as an impulse):
    v = v e^-x + (1 - e^-x) v_leak + x r i.
    reset after a spike: "value" (to v_reset), "subtract" (the threshold), "subtract_guarded" (subtract, but never twice
    for one crossing), "none". delayed_reset: the reset acts in the next step instead of at once.
    compare: a neuron fires where v > threshold or v >= threshold. order: a synaptic current is updated before the
    membrane reads it ("current_first") or after ("membrane_first").
    output_shift: spikes leave this many steps late. refractory: steps without integration after a spike.
    spikes_per_step: most spikes of one neuron in a step, None without limit (the membrane holds several thresholds).
    v_min: the membrane is clamped from below, None without. bias_at_start: whether a constant input along a feedback
    path acts at step 0 already. preset: name of the dialect this came from.
    input_at_reset: whether a delayed reset to a value keeps the input of the step in which it acts.

    A step in order, n: spikes of the step before, th: the threshold (raised by adaptation where there is any):
    1. i, as `order` says. It goes on while the neuron is refractory.
    2. delayed "value": v = v_reset where n > 0.
    3. v = a v + b i + c, unless refractory.
    4. delayed "subtract": v -= n threshold. Delayed "value" without input_at_reset: v = v_reset where n > 0 (snntorch's
       Synaptic and Lapicque do that, its Leaky keeps the input).
    5. "subtract_guarded" at once: v -= threshold where v was above the threshold at the end of the step before, and is
       given back in 7 unless the neuron fires (snntorch with reset_delay off). Delayed it is "subtract".
    6. v = max(v, v_min). It fires where sign (v - th) > 0, or >= 0, never where sign is 0 or while refractory. With
       spikes_per_step other than 1 the number of spikes is ceil(v / th) - 1, with compare ">=" floor(v / th), at
       least 1, at most the limit; only where th > 0 and sign > 0.
    7. Reset at once: v = v_reset, or v -= n threshold (the threshold before it was raised, as in Bellec et al. 2020).
    """

    dt_s: float
    integration: str = "euler"
    reset: str = "value"
    delayed_reset: bool = False
    compare: str = ">"
    order: str = "current_first"
    output_shift: int = 0
    refractory: int = 0
    spikes_per_step: int | None = 1
    v_min: float | None = None
    bias_at_start: bool = True
    preset: str = ""
    input_at_reset: bool = True

    def __post_init__(self) -> None:
        if not (isinstance(self.dt_s, int | float) and math.isfinite(self.dt_s) and self.dt_s > 0):
            raise InputError(f"dt is {self.dt_s!r} s", hint="a finite time step above 0, e.g. 1 ms")
        for name, legal in (
            ("integration", INTEGRATIONS), ("reset", RESETS), ("compare", COMPARES), ("order", ORDERS)
        ):  # fmt: skip
            if getattr(self, name) not in legal:
                raise InputError(f"{name} is {getattr(self, name)!r}", hint=suggest(getattr(self, name), legal))
        for name in ("output_shift", "refractory"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InputError(f"{name} is {value!r}", hint="a whole number of steps, 0 or more")
        if self.spikes_per_step is not None and self.spikes_per_step < 1:
            raise InputError(f"spikes_per_step is {self.spikes_per_step}", hint="1 or more, or none for no limit")
        if self.v_min is not None and not math.isfinite(self.v_min):
            raise InputError(f"v_min is {self.v_min}", hint="a finite potential, or none")
