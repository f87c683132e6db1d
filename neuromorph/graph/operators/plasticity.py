"""Rules by which synapses learn, as an operator carries them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plasticity:
    """Pair STDP with exponential traces, optionally gated by a third factor.

    At a post spike w += a_plus x_pre, at a pre spike w -= a_minus x_post, traces decay with tau_plus_s, tau_minus_s and
    grow by 1 (or are set to 1 where nearest); w is clipped to [w_min, w_max]. additive, or multiplicative with the
    distance to the bound. rule "pair"; "reward": the change is held in an eligibility trace with tau_eligibility_s and
    enters the weight times the third factor of the step. Order of a SpiNNaker core: a row is updated when its pre
    spike arrives (after the dendritic delay), with all post spikes since the last one.
    """

    a_plus: float
    a_minus: float
    tau_plus_s: float
    tau_minus_s: float
    w_min: float = 0.0
    w_max: float = 1.0
    rule: str = "pair"
    multiplicative: bool = False
    nearest: bool = False
    tau_eligibility_s: float | None = None
