"""From the component tree of a many-core architecture to the plain numbers of a Machine."""

from __future__ import annotations

import math
from dataclasses import fields

from neuromorph.devices.manycore.core import CoreLimits
from neuromorph.devices.manycore.machine import CoreTimes, Machine, NetworkTimes
from neuromorph.devices.manycore.spec import MANYCORE, grid
from neuromorph.errors import InputError
from neuromorph.hardware.component import Architecture, Component
from neuromorph.hardware.pricing import value
from neuromorph.spiking.arithmetic import Arithmetic


def read_machine(architecture: Architecture) -> Machine:
    """Limits, sizes and times of a many-core architecture. Raises InputError for any other."""
    if architecture.chip.kind.name != MANYCORE.name:
        raise InputError(
            f"{architecture.name} is no many-core chip: its root is a {architecture.chip.kind.name}",
            hint="name an architecture whose chip has 'kind: manycore'",
        )
    chip = architecture.chip
    s, tile = chip.settings, chip["tile"]
    core, router, memory = tile["core"], tile.get("router"), tile.get("memory")
    c = core.settings
    columns, rows = grid(chip)
    return Machine(
        name=architecture.name,
        columns=columns,
        rows=rows,
        tiles=tile.count,
        cores_per_tile=core.count - tile.settings.system_cores,
        topology=s.topology,
        die_columns=s.die_columns or columns,
        die_rows=s.die_rows or rows,
        multicast=s.routing == "multicast",
        router_entries=None if router is None else router.settings.entries,
        step_s=s.step,
        order=s.order,
        late=s.late,
        packet_bits=s.packet_bits,
        core_memory=c.memory,
        core_reserved=c.reserved_memory,
        rows_in_tile=c.rows_in == "tile",
        tile_memory=None if memory is None else memory.settings.capacity,
        arithmetic=_arithmetic(core),
        times=_core_times(core),
        network=_network_times(chip, router),
        **{f.name: getattr(c, f.name) for f in fields(CoreLimits)},
    )


def _arithmetic(core: Component) -> Arithmetic:
    """Number format of a core. In floating point 32 bits of a weight are the type's own."""
    c = core.settings
    bits = None if c.arithmetic.startswith("float") and c.weight_bits == 32 else c.weight_bits
    rings = {
        name: given
        for name, given in (("ring_rate_hz", c.ring_rate), ("ring_deviations", c.ring_deviations))
        if given is not None
    }
    return Arithmetic(
        c.arithmetic, bits, c.precision_bits, c.skip_below, signs=c.weight_signs, axon_types=c.axon_types or 0, **rings
    )


def _core_times(core: Component) -> CoreTimes:
    actions = ("step", "update", "receive", "synapse", "spike", "learn")
    return CoreTimes(*(_seconds(core, action) for action in actions))


def _network_times(chip: Component, router: Component | None) -> NetworkTimes:
    bits, link, bridge = chip.settings.packet_bits, chip.get("link"), chip.get("bridge")
    port, inside = _seconds(router, "port"), _seconds(router, "latency")
    if math.isnan(port):
        port = _occupied_s(router, bits)
    return NetworkTimes(
        hop_s=_together(inside, _seconds(link, "latency")),
        link_s=_occupied_s(link, bits),
        bridge_hop_s=_together(inside, _seconds(bridge, "latency")) if bridge is not None else math.nan,
        bridge_link_s=_occupied_s(bridge, bits),
        inject_s=port,
        eject_s=port,
        barrier_s=barrier_s(chip.get("barrier"), chip["tile"].count),
        barrier_tiles=barrier_tiles(chip.get("barrier")),
        queue=chip.settings.queue,
    )


def _seconds(component: Component | None, action: str) -> float:
    """Seconds of one action of a component; NaN where there is none or its time is not known."""
    if component is None or component.kind.times is None:
        return math.nan
    return float(component.kind.times(component).get(action, math.nan))


def _occupied_s(component: Component | None, packet_bits: float) -> float:
    """Seconds a packet occupies a link or the port of a router; NaN where not known."""
    by_bit = packet_bits * _seconds(component, "transfer_bit")
    return _seconds(component, "packet") if math.isnan(by_bit) else by_bit


def barrier_s(component: Component | None, tiles: int) -> float:
    """Seconds of the barrier of so many tiles; NaN where not known, as beyond the tiles that its figures are of."""
    found = None if component is None else value(component.part, "latency")
    return math.nan if found is None or tiles > barrier_tiles(component) else float(found(float(tiles)))


def barrier_tiles(component: Component | None) -> float:
    """Tiles up to which the time of the barrier is known."""
    most = None if component is None else value(component.part, "tiles")
    return math.inf if most is None else float(most)


def _together(*parts: float) -> float:
    """Sum of the known ones, NaN where none is known: figures are often of router and link at once."""
    known = [p for p in parts if not math.isnan(p)]
    return math.fsum(known) if known else math.nan
