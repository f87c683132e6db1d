"""Latency and throughput of a pipeline of stages, buffers and links.

`simulate` computes the times of every token, by a compiled recursion or by discrete-event simulation; `closed_form`
and `tandem_latency` give bounds and closed forms; `critical_path` tells what made the last output as late as it is.
The equations are in `model`.

>>> rows = [Stage("conv", 1e-6, tokens=6), Stage("pool", 0.5e-6, tokens=3), Stage("dense", 2e-6)]
>>> edges = [Edge("conv", "pool", *window_need(3, 2, 2, in_rows=6), capacity=2),
...          Edge("pool", "dense", *all_at_once(1, 3))]
>>> line = simulate(Pipeline(rows, edges), samples=4)
>>> [round(float(t) * 1e6, 9) for t in line.end_s], line.bottleneck().stage
([8.5, 14.5, 20.5, 26.5], 'conv')
"""

from neuromorph.timeline.closed import ClosedForm, closed_form, tandem_departures, tandem_latency
from neuromorph.timeline.critical import CriticalPath, critical_path
from neuromorph.timeline.model import Edge, Pipeline, Stage
from neuromorph.timeline.needs import all_at_once, one_to_one, tandem, window_need, window_need_2d
from neuromorph.timeline.result import Bottleneck, GanttRow, StageArrays, StageShare, Timeline
from neuromorph.timeline.simulate import simulate, smallest_capacities

__all__ = [
    "Bottleneck",
    "ClosedForm",
    "CriticalPath",
    "Edge",
    "GanttRow",
    "Pipeline",
    "Stage",
    "StageArrays",
    "StageShare",
    "Timeline",
    "all_at_once",
    "closed_form",
    "critical_path",
    "one_to_one",
    "simulate",
    "smallest_capacities",
    "tandem",
    "tandem_departures",
    "tandem_latency",
    "window_need",
    "window_need_2d",
]
