"""From the component tree of a many-core architecture to the plain numbers of a Machine."""

from __future__ import annotations

import math

from neuromorph.devices.manycore.core import seconds
from neuromorph.devices.manycore.machine import CoreTimes, Machine, NetworkTimes
from neuromorph.devices.manycore.network import barrier_s, latency_s, occupied_s
from neuromorph.devices.manycore.spec import MANYCORE, grid
from neuromorph.devices.parts.pricing import value
from neuromorph.errors import InputError
from neuromorph.hardware.component import Architecture, Component
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
        neurons=c.neurons,
        axons_in=c.axons_in,
        axons_out=c.axons_out,
        fan_in=c.fan_in,
        min_delay=c.min_delay,
        max_delay=c.max_delay,
        delay_extension=c.delay_extension,
        weight_bits=c.weight_bits,
        core_memory=c.memory,
        core_reserved=c.reserved_memory,
        synapse_bits=c.synapse_bits,
        row_bits=c.row_bits,
        state_bits=c.state_bits,
        buffer_bits=c.buffer_bits,
        rows_in_tile=c.rows_in == "tile",
        tile_memory=None if memory is None else memory.settings.capacity,
        input_source=c.input_source,
        source_neurons=c.source_neurons,
        packet_bits=s.packet_bits,
        arithmetic=Arithmetic(c.arithmetic, c.weight_bits, c.precision_bits, c.skip_below),
        times=_core_times(core),
        network=_network_times(chip, router),
        shares_cores=c.shares_cores,
    )


def _core_times(core: Component) -> CoreTimes:
    return CoreTimes(
        step_s=seconds(core, "step"),
        neuron_s=seconds(core, "update"),
        packet_s=seconds(core, "receive"),
        synapse_s=seconds(core, "synapse"),
        spike_s=seconds(core, "spike"),
        plastic_s=seconds(core, "learn"),
    )


def _network_times(chip: Component, router: Component | None) -> NetworkTimes:
    bits, link, bridge = chip.settings.packet_bits, chip.get("link"), chip.get("bridge")
    rate = None if router is None else value(router.part, "port_rate")
    port = math.nan if rate is None else 1.0 / float(rate)
    inside = latency_s(router)
    return NetworkTimes(
        hop_s=_together(inside, latency_s(link)),
        link_s=occupied_s(link, bits),
        bridge_hop_s=_together(inside, latency_s(bridge)) if bridge is not None else math.nan,
        bridge_link_s=occupied_s(bridge, bits),
        inject_s=port,
        eject_s=port,
        barrier_s=barrier_s(chip.get("barrier"), chip["tile"].count),
        queue=chip.settings.queue,
    )


def _together(*parts: float) -> float:
    """Sum of the known ones, NaN where none is known: figures are often of router and link at once."""
    known = [p for p in parts if not math.isnan(p)]
    return math.fsum(known) if known else math.nan
