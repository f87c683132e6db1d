"""A changed parameter of a many-core chip changes what its declaration says and nothing else; none is dead.

What is seen: "function" the spikes and values of a random network run in the cores' arithmetic, and the delays a core
can make; "energy" the ledger of a small network and
whatever decides where neurons and spikes go; "time" the durations, and again where they go; "area" the areas.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from manycore_examples import altered, example, linear, projection

from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.execute import EventEngine
from neuromorph.devices.manycore.tally.counts import gather_network
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.fields import declared
from neuromorph.hardware.paths import Parameter, parameters, replace
from neuromorph.hardware.registry import component_kinds
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import Population, SpikingNetwork

KINDS = ("manycore", "manycore_tile", "spiking_core", "router", "link", "barrier", "base")
CORE, TILE = "chip.tile.core.", "chip.tile."
ENERGIES = {f"{CORE}{x}_energy": "3 pJ" for x in ("update", "idle_update", "synapse", "spike", "send", "receive")}
TIMES = {f"{CORE}{x}_time": "30 ns" for x in ("step", "spike", "receive", "learn")}
SMALL = {"chip.tile.count": 6}
SETUPS: dict[str, tuple[str, dict[str, Any]]] = {
    "spinnaker1": ("spinnaker1", SMALL | {"chip.die_columns": 3, "chip.die_rows": 2}),
    "wide rings": ("spinnaker1", SMALL | {CORE + "ring_rate": "4 kHz", CORE + "ring_deviations": 0.5}),
    "spinnaker2": ("spinnaker2", SMALL),
    "spinnaker2, slower": ("spinnaker2", SMALL | {CORE + "level": 1, CORE + "skip_below": 0.1}),
    "spinnaker2, known by its power": (
        "spinnaker2", SMALL | {CORE + "level": 1, CORE + "active_power": "10 mW", CORE + "active": "always"}),
    "loihi": ("loihi-like", SMALL | {"chip.die_columns": 3, "chip.die_rows": 2}),
    "loihi, fitted": ("loihi-sanafe", SMALL | {CORE + "min_delay": 2}),
    "truenorth": ("truenorth-like", SMALL | {"chip.columns": 3}),
    "odin": ("odin-like", {}),
    "always active": ("spinnaker1", SMALL | {CORE + "active": "always", TILE + "board.area": "1 mm2"}),
    "every time": ("spinnaker1", SMALL | TIMES),
    "every energy": ("spinnaker1", SMALL | ENERGIES | {CORE + "learn_energy": "3 pJ"}),
    "all leaks and areas": ("loihi-like", SMALL | {
        f"{part}.{name}": value for part in (CORE[:-1], TILE + "router", TILE + "base", "chip.link")
        for name, value in (("leakage", "1 mW"), ("area", "1 mm2"))}),
    "every tile of a barrier": ("loihi-like", {}),
    "priced barrier": ("loihi-like", SMALL | {"chip.barrier.energy": "1 nJ"}),
    "priced packets": ("loihi-like", SMALL | {TILE + "router.energy_per_packet": "1 pJ"}),
    "wires by length": ("spinnaker2", SMALL | {
        "chip.link.energy_per_bit_length": "40 fJ/bit/mm", "chip.link.length": "2 mm"}),
    "known by power and bandwidth": ("spinnaker2", SMALL | {
        f"{part}.{name}": value for part in (TILE + "router", "chip.link")
        for name, value in (("active_power", "10 mW"), ("bandwidth", "1 Gbit/s"))}),
    "known by power and demand": ("spinnaker2", SMALL | {
        f"{part}.{name}": value for part in (TILE + "router", "chip.link")
        for name, value in (("active_power", "10 mW"), ("demand", "1 Gbit/s"))}),
    "priced bits": ("spinnaker1", SMALL | {"chip.link.energy_per_bit": "1 pJ/bit", "chip.link.latency": "10 ns"}),
}  # fmt: skip


@cache
def computed(arithmetic: Arithmetic) -> tuple[bytes, bytes]:
    """Spikes and values of a random network of 20 inputs and 16 leaky neurons, with a read-out that never fires."""
    rng = np.random.default_rng(0)
    network = SpikingNetwork(
        "random",
        (Population("in", (20,), "input"), linear("hidden", 16, 4.0), linear("out", 5, np.inf)),
        (projection("fc0", 0, 1, rng.normal(size=(20, 16))), projection("fc1", 1, 2, rng.normal(size=(16, 5)))),
        (0,),
        (2,),
        1e-3,
    )
    core = np.concatenate((np.full(20, -1), np.arange(16) % 2, np.full(5, 2)))
    inputs = Raster.from_dense((rng.random((2, 60, 20)) < 0.3).astype(np.float32))
    found = EventEngine(network, arithmetic, {2: 20.0}, core).run(inputs)
    return found.spikes.index.tobytes(), found.outputs[0].tobytes()


def observe(architecture: Architecture) -> dict[str, Any]:
    machine = read_machine(architecture)
    placement, traffic = example(architecture, plastic=True)
    ledger = price(gather_network(placement, traffic), architecture, 5e-3)
    apart = (
        "arithmetic",
        "times",
        "network",
        "step_s",
        "min_delay",
        "max_delay",
        "weight_bits",
        "packet_bits",
        "name",
        "late",
    )
    where = {k: v for k, v in dataclasses.asdict(machine).items() if k not in apart}
    delays = (machine.min_delay, machine.max_delay, machine.delay_extension)
    return {
        "function": (computed(machine.arithmetic), delays, machine.late),
        "energy": (where, [(r.layer, r.component, r.action, r.energy_j) for r in ledger if r.energy_j]),
        "time": repr((where, delays, machine.step_s, machine.times, machine.network)),
        "area": [(r.component, r.area_m2) for r in chip_area(architecture).rows],
    }


def candidates(p: Parameter) -> list[Any]:
    if p.role == "quantity":
        return ["1.37x", "0.73x"] if p.value != 0.0 else []
    if p.declaration.choices:
        return [c for c in p.declaration.choices if c != p.value]
    if isinstance(p.value, bool):
        return [not p.value]
    if isinstance(p.value, int):
        return [p.value + 1, p.value - 1]
    return [] if p.value is None or isinstance(p.value, str) else ["1.37x", "0.73x"]


@cache
def walk(name: str) -> tuple[dict[tuple[str, str, str], frozenset[str]], list[str]]:
    base, changes = SETUPS[name]
    architecture = altered(base, changes)
    before = observe(architecture)
    found: dict[tuple[str, str, str], set[str]] = {}
    complaints = []
    for p in parameters(architecture):
        mine = found.setdefault((p.component.kind.name, p.role, p.name), set())
        for value in candidates(p):
            try:
                after = observe(replace(architecture, {p.path: value}))
            except InputError:
                continue
            classes = {k for k in before if before[k] != after[k]}
            if classes - set(p.affects):
                complaints.append(f"{p.path} = {value} changes {sorted(classes)}, declared {p.affects}")
            mine |= classes
    return {k: frozenset(v) for k, v in found.items()}, complaints


@pytest.mark.parametrize("name", SETUPS)
def test_parameters_change_only_what_they_declare(name: str) -> None:
    _, complaints = walk(name)
    assert not complaints, "\n".join(complaints)


def fields() -> Iterator[tuple[tuple[str, str, str], tuple[str, ...]]]:
    for kind in (component_kinds()[k] for k in KINDS):
        for declaration in (kind.settings, kind.quantities):
            for name, spec in declared(declaration).items():
                yield (kind.name, spec.role, name), spec.affects


def test_parameters_change_all_they_declare() -> None:
    seen: dict[tuple[str, str, str], set[str]] = {}
    for name in SETUPS:
        for key, classes in walk(name)[0].items():
            seen.setdefault(key, set()).update(classes)
    missing = {key: sorted(set(affects) - seen.get(key, set())) for key, affects in fields()}
    dead = {".".join(key): classes for key, classes in missing.items() if classes}
    assert not dead, "\n".join(f"{key} never changed {classes}" for key, classes in dead.items())
