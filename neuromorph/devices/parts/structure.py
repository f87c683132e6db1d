"""What holds the other components: the chip and its tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuromorph.hardware.component import Component, ComponentKind, Slot, setting

CORE_FAMILY = "core"
"""Family of every compute core; a tile's core slot admits all of them."""


@dataclass(frozen=True)
class ChipSettings:
    """One chip: `tile.count` tiles on a grid."""

    columns: int | None = setting(
        doc="tiles per row of the grid; left out: the squarest grid that holds all tiles",
        affects=("energy", "time"),
        default=None,
        low=1,
    )
    topology: str = setting(
        doc="how tiles are connected: hops follow the grid (mesh), wrap around at its edges (torus), or are one (bus)",
        affects=("energy", "time"),
        default="mesh",
        choices=("mesh", "torus", "bus"),
    )
    chips: int = setting(
        doc="such chips side by side that hold one network: their tiles go on from one grid to the next, and what "
        "passes from chip to chip passes the interfaces (io) of both instead of a link",
        affects=("energy", "time", "area"),
        default=1,
        low=1,
        high=65536,
    )


def grid(chip: Component) -> tuple[int, int]:
    """(columns, rows) of the grid of all chips' tiles; the last row may be partly filled."""
    tiles = chip["tile"].count
    columns = chip.settings.columns or math.isqrt(max(tiles - 1, 0)) + 1
    return columns, -(-tiles * chip.settings.chips // columns)


def _check(chip: Component) -> list[str]:
    columns, tiles = chip.settings.columns, chip["tile"].count
    if columns is not None and columns > tiles:
        return [f"columns: {columns} for {tiles} tiles; the grid may have at most one column per tile"]
    return []


CHIP = ComponentKind(
    name="chip",
    doc="A chip: tiles, the network between them, and what they share.",
    settings=ChipSettings,
    slots={
        "tile": Slot(("tile",)),
        "link": Slot(("link", "bus"), required=False),
        "memory": Slot(("buffer",), required=False),
        "io": Slot(("io",), required=False),
    },
    check=_check,
    structural=True,
)


def _check_tile(tile: Component) -> list[str]:
    router = tile.get("router")
    if router is not None and router.settings.entries is not None:
        return ["router.entries: tiles of this chip send along fixed ways; leave the routing table out"]
    return []


TILE = ComponentKind(
    name="tile",
    doc="A tile: compute cores with their shared buffer, bus and vector unit, and its share of a router.",
    slots={
        "core": Slot((CORE_FAMILY,)),
        "buffer": Slot(("buffer",), required=False),
        "bus": Slot(("bus",), required=False),
        "vector_unit": Slot(("vector_unit",), required=False),
        "pooling_unit": Slot(("vector_unit",), required=False),
        "adder": Slot(("adder",), required=False),
        "output_register": Slot(("buffer",), required=False),
        "router": Slot(("router",), required=False),
    },
    structural=True,
    check=_check_tile,
)
