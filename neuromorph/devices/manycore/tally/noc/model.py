"""The model of one step on a many-core chip that both engines compute, and its numbers for one placement.

A step begins with `step_s` of fixed work on every core. Then a core sweeps over its neurons: `neuron_s` each, in order,
and `spike_s` for each that fires. The packets of a spike are handed to the core's port one by one; the sweep goes on
when the port has taken the last of them. The port sends a packet for `inject_s`, then it is in the router of its tile.
Spikes from outside start through a port at tile 0 with the step.

A packet (multicast: every copy) enters the queue of its next link. The link takes packets in the order they came, each
for `link_s`; `hop_s` after it was taken the packet is in the next router. Where its route ends it enters the queue of
the target core's port, which takes `eject_s`; then the core owes it `packet_s`, and `synapse_s` for each synapse.

A core serves packets in the order they came, and shares its time with the sweep (`order`): "interrupt", packets
interrupt the sweep and it goes on after them (SpiNNaker gives packets the highest priority); "sweep", they wait until
the sweep is done; "parallel", own circuits for both. The step ends when no core owes any work.

A queue that has `queue` packets in it or on the way to it is full (`full`): "hold", whatever would send to it waits
with everything behind it; a port that waits keeps the sweep from handing over its next packet. "drop", a packet that
finds `queue` others waiting is lost with the copies it would have had; "grow", the queue takes it all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from neuromorph.devices.manycore.machine import ORDERS, CoreTimes, NetworkTimes
from neuromorph.devices.manycore.tally.routes import Routes, routes_of
from neuromorph.devices.manycore.tally.spikes import spikes_of
from neuromorph.errors import InputError, Place

if TYPE_CHECKING:
    from neuromorph.devices.manycore.machine import Machine
    from neuromorph.devices.manycore.place.placement import CorePlacement
    from neuromorph.events.raster import Raster

FULL = ("hold", "drop", "grow")


class FabricArrays(NamedTuple):
    """A fabric as compiled code takes it. Ports: one per core and one more, the last, for outside.

    slice_port, slice_first (slices,): port and first neuron of each slice. link_s, hop_s: (links,). base: (phases,
    slices) updates of the core before a slice; each: (slices,) 1 where its neurons are updated; work: (phases, ports)
    updates of a sweep; used: (ports,) whether a core holds neurons. way[way_ptr[t]:way_ptr[t + 1]]: links to target t
    and -1 - its core (unicast). grain_s: bucket of the calendar.
    """

    slice_port: np.ndarray
    slice_first: np.ndarray
    link_s: np.ndarray
    hop_s: np.ndarray
    base: np.ndarray
    each: np.ndarray
    work: np.ndarray
    used: np.ndarray
    way_ptr: np.ndarray
    way: np.ndarray
    fixed_s: float
    neuron_s: float
    spike_s: float
    packet_s: float
    synapse_s: float
    plastic_s: float
    inject_s: float
    eject_s: float
    queue: int
    multicast: bool
    drop: bool
    hold: bool
    order: int
    deadline_s: float
    grain_s: float


@dataclass(frozen=True, eq=False)
class Fabric:
    """A placement with the times of its machine.

    phases: rising steps at which further populations start. unmodelled: what has no known time and is counted as
    taking none; unknown: names of these times. barrier_s, step_s: end of a step, and its real time (None: as fast as it
    goes).
    """

    placement: CorePlacement
    routes: Routes
    arrays: FabricArrays
    phases: np.ndarray
    order: str
    full: str
    barrier_s: float
    step_s: float | None
    unmodelled: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def ports(self) -> int:
        return self.routes.cores + 1

    def phase(self, step: int) -> int:
        """Row of `base` and `work` that holds in a step."""
        return int(np.searchsorted(self.phases, step, side="right") - 1)


_MEANING = {f.name: f.metadata["doc"] for times in (CoreTimes, NetworkTimes) for f in fields(times)}


def fabric_of(
    placement: CorePlacement,
    machine: Machine,
    *,
    order: str | None = None,
    full: str | None = None,
    routes: Routes | None = None,
) -> Fabric:
    """The fabric of a placement.

    order, full: see the module; by default the machine's order, and where that is open "interrupt" and "drop" where it
    has a real-time step, as SpiNNaker, else "sweep" and "hold". A torus without real-time step has "grow": where routes
    wrap around, packets that are held would wait for each other in a circle. Raises InputError for "hold" there, for
    other words, for negative times and a queue below 1.
    """
    real = machine.step_s is not None
    order = order or machine.order or ("interrupt" if real else "sweep")
    wraps = placement.grid.wraps
    full = full if full is not None else ("drop" if real else "grow" if wraps else "hold")
    if order not in ORDERS:
        raise InputError(f"no order {order!r}", Place(key="order"), f"legal: {', '.join(ORDERS)}")
    if full not in FULL:
        raise InputError(f"full is {full!r}", Place(key="full"), f"legal: {', '.join(FULL)}")
    if full == "hold" and wraps:
        raise InputError(
            f"queues that hold on a {placement.grid.topology}: packets wait for each other in a circle",
            Place(key="full"),
            'full="drop" or "grow"',
        )
    routes = routes_of(placement) if routes is None else routes
    plastic = routes.row_plastic.size > 0
    bridge = placement.grid.link_is_bridge
    skip = set() if plastic else {"plastic_s"}
    used = np.isin(np.arange(routes.links), routes.node_link)
    if not (bridge & used).any():
        skip |= {"bridge_hop_s", "bridge_link_s"}
    known, unknown = _times(machine, skip)
    if machine.network.queue < 1:
        raise InputError(f"queue is {machine.network.queue}", Place(key="queue"), "1 packet or more")
    base, each, work, phases = _sweeps(placement, routes)
    deadline = machine.step_s - known["barrier_s"] if machine.step_s is not None else math.inf
    port = np.where(routes.slice_core >= 0, routes.slice_core, routes.cores).astype(np.int32)
    sizes = placement.slices.stop - placement.slices.start
    first = np.concatenate(([0], np.cumsum(sizes)))[:-1].astype(np.int64)
    occupied = np.zeros(routes.cores + 1, np.bool_)
    occupied[routes.slice_core[routes.slice_core >= 0]] = True
    arrays = FabricArrays(
        port, first, np.where(bridge, known["bridge_link_s"], known["link_s"]),
        np.where(bridge, known["bridge_hop_s"], known["hop_s"]), base, each, work, occupied, *_ways(routes),
        known["step_s"], known["neuron_s"], known["spike_s"], known["packet_s"], known["synapse_s"], known["plastic_s"],
        known["inject_s"], known["eject_s"], machine.network.queue, routes.multicast, full == "drop", full == "hold",
        ORDERS.index(order), deadline, _grain(known),
    )  # fmt: skip
    unmodelled = tuple(f"{machine.name}: {_MEANING[name]}{_beyond(machine, name)}" for name in unknown)
    return Fabric(
        placement, routes, arrays, phases, order, full, known["barrier_s"], machine.step_s, unmodelled, tuple(unknown)
    )


def _beyond(machine: Machine, name: str) -> str:
    """Why a time is not known, where it is for smaller machines."""
    most = machine.network.barrier_tiles
    if name != "barrier_s" or machine.tiles <= most:
        return ""
    return f" of {machine.tiles} tiles (figures are of up to {most:g})"


def _ways(routes: Routes) -> tuple[np.ndarray, np.ndarray]:
    """(way_ptr, way) of FabricArrays."""
    if routes.multicast:
        return np.zeros(1, np.int64), np.zeros(0, np.int32)
    ptr = routes.path_ptr + np.arange(routes.path_ptr.size)
    way = np.empty(int(ptr[-1]), np.int32)
    last = np.zeros(way.size, np.bool_)
    last[ptr[1:] - 1] = True
    way[~last], way[last] = routes.path_link, -1 - routes.target_core
    return ptr, way


def _grain(known: dict[str, float]) -> float:
    """The least time between what happens and what it causes elsewhere."""
    return min((known[k] for k in ("hop_s", "inject_s", "link_s") if known[k] > 0), default=1e-9)


def _times(machine: Machine, skip: set[str]) -> tuple[dict[str, float], list[str]]:
    """Times by name, 0 where unknown, and the names of these."""
    known, unknown = {}, []
    for group in (machine.times, machine.network):
        for field in fields(group):
            if field.name in ("queue", "barrier_tiles"):
                continue
            value = float(getattr(group, field.name))
            if value < 0 or math.isinf(value):
                raise InputError(f"{field.name} is {value} s", Place(key=field.name), "seconds, 0 or more")
            if math.isnan(value) and field.name not in skip:
                unknown.append(field.name)
            known[field.name] = 0.0 if math.isnan(value) else value
    return known, unknown


def _sweeps(placement: CorePlacement, routes: Routes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(base, each, work, phases): see FabricArrays. Slices of a core are swept in their order."""
    populations, s = placement.network.populations, placement.slices
    starts = np.array([p.start for p in populations])[s.population]
    each = np.array([p.model != "input" for p in populations])[s.population].astype(np.int64)
    phases = np.unique(np.concatenate(([0], starts)))
    size = (s.stop - s.start).astype(np.int64)
    port = np.where(routes.slice_core >= 0, routes.slice_core, routes.cores).astype(np.int64)
    base = np.zeros((phases.size, len(s)), np.int64)
    work = np.zeros((phases.size, routes.cores + 1), np.int64)
    for k, phase in enumerate(phases):
        active = size * each * (starts <= phase)
        for i in range(len(s)):
            base[k, i] = work[k, port[i]]
            work[k, port[i]] += active[i]
    return base, each, work, phases


def repeated(raster: Raster) -> Raster:
    """The raster with an event of value n written n times, as that many packets."""
    if raster.value is None:
        return raster
    count = spikes_of(raster.value).astype(np.int64)
    ends = np.concatenate(([0], np.cumsum(count)))
    return replace(raster, indptr=ends[raster.indptr], index=np.repeat(raster.index, count), value=None)
