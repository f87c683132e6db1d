"""The headline numbers that every kind of hardware has: accuracy, energy, time, power, area."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from neuromorph.costing.area import Area, chip_area
from neuromorph.costing.gating import GATED, UNGATED, Idle, idle_of
from neuromorph.costing.ledger import dynamic_by
from neuromorph.devices.metrics import Metric
from neuromorph.devices.result import mean_interval
from neuromorph.hardware.component import weakest
from neuromorph.hardware.extrapolated import extrapolated
from neuromorph.report.ranges import energy_of

if TYPE_CHECKING:
    from neuromorph.counts import Activity
    from neuromorph.devices.protocol import Energy, Times
    from neuromorph.devices.result import Execution
    from neuromorph.hardware.component import Architecture
    from neuromorph.report.ranges import Ranges


NOT_THE_CHIP = "not what this chip would compute"


@dataclass(frozen=True)
class Cost:
    """Energy of one sample and area of the chip. extrapolated: numbers used away from where they hold.
    idle: what parts draw that have no work, if they are not gated."""

    energy: Energy
    area: Area
    idle: Idle
    extrapolated: tuple[str, ...] = ()
    ranges: Ranges | None = None


def cost_of(architecture: Architecture, activity: Activity, times: Times, ranges: Ranges | None = None) -> Cost:
    """What an activity costs, and how far that moves within published ranges (`report.ranges.ranges_of`)."""
    outside = tuple(str(e) for e in extrapolated(architecture.chip))
    return Cost(
        energy_of(activity, times, architecture), chip_area(architecture), idle_of(architecture), outside, ranges
    )


def ranged(metrics: Iterable[Metric], ranges: Ranges | None) -> list[Metric]:
    """Metrics with their ends within published ranges, and the share of each that carries one."""
    return [_with_range(m, ranges) for m in metrics] if ranges is not None else list(metrics)


def _with_range(metric: Metric, ranges: Ranges) -> Metric:
    if metric.value is None or metric.unit in ("1", "") or metric.name not in ranges.shares:
        return metric
    share = ranges.shares[metric.name]
    told = "under 1 %" if 0.0 < share < 0.01 else f"{share:.0%}"
    words = f"{told} of it has a published range, the range of the rest is unknown" if share else "its range is unknown"
    note = f"{metric.note}; {words}" if metric.note else words
    low, high = metric.low, metric.high
    if low is not None and high is not None:  # where samples differ their ends move as well
        low = ranges.ends.get(f"{metric.name}_low", (low, low))[0]
        high = ranges.ends.get(f"{metric.name}_high", (high, high))[1]
    else:
        low, high = ranges.ends.get(metric.name, (None, None))
    return replace(metric, low=low, high=high, note=note, ranged=share)


def headline(execution: Execution | None, times: Times, cost: Cost) -> list[Metric]:
    """Metrics in the order of a report. Without any component's figure, static energy and area are unknown, not 0."""
    single, steady, area, basis = cost.energy.single, cost.energy.steady_j, cost.area, cost.energy.basis
    known = any(row.kind == "static" for row in single)
    static = "static power times latency included" if known else "no static power is known"
    interval = times.interval_s
    priced = [r.basis for r in area.rows if r.area_m2]
    ends = single.range_j if cost.ranges is None else (single.total_j, single.total_j)
    low, high = ends if ends[1] > ends[0] else (None, None)
    costs = [
        Metric("energy", single.total_j, "J", low, high, basis=basis, note=f"one sample, {single.boundary}; {static}"),
        Metric("dynamic_energy", single.total("dynamic"), "J", basis=basis),
        Metric("static_energy", single.total("static") if known else None, "J", basis=basis, note=static),
        Metric("steady_energy", steady, "J", basis=basis, note="one sample of an uninterrupted stream"),
        Metric("latency", times.latency_s, "s", times.latency_low_s, times.latency_high_s, note=_latency_note(times)),
        Metric("interval", interval, "s", note=f"of an uninterrupted stream; bound by {times.bottleneck}"),
        Metric("throughput", times.throughput_hz, "1/s", note="samples of an uninterrupted stream"),
        Metric("power", steady / interval if interval else None, "W", basis=basis, note="of an uninterrupted stream"),
        Metric("area", area.known_m2, "m^2", basis=weakest(*priced)),
    ]
    costs = [*ranged(costs, cost.ranges), *_ungated(cost, interval)]
    return [*_answers(execution, times.losses), *costs, *_extrapolated(cost)]


def _ungated(cost: Cost, interval: float | None) -> list[Metric]:
    """The other end of static energy and power: the figures without this name have every idle part gated."""
    found, steady = cost.energy.single.static_range_j, cost.energy.steady_j
    if found is None:
        return []
    unknown = cost.energy.single.ungated_unknown
    note = f"{UNGATED}, where the figure above has {GATED}"
    note += f"; without {', '.join(unknown)}, whose power at work is not known" if unknown else ""
    metrics = [Metric("static_energy_ungated", found[1], "J", basis="derived", note=note)]
    if interval:
        watts = (steady + cost.idle.ungated_j(dynamic_by(cost.energy.single), interval)) / interval
        metrics.append(Metric("power_ungated", watts, "W", basis="derived", note=note))
    return metrics


def _extrapolated(cost: Cost) -> list[Metric]:
    """How many constants are used away from the settings they hold at, and which; nothing where all hold."""
    if not cost.extrapolated:
        return []
    note = "; ".join(cost.extrapolated) + ": kept as they are elsewhere, so off every Pareto front"
    return [Metric("extrapolated", float(len(cost.extrapolated)), "1", basis="derived", note=note)]


def _latency_note(times: Times) -> str:
    note = "one sample on an idle chip, first input to last output"
    return note if times.latency_low_s is None else f"{note}; range: fastest sample to 95th percentile"


def _answers(execution: Execution | None, losses: str) -> list[Metric]:
    """Accuracy and error; None with the reason where the run did not lose what the chip would (`losses`)."""
    if execution is None:
        return []
    found = []
    if (within := execution.interval) is not None:
        note = f"95 % interval; {within.told(len(execution.trials), execution.samples)}"
        if losses:
            why = f"{NOT_THE_CHIP}: {losses}; without these losses {within.mean:.2%}"
            found.append(Metric("accuracy", None, "1", note=why))
        else:
            found.append(Metric("accuracy", within.mean, "1", within.low, within.high, "simulated", note))
        found.append(Metric("float_accuracy", execution.float_accuracy, "1", note="the float network, same samples"))
    for name, score in execution.scores.items():
        low, high = mean_interval(score.values) or (None, None)
        note = f"{score.meaning}; float network {score.float_value:.4g}"
        value = None if losses else float(score.values.mean())
        found.append(Metric(name, value, "1", low, high, "simulated", f"{NOT_THE_CHIP}: {losses}" if losses else note))
    mean = float(execution.error.mean())
    if losses:
        return [*found, Metric("output_error", None, "1", note=f"{NOT_THE_CHIP}: {losses}; without them {mean:.4g}")]
    return [*found, Metric("output_error", mean, "1", note="rms deviation from the float outputs, relative")]
