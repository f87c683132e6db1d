"""The network of a content-addressable memory after hippocampal region CA3: populations, synapses, parameters.

Model: Casanueva-Morato et al., Neural Networks 2024 (arXiv 2310.05868); numbers of its configuration for SpiNNaker
(sPyMem). C cues (one neuron each), K content bits. Neurons, without the C + K sources of the input: 4 C + 5 K + 1;
synapses: 3 C K + 2 C (C - 1) + 5 C + 8 K. For 5 x 10 that is 71 and 295, for 16 x 6 it is 95 and 896.

A cue enters cue_cue, which recalls its content into cont_cue through plastic synapses. Content enters cont_cue and
reaches cont_cont through cont_cond, unless cue_cue silences cont_cond (a recall by cue would otherwise run back);
cont_cont recalls cues into cue_cont through plastic synapses. Both halves are merged and leave together. While a pair
is learned, cue_cue and cont_cond make cue_cont and cont_cont fire as well, so that both directions are learned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking.network import Population, Projection, SpikingNetwork

STEP_S = 1e-3
"""Real time of a SpiNNaker step; all parameters are for it."""

REST_MV, THRESHOLD_MV = -60.0, -57.0
TAU_SYNAPSE_MS = 0.3
REFRACTORY = 1
"""Steps: tau_refrac = 1 ms."""

LEARNING = Plasticity(a_plus=6.0, a_minus=6.0, tau_plus_s=3e-3, tau_minus_s=3e-3, w_min=0.0, w_max=6.0)
"""Additive pair STDP, weights in nA."""


@dataclass(frozen=True)
class Cell:
    """Membrane of an IF_curr_exp neuron: capacitance and time constant."""

    cm_nf: float
    tau_ms: float


SLOW, FAST = Cell(0.27, 3.0), Cell(0.14, 0.5)

CELLS = {
    "cue_cue": SLOW, "cue_cont": FAST, "cont_cue": SLOW, "cont_cont": SLOW, "cont_cond": FAST, "cont_cond_int": FAST,
    "merge_cue": SLOW, "merge_cont": SLOW, "out_cue": SLOW, "out_cont": SLOW,
}  # fmt: skip
"""Populations in their order, after the input; those of the output are assumed to be like those that feed them."""


@dataclass(frozen=True)
class Wire:
    """Synapses between two populations: pattern "one" (to the same number), "all" or "others" (all but the same
    number); weight in nA, negative where it inhibits, None where it is plastic and begins at 0; delay in steps."""

    source: str
    target: str
    pattern: str
    weight_na: float | None
    delay: int


WIRES = (
    Wire("in_cue", "cue_cue", "one", 6.0, 1),
    Wire("in_cont", "cont_cue", "one", 6.0, 1),
    Wire("cue_cue", "cont_cue", "all", None, 1),
    Wire("cont_cont", "cue_cont", "all", None, 1),
    Wire("cue_cont", "cue_cont", "others", -6.0, 2),
    Wire("cue_cue", "cue_cont", "one", 6.0, 2),
    Wire("cue_cue", "cue_cont", "others", -6.0, 3),
    Wire("cue_cue", "cont_cond", "all", -6.0, 2),
    Wire("cont_cue", "cont_cond", "one", 9.0, 1),
    Wire("cont_cue", "cont_cond_int", "all", 6.0, 1),
    Wire("cont_cond_int", "cont_cond", "all", 2.0, 1),
    Wire("cont_cond", "cont_cont", "one", 6.0, 1),
    Wire("cue_cue", "merge_cue", "one", 6.0, 3),
    Wire("cue_cont", "merge_cue", "one", 6.0, 1),
    Wire("cont_cue", "merge_cont", "one", 6.0, 3),
    Wire("cont_cont", "merge_cont", "one", 6.0, 1),
    Wire("merge_cue", "out_cue", "one", 6.0, 1),
    Wire("merge_cont", "out_cont", "one", 6.0, 1),
)


def memory_network(cues: int, contents: int) -> SpikingNetwork:
    """The memory before anything is learned. Potentials in mV, currents and weights in nA, as a SpiNNaker core holds
    them: the units its 16.15 fixed point is made for. Inputs and outputs: cues, then contents."""
    for name, count in (("cues", cues), ("contents", contents)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"{name} is {count!r}", hint="a whole number, 1 or more")
    sizes = {name: contents if name in _CONTENT else cues for name in ("in_cue", "in_cont", *CELLS)}
    sizes["cont_cond_int"] = 1
    populations = [Population(name, (sizes[name],), "input") for name in ("in_cue", "in_cont")]
    populations += [_cells(name, sizes[name], cell) for name, cell in CELLS.items()]
    number = {p.name: i for i, p in enumerate(populations)}
    projections = tuple(_synapses(w, number, sizes) for w in WIRES)
    outputs = number["out_cue"], number["out_cont"]
    return SpikingNetwork(f"CA3 {cues}x{contents}", tuple(populations), projections, (0, 1), outputs, STEP_S)


_CONTENT = ("in_cont", "cont_cue", "cont_cont", "cont_cond", "merge_cont", "out_cont")


def _cells(name: str, size: int, cell: Cell) -> Population:
    """IF_curr_exp as SpiNNaker's cores step it: a spike of weight w is the mean over the step of a current that begins
    at w and decays with tau_syn, tau_syn/dt (1 - e^(-dt/tau_syn)) w; the membrane is exact for a constant current.

    The exact solution for the decaying current would leave a spike of 6 nA 3.2 mV of the 3 mV that a fast cell needs,
    here it has 5.4 mV: the published weights are made for this rule (basis: assumed, from memory).
    """
    dt = STEP_S * 1e3
    current, membrane = math.exp(-dt / TAU_SYNAPSE_MS), math.exp(-dt / cell.tau_ms)
    gain = cell.tau_ms / cell.cm_nf * (1 - membrane)
    values = {
        "a_syn": current, "b_syn": TAU_SYNAPSE_MS / dt * (1 - current),
        "a_mem": membrane, "b_mem": gain, "c_mem": (1 - membrane) * REST_MV,
        "threshold": THRESHOLD_MV, "v_reset": REST_MV, "sign": 1.0, "v_init": REST_MV,
    }  # fmt: skip
    semantics = Semantics(STEP_S, "exponential", reset="value", compare=">=", refractory=REFRACTORY)
    return Population(name, (size,), "linear", {k: np.full(size, v) for k, v in values.items()}, semantics)


def _synapses(wire: Wire, number: dict[str, int], sizes: dict[str, int]) -> Projection:
    n, m = sizes[wire.source], sizes[wire.target]
    there = np.ones((n, m), bool)
    if wire.pattern != "all":
        there = np.eye(n, m, dtype=bool) ^ (wire.pattern == "others")
    indptr = np.concatenate(([0], np.cumsum(there.sum(1)))).astype(np.int64)
    index = np.nonzero(there)[1].astype(np.int32)
    name = f"{wire.source}-{wire.target}" + ("-inhibit" if wire.pattern == "others" else "")
    weight = np.full(index.size, 0.0 if wire.weight_na is None else wire.weight_na, np.float32)
    plastic = LEARNING if wire.weight_na is None else None
    return Projection(
        name, number[wire.source], number[wire.target], indptr, index, weight, np.array([wire.delay], np.uint8), plastic
    )
