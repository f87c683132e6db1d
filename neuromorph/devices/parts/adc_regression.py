"""Energy and area of an analog-to-digital converter from its resolution, rate and node.

Andrulis et al., "Modeling analog-digital-converter energy and area for compute-in-memory accelerator
design", arXiv 2404.06553, with the coefficients of the released fit to a survey of converters from
1997 to 2023. It follows the best 20 % of designs, so it is closer to a bound than to a mean, and
calibrated models of built chips sit between 3.6 times below and 3.5 times above it. From 4 to 6 bits
it is almost flat, and it has no data below 4 bits.

All functions take scalars or numpy arrays that broadcast: effective bits, samples per second, node in m.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromorph.errors import InputError

MINIMUM_BITS = 4
"""The fit covers no converter below this resolution."""

CALIBRATION_SPREAD = (1.0 / 3.6, 3.5)
"""Energy of calibrated converter models relative to the regression, lowest and highest."""

SOURCE = "Andrulis et al., arXiv 2404.06553 (regression)"


def _checked(bits: Any, rate_hz: Any, node_m: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    enob, rate, node = (np.asarray(x, dtype=float) for x in (bits, rate_hz, node_m))
    if np.any(~(enob >= MINIMUM_BITS)):
        raise InputError(
            f"the ADC regression covers {MINIMUM_BITS} effective bits and more, got {float(np.min(enob)):g}",
            hint=f"use at least {MINIMUM_BITS} bits, or a part that gives its own energy per conversion",
        )
    if np.any(~(rate > 0)) or np.any(~(node > 0)):
        raise InputError("the ADC regression needs a positive sample rate and technology node")
    return enob, rate, node


def figure_of_merit_db(bits: Any, rate_hz: Any) -> Any:
    """Schreier figure of merit in dB: the lower of the speed-limited and the resolution-limited line."""
    speed_limited = 213.781 - 2.8719 * np.log(np.asarray(rate_hz, dtype=float))
    resolution_limited = 128.307 + 3.22049 * np.ceil(np.asarray(bits, dtype=float))
    return np.minimum(speed_limited, resolution_limited)


def corner_frequency_hz(bits: Any) -> Any:
    """The sample rate above which energy per conversion rises with the rate."""
    return np.exp((213.781 - 128.307 - 3.22049 * np.ceil(np.asarray(bits, dtype=float))) / 2.8719)


def energy_per_conversion_j(bits: Any, rate_hz: Any, node_m: Any) -> Any:
    """E [pJ] = 0.5 * 10^((SNDR - FOM)/10) * exp(26.0496 + 1.88004 ln nm - 2.82913 ln ENOB - 1.47020).

    Leakage is inside this energy (the fit books about 20 % of it as static). Raises InputError below 4 bits.
    """
    enob, rate, node = _checked(bits, rate_hz, node_m)
    sndr_db = 6.0206 * enob + 1.7609
    scale = np.exp(26.0496 + 1.88004 * np.log(node * 1e9) - 2.82913 * np.log(enob) - 1.47020)
    out = 0.5e-12 * 10.0 ** ((sndr_db - figure_of_merit_db(enob, rate)) / 10.0) * scale
    return out if np.ndim(out) else float(out)


def area_m2(bits: Any, rate_hz: Any, node_m: Any) -> Any:
    """ln A[um^2] = 1.34619 + 0.99328 ln nm + 0.18072 ln f + 0.29912 ln E[pJ]. Raises InputError below 4 bits."""
    energy_pj = np.asarray(energy_per_conversion_j(bits, rate_hz, node_m)) * 1e12
    log_area = (
        1.34619
        + 0.99328 * np.log(np.asarray(node_m, dtype=float) * 1e9)
        + 0.18072 * np.log(np.asarray(rate_hz, dtype=float))
        + 0.29912 * np.log(energy_pj)
    )
    out = np.exp(log_area) * 1e-12
    return out if np.ndim(out) else float(out)
