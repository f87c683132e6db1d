"""One step of a neuron in torch: the semantics of `neuromorph.graph.semantics`, for any leading axes.

Spikes have a surrogate derivative, so that a spiking graph can be trained: that of the arctangent,
1 / (1 + (pi x)^2) with x = v - threshold (Fang et al., ICCV 2021, alpha = 2; the default of snntorch). Resets are held
constant in the backward pass.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuromorph.graph.semantics import Semantics

if TYPE_CHECKING:
    from neuromorph.graph.operators.neurons import Neuron


class _Spike(torch.autograd.Function):
    """Step function of x with the arctangent's derivative at `distance`."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, spikes: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return spikes.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[torch.Tensor, None]:
        (x,) = ctx.saved_tensors
        return grads[0] / (1 + (math.pi * x) ** 2), None


def fired(
    v: torch.Tensor,
    threshold: torch.Tensor,
    sign: torch.Tensor | None,
    *,
    strict: bool,
    most: int | None = 1,
    held: torch.Tensor | None = None,
) -> torch.Tensor:
    """Spikes of one step as numbers. strict: v > threshold, otherwise >=. most: spikes of one neuron, None unlimited.

    held: True where a neuron cannot fire.
    """
    base = v.detach()
    if sign is None:
        on = base > threshold if strict else base >= threshold
    else:
        over = (base - threshold) * sign
        on = (over > 0 if strict else over >= 0) & (sign != 0)
    if held is not None:
        on = on & ~held
    spikes = on.to(v.dtype)
    nearest = threshold
    if most != 1:
        plain = threshold > 0 if sign is None else (threshold > 0) & (sign > 0)
        ratio = base / torch.where(plain, threshold, 1.0)
        count = (torch.ceil(ratio) - 1 if strict else torch.floor(ratio)).clamp(1, most)
        spikes = torch.where(plain, spikes * count, spikes)
        nearest = torch.where(plain, threshold * torch.round(ratio).clamp(1, most), threshold)
    if not v.requires_grad:
        return spikes
    distance = v - nearest
    result: torch.Tensor = _Spike.apply(distance if sign is None else distance * sign, spikes)
    return result


@dataclass(frozen=True)
class Constants:
    """Coefficients as tensors of one dtype and device; None where they change nothing."""

    model: str
    semantics: Semantics
    fires: bool
    values: Mapping[str, torch.Tensor | None]

    def __getitem__(self, name: str) -> torch.Tensor | None:
        return self.values[name]

    def need(self, name: str) -> torch.Tensor:
        """A coefficient that is always there."""
        value = self.values[name]
        assert value is not None
        return value


@dataclass
class State:
    """What a neuron carries from step to step; tensors (..., *features), None where the model has none."""

    constants: Constants
    v: torch.Tensor
    i: torch.Tensor | None = None
    u: torch.Tensor | None = None
    adapted: torch.Tensor | None = None
    last: torch.Tensor | None = None
    above: torch.Tensor | None = None
    held: torch.Tensor | None = None
    late: deque[torch.Tensor] = field(default_factory=deque)


_NEUTRAL: Mapping[str, float] = {"a_mem": 1.0, "b_mem": 1.0, "c_mem": 0.0, "sign": 1.0}
"""Values that change nothing, so that their operation is left out."""


def constants_of(neuron: Neuron, like: torch.Tensor) -> Constants:
    """The neuron's coefficients in the dtype and on the device of `like`; kept for as long as the operator lives."""
    known: dict[Any, Constants] = neuron.__dict__.setdefault("_constants", {})
    key = (like.dtype, like.device)
    if key not in known:
        given = neuron.coefficients
        values: dict[str, torch.Tensor | None] = {}
        synaptic = "a_syn" in given and bool(np.any(given["a_syn"] != 0) or np.any(given["b_syn"] != 1))
        for name, array in given.items():
            idle = name in _NEUTRAL and bool((array == _NEUTRAL[name]).all())
            idle |= name in ("a_syn", "b_syn") and not synaptic
            with torch.inference_mode(False):  # what an execution makes first, training may use after it
                values[name] = None if idle else torch.tensor(array, dtype=like.dtype, device=like.device)
        known[key] = Constants(neuron.model, neuron.semantics, neuron.fires, values)
    return known[key]


def begin(neuron: Neuron, like: torch.Tensor) -> State:
    """The state before the first step."""
    c = constants_of(neuron, like)
    return State(c, c.need("v_init"), u=c["u_init"] if neuron.model == "izhikevich" else None)


