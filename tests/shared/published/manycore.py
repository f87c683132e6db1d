"""Measures of many-core chips: their power at given rates of actions, and single actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.counts import Activity, ActivityRow
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.reading import barrier_s
from neuromorph.errors import InputError
from neuromorph.hardware import paths
from neuromorph.hardware.component import Architecture, Component
from published.measures import declare, load


def _altered(architecture: str, changes: Mapping[str, Any] | None) -> Architecture:
    found = load(architecture)
    return paths.replace(found, changes) if changes else found


@declare("W", architecture=None, changes=None)
def idle_power(architecture: str, changes: Mapping[str, Any] | None = None) -> float:
    """Static power of the whole."""
    return chip_area(_altered(architecture, changes)).leakage_w


@declare("W", architecture=None, supply="V", at="V")
def idle_power_at(architecture: str, supply: float, at: float) -> float:
    """Static power at another supply than its figures were taken at, by the square of the ratio."""
    return idle_power(architecture) * (supply / at) ** 2


@declare("W", architecture=None, rates=None, changes=None)
def running_power(architecture: str, rates: Mapping[str, float], changes: Mapping[str, Any] | None = None) -> float:
    """Power with so many actions per second, by path.action ("busy": seconds per second), static power included."""
    return _one_second(_altered(architecture, changes), rates)


@declare("J", architecture=None, rates=None, changes=None, per=None)
def energy_per_action(
    architecture: str, rates: Mapping[str, float], per: float, changes: Mapping[str, Any] | None = None
) -> float:
    """Power at these rates over the rate of what is counted."""
    return _one_second(_altered(architecture, changes), rates) / per


@declare("W", architecture=None, updates="Hz", events="Hz", changes=None)
def tile_power(architecture: str, updates: float, events: float, changes: Mapping[str, Any] | None = None) -> float:
    """Mean power of a tile while all together update so many neurons and do so many synaptic events per second."""
    found = _altered(architecture, changes)
    machine = read_machine(found)
    busy = updates * machine.times.neuron_s + events * machine.times.synapse_s
    return _one_second(found, {f"{found.chip['tile']['core'].path}.busy": busy}) / machine.tiles


@declare("1", architecture=None, updates="Hz", events="Hz", cores=None)
def load_of_cores(architecture: str, updates: float, events: float, cores: int | None = None) -> float:
    """Seconds of work per second and core while so many cores (all, if not given) update so many neurons and do so
    many synaptic events per second together; above 1 they cannot keep up with real time."""
    machine = read_machine(load(architecture))
    count = machine.tiles * machine.cores_per_tile if cores is None else cores
    return (updates * machine.times.neuron_s + events * machine.times.synapse_s) / count


@declare("1", architecture=None, action=None, part=None, levels=None)
def level_ratio(architecture: str, action: str, part: str, levels: list[int]) -> float:
    """Energy of an action of a core at the first of two performance levels of a part, relative to the second."""
    low, high = (
        core.kind.costs(core)[action].energy_j
        for n in levels
        for core in [_component(_altered(architecture, {"core.part": part, "core.level": n}), "chip.tile.core")]
        if core.kind.costs
    )
    return low / high


@declare("J", architecture=None, path=None, action=None, times=None)
def action_energy(architecture: str, path: str, action: str, times: float = 1.0) -> float:
    """Energy of so many of one action."""
    component = _component(load(architecture), path)
    costs = component.kind.costs(component) if component.kind.costs else {}
    if action not in costs:
        raise InputError(f"{architecture}: {path} has no price of {action!r}", hint=", ".join(costs) or "none")
    return costs[action].energy_j * times


@declare("s", architecture=None, tiles=None)
def barrier_time(architecture: str, tiles: int) -> float:
    """Time of the barrier of so many tiles."""
    return barrier_s(load(architecture).chip.get("barrier"), tiles)


def _one_second(architecture: Architecture, rates: Mapping[str, float]) -> float:
    """Energy of one second with these rates of actions."""
    split = ((name.rpartition("."), n) for name, n in rates.items())
    rows = tuple(ActivityRow("", path, action, float(n)) for (path, _, action), n in split)
    ledger = price(Activity(rows, "assumed", {}), architecture, 1.0)
    missing = [r.action for r in rows if not any(x.component == r.path and x.action == r.action for x in ledger)]
    if missing:
        raise InputError(f"{architecture.name} has no price of {', '.join(missing)}", hint="name path.action")
    return ledger.total_j


def _component(architecture: Architecture, path: str) -> Component:
    found = architecture.chip
    for step in path.split(".")[1:]:
        found = found[step]
    return found
