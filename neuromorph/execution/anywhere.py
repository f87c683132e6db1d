"""Executing a placement of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuromorph.mapping.manycore.placement import CorePlacement

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.execution.result import Execution
    from neuromorph.graph.events import Raster
    from neuromorph.mapping.placement import Placement


def execute_on(
    placement: Placement | CorePlacement, inputs: np.ndarray | Raster, labels: np.ndarray | None = None, **options: Any
) -> Execution:
    """Runs a placed network on its hardware. options: those of `execution.engine.execute` for chips that host layers,
    those of `execution.spiking.execute_events` for many-core chips."""
    if isinstance(placement, CorePlacement):
        from neuromorph.execution.spiking import execute_events

        return execute_events(placement, inputs, labels, **options)
    from neuromorph.execution.engine import execute

    dense = inputs.dense() if hasattr(inputs, "dense") else inputs
    return execute(placement, dense, labels, **options)
