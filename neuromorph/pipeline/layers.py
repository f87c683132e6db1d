"""Chips that host a network layer by layer: place, calibrate, execute, count, schedule, price, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from neuromorph.activity import assume, gather
from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.costing.schedule import schedule
from neuromorph.mapping import Placement, place
from neuromorph.pipeline.facts import provenance_of, work_sections
from neuromorph.report.model import Report, build_report

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.devices.kind import Assumption
    from neuromorph.execution import Calibration, Execution
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture


def run_layers(
    graph: Graph,
    architecture: Architecture,
    inputs: np.ndarray | None,
    labels: np.ndarray | None,
    *,
    placement: Placement | None,
    calibration: Calibration | None,
    calibration_inputs: np.ndarray | None,
    trials: int | Sequence[int],
    seed: int,
    time_s: float,
    off: Iterable[str],
    batch: int,
    workers: int,
    torch_device: str,
    effects: bool,
    assumption: Assumption | None,
    workload: bool,
    partner: Graph | None,
    progress: Callable[[float, str], None] | None,
    provenance: dict[str, Any] | None,
) -> Report:
    """See `neuromorph.pipeline.run`."""
    from neuromorph.execution import attribute, calibrate, execute

    placement = placement or place(graph, architecture, seed=seed)
    execution: Execution | None = None
    costs: tuple[Any, ...] = ()
    if inputs is None:
        activity = assume(placement, assumption)
    else:
        if calibration is None and calibration_inputs is not None:
            calibration = calibrate(placement, calibration_inputs, torch_device=torch_device)
        options: dict[str, Any] = {
            "trials": trials, "seed": seed, "time_s": time_s, "calibration": calibration, "batch": batch,
            "workers": workers, "torch_device": torch_device,
        }  # fmt: skip
        execution = execute(placement, inputs, labels, off=off, progress=progress, **options)
        activity = gather(placement, execution.statistics)
        if effects and labels is not None:
            costs = attribute(placement, inputs, labels, progress=progress, **options)
    times = schedule(placement, activity)
    facts = {
        **provenance_of(graph, architecture, seed, time_s, execution, sorted(off)),
        **(provenance or {}),
    }
    ledger = price(activity, architecture, times.latency_s)
    sections = []
    if workload and inputs is not None:
        sections = work_sections(graph, inputs, partner, ledger.total_j, architecture.boundary, times.throughput_hz)
    return build_report(
        placement,
        activity,
        ledger,
        price(activity, architecture, times.interval_s),
        chip_area(architecture),
        times,
        execution,
        facts,
        costs,
        tuple(sections),
    )
