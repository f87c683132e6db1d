"""The Fowler-Nordheim node that cools a NeuroSA machine, and its schedule.

Source of the rules: NeuroSA, Nature Communications 16, 3086 (2025). The node's equation is solved here, the solution
V(t) = B / ln(k1 t + k0) is checked against its differential equation in the tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neuromorph.errors import InputError
from neuromorph.systems.annealing.couplings import Couplings


@dataclass(frozen=True)
class FowlerNordheim:
    """A capacitor that discharges through a tunnelling barrier: dV/dt = -(k1 / B) V^2 exp(-B / V).

    b: slope of the barrier, in the unit of V. k1 = B a A / C (current prefactor a, area A, capacitance C), per unit of
    time. k0 = exp(B / V(0)).
    """

    b: float
    k1: float
    k0: float

    def voltage(self, t: np.ndarray | float) -> np.ndarray:
        """V(t) = B / ln(k1 t + k0), in the unit of b."""
        return np.asarray(self.b / np.log(self.k1 * np.asarray(t, np.float64) + self.k0))

    def slope(self, v: float) -> float:
        """dV/dt at the voltage v."""
        return -self.k1 / self.b * v * v * math.exp(-self.b / v)


@dataclass(frozen=True)
class Cooling:
    """Temperatures of the sweeps: T(n) = unit 0.5 A / (C ln(1 + t / C)), t = 1 + n delta, C = 2 A, up to t = C.

    amplitude: A, slightly above the largest local field in units of `unit`. unit: weight of one coupling, so that the
    cut of a graph with scaled weights is searched alike. That is a Fowler-Nordheim node with B = unit 0.5 A / C,
    k1 = 1 / C, k0 = 1. It starts at about unit A / 2 and ends at unit 0.25 / ln 2, whatever the graph.
    """

    amplitude: float
    unit: float

    def __post_init__(self) -> None:
        for name in ("amplitude", "unit"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"{name} of the cooling is {getattr(self, name)}", hint="a finite number above 0")

    @property
    def node(self) -> FowlerNordheim:
        c = 2 * self.amplitude
        return FowlerNordheim(self.unit * 0.5 * self.amplitude / c, 1 / c, 1.0)

    def temperatures(self, sweeps: int) -> np.ndarray:
        """T of each sweep, in the unit of the weights: (sweeps,) float64, falling."""
        if sweeps < 1:
            raise InputError(f"{sweeps} sweeps", hint="1 or more")
        n = np.arange(sweeps)
        delta = (2 * self.amplitude - 1) / max(sweeps - 1, 1)
        return self.node.voltage(1 + n * delta)


MARGIN = 1.05
"""A over the largest local field that the graph allows ("slightly above" in the source)."""


def cooling_of(graph: Couplings) -> Cooling:
    """The schedule of a graph, by one rule for all graphs: A is 1.05 times the largest sum of absolute weights at a
    vertex, in units of the mean absolute weight (and at least 1)."""
    unit = float(np.abs(graph.weight).mean()) if graph.weight.size else 1.0
    return Cooling(max(MARGIN * float(graph.strength.max()) / unit, 1.0), unit)
