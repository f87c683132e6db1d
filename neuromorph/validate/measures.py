"""Measures of cores and parts, see `devices.measures`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neuromorph import units
from neuromorph.devices.layered.core import core_of
from neuromorph.devices.layered.crossbar.validate import CoreProduct, full_product
from neuromorph.devices.measures import declare, load
from neuromorph.devices.parts import adc_regression, sram, technology
from neuromorph.devices.parts.pricing import peak_power
from neuromorph.hardware import paths
from neuromorph.hardware.component import Component


def _component(architecture: str, path: str) -> Component:
    found = load(architecture).chip
    for step in path.split(".")[1:]:
        found = found[step]
    return found


def subtree_power_w(component: Component) -> float:
    """Peak power of one component with all below it; what is not modelled is left out."""
    powers = ((peak_power(c), n) for c, n in component.walk())
    return float(sum(n * p.value for p, n in powers if p is not None))


def subtree_area_m2(component: Component) -> float:
    """Area of one component with all below it; what is not modelled is left out."""
    total = 0.0
    for c, n in component.walk():
        area = c.kind.footprint(c).area_m2 if c.kind.footprint else None
        total += 0.0 if area is None else n * area
    return total


@declare("W", architecture=None, path=None)
def power(architecture: str, path: str) -> float:
    """Peak power of one component with its children."""
    return subtree_power_w(_component(architecture, path))


@declare("W", architecture=None, path=None)
def power_in_parent(architecture: str, path: str) -> float:
    """Peak power of all of these components in one parent."""
    found = _component(architecture, path)
    return found.count * subtree_power_w(found)


@declare("m^2", architecture=None, path=None)
def area(architecture: str, path: str) -> float:
    """Area of one component with its children."""
    return subtree_area_m2(_component(architecture, path))


@declare("m^2", architecture=None, path=None)
def area_in_parent(architecture: str, path: str) -> float:
    """Area of all of these components in one parent."""
    found = _component(architecture, path)
    return found.count * subtree_area_m2(found)


def _product(architecture: str, drive: float, level: float, changes: Mapping[str, Any] | None) -> CoreProduct:
    found = load(architecture)
    if changes:
        found = paths.replace(found, changes)
    return full_product(core_of(found), drive, level)


@declare("GOPS", architecture=None)
def core_throughput(architecture: str) -> float:
    """Operations per second of one core at full use."""
    product = _product(architecture, 1.0, 1.0, None)
    return product.operations / product.time_s / 1e9


@declare("TOPS", architecture=None)
def chip_throughput(architecture: str) -> float:
    """Operations per second of all cores at full use."""
    tile = load(architecture).chip["tile"]
    return core_throughput(architecture) * tile.count * tile["core"].count / 1e3


@declare("TOPS/W", architecture=None)
def chip_peak_efficiency(architecture: str) -> float:
    """Throughput at full use over the chip's peak power."""
    return chip_throughput(architecture) / subtree_power_w(load(architecture).chip)


@declare("TOPS/mm2", architecture=None)
def chip_density(architecture: str) -> float:
    """Throughput at full use over the chip's area."""
    return chip_throughput(architecture) / (subtree_area_m2(load(architecture).chip) * 1e6)


@declare("TOPS/W", architecture=None, drive=None, level=None)
def core_efficiency(architecture: str, drive: float, level: float) -> float:
    """Operations per joule of one core; drive, level: mean input and weight relative to full scale."""
    product = _product(architecture, drive, level, None)
    return product.operations / sum(product.energies_j.values()) / 1e12


@declare("TOPS/mm2", architecture=None)
def core_density(architecture: str) -> float:
    """Operations per second and area of one core."""
    return core_throughput(architecture) / 1e3 / (subtree_area_m2(core_of(load(architecture))) * 1e6)


@declare("fJ/op", architecture=None, component=None, changes=None)
def core_energy_per_operation(architecture: str, component: str, changes: Mapping[str, Any]) -> float:
    """Energy of one action of the core, "component.action" or all of a component, at full use, per operation."""
    product = _product(architecture, 1.0, 1.0, changes)
    parts = [e for name, e in product.energies_j.items() if name == component or name.split(".")[0] == component]
    return sum(parts) / product.operations * 1e15


@declare("TOPS", architecture=None, changes=None)
def cores_throughput(architecture: str, changes: Mapping[str, Any]) -> float:
    """Throughput of all cores at full use."""
    tile = load(architecture).chip["tile"]
    product = _product(architecture, 1.0, 1.0, changes)
    return product.operations / product.time_s * tile.count * tile["core"].count / 1e12


@declare("J", bits=None, rate="Hz", node="m")
def adc_energy(bits: float, rate: float, node: float) -> float:
    """Energy per conversion of the survey regression."""
    return float(adc_regression.energy_per_conversion_j(bits, rate, node))


@declare("m^2", bits=None, rate="Hz", node="m")
def adc_area(bits: float, rate: float, node: float) -> float:
    """Area of the survey regression."""
    return float(adc_regression.area_m2(bits, rate, node))


@declare("Hz", bits=None)
def adc_corner(bits: float) -> float:
    """Corner frequency of the survey regression."""
    return float(adc_regression.corner_frequency_hz(bits))


@declare("J", capacity="bit", word=None, node="m")
def sram_energy(capacity: float, word: float, node: float) -> float:
    """Energy to read one word by the SRAM power law."""
    return float(sram.read_energy_j(capacity, word, node))


@declare("m^2", capacity="bit", word=None, node="m")
def sram_area(capacity: float, word: float, node: float) -> float:
    """Area by the SRAM power law."""
    return float(sram.area_m2(capacity, word, node))


@declare("s", capacity="bit", word=None, node="m")
def sram_time(capacity: float, word: float, node: float) -> float:
    """Access time by the SRAM law."""
    return float(sram.access_time_s(capacity, word, node))


@declare("1", nm=None, supply="V")
def logic_energy_ratio(nm: float, supply: float) -> float:
    """Logic energy relative to 45 nm at 1.0 V."""
    return float(technology.energy_ratio(45.0, nm, 1.0, supply))


@declare("W", parts=None)
def sum_of_powers(parts: list[Any]) -> float:
    """Published parts added up: [count, power] pairs."""
    return sum(count * units.parse(value, "W") for count, value in parts)


@declare("m^2", parts=None)
def sum_of_areas(parts: list[Any]) -> float:
    """Published parts added up: [count, area] pairs."""
    return sum(count * units.parse(value, "m^2") for count, value in parts)


@declare("1", energies=None, efficiency=None)
def energy_times_efficiency(energies: list[float], efficiency: float) -> float:
    """Published energies per operation (fJ) times the published efficiency (TOPS/W): 1 where they agree."""
    return sum(energies) * 1e-15 * efficiency * 1e12


@declare("TOPS", efficiency=None, over=None)
def efficiency_times(efficiency: float, over: float) -> float:
    """Published ratio times what it is a ratio to: the published throughput where they agree."""
    return efficiency * over


@declare("1", shares=None)
def sum_of_shares(shares: list[float]) -> float:
    """Published shares of a whole, in percent, added up: 1 where they are complete."""
    return sum(shares) / 100.0
