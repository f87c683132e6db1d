"""Timing of networks on chip: packets of spikes over routers and links.

The model is described in `model`; `schedule_network` gives what reports show, `step_times` the times of every step.
"""

from neuromorph.devices.manycore.tally.noc.losses import missing
from neuromorph.devices.manycore.tally.noc.model import Fabric, fabric_of
from neuromorph.devices.manycore.tally.noc.schedule import NetworkSchedule, assume_schedule, known, schedule_network
from neuromorph.devices.manycore.tally.noc.steps import Delays, StepTimes, step_times

__all__ = [
    "Delays",
    "Fabric",
    "NetworkSchedule",
    "StepTimes",
    "assume_schedule",
    "fabric_of",
    "known",
    "missing",
    "schedule_network",
    "step_times",
]
