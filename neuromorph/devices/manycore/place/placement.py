"""A spiking network placed on a many-core chip: which neurons each core holds and how spikes reach their targets."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices import placed_file
from neuromorph.devices.explained import Placed
from neuromorph.devices.manycore.place.explain import explain
from neuromorph.devices.manycore.place.shapes import Grid, Routing, Slices
from neuromorph.devices.protocol import Limit
from neuromorph.fingerprint import fingerprint
from neuromorph.hardware.component import Architecture
from neuromorph.spiking.network import SpikingNetwork

if TYPE_CHECKING:
    from neuromorph.graph.model import Graph

STORED = ("population", "start", "stop", "core")
"""Columns of slices that a file holds."""


@dataclass(frozen=True, eq=False, repr=False)
class CorePlacement(Placed):
    """A spiking network on a many-core architecture.

    synapse_bits, neuron_bits: memory each core needs for its synaptic rows and its neurons' state: (cores,).
    sdram_bits: synaptic rows held in the tile's SDRAM: (tiles,). costs: weighted hops per sample (packets times links)
    of every order of placement tried, by name ("random", "greedy", "optimised", "lower_bound" where one is known);
    weights that were used: spikes per neuron and sample, measured or assumed. network: with the delays the hardware
    adds. delay_cores: further cores that hold spikes back for delays beyond max_delay, one for each slice with such
    synapses: their place is counted, their packets are not. packets: per sample, with the weights used; measured:
    whether these were given.
    """

    graph: Graph | None
    network: SpikingNetwork
    architecture: Architecture
    grid: Grid
    slices: Slices
    routing: Routing
    synapse_bits: np.ndarray
    neuron_bits: np.ndarray
    sdram_bits: np.ndarray
    limits: tuple[Limit, ...]
    costs: Mapping[str, float]
    seed: int
    effort: str
    delay_cores: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    packets: float = math.nan
    measured: bool = False

    @cached_property
    def slice_of_neuron(self) -> np.ndarray:
        """Slice of every neuron of the network: (neurons,) int32."""
        s = self.slices
        return np.repeat(np.arange(len(s), dtype=np.int32), s.stop - s.start)

    @cached_property
    def core_of_neuron(self) -> np.ndarray:
        """Core of every neuron of the network, HOST for outside: (neurons,) int32."""
        return self.slices.core[self.slice_of_neuron].astype(np.int32)

    @property
    def cores(self) -> int:
        return self.grid.tiles * self.grid.cores_per_tile

    @property
    def name(self) -> str:
        """Of the network."""
        return self.network.name if self.graph is None else self.graph.name

    def on(self, architecture: Architecture) -> CorePlacement:
        """The same placement on an architecture of the same structure."""
        return dataclasses.replace(self, architecture=architecture)

    @cached_property
    def signature(self) -> str:
        """Hash of all that execution is told: the network with the delays the hardware adds. Where its neurons lie
        changes what spikes cost and not which there are."""
        return fingerprint((self.network.populations, self.network.projections, self.network.dt_s))

    @property
    def binding(self) -> Limit:
        """The limit used to the highest degree."""
        return max(self.limits, key=lambda limit: limit.degree)

    def explain(self) -> dict[str, Any]:
        """What was placed where and how well, as JSON data."""
        return explain(self)

    def save(self, path: str | Path) -> list[Path]:
        """Write it as versioned JSON, large columns beside it as .npz; returns the files written."""
        document = {
            "network": described(self.network), "seed": self.seed, "effort": self.effort, "costs": dict(self.costs),
            "packets": self.packets, "measured": self.measured,
        }  # fmt: skip
        columns = {n: getattr(self.slices, n) for n in STORED}
        return placed_file.write(path, self.architecture.chip.kind.name, self.architecture, document, columns)


def described(network: SpikingNetwork) -> dict[str, Any]:
    """What a stored placement is compared by: sizes, models, who reaches whom and how late. Weights may change."""
    projections = []
    for p in network.projections:
        digest = hashlib.sha256()
        for column, form in ((p.indptr, np.int64), (p.index, np.int32), (p.delay, np.uint16)):
            digest.update(np.ascontiguousarray(column, form).data)
        projections.append([p.name, p.source, p.target, p.synapses, digest.hexdigest()])
    populations = [[p.name, p.size, p.model] for p in network.populations]
    return {"name": network.name, "populations": populations, "projections": projections}
