"""A many-core architecture as the mapper, the executor and the timing ask about it, in plain numbers.

`read_machine` makes it from the component tree; nothing here knows YAML, and nothing above needs to.
"""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.spiking.arithmetic import Arithmetic

ORDERS = ("sweep", "parallel", "interrupt")
"""When a core serves the packets that arrive in a step: after its own neurons, beside them, or before them."""


@dataclass(frozen=True)
class CoreTimes:
    """Seconds a core is busy: per step (fixed), per neuron updated, per packet that arrives (row look-up and fetch),
    per synaptic event, per spike sent, per plastic synapse updated. NaN: not known."""

    step_s: float
    neuron_s: float
    packet_s: float
    synapse_s: float
    spike_s: float
    plastic_s: float


@dataclass(frozen=True)
class NetworkTimes:
    """Seconds of the network: hop_s latency of one router and link, link_s a packet occupies a link, bridge_* the same
    between dies, inject_s and eject_s a packet occupies a core's port, barrier_s of the synchronisation of all tiles at
    the end of a step. NaN: not known. queue: packets that wait at one link before the sender is held up."""

    hop_s: float
    link_s: float
    bridge_hop_s: float
    bridge_link_s: float
    inject_s: float
    eject_s: float
    barrier_s: float
    queue: int


@dataclass(frozen=True)
class Machine:
    """Everything of a many-core architecture that is not a price.

    Grid: columns x rows tiles (the last row may be partly filled) of cores_per_tile application cores; topology "mesh",
    "torus" or "triangular"; die_columns x die_rows tiles make one die. multicast: spikes are copied in the network.
    router_entries: of one tile's routing table, None without limit. step_s: real time of a step, None where steps
    follow each other as fast as they can.
    Limits per core, None without: neurons, axons_in (different source neurons), axons_out (source neuron and target
    core pairs), fan_in (synapses of one neuron). min_delay, max_delay in steps; delay_extension: longer delays go
    through further cores. weight_bits: of a stored weight.
    Memory in bits: core_memory of a core, of which core_reserved is taken by code and buffers; synapse_bits of one
    synapse; row_bits of the header of a row (source neuron, core); state_bits of one neuron with its parameters;
    buffer_bits of one slot of a neuron's delay ring; rows_in_tile: rows lie in the tile's memory (tile_memory) and not
    in the core's. input_source: "core" (spike sources occupy cores, source_neurons on each) or "host".
    shares_cores: one core may hold neurons of several populations. order: of ORDERS, None where it is open.
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
    neurons: int | None
    axons_in: int | None
    axons_out: int | None
    fan_in: int | None
    min_delay: int
    max_delay: int
    delay_extension: bool
    weight_bits: int
    core_memory: float
    core_reserved: float
    synapse_bits: float
    row_bits: float
    state_bits: float
    buffer_bits: float
    rows_in_tile: bool
    tile_memory: float | None
    input_source: str
    source_neurons: int
    packet_bits: float
    arithmetic: Arithmetic
    times: CoreTimes
    network: NetworkTimes
    shares_cores: bool = False
    order: str | None = None
