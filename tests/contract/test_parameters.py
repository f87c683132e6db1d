"""A changed parameter changes what its declaration says, and nothing else; none is dead.

Every parameter of every kind of component is changed in shipped architectures (made small) and in a few made for the
purpose. What may change: "function" the outputs, "energy" the ledger, "time" the timeline, "area" the areas. Two
relations are physics and no fault of a declaration: values that change ("function") change the energy of what they
drive, and the ledger is taken at a fixed time, so that a slower chip alone does not cost more static energy.

Over all architectures together each parameter must change everything that it declares. It is tried in one place after
the other until it has; `--walk` (`make walk`) tries each in every place.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from emulated import Graph, Node, activation, altered, convolution, dense, inputs_of, placed, pooling, rng, wiring

from neuromorph.compress.quantization import quantize
from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.devices.layered.tally.counts import gather
from neuromorph.devices.layered.tally.times import schedule
from neuromorph.errors import InputError
from neuromorph.graph.model import Window
from neuromorph.hardware.component import Architecture, Component, ComponentKind
from neuromorph.hardware.fields import declared
from neuromorph.hardware.paths import Parameter, parameters, replace
from neuromorph.hardware.registry import admitted, component_kinds

DAY = 86400.0
T, C = "chip.tile.", "chip.tile.core."


@dataclass(frozen=True)
class Setup:
    """An architecture to walk over. dropped: quantities its parts are made to lack, as path.name; only: endings of
    the paths that are walked (all, where empty); bits: quantization of the network."""

    base: str
    changes: dict[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    time_s: float = 7200.0
    bits: int = 0


def leaking(*paths: str) -> dict[str, str]:
    return {f"{p}.leakage": "1 mW" for p in paths}


SMALL = {C + "array.rows": 16, C + "array.columns": 16}
FEW = {C + "array.rows": 16, C + "array.columns": 32, C + "array.count": 2, C + "count": 1, "chip.tile.count": 60}
DIGITAL = {C + "rows": 8, C + "columns": 8, C + "weight_buffer.capacity": "2048 bit"}
SLOW = {C + "adc.count": 1, C + "adder.count": 1, C + "adc.sample_rate": "10 MHz"}
BUFFER_LAW = {T + "buffer.model": "sram", T + "buffer.word_bits": 32, T + "buffer.node": "32 nm"}

SETUPS = {
    "hermes": Setup("hermes-like", SMALL),
    "neurram": Setup("neurram-like", SMALL),
    "sonos": Setup("sonos-like", SMALL),
    "isaac": Setup("isaac-like", FEW),
    "puma": Setup("puma-like", FEW),
    "digital": Setup("digital-int8", DIGITAL),
    # what a parameter needs around it to matter
    "later 2": Setup("sonos-like", SMALL, only=("retention_noise_2", "retention_times"), time_s=1.5 * DAY),
    "later 3": Setup("sonos-like", SMALL, only=("retention_noise_3",), time_s=2.5 * DAY),
    "later 4": Setup("sonos-like", SMALL, only=("retention_noise_4", "valid_time"), time_s=3.5 * DAY),
    "later 5": Setup("sonos-like", SMALL, only=("retention_noise_5", "valid_time"), time_s=4.9 * DAY),
    "relaxing cells": Setup("hermes-like", SMALL | {C + "array.cell.part": "reram-cmo-02"}, only=("cell.",)),
    "cells with an area": Setup("sonos-like", SMALL | {C + "array.cell.area": "0.1 um2"},
                                only=("cell.area", "array.rows", "array.columns", "array.pair")),
    "faulty cells": Setup("hermes-like", SMALL | {C + "array.cell.stuck_on": 0.02, C + "array.cell.stuck_off": 0.03},
                          only=("stuck_on", "stuck_off")),
    "reading slowly": Setup("isaac-like", FEW, only=("cell.read_time",)),
    "offset": Setup("isaac-like", FEW | {C + "array.cell.part": "reram-milo2021", C + "array.row_energy": "1 pJ"},
                    only=("cell.", "array.", "core.signed_inputs", "core.converter_range")),
    "converting slowly": Setup("isaac-like", FEW | SLOW, only=("adc.", "adder.", "dac.", "core.conversion")),
    "ramp": Setup("isaac-like", FEW | SLOW | {C + "adc.architecture": "ramp", C + "adc.bits": 7},
                  only=("adc.",)),
    "counted converter": Setup("neurram-like", SMALL | {C + "adc.energy_per_count": "0.1 pJ"},
                               only=("energy_per_count",)),
    "coarser converter": Setup("isaac-like", FEW | {C + "adc.bits": 7}, only=("adc.",)),
    "holding slowly": Setup("isaac-like", FEW | {C + "sample_hold.sample_rate": "1 MHz"}, only=("sample_hold.",)),
    "driving slowly": Setup("isaac-like", FEW | {C + "dac.sample_rate": "1 MHz"}, only=("dac.",)),
    "adding slowly": Setup("isaac-like", FEW | {C + "adder.operation_rate": "1 MHz"},
                           dropped=(C + "adder.demand",), only=("adder.",)),
    "regression": Setup("sonos-like", SMALL, dropped=(C + "adc.count_period",), only=("adc.",)),
    "wide adder": Setup("sonos-like", SMALL | {C + "adder.bits": 24, C + "adder.node": "32 nm",
                        C + "adder.supply": "0.95 V"}, only=("adder.",)),
    "capacitive driver": Setup("neurram-like", SMALL | {C + "dac.part": "capacitive-dac-28nm"}, only=("dac.",)),
    "slow buffer": Setup("isaac-like", FEW | {T + "buffer.bandwidth": "10 Mbit/s"}, dropped=(T + "buffer.demand",),
                         only=("tile.buffer.", "core.windows")),
    "slow fetches": Setup("digital-int8", DIGITAL | {T + "buffer.word_bits": 1}, only=("core.windows",)),
    "slow law": Setup("sonos-like", SMALL | {T + "buffer.word_bits": 1, C + "array.cell.read_time": "10 ps",
                      C + "adc.count_period": "1 fs", C + "adder.count": 4096, C + "adder.operation_rate": "1 THz"},
                      only=("tile.buffer.",)),
    "slow bus": Setup("isaac-like", FEW | {T + "bus.bandwidth": "10 Mbit/s"}, dropped=(T + "bus.demand",),
                      only=("tile.bus.",)),
    "priced bus": Setup("isaac-like", FEW | {T + "bus.energy_per_bit": "1 pJ/bit"}, only=("tile.bus.",)),
    "long bus": Setup("isaac-like", FEW | {T + "bus.energy_per_bit_length": "1 pJ/bit/mm", T + "bus.length": "1 mm"},
                      only=("tile.bus.",)),
    "slow interface": Setup("isaac-like", FEW | {"chip.io.bandwidth": "1 Mbit/s"}, only=("chip.io.",)),
    "powered interface": Setup("isaac-like", FEW | {"chip.io.active_power": "1 W"},
                               dropped=("chip.io.energy_per_bit",), only=("chip.io.",)),
    "priced interface": Setup("isaac-like", FEW | {"chip.io.energy_per_bit": "1 pJ/bit"}, only=("chip.io.",)),
    "link at full load": Setup("isaac-like", FEW | {"chip.link.demand": "1 Gbit/s", "chip.link.active_power": "1 mW"},
                               dropped=("chip.link.energy_per_bit_length",), only=("chip.link.",)),
    "interface at full load": Setup("isaac-like", FEW | {"chip.io.active_power": "1 W", "chip.io.demand": "1 Gbit/s"},
                                    dropped=("chip.io.energy_per_bit",), only=("chip.io.",)),
    "router at full load": Setup("isaac-like", FEW | {T + "router.demand": "1 Gbit/s"},
                                 dropped=(T + "router.energy_per_bit",), only=("router.",)),
    "slow router": Setup("isaac-like", FEW | {T + "router.bandwidth": "10 Mbit/s"},
                         dropped=(T + "router.energy_per_bit",), only=("router.",)),
    "powered router": Setup("isaac-like", FEW, dropped=(T + "router.energy_per_bit", T + "router.bandwidth"),
                            only=("router.",)),
    "slow link": Setup("isaac-like", FEW | {"chip.link.bandwidth": "10 Mbit/s", "chip.link.latency": "10 ns",
                       "chip.link.area": "10 um2", "chip.link.active_power": "1 mW"},
                       dropped=("chip.link.energy_per_bit_length",), only=("chip.link.",)),
    "short link": Setup("isaac-like", FEW | {"chip.link.energy_per_bit": "1 pJ/bit"}, only=("chip.link.",)),
    "late arrivals": Setup("isaac-like", FEW | {"chip.tile.bus.latency": "1 us", "chip.io.latency": "1 us"},
                           only=("bus.latency", "io.latency")),
    "torus": Setup("hermes-like", SMALL | {"chip.topology": "torus", "chip.columns": 5},
                   only=("chip.columns", "chip.topology")),
    "powered lanes": Setup("hermes-like", SMALL | {T + "vector_unit.active_power": "1 mW"},
                           dropped=(T + "vector_unit.energy_per_operation",), only=("vector_unit.",)),
    "busy lanes": Setup("hermes-like", SMALL | {T + "vector_unit.active_power": "1 mW"},
                        dropped=(T + "vector_unit.energy_per_operation", T + "vector_unit.operation_rate"),
                        only=("vector_unit.",)),
    "lanes at their node": Setup("sonos-like", SMALL | {T + "vector_unit.node": "32 nm",
                                 T + "vector_unit.supply": "0.9 V"}, only=("vector_unit.",)),
    "powered memory": Setup("digital-int8", DIGITAL | {C + "input_buffer.model": "datasheet",
                            C + "input_buffer.active_power": "1 mW"}, only=("core.clock", "input_buffer.")),
    "memory bound": Setup("digital-int8", DIGITAL | {C + "weight_buffer.word_bits": 4},
                          only=("core.", "weight_buffer.")),
    "accumulators": Setup("digital-int8", DIGITAL | {C + "accumulator_bits": 14},
                          only=("accumulator_bits", "skip_zeros")),
    "fewer bits": Setup("digital-int8", DIGITAL | {C + "accumulator_bits": 13}, only=("core.precision",), bits=3),
    "priced buffer": Setup("isaac-like", FEW | {T + "buffer.read_energy": "1 pJ/bit",
                           T + "buffer.write_energy": "2 pJ/bit", C + "sample_hold.energy_per_sample": "1 fJ"},
                           only=("tile.buffer.", "energy_per_sample")),
    "fewer slices": Setup("isaac-like", FEW, only=("core.precision",), bits=4),
    "leaking crossbar": Setup("isaac-like", FEW | leaking(
        C + "array", C + "dac", C + "adc", C + "sample_hold", C + "adder", C + "input_buffer", T + "bus",
        T + "vector_unit", T + "router", "chip.link", "chip.io"), only=("leakage",)),
    "leaking core": Setup("digital-int8", DIGITAL | leaking(C + "mac", C + "weight_buffer"),
                          only=("leakage", "lanes", "shared_by")),
}  # fmt: skip
WHOLE = ("hermes", "neurram", "sonos", "isaac", "puma", "digital")


@cache
def network(bits: int) -> Graph:
    """A convolution that needs several arrays, pooling, a dense layer with another after it."""
    r = rng(8)
    conv = convolution.Conv2d(r.normal(size=(4, 2, 3, 3)), r.normal(size=4), window=Window((3, 3)))
    nodes = (
        Node("conv", conv, ("x",)),
        Node("relu", activation.ReLU(), ("conv",)),
        Node("pool", pooling.MaxPool2d(), ("relu",)),
        Node("flat", wiring.Flatten(), ("pool",)),
        Node("fc0", dense.Linear(r.normal(size=(20, 16)), r.normal(size=20)), ("flat",)),
        Node("fc1", dense.Linear(r.normal(size=(3, 20))), ("fc0",)),
    )
    graph = Graph("small", {"x": (2, 6, 6)}, nodes, ("fc1",))
    return (
        quantize(graph, bits, activations=bits, activation_scheme="symmetric", data=inputs_of(graph, 8))
        if bits
        else graph
    )


def without(component: Component, dropped: tuple[str, ...]) -> Component:
    children = {name: without(child, dropped) for name, child in component.children.items()}
    mine = {path.rsplit(".", 1)[1] for path in dropped if path.rsplit(".", 1)[0] == component.path}
    part = component.part
    if mine and part is not None:
        part = dataclasses.replace(part, quantities={k: q for k, q in part.quantities.items() if k not in mine})
    return dataclasses.replace(component, children=children, part=part)


def observe(architecture: Architecture, setup: Setup) -> dict[str, Any]:
    """What each class of effects is seen in. A reading that the cells' data refuse counts as another function."""
    graph = network(setup.bits)
    x = inputs_of(graph, 5)
    placement = placed(graph, architecture, duplicate=False)
    calibration = calibrate(placement, x[:3])
    run = execute(placement, x, trials=1, time_s=setup.time_s, calibration=calibration)
    assert run.outputs is not None
    activity = gather(placement, run.statistics)
    times = schedule(placement, activity)
    ledger = price(activity, architecture, 1e-3)
    return {
        "function": run.outputs.tobytes(),
        "energy": [(r.layer, r.component, r.action, r.energy_j) for r in ledger if r.energy_j],
        "time": (times.latency_s, times.interval_s),
        "area": [(r.component, r.area_m2) for r in chip_area(architecture).rows],
    }


