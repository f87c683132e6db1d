"""The headline numbers of one point as flat columns; the same values as a report's metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.devices.layered.place import views
from neuromorph.devices.layered.tally.times import schedule

if TYPE_CHECKING:
    from neuromorph.counts import Activity
    from neuromorph.devices.layered.execute import Execution
    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.hardware.component import Architecture


@dataclass(frozen=True)
class Timing:
    """What the metrics need of a placement and its schedule. placement: metrics of the placement alone."""

    latency_s: float
    interval_s: float
    macs: int
    placement: dict[str, float | None]

    @classmethod
    def of(cls, placement: Placement, activity: Activity) -> Timing:
        """Of a placement with this activity."""
        times = schedule(placement, activity)
        own: dict[str, float | None] = {name: value for name, value, _, _ in views.metrics(placement)}
        own["bit_hops"] = placement.bit_hops
        return cls(times.latency_s, times.interval_s, placement.graph.macs, own)


def metrics_of(
    architecture: Architecture, activity: Activity, timing: Timing, execution: Execution | None
) -> dict[str, float | None]:
    """Metrics by name with the SI unit as suffix; `_low` and `_high` are the ends of an interval.

    accuracy (95 % interval of the mean over chips), accuracy_worst, accuracy_best, float_accuracy, output_error;
    energy_j of one inference on an idle chip (interval: every price at its low and high end) and its parts;
    steady_energy_j, interval_s, throughput_per_s, power_w and efficiency_per_j (2 operations per multiply-accumulate)
    of a full pipeline; latency_s; area_m2; what the placement uses, and its bits times hops. None: not known.
    """
    found: dict[str, float | None] = {}
    if execution is not None:
        if (within := execution.interval) is not None:
            found |= {"accuracy": within.mean, "accuracy_low": within.low, "accuracy_high": within.high}
            found |= {"accuracy_worst": within.worst, "accuracy_best": within.best}
            found["float_accuracy"] = execution.float_accuracy
        found["output_error"] = float(execution.error.mean())
    single, area = price(activity, architecture, timing.latency_s), chip_area(architecture)
    # The ledger of a full pipeline has the same dynamic rows, and static power times its interval.
    steady = single.total("dynamic") + area.leakage_w * timing.interval_s
    low, high = single.range_j
    found |= {"energy_j": single.total_j, "energy_j_low": low, "energy_j_high": high}
    known = any(row.kind == "static" for row in single)
    found |= {"dynamic_energy_j": single.total("dynamic")}
    found["static_energy_j"] = single.total("static") if known else None
    found |= {"steady_energy_j": steady, "latency_s": timing.latency_s, "interval_s": timing.interval_s}
    found["throughput_per_s"] = 1.0 / timing.interval_s if timing.interval_s > 0 else None
    found["power_w"] = steady / timing.interval_s if timing.interval_s > 0 else None
    found["area_m2"] = area.total_m2
    found["efficiency_per_j"] = 2.0 * timing.macs / steady if steady > 0 else None
    return found | timing.placement
