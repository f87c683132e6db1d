"""Area and static power of a chip, summed over its component tree."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuromorph.hardware.component import Architecture
from neuromorph.hardware.extrapolated import marked


@dataclass(frozen=True)
class AreaRow:
    """One component: how many the chip holds, area of one, static power of one. None: not modelled."""

    component: str
    count: int
    each_m2: float | None
    area_m2: float | None
    leakage_w: float | None
    basis: str
    source: str


@dataclass(frozen=True)
class Area:
    """Rows of all components that have a footprint; containers have none of their own."""

    rows: tuple[AreaRow, ...]

    @property
    def total_m2(self) -> float:
        """Sum of the modelled areas."""
        return math.fsum(r.area_m2 for r in self.rows if r.area_m2 is not None)

    @property
    def known_m2(self) -> float | None:
        """That sum, None where no component's area is known: unknown is not zero."""
        return self.total_m2 if any(r.area_m2 is not None for r in self.rows) else None

    @property
    def leakage_w(self) -> float:
        """Sum of the modelled static powers."""
        return math.fsum(r.leakage_w for r in self.rows if r.leakage_w is not None)

    @property
    def unmodelled(self) -> tuple[str, ...]:
        return tuple(r.component for r in self.rows if r.area_m2 is None)


def chip_area(architecture: Architecture) -> Area:
    """Footprint of every component of the chip."""
    rows = []
    for component, count in marked(architecture).chip.walk():
        if component.kind.footprint is None:
            continue
        f = component.kind.footprint(component)
        total = None if f.area_m2 is None else float(f.area_m2) * count
        leak = None if f.leakage_w is None else float(f.leakage_w) * count
        each = None if f.area_m2 is None else float(f.area_m2)
        rows.append(AreaRow(component.path, count, each, total, leak, f.basis, f.source))
    return Area(tuple(rows))