def candidates(p: Parameter) -> list[Any]:
    """Values to try for a parameter, the gentlest first."""
    if p.role == "quantity":
        return ["1.37x", "0.73x", "1.01x", "0.99x", "2x", "0.5x"] if p.value != 0.0 else []
    if p.declaration.choices:
        return [c for c in p.declaration.choices if c != p.value]
    if isinstance(p.value, bool):
        return [not p.value]
    if isinstance(p.value, int):
        return [p.value + 1, p.value - 1, 2 * p.value, p.value // 2]
    return [] if p.value is None else ["1.37x", "0.73x", "0.95x", "0.6x"]


def changed(
    architecture: Architecture, p: Parameter, value: Any, setup: Setup, base: dict[str, Any]
) -> set[str] | None:
    """Classes that a new value changes; None where it is not legal or nothing fits any more."""
    try:
        other = replace(architecture, {p.path: value})
        seen = observe(other, setup)
    except InputError as error:
        return {"function"} if "after programming" in str(error) else None
    return {k for k in base if base[k] != seen[k]}


Key = tuple[str, str, str]
"""Component kind, role, name."""


@cache
def unchanged(name: str) -> Architecture:
    """The architecture of a setup."""
    setup = SETUPS[name]
    architecture = altered(setup.base, setup.changes)
    return dataclasses.replace(architecture, chip=without(architecture.chip, setup.dropped))


@cache
def observed(name: str) -> dict[str, Any]:
    """What is seen of a setup while nothing is changed."""
    return observe(unchanged(name), SETUPS[name])


def walked(setup: Setup, path: str) -> bool:
    return not setup.only or any(part in path if part.endswith(".") else path.endswith(part) for part in setup.only)


@cache
def places() -> dict[Key, list[tuple[str, Parameter]]]:
    """Setups and parameters in which each declared parameter can be changed.

    Setups made for it come first; then the whole architectures, each parameter beginning with another one.
    """
    found: dict[Key, list[tuple[str, Parameter]]] = {}
    for name in sorted(SETUPS, key=WHOLE.__contains__):
        for p in parameters(unchanged(name)):
            if walked(SETUPS[name], p.path):
                found.setdefault((p.component.kind.name, p.role, p.name), []).append((name, p))
    for key, mine in found.items():
        made = sum(name not in WHOLE for name, _ in mine)
        turn = zlib.crc32(".".join(key).encode()) % max(1, len(mine) - made)
        found[key] = mine[:made] + mine[made + turn :] + mine[made : made + turn]
    return found


def tried(name: str, p: Parameter) -> tuple[set[str], list[str]]:
    """The declared classes that a parameter is seen to change in a setup, and complaints about others."""
    architecture, base = unchanged(name), observed(name)
    allowed = set(p.affects) | ({"energy"} if "function" in p.affects else set())
    seen: set[str] = set()
    complaints: list[str] = []
    for value in candidates(p):
        classes = changed(architecture, p, value, SETUPS[name], base)
        if classes is None:
            continue
        if classes - allowed:
            complaints.append(f"{name}: {p.path} = {value} changes {sorted(classes - allowed)}, declared {p.affects}")
        seen |= classes & set(p.affects)
        if seen >= set(p.affects):
            break
    return seen, complaints


def held_by(root: str) -> list[ComponentKind]:
    """The kind of this name and all kinds that fit somewhere below it."""
    kinds, found = component_kinds(), [root]
    for name in found:
        fit = [k for slot in kinds[name].slots.values() for k in admitted(slot)]
        found += [k for k in dict.fromkeys(fit) if k not in found]
    return [kinds[name] for name in found]


def fields(kind: ComponentKind) -> Iterator[tuple[Key, set[str]]]:
    """Every declared parameter of a kind of component, with what it affects."""
    for declaration in (kind.settings, kind.quantities):
        for name, spec in declared(declaration).items():
            yield (kind.name, spec.role, name), set(spec.affects)


PACKETS = {
    ("link", "quantity", "energy_per_packet"),
    ("link", "quantity", "energy_per_packet_vertical"),
    ("link", "quantity", "packet_rate"),
    ("router", "setting", "entries"),
    ("router", "quantity", "energy_per_packet"),
    ("router", "quantity", "port_rate"),
}
"""What routers and links are of packets alone, which chips of layers do not send: test_manycore_parameters.py walks all
parameters of both kinds on many-core chips."""


@pytest.mark.parametrize("kind", held_by("chip"), ids=lambda kind: kind.name)
def test_parameters_change_all_they_declare_and_nothing_else(kind: ComponentKind, whole_walk: bool) -> None:
    complaints = []
    for key, affects in fields(kind):
        missing = set(affects)
        for name, p in places().get(key, ()):
            if not missing and not whole_walk:
                break
            seen, more = tried(name, p)
            missing -= seen
            complaints += more
        if bool(missing) != (key in PACKETS):
            complaints.append(f"{'.'.join(key)} never changed {sorted(missing)}")
    assert not complaints, "\n".join(complaints)


def test_every_parameter_of_the_setups_belongs_to_a_kind_walked() -> None:
    assert set(places()) <= {key for kind in held_by("chip") for key, _ in fields(kind)}


@pytest.mark.parametrize("name", WHOLE)
def test_more_components_change_no_value(name: str) -> None:
    architecture, base = unchanged(name), observed(name)
    for p in parameters(architecture, ("count",)):
        classes = changed(architecture, p, p.value + 1, SETUPS[name], base)
        assert classes is None or "function" not in classes, p.path
        occupied = {r.component for r in chip_area(architecture).rows if r.area_m2}
        assert classes is None or p.component.path not in occupied or "area" in classes, p.path
