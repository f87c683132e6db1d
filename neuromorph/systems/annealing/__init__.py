"""NeuroSA: MAX-CUT by pairs of ON and OFF neurons with a threshold that a Fowler-Nordheim node anneals.

Source: Nature Communications 16, 3086 (2025); equations in `cooling` and `pairs`.
"""

from neuromorph.systems.annealing.cooling import Cooling, FowlerNordheim, cooling_of
from neuromorph.systems.annealing.couplings import Couplings, couplings, ising, qubo, read_gset
from neuromorph.systems.annealing.order import Order, grouped
from neuromorph.systems.annealing.solve import MaxCutResult, Trace, maxcut, schedule, trace

__all__ = [
    "Cooling", "Couplings", "FowlerNordheim", "MaxCutResult", "Order", "Trace", "cooling_of", "couplings", "grouped",
    "ising", "maxcut", "qubo", "read_gset", "schedule", "trace",
]  # fmt: skip
