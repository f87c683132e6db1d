"""Analog-to-digital converters: one `bits` field sets the quantization, the energy, the time and the area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.devices.parts import adc_regression as regression
from neuromorph.hardware.component import (
    Component,
    ComponentKind,
    Cost,
    Footprint,
    Quantity,
    quantity,
    setting,
    weakest,
)
from neuromorph.hardware.pricing import Known, footprint, join, known, per_operation, priced, value, with_range

COUNTERS = ("ramp", "cco")
"""Architectures that count: a b-bit conversion takes up to 2^b counts."""


@dataclass(frozen=True)
class AdcSettings:
    """One analog-to-digital converter."""

    bits: int = setting(
        doc="resolution of the output code", affects=("function", "energy", "time", "area"), low=1, high=16, vector=True
    )
    architecture: str = setting(
        doc="how it converts; ramp and cco (current-controlled oscillator) count up to 2^bits steps",
        affects=("energy", "time", "area"),
        default="sar",
        choices=("sar", "flash", "ramp", "cco"),
    )
    model: str = setting(
        doc="price from the part's own figures, or from the survey regression at the part's node and sample rate",
        affects=("energy", "area"),
        default="datasheet",
        choices=("datasheet", "regression"),
    )


@dataclass(frozen=True)
class AdcQuantities:
    """Facts of one converter."""

    active_power: Quantity | None = quantity(
        "W", doc="power while it converts without pause", affects=("energy",), vector=True
    )
    sample_rate: Quantity | None = quantity(
        "Hz", doc="conversions per second at reference_bits", affects=("energy", "time", "area"), vector=True
    )
    energy_per_conversion: Quantity | None = quantity(
        "J",
        doc="energy of one conversion; beside energy_per_count, what does not depend on the count",
        affects=("energy",),
        vector=True,
    )
    energy_per_count: Quantity | None = quantity(
        "J", doc="energy of one count of a ramp or oscillator converter", affects=("energy",), vector=True
    )
    count_period: Quantity | None = quantity("s", doc="duration of one count", affects=("energy", "time"), vector=True)
    settling_time: Quantity | None = quantity(
        "s", doc="what a conversion by counts takes beside them", affects=("energy", "time"), vector=True
    )
    reference_bits: Quantity | None = quantity(
        "1", doc="resolution the figures are given at", affects=("energy", "time", "area"), low=1.0, high=16.0
    )
    node: Quantity | None = quantity("m", doc="technology node, for the regression", affects=("energy", "area"))
    area: Quantity | None = quantity("m^2", doc="area of one converter", affects=("area",), vector=True)
    leakage: Quantity | None = quantity("W", doc="static power of one converter", affects=("energy",), vector=True)


def sar_energy_ratio(bits: Any, reference_bits: Any, rate_hz: Any, node_m: Any) -> Any:
    """Energy of a conversion at `bits` over that at `reference_bits` by the regression's slope.

    Below 4 bits, where the regression has no data, energy is taken as proportional to the bits
    (the PUMA simulator's rule for its converters). Scalars or arrays.
    """

    def energy(b: Any) -> Any:
        covered = np.maximum(np.asarray(b, dtype=float), regression.MINIMUM_BITS)
        below = np.minimum(np.asarray(b, dtype=float) / regression.MINIMUM_BITS, 1.0)
        return regression.energy_per_conversion_j(covered, rate_hz, node_m) * below

    return energy(bits) / energy(reference_bits)


def sar_area_ratio(bits: Any, reference_bits: Any, rate_hz: Any, node_m: Any) -> Any:
    """Area at `bits` over that at `reference_bits`; A ~ E^0.29912 in the regression at a fixed rate and node."""
    return np.asarray(sar_energy_ratio(bits, reference_bits, rate_hz, node_m)) ** 0.29912


def counter_ratio(bits: Any, reference_bits: Any) -> Any:
    """Full-scale counts at `bits` over those at `reference_bits`, 2^(bits - reference_bits)."""
    return np.exp2(np.asarray(bits, dtype=float) - np.asarray(reference_bits, dtype=float))


def _fixed(component: Component, name: str) -> bool:
    """Whether a figure is known at its own resolution alone (a fitted residual): it is not moved to another."""
    found = None if component.part is None else component.part.get(name)
    return found is not None and any(key == "bits" for key, _ in found.at)


def _ratios(component: Component) -> tuple[Any, Any, str, str]:
    """(energy factor, area factor, source note, basis) from the part's reference resolution to the chosen one."""
    bits, part = component.settings.bits, component.part
    reference = value(part, "reference_bits", bits)
    if np.ndim(bits) == 0 and bits == reference:
        return 1.0, 1.0, "", "derived"
    if component.settings.architecture in COUNTERS:
        return (
            counter_ratio(bits, reference),
            np.asarray(bits) / reference,
            "2^bits counts, counter area by bits",
            "derived",
        )
    rate, node = value(part, "sample_rate", 100e6), value(part, "node", 32e-9)
    lowest = min(float(np.min(np.asarray(bits))), float(reference))
    basis = "derived" if lowest >= regression.MINIMUM_BITS else "assumed"
    note = f"scaled from {reference:g} bits by the slope of {regression.SOURCE}"
    return (
        sar_energy_ratio(bits, reference, rate, node),
        sar_area_ratio(bits, reference, rate, node),
        note,
        basis,
    )


def _regression_energy(component: Component) -> Known | None:
    rate, node = known(component.part, "sample_rate"), known(component.part, "node")
    if rate is None or node is None:
        return None
    energy = regression.energy_per_conversion_j(component.settings.bits, rate.value, node.value)
    fit = Known(energy, weakest(rate.basis, node.basis, "derived"), join(regression.SOURCE, rate.source, node.source))
    return with_range(fit, *regression.CALIBRATION_SPREAD)


def costs(component: Component) -> dict[str, Cost]:
    """conversion: J each; count: J per count where the part is a counter priced by its counts;
    busy: W where only its power is known. A counter priced by counts alone has conversion 0: all is in the counts."""
    part = component.part
    if component.settings.model == "regression":
        energy = _regression_energy(component)
        return {} if energy is None else {"conversion": energy.cost()}
    per_count = known(part, "energy_per_count")
    if per_count is not None:
        base = known(part, "energy_per_conversion") or Known(0.0, per_count.basis, per_count.source)
        return {"conversion": base.cost(), "count": per_count.cost()}
    energy = per_operation(part, "energy_per_conversion", "sample_rate")
    if _fixed(component, "energy_per_conversion"):
        return priced("conversion", energy, part)
    factor, _, note, basis = _ratios(component)
    return priced("conversion", None if energy is None else energy.scaled(factor, note, basis), part)


def area(component: Component) -> Footprint:
    """The part's area scaled to the chosen bits, or the regression's."""
    if component.settings.model == "regression":
        rate, node = known(component.part, "sample_rate"), known(component.part, "node")
        if rate is None or node is None:
            return footprint(None)
        size = regression.area_m2(component.settings.bits, rate.value, node.value)
        basis = weakest(rate.basis, node.basis, "derived")
        return Footprint(
            size, value(component.part, "leakage"), basis, join(regression.SOURCE, rate.source, node.source)
        )
    _, factor, note, _ = _ratios(component)
    return footprint(component.part, factor, note)


def conversion_time(component: Component) -> Any:
    """Seconds one conversion occupies the converter, or None where the part gives neither rate nor count period.

    Counters take 2^bits count periods; where only their rate is given it scales by 2^(reference_bits - bits).
    """
    part, bits = component.part, component.settings.bits
    rate = value(part, "sample_rate")
    if component.settings.architecture in COUNTERS:
        period = value(part, "count_period")
        if period is not None:
            return np.exp2(bits) * period + value(part, "settling_time", 0.0)
        return None if rate is None else counter_ratio(bits, value(part, "reference_bits", bits)) / rate
    return None if rate is None else 1.0 / rate


def times(component: Component) -> Mapping[str, float]:
    """{"conversion": seconds} where known."""
    duration = conversion_time(component)
    return {} if duration is None else {"conversion": duration}


def check(component: Component) -> list[str]:
    """Settings and part that contradict each other."""
    s, part = component.settings, component.part
    problems = []
    if s.model == "regression":
        problems += [
            f"model: regression needs the quantity {q}" for q in ("node", "sample_rate") if value(part, q) is None
        ]
        if s.bits < regression.MINIMUM_BITS:
            problems.append(
                f"bits: model regression covers {regression.MINIMUM_BITS} bits and more, got {s.bits}; "
                "use model datasheet with a part that gives its energy"
            )
    if value(part, "energy_per_count") is not None and s.architecture not in COUNTERS:
        problems.append(f"architecture: a part priced by counts needs {' or '.join(COUNTERS)}, got {s.architecture}")
    return problems


ADC = ComponentKind(
    name="adc",
    doc="An analog-to-digital converter.",
    settings=AdcSettings,
    quantities=AdcQuantities,
    costs=costs,
    footprint=area,
    times=times,
    check=check,
    within=("count",),
)
