"""Conductances of programmed cells: write noise, faults, relaxation, drift and 1/f noise.

Equations and defaults follow the device literature cited in each datasheet; conductances in siemens,
u = G / conductance_max, xi a standard normal per device and effect:

    programming   Gp = max(0, GT + sigma_p(u) xi)
    retention     as programming, with sigma interpolated in log time between the measured times
    relaxation    G = max(0, Gp + m ln t + (a + b ln t) xi), t in seconds, t >= 1 s
    drift         G(t) = Gp ((t + t0) / t0)^-nu,  nu = |mu(uT) + sd(uT) xi|, uT of the target
    1/f noise     G = max(0, G (1 + Q(up) sqrt(ln((t + t0 + tr) / (2 tr))) xi)), up as programmed, one draw per
                  read-out instant
    faults        stuck devices hold conductance_max or conductance_min, whatever is written and whenever it is read
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.layered.core import Draw
from neuromorph.errors import InputError
from neuromorph.hardware.component import Datasheet
from neuromorph.hardware.curve import Curve
from neuromorph.hardware.datasheet import evaluate_curve
from neuromorph.rng import stream

Chips = Sequence[tuple[int, str]]
"""Trial and path of every array of devices drawn together: what their streams are keyed by."""

SMALLEST_LEVEL = 1e-7
"""u is clipped here in logarithmic laws, as the published PCM models do."""


@dataclass(frozen=True)
class CellPhysics:
    """The laws of one cell part with the effects that are switched on."""

    part: Datasheet
    off: frozenset[str] = frozenset()

    @property
    def g_max(self) -> float:
        return float(self.part.value("conductance_max"))

    @property
    def g_min(self) -> float:
        return 0.0 if "on_off" in self.off else float(self.part.value("conductance_min"))

    def target(self, levels: np.ndarray) -> np.ndarray:
        """Target conductance of levels u in [0, 1], siemens."""
        return self.g_min + levels * (self.g_max - self.g_min)

    def curve(self, name: str, effect: str) -> Curve | None:
        return None if effect in self.off else self.part.value(name)

    def vary(self, time_s: float) -> bool:
        """Whether two devices of one target can differ, in what they hold or in what they read as."""
        laws = (("programming_noise", "programming"), ("flicker_noise", "flicker"), ("read_noise", "read"))
        drifting = time_s > 0.0 and any(
            self.curve(name, "drift") is not None for name in ("drift_exponent_deviation", "relaxation_spread")
        )
        faulty = "faults" not in self.off and any(self.part.value(n, 0.0) > 0.0 for n in ("stuck_on", "stuck_off"))
        return drifting or faulty or any(self.curve(*law) is not None for law in laws)

    def check_time(self, time_s: float) -> None:
        """Refuses a time the cell's data do not cover."""
        limit = self.part.value("valid_time")
        if limit is not None and time_s > limit:
            raise InputError(
                f"cell {self.part.name} has data up to {limit:g} s after programming, {time_s:g} s was asked for"
            )

    def write_deviation(self, u: np.ndarray, time_s: float) -> np.ndarray | None:
        """Standard deviation around the target, siemens: programming noise, or retention noise at a later time."""
        first = self.curve("programming_noise", "programming")
        if first is None:
            return None
        sigma = evaluate_curve(first, u)
        times = self.part.value("retention_times")
        if times is None or "drift" in self.off:
            return sigma
        laws = [sigma] + [evaluate_curve(self.part.value(f"retention_noise_{k + 1}"), u) for k in range(len(times))]
        position = float(
            np.interp(np.log(max(time_s, 1.0)), np.log(np.maximum([1.0, *times], 1.0)), np.arange(len(laws)))
        )
        low = min(int(position), len(laws) - 2)
        return laws[low] + (position - low) * (laws[low + 1] - laws[low])

    def states(self, levels: np.ndarray, draw: Draw, chips: Chips) -> tuple[np.ndarray, np.ndarray]:
        """Conductances right after programming and at the reading time, each (chips, *levels.shape), siemens.

        Laws of the target are evaluated once for all chips. Stuck devices keep the conductance they are stuck at;
        everything else acts on the others.
        """
        fresh = self.program(levels, draw, chips)
        aged = self.age(fresh, levels, draw, chips)
        stuck = self._stuck(levels.shape, draw, chips)
        if stuck is None:
            return fresh, aged
        return np.where(np.isnan(stuck), fresh, stuck), np.where(np.isnan(stuck), aged, stuck)

    def program(self, levels: np.ndarray, draw: Draw, chips: Chips) -> np.ndarray:
        """Conductances of sound devices right after programming (retention: at the reading time)."""
        target = self.target(levels)
        sigma = self.write_deviation(target / self.g_max, draw.time_s)
        if sigma is None:
            return np.broadcast_to(target, (len(chips), *target.shape))
        g = _normals(target.shape, draw, chips, "programming")
        g *= sigma
        g += target
        return np.maximum(0.0, g, out=g)

    def _stuck(self, shape: tuple[int, ...], draw: Draw, chips: Chips) -> np.ndarray | None:
        """Conductance of each stuck device, NaN for sound ones; None where none is stuck."""
        on, off = self.part.value("stuck_on", 0.0), self.part.value("stuck_off", 0.0)
        if "faults" in self.off or on + off == 0.0:
            return None
        lot = np.stack([stream(draw.seed, trial, path, "faults").random(shape) for trial, path in chips])
        return np.select([lot < on, lot < on + off], [self.g_max, self.g_min], np.nan)

    def age(self, g: np.ndarray, levels: np.ndarray, draw: Draw, chips: Chips) -> np.ndarray:
        """Conductances at the reading time: relaxation, drift, and one draw of the 1/f noise.

        The drift exponent follows the target, the 1/f noise the programmed conductance, as published.
        """
        g = self._relax(g, draw, chips)
        mean = self.curve("drift_exponent_mean", "drift")
        t0 = self.part.value("drift_time_zero")
        programmed = np.maximum(g / self.g_max, SMALLEST_LEVEL)
        if mean is not None and draw.time_s > 0.0:
            u = np.maximum(self.target(levels) / self.g_max, SMALLEST_LEVEL)
            nu = evaluate_curve(mean, u)
            spread = self.curve("drift_exponent_deviation", "drift")
            if spread is not None:
                nu = nu + evaluate_curve(spread, u) * _normals(levels.shape, draw, chips, "drift")
            g = g * ((draw.time_s + t0) / t0) ** -np.abs(nu)
        flicker = self.curve("flicker_noise", "flicker")
        if flicker is not None:
            tr = self.part.value("flicker_read_time")
            growth = np.sqrt(np.log((draw.time_s + t0 + tr) / (2 * tr)))
            xi = _normals(levels.shape, draw, chips, "flicker")
            g = np.maximum(0.0, g * (1 + evaluate_curve(flicker, programmed) * growth * xi))
        return g

    def _relax(self, g: np.ndarray, draw: Draw, chips: Chips) -> np.ndarray:
        shift, spread = self.part.value("relaxation_shift"), self.part.value("relaxation_spread")
        if "drift" in self.off or draw.time_s < 1.0 or (shift is None and spread is None):
            return g
        log_time = np.log(draw.time_s)
        if shift is not None:
            g = g + shift * log_time
        if spread is not None:
            xi = _normals(g.shape[1:], draw, chips, "relaxation")
            g = g + (spread[0] + spread[1] * log_time) * xi
        return np.maximum(0.0, g)

    def read_variance(self, g: np.ndarray) -> np.ndarray | None:
        """Variance of the conductance from one read to the next, siemens squared; None where there is none."""
        law = self.curve("read_noise", "read")
        if law is None:
            return None
        return np.square(evaluate_curve(law, np.maximum(g / self.g_max, 0.0)))


def _normals(shape: tuple[int, ...], draw: Draw, chips: Chips, effect: str) -> np.ndarray:
    """Standard normals (chips, *shape), each chip's from its own stream."""
    out = np.empty((len(chips), *shape))
    for own, (trial, path) in zip(out, chips, strict=True):
        stream(draw.seed, trial, path, effect).standard_normal(out=own)
    return out
