"""All verbs in a row: place, execute, count, schedule, price, report, by the kind of the architecture's root."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from neuromorph.devices.manycore import is_manycore
from neuromorph.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.devices.kind import Assumption
    from neuromorph.execution import Calibration
    from neuromorph.execution.events import StopRule
    from neuromorph.graph.events import Raster
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture
    from neuromorph.mapping import Placement
    from neuromorph.mapping.manycore.placement import CorePlacement
    from neuromorph.report.model import Report


def run(
    graph: Graph,
    architecture: Architecture,
    inputs: np.ndarray | Raster | None = None,
    labels: np.ndarray | None = None,
    *,
    placement: Placement | CorePlacement | None = None,
    calibration: Calibration | None = None,
    calibration_inputs: np.ndarray | Raster | None = None,
    trials: int | Sequence[int] = 10,
    seed: int = 0,
    time_s: float = 0.0,
    off: Iterable[str] = (),
    batch: int = 128,
    workers: int = 1,
    torch_device: str = "cpu",
    effects: bool = False,
    assumption: Assumption | None = None,
    stop: StopRule | None = None,
    workload: bool | None = None,
    partner: Graph | None = None,
    progress: Callable[[float, str], None] | None = None,
    provenance: dict[str, Any] | None = None,
) -> Report:
    """Accuracy, energy, latency, power and area of a network on an architecture.

    inputs: (samples, *shape), or a Raster for networks over time; without them nothing is executed and costs follow
    from `assumption`. calibration_inputs: data the converter ranges are found on. effects: also run with each effect
    left out in turn. stop: ends a sample early (many-core chips). workload: count the network's own work (NeuroBench,
    accountings); left out: for networks over time. partner: a network without spikes of equal accuracy for the
    break-even. Other arguments: see `execute`. On a many-core chip every trial is alike, and what belongs to analog
    devices (calibration, trials, time_s, torch_device) has no meaning and is left alone.
    Raises FitError when the network does not fit.
    """
    from neuromorph.graph.decode import over_time

    counted = over_time(graph) if workload is None else workload
    common: dict[str, Any] = {
        "seed": seed, "off": off, "workers": workers, "effects": effects, "assumption": assumption,
        "workload": counted and inputs is not None, "partner": partner, "progress": progress, "provenance": provenance,
    }  # fmt: skip
    if is_manycore(architecture):
        from neuromorph.mapping.placement import Placement as Tiled
        from neuromorph.pipeline.events import run_events

        if isinstance(placement, Tiled):
            raise InputError("this placement is of tiles, a many-core chip takes one of cores", hint="place again")
        return run_events(graph, architecture, inputs, labels, placement=placement, stop=stop, **common)
    from neuromorph.graph.events import Raster as Events
    from neuromorph.pipeline.layers import run_layers

    if stop is not None:
        raise InputError(f"{architecture.name} runs all steps of a sample", hint="early exit needs a many-core chip")
    dense = inputs.dense() if isinstance(inputs, Events) else inputs
    calibrating = calibration_inputs.dense() if isinstance(calibration_inputs, Events) else calibration_inputs
    return run_layers(
        graph, architecture, dense, labels, placement=placement, calibration=calibration,  # type: ignore[arg-type]
        calibration_inputs=calibrating, trials=trials, time_s=time_s, batch=batch, torch_device=torch_device, **common,
    )  # fmt: skip


__all__ = ["run"]
