"""Trained networks with values turned into spiking networks, and answers before all steps have run."""

from neuromorph.spiking.convert.activations import hoyer_extrema, limits, with_clip_floor, with_hoyer_steps
from neuromorph.spiking.convert.confidence import (
    Confidence,
    EarlyExit,
    answers_over_time,
    calibrate_confidence,
    exit_early,
)
from neuromorph.spiking.convert.network import convert
from neuromorph.spiking.convert.rates import RateDeviation, rate_deviations

__all__ = [
    "Confidence",
    "EarlyExit",
    "RateDeviation",
    "answers_over_time",
    "calibrate_confidence",
    "convert",
    "exit_early",
    "hoyer_extrema",
    "limits",
    "rate_deviations",
    "with_clip_floor",
    "with_hoyer_steps",
]
