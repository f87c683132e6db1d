"""Component kinds of a toy: a pipeline of multipliers, one stage per layer, each folded onto as many as it is given."""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.hardware.component import Component, ComponentKind, Cost, Quantity, Slot, quantity, setting
from neuromorph.hardware.pricing import footprint


@dataclass(frozen=True)
class PipelineSettings:
    """A pipeline with a stage per layer."""

    clock: float = setting("Hz", doc="cycles per second", affects=("time",), low=1.0)
    bits: int = setting(doc="bits of a weight", affects=("function",), default=8, low=2, high=16)


@dataclass(frozen=True)
class MultiplierQuantities:
    """One multiplier."""

    energy: Quantity | None = quantity("J", doc="of one multiply-accumulate", affects=("energy",), required=True)
    area: Quantity | None = quantity("m^2", doc="of one multiplier", affects=("area",))
    leakage: Quantity | None = quantity("W", doc="static power of one multiplier", affects=("energy",))


def _costs(component: Component) -> dict[str, Cost]:
    assert component.part is not None
    q = component.part["energy"]
    return {"mac": Cost(q.value, q.basis, q.source, q.low, q.high)}


PIPELINE = ComponentKind(
    name="toy_pipeline", doc="A toy.", settings=PipelineSettings, slots={"multiplier": Slot(("toy_multiplier",))},
    family="chip",
)  # fmt: skip
MULTIPLIER = ComponentKind(
    name="toy_multiplier",
    doc="A toy.",
    quantities=MultiplierQuantities,
    costs=_costs,
    footprint=lambda c: footprint(c.part),
)
