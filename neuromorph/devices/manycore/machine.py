"""A many-core architecture as the mapper, the executor and the timing ask about it, in plain numbers.

`read_machine` makes it from the component tree; nothing here knows YAML, and nothing above needs to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from neuromorph.devices.manycore.core import CoreLimits
from neuromorph.spiking.arithmetic import Arithmetic

ORDERS = ("sweep", "parallel", "interrupt")
"""When a core serves the packets that arrive in a step: after its own neurons, beside them, or before them."""


def _fact(doc: str) -> Any:
    return field(metadata={"doc": doc})


@dataclass(frozen=True)
class CoreTimes:
    """Seconds a core is busy; NaN: not known."""

    step_s: float = _fact("fixed work of a core per step")
    neuron_s: float = _fact("time of a neuron update")
    packet_s: float = _fact("time of a packet in a core")
    synapse_s: float = _fact("time of a synaptic event")
    spike_s: float = _fact("time of sending a spike")
    plastic_s: float = _fact("time of a plastic update")


@dataclass(frozen=True)
class NetworkTimes:
    """Seconds of the network, NaN: not known, and what fits its links."""

    hop_s: float = _fact("latency of a hop")
    link_s: float = _fact("time of a packet on a link")
    bridge_hop_s: float = _fact("latency of a hop between dies")
    bridge_link_s: float = _fact("time of a packet between dies")
    inject_s: float = _fact("time of a core's port to send a packet")
    eject_s: float = _fact("time of a core's port to receive a packet")
    barrier_s: float = _fact("synchronisation of a step")
    queue: int = _fact("packets that wait at one link before the sender is held up")
    barrier_tiles: float = field(default=math.inf, metadata={"doc": "tiles up to which the synchronisation is known"})


@dataclass(frozen=True, kw_only=True)
class Machine(CoreLimits):
    """Everything of a many-core architecture that is not a price.

    Grid: columns x rows tiles (the last row may be partly filled) of cores_per_tile application cores; topology "mesh",
    "torus" or "triangular"; die_columns x die_rows tiles make one die. multicast: spikes are copied in the network.
    router_entries: of one tile's routing table, None without limit. step_s: real time of a step, None where steps
    follow each other as fast as they can.
    Memory in bits: core_memory of a core, of which core_reserved is taken by code and buffers; rows_in_tile: rows lie
    in the tile's memory (tile_memory) and not in the core's. order: of ORDERS, None where it is open. late: of LATE.
    """

    name: str
    columns: int
    rows: int
    tiles: int
    cores_per_tile: int
    topology: str
    die_columns: int
    die_rows: int
    multicast: bool
    router_entries: int | None
    step_s: float | None
    core_memory: float
    core_reserved: float
    rows_in_tile: bool
    tile_memory: float | None
    packet_bits: float
    arithmetic: Arithmetic
    times: CoreTimes
    network: NetworkTimes
    order: str | None = None
    late: str = "drop"
