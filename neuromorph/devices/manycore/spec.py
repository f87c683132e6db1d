"""What holds the cores: the chip (or board of chips) that runs spiking networks, its tiles, the barrier of a step, and
what always draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neuromorph.devices.manycore.losses import LATE
from neuromorph.devices.manycore.machine import ORDERS
from neuromorph.hardware.component import Component, ComponentKind, Cost, Footprint, Quantity, Slot, quantity, setting
from neuromorph.hardware.pricing import footprint, join, known

E, T, A = "energy", "time", "area"
TOPOLOGIES = ("mesh", "torus", "triangular")


@dataclass(frozen=True)
class ManycoreSettings:
    """`tile.count` tiles on a grid, with a network of packets between them."""

    columns: int | None = setting(
        doc="tiles per row of the grid; left out: whole dies side by side, as square as can be", affects=(E, T),
        default=None, low=1,
    )  # fmt: skip
    topology: str = setting(
        doc="how tiles are connected: mesh, torus (wraps around), or triangular (a torus with diagonals one way)",
        affects=(E, T), default="mesh", choices=TOPOLOGIES,
    )  # fmt: skip
    die_columns: int | None = setting(
        doc="tiles per row of one die (or board); hops between dies go over bridges; left out: all on one die",
        affects=(E, T), default=None, low=1,
    )  # fmt: skip
    die_rows: int | None = setting(
        doc="rows of tiles of one die; left out: all on one die", affects=(E, T), default=None, low=1
    )
    routing: str = setting(
        doc="a spike is one packet that routers copy, or one packet per target core", affects=(E, T),
        default="multicast", choices=("multicast", "unicast"),
    )  # fmt: skip
    step: float | None = setting(
        "s", doc="real time of a step; left out: steps follow each other as fast as they can", affects=(E, T),
        default=None, low=0.0,
    )  # fmt: skip
    order: str | None = setting(
        doc="a core serves arriving packets after its neurons (sweep), beside them (parallel) or before them "
        "(interrupt); left out: interrupt where steps have a real time, else sweep",
        affects=(E, T), default=None, choices=ORDERS,
    )  # fmt: skip
    late: str = setting(
        doc="a packet that its core reaches after the real time of the step is lost (drop), or served in the next step",
        affects=("function",), default="drop", choices=LATE,
    )  # fmt: skip
    packet_bits: float = setting("bit", doc="bits of a spike packet", affects=(E, T), default=32.0, low=1.0)
    queue: int = setting(
        doc="packets that wait at one link before the sender is held up", affects=(T,), default=16, low=1
    )


def squarest(count: int) -> int:
    """Columns of the squarest full rectangle of so many places, at most twice as wide as high or nearly so; where
    there is none, of the squarest one whose last row is partly filled."""
    root = math.isqrt(max(count - 1, 0)) + 1
    full = next((c for c in range(root, 2 * root + 1) if count % c == 0), None)
    return root if full is None else full


def grid(chip: Component) -> tuple[int, int]:
    """(columns, rows) of the grid of tiles; the last row may be partly filled."""
    s, tiles = chip.settings, chip["tile"].count
    columns = s.columns
    if columns is None and s.die_columns is not None and s.die_rows is not None:
        dies = -(-tiles // (s.die_columns * s.die_rows))
        columns = min(s.die_columns * squarest(dies), tiles)
    elif columns is None:
        columns = squarest(tiles)
    return columns, -(-tiles // columns)


def _check(chip: Component) -> list[str]:
    s, tiles = chip.settings, chip["tile"].count
    problems = []
    if s.columns is not None and s.columns > tiles:
        problems.append(f"columns: {s.columns} for {tiles} tiles; the grid may have at most one column per tile")
    if (s.die_columns is None) != (s.die_rows is None):
        given = "die_columns" if s.die_rows is None else "die_rows"
        other = "die_rows" if s.die_rows is None else "die_columns"
        problems.append(f"{given}: a die needs {other} as well; give both or neither")
    if s.step is not None and s.step == 0.0:
        problems.append("step: a step of no time; leave it out where steps follow each other freely")
    return problems


MANYCORE = ComponentKind(
    name="manycore",
    family="chip",
    doc="A many-core chip or board for spiking networks: tiles and the packet network between them.",
    settings=ManycoreSettings,
    slots={
        "tile": Slot(("manycore_tile",)),
        "link": Slot(("link",), required=False),
        "bridge": Slot(("link",), required=False),
        "barrier": Slot(("barrier",), required=False),
        "base": Slot(("base",), required=False),
        "io": Slot(("io",), required=False),
    },
    check=_check,
    structural=True,
)


@dataclass(frozen=True)
class TileSettings:
    """One tile."""

    system_cores: int = setting(
        doc="cores of each tile that run the system and hold no neurons", affects=(E, T), default=0, low=0
    )


def _check_tile(tile: Component) -> list[str]:
    left = tile["core"].count - tile.settings.system_cores
    if left < 1:
        return [f"system_cores: {tile.settings.system_cores} of {tile['core'].count} cores; leave one or more"]
    if tile["core"].settings.rows_in == "tile" and tile.get("memory") is None:
        return ["core.rows_in is tile, but the tile has no memory; add 'memory: {capacity: ...}' to the tile"]
    return []


MANYCORE_TILE = ComponentKind(
    name="manycore_tile",
    doc="A tile: cores with their router and the memory they share; on SpiNNaker 1 a tile is a chip.",
    settings=TileSettings,
    slots={
        "core": Slot(("neural_core",)),
        "router": Slot(("router",), required=False),
        "memory": Slot(("buffer",), required=False),
        "base": Slot(("base",), required=False),
        "board": Slot(("base",), required=False),
    },
    check=_check_tile,
    structural=True,
)


@dataclass(frozen=True)
class BaseSettings:
    """What always draws."""

    shared_by: int = setting(
        doc="tiles (or dies) that share it; each carries its part of power and area", affects=(E, A), default=1, low=1
    )


@dataclass(frozen=True)
class BaseQuantities:
    """Power and area that belong to no other component."""

    leakage: Quantity | None = quantity("W", doc="power drawn as long as it is on", affects=(E,))
    area: Quantity | None = quantity("m^2", doc="area", affects=(A,))


def _base(component: Component) -> Footprint:
    share = component.settings.shared_by
    whole = footprint(component.part)
    note = "" if share == 1 else f"shared by {share}"
    return Footprint(
        None if whole.area_m2 is None else whole.area_m2 / share,
        None if whole.leakage_w is None else whole.leakage_w / share,
        whole.basis,
        join(whole.source, note),
    )


BASE = ComponentKind(
    name="base",
    doc="What a die, tile or board draws as long as it is on, beyond its other components.",
    settings=BaseSettings,
    quantities=BaseQuantities,
    footprint=_base,
)


@dataclass(frozen=True)
class BarrierQuantities:
    """Facts of the synchronisation of all tiles at the end of a step."""

    latency: Quantity | None = quantity("s", doc="time as a curve over the tiles", affects=(T,), shape="curve")
    tiles: Quantity | None = quantity(
        "1", doc="tiles up to which the latency is known; left out: any number", affects=(T,)
    )
    energy: Quantity | None = quantity("J", doc="energy of one barrier of the whole chip", affects=(E,))


def _barrier_costs(component: Component) -> dict[str, Cost]:
    found = known(component.part, "energy")
    return {} if found is None else {"barrier": found.cost()}


BARRIER = ComponentKind(
    name="barrier",
    doc="What synchronises all tiles at the end of a step, where steps have no clock of their own.",
    quantities=BarrierQuantities,
    costs=_barrier_costs,
)
