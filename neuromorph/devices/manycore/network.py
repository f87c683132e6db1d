"""What carries spikes between cores: routers with tables, links, bridges between dies, and the barrier of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neuromorph.devices.parts.pricing import footprint, known, value
from neuromorph.hardware.component import Component, ComponentKind, Cost, Footprint, Quantity, quantity, setting

E, T, A = "energy", "time", "area"


@dataclass(frozen=True)
class PacketRouterSettings:
    """The router of one tile."""

    entries: int | None = setting(
        doc="entries of the routing table; left out: no limit", affects=(E, T), default=None, low=1
    )


@dataclass(frozen=True)
class PacketRouterQuantities:
    """Facts of one router."""

    energy_per_packet: Quantity | None = quantity("J", doc="energy of one packet through it", affects=(E,))
    energy_per_bit: Quantity | None = quantity(
        "J/bit", doc="energy of one bit through it, where no energy per packet is given", affects=(E,)
    )
    latency: Quantity | None = quantity("s", doc="time of a packet through it", affects=(T,))
    port_rate: Quantity | None = quantity("Hz", doc="packets per second to or from one core", affects=(T,))
    leakage: Quantity | None = quantity("W", doc="static power of one", affects=(E,))
    area: Quantity | None = quantity("m^2", doc="area of one", affects=(A,))


@dataclass(frozen=True)
class PacketLinkQuantities:
    """Facts of the link from one router to a neighbour."""

    energy_per_packet: Quantity | None = quantity("J", doc="energy of one packet over it", affects=(E,))
    energy_per_packet_vertical: Quantity | None = quantity(
        "J", doc="the same along a column; left out: as along a row", affects=(E,)
    )
    energy_per_bit: Quantity | None = quantity(
        "J/bit", doc="energy of one bit over it, where no energy per packet is given", affects=(E,)
    )
    latency: Quantity | None = quantity("s", doc="time of a packet over it", affects=(T,))
    bandwidth: Quantity | None = quantity("bit/s", doc="bits per second", affects=(T,))
    packet_rate: Quantity | None = quantity("Hz", doc="packets per second, where no bandwidth is given", affects=(T,))
    leakage: Quantity | None = quantity("W", doc="static power of one", affects=(E,))
    area: Quantity | None = quantity("m^2", doc="area of one", affects=(A,))


def costs(component: Component) -> dict[str, Cost]:
    """packet, packet_vertical: J per packet; transfer_bit: J per bit, of parts priced by the bit."""
    packet, bit = known(component.part, "energy_per_packet"), known(component.part, "energy_per_bit")
    if packet is None:
        return {} if bit is None else {"transfer_bit": bit.cost()}
    vertical = known(component.part, "energy_per_packet_vertical")
    return {"packet": packet.cost()} | ({} if vertical is None else {"packet_vertical": vertical.cost()})


def area(component: Component) -> Footprint:
    return footprint(component.part)


def latency_s(component: Component | None) -> float:
    """Seconds of a packet through a router or over a link; NaN where not known."""
    found = None if component is None else value(component.part, "latency")
    return float("nan") if found is None else float(found)


def occupied_s(component: Component | None, packet_bits: float) -> float:
    """Seconds a packet occupies a link; NaN where not known."""
    if component is None:
        return float("nan")
    bits, packets = value(component.part, "bandwidth"), value(component.part, "packet_rate")
    if bits is not None:
        return packet_bits / float(bits)
    return float("nan") if packets is None else 1.0 / float(packets)


def router_times(component: Component) -> Mapping[str, float]:
    found = {"latency": value(component.part, "latency"), "port": value(component.part, "port_rate")}
    return {
        name: 1.0 / x if name == "port" else x for name, x in found.items() if x
    }  # fmt: skip


def link_times(component: Component) -> Mapping[str, float]:
    bits = value(component.part, "bandwidth")
    packets = value(component.part, "packet_rate")
    latency = value(component.part, "latency")
    found = {"transfer_bit": 1.0 / bits} if bits else {"packet": 1.0 / packets} if packets else {}
    return found | ({"latency": latency} if latency else {})


PACKET_ROUTER = ComponentKind(
    name="packet_router",
    doc="A router of spike packets with its routing table.",
    settings=PacketRouterSettings,
    quantities=PacketRouterQuantities,
    costs=costs,
    footprint=area,
    times=router_times,
)

PACKET_LINK = ComponentKind(
    name="packet_link",
    doc="A link between two neighbouring routers of spike packets, inside a die or between dies.",
    quantities=PacketLinkQuantities,
    costs=costs,
    footprint=area,
    times=link_times,
)


@dataclass(frozen=True)
class BarrierQuantities:
    """Facts of the synchronisation of all tiles at the end of a step."""

    latency: Quantity | None = quantity("s", doc="time as a curve over the tiles", affects=(T,), shape="curve")
    energy: Quantity | None = quantity("J", doc="energy of one barrier of the whole chip", affects=(E,))


def _barrier_costs(component: Component) -> dict[str, Cost]:
    found = known(component.part, "energy")
    return {} if found is None else {"barrier": found.cost()}


def barrier_s(component: Component | None, tiles: int) -> float:
    """Seconds of the barrier of so many tiles; NaN where not known."""
    found = None if component is None else value(component.part, "latency")
    return float("nan") if found is None else float(found(float(tiles)))


BARRIER = ComponentKind(
    name="barrier",
    doc="What synchronises all tiles at the end of a step, where steps have no clock of their own.",
    quantities=BarrierQuantities,
    costs=_barrier_costs,
)
