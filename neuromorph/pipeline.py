"""All verbs in a row: place, calibrate, execute, count, schedule, price, report."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import neuromorph
from neuromorph.activity import assume, gather
from neuromorph.costing.area import chip_area
from neuromorph.costing.ledger import price
from neuromorph.costing.schedule import schedule
from neuromorph.mapping import Placement, place
from neuromorph.report.model import Report, build_report

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.devices.kind import Assumption
    from neuromorph.execution import Calibration, Execution
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture


def run(
    graph: Graph,
    architecture: Architecture,
    inputs: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    *,
    placement: Placement | None = None,
    calibration: Calibration | None = None,
    calibration_inputs: np.ndarray | None = None,
    trials: int | Sequence[int] = 10,
    seed: int = 0,
    time_s: float = 0.0,
    off: Iterable[str] = (),
    batch: int = 128,
    workers: int = 1,
    torch_device: str = "cpu",
    effects: bool = False,
    assumption: Assumption | None = None,
    progress: Callable[[float, str], None] | None = None,
    provenance: dict[str, Any] | None = None,
) -> Report:
    """Accuracy, energy, latency, power and area of a network on an architecture.

    inputs: (samples, *shape); without them nothing is executed and costs follow from `assumption`.
    calibration_inputs: data the converter ranges are found on. effects: also run with each effect left
    out in turn. Other arguments: see `execute`. Raises FitError when the network does not fit.
    """
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
        **_provenance(graph, architecture, seed, time_s, execution, sorted(off)),
        **(provenance or {}),
    }
    return build_report(
        placement,
        activity,
        price(activity, architecture, times.latency_s),
        price(activity, architecture, times.interval_s),
        chip_area(architecture),
        times,
        execution,
        facts,
        costs,
    )


def _provenance(
    graph: Graph, architecture: Architecture, seed: int, time_s: float, execution: Execution | None, off: list[str]
) -> dict[str, Any]:
    return {
        "neuromorph": neuromorph.__version__,
        "python": platform.python_version(),
        "network": graph.name,
        "network_hash": graph_digest(graph),
        "architecture": architecture.name,
        "architecture_title": architecture.title,
        "boundary": architecture.boundary,
        "seed": seed,
        "time_s": time_s,
        "effects_off": off,
        "chips": 0 if execution is None else len(execution.trials),
        "samples": 0 if execution is None else execution.samples,
    }


def graph_digest(graph: Graph) -> str:
    """Hash of a graph's weights and structure."""
    h = hashlib.blake2b(digest_size=8)
    for node in graph.nodes:
        h.update(f"{node.name}|{type(node.operator).__name__}|{node.inputs}".encode())
        for name, array in sorted(node.operator.arrays().items()):
            h.update(name.encode() + array.tobytes())
    return h.hexdigest()
