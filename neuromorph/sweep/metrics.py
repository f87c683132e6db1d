"""The headline numbers of one point as flat columns; the same values as a report's metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neuromorph.devices.metrics import Metric
    from neuromorph.devices.result import Execution


def columns(metrics: Iterable[Metric], execution: Execution | None) -> dict[str, float | None]:
    """Metrics by name with the SI unit as suffix; `_low` and `_high` are the ends of an interval,
    `_ranged` the share that carries a published range. None: not known. The parts of an accuracy's interval are those
    of `_chips_` and of test `_samples_`.

    See `report.headline` and the kind's own metrics. accuracy_worst and accuracy_best: of single chips, where there is
    more than one.
    """
    found: dict[str, float | None] = {}
    for m in metrics:
        name = m.column
        found[name] = m.value
        if m.low is not None:
            found |= {f"{name}_low": m.low, f"{name}_high": m.high}
        if m.ranged is not None:
            found[f"{name}_ranged"] = m.ranged
    judged = found.get("accuracy") is not None
    if judged and execution is not None and (within := execution.interval) is not None:
        found |= {"accuracy_worst": within.worst, "accuracy_best": within.best}
        found |= {"accuracy_samples_low": within.samples[0], "accuracy_samples_high": within.samples[1]}
        if within.chips is not None:
            found |= {"accuracy_chips_low": within.chips[0], "accuracy_chips_high": within.chips[1]}
    return found
