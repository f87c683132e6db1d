"""Which physics of a many-core chip its numbers follow, and which of its components a network's spikes do not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuromorph.devices.physics import Physics, left_out

if TYPE_CHECKING:
    from neuromorph.hardware.component import Architecture


def physics_of(architecture: Architecture) -> tuple[Physics, ...]:
    """Entries for number formats, time and packets, each effect of the kind among them."""
    from neuromorph.devices.manycore.reading import read_machine

    chip = architecture.chip
    core, barrier = chip["tile"]["core"], chip.get("barrier")
    machine = read_machine(architecture)
    skips = machine.arithmetic.skip_below > 0.0
    timed = any(
        c is not None and c.kind.times and c.kind.times(c) for c in (chip.get("link"), chip["tile"].get("router"))
    )
    step = chip.settings.step
    return (
        Physics("number format of the cores", True, machine.arithmetic.kind, "arithmetic"),
        Physics("updates left out", skips, "" if skips else "every neuron is updated in every step", "skipping"),
        Physics("delays of synapses in steps", True, f"from {core.settings.min_delay}"),
        Physics("queues of packets at links", timed, "" if timed else "no link or router has a time"),
        Physics("deadlines of steps, lost and late packets", step is not None,
                "left out of the answers; synapses that learn aside" if step is not None
                else "steps follow each other freely, none is late", "" if step is None else "losses"),
        Physics("synchronisation of tiles", barrier is not None, "" if barrier is not None else "no barrier here"),
        *left_out(
            "clock skew between chips", "energy by the bits that toggle", "faults of memory cells and links",
            "temperature and supply variation", "ageing", "start, loading and reading out by a host",
        ),
    )  # fmt: skip


def spared_of(architecture: Architecture) -> dict[str, str]:
    """Empty places that no spike passes: reason by path."""
    chip, tile = architecture.chip, architecture.chip["tile"]
    found: dict[str, str] = {}
    if chip.settings.die_columns is None:
        found[f"{chip.path}.bridge"] = "all tiles are on one die"
    if tile.count == 1:
        found |= {f"{chip.path}.{n}": "there is one tile" for n in ("link", "barrier")}
        if tile["core"].count == 1:
            found[f"{tile.path}.router"] = "there is one core"
    if chip.settings.step is not None:
        found[f"{chip.path}.barrier"] = "steps follow a clock"
    if tile["core"].settings.rows_in != "tile":
        found[f"{tile.path}.memory"] = "synapses are in the memory of cores"
    if architecture.boundary in ("core", "chip"):
        found[f"{tile.path}.board"] = "the boundary is the chip"
    for held, other in (("chip", tile), ("tile", chip)):
        if other.get("base") is not None:
            found[f"{(chip if held == 'chip' else tile).path}.base"] = "what always draws stands at the other level"
    return found
