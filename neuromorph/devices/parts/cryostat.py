"""A cryostat: what it keeps cold, and what keeping it cold costs."""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.hardware.component import Component, ComponentKind, Overhead, Quantity, quantity
from neuromorph.hardware.pricing import known


@dataclass(frozen=True)
class CryostatQuantities:
    """Facts of a cooler that holds its inside at one temperature."""

    cooling_factor: Quantity | None = quantity(
        "1",
        doc="energy at the wall for each joule turned into heat inside, that joule included",
        affects=("energy",),
        low=1.0,
        vector=True,
    )


def overhead(component: Component) -> Overhead | None:
    """The cooling factor, up to the wall; None where the part does not give it."""
    factor = known(component.part, "cooling_factor")
    if factor is None:
        return None
    return Overhead(factor.value, "wall", factor.basis, factor.source, factor.low, factor.high)


CRYOSTAT = ComponentKind(
    name="cryostat",
    doc="A cryostat around parts of a chip: all their energy, dynamic and static, is multiplied by its cooling factor.",
    quantities=CryostatQuantities,
    overhead=overhead,
)
