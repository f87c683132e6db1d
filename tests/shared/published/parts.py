"""Measures of cores and parts, see `published.measures`."""

from __future__ import annotations

from typing import Any

from neuromorph import units
from neuromorph.devices.parts import adc_regression, sram, technology
from neuromorph.hardware.component import Component
from neuromorph.hardware.pricing import peak_power
from published.measures import declare, load


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
