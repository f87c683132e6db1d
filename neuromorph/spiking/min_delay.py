"""A flat network on hardware whose spikes travel for a while."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from neuromorph.errors import InputError
from neuromorph.spiking.network import Projection, SpikingNetwork


def with_min_delay(network: SpikingNetwork, steps: int) -> SpikingNetwork:
    """The network where a spike arrives `steps` steps after it was sent at the earliest.

    A population works as many steps later as its longest chain of too short delays needs, and starts so late; what
    comes along a shorter way is held back, so that everything meets as before. So a feed-forward network gives the same
    spikes `latency` steps later (an output that feeds another output comes earlier than that one). Where a projection
    of a cycle cannot make up for it, it gets longer, which changes what the network computes: `stretched` names it.
    """
    if steps < 0:
        raise InputError(f"a minimum delay of {steps} steps", hint="0 or more")
    if not steps:
        return network
    late = _lateness(network, steps)
    made, stretched = [], []
    for p in network.projections:
        shift = int(late[p.target] - late[p.source])
        if not p.synapses or (not shift and int(p.delay.min()) >= steps):
            made.append(p)
            continue
        wanted = p.delay.astype(np.int64) + shift
        delay = np.maximum(wanted, steps)
        if (delay != wanted).any():
            stretched.append(p.name)
        top = int(delay.max(initial=0))
        if top >= 2**16:
            raise InputError(f"projection {p.name} needs a delay of {top} steps", hint="65535 steps at most")
        made.append(dataclasses.replace(p, delay=delay.astype(np.uint8 if top < 256 else np.uint16)))
    populations = tuple(
        dataclasses.replace(p, start=p.start + int(n)) if n else p
        for p, n in zip(network.populations, late, strict=True)
    )
    latency = network.latency + max((int(late[o]) for o in network.outputs), default=0)
    return dataclasses.replace(
        network, populations=populations, projections=tuple(made), latency=latency,
        stretched=(*network.stretched, *stretched),
    )  # fmt: skip


def _lateness(network: SpikingNetwork, steps: int) -> np.ndarray:
    """Steps that each population works later than before: (populations,)."""
    late = np.zeros(len(network.populations), np.int64)
    for p in sorted(_forward(network.projections), key=lambda p: p.target):
        short = max(0, steps - int(p.delay.min()))
        late[p.target] = max(late[p.target], late[p.source] + short)
    feeds = {p.source for p in _forward(network.projections)}
    last = max((late[o] for o in network.outputs), default=0)
    for output in set(network.outputs) - feeds:
        late[output] = last
    return late


def _forward(projections: Iterable[Projection]) -> list[Projection]:
    return [p for p in projections if p.target > p.source and p.synapses]