def advance(x: torch.Tensor, state: State) -> torch.Tensor:
    """One step: x (..., *features) gives the spikes of the step, or the membrane of a neuron without threshold."""
    c = state.constants
    y = _izhikevich(x, state) if c.model == "izhikevich" else _linear(x, state)
    if c.semantics.output_shift:
        state.late.append(y)
        return state.late.popleft() if len(state.late) > c.semantics.output_shift else torch.zeros_like(y)
    return y


def _current(x: torch.Tensor, state: State) -> torch.Tensor:
    """Updates the synaptic current and returns what the membrane reads."""
    c = state.constants
    a, b = c["a_syn"], c["b_syn"]
    if a is None or b is None:
        return x
    before = torch.zeros_like(x) if state.i is None else state.i
    state.i = torch.addcmul(a * before, x, b)
    return before if c.semantics.order == "membrane_first" else state.i


def _integrated(drive: torch.Tensor, state: State) -> torch.Tensor:
    """The membrane after leak, input and delayed reset: items 2 to 4 of the step."""
    c, s, v = state.constants, state.constants.semantics, state.v
    late = state.last if s.delayed_reset else None
    to_value = late is not None and s.reset == "value"
    if late is not None and to_value and s.input_at_reset:
        v = torch.where(late > 0, c.need("v_reset"), v)
    kept = v if c["a_mem"] is None else c.need("a_mem") * v
    new = kept + drive if c["b_mem"] is None else torch.addcmul(kept, drive, c.need("b_mem"))
    if c["c_mem"] is not None:
        new = new + c.need("c_mem")
    if late is not None and s.reset in ("subtract", "subtract_guarded"):
        taken = late * _finite(c)
        new, v = new - taken, v - taken
    if late is not None and to_value and not s.input_at_reset:
        new, v = (torch.where(late > 0, c.need("v_reset"), w) for w in (new, v))
    return new if state.held is None else torch.where(state.held > 0, v, new)


def _finite(c: Constants) -> torch.Tensor:
    """What a subtracting reset takes away; nothing from a neuron that never fires."""
    threshold = c.need("threshold")
    return torch.where(torch.isfinite(threshold), threshold, 0.0)


def _linear(x: torch.Tensor, state: State) -> torch.Tensor:
    c, s = state.constants, state.constants.semantics
    v = _integrated(_current(x, state), state)
    guarded = s.reset == "subtract_guarded" and not s.delayed_reset
    if guarded and state.above is not None:
        v = v - state.above * _finite(c)
    if s.v_min is not None:
        v = v.clamp(min=s.v_min)
    if not c.fires:
        state.v = v
        return v
    threshold = c.need("threshold")
    raised = threshold
    if c.model == "adaptive" and state.adapted is not None:
        raised = threshold + c.need("b_adapt") * state.adapted
    held = None if state.held is None else state.held > 0
    strict = s.compare == ">"
    spikes = fired(v, raised, c["sign"], strict=strict, most=s.spikes_per_step, held=held)
    count = spikes.detach()
    if c.model == "adaptive":
        before = torch.zeros_like(count) if state.adapted is None else state.adapted
        state.adapted = c.need("a_adapt") * before + (count > 0).to(count.dtype)
    _refract(count, state)
    if s.delayed_reset:
        state.last, state.v = count, v
        return spikes
    if s.reset == "value":
        v = torch.where(count > 0, c.need("v_reset"), v)
    elif guarded:
        v = v - (count if state.above is None else count - state.above) * _finite(c)
        state.above = fired(v.detach(), threshold, c["sign"], strict=strict)
    elif s.reset == "subtract":
        v = v - count * _finite(c)
    state.v = v
    return spikes


def _refract(count: torch.Tensor, state: State) -> None:
    """Counts the steps for which neurons that fired stay put."""
    steps = state.constants.semantics.refractory
    if steps:
        left = torch.zeros_like(count) if state.held is None else (state.held - 1).clamp(min=0)
        state.held = torch.where(count > 0, float(steps), left)


def _izhikevich(x: torch.Tensor, state: State) -> torch.Tensor:
    c, dt = state.constants, state.constants.semantics.dt_s * 1e3
    v, u = state.v, state.u
    assert u is not None
    before = (v, u)
    for _ in range(2):
        v = v + dt / 2 * (0.04 * v * v + 5 * v + 140 - u + x)
    u = u + dt * c.need("a") * (c.need("b") * v - u)
    held = None
    if state.held is not None:
        held = state.held > 0
        v, u = torch.where(held, before[0], v), torch.where(held, before[1], u)
    spikes = fired(v, c.need("v_peak"), None, strict=False, held=held)
    count = spikes.detach()
    _refract(count, state)
    state.v = torch.where(count > 0, c.need("c"), v)
    state.u = torch.where(count > 0, u + c.need("d"), u)
    return spikes
