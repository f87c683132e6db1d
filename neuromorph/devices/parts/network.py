"""What moves data: buses inside a tile, routers and links between tiles, the interface of the chip.

A router or link is priced and timed by the bit or by the packet; links between chips are links as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neuromorph.hardware.component import Component, ComponentKind, Cost, Footprint, Quantity, quantity, setting
from neuromorph.hardware.pricing import Known, at_rate, footprint, join, known, priced, value


@dataclass(frozen=True)
class BusSettings:
    """A shared bus."""

    length: float | None = setting(
        "m", doc="wire length, for parts priced per bit and length", affects=("energy",), default=None
    )


@dataclass(frozen=True)
class RouterSettings:
    """A router of the network between tiles."""

    shared_by: int = setting(
        doc="tiles that share this router; each carries its part of power and area",
        affects=("energy", "area"),
        default=1,
        low=1,
    )
    entries: int | None = setting(
        doc="entries of the routing table, where packets find their way by one; left out: no limit",
        affects=("energy", "time"),
        default=None,
        low=1,
    )


@dataclass(frozen=True)
class LinkSettings:
    """The link between two neighbouring routers."""

    length: float | None = setting(
        "m", doc="distance between routers, for parts priced per bit and length", affects=("energy",), default=None
    )


@dataclass(frozen=True)
class TransportQuantities:
    """Facts of one router or interface."""

    active_power: Quantity | None = quantity(
        "W", doc="power while it transfers without pause", affects=("energy",), vector=True
    )
    bandwidth: Quantity | None = quantity("bit/s", doc="data rate while it transfers", affects=("energy", "time"))
    demand: Quantity | None = quantity(
        "bit/s",
        doc="rate at which it draws its active power at full load, where that is no limit: prices, never times",
        affects=("energy",),
    )
    energy_per_bit: Quantity | None = quantity(
        "J/bit", doc="energy to move one bit through it (one hop)", affects=("energy",), vector=True
    )
    latency: Quantity | None = quantity("s", doc="time from the first bit in to the first bit out", affects=("time",))
    area: Quantity | None = quantity("m^2", doc="area of one", affects=("area",), vector=True)
    leakage: Quantity | None = quantity("W", doc="static power of one", affects=("energy",), vector=True)


@dataclass(frozen=True)
class WireQuantities(TransportQuantities):
    """Facts of one bus or link."""

    energy_per_bit_length: Quantity | None = quantity(
        "J/bit/m", doc="energy to move one bit, per length", affects=("energy",)
    )


@dataclass(frozen=True)
class RouterQuantities(TransportQuantities):
    """Facts of one router."""

    energy_per_packet: Quantity | None = quantity("J", doc="energy of one packet through it", affects=("energy",))
    port_rate: Quantity | None = quantity("Hz", doc="packets per second to or from one core", affects=("time",))


@dataclass(frozen=True)
class LinkQuantities(WireQuantities):
    """Facts of one link."""

    energy_per_packet: Quantity | None = quantity("J", doc="energy of one packet over it", affects=("energy",))
    energy_per_packet_vertical: Quantity | None = quantity(
        "J", doc="the same along a column; left out: as along a row", affects=("energy",)
    )
    packet_rate: Quantity | None = quantity(
        "Hz", doc="packets per second, where no bandwidth is given", affects=("time",)
    )


def _energy_per_bit(component: Component) -> Known | None:
    part = component.part
    direct = known(part, "energy_per_bit")
    if direct is not None:
        return direct
    by_length, length = known(part, "energy_per_bit_length"), getattr(component.settings, "length", None)
    if by_length is not None and length is not None:
        return by_length.scaled(length, "times the wire length")
    return at_rate(part, "active_power", "demand", "bandwidth")


def costs(component: Component) -> dict[str, Cost]:
    """transfer_bit: J per bit and passage (hop); packet, packet_vertical: J per packet; busy: W where only the power
    is known, this parent's share of it."""
    energies = {
        "transfer_bit": _energy_per_bit(component),
        "packet": known(component.part, "energy_per_packet"),
        "packet_vertical": known(component.part, "energy_per_packet_vertical"),
    }
    found = {action: energy.cost() for action, energy in energies.items() if energy is not None}
    if found:
        return found
    watts = known(component.part, "active_power")
    share = getattr(component.settings, "shared_by", 1)
    if watts is None:
        return {}
    return priced("busy", watts.scaled(1.0 / share, "" if share == 1 else f"shared by {share}"), component.part)


def area(component: Component) -> Footprint:
    share = getattr(component.settings, "shared_by", 1)
    whole = footprint(component.part, 1.0 / share, "" if share == 1 else f"shared by {share}")
    leakage = None if whole.leakage_w is None else whole.leakage_w / share
    return Footprint(whole.area_m2, leakage, whole.basis, join(whole.source))


def times(component: Component) -> Mapping[str, float]:
    """transfer_bit, packet: seconds it is occupied by one; port: by a packet to or from a core; latency: seconds added
    once per message."""
    rates = {"transfer_bit": "bandwidth", "packet": "packet_rate", "port": "port_rate"}
    given = {action: value(component.part, name) for action, name in rates.items()}
    found = {action: 1.0 / rate for action, rate in given.items() if rate is not None}
    latency = value(component.part, "latency")
    return found if latency is None else {**found, "latency": latency}


def check(component: Component) -> list[str]:
    needs = (
        value(component.part, "energy_per_bit_length") is not None and value(component.part, "energy_per_bit") is None
    )
    if needs and getattr(component.settings, "length", None) is None:
        return ["a part priced per bit and length needs the setting length"]
    return []


def _kind(
    name: str, doc: str, settings: type | None, quantities: type, occupying: tuple[str, ...] = (),
    former: tuple[str, ...] = (),
) -> ComponentKind:  # fmt: skip
    """occupying: nothing for routers and links, whose time is the delay of what passes them."""
    return ComponentKind(
        name=name,
        doc=doc,
        settings=settings,
        quantities=quantities,
        costs=costs,
        footprint=area,
        times=times,
        check=check,
        occupying=occupying,
        former=former,
    )


BUS = _kind("bus", "A shared bus inside a tile.", BusSettings, WireQuantities, ("transfer_bit",))
ROUTER = _kind(
    "router", "A router of the network between tiles or cores.", RouterSettings, RouterQuantities,
    former=("packet_router",),
)  # fmt: skip
LINK = _kind(
    "link", "A link between two neighbouring routers, inside a chip or between chips.", LinkSettings, LinkQuantities,
    former=("packet_link",),
)  # fmt: skip
IO = _kind("io", "The interface of the chip to what is outside.", None, TransportQuantities, ("transfer_bit",))
